#include "quality/guide_arms.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "quality/fixed_point.h"
#include "quality/state_bytes.h"

namespace brevet {
namespace {

constexpr std::size_t kRates = 6, kProcesses = 3;
constexpr double kHighestRate = .9, kRateRatio = .5;

}  // namespace

std::string_view name_of(GuideStanding standing) {
  switch (standing) {
    case GuideStanding::kOnTrial:
      return "on_trial";
    case GuideStanding::kHelps:
      return "helps";
    case GuideStanding::kRetired:
      return "retired";
  }
  return "";
}

GuideArm::GuideArm(const GuideArmOptions& options) : options_(options), log_wealth_(kProcesses * kRates) {
  double rate = kHighestRate;
  for (std::size_t i = 0; i < kRates; ++i, rate *= kRateRatio) lambdas_.push_back(rate);
}

void GuideArm::bet(std::size_t process, double payoff) {
  double* wealth = &log_wealth_[process * kRates];
  for (std::size_t i = 0; i < kRates; ++i)
    wealth[i] += steady_log(1 + lambdas_[i] * std::clamp(payoff, -1.0, 1.0));
  best_[process] = std::max(best_[process], log_mixture(process));
}

double GuideArm::log_mixture(std::size_t process) const {
  const double* wealth = &log_wealth_[process * kRates];
  const double top = *std::max_element(wealth, wealth + kRates);
  double sum = 0;
  for (std::size_t i = 0; i < kRates; ++i) sum += steady_exp(wealth[i] - top);
  return top + steady_log(sum / kRates);
}

double GuideArm::log_e_value() const {
  return log_mixture(0);
}

void GuideArm::observe(double difference) {
  ++n_;
  sum_ += std::clamp(difference, -1.0, 1.0);
  bet(0, difference);
  bet(1, -difference);
}

void GuideArm::observe_against_placebo(double difference) {
  ++placebo_n_;
  bet(2, difference / 2);
}

GuideStanding GuideArm::standing() const {
  const double needed = -steady_log(options_.delta);
  if (best_[1] >= needed) return GuideStanding::kRetired;
  if (best_[0] >= needed && (!options_.needs_placebo || best_[2] >= needed)) return GuideStanding::kHelps;
  return n_ >= options_.differences_max ? GuideStanding::kRetired : GuideStanding::kOnTrial;
}

void GuideArm::append_state(std::string& bytes) const {
  put_bytes(bytes, n_);
  put_bytes(bytes, placebo_n_);
  put_bytes(bytes, sum_);
  for (const double value : best_) put_bytes(bytes, value);
  for (const double value : log_wealth_) put_bytes(bytes, value);
}

Result<> GuideArm::restore_state(std::string_view& bytes) {
  StateReader reader(bytes);
  n_ = reader.number();
  placebo_n_ = reader.number();
  sum_ = reader.real();
  for (double& value : best_) value = reader.real();
  for (double& value : log_wealth_) value = reader.real();
  if (!reader.ok())
    return fail(ErrorKind::kInternal, "contract_state_broken",
                "The state of a guide's arm is cut short: restore it from its journal.");
  return {};
}

std::vector<std::size_t> e_benjamini_hochberg(std::span<const double> log_e_values, double rate) {
  std::vector<std::size_t> order(log_e_values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return log_e_values[a] > log_e_values[b]; });
  // The largest k whose k-th e-value is at least n / (rate k).
  std::size_t kept = 0;
  for (std::size_t k = 1; k <= order.size(); ++k) {
    const double needed = steady_log(static_cast<double>(order.size()) / (rate * static_cast<double>(k)));
    if (log_e_values[order[k - 1]] >= needed) kept = k;
  }
  order.resize(kept);
  std::sort(order.begin(), order.end());
  return order;
}

}  // namespace brevet
