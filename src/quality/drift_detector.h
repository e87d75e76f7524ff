// The alarm: "what is certified and served has fallen below the contract".
//
// Theorem. M <- (M + 1)(1 - lambda Zhat) grows by at most 1 a request in the mean while the surplus of what
// is served is not negative, so the mean number of requests to a false alarm at M >= run_length is at least
// run_length (Shiryaev 1963, Roberts 1966; e-detectors, Shin, Ramdas and Rinaldo 2024). A mean: false by
// request n with probability at most n / run_length. It sees "below the contract", not "worse than before".
//
// Used by contract.h; belongs to one thread; fed in admission order.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace brevet {

struct DriftOptions {
  double run_length = 100'000;  ///< requests to a false alarm, at least, in the mean
  std::size_t experts = 8;
  double lambda_ratio = .55;
};

class DriftDetector {
 public:
  explicit DriftDetector(const DriftOptions& options);
  /// `estimate_max`: the largest estimate any request could have had at this step; lambda is capped by .95 of
  /// its inverse. True = alarm; the detector has then begun anew.
  bool observe(double estimate, double estimate_max);
  /// Evidence in [0, run_length).
  double evidence() const;

  void append_state(std::string& bytes) const;
  /// Errors: contract_state_broken.
  Result<> restore_state(std::string_view& bytes);

 private:
  DriftOptions options_;
  std::vector<double> sums_;  ///< M_i
};

}  // namespace brevet
