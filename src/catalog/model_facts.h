// What is known of a foundation model, fact by fact, each with its source; what is not known is empty.
//
// Read by the catalogue, the importer, the choice and `brevet models`. Plain values. Judges nothing and looks
// nothing up.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/prices.h"

namespace brevet {

enum class Capability {
  kInstruct,          ///< tuned to follow instructions in a chat
  kCompletion,        ///< continues a text as it stands
  kReasoning,         ///< trained to plan and reason before it answers
  kTools,             ///< calls tools
  kFillInMiddle,      ///< completes between a prefix and a suffix
  kVision,            ///< sees images
  kStructuredOutput,  ///< promises answers of a given JSON schema
};
inline constexpr std::array kCapabilities = {
    Capability::kInstruct,     Capability::kCompletion, Capability::kReasoning,       Capability::kTools,
    Capability::kFillInMiddle, Capability::kVision,     Capability::kStructuredOutput};
/// "instruct", "completion", "reasoning", "tools", "fill_in_middle", "vision", "structured_output".
const char* name_of(Capability capability);
std::optional<Capability> parse_capability(std::string_view name);

/// permissive: use, change and resell (Apache-2.0, MIT). community: open weights with conditions on use.
/// non_commercial: open weights, research only. proprietary: no weights, a provider's terms.
enum class LicenceClass { kPermissive, kCommunity, kNonCommercial, kProprietary };
const char* name_of(LicenceClass kind);
std::optional<LicenceClass> parse_licence_class(std::string_view name);

struct Licence {
  std::string spdx;  ///< SPDX identifier, LicenseRef-... where SPDX lists none
  LicenceClass kind = LicenceClass::kProprietary;
  bool operator==(const Licence&) const = default;
};

/// What the key-value cache of a transformer with full attention needs. Not for latent attention or state
/// space models: there it stays unknown.
struct Architecture {
  int layers = 0;
  int kv_heads = 0;
  int head_size = 0;
  bool operator==(const Architecture&) const = default;
};

/// A score that somebody published. `source` is the id of a FactSource with title and date.
struct BenchmarkFigure {
  std::string benchmark;  ///< "MMLU", "MMLU-Pro", ...
  double score = 0;       ///< 0..1
  std::string setup;      ///< "5-shot", "0-shot CoT", ...
  std::string source;
  bool operator==(const BenchmarkFigure&) const = default;
};

struct FactSource {
  std::string title;
  std::string date;    ///< YYYY-MM-DD: when it said so
  std::string sha256;  ///< of an imported file, else empty
  bool operator==(const FactSource&) const = default;
};

/// Facts that a person wrote by hand have this source, and no import replaces them.
inline constexpr const char* kOwnSource = "own";

struct ModelFacts {
  std::string name;
  std::vector<std::string> aliases;  ///< other spellings of the very same model, as data files have them
  std::string offer_of;              ///< name of the model that this entry is one provider's offer of
  std::optional<std::string> maker;
  std::vector<std::string> hosts;    ///< providers that serve it
  std::optional<bool> open_weights;  ///< true: may run on one's own device
  std::optional<Licence> licence;
  std::optional<std::int64_t> parameters;
  std::optional<std::int64_t> active_parameters;  ///< per token; a dense model's are all
  std::optional<std::int64_t> context_tokens;
  std::optional<std::int64_t> output_tokens_max;
  std::array<std::optional<bool>, kCapabilities.size()> capabilities;
  std::optional<Architecture> architecture;
  std::optional<ModelPrice> price;
  std::optional<std::string> retires;  ///< YYYY-MM-DD: the provider ends it
  std::vector<BenchmarkFigure> benchmarks;
  std::string note;
  /// Field name ("price", "capabilities.tools", ...) to source id, for every field that is known.
  std::map<std::string, std::string> sources;

  bool operator==(const ModelFacts&) const = default;
  const std::optional<bool>& has(Capability capability) const {
    return capabilities[static_cast<std::size_t>(capability)];
  }
  std::optional<bool>& has(Capability capability) {
    return capabilities[static_cast<std::size_t>(capability)];
  }
};

/// Cost of a million tokens of which `input_parts` : `output_parts` are input and output, rounded to the
/// nearest pico-USD. Both parts >= 0, not both 0.
Money blended_price(const ModelPrice& price, int input_parts, int output_parts);

}  // namespace brevet
