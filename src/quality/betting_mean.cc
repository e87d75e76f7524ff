#include "quality/betting_mean.h"

#include <algorithm>
#include <cmath>

#include "quality/fixed_point.h"

namespace brevet {

BettingMean::BettingMean(const Options& options)
    : options_(options),
      up_(options.candidates + 1),
      down_(options.candidates + 1),
      last_(options.candidates) {}

void BettingMean::observe(double x) {
  const double clamped = std::clamp(x, options_.low, options_.high);
  sum_ += clamped;
  const double unit = (clamped - options_.low) / (options_.high - options_.low);
  const double t = static_cast<double>(++n_), needed = steady_log(2 / options_.delta);
  const double variance = std::max(unit_square_ / t, 1e-6);
  const double bet = std::min(.5, std::sqrt(2 * needed / (variance * t * steady_log(1 + t))));
  const double step = 1 / static_cast<double>(options_.candidates);
  for (std::size_t c = first_; c <= last_; ++c) {
    const double payoff = bet * (unit - static_cast<double>(c) * step);
    up_[c] += steady_log(1 + payoff);
    down_[c] += steady_log(1 - payoff);
  }
  // Wealth falls with v on the one side and rises on the other, so candidates leave from the ends.
  while (first_ < last_ && up_[first_] >= needed) ++first_;
  while (last_ > first_ && down_[last_] >= needed) --last_;
  const double before = unit - unit_mean_;
  unit_mean_ += before / (t + 1);
  unit_square_ += before * (unit - unit_mean_);
}

double BettingMean::low() const {
  // The true mean may lie between the last candidate that left and the first that stayed.
  const double at = first_ == 0 ? 0 : static_cast<double>(first_ - 1);
  return options_.low + (options_.high - options_.low) * at / static_cast<double>(options_.candidates);
}

double BettingMean::high() const {
  const double at = static_cast<double>(last_ == options_.candidates ? last_ : last_ + 1);
  return options_.low + (options_.high - options_.low) * at / static_cast<double>(options_.candidates);
}

}  // namespace brevet
