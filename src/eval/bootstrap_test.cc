// Goal: intervals cover what they say, pair what is compared, and do not depend on threads. Method: closed
// forms, seeded simulations with a stated error rate, and a second, naive bootstrap on the same draws.
#include "eval/bootstrap.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "eval/metrics.h"

namespace brevet {
namespace {

SeedValues uniform_values(std::size_t seeds, std::size_t questions, std::uint64_t seed) {
  SeedValues out(seeds, std::vector<double>(questions));
  Draws draws(seed, 1);
  for (auto& values : out) {
    for (auto& value : values) value = draws.uniform();
  }
  return out;
}

TEST(Bootstrap, MeanHasTheWidthOfTheNormalApproximation) {
  const auto values = uniform_values(1, 2000, 3);
  BootstrapOptions options;
  options.rounds = 4000;
  const auto figure = bootstrap_mean(values, options);
  ASSERT_TRUE(figure && figure->ci95);
  EXPECT_EQ(figure->n, 2000u);
  double sum = 0, squares = 0;
  for (const double value : values[0]) {
    sum += value;
    squares += value * value;
  }
  const double mean = sum / 2000, error = std::sqrt((squares / 2000 - mean * mean) / 2000);
  EXPECT_DOUBLE_EQ(figure->mean, mean);
  // The standard error of a 2.5% quantile from 4,000 rounds is about .04 of `error`; five of them are
  // allowed.
  EXPECT_NEAR(figure->ci95->low, mean - 1.96 * error, .2 * error);
  EXPECT_NEAR(figure->ci95->high, mean + 1.96 * error, .2 * error);
}

TEST(Bootstrap, PairingRemovesWhatBothShare) {
  auto a = uniform_values(3, 500, 4);
  for (auto& values : a) values = a[0];
  auto b = a;
  for (auto& values : b) {
    for (auto& value : values) value -= .1;
  }
  const auto difference = bootstrap_difference(a, b);
  ASSERT_TRUE(difference && difference->ci95);
  EXPECT_NEAR(difference->ci95->low, .1, 1e-12);
  EXPECT_NEAR(difference->ci95->high, .1, 1e-12);
  const auto against_one = bootstrap_difference(a, {b[0]});
  EXPECT_NEAR(against_one->ci95->high, .1, 1e-12);
}

TEST(Bootstrap, SameForAnyNumberOfThreads) {
  const auto a = uniform_values(4, 300, 5), b = uniform_values(4, 300, 6);
  BootstrapOptions options;
  options.rounds = 101;
  const auto one = bootstrap_ratio(a, b, options);
  for (const unsigned threads : {2u, 3u, 8u, 200u}) {
    options.threads = threads;
    const auto more = bootstrap_ratio(a, b, options);
    EXPECT_EQ(one->mean, more->mean);
    EXPECT_EQ(one->ci95->low, more->ci95->low);
    EXPECT_EQ(one->ci95->high, more->ci95->high);
  }
  options.seed = 2;
  EXPECT_NE(one->ci95->low, bootstrap_ratio(a, b, options)->ci95->low);
}

TEST(Bootstrap, TableAndWeightsAreTheSameResamples) {
  const auto a = uniform_values(3, 120, 7);
  BootstrapOptions options;
  options.rounds = 97;
  options.threads = 2;
  for (const auto what : {Resample::kQuestions, Resample::kQuestionsAndOrders}) {
    options.what = what;
    const auto fast = bootstrap_mean(a, options);
    const auto naive = bootstrap_weighted(
        120, 3, 1,
        [&](std::span<const std::uint32_t> weights, std::span<const std::uint32_t> seeds,
            std::span<std::optional<double>> out) {
          double sum = 0, total = 0;
          for (const auto seed : seeds) {
            for (std::size_t q = 0; q < weights.size(); ++q) {
              sum += weights[q] * a[seed][q];
              total += weights[q];
            }
          }
          out[0] = sum / total;
        },
        options);
    EXPECT_NEAR(fast->mean, naive[0]->mean, 1e-12);
    EXPECT_NEAR(fast->ci95->low, naive[0]->ci95->low, 1e-12);
    EXPECT_NEAR(fast->ci95->high, naive[0]->ci95->high, 1e-12);
  }
}

TEST(Bootstrap, ClustersAreDrawnWhole) {
  // 200 clusters of five equal questions carry the information of 200, not of 1,000.
  const auto base = uniform_values(1, 200, 8)[0];
  SeedValues values(1);
  BootstrapOptions options;
  options.rounds = 2000;
  std::vector<std::uint32_t> cluster;
  for (std::uint32_t c = 0; c < 200; ++c) {
    for (int k = 0; k < 5; ++k) {
      values[0].push_back(base[c]);
      cluster.push_back(c * 10);  // with gaps, as a subset of the questions has
    }
  }
  const auto naive = bootstrap_mean(values, options);
  options.cluster = cluster;
  const auto clustered = bootstrap_mean(values, options);
  const double ratio =
      (clustered->ci95->high - clustered->ci95->low) / (naive->ci95->high - naive->ci95->low);
  EXPECT_NEAR(ratio, std::sqrt(5.0), .2);
  options.cluster.assign(1000, 3);
  EXPECT_FALSE(bootstrap_mean(values, options)->ci95) << "one cluster says nothing of its spread";
}

TEST(Bootstrap, OrdersAddTheirOwnSpread) {
  // Every question scores the same within a seed: all of the spread is between seeds.
  SeedValues values;
  for (const double level : {.2, .4, .6, .8}) values.emplace_back(50, level);
  BootstrapOptions options;
  options.what = Resample::kQuestions;
  auto figure = bootstrap_mean(values, options);
  EXPECT_NEAR(figure->ci95->high - figure->ci95->low, 0, 1e-12);
  options.what = Resample::kQuestionsAndOrders;
  figure = bootstrap_mean(values, options);
  EXPECT_GT(figure->ci95->high - figure->ci95->low, .2);
}

TEST(Bootstrap, UndefinedIsSaidNotInvented) {
  const auto values = uniform_values(1, 50, 9);
  EXPECT_FALSE(bootstrap_ratio(values, {std::vector<double>(50, 0)}));
  // Defined on all data, undefined in about a third of the rounds: a mean without an interval.
  std::vector<double> rare(50, 0);
  rare[0] = 1;
  const auto figure = bootstrap_ratio(values, {rare});
  ASSERT_TRUE(figure);
  EXPECT_FALSE(figure->ci95);
  EXPECT_FALSE(bootstrap_mean({}));
}

TEST(Bootstrap, CoversTheTrueGainOfACurve) {
  // 200 evaluations of a router whose true APGR is known; a 95% interval may miss at most 24 of them
  // (binomial with p = .05 exceeds 24 of 200 with probability below 2e-4). Strong is always right, weak is
  // right with probability 1 - score, score uniform: of the gap of 1/2, a share s of the highest scores
  // recovers s - s^2/2, so APGR = (1/2 - 1/6) / (1/2) = 2/3.
  int missed = 0;
  for (std::uint64_t run = 0; run < 200; ++run) {
    SweptQuestions questions;
    Draws draws(run, 12);
    for (int i = 0; i < 400; ++i) {
      questions.score.push_back(draws.uniform());
      questions.weak_quality.push_back(draws.uniform() < questions.score.back() ? 0 : 1);
      questions.strong_quality.push_back(1);
    }
    const StaticSweep sweep(questions);
    BootstrapOptions options;
    options.rounds = 200;
    options.seed = run;
    const auto figure = bootstrap_weighted(
        400, 1, 1,
        [&](std::span<const std::uint32_t> weights, std::span<const std::uint32_t>,
            std::span<std::optional<double>> out) {
          Curve curve;
          sweep.sweep(weights, curve);
          out[0] = apgr(curve);
        },
        options);
    ASSERT_TRUE(figure[0] && figure[0]->ci95);
    missed += figure[0]->ci95->low <= 2.0 / 3 && 2.0 / 3 <= figure[0]->ci95->high ? 0 : 1;
  }
  EXPECT_LE(missed, 24);
  RecordProperty("missed_of_200", missed);
}

}  // namespace
}  // namespace brevet
