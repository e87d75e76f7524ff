// Fitting a cascade: from recorded answers of several models on the same requests to what their signals say
// of every answer's quality, when to ask on, and which list of models with which thresholds.
//
// Called by `brevet train frugal_cascade` and `brevet train cascade_routing`, and by measurements. Three
// parts of the data are disjoint: `fitting` teaches the regressions (their calibration is out of fold),
// `calibration` chooses thresholds and measures the settings, and what remains is the caller's test. Pure,
// deterministic for a seed.
//
// What is learned is the VALUE of escalating: quality of a later answer minus quality of the one at hand, by
// one ridge regression per state for all models at once, so that a request which nobody can answer is not
// sent on. The question's own features are kept only where they raise the area under the cost-quality curve
// out of fold by more than a standard error: on some pairs of models they do, on others they mislead.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "domain/features.h"
#include "router/cascade_model.h"

namespace brevet {

struct CascadeData {
  std::vector<std::string> configurations;    ///< [m] keys, cheapest first, the reference last
  std::vector<std::vector<float>> quality;    ///< [m][n], 0..1, all known
  std::vector<std::vector<double>> cost_usd;  ///< [m][n], all known
  std::vector<CascadeState> answers;          ///< [n] with every model asked
  std::vector<RequestFeatures> features;      ///< [n] or empty
  std::vector<std::uint32_t> cluster;         ///< [n]
  std::string encoder_hash = "none";
  int lexical_version = 0;
  std::string data_hash;
};

enum class QuestionUse { kMeasure, kNever, kAlways };

struct CascadeFitOptions {
  std::string kind = kCascadeRouting;
  std::vector<std::uint32_t> fitting, calibration;  ///< rows of the data, disjoint by cluster
  QuestionUse question = QuestionUse::kMeasure;
  double ridge = 20;
  int folds = 5;
  std::size_t settings = 48;  ///< of the trade-off, from "quality whatever it costs" to "cheapest"
  std::size_t stages_max = 3;
  double z = 1.645;  ///< standard errors of margin for budgets and promises: one-sided 95%
  std::uint64_t seed = 1;
  std::string command, created;
  std::function<bool()> stop;
};

inline constexpr std::size_t kCascadeRowsMin = 100;
/// States double with each model.
inline constexpr std::size_t kRoutingModelsMax = 6;

/// Errors (kCallerInvalid): too_few_labels, bad_labels (scores or costs are missing), too_many_models,
/// one_sided_labels (no signal and no feature tells anything apart), interrupted.
Result<std::shared_ptr<const Artefact>> fit_cascade(const CascadeData& data,
                                                    const CascadeFitOptions& options);

/// What a cascade would have served and cost on a row, as the strategies do it.
struct CascadeRun {
  double quality = 0;
  double cost_usd = 0;
  std::size_t served = 0;
  std::size_t calls = 0;
  bool strong_asked = false;
};
CascadeRun run_routing(const CascadeModel& model, const CascadeData& data, std::uint32_t row,
                       std::size_t point);
CascadeRun run_list(const CascadeModel& model, const CascadeData& data, std::uint32_t row,
                    const CascadeList& list);

/// `state` as far as `asked` have answered.
CascadeState seen_by(const CascadeState& state, std::uint32_t asked, const RequestFeatures* question);

}  // namespace brevet
