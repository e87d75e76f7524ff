#include "record/budget.h"

#include <limits>

namespace brevet::record {
namespace {

constexpr Money kMost{std::numeric_limits<std::int64_t>::max()};

/// Sums that leave the range stay at its end: they must not wrap into money that is left.
Money plus(Money a, Money b) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(a.pico_usd, b.pico_usd, &sum)) return kMost;
  return {sum};
}

}  // namespace

Booking Budget::book(std::optional<Money> worst) {
  if (!worst) {
    if (unpriced_ >= limits_.unpriced_max) return Booking::kOverCalls;
    ++unpriced_;
    return Booking::kBooked;
  }
  if (plus(plus(spent_, booked_), *worst) > limits_.usd) return Booking::kOverUsd;
  booked_ = plus(booked_, *worst);
  return Booking::kBooked;
}

void Budget::settle(std::optional<Money> worst, std::optional<Money> charged) {
  if (worst) booked_ -= *worst;
  if (charged) spent_ = plus(spent_, *charged);
}

void Budget::spend(std::optional<Money> charged) {
  if (charged) {
    spent_ = plus(spent_, *charged);
  } else {
    ++unpriced_;
  }
}

Money times(Money one, int tries) {
  std::int64_t product = 0;
  if (__builtin_mul_overflow(one.pico_usd, static_cast<std::int64_t>(tries), &product)) return kMost;
  return {product};
}

}  // namespace brevet::record
