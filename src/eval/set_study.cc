#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <numeric>

#include "eval/router_fit.h"
#include "eval/set_evaluation.h"

namespace brevet {

/// Every swept strategy that can be fitted, on every split, each split by itself on one thread.
Result<Study> SetEvaluation::make_study(std::size_t labels, bool main_split_known) const {
  std::vector<const Plan*> wanted;
  for (const auto& plan : plans_) {
    if (plan.kind->swept && fitted(plan.strategy).failure.empty()) wanted.push_back(&plan);
  }
  Study out;
  out.test.resize(options_.splits);
  for (const auto* plan : wanted) out.strategies.push_back(plan->strategy.text);
  out.scores.assign(wanted.size(), std::vector<SplitScores>(options_.splits));
  std::vector<std::vector<std::optional<ManyOnSplit>>> many(
      wanted.size(), std::vector<std::optional<ManyOnSplit>>(options_.splits));
  const auto put = [&](std::size_t k, std::size_t s, const SweptScores& swept, const FittedStrategy& own) {
    auto& to = out.scores[k][s];
    to.score = swept.test;
    to.threshold = threshold_for(swept, options_.at_strong_share);
    to.labels_usd = own.cost_usd;
    if (!own.router) return;
    for (const double agreement : swept.agreement) to.need.push_back(1 - agreement);
  };
  std::mutex mutex;
  std::size_t done = 0;        // guarded by mutex
  std::optional<Error> error;  // guarded by mutex
  const auto one = [&](std::size_t s) -> Result<> {
    const bool known = main_split_known && s == 0;
    const auto split = known ? set_->split() : set_->split_for(options_.seed + s, labels);
    out.test[s] = split.test;
    std::optional<RouterData> data;
    std::optional<FittedStrategy> memory;
    for (std::size_t k = 0; k < wanted.size(); ++k) {
      const auto& strategy = wanted[k]->strategy;
      if (known) {
        put(k, s, swept_.at(strategy.text), fitted(strategy));
        many[k][s] = many_on(strategy, fitted(strategy), split.calibration, split.test);
        continue;
      }
      if (stopped()) return fail(interrupted_error());
      if (strategy.trained) {
        if (!data) data = router_data(*set_, split.fitting);
        auto own = strategy.inputs == RouterInputs::kEmbedding
                       ? fit_strategy(*data, strategy, options_.seed + s, options_.stop)
                       : fit_strategy(seen_as(*data, *set_, split.fitting, strategy.inputs), strategy,
                                      options_.seed + s, options_.stop);
        if (!own) return fail(own.error());
        if (!own->failure.empty()) continue;  // left out below
        put(k, s, router_scores(*set_, strategy, *own->router, split.calibration, split.test), *own);
        if (main_split_known) many[k][s] = many_on(strategy, *own, split.calibration, split.test);
        continue;
      }
      if (!memory) {
        auto made = fit_memory(split);
        if (!made) return fail(made.error());
        memory = std::move(*made);
      }
      auto swept = swept_scores_on(strategy, *memory, split.calibration, split.test, "", "");
      if (!swept) return fail(swept.error());
      put(k, s, *swept, *memory);
    }
    return {};
  };
  in_parallel(options_.splits, options_.threads, [&](std::size_t s) {
    {
      std::lock_guard lock(mutex);
      if (error) return;
    }
    auto finished = one(s);
    std::lock_guard lock(mutex);
    if (!finished && !error) error = finished.error();
    progress(fmt::format("splits at {} labels", labels), ++done, options_.splits, {});
  });
  if (error) return fail(*error);
  out.many.resize(wanted.size());
  for (std::size_t k = 0; k < wanted.size(); ++k) {
    for (auto& one_split : many[k]) {
      if (one_split) out.many[k].push_back(std::move(*one_split));
    }
    if (out.many[k].size() < options_.splits) out.many[k].clear();
  }
  // What could not be fitted on one split has no mean over them.
  for (std::size_t k = out.strategies.size(); k-- > 0;) {
    const auto& splits = out.scores[k];
    if (std::none_of(splits.begin(), splits.end(), [](const auto& of) { return of.score.empty(); })) continue;
    out.strategies.erase(out.strategies.begin() + static_cast<std::ptrdiff_t>(k));
    out.scores.erase(out.scores.begin() + static_cast<std::ptrdiff_t>(k));
    out.many.erase(out.many.begin() + static_cast<std::ptrdiff_t>(k));
  }
  return out;
}

Result<> SetEvaluation::add_studies() {
  std::size_t swept = 0;
  for (const auto& plan : plans_) swept += swept_.contains(plan.strategy.text) ? 1 : 0;
  if (swept == 0) return {};
  const bool several = options_.splits > 1;
  if (!several && options_.more_labels.empty() && swept < 2) return {};
  std::vector<std::uint32_t> every(set_->size());
  std::iota(every.begin(), every.end(), 0U);
  const auto all = test_columns(*set_, every);
  std::vector<std::size_t> counts{set_->options().fit_labels};
  counts.insert(counts.end(), options_.more_labels.begin(), options_.more_labels.end());
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const auto made = make_study(counts[i], i == 0);
    if (!made) return fail(made.error());
    progress("splits compared", i, counts.size(), {});
    if (made->strategies.size() < swept) {
      report_.notes.push_back(
          fmt::format("At {} labels {} strategies could not be fitted on every split and are left out of "
                      "its means.",
                      counts[i], swept - made->strategies.size()));
    }
    auto figures = study(all, *made, rows_);
    for (std::size_t k = 0; k < made->strategies.size() && (several || i > 0); ++k) {
      const auto place = std::find_if(report_.rows.begin(), report_.rows.end(), [&](const StrategyRow& row) {
        return row.strategy == made->strategies[k];
      });
      if (place == report_.rows.end()) continue;
      auto row = *place;
      if (i > 0) {
        const auto name = row.strategy;
        const bool baseline = row.baseline;
        const auto basis = row.cost_basis;
        row = StrategyRow();
        row.strategy = name;
        row.dataset = set_->name();
        row.baseline = baseline;
        row.cost_basis = basis;
        row.n = made->test.front().size();
        row.labels = set_->split_for(options_.seed, counts[i]).fitting.size();
        row.setting = place->setting;
        row.unknown_costs = place->unknown_costs;
      }
      row.splits = options_.splits;
      for (std::size_t f = 0; f < study_figures().size(); ++f) {
        auto& figure = row.*study_figures()[f];
        // Of what is remembered a study has no calibration: that stays of the first split. Any other figure
        // that some split does not have is not known.
        const auto member = study_figures()[f];
        const bool calibration =
            member == &StrategyRow::brier || member == &StrategyRow::ece || member == &StrategyRow::auroc;
        if (figures.of[k][f] || i > 0 || !calibration) figure = figures.of[k][f];
        if (figure) figure->n = row.n;
      }
      row.verdict = verdict_of(row.shuffle_gain);
      if (several) {
        add_note(row, fmt::format("means over {} splits; latency, worst group, curve and topics are of the "
                                  "first",
                                  options_.splits));
      }
      if (i == 0) {
        *place = std::move(row);
      } else {
        report_.label_curve.push_back(std::move(row));
      }
    }
    if (i > 0) continue;
    if (several) study_many(*made);
    for (auto& row : figures.pairwise) {
      row.dataset = set_->name();
      if (row.difference) row.difference->n = row.n;
      pairwise_.push_back(std::move(row));
    }
  }
  return {};
}

}  // namespace brevet
