#include "catalog/litellm_import.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <cmath>

#include "base/random.h"
#include "catalog/json_place.h"

namespace brevet {
namespace {

namespace json = boost::json;

constexpr double kPerTokenMax = 0.01;  ///< USD; 10,000 per million
constexpr std::int64_t kTokensMax = 1'000'000'000;

/// What is wrong with a row: its field and what it must be.
struct Fault {
  std::string field;
  std::string what;
};

class Row {
 public:
  explicit Row(const json::object& object) : object_(object) {}
  const std::optional<Fault>& fault() const { return fault_; }

  /// USD per token as price per million.
  std::optional<Money> price(const char* field) {
    const auto* value = object_.if_contains(field);
    if (!value || value->is_null()) return std::nullopt;
    const double per_token = value->is_number() ? value->to_number<double>() : -1;
    if (!(per_token >= 0 && per_token <= kPerTokenMax)) {
      wrong(field, fmt::format("must be USD per token, from 0 to {}", kPerTokenMax));
      return std::nullopt;
    }
    return Money::from_pico(std::llround(per_token * 1e18));
  }
  std::optional<std::int64_t> tokens(const char* field) {
    const auto* value = object_.if_contains(field);
    if (!value || value->is_null()) return std::nullopt;
    const double count = value->is_number() ? value->to_number<double>() : -1;
    if (!(count >= 0 && count <= static_cast<double>(kTokensMax)) || count != std::floor(count)) {
      wrong(field, fmt::format("must be a whole number from 0 to {}", kTokensMax));
      return std::nullopt;
    }
    // The table writes 0 where it does not know.
    if (count == 0) return std::nullopt;
    return static_cast<std::int64_t>(count);
  }
  std::optional<bool> flag(const char* field) {
    const auto* value = object_.if_contains(field);
    if (!value || value->is_null()) return std::nullopt;
    if (!value->is_bool()) wrong(field, "must be true or false");
    return value->is_bool() ? std::optional(value->get_bool()) : std::nullopt;
  }
  std::string text(const char* field) {
    const auto* value = object_.if_contains(field);
    if (!value || value->is_null()) return {};
    if (!value->is_string() || value->get_string().size() > 200) {
      wrong(field, "must be a text of at most 200 bytes");
      return {};
    }
    return std::string(value->get_string());
  }
  bool dearer_when_long() const {
    for (const auto& [key, unused] : object_) {
      if (std::string_view(key).starts_with("input_cost_per_token_above_")) return true;
    }
    return object_.contains("tiered_pricing");
  }

 private:
  void wrong(const char* field, std::string what) {
    if (!fault_) fault_ = Fault{field, std::move(what)};
  }
  const json::object& object_;
  std::optional<Fault> fault_;
};

void set_fact(ModelFacts& model, const std::string& source, const char* field) {
  model.sources[field] = source;
}

}  // namespace

Result<LiteLlmImport> import_litellm(std::string_view text, const std::string& name, const std::string& date,
                                     BrokenRows broken) {
  const auto refuse = [&](const std::string& field, const std::string& what) {
    return fail(ErrorKind::kCallerInvalid, "bad_model_file", name + ": " + what + ".", field);
  };
  if (text.size() > kCatalogueBytesMax)
    return refuse("(file)", fmt::format("is larger than {} bytes", kCatalogueBytesMax));
  const auto root = catalog::parse_text(text, name);
  if (!root) return fail(root.error());
  const auto* table = root->if_object();
  if (!table) return refuse("(file)", "must be a JSON object with one entry per model");
  if (table->size() > kCatalogueModelsMax)
    return refuse("(file)", fmt::format("holds more than {} models", kCatalogueModelsMax));

  LiteLlmImport out;
  const auto hash = sha256_hex(text);
  out.source_id = "litellm-" + hash.substr(0, 12);
  out.catalogue.set_source(out.source_id,
                           {"LiteLLM, model prices and context windows, imported", date, hash});
  for (const auto& [key, value] : *table) {
    const std::string model_name(key);
    if (model_name == "sample_spec") continue;  // explains the table's own fields
    ++out.rows;
    const auto wrong = [&](const std::string& field, const std::string& what) -> std::optional<Error> {
      const std::string path = field.empty() ? model_name : model_name + "." + field;
      const auto line =
          catalog::line_of(text, field.empty() ? std::vector{model_name} : std::vector{model_name, field});
      Error made{ErrorKind::kCallerInvalid, "bad_model_file",
                 fmt::format("{}: line {}: {} {}.", name, line, path, what), path};
      if (broken == BrokenRows::kRefuse) return made;
      out.broken.push_back(std::move(made.message));
      return std::nullopt;
    };
    const auto* object = value.if_object();
    if (!object || model_name.empty() || model_name.size() > kModelNameBytesMax) {
      const auto what = object ? fmt::format("must have a name of 1 to {} bytes", kModelNameBytesMax)
                               : std::string("must be an object");
      if (auto made = wrong("", what)) return fail(*std::move(made));
      continue;
    }
    Row row(*object);
    ModelFacts model;
    model.name = model_name;
    const auto mode = row.text("mode");
    const bool chat = mode == "chat" || mode == "responses";
    if (mode.empty() && !row.fault()) {
      ++out.no_mode;
      continue;
    }
    if (!chat && mode != "completion" && !row.fault()) {
      ++out.not_text;
      continue;
    }
    const auto& source = out.source_id;
    const auto host = row.text("litellm_provider");
    if (!host.empty()) model.hosts.push_back(host);
    const auto know = [&](Capability capability, std::optional<bool> known) {
      if (!known) return;
      model.has(capability) = known;
      model.sources[std::string("capabilities.") + name_of(capability)] = source;
    };
    know(chat ? Capability::kInstruct : Capability::kCompletion, true);
    know(Capability::kTools, row.flag("supports_function_calling"));
    know(Capability::kVision, row.flag("supports_vision"));
    know(Capability::kStructuredOutput, row.flag("supports_response_schema"));
    know(Capability::kReasoning, row.flag("supports_reasoning"));
    if ((model.context_tokens = row.tokens("max_input_tokens"))) set_fact(model, source, "context_tokens");
    if ((model.output_tokens_max = row.tokens("max_output_tokens")))
      set_fact(model, source, "output_tokens_max");
    const auto input = row.price("input_cost_per_token");
    const auto output = row.price("output_cost_per_token");
    const auto cached = row.price("cache_read_input_token_cost");
    const auto created = row.price("cache_creation_input_token_cost");
    const auto retires = row.text("deprecation_date");
    if (row.fault()) {
      if (auto made = wrong(row.fault()->field, row.fault()->what)) return fail(*std::move(made));
      continue;
    }
    if (input && output && (*input > Money{} || *output > Money{})) {
      model.price = ModelPrice{*input, *output, cached, created, CostBasis::kPriced};
      set_fact(model, source, "price");
    } else {
      ++(input && output ? out.priced_zero : out.without_price);
    }
    if (is_date(retires)) {
      model.retires = retires;
      set_fact(model, source, "retires");
    }
    if (row.dearer_when_long()) model.note = "Long prompts cost more; the price is that of short ones.";
    out.catalogue.set(std::move(model));
  }
  return out;
}

}  // namespace brevet
