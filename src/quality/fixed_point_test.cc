// Goal: our logarithm and exponential are right and rounded as promised. Method: against libm over many
// scales.
#include "quality/fixed_point.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace brevet {
namespace {

TEST(FixedPoint, LogAndExpAgreeWithLibm) {
  Draws draws(1, 1);
  for (int i = 0; i < 200'000; ++i) {
    const double x = std::exp(1400 * (draws.uniform() - .5));
    ASSERT_NEAR(steady_log(x), std::log(x), 1e-14 * std::max(1.0, std::abs(std::log(x)))) << x;
    ASSERT_LT(log_below(x), std::log(x)) << x;
    const double y = 1300 * (draws.uniform() - .5);
    ASSERT_NEAR(steady_exp(y) / std::exp(y), 1, 1e-13) << y;
  }
  EXPECT_EQ(steady_log(1), 0);
  EXPECT_EQ(steady_exp(0), 1);
  EXPECT_NEAR(steady_log(5e-320), std::log(5e-320), 1e-9);
  EXPECT_EQ(steady_log(0), -1e300);
}

TEST(FixedPoint, RoundsDown) {
  EXPECT_EQ(fixed_floor(-.95).value() <= -.95, true);
  EXPECT_EQ(fixed_floor(.1).value() <= .1, true);
  EXPECT_EQ(fixed_near(.5).value(), .5);
  EXPECT_EQ(probability_of(1).raw, Probability::kOne);
  EXPECT_EQ(probability_of(1e-30).raw, 1u);
  EXPECT_EQ(probability_of(std::nan("")).raw, 0u);
  EXPECT_LE(fixed_floor(-0x1.8p30).value(), -0x1.8p30);
  EXPECT_EQ(fixed_floor(-1e300), Fixed::lowest());
  EXPECT_EQ(fixed_floor(std::nan("")), Fixed::lowest());
}

TEST(FixedPoint, SumsStayAtTheEndsOfTheRangeAndTheLowerOneIsForGood) {
  const Fixed most = Fixed::highest(), least = Fixed::lowest(), one = fixed_near(1);
  EXPECT_EQ(most + one, most);
  EXPECT_EQ(one - (least + one), most);
  EXPECT_EQ((least + one) - fixed_near(2), least);
  EXPECT_EQ(least + one, least);
  EXPECT_EQ(least + most, least);
  EXPECT_EQ(least - least, least);
  Fixed sum{-(1ll << 62)};
  for (int i = 0; i < 3; ++i) sum += Fixed{-(1ll << 62)};
  sum += most;
  EXPECT_EQ(sum, least);
}

}  // namespace
}  // namespace brevet
