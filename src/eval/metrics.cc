// Curves, hulls and the scores over them; metrics_outcomes.cc has models, calibration and groups.
#include "eval/metrics.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>

namespace brevet {
namespace {

// A curve that meets a threshold exactly in real arithmetic must meet it in floating point too.
constexpr double kReached = 1e-12;

bool has_gap(const Curve& curve) {
  return !curve.empty() && curve.front().strong_share == 0 && curve.back().strong_share == 1 &&
         curve.back().quality > curve.front().quality;
}

DialPoint between(const DialPoint& a, const DialPoint& b, double t) {
  DialPoint out;
  out.strong_share = a.strong_share + t * (b.strong_share - a.strong_share);
  out.quality = a.quality + t * (b.quality - a.quality);
  if (a.cost && b.cost) out.cost = *a.cost + t * (*b.cost - *a.cost);
  return out;
}

std::optional<DialPoint> point_at_share(const Curve& curve, double strong_share) {
  if (curve.empty() || strong_share < curve.front().strong_share || strong_share > curve.back().strong_share)
    return std::nullopt;
  const auto right =
      std::lower_bound(curve.begin(), curve.end(), strong_share,
                       [](const DialPoint& point, double share) { return point.strong_share < share; });
  if (right->strong_share == strong_share) return *right;
  const auto left = right - 1;
  return between(*left, *right,
                 (strong_share - left->strong_share) / (right->strong_share - left->strong_share));
}

/// Left-to-right chain of right turns over points of rising cost and rising quality.
std::vector<CostPoint> concave_chain(const std::vector<CostPoint>& rising) {
  std::vector<CostPoint> hull;
  for (const auto& point : rising) {
    while (hull.size() >= 2) {
      const auto& a = hull[hull.size() - 2];
      const auto& b = hull.back();
      const double turn =
          (b.cost - a.cost) * (point.quality - a.quality) - (b.quality - a.quality) * (point.cost - a.cost);
      if (turn < 0) break;
      hull.pop_back();
    }
    hull.push_back(point);
  }
  return hull;
}

}  // namespace

StaticSweep::StaticSweep(const SweptQuestions& questions) {
  const std::size_t n = questions.score.size();
  assert(questions.weak_quality.size() == n && questions.strong_quality.size() == n);
  assert(questions.weak_cost.size() == questions.strong_cost.size());
  cost_known_ = n > 0 && questions.weak_cost.size() == n && questions.strong_cost.size() == n;
  order_.resize(n);
  std::iota(order_.begin(), order_.end(), 0u);
  std::stable_sort(order_.begin(), order_.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return questions.score[a] > questions.score[b]; });
  entries_.reserve(n);
  for (std::size_t i = 0; i < n; ++i) {
    const auto q = order_[i];
    entries_.push_back({questions.weak_quality[q], questions.strong_quality[q],
                        cost_known_ ? questions.weak_cost[q] : 0, cost_known_ ? questions.strong_cost[q] : 0,
                        i + 1 == n || questions.score[order_[i + 1]] != questions.score[q]});
  }
}

void StaticSweep::sweep(std::span<const std::uint32_t> weights, Curve& out) const {
  assert(weights.empty() || weights.size() == order_.size());
  out.clear();
  double total = 0, quality = 0, cost = 0;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const double weight = weights.empty() ? 1 : weights[order_[i]];
    total += weight;
    quality += weight * entries_[i].weak_quality;
    cost += weight * entries_[i].weak_cost;
  }
  if (total == 0) return;
  const auto put = [&](double taken) {
    out.push_back({taken / total, quality / total, std::nullopt});
    if (cost_known_) out.back().cost = cost / total;
  };
  put(0);
  double taken = 0, at_last_point = 0;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const auto& entry = entries_[i];
    const double weight = weights.empty() ? 1 : weights[order_[i]];
    taken += weight;
    quality += weight * (entry.strong_quality - entry.weak_quality);
    cost += weight * (entry.strong_cost - entry.weak_cost);
    if (entry.ends_block && taken > at_last_point) {
      put(taken);
      at_last_point = taken;
    }
  }
}

Curve StaticSweep::curve() const {
  Curve out;
  sweep({}, out);
  return out;
}

Curve anchored_curve(std::vector<DialPoint> points, const DialPoint& always_weak,
                     const DialPoint& always_strong) {
  std::stable_sort(points.begin(), points.end(),
                   [](const DialPoint& a, const DialPoint& b) { return a.strong_share < b.strong_share; });
  Curve out{always_weak};
  out.front().strong_share = 0;
  for (std::size_t i = 0; i < points.size();) {
    DialPoint mean{points[i].strong_share, 0, 0.0};
    std::size_t end = i;
    for (; end < points.size() && points[end].strong_share == points[i].strong_share; ++end) {
      mean.quality += points[end].quality;
      if (mean.cost && points[end].cost) {
        *mean.cost += *points[end].cost;
      } else {
        mean.cost.reset();
      }
    }
    const auto count = static_cast<double>(end - i);
    mean.quality /= count;
    if (mean.cost) *mean.cost /= count;
    out.push_back(mean);
    i = end;
  }
  out.push_back(always_strong);
  out.back().strong_share = 1;
  return out;
}

std::optional<double> quality_at_share(const Curve& curve, double strong_share) {
  const auto point = point_at_share(curve, strong_share);
  if (!point) return std::nullopt;
  return point->quality;
}

std::optional<double> cost_at_share(const Curve& curve, double strong_share) {
  const auto point = point_at_share(curve, strong_share);
  if (!point) return std::nullopt;
  return point->cost;
}

std::optional<double> pgr(double quality, double weak, double strong) {
  if (!(strong > weak)) return std::nullopt;
  return (quality - weak) / (strong - weak);
}

std::optional<double> apgr(const Curve& curve) {
  if (!has_gap(curve)) return std::nullopt;
  const double weak = curve.front().quality, strong = curve.back().quality;
  double area = 0;
  for (std::size_t i = 1; i < curve.size(); ++i) {
    area += (curve[i].strong_share - curve[i - 1].strong_share) *
            (curve[i].quality - weak + curve[i - 1].quality - weak) / 2;
  }
  return area / (strong - weak);
}

std::optional<double> cpt(const Curve& curve, double recovered) {
  if (!has_gap(curve)) return std::nullopt;
  const double weak = curve.front().quality, strong = curve.back().quality;
  const double target = weak + recovered * (strong - weak);
  for (std::size_t i = 0; i < curve.size(); ++i) {
    if (curve[i].quality < target - kReached) continue;
    if (i == 0) return curve[0].strong_share;
    const auto& left = curve[i - 1];
    const double t = std::clamp((target - left.quality) / (curve[i].quality - left.quality), 0.0, 1.0);
    return between(left, curve[i], t).strong_share;
  }
  return std::nullopt;
}

std::vector<CostPoint> upper_hull(std::vector<CostPoint> points) {
  std::erase_if(points, [](const CostPoint& point) {
    return !std::isfinite(point.cost) || !std::isfinite(point.quality);
  });
  const auto before = [](const CostPoint& a, const CostPoint& b) {
    return a.cost < b.cost || (a.cost == b.cost && a.quality > b.quality);
  };
  // A swept curve usually arrives in order.
  if (!std::is_sorted(points.begin(), points.end(), before)) std::sort(points.begin(), points.end(), before);
  std::size_t kept = 0;
  for (const auto& point : points) {
    if (kept == 0 || point.quality > points[kept - 1].quality) points[kept++] = point;
  }
  points.resize(kept);
  return concave_chain(points);
}

std::optional<double> hull_quality(const std::vector<CostPoint>& hull, double cost) {
  if (hull.empty() || cost < hull.front().cost) return std::nullopt;
  if (cost >= hull.back().cost) return hull.back().quality;
  const auto right =
      std::upper_bound(hull.begin(), hull.end(), cost,
                       [](double value, const CostPoint& point) { return value < point.cost; });
  const auto left = right - 1;
  return left->quality + (cost - left->cost) / (right->cost - left->cost) * (right->quality - left->quality);
}

std::optional<double> hull_cost(const std::vector<CostPoint>& hull, double quality) {
  if (hull.empty() || quality > hull.back().quality) return std::nullopt;
  if (quality <= hull.front().quality) return hull.front().cost;
  const auto right =
      std::lower_bound(hull.begin(), hull.end(), quality,
                       [](const CostPoint& point, double value) { return point.quality < value; });
  const auto left = right - 1;
  return left->cost +
         (quality - left->quality) / (right->quality - left->quality) * (right->cost - left->cost);
}

std::optional<double> aiq(const std::vector<CostPoint>& points, double cost_min, double cost_max) {
  if (!(cost_min < cost_max)) return std::nullopt;
  const auto hull = upper_hull(points);
  if (hull.empty()) return std::nullopt;
  double area = 0;
  for (std::size_t i = 1; i < hull.size(); ++i) {
    const double from = std::max(hull[i - 1].cost, cost_min), to = std::min(hull[i].cost, cost_max);
    if (from >= to) continue;
    area += (to - from) * (*hull_quality(hull, from) + *hull_quality(hull, to)) / 2;
  }
  const double flat_from = std::max(hull.back().cost, cost_min);
  if (flat_from < cost_max) area += (cost_max - flat_from) * hull.back().quality;
  return area / (cost_max - cost_min);
}

std::optional<double> aiq(const Curve& curve, double cost_min, double cost_max) {
  std::vector<CostPoint> points;
  points.reserve(curve.size());
  for (const auto& point : curve) {
    if (!point.cost) return std::nullopt;
    points.push_back({*point.cost, point.quality});
  }
  return aiq(points, cost_min, cost_max);
}

double router_arena_score(double accuracy, double usd_per_thousand) {
  constexpr double kBeta = .1, kDearest = 200, kCheapest = .0044;
  const double cost = std::clamp(usd_per_thousand, kCheapest, kDearest);
  const double cheapness =
      (std::log2(kDearest) - std::log2(cost)) / (std::log2(kDearest) - std::log2(kCheapest));
  const double below = kBeta * accuracy + cheapness;
  return below > 0 ? (1 + kBeta) * accuracy * cheapness / below : 0;
}

DialPoint mixture_at_share(const DialPoint& weak, const DialPoint& strong, double strong_share) {
  DialPoint out = between(weak, strong, strong_share);
  out.strong_share = strong_share;
  return out;
}

}  // namespace brevet
