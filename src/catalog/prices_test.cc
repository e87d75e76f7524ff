// Goal: costs are exact and say where they come from; unknown prices and counts never cost 0. Method: small
// tables with sums done by hand, and the shapes that price files have.
#include "catalog/prices.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace brevet {
namespace {

constexpr const char* kTable =
    R"({"version":"x","models":{"small":{"input":0.15,"output":0.60,"cached_input":"0.075"},)"
    R"("big":{"input":2.5,"output":10}}})";

Usage usage(std::int64_t input, std::int64_t output) {
  Usage out;
  out.input_tokens = input;
  out.output_tokens = output;
  return out;
}

TEST(Prices, AUsageIsPricedExactly) {
  const auto table = PriceTable::parse(kTable, "t");
  ASSERT_TRUE(table) << table.error().message;
  const auto cost = table->price("small", usage(1'000'003, 7));
  EXPECT_EQ(cost.basis, CostBasis::kPriced);
  // 1,000,003 x 0.15e-6 + 7 x 0.60e-6 USD.
  EXPECT_EQ(cost.amount->to_string(), "0.15000465");
  EXPECT_EQ(table->price("big", usage(3, 5)).amount->to_string(), "0.0000575");
}

TEST(Prices, CachedTokensHaveTheirOwnPriceAndNeverExceedTheInput) {
  const auto table = PriceTable::parse(kTable, "t");
  auto counts = usage(100, 0);
  counts.cached_input_tokens = 60;
  EXPECT_EQ(table->price("small", counts).amount->to_string(), "0.0000105");
  counts.cached_input_tokens = 1'000;
  EXPECT_EQ(table->price("small", counts).amount->to_string(), "0.0000075");
  EXPECT_EQ(table->price("big", counts).amount->to_string(), "0.00025") << "no cached price: as others";
  EXPECT_EQ(table->price("big", counts).basis, CostBasis::kAssumed);
}

TEST(Prices, UnknownIsNeverZero) {
  const auto table = PriceTable::parse(kTable, "t");
  EXPECT_FALSE(table->price("other", usage(1, 1)).amount);
  EXPECT_EQ(table->price("other", usage(1, 1)).basis, CostBasis::kUnknown);
  Usage half;
  half.input_tokens = 5;
  EXPECT_FALSE(table->price("small", half).amount);
  ModelPrice input_only;
  input_only.input_per_million = Money::from_usd(1);
  EXPECT_EQ(price_usage(input_only, half).amount->to_string(), "0.000005")
      << "a count without a price is not needed";
  ModelPrice high;
  high.input_per_million = Money::from_usd(1e4);
  EXPECT_FALSE(price_usage(high, usage(std::int64_t{9'000'000'000'000'000'000}, 0)).amount) << "out of range";
}

TEST(Prices, EstimatedCountsAndAssumedPricesAreAssumed) {
  const auto table = PriceTable::parse(kTable, "t");
  auto counts = usage(10, 10);
  counts.estimated = true;
  EXPECT_EQ(table->price("small", counts).basis, CostBasis::kAssumed);
  const auto noted =
      PriceTable::parse(R"({"note":"basis is 'assumed'","prices":{"m":{"input":1,"output":1}}})", "t");
  ASSERT_TRUE(noted);
  EXPECT_EQ(noted->price("m", usage(1, 1)).basis, CostBasis::kAssumed);
  const auto stated = PriceTable::parse(R"({"basis":"assumed","models":{"m":{"input":1,"output":1}}})", "t");
  EXPECT_EQ(stated->price("m", usage(1, 1)).basis, CostBasis::kAssumed);
}

TEST(Prices, BrokenFilesNameTheField) {
  const struct {
    const char *json, *field;
  } cases[] = {{"{", "(file)"},
               {"[]", "(file)"},
               {"{}", "models"},
               {R"({"models":{"m":3}})", "models.m"},
               {R"({"models":{"m":{"input":1}}})", "models.m.output"},
               {R"({"models":{"m":{"input":-1,"output":1}}})", "models.m.input"},
               {R"({"models":{"m":{"input":"x","output":1}}})", "models.m.input"},
               {R"({"models":{"m":{"input":1,"output":1,"inptu":2}}})", "models.m.inptu"},
               {R"({"basis":"guess","models":{}})", "basis"}};
  for (const auto& item : cases) {
    const auto table = PriceTable::parse(item.json, "prices.json");
    ASSERT_FALSE(table) << item.json;
    EXPECT_EQ(table.error().code, "bad_price_file");
    EXPECT_EQ(table.error().param, item.field) << item.json;
  }
  EXPECT_FALSE(PriceTable::load("/nonexistent/prices.json"));
}

TEST(Prices, TheVersionIsOfTheContent) {
  const auto a = PriceTable::parse(kTable, "a");
  const auto b = PriceTable::parse(
      R"({"models":{"big":{"output":10.0,"input":"2.5"},"small":{"input":0.15,"output":0.6,"cached_input":0.075}}})",
      "b");
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->version(), b->version());
  auto c = *b;
  c.set("small", *c.find("big"));
  EXPECT_NE(a->version(), c.version());
}

TEST(Prices, TokenRule) {
  EXPECT_EQ(estimated_tokens(""), 0);
  EXPECT_EQ(estimated_tokens("B"), 5);
  EXPECT_EQ(estimated_tokens(" (B). "), 5);
  EXPECT_EQ(estimated_tokens("abcde"), 2);
}

TEST(Prices, AssumedPricesOfTheRecordedPairs) {
  const char* folder = std::getenv("BREVET_DATA");
  const std::string path = std::string(folder ? folder : "") + "/prices_assumed.json";
  if (!folder || !std::filesystem::exists(path)) {
    GTEST_SKIP() << "BREVET_DATA names no folder with prices_assumed.json: not read.";
  }
  const auto table = PriceTable::load(path);
  ASSERT_TRUE(table) << table.error().message;
  const auto cost = table->price("gemini-1.5-pro-002", usage(1'000, 100));
  EXPECT_EQ(cost.amount->to_string(), "0.00175");
  EXPECT_EQ(cost.basis, CostBasis::kAssumed);
}

}  // namespace
}  // namespace brevet
