#include "quality/certificate.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>

#include "quality/state_bytes.h"

namespace brevet {
namespace {

constexpr std::size_t kExpertsMax = 32;

}  // namespace

Certificate::Certificate(const CertificateOptions& options) : options_(options) {
  assert(options.experts >= 1 && options.experts <= kExpertsMax && options.delta > 0 && options.delta < 1);
  double lambda = options.lambda_max;
  for (std::size_t i = 0; i < options.experts; ++i, lambda *= options.lambda_ratio)
    lambdas_.push_back(lambda);
  log_weight_ = -steady_log(static_cast<double>(options.experts)) - 1e-12;
  log_delta_ = steady_log(options.delta) - 1e-12;
  log_wealth_.resize(options.positions * options.experts);
  reached_.resize(options.positions);
}

double Certificate::log_wealth(std::uint32_t position) const {
  const std::size_t experts = options_.experts;
  const Fixed* wealth = &log_wealth_[(position - 1) * experts];
  const double top = std::max_element(wealth, wealth + experts)->value();
  double sum = 0;
  for (std::size_t i = 0; i < experts; ++i) sum += steady_exp(wealth[i].value() - top);
  return top + steady_log(sum) + log_weight_;
}

void Certificate::observe(const CertificateStep& step) {
  ++observed_;
  const std::size_t experts = options_.experts, positions = options_.positions;
  const std::size_t before =
      std::min<std::size_t>(step.position - 1, positions);  // these serve the reference
  std::array<Fixed, 2 * kExpertsMax> gain;
  Fixed best[2];
  for (std::size_t i = 0; i < experts; ++i) {
    const double lambda = std::min(lambdas_[i], step.lambda_cap);
    gain[i] = fixed_floor(log_below(1 + lambda * step.reference_estimate));
    gain[experts + i] = fixed_floor(log_below(1 + lambda * step.risky_estimate));
    best[0] = std::max(best[0], gain[i]);
    best[1] = std::max(best[1], gain[experts + i]);
  }
  const Fixed needed = fixed_floor(-log_delta_);
  for (std::size_t j = 0; j < positions; ++j) {
    const std::size_t side = j < before ? 0 : 1;
    Fixed* wealth = &log_wealth_[j * experts];
    Fixed top{-(1ll << 62)};
    for (std::size_t i = 0; i < experts; ++i) {
      wealth[i] += gain[side * experts + i];
      top = std::max(top, wealth[i]);
    }
    // The mixture is below its largest member, so most steps need no exponential.
    if (reached_[j] || best[side] <= Fixed{} || top < needed) continue;
    reached_[j] = log_wealth(static_cast<std::uint32_t>(j) + 1) >= -log_delta_;
  }
  while (certified_ < positions && reached_[certified_]) ++certified_;
}

Certificate::Forecast Certificate::until_next() const {
  if (certified_ >= options_.positions || observed_ == 0) return {};
  const Fixed* wealth = &log_wealth_[certified_ * options_.experts];
  const double top = std::max_element(wealth, wealth + options_.experts)->value();
  if (top <= 0) return {};
  const double rate = top / static_cast<double>(observed_);
  return {true, std::max(1.0, (-log_delta_ - log_weight_ - top) / rate)};
}

void Certificate::append_state(std::string& bytes) const {
  put_bytes(bytes, observed_);
  put_bytes(bytes, certified_, 4);
  for (std::size_t j = 0; j < options_.positions; ++j) put_bytes(bytes, reached_[j] ? 1 : 0, 1);
  for (const Fixed value : log_wealth_) put_bytes(bytes, value);
}

Result<> Certificate::restore_state(std::string_view& bytes) {
  StateReader reader(bytes);
  observed_ = reader.number();
  certified_ = static_cast<std::uint32_t>(reader.number(4));
  for (std::size_t j = 0; j < options_.positions; ++j) reached_[j] = reader.number(1) != 0;
  for (Fixed& value : log_wealth_) value = reader.fixed();
  if (!reader.ok() || certified_ > options_.positions)
    return fail(ErrorKind::kInternal, "contract_state_broken",
                "The state of a contract's certificate is cut short: restore it from its journal.");
  return {};
}

}  // namespace brevet
