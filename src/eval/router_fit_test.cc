// Goal: trained routers inside an evaluation learn the planted rule from the fitting split alone, say the
// same through the flow and directly, and are compared in pairs over splits. Method: a made file whose
// embeddings are told by a made encoder-free rule (words), and made scores for the study.
#include "eval/router_fit.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/random.h"
#include "eval/split_study.h"

namespace brevet {
namespace {

double uniform(std::uint64_t a, std::uint64_t b) {
  return static_cast<double>(mix_bits(a, b) >> 11) * 0x1p-53;
}

TEST(RouterOptions, OnesOfTheFitAndOfTheStrategyAreToldApart) {
  const auto mlp = parse_eval_strategy("mlp{units=8;familiarity_min=0}").value();
  EXPECT_TRUE(mlp.trained);
  EXPECT_TRUE(mlp.router_options.contains("units"));
  EXPECT_TRUE(mlp.options.contains("familiarity_min"));
  EXPECT_EQ(mlp.options.size() + mlp.router_options.size(), 2U);
  // The name means both: what is remembered unless something says router.
  EXPECT_FALSE(parse_eval_strategy("knn")->trained);
  EXPECT_FALSE(parse_eval_strategy("knn{neighbours=20}")->trained);
  EXPECT_TRUE(parse_eval_strategy("knn{k=20}")->trained);
  EXPECT_TRUE(parse_eval_strategy("knn{trained=true}")->trained);
  EXPECT_TRUE(parse_eval_strategy("knn{trained=true}")->options.empty());
  for (const auto& kind : fit_kinds()) {
    const auto parsed = parse_eval_strategy(kind.name);
    EXPECT_TRUE(parsed) << kind.name;
  }
}

TEST(RouterOptions, OneThatNeitherKnowsIsRefusedWithTheNearestName) {
  const auto wrong = parse_eval_strategy("mlp{unitz=8}");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, "unknown_option");
  EXPECT_NE(wrong.error().message.find("'units'"), std::string::npos) << wrong.error().message;
  EXPECT_EQ(parse_eval_strategy("mlp{units=-3}").error().code, "bad_option");
  EXPECT_EQ(parse_eval_strategy("knn{trained=3}").error().code, "bad_option");
}

TEST(RouterOptions, WhatIsShownAndTaughtIsOfTheHarness) {
  const auto made = parse_eval_strategy("knn{inputs=shape;labels=weak_fails}").value();
  EXPECT_TRUE(made.trained);
  EXPECT_EQ(made.inputs, RouterInputs::kShape);
  EXPECT_EQ(made.labels, LabelRule::kWeakFails);
  EXPECT_TRUE(made.options.empty());
  const auto plain = parse_eval_strategy("svm").value();
  EXPECT_EQ(plain.inputs, RouterInputs::kEmbedding);
  EXPECT_EQ(plain.labels, LabelRule::kGain);
  EXPECT_EQ(parse_eval_strategy("svm{inputs=pictures}").error().code, "bad_option");
  EXPECT_EQ(parse_eval_strategy("svm{labels=1}").error().code, "bad_option");
}

TEST(LabelRules, EachSaysAnotherThingOfTheSameScores) {
  FitData data;
  data.configurations = {"weak", "strong"};
  const float unknown = std::numeric_limits<float>::quiet_NaN();
  data.quality = {{0, 0, 1, 1, unknown}, {0, 1, 0, 1, 1}};
  const auto gains = [&](LabelRule rule) {
    const auto made = labelled_by(data, rule);
    std::vector<float> out;
    for (std::size_t i = 0; i + 1 < made.quality[0].size(); ++i)
      out.push_back(made.quality[1][i] - made.quality[0][i]);
    EXPECT_TRUE(std::isnan(made.quality[0].back())) << "what is not labelled stays so";
    return out;
  };
  EXPECT_EQ(gains(LabelRule::kGain), (std::vector<float>{0, 1, -1, 0}));
  EXPECT_EQ(gains(LabelRule::kWeakFails), (std::vector<float>{1, 1, 0, 0}));
  EXPECT_EQ(gains(LabelRule::kWins), (std::vector<float>{-1, 1, -1, -1}));
  const auto decided = gains(LabelRule::kDecided);
  EXPECT_TRUE(std::isnan(decided[0]) && std::isnan(decided[3])) << "ties teach nothing";
  EXPECT_EQ(decided[1], 1);
  EXPECT_EQ(decided[2], -1);
}

/// `questions` of which strong helps on those with a high `x`; each strategy sees x through noise of its own.
struct Made {
  TestColumns all;
  Study study;
};
Made made_study(std::size_t questions, std::size_t splits, const std::vector<double>& noise, bool costs) {
  Made out;
  for (std::uint32_t q = 0; q < questions; ++q) {
    const double x = uniform(1, q);
    out.all.questions.push_back(q);
    out.all.cluster.push_back(q);
    out.all.group.push_back(0);
    out.all.weak.push_back(uniform(2, q) < 1 - .6 * x ? 1 : 0);
    out.all.strong.push_back(uniform(3, q) < .95 ? 1 : 0);
    if (costs) out.all.weak_cost.push_back(.001), out.all.strong_cost.push_back(.01);
  }
  out.study.test.resize(splits);
  for (std::size_t k = 0; k < noise.size(); ++k) {
    out.study.strategies.push_back("s" + std::to_string(k));
    out.study.scores.emplace_back(splits);
  }
  for (std::size_t s = 0; s < splits; ++s) {
    for (std::uint32_t q = 0; q < questions; ++q) {
      if (uniform(10 + s, q) < .2) continue;
      out.study.test[s].push_back(q);
      for (std::size_t k = 0; k < noise.size(); ++k) {
        auto& scores = out.study.scores[k][s];
        scores.score.push_back(uniform(1, q) + noise[k] * uniform(100 + 50 * k + s, q));
        scores.need.push_back(std::min(1.0, scores.score.back() / (1 + noise[k])));
        scores.threshold = .5 * (1 + noise[k]);
      }
    }
  }
  return out;
}

double figure_of(const StudyFigures& figures, std::size_t strategy,
                 std::optional<Measured> StrategyRow::*figure) {
  for (std::size_t f = 0; f < study_figures().size(); ++f) {
    if (study_figures()[f] == figure) return figures.of[strategy][f]->mean;
  }
  return NAN;
}

TEST(SplitStudy, OneSplitIsWhatTheRowsSay) {
  const auto made = made_study(800, 1, {.5}, true);
  const auto figures = study(made.all, made.study, {50, 1, 1});
  const auto& scores = made.study.scores[0][0];
  TestColumns test;
  Served served;
  served.quality.emplace_back();
  served.strong.emplace_back();
  served.cost.emplace_back();
  std::vector<double> truth_need = scores.need;
  for (std::size_t i = 0; i < scores.score.size(); ++i) {
    const auto q = made.study.test[0][i];
    test.questions.push_back(q);
    test.cluster.push_back(q);
    test.group.push_back(0);
    test.weak.push_back(made.all.weak[q]);
    test.strong.push_back(made.all.strong[q]);
    test.weak_cost.push_back(made.all.weak_cost[q]);
    test.strong_cost.push_back(made.all.strong_cost[q]);
    test.agrees.push_back(test.strong.back() > test.weak.back() ? 1 : 0);
    const bool strong = scores.score[i] >= scores.threshold;
    served.strong[0].push_back(strong ? 1 : 0);
    served.quality[0].push_back(strong ? test.strong.back() : test.weak.back());
    served.cost[0].push_back(strong ? .01 : .001);
  }
  StrategyRow row;
  const RowOptions quick{50, 1, 1};
  fill_operating_point(row, test, served, {"all"}, quick);
  fill_curve_metrics(row, test,
                     StaticSweep({scores.score, test.weak, test.strong, test.weak_cost, test.strong_cost}),
                     {}, quick);
  std::optional<Calibration> diagram;
  fill_calibration(row, test, truth_need, diagram, quick);
  for (const auto figure :
       {&StrategyRow::quality, &StrategyRow::retention, &StrategyRow::strong_share, &StrategyRow::cost_usd,
        &StrategyRow::cost_rel, &StrategyRow::pgr, &StrategyRow::mixture_gain, &StrategyRow::shuffle_gain,
        &StrategyRow::router_arena, &StrategyRow::apgr, &StrategyRow::cpt50, &StrategyRow::cpt80,
        &StrategyRow::aiq, &StrategyRow::brier, &StrategyRow::ece, &StrategyRow::auroc}) {
    ASSERT_TRUE(row.*figure);
    EXPECT_NEAR(figure_of(figures, 0, figure), (row.*figure)->mean, 1e-9);
  }
}

TEST(SplitStudy, TheBetterOfTwoIsBetterInPairsAndEqualOnesAreNot) {
  auto made = made_study(1500, 6, {.1, 3, 3}, false);
  made.study.scores[2] = made.study.scores[1];
  const auto figures = study(made.all, made.study, {200, 1, 2});
  ASSERT_EQ(figures.pairwise.size(), 9U);
  const auto find = [&](const std::string& a, const std::string& b, const std::string& metric) {
    for (const auto& row : figures.pairwise) {
      if (row.a == a && row.b == b && row.metric == metric) return row;
    }
    ADD_FAILURE() << a << b << metric;
    return PairwiseRow();
  };
  const auto better = find("s0", "s1", "apgr");
  EXPECT_EQ(better.splits, 6U);
  EXPECT_GT(better.difference->ci95->low, 0);
  EXPECT_NEAR(better.difference->mean,
              figure_of(figures, 0, &StrategyRow::apgr) - figure_of(figures, 1, &StrategyRow::apgr), 1e-12);
  EXPECT_LT(find("s0", "s1", "cpt50").difference->ci95->high, 0);
  EXPECT_FALSE(find("s0", "s1", "aiq").difference) << "costs are unknown";
  EXPECT_EQ(find("s1", "s2", "apgr").difference->mean, 0);
  EXPECT_EQ(find("s1", "s2", "apgr").difference->ci95->high, 0);
}

}  // namespace
}  // namespace brevet
