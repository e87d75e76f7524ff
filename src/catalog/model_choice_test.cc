// Goal: a hard constraint is met, failed or not decidable, and the last is never silent; the front is exact.
// Method: models with one fact set at a time, and a property test of the front against brute force.
#include "catalog/model_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/random.h"
#include "catalog/model_catalogue.h"

namespace brevet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

Verdict3 judged(const ModelFacts& model, const ModelWish& wish) {
  return judge_model(model, wish).verdict;
}

/// Each wish with a model that meets it and one that fails it; the model without facts must be neither.
struct Case {
  const char* name;
  ModelWish wish;
  ModelFacts good, bad;
};

std::vector<Case> cases() {
  std::vector<Case> out;
  for (const auto capability : kCapabilities) {
    Case item{name_of(capability), {}, {}, {}};
    item.wish.capabilities = {capability};
    item.good.has(capability) = true;
    item.bad.has(capability) = false;
    out.push_back(std::move(item));
  }
  Case context{"context", {}, {}, {}};
  context.wish.context_min = 8192;
  context.good.context_tokens = 8192;
  context.bad.context_tokens = 8191;
  out.push_back(context);
  Case licence{"licence", {}, {}, {}};
  licence.wish.licences = {LicenceClass::kPermissive, LicenceClass::kCommunity};
  licence.good.licence = Licence{"X", LicenceClass::kCommunity};
  licence.bad.licence = Licence{"Y", LicenceClass::kNonCommercial};
  out.push_back(licence);
  Case price{"price", {}, {}, {}};
  price.wish.price_max = Money::parse_usd("1.75");  // 3 x 1 + 1 x 4 over 4
  price.good.price = ModelPrice{Money::from_usd(1), Money::from_usd(4)};
  price.bad.price = ModelPrice{Money::from_usd(1), Money::from_usd(4.01)};
  out.push_back(price);
  Case size{"size", {}, {}, {}};
  size.wish.parameters_max = 8'000;
  size.good.parameters = 8'000;
  size.bad.parameters = 8'001;
  out.push_back(size);
  Case local{"local", {}, {}, {}};
  local.wish.local_only = true;
  local.good.open_weights = true;
  local.bad.open_weights = false;
  out.push_back(local);
  Case device{"device", {}, {}, {}};
  device.wish.device = DeviceWish{*find_device("desktop-cpu"), {}};
  device.good = *ModelCatalogue::embedded().find("llama-3.1-8b-instruct");
  device.bad = *ModelCatalogue::embedded().find("llama-3.1-70b-instruct");
  out.push_back(device);
  return out;
}

TEST(ModelChoice, AConstraintIsMetFailedOrNotDecidable) {
  for (auto& item : cases()) {
    EXPECT_EQ(judged(item.good, item.wish), Verdict3::kMeets) << item.name;
    const auto bad = judge_model(item.bad, item.wish);
    EXPECT_EQ(bad.verdict, Verdict3::kFails) << item.name;
    ASSERT_THAT(bad.findings, SizeIs(1)) << item.name;
    EXPECT_EQ(bad.findings[0].constraint, item.name);
    EXPECT_NE(bad.findings[0].sentence, "");
    const auto unknown = judge_model(ModelFacts{}, item.wish);
    EXPECT_EQ(unknown.verdict, Verdict3::kCannotTell) << item.name;
    ASSERT_THAT(unknown.findings, SizeIs(1)) << item.name;
    EXPECT_THAT(unknown.findings[0].sentence, HasSubstr("not known"));
    item.wish.unknown = UnknownRule::kAllow;
    EXPECT_EQ(judged(ModelFacts{}, item.wish), Verdict3::kMeets) << item.name;
    EXPECT_THAT(judge_model(ModelFacts{}, item.wish).findings, SizeIs(1)) << "allowed, and still said";
    EXPECT_EQ(judged(item.bad, item.wish), Verdict3::kFails) << "allowing unknowns allows no failure";
    item.wish.unknown = UnknownRule::kReject;
    EXPECT_EQ(judged(ModelFacts{}, item.wish), Verdict3::kFails) << item.name;
  }
}

TEST(ModelChoice, AKnownFailureWeighsMoreThanAnUnknown) {
  ModelWish wish;
  wish.capabilities = {Capability::kTools, Capability::kVision};
  ModelFacts model;
  model.has(Capability::kVision) = false;
  const auto out = judge_model(model, wish);
  EXPECT_EQ(out.verdict, Verdict3::kFails);
  ASSERT_THAT(out.findings, SizeIs(2));
  EXPECT_EQ(out.findings[0].constraint, "vision");
  EXPECT_EQ(out.findings[1].verdict, Verdict3::kCannotTell);
  EXPECT_THAT(judge_model(model, {}).findings, IsEmpty()) << "no wish, no finding";
}

TEST(ModelChoice, RetirementIsOfTheOfferNotOfTheWeights) {
  ModelFacts model;
  model.retires = "2026-11-24";
  ModelWish wish;
  EXPECT_EQ(judged(model, wish), Verdict3::kMeets) << "nobody asked";
  wish.today = "2026-11-23";
  EXPECT_EQ(judged(model, wish), Verdict3::kMeets);
  wish.today = "2026-11-24";
  EXPECT_EQ(judged(model, wish), Verdict3::kFails);
  model.open_weights = true;
  EXPECT_EQ(judged(model, wish), Verdict3::kFails);
  wish.local_only = true;
  EXPECT_EQ(judged(model, wish), Verdict3::kMeets);
}

TEST(ModelChoice, TheLargestQuantisationThatFitsIsTaken) {
  const auto& model = *ModelCatalogue::embedded().find("llama-3.1-8b-instruct");
  ModelWish wish;
  wish.device = DeviceWish{*find_device("desktop-cpu"), {}};
  EXPECT_STREQ(judge_model(model, wish).fit->quantisation.name, "f16") << "17.7 of 24 GB";
  wish.device->device.memory_bytes = 16e9;  // 12 GB for it: 10.6 GB at q8_0
  EXPECT_STREQ(judge_model(model, wish).fit->quantisation.name, "q8_0");
  wish.device->quantisation = *find_quantisation("q5_k");
  EXPECT_STREQ(judge_model(model, wish).fit->quantisation.name, "q5_k");
  wish.device->quantisation.reset();
  wish.device->device = *find_device("iphone-16");
  EXPECT_EQ(judged(model, wish), Verdict3::kFails);
  wish.device->bits_min = 2;
  EXPECT_STREQ(judge_model(model, wish).fit->quantisation.name, "q2_k") << "3.6 of 4 GB";
  // The desktop's f16 gives 3.9 tokens/s; the first that gives 5 is q8_0.
  auto quick = wish;
  quick.device = DeviceWish{*find_device("desktop-cpu"), {}};
  quick.device->tokens_per_second_min = 5;
  EXPECT_STREQ(judge_model(model, quick).fit->quantisation.name, "q8_0");
  wish.device->tokens_per_second_min = 1'000;
  const auto slow = judge_model(model, wish);
  EXPECT_EQ(slow.verdict, Verdict3::kFails);
  EXPECT_THAT(slow.findings[0].sentence, HasSubstr("tokens per second"));
  wish.device->tokens_per_second_min.reset();
  wish.device->assumptions.context_tokens = 200'000;
  wish.device->device = *find_device("a100-80gb");
  EXPECT_THAT(judge_model(model, wish).findings.at(0).sentence, HasSubstr("context of 131072"));
}

TEST(ModelChoice, ClosedWeightsDoNotRunOnADevice) {
  ModelWish wish;
  wish.device = DeviceWish{*find_device("a100-80gb"), {}};
  wish.local_only = true;
  const auto out = judge_model(*ModelCatalogue::embedded().find("gpt-4o"), wish);
  ASSERT_THAT(out.findings, SizeIs(1)) << "said once";
  EXPECT_THAT(out.findings[0].sentence, HasSubstr("weights are not published"));
}

TEST(ModelChoice, AnUnknownCacheIsAnUnknownFit) {
  ModelWish wish;
  wish.device = DeviceWish{*find_device("a100-80gb"), {}};
  auto model = *ModelCatalogue::embedded().find("llama-3.1-8b-instruct");
  model.architecture.reset();
  const auto out = judge_model(model, wish);
  EXPECT_EQ(out.verdict, Verdict3::kCannotTell);
  EXPECT_THAT(out.findings.at(0).sentence, HasSubstr("cache is not known"));
}

/// As the definition says it.
std::vector<std::size_t> front_by_definition(const std::vector<TradeOff>& points) {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < points.size(); ++i) {
    bool beaten = false;
    for (const auto& other : points) {
      beaten |= other.cost <= points[i].cost && other.quality >= points[i].quality &&
                (other.cost < points[i].cost || other.quality > points[i].quality);
    }
    if (!beaten) out.push_back(i);
  }
  return out;
}

TEST(ModelChoice, TheFrontIsWhatTheDefinitionSays) {
  EXPECT_THAT(pareto_front({}), IsEmpty());
  EXPECT_THAT(pareto_front({{1, 1}, {2, 2}, {2, 1}, {3, 2}, {1, 1}}), ElementsAre(0, 4, 1));
  // Coordinates on a coarse grid, so that equal costs, equal qualities and equal points are common.
  std::uint64_t drawn = 0;
  const auto below = [&](std::uint64_t count) { return mix_bits(7, drawn++) % count; };
  for (int round = 0; round < 3'000; ++round) {
    std::vector<TradeOff> points(below(12));
    for (auto& point : points) point = {static_cast<double>(below(5)), static_cast<double>(below(5)) / 4};
    const auto found = pareto_front(points);
    const auto expected = front_by_definition(points);
    EXPECT_EQ(std::set<std::size_t>(found.begin(), found.end()),
              std::set<std::size_t>(expected.begin(), expected.end()));
    EXPECT_EQ(found.size(), expected.size());
    for (std::size_t i = 1; i < found.size(); ++i)
      EXPECT_LE(points[found[i - 1]].cost, points[found[i]].cost);
  }
}

}  // namespace
}  // namespace brevet
