// Goal: the three sentences of a contract use their own surplus, and shares of delta add up. Method: values
// by hand.
#include "quality/surplus.h"

#include <gtest/gtest.h>

#include <cmath>

#include "quality/delta_plan.h"

namespace brevet {
namespace {

TEST(Surplus, SaysWhatItsSentenceSays) {
  EXPECT_DOUBLE_EQ(risky_surplus(SurplusKind::kTruth, .95, {1, 1}), 1 - .95);
  EXPECT_DOUBLE_EQ(risky_surplus(SurplusKind::kTruth, .95, {0, 1}), 1);
  EXPECT_DOUBLE_EQ(risky_surplus(SurplusKind::kTruth, .95, {1, 0}), -.95);
  EXPECT_DOUBLE_EQ(risky_surplus(SurplusKind::kOneSided, .95, {0, 1}), 0);  // no credit for a win
  EXPECT_DOUBLE_EQ(risky_surplus(SurplusKind::kOneSided, .95, {1, 0}), (1 - .95) - 1);
  EXPECT_DOUBLE_EQ(risky_surplus(SurplusKind::kAgreement, .95, {0, 1}), 1 - .95);  // reference counts as 1
  EXPECT_DOUBLE_EQ(risky_surplus(SurplusKind::kAgreement, .95, {.3, 0}), (1 - .95) - 1);
  EXPECT_DOUBLE_EQ(reference_surplus(SurplusKind::kTruth, .95, .8), (1 - .95) * .8);
  EXPECT_DOUBLE_EQ(reference_surplus(SurplusKind::kAgreement, .95, .8), 1 - .95);
}

TEST(Surplus, WhatIsNotANumberCountsAsTheWorst) {
  const double nan = std::nan("");
  for (const SurplusKind kind : {SurplusKind::kTruth, SurplusKind::kOneSided, SurplusKind::kAgreement})
    EXPECT_DOUBLE_EQ(risky_surplus(kind, .95, {nan, nan}), -.95) << name_of(kind);
  EXPECT_DOUBLE_EQ(risky_surplus(SurplusKind::kAgreement, .95, {1, nan}), -.95);
  EXPECT_DOUBLE_EQ(risky_surplus(SurplusKind::kTruth, .95, {nan, 1}), 1 - .95);
  EXPECT_DOUBLE_EQ(reference_surplus(SurplusKind::kTruth, .95, nan), 0);
}

TEST(DeltaPlan, EveryShareTogetherIsWhatMayFail) {
  for (const std::uint32_t groups : {1u, 3u, 40u}) {
    const DeltaPlan plan{.95, groups};
    double certificates = 0;
    for (std::uint32_t v = 1; v <= 200'000; ++v) certificates += plan.certificate(v);
    const double total = groups * (plan.ledger() + certificates);
    EXPECT_LE(total, .05);
    EXPECT_NEAR(total, .05, 1e-6);  // a doubled share would be seen here
  }
}

}  // namespace
}  // namespace brevet
