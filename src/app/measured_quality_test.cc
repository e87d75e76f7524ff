// Goal: quality and cost of recorded models are those of the records that all of them answered, with their
// intervals, and what has no cost has none. Method: small files written by the test, sums done by hand.
#include "app/measured_quality.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

namespace brevet {
namespace {

class MeasuredQuality : public testing::Test {
 protected:
  Result<MeasuredTable> read(const std::string& lines) {
    const auto path = (std::filesystem::temp_directory_path() /
                       (std::string("measured_") +
                        testing::UnitTest::GetInstance()->current_test_info()->name() + ".jsonl"))
                          .string();
    std::ofstream(path) << lines;
    auto out = read_measured(path);
    std::filesystem::remove(path);
    return out;
  }
};

std::string line(const std::string& id, const std::string& models, const std::string& prompt = "12345678") {
  return R"({"id":")" + id + R"(","dataset":"d","prompt":")" + prompt + R"(","models":{)" + models + "}}\n";
}

const PriceOfMeasured kNoPrices = [](std::size_t) -> const ModelPrice* { return nullptr; };

TEST_F(MeasuredQuality, OnlyRecordsThatAllAnsweredCount) {
  const auto table =
      read(line("1", R"("a":{"score":1},"b":{"score":0})") + line("2", R"("a":{"score":1},"b":{"score":1})") +
           line("3", R"("a":{"score":0})") + line("4", R"("b":{"score":1},"c":{"score":1})"));
  ASSERT_TRUE(table) << table.error().message;
  EXPECT_EQ(table->models, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(table->answered(0), 3u);
  EXPECT_EQ(table->answered(2), 1u);
  const auto alone = measure(*table, {0}, kNoPrices);
  EXPECT_EQ(alone[0].quality.n, 3u);
  EXPECT_DOUBLE_EQ(alone[0].quality.mean, 2.0 / 3);
  const auto both = measure(*table, {0, 1}, kNoPrices);
  EXPECT_EQ(both[0].quality.n, 2u);
  EXPECT_DOUBLE_EQ(both[0].quality.mean, 1);
  EXPECT_DOUBLE_EQ(both[1].quality.mean, .5);
  const auto exact = exact_proportion(1, 2);
  EXPECT_DOUBLE_EQ(both[1].quality.low, exact.low);
  EXPECT_DOUBLE_EQ(both[1].quality.high, exact.high);
  EXPECT_EQ(measure(*table, {0, 1, 2}, kNoPrices)[0].quality.n, 0u);
  const auto gain = paired_difference(*table, {0, 1}, 0, 1);
  EXPECT_DOUBLE_EQ(gain.mean, .5);
  // Differences 1 and 0: variance .5, standard error .5.
  EXPECT_NEAR(gain.high - gain.mean, 1.959964 * .5, 1e-6);
}

TEST_F(MeasuredQuality, AGradedScoreHasTheIntervalOfAMean) {
  const auto table = read(line("1", R"("a":{"score":0.25})") + line("2", R"("a":{"score":0.75})"));
  ASSERT_TRUE(table);
  const auto rows = measure(*table, {0}, kNoPrices);
  EXPECT_DOUBLE_EQ(rows[0].quality.mean, .5);
  EXPECT_NEAR(rows[0].quality.high, .5 + 1.959964 * .25, 1e-6);
}

TEST_F(MeasuredQuality, CostIsRecordedElsePricedElseUnknown) {
  ModelPrice price{Money::from_usd(1), Money::from_usd(10)};
  const auto priced = [&](std::size_t) { return &price; };
  const auto table = read(
      line("1", R"("r":{"score":1,"cost_usd":0.002},"t":{"score":1,"input_tokens":100,"output_tokens":10},)"
                R"("e":{"score":1,"response":"abcdefgh"},"l":{"score":1,"pred":"B"})"));
  ASSERT_TRUE(table) << table.error().message;
  const auto rows = measure(*table, {0, 1, 2, 3}, priced);
  EXPECT_EQ(rows[0].usd_per_thousand()->to_string(), "2");
  EXPECT_EQ(rows[0].basis(), CostBasis::kRecorded);
  EXPECT_EQ(rows[1].usd_per_thousand()->to_string(), "0.2") << "100 x 1e-6 + 10 x 10e-6, a thousand times";
  EXPECT_EQ(rows[1].basis(), CostBasis::kPriced);
  EXPECT_EQ(rows[2].usd_per_thousand()->to_string(), "0.022") << "two tokens each, by bytes / 4";
  EXPECT_EQ(rows[2].basis(), CostBasis::kAssumed);
  EXPECT_EQ(rows[3].usd_per_thousand()->to_string(), "0.052") << "five tokens for an answer that is not kept";
  const auto unknown = measure(*table, {0, 1}, kNoPrices);
  EXPECT_TRUE(unknown[0].usd_per_thousand());
  EXPECT_FALSE(unknown[1].usd_per_thousand());
  EXPECT_EQ(unknown[1].basis(), CostBasis::kUnknown);
}

TEST_F(MeasuredQuality, WithoutPromptAndCountsNothingIsPriced) {
  ModelPrice price{Money::from_usd(1), Money::from_usd(1)};
  const auto table = read("{\"id\":\"1\",\"dataset\":\"d\",\"models\":{\"a\":{\"score\":1}}}\n");
  ASSERT_TRUE(table) << table.error().message;
  EXPECT_FALSE(measure(*table, {0}, [&](std::size_t) { return &price; })[0].usd_per_thousand());
}

TEST_F(MeasuredQuality, AnEmptyOrBrokenFileIsRefused) {
  EXPECT_EQ(read("").error().code, "no_data");
  EXPECT_EQ(read("{\"id\":1}\n").error().code, "broken_data_file");
  EXPECT_EQ(read_measured("/nonexistent.jsonl").error().code, "data_file_unreadable");
}

}  // namespace
}  // namespace brevet
