#include "quality/fixed_point.h"

#include <array>
#include <bit>
#include <cmath>

namespace brevet {
namespace {

constexpr double kLn2High = 0x1.62e42fee00000p-1;  // ln 2 in two parts, so that k ln 2 is exact enough
constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
constexpr double kScale = 4294967296.0;
constexpr double kClamp = 1073741824.0;

double clamped(double x) {
  if (!(x > -kClamp)) return -kClamp;
  return x < kClamp ? x : kClamp;
}

}  // namespace

Fixed fixed_floor(double x) {
  if (!(x > -2 * kClamp)) return Fixed::lowest();
  if (x < -kClamp) return {static_cast<std::int64_t>(std::floor(x * kScale))};
  return {static_cast<std::int64_t>(std::floor(clamped(x) * kScale))};
}

Fixed fixed_near(double x) {
  return {static_cast<std::int64_t>(std::floor(clamped(x) * kScale + .5))};
}

double steady_log(double x) {
  if (!(x > 0)) return -1e300;
  int exponent = 0;
  if (x < 0x1p-1000) {  // subnormal numbers have no mantissa of full length
    x *= 0x1p100;
    exponent = -100;
  }
  const auto bits = std::bit_cast<std::uint64_t>(x);
  exponent += static_cast<int>(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & 0xFFFFFFFFFFFFFull) | 0x3FF0000000000000ull);
  if (m > 1.4142135623730951) {
    m *= .5;
    ++exponent;
  }
  // log m = 2 artanh(s), s = (m - 1) / (m + 1), |s| < .172
  const double s = (m - 1) / (m + 1), square = s * s;
  double sum = 0;
  for (int k = 12; k >= 0; --k) sum = sum * square + 1.0 / (2 * k + 1);
  return exponent * kLn2High + (2 * s * sum + exponent * kLn2Low);
}

double steady_exp(double x) {
  if (x < -700) return 0;
  if (x > 690) return 1e300;
  const double k = std::floor(x * 1.4426950408889634 + .5);
  const double r = (x - k * kLn2High) - k * kLn2Low;
  static constexpr std::array<double, 14> kFactorial = {
      1, 1, 2, 6, 24, 120, 720, 5040, 40320, 362880, 3628800, 39916800, 479001600, 6227020800};
  double sum = 0;
  for (int i = 13; i >= 0; --i) sum = sum * r + 1.0 / kFactorial[static_cast<std::size_t>(i)];
  return sum * std::bit_cast<double>(static_cast<std::uint64_t>(static_cast<std::int64_t>(k) + 1023) << 52);
}

double log_below(double x) {
  const double y = steady_log(x);
  return y - (std::abs(y) * 1e-13 + 1e-13);
}

Probability probability_of(double p) {
  if (!(p > 0)) return {0};
  if (p >= 1) return {Probability::kOne};
  const auto raw = static_cast<std::uint64_t>(std::floor(p * kScale + .5));
  return {raw == 0 ? 1 : raw};
}

}  // namespace brevet
