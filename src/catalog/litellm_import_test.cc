// Goal: LiteLLM's table is read as it is written, its gaps stay unknown, its faults are named. Method: small
// tables in its format, with the shapes that the real one has.
#include "catalog/litellm_import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace brevet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr const char* kTable = R"({
  "sample_spec": {"max_tokens": "LEGACY", "mode": "one of: chat", "input_cost_per_token": 0.0},
  "gpt-4o": {"cache_read_input_token_cost": 1.25e-06, "input_cost_per_token": 2.5e-06, "litellm_provider": "openai",
    "max_input_tokens": 128000.0, "max_output_tokens": 16384, "max_tokens": 16384, "mode": "chat",
    "output_cost_per_token": 1e-05, "supports_function_calling": true, "supports_response_schema": true,
    "supports_vision": true, "supports_reasoning": false, "deprecation_date": "2027-01-31"},
  "base": {"mode": "completion", "input_cost_per_token": 4.688e-09, "output_cost_per_token": 0,
    "input_cost_per_token_above_128k_tokens": 1e-08},
  "free": {"mode": "chat", "input_cost_per_token": 0.0, "output_cost_per_token": 0.0, "max_input_tokens": 0},
  "unpriced": {"mode": "responses", "deprecation_date": "some day"},
  "embedder": {"mode": "embedding", "input_cost_per_token": 1e-07, "output_cost_per_token": 0},
  "nameless": {"litellm_provider": "x"}
})";

TEST(LiteLlmImport, ReadsWhatIsWrittenAndNothingElse) {
  const auto read = import_litellm(kTable, "prices.json", "2026-11-24");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->rows, 6u);
  EXPECT_EQ(read->not_text, 1u);
  EXPECT_EQ(read->no_mode, 1u);
  EXPECT_EQ(read->priced_zero, 1u);
  EXPECT_EQ(read->without_price, 1u);
  EXPECT_THAT(read->catalogue.models(), SizeIs(4));
  const auto& model = *read->catalogue.find("gpt-4o");
  EXPECT_EQ(model.price->input_per_million.to_string(), "2.5");
  EXPECT_EQ(model.price->output_per_million.to_string(), "10");
  EXPECT_EQ(model.price->cached_input_per_million->to_string(), "1.25");
  EXPECT_FALSE(model.price->cache_creation_per_million);
  EXPECT_EQ(model.context_tokens, 128'000);
  EXPECT_EQ(model.output_tokens_max, 16'384);
  EXPECT_EQ(model.has(Capability::kTools), true);
  EXPECT_EQ(model.has(Capability::kStructuredOutput), true);
  EXPECT_EQ(model.has(Capability::kReasoning), false);
  EXPECT_EQ(model.has(Capability::kInstruct), true);
  EXPECT_EQ(model.has(Capability::kFillInMiddle), std::nullopt) << "the table does not say";
  EXPECT_FALSE(model.licence);
  EXPECT_EQ(model.retires, "2027-01-31");
  EXPECT_THAT(model.hosts, ElementsAre("openai"));
  const auto& base = *read->catalogue.find("base");
  EXPECT_EQ(base.price->input_per_million.to_string(), "0.004688") << "exact, though far below a cent";
  EXPECT_EQ(base.price->output_per_million, Money{}) << "one of two may be free";
  EXPECT_EQ(base.has(Capability::kCompletion), true);
  EXPECT_EQ(base.has(Capability::kVision), std::nullopt) << "absent is not false";
  EXPECT_THAT(base.note, HasSubstr("Long prompts"));
  const auto& free = *read->catalogue.find("free");
  EXPECT_FALSE(free.price) << "0 for both stands for free and for not known";
  EXPECT_FALSE(free.context_tokens);
  EXPECT_FALSE(read->catalogue.find("unpriced")->retires);
}

TEST(LiteLlmImport, HashAndDateAreTheSourceOfEveryFact) {
  const auto read = import_litellm(kTable, "prices.json", "2026-11-24");
  ASSERT_TRUE(read);
  ASSERT_THAT(read->catalogue.sources(), SizeIs(1));
  const auto& [id, source] = *read->catalogue.sources().begin();
  EXPECT_EQ(id, read->source_id);
  EXPECT_EQ(source.date, "2026-11-24");
  EXPECT_EQ(source.sha256.size(), 64u);
  EXPECT_THAT(id, HasSubstr(source.sha256.substr(0, 12)));
  for (const auto& [name, model] : read->catalogue.models()) {
    for (const auto& [field, from] : model.sources) EXPECT_EQ(from, id) << name << " " << field;
  }
  const auto again = ModelCatalogue::parse(read->catalogue.json(), "written");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->models(), read->catalogue.models());
}

TEST(LiteLlmImport, AFaultNamesLineAndField) {
  const struct {
    const char *text, *param, *piece;
  } cases[] = {
      {"nonsense", "(file)", "line 1: is not JSON"},
      {"[]", "(file)", "JSON object"},
      {"{\n\"m\": 3}", "m", "line 2"},
      {"{\n\"m\": {\"mode\": 3}}", "m.mode", "line 2"},
      {"{\"m\": {\"mode\": \"chat\",\n\"input_cost_per_token\": \"1e-6\"}}", "m.input_cost_per_token",
       "line 2"},
      {"{\"m\": {\"mode\": \"chat\", \"output_cost_per_token\": -1e-6}}", "m.output_cost_per_token",
       "from 0"},
      {"{\"m\": {\"mode\": \"chat\", \"input_cost_per_token\": 0.022}}", "m.input_cost_per_token", "0.01"},
      {"{\"m\": {\"mode\": \"chat\", \"max_input_tokens\": 1.5}}", "m.max_input_tokens", "whole number"},
      {"{\"m\": {\"mode\": \"chat\", \"supports_vision\": \"yes\"}}", "m.supports_vision", "true or false"},
  };
  for (const auto& item : cases) {
    const auto refused = import_litellm(item.text, "prices.json", "2026-11-24");
    ASSERT_FALSE(refused) << item.text;
    EXPECT_EQ(refused.error().code, "bad_model_file");
    EXPECT_EQ(refused.error().param, item.param) << refused.error().message;
    EXPECT_THAT(refused.error().message, HasSubstr(item.piece));
  }
  const auto skipped =
      import_litellm(R"({"good": {"mode": "chat"}, "bad": {"mode": "chat", "supports_vision": 1}})", "p",
                     "2026-11-24", BrokenRows::kSkip);
  ASSERT_TRUE(skipped);
  EXPECT_TRUE(skipped->catalogue.find("good"));
  EXPECT_FALSE(skipped->catalogue.find("bad"));
  ASSERT_THAT(skipped->broken, SizeIs(1));
  EXPECT_THAT(skipped->broken[0], HasSubstr("bad.supports_vision"));
}

TEST(LiteLlmImport, ATableOfTheRealProjectIsTaken) {
  const char* path = std::getenv("BREVET_LITELLM_TABLE");
  std::ifstream file(path ? path : "", std::ios::binary);
  if (!file) GTEST_SKIP() << "BREVET_LITELLM_TABLE names no file: the real table is not read.";
  std::ostringstream text;
  text << file.rdbuf();
  const auto read = import_litellm(text.str(), path, "2026-11-24", BrokenRows::kSkip);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_GT(read->catalogue.models().size(), 1'000u);
  EXPECT_LT(read->broken.size(), 50u);
  auto catalogue = ModelCatalogue::embedded();
  const auto before = catalogue.models();
  catalogue.merge(read->catalogue);
  for (const auto& [name, model] : before) EXPECT_TRUE(catalogue.find(name)) << name;
  const auto& model = *catalogue.find("gpt-4o");
  EXPECT_EQ(model.sources.at("price"), read->source_id);
  EXPECT_EQ(model.sources.at("licence"), "openai-2024");
}

}  // namespace
}  // namespace brevet
