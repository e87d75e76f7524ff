// Goal: money is exact and unknown is never zero. Method: decimal texts with known values, sums with unknown
// parts.
#include "domain/money.h"

#include <gtest/gtest.h>

namespace brevet {
namespace {

TEST(Money, ParsesDecimalsExactly) {
  EXPECT_EQ(Money::parse_usd("0.15")->pico_usd, 150'000'000'000);
  EXPECT_EQ(Money::parse_usd("1.5e-7")->pico_usd, 150'000);
  EXPECT_EQ(Money::parse_usd("-2")->pico_usd, -2'000'000'000'000);
  EXPECT_EQ(Money::parse_usd("3E2")->pico_usd, 300'000'000'000'000);
  for (const char* bad : {"", ".", "abc", "1.2.3", "1e", "1e9999", "99999999999", "0x10", "1 "}) {
    EXPECT_FALSE(Money::parse_usd(bad)) << bad;
  }
}

TEST(Money, PrintsShortestExactDecimal) {
  EXPECT_EQ(Money::from_pico(1'230'000'000).to_string(), "0.00123");
  EXPECT_EQ(Money::from_pico(-5'000'000'000'000).to_string(), "-5");
  EXPECT_EQ(Money::from_pico(1).to_string(), "0.000000000001");
}

TEST(Money, ThousandTenthsMakeAHundredExactly) {
  Money sum;
  for (int i = 0; i < 1000; ++i) sum += *Money::parse_usd("0.1");
  EXPECT_EQ(sum, *Money::parse_usd("100"));
}

TEST(Cost, UnknownIsNeverZero) {
  const Cost known{Money::from_pico(5), CostBasis::kPriced};
  EXPECT_FALSE((known + Cost{}).amount);
  EXPECT_EQ((known + Cost{Money::from_pico(1), CostBasis::kAssumed}).basis, CostBasis::kAssumed);
  CostTotal total;
  total.add(known);
  total.add(Cost{});
  EXPECT_EQ(total.known.pico_usd, 5);
  EXPECT_EQ(total.unknown_count, 1u);
}

}  // namespace
}  // namespace brevet
