#include <fmt/format.h>

#include <algorithm>
#include <array>
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

Predictions predicted(const QuestionSet& set, const Router& router, RouterInputs inputs,
                      double familiarity_min, const std::vector<std::uint32_t>& questions) {
  Predictions out;
  for (const auto question : questions) {
    const auto said = router.predict(set.seen(question, inputs));
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

ManyOnSplit chosen_on(const QuestionSet& set, const Router& router, RouterInputs inputs,
                      double familiarity_min, const std::vector<std::uint32_t>& questions,
                      const std::vector<std::uint32_t>& calibration_questions, double strong_share) {
  const std::size_t models = set.models().size();
  const std::size_t n = questions.size();
  const auto test = predicted(set, router, inputs, familiarity_min, questions);
  const auto calibration = predicted(set, router, inputs, familiarity_min, calibration_questions);
  const auto& expected = router.info().mean_cost_usd;
  ManyOnSplit out;
  out.questions = questions;
  out.quality.resize(models);
  out.cost.resize(models);
  out.costs = !has_unknown(expected);
  for (std::size_t m = 0; m < models; ++m) {
    for (const auto question : questions) {
      out.quality[m].push_back(set.score(question, m));
      const auto paid = set.cost(question, m).amount;
      out.cost[m].push_back(paid ? paid->usd() : kNaN);
    }
    out.costs = out.costs && !has_unknown(out.cost[m]);
    for (const auto question : calibration_questions)
      out.costs = out.costs && set.cost(question, m).amount.has_value();
  }
  out.values =
      out.costs ? values_to_try(expected) : std::vector<double>{std::numeric_limits<double>::infinity()};
  out.chosen.assign(out.values.size(), std::vector<std::uint8_t>(n));
  for (std::size_t v = 0; v < out.values.size(); ++v) {
    for (std::size_t q = 0; q < n; ++q)
      out.chosen[v][q] = static_cast<std::uint8_t>(choice(test.quality[q], expected, out.values[v]));
  }
  out.at = out.values.size() - 1;
  if (!out.costs) return out;
  const auto mean_cost = [&](const auto& model_of) {
    double sum = 0;
    for (std::size_t q = 0; q < calibration_questions.size(); ++q) {
      const auto paid = set.cost(calibration_questions[q], model_of(q)).amount;
      sum += paid ? paid->usd() : 0;  // of all candidates alike, or `costs` is false
    }
    return sum / static_cast<double>(calibration_questions.size());
  };
  const double weak = mean_cost([](std::size_t) { return std::size_t{0}; });
  const double strong = mean_cost([&](std::size_t) { return models - 1; });
  const double wanted = weak + strong_share * (strong - weak);
  double nearest = std::numeric_limits<double>::infinity();
  for (std::size_t v = 0; v < out.values.size(); ++v) {
    const double here =
        mean_cost([&](std::size_t q) { return choice(calibration.quality[q], expected, out.values[v]); });
    if (std::abs(here - wanted) >= nearest) continue;
    nearest = std::abs(here - wanted);
    out.at = v;
  }
  return out;
}

enum ManyFigure { kQuality, kCostUsd, kCostRel, kAiq, kOverZero, kOverSingle, kShuffleGain, kManyFigures };
using ManyFigures = std::array<std::optional<double>, kManyFigures>;

/// Of one split under weights of its questions.
ManyFigures figures_of(const ManyOnSplit& on, std::span<const std::uint32_t> weights) {
  ManyFigures out;
  const std::size_t models = on.quality.size();
  const std::size_t n = on.questions.size();
  double total = 0;
  for (const auto weight : weights) total += weight;
  if (!(total > 0)) return out;
  std::vector<CostPoint> singles(models), points(on.chosen.size());
  for (std::size_t m = 0; m < models; ++m) {
    for (std::size_t q = 0; q < n; ++q) {
      singles[m].quality += weights[q] * on.quality[m][q] / total;
      if (on.costs) singles[m].cost += weights[q] * on.cost[m][q] / total;
    }
  }
  for (std::size_t v = 0; v < on.chosen.size(); ++v) {
    for (std::size_t q = 0; q < n; ++q) {
      if (weights[q] == 0) continue;
      points[v].quality += weights[q] * on.quality[on.chosen[v][q]][q] / total;
      if (on.costs) points[v].cost += weights[q] * on.cost[on.chosen[v][q]][q] / total;
    }
  }
  double shuffled = 0;
  for (std::size_t q = 0; q < n; ++q) shuffled += weights[q] * singles[on.chosen[on.at][q]].quality / total;
  const auto best = std::max_element(singles.begin(), singles.end(),
                                     [](const auto& a, const auto& b) { return a.quality < b.quality; });
  out[kQuality] = points[on.at].quality;
  out[kShuffleGain] = points[on.at].quality - shuffled;
  out[kOverSingle] = points.back().quality - best->quality;
  if (!on.costs) return out;
  out[kCostUsd] = points[on.at].cost;
  if (singles.back().cost > 0) out[kCostRel] = points[on.at].cost / singles.back().cost;
  const double low = singles.front().cost;
  const double high = singles.back().cost;
  out[kAiq] = aiq(points, low, high);
  const auto zero = aiq(singles, low, high);
  if (out[kAiq] && zero) out[kOverZero] = *out[kAiq] - *zero;
  return out;
}

std::string many_name(const std::string& strategy, std::size_t models) {
  return fmt::format("{} over {} models", strategy, models);
}

}  // namespace

std::optional<ManyOnSplit> SetEvaluation::many_on(const EvalStrategy& strategy, const FittedStrategy& own,
                                                  const std::vector<std::uint32_t>& calibration,
                                                  const std::vector<std::uint32_t>& test) const {
  const auto* fit = fit_kind_of(strategy.name);
  if (set_->models().size() <= 2 || !own.router || !fit || !fit->many) return std::nullopt;
  return chosen_on(*set_, *own.router, strategy.inputs, familiarity_min_of(strategy), test,
                   calibration.empty() ? test : calibration, options_.at_strong_share);
}

/// A router that predicts the quality of every candidate, over all of them.
void SetEvaluation::many_row(const Plan& plan) {
  const auto& own = fitted(plan.strategy);
  const auto made = many_on(plan.strategy, own, set_->split().calibration, test_.questions);
  if (!made) return;
  const std::size_t models = set_->models().size();
  const std::size_t n = test_.questions.size();
  const auto& [questions, quality, cost, values, chosen, at, costs] = *made;
  const std::size_t dearest = values.size() - 1;

  StrategyRow row;
  row.strategy = many_name(plan.strategy.text, models);
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
  fill_many(row, *made);
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

namespace {

/// What many_figures found, on the row and in pairs.
void put_many(StrategyRow& row, const std::vector<std::optional<Measured>>& found, std::size_t n,
              std::size_t splits, std::vector<PairwiseRow>& pairwise) {
  row.aiq = found[kAiq];
  row.shuffle_gain = found[kShuffleGain];
  row.verdict = verdict_of(row.shuffle_gain);
  const auto against = [&](const char* name, const char* metric, std::optional<Measured> difference) {
    if (!difference) return;
    difference->n = n;
    pairwise.push_back({row.dataset, row.strategy, name, metric, difference, n, splits});
  };
  against("zero_router", "aiq", found[kOverZero]);
  against("best_single", "quality", found[kOverSingle]);
}

}  // namespace

/// AIQ of all settings and against Zero router's, what the setting without regard to cost has over the best
/// single model, and over its own decisions dealt to the questions at random (same shares of the models).
void SetEvaluation::fill_many(StrategyRow& row, const ManyOnSplit& made) {
  const std::size_t n = made.questions.size();
  const auto bootstrap = bootstrap_options(test_.cluster, rows_);
  const auto found = bootstrap_weighted(
      n, std::max<std::size_t>(1, asked_.size()), kManyFigures,
      [&](std::span<const std::uint32_t> drawn, std::span<const std::uint32_t> orders,
          std::span<std::optional<double>> out) {
        thread_local std::vector<std::uint32_t> scratch;
        const auto figures = figures_of(made, weights_as_asked(asked_, drawn, orders, scratch));
        std::copy(figures.begin(), figures.end(), out.begin());
      },
      bootstrap);
  row.dataset = set_->name();
  if (options_.splits > 1) {
    // The pairs come from all splits: study_many.
    std::vector<PairwiseRow> of_the_first;
    put_many(row, found, n, 1, of_the_first);
    return;
  }
  put_many(row, found, n, 1, pairwise_);
}

/// Rows over all candidates become means over splits, questions and splits drawn as in study().
void SetEvaluation::study_many(const Study& made) {
  for (std::size_t k = 0; k < made.strategies.size(); ++k) {
    if (k >= made.many.size() || made.many[k].empty()) continue;
    const auto& splits = made.many[k];
    const auto name = many_name(made.strategies[k], set_->models().size());
    const auto place = std::find_if(report_.rows.begin(), report_.rows.end(),
                                    [&](const StrategyRow& row) { return row.strategy == name; });
    if (place == report_.rows.end()) continue;
    const auto found = bootstrap_weighted(
        set_->size(), splits.size(), kManyFigures,
        [&](std::span<const std::uint32_t> weights, std::span<const std::uint32_t> drawn,
            std::span<std::optional<double>> out) {
          std::array<double, kManyFigures> sums{};
          std::array<bool, kManyFigures> whole;
          whole.fill(true);
          std::vector<double> times(splits.size(), 0);
          for (const auto split : drawn) times[split] += 1;
          std::vector<std::uint32_t> of_split;
          for (std::size_t s = 0; s < splits.size(); ++s) {
            if (times[s] == 0) continue;
            of_split.clear();
            for (const auto question : splits[s].questions) of_split.push_back(weights[question]);
            const auto figures = figures_of(splits[s], of_split);
            for (std::size_t f = 0; f < kManyFigures; ++f) {
              whole[f] = whole[f] && figures[f];
              sums[f] += times[s] * figures[f].value_or(0);
            }
          }
          for (std::size_t f = 0; f < kManyFigures; ++f) {
            if (whole[f]) out[f] = sums[f] / static_cast<double>(drawn.size());
          }
        },
        bootstrap_options(set_->clusters().of, rows_));
    auto& row = *place;
    row.splits = splits.size();
    row.quality = found[kQuality];
    row.cost_usd = found[kCostUsd];
    row.cost_rel = row.cost_rel_serving = found[kCostRel];
    // What is left was found on the first split alone, and has no mean over them.
    row.retention = row.mixture_gain = row.pgr = row.router_arena = row.cost_rel_with_learning = std::nullopt;
    const std::size_t n = splits.front().questions.size();
    for (auto* figure : {&row.quality, &row.cost_usd, &row.cost_rel, &row.cost_rel_serving}) {
      if (*figure) (*figure)->n = n;
    }
    put_many(row, found, n, splits.size(), pairwise_);
    for (auto* figure : {&row.aiq, &row.shuffle_gain}) {
      if (*figure) (*figure)->n = n;
    }
    add_note(row, fmt::format("means over {} splits; shares of the models are of the first", splits.size()));
  }
}

}  // namespace brevet
