#include "train/router_threshold.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace brevet {
namespace {

constexpr std::size_t kOutcomesMin = 50;
constexpr double kTwoSided = 1.959964;  ///< normal quantiles of 95%
constexpr double kOneSided = 1.644854;

struct Mean {
  double mean = 0;
  double error = 0;  ///< standard error
  std::uint64_t n = 0;
};

template <class Value>
Mean mean_of(const std::vector<RoutedOutcome>& outcomes, const Value& value) {
  Mean out;
  double sum = 0;
  double squares = 0;
  for (const auto& outcome : outcomes) {
    const double x = value(outcome);
    sum += x;
    squares += x * x;
  }
  out.n = outcomes.size();
  const auto n = static_cast<double>(out.n);
  if (out.n == 0) return out;
  out.mean = sum / n;
  if (out.n > 1) out.error = std::sqrt(std::max(0.0, squares / n - out.mean * out.mean) / (n - 1));
  return out;
}

Interval interval(const Mean& mean) {
  return {mean.mean, mean.mean - kTwoSided * mean.error, mean.mean + kTwoSided * mean.error, mean.n};
}

double quality_at(const RoutedOutcome& outcome, double threshold) {
  return outcome.need_strong >= threshold ? outcome.strong_quality : outcome.weak_quality;
}
double cost_at(const RoutedOutcome& outcome, double threshold) {
  return outcome.need_strong >= threshold ? outcome.strong_cost_usd : outcome.weak_cost_usd;
}

bool costs_known(const std::vector<RoutedOutcome>& outcomes) {
  return std::all_of(outcomes.begin(), outcomes.end(), [](const RoutedOutcome& outcome) {
    return std::isfinite(outcome.weak_cost_usd) && std::isfinite(outcome.strong_cost_usd);
  });
}

std::vector<double> sorted_needs(const std::vector<RoutedOutcome>& outcomes) {
  std::vector<double> out;
  for (const auto& outcome : outcomes) out.push_back(outcome.need_strong);
  std::sort(out.begin(), out.end());
  return out;
}

/// From which prediction on `share` of the requests are strong; just over the largest for none.
double threshold_of_share(const std::vector<double>& sorted, double share) {
  const auto strong = static_cast<std::size_t>(std::llround(share * static_cast<double>(sorted.size())));
  if (strong == 0) return std::min(1.0, std::nextafter(sorted.back(), 2.0));
  // Fewer strong than what no threshold decides cannot be had: then nothing else is strong.
  return std::min(1.0, sorted[sorted.size() - std::min(strong, sorted.size())]);
}

/// Distinct thresholds from all strong to all weak.
std::vector<double> thresholds_tried(const std::vector<double>& sorted, std::size_t steps) {
  std::vector<double> out{0};
  for (std::size_t i = 0; i <= steps; ++i) {
    const double t = threshold_of_share(
        sorted, 1 - static_cast<double>(i) / static_cast<double>(std::max<std::size_t>(steps, 1)));
    if (t > out.back()) out.push_back(t);
  }
  return out;
}

}  // namespace

ThresholdFigures threshold_figures(const std::vector<RoutedOutcome>& outcomes, double threshold) {
  ThresholdFigures out;
  out.threshold = threshold;
  std::uint64_t strong = 0;
  for (const auto& outcome : outcomes) strong += outcome.need_strong >= threshold ? 1 : 0;
  out.strong_share = exact_proportion(strong, outcomes.size());
  out.quality = interval(mean_of(outcomes, [&](const auto& o) { return quality_at(o, threshold); }));
  out.loss =
      interval(mean_of(outcomes, [&](const auto& o) { return o.strong_quality - quality_at(o, threshold); }));
  out.strong_quality = mean_of(outcomes, [](const auto& o) { return o.strong_quality; }).mean;
  if (costs_known(outcomes)) {
    out.cost_usd = interval(mean_of(outcomes, [&](const auto& o) { return cost_at(o, threshold); }));
    out.strong_cost_usd = mean_of(outcomes, [](const auto& o) { return o.strong_cost_usd; }).mean;
  }
  return out;
}

Result<RouterThreshold> choose_router_threshold(const std::vector<RoutedOutcome>& choose,
                                                const std::vector<RoutedOutcome>& check,
                                                const RouterThresholdOptions& options) {
  if (choose.size() < kOutcomesMin || check.size() < kOutcomesMin) {
    return fail(
        ErrorKind::kCallerInvalid, "too_few_outcomes",
        fmt::format("{} outcomes to choose a threshold on and {} to check it; each part needs {} that "
                    "the router did not learn from.",
                    choose.size(), check.size(), kOutcomesMin),
        "--data");
  }
  if (options.goal == ThresholdGoal::kBudget && !(costs_known(choose) && costs_known(check))) {
    return fail(ErrorKind::kCallerInvalid, "costs_unknown",
                "A budget needs to know what both models cost on every question. Record costs, or give "
                "--prices.",
                "--budget-usd-per-day");
  }
  RouterThreshold out;
  const auto sorted = sorted_needs(choose);
  for (int share = 90; share >= 10; share -= 10)
    out.rows.push_back(threshold_figures(choose, threshold_of_share(sorted, share / 100.0)));
  if (options.goal == ThresholdGoal::kStrongShare) {
    out.threshold = threshold_of_share(sorted, options.target);
  } else {
    auto tried = thresholds_tried(sorted, options.steps);
    const bool budget = options.goal == ThresholdGoal::kBudget;
    // The safest first: all strong for a quality, all weak for a budget.
    if (budget) std::reverse(tried.begin(), tried.end());
    for (const double t : tried) {
      const auto slack = budget
                             ? mean_of(choose, [&](const auto& o) { return options.target - cost_at(o, t); })
                             : mean_of(choose, [&](const auto& o) {
                                 return quality_at(o, t) - options.target * o.strong_quality;
                               });
      if (!(slack.mean - kOneSided * slack.error >= 0)) break;
      out.threshold = t;
    }
  }
  if (!out.threshold) return out;
  out.chosen = threshold_figures(choose, *out.threshold);
  out.check = threshold_figures(check, *out.threshold);
  return out;
}

}  // namespace brevet
