// Does choosing earn anything? The gain of a policy over a shuffle of its own decisions at equal cost.
//
// The control is never served: with pairs compared at known probability, the value of dealing the same share
// of risky steps to requests at random is estimated from the same data. A betting confidence sequence keeps
// the interval right under peeking. A policy is switched off only when the upper end of its gain is below a
// declared margin.
//
// Used by the gate's reports; belongs to one thread.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

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

class ShuffleGain {
 public:
  explicit ShuffleGain(const GainOptions& options);
  /// One request in admission order. `risky_share` is the policy's share of risky steps in the past
  /// (predictable); `fired` says that both were compared, which had probability p; `difference` is then risky
  /// less reference quality.
  void observe(bool risky, double risky_share, double p, bool fired, double difference);
  GainReport report() const;

 private:
  GainOptions options_;
  std::uint64_t n_ = 0;
  double sum_ = 0;
  std::vector<double> log_up_, log_down_;  ///< wealth against each candidate mean of a grid
};

}  // namespace brevet
