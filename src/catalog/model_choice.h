// Which models meet hard constraints, and which of them are not beaten in both quality and cost.
//
// Used by `brevet models select`. Pure. A constraint on a fact that is not known is neither met nor failed:
// the model goes to a list of its own with the reason, unless the caller says otherwise. Does not measure
// quality.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/device.h"
#include "catalog/model_facts.h"

namespace brevet {

enum class UnknownRule { kSeparate, kAllow, kReject };

struct DeviceWish {
  Device device;
  FitAssumptions assumptions;
  double bits_min = 4.5;                        ///< smaller quantisations cost too much quality
  std::optional<Quantisation> quantisation;     ///< this one only
  std::optional<double> tokens_per_second_min;  ///< of generation
};

struct ModelWish {
  std::vector<Capability> capabilities;
  std::optional<std::int64_t> context_min;
  std::vector<LicenceClass> licences;  ///< any of them; empty = any
  std::optional<Money> price_max;      ///< USD per million tokens at the mix
  int input_parts = 3;                 ///< input tokens : output tokens of the price
  int output_parts = 1;
  std::optional<std::int64_t> parameters_max;  ///< all, not only the active ones
  bool local_only = false;                     ///< weights that one's own machine may run
  std::string today;                           ///< YYYY-MM-DD; not empty: models that are retired fall out
  std::optional<DeviceWish> device;
  UnknownRule unknown = UnknownRule::kSeparate;
};

enum class Verdict3 { kMeets, kFails, kCannotTell };

/// One constraint that a model does not meet, or of which that is not known.
struct Finding {
  std::string constraint;  ///< "tools", "context", "licence", "price", "size", "local", "device", "retired"
  Verdict3 verdict = Verdict3::kFails;
  std::string sentence;
};

struct Judged {
  Verdict3 verdict = Verdict3::kMeets;
  std::vector<Finding> findings;  ///< all of them, failures first; with kAllow the allowed unknowns too
  std::optional<Fit> fit;         ///< the largest quantisation that fits the device and is quick enough
};

/// `model` as the catalogue resolves it.
Judged judge_model(const ModelFacts& model, const ModelWish& wish);

/// Cost and quality of one choice; any unit of cost, less is better; more quality is better.
struct TradeOff {
  double cost = 0;
  double quality = 0;
};
/// Indices of the points that no other point beats: at least as good in both and better in one. Equal points
/// stand together. By cost, then by index. O(n log n).
std::vector<std::size_t> pareto_front(const std::vector<TradeOff>& points);

}  // namespace brevet
