#include "train/cascade_lists.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace brevet {
namespace {

constexpr float kNever = 2.0F;

/// What a setting's requests add up to.
struct Sums {
  double cost = 0, cost_squared = 0, reward = 0, gap = 0, gap_squared = 0;
  void add(double paid, double won, double reference, double sign) {
    const double d = won - reference;
    cost += sign * paid;
    cost_squared += sign * paid * paid;
    reward += sign * won;
    gap += sign * d;
    gap_squared += sign * d * d;
  }
};

ListSetting setting_of(const Sums& sums, std::size_t n) {
  const auto count = static_cast<double>(n);
  ListSetting out;
  out.cost = sums.cost / count;
  out.reward = sums.reward / count;
  const auto error = [&](double squared, double mean) {
    return std::sqrt(std::max(0.0, squared / count - mean * mean) / std::max(1.0, count - 1));
  };
  out.cost_error = error(sums.cost_squared, out.cost);
  out.gap_error = error(sums.gap_squared, sums.gap / count);
  return out;
}

std::vector<std::size_t> by_descending(const std::vector<float>& score) {
  std::vector<std::size_t> order(score.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return score[a] > score[b]; });
  return order;
}

/// Sweeps the last threshold of a list over the requests where `reached`, in descending order of their score.
/// `base` is what the others add up to; those reached cost `before[i]` so far.
void sweep_last(const StageTable& table, std::size_t stage, const std::vector<std::size_t>& order,
                const std::vector<bool>& reached, const std::vector<double>& before, const Sums& base,
                std::vector<float> thresholds, const std::function<void(const ListSetting&)>& look) {
  const auto& score = table.accept[stage];
  Sums sums = base;
  for (const auto i : order) {
    if (!reached[i]) continue;
    sums.add(before[i] + table.cost[stage][i] + table.cost[stage + 1][i], table.reward[stage + 1][i],
             table.reference[i], 1);
  }
  thresholds.push_back(kNever);
  const auto tell = [&] {
    auto setting = setting_of(sums, order.size());
    setting.thresholds = thresholds;
    look(setting);
  };
  tell();
  for (std::size_t at = 0; at < order.size();) {
    const float threshold = score[order[at]];
    bool any = false;
    for (; at < order.size() && score[order[at]] == threshold; ++at) {
      const auto i = order[at];
      if (!reached[i]) continue;
      any = true;
      const double paid = before[i] + table.cost[stage][i];
      sums.add(paid + table.cost[stage + 1][i], table.reward[stage + 1][i], table.reference[i], -1);
      sums.add(paid, table.reward[stage][i], table.reference[i], 1);
    }
    if (!any) continue;
    thresholds.back() = threshold;
    tell();
  }
}

}  // namespace

void for_each_setting(const StageTable& table, const std::function<void(const ListSetting&)>& look) {
  const std::size_t n = table.reference.size();
  const std::size_t stages = table.reward.size();
  if (n == 0 || stages == 0) return;
  if (stages == 1) {
    Sums sums;
    for (std::size_t i = 0; i < n; ++i) sums.add(table.cost[0][i], table.reward[0][i], table.reference[i], 1);
    look(setting_of(sums, n));
    return;
  }
  const auto first = by_descending(table.accept[0]);
  if (stages == 2) {
    sweep_last(table, 0, first, std::vector<bool>(n, true), std::vector<double>(n, 0), {}, {}, look);
    return;
  }
  // After each prefix of the first stage's order has been accepted, sweep the second over the rest.
  const auto second = by_descending(table.accept[1]);
  std::vector<bool> reached(n, true);
  Sums accepted;
  std::size_t distinct = 0;
  for (std::size_t at = 0; at < n; ++at)
    distinct += at == 0 || table.accept[0][first[at]] != table.accept[0][first[at - 1]] ? 1 : 0;
  const std::size_t stride = (distinct + kThresholdsMax - 1) / kThresholdsMax;
  sweep_last(table, 1, second, reached, table.cost[0], accepted, {kNever}, look);
  std::size_t seen = 0;
  for (std::size_t at = 0; at < n;) {
    const float threshold = table.accept[0][first[at]];
    for (; at < n && table.accept[0][first[at]] == threshold; ++at) {
      const auto i = first[at];
      reached[i] = false;
      accepted.add(table.cost[0][i], table.reward[0][i], table.reference[i], 1);
    }
    if (++seen % stride == 0 || at == n)
      sweep_last(table, 1, second, reached, table.cost[0], accepted, {threshold}, look);
  }
}

std::vector<std::optional<ListSetting>> best_under_budgets(const StageTable& table,
                                                           std::span<const double> budgets, double z) {
  std::vector<std::optional<ListSetting>> out(budgets.size());
  for_each_setting(table, [&](const ListSetting& setting) {
    const double bound = setting.cost + z * setting.cost_error;
    for (std::size_t b = 0; b < budgets.size(); ++b) {
      if (bound > budgets[b]) continue;
      auto& best = out[b];
      if (!best || setting.reward > best->reward ||
          (setting.reward == best->reward && setting.cost < best->cost))
        best = setting;
    }
  });
  return out;
}

std::vector<std::optional<ListSetting>> cheapest_that_keep(const StageTable& table,
                                                           std::span<const double> shares, double z) {
  std::vector<std::optional<ListSetting>> out(shares.size());
  double reference = 0;
  for (const float r : table.reference) reference += r;
  reference /= static_cast<double>(std::max<std::size_t>(1, table.reference.size()));
  for_each_setting(table, [&](const ListSetting& setting) {
    const double kept = setting.retained(reference, z);
    for (std::size_t s = 0; s < shares.size(); ++s) {
      if (kept < shares[s]) continue;
      auto& best = out[s];
      if (!best || setting.cost < best->cost || (setting.cost == best->cost && setting.reward > best->reward))
        best = setting;
    }
  });
  return out;
}

}  // namespace brevet
