#include "quality/policy_value.h"

#include <algorithm>

#include "quality/betting_mean.h"

namespace brevet {

PolicyPrice price_policy(std::span<const LoggedDecision> decisions, const PriceRange& range) {
  PolicyPrice price;
  const double reach = (range.high - range.low) * (1 / range.probability_min - 1);
  BettingMean mean({range.low - reach, range.high + reach, 1 - range.confidence, 2'000});
  price.low = range.low;
  price.high = range.high;
  for (const LoggedDecision& decision : decisions) {
    if (decision.probability < range.probability_min) {
      ++price.never_run;
      continue;
    }
    // A guess outside the range would be cut off only after the correction, which would bias the mean.
    const double predicted = std::clamp(decision.predicted, range.low, range.high);
    const double correction = decision.observed ? (decision.value - predicted) / decision.probability : 0;
    mean.observe(predicted + correction);
  }
  price.n = mean.observed();
  price.mean = mean.mean();
  if (price.n == 0) return price;
  price.low = mean.low() > range.low ? mean.low() : range.low;
  price.high = mean.high() < range.high ? mean.high() : range.high;
  return price;
}

std::string_view name_of(PolicyStage stage) {
  switch (stage) {
    case PolicyStage::kShadow:
      return "shadow";
    case PolicyStage::kCanary:
      return "canary";
    case PolicyStage::kServing:
      return "serving";
    case PolicyStage::kDemoted:
      return "demoted";
  }
  return "";
}

PromotionAnswer next_stage(PolicyStage stage, const PolicyPrice& advantage, const PromotionRules& rules) {
  if (stage == PolicyStage::kDemoted) return {stage, "demoted: it comes back as a new version only"};
  if (advantage.never_run > 0) {
    if (stage == PolicyStage::kShadow)
      return {stage, "some of its actions were never run: shadow them before it can be priced"};
    return {PolicyStage::kShadow, "some of its actions are no longer run, so it can no longer be priced"};
  }
  if (advantage.n > 0 && advantage.high < rules.margin)
    return {PolicyStage::kDemoted, "it is shown not to be better by the margin"};
  if (advantage.n < rules.decisions_min) return {stage, "not yet shown: too few decisions of this stage"};
  if (advantage.low <= rules.margin) return {stage, "not yet shown: the interval still holds the margin"};
  if (stage == PolicyStage::kShadow) return {PolicyStage::kCanary, "shown better on logged decisions"};
  return {PolicyStage::kServing, "shown better on decisions of its own"};
}

}  // namespace brevet
