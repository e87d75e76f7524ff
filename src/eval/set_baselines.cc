#include "eval/set_evaluation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace brevet {

bool computed_baseline(const std::string& name) {
  for (const char* one : {"always_weak", "always_strong", "best_single", "random_mixture", "zero_router",
                          "oracle", "oracle_all"}) {
    if (name == one) return true;
  }
  return false;
}

/// The hull is made anew in every bootstrap round: it is the best mixture in hindsight.
std::optional<Measured> SetEvaluation::zero_router_aiq() const {
  const std::size_t models = set_->models().size();
  const std::size_t n = test_.questions.size();
  std::vector<std::vector<double>> quality(models), cost(models);
  for (std::size_t m = 0; m < models; ++m) {
    for (const auto question : test_.questions) {
      quality[m].push_back(set_->score(question, m));
      const auto paid = set_->cost(question, m).amount;
      if (!paid) return std::nullopt;
      cost[m].push_back(paid->usd());
    }
  }
  const auto bootstrap = bootstrap_options(test_.cluster, rows_);
  return bootstrap_weighted(
      n, std::max<std::size_t>(1, asked_.size()), 1,
      [&](std::span<const std::uint32_t> drawn, std::span<const std::uint32_t> orders,
          std::span<std::optional<double>> out) {
        thread_local std::vector<std::uint32_t> scratch;
        const auto weights = weights_as_asked(asked_, drawn, orders, scratch);
        double total = 0;
        for (const auto weight : weights) total += weight;
        std::vector<CostPoint> points;
        for (std::size_t m = 0; m < models; ++m) {
          CostPoint point;
          for (std::size_t q = 0; q < n; ++q) {
            point.cost += weights[q] * cost[m][q] / total;
            point.quality += weights[q] * quality[m][q] / total;
          }
          points.push_back(point);
        }
        out[0] = aiq(points, points.front().cost, points.back().cost);
      },
      bootstrap)[0];
}

/// Baselines that are arithmetic on single models.
void SetEvaluation::computed_row(const std::string& name) {
  StrategyRow row;
  row.strategy = name;
  row.baseline = true;
  Served served;
  const std::size_t n = test_.questions.size();
  const auto fill = [&](auto quality, auto strong, auto cost) {
    served.quality.assign(1, std::vector<double>(n));
    served.strong.assign(1, std::vector<double>(n));
    served.cost.assign(1, std::vector<double>(n));
    for (std::size_t q = 0; q < n; ++q) {
      served.quality[0][q] = quality(q);
      served.strong[0][q] = strong(q);
      served.cost[0][q] = cost(q).value_or(kNaN);
    }
    if (has_unknown(served.cost[0])) served.cost.clear();
  };
  const std::size_t strong_model = set_->models().size() - 1;
  const auto cell = [&](std::size_t model, std::size_t q) -> const OutcomeCell& {
    return set_->table().at(model, test_.questions[q]);
  };
  // The tables of the test questions alone.
  const auto table_of = [&](std::size_t models) {
    OutcomeTable out;
    out.models.assign(set_->table().models.begin(),
                      set_->table().models.begin() + static_cast<std::ptrdiff_t>(models));
    out.questions = n;
    out.cells.resize(models * n);
    for (std::size_t m = 0; m < models; ++m) {
      for (std::size_t q = 0; q < n; ++q) out.at(m, q) = cell(m, q);
    }
    return out;
  };
  if (name == "always_weak" || name == "always_strong") {
    const std::size_t model = name == "always_weak" ? 0 : strong_model;
    fill([&](std::size_t q) { return cell(model, q).quality.value_or(0); },
         [&](std::size_t) { return model == strong_model ? 1.0 : 0.0; },
         [&](std::size_t q) { return cell(model, q).cost; });
    row.setting = set_->models()[model];
  } else if (name == "random_mixture") {
    const double share = options_.at_strong_share;
    fill([&](std::size_t q) { return test_.weak[q] + share * (test_.strong[q] - test_.weak[q]); },
         [&](std::size_t) { return share; },
         [&](std::size_t q) -> std::optional<double> {
           if (!test_.costs_known()) return std::nullopt;
           return test_.weak_cost[q] + share * (test_.strong_cost[q] - test_.weak_cost[q]);
         });
    row.setting = fmt::format("strong_share={}", share);
    row.note = "expected values of the coin";
  } else if (name == "best_single") {
    const auto best = best_single(table_of(set_->models().size()));
    if (!best) return;
    fill([&](std::size_t q) { return cell(best->model, q).quality.value_or(0); },
         [&](std::size_t) { return best->model == strong_model ? 1.0 : 0.0; },
         [&](std::size_t q) { return cell(best->model, q).cost; });
    served.chooses = false;
    row.setting = set_->models()[best->model];
    row.note = "chosen on the test questions";
  } else if (name == "zero_router") {
    const auto table = table_of(set_->models().size());
    const auto hull = zero_router_hull(table);
    if (hull.empty() || !test_.costs_known()) {
      row.note = "needs known costs";
      row.n = n;
      row.dataset = set_->name();
      row.cost_basis = name_of(CostBasis::kUnknown);
      row.unknown_costs = unknown_costs_;
      report_.rows.push_back(std::move(row));
      return;
    }
    // At what the random mixture of weak and strong costs; which two models, and how much of each, is read
    // off the hull.
    const double weak = mean_of(test_.weak_cost);
    const double cost = weak + options_.at_strong_share * (mean_of(test_.strong_cost) - weak);
    const auto singles = single_models(table);
    const auto right = std::find_if(hull.begin(), hull.end(), [&](const auto& p) { return p.cost >= cost; });
    const CostPoint b = right == hull.end() ? hull.back() : *right;
    const CostPoint a = right == hull.begin() || right == hull.end() ? b : *(right - 1);
    const double part = b.cost > a.cost ? (cost - a.cost) / (b.cost - a.cost) : 1;
    const auto model_at = [&](const CostPoint& p) {
      for (const auto& single : singles) {
        if (single.cost && *single.cost == p.cost && single.quality == p.quality) return single.model;
      }
      return strong_model;
    };
    const auto from = model_at(a);
    const auto to = model_at(b);
    fill(
        [&](std::size_t q) {
          return (1 - part) * cell(from, q).quality.value_or(0) + part * cell(to, q).quality.value_or(0);
        },
        [&](std::size_t) { return (from == strong_model ? 1 - part : 0) + (to == strong_model ? part : 0); },
        [&](std::size_t q) -> std::optional<double> {
          const auto& x = cell(from, q).cost;
          const auto& y = cell(to, q).cost;
          if (!x || !y) return std::nullopt;
          return (1 - part) * *x + part * *y;
        });
    served.chooses = false;
    row.setting = fmt::format("{:.2f} {} + {:.2f} {}", 1 - part, table.models[from], part, table.models[to]);
    row.note = "at the cost of random_mixture; hull taken on the test questions";
  } else {
    const auto table = table_of(name == "oracle" ? set_->models().size() : set_->table().models.size());
    const auto best = oracle(table);
    fill(
        [&](std::size_t q) {
          const auto choice = best.choice[q];
          return choice < 0 ? 0 : table.at(static_cast<std::size_t>(choice), q).quality.value_or(0);
        },
        [&](std::size_t q) { return best.choice[q] == static_cast<std::int32_t>(strong_model) ? 1.0 : 0.0; },
        [&](std::size_t q) -> std::optional<double> {
          const auto choice = best.choice[q];
          if (choice < 0) return std::nullopt;
          return table.at(static_cast<std::size_t>(choice), q).cost;
        });
    served.chooses = table.models.size() == 2;
    row.note = fmt::format("knows every outcome; over {} models", table.models.size());
  }
  served = as_asked(std::move(served));
  fill_operating_point(row, test_, served, set_->groups(), rows_);
  if (name == "random_mixture") {
    fill_curve_metrics(row, test_, Dial{anchor(0), anchor(1), {}}, rows_);
    row.shuffle_gain.reset();  // it is a shuffle
    row.mixture_gain.reset();
    row.verdict = ShuffleVerdict::kNotApplicable;
  }
  if (name.starts_with("always_") || name.starts_with("oracle")) {
    row.shuffle_gain.reset();
    row.mixture_gain.reset();
    row.verdict = ShuffleVerdict::kNotApplicable;
  }
  if (name == "zero_router") row.aiq = zero_router_aiq();
  row.cost_rel_with_learning = row.cost_rel;
  if (name.starts_with("oracle")) report_.plane.oracles.push_back({name, plane_point(row)});
  finish_row(std::move(row), served);
}

}  // namespace brevet
