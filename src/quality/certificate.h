// The certificate: a forecast of what may be served, for one frozen version and group.
//
// A path of configurations leads from the reference to the cheapest: position j serves a request without the
// reference when the request's own position is <= j (thresholds u_1 < ... < u_h on a score are such a path).
//
// Theorem. For a position whose mean surplus is <= 0 the wealth K = sum_i w_i prod (1 + lambda_i Zhat), Zhat
// = m + (xi/p)(Z - m), is a nonnegative supermartingale (betting, Waudby-Smith and Ramdas 2024), so it ever
// reaches 1/delta with probability <= delta (Ville). Positions are certified in order, each only after all
// before it (fixed sequence, as in Learn then Test, Angelopoulos et al. 2021): the first false one must fail,
// so the error of all together is <= delta under peeking, adaptive p and adaptive serving, as long as it does
// not change within the version which positions are bad. Under drift the ledger carries the promise, not
// this. lambda_i may depend on the past but not on the request: the null bounds the mean over requests. It is
// capped by a floor of p that is declared before the request is seen.
//
// Used by contract.h; belongs to one thread. Fed in admission order. Does not decide when a version freezes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "quality/fixed_point.h"

namespace brevet {

struct CertificateOptions {
  double retain = .95;
  double delta = .01;
  std::size_t positions = 1;  ///< h
  std::size_t experts = 10;
  double lambda_max = .9;  ///< betting rates are this, times lambda_ratio, and so on
  double lambda_ratio = .6;
};

/// One request, resolved: by comparison, by a coin that did not fall, or by the worst case when nothing came.
struct CertificateStep {
  std::uint32_t position = 0;     ///< the first position that serves it without the reference; from 1
  double risky_estimate = 0;      ///< Zhat of serving it without the reference
  double reference_estimate = 0;  ///< of serving the reference; >= 0
  double lambda_cap =
      .9;  ///< 0.9 times the smallest p (times audit share) any request could have had at this step
};

class Certificate {
 public:
  explicit Certificate(const CertificateOptions& options);

  void observe(const CertificateStep& step);
  /// Positions 1..certified() may be served; 0 is none.
  std::uint32_t certified() const { return certified_; }
  std::size_t positions() const { return options_.positions; }
  std::uint64_t observed() const { return observed_; }
  /// log K of a position (from 1) now, and what it must reach.
  double log_wealth(std::uint32_t position) const;
  double log_needed() const { return -log_delta_; }
  /// About how many more requests until the next position is certified, from the growth so far; empty while
  /// it does not grow.
  struct Forecast {
    bool growing = false;
    double requests = 0;
  };
  Forecast until_next() const;

  void append_state(std::string& bytes) const;
  /// Errors: contract_state_broken.
  Result<> restore_state(std::string_view& bytes);

 private:
  CertificateOptions options_;
  std::vector<double> lambdas_;
  double log_weight_ = 0;
  double log_delta_ = 0;
  // State.
  std::vector<Fixed> log_wealth_;  ///< [positions][experts]
  std::vector<bool> reached_;      ///< running maximum crossed
  std::uint32_t certified_ = 0;
  std::uint64_t observed_ = 0;
};

}  // namespace brevet
