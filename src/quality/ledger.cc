#include "quality/ledger.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "quality/state_bytes.h"

namespace brevet {
namespace {

/// What the worst outcome of a step leaves of an expert's wealth, relative to a coin that does not fall.
constexpr double kWorstKept = .1;

}  // namespace

Ledger::Ledger(const LedgerOptions& options) : options_(options), retain_(fixed_near(options.retain)) {
  assert(options.experts >= 1 && options.delta > 0 && options.delta < 1);
  const double log_weight = -steady_log(static_cast<double>(options.experts));
  double lambda = options.lambda_max;
  for (std::size_t i = 0; i < options.experts; ++i, lambda *= options.lambda_ratio) {
    lambdas_.push_back(lambda);
    log_weights_.push_back(log_weight);
  }
  evidence_.resize(options.experts);
  root();
}

Fixed Ledger::log_factor(std::size_t i, const LedgerStep& step, Fixed surplus, Fixed judged_surplus) const {
  const double lambda = lambdas_[i], p = step.p.value();
  const double rho = retain_.value(), m = step.prediction.value();
  // The largest prediction at which the worst outcome keeps its tenth: exp(-lambda (rho + m_i)) >= 1 - .9 p.
  const double own = std::min(m, -rho - steady_log(1 - (1 - kWorstKept) * p) / lambda);
  if (!step.fired) return fixed_floor(lambda * (own - m) - 1e-12);
  // Everything below is relative to exp(lambda own): h(z) = (exp(lambda (z - own)) - (1 - p)) / p.
  const auto h = [&](double z) { return (steady_exp(lambda * (z - own)) - (1 - p)) / p; };
  double factor = 0;
  if (!step.judged) {
    factor = h(std::max(surplus.value(), -rho));
  } else {
    const double audit = step.audit.value(), worst = h(-rho);
    double guess = h(std::max(judged_surplus.value(), -rho));
    if (audit < 1) guess = std::min(guess, (worst - kWorstKept * audit) / (1 - audit));
    factor = step.audited ? guess + (h(std::max(surplus.value(), -rho)) - guess) / audit : guess;
  }
  // The difference in h() loses about 1e-16 / p.
  return fixed_floor(log_below(factor) + lambda * (own - m) - 1e-12 - 1e-14 / p);
}

void Ledger::reference_measured(Fixed surplus) {
  known_ += std::max(surplus, Fixed{});
}

void Ledger::admit(const LedgerStep& step) {
  if (step.p.certain() && !step.judged) {
    known_ -= retain_;
    return;
  }
  predicted_ += step.prediction;
  ++unseen_;
  // The worst a judged and audited step can bring is a judge that praised what is wrong.
  const Fixed worst = {-retain_.raw};
  const Fixed praise = step.audited ? fixed_near(options_.surplus_max) : worst;
  for (std::size_t i = 0; i < lambdas_.size(); ++i) evidence_[i] += log_factor(i, step, worst, praise);
  root();
}

void Ledger::settle(const LedgerStep& step, const LedgerOutcome& outcome) {
  const Fixed worst = {-retain_.raw}, best = fixed_near(options_.surplus_max);
  const Fixed surplus = std::clamp(outcome.surplus, worst, best);
  if (step.p.certain() && !step.judged) {
    known_ += surplus + retain_;
    return;
  }
  if (!step.fired) return;
  const Fixed judged = std::clamp(outcome.judged_surplus, worst, best);
  const Fixed praise = step.audited ? best : worst;
  for (std::size_t i = 0; i < lambdas_.size(); ++i)
    evidence_[i] += log_factor(i, step, surplus, judged) - log_factor(i, step, worst, praise);
  if (!step.judged || step.audited) {
    seen_ += surplus;
    --unseen_;
  }
  root();
}

void Ledger::root() {
  // log sum_i w_i exp(J_i - lambda_i r) + log delta is convex and falls with r, and is >= 0 at the first r
  // below, so Newton's steps come from the left and may stop anywhere.
  const double log_delta = steady_log(options_.delta);
  double r = -1e300;
  for (std::size_t i = 0; i < lambdas_.size(); ++i)
    r = std::max(r, (evidence_[i].value() + log_weights_[i] + log_delta) / lambdas_[i]);
  constexpr int kNewtonSteps = 12;
  for (int step = 0; step < kNewtonSteps; ++step) {
    double top = -1e300;
    for (std::size_t i = 0; i < lambdas_.size(); ++i)
      top = std::max(top, evidence_[i].value() + log_weights_[i] - lambdas_[i] * r);
    double sum = 0, slope = 0;
    for (std::size_t i = 0; i < lambdas_.size(); ++i) {
      const double term = steady_exp(evidence_[i].value() + log_weights_[i] - lambdas_[i] * r - top);
      sum += term;
      slope += lambdas_[i] * term;
    }
    const double above = top + steady_log(sum) + log_delta;
    if (!(above > 1e-9)) break;
    r += above * sum / slope;
  }
  root_ = fixed_floor(r - std::abs(r) * 1e-12 - 1e-8);
}

double Ledger::log_wealth_at(double surplus) const {
  const double r = surplus - (known_ + predicted_).value();
  double top = -1e300;
  for (std::size_t i = 0; i < lambdas_.size(); ++i)
    top = std::max(top, evidence_[i].value() + log_weights_[i] - lambdas_[i] * r);
  double sum = 0;
  for (std::size_t i = 0; i < lambdas_.size(); ++i)
    sum += steady_exp(evidence_[i].value() + log_weights_[i] - lambdas_[i] * r - top);
  return top + steady_log(sum);
}

Fixed Ledger::certain_bound() const {
  Fixed unseen;
  if (__builtin_mul_overflow(unseen_, retain_.raw, &unseen.raw)) return Fixed::lowest();
  return known_ + seen_ - unseen;
}

Fixed Ledger::bound() const {
  return std::max(known_ + predicted_ + root_, certain_bound());
}

Fixed Ledger::credit_left() const {
  const Fixed now = bound();
  return now - std::max(written_off_, now - fixed_near(options_.credit_max));
}

Fixed Ledger::credit() {
  const Fixed now = bound();
  written_off_ = std::max(written_off_, now - fixed_near(options_.credit_max));
  return now - written_off_;
}

void Ledger::append_state(std::string& bytes) const {
  for (const Fixed value : {known_, predicted_, written_off_, seen_}) put_bytes(bytes, value);
  put_bytes(bytes, unseen_);
  for (const Fixed value : evidence_) put_bytes(bytes, value);
}

Result<> Ledger::restore_state(std::string_view& bytes) {
  StateReader reader(bytes);
  for (Fixed* value : {&known_, &predicted_, &written_off_, &seen_}) *value = reader.fixed();
  unseen_ = reader.number();
  for (Fixed& value : evidence_) value = reader.fixed();
  if (!reader.ok())
    return fail(ErrorKind::kInternal, "contract_state_broken",
                "The state of a contract's ledger is cut short: restore it from its journal.");
  root();
  return {};
}

}  // namespace brevet
