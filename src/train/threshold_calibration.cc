#include "train/threshold_calibration.h"

#include <algorithm>
#include <string>

namespace brevet {
namespace {

ThresholdRow row_at(const std::vector<ScoredOutcome>& outcomes, double threshold, double confidence) {
  std::uint64_t n = 0, agreed = 0;
  for (const auto& outcome : outcomes) {
    if (outcome.score < threshold) continue;
    ++n;
    agreed += outcome.agrees ? 1 : 0;
  }
  return {threshold, n, static_cast<double>(n) / static_cast<double>(outcomes.size()),
          exact_proportion(agreed, n), exact_lower_bound(agreed, n, confidence)};
}

}  // namespace

Result<ThresholdCalibration> calibrate_threshold(const std::vector<ScoredOutcome>& outcomes,
                                                 const CalibrationOptions& options) {
  constexpr std::size_t kOutcomesMin = 50;
  if (outcomes.size() < kOutcomesMin) {
    return fail(ErrorKind::kCallerInvalid, "too_few_outcomes",
                "Calibrating needs at least " + std::to_string(kOutcomesMin) +
                    " labelled outcomes, and there are " + std::to_string(outcomes.size()) +
                    "; let the route learn for longer.");
  }
  std::vector<ScoredOutcome> choosing, checking;
  for (std::size_t i = 0; i < outcomes.size(); ++i) (i % 2 == 0 ? choosing : checking).push_back(outcomes[i]);
  std::vector<double> scores;
  for (const auto& outcome : choosing) scores.push_back(outcome.score);
  std::sort(scores.begin(), scores.end());
  ThresholdCalibration out;
  for (std::size_t step = 0; step < options.steps; ++step) {
    const double threshold = scores[step * scores.size() / options.steps];
    if (!out.rows.empty() && out.rows.back().threshold == threshold) continue;
    out.rows.push_back(row_at(choosing, threshold, options.confidence));
  }
  // The strictest thresholds keep too few outcomes for any bound; the sequence starts where a perfect record
  // would pass.
  bool started = false;
  for (auto row = out.rows.rbegin(); row != out.rows.rend(); ++row) {
    if (!started && exact_lower_bound(row->n, row->n, options.confidence) < options.target) continue;
    started = true;
    if (row->lower_bound < options.target) break;
    out.threshold = row->threshold;
  }
  if (out.threshold) out.check = row_at(checking, *out.threshold, options.confidence);
  return out;
}

}  // namespace brevet
