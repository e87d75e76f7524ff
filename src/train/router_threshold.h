// The threshold of a trained router for what the user wants: a share of strong calls, a quality, a budget.
//
// Called by `brevet calibrate --router`. Pure. The choice is made on one part of the outcomes and checked on
// another, and neither may have taught the router: the caller keeps them apart. Known weakness: it speaks of
// the traffic that it was given.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.h"
#include "quality/proportion.h"

namespace brevet {

/// Need of a request that goes to strong whatever the threshold: nothing is predicted of it, or it is unlike
/// everything that the router learned from.
inline constexpr double kAlwaysStrong = 2;

/// One request that the router did not learn from: what it predicts, and what came of both answers.
struct RoutedOutcome {
  double need_strong = 1;  ///< calibrated P(strong better); kAlwaysStrong where no threshold decides
  double weak_quality = 0;
  double strong_quality = 0;
  double weak_cost_usd = 0;  ///< NaN = not known, as the next
  double strong_cost_usd = 0;
};

enum class ThresholdGoal {
  kStrongShare,  ///< of requests for the strong model, as near as it can be had (RouteLLM's calibration)
  kQuality,      ///< at least this share of always-strong's quality, with the fewest strong calls
  kBudget,       ///< at most this many USD a request, with the most strong calls
};

struct RouterThresholdOptions {
  ThresholdGoal goal = ThresholdGoal::kStrongShare;
  double target = .5;
  std::size_t steps = 40;  ///< thresholds tried for a quality or a budget: quantiles of the predictions
};

/// What a threshold would have done, means per request with 95% intervals.
struct ThresholdFigures {
  double threshold = 0;
  Interval strong_share;             ///< exact
  Interval quality;                  ///< normal approximation, as the next three
  Interval loss;                     ///< always-strong's quality minus this, paired
  std::optional<Interval> cost_usd;  ///< empty when costs are not known
  double strong_quality = 0;         ///< of always-strong
  std::optional<double> strong_cost_usd;
};
ThresholdFigures threshold_figures(const std::vector<RoutedOutcome>& outcomes, double threshold);

struct RouterThreshold {
  std::optional<double> threshold;         ///< empty: no threshold reaches the goal
  std::vector<ThresholdFigures> rows;      ///< on the choosing part, at strong shares of 90% to 10%
  std::optional<ThresholdFigures> chosen;  ///< on the choosing part
  std::optional<ThresholdFigures> check;   ///< on the other
};

/// For a quality or a budget the one-sided 95% bound has to meet the target, and thresholds are tried from
/// the safest on until the first that fails (fixed-sequence testing), so that looking at many does not
/// inflate the error. Errors (kCallerInvalid): too_few_outcomes (under 50 in a part), costs_unknown (a
/// budget, and costs are not known).
Result<RouterThreshold> choose_router_threshold(const std::vector<RoutedOutcome>& choose,
                                                const std::vector<RoutedOutcome>& check,
                                                const RouterThresholdOptions& options);

}  // namespace brevet
