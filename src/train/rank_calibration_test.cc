// Goal: a reported .8 is right in 80%, and only because calibration never sees its own rows. Method: seeded
// simulations with a stated error rate; small cases by hand; a mutant that calibrates on in-fold predictions.
#include "train/rank_calibration.h"

#include <gtest/gtest.h>

#include <cmath>

#include "router/predictor.h"
#include "train/test_data.h"

namespace brevet {
namespace {

TEST(RankCalibration, IsotonicPoolsByHand) {
  // Blocks of one: 0 | 1 0 pooled to 1/2 | 1.
  const std::vector<float> raw = {1, 2, 3, 4}, label = {0, 1, 0, 1};
  const auto curve = isotonic_curve(raw, label, {.block = 1, .prior = 0});
  EXPECT_NEAR(curve.at(1), 0, .005);
  EXPECT_NEAR(curve.at(2.5), .5, .005);
  EXPECT_NEAR(curve.at(4), 1, .005);
  // Two observations of a prior that says p: (y + 2 p) / (n + 2).
  const double p = platt_curve(raw, label).at(1);
  EXPECT_NEAR(isotonic_curve(raw, label, {.block = 1, .prior = 2}).at(1), (0 + 2 * p) / 3, .005);
}

TEST(RankCalibration, CurvesIncreaseStrictlyWhateverTheLabels) {
  SeededRandom random(1);
  for (int world = 0; world < 20; ++world) {
    std::vector<float> raw, label;
    for (int i = 0; i < 500; ++i) {
      raw.push_back(static_cast<float>(world % 4 == 0 ? 3 : random.normal()));
      label.push_back(world % 3 == 0 ? 0 : random.uniform() < .3 ? 1.0F : 0.0F);
    }
    for (const auto& curve : {platt_curve(raw, label), isotonic_curve(raw, label)}) {
      ASSERT_GE(curve.x.size(), 2U);
      for (std::size_t k = 1; k < curve.x.size(); ++k) {
        ASSERT_GT(curve.x[k], curve.x[k - 1]);
        ASSERT_GT(curve.y[k], curve.y[k - 1]);
      }
      ASSERT_GE(curve.y.front(), 0);
      ASSERT_LE(curve.y.back(), 1);
      for (const float v : curve.y) ASSERT_TRUE(std::isfinite(v));
    }
  }
}

TEST(RankCalibration, PlattFindsALogisticTruth) {
  SeededRandom random(2);
  std::vector<float> raw, label;
  for (int i = 0; i < 20000; ++i) {
    const double x = random.normal();
    raw.push_back(static_cast<float>(x));
    label.push_back(random.uniform() < 1 / (1 + std::exp(-(1.3 * x - .4))) ? 1.0F : 0.0F);
  }
  const auto curve = platt_curve(raw, label);
  for (const double x : {-2.0, -1.0, 0.0, 1.0, 2.0}) {
    EXPECT_NEAR(curve.at(x), 1 / (1 + std::exp(-(1.3 * x - .4))), .02);
  }
}

TEST(RankCalibration, BackwardsScoresAreWorthTheBaseRate) {
  std::vector<float> raw, label;
  for (int i = 0; i < 400; ++i) raw.push_back(static_cast<float>(i)), label.push_back(i < 100 ? 1.0F : 0.0F);
  const auto curve = platt_curve(raw, label);
  EXPECT_NEAR(curve.at(10), .25, .02);
  EXPECT_NEAR(curve.at(390), .25, .02);
}

TEST(RankCalibration, AreaUnderRocByHand) {
  EXPECT_DOUBLE_EQ(area_under_roc(std::vector<float>{.1F, .4F, .35F, .8F}, std::vector<float>{0, 0, 1, 1}),
                   .75);
  EXPECT_DOUBLE_EQ(area_under_roc(std::vector<float>{1, 1}, std::vector<float>{0, 1}), .5);
}

/// Mean gap between what was promised and what came, over the requests whose promise is in the top fifth.
double top_gap(const Curve& curve, const Predictor& predictor, const FitData& fresh) {
  std::vector<std::pair<double, float>> told;
  for (std::size_t i = 0; i < fresh.features.size(); ++i) {
    const float better = fresh.quality[1][i] > fresh.quality[0][i] ? 1.0F : 0.0F;
    told.emplace_back(curve.at(raw_need(predictor, fresh.features[i], 2)), better);
  }
  std::sort(told.begin(), told.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  double gap = 0;
  const std::size_t top = told.size() / 5;
  for (std::size_t k = 0; k < top; ++k) gap += (told[k].first - told[k].second) / static_cast<double>(top);
  return gap;
}

Curve curve_of(const Artefact& artefact) {
  const auto& tensor = artefact.tensors.at("calibration.need");
  const auto k = static_cast<std::ptrdiff_t>(tensor.shape[1]);
  return {{tensor.values.begin(), tensor.values.begin() + k},
          {tensor.values.begin() + k, tensor.values.end()}};
}

// 12 worlds; 2,000 fresh requests, so the mean over the top fifth has a standard error of .025 at most, and
// the calibration (1,000 rows) one of about .04 in a world, .014 over all. With |mean gap| < .05 a calibrated
// router fails with a chance under 1 in 2,000.
TEST(RankCalibration, WhatIsPromisedHoldsOnFreshRequestsAndNotWhenCalibratedInFold) {
  constexpr int kWorlds = 12;
  double gap = 0, mutant_gap = 0;
  for (int world = 0; world < kWorlds; ++world) {
    const auto seed = static_cast<std::uint64_t>(100 + world);
    const auto data = planted_data({.requests = 1000, .strength = 2, .seed = seed});
    const auto fresh = planted_data({.requests = 2000, .strength = 2, .seed = seed + 1000});
    // Of five neighbours of a row that taught it, one is the row itself.
    const auto artefact = fit_router(data, {.kind = "knn", .options = {{"k", std::int64_t{5}}}});
    ASSERT_TRUE(artefact) << artefact.error().message;
    const auto predictor = make_predictor(*artefact);
    gap += top_gap(curve_of(**artefact), **predictor, fresh) / kWorlds;
    std::vector<float> raw, label;
    for (std::size_t i = 0; i < data.features.size(); ++i) {
      raw.push_back(raw_need(**predictor, data.features[i], 2));
      label.push_back(data.quality[1][i] > data.quality[0][i] ? 1.0F : 0.0F);
    }
    mutant_gap += top_gap(platt_curve(raw, label), **predictor, fresh) / kWorlds;
  }
  EXPECT_LT(std::abs(gap), .05);
  EXPECT_GT(mutant_gap, .1) << "calibrated on its own rows it promises too much";
}

}  // namespace
}  // namespace brevet
