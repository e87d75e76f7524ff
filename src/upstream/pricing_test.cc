// Goal: prices are exact and never claim more than is known. Method: hand-computed cases.
#include "upstream/pricing.h"

#include <gtest/gtest.h>

namespace brevet {
namespace {

Pricing prices(const char* input, const char* output) {
  Pricing out;
  out.input_per_million = Money::parse_usd(input);
  out.output_per_million = Money::parse_usd(output);
  return out;
}
Usage usage(std::int64_t input, std::int64_t output) {
  Usage out;
  out.input_tokens = input;
  out.output_tokens = output;
  return out;
}

TEST(Pricing, IsExactForOneTokenAndForBillions) {
  const auto pricing = prices("0.15", "0.60");
  EXPECT_EQ(price_of(pricing, usage(1, 0)).amount->pico_usd, 150'000);
  EXPECT_EQ(price_of(pricing, usage(1000, 500)).amount->to_string(), "0.00045");
  EXPECT_EQ(price_of(pricing, usage(3'000'000'000, 0)).amount->to_string(), "450");
  EXPECT_EQ(price_of(pricing, usage(1, 1)).basis, CostBasis::kPriced);
  EXPECT_EQ(price_of(prices("0.0000015", "0"), usage(1, 0)).amount->pico_usd,
            2);  // Rounded once, to the nearest.
}

TEST(Pricing, UnknownIsNeverZero) {
  EXPECT_FALSE(price_of({}, usage(1, 1)).amount);
  Usage no_output;
  no_output.input_tokens = 5;
  EXPECT_FALSE(price_of(prices("1", "2"), no_output).amount);
  EXPECT_EQ(price_of(prices("1", "2"), no_output).basis, CostBasis::kUnknown);
  EXPECT_TRUE(
      price_of(prices("1", "0"), no_output).amount);  // Output costs nothing, so its count is not needed.
  Pricing half;
  half.input_per_million = Money::from_pico(1);
  EXPECT_FALSE(price_of(half, usage(1, 0)).amount);
}

TEST(Pricing, CachedTokens) {
  auto pricing = prices("1", "0");
  auto used = usage(1'000'000, 0);
  used.cached_input_tokens = 400'000;
  EXPECT_EQ(price_of(pricing, used).amount->to_string(), "1");
  EXPECT_EQ(price_of(pricing, used).basis, CostBasis::kAssumed);
  pricing.cached_input_per_million = Money::parse_usd("0.1");
  EXPECT_EQ(price_of(pricing, used).amount->to_string(), "0.64");
  EXPECT_EQ(price_of(pricing, used).basis, CostBasis::kPriced);
  used.cached_input_tokens =
      9'000'000;  // More than there were: the provider is wrong, the bill is not negative.
  EXPECT_EQ(price_of(pricing, used).amount->to_string(), "0.1");
}

TEST(Pricing, EstimatesAreAssumed) {
  auto used = usage(10, 10);
  used.estimated = true;
  EXPECT_EQ(price_of(prices("1", "1"), used).basis, CostBasis::kAssumed);
  EXPECT_EQ(estimate_tokens(0), 0);
  EXPECT_EQ(estimate_tokens(1), 1);
  EXPECT_EQ(estimate_tokens(9), 3);
}

}  // namespace
}  // namespace brevet
