// Goal: intervals of a dial's curve cover other questions and other orders. Method: made dials whose true
// APGR is known, with effects of question, of order and of both; and orders that are all alike, which must
// add nothing.
#include "eval/rows.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace brevet {
namespace {

double normal(Draws& draws) {
  double sum = -6;
  for (int i = 0; i < 12; ++i) sum += draws.uniform();
  return sum;
}

struct Effects {
  double question = 0, order = 0, both = 0;
};

constexpr std::size_t kQuestions = 80, kOrders = 15;

TestColumns questions() {
  TestColumns out;
  for (std::uint32_t q = 0; q < kQuestions; ++q) {
    out.questions.push_back(q);
    out.cluster.push_back(q);
    out.group.push_back(0);
    out.weak.push_back(.4);
    out.strong.push_back(.8);
  }
  return out;
}

DialSums end_of(const std::vector<double>& quality, double strong) {
  Served served;
  served.quality = {quality};
  served.strong = {std::vector<double>(quality.size(), strong)};
  return dial_sums(served);
}

/// One setting at share .5 whose true quality is .65: the true APGR is .5 * (.625 * .5) + .5 * (.625 + 1)
/// / 2.
constexpr double kTruth = .25 * .625 + .25 * 1.625;

Dial made_dial(const TestColumns& test, const Effects& size, std::uint64_t seed) {
  Draws draws(seed, 1);
  std::vector<double> by_question(kQuestions);
  for (auto& effect : by_question) effect = size.question * normal(draws);
  Served served;
  for (std::size_t s = 0; s < kOrders; ++s) {
    const double by_order = size.order * normal(draws);
    auto& quality = served.quality.emplace_back();
    for (std::size_t q = 0; q < kQuestions; ++q)
      quality.push_back(.65 + by_question[q] + by_order + size.both * normal(draws));
    served.strong.emplace_back(kQuestions, .5);
  }
  return {end_of(test.weak, 0), end_of(test.strong, 1), {dial_sums(served)}};
}

Measured apgr_of(const TestColumns& test, const Dial& dial) {
  StrategyRow row;
  RowOptions options;
  options.rounds = 300;
  fill_curve_metrics(row, test, dial, options);
  EXPECT_TRUE(row.apgr && row.apgr->ci95);
  return row.apgr.value_or(Measured{});
}

TEST(Rows, CurveIntervalsCoverQuestionsAndOrders) {
  const auto test = questions();
  for (const Effects& size :
       {Effects{.3, 0, .1}, Effects{.05, .05, .1}, Effects{0, .1, 0}, Effects{.3, .03, .3}}) {
    int missed = 0;
    for (std::uint64_t run = 0; run < 200; ++run) {
      const auto found = apgr_of(test, made_dial(test, size, 1000 + run));
      missed += found.ci95->low > kTruth || found.ci95->high < kTruth ? 1 : 0;
    }
    // 5% of 200 are 10; fifteen orders cost the percentile bootstrap some of its coverage.
    EXPECT_LE(missed, 24) << size.question << " " << size.order << " " << size.both;
  }
}

TEST(Rows, OrdersThatAreAlikeAddNothingAndOthersDo) {
  const auto test = questions();
  auto dial = made_dial(test, {.3, 0, 0}, 7);
  const auto alike = apgr_of(test, dial);
  for (auto& order : dial.settings.front().orders) order = {};
  dial.settings.front().orders.resize(1);
  const auto one = apgr_of(test, dial);
  EXPECT_NEAR(alike.mean, one.mean, 1e-12);
  EXPECT_NEAR(alike.ci95->low, one.ci95->low, 1e-9);
  EXPECT_NEAR(alike.ci95->high, one.ci95->high, 1e-9);
  const auto uneven = apgr_of(test, made_dial(test, {0, .1, 0}, 7));
  EXPECT_GT(uneven.ci95->high - uneven.ci95->low, .02) << "questions are all alike here, orders are not";
}

TEST(Rows, WeightsFollowTheDrawnOrders) {
  const TimesAsked asked = {{1, 2, 1}, {3, 1, 1}};
  const std::vector<std::uint32_t> drawn = {1, 0, 2};
  std::vector<std::uint32_t> scratch;
  const std::vector<std::uint32_t> both = {0, 1};
  const std::vector<std::uint32_t> second_twice = {1, 1};
  const auto first = weights_as_asked(asked, drawn, both, scratch);
  EXPECT_EQ(std::vector<std::uint32_t>(first.begin(), first.end()), (std::vector<std::uint32_t>{4, 0, 4}));
  const auto second = weights_as_asked(asked, drawn, second_twice, scratch);
  EXPECT_EQ(std::vector<std::uint32_t>(second.begin(), second.end()), (std::vector<std::uint32_t>{6, 0, 4}));
  EXPECT_EQ(weights_as_asked({}, drawn, both, scratch).data(), drawn.data());
}

}  // namespace
}  // namespace brevet
