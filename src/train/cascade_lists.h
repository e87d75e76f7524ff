// Thresholds of a list of models, chosen on labelled requests under a budget or for a promised quality, after
// FrugalGPT (Chen, Zaharia and Zou 2023, arXiv 2305.05176).
//
// Called by fit_cascade.cc and by measurements. Pure, deterministic. Exact: every setting of the thresholds
// that these requests can tell apart is looked at, for lists of one, two and three models (beyond
// kThresholdsMax distinct values of the first threshold, at that many of them, evenly by rank). FrugalGPT's
// own optimiser tries 40 quantiles a threshold and polishes.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace brevet {

inline constexpr std::size_t kThresholdsMax = 400;

/// One list on n requests that every stage was asked on.
struct StageTable {
  std::vector<std::vector<float>> accept;  ///< [stages - 1][n] P(accept) after that stage
  std::vector<std::vector<float>> reward;  ///< [stages][n]
  std::vector<std::vector<double>> cost;   ///< [stages][n] of that stage's call alone
  std::vector<float> reference;            ///< [n] reward of the reference
};

struct ListSetting {
  std::vector<float> thresholds;  ///< accept where P(accept) >= threshold; above 1 = never
  double cost = 0;                ///< means over the requests
  double cost_error = 0;          ///< standard error of the mean
  double reward = 0;
  double gap_error = 0;  ///< standard error of the mean of reward - reference
  /// Lower bound of reward / reference at `z` standard errors.
  double retained(double reference_mean, double z) const {
    return reference_mean > 0 ? (reward - z * gap_error) / reference_mean : 0;
  }
};

/// Calls `look` for every setting; thresholds are filled in, in no particular order.
void for_each_setting(const StageTable& table, const std::function<void(const ListSetting&)>& look);

/// For each budget the setting with the largest mean reward among those whose mean cost plus z standard
/// errors keeps it; empty where none does.
std::vector<std::optional<ListSetting>> best_under_budgets(const StageTable& table,
                                                           std::span<const double> budgets, double z);
/// For each share the cheapest setting that keeps that share of the reference's mean reward at z standard
/// errors; empty where none does.
std::vector<std::optional<ListSetting>> cheapest_that_keep(const StageTable& table,
                                                           std::span<const double> shares, double z);

}  // namespace brevet
