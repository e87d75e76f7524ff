// Goal: figures of a played stream are right. Method: hand-made streams with known answers, published
// quantiles, and seeded simulation for the coverage of the bootstrap.
#include "eval/play_stats.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace brevet {
namespace {

PlayedRequest request(std::uint32_t question, bool strong, double weak_score, double strong_score) {
  PlayedRequest out;
  out.question = question;
  out.strong = strong;
  out.weak_score = weak_score;
  out.strong_score = strong_score;
  out.score = strong ? strong_score : weak_score;
  out.cost = {Money::from_pico(strong ? 10 : 1), CostBasis::kAssumed};
  out.strong_cost = {Money::from_pico(10), CostBasis::kAssumed};
  return out;
}

TEST(PlayStats, SummaryOfFourRequests) {
  const auto sum = summarise(
      {request(0, false, 1, 1), request(1, true, 0, 1), request(2, true, 1, 0), request(3, false, 0, 1)});
  EXPECT_DOUBLE_EQ(sum.strong_share, .5);
  EXPECT_DOUBLE_EQ(sum.quality, .5);
  EXPECT_DOUBLE_EQ(sum.always_strong, .75);
  EXPECT_DOUBLE_EQ(sum.always_weak, .5);
  EXPECT_DOUBLE_EQ(sum.ideal_static, 1);
  EXPECT_DOUBLE_EQ(sum.ideal_static_strong, .5);
  EXPECT_DOUBLE_EQ(sum.mixture, .625);
  EXPECT_DOUBLE_EQ(sum.gain, -.125);
  EXPECT_EQ(sum.cost.known.pico_usd, 22);
}

TEST(PlayStats, AurocCountsTiesHalf) {
  EXPECT_DOUBLE_EQ(*auroc({.1, .4, .35, .8}, {false, false, true, true}), .75);
  EXPECT_DOUBLE_EQ(*auroc({1, 1}, {false, true}), .5);
  EXPECT_FALSE(auroc({1, 2}, {true, true}));
}

TEST(PlayStats, ShuffleKeepsTheStrongShareAndKillsTheGain) {
  std::vector<PlayedRequest> played;
  for (std::uint32_t i = 0; i < 400; ++i) played.push_back(request(i, i % 2 == 0, i % 2 == 0 ? 0 : 1, 1));
  EXPECT_DOUBLE_EQ(summarise(played).quality, 1);
  const auto shuffle = shuffle_decisions(played, 200, 3);
  EXPECT_NEAR(shuffle.quality.mean, .75, .01);
  EXPECT_NEAR(*shuffle.cost_usd, 200 * 11e-12, 1e-15);
}

TEST(PlayStats, BootstrapIntervalCoversTheTrueGain) {
  // 300 simulated evaluations of a router with a true gain of .05; a 95% interval may miss at most 30 of them
  // (binomial with p = .05 exceeds 30 of 300 with probability below 2e-4).
  int missed = 0;
  for (std::uint64_t run = 0; run < 300; ++run) {
    std::vector<std::vector<PlayedRequest>> orders(2);
    Draws draws(run, 7);
    for (std::uint32_t i = 0; i < 400; ++i) {
      // Weak right with .5; strong always. Serving weak with .6 where it is right and .4 where it is wrong:
      // share weak .5, quality .8 against the mixture's .75.
      const bool weak_right = draws.uniform() < .5;
      for (auto& order : orders)
        order.push_back(request(i, draws.uniform() >= (weak_right ? .6 : .4), weak_right, 1));
    }
    const auto figure = bootstrap_gain(orders, Resample::kQuestions, 200, run);
    missed += figure.low <= .05 && .05 <= figure.high ? 0 : 1;
  }
  EXPECT_LE(missed, 30);
  RecordProperty("missed_of_300", missed);
}

}  // namespace
}  // namespace brevet
