// Goal: labels of every source become the same kind of data, and calibration recognises what taught a router.
// Method: small files in a folder of the test, and an embedder that needs no model.
#include "app/train_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "base/test_folder.h"

namespace brevet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class LengthEmbedder final : public TextEmbedder {
 public:
  const std::string& encoder_hash() const override { return hash_; }
  const std::string& classifier_hash() const override { return none_; }
  Result<std::vector<RequestFeatures>> embed(const std::vector<std::string>& texts) override {
    asked = texts;
    std::vector<RequestFeatures> out(texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i)
      out[i].embedding = std::make_shared<const Embedding>(Embedding{static_cast<float>(texts[i].size()), 1});
    return out;
  }
  std::vector<std::string> asked;

 private:
  const std::string hash_ = "lengths";
  const std::string none_;
};

std::string file(const std::string& name, const std::string& text) {
  const auto path = test_folder() + name;
  std::ofstream(path) << text;
  return path;
}

const char* const kOutcomes =
    R"({"id":"1","dataset":"d","prompt":"Name a prime over ten.","models":{"w":{"score":1,"cost_usd":0.1},"s":{"score":1,"cost_usd":1}}}
{"id":"2","dataset":"d","prompt":"Why is the sky blue at noon?","models":{"w":{"score":0,"cost_usd":0.2},"s":{"score":1}}}
{"id":"3","dataset":"d","prompt":"Translate the word house into French.","models":{"w":{"score":0.5},"s":{"score":0.25}}}
)";

TEST(TrainData, RecordedOutcomesAreScoresAndCosts) {
  LengthEmbedder embedder;
  TrainSource source;
  source.data = file("o.jsonl", kOutcomes) + "@w,s";
  const auto read = load_labelled(source, embedder);
  ASSERT_TRUE(read) << read.error().message;
  const auto& fit = read->fit;
  EXPECT_THAT(fit.configurations, ElementsAre("w", "s"));
  EXPECT_THAT(fit.quality[0], ElementsAre(1, 0, .5F));
  EXPECT_THAT(fit.quality[1], ElementsAre(1, 1, .25F));
  EXPECT_DOUBLE_EQ(fit.cost_usd[0][1], .2);
  EXPECT_TRUE(std::isnan(fit.cost_usd[1][1])) << "unknown is never zero";
  EXPECT_EQ(fit.features.size(), 3u);
  EXPECT_EQ(embedder.asked[0], "Name a prime over ten.");
  EXPECT_EQ(fit.encoder_hash, "lengths");
  EXPECT_EQ(fit.data_hash.size(), 64u);
  EXPECT_EQ(read->available, 3u);
  EXPECT_NEAR(read->need_share, 1 / 3., 1e-9);
  source.labels_max = 2;
  const auto few = load_labelled(source, embedder);
  ASSERT_TRUE(few);
  EXPECT_EQ(few->fit.features.size(), 2u);
  EXPECT_EQ(few->available, 3u);
  EXPECT_NE(few->fit.data_hash, fit.data_hash);
}

TEST(TrainData, BattlesArePairsOfRequestsAndKeepOtherModels) {
  LengthEmbedder embedder;
  TrainSource source;
  source.battles =
      file("b.jsonl", R"({"prompt":"Why is the sky blue?","a":"s","b":"w","winner":"a","source":"t"}
{"prompt":"Why is the sky blue?","a":"x","b":"w","winner":"tie","weight":2,"source":"t"}
{"prompt":"Count to three.","a":"w","b":"s","winner":"a","source":"t"}
)");
  auto read = load_labelled(source, embedder);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, "models_needed");
  source.models = {"w", "s"};
  read = load_labelled(source, embedder);
  ASSERT_TRUE(read) << read.error().message;
  const auto& fit = read->fit;
  EXPECT_EQ(fit.features.size(), 2u) << "one request for each prompt";
  EXPECT_THAT(fit.others, ElementsAre("x"));
  ASSERT_EQ(fit.pairs.size(), 3u);
  EXPECT_EQ(fit.pairs[0].request, 0u);
  EXPECT_EQ(fit.pairs[0].first, 1u);
  EXPECT_EQ(fit.pairs[0].outcome, 1.0F);
  EXPECT_EQ(fit.pairs[1].first, 2u);
  EXPECT_EQ(fit.pairs[1].outcome, .5F);
  EXPECT_EQ(fit.pairs[1].weight, 2.0F);
  EXPECT_EQ(fit.pairs[2].request, 1u);
  EXPECT_DOUBLE_EQ(read->need_share, .5);
}

TEST(TrainData, OneSourceAtATime) {
  LengthEmbedder embedder;
  EXPECT_EQ(load_labelled({}, embedder).error().code, "one_source");
  TrainSource both;
  both.data = "a";
  both.battles = "b";
  EXPECT_EQ(load_labelled(both, embedder).error().code, "one_source");
  TrainSource gone;
  gone.data_dir = test_folder() + "nowhere";
  EXPECT_EQ(load_labelled(gone, embedder).error().code, "no_data");
}

TEST(TrainData, ARouterKnowsWhatTaughtIt) {
  Artefact artefact;
  artefact.info.kind = "mf";
  artefact.info.configurations = {"w", "s"};
  EXPECT_TRUE(fitted_text_keys(artefact).empty());
  const std::vector<std::uint64_t> keys = {0, 1, ~std::uint64_t{0}, 0x123456789abcdef0, 0x0000ffffffffffff};
  remember_text_keys(artefact, keys);
  const auto read = parse_artefact(artefact_bytes(artefact), "made");
  ASSERT_TRUE(read) << read.error().message;
  const auto fitted = fitted_text_keys(**read);
  ASSERT_EQ(fitted.size(), keys.size());
  for (const auto key : keys) EXPECT_TRUE(was_fitted(fitted, key)) << key;
  for (const std::uint64_t key : {2ULL, 0x123456789abcdef1ULL, 0x1000000ULL})
    EXPECT_FALSE(was_fitted(fitted, key));
}

}  // namespace
}  // namespace brevet
