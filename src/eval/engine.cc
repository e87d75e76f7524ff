#include "eval/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "eval/router_fit.h"
#include "eval/set_evaluation.h"
#include "strategy/strategy_text.h"

namespace brevet {
namespace {

/// The test questions that the other set was not fitted on (files share questions), and the scores of those.
TestColumns without_fitted(const SetEvaluation& on, const SetEvaluation& from, SweptScores& scores) {
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

/// Both models' figures as they were served with strong from `threshold` on.
StrategyRow operating_point(const SetEvaluation& on, const TestColumns& test,
                            const std::vector<double>& scores, double threshold, const RowOptions& options) {
  Served served;
  served.quality.emplace_back();
  served.strong.emplace_back();
  for (std::size_t q = 0; q < test.questions.size(); ++q) {
    const bool strong = scores[q] >= threshold;
    served.strong[0].push_back(strong ? 1 : 0);
    served.quality[0].push_back(strong ? test.strong[q] : test.weak[q]);
  }
  StrategyRow row;
  fill_operating_point(row, test, served, on.set().groups(), options);
  return row;
}

/// One strategy fitted on each set and tested on every one.
Result<> add_transfer(const EvalOptions& options, const EvalStrategy& strategy,
                      const std::vector<std::unique_ptr<SetEvaluation>>& sets, EvalReport& report) {
  const RowOptions quick{options.bootstrap_rounds, options.seed,
                         static_cast<unsigned>(std::max(1, options.threads))};
  std::vector<SweptScores> at_home;
  for (const auto& set : sets) {
    if (!set->fitted(strategy).failure.empty()) {
      at_home.emplace_back();
      continue;
    }
    auto scores = set->swept_scores(strategy, set->fitted(strategy), set->set().models().front(),
                                    set->set().models().back());
    if (!scores) return fail(scores.error());
    at_home.push_back(std::move(*scores));
  }
  for (std::size_t to = 0; to < sets.size(); ++to) {
    const auto& on = *sets[to];
    std::optional<double> apgr_at_home;
    std::vector<TransferRow> rows;
    for (std::size_t i = 0; i < sets.size(); ++i) {
      const auto& from = *sets[i];
      if (!from.fitted(strategy).failure.empty()) continue;
      if (options.stop && options.stop()) return fail(interrupted_error());
      auto scores = at_home[to];
      if (i != to) {
        auto foreign = on.swept_scores(strategy, from.fitted(strategy), from.set().models().front(),
                                       from.set().models().back());
        if (!foreign) return fail(foreign.error());
        scores = std::move(*foreign);
      }
      const auto test = i == to ? on.test() : without_fitted(on, from, scores);
      if (test.questions.empty()) continue;
      StrategyRow curve;
      fill_curve_metrics(curve, test,
                         StaticSweep({scores.test, test.weak, test.strong, test.weak_cost, test.strong_cost}),
                         {}, quick);
      const auto here = operating_point(on, test, scores.test, scores.threshold, quick);
      const auto carried = operating_point(on, test, scores.test, at_home[i].threshold, quick);
      if (i == to && curve.apgr) apgr_at_home = curve.apgr->mean;
      TransferRow row;
      row.strategy = strategy.text;
      row.fitted_on = from.set().name();
      row.tested_on = on.set().name();
      row.n = test.questions.size();
      row.apgr = curve.apgr;
      row.cpt50 = curve.cpt50;
      row.mixture_gain = here.mixture_gain;
      row.carried_strong_share = carried.strong_share;
      row.carried_quality = carried.quality;
      row.carried_mixture_gain = carried.mixture_gain;
      rows.push_back(std::move(row));
    }
    for (auto& row : rows) {
      row.apgr_at_home = apgr_at_home;
      report.transfer.push_back(std::move(row));
    }
  }
  return {};
}

}  // namespace

const std::vector<std::string>& baseline_names() {
  static const std::vector<std::string> names = {"always_weak",    "always_strong", "best_single",
                                                 "random_mixture", "zero_router",   "exact_lookup",
                                                 "oracle",         "oracle_all",    "knn"};
  return names;
}

Result<EvalStrategy> parse_eval_strategy(const std::string& text) {
  auto parsed = parse_strategy_text(text);
  if (!parsed) return fail(parsed.error());
  EvalStrategy out;
  out.text = text;
  out.name = std::move(parsed->name);
  out.options = std::move(parsed->options);
  if (computed_baseline(out.name) && out.options.empty()) return out;
  if (auto done = take_router_options(out); !done) return fail(done.error());
  if (out.trained) return out;
  auto made = make_serving_strategy(out.name, out.options);
  if (!made) return fail(made.error());
  return out;
}

Result<EvalReport> evaluate(const EvalOptions& options, EmbeddingPool* pool) {
  const auto started = std::chrono::steady_clock::now();
  if ((options.splits > 1 || !options.more_labels.empty()) && options.order.repeat_share > 0) {
    return fail(ErrorKind::kCallerInvalid, "contradictory",
                "Several splits or label counts ask each question once, and the order asks some again. Leave "
                "out +repeats, or --splits and the list of --fit-labels.",
                "--splits");
  }
  EvalReport report;
  std::vector<std::unique_ptr<SetEvaluation>> sets;
  const auto trim = [&] {
    for (const auto& folder : {options.cache_folder, options.work_folder}) {
      if (!folder.empty()) trim_cache(folder, options.cache_bounds);
    }
  };
  trim();
  std::unique_ptr<FolderUse> use;
  if (!options.work_folder.empty()) {
    auto taken = FolderUse::take(options.work_folder);
    if (!taken) return fail(taken.error());
    use = std::move(*taken);
  }
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
    for (const auto& strategy : options.strategies) {
      if (strategy.inputs == RouterInputs::kStatic && !options.static_encoder) {
        return fail(ErrorKind::kCallerInvalid, "no_static_encoder",
                    fmt::format("'{}' reads a static encoder, and none was given: --static-encoder FILE.",
                                strategy.text),
                    "--static-encoder");
      }
      if (auto added = (*set)->add_view(strategy.inputs, options.static_encoder.get()); !added)
        return fail(added.error());
    }
    auto evaluation = std::make_unique<SetEvaluation>(options, *set, pool);
    const auto ready = std::chrono::steady_clock::now();
    auto done = evaluation->run();
    if (!done) return fail(done.error());
    report.datasets.push_back(std::move(*done));
    for (auto& row : evaluation->take_pairwise()) report.pairwise.push_back(std::move(row));
    report.run.files.push_back((*set)->data_file());
    report.timing.phases_s.emplace_back((*set)->name() + " prepared",
                                        std::chrono::duration<double>(ready - begun).count());
    report.timing.phases_s.emplace_back(
        (*set)->name() + " evaluated",
        std::chrono::duration<double>(std::chrono::steady_clock::now() - ready).count());
    sets.push_back(std::move(evaluation));
  }
  if (options.transfer && sets.size() > 1) {
    std::vector<EvalStrategy> swept(1);
    swept.front().text = swept.front().name = "knn";
    for (const auto& one : options.strategies) {
      const auto* kind = kind_of(one.name);
      if (kind && kind->swept && one.text != "knn") swept.push_back(one);
    }
    for (const auto& strategy : swept) {
      if (auto done = add_transfer(options, strategy, sets, report); !done) return fail(done.error());
    }
  }
  // Streams are content-addressed: another run may be about to go on from the same ones.
  if (use && use->alone()) {
    for (const auto& one : sets) forget_streams(one->tasks(), options.work_folder);
  }
  trim();
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