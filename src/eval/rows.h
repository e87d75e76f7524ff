// From paired per-question figures to a row of the report. Used inside src/eval by the engine. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "eval/bootstrap.h"
#include "eval/question_set.h"
#include "eval/report_model.h"

namespace brevet {

/// What the test questions are worth with either model; the same for every row of a data set.
struct TestColumns {
  std::vector<std::uint32_t> questions;
  std::vector<std::uint32_t> cluster;  ///< of near-duplicates, resampled whole
  std::vector<std::uint32_t> group;
  std::vector<double> weak, strong;            ///< quality
  std::vector<double> weak_cost, strong_cost;  ///< USD; empty when any is unknown
  std::vector<double> agrees;  ///< 1 weak's answer is the same as strong's, 0 not, NaN cannot tell
  bool costs_known() const { return !strong_cost.empty(); }
};
TestColumns test_columns(const QuestionSet& set, const std::vector<std::uint32_t>& questions);

/// What a strategy did on the test questions, by [seed][question]: sums over the times it was asked.
struct Served {
  std::vector<std::vector<double>> count;  ///< empty = once each
  std::vector<std::vector<double>> quality, strong;
  std::vector<std::vector<double>> cost;      ///< serving; empty when any is unknown
  std::vector<std::vector<double>> learning;  ///< of shadows; empty when any is unknown or nothing learns
  bool chooses = true;  ///< between weak and strong; false where a share of strong says nothing
};

struct RowOptions {
  int rounds = 1000;
  std::uint64_t seed = 1;
  unsigned threads = 1;
};

/// Of a bootstrap over questions, resampled by their clusters of near-duplicates, and orders or splits.
BootstrapOptions bootstrap_options(const std::vector<std::uint32_t>& cluster, const RowOptions& options,
                                   Resample what = Resample::kQuestionsAndOrders);

/// Fills everything that follows from what was served at one setting: quality, retention, share, costs, PGR,
/// gains, RouterArena's score, worst group, verdict.
void fill_operating_point(StrategyRow& row, const TestColumns& test, const Served& served,
                          const std::vector<std::string>& groups, const RowOptions& options);

/// How often each order asks each question, [order][question]; empty = once each in every order.
using TimesAsked = std::vector<std::vector<double>>;
/// The weights of a resample: questions as they were drawn, times how often the drawn orders ask them.
/// `scratch` keeps the result where there is one to make.
std::span<const std::uint32_t> weights_as_asked(const TimesAsked& asked,
                                                std::span<const std::uint32_t> weights,
                                                std::span<const std::uint32_t> orders,
                                                std::vector<std::uint32_t>& scratch);

/// One setting of a dial: sums over the times that a question was asked, averaged over orders, and how far
/// each order as a whole lies from that average.
struct DialSums {
  struct Totals {
    double count = 0, quality = 0, strong = 0, cost = 0;
  };
  std::vector<double> count, quality, strong;  ///< by question
  std::vector<double> cost;                    ///< learning included; empty when any is unknown
  std::vector<Totals> orders;                  ///< by order: its totals less the average's
};
DialSums dial_sums(const Served& served);

/// An online strategy's dial, between the models that end its curve.
struct Dial {
  DialSums weak, strong;
  std::vector<DialSums> settings;
};
/// APGR, CPT and AIQ from a curve that is made anew in every bootstrap round. Questions and orders are both
/// drawn. The orders' part is additive: what the drawn questions come to in the average order, and what the
/// drawn orders come to on all questions. Drawing every pair of them would take as many times longer as there
/// are orders, and counts the interaction of question and order three times in the variance, this twice
/// (Owen, Annals of Applied Statistics 2007).
void fill_curve_metrics(StrategyRow& row, const TestColumns& test, const Dial& dial,
                        const RowOptions& options);
void fill_curve_metrics(StrategyRow& row, const TestColumns& test, const StaticSweep& sweep,
                        const TimesAsked& asked, const RowOptions& options);
/// Quality of a swept curve at strong shares, with intervals for drawing (200 rounds at most).
std::vector<std::optional<Measured>> swept_qualities(const TestColumns& test, const StaticSweep& sweep,
                                                     const TimesAsked& asked,
                                                     const std::vector<double>& shares,
                                                     const RowOptions& options);
/// Brier, ECE and AUROC of a probability that weak agrees with strong, by question of one order (NaN = none
/// was given): a mean over orders would look better calibrated than any of them is.
void fill_calibration(StrategyRow& row, const TestColumns& test, const std::vector<double>& predicted,
                      std::optional<Calibration>& diagram, const RowOptions& options);

}  // namespace brevet
