// Single models, oracle, calibration, groups and quantiles; metrics.cc has curves and hulls.
#include <algorithm>
#include <cassert>
#include <cmath>
#include <map>
#include <numeric>

#include "eval/metrics.h"

namespace brevet {
namespace {

/// Known costs before unknown ones, then the lower.
bool cheaper(const std::optional<double>& a, const std::optional<double>& b) {
  if (a.has_value() != b.has_value()) return a.has_value();
  return a && *a < *b;
}

}  // namespace

std::vector<SingleModel> single_models(const OutcomeTable& table) {
  std::vector<SingleModel> out(table.models.size());
  for (std::size_t model = 0; model < out.size(); ++model) {
    auto& single = out[model];
    single.model = model;
    double quality = 0, cost = 0;
    bool known = true;
    for (std::size_t question = 0; question < table.questions; ++question) {
      const auto& cell = table.at(model, question);
      if (!cell.quality) continue;
      ++single.n;
      quality += *cell.quality;
      known = known && cell.cost.has_value();
      cost += cell.cost.value_or(0);
    }
    if (single.n == 0) continue;
    const auto n = static_cast<double>(single.n);
    single.quality = quality / n;
    if (known) single.cost = cost / n;
  }
  return out;
}

std::optional<SingleModel> best_single(const OutcomeTable& table) {
  std::optional<SingleModel> best;
  for (const auto& single : single_models(table)) {
    if (single.n == 0 || single.n != table.questions) continue;
    if (!best || single.quality > best->quality ||
        (single.quality == best->quality && cheaper(single.cost, best->cost)))
      best = single;
  }
  return best;
}

std::vector<CostPoint> zero_router_hull(const OutcomeTable& table) {
  std::vector<CostPoint> points;
  for (const auto& single : single_models(table)) {
    if (single.n > 0 && single.n == table.questions && single.cost)
      points.push_back({*single.cost, single.quality});
  }
  return upper_hull(std::move(points));
}

Oracle oracle(const OutcomeTable& table, const std::vector<std::size_t>& models) {
  std::vector<std::size_t> among = models;
  if (among.empty()) {
    among.resize(table.models.size());
    std::iota(among.begin(), among.end(), std::size_t{0});
  }
  Oracle out;
  out.choice.assign(table.questions, -1);
  out.chosen_share.assign(table.models.size(), 0);
  double quality = 0, cost = 0;
  bool known = true;
  for (std::size_t question = 0; question < table.questions; ++question) {
    const OutcomeCell* best = nullptr;
    std::size_t chosen = 0;
    for (const auto model : among) {
      const auto& cell = table.at(model, question);
      if (!cell.quality) continue;
      if (!best || *cell.quality > *best->quality ||
          (*cell.quality == *best->quality && cheaper(cell.cost, best->cost))) {
        best = &cell;
        chosen = model;
      }
    }
    if (!best) continue;
    ++out.n;
    out.choice[question] = static_cast<std::int32_t>(chosen);
    out.chosen_share[chosen] += 1;
    quality += *best->quality;
    known = known && best->cost.has_value();
    cost += best->cost.value_or(0);
  }
  if (out.n == 0) return out;
  const auto n = static_cast<double>(out.n);
  out.quality = quality / n;
  if (known) out.cost = cost / n;
  for (auto& share : out.chosen_share) share /= n;
  return out;
}

std::optional<Calibration> calibration(const std::vector<double>& predicted,
                                       const std::vector<double>& outcome, std::size_t bins) {
  assert(predicted.size() == outcome.size() && bins > 0);
  if (predicted.empty()) return std::nullopt;
  Calibration out;
  out.n = predicted.size();
  out.bins.resize(bins);
  for (std::size_t b = 0; b < bins; ++b) {
    out.bins[b].low = static_cast<double>(b) / static_cast<double>(bins);
    out.bins[b].high = static_cast<double>(b + 1) / static_cast<double>(bins);
  }
  for (std::size_t i = 0; i < predicted.size(); ++i) {
    const double p = std::clamp(predicted[i], 0.0, 1.0);
    auto& bin = out.bins[std::min(bins - 1, static_cast<std::size_t>(p * static_cast<double>(bins)))];
    ++bin.n;
    bin.predicted += p;
    bin.observed += outcome[i];
    out.brier += (p - outcome[i]) * (p - outcome[i]);
  }
  const auto n = static_cast<double>(out.n);
  out.brier /= n;
  for (auto& bin : out.bins) {
    if (bin.n == 0) continue;
    out.ece += std::abs(bin.predicted - bin.observed) / n;
    bin.predicted /= static_cast<double>(bin.n);
    bin.observed /= static_cast<double>(bin.n);
  }
  return out;
}

std::vector<GroupFigures> group_figures(const std::vector<std::uint32_t>& group,
                                        const std::vector<double>& served, const std::vector<double>& weak,
                                        const std::vector<double>& strong,
                                        const std::vector<double>& strong_served) {
  assert(served.size() == group.size() && weak.size() == group.size() && strong.size() == group.size() &&
         strong_served.size() == group.size());
  std::map<std::uint32_t, GroupFigures> by_group;
  for (std::size_t i = 0; i < group.size(); ++i) {
    auto& figures = by_group[group[i]];
    figures.group = group[i];
    ++figures.n;
    figures.quality += served[i];
    figures.weak += weak[i];
    figures.strong += strong[i];
    figures.strong_share += strong_served[i];
  }
  std::vector<GroupFigures> out;
  out.reserve(by_group.size());
  for (auto& [number, figures] : by_group) {
    const auto n = static_cast<double>(figures.n);
    if (figures.strong > 0) figures.retention = figures.quality / figures.strong;
    figures.quality /= n;
    figures.weak /= n;
    figures.strong /= n;
    figures.strong_share /= n;
    out.push_back(figures);
  }
  return out;
}

std::optional<GroupFigures> worst_group(const std::vector<GroupFigures>& groups, std::size_t n_min) {
  std::optional<GroupFigures> worst;
  for (const auto& figures : groups) {
    if (figures.n < n_min || !figures.retention) continue;
    if (!worst || *figures.retention < *worst->retention) worst = figures;
  }
  return worst;
}

std::optional<double> quantile(std::vector<double> values, double q) {
  if (values.empty()) return std::nullopt;
  std::sort(values.begin(), values.end());
  const double where = std::clamp(q, 0.0, 1.0) * static_cast<double>(values.size() - 1);
  const auto i = static_cast<std::size_t>(where);
  const double rest = where - static_cast<double>(i);
  return i + 1 < values.size() ? values[i] + rest * (values[i + 1] - values[i]) : values[i];
}

}  // namespace brevet
