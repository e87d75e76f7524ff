// Cascades on many splits of recorded answers: cost against quality beside the plain log-probability
// threshold, how often promises and budgets hold on questions that did not choose the thresholds, with paired
// intervals.
//
// Called by `brevet cascade`. Pure; uses threads. What is resampled: clusters of questions over the whole set
// (a question drawn counts in every split that tests it). Fitting, calibration and test are the caller's
// split, one per seed.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "eval/measured.h"
#include "train/fit_cascade.h"

namespace brevet {

struct CascadeSplit {
  std::vector<std::uint32_t> fitting, calibration, test;
};

struct CascadeStudyOptions {
  std::vector<double> keep = {.97, .99, 1.0};  ///< shares of the reference's quality
  QuestionUse question = QuestionUse::kMeasure;
  int bootstrap_rounds = 500;
  double judge_error = .1;  ///< of the judge in RouterBench's cascade
  std::uint64_t seed = 1;
  std::function<bool(std::size_t)> progress;  ///< told the splits done; false stops
};

/// One promise of one method, over splits.
struct PromiseFigures {
  double keep = 1;
  std::size_t splits = 0;  ///< where a setting could promise it
  std::size_t broken = 0;  ///< of them, splits whose test fell below
  double retained = 0;     ///< mean over splits, on the test
  double retained_worst = 1;
  double cost_rel = 0;  ///< mean cost / cost of always asking the reference; 1 where none promised it
};

struct CascadeMethod {
  std::string name;
  /// Mean quality on the test over costs from the cheapest to the dearest model, mixing neighbouring
  /// settings.
  Measured area;
  std::optional<Measured> over_threshold;  ///< paired difference to the log-probability threshold
  std::optional<Measured> over_mixture;    ///< paired difference to mixing the models by chance
  std::vector<PromiseFigures> bare, margin;
  /// Budgets held on the test: of all budgets and splits.
  std::size_t budgets = 0, budgets_broken = 0;
  double budget_overshoot = 0;  ///< mean of cost / budget - 1 where broken
  std::size_t splits_with_question = 0;
  double calls = 0;  ///< mean model calls a request, over its settings
};

struct CascadeStudy {
  std::vector<CascadeMethod> methods;
  std::vector<double> model_quality, model_cost;  ///< over all questions
  double oracle = 0;                              ///< share of questions that any model answers right
  std::size_t questions = 0, splits = 0;
  double accept_auroc = 0, accept_ece = 0;  ///< of P(accept) after the first model, out of fold, mean
};

/// Errors: those of fit_cascade; interrupted.
Result<CascadeStudy> study_cascades(const CascadeData& data, const std::vector<CascadeSplit>& splits,
                                    const CascadeStudyOptions& options);

}  // namespace brevet
