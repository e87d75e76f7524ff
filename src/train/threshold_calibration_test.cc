// Goal: a calibrated threshold keeps its target as often as it says. Method: seeded simulation with a known
// truth, and a mutant (choosing by the mean) that must fail the same check.
#include "train/threshold_calibration.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace brevet {
namespace {

/// P(agrees | score) = score, scores uniform: agreement above threshold t is (1 + t) / 2.
std::vector<ScoredOutcome> world(std::uint64_t seed, std::size_t n) {
  Draws draws(seed, 1);
  std::vector<ScoredOutcome> out;
  for (std::size_t i = 0; i < n; ++i) {
    const double score = draws.uniform();
    out.push_back({score, draws.uniform() < score});
  }
  return out;
}

TEST(ThresholdCalibration, KeepsItsTargetAtTheStatedConfidence) {
  // Target .8 needs a true threshold of .6. At confidence .95 at most 5% of runs may choose a lower one; 400
  // runs with that rate exceed 33 with probability below .002. Choosing by the mean does so about half the
  // time.
  int broken = 0, broken_by_mean = 0, found = 0;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    const auto result = calibrate_threshold(world(seed, 1000), {.8, .95, 40});
    ASSERT_TRUE(result);
    if (result->threshold) {
      ++found;
      broken += *result->threshold < .6 ? 1 : 0;
    }
    for (const auto& row : result->rows) {
      if (row.agreement.mean >= .8) {
        broken_by_mean += row.threshold < .6 ? 1 : 0;
        break;
      }
    }
  }
  EXPECT_LE(broken, 33);
  // The first row that can pass holds 25 outcomes that agree at .975 and allows one miss: it passes in .87 of
  // the runs, with a standard error of .017.
  EXPECT_GE(found, 325);
  EXPECT_GT(broken_by_mean, 100);
}

TEST(ThresholdCalibration, SaysWhenNothingReachesTheTarget) {
  std::vector<ScoredOutcome> outcomes(200, {.9, false});
  const auto result = calibrate_threshold(outcomes, {});
  ASSERT_TRUE(result);
  EXPECT_FALSE(result->threshold);
  EXPECT_EQ(calibrate_threshold({outcomes.begin(), outcomes.begin() + 49}, {}).error().code,
            "too_few_outcomes");
}

}  // namespace
}  // namespace brevet
