#include "quality/proportion.h"

#include <cmath>
#include <initializer_list>

namespace brevet {
namespace {

/// Regularised incomplete beta I_x(a, b) by Lentz's continued fraction (Numerical Recipes, section 6.4).
double incomplete_beta(double a, double b, double x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const double front =
      std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x));
  if (x > (a + 1) / (a + b + 2)) return 1 - incomplete_beta(b, a, 1 - x);
  constexpr double kTiny = 1e-300;
  double c = 1, d = 1 - (a + b) * x / (a + 1);
  d = 1 / (std::abs(d) < kTiny ? kTiny : d);
  double h = d;
  for (int m = 1; m <= 10'000; ++m) {
    for (const double term : {m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
                              -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))}) {
      d = 1 + term * d;
      d = 1 / (std::abs(d) < kTiny ? kTiny : d);
      c = 1 + term / (std::abs(c) < kTiny ? kTiny : c);
      h *= d * c;
      if (std::abs(d * c - 1) < 1e-14) return front * h / a;
    }
  }
  return front * h / a;
}

/// x with I_x(a, b) = p, by bisection: monotone, and quick enough for reports.
double beta_quantile(double p, double a, double b) {
  double low = 0, high = 1;
  for (int i = 0; i < 200 && high - low > 1e-15; ++i) {
    const double middle = (low + high) / 2;
    (incomplete_beta(a, b, middle) < p ? low : high) = middle;
  }
  return (low + high) / 2;
}

}  // namespace

Interval exact_proportion(std::uint64_t k, std::uint64_t n, double confidence) {
  if (n == 0) return {0, 0, 1, 0};
  const double tail = (1 - confidence) / 2;
  const auto hits = static_cast<double>(k), trials = static_cast<double>(n);
  return {hits / trials, k == 0 ? 0 : beta_quantile(tail, hits, trials - hits + 1),
          k == n ? 1 : beta_quantile(1 - tail, hits + 1, trials - hits), n};
}

double exact_lower_bound(std::uint64_t k, std::uint64_t n, double confidence) {
  if (n == 0 || k == 0) return 0;
  return beta_quantile(1 - confidence, static_cast<double>(k), static_cast<double>(n - k) + 1);
}

}  // namespace brevet
