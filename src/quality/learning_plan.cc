#include "quality/learning_plan.h"

#include <algorithm>
#include <cmath>

namespace brevet {

ShadowOdds LearningPlan::odds(const ShadowQuestion& question) const {
  ShadowOdds odds;
  // While nothing is served without the reference, every comparison costs one cheap call only.
  if (!question.certified_any) return odds;
  // The mean falls as the root of comparisons: that many more of them halve the error of what is known
  // already.
  const double seen = static_cast<double>(comparisons_);
  double mean =
      seen <= options_.decay_from ? options_.start : options_.start * std::sqrt(options_.decay_from / seen);
  // Pacing: spending above the budget's share lowers p in proportion.
  if (spent_share() > options_.budget_share) mean *= options_.budget_share / spent_share();
  // Neyman's allocation around that mean.
  const double usual =
      admitted_ > 0 ? second_moment_ / static_cast<double>(admitted_) : question.loss_second_moment;
  const double tilt = usual > 0 ? std::sqrt(std::max(0.0, question.loss_second_moment) / usual) : 1;
  odds.floor = options_.floor;
  odds.if_risky = std::clamp(mean * std::clamp(tilt, .25, 4.0), options_.floor, 1.0);
  odds.if_reference = 1;
  return odds;
}

void LearningPlan::admitted(double reference_cost, double shadow_cost, double loss_second_moment) {
  reference_total_ += reference_cost;
  spent_ += shadow_cost;
  second_moment_ += loss_second_moment;
  ++admitted_;
}

LearningStop LearningPlan::worth(const LearningProspect& prospect) const {
  if (prospect.share_max <= 0 || prospect.saving_per_risky <= 0) return LearningStop::kNothingToGain;
  const double left = options_.horizon - static_cast<double>(admitted_);
  const double useful = std::max(0.0, left - prospect.requests_needed);
  const double gain = useful * prospect.share_max * (prospect.saving_per_risky - prospect.cost_per_request);
  const double cost = std::min(std::max(left, 0.0), prospect.requests_needed) * prospect.cost_per_request;
  if (left <= 0 ? prospect.share_max * prospect.saving_per_risky <= prospect.cost_per_request : gain <= cost)
    return LearningStop::kDoesNotPay;
  if (spent_share() > 2 * options_.budget_share && admitted_ > options_.decay_from)
    return LearningStop::kBudgetSpent;
  return LearningStop::kGoesOn;
}

}  // namespace brevet
