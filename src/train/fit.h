// Fitting routers on a CPU from labelled requests: one function for every kind, calibrated out of fold.
//
// Called by `brevet train` and by eval (on its fitting split alone). Deterministic: same data, options and
// seed, same artefact. A call owns everything it changes and may run beside others. Does not read files and
// does not embed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "domain/features.h"
#include "router/artefact.h"
#include "strategy/strategy.h"

namespace brevet {

/// One comparison of two configurations on a request, as in a battle file or from unequal scores.
struct LabelledPair {
  std::uint32_t request = 0;  ///< index into FitData::features
  std::uint32_t first = 0;    ///< index into FitData::configurations, or beyond: see FitData::others
  std::uint32_t second = 0;
  float outcome = .5F;  ///< 1 first is better, 0 second is better, .5 a tie
  float weight = 1;     ///< of this comparison among the others
};

struct FitData {
  std::vector<RequestFeatures> features;      ///< [n]; embeddings of one encoder or null
  std::vector<std::string> configurations;    ///< [m] keys, cheapest first, strong last
  std::vector<std::string> others;            ///< more models that only battles speak of; index m + i
  std::vector<std::vector<float>> quality;    ///< [m][n] in 0..1, NaN = not labelled
  std::vector<std::vector<double>> cost_usd;  ///< [m][n], NaN = not known
  /// [m][n] sampled qualities, where a configuration was asked several times; may be empty.
  std::vector<std::vector<std::vector<float>>> samples;
  std::vector<LabelledPair> pairs;             ///< empty: they are made from `quality`
  std::vector<std::uint32_t> cluster;          ///< [n] near-duplicates are never on both sides of a fold
  std::vector<std::vector<std::string>> tags;  ///< [n] or empty; topics for label enhancement
  std::string encoder_hash = "none";
  /// Of the model behind RequestFeatures::classified, as RouterInfo has them.
  std::string model, model_hash;
  std::string data_hash;
};

struct FitOptions {
  std::string kind;
  OptionValues options;  ///< of the kind's own table; missing ones take their default
  std::uint64_t seed = 1;
  int folds = 5;  ///< for out-of-fold calibration and the measured figures
  std::string command;
  std::string created;
  std::function<bool()> stop;  ///< ends the fit with `interrupted`
};

struct FitKind {
  std::string name;
  std::string summary;
  std::vector<OptionSpec> options;
  std::size_t requests_min = 0;  ///< fewer labelled requests are refused
  bool many = false;             ///< any number of configurations, else exactly two
  bool beside = false;  ///< reads the answer of a model beside the encoder (RequestFeatures::classified)
};
/// Every kind that can be fitted here, one row each (fit.cc).
const std::vector<FitKind>& fit_kinds();

/// Errors (kCallerInvalid): unknown_router, unknown_option, bad_option, too_few_labels, wrong_candidates (the
/// kind speaks of two configurations only), no_embeddings, not_classified (the kind reads another model's
/// answer, and no request has one), one_sided_labels (nothing to learn: strong is
/// never, or always, better), interrupted.
Result<std::shared_ptr<const Artefact>> fit_router(const FitData& data, const FitOptions& options);

}  // namespace brevet
