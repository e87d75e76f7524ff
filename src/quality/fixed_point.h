// Numbers whose sums do not depend on their order: 64-bit integers in units of 2^-32, and a logarithm and an
// exponential of our own, so that the same journal gives the same bytes on every machine and after every
// restart.
//
// Used by every file of this folder that keeps state. Plain values. Rounding is towards minus infinity where
// a lower bound is kept. Sums that leave the range stay at its end, and one at the lower end stays there for
// good: what is too low to be known must not come back as credit.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>

namespace brevet {

/// A real number in units of 2^-32, range about +-2.1e9.
struct Fixed {
  std::int64_t raw = 0;

  static constexpr double kUnit = 1.0 / 4294967296.0;
  double value() const { return static_cast<double>(raw) * kUnit; }
  static constexpr Fixed lowest() { return {std::numeric_limits<std::int64_t>::min()}; }
  static constexpr Fixed highest() { return {std::numeric_limits<std::int64_t>::max()}; }

  Fixed& operator+=(Fixed other) { return *this = *this + other; }
  Fixed& operator-=(Fixed other) { return *this = *this - other; }
  friend Fixed operator+(Fixed a, Fixed b) {
    if (a == lowest() || b == lowest()) return lowest();
    Fixed sum;
    if (__builtin_add_overflow(a.raw, b.raw, &sum.raw)) return a.raw < 0 ? lowest() : highest();
    return sum;
  }
  /// What is taken away is known: a subtrahend at the lower end counts as that number.
  friend Fixed operator-(Fixed a, Fixed b) {
    if (a == lowest()) return a;
    Fixed difference;
    if (__builtin_sub_overflow(a.raw, b.raw, &difference.raw)) return a.raw < 0 ? lowest() : highest();
    return difference;
  }
  friend bool operator==(Fixed, Fixed) = default;
  friend auto operator<=>(Fixed, Fixed) = default;
};

/// Largest Fixed <= x, at most 2^30. Below the range, and for NaN, the lowest.
Fixed fixed_floor(double x);
/// Nearest Fixed (clamped to +-2^30): for inputs, which are rounded once when they are journalled.
Fixed fixed_near(double x);

/// Natural logarithm and exponential from +, -, * and / alone: bit-identical wherever arithmetic is IEEE 754.
/// Relative error below 1e-14. log of x <= 0 is -1e300; exp is clamped to [0, 1e300].
double steady_log(double x);
double steady_exp(double x);
/// Below steady_log(x) whatever its rounding: what a lower bound may use.
double log_below(double x);

/// A probability in units of 2^-32, so that a coin has exactly the probability that is logged.
struct Probability {
  std::uint64_t raw = 0;  ///< 0 .. 2^32

  static constexpr std::uint64_t kOne = 4294967296ull;
  double value() const { return static_cast<double>(raw) * Fixed::kUnit; }
  bool certain() const { return raw == kOne; }
  friend auto operator<=>(Probability, Probability) = default;
};
/// Nearest; anything above 0 stays above 0. NaN is 0.
Probability probability_of(double p);

}  // namespace brevet
