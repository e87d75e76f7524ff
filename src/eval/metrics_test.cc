// Goal: each metric is what docs/evaluation-protocol.md says, at its edges too. Method: hand-computed cases,
// brute force on small random inputs, published definitions; tests/metrics_reference.py compares with a
// second implementation.
#include "eval/metrics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace brevet {
namespace {

SweptQuestions four() {
  SweptQuestions q;
  q.score = {.9, .8, .2, .1};
  q.weak_quality = {0, 0, 1, 1};
  q.strong_quality = {1, 1, 1, 0};
  q.weak_cost = {1, 1, 1, 1};
  q.strong_cost = {10, 10, 10, 10};
  return q;
}

TEST(Sweep, EveryScoreIsAPoint) {
  const auto curve = StaticSweep(four()).curve();
  ASSERT_EQ(curve.size(), 5u);
  const double quality[] = {.5, .75, 1, 1, .75}, cost[] = {1, 3.25, 5.5, 7.75, 10};
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_DOUBLE_EQ(curve[i].strong_share, static_cast<double>(i) / 4);
    EXPECT_DOUBLE_EQ(curve[i].quality, quality[i]);
    EXPECT_DOUBLE_EQ(*curve[i].cost, cost[i]);
  }
  // Area over weak: (.125 + .375 + .5 + .375) / 4 = .34375; gap .25.
  EXPECT_DOUBLE_EQ(*apgr(curve), 1.375);
  EXPECT_DOUBLE_EQ(*cpt(curve, .5), .125);
  EXPECT_DOUBLE_EQ(*cpt(curve, .8), .2);
  EXPECT_DOUBLE_EQ(*cpt(curve, 1), .25);
}

TEST(Sweep, EqualScoresMoveTogetherWhichIsTheRandomMixture) {
  auto questions = four();
  questions.score = {3, 3, 3, 3};
  const auto curve = StaticSweep(questions).curve();
  ASSERT_EQ(curve.size(), 2u);
  EXPECT_DOUBLE_EQ(*apgr(curve), .5);
  EXPECT_DOUBLE_EQ(*cpt(curve, .5), .5);
  EXPECT_DOUBLE_EQ(*quality_at_share(curve, .5), .625);
  EXPECT_DOUBLE_EQ(*cost_at_share(curve, .5), 5.5);
  EXPECT_FALSE(quality_at_share(curve, 1.5));
}

TEST(Sweep, UnknownCostIsNotZero) {
  auto questions = four();
  questions.weak_cost.clear();
  questions.strong_cost.clear();
  const auto curve = StaticSweep(questions).curve();
  for (const auto& point : curve) EXPECT_FALSE(point.cost);
  EXPECT_FALSE(aiq(curve, 1, 10));
  EXPECT_TRUE(apgr(curve));
}

TEST(Sweep, WeightsEqualRepeatedQuestions) {
  Draws draws(5, 1);
  for (int round = 0; round < 50; ++round) {
    SweptQuestions once, repeated;
    std::vector<std::uint32_t> weights;
    for (int i = 0; i < 30; ++i) {
      const double score = std::floor(draws.uniform() * 8), weak = draws.uniform(), strong = draws.uniform();
      const double weak_cost = draws.uniform(), strong_cost = 1 + draws.uniform();
      const auto weight = static_cast<std::uint32_t>(draws.uniform() * 4);
      weights.push_back(weight);
      const auto add = [&](SweptQuestions& to) {
        to.score.push_back(score);
        to.weak_quality.push_back(weak);
        to.strong_quality.push_back(strong);
        to.weak_cost.push_back(weak_cost);
        to.strong_cost.push_back(strong_cost);
      };
      add(once);
      for (std::uint32_t k = 0; k < weight; ++k) add(repeated);
    }
    Curve weighted;
    StaticSweep(once).sweep(weights, weighted);
    const auto direct = StaticSweep(repeated).curve();
    ASSERT_EQ(weighted.size(), direct.size());
    for (std::size_t i = 0; i < direct.size(); ++i) {
      EXPECT_NEAR(weighted[i].strong_share, direct[i].strong_share, 1e-12);
      EXPECT_NEAR(weighted[i].quality, direct[i].quality, 1e-12);
      EXPECT_NEAR(*weighted[i].cost, *direct[i].cost, 1e-12);
    }
  }
}

TEST(Sweep, WithoutQuestionsOrWeightsThereIsNoCurve) {
  EXPECT_TRUE(StaticSweep(SweptQuestions{}).curve().empty());
  Curve curve;
  const std::vector<std::uint32_t> none(4, 0);
  StaticSweep(four()).sweep(none, curve);
  EXPECT_TRUE(curve.empty());
  EXPECT_FALSE(apgr(curve));
  EXPECT_FALSE(cpt(curve, .5));
}

TEST(Curves, AnchorsAndAverages) {
  const auto curve = anchored_curve({{.6, .8, 4.0}, {.2, .6, 2.0}, {.6, .7, 6.0}, {0, .55, 1.0}},
                                    {0, .5, 1.0}, {1, .75, 10.0});
  ASSERT_EQ(curve.size(), 5u);
  EXPECT_DOUBLE_EQ(curve[1].quality, .55);
  EXPECT_DOUBLE_EQ(curve[3].quality, .75);
  EXPECT_DOUBLE_EQ(*curve[3].cost, 5);
  EXPECT_DOUBLE_EQ(curve[4].strong_share, 1);
  EXPECT_FALSE(anchored_curve({{.5, .6, std::nullopt}, {.5, .6, 1.0}}, {}, {1, 1, 1.0})[1].cost);
}

TEST(Curves, NoGapMeansNothingToRecover) {
  EXPECT_FALSE(pgr(.5, .6, .6));
  EXPECT_FALSE(pgr(.5, .7, .6));
  EXPECT_NEAR(*pgr(.65, .6, .7), .5, 1e-12);
  const Curve falling{{0, .6, {}}, {1, .5, {}}};
  EXPECT_FALSE(apgr(falling));
  EXPECT_FALSE(cpt(falling, .5));
}

TEST(Curves, CptIsTheFirstCrossing) {
  // Up to .9 of the gap at share .2, down below half at .5, up again at the end.
  const Curve curve{{0, 0, {}}, {.2, .9, {}}, {.5, .3, {}}, {1, 1, {}}};
  EXPECT_NEAR(*cpt(curve, .5), .2 * .5 / .9, 1e-12);
  EXPECT_NEAR(*cpt(curve, .95), .5 + .5 * (.65 / .7), 1e-12);
}

TEST(Hull, DropsDominatedAndSaggingPoints) {
  const auto hull = upper_hull({{4, .5}, {1, .4}, {2, .7}, {3, .72}, {5, .9}, {1, .3}, {6, .9}, {7, .2}});
  ASSERT_EQ(hull.size(), 3u);
  EXPECT_DOUBLE_EQ(hull[0].quality, .4);
  EXPECT_DOUBLE_EQ(hull[1].cost, 2);
  EXPECT_DOUBLE_EQ(hull[2].cost, 5);
  EXPECT_FALSE(hull_quality(hull, .5));
  EXPECT_DOUBLE_EQ(*hull_quality(hull, 1.5), .55);
  EXPECT_DOUBLE_EQ(*hull_quality(hull, 99), .9);
  EXPECT_DOUBLE_EQ(*hull_cost(hull, .55), 1.5);
  EXPECT_DOUBLE_EQ(*hull_cost(hull, .1), 1);
  EXPECT_FALSE(hull_cost(hull, .95));
  EXPECT_TRUE(upper_hull({}).empty());
}

TEST(Hull, IsTheBestMixtureOfAnyTwoPoints) {
  Draws draws(11, 1);
  for (int round = 0; round < 200; ++round) {
    std::vector<CostPoint> points;
    for (int i = 0; i < 9; ++i)
      points.push_back({std::floor(draws.uniform() * 6), std::floor(draws.uniform() * 6) / 6});
    const auto hull = upper_hull(points);
    for (double cost = 0; cost <= 6; cost += .25) {
      double best = -1;
      for (const auto& a : points) {
        for (const auto& b : points) {
          if (a.cost <= cost) best = std::max(best, a.quality);
          if (a.cost < cost && b.cost > cost)
            best = std::max(best, a.quality + (cost - a.cost) / (b.cost - a.cost) * (b.quality - a.quality));
        }
      }
      const auto got = hull_quality(hull, cost);
      ASSERT_EQ(got.has_value(), best >= 0);
      if (got) {
        ASSERT_NEAR(*got, best, 1e-12);
      }
    }
  }
}

TEST(Aiq, FlatOnTheRightNothingOnTheLeft) {
  EXPECT_DOUBLE_EQ(*aiq(std::vector<CostPoint>{{1, .5}, {3, 1}}, 1, 3), .75);
  EXPECT_DOUBLE_EQ(*aiq(std::vector<CostPoint>{{1, .5}, {3, 1}}, 1, 5), .875);
  EXPECT_DOUBLE_EQ(*aiq(std::vector<CostPoint>{{2, .8}}, 1, 3), .4);
  EXPECT_DOUBLE_EQ(*aiq(std::vector<CostPoint>{{0, .4}, {4, .8}}, 1, 3), .6);
  EXPECT_DOUBLE_EQ(*aiq(std::vector<CostPoint>{{5, .8}}, 1, 3), 0);
  EXPECT_FALSE(aiq(std::vector<CostPoint>{{1, .5}}, 3, 3));
  EXPECT_FALSE(aiq(std::vector<CostPoint>{}, 1, 3));
}

TEST(RouterArena, EndsAndClamps) {
  EXPECT_DOUBLE_EQ(router_arena_score(.7, 200), 0);
  EXPECT_DOUBLE_EQ(router_arena_score(.7, 1e9), 0);
  EXPECT_NEAR(router_arena_score(1, .0044), 1, 1e-12);
  EXPECT_DOUBLE_EQ(router_arena_score(.7, 0), router_arena_score(.7, .0044));
  EXPECT_DOUBLE_EQ(router_arena_score(0, 1), 0);
  EXPECT_DOUBLE_EQ(router_arena_score(0, 200), 0);
  // Half way in the logarithm, C = .5: 1.1 * .6 * .5 / (.06 + .5).
  EXPECT_NEAR(router_arena_score(.6, std::sqrt(200 * .0044)), .33 / .56, 1e-12);
}

OutcomeTable table_of_three() {
  OutcomeTable table;
  table.models = {"weak", "strong", "partial"};
  table.questions = 3;
  table.cells.resize(9);
  table.at(0, 0) = {1, 1.0};
  table.at(0, 1) = {0, 1.0};
  table.at(0, 2) = {0, 1.0};
  table.at(1, 0) = {1, 10.0};
  table.at(1, 1) = {1, 10.0};
  table.at(1, 2) = {0, 10.0};
  table.at(2, 2) = {1, std::nullopt};
  return table;
}

TEST(Outcomes, OracleTakesTheBestThenTheCheapest) {
  const auto table = table_of_three();
  const auto pair = oracle(table, {0, 1});
  EXPECT_DOUBLE_EQ(pair.quality, 2.0 / 3);
  EXPECT_EQ(pair.choice, (std::vector<std::int32_t>{0, 1, 0}));
  EXPECT_DOUBLE_EQ(*pair.cost, 4);
  EXPECT_DOUBLE_EQ(pair.chosen_share[0], 2.0 / 3);
  const auto all = oracle(table);
  EXPECT_DOUBLE_EQ(all.quality, 1);
  EXPECT_FALSE(all.cost) << "one chosen answer has no known cost";
  const auto only_partial = oracle(table, {2});
  EXPECT_EQ(only_partial.n, 1u);
  EXPECT_EQ(only_partial.choice[0], -1);
}

TEST(Outcomes, OracleTieWithUnknownCostGoesToTheKnownOne) {
  OutcomeTable table;
  table.models = {"unknown", "known", "unknown too"};
  table.questions = 1;
  table.cells = {{1.0, std::nullopt}, {1.0, 5.0}, {1.0, std::nullopt}};
  EXPECT_EQ(oracle(table).choice[0], 1);
  EXPECT_EQ(oracle(table, {2, 0}).choice[0], 2) << "the model listed first";
}

TEST(Outcomes, SinglesAndTheZeroRouter) {
  const auto table = table_of_three();
  const auto singles = single_models(table);
  EXPECT_DOUBLE_EQ(singles[1].quality, 2.0 / 3);
  EXPECT_EQ(singles[2].n, 1u);
  EXPECT_FALSE(singles[2].cost);
  EXPECT_EQ(best_single(table)->model, 1u)
      << "a model run on one question of three is not the best single one";
  const auto hull = zero_router_hull(table);
  ASSERT_EQ(hull.size(), 2u);
  EXPECT_DOUBLE_EQ(*hull_quality(hull, 5.5), .5);
  const auto mixture = mixture_at_share({0, .2, 1.0}, {1, .6, 5.0}, .25);
  EXPECT_DOUBLE_EQ(mixture.quality, .3);
  EXPECT_DOUBLE_EQ(*mixture.cost, 2);
}

TEST(Calibrated, BinsBrierAndEce) {
  const auto out = calibration({.1, .15, .9, 1, 2}, {0, 1, 1, 1, 0}, 10);
  ASSERT_TRUE(out);
  EXPECT_EQ(out->bins[1].n, 2u);
  EXPECT_EQ(out->bins[9].n, 3u);
  EXPECT_DOUBLE_EQ(out->bins[1].observed, .5);
  EXPECT_NEAR(out->brier, (.01 + .7225 + .01 + 0 + 1) / 5, 1e-12);
  EXPECT_NEAR(out->ece, (.75 + .9) / 5, 1e-12);
  EXPECT_FALSE(calibration({}, {}));
}

TEST(Groups, WorstIsByRetentionAmongLargeOnes) {
  const auto groups =
      group_figures({7, 7, 2, 2, 5}, {1, 0, 1, 1, 0}, {0, 0, 1, 1, 0}, {1, 1, 1, 1, 1}, {1, 0, 0, 0, 0});
  ASSERT_EQ(groups.size(), 3u);
  EXPECT_EQ(groups[0].group, 2u);
  EXPECT_DOUBLE_EQ(groups[2].strong_share, .5);
  EXPECT_EQ(worst_group(groups, 2)->group, 7u);
  EXPECT_EQ(worst_group(groups, 1)->group, 5u);
  EXPECT_FALSE(worst_group(groups, 3));
  EXPECT_FALSE(group_figures({1}, {1}, {0}, {0}, {0})[0].retention) << "nothing can be retained of zero";
}

TEST(Quantiles, StraightLinesBetweenOrderStatistics) {
  EXPECT_DOUBLE_EQ(*quantile({4, 1, 3, 2}, .5), 2.5);
  EXPECT_DOUBLE_EQ(*quantile({4, 1, 3, 2}, 1), 4);
  EXPECT_DOUBLE_EQ(*quantile({5}, .99), 5);
  EXPECT_FALSE(quantile({}, .5));
}

}  // namespace
}  // namespace brevet
