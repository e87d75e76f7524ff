// How sure a proportion is: exact (Clopper-Pearson) intervals. Pure, thread-safe.
//
// Used wherever a share of something is told to a person or compared with a promise.
#pragma once

#include <cstdint>

namespace brevet {

/// A figure with its interval and the number of observations behind it.
struct Interval {
  double mean = 0;
  double low = 0;
  double high = 0;
  std::uint64_t n = 0;
};

/// Two-sided Clopper-Pearson interval of k successes in n trials (Clopper and Pearson, Biometrika 1934):
/// covers the true proportion with at least `confidence`. [0, 1] for n = 0. k <= n.
Interval exact_proportion(std::uint64_t k, std::uint64_t n, double confidence = .95);

/// One-sided: the true proportion is above it with at least `confidence`; 0 for k = 0.
double exact_lower_bound(std::uint64_t k, std::uint64_t n, double confidence = .95);

}  // namespace brevet
