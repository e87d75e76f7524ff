// Goal: facts are read strictly, merged by stated rules and never lost or invented. Method: small files whose
// mistakes are known, merges checked field by field, and the embedded table read as a whole.
#include "catalog/model_catalogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalog/json_place.h"

namespace brevet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

const std::string kSource = R"("format": 1, "sources": {"card": {"title": "A card", "date": "2024-07-23"}})";

ModelCatalogue parsed(const std::string& models) {
  auto out = ModelCatalogue::parse("{" + kSource + ", \"models\": " + models + "}", "test");
  EXPECT_TRUE(out) << (out ? "" : out.error().message);
  return out ? *std::move(out) : ModelCatalogue{};
}

TEST(ModelCatalogue, ReadsEveryFactWithItsSource) {
  const auto catalogue = parsed(R"({"m": {"aliases": ["M-1"], "maker": "Acme", "hosts": ["here"],
    "open_weights": true, "licence": {"spdx": "MIT", "class": "permissive"}, "parameters": 8000,
    "active_parameters": 2000, "context_tokens": 4096, "output_tokens_max": 512,
    "capabilities": {"tools": true, "vision": false, "reasoning": null},
    "architecture": {"layers": 2, "kv_heads": 3, "head_size": 4}, "price": {"input": "0.15", "output": 0.6},
    "retires": "2026-02-28", "benchmarks": [{"benchmark": "MMLU", "score": 0.5, "setup": "5-shot"}],
    "note": "n", "source": "card", "sources": {"price": "own"}}})");
  const auto* model = catalogue.find("m-1");
  ASSERT_TRUE(model) << "an alias is found in any case";
  EXPECT_EQ(model->maker, "Acme");
  EXPECT_EQ(model->licence->kind, LicenceClass::kPermissive);
  EXPECT_EQ(model->active_parameters, 2000);
  EXPECT_EQ(model->has(Capability::kTools), true);
  EXPECT_EQ(model->has(Capability::kVision), false);
  EXPECT_EQ(model->has(Capability::kReasoning), std::nullopt) << "null is not known, never false";
  EXPECT_EQ(model->has(Capability::kInstruct), std::nullopt);
  EXPECT_EQ(model->price->input_per_million.to_string(), "0.15");
  EXPECT_EQ(model->sources.at("price"), kOwnSource);
  EXPECT_EQ(model->sources.at("capabilities.vision"), "card");
  EXPECT_FALSE(model->sources.contains("capabilities.reasoning"));
  EXPECT_EQ(model->benchmarks.at(0).source, "card");
  EXPECT_EQ(blended_price(*model->price, 3, 1).to_string(), "0.2625");
}

TEST(ModelCatalogue, WhatIsWrittenReadsBackTheSame) {
  for (const auto* catalogue : {&ModelCatalogue::embedded()}) {
    const auto again = ModelCatalogue::parse(catalogue->json(), "again");
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(again->models(), catalogue->models());
    EXPECT_EQ(again->sources(), catalogue->sources());
    EXPECT_EQ(again->json(), catalogue->json());
  }
}

TEST(ModelCatalogue, ABrokenFileNamesLineAndField) {
  struct Case {
    std::string text, param, line;
  };
  const auto with = [](const std::string& model) {
    return "{" + kSource + ",\n\"models\": {\n\"fine\": {},\n\"m\": {\n" + model + "}\n}}";
  };
  const Case cases[] = {
      {"{", "(file)", "line 1"},
      {"{\n\n\"a\": nope}", "(file)", "line 3"},
      {"{} {}", "(file)", "line 1"},
      {"[]", "(file)", "object"},
      {"{}", "format", "line 1"},
      {R"({"format": 2})", "format", "line 1"},
      {"{\"format\": 1,\n\"modles\": {}}", "modles", "line 2"},
      {"{\"format\": 1,\n\"sources\": {\"own\": {}}}", "sources.own", "line 2"},
      {"{\"format\": 1,\n\"sources\": {\"a\": {\"title\": \"t\",\n\"date\": \"2024-02-30\"}}}",
       "sources.a.date", "line 3"},
      {"{\"format\": 1, \"models\": []}", "models", "object"},
      {with("\"licence\": \"MIT\""), "models.m.licence", "line 5"},
      {with("\"licence\": {\"spdx\": \"MIT\",\n\"class\": \"free\"}"), "models.m.licence.class", "line 6"},
      {with("\"parameters\": 0"), "models.m.parameters", "line 5"},
      {with("\"parameters\": 1.5"), "models.m.parameters", "line 5"},
      {with("\"parameters\": 5,\n\"active_parameters\": 6"), "models.m.active_parameters", "line 6"},
      {with("\"context_tokens\": \"4096\""), "models.m.context_tokens", "line 5"},
      {with("\"capabilities\": {\"flies\": true}"), "models.m.capabilities.flies", "line 5"},
      {with("\"capabilities\": {\"tools\": \"yes\"}"), "models.m.capabilities.tools", "line 5"},
      {with("\"architecture\": {\"layers\": 3}"), "models.m.architecture.kv_heads", "line 5"},
      {with("\"price\": {\"input\": 1}"), "models.m.price.output", "line 5"},
      {with("\"price\": {\"input\": -1, \"output\": 1}"), "models.m.price.input", "line 5"},
      {with("\"price\": {\"input\": \"cheap\", \"output\": 1}"), "models.m.price.input", "line 5"},
      {with("\"retires\": \"soon\""), "models.m.retires", "line 5"},
      {with("\"benchmarks\": [{\"score\": 0.5}]"), "models.m.benchmarks.benchmark", "line 5"},
      {with("\"benchmarks\": [{\"benchmark\": \"MMLU\", \"score\": 88}]"), "models.m.benchmarks.score",
       "line 5"},
      {with("\"source\": \"hearsay\""), "models.m.source", "line 5"},
      {with("\"sources\": {\"price\": \"card\"}"), "models.m.sources.price", "line 5"},
      {with("\"contxt\": 3"), "models.m.contxt", "line 5"},
  };
  for (const auto& item : cases) {
    const auto refused = ModelCatalogue::parse(item.text, "cards.json");
    ASSERT_FALSE(refused) << item.text;
    EXPECT_EQ(refused.error().code, "bad_model_file");
    EXPECT_EQ(refused.error().param, item.param) << refused.error().message;
    EXPECT_THAT(refused.error().message, HasSubstr("cards.json"));
    EXPECT_THAT(refused.error().message, HasSubstr(item.line)) << item.text;
  }
}

TEST(ModelCatalogue, TheLineIsThatOfTheKeyAndNotOfItsNamesake) {
  const std::string text =
      "{\n\"a\": {\"x\": \"b\", \"b\": [1, {\"c\": 2}]},\n\"b\": {\n\"x\\\"y\": {},\n\"c\": 3}}";
  EXPECT_EQ(catalog::line_of(text, {"b", "c"}), 5u);
  EXPECT_EQ(catalog::line_of(text, {"a", "b"}), 2u);
  EXPECT_EQ(catalog::line_of(text, {"b", "nothing"}), 3u) << "of the deepest part that is there";
  EXPECT_EQ(catalog::line_of("", {"b"}), 1u);
}

TEST(ModelCatalogue, MergingAddsReplacesAndNeverDeletes) {
  auto catalogue = parsed(R"({"m": {"aliases": ["acme/m"], "context_tokens": 100, "parameters": 7,
    "price": {"input": 1, "output": 2}, "capabilities": {"tools": true}, "source": "card"},
    "other": {"maker": "Acme"}})");
  const auto newer = ModelCatalogue::parse(
      R"({"format": 1, "sources": {"file": {"title": "A file", "date": "2026-11-24"}}, "models": {
        "m": {"context_tokens": 100, "price": {"input": 3, "output": 4}, "capabilities": {"vision": true},
              "hosts": ["x"], "source": "file"},
        "new": {"maker": "Newco", "source": "file"}}})",
      "newer");
  ASSERT_TRUE(newer);
  const auto count = catalogue.merge(*newer);
  EXPECT_EQ(count, (MergeCount{1, 1, 1, 1, 0}));
  const auto& model = *catalogue.find("m");
  EXPECT_EQ(model.price->input_per_million.to_string(), "3");
  EXPECT_EQ(model.sources.at("price"), "file");
  EXPECT_EQ(model.sources.at("context_tokens"), "file") << "the newer file says the same: it is the source";
  EXPECT_EQ(model.parameters, 7) << "not mentioned, not deleted";
  EXPECT_EQ(model.sources.at("parameters"), "card");
  EXPECT_EQ(model.has(Capability::kTools), true);
  EXPECT_EQ(model.has(Capability::kVision), true);
  EXPECT_THAT(model.aliases, ElementsAre("acme/m"));
  EXPECT_THAT(model.hosts, ElementsAre("x"));
  EXPECT_TRUE(catalogue.find("other")) << "an entry that the newer table dropped stays";
  EXPECT_TRUE(catalogue.find("new"));
  EXPECT_EQ(catalogue.sources().size(), 2u);
  EXPECT_EQ(catalogue.merge(*newer), MergeCount{}) << "a second time changes nothing";
}

TEST(ModelCatalogue, TheUsersOwnFactsStand) {
  auto catalogue = parsed(R"({"m": {"price": {"input": 1, "output": 2}, "context_tokens": 50}})");
  const auto count = catalogue.merge(
      parsed(R"({"m": {"price": {"input": 9, "output": 9}, "maker": "Acme", "source": "card"}})"));
  EXPECT_EQ(count, (MergeCount{0, 1, 1, 0, 1}));
  EXPECT_EQ(catalogue.find("m")->price->input_per_million.to_string(), "1");
  EXPECT_EQ(catalogue.find("m")->sources.at("price"), kOwnSource);
  EXPECT_EQ(catalogue.find("m")->maker, "Acme");
  catalogue.merge(parsed(R"({"m": {"price": {"input": 4, "output": 5}}})"));
  EXPECT_EQ(catalogue.find("m")->price->input_per_million.to_string(), "4") << "the user changed his mind";
}

TEST(ModelCatalogue, OneRowGoesToAModelByItsAliasAndOthersBecomeOffers) {
  auto catalogue = parsed(R"({"llama": {"aliases": ["Meta-Llama"], "open_weights": true, "parameters": 8,
    "licence": {"spdx": "X", "class": "community"}, "context_tokens": 1000,
    "capabilities": {"instruct": true, "tools": true},
    "benchmarks": [{"benchmark": "MMLU", "score": 0.7}], "source": "card"}})");
  catalogue.merge(parsed(R"({
    "meta-llama": {"price": {"input": 1, "output": 1}, "source": "card"},
    "fast/meta/Meta-Llama": {"price": {"input": 2, "output": 2}, "hosts": ["fast"], "source": "card"},
    "slow/other": {"maker": "Other", "source": "card"}})"));
  EXPECT_EQ(catalogue.models().size(), 3u);
  EXPECT_EQ(catalogue.find("llama")->price->input_per_million.to_string(), "1");
  const auto& offer = *catalogue.find("fast/meta/Meta-Llama");
  EXPECT_EQ(offer.offer_of, "llama");
  const auto whole = catalogue.resolved(offer);
  EXPECT_EQ(whole.parameters, 8);
  EXPECT_EQ(whole.licence->spdx, "X");
  EXPECT_EQ(whole.sources.at("licence"), "card");
  EXPECT_EQ(whole.has(Capability::kInstruct), true);
  EXPECT_EQ(whole.has(Capability::kTools), std::nullopt) << "a host may not offer it";
  EXPECT_EQ(whole.context_tokens, std::nullopt) << "a host may offer less";
  EXPECT_EQ(whole.price->input_per_million.to_string(), "2") << "its own";
  EXPECT_EQ(whole.benchmarks.size(), 1u);
  EXPECT_EQ(catalogue.find("slow/other")->offer_of, "");
}

TEST(ModelCatalogue, TheEmbeddedTableIsWholeAndEveryFactHasASource) {
  const auto& catalogue = ModelCatalogue::embedded();
  EXPECT_GE(catalogue.models().size(), 30u);
  for (const auto& [name, model] : catalogue.models()) {
    EXPECT_TRUE(model.maker && model.licence && model.open_weights && model.context_tokens) << name;
    for (const auto& [field, source] : model.sources) {
      EXPECT_TRUE(catalogue.sources().contains(source)) << name << " " << field;
    }
    for (const auto& figure : model.benchmarks) {
      EXPECT_TRUE(catalogue.sources().contains(figure.source)) << name;
      EXPECT_NE(figure.setup, "") << name;
    }
    EXPECT_EQ(*model.open_weights, model.licence->kind != LicenceClass::kProprietary) << name;
    if (!*model.open_weights) {
      EXPECT_TRUE(model.price) << name;
      EXPECT_FALSE(model.parameters) << name << ": nobody outside knows";
    } else {
      EXPECT_TRUE(model.parameters && model.active_parameters) << name;
      EXPECT_FALSE(model.price) << name << ": its price is a host's";
    }
    for (const auto& alias : model.aliases) EXPECT_EQ(catalogue.find(alias), &model) << alias;
  }
  // Names that the recorded data files use.
  for (const char* name : {"Meta-Llama-3_1-8B-Instruct", "gemini-1.5-pro-002", "gpt-4-1106-preview",
                           "llama3.1-70b", "mistralai/Mixtral-8x7B-Instruct-v0.1"})
    EXPECT_TRUE(catalogue.find(name)) << name;
}

TEST(ModelCatalogue, DatesAreDays) {
  for (const char* good : {"2024-02-29", "2000-02-29", "1999-12-31"}) EXPECT_TRUE(is_date(good)) << good;
  for (const char* bad : {"2023-02-29", "1900-02-29", "2024-13-01", "2024-00-10", "2024-1-10", "2024-01-32",
                          "24-01-01", "2024/01/01", "2024-01-0a", ""})
    EXPECT_FALSE(is_date(bad)) << bad;
}

}  // namespace
}  // namespace brevet
