#include "eval/split_study.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "eval/bootstrap.h"
#include "eval/metrics.h"

namespace brevet {
namespace {

using Optional = std::optional<double>;

enum Figure {
  kQuality,
  kRetention,
  kStrongShare,
  kCostUsd,
  kCostRel,
  kCostRelServing,
  kCostRelWithLearning,
  kPgr,
  kMixtureGain,
  kShuffleGain,
  kArena,
  kApgr,
  kCpt50,
  kCpt80,
  kAiq,
  kBrier,
  kEce,
  kAuroc,
  kFigures
};
using Figures = std::array<Optional, kFigures>;

struct Compared {
  Figure figure;
  const char* name;
};
constexpr Compared kCompared[] = {{kApgr, "apgr"}, {kCpt50, "cpt50"}, {kAiq, "aiq"}};

Optional ratio(double a, double b) {
  return b > 0 ? Optional(a / b) : std::nullopt;
}

std::vector<double> picked(const std::vector<double>& from, const std::vector<std::uint32_t>& places) {
  std::vector<double> out;
  if (from.empty()) return out;
  out.reserve(places.size());
  for (const auto place : places) out.push_back(from[place]);
  return out;
}

/// Weak and strong on the test questions of one split.
struct SplitColumns {
  std::vector<double> weak, strong, weak_cost, strong_cost;
};

/// Their weighted means, the same for every strategy.
struct SplitMeans {
  double weight = 0, weak = 0, strong = 0, weak_cost = 0, strong_cost = 0;
};

/// One strategy on one split, sorted once and summed with weights as often as wanted.
class StrategyOnSplit {
 public:
  StrategyOnSplit(const SplitColumns& columns, const SplitScores& scores)
      : columns_(columns),
        scores_(scores),
        sweep_({scores.score, columns.weak, columns.strong, columns.weak_cost, columns.strong_cost}) {
    for (std::uint32_t q = 0; q < scores.need.size(); ++q) {
      if (!std::isnan(scores.need[q])) by_need_.push_back(q);
    }
    std::sort(by_need_.begin(), by_need_.end(), [&](auto a, auto b) {
      return scores_.need[a] != scores_.need[b] ? scores_.need[a] < scores_.need[b] : a < b;
    });
  }

  void figures(std::span<const std::uint32_t> weights, const SplitMeans& means, Figures& out) const {
    out.fill(std::nullopt);
    if (!(means.weight > 0)) return;
    operating_point(weights, means, out);
    curve(weights, out);
    if (!by_need_.empty()) calibrated(weights, out);
  }

 private:
  void operating_point(std::span<const std::uint32_t> weights, const SplitMeans& means, Figures& out) const {
    const bool costs = !columns_.strong_cost.empty();
    double quality = 0, share = 0, cost = 0;
    for (std::size_t q = 0; q < weights.size(); ++q) {
      const bool strong = scores_.score[q] >= scores_.threshold;
      quality += weights[q] * (strong ? columns_.strong[q] : columns_.weak[q]);
      share += strong ? weights[q] : 0;
      if (costs) cost += weights[q] * (strong ? columns_.strong_cost[q] : columns_.weak_cost[q]);
    }
    quality /= means.weight, share /= means.weight, cost /= means.weight;
    out[kQuality] = quality;
    out[kRetention] = ratio(quality, means.strong);
    out[kStrongShare] = share;
    out[kPgr] = pgr(quality, means.weak, means.strong);
    const double gap = means.strong - means.weak;
    out[kMixtureGain] = quality - (means.weak + share * gap);
    out[kShuffleGain] = out[kMixtureGain];
    if (!costs) return;
    out[kCostUsd] = cost;
    out[kCostRel] = out[kCostRelServing] = ratio(cost, means.strong_cost);
    if (scores_.labels_usd && out[kCostRel]) {
      const auto requests = static_cast<double>(weights.size());
      out[kCostRelWithLearning] = *out[kCostRel] + *scores_.labels_usd / (requests * means.strong_cost);
    }
    out[kArena] = router_arena_score(quality, cost * 1000);
    const double width = means.strong_cost - means.weak_cost;
    out[kShuffleGain].reset();
    if (width > 0) {
      const double at = std::clamp((cost - means.weak_cost) / width, 0.0, 1.0);
      out[kShuffleGain] = quality - (means.weak + at * gap);
    }
  }

  void curve(std::span<const std::uint32_t> weights, Figures& out) const {
    thread_local Curve made;
    sweep_.sweep(weights, made);
    if (made.empty()) return;
    out[kApgr] = apgr(made);
    out[kCpt50] = cpt(made, .5);
    out[kCpt80] = cpt(made, .8);
    if (made.front().cost && made.back().cost) out[kAiq] = aiq(made, *made.front().cost, *made.back().cost);
  }

  /// Brier, ECE over ten equal bins and AUROC of "strong is better", in one pass over the sorted questions.
  void calibrated(std::span<const std::uint32_t> weights, Figures& out) const {
    constexpr std::size_t kBins = 10;
    std::array<double, kBins> said{}, seen{};
    double total = 0, squares = 0, positive = 0, pairs = 0;
    double block_positive = 0, block_negative = 0, negative_below = 0;
    for (std::size_t i = 0; i < by_need_.size(); ++i) {
      const auto q = by_need_[i];
      const double p = std::clamp(scores_.need[q], 0.0, 1.0);
      const double truth = columns_.strong[q] > columns_.weak[q] ? 1 : 0;
      const double weight = weights[q];
      total += weight;
      squares += weight * (p - truth) * (p - truth);
      const auto bin = std::min(kBins - 1, static_cast<std::size_t>(p * kBins));
      said[bin] += weight * p;
      seen[bin] += weight * truth;
      (truth > 0 ? block_positive : block_negative) += weight;
      if (i + 1 < by_need_.size() && scores_.need[by_need_[i + 1]] == scores_.need[q]) continue;
      pairs += block_positive * (negative_below + .5 * block_negative);
      positive += block_positive;
      negative_below += block_negative;
      block_positive = block_negative = 0;
    }
    if (!(total > 0)) return;
    out[kBrier] = squares / total;
    double gap = 0;
    for (std::size_t b = 0; b < kBins; ++b) gap += std::abs(said[b] - seen[b]);
    out[kEce] = gap / total;
    if (positive > 0 && negative_below > 0) out[kAuroc] = pairs / (positive * negative_below);
  }

  const SplitColumns& columns_;
  const SplitScores& scores_;
  StaticSweep sweep_;
  std::vector<std::uint32_t> by_need_;
};

SplitMeans means_of(const SplitColumns& columns, std::span<const std::uint32_t> weights) {
  SplitMeans out;
  const bool costs = !columns.strong_cost.empty();
  for (std::size_t q = 0; q < weights.size(); ++q) {
    const double weight = weights[q];
    out.weight += weight;
    out.weak += weight * columns.weak[q];
    out.strong += weight * columns.strong[q];
    if (!costs) continue;
    out.weak_cost += weight * columns.weak_cost[q];
    out.strong_cost += weight * columns.strong_cost[q];
  }
  for (auto* sum : {&out.weak, &out.strong, &out.weak_cost, &out.strong_cost}) *sum /= out.weight;
  return out;
}

}  // namespace

const std::vector<std::optional<Measured> StrategyRow::*>& study_figures() {
  static const std::vector<std::optional<Measured> StrategyRow::*> list = {
      &StrategyRow::quality,
      &StrategyRow::retention,
      &StrategyRow::strong_share,
      &StrategyRow::cost_usd,
      &StrategyRow::cost_rel,
      &StrategyRow::cost_rel_serving,
      &StrategyRow::cost_rel_with_learning,
      &StrategyRow::pgr,
      &StrategyRow::mixture_gain,
      &StrategyRow::shuffle_gain,
      &StrategyRow::router_arena,
      &StrategyRow::apgr,
      &StrategyRow::cpt50,
      &StrategyRow::cpt80,
      &StrategyRow::aiq,
      &StrategyRow::brier,
      &StrategyRow::ece,
      &StrategyRow::auroc};
  return list;
}

StudyFigures study(const TestColumns& all, const Study& made, const RowOptions& options) {
  const std::size_t splits = made.test.size();
  const std::size_t strategies = made.strategies.size();
  std::vector<SplitColumns> columns;
  for (const auto& test : made.test) {
    columns.push_back({picked(all.weak, test), picked(all.strong, test), picked(all.weak_cost, test),
                       picked(all.strong_cost, test)});
  }
  std::vector<std::vector<StrategyOnSplit>> on(splits);
  for (std::size_t s = 0; s < splits; ++s) {
    for (std::size_t k = 0; k < strategies; ++k) on[s].emplace_back(columns[s], made.scores[k][s]);
  }
  struct Pair {
    std::size_t a, b;
    const Compared* what;
  };
  std::vector<Pair> pairs;
  for (std::size_t a = 0; a < strategies; ++a) {
    for (std::size_t b = a + 1; b < strategies; ++b) {
      for (const auto& what : kCompared) pairs.push_back({a, b, &what});
    }
  }
  const auto bootstrap = bootstrap_options(all.cluster, options);
  const auto found = bootstrap_weighted(
      all.questions.size(), splits, strategies * kFigures + pairs.size(),
      [&](std::span<const std::uint32_t> weights, std::span<const std::uint32_t> drawn,
          std::span<Optional> out) {
        std::vector<double> times(splits, 0);
        for (const auto split : drawn) times[split] += 1;
        struct Sum {
          double value = 0;
          bool whole = true;
        };
        std::vector<std::array<Sum, kFigures>> sums(strategies);
        std::vector<std::uint32_t> of_split;
        Figures figures;
        for (std::size_t s = 0; s < splits; ++s) {
          if (times[s] == 0) continue;
          of_split.clear();
          for (const auto question : made.test[s]) of_split.push_back(weights[question]);
          const auto means = means_of(columns[s], of_split);
          for (std::size_t k = 0; k < strategies; ++k) {
            on[s][k].figures(of_split, means, figures);
            for (std::size_t f = 0; f < kFigures; ++f) {
              sums[k][f].whole = sums[k][f].whole && figures[f];
              sums[k][f].value += times[s] * figures[f].value_or(0);
            }
          }
        }
        const auto count = static_cast<double>(drawn.size());
        const auto mean = [&](std::size_t k, std::size_t f) {
          return sums[k][f].whole ? Optional(sums[k][f].value / count) : std::nullopt;
        };
        for (std::size_t k = 0; k < strategies; ++k) {
          for (std::size_t f = 0; f < kFigures; ++f) out[k * kFigures + f] = mean(k, f);
        }
        for (std::size_t p = 0; p < pairs.size(); ++p) {
          const auto a = mean(pairs[p].a, pairs[p].what->figure);
          const auto b = mean(pairs[p].b, pairs[p].what->figure);
          if (a && b) out[strategies * kFigures + p] = *a - *b;
        }
      },
      bootstrap);
  StudyFigures out;
  for (std::size_t k = 0; k < strategies; ++k) {
    const auto from = found.begin() + static_cast<std::ptrdiff_t>(k * kFigures);
    out.of.emplace_back(from, from + kFigures);
  }
  std::size_t tested = 0;
  for (const auto& test : made.test) tested += test.size();
  for (std::size_t p = 0; p < pairs.size(); ++p) {
    PairwiseRow row;
    row.a = made.strategies[pairs[p].a];
    row.b = made.strategies[pairs[p].b];
    row.metric = pairs[p].what->name;
    row.difference = found[strategies * kFigures + p];
    row.n = tested / std::max<std::size_t>(1, splits);
    row.splits = splits;
    out.pairwise.push_back(std::move(row));
  }
  return out;
}

}  // namespace brevet
