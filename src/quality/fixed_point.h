// Numbers whose sums do not depend on their order: 64-bit integers in units of 2^-32, and a logarithm and an
// exponential of our own, so that the same journal gives the same bytes on every machine and after every
// restart.
//
// Used by every file of this folder that keeps state. Plain values. Rounding is towards minus infinity where
// a lower bound is kept. Does not check for overflow in add: 2^31 units are more than any ledger can reach.
#pragma once

#include <cstdint>

namespace brevet {

/// A real number in units of 2^-32, range about +-2.1e9.
struct Fixed {
  std::int64_t raw = 0;

  static constexpr double kUnit = 1.0 / 4294967296.0;
  double value() const { return static_cast<double>(raw) * kUnit; }
  Fixed& operator+=(Fixed other) {
    raw += other.raw;
    return *this;
  }
  Fixed& operator-=(Fixed other) {
    raw -= other.raw;
    return *this;
  }
  friend Fixed operator+(Fixed a, Fixed b) { return {a.raw + b.raw}; }
  friend Fixed operator-(Fixed a, Fixed b) { return {a.raw - b.raw}; }
  friend bool operator==(Fixed, Fixed) = default;
  friend auto operator<=>(Fixed, Fixed) = default;
};

/// Largest Fixed <= x (clamped to +-2^30).
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
