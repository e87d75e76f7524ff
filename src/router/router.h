// A trained router: from what a request looks like to what each configuration's answer would be worth.
//
// Made from an artefact (artefact.h) that src/train fitted; read by the trained strategies and by eval.
// Immutable, thread-safe, no I/O, no clock: a prediction takes microseconds (kNN and similarity-weighted
// ranking up to a millisecond). Does not choose a model, and does not embed: the caller gives features of the
// encoder that the router names.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "domain/features.h"

namespace brevet {

/// What a router learned from, and how well it did on data that did not teach it.
struct RouterInfo {
  std::string kind;  ///< "mf", as in router_kinds()
  /// Keys of the configurations it speaks of, cheapest first: the first is the weak one, the last the strong.
  std::vector<std::string> configurations;
  std::string encoder_hash;  ///< of the features it reads; "none" where it reads no embedding
  int lexical_version = 0;   ///< numbering of words; 0 where it reads no words
  std::string data_hash;     ///< SHA-256 hex over the labelled texts and labels
  std::string command;       ///< that made it
  std::string created;       ///< UTC, RFC 3339
  std::uint64_t fitted = 0;  ///< labelled requests that it learned from
  std::uint64_t seed = 0;
  /// Of a model beside the encoder that it reads (RequestFeatures::classified): a folder with a text
  /// classifier, relative to the router's file, or the name of a model that is asked. Empty where there is
  /// none.
  std::string model;
  std::string model_hash;  ///< SHA-256 hex of what that model is; a changed one is refused
  /// Mean recorded cost of each configuration per request, USD; NaN where it is not known.
  std::vector<double> mean_cost_usd;
  /// Measured out of fold on the fitting data, or on a held-out part: name -> value, such as "apgr", "brier",
  /// "ece", "n".
  std::vector<std::pair<std::string, double>> measured;
};

struct RouterPrediction {
  /// Expected quality (0..1) of each of RouterInfo::configurations, calibrated. Empty for kinds that were
  /// taught by pairs alone and know only which of two is better.
  std::vector<float> quality;
  /// Calibrated P(the strong answer is better than the weak one); a reported .8 is right in 80%.
  double need_strong = 1;
  /// How near the request is to what the router was fitted on, as the share of fitting requests that were no
  /// nearer to the rest (0..1); small = unlike anything seen. 1 where it was not measured.
  double familiarity = 1;
};

class CascadeModel;

class Router {
 public:
  virtual ~Router() = default;
  virtual const RouterInfo& info() const = 0;
  /// What it knows after answers have come (cascade_model.h); null for routers that see the request alone.
  virtual const CascadeModel* cascade() const { return nullptr; }
  /// Empty when the features it reads are missing (no embedding): then nothing is known of the request.
  virtual std::optional<RouterPrediction> predict(const RequestFeatures& features) const = 0;
};
using RouterPtr = std::shared_ptr<const Router>;

struct Artefact;
/// Errors (kCallerInvalid): unknown_router (no such kind), router_corrupt (a tensor is missing or has another
/// shape than the kind needs).
Result<RouterPtr> make_router(std::shared_ptr<const Artefact> artefact);

/// One row per kind that make_router knows.
struct RouterKind {
  std::string name;
  std::string summary;
  bool many = false;  ///< speaks of any number of configurations, else of exactly two
};
const std::vector<RouterKind>& router_kinds();

}  // namespace brevet
