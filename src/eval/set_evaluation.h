// The evaluation of one data set: fits, plans streams, has them run, and makes rows and pictures of them.
//
// Used inside src/eval by the engine, one object per data set and one thread. set_evaluation.cc plans, runs
// and makes rows; set_baselines.cc has what is arithmetic on single models; set_views.cc has learning curves,
// topics and single decisions.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "eval/engine.h"
#include "eval/rows.h"
#include "eval/split_study.h"
#include "strategy/strategy.h"

namespace brevet {

/// NaN is an unknown cost inside src/eval; outputs write null.
inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// A serving strategy of the list; null when there is none of the name.
const StrategyKind* kind_of(const std::string& name);
/// Baselines that are arithmetic on single models.
bool computed_baseline(const std::string& name);
double sum_of(const std::vector<double>& values);
double mean_of(const std::vector<double>& values);
bool has_unknown(const std::vector<double>& values);
PlanePoint plane_point(const StrategyRow& row);
Error interrupted_error();

/// What is to be run for one strategy on one data set, and where its streams are.
struct Plan {
  EvalStrategy strategy;
  const StrategyKind* kind = nullptr;
  bool baseline = false;
  std::string setting;             ///< of the operating point
  std::size_t point = 0;           ///< first task of the operating point (seeds follow)
  std::vector<std::size_t> dials;  ///< first task of each dial setting
  std::vector<double> dial_settings;
};

/// What a strategy was fitted to, and what its labels cost.
struct FittedStrategy {
  FrozenMemory memory;   ///< what it reads where it reads what is remembered
  RouterPtr router;      ///< and where it reads a router
  StrategyPtr strategy;  ///< that reads the router; null = to be made, from its options alone
  std::optional<double> cost_usd;
  std::size_t labels = 0;
  std::string failure;  ///< why the router could not be fitted; empty = it was
};

/// Need for strong where a strategy gives no score: above every other.
inline constexpr double kNothingKnown = 1;

/// What a swept strategy says of questions, and the threshold that follows.
struct SweptScores {
  std::vector<double> test, calibration;  ///< higher = more need for strong
  std::vector<double> agreement;          ///< P(agree) as the strategy says it, by test question; NaN = none
  float p50 = 0, p99 = 0;                 ///< milliseconds to decide
  double threshold = 0;                   ///< strong from here on, for the wanted share
};
/// The threshold at which `share` of the calibration questions (of the test, where there are none) reach it.
double threshold_for(const SweptScores& scores, double share);

class SetEvaluation {
 public:
  SetEvaluation(const EvalOptions& options, std::shared_ptr<QuestionSet> set, EmbeddingPool* pool)
      : options_(options), set_(std::move(set)), pool_(pool) {
    test_ = test_columns(*set_, set_->split().test);
    test_questions_ = std::make_shared<const std::vector<std::uint32_t>>(test_.questions);
    for (const auto question : test_.questions) {
      const bool known =
          set_->cost(question, 0).amount && set_->cost(question, set_->models().size() - 1).amount;
      unknown_costs_ += known ? 0 : 1;
    }
    rows_.rounds = options.bootstrap_rounds;
    rows_.seed = options.seed;
    rows_.threads = static_cast<unsigned>(std::max(1, options.threads));
  }

  Result<DatasetReport> run();
  const QuestionSet& set() const { return *set_; }
  const TestColumns& test() const { return test_; }
  /// What a swept strategy was fitted to on this set's own split.
  const FittedStrategy& fitted(const EvalStrategy& strategy) const;
  const std::vector<StreamTask>& tasks() const { return tasks_; }

  Result<SweptScores> swept_scores(const EvalStrategy& strategy, const FittedStrategy& fitted,
                                   const std::string& weak_name, const std::string& strong_name) const;
  std::vector<PairwiseRow> take_pairwise() { return std::move(pairwise_); }

 private:
  void progress(const std::string& what, std::size_t done, std::size_t all,
                std::optional<double> left) const {
    if (options_.progress) options_.progress(set_->name() + ": " + what, done, all, left);
  }
  bool stopped() const { return options_.stop && options_.stop(); }
  Result<> fit();
  Result<> fit_routers();
  /// Of the fitting questions, through the flow.
  Result<SweptScores> swept_scores_on(const EvalStrategy& strategy, const FittedStrategy& fitted,
                                      const std::vector<std::uint32_t>& calibration,
                                      const std::vector<std::uint32_t>& test, const std::string& weak_name,
                                      const std::string& strong_name) const;
  Result<FittedStrategy> fit_memory(const Split& split) const;
  /// Swept strategies on further splits and at further numbers of labels, and against each other.
  Result<> add_studies();
  Result<Study> make_study(std::size_t labels, bool main_split_known) const;
  /// A row that says why there are no figures.
  void unfitted_row(const Plan& plan, const FittedStrategy& fitted);
  std::vector<OrderedRequest> order_of(std::size_t seed) const;
  ReplayPlan base_plan(std::size_t seed) const;
  Result<ReplayPlan> everything_shadowed() const;
  Result<> plan_streams();
  Result<std::size_t> add_tasks(const EvalStrategy& strategy, std::size_t seeds, bool keep_reasons);
  void computed_row(const std::string& name);
  std::optional<Measured> zero_router_aiq() const;
  Result<> swept_row(const Plan& plan);
  void many_row(const Plan& plan);
  /// Empty for kinds that speak of two, and where there are no other candidates.
  std::optional<ManyOnSplit> many_on(const EvalStrategy& strategy, const FittedStrategy& own,
                                     const std::vector<std::uint32_t>& calibration,
                                     const std::vector<std::uint32_t>& test) const;
  void fill_many(StrategyRow& row, const ManyOnSplit& made);
  void study_many(const Study& made);
  void online_row(const Plan& plan);
  /// Says on the row that the set is too small for a strategy that first learns so many outcomes.
  void note_if_too_small(StrategyRow& row, const Plan& plan, std::size_t point) const;
  Served served_by(std::size_t first, std::size_t seeds) const;
  /// What does not depend on the order, as often as each order asks it; `once` has each question once.
  Served as_asked(Served once) const;
  /// Always the one model, as the end of a dial.
  DialSums anchor(std::size_t model) const;
  /// Of strong, had it served an order: the mean over orders. Empty when a cost is unknown.
  std::optional<double> strong_cost_of_an_order() const;
  void add_learning_curve(const Plan& plan);
  /// Of a fitted strategy: nothing changes while it serves, but its labels are paid before the first request.
  void add_fitted_curve(const std::string& strategy, const std::vector<double>& scores, double threshold,
                        std::optional<double> labels_usd);
  void add_topics();
  void add_decisions(const Plan& plan);
  void finish_row(StrategyRow row, const Served& served);
  static void add_note(StrategyRow& row, const std::string& text);

  const EvalOptions& options_;
  const std::shared_ptr<QuestionSet> set_;
  EmbeddingPool* const pool_;
  TestColumns test_;
  TimesAsked asked_;                        ///< by order, where an order repeats questions
  std::vector<std::uint32_t> asked_total_;  ///< over all orders; empty where none repeats
  std::uint64_t unknown_costs_ = 0;         ///< test questions on which weak's or strong's cost is unknown
  RowOptions rows_;
  FittedStrategy fitted_;
  std::map<std::string, FittedStrategy> routers_;  ///< by EvalStrategy::text
  std::map<std::string, SweptScores> swept_;       ///< likewise, on the set's own split
  std::vector<PairwiseRow> pairwise_;
  std::vector<Plan> plans_;
  std::optional<Plan> shown_;  ///< whose decisions the report shows: the last one that learns
  std::shared_ptr<const std::vector<std::uint32_t>> test_questions_;
  std::vector<std::shared_ptr<const std::vector<OrderedRequest>>> orders_;  ///< by seed, shared by tasks
  std::vector<StreamTask> tasks_;
  std::vector<Stream> streams_;
  DatasetReport report_;
  /// For the table of topics: what each row served, sums over orders by topic.
  struct TopicSums {
    std::string strategy;
    std::vector<double> quality, strong, count;
  };
  std::vector<TopicSums> for_topics_;
};

}  // namespace brevet
