// Goal: intervals, prices, gains and guide arms are right as often as they say, and find what is there.
// Method: seeded simulations with known truth, checked at every step (peeking), counts against exact binomial
// limits.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/random.h"
#include "quality/betting_mean.h"
#include "quality/feasibility.h"
#include "quality/guide_arms.h"
#include "quality/learning_plan.h"
#include "quality/policy_value.h"
#include "quality/shuffle_gain.h"

namespace brevet {
namespace {

TEST(BettingMean, HoldsTheMeanAtEveryMoment) {
  int missed = 0;
  double width = 0;
  constexpr int kRuns = 300;
  for (std::uint64_t run = 0; run < kRuns; ++run) {
    Draws draws(run, 11);
    const double truth = .03 + .9 * draws.uniform();
    BettingMean mean({0, 1, .1, 200});
    bool wrong = false;
    for (int t = 0; t < 1'000; ++t) {
      mean.observe(draws.uniform() < truth ? 1 : 0);
      wrong |= mean.low() > truth || mean.high() < truth;
    }
    missed += wrong;
    width += mean.high() - mean.low();
  }
  EXPECT_LE(missed, 46);  // 30 expected at most; P(> 46) = .001
  EXPECT_LT(width / kRuns, .16);
}

struct Logged {
  std::vector<LoggedDecision> decisions;
  double truth = 0;
};
/// A logged policy that ran the candidate's action with probability p(x), a value model that is off, and the
/// mean value of the candidate over the same distribution.
Logged logged_traffic(std::uint64_t seed, int n, double logged_scale) {
  Logged logged;
  Draws draws(seed, 5);
  for (int t = 0; t < n; ++t) {
    const double x = draws.uniform();
    const double p = .1 + .8 * x;
    const bool observed = draws.uniform() < p;
    const bool right = draws.uniform() < .4 + .4 * (1 - x);  // rarely run where it is good
    logged.decisions.push_back({p * logged_scale, observed, observed && right ? 1.0 : 0.0, .4 + .2 * x});
  }
  logged.truth = .6;
  return logged;
}

TEST(PolicyValue, DoublyRobustPricesAreRightWhateverTheModelSays) {
  int missed = 0;
  double bias = 0, naive_bias = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const Logged logged = logged_traffic(seed, 2'000, 1);
    const PolicyPrice price = price_policy(logged.decisions, {0, 1, .95, .1});
    ASSERT_TRUE(price.valid());
    missed += price.low > logged.truth || price.high < logged.truth;
    bias += price.mean - logged.truth;
    double sum = 0, count = 0;
    for (const auto& d : logged.decisions)
      if (d.observed) {
        sum += d.value;
        ++count;
      }
    naive_bias += sum / count - logged.truth;
  }
  EXPECT_LE(missed, 20);  // 10 expected at most; P(> 20) = .001
  EXPECT_NEAR(bias / 200, 0, .01);
  EXPECT_LT(naive_bias / 200, -.04) << "the case must be one that a plain mean gets wrong";
  // Mutant: logged probabilities twice what they were.
  double mutant_bias = 0;
  for (std::uint64_t seed = 0; seed < 50; ++seed)
    mutant_bias += price_policy(logged_traffic(seed, 2'000, 2).decisions, {0, 1, .95, .1}).mean - .6;
  EXPECT_GT(std::abs(mutant_bias / 50), .015);
}

TEST(PolicyValue, WhatWasNeverRunHasNoPriceAndStagesAreClimbedOneAtATime) {
  Logged logged = logged_traffic(1, 500, 1);
  logged.decisions[3].probability = 0;
  const PolicyPrice price = price_policy(logged.decisions, {0, 1, .95, .1});
  EXPECT_FALSE(price.valid());
  EXPECT_EQ(next_stage(PolicyStage::kShadow, price, {}).stage, PolicyStage::kShadow);
  EXPECT_EQ(next_stage(PolicyStage::kServing, price, {}).stage, PolicyStage::kShadow);
  const PolicyPrice good{.1, .05, .2, 500, 0}, bad{-.1, -.2, -.01, 500, 0}, few{.1, .05, .2, 10, 0};
  EXPECT_EQ(next_stage(PolicyStage::kShadow, good, {}).stage, PolicyStage::kCanary);
  EXPECT_EQ(next_stage(PolicyStage::kCanary, good, {}).stage, PolicyStage::kServing);
  EXPECT_EQ(next_stage(PolicyStage::kShadow, few, {}).stage, PolicyStage::kShadow);
  EXPECT_EQ(next_stage(PolicyStage::kServing, bad, {}).stage, PolicyStage::kDemoted);
  EXPECT_EQ(next_stage(PolicyStage::kDemoted, good, {}).stage, PolicyStage::kDemoted);
}

TEST(ShuffleGain, TellsChoosingFromDealing) {
  const auto verdict = [](double skill, int n, std::uint64_t seed) {
    ShuffleGain gain({.02, .95, .5});
    Draws draws(seed, 9);
    double chosen = 0;
    for (int t = 1; t <= n; ++t) {
      const bool easy = draws.uniform() < .5;
      const bool risky = draws.uniform() < (easy ? .5 + skill / 2 : .5 - skill / 2);
      const double difference = easy ? 0 : (draws.uniform() < .5 ? -1 : 0);
      const bool compared = draws.uniform() < .5;
      gain.observe({risky, t == 1 ? .5 : chosen / (t - 1), .5, compared, compared ? difference : 0});
      chosen += risky;
    }
    return gain.report();
  };
  EXPECT_EQ(verdict(1, 100, 1).verdict, GainVerdict::kNotYetShown);
  const GainReport skilled = verdict(1, 6'000, 1);
  EXPECT_EQ(skilled.verdict, GainVerdict::kGains);
  EXPECT_LT(skilled.low, .125);  // truth: (1/2)(1/2)(1/2)
  EXPECT_GT(skilled.high, .125);
  int claimed = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed)
    claimed += verdict(0, 500, seed).verdict == GainVerdict::kGains;
  EXPECT_LE(claimed, 9);
  EXPECT_EQ(verdict(0, 60'000, 3).verdict, GainVerdict::kNoGain);
}

TEST(GuideArm, HelpsHarmsAndDoesNothingAreToldApart) {
  const auto standing = [](double up, double down, std::uint64_t seed) {
    GuideArm arm({.needs_placebo = false});
    Draws draws(seed, 21);
    for (int t = 0; t < 500 && arm.standing() == GuideStanding::kOnTrial; ++t) {
      const double u = draws.uniform();
      arm.observe(u < up ? 1 : u < up + down ? -1 : 0);
    }
    return arm;
  };
  int helps = 0, false_helps = 0, harms = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    helps += standing(.25, .05, seed).standing() == GuideStanding::kHelps;
    false_helps += standing(.15, .15, seed).standing() == GuideStanding::kHelps;
    const GuideArm bad = standing(.05, .25, seed);
    harms += bad.standing() == GuideStanding::kRetired && bad.observed() < 500;
  }
  EXPECT_GE(helps, 190);
  EXPECT_LE(false_helps, 20);  // .05 each
  EXPECT_GE(harms, 190);
}

TEST(GuideArm, BeingLongerIsNotBeingRight) {
  GuideArm arm({});
  Draws draws(4, 4);
  // Any text of this length helps; the guide is no better than its placebo.
  for (int t = 0; t < 300; ++t) {
    const auto lift = [&] { return draws.uniform() < .3 ? 1.0 : 0.0; };
    const double guide = lift(), placebo = lift();
    arm.observe(guide);
    arm.observe_against_placebo(guide - placebo);
  }
  EXPECT_GT(arm.log_helps(), 3);
  EXPECT_NE(arm.standing(), GuideStanding::kHelps);
  std::string bytes;
  arm.append_state(bytes);
  GuideArm again({});
  std::string_view view = bytes;
  ASSERT_TRUE(again.restore_state(view));
  std::string twice;
  again.append_state(twice);
  EXPECT_EQ(bytes, twice);
}

TEST(GuideArm, HelpsOnlyAfterItHasBeatenAPlacebo) {
  GuideArm arm({}), alone({.needs_placebo = false});
  for (int t = 0; t < 40; ++t) arm.observe(1), alone.observe(1);
  EXPECT_EQ(alone.standing(), GuideStanding::kHelps);
  EXPECT_EQ(arm.standing(), GuideStanding::kOnTrial);
  for (int t = 0; t < 40; ++t) arm.observe_against_placebo(1);
  EXPECT_EQ(arm.standing(), GuideStanding::kHelps);
  // The e-value falls with bad news; its running maximum does not.
  const double before = alone.log_e_value();
  EXPECT_DOUBLE_EQ(before, alone.log_helps());
  for (int t = 0; t < 20; ++t) alone.observe(-1);
  EXPECT_LT(alone.log_e_value(), before);
  EXPECT_EQ(alone.log_helps(), before);
}

TEST(PolicyValue, AGuessOutsideTheRangeDoesNotBiasThePrice) {
  std::vector<LoggedDecision> decisions;
  for (int t = 0; t < 2'000; ++t) {
    const bool observed = t % 2 == 0;
    decisions.push_back({.5, observed, observed ? .5 : 0, 5});
  }
  EXPECT_NEAR(price_policy(decisions, {0, 1, .95, .5}).mean, .5, 1e-9);
}

TEST(GuideArm, EBenjaminiHochbergKeepsTheStrongestThatTogetherSuffice) {
  const std::vector<double> values = {std::log(100.0), std::log(2.0), std::log(45.0), 0};
  EXPECT_EQ(e_benjamini_hochberg(values, .05), (std::vector<std::size_t>{0, 2}));  // needed: 80, then 40
  EXPECT_TRUE(e_benjamini_hochberg({}, .05).empty());
}

TEST(Feasibility, FindsTheLargestShareAndSaysWhenThereIsNone) {
  std::vector<ScoredPair> pairs;
  Draws draws(6, 6);
  for (int i = 0; i < 2'000; ++i) {
    const double score = draws.uniform();
    pairs.push_back({score, {1, draws.uniform() < score * score ? 0.0 : 1.0}, 1});
  }
  // Mean surplus at share u: .05 - u^3/3 = 0 at u = .531.
  const FeasibleShare share = feasible_share(pairs, SurplusKind::kTruth, .95);
  EXPECT_NEAR(share.share, .531, .06);
  EXPECT_GE(share.share_high, share.share);
  EXPECT_LT(share.share_high, .7);
  EXPECT_NEAR(share.all_risky_surplus, .05 - 1.0 / 3, .04);
  EXPECT_EQ(feasible_share({}, SurplusKind::kTruth, .95).n, 0u);
  const std::vector<ScoredPair> hopeless = {{-3, {1, 0}, 1}, {-2, {1, 0}, 1}, {4, {1, 0}, 1}};
  const FeasibleShare none = feasible_share(hopeless, SurplusKind::kTruth, .95, 0);
  EXPECT_EQ(none.share, 0);
  for (const ScoredPair& pair : hopeless) EXPECT_GT(pair.score, none.score);
  EXPECT_FALSE(requests_to_certify(-.01, .1, .01).has_value());
  EXPECT_NEAR(*requests_to_certify(.02, .06, .0125, 10), 2 * .06 * std::log(800.0) / .0004, 1e-6);
  EXPECT_GT(entry_fee_requests({.shadow_probability = .05}), entry_fee_requests({.shadow_probability = .2}));
  EXPECT_GT(entry_fee_requests({.shadow_probability = .2}), entry_fee_requests({}));
}

TEST(LearningPlan, SpendsWhereTheLossIsUncertainAndStopsWhereItDoesNotPay) {
  LearningPlan plan({.floor = .1, .budget_share = .05, .horizon = 10'000});
  EXPECT_EQ(plan.odds({.certified_any = false}).if_risky, 1);
  for (int i = 0; i < 4'000; ++i) {
    plan.admitted(1, .02, .1);
    plan.compared();
  }
  const double usual = plan.odds({.loss_second_moment = .1, .certified_any = true}).if_risky;
  EXPECT_GT(plan.odds({.loss_second_moment = .3, .certified_any = true}).if_risky, usual);
  EXPECT_GE(plan.odds({.loss_second_moment = 0, .certified_any = true}).if_risky, .1);
  EXPECT_EQ(plan.odds({.certified_any = true}).if_reference, 1);
  EXPECT_EQ(plan.worth(
                {.share_max = .4, .saving_per_risky = .9, .requests_needed = 1'000, .cost_per_request = .02}),
            LearningStop::kGoesOn);
  EXPECT_EQ(plan.worth({.share_max = 0, .saving_per_risky = .9}), LearningStop::kNothingToGain);
  EXPECT_EQ(
      plan.worth(
          {.share_max = .05, .saving_per_risky = .5, .requests_needed = 5'000, .cost_per_request = .13}),
      LearningStop::kDoesNotPay);
  // Spending twice the budget halves p.
  LearningPlan rich({.floor = .01, .budget_share = .05}), poor({.floor = .01, .budget_share = .05});
  for (int i = 0; i < 4'000; ++i) {
    rich.admitted(1, .04, .1);
    poor.admitted(1, .10, .1);
    rich.compared();
    poor.compared();
  }
  const ShadowQuestion question{.loss_second_moment = .1, .certified_any = true};
  EXPECT_NEAR(poor.odds(question).if_risky, rich.odds(question).if_risky / 2, 1e-9);
  for (int i = 0; i < 4'000; ++i) poor.admitted(1, .2, .1);
  EXPECT_EQ(
      poor.worth({.share_max = .5, .saving_per_risky = .9, .requests_needed = 100, .cost_per_request = .1}),
      LearningStop::kBudgetSpent);
}

}  // namespace
}  // namespace brevet
