#include "quality/feasibility.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "base/random.h"

namespace brevet {
namespace {

struct Point {
  double score, risky, reference, weight;
};

/// Largest share whose total surplus is not negative, over points in the order of their scores; ties go
/// together.
struct Best {
  double share = 0, score = -std::numeric_limits<double>::infinity(), surplus = 0, all = 0;
};
Best best_share(const std::vector<Point>& points, const std::vector<double>& counts) {
  double weight = 0, total = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    weight += points[i].weight * counts[i];
    total += points[i].weight * counts[i] * points[i].reference;
  }
  Best best;
  if (!(weight > 0)) return best;
  best.surplus = total / weight;
  double sent = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const double w = points[i].weight * counts[i];
    sent += w;
    total += w * (points[i].risky - points[i].reference);
    if (i + 1 < points.size() && points[i + 1].score == points[i].score) continue;
    if (total >= 0) best = {sent / weight, points[i].score, total / weight, 0};
  }
  best.all = total / weight;
  return best;
}

}  // namespace

FeasibleShare feasible_share(std::span<const ScoredPair> pairs, SurplusKind kind, double retain,
                             std::size_t resamples, unsigned seed) {
  FeasibleShare found;
  found.n = pairs.size();
  if (pairs.empty()) return found;
  std::vector<Point> points;
  points.reserve(pairs.size());
  for (const ScoredPair& pair : pairs)
    points.push_back({pair.score, risky_surplus(kind, retain, pair.qualities),
                      reference_surplus(kind, retain, pair.qualities.reference), pair.weight});
  std::stable_sort(points.begin(), points.end(),
                   [](const Point& a, const Point& b) { return a.score < b.score; });
  std::vector<double> counts(points.size(), 1);
  const Best best = best_share(points, counts);
  found.share = best.share;
  found.score = best.score;
  found.surplus = best.surplus;
  found.all_risky_surplus = best.all;
  Draws draws(seed, points.size());
  std::vector<double> shares;
  for (std::size_t r = 0; r < resamples; ++r) {
    std::fill(counts.begin(), counts.end(), 0.0);
    for (std::size_t i = 0; i < points.size(); ++i)
      counts[static_cast<std::size_t>(draws.uniform() * static_cast<double>(points.size()))] += 1;
    shares.push_back(best_share(points, counts).share);
  }
  if (shares.empty()) return found;
  const auto at = shares.begin() + static_cast<std::ptrdiff_t>(.95 * static_cast<double>(shares.size() - 1));
  std::nth_element(shares.begin(), at, shares.end());
  found.share_high = std::max(*at, found.share);
  return found;
}

std::optional<double> requests_to_certify(double mean, double second_moment, double delta,
                                          std::size_t experts) {
  if (!(mean > 0) || !(delta > 0)) return std::nullopt;
  return 2 * second_moment * std::log(static_cast<double>(experts) / delta) / (mean * mean);
}

double entry_fee_requests(const EntryFee& fee) {
  // The ledger's bound over n requests, share s of them risky: reference surplus, plus the risky steps' mean,
  // less the price of confidence sqrt(2 V L) + r0 with V = s n E[Z^2] (1 - p) / p and L = log(experts /
  // delta).
  const double per_reference = (1 - fee.retain) * fee.reference_quality;
  const double log_price = std::log(12 / fee.delta);
  const double variance =
      fee.risky_share * fee.loss_second_moment * (1 - fee.shadow_probability) / fee.shadow_probability;
  // First risky step: one answer's worst case and the bound's own start, earned by references alone.
  const double start = fee.retain + log_price / 2;
  // Then the bound must grow: sqrt(2 V L n) is overtaken by the drift at n = 2 V L / drift^2.
  const double drift = std::max(1e-6, per_reference * (1 - fee.risky_share) / 2);
  return std::max(fee.retain, start) / std::max(1e-6, per_reference) +
         2 * variance * log_price / (drift * drift);
}

}  // namespace brevet
