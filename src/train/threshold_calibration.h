// Thresholds from the user's own outcomes, not guessed: the smallest threshold whose agreement is high
// enough, checked on outcomes that did not choose it.
//
// Called by `brevet calibrate`. Pure. Known weakness: it speaks of the traffic it was given; a threshold
// chosen without a margin keeps its promise about half the time, so the lower bound has to reach the target,
// not the mean.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.h"
#include "quality/proportion.h"

namespace brevet {

/// What a strategy would have thresholded on a request, and what became known of it. In order of time.
struct ScoredOutcome {
  double score = 0;  ///< higher = weak is better
  bool agrees = false;
};

struct ThresholdRow {
  double threshold = 0;
  std::uint64_t n = 0;     ///< outcomes with score >= threshold
  double share = 0;        ///< of all outcomes
  Interval agreement;      ///< of those, exact
  double lower_bound = 0;  ///< one-sided at `confidence`
};

struct CalibrationOptions {
  double target = .9;       ///< wanted agreement of what weak serves
  double confidence = .95;  ///< of the one-sided lower bound that has to reach it
  std::size_t steps = 40;   ///< thresholds tried: quantiles of the scores
};

struct ThresholdCalibration {
  std::vector<ThresholdRow> rows;     ///< on the choosing half, lowest threshold first
  std::optional<double> threshold;    ///< empty: no threshold reaches the target
  std::optional<ThresholdRow> check;  ///< the chosen threshold on the other half
};

/// Fits on every other outcome and checks on the rest. The candidate thresholds are tested from the strictest
/// down and the search stops at the first that fails (fixed-sequence testing: Angelopoulos et al., Learn then
/// Test, 2021), so looking at many does not inflate the error. Errors: too_few_outcomes (under 50).
Result<ThresholdCalibration> calibrate_threshold(const std::vector<ScoredOutcome>& outcomes,
                                                 const CalibrationOptions& options);

}  // namespace brevet
