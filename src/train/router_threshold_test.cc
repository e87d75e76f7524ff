// Goal: a threshold keeps what it was chosen for on data that did not choose it, at the stated error rate.
// Method: small tables by hand, and seeded worlds in which the right answer is known.
#include "train/router_threshold.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace brevet {
namespace {

/// Requests whose need is uniform and calibrated: strong is better in a share `need` of them.
std::vector<RoutedOutcome> world(std::uint64_t seed, std::size_t n) {
  Draws draws(seed, 1);
  std::vector<RoutedOutcome> out;
  for (std::size_t i = 0; i < n; ++i) {
    RoutedOutcome one;
    one.need_strong = draws.uniform();
    const bool gain = draws.uniform() < one.need_strong;
    one.strong_quality = gain || draws.uniform() < .8 ? 1 : 0;
    one.weak_quality = gain ? 0 : one.strong_quality;
    one.weak_cost_usd = .001;
    one.strong_cost_usd = .01;
    out.push_back(one);
  }
  return out;
}

TEST(RouterThreshold, AShareIsAQuantile) {
  const auto choose = world(1, 1000);
  const auto check = world(2, 1000);
  const auto found = choose_router_threshold(choose, check, {ThresholdGoal::kStrongShare, .3, 40});
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_NEAR(*found->threshold, .7, .05);
  EXPECT_DOUBLE_EQ(found->chosen->strong_share.mean, .3);
  EXPECT_LE(found->check->strong_share.low, .3);
  EXPECT_GE(found->check->strong_share.high, .3);
  EXPECT_EQ(found->check->strong_share.n, 1000u);
  ASSERT_EQ(found->rows.size(), 9u);
  EXPECT_NEAR(found->rows.front().strong_share.mean, .9, 1e-9);
}

TEST(RouterThreshold, NoneAndAllAreEnds) {
  const auto outcomes = world(3, 200);
  const auto all = choose_router_threshold(outcomes, outcomes, {ThresholdGoal::kStrongShare, 1, 40});
  EXPECT_DOUBLE_EQ(all->check->strong_share.mean, 1);
  EXPECT_DOUBLE_EQ(all->check->loss.mean, 0);
  const auto none = choose_router_threshold(outcomes, outcomes, {ThresholdGoal::kStrongShare, 0, 40});
  EXPECT_DOUBLE_EQ(none->check->strong_share.mean, 0);
}

TEST(RouterThreshold, WhatNoThresholdDecidesCountsAsStrong) {
  auto outcomes = world(4, 400);
  for (std::size_t i = 0; i < 80; ++i) outcomes[i].need_strong = kAlwaysStrong;
  const auto found = choose_router_threshold(outcomes, outcomes, {ThresholdGoal::kStrongShare, .5, 40});
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_NEAR(found->check->strong_share.mean, .5, .01);
  EXPECT_LE(*found->threshold, 1);
  // Less than they are cannot be had.
  const auto fewer = choose_router_threshold(outcomes, outcomes, {ThresholdGoal::kStrongShare, .1, 40});
  EXPECT_DOUBLE_EQ(fewer->check->strong_share.mean, .2);
  EXPECT_DOUBLE_EQ(*fewer->threshold, 1);
}

TEST(RouterThreshold, FiguresAreMeansOfWhatIsServed) {
  std::vector<RoutedOutcome> outcomes(100, {.2, 1, 0, .001, .01});
  for (std::size_t i = 0; i < 50; ++i) outcomes[i] = {.8, 0, 1, .001, .03};
  const auto at = threshold_figures(outcomes, .5);
  EXPECT_DOUBLE_EQ(at.strong_share.mean, .5);
  EXPECT_DOUBLE_EQ(at.quality.mean, 1);
  EXPECT_DOUBLE_EQ(at.loss.mean, -.5) << "better than always-strong";
  EXPECT_NEAR(at.cost_usd->mean, .0155, 1e-12);
  EXPECT_NEAR(*at.strong_cost_usd, .02, 1e-12);
  outcomes[7].strong_cost_usd = std::nan("");
  EXPECT_FALSE(threshold_figures(outcomes, .5).cost_usd) << "unknown is never zero";
}

TEST(RouterThreshold, AQualityIsKeptAtTheStatedErrorRate) {
  int missed = 0;
  int weaker = 0;
  constexpr int kWorlds = 200;
  const auto truth = world(999, 200'000);
  for (int i = 0; i < kWorlds; ++i) {
    const auto found = choose_router_threshold(world(10 + static_cast<std::uint64_t>(i), 600), world(7, 100),
                                               {ThresholdGoal::kQuality, .95, 40});
    ASSERT_TRUE(found);
    if (!found->threshold) continue;
    const auto real = threshold_figures(truth, *found->threshold);
    missed += real.quality.mean < .95 * real.strong_quality ? 1 : 0;
    weaker += real.strong_share.mean < .95 ? 1 : 0;
  }
  // One-sided 5%; at 200 worlds 18 or more are a chance of under 1% at that rate.
  EXPECT_LT(missed, 18);
  EXPECT_GT(weaker, kWorlds * 3 / 4) << "and saves where it can";
}

TEST(RouterThreshold, ABudgetIsKept) {
  const auto found =
      choose_router_threshold(world(1, 2000), world(2, 2000), {ThresholdGoal::kBudget, .005, 40});
  ASSERT_TRUE(found && found->threshold);
  EXPECT_LE(found->chosen->cost_usd->mean, .005);
  EXPECT_GT(found->chosen->cost_usd->mean, .004) << "and used";
  const auto too_small =
      choose_router_threshold(world(1, 200), world(2, 200), {ThresholdGoal::kBudget, .0001, 40});
  ASSERT_TRUE(too_small);
  EXPECT_FALSE(too_small->threshold) << "the weak model alone costs more";
}

TEST(RouterThreshold, RefusesWhatItCannotKnow) {
  const auto few = choose_router_threshold(world(1, 49), world(2, 100), {});
  ASSERT_FALSE(few);
  EXPECT_EQ(few.error().code, "too_few_outcomes");
  auto unknown = world(1, 100);
  unknown[3].weak_cost_usd = std::nan("");
  const auto refused = choose_router_threshold(unknown, world(2, 100), {ThresholdGoal::kBudget, 1, 40});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "costs_unknown");
}

}  // namespace
}  // namespace brevet
