#include "catalog/model_catalogue.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <set>

#include "catalog/json_place.h"
#include "catalog/known_models.h"

namespace brevet {
namespace {

namespace json = boost::json;

std::string lower(std::string_view text) {
  std::string out(text);
  for (auto& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

std::string last_part(std::string_view name) {
  const auto slash = name.rfind('/');
  return std::string(slash == std::string_view::npos ? name : name.substr(slash + 1));
}

/// Reads one file; the first mistake is kept, with the path to it.
class Reader {
 public:
  Reader(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  Result<ModelCatalogue> read(const json::object& root) {
    ModelCatalogue out;
    known_keys(root, {"format", "sources", "models"});
    const auto* format = root.if_contains("format");
    if (!format || !format->is_int64() || format->get_int64() != 1)
      bad("format", "must be 1; a newer program may have written the file");
    within("sources", root, [&](const json::object& sources) {
      for (const auto& [id, value] : sources) read_source(std::string(id), value, out);
    });
    within("models", root, [&](const json::object& models) {
      if (models.size() > kCatalogueModelsMax)
        return bad("", fmt::format("holds more than {} models", kCatalogueModelsMax));
      for (const auto& [model, value] : models) {
        read_model(std::string(model), value, out);
        if (error_) return;
      }
    });
    if (error_) return fail(std::move(*error_));
    return out;
  }

 private:
  void bad(const std::string& field, const std::string& what) {
    if (error_) return;
    auto path = path_;
    if (!field.empty()) path.push_back(field);
    const auto where = path.empty() ? std::string("(file)") : fmt::format("{}", fmt::join(path, "."));
    error_ =
        Error{ErrorKind::kCallerInvalid, "bad_model_file",
              fmt::format("{}: line {}: {} {}.", name_, catalog::line_of(text_, path), where, what), where};
  }
  void known_keys(const json::object& object, std::initializer_list<std::string_view> known) {
    for (const auto& [key, value] : object) {
      if (std::find(known.begin(), known.end(), std::string_view(key)) != known.end()) continue;
      bad(std::string(key), fmt::format("is not known; known are {}", fmt::join(known, ", ")));
    }
  }
  template <class Read>
  void within(const std::string& field, const json::object& object, Read read) {
    const auto* value = object.if_contains(field);
    if (!value || error_) return;
    path_.push_back(field);
    if (const auto* inner = value->if_object()) {
      read(*inner);
    } else {
      bad("", "must be an object");
    }
    path_.pop_back();
  }

  std::optional<std::string> text(const json::object& object, const std::string& field,
                                  std::size_t bytes_max = 2000) {
    const auto* value = object.if_contains(field);
    if (!value || value->is_null()) return std::nullopt;
    const auto* out = value->if_string();
    if (!out || out->empty() || out->size() > bytes_max) {
      bad(field, fmt::format("must be a text of 1 to {} bytes", bytes_max));
      return std::nullopt;
    }
    return std::string(*out);
  }
  std::optional<bool> flag(const json::object& object, const std::string& field) {
    const auto* value = object.if_contains(field);
    if (!value || value->is_null()) return std::nullopt;
    if (!value->is_bool()) bad(field, "must be true, false or null (not known)");
    return value->is_bool() ? std::optional(value->get_bool()) : std::nullopt;
  }
  std::optional<std::int64_t> count(const json::object& object, const std::string& field, std::int64_t most) {
    const auto* value = object.if_contains(field);
    if (!value || value->is_null()) return std::nullopt;
    if (!value->is_int64() || value->get_int64() < 1 || value->get_int64() > most) {
      bad(field, fmt::format("must be a whole number from 1 to {}, or null (not known)", most));
      return std::nullopt;
    }
    return value->get_int64();
  }
  std::vector<std::string> names(const json::object& object, const std::string& field) {
    std::vector<std::string> out;
    const auto* value = object.if_contains(field);
    if (!value) return out;
    const auto* list = value->if_array();
    if (!list || list->size() > 1000) {
      bad(field, "must be a list of at most 1000 names");
      return out;
    }
    for (const auto& item : *list) {
      if (!item.is_string() || item.get_string().empty() || item.get_string().size() > kModelNameBytesMax) {
        bad(field, fmt::format("must hold names of 1 to {} bytes", kModelNameBytesMax));
        return out;
      }
      out.emplace_back(item.get_string());
    }
    return out;
  }

  void read_source(const std::string& id, const json::value& value, ModelCatalogue& out) {
    path_.push_back(id);
    const auto* object = value.if_object();
    if (!object) {
      bad("", "must be an object with title and date");
    } else if (id == kOwnSource) {
      bad("", "is reserved for facts without a source, the user's own");
    } else {
      known_keys(*object, {"title", "date", "sha256"});
      FactSource source;
      source.title = text(*object, "title").value_or("");
      source.date = text(*object, "date").value_or("");
      source.sha256 = text(*object, "sha256", 64).value_or("");
      if (source.title.empty()) bad("title", "is missing");
      if (!is_date(source.date)) bad("date", "must be a day as YYYY-MM-DD");
      out.set_source(id, std::move(source));
    }
    path_.pop_back();
  }

  std::optional<Money> money(const json::object& object, const std::string& field) {
    const auto* value = object.if_contains(field);
    if (!value || value->is_null()) return std::nullopt;
    std::optional<Money> out;
    if (const auto* written = value->if_string()) out = Money::parse_usd(*written);
    if (value->is_number()) out = Money::from_usd(std::clamp(value->to_number<double>(), -1.0, 1e5));
    if (!out || *out < Money{} || out->usd() > 1e4) {
      bad(field, "must be USD per million tokens, from 0 to 10000");
      return std::nullopt;
    }
    return out;
  }

  void read_price(const json::object& object, ModelFacts& out) {
    known_keys(object, {"input", "output", "cached_input", "cache_creation", "assumed"});
    const auto input = money(object, "input");
    const auto output = money(object, "output");
    if (!input) bad("input", "is missing; an unknown price is left out, never 0");
    if (!output) bad("output", "is missing; an unknown price is left out, never 0");
    if (!input || !output) return;
    out.price =
        ModelPrice{*input, *output, money(object, "cached_input"), money(object, "cache_creation"),
                   flag(object, "assumed").value_or(false) ? CostBasis::kAssumed : CostBasis::kPriced};
  }

  void read_benchmarks(const json::object& object, const std::string& fallback, ModelFacts& out,
                       const ModelCatalogue& catalogue) {
    const auto* value = object.if_contains("benchmarks");
    if (!value) return;
    const auto* list = value->if_array();
    if (!list || list->size() > 1000) return bad("benchmarks", "must be a list of at most 1000 figures");
    for (const auto& item : *list) {
      path_.push_back("benchmarks");
      if (const auto* figure = item.if_object()) {
        known_keys(*figure, {"benchmark", "score", "setup", "source"});
        BenchmarkFigure row;
        row.benchmark = text(*figure, "benchmark", 100).value_or("");
        row.setup = text(*figure, "setup", 200).value_or("");
        row.source = text(*figure, "source", 200).value_or(fallback);
        const auto* score = figure->if_contains("score");
        row.score = score && score->is_number() ? score->to_number<double>() : -1;
        if (row.benchmark.empty()) bad("benchmark", "is missing");
        if (!(row.score >= 0 && row.score <= 1)) bad("score", "must be from 0 to 1");
        check_source(row.source, catalogue, "source");
        out.benchmarks.push_back(std::move(row));
      } else {
        bad("", "must hold objects with benchmark, score, setup and source");
      }
      path_.pop_back();
    }
  }

  void check_source(const std::string& id, const ModelCatalogue& catalogue, const std::string& field) {
    if (id != kOwnSource && !catalogue.sources().contains(id))
      bad(field, fmt::format("names the source '{}', which is not under sources", id));
  }

  void read_model(const std::string& name, const json::value& value, ModelCatalogue& catalogue) {
    path_.push_back(name.substr(0, kModelNameBytesMax));
    const auto* object = value.if_object();
    if (!object) {
      bad("", "must be an object");
    } else if (name.empty() || name.size() > kModelNameBytesMax) {
      bad("", fmt::format("must have a name of 1 to {} bytes", kModelNameBytesMax));
    } else {
      read_facts(name, *object, catalogue);
    }
    path_.pop_back();
  }

  void read_facts(const std::string& name, const json::object& object, ModelCatalogue& catalogue) {
    constexpr std::int64_t kTokensMax = 1'000'000'000, kParametersMax = 1'000'000'000'000'000;
    known_keys(object, {"aliases", "offer_of", "maker", "hosts", "open_weights", "licence", "parameters",
                        "active_parameters", "context_tokens", "output_tokens_max", "capabilities",
                        "architecture", "price", "retires", "benchmarks", "note", "source", "sources"});
    ModelFacts out;
    out.name = name;
    out.aliases = names(object, "aliases");
    out.offer_of = text(object, "offer_of", kModelNameBytesMax).value_or("");
    out.maker = text(object, "maker", 200);
    out.hosts = names(object, "hosts");
    out.open_weights = flag(object, "open_weights");
    within("licence", object, [&](const json::object& licence) {
      known_keys(licence, {"spdx", "class"});
      const auto spdx = text(licence, "spdx", 200);
      const auto kind = parse_licence_class(text(licence, "class", 50).value_or(""));
      if (!spdx) bad("spdx", "is missing");
      if (!kind) bad("class", "must be permissive, community, non_commercial or proprietary");
      if (spdx && kind) out.licence = Licence{*spdx, *kind};
    });
    out.parameters = count(object, "parameters", kParametersMax);
    out.active_parameters = count(object, "active_parameters", kParametersMax);
    if (out.parameters && out.active_parameters && *out.active_parameters > *out.parameters)
      bad("active_parameters", "are more than all parameters");
    out.context_tokens = count(object, "context_tokens", kTokensMax);
    out.output_tokens_max = count(object, "output_tokens_max", kTokensMax);
    within("capabilities", object, [&](const json::object& capabilities) {
      for (const auto& [key, unused] : capabilities) {
        const auto capability = parse_capability(key);
        if (!capability) {
          bad(std::string(key), "is not a capability");
        } else {
          out.has(*capability) = flag(capabilities, std::string(key));
        }
      }
    });
    within("architecture", object, [&](const json::object& architecture) {
      known_keys(architecture, {"layers", "kv_heads", "head_size"});
      Architecture read;
      for (const auto& [key, into] :
           {std::pair{"layers", &read.layers}, std::pair{"kv_heads", &read.kv_heads},
            std::pair{"head_size", &read.head_size}}) {
        const auto number = count(architecture, key, 100'000);
        if (!number) bad(key, "is missing; layers, kv_heads and head_size belong together");
        *into = static_cast<int>(number.value_or(0));
      }
      out.architecture = read;
    });
    within("price", object, [&](const json::object& price) { read_price(price, out); });
    out.retires = text(object, "retires", 10);
    if (out.retires && !is_date(*out.retires)) bad("retires", "must be a day as YYYY-MM-DD");
    out.note = text(object, "note").value_or("");
    const auto fallback = text(object, "source", 200).value_or(kOwnSource);
    check_source(fallback, catalogue, "source");
    read_benchmarks(object, fallback, out, catalogue);
    for (const auto& field : known_fields(out)) out.sources[field] = fallback;
    within("sources", object, [&](const json::object& sources) {
      for (const auto& [field, unused] : sources) {
        const auto id = text(sources, std::string(field), 200);
        if (!id) continue;
        check_source(*id, catalogue, std::string(field));
        const auto known = out.sources.find(std::string(field));
        if (known == out.sources.end()) {
          bad(std::string(field), "is the source of a fact that is not given");
        } else {
          known->second = *id;
        }
      }
    });
    if (!error_) catalogue.set(std::move(out));
  }

  static std::vector<std::string> known_fields(const ModelFacts& model);

  std::string_view text_;
  const std::string& name_;
  std::vector<std::string> path_;
  std::optional<Error> error_;
};

/// Calls each(field name, optional of a, optional of b) for every fact that has a source.
template <class A, class B, class Each>
void for_each_fact(A& a, B& b, Each each) {
  each("maker", a.maker, b.maker);
  each("open_weights", a.open_weights, b.open_weights);
  each("licence", a.licence, b.licence);
  each("parameters", a.parameters, b.parameters);
  each("active_parameters", a.active_parameters, b.active_parameters);
  each("context_tokens", a.context_tokens, b.context_tokens);
  each("output_tokens_max", a.output_tokens_max, b.output_tokens_max);
  each("architecture", a.architecture, b.architecture);
  each("price", a.price, b.price);
  each("retires", a.retires, b.retires);
  for (const auto capability : kCapabilities)
    each(std::string("capabilities.") + name_of(capability), a.has(capability), b.has(capability));
}

std::vector<std::string> Reader::known_fields(const ModelFacts& model) {
  std::vector<std::string> out;
  for_each_fact(model, model, [&](const std::string& field, const auto& value, const auto&) {
    if (value) out.push_back(field);
  });
  return out;
}

json::object price_json(const ModelPrice& price) {
  json::object out{{"input", price.input_per_million.to_string()},
                   {"output", price.output_per_million.to_string()}};
  if (price.cached_input_per_million) out["cached_input"] = price.cached_input_per_million->to_string();
  if (price.cache_creation_per_million) out["cache_creation"] = price.cache_creation_per_million->to_string();
  if (price.basis == CostBasis::kAssumed) out["assumed"] = true;
  return out;
}

json::array list_json(const std::vector<std::string>& names) {
  json::array out;
  for (const auto& name : names) out.emplace_back(name);
  return out;
}

void unite(std::vector<std::string>& into, const std::vector<std::string>& more) {
  for (const auto& item : more) {
    if (std::find(into.begin(), into.end(), item) == into.end()) into.push_back(item);
  }
}

}  // namespace

std::string model_facts_json(const ModelFacts& model) {
  json::object out;
  if (!model.aliases.empty()) out["aliases"] = list_json(model.aliases);
  if (!model.offer_of.empty()) out["offer_of"] = model.offer_of;
  if (model.maker) out["maker"] = *model.maker;
  if (!model.hosts.empty()) out["hosts"] = list_json(model.hosts);
  if (model.open_weights) out["open_weights"] = *model.open_weights;
  if (model.licence)
    out["licence"] = json::object{{"spdx", model.licence->spdx}, {"class", name_of(model.licence->kind)}};
  if (model.parameters) out["parameters"] = *model.parameters;
  if (model.active_parameters) out["active_parameters"] = *model.active_parameters;
  if (model.context_tokens) out["context_tokens"] = *model.context_tokens;
  if (model.output_tokens_max) out["output_tokens_max"] = *model.output_tokens_max;
  json::object capabilities;
  for (const auto capability : kCapabilities) {
    if (model.has(capability)) capabilities[name_of(capability)] = *model.has(capability);
  }
  if (!capabilities.empty()) out["capabilities"] = std::move(capabilities);
  if (const auto& shape = model.architecture)
    out["architecture"] = json::object{
        {"layers", shape->layers}, {"kv_heads", shape->kv_heads}, {"head_size", shape->head_size}};
  if (model.price) out["price"] = price_json(*model.price);
  if (model.retires) out["retires"] = *model.retires;
  json::array figures;
  for (const auto& figure : model.benchmarks) {
    json::object row{{"benchmark", figure.benchmark}, {"score", figure.score}, {"source", figure.source}};
    if (!figure.setup.empty()) row["setup"] = figure.setup;
    figures.emplace_back(std::move(row));
  }
  if (!figures.empty()) out["benchmarks"] = std::move(figures);
  if (!model.note.empty()) out["note"] = model.note;
  json::object sources;
  for (const auto& [field, id] : model.sources) sources[field] = id;
  if (!sources.empty()) out["sources"] = std::move(sources);
  return json::serialize(out);
}

Result<ModelCatalogue> ModelCatalogue::parse(std::string_view text, const std::string& name) {
  const auto refuse = [&](const std::string& what) {
    return fail(ErrorKind::kCallerInvalid, "bad_model_file", name + ": " + what + ".", "(file)");
  };
  if (text.size() > kCatalogueBytesMax)
    return refuse(fmt::format("is larger than {} bytes", kCatalogueBytesMax));
  const auto root = catalog::parse_text(text, name);
  if (!root) return fail(root.error());
  const auto* object = root->if_object();
  if (!object) return refuse("must be a JSON object");
  return Reader(text, name).read(*object);
}

const ModelCatalogue& ModelCatalogue::embedded() {
  static const ModelCatalogue catalogue = [] {
    auto parsed = parse(known_models_json(), "embedded catalogue");
    // A unit test reads it, so it cannot be broken in a program that was built with its tests passing.
    return parsed ? *std::move(parsed) : ModelCatalogue{};
  }();
  return catalogue;
}

std::string ModelCatalogue::json() const {
  std::string out = "{\n\"format\": 1,\n\"sources\": {";
  bool first = true;
  for (const auto& [id, source] : sources_) {
    json::object row{{"title", source.title}, {"date", source.date}};
    if (!source.sha256.empty()) row["sha256"] = source.sha256;
    out += (first ? "\n" : ",\n") + json::serialize(json::value(id)) + ": " + json::serialize(row);
    first = false;
  }
  out += "\n},\n\"models\": {";
  first = true;
  for (const auto& [name, model] : models_) {
    out += (first ? "\n" : ",\n") + json::serialize(json::value(name)) + ": " + model_facts_json(model);
    first = false;
  }
  return out + "\n}\n}\n";
}

const ModelFacts* ModelCatalogue::find_alias(std::string_view name) const {
  const auto alias = by_alias_.find(lower(name));
  if (alias == by_alias_.end()) return nullptr;
  const auto found = models_.find(alias->second);
  return found == models_.end() ? nullptr : &found->second;
}

const ModelFacts* ModelCatalogue::find(std::string_view name) const {
  const auto found = models_.find(name);
  return found != models_.end() ? &found->second : find_alias(name);
}

ModelFacts ModelCatalogue::resolved(const ModelFacts& model) const {
  ModelFacts out = model;
  const auto base = models_.find(model.offer_of);
  if (base == models_.end()) return out;
  static const std::set<std::string> kInherited = {"maker",
                                                   "open_weights",
                                                   "licence",
                                                   "parameters",
                                                   "active_parameters",
                                                   "architecture",
                                                   "capabilities.instruct",
                                                   "capabilities.reasoning"};
  for_each_fact(out, base->second, [&](const std::string& field, auto& own, const auto& other) {
    if (own || !other || !kInherited.contains(field)) return;
    own = other;
    const auto source = base->second.sources.find(field);
    if (source != base->second.sources.end()) out.sources[field] = source->second;
  });
  for (const auto& figure : base->second.benchmarks) {
    if (std::find(out.benchmarks.begin(), out.benchmarks.end(), figure) == out.benchmarks.end())
      out.benchmarks.push_back(figure);
  }
  return out;
}

void ModelCatalogue::set(ModelFacts model) {
  by_alias_.try_emplace(lower(model.name), model.name);
  for (const auto& alias : model.aliases) by_alias_.try_emplace(lower(alias), model.name);
  auto name = model.name;
  models_.insert_or_assign(std::move(name), std::move(model));
}

void ModelCatalogue::set_source(std::string id, FactSource source) {
  sources_.insert_or_assign(std::move(id), std::move(source));
}

ModelCatalogue ModelCatalogue::aligned(const ModelCatalogue& newer) const {
  ModelCatalogue out;
  out.sources_ = newer.sources_;
  std::set<std::string> taken;
  std::vector<const ModelFacts*> others;
  for (const auto& [name, model] : newer.models_) {
    if (!models_.contains(name)) {
      others.push_back(&model);
      continue;
    }
    taken.insert(name);
    out.set(model);
  }
  for (const auto* model : others) {
    ModelFacts copy = *model;
    const auto* known = find_alias(copy.name);
    if (known && taken.insert(known->name).second) {
      copy.name = known->name;
    } else if (copy.offer_of.empty() && copy.name.find('/') != std::string::npos) {
      const auto* base = find_alias(last_part(copy.name));
      if (base && base->name != copy.name && base->offer_of.empty()) copy.offer_of = base->name;
    }
    out.set(std::move(copy));
  }
  return out;
}

MergeCount ModelCatalogue::merge(const ModelCatalogue& newer) {
  MergeCount count;
  for (const auto& [id, source] : newer.sources_) sources_.insert_or_assign(id, source);
  const auto rows = aligned(newer);
  for (const auto& entry : rows.models_) {
    const auto& name = entry.first;
    const auto& row = entry.second;
    const auto found = models_.find(name);
    const bool added = found == models_.end();
    ModelFacts merged = added ? ModelFacts{} : found->second;
    const ModelFacts before = merged;
    merged.name = name;
    for_each_fact(merged, row, [&](const std::string& field, auto& mine, const auto& theirs) {
      if (!theirs) return;
      const auto source = row.sources.find(field);
      const std::string from = source == row.sources.end() ? kOwnSource : source->second;
      auto& own_source = merged.sources[field];
      if (mine && *mine != *theirs && own_source == kOwnSource && from != kOwnSource) {
        ++count.facts_kept;
        return;
      }
      if (mine && *mine == *theirs) {
        if (own_source != kOwnSource) own_source = from;
        return;
      }
      if (!added) ++(mine ? count.facts_changed : count.facts_added);
      mine = theirs;
      own_source = from;
    });
    unite(merged.aliases, row.aliases);
    unite(merged.hosts, row.hosts);
    if (!row.offer_of.empty()) merged.offer_of = row.offer_of;
    if (!row.note.empty()) merged.note = row.note;
    for (const auto& figure : row.benchmarks) {
      const auto same =
          std::find_if(merged.benchmarks.begin(), merged.benchmarks.end(), [&](const auto& old) {
            return old.benchmark == figure.benchmark && old.setup == figure.setup &&
                   old.source == figure.source;
          });
      if (same == merged.benchmarks.end()) {
        merged.benchmarks.push_back(figure);
      } else {
        *same = figure;
      }
    }
    if (added) {
      ++count.models_added;
    } else {
      auto compared = merged;
      compared.sources = before.sources;
      if (!(compared == before)) ++count.models_changed;
    }
    set(std::move(merged));
  }
  return count;
}

bool is_date(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
  int parts[3] = {0, 0, 0};
  int part = 0;
  for (const char c : text) {
    if (c == '-') {
      ++part;
    } else if (c < '0' || c > '9' || part > 2) {
      return false;
    } else {
      parts[part] = parts[part] * 10 + (c - '0');
    }
  }
  const auto [year, month, day] = parts;
  if (part != 2 || year < 1900 || month < 1 || month > 12 || day < 1) return false;
  constexpr int kDays[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return day <= (month == 2 && !leap ? 28 : kDays[month - 1]);
}

}  // namespace brevet
