// Goal: exact intervals are exact. Method: published values, and the coverage summed over every outcome of
// small experiments.
#include "quality/proportion.h"

#include <gtest/gtest.h>

#include <cmath>

namespace brevet {
namespace {

TEST(Proportion, MatchesPublishedValues) {
  // Clopper and Pearson's interval for 0 of 10 and 7 of 20 (R: binom.test).
  EXPECT_NEAR(exact_proportion(0, 10).high, 0.3084971, 1e-6);
  EXPECT_NEAR(exact_proportion(7, 20).low, 0.1539092, 1e-6);
  EXPECT_NEAR(exact_proportion(7, 20).high, 0.5921885, 1e-6);
  EXPECT_EQ(exact_proportion(0, 0).high, 1);
}

TEST(Proportion, CoversAtLeastAsOftenAsItSays) {
  for (const double p : {.05, .3, .5, .97}) {
    constexpr int kTrials = 40;
    double covered = 0, above = 0;
    for (int k = 0; k <= kTrials; ++k) {
      const double weight =
          std::exp(std::lgamma(kTrials + 1) - std::lgamma(k + 1) - std::lgamma(kTrials - k + 1) +
                   k * std::log(p) + (kTrials - k) * std::log1p(-p));
      const auto interval = exact_proportion(static_cast<std::uint64_t>(k), kTrials);
      covered += interval.low <= p && p <= interval.high ? weight : 0;
      above += exact_lower_bound(static_cast<std::uint64_t>(k), kTrials) <= p ? weight : 0;
    }
    EXPECT_GE(covered, .95) << p;
    EXPECT_GE(above, .95) << p;
  }
}

}  // namespace
}  // namespace brevet
