// Trained routers inside an evaluation: what they may learn from, and the strategy that reads them.
//
// Used inside src/eval. Labels are the recorded scores of the candidates on the questions given, and nothing
// else of the file; text, embedding and words are those that a strategy sees. Fits may run beside each other.
// Does not choose questions and does not measure.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include "eval/set_evaluation.h"
#include "train/fit.h"

namespace brevet {

/// Null when routers of this kind cannot be fitted here.
const FitKind* fit_kind_of(const std::string& name);

/// Sets `trained`, `labels` and `inputs` and takes the options of the fit out of `options` where the strategy
/// is a router. Errors: bad_option, unknown_option (neither knows it; with the nearest name).
Result<> take_router_options(EvalStrategy& strategy);

/// Labelled questions for kinds that speak of all candidates, and for those that speak of two.
struct RouterData {
  FitData all;
  FitData pair;  ///< weak and strong; empty when there are no other candidates
};
RouterData router_data(const QuestionSet& set, const std::vector<std::uint32_t>& questions);
/// The same requests as another view shows them.
RouterData seen_as(RouterData data, const QuestionSet& set, const std::vector<std::uint32_t>& questions,
                   RouterInputs inputs);
/// The same requests with other labels; samples are dropped, because the rule speaks of scores.
FitData labelled_by(FitData data, LabelRule rule);

/// Errors: those of fit_router, but for data from which nothing can be learned (too few or one-sided labels,
/// no embeddings, more candidates than the kind speaks of): then FittedStrategy::failure says so.
/// `data` is of the view that the strategy reads.
Result<FittedStrategy> fit_strategy(const RouterData& data, const EvalStrategy& strategy, std::uint64_t seed,
                                    const std::function<bool()>& stop);

/// The familiarity below which a request goes to strong, as the strategy was told or by default.
double familiarity_min_of(const EvalStrategy& strategy);

/// What the flow's strategy would say of the questions, from the router itself: the same scores many times
/// faster. `threshold` is left alone.
SweptScores router_scores(const QuestionSet& set, const EvalStrategy& strategy, const Router& router,
                          const std::vector<std::uint32_t>& calibration,
                          const std::vector<std::uint32_t>& test);

/// Calls work(i) for i in 0..count-1 on `threads` threads, in no order.
template <class Work>
void in_parallel(std::size_t count, int threads, const Work& work) {
  std::atomic<std::size_t> next{0};
  const auto run = [&] {
    for (std::size_t i = next++; i < count; i = next++) work(i);
  };
  std::vector<std::jthread> others;
  for (int i = 1; i < threads && static_cast<std::size_t>(i) < count; ++i) others.emplace_back(run);
  run();
}

}  // namespace brevet
