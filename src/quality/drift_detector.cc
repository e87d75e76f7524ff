#include "quality/drift_detector.h"

#include <algorithm>
#include <cassert>

#include "quality/fixed_point.h"
#include "quality/state_bytes.h"

namespace brevet {

DriftDetector::DriftDetector(const DriftOptions& options) : options_(options), sums_(options.experts) {
  assert(options.experts >= 1 && options.run_length >= 1);
}

bool DriftDetector::observe(double estimate, double estimate_max) {
  // An estimate above the maximum would make a factor negative; it can only come from a caller's mistake, and
  // counting less good news is the safe side.
  estimate = std::min(estimate, estimate_max);
  const double cap = .95 / std::max(estimate_max, 1e-6);
  double lambda = std::min(1.0, cap);
  for (double& sum : sums_) {
    sum = (sum + 1) * (1 - lambda * estimate);
    lambda *= options_.lambda_ratio;
  }
  if (evidence() < options_.run_length) return false;
  std::fill(sums_.begin(), sums_.end(), 0.0);
  return true;
}

double DriftDetector::evidence() const {
  double total = 0;
  for (const double sum : sums_) total += sum;
  return total / static_cast<double>(sums_.size());
}

void DriftDetector::append_state(std::string& bytes) const {
  for (const double sum : sums_) put_bytes(bytes, sum);
}

Result<> DriftDetector::restore_state(std::string_view& bytes) {
  StateReader reader(bytes);
  for (double& sum : sums_) sum = reader.real();
  if (!reader.ok())
    return fail(ErrorKind::kInternal, "contract_state_broken",
                "The state of a contract's alarm is cut short: restore it from its journal.");
  return {};
}

}  // namespace brevet
