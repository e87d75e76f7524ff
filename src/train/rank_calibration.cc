#include "train/rank_calibration.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>
#include <optional>

namespace brevet {
namespace {

double sigmoid(double z) {
  return z >= 0 ? 1 / (1 + std::exp(-z)) : std::exp(z) / (1 + std::exp(z));
}

std::vector<std::size_t> by_score(std::span<const float> raw) {
  std::vector<std::size_t> order(raw.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return raw[a] < raw[b]; });
  return order;
}

/// Rounds x to float and drops knots that fall together; lifts y where rounding made it level.
Curve strictly_increasing(const std::vector<double>& x, const std::vector<double>& y) {
  Curve out;
  for (std::size_t k = 0; k < x.size(); ++k) {
    const auto knot = static_cast<float>(x[k]);
    auto value = static_cast<float>(std::clamp(y[k], 0.0, 1.0));
    if (!out.x.empty()) {
      if (!(knot > out.x.back())) continue;
      value = std::max(value, std::nextafter(out.y.back(), 2.0F));
    }
    out.x.push_back(knot);
    out.y.push_back(value);
  }
  if (out.x.size() == 1) {
    // One knot only: everything had one score. A second keeps the map increasing.
    out.x.push_back(out.x[0] + std::max(1.0F, std::abs(out.x[0])));
    out.y.push_back(std::nextafter(out.y[0], 2.0F));
  }
  // Lifting can pass 1 by a few units in the last place only.
  for (std::size_t k = out.y.size(); k-- > 0;) {
    const float ceiling = k + 1 == out.y.size() ? 1.0F : std::nextafter(out.y[k + 1], -1.0F);
    out.y[k] = std::min(out.y[k], ceiling);
  }
  return out;
}

}  // namespace

double Curve::at(double raw) const {
  if (!(raw > x.front())) return y.front();
  if (raw >= x.back()) return y.back();
  const auto right =
      static_cast<std::size_t>(std::upper_bound(x.begin(), x.end(), static_cast<float>(raw)) - x.begin());
  const std::size_t k = std::clamp<std::size_t>(right, 1, x.size() - 1);
  const double share = (raw - x[k - 1]) / (static_cast<double>(x[k]) - x[k - 1]);
  return y[k - 1] + std::clamp(share, 0.0, 1.0) * (static_cast<double>(y[k]) - y[k - 1]);
}

Curve platt_curve(std::span<const float> raw, std::span<const float> label) {
  assert(!raw.empty() && raw.size() == label.size());
  const auto n = static_cast<double>(raw.size());
  double mean = 0;
  double positives = 0;
  for (std::size_t i = 0; i < raw.size(); ++i) mean += raw[i] / n, positives += label[i];
  double variance = 0;
  for (const float r : raw) variance += (r - mean) * (r - mean) / n;
  const double scale = std::sqrt(variance);
  const double low = 1 / (n - positives + 2);
  const double high = (positives + 1) / (positives + 2);
  const double base = (positives + 1) / (n + 2);
  double a = 0;
  double b = std::log(base / (1 - base));
  if (scale > 1e-9 * (1 + std::abs(mean))) {
    constexpr int kNewtonMax = 100;
    const auto loss_of = [&](double slope, double offset) {
      double loss = 0;
      for (std::size_t i = 0; i < raw.size(); ++i) {
        const double t = low + label[i] * (high - low);
        const double z = slope * (raw[i] - mean) / scale + offset;
        loss += z >= 0 ? (1 - t) * z + std::log1p(std::exp(-z)) : -t * z + std::log1p(std::exp(z));
      }
      return loss;
    };
    double loss = loss_of(a, b);
    for (int step = 0; step < kNewtonMax; ++step) {
      double ga = 0, gb = 0, haa = 1e-9, hab = 0, hbb = 1e-9;
      for (std::size_t i = 0; i < raw.size(); ++i) {
        const double u = (raw[i] - mean) / scale;
        const double p = sigmoid(a * u + b);
        const double error = p - (low + label[i] * (high - low));
        const double h = p * (1 - p);
        ga += error * u, gb += error, haa += h * u * u, hab += h * u, hbb += h;
      }
      if (std::abs(ga) + std::abs(gb) < 1e-7 * n) break;
      const double determinant = haa * hbb - hab * hab;
      if (!(determinant > 0)) break;
      const double da = (hbb * ga - hab * gb) / determinant;
      const double db = (haa * gb - hab * ga) / determinant;
      double length = 1;
      while (length > 1e-6 && !(loss_of(a - length * da, b - length * db) <= loss)) length /= 2;
      if (length <= 1e-6) break;
      a -= length * da, b -= length * db;
      loss = loss_of(a, b);
    }
  }
  // A score that ranks the wrong way round, or not at all, is known to say nothing, not its opposite.
  constexpr double kSlopeMin = 1e-3;
  if (!(a > kSlopeMin)) a = kSlopeMin, b = std::log(base / (1 - base));
  // Quarter steps of the logit: the chords are within .001 of the curve.
  constexpr double kLogitMax = 8;
  constexpr double kLogitStep = .25;
  std::vector<double> x, y;
  const double unit = std::max(scale, 1e-9 * (1 + std::abs(mean)));
  for (double z = -kLogitMax; z <= kLogitMax; z += kLogitStep) {
    x.push_back(mean + unit * (z - b) / a);
    y.push_back(sigmoid(z));
  }
  return strictly_increasing(x, y);
}

Curve isotonic_curve(std::span<const float> raw, std::span<const float> label,
                     const IsotonicOptions& options) {
  assert(!raw.empty() && raw.size() == label.size());
  const std::size_t block =
      std::max({options.block, std::size_t{1}, raw.size() / std::max<std::size_t>(1, options.blocks)});
  std::optional<Curve> platt;
  if (options.prior > 0) platt = platt_curve(raw, label);
  struct Block {
    double x = 0, y = 0;  // sums
    double n = 0;
    double expected = 0;  // sum by Platt's curve
    double mean() const { return y / n; }
  };
  const auto order = by_score(raw);
  // Equal scores may not be told apart, so they are one from the start.
  std::vector<Block> cells;
  for (std::size_t k = 0; k < order.size(); ++k) {
    const bool same = k > 0 && raw[order[k]] == raw[order[k - 1]];
    if (cells.empty() || (!same && cells.back().n >= static_cast<double>(block))) cells.push_back({});
    cells.back().x += raw[order[k]];
    cells.back().y += label[order[k]];
    cells.back().n += 1;
    if (platt) cells.back().expected += platt->at(raw[order[k]]);
  }
  if (cells.size() > 1 && cells.back().n < static_cast<double>(block)) {
    auto& before = cells[cells.size() - 2];
    before.x += cells.back().x, before.y += cells.back().y, before.n += cells.back().n;
    before.expected += cells.back().expected;
    cells.pop_back();
  }
  // As if the block had seen `prior` more that went as Platt's curve says; its weight stays its own.
  for (auto& cell : cells) {
    cell.y = cell.n * (cell.y + options.prior * cell.expected / cell.n) / (cell.n + options.prior);
  }
  std::vector<Block> pooled;
  for (const auto& cell : cells) {
    pooled.push_back(cell);
    while (pooled.size() > 1 && pooled[pooled.size() - 2].mean() >= pooled.back().mean()) {
      auto& before = pooled[pooled.size() - 2];
      before.x += pooled.back().x, before.y += pooled.back().y, before.n += pooled.back().n;
      pooled.pop_back();
    }
  }
  constexpr double kSlope = 1e-5;
  std::vector<double> x, y;
  const double lowest = raw[order.front()];
  const double highest = raw[order.back()];
  const auto push = [&](double at, double value) {
    x.push_back(at);
    y.push_back(std::clamp(value, 0.0, 1.0) * (1 - 2e-3) + 1e-3 + kSlope * static_cast<double>(x.size()));
  };
  const double margin = std::max(1e-6, 1e-3 * (highest - lowest));
  push(std::min(lowest, pooled.front().x / pooled.front().n) - margin, pooled.front().mean());
  double before = pooled.front().mean();
  for (const auto& b : pooled) {
    before = std::max(before, b.mean());
    push(b.x / b.n, before);
  }
  push(std::max(highest, pooled.back().x / pooled.back().n) + margin, before);
  return strictly_increasing(x, y);
}

Calibrated calibrate_scores(std::span<const float> raw, std::span<const float> label,
                            std::span<const std::uint32_t> fold) {
  constexpr std::size_t kIsotonicMin = 1000;
  const std::size_t n = raw.size();
  const std::uint32_t folds = *std::max_element(fold.begin(), fold.end()) + 1;
  Calibrated best;
  for (const bool isotonic : {false, true}) {
    if (isotonic && n < kIsotonicMin) continue;
    std::vector<float> predicted(n);
    for (std::uint32_t f = 0; f < folds; ++f) {
      std::vector<float> other_raw, other_label;
      for (std::size_t i = 0; i < n; ++i) {
        if (fold[i] == f && folds > 1) continue;
        other_raw.push_back(raw[i]);
        other_label.push_back(label[i]);
      }
      if (other_raw.empty()) continue;
      const Curve curve =
          isotonic ? isotonic_curve(other_raw, other_label) : platt_curve(other_raw, other_label);
      for (std::size_t i = 0; i < n; ++i) {
        if (fold[i] == f) predicted[i] = static_cast<float>(curve.at(raw[i]));
      }
    }
    double brier = 0;
    for (std::size_t i = 0; i < n; ++i) {
      brier += (predicted[i] - label[i]) * (predicted[i] - label[i]) / static_cast<double>(n);
    }
    if (!isotonic || brier < best.brier) {
      best.isotonic = isotonic;
      best.brier = brier;
      best.held_out = std::move(predicted);
    }
  }
  best.curve = best.isotonic ? isotonic_curve(raw, label) : platt_curve(raw, label);
  return best;
}

Tensor tensor_of(const Curve& curve) {
  Tensor out{{2, static_cast<std::uint32_t>(curve.x.size())}, curve.x};
  out.values.insert(out.values.end(), curve.y.begin(), curve.y.end());
  return out;
}

double expected_calibration_error(std::span<const float> predicted, std::span<const float> label) {
  constexpr std::size_t kBins = 10;
  const auto order = by_score(predicted);
  double error = 0;
  for (std::size_t bin = 0; bin < kBins; ++bin) {
    const std::size_t from = bin * order.size() / kBins;
    const std::size_t to = (bin + 1) * order.size() / kBins;
    double gap = 0;
    for (std::size_t k = from; k < to; ++k) gap += predicted[order[k]] - label[order[k]];
    error += std::abs(gap) / static_cast<double>(order.size());
  }
  return error;
}

double area_under_roc(std::span<const float> score, std::span<const float> label) {
  const auto order = by_score(score);
  double rank_sum = 0;
  double positives = 0;
  for (std::size_t k = 0; k < order.size();) {
    std::size_t end = k;
    while (end < order.size() && score[order[end]] == score[order[k]]) ++end;
    const double rank = .5 * static_cast<double>(k + end + 1);
    for (; k < end; ++k) {
      if (label[order[k]] > .5F) rank_sum += rank, positives += 1;
    }
  }
  const double negatives = static_cast<double>(order.size()) - positives;
  if (positives == 0 || negatives == 0) return .5;
  return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives);
}

}  // namespace brevet
