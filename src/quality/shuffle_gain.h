// Does choosing earn anything? The gain of a policy over a shuffle of its own decisions at equal cost.
//
// The control is never served: with pairs compared at known probability, the value of dealing the same share
// of risky steps to requests at random is estimated from the same data. A betting confidence sequence keeps
// the interval right under peeking. A policy is switched off only when the upper end of its gain is below a
// declared margin.
//
// The share is the past's, so the control deals as many risky steps as the policy only while the policy's own
// share stands still: one instance for each frozen version.
//
// Used by the gate's reports; belongs to one thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "quality/betting_mean.h"

namespace brevet {

struct GainOptions {
  double margin = .005;  ///< a gain below this is not worth a policy
  double confidence = .95;
  double probability_min = .05;  ///< of a comparison, declared before
};

enum class GainVerdict : std::uint8_t { kNotYetShown, kGains, kNoGain };
std::string_view name_of(GainVerdict verdict);

struct GainReport {
  GainVerdict verdict = GainVerdict::kNotYetShown;
  double mean = 0;
  double low = -1;
  double high = 1;
  std::uint64_t n = 0;
};

struct GainStep {
  bool risky = false;      ///< the policy chose the risky answer
  double risky_share = 0;  ///< share of risky steps in the past: known before this request
  double probability = 1;  ///< of making both answers, at least GainOptions::probability_min
  bool compared = false;   ///< they were made
  double difference = 0;   ///< then: quality of the risky answer less that of the reference
};

class ShuffleGain {
 public:
  explicit ShuffleGain(const GainOptions& options);
  /// In admission order; a comparison that never came counts with the worst difference, -1 where risky, 1
  /// else.
  void observe(const GainStep& step);
  GainReport report() const;

 private:
  GainOptions options_;
  BettingMean mean_;
};

}  // namespace brevet
