#include "eval/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <thread>

#include "eval/rows.h"
#include "strategy/strategy.h"

namespace brevet {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kCurvePoints = 200;  ///< of a swept curve in the report
constexpr std::size_t kShownDecisions = 10;
constexpr std::size_t kTopicsShown = 60;

OptionValue option_of(const std::string& text) {
  if (text == "true" || text == "false") return text == "true";
  const char* end = text.data() + text.size();
  std::int64_t whole = 0;
  if (const auto read = std::from_chars(text.data(), end, whole); read.ec == std::errc{} && read.ptr == end)
    return whole;
  double number = 0;
  if (const auto read = std::from_chars(text.data(), end, number); read.ec == std::errc{} && read.ptr == end)
    return number;
  return text;
}

const StrategyKind* kind_of(const std::string& name) {
  for (const auto& kind : strategies()) {
    if (kind.name == name && !kind.shadow_plan) return &kind;
  }
  return nullptr;
}

bool computed_baseline(const std::string& name) {
  for (const char* one : {"always_weak", "always_strong", "best_single", "random_mixture", "zero_router",
                          "oracle", "oracle_all"}) {
    if (name == one) return true;
  }
  return false;
}

double sum_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum;
}
double share_of(const Stream& stream) {
  return sum_of(stream.strong) / std::max(1.0, sum_of(stream.count));
}
bool has_unknown(const std::vector<double>& values) {
  return std::any_of(values.begin(), values.end(), [](double x) { return std::isnan(x); });
}
double mean_of(const std::vector<double>& values) {
  return values.empty() ? 0 : sum_of(values) / static_cast<double>(values.size());
}

/// Two-sided 95% quantile of Student's t.
double student_975(std::size_t freedom) {
  static constexpr double kTable[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
                                      2.201,  2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
                                      2.080,  2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042};
  // Beyond the table within .001 of the true value.
  return freedom <= std::size(kTable) ? kTable[freedom - 1] : 1.96 + 2.46 / static_cast<double>(freedom);
}

/// Mean over orders with Student's interval for them; none from one order.
std::optional<Measured> over_seeds(const std::vector<double>& values) {
  if (values.empty() || has_unknown(values)) return std::nullopt;
  Measured out;
  out.mean = mean_of(values);
  out.n = values.size();
  if (values.size() < 2) return out;
  double squares = 0;
  for (const double value : values) squares += (value - out.mean) * (value - out.mean);
  const auto n = static_cast<double>(values.size());
  const double half = student_975(values.size() - 1) * std::sqrt(squares / (n - 1) / n);
  out.ci95 = Range{out.mean - half, out.mean + half};
  return out;
}

PlanePoint plane_point(const StrategyRow& row) {
  PlanePoint out;
  if (row.strong_share) out.strong_share = row.strong_share->mean;
  if (row.cost_rel) {
    out.cost_rel = row.cost_rel->mean;
    out.cost_rel_ci = row.cost_rel->ci95;
  }
  if (row.quality) out.quality = *row.quality;
  return out;
}

Error interrupted_error() {
  return Error{ErrorKind::kCancelled, "interrupted",
               "Interrupted; the same command goes on from the streams that were finished.", ""};
}

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

/// A fitted memory and what its labels cost.
struct Fitted {
  FrozenMemory memory;
  std::optional<double> cost_usd;
  std::size_t labels = 0;
};

class SetEvaluation {
 public:
  SetEvaluation(const EvalOptions& options, std::shared_ptr<QuestionSet> set, EmbeddingPool* pool)
      : options_(options), set_(std::move(set)), pool_(pool) {
    test_ = test_columns(*set_, set_->split().test);
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
  const Fitted& fitted() const { return fitted_; }
  const std::vector<StreamTask>& tasks() const { return tasks_; }

  struct SweptScores {
    std::vector<double> test, calibration;  ///< higher = more need for strong
    std::vector<double> agreement;          ///< P(agree) as the strategy says it, by test question
    float p50 = 0, p99 = 0;
    double threshold = 0;  ///< strong from here on, for the wanted share
  };
  Result<SweptScores> swept_scores(const EvalStrategy& strategy, const Fitted& fitted,
                                   const std::string& weak_name, const std::string& strong_name) const;

 private:
  void progress(const std::string& what, std::size_t done, std::size_t all,
                std::optional<double> left) const {
    if (options_.progress) options_.progress(set_->name() + ": " + what, done, all, left);
  }
  bool stopped() const { return options_.stop && options_.stop(); }
  Result<> fit();
  std::vector<OrderedRequest> order_of(std::size_t seed) const;
  ReplayPlan base_plan(std::size_t seed) const;
  Result<> plan_streams();
  Result<std::size_t> add_tasks(const EvalStrategy& strategy, std::size_t seeds, bool keep_reasons);
  void computed_row(const std::string& name);
  std::optional<Measured> zero_router_aiq() const;
  Result<> swept_row(const Plan& plan);
  void online_row(const Plan& plan);
  Served served_by(std::size_t first, std::size_t seeds) const;
  void add_learning_curve(const Plan& plan);
  void add_topics();
  void add_decisions(const Plan& plan);
  void finish_row(StrategyRow row, const Served& served);
  static void add_note(StrategyRow& row, const std::string& text);

  const EvalOptions& options_;
  const std::shared_ptr<QuestionSet> set_;
  EmbeddingPool* const pool_;
  TestColumns test_;
  std::uint64_t unknown_costs_ = 0;  ///< test questions on which weak's or strong's cost is unknown
  RowOptions rows_;
  Fitted fitted_;
  std::vector<Plan> plans_;
  std::optional<Plan> shown_;  ///< whose decisions the report shows: the last one that learns
  std::vector<StreamTask> tasks_;
  std::vector<Stream> streams_;
  DatasetReport report_;
  /// For the table of topics: what each row served, averaged over seeds.
  std::vector<std::pair<std::string, Served>> for_topics_;
};

std::vector<OrderedRequest> SetEvaluation::order_of(std::size_t seed) const {
  std::vector<std::uint32_t> topic;
  for (const auto question : test_.questions) topic.push_back(set_->topic(question));
  auto order = make_order(test_.questions.size(), topic, options_.order, options_.seed + seed);
  for (auto& request : order) request.question = test_.questions[request.question];
  return order;
}

ReplayPlan SetEvaluation::base_plan(std::size_t seed) const {
  ReplayPlan plan;
  plan.weak = 0;
  plan.strong = set_->models().size() - 1;
  plan.learning = options_.learning;
  plan.lag = options_.lag;
  plan.seed = options_.seed + seed;
  plan.answers = pool_;
  return plan;
}

/// The fitting split through the flow: strong serves, every request is shadowed, nothing is spared.
Result<> SetEvaluation::fit() {
  auto plan = base_plan(0);
  auto strategy = make_strategy("always_strong", {});
  if (!strategy) return fail(strategy.error());
  plan.strategy = *strategy;
  plan.learning.guides = false;
  plan.learning.budget_share = 1e9;
  plan.learning.allowance = Money::from_usd(1e6);
  plan.lag = 0;
  for (const auto question : set_->split().fitting) plan.requests.push_back({question, 0, 0});
  auto result = replay(*set_, plan);
  if (!result) return fail(result.error());
  fitted_.memory = result->memory;
  fitted_.labels = plan.requests.size();
  double cost = 0;
  for (const auto& request : result->requests)
    cost += request.cost_usd.value_or(kNaN) + request.learning_usd.value_or(kNaN);
  if (!std::isnan(cost)) fitted_.cost_usd = cost;
  // What weak's answers to the test questions are worth against strong's, for the harness alone.
  plan.requests.clear();
  for (const auto question : test_.questions) plan.requests.push_back({question, 0, 0});
  auto labels = replay(*set_, plan);
  if (!labels) return fail(labels.error());
  for (std::size_t i = 0; i < test_.questions.size(); ++i) {
    if (labels->requests[i].agrees) test_.agrees[i] = *labels->requests[i].agrees ? 1 : 0;
  }
  return {};
}

Result<std::size_t> SetEvaluation::add_tasks(const EvalStrategy& strategy, std::size_t seeds,
                                             bool keep_reasons) {
  const std::size_t first = tasks_.size();
  auto made = make_serving_strategy(strategy.name, strategy.options);
  if (!made) return fail(made.error());
  for (std::size_t seed = 0; seed < seeds; ++seed) {
    StreamTask task;
    task.set = set_.get();
    task.questions = test_.questions;
    task.plan = base_plan(seed);
    task.plan.strategy = *made;
    task.plan.learn = kind_of(strategy.name)->remembers;
    task.plan.requests = order_of(seed);
    task.plan.keep_reasons = keep_reasons && seed == 0;
    std::string options;
    for (const auto& [name, value] : strategy.options) {
      options +=
          fmt::format("{}={};", name, std::visit([](const auto& v) { return fmt::format("{}", v); }, value));
    }
    const auto& learning = options_.learning;
    const auto& from = set_->options();
    task.key = fmt::format(
        "1|{}|{:016x}|{}|{}|{}|drop {}{}|without {}|fit {} {}|max {}|truth {}|seed {} {}|order {}|lag {}|"
        "learn {} {} {} {} {} {}|reasons {}|prices {}",
        std::string(BREVET_VERSION) + options_.build, set_->content_hash(), set_->encoder_hash(),
        fmt::join(set_->models(), ","), strategy.name + "{" + options + "}", from.drop.contaminated,
        from.drop.duplicates, from.without_subject, from.fit_labels, from.calibration_labels,
        from.questions_max, from.truth_signal, options_.seed, seed, order_text(options_.order), options_.lag,
        learning.budget_share, learning.allowance.pico_usd, learning.spot_check_share, learning.guides,
        learning.guides_tried_max, learning.judge, task.plan.keep_reasons,
        from.prices ? from.prices->version() : "none");
    tasks_.push_back(std::move(task));
  }
  return first;
}

Result<> SetEvaluation::plan_streams() {
  std::vector<EvalStrategy> wanted;
  for (const char* name : {"exact_lookup", "knn"}) {
    const bool named = std::any_of(options_.strategies.begin(), options_.strategies.end(),
                                   [&](const EvalStrategy& strategy) { return strategy.text == name; });
    if (!named) wanted.push_back({name, name, {}});
  }
  wanted.insert(wanted.end(), options_.strategies.begin(), options_.strategies.end());
  for (const auto& strategy : wanted) {
    if (computed_baseline(strategy.name) && strategy.options.empty()) continue;  // rows anyway
    Plan plan;
    plan.strategy = strategy;
    plan.kind = kind_of(strategy.name);
    const auto& baselines = baseline_names();
    plan.baseline = std::find(baselines.begin(), baselines.end(), strategy.text) != baselines.end();
    if (plan.kind->swept) {
      plans_.push_back(std::move(plan));
      continue;
    }
    EvalStrategy point = strategy;
    const auto& dial = plan.kind->dial;
    if (dial == "strong_share" && options_.learning.enabled && !strategy.options.contains(dial) &&
        !strategy.options.contains("min_agreement")) {
      point.options[dial] = options_.at_strong_share;
      plan.setting = fmt::format("{}={}", dial, options_.at_strong_share);
    }
    auto first = add_tasks(point, options_.seeds, true);
    if (!first) return fail(first.error());
    plan.point = *first;
    // A strategy that is told another bound than its dial has no curve of that dial.
    const bool other_bound = dial == "strong_share" && strategy.options.contains("min_agreement");
    if (options_.dials && !other_bound) {
      for (const double setting : plan.kind->dial_settings) {
        EvalStrategy one = strategy;
        one.options[dial] = setting;
        if (one.options == point.options) {
          plan.dials.push_back(plan.point);
        } else {
          auto at = add_tasks(one, options_.seeds, dial != "strong_share");
          if (!at) return fail(at.error());
          plan.dials.push_back(*at);
        }
        plan.dial_settings.push_back(setting);
      }
    }
    plans_.push_back(std::move(plan));
  }
  return {};
}

Served SetEvaluation::served_by(std::size_t first, std::size_t seeds) const {
  Served out;
  bool costs = true;
  for (std::size_t seed = 0; seed < seeds; ++seed) {
    const auto& stream = streams_[first + seed];
    out.count.push_back(stream.count);
    out.quality.push_back(stream.quality);
    out.strong.push_back(stream.strong);
    out.cost.push_back(stream.cost);
    out.learning.push_back(stream.learning);
    costs = costs && !has_unknown(stream.cost) && !has_unknown(stream.learning);
  }
  if (!costs) out.learning.clear(), out.cost.clear();  // a cost without what learning took is not known
  return out;
}

void SetEvaluation::finish_row(StrategyRow row, const Served& served) {
  row.dataset = set_->name();
  row.cost_basis = name_of(row.cost_usd ? set_->cost_basis() : CostBasis::kUnknown);
  if (!row.cost_usd && row.unknown_costs == 0) row.unknown_costs = unknown_costs_;
  constexpr double kFar = .05;
  if (!row.baseline && row.strong_share && !row.setting.starts_with("min_agreement") &&
      std::abs(row.strong_share->mean - options_.at_strong_share) > kFar &&
      row.setting.find("strong_share") != std::string::npos) {
    add_note(row, fmt::format("realised a strong share of {:.2f} instead of {:.2f}", row.strong_share->mean,
                              options_.at_strong_share));
  }
  if (served.chooses) for_topics_.emplace_back(row.strategy, served);
  report_.rows.push_back(std::move(row));
}

void SetEvaluation::add_note(StrategyRow& row, const std::string& text) {
  row.note += (row.note.empty() ? "" : "; ") + text;
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
  BootstrapOptions bootstrap;
  bootstrap.rounds = rows_.rounds;
  bootstrap.seed = rows_.seed;
  bootstrap.threads = rows_.threads;
  bootstrap.what = Resample::kQuestions;
  bootstrap.cluster = test_.cluster;
  return bootstrap_weighted(
      n, 1, 1,
      [&](std::span<const std::uint32_t> weights, std::span<const std::uint32_t>,
          std::span<std::optional<double>> out) {
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
  fill_operating_point(row, test_, served, set_->groups(), rows_);
  if (name == "random_mixture") {
    DialStreams line;
    line.quality = {test_.weak, test_.strong};
    line.strong = {std::vector<double>(n, 0), std::vector<double>(n, 1)};
    line.cost = {test_.weak_cost, test_.strong_cost};
    if (!test_.costs_known()) line.cost.clear();
    fill_curve_metrics(row, test_, line, rows_);
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

Result<SetEvaluation::SweptScores> SetEvaluation::swept_scores(const EvalStrategy& strategy,
                                                               const Fitted& fitted,
                                                               const std::string& weak_name,
                                                               const std::string& strong_name) const {
  SweptScores out;
  auto made = make_serving_strategy(strategy.name, strategy.options);
  if (!made) return fail(made.error());
  for (const bool calibrating : {true, false}) {
    const auto& questions = calibrating ? set_->split().calibration : test_.questions;
    auto plan = base_plan(0);
    plan.strategy = *made;
    plan.learn = false;
    plan.memory = fitted.memory;
    plan.weak_name = weak_name;
    plan.strong_name = strong_name;
    for (const auto question : questions) plan.requests.push_back({question, 0, 0});
    auto result = replay(*set_, plan);
    if (!result) return fail(result.error());
    auto& scores = calibrating ? out.calibration : out.test;
    for (const auto& request : result->requests) {
      // Without a score nothing is known of the request, and strong serves.
      scores.push_back(request.score ? -*request.score : 1);
      if (!calibrating) out.agreement.push_back(request.score.value_or(kNaN));
    }
    std::vector<double> times(result->decide_ms.begin(), result->decide_ms.end());
    out.p50 = static_cast<float>(quantile(times, .5).value_or(0));
    out.p99 = static_cast<float>(quantile(times, .99).value_or(0));
  }
  auto sorted = out.calibration.empty() ? out.test : out.calibration;
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  const auto wanted =
      static_cast<std::size_t>(std::llround(options_.at_strong_share * static_cast<double>(sorted.size())));
  out.threshold = wanted == 0               ? std::numeric_limits<double>::infinity()
                  : wanted >= sorted.size() ? -std::numeric_limits<double>::infinity()
                                            : sorted[wanted - 1];
  return out;
}

Result<> SetEvaluation::swept_row(const Plan& plan) {
  auto scores = swept_scores(plan.strategy, fitted_, "", "");
  if (!scores) return fail(scores.error());
  const std::size_t n = test_.questions.size();
  StrategyRow row;
  row.strategy = plan.strategy.text;
  row.baseline = plan.baseline;
  row.setting = fmt::format("strong_share={} on the {} questions", options_.at_strong_share,
                            scores->calibration.empty() ? "test" : "calibration");
  row.note = fmt::format("fitted on {} questions", fitted_.labels);
  row.latency_p50_ms = scores->p50;
  row.latency_p99_ms = scores->p99;
  Served served;
  served.quality.assign(1, std::vector<double>(n));
  served.strong.assign(1, std::vector<double>(n));
  served.cost.assign(1, std::vector<double>(n));
  for (std::size_t q = 0; q < n; ++q) {
    const bool strong = scores->test[q] >= scores->threshold;
    served.strong[0][q] = strong ? 1 : 0;
    served.quality[0][q] = strong ? test_.strong[q] : test_.weak[q];
    if (test_.costs_known()) served.cost[0][q] = strong ? test_.strong_cost[q] : test_.weak_cost[q];
  }
  if (!test_.costs_known()) served.cost.clear();
  fill_operating_point(row, test_, served, set_->groups(), rows_);
  const SweptQuestions swept{scores->test, test_.weak, test_.strong, test_.weak_cost, test_.strong_cost};
  const StaticSweep sweep(swept);
  fill_curve_metrics(row, test_, sweep, rows_);
  std::optional<Calibration> diagram;
  fill_calibration(row, test_, scores->agreement, diagram, rows_);
  if (diagram) report_.reliability.push_back({row.strategy, "weak's answer agrees with strong's", *diagram});
  if (row.cost_rel && fitted_.cost_usd) {
    const double extra = *fitted_.cost_usd / (mean_of(test_.strong_cost) * static_cast<double>(n));
    row.cost_rel_with_learning = *row.cost_rel;
    row.cost_rel_with_learning->mean += extra;
    if (auto& ci = row.cost_rel_with_learning->ci95) ci->low += extra, ci->high += extra;
  }
  PlaneCurve curve;
  curve.strategy = row.strategy;
  curve.baseline = row.baseline;
  const auto whole = sweep.curve();
  const double strong_cost = test_.costs_known() ? mean_of(test_.strong_cost) : 0;
  std::vector<double> shares;
  for (std::size_t i = 0; i <= kCurvePoints && !whole.empty(); ++i) {
    const auto& from = whole[i * (whole.size() - 1) / kCurvePoints];
    PlanePoint point;
    point.strong_share = from.strong_share;
    if (from.cost && strong_cost > 0) point.cost_rel = *from.cost / strong_cost;
    point.quality.mean = from.quality;
    point.quality.n = n;
    shares.push_back(from.strong_share);
    curve.points.push_back(point);
  }
  const auto qualities = swept_qualities(test_, sweep, shares, rows_);
  for (std::size_t i = 0; i < shares.size(); ++i) {
    if (qualities[i]) curve.points[i].quality.ci95 = qualities[i]->ci95;
  }
  report_.plane.curves.push_back(std::move(curve));
  finish_row(std::move(row), served);
  return {};
}

void SetEvaluation::online_row(const Plan& plan) {
  StrategyRow row;
  row.strategy = plan.strategy.text;
  row.baseline = plan.baseline;
  row.setting = plan.setting;
  std::size_t point = plan.point;
  // A dial that is no share: the setting whose realised share is nearest to the wanted one.
  const auto& dial = plan.kind->dial;
  if (!plan.dials.empty() && dial != "strong_share" && !plan.strategy.options.contains(dial)) {
    double nearest = 2;
    for (std::size_t i = 0; i < plan.dials.size(); ++i) {
      double share = 0;
      for (std::size_t seed = 0; seed < options_.seeds; ++seed)
        share += share_of(streams_[plan.dials[i] + seed]) / static_cast<double>(options_.seeds);
      if (std::abs(share - options_.at_strong_share) >= nearest) continue;
      nearest = std::abs(share - options_.at_strong_share);
      point = plan.dials[i];
      row.setting = fmt::format("{}={}", dial, plan.dial_settings[i]);
    }
    add_note(row, "setting chosen by its strong share on the test questions");
  }
  const auto served = served_by(point, options_.seeds);
  fill_operating_point(row, test_, served, set_->groups(), rows_);
  const auto& first = streams_[point];
  row.latency_p50_ms = first.decide_p50_ms;
  row.latency_p99_ms = first.decide_p99_ms;
  row.cost_rel_with_learning = row.cost_rel;
  std::uint64_t failed = 0;
  for (std::size_t seed = 0; seed < options_.seeds; ++seed) failed += streams_[point + seed].failed;
  if (failed > 0) add_note(row, fmt::format("{} requests failed over all orders", failed));
  if (first.cannot_tell > 0) {
    add_note(row, fmt::format("{} of {} shadows of the first order had no verdict", first.cannot_tell,
                              first.shadows));
  }
  std::optional<Calibration> diagram;
  fill_calibration(row, test_, first.p_agree, diagram, rows_);
  if (diagram) report_.reliability.push_back({row.strategy, "weak's answer agrees with strong's", *diagram});
  PlaneCurve curve;
  curve.strategy = row.strategy;
  curve.baseline = row.baseline;
  if (plan.dials.empty()) {
    curve.points.push_back(plane_point(row));
  } else {
    DialStreams streams;
    bool costs = test_.costs_known();
    for (const auto at : plan.dials) {
      const auto dialled = served_by(at, options_.seeds);
      costs = costs && !dialled.cost.empty();
      const auto averaged = [&](const std::vector<std::vector<double>>& values,
                                const std::vector<std::vector<double>>* more) {
        std::vector<double> out(test_.questions.size());
        for (std::size_t s = 0; s < values.size(); ++s) {
          for (std::size_t q = 0; q < out.size(); ++q)
            out[q] += (values[s][q] + (more ? (*more)[s][q] : 0)) / static_cast<double>(values.size());
        }
        return out;
      };
      streams.count.push_back(averaged(dialled.count, nullptr));
      streams.quality.push_back(averaged(dialled.quality, nullptr));
      streams.strong.push_back(averaged(dialled.strong, nullptr));
      if (costs) streams.cost.push_back(averaged(dialled.cost, &dialled.learning));
      StrategyRow at_setting;
      RowOptions quick = rows_;
      quick.rounds = std::min(quick.rounds, 200);
      fill_operating_point(at_setting, test_, dialled, set_->groups(), quick);
      curve.points.push_back(plane_point(at_setting));
    }
    if (!costs) streams.cost.clear();
    fill_curve_metrics(row, test_, streams, rows_);
    std::sort(curve.points.begin(), curve.points.end(), [](const PlanePoint& a, const PlanePoint& b) {
      return a.cost_rel && b.cost_rel ? *a.cost_rel < *b.cost_rel : a.strong_share < b.strong_share;
    });
  }
  report_.plane.curves.push_back(std::move(curve));
  Plan shown = plan;
  shown.point = point;
  shown.setting = row.setting;
  add_learning_curve(shown);
  if (!plan.baseline) shown_ = shown;
  finish_row(std::move(row), served);
}

void SetEvaluation::add_learning_curve(const Plan& plan) {
  LearningCurve curve;
  curve.strategy = plan.strategy.text;
  for (std::size_t mark = 0; mark < streams_[plan.point].marks.size(); ++mark) {
    std::vector<double> quality, share, cost, all;
    for (std::size_t seed = 0; seed < options_.seeds; ++seed) {
      const auto& at = streams_[plan.point + seed].marks[mark];
      quality.push_back(at.quality);
      share.push_back(at.strong_share);
      cost.push_back(at.strong_cost > 0 ? at.cost / at.strong_cost : kNaN);
      all.push_back(at.strong_cost > 0 ? at.cost_with_learning / at.strong_cost : kNaN);
    }
    curve.points.push_back({streams_[plan.point].marks[mark].requests, over_seeds(quality), over_seeds(share),
                            over_seeds(cost), over_seeds(all)});
  }
  report_.learning.push_back(std::move(curve));
}

void SetEvaluation::add_topics() {
  auto& table = report_.topics;
  std::map<std::uint32_t, std::vector<std::size_t>> places;
  for (std::size_t q = 0; q < test_.questions.size(); ++q)
    places[set_->topic(test_.questions[q])].push_back(q);
  std::vector<std::pair<std::uint32_t, std::vector<std::size_t>>> topics(places.begin(), places.end());
  std::stable_sort(topics.begin(), topics.end(),
                   [](const auto& a, const auto& b) { return a.second.size() > b.second.size(); });
  if (topics.size() > kTopicsShown) topics.resize(kTopicsShown);
  for (const auto& [name, served] : for_topics_) {
    if (!name.starts_with("always_")) table.strategies.push_back(name);
  }
  for (const auto& [topic, questions] : topics) {
    TopicRow row;
    row.topic = set_->topics()[topic];
    row.n = questions.size();
    double weak = 0;
    double strong = 0;
    for (const auto q : questions) weak += test_.weak[q], strong += test_.strong[q];
    row.weak = weak / static_cast<double>(row.n);
    row.strong = strong / static_cast<double>(row.n);
    for (const auto& [name, served] : for_topics_) {
      if (name.starts_with("always_")) continue;
      double quality = 0;
      double share = 0;
      double count = 0;
      for (std::size_t s = 0; s < served.quality.size(); ++s) {
        for (const auto q : questions) {
          quality += served.quality[s][q];
          share += served.strong[s][q];
          count += served.count.empty() ? 1 : served.count[s][q];
        }
      }
      TopicRow::Cell cell;
      cell.quality = quality / count;
      cell.strong_share = share / count;
      if (*row.strong > 0) cell.retention = *cell.quality / *row.strong;
      row.cells.push_back(cell);
    }
    table.rows.push_back(std::move(row));
  }
}

/// Of the first order of a strategy: what cost most, and what cost quality most.
void SetEvaluation::add_decisions(const Plan& plan) {
  const auto& stream = streams_[plan.point];
  if (stream.reasons.empty()) return;
  const auto show = [&](std::size_t q) {
    ShownDecision out;
    const auto question = test_.questions[q];
    out.strategy = plan.strategy.text;
    if (!plan.setting.empty()) out.strategy += " at " + plan.setting;
    out.question_id = set_->record(question).id;
    out.topic = set_->topics()[set_->topic(question)];
    out.prompt = set_->record(question).prompt.substr(0, 4 * kShownPromptBytes);
    const bool strong = stream.strong[q] > 0;
    out.served_by = strong ? set_->models().back() : set_->models().front();
    out.reason = stream.reasons[q];
    out.score = stream.quality[q] / std::max(1.0, stream.count[q]);
    out.alternative = strong ? test_.weak[q] : test_.strong[q];
    const double cost = (stream.cost[q] + stream.learning[q]) / std::max(1.0, stream.count[q]);
    if (!std::isnan(cost)) {
      out.cost_usd = cost;
      if (test_.costs_known() && test_.strong_cost[q] > 0) out.cost_rel = cost / test_.strong_cost[q];
    }
    return out;
  };
  std::vector<std::size_t> places(test_.questions.size());
  for (std::size_t q = 0; q < places.size(); ++q) places[q] = q;
  const auto take_first = [&](auto more, std::vector<ShownDecision>& to, auto worth) {
    auto sorted = places;
    std::stable_sort(sorted.begin(), sorted.end(),
                     [&](std::size_t a, std::size_t b) { return more(a) > more(b); });
    for (std::size_t i = 0; i < std::min(kShownDecisions, sorted.size()); ++i) {
      if (worth(sorted[i])) to.push_back(show(sorted[i]));
    }
  };
  const auto cost = [&](std::size_t q) {
    const double all = (stream.cost[q] + stream.learning[q]) / std::max(1.0, stream.count[q]);
    return std::isnan(all) ? -1 : all;
  };
  take_first(cost, report_.costly, [&](std::size_t q) { return cost(q) >= 0; });
  const auto lost = [&](std::size_t q) {
    const double other = stream.strong[q] > 0 ? test_.weak[q] : test_.strong[q];
    return other - stream.quality[q] / std::max(1.0, stream.count[q]);
  };
  // Among equal losses those that a contract would call its own fault come first: weak served.
  take_first([&](std::size_t q) { return lost(q) + (stream.strong[q] > 0 ? 0 : 1e-6); }, report_.wrong,
             [&](std::size_t q) { return lost(q) > 0; });
}

Result<DatasetReport> SetEvaluation::run() {
  report_.name = set_->name();
  report_.file = set_->options().file;
  report_.models = set_->models();
  report_.records = set_->data_file().records;
  report_.dropped = set_->dropped();
  const auto& split = set_->split();
  report_.splits = {split.fitting.size(), split.calibration.size(), split.test.size(), set_->clusters().count,
                    set_->clusters().largest};
  report_.cost_basis = name_of(set_->cost_basis());
  if (split.shortened)
    report_.notes.push_back(
        "Fewer fitting or calibration questions than asked for, to leave enough for the test.");
  if (set_->cost_basis() == CostBasis::kUnknown) {
    report_.notes.push_back(
        "Costs are unknown here: shuffles are matched by strong share, and learning is bounded by number.");
  }
  progress("fitting", 0, 1, {});
  if (auto done = fit(); !done) return fail(done.error());
  if (auto done = plan_streams(); !done) return fail(done.error());
  StreamOptions streams;
  streams.threads = options_.threads;
  streams.work_folder = options_.work_folder;
  streams.stop = options_.stop;
  streams.progress = [this](std::size_t done, std::size_t all, std::optional<double> left) {
    progress("streams", done, all, left);
  };
  auto played = run_streams(tasks_, streams);
  if (!played) return fail(played.error());
  streams_ = std::move(*played);
  progress("figures", 0, 1, {});

  for (const char* name : {"always_weak", "always_strong", "best_single", "random_mixture", "zero_router",
                           "oracle", "oracle_all"})
    computed_row(name);
  std::size_t finished = 0;
  for (const auto& plan : plans_) {
    progress("figures", finished++, plans_.size(), {});
    if (stopped()) return fail(interrupted_error());
    if (plan.kind->swept) {
      if (auto done = swept_row(plan); !done) return fail(done.error());
    } else {
      online_row(plan);
    }
  }
  add_topics();
  if (shown_ && options_.show_decisions) add_decisions(*shown_);
  const auto singles = single_models(set_->table());
  const double strong_cost = test_.costs_known() ? mean_of(test_.strong_cost) : 0;
  for (std::size_t m = 0; m < set_->models().size(); ++m) {
    double quality = 0;
    double cost = 0;
    for (const auto q : test_.questions) {
      quality += set_->table().at(m, q).quality.value_or(0);
      cost += set_->table().at(m, q).cost.value_or(kNaN);
    }
    const auto n = static_cast<double>(test_.questions.size());
    PlanePoint point;
    point.quality.mean = quality / n;
    point.quality.n = test_.questions.size();
    if (!std::isnan(cost) && strong_cost > 0) point.cost_rel = cost / n / strong_cost;
    if (m == 0) point.strong_share = 0;
    if (m + 1 == set_->models().size()) point.strong_share = 1;
    report_.plane.single_models.push_back({set_->models()[m], point});
    if (point.cost_rel) report_.plane.hull.push_back({*point.cost_rel, point.quality.mean});
  }
  report_.plane.hull = upper_hull(std::move(report_.plane.hull));
  // Only what a transfer needs stays; streams of many settings and orders are the bulk of the memory.
  streams_ = {};
  for_topics_ = {};
  for (auto& task : tasks_) task.plan = {}, task.questions = {};
  return std::move(report_);
}

/// The test questions that the other set was not fitted on (files share questions), and the scores of those.
TestColumns without_fitted(const SetEvaluation& on, const SetEvaluation& from,
                           SetEvaluation::SweptScores& scores) {
  std::set<std::uint64_t> fitted;
  for (const auto question : from.set().split().fitting) fitted.insert(from.set().text_key(question));
  std::vector<std::uint32_t> kept;
  std::vector<double> kept_scores;
  for (std::size_t q = 0; q < on.test().questions.size(); ++q) {
    const auto question = on.test().questions[q];
    if (fitted.contains(on.set().text_key(question))) continue;
    kept.push_back(question);
    kept_scores.push_back(scores.test[q]);
  }
  scores.test = std::move(kept_scores);
  return test_columns(on.set(), kept);
}

}  // namespace

const std::vector<std::string>& baseline_names() {
  static const std::vector<std::string> names = {"always_weak",    "always_strong", "best_single",
                                                 "random_mixture", "zero_router",   "exact_lookup",
                                                 "oracle",         "oracle_all",    "knn"};
  return names;
}

Result<EvalStrategy> parse_eval_strategy(const std::string& text) {
  EvalStrategy out;
  out.text = text;
  const auto brace = text.find('{');
  out.name = text.substr(0, brace);
  if (brace != std::string::npos) {
    if (text.back() != '}') {
      return fail(ErrorKind::kCallerInvalid, "bad_option",
                  "'" + text + "' is not of the form name{key=value;...}.", "strategies");
    }
    std::string rest = text.substr(brace + 1, text.size() - brace - 2);
    while (!rest.empty()) {
      const auto semicolon = rest.find(';');
      const auto part = rest.substr(0, semicolon);
      rest = semicolon == std::string::npos ? "" : rest.substr(semicolon + 1);
      const auto equals = part.find('=');
      if (equals == std::string::npos || equals == 0) {
        return fail(ErrorKind::kCallerInvalid, "bad_option",
                    "'" + part + "' in '" + text + "' is not of the form key=value.", "strategies");
      }
      out.options[part.substr(0, equals)] = option_of(part.substr(equals + 1));
    }
  }
  if (computed_baseline(out.name) && out.options.empty()) return out;
  auto made = make_serving_strategy(out.name, out.options);
  if (!made) return fail(made.error());
  return out;
}

Result<EvalReport> evaluate(const EvalOptions& options, EmbeddingPool* pool) {
  const auto started = std::chrono::steady_clock::now();
  EvalReport report;
  std::vector<std::unique_ptr<SetEvaluation>> sets;
  for (const auto& wanted : options.sets) {
    const auto begun = std::chrono::steady_clock::now();
    const auto tell = [&](const std::string& what, std::size_t done, std::size_t all) {
      if (options.progress) options.progress(wanted.file + ": " + what, done, all, {});
    };
    tell("reading", 0, 1);
    auto set = QuestionSet::load(wanted);
    if (!set) return fail(set.error());
    std::vector<OrderedRequest> requests;
    if (options.order.paraphrase_share > 0) {
      std::vector<std::uint32_t> topic;
      for (const auto question : (*set)->split().test) topic.push_back((*set)->topic(question));
      for (std::size_t seed = 0; seed < options.seeds; ++seed) {
        for (auto request : make_order(topic.size(), topic, options.order, options.seed + seed)) {
          request.question = (*set)->split().test[request.question];
          if (request.variant != 0) requests.push_back(request);
        }
      }
    }
    auto prepared = (*set)->prepare(pool, requests, options.threads, options.cache_folder,
                                    [&](std::size_t done, std::size_t all) {
                                      tell("embedding", done, all);
                                      return !(options.stop && options.stop());
                                    });
    if (!prepared) return fail(prepared.error());
    auto evaluation = std::make_unique<SetEvaluation>(options, *set, pool);
    const auto ready = std::chrono::steady_clock::now();
    auto done = evaluation->run();
    if (!done) return fail(done.error());
    report.datasets.push_back(std::move(*done));
    report.run.files.push_back((*set)->data_file());
    report.timing.phases_s.emplace_back((*set)->name() + " prepared",
                                        std::chrono::duration<double>(ready - begun).count());
    report.timing.phases_s.emplace_back(
        (*set)->name() + " evaluated",
        std::chrono::duration<double>(std::chrono::steady_clock::now() - ready).count());
    sets.push_back(std::move(evaluation));
  }
  if (options.transfer && sets.size() > 1) {
    for (const auto& strategy : [&] {
           std::vector<EvalStrategy> swept{{"knn", "knn", {}}};
           for (const auto& one : options.strategies) {
             const auto* kind = kind_of(one.name);
             if (kind && kind->swept && one.text != "knn") swept.push_back(one);
           }
           return swept;
         }()) {
      for (const auto& on : sets) {
        std::optional<double> at_home;
        std::vector<TransferRow> rows;
        for (const auto& from : sets) {
          auto scores = on->swept_scores(strategy, from->fitted(), from->set().models().front(),
                                         from->set().models().back());
          if (!scores) return fail(scores.error());
          const auto test = from == on ? on->test() : without_fitted(*on, *from, *scores);
          if (test.questions.empty()) continue;
          const StaticSweep sweep({scores->test, test.weak, test.strong, test.weak_cost, test.strong_cost});
          StrategyRow row;
          RowOptions quick{options.bootstrap_rounds, options.seed,
                           static_cast<unsigned>(std::max(1, options.threads))};
          fill_curve_metrics(row, test, sweep, quick);
          Served served;
          served.quality.emplace_back();
          served.strong.emplace_back();
          for (std::size_t q = 0; q < test.questions.size(); ++q) {
            const bool strong = scores->test[q] >= scores->threshold;
            served.strong[0].push_back(strong ? 1 : 0);
            served.quality[0].push_back(strong ? test.strong[q] : test.weak[q]);
          }
          fill_operating_point(row, test, served, on->set().groups(), quick);
          if (from == on && row.apgr) at_home = row.apgr->mean;
          rows.push_back({strategy.text,
                          from->set().name(),
                          on->set().name(),
                          test.questions.size(),
                          row.apgr,
                          row.mixture_gain,
                          {}});
        }
        for (auto& row : rows) {
          row.apgr_at_home = at_home;
          report.transfer.push_back(std::move(row));
        }
      }
    }
  }
  for (const auto& one : sets) forget_streams(one->tasks(), options.work_folder);
  auto& run = report.run;
  run.command = options.command;
  run.version = BREVET_VERSION;
  run.seed = options.seed;
  run.seeds = options.seeds;
  run.order = order_text(options.order);
  run.signal = !options.sets.empty() && options.sets.front().truth_signal ? "truth" : "agreement";
  run.lag = options.lag;
  run.fit_labels = options.sets.empty() ? 0 : options.sets.front().fit_labels;
  run.prices = options.prices;
  run.encoder = pool ? pool->encoder().hash() : "";
  run.bootstrap_rounds = options.bootstrap_rounds;
  run.more = {{"operating point", fmt::format("strong share {}", options.at_strong_share)},
              {"learning budget", fmt::format("{} of serving + {} USD", options.learning.budget_share,
                                              options.learning.allowance.to_string())}};
  report.timing.wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  return report;
}

}  // namespace brevet
