#include "eval/rows.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace brevet {
namespace {

using Optional = std::optional<double>;
using Means = std::span<const double>;

double sum_of(const std::vector<double>& values, std::span<const std::uint32_t> weights) {
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) sum += values[i] * weights[i];
  return sum;
}

Optional ratio(double a, double b) {
  return b > 0 ? Optional(a / b) : std::nullopt;
}

/// Sums of a question in one order. Requests are what is averaged: a question that is asked again weighs
/// more.
enum Column {
  kCount,
  kQuality,
  kStrong,
  kCost,
  kLearning,
  kWeak,
  kReference,
  kWeakCost,
  kReferenceCost,
  kColumns
};

/// Means per request from means of sums per question.
struct PerRequest {
  explicit PerRequest(Means sums) : sums_(sums) {}
  double operator[](Column column) const { return sums_[column] / sums_[kCount]; }

 private:
  Means sums_;
};

/// Quality of the strategy's own decisions, dealt to the requests at random, at the same serving cost where
/// costs are known and at the same share of strong calls otherwise.
Optional shuffled_quality(const PerRequest& own, bool costs) {
  double share = own[kStrong];
  if (costs) {
    const double width = own[kReferenceCost] - own[kWeakCost];
    if (!(width > 0)) return std::nullopt;
    share = std::clamp((own[kCost] - own[kWeakCost]) / width, 0.0, 1.0);
  }
  return own[kWeak] + share * (own[kReference] - own[kWeak]);
}

void take(std::optional<Measured>& to, const std::vector<std::optional<Measured>>& from, std::size_t place) {
  to = from[place];
}

void fill_worst_group(StrategyRow& row, const TestColumns& test, const Served& served,
                      const std::vector<std::string>& groups, const RowOptions& options) {
  constexpr std::size_t kGroupMin = 30;
  std::vector<double> quality(test.questions.size());
  std::vector<double> strong(test.questions.size());
  for (std::size_t s = 0; s < served.quality.size(); ++s) {
    for (std::size_t q = 0; q < quality.size(); ++q) {
      const double times =
          (served.count.empty() ? 1 : served.count[s][q]) * static_cast<double>(served.quality.size());
      quality[q] += served.quality[s][q] / times;
      strong[q] += served.strong[s][q] / times;
    }
  }
  const auto worst =
      worst_group(group_figures(test.group, quality, test.weak, test.strong, strong), kGroupMin);
  if (!worst) return;
  row.worst_group_name = groups[worst->group];
  row.worst_group_n = worst->n;
  if (groups.size() == 1) {
    row.worst_group = row.retention;
    return;
  }
  SeedValues own;
  SeedValues reference(1);
  BootstrapOptions bootstrap = bootstrap_options(test.cluster, options);
  bootstrap.cluster.clear();
  own.resize(served.quality.size());
  for (std::size_t q = 0; q < quality.size(); ++q) {
    if (test.group[q] != worst->group) continue;
    bootstrap.cluster.push_back(test.cluster[q]);
    reference[0].push_back(test.strong[q]);
    for (std::size_t s = 0; s < own.size(); ++s)
      own[s].push_back(served.quality[s][q] / (served.count.empty() ? 1 : served.count[s][q]));
  }
  row.worst_group = bootstrap_ratio(own, reference, bootstrap);
}

void take_curve_metrics(StrategyRow& row, const std::vector<std::optional<Measured>>& figures) {
  row.apgr = figures[0];
  row.cpt50 = figures[1];
  row.cpt80 = figures[2];
  row.aiq = figures[3];
}

void curve_metrics(const Curve& curve, Optional cost_min, Optional cost_max, std::span<Optional> out) {
  out[0] = apgr(curve);
  out[1] = cpt(curve, .5);
  out[2] = cpt(curve, .8);
  if (cost_min && cost_max) out[3] = aiq(curve, *cost_min, *cost_max);
}

}  // namespace

BootstrapOptions bootstrap_options(const std::vector<std::uint32_t>& cluster, const RowOptions& options,
                                   Resample what) {
  BootstrapOptions out;
  out.rounds = options.rounds;
  out.seed = options.seed;
  out.threads = options.threads;
  out.what = what;
  out.cluster = cluster;
  return out;
}

TestColumns test_columns(const QuestionSet& set, const std::vector<std::uint32_t>& questions) {
  TestColumns out;
  out.questions = questions;
  const std::size_t strong = set.models().size() - 1;
  bool known = true;
  for (const auto question : questions) {
    out.cluster.push_back(set.clusters().of[question]);
    out.group.push_back(set.group(question));
    out.weak.push_back(set.score(question, 0));
    out.strong.push_back(set.score(question, strong));
    const auto weak_cost = set.cost(question, 0).amount;
    const auto strong_cost = set.cost(question, strong).amount;
    known = known && weak_cost && strong_cost;
    out.weak_cost.push_back(weak_cost ? weak_cost->usd() : 0);
    out.strong_cost.push_back(strong_cost ? strong_cost->usd() : 0);
  }
  if (!known) out.weak_cost.clear(), out.strong_cost.clear();
  out.agrees.assign(questions.size(), std::numeric_limits<double>::quiet_NaN());
  return out;
}

void fill_operating_point(StrategyRow& row, const TestColumns& test, const Served& served,
                          const std::vector<std::string>& groups, const RowOptions& options) {
  const std::size_t n = test.questions.size();
  const bool costs = test.costs_known() && !served.cost.empty();
  const bool learns = !served.learning.empty();
  PairedTable table;
  table.questions = n;
  table.seeds = served.quality.size();
  table.columns = kColumns;
  table.allocate();
  for (std::size_t q = 0; q < n; ++q) {
    for (std::size_t s = 0; s < table.seeds; ++s) {
      const double count = served.count.empty() ? 1 : served.count[s][q];
      table.value(q, s, kCount) = count;
      table.value(q, s, kQuality) = served.quality[s][q];
      table.value(q, s, kStrong) = served.strong[s][q];
      if (costs) table.value(q, s, kCost) = served.cost[s][q];
      if (learns) table.value(q, s, kLearning) = served.learning[s][q];
      table.value(q, s, kWeak) = count * test.weak[q];
      table.value(q, s, kReference) = count * test.strong[q];
      if (!test.costs_known()) continue;
      table.value(q, s, kWeakCost) = count * test.weak_cost[q];
      table.value(q, s, kReferenceCost) = count * test.strong_cost[q];
    }
  }
  const auto figure = [](auto function) -> Statistic {
    return [function](Means sums, Means) -> Optional {
      if (!(sums[kCount] > 0)) return std::nullopt;
      return function(PerRequest(sums));
    };
  };
  const auto total = [](const PerRequest& own) { return own[kCost] + own[kLearning]; };
  const std::vector<Statistic> statistics = {
      figure([](const PerRequest& own) { return Optional(own[kQuality]); }),
      figure([](const PerRequest& own) { return ratio(own[kQuality], own[kReference]); }),
      figure([](const PerRequest& own) { return Optional(own[kStrong]); }),
      figure([total](const PerRequest& own) { return Optional(total(own)); }),
      figure([total](const PerRequest& own) { return ratio(total(own), own[kReferenceCost]); }),
      figure([](const PerRequest& own) { return ratio(own[kCost], own[kReferenceCost]); }),
      figure([](const PerRequest& own) { return pgr(own[kQuality], own[kWeak], own[kReference]); }),
      figure([](const PerRequest& own) {
        return Optional(own[kQuality] - (own[kWeak] + own[kStrong] * (own[kReference] - own[kWeak])));
      }),
      figure([costs](const PerRequest& own) {
        const auto shuffled = shuffled_quality(own, costs);
        return shuffled ? Optional(own[kQuality] - *shuffled) : std::nullopt;
      }),
      figure([total](const PerRequest& own) {
        return Optional(router_arena_score(own[kQuality], total(own) * 1000));
      }),
  };
  const auto figures = bootstrap(table, statistics, bootstrap_options(test.cluster, options));
  take(row.quality, figures, 0);
  take(row.retention, figures, 1);
  if (served.chooses) take(row.strong_share, figures, 2);
  if (costs) {
    take(row.cost_usd, figures, 3);
    take(row.cost_rel, figures, 4);
    take(row.cost_rel_serving, figures, 5);
    take(row.router_arena, figures, 9);
  }
  take(row.pgr, figures, 6);
  if (served.chooses) {
    take(row.mixture_gain, figures, 7);
    take(row.shuffle_gain, figures, 8);
    row.verdict = verdict_of(row.shuffle_gain);
  }
  row.n = n;
  row.seeds = table.seeds;
  fill_worst_group(row, test, served, groups, options);
}

std::span<const std::uint32_t> weights_as_asked(const TimesAsked& asked,
                                                std::span<const std::uint32_t> weights,
                                                std::span<const std::uint32_t> orders,
                                                std::vector<std::uint32_t>& scratch) {
  if (asked.empty()) return weights;
  scratch.assign(weights.size(), 0);
  for (const auto order : orders) {
    const auto& times = asked[order];
    for (std::size_t q = 0; q < scratch.size(); ++q) scratch[q] += static_cast<std::uint32_t>(times[q]);
  }
  for (std::size_t q = 0; q < scratch.size(); ++q) scratch[q] *= weights[q];
  return scratch;
}

DialSums dial_sums(const Served& served) {
  DialSums out;
  const std::size_t orders = served.quality.size();
  const std::size_t n = orders > 0 ? served.quality.front().size() : 0;
  const bool costs = !served.cost.empty();
  for (auto* column : {&out.count, &out.quality, &out.strong}) column->assign(n, 0);
  if (costs) out.cost.assign(n, 0);
  out.orders.resize(orders);
  DialSums::Totals all;
  const auto share = orders > 0 ? 1 / static_cast<double>(orders) : 0;
  for (std::size_t s = 0; s < orders; ++s) {
    auto& total = out.orders[s];
    const auto add = [&](std::vector<double>& column, double DialSums::Totals::*field, std::size_t q,
                         double value) {
      column[q] += value * share;
      total.*field += value;
      all.*field += value * share;
    };
    for (std::size_t q = 0; q < n; ++q) {
      add(out.count, &DialSums::Totals::count, q, served.count.empty() ? 1 : served.count[s][q]);
      add(out.quality, &DialSums::Totals::quality, q, served.quality[s][q]);
      add(out.strong, &DialSums::Totals::strong, q, served.strong[s][q]);
      if (!costs) continue;
      const double learning = served.learning.empty() ? 0 : served.learning[s][q];
      add(out.cost, &DialSums::Totals::cost, q, served.cost[s][q] + learning);
    }
  }
  for (auto& order : out.orders) {
    order.count -= all.count;
    order.quality -= all.quality;
    order.strong -= all.strong;
    order.cost -= all.cost;
  }
  return out;
}

namespace {

/// Where a setting lies on the plane, by the drawn questions and orders.
std::optional<DialPoint> dial_point(const DialSums& sums, std::span<const std::uint32_t> weights,
                                    std::span<const std::uint32_t> orders) {
  DialSums::Totals total;
  total.count = sum_of(sums.count, weights);
  total.quality = sum_of(sums.quality, weights);
  total.strong = sum_of(sums.strong, weights);
  total.cost = sum_of(sums.cost, weights);
  if (sums.orders.size() > 1) {
    double drawn = 0;
    for (const auto weight : weights) drawn += weight;
    const double part = drawn / static_cast<double>(weights.size()) /
                        static_cast<double>(std::max<std::size_t>(1, orders.size()));
    for (const auto order : orders) {
      const auto& more = sums.orders[order];
      total.count += part * more.count;
      total.quality += part * more.quality;
      total.strong += part * more.strong;
      total.cost += part * more.cost;
    }
  }
  if (!(total.count > 0)) return std::nullopt;
  DialPoint out{std::clamp(total.strong / total.count, 0.0, 1.0), total.quality / total.count, {}};
  if (!sums.cost.empty()) out.cost = total.cost / total.count;
  return out;
}

}  // namespace

void fill_curve_metrics(StrategyRow& row, const TestColumns& test, const Dial& dial,
                        const RowOptions& options) {
  std::size_t orders = 1;
  for (const auto& setting : dial.settings) orders = std::max(orders, setting.orders.size());
  const auto figures = bootstrap_weighted(
      test.questions.size(), orders, 4,
      [&](std::span<const std::uint32_t> weights, std::span<const std::uint32_t> drawn,
          std::span<Optional> out) {
        const auto weak = dial_point(dial.weak, weights, drawn);
        const auto strong = dial_point(dial.strong, weights, drawn);
        if (!weak || !strong) return;
        std::vector<DialPoint> points;
        for (const auto& setting : dial.settings) {
          const auto point = dial_point(setting, weights, drawn);
          if (!point) return;
          points.push_back(*point);
        }
        curve_metrics(anchored_curve(std::move(points), *weak, *strong), weak->cost, strong->cost, out);
      },
      bootstrap_options(test.cluster, options));
  take_curve_metrics(row, figures);
}

void fill_curve_metrics(StrategyRow& row, const TestColumns& test, const StaticSweep& sweep,
                        const TimesAsked& asked, const RowOptions& options) {
  const auto figures = bootstrap_weighted(
      test.questions.size(), std::max<std::size_t>(1, asked.size()), 4,
      [&](std::span<const std::uint32_t> weights, std::span<const std::uint32_t> orders,
          std::span<Optional> out) {
        thread_local Curve curve;
        thread_local std::vector<std::uint32_t> scratch;
        sweep.sweep(weights_as_asked(asked, weights, orders, scratch), curve);
        if (curve.empty()) return;
        curve_metrics(curve, curve.front().cost, curve.back().cost, out);
      },
      bootstrap_options(test.cluster, options));
  take_curve_metrics(row, figures);
}

std::vector<std::optional<Measured>> swept_qualities(const TestColumns& test, const StaticSweep& sweep,
                                                     const TimesAsked& asked,
                                                     const std::vector<double>& shares,
                                                     const RowOptions& options) {
  auto bootstrap = bootstrap_options(test.cluster, options);
  bootstrap.rounds = std::min(options.rounds, 200);
  return bootstrap_weighted(
      test.questions.size(), std::max<std::size_t>(1, asked.size()), shares.size(),
      [&](std::span<const std::uint32_t> weights, std::span<const std::uint32_t> orders,
          std::span<Optional> out) {
        thread_local Curve curve;
        thread_local std::vector<std::uint32_t> scratch;
        sweep.sweep(weights_as_asked(asked, weights, orders, scratch), curve);
        for (std::size_t i = 0; i < shares.size(); ++i) out[i] = quality_at_share(curve, shares[i]);
      },
      bootstrap);
}

void fill_calibration(StrategyRow& row, const TestColumns& test, const std::vector<double>& predicted,
                      std::optional<Calibration>& diagram, const RowOptions& options) {
  std::vector<double> guess;
  std::vector<double> truth;
  std::vector<std::uint32_t> cluster;
  // A question that was asked before anything was known has no prediction.
  for (std::size_t q = 0; q < test.questions.size(); ++q) {
    if (std::isnan(predicted[q]) || std::isnan(test.agrees[q])) continue;
    guess.push_back(predicted[q]);
    truth.push_back(test.agrees[q]);
    cluster.push_back(test.cluster[q]);
  }
  diagram = calibration(guess, truth);
  if (!diagram) return;
  BootstrapOptions bootstrap = bootstrap_options(test.cluster, options, Resample::kQuestions);
  bootstrap.cluster = cluster;
  bootstrap.rounds = std::min(options.rounds, 200);  // sorting for AUROC costs more than a mean
  const auto figures = bootstrap_weighted(
      guess.size(), 1, 3,
      [&](std::span<const std::uint32_t> weights, std::span<const std::uint32_t>, std::span<Optional> out) {
        std::vector<double> drawn_guess;
        std::vector<double> drawn_truth;
        std::vector<bool> label;
        for (std::size_t i = 0; i < guess.size(); ++i) {
          for (std::uint32_t k = 0; k < weights[i]; ++k) {
            drawn_guess.push_back(guess[i]);
            drawn_truth.push_back(truth[i]);
            label.push_back(truth[i] >= .5);
          }
        }
        if (const auto found = calibration(drawn_guess, drawn_truth)) {
          out[0] = found->brier;
          out[1] = found->ece;
        }
        out[2] = auroc(drawn_guess, label);
      },
      bootstrap);
  row.brier = figures[0];
  row.ece = figures[1];
  row.auroc = figures[2];
}

}  // namespace brevet
