// Everything that the outputs of an evaluation need, as plain values. Filled by the evaluation engine, read
// by report_json.h, report_table.h and report_html.h; those compute nothing but positions and texts.
//
// Conventions. Shares, qualities and CPT are fractions 0..1; money is USD; an empty optional means "does not
// apply" or "unknown" and is written as null, never as 0. Lists keep the order in which they are filled:
// sort before, so that the same run gives the same bytes. What depends on clock or machine belongs into
// `timing` alone. Texts are plain UTF-8, unescaped: each output escapes for itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "eval/measured.h"
#include "eval/metrics.h"

namespace brevet {

// ---- The run ----

struct DropCount {
  std::string reason;  ///< such as "contaminated", "duplicate prompt and choices", "a model has no answer"
  std::uint64_t n = 0;
};

struct DataFile {
  std::string path;
  std::string sha256;  ///< of the bytes as stored
  std::uint64_t records = 0;
};

struct RunFacts {
  std::string command;  ///< as one could type it again
  std::string version;  ///< of Brevet
  std::uint64_t seed = 0;
  std::uint64_t seeds = 0;  ///< orders per strategy
  std::string order;        ///< "random", "topic-blocked", ...
  std::string signal;       ///< "agreement" or "truth"
  std::uint64_t lag = 0;    ///< requests until what was learned is visible
  std::uint64_t fit_labels = 0;
  std::string prices;   ///< which price file, and what it is
  std::string encoder;  ///< identity of the sentence encoder, or empty
  int bootstrap_rounds = 0;
  std::vector<DataFile> files;
  std::vector<std::pair<std::string, std::string>> more;  ///< further facts, name and value
};

// ---- One strategy on one data set ----

/// What its own decisions, shuffled, say about a strategy.
enum class ShuffleVerdict {
  kNotApplicable,
  kBeatsShuffle,  ///< "beats its own shuffle": the whole interval of the gain is above 0
  kNotShown,      ///< "not shown": the gain is above 0, its interval is not, or there is none
  kDoesNothing,   ///< "does nothing": the gain is 0 or below
};
/// By the definitions above; empty = not applicable.
ShuffleVerdict verdict_of(const std::optional<Measured>& shuffle_gain);
/// The words in quotes above; "" where it does not apply.
const char* name_of(ShuffleVerdict verdict);

/// A strategy (or baseline) on a data set: one line of the main table.
struct StrategyRow {
  std::string dataset;
  std::uint64_t n = 0;   ///< test questions
  std::string strategy;  ///< as given, options included: "knn{k=40}"
  std::uint64_t seeds = 1;
  std::uint64_t splits = 1;             ///< into fitting, calibration and test; figures are means over them
  std::optional<std::uint64_t> labels;  ///< questions that it was fitted on; empty = it is not fitted
  bool baseline = false;                ///< always there, whether named or not
  std::string
      setting;  ///< the dial's setting that the figures are at, such as "strong_share=.5"; may be empty

  std::optional<Measured> quality;
  std::optional<Measured> retention;  ///< quality / quality of always_strong
  std::optional<Measured> strong_share;
  /// Mean per request of everything that is paid while serving: every attempt, shadow, judge and guide.
  std::optional<Measured> cost_usd;
  std::optional<Measured> cost_rel;                ///< the same, always_strong = 1
  std::optional<Measured> cost_rel_serving;        ///< without what was spent to learn
  std::optional<Measured> cost_rel_with_learning;  ///< and the fitting labels, spread over the test questions
  std::optional<Measured> apgr, cpt50, cpt80;
  std::optional<Measured> aiq;
  std::optional<Measured> router_arena;
  std::optional<Measured> pgr;
  std::optional<Measured> shuffle_gain;  ///< over its own decisions shuffled at the same cost
  std::optional<Measured> mixture_gain;  ///< over the random mixture at the same strong share
  std::optional<Measured> brier, ece, auroc;
  std::optional<Measured> worst_group;  ///< retention of the worst group
  std::string worst_group_name;
  std::uint64_t worst_group_n = 0;
  /// Latency of deciding. Depends on the machine: it is written under `timing` only.
  std::optional<double> latency_p50_ms, latency_p99_ms;
  ShuffleVerdict verdict = ShuffleVerdict::kNotApplicable;
  std::string cost_basis;           ///< "recorded", "priced", "assumed" or "unknown"
  std::uint64_t unknown_costs = 0;  ///< requests whose cost is unknown
  std::string note;                 ///< what the reader must know about this line, or empty
};

/// The measured figures of a row with their names in the JSON, in the order in which they are written.
struct NamedFigure {
  const char* name;
  const std::optional<Measured> StrategyRow::*figure;
};
const std::vector<NamedFigure>& row_figures();

// ---- Pictures ----

/// A point of the cost-quality plane.
struct PlanePoint {
  std::optional<double> strong_share;
  std::optional<double>
      cost_rel;  ///< always_strong = 1; with neither cost nor share known the point is not drawn
  Measured quality;
  std::optional<Range> cost_rel_ci;
};
/// A strategy's dial, or one point where it has none. Thin long curves before (a few hundred points are
/// plenty).
struct PlaneCurve {
  std::string strategy;
  bool baseline = false;
  std::vector<PlanePoint> points;  ///< by cost (or share), ascending
};
struct NamedPoint {
  std::string name;
  PlanePoint point;
};
struct CostQualityPlane {
  std::vector<PlaneCurve> curves;
  std::vector<CostPoint> hull;  ///< Zero router; cost is cost_rel
  std::vector<NamedPoint> single_models;
  std::vector<NamedPoint> oracles;  ///< "oracle", "oracle_all"
};

/// State of a stream after so many requests: from the first request on, not of the last stretch.
struct LearningPoint {
  std::uint64_t requests = 0;  ///< 1,000, 5,000, all at least
  std::optional<Measured> quality;
  std::optional<Measured> strong_share;
  std::optional<Measured> cost_rel;
  std::optional<Measured> cost_rel_with_learning;
};
struct LearningCurve {
  std::string strategy;
  std::vector<LearningPoint> points;
};

struct ReliabilityDiagram {
  std::string strategy;
  std::string predicts;  ///< what the prediction is of, such as "the weak model is right"
  Calibration calibration;
};

struct TopicRow {
  std::string topic;
  std::uint64_t n = 0;
  std::optional<double> weak, strong;  ///< quality of the two models
  /// In the order of TopicTable::strategies.
  struct Cell {
    std::optional<double> quality, strong_share, retention;
  };
  std::vector<Cell> cells;
};
struct TopicTable {
  std::vector<std::string> strategies;
  std::vector<TopicRow> rows;
};

/// One decision shown to a person.
struct ShownDecision {
  std::string strategy;
  std::string question_id;
  std::string topic;
  std::string prompt;  ///< shortened by the engine or the output, see kShownPromptBytes
  std::string served_by;
  std::string reason;
  double score = 0;                   ///< of what was served
  std::optional<double> alternative;  ///< score of the model that was not served
  std::optional<double> cost_usd;     ///< of this decision, learning included
  std::optional<double> cost_rel;     ///< times what always_strong would have paid on it
};
inline constexpr std::size_t kShownPromptBytes = 240;

// ---- One data set, the whole report ----

struct SplitSizes {
  std::uint64_t fitting = 0, calibration = 0, test = 0;
  std::uint64_t clusters = 0;  ///< of near-duplicate questions, over all three
  std::uint64_t largest_cluster = 0;
};

/// What embedding the requests took. Nothing is paid for it: the encoder runs in the process.
struct EmbeddingFigures {
  std::uint64_t texts = 0;                            ///< 0 = without an encoder
  std::uint64_t measured = 0;                         ///< of those, one at a time on one thread
  std::optional<double> ms_per_text, cpu_s_per_text;  ///< machine-dependent: written under `timing` only
};

struct DatasetReport {
  std::string name;
  std::string file;                 ///< path as given
  std::vector<std::string> models;  ///< weak first, strong last
  std::uint64_t records = 0;
  std::vector<DropCount> dropped;
  SplitSizes splits;
  std::string cost_basis;
  EmbeddingFigures embedding;
  std::vector<StrategyRow> rows;
  std::vector<StrategyRow> label_curve;  ///< fitted strategies again, at other numbers of labels
  CostQualityPlane plane;
  std::vector<LearningCurve> learning;
  std::vector<ReliabilityDiagram> reliability;
  TopicTable topics;
  std::vector<ShownDecision> costly;  ///< at most ten, most costly first
  std::vector<ShownDecision> wrong;   ///< at most ten, most wrong first
  std::vector<std::string> notes;     ///< faults of the data and limits of the figures
};

/// Fitted on one data set, tested on another.
struct TransferRow {
  std::string strategy;
  std::string fitted_on;
  std::string tested_on;
  std::uint64_t n = 0;
  std::optional<Measured> apgr;
  std::optional<Measured> cpt50;         ///< strong share needed for half of the gap
  std::optional<Measured> mixture_gain;  ///< at the wanted share, threshold set on `tested_on`
  /// At the threshold of the operating point of `fitted_on`, carried over unchanged.
  std::optional<Measured> carried_strong_share, carried_quality, carried_mixture_gain;
  std::optional<double> apgr_at_home;  ///< fitted and tested on `tested_on`
};

/// One strategy against another on the same questions and splits.
struct PairwiseRow {
  std::string dataset;
  std::string a, b;
  std::string metric;                  ///< "apgr", "cpt50", "aiq" or "quality"
  std::optional<Measured> difference;  ///< of a less that of b
  std::uint64_t n = 0;                 ///< test questions of a split
  std::uint64_t splits = 1;
};

/// Whatever depends on the machine and the hour.
struct Timing {
  std::string started_utc;  ///< ISO 8601
  double wall_s = 0;
  std::vector<std::pair<std::string, double>> phases_s;
  std::optional<double> peak_memory_mib;
  std::string machine;
};

struct EvalReport {
  RunFacts run;
  std::vector<DatasetReport> datasets;
  std::vector<PairwiseRow> pairwise;
  std::vector<TransferRow> transfer;
  std::vector<std::string> notes;
  Timing timing;
};

}  // namespace brevet
