#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "eval/bootstrap.h"
#include "eval/router_fit.h"
#include "eval/set_evaluation.h"

namespace brevet {
namespace {

/// Values of a right answer from "only the cheapest" to "only the best", then without regard to cost.
constexpr std::size_t kValues = 80;

struct Predictions {
  std::vector<std::vector<float>> quality;  ///< [question][candidate]; empty = unlike what it was fitted on
};

Predictions predicted(const QuestionSet& set, const Router& router, double familiarity_min,
                      const std::vector<std::uint32_t>& questions) {
  Predictions out;
  for (const auto question : questions) {
    const auto said = router.predict(set.prepared(question, 0).features);
    const bool known = said && said->familiarity >= familiarity_min;
    out.quality.push_back(known ? said->quality : std::vector<float>());
  }
  return out;
}

/// RouterBench's rule (arXiv 2403.12031), as the strategy applies it: equal worth goes to the cheaper one,
/// which comes first; what is unlike the fitting questions goes to the last one.
std::size_t choice(const std::vector<float>& quality, const std::vector<double>& cost, double value) {
  if (quality.empty()) return cost.size() - 1;
  std::size_t best = 0;
  double best_worth = -std::numeric_limits<double>::infinity();
  for (std::size_t m = 0; m < quality.size(); ++m) {
    const double worth = std::isinf(value) ? quality[m] : value * quality[m] - cost[m];
    if (worth > best_worth) best = m, best_worth = worth;
  }
  return best;
}

std::vector<double> values_to_try(const std::vector<double>& cost) {
  const auto [low, high] = std::minmax_element(cost.begin(), cost.end());
  std::vector<double> out{0};
  const double width = *high - *low;
  // A difference in quality is at most 1 and, below .001, no difference.
  const double from = std::log(std::max(1e-12, width * 1e-3));
  const double to = std::log(std::max(1e-12, width * 1e3));
  for (std::size_t i = 0; i < kValues; ++i)
    out.push_back(std::exp(from + (to - from) * static_cast<double>(i) / (kValues - 1)));
  out.push_back(std::numeric_limits<double>::infinity());
  return out;
}

}  // namespace

/// A router that predicts the quality of every candidate, over all of them.
void SetEvaluation::many_row(const Plan& plan) {
  const auto& own = fitted(plan.strategy);
  const std::size_t models = set_->models().size();
  const auto* fit = fit_kind_of(plan.strategy.name);
  if (models <= 2 || !own.router || !fit || !fit->many) return;
  const std::size_t n = test_.questions.size();
  const auto familiarity = familiarity_min_of(plan.strategy);
  const auto test = predicted(*set_, *own.router, familiarity, test_.questions);
  const auto& calibration_questions =
      set_->split().calibration.empty() ? test_.questions : set_->split().calibration;
  const auto calibration = predicted(*set_, *own.router, familiarity, calibration_questions);
  const auto& expected = own.router->info().mean_cost_usd;

  std::vector<std::vector<double>> quality(models), cost(models);
  bool costs = !has_unknown(expected);
  for (std::size_t m = 0; m < models; ++m) {
    for (const auto question : test_.questions) {
      quality[m].push_back(set_->score(question, m));
      const auto paid = set_->cost(question, m).amount;
      cost[m].push_back(paid ? paid->usd() : kNaN);
    }
    costs = costs && !has_unknown(cost[m]);
    for (const auto question : calibration_questions) costs = costs && set_->cost(question, m).amount;
  }
  const auto values =
      costs ? values_to_try(expected) : std::vector<double>{std::numeric_limits<double>::infinity()};
  std::vector<std::vector<std::uint8_t>> chosen(values.size(), std::vector<std::uint8_t>(n));
  for (std::size_t v = 0; v < values.size(); ++v) {
    for (std::size_t q = 0; q < n; ++q)
      chosen[v][q] = static_cast<std::uint8_t>(choice(test.quality[q], expected, values[v]));
  }
  const std::size_t dearest = values.size() - 1;
  std::size_t at = dearest;
  if (costs) {
    const auto mean_cost = [&](const auto& model_of) {
      double sum = 0;
      for (std::size_t q = 0; q < calibration_questions.size(); ++q) {
        const auto paid = set_->cost(calibration_questions[q], model_of(q)).amount;
        sum += paid ? paid->usd() : 0;  // of all candidates alike, or `costs` is false
      }
      return sum / static_cast<double>(calibration_questions.size());
    };
    const double weak = mean_cost([](std::size_t) { return std::size_t{0}; });
    const double strong = mean_cost([&](std::size_t) { return models - 1; });
    const double wanted = weak + options_.at_strong_share * (strong - weak);
    double nearest = std::numeric_limits<double>::infinity();
    for (std::size_t v = 0; v < values.size(); ++v) {
      const double here =
          mean_cost([&](std::size_t q) { return choice(calibration.quality[q], expected, values[v]); });
      if (std::abs(here - wanted) >= nearest) continue;
      nearest = std::abs(here - wanted);
      at = v;
    }
  }

  StrategyRow row;
  row.strategy = fmt::format("{} over {} models", plan.strategy.text, models);
  row.labels = own.labels;
  row.setting = costs && at != dearest ? fmt::format("value_usd={:.3g}", values[at])
                                       : std::string("argmax of predicted quality");
  Served served;
  served.chooses = false;
  served.quality.assign(1, std::vector<double>(n));
  served.strong.assign(1, std::vector<double>(n));
  if (costs) served.cost.assign(1, std::vector<double>(n));
  std::vector<double> shares(models, 0);
  for (std::size_t q = 0; q < n; ++q) {
    const std::size_t m = chosen[at][q];
    shares[m] += 1 / static_cast<double>(n);
    served.quality[0][q] = quality[m][q];
    served.strong[0][q] = m + 1 == models ? 1 : 0;
    if (costs) served.cost[0][q] = cost[m][q];
  }
  row.note = fmt::format("fitted on {} questions; serves", own.labels);
  for (std::size_t m = 0; m < models; ++m) {
    if (shares[m] >= .005) row.note += fmt::format(" {} {:.0f}%", set_->models()[m], 100 * shares[m]);
  }
  served = as_asked(std::move(served));
  fill_operating_point(row, test_, served, set_->groups(), rows_);
  fill_many(row, quality, cost, chosen, at, costs);
  if (row.cost_rel && own.cost_usd) {
    const double extra = *own.cost_usd / *strong_cost_of_an_order();
    row.cost_rel_with_learning = *row.cost_rel;
    row.cost_rel_with_learning->mean += extra;
    if (auto& ci = row.cost_rel_with_learning->ci95) ci->low += extra, ci->high += extra;
  }
  if (costs) {
    PlaneCurve curve;
    curve.strategy = row.strategy;
    const double strong_cost = mean_of(test_.strong_cost);
    for (std::size_t v = 0; v < values.size() && strong_cost > 0; ++v) {
      PlanePoint point;
      double spent = 0;
      for (std::size_t q = 0; q < n; ++q) {
        point.quality.mean += quality[chosen[v][q]][q] / static_cast<double>(n);
        spent += cost[chosen[v][q]][q] / static_cast<double>(n);
      }
      point.quality.n = n;
      point.cost_rel = spent / strong_cost;
      curve.points.push_back(point);
    }
    std::stable_sort(curve.points.begin(), curve.points.end(),
                     [](const auto& a, const auto& b) { return *a.cost_rel < *b.cost_rel; });
    report_.plane.curves.push_back(std::move(curve));
  }
  finish_row(std::move(row), served);
}

/// AIQ of all settings and against Zero router's, what the setting without regard to cost has over the best
/// single model, and over its own decisions dealt to the questions at random (same shares of the models).
void SetEvaluation::fill_many(StrategyRow& row, const std::vector<std::vector<double>>& quality,
                              const std::vector<std::vector<double>>& cost,
                              const std::vector<std::vector<std::uint8_t>>& chosen, std::size_t at,
                              bool costs) {
  enum { kAiq, kOverZero, kOverSingle, kShuffle, kFigures };
  const std::size_t models = quality.size();
  const std::size_t n = test_.questions.size();
  std::size_t single = 0;
  for (std::size_t m = 1; m < models; ++m) {
    if (sum_of(quality[m]) > sum_of(quality[single])) single = m;
  }
  const auto bootstrap = bootstrap_options(test_.cluster, rows_);
  const auto found = bootstrap_weighted(
      n, std::max<std::size_t>(1, asked_.size()), kFigures,
      [&](std::span<const std::uint32_t> drawn, std::span<const std::uint32_t> orders,
          std::span<std::optional<double>> out) {
        thread_local std::vector<std::uint32_t> scratch;
        const auto weights = weights_as_asked(asked_, drawn, orders, scratch);
        double total = 0;
        for (const auto weight : weights) total += weight;
        if (!(total > 0)) return;
        std::vector<CostPoint> singles(models);
        for (std::size_t m = 0; m < models; ++m) {
          for (std::size_t q = 0; q < n; ++q) {
            singles[m].quality += weights[q] * quality[m][q] / total;
            if (costs) singles[m].cost += weights[q] * cost[m][q] / total;
          }
        }
        std::vector<CostPoint> points;
        for (std::size_t v = 0; v < chosen.size(); ++v) {
          auto& point = points.emplace_back();
          for (std::size_t q = 0; q < n; ++q) {
            point.quality += weights[q] * quality[chosen[v][q]][q] / total;
            if (costs) point.cost += weights[q] * cost[chosen[v][q]][q] / total;
          }
        }
        double shuffled = 0;
        for (std::size_t q = 0; q < n; ++q) shuffled += weights[q] * singles[chosen[at][q]].quality / total;
        out[kShuffle] = points[at].quality - shuffled;
        out[kOverSingle] = points.back().quality - singles[single].quality;
        if (!costs) return;
        const double low = singles.front().cost;
        const double high = singles.back().cost;
        out[kAiq] = aiq(points, low, high);
        const auto zero = aiq(singles, low, high);
        if (out[kAiq] && zero) out[kOverZero] = *out[kAiq] - *zero;
      },
      bootstrap);
  row.aiq = found[kAiq];
  row.shuffle_gain = found[kShuffle];
  row.verdict = verdict_of(row.shuffle_gain);
  const auto against = [&](const char* name, const char* metric, const std::optional<Measured>& difference) {
    if (difference) pairwise_.push_back({set_->name(), row.strategy, name, metric, difference, n, 1});
  };
  against("zero_router", "aiq", found[kOverZero]);
  against("best_single", "quality", found[kOverSingle]);
}

}  // namespace brevet
