// Goal: the person who pays reads true sentences, and what is unknown never reads as zero. Method: reports as
// the gateway makes them from figures set by hand.
#include "app/report_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "gateway/report.h"

namespace brevet {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string shown(const RouteFigures& row) {
  return report_text(boost::json::parse(report_json({row})));
}

TEST(ReportText, SaysWhatWasSpentAndSaved) {
  RouteFigures row;
  row.tenant = "default";
  row.route = "auto";
  row.requests = 40;
  row.reference_served = 31;
  row.weak_served = 9;
  row.serve.add(Cost{Money::parse_usd("0.80"), CostBasis::kPriced});
  row.learn.add(Cost{Money::parse_usd("0.03"), CostBasis::kPriced});
  row.guide.add(Cost{Money::parse_usd("0.01"), CostBasis::kPriced});
  row.baseline.add(Cost{Money::parse_usd("1"), CostBasis::kAssumed});
  row.paired = 40;
  row.paired_cost = *Money::parse_usd("0.80");
  row.paired_baseline = *Money::parse_usd("1");
  row.weak_alone = {18, 2, 1};
  const auto text = shown(row);
  EXPECT_THAT(text, HasSubstr("auto: 40 requests, 31 to the reference (77.5%), 9 to weak\n"));
  EXPECT_THAT(text, HasSubstr("spent $0.800 serving + $0.0400 learning\n"));
  EXPECT_THAT(text, HasSubstr("would have cost $1.00 (an estimate where weak served, n = 1)"));
  EXPECT_THAT(text, HasSubstr("$0.200 (20%) saved; after learning $0.160 (16%) saved (over 40 requests)"));
  EXPECT_THAT(text,
              HasSubstr("weak alone: agreed in 18 of 20 shadows (95% interval 68.3% to 98.8%); 1 could not"));
  EXPECT_THAT(text, HasSubstr("spot checks: none yet"));
  EXPECT_THAT(text, Not(HasSubstr("observe")));
}

TEST(ReportText, TheUnknownIsNotZero) {
  RouteFigures row;
  row.route = "auto";
  row.requests = 2;
  row.weak_served = 2;
  row.serve.add(Cost{});
  row.baseline.add(Cost{});
  const auto text = shown(row);
  EXPECT_THAT(text, HasSubstr("spent an amount not yet known serving"));
  EXPECT_THAT(text, HasSubstr("always asking the reference would have cost: not yet known"));
  EXPECT_THAT(text, HasSubstr("  not yet known; after learning not yet known (over 0 requests)"));
  EXPECT_EQ(report_text(boost::json::parse(report_json({}))), "No requests yet.\n");
  EXPECT_EQ(report_text(boost::json::value(nullptr)), "No requests yet.\n");
}

TEST(ReportText, ObserveModeSaysWhatItWouldHaveSavedAndOfWhatItsAgreementIs) {
  RouteFigures row;
  row.route = "auto";
  row.requests = row.reference_served = row.observed = 40;
  row.would_be_weak = 34;
  row.would_be_agreement = {34, 0, 0};
  row.baseline.add(Cost{Money::parse_usd("0.019"), CostBasis::kPriced});
  row.would_be_weak_baseline.add(Cost{Money::parse_usd("0.016"), CostBasis::kPriced});
  row.would_be_weak_cost.add(Cost{Money::parse_usd("0.0008"), CostBasis::kPriced});
  const auto text = shown(row);
  EXPECT_THAT(text, HasSubstr("weak would have taken 85% of 40 requests (95% interval 70.2% to 94.3%)"));
  EXPECT_THAT(text,
              HasSubstr("agreement: agreed in 34 of 34 of those shadowed (95% interval 89.7% to 100%)"));
  EXPECT_THAT(text,
              HasSubstr("would have saved $0.0152 (80%), an estimate (n = 1, weak's cost from 1 call)"));
  EXPECT_THAT(text, HasSubstr("with a guide"));
  EXPECT_THAT(text, HasSubstr("would first have asked weak for"));
}

}  // namespace
}  // namespace brevet
