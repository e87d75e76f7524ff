// The metrics of routing, as pure functions over plain vectors. docs/evaluation-protocol.md has each formula
// with its source and what it does not show; tools/reference_metrics.py computes each again another way.
//
// Called by the evaluation engine once per strategy, and by the bootstrap once per round (a StaticSweep is
// built once and swept with weights). Everything here is deterministic; const functions are thread-safe.
//
// Conventions. Qualities are 0..1, shares are fractions 0..1, costs are USD per question. "No gap" means that
// strong is not better than weak on these questions: then nothing can be recovered, and PGR, APGR and CPT are
// empty. Does not play anything, read files, or know strategies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace brevet {

/// One setting of a strategy's dial: what share of the questions strong served, how good, at what mean cost.
struct DialPoint {
  double strong_share = 0;
  double quality = 0;
  std::optional<double> cost;  ///< empty when any part of it is unknown
};
/// By strong share, ascending. Between two points a strategy is taken to mix them at random (linear).
using Curve = std::vector<DialPoint>;

// ---- Curves ----

/// What a static router is swept over: one entry per question in each vector.
struct SweptQuestions {
  std::vector<double> score;  ///< higher = more need for strong; finite
  std::vector<double> weak_quality;
  std::vector<double> strong_quality;
  /// Both or neither; empty as soon as one cost of either model is unknown.
  std::vector<double> weak_cost;
  std::vector<double> strong_cost;
};

/// Sorts once; each sweep is one O(n) pass. Questions with equal scores move to strong together, as a block:
/// no order among them is invented, and the straight line over a block is what breaking ties at random gives.
class StaticSweep {
 public:
  /// All vectors of `questions` must have one length (assert).
  explicit StaticSweep(const SweptQuestions& questions);
  std::size_t size() const { return order_.size(); }
  /// From nothing to strong (share 0) to everything (share 1), highest score first: blocks + 1 points.
  /// `weights` counts each question (original order) that many times; empty = once each. A block of weight 0
  /// has no point; without any weight the curve is empty. `out` is reused without allocating.
  void sweep(std::span<const std::uint32_t> weights, Curve& out) const;
  Curve curve() const;

 private:
  struct Entry {
    double weak_quality, strong_quality, weak_cost, strong_cost;
    bool ends_block;
  };
  std::vector<std::uint32_t> order_;  // question at each place, by falling score
  std::vector<Entry> entries_;        // in that order
  bool cost_known_ = false;
};

/// The dial points of an online strategy as a curve from always_weak (share 0) to always_strong (share 1).
/// Points with exactly the same share are averaged (cost unknown if one is); points at exactly 0 or 1 stay
/// beside the anchors, which come first and last.
Curve anchored_curve(std::vector<DialPoint> points, const DialPoint& always_weak,
                     const DialPoint& always_strong);

/// Quality by straight line at a strong share inside the curve; empty outside.
std::optional<double> quality_at_share(const Curve& curve, double strong_share);
/// Cost by straight line, likewise; empty too where a neighbour's cost is unknown.
std::optional<double> cost_at_share(const Curve& curve, double strong_share);

// ---- RouteLLM's metrics (arXiv 2406.18665, section 3) ----

/// Performance gap recovered: (quality - weak) / (strong - weak). Empty without a gap.
std::optional<double> pgr(double quality, double weak, double strong);
/// Average PGR: trapezoid over strong share, (AUC - AUC_weak) / (AUC_strong - AUC_weak), where weak and
/// strong are the curve's ends. .5 = random mixture. Empty without a gap or unless the curve spans shares 0
/// to 1.
std::optional<double> apgr(const Curve& curve);
/// Call-performance threshold: the smallest strong share, by straight lines, at which the curve first reaches
/// weak + recovered * (strong - weak). `recovered` is a fraction (.5, .8). Empty without a gap or where
/// never.
std::optional<double> cpt(const Curve& curve, double recovered);

// ---- Cost and quality (RouterBench, arXiv 2403.12031) ----

struct CostPoint {
  double cost = 0;
  double quality = 0;
};
/// Non-decreasing upper convex hull, by cost ascending, O(n log n): the best quality that mixing the points
/// at random buys at each mean cost. Starts at the cheapest point (the best of those), ends at the best
/// quality.
std::vector<CostPoint> upper_hull(std::vector<CostPoint> points);
/// Quality that a hull buys at a cost: straight lines between its points; right of the last point the last
/// quality (money may stay unspent); left of the first empty (nothing can be had for it).
std::optional<double> hull_quality(const std::vector<CostPoint>& hull, double cost);
/// Cost at which a hull first has a quality; empty above its best.
std::optional<double> hull_cost(const std::vector<CostPoint>& hull, double quality);
/// Average improvement in quality: the hull's integral over [cost_min, cost_max] divided by the width. Two
/// choices of ours at the ends: right of the last point quality stays flat; left of the first it counts as 0,
/// so that a strategy which cannot be had so cheaply is not credited there. The bounds are common to all that
/// is compared: the costs of always_weak and always_strong. Empty unless cost_min < cost_max.
std::optional<double> aiq(const std::vector<CostPoint>& points, double cost_min, double cost_max);
/// The same over a curve; empty where a cost of it is unknown.
std::optional<double> aiq(const Curve& curve, double cost_min, double cost_max);

/// RouterArena's score S = (1+b) A C / (b A + C), b = .1, with C = (log2 200 - log2 c) / (log2 200 - log2
/// .0044), c in USD per 1,000 queries, clamped to [.0044, 200] (so C is 0..1; nothing is gained below .0044);
/// A is 0..1.
double router_arena_score(double accuracy, double usd_per_thousand);

// ---- Single models, oracle, mixture ----

/// What models did on questions. A model that was not run on one has an empty quality there.
struct OutcomeCell {
  std::optional<double> quality;
  std::optional<double> cost;  ///< USD
};
struct OutcomeTable {
  std::vector<std::string> models;
  std::size_t questions = 0;
  std::vector<OutcomeCell> cells;  ///< [model][question]

  const OutcomeCell& at(std::size_t model, std::size_t question) const {
    return cells[model * questions + question];
  }
  OutcomeCell& at(std::size_t model, std::size_t question) { return cells[model * questions + question]; }
};

struct SingleModel {
  std::size_t model = 0;       ///< index in the table
  double quality = 0;          ///< mean over the questions that it was run on
  std::optional<double> cost;  ///< mean; empty as soon as one is unknown
  std::size_t n = 0;           ///< questions it was run on
};
/// One entry per model, in the table's order; n = 0 leaves quality 0 and cost empty.
std::vector<SingleModel> single_models(const OutcomeTable& table);
/// The best among the models that were run on every question; ties to the cheaper (known before unknown),
/// then to the first. Empty when no model was.
std::optional<SingleModel> best_single(const OutcomeTable& table);
/// Zero router (RouterBench): hull of the models run on every question. Those without a known cost have no
/// place on it.
std::vector<CostPoint> zero_router_hull(const OutcomeTable& table);

struct Oracle {
  double quality = 0;
  std::optional<double> cost;        ///< mean; empty as soon as one chosen cell's cost is unknown
  std::vector<std::int32_t> choice;  ///< per question: model index, -1 where no model was run
  std::vector<double> chosen_share;  ///< per model: share of the questions it serves
  std::size_t n = 0;                 ///< questions with a model
};
/// Best score per question among `models` (indices; empty = all); ties to the cheapest. A known cost comes
/// before an unknown one, and among unknown costs the model listed first. A question that nobody gets right
/// goes to the cheapest too and is paid (RouterBench books it at no cost).
Oracle oracle(const OutcomeTable& table, const std::vector<std::size_t>& models = {});

/// Random mixture of two points at a strong share: the line between them.
DialPoint mixture_at_share(const DialPoint& weak, const DialPoint& strong, double strong_share);

// ---- Calibration, groups, latency ----

struct ReliabilityBin {
  double low = 0, high = 0;  ///< predictions in [low, high), the last bin closed
  std::size_t n = 0;
  double predicted = 0;  ///< mean prediction in the bin
  double observed = 0;   ///< mean outcome in the bin
};
struct Calibration {
  std::vector<ReliabilityBin> bins;  ///< equal width over [0, 1]; empty bins are kept with n = 0
  double brier = 0;                  ///< mean of (prediction - outcome)^2
  double ece = 0;                    ///< sum over bins of share * |predicted - observed| (Naeini et al. 2015)
  std::size_t n = 0;
};
/// Predictions outside [0, 1] are clamped into it; outcomes are 0..1. Empty without data.
std::optional<Calibration> calibration(const std::vector<double>& predicted,
                                       const std::vector<double>& outcome, std::size_t bins = 10);

struct GroupFigures {
  std::uint32_t group = 0;
  std::size_t n = 0;
  double quality = 0;  ///< mean served
  double weak = 0;     ///< mean of the weak model
  double strong = 0;   ///< mean of the strong model
  double strong_share = 0;
  std::optional<double> retention;  ///< quality / strong; empty where strong scores 0
};
/// One line per group that occurs, by group number. All vectors have one length (assert).
std::vector<GroupFigures> group_figures(const std::vector<std::uint32_t>& group,
                                        const std::vector<double>& served, const std::vector<double>& weak,
                                        const std::vector<double>& strong,
                                        const std::vector<double>& strong_served);
/// Lowest retention among groups of at least n_min questions; ties to the lower group. Empty when none
/// qualifies. The lowest of many noisy figures is biased downwards: say its n.
std::optional<GroupFigures> worst_group(const std::vector<GroupFigures>& groups, std::size_t n_min);

/// Quantile by straight line between order statistics (type 7 of Hyndman and Fan). Empty without values.
std::optional<double> quantile(std::vector<double> values, double q);

}  // namespace brevet
