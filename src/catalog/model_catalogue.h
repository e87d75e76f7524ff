// The catalogue of models: embedded facts, merged with what the user imported or wrote by hand.
//
// Used by `brevet models`. A value: copy it, change it, write it. Not synchronised. Does not fetch anything,
// and does not judge (model_choice.h).
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "catalog/model_facts.h"

namespace brevet {

inline constexpr std::size_t kCatalogueBytesMax = std::size_t{64} * 1024 * 1024;
inline constexpr std::size_t kCatalogueModelsMax = 100'000;
inline constexpr std::size_t kModelNameBytesMax = 256;

/// What a merge did. A fact that was the same before counts nowhere.
struct MergeCount {
  std::size_t models_added = 0;
  std::size_t models_changed = 0;
  std::size_t facts_added = 0;    ///< were unknown
  std::size_t facts_changed = 0;  ///< had another value
  std::size_t facts_kept = 0;     ///< another value was offered, the user's own stands
  bool operator==(const MergeCount&) const = default;
};

class ModelCatalogue {
 public:
  /// The format of docs/choosing-a-model.md, strictly: an unknown key, a value of the wrong type or out of
  /// range, or a source that is not listed is refused. Errors (kCallerInvalid, `param` names the field, the
  /// message the line): bad_model_file.
  static Result<ModelCatalogue> parse(std::string_view json, const std::string& name_for_errors);
  /// The facts that the program comes with (known_models.cc).
  static const ModelCatalogue& embedded();

  /// Text that parse() reads back to the same facts.
  std::string json() const;

  /// By name, else by alias (in any case of letters); null if there is none.
  const ModelFacts* find(std::string_view name) const;
  /// A model with what it does not say itself filled in from the model that it is an offer of: licence, size,
  /// architecture, weights, benchmarks, and what a host cannot change (tuning, reasoning). Price, context,
  /// tools, vision and structured output are the host's own and never inherited. Facts taken over have the
  /// other model's sources.
  ModelFacts resolved(const ModelFacts& model) const;

  const std::map<std::string, ModelFacts, std::less<>>& models() const { return models_; }
  const std::map<std::string, FactSource, std::less<>>& sources() const { return sources_; }
  /// Replaces the entry of that name.
  void set(ModelFacts model);
  void set_source(std::string id, FactSource source);

  /// `newer` as it goes into this catalogue: an entry takes the name of the model that has its name, else of
  /// the one that has it as an alias, unless another entry of `newer` went there before; else it keeps its
  /// own. One whose name is new and ends, after the last '/', in the name or an alias of a known model
  /// becomes an offer of it.
  ModelCatalogue aligned(const ModelCatalogue& newer) const;
  /// Takes over what aligned(newer) knows, never deletes. Field by field: a known fact replaces an older one,
  /// an unknown one replaces nothing, and the user's own facts (kOwnSource) are replaced only by the user's
  /// own. Lists are united; a benchmark figure replaces one of the same benchmark, setup and source.
  MergeCount merge(const ModelCatalogue& newer);

 private:
  const ModelFacts* find_alias(std::string_view name) const;

  std::map<std::string, ModelFacts, std::less<>> models_;
  std::map<std::string, FactSource, std::less<>> sources_;
  std::map<std::string, std::string, std::less<>> by_alias_;  ///< lower case alias to name
};

/// One entry as it stands in a catalogue file.
std::string model_facts_json(const ModelFacts& model);

/// YYYY-MM-DD of a day that exists.
bool is_date(std::string_view text);

}  // namespace brevet
