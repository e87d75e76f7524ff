// The ledger: what makes the promise true on the traffic that was really served.
//
// With probability >= 1 - delta, for all T at once: sum of surplus over the first T requests >= 0. Nothing is
// random but our own coins; models, clients and judges may change and conspire as they like.
//
// Theorem. Let a risky step have surplus Z, prediction m and coin xi ~ Bernoulli(p), m and p fixed before the
// coin and Z not changed by it. For a constant lambda the factor
//     X(xi, Z) = exp(lambda m)                                            if xi = 0
//     X(xi, Z) = (exp(lambda Z) - (1 - p) exp(lambda m)) / p              if xi = 1
// has E[X] exp(-lambda Z) = 1 for every Z: the only such family, as (1-p) X(0) + p X(1, Z) = exp(lambda Z)
// leaves no other choice. So sum_i w_i prod X_i(t) exp(-lambda_i S_t) is a nonnegative martingale, and by
// Ville's inequality (1939) S_t >= B_t for all t, where B solves sum_i w_i exp(J_i - lambda_i B) = 1/delta
// with J_i = sum of log X_i. The usual 1 + lambda (Z - m) / p in place of the second line is smaller for
// every Z, so this bound is never below that one; its variance term is (1 - p)/p instead of 1/p, and vanishes
// at p = 1.
//
// Used by contract.h, one per group; belongs to one thread. Books the worst case before anything can reach
// the client and only ever raises the bound when news comes. Does not know requests, journals or versions,
// and does not decide: it says what can be afforded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "quality/fixed_point.h"

namespace brevet {

struct LedgerOptions {
  double retain = .95;       ///< rho
  double delta = .025;       ///< the promise may fail with this probability
  double surplus_max = .05;  ///< the largest surplus of a risky step, see surplus.h
  /// Credit above this is written off, so that a long good past cannot pay for a long bad run: after any
  /// moment the loss is at most this plus what the bound had not seen. 5 to 20 times 1/p is sensible.
  double credit_max = 60;
  std::size_t experts = 12;  ///< betting rates, geometric from lambda_max down; more is finer, cost is linear
  double lambda_max = 2;     ///< the highest
  double lambda_ratio = .55;  ///< each next one is this times the one before
};

/// How a risky step is measured; fixed before its coins.
struct LedgerStep {
  Probability p;     ///< that both answers are compared
  Fixed prediction;  ///< m, in [-retain, 1 - retain]
  bool fired = false;
  /// A judge compares, and a share `audit` of what it compared is compared for truth.
  bool judged = false;
  Probability audit = {Probability::kOne};
  bool audited = false;
};

/// What a comparison found. `judged` is used where LedgerStep::judged; the truth where it is not, or was
/// audited.
struct LedgerOutcome {
  Fixed surplus;
  Fixed judged_surplus;
};

class Ledger {
 public:
  explicit Ledger(const LedgerOptions& options);

  /// B: with probability 1 - delta the sum of surplus so far is at least this, whatever is still unknown.
  Fixed bound() const;
  /// B - W, what may be lost from now on; W (written-off credit) is raised first.
  Fixed credit();
  /// What credit() would say, without raising anything.
  Fixed credit_left() const;
  /// One more risky step, at its very worst, still keeps the promise.
  bool affords() { return credit() >= retain_; }

  /// A reference step whose surplus is known now or becomes known later; unknown counts 0.
  void reference_measured(Fixed surplus);
  /// Books the worst. The caller has asked affords() since the last change and serves the risky answer.
  void admit(const LedgerStep& step);
  /// Replaces the worst by what was found; once a step, only where it fired. Never lowers the bound.
  void settle(const LedgerStep& step, const LedgerOutcome& outcome);

  /// log sum_i w_i exp(J_i + lambda_i (P + A - S)) at a true surplus S of everything admitted: what Ville's
  /// inequality is about. Above log(1 / delta) exactly where S is below the bound that needs coins.
  double log_wealth_at(double surplus) const;
  /// A lower bound on the surplus that needs no probability at all.
  Fixed certain_bound() const;
  Fixed written_off() const { return written_off_; }
  const std::vector<double>& lambdas() const { return lambdas_; }

  /// State as bytes, bit-identical for equal histories in whatever order news came.
  void append_state(std::string& bytes) const;
  /// Errors: contract_state_broken.
  Result<> restore_state(std::string_view& bytes);

 private:
  /// log X of expert i less lambda_i m, rounded down, for a step whose coins fell as they did.
  Fixed log_factor(std::size_t i, const LedgerStep& step, Fixed surplus, Fixed judged_surplus) const;
  void root();

  LedgerOptions options_;
  Fixed retain_;
  std::vector<double> lambdas_;
  std::vector<double> log_weights_;
  // Guarded by the owner; all of it is state.
  Fixed known_;        ///< P: surplus of steps that need no coin
  Fixed predicted_;    ///< A: sum of m over risky steps with a coin
  Fixed written_off_;  ///< W
  Fixed seen_;         ///< known surplus of risky steps with a coin
  std::uint64_t unseen_ = 0;
  std::vector<Fixed> evidence_;  ///< J_i - lambda_i A
  Fixed root_;                   ///< r; a function of evidence_
};

}  // namespace brevet
