#include "eval/set_evaluation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "eval/router_fit.h"

namespace brevet {
namespace {

constexpr std::size_t kCurvePoints = 200;  ///< of a swept curve in the report
constexpr const char* kKnnBaseline = "knn";

double share_of(const Stream& stream) {
  const auto sum = [](const std::vector<std::uint16_t>& counts) {
    return static_cast<double>(std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}));
  };
  return sum(stream.strong) / std::max(1.0, sum(stream.count));
}

}  // namespace

const StrategyKind* kind_of(const std::string& name) {
  for (const auto& kind : strategies()) {
    if (kind.name == name && !kind.shadow_plan) return &kind;
  }
  return nullptr;
}

double sum_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum;
}
bool has_unknown(const std::vector<double>& values) {
  return std::any_of(values.begin(), values.end(), [](double x) { return std::isnan(x); });
}
double mean_of(const std::vector<double>& values) {
  return values.empty() ? 0 : sum_of(values) / static_cast<double>(values.size());
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

double threshold_for(const SweptScores& scores, double share) {
  auto sorted = scores.calibration.empty() ? scores.test : scores.calibration;
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  const auto wanted = static_cast<std::size_t>(std::llround(share * static_cast<double>(sorted.size())));
  if (wanted == 0) return std::numeric_limits<double>::infinity();
  if (wanted >= sorted.size()) return -std::numeric_limits<double>::infinity();
  // Equal scores go to strong together or not at all, whichever comes nearer.
  const double at = sorted[wanted - 1];
  const auto above = static_cast<std::size_t>(
      std::lower_bound(sorted.begin(), sorted.end(), at, std::greater<>()) - sorted.begin());
  const auto with = static_cast<std::size_t>(
      std::upper_bound(sorted.begin(), sorted.end(), at, std::greater<>()) - sorted.begin());
  return wanted - above < with - wanted ? std::nextafter(at, std::numeric_limits<double>::infinity()) : at;
}

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

/// Strong serves, every request is shadowed, nothing is spared.
Result<ReplayPlan> SetEvaluation::everything_shadowed() const {
  auto plan = base_plan(0);
  auto strategy = make_strategy("always_strong", {});
  if (!strategy) return fail(strategy.error());
  plan.strategy = *strategy;
  plan.learning.guides = false;
  plan.learning.budget_share = 1e9;
  plan.learning.allowance = Money::from_usd(1e6);
  plan.lag = 0;
  return plan;
}

Result<FittedStrategy> SetEvaluation::fit_memory(const Split& split) const {
  auto plan = everything_shadowed();
  if (!plan) return fail(plan.error());
  for (const auto question : split.fitting) plan->requests.push_back({question, 0, 0});
  plan->keep_memory = true;
  auto result = replay(*set_, *plan);
  if (!result) return fail(result.error());
  FittedStrategy out;
  out.memory = result->memory;
  out.labels = plan->requests.size();
  double cost = 0;
  for (const auto& request : result->requests)
    cost += request.cost_usd.value_or(kNaN) + request.learning_usd.value_or(kNaN);
  if (!std::isnan(cost)) out.cost_usd = cost;
  return out;
}

Result<> SetEvaluation::fit() {
  auto memory = fit_memory(set_->split());
  if (!memory) return fail(memory.error());
  fitted_ = std::move(*memory);
  // What weak's answers to the test questions are worth against strong's, for the harness alone.
  auto plan = everything_shadowed();
  if (!plan) return fail(plan.error());
  for (const auto question : test_.questions) plan->requests.push_back({question, 0, 0});
  auto labels = replay(*set_, *plan);
  if (!labels) return fail(labels.error());
  for (std::size_t i = 0; i < test_.questions.size(); ++i) {
    if (labels->requests[i].agrees) test_.agrees[i] = *labels->requests[i].agrees ? 1 : 0;
  }
  return {};
}

Result<> SetEvaluation::fit_routers() {
  std::vector<EvalStrategy*> wanted;
  for (auto& plan : plans_) {
    if (plan.strategy.trained) wanted.push_back(&plan.strategy);
  }
  if (wanted.empty()) return {};
  const auto data = router_data(*set_, set_->split().fitting);
  std::vector<Result<FittedStrategy>> made(wanted.size());
  in_parallel(wanted.size(), options_.threads, [&](std::size_t i) {
    const auto& one = *wanted[i];
    made[i] = one.inputs == RouterInputs::kEmbedding
                  ? fit_strategy(data, one, options_.seed, options_.stop)
                  : fit_strategy(seen_as(data, *set_, set_->split().fitting, one.inputs), one, options_.seed,
                                 options_.stop);
  });
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (!made[i]) return fail(made[i].error());
    if (wanted[i]->text == kKnnBaseline && !made[i]->failure.empty()) {
      wanted[i]->trained = false;
      continue;
    }
    routers_[wanted[i]->text] = std::move(*made[i]);
  }
  return {};
}

const FittedStrategy& SetEvaluation::fitted(const EvalStrategy& strategy) const {
  const auto router = routers_.find(strategy.text);
  return router != routers_.end() ? router->second : fitted_;
}

Result<std::size_t> SetEvaluation::add_tasks(const EvalStrategy& strategy, std::size_t seeds,
                                             bool keep_reasons) {
  const std::size_t first = tasks_.size();
  auto made = make_serving_strategy(strategy.name, strategy.options);
  if (!made) return fail(made.error());
  for (std::size_t seed = 0; seed < seeds; ++seed) {
    StreamTask task;
    task.set = set_.get();
    task.questions = test_questions_;
    task.plan = base_plan(seed);
    task.plan.strategy = *made;
    task.plan.learn = kind_of(strategy.name)->remembers;
    if (orders_.size() <= seed)
      orders_.push_back(std::make_shared<const std::vector<OrderedRequest>>(order_of(seed)));
    task.order = orders_[seed];
    task.keep_p_agree = seed == 0;
    task.plan.keep_reasons = keep_reasons && seed == 0;
    std::string options;
    for (const auto& [name, value] : strategy.options) {
      options +=
          fmt::format("{}={};", name, std::visit([](const auto& v) { return fmt::format("{}", v); }, value));
    }
    const auto& learning = options_.learning;
    const auto& from = set_->options();
    task.key = fmt::format(
        "1|{}|{:016x}|{}|{}|{}|drop {}{}|without {}|fit {} {} {}|max {}|truth {}|seed {} {}|order {}|lag {}|"
        "learn {} {} {} {} {} {}|reasons {}|prices {}",
        std::string(BREVET_VERSION) + options_.build, set_->content_hash(), set_->encoder_hash(),
        fmt::join(set_->models(), ","), strategy.name + "{" + options + "}", from.drop.contaminated,
        from.drop.duplicates, from.without_subject, from.fit_labels, from.fit_labels_max,
        from.calibration_labels, from.questions_max, from.truth_signal, options_.seed, seed,
        order_text(options_.order), options_.lag, learning.budget_share, learning.allowance.pico_usd,
        learning.spot_check_share, learning.guides, learning.guides_tried_max, learning.judge,
        task.plan.keep_reasons, from.prices ? from.prices->version() : "none");
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
    // The baseline is the router of that name, the better one of the two, where there is what it reads.
    if (strategy.text == kKnnBaseline && pool_) {
      plan.strategy.trained = true;
      // A hundred neighbours of few labels would be all of them.
      const auto labels = static_cast<std::int64_t>(set_->split().fitting.size());
      plan.strategy.router_options["k"] = std::clamp<std::int64_t>(labels / 10, 5, 100);
    }
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
    out.count.emplace_back(stream.count.begin(), stream.count.end());
    out.quality.push_back(stream.quality);
    out.strong.emplace_back(stream.strong.begin(), stream.strong.end());
    out.cost.push_back(stream.cost);
    out.learning.push_back(stream.learning);
    costs = costs && !has_unknown(stream.cost) && !has_unknown(stream.learning);
  }
  if (!costs) out.learning.clear(), out.cost.clear();  // a cost without what learning took is not known
  return out;
}

Served SetEvaluation::as_asked(Served once) const {
  if (asked_.empty()) return once;
  Served out;
  out.chooses = once.chooses;
  out.count = asked_;
  const auto spread = [&](const std::vector<std::vector<double>>& from,
                          std::vector<std::vector<double>>& to) {
    if (from.empty()) return;
    to = asked_;
    for (auto& order : to) {
      for (std::size_t q = 0; q < order.size(); ++q) order[q] *= from.front()[q];
    }
  };
  spread(once.quality, out.quality);
  spread(once.strong, out.strong);
  spread(once.cost, out.cost);
  spread(once.learning, out.learning);
  return out;
}

DialSums SetEvaluation::anchor(std::size_t model) const {
  const bool strong = model > 0;
  Served served;
  served.quality = {strong ? test_.strong : test_.weak};
  served.strong = {std::vector<double>(test_.questions.size(), strong ? 1 : 0)};
  if (test_.costs_known()) served.cost = {strong ? test_.strong_cost : test_.weak_cost};
  return dial_sums(as_asked(std::move(served)));
}

std::optional<double> SetEvaluation::strong_cost_of_an_order() const {
  if (!test_.costs_known()) return std::nullopt;
  return sum_of(anchor(1).cost);
}

void SetEvaluation::finish_row(StrategyRow row, const Served& served) {
  row.dataset = set_->name();
  const auto basis = row.strategy == "oracle_all" ? set_->cost_basis_of_all() : set_->cost_basis();
  row.cost_basis = name_of(row.cost_usd ? basis : CostBasis::kUnknown);
  if (!row.cost_usd && row.unknown_costs == 0) row.unknown_costs = unknown_costs_;
  constexpr double kFar = .05;
  if (!row.baseline && row.strong_share && !row.setting.starts_with("min_agreement") &&
      std::abs(row.strong_share->mean - options_.at_strong_share) > kFar &&
      row.setting.find("strong_share") != std::string::npos) {
    add_note(row, fmt::format("realised a strong share of {:.2f} instead of {:.2f}", row.strong_share->mean,
                              options_.at_strong_share));
  }
  if (served.chooses) {
    auto& sums = for_topics_.emplace_back();
    sums.strategy = row.strategy;
    for (auto* list : {&sums.quality, &sums.strong, &sums.count}) list->assign(set_->topics().size(), 0);
    for (std::size_t s = 0; s < served.quality.size(); ++s) {
      for (std::size_t q = 0; q < test_.questions.size(); ++q) {
        const auto topic = set_->topic(test_.questions[q]);
        sums.quality[topic] += served.quality[s][q];
        sums.strong[topic] += served.strong[s][q];
        sums.count[topic] += served.count.empty() ? 1 : served.count[s][q];
      }
    }
  }
  report_.rows.push_back(std::move(row));
}

void SetEvaluation::add_note(StrategyRow& row, const std::string& text) {
  row.note += (row.note.empty() ? "" : "; ") + text;
}

Result<SweptScores> SetEvaluation::swept_scores(const EvalStrategy& strategy, const FittedStrategy& fitted,
                                                const std::string& weak_name,
                                                const std::string& strong_name) const {
  return swept_scores_on(strategy, fitted, set_->split().calibration, test_.questions, weak_name,
                         strong_name);
}

Result<SweptScores> SetEvaluation::swept_scores_on(const EvalStrategy& strategy, const FittedStrategy& fitted,
                                                   const std::vector<std::uint32_t>& calibration,
                                                   const std::vector<std::uint32_t>& test,
                                                   const std::string& weak_name,
                                                   const std::string& strong_name) const {
  if (fitted.router && strategy.inputs != RouterInputs::kEmbedding) {
    // The flow prepares what it serves by; another view is asked directly, and has no time of deciding.
    auto direct = router_scores(*set_, strategy, *fitted.router, calibration, test);
    direct.threshold = threshold_for(direct, options_.at_strong_share);
    return direct;
  }
  SweptScores out;
  auto made = fitted.strategy ? Result<StrategyPtr>(fitted.strategy)
                              : make_serving_strategy(strategy.name, strategy.options);
  if (!made) return fail(made.error());
  for (const bool calibrating : {true, false}) {
    const auto& questions = calibrating ? calibration : test;
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
      scores.push_back(request.score ? -*request.score : kNothingKnown);
      if (!calibrating) out.agreement.push_back(request.score.value_or(kNaN));
    }
    std::vector<double> times(result->decide_ms.begin(), result->decide_ms.end());
    out.p50 = static_cast<float>(quantile(times, .5).value_or(0));
    out.p99 = static_cast<float>(quantile(times, .99).value_or(0));
  }
  out.threshold = threshold_for(out, options_.at_strong_share);
  return out;
}

void SetEvaluation::unfitted_row(const Plan& plan, const FittedStrategy& fitted) {
  StrategyRow row;
  row.dataset = set_->name();
  row.strategy = plan.strategy.text;
  row.n = test_.questions.size();
  row.cost_basis = name_of(CostBasis::kUnknown);
  row.note = "could not be fitted: " + fitted.failure;
  report_.rows.push_back(std::move(row));
}

Result<> SetEvaluation::swept_row(const Plan& plan) {
  const auto& own = fitted(plan.strategy);
  if (!own.failure.empty()) {
    unfitted_row(plan, own);
    return {};
  }
  auto scores = swept_scores(plan.strategy, own, "", "");
  if (!scores) return fail(scores.error());
  const std::size_t n = test_.questions.size();
  StrategyRow row;
  row.strategy = plan.strategy.text;
  row.baseline = plan.baseline;
  row.setting = fmt::format("strong_share={} on the {} questions", options_.at_strong_share,
                            scores->calibration.empty() ? "test" : "calibration");
  row.note = fmt::format("fitted on {} questions", own.labels);
  if (plan.strategy.text == kKnnBaseline && !own.router)
    add_note(row, "of what is remembered, not the router of that name");
  if (own.router) {
    const auto far = std::count_if(scores->agreement.begin(), scores->agreement.end(),
                                   [](double p) { return std::isnan(p); });
    add_note(row, fmt::format(
                      "{:.1f}% of the test questions were unlike those and went to strong",
                      100.0 * static_cast<double>(far) / static_cast<double>(std::max<std::size_t>(1, n))));
  }
  row.labels = own.labels;
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
  served = as_asked(std::move(served));
  if (options_.order.paraphrase_share > 0 || options_.order.session_turns > 1)
    add_note(row, "scored on each question as recorded, without the order's paraphrases and earlier turns");
  fill_operating_point(row, test_, served, set_->groups(), rows_);
  const SweptQuestions swept{scores->test, test_.weak, test_.strong, test_.weak_cost, test_.strong_cost};
  const StaticSweep sweep(swept);
  fill_curve_metrics(row, test_, sweep, asked_, rows_);
  std::optional<Calibration> diagram;
  if (own.router) {
    auto events = test_;
    auto need = scores->agreement;
    for (std::size_t q = 0; q < n; ++q) {
      events.agrees[q] = test_.strong[q] > test_.weak[q] ? 1 : 0;
      need[q] = 1 - need[q];
    }
    fill_calibration(row, events, need, diagram, rows_);
    if (diagram) report_.reliability.push_back({row.strategy, "strong's answer is really better", *diagram});
  } else {
    fill_calibration(row, test_, scores->agreement, diagram, rows_);
    if (diagram)
      report_.reliability.push_back({row.strategy, "weak's answer agrees with strong's", *diagram});
  }
  if (row.cost_rel && own.cost_usd) {
    const double extra = *own.cost_usd / *strong_cost_of_an_order();
    row.cost_rel_with_learning = *row.cost_rel;
    row.cost_rel_with_learning->mean += extra;
    if (auto& ci = row.cost_rel_with_learning->ci95) ci->low += extra, ci->high += extra;
  }
  PlaneCurve curve;
  curve.strategy = row.strategy;
  curve.baseline = row.baseline;
  Curve whole;
  sweep.sweep(asked_total_, whole);
  const auto strong_cost = whole.empty() ? std::nullopt : whole.back().cost;
  std::vector<double> shares;
  for (std::size_t i = 0; i <= kCurvePoints && !whole.empty(); ++i) {
    const auto& from = whole[i * (whole.size() - 1) / kCurvePoints];
    PlanePoint point;
    point.strong_share = from.strong_share;
    if (from.cost && strong_cost > 0.0) point.cost_rel = *from.cost / *strong_cost;
    point.quality.mean = from.quality;
    point.quality.n = n;
    shares.push_back(from.strong_share);
    curve.points.push_back(point);
  }
  const auto qualities = swept_qualities(test_, sweep, asked_, shares, rows_);
  for (std::size_t i = 0; i < shares.size(); ++i) {
    if (qualities[i]) curve.points[i].quality.ci95 = qualities[i]->ci95;
  }
  report_.plane.curves.push_back(std::move(curve));
  add_fitted_curve(row.strategy, scores->test, scores->threshold, own.cost_usd);
  swept_[plan.strategy.text] = std::move(*scores);
  finish_row(std::move(row), served);
  return {};
}

void SetEvaluation::note_if_too_small(StrategyRow& row, const Plan& plan, std::size_t point) const {
  constexpr const char* kOption = "outcomes_min";
  const auto spec = std::find_if(plan.kind->options.begin(), plan.kind->options.end(),
                                 [](const OptionSpec& one) { return one.name == kOption; });
  if (spec == plan.kind->options.end()) return;
  const auto given = plan.strategy.options.find(kOption);
  const auto* wanted =
      std::get_if<std::int64_t>(given == plan.strategy.options.end() ? &spec->fallback : &given->second);
  if (!wanted || *wanted <= 0) return;
  const auto needed = static_cast<std::uint64_t>(*wanted);
  std::uint64_t requests = 0;
  std::uint64_t learned = 0;
  for (std::size_t seed = 0; seed < options_.seeds; ++seed) {
    const auto& stream = streams_[point + seed];
    requests = std::max(requests, stream.requests);
    learned = std::max(learned, stream.shadows - stream.cannot_tell);
  }
  if (learned < needed) {
    add_note(row,
             fmt::format("measures nothing here: it decides after {} outcomes ({}), and {} requests gave "
                         "{}; needed are well over {} requests that are learned from, or a smaller {}",
                         needed, kOption, requests, learned, needed, kOption));
  } else if (requests < 2 * needed) {
    add_note(row, fmt::format("measures little here: it decides after {} outcomes ({}), and there are {} "
                              "requests; needed are well over {}, or a smaller {}",
                              needed, kOption, requests, 2 * needed, kOption));
  }
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
  note_if_too_small(row, plan, point);
  std::optional<Calibration> diagram;
  fill_calibration(row, test_, first.p_agree, diagram, rows_);
  if (diagram) report_.reliability.push_back({row.strategy, "weak's answer agrees with strong's", *diagram});
  PlaneCurve curve;
  curve.strategy = row.strategy;
  curve.baseline = row.baseline;
  if (plan.dials.empty()) {
    curve.points.push_back(plane_point(row));
  } else {
    Dial streams;
    streams.weak = anchor(0);
    streams.strong = anchor(1);
    bool costs = test_.costs_known();
    for (const auto at : plan.dials) {
      const auto dialled = served_by(at, options_.seeds);
      costs = costs && !dialled.cost.empty();
      streams.settings.push_back(dial_sums(dialled));
      StrategyRow at_setting;
      RowOptions quick = rows_;
      quick.rounds = std::min(quick.rounds, 200);
      fill_operating_point(at_setting, test_, dialled, set_->groups(), quick);
      curve.points.push_back(plane_point(at_setting));
    }
    if (!costs) {
      for (auto* sums : {&streams.weak, &streams.strong}) sums->cost.clear();
      for (auto& sums : streams.settings) sums.cost.clear();
    }
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

Result<DatasetReport> SetEvaluation::run() {
  report_.name = set_->name();
  report_.file = set_->options().file;
  report_.models = set_->models();
  report_.records = set_->data_file().records;
  report_.dropped = set_->dropped();
  const auto& split = set_->split();
  report_.splits = {split.fitting.size(), split.calibration.size(), split.test.size(), set_->clusters().count,
                    set_->clusters().largest};
  if (options_.order.repeat_share > 0) {
    std::vector<std::uint32_t> place(set_->size());
    for (std::size_t q = 0; q < test_.questions.size(); ++q)
      place[test_.questions[q]] = static_cast<std::uint32_t>(q);
    asked_total_.assign(test_.questions.size(), 0);
    for (std::size_t seed = 0; seed < options_.seeds; ++seed) {
      asked_.emplace_back(test_.questions.size());
      for (const auto& request : order_of(seed)) {
        asked_.back()[place[request.question]] += 1;
        ++asked_total_[place[request.question]];
      }
    }
  }
  report_.cost_basis = name_of(set_->cost_basis());
  if (split.shortened)
    report_.notes.push_back(
        "Fewer fitting or calibration questions than asked for, to leave enough for the test.");
  if (set_->cost_basis() == CostBasis::kUnknown) {
    report_.notes.push_back(
        "Costs are unknown here: shuffles are matched by strong share, and learning is bounded by number.");
  }
  if (const auto& embedding = set_->embedding(); embedding.texts > 0) {
    report_.embedding = embedding;
    report_.notes.push_back(
        fmt::format("Embedding {} texts is charged at 0 USD: the encoder runs in this process; its time and "
                    "CPU time per text stand under timing.",
                    embedding.texts));
  }
  progress("fitting", 0, 1, {});
  if (auto done = fit(); !done) return fail(done.error());
  if (auto done = plan_streams(); !done) return fail(done.error());
  if (auto done = fit_routers(); !done) return fail(done.error());
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
      many_row(plan);
    } else {
      online_row(plan);
    }
  }
  if (auto done = add_studies(); !done) return fail(done.error());
  add_topics();
  if (shown_ && options_.show_decisions) add_decisions(*shown_);
  const auto strong_row = std::find_if(report_.rows.begin(), report_.rows.end(),
                                       [](const auto& row) { return row.strategy == "always_strong"; });
  const double strong_cost =
      strong_row != report_.rows.end() && strong_row->cost_usd ? strong_row->cost_usd->mean : 0;
  for (std::size_t m = 0; m < set_->models().size(); ++m) {
    double quality = 0;
    double cost = 0;
    double n = 0;
    for (std::size_t q = 0; q < test_.questions.size(); ++q) {
      const auto& cell = set_->table().at(m, test_.questions[q]);
      const double times = asked_total_.empty() ? 1 : asked_total_[q];
      quality += times * cell.quality.value_or(0);
      cost += times * cell.cost.value_or(kNaN);
      n += times;
    }
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
  swept_ = {};
  for (auto& task : tasks_) task.plan = {}, task.questions = {}, task.order = {};
  orders_ = {};
  return std::move(report_);
}

}  // namespace brevet
