// `brevet models list|show|devices|import`, on the embedded catalogue and the user's own file.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>
#include <sstream>

#include "app/commands.h"
#include "app/models_select.h"
#include "app/models_text.h"
#include "app/models_wish.h"
#include "catalog/litellm_import.h"

namespace brevet {
namespace {

namespace json = boost::json;

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kCatalogueBytesMax + 1, '\0');
  if (file) file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file.is_open() || file.bad())
    return fail(ErrorKind::kCallerInvalid, "file_unreadable", "Cannot read " + path + ".", path);
  // One byte over the bound, so that the reader can tell.
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

/// The user's own file; empty when there is none yet.
Result<ModelCatalogue> own_catalogue(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return ModelCatalogue{};
  auto text = read_file(path);
  if (!text) return fail(text.error());
  return ModelCatalogue::parse(*text, path);
}

/// Whole or not at all: a table cut by a full disk would lose what was known before.
Result<> write_file(const std::string& path, const std::string& text) {
  const auto folder = std::filesystem::path(path).parent_path();
  std::error_code error;
  if (!folder.empty()) std::filesystem::create_directories(folder, error);
  const auto part = path + ".part";
  {
    std::ofstream file(part, std::ios::binary | std::ios::trunc);
    file << text;
    file.close();
    if (!file) return fail(ErrorKind::kCallerInvalid, "file_unwritable", "Cannot write " + part + ".", path);
  }
  std::filesystem::rename(part, path, error);
  if (error)
    return fail(ErrorKind::kCallerInvalid, "file_unwritable",
                "Cannot replace " + path + ": " + error.message() + ".", path);
  return {};
}

std::string lower(std::string text) {
  for (auto& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

bool holds(const ModelFacts& model, const std::string& word) {
  if (lower(model.name).find(word) != std::string::npos) return true;
  for (const auto& alias : model.aliases) {
    if (lower(alias).find(word) != std::string::npos) return true;
  }
  return false;
}

int list(const ModelCatalogue& catalogue, const ModelsFlags& flags) {
  const auto word = lower(flags.word);
  std::vector<ModelFacts> found;
  for (const auto& [name, model] : catalogue.models()) {
    if (word.empty() || holds(model, word)) found.push_back(catalogue.resolved(model));
  }
  if (flags.json) {
    json::object out;
    for (const auto& model : found) out[model.name] = json::parse(model_facts_json(model));
    std::cout << json::serialize(json::object{{"models", std::move(out)}}) << "\n";
    return 0;
  }
  if (found.empty()) {
    std::cout << "No model of the catalogue has '" << flags.word << "' in its name.\n";
    return 1;
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& model : found) {
    if (flags.limit != 0 && rows.size() == flags.limit) break;
    rows.push_back({model.name, parameters_text(model.parameters),
                    model.licence ? name_of(model.licence->kind) : kUnknownText,
                    grouped(model.context_tokens), price_text(model.price), capability_letters(model)});
  }
  std::cout << table_text({"model", "size", "licence", "context", "USD in / out", "icrtfvs"}, rows) << "\n";
  if (rows.size() < found.size())
    std::cout << fmt::format("{} more; --limit 0 shows all, a word only those that hold it.\n",
                             found.size() - rows.size());
  std::cout << wrapped(std::string("Prices are USD per million tokens. ") + kCapabilityLegend, 0);
  return 0;
}

Error unknown_model(const ModelCatalogue& catalogue, const std::string& name) {
  std::string near;
  std::size_t count = 0;
  // The longest front of the name that some model holds points to what was meant.
  for (auto size = name.size(); size >= 3 && count == 0; --size) {
    const auto front = lower(name.substr(0, size));
    for (const auto& [known, model] : catalogue.models()) {
      if (!holds(model, front)) continue;
      if (++count <= 5) near += (near.empty() ? "" : ", ") + known;
    }
  }
  return Error{ErrorKind::kCallerInvalid, "unknown_model",
               "The catalogue has no model '" + name + "'." +
                   (near.empty() ? " `brevet models list` shows all." : " Near are: " + near + "."),
               "name"};
}

/// One fact a line, with the id of its source.
class FactLines {
 public:
  explicit FactLines(const ModelFacts& model) : model_(model) {}
  void add(const char* label, const std::string& field, const std::string& value) {
    const auto source = model_.sources.find(field);
    std::string text = fmt::format("  {:<18}{}", label, value);
    if (source != model_.sources.end()) {
      text += fmt::format("  [{}]", source->second);
      cited_.insert(source->second);
    }
    out_ += wrapped(text, 20);
  }
  void cite(const std::string& id) { cited_.insert(id); }
  const std::string& text() const { return out_; }
  const std::set<std::string>& cited() const { return cited_; }

 private:
  const ModelFacts& model_;
  std::string out_;
  std::set<std::string> cited_;
};

std::string joined(const std::vector<std::string>& names, std::size_t most) {
  std::string out;
  for (std::size_t i = 0; i < names.size() && i < most; ++i) out += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > most) out += fmt::format(" and {} more", names.size() - most);
  return out;
}

std::string offers_text(const ModelCatalogue& catalogue, const std::string& name) {
  std::vector<const ModelFacts*> offers;
  for (const auto& [unused, model] : catalogue.models()) {
    if (model.offer_of == name) offers.push_back(&model);
  }
  if (offers.empty()) return {};
  std::stable_sort(offers.begin(), offers.end(), [](const ModelFacts* a, const ModelFacts* b) {
    if (!a->price || !b->price) return a->price && !b->price;
    return blended_price(*a->price, 3, 1) < blended_price(*b->price, 3, 1);
  });
  std::vector<std::vector<std::string>> rows;
  for (const auto* offer : offers) {
    if (rows.size() == 12) break;
    rows.push_back({"  " + offer->name, grouped(offer->context_tokens), price_text(offer->price)});
  }
  return fmt::format("\nOffered by providers ({})\n", offers.size()) +
         table_text({"  entry", "context", "USD in / out"}, rows);
}

void print_facts(const ModelCatalogue& catalogue, const ModelFacts& model) {
  FactLines lines(model);
  if (!model.aliases.empty()) lines.add("also called", "", joined(model.aliases, 8));
  if (!model.offer_of.empty()) lines.add("an offer of", "", model.offer_of);
  lines.add("maker", "maker", model.maker.value_or(kUnknownText));
  if (!model.hosts.empty()) lines.add("served by", "", joined(model.hosts, 8));
  lines.add("weights", "open_weights",
            !model.open_weights   ? "not known whether they may be had"
            : *model.open_weights ? "open: it may run on your own machine"
                                  : "closed: it runs at its provider only");
  lines.add("licence", "licence",
            model.licence ? fmt::format("{} ({})", model.licence->spdx, name_of(model.licence->kind))
                          : kUnknownText);
  lines.add("parameters", "parameters", grouped(model.parameters));
  if (model.active_parameters != model.parameters || !model.parameters)
    lines.add("active per token", "active_parameters", grouped(model.active_parameters));
  lines.add("context", "context_tokens", grouped(model.context_tokens) + " tokens");
  lines.add("longest answer", "output_tokens_max", grouped(model.output_tokens_max) + " tokens");
  for (const auto capability : kCapabilities) {
    const auto& has = model.has(capability);
    lines.add(name_of(capability), std::string("capabilities.") + name_of(capability),
              !has   ? kUnknownText
              : *has ? "yes"
                     : "no");
  }
  if (const auto& shape = model.architecture) {
    lines.add(
        "attention", "architecture",
        fmt::format("{} layers, {} key-value heads of {}: {:.0f} KiB of cache a token at f16", shape->layers,
                    shape->kv_heads, shape->head_size, *cache_bytes_per_token(model, 2) / 1024));
  } else {
    lines.add("attention", "architecture", kUnknownText);
  }
  std::string price =
      model.price ? price_text(model.price) + " USD per million tokens in / out" : kUnknownText;
  if (model.price && model.price->cached_input_per_million)
    price += ", cached input " + model.price->cached_input_per_million->to_string();
  lines.add("price", "price", price);
  if (model.retires) lines.add("ends on", "retires", *model.retires);
  for (const auto& figure : model.benchmarks) {
    lines.add(figure.benchmark.c_str(), "",
              fmt::format("{:.4g}%{}  [{}]", figure.score * 100,
                          figure.setup.empty() ? "" : " (" + figure.setup + ")", figure.source));
    lines.cite(figure.source);
  }
  if (!model.note.empty()) lines.add("note", "", model.note);
  std::cout << model.name << "\n" << lines.text() << "\nSources\n";
  for (const auto& id : lines.cited()) {
    const auto source = catalogue.sources().find(id);
    std::string text = fmt::format("  [{}] ", id);
    if (source == catalogue.sources().end()) {
      text += "your own entry";
    } else {
      text += source->second.title + ", " + source->second.date;
      if (!source->second.sha256.empty()) text += ", SHA-256 " + source->second.sha256;
    }
    std::cout << wrapped(text, 4);
  }
  std::cout << offers_text(catalogue, model.name);
}

json::value number_or_null(const std::optional<double>& number) {
  return number ? json::value(*number) : json::value(nullptr);
}

json::object fit_json(const Fit& fit) {
  return {{"quantisation", fit.quantisation.name},
          {"bits", fit.quantisation.bits},
          {"weight_bytes", number_or_null(fit.weight_bytes)},
          {"cache_bytes", number_or_null(fit.cache_bytes)},
          {"memory_bytes", number_or_null(fit.memory_bytes)},
          {"memory_is_lower_bound", fit.memory_is_lower_bound},
          {"fits", fit.fits == Fits::kYes  ? json::value(true)
                   : fit.fits == Fits::kNo ? json::value(false)
                                           : json::value(nullptr)},
          {"prompt_tokens_per_second", number_or_null(fit.prompt_tokens_per_second)},
          {"answer_tokens_per_second", number_or_null(fit.answer_tokens_per_second)},
          {"request_seconds", number_or_null(fit.request_seconds)}};
}

Result<int> show(const ModelCatalogue& catalogue, const ModelsFlags& flags) {
  const auto* found = catalogue.find(flags.name);
  if (!found) return fail(unknown_model(catalogue, flags.name));
  const auto model = catalogue.resolved(*found);
  auto device = device_of(flags);
  if (!device) return fail(device.error());
  const auto with = assumptions_of(flags);
  if (flags.json) {
    json::object out{{"name", model.name}, {"facts", json::parse(model_facts_json(model))}};
    if (*device) {
      json::array fits;
      for (const auto& fit : estimate_fits(model, **device, with)) fits.emplace_back(fit_json(fit));
      out["deployment"] = json::object{{"device", (*device)->name}, {"fits", std::move(fits)}};
    }
    std::cout << json::serialize(out) << "\n";
    return 0;
  }
  print_facts(catalogue, model);
  if (*device) std::cout << "\n" << deployment_text(model, **device, with);
  return 0;
}

int devices(const ModelsFlags& flags) {
  json::array out;
  std::vector<std::vector<std::string>> rows;
  for (const auto& device : device_profiles()) {
    out.emplace_back(json::object{{"name", device.name},
                                  {"title", device.title},
                                  {"operations_per_second", number_or_null(device.ops_per_second)},
                                  {"memory_bytes", number_or_null(device.memory_bytes)},
                                  {"bytes_per_second", number_or_null(device.bytes_per_second)},
                                  {"memory_share", device.memory_share},
                                  {"source", device.source}});
    rows.push_back({device.name, fmt::format("{:.4g}", *device.ops_per_second * 1e-12),
                    fmt::format("{:.4g}", *device.memory_bytes * 1e-9),
                    fmt::format("{:.4g}", *device.bytes_per_second * 1e-9),
                    fmt::format("{:.0f}%", device.memory_share * 100)});
  }
  if (flags.json) {
    std::cout << json::serialize(out) << "\n";
    return 0;
  }
  std::cout << table_text({"device", "TOPS", "memory GB", "GB/s", "for a model"}, rows) << "\n";
  for (const auto& device : device_profiles())
    std::cout << wrapped(fmt::format("{}: {}. {}", device.name, device.title, device.source), 2);
  std::cout << wrapped(
      "Your own: --device-tops, --device-memory-gb, --device-bandwidth-gbs and --memory-share; beside "
      "--device they "
      "replace its numbers.",
      2);
  return 0;
}

Result<int> import(ModelCatalogue full, ModelCatalogue own, const ModelsFlags& flags) {
  const auto text = read_file(flags.file);
  if (!text) return fail(text.error());
  auto read =
      import_litellm(*text, flags.file, utc_day(), flags.strict ? BrokenRows::kRefuse : BrokenRows::kSkip);
  if (!read) return fail(read.error());
  const auto rows = full.aligned(read->catalogue);
  const auto count = full.merge(rows);
  own.merge(rows);
  const auto written = write_file(flags.catalogue, own.json());
  if (!written) return fail(written.error());
  const auto& source = read->catalogue.sources().begin()->second;
  if (flags.json) {
    json::array broken;
    for (const auto& sentence : read->broken) broken.emplace_back(sentence);
    std::cout << json::serialize(json::object{{"source", read->source_id},
                                              {"sha256", source.sha256},
                                              {"date", source.date},
                                              {"rows", read->rows},
                                              {"not_text", read->not_text},
                                              {"no_mode", read->no_mode},
                                              {"priced_zero", read->priced_zero},
                                              {"without_price", read->without_price},
                                              {"broken", std::move(broken)},
                                              {"models_added", count.models_added},
                                              {"models_changed", count.models_changed},
                                              {"facts_added", count.facts_added},
                                              {"facts_changed", count.facts_changed},
                                              {"facts_kept", count.facts_kept},
                                              {"catalogue", flags.catalogue}})
              << "\n";
    return 0;
  }
  std::cout << fmt::format("{} rows of {} (SHA-256 {}), read on {}\n", read->rows, flags.file, source.sha256,
                           source.date);
  std::cout << fmt::format(
      "  left out: {} that do not make text, {} that do not say what they are, {} broken\n", read->not_text,
      read->no_mode, read->broken.size());
  for (std::size_t i = 0; i < read->broken.size() && i < 5; ++i)
    std::cout << wrapped("    " + read->broken[i], 6);
  if (read->broken.size() > 5) std::cout << fmt::format("    and {} more\n", read->broken.size() - 5);
  std::cout << fmt::format(
      "  price not known: {} without one, {} priced 0, which may mean free or not known\n",
      read->without_price, read->priced_zero);
  std::cout << fmt::format("  {} models added, {} changed ({} facts new, {} replaced, {} of your own kept)\n",
                           count.models_added, count.models_changed, count.facts_added, count.facts_changed,
                           count.facts_kept);
  std::cout << fmt::format("  nothing was deleted; {} now holds {} models beside the embedded ones\n",
                           flags.catalogue, own.models().size());
  return 0;
}

}  // namespace

int models_command(const ModelsFlags& flags) {
  if (flags.action == "devices") return devices(flags);
  auto own = own_catalogue(flags.catalogue);
  if (!own) return complain(own.error(), 2);
  auto catalogue = ModelCatalogue::embedded();
  catalogue.merge(*own);
  if (flags.action == "list") return list(catalogue, flags);
  auto done = flags.action == "show"     ? show(catalogue, flags)
              : flags.action == "import" ? import(std::move(catalogue), *std::move(own), flags)
                                         : select_models(catalogue, flags);
  return done ? *done : complain(done.error(), 2);
}

}  // namespace brevet
