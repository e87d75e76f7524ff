#include "router/bradley_terry.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace brevet {

std::vector<double> bradley_terry(std::span<const double> won, std::size_t players) {
  constexpr int kStepsMax = 50;
  constexpr double kRidge = 1e-6;
  double total = 0;
  for (const double w : won) total += w;
  std::vector<double> strength(players, 0.0);
  if (!(total > 0) || players < 2) return strength;
  const double ridge = kRidge * total;
  std::vector<double> gradient(players), curvature(players * players), step(players);
  const auto loss_at = [&](const std::vector<double>& s) {
    double loss = 0;
    for (std::size_t a = 0; a < players; ++a) {
      loss += .5 * ridge * s[a] * s[a];
      for (std::size_t b = 0; b < players; ++b) {
        if (a == b || won[a * players + b] <= 0) continue;
        const double z = s[b] - s[a];
        loss += won[a * players + b] * (z > 0 ? z + std::log1p(std::exp(-z)) : std::log1p(std::exp(z)));
      }
    }
    return loss;
  };
  double loss = loss_at(strength);
  for (int round = 0; round < kStepsMax; ++round) {
    std::fill(curvature.begin(), curvature.end(), 0.0);
    for (std::size_t a = 0; a < players; ++a) gradient[a] = ridge * strength[a];
    for (std::size_t a = 0; a < players; ++a) {
      curvature[a * players + a] += ridge;
      for (std::size_t b = 0; b < players; ++b) {
        const double w = won[a * players + b];
        if (a == b || w <= 0) continue;
        const double p = 1 / (1 + std::exp(strength[b] - strength[a]));
        gradient[a] -= w * (1 - p);
        gradient[b] += w * (1 - p);
        const double h = w * p * (1 - p);
        curvature[a * players + a] += h;
        curvature[b * players + b] += h;
        curvature[a * players + b] -= h;
        curvature[b * players + a] -= h;
      }
    }
    double largest = 0;
    for (const double g : gradient) largest = std::max(largest, std::abs(g));
    if (largest <= 1e-10 * total) break;
    // Gauss without pivots: the matrix is symmetric and diagonally dominant.
    step = gradient;
    for (std::size_t k = 0; k < players; ++k) {
      for (std::size_t i = k + 1; i < players; ++i) {
        const double factor = curvature[i * players + k] / curvature[k * players + k];
        if (factor == 0) continue;
        for (std::size_t j = k; j < players; ++j)
          curvature[i * players + j] -= factor * curvature[k * players + j];
        step[i] -= factor * step[k];
      }
    }
    for (std::size_t k = players; k-- > 0;) {
      for (std::size_t j = k + 1; j < players; ++j) step[k] -= curvature[k * players + j] * step[j];
      step[k] /= curvature[k * players + k];
    }
    double length = 1;
    std::vector<double> next(players);
    bool better = false;
    while (length > 1e-6) {
      for (std::size_t a = 0; a < players; ++a) next[a] = strength[a] - length * step[a];
      const double next_loss = loss_at(next);
      if (next_loss <= loss) {
        better = next_loss < loss;
        loss = next_loss;
        strength = next;
        break;
      }
      length /= 2;
    }
    if (!better) break;
  }
  return strength;
}

}  // namespace brevet
