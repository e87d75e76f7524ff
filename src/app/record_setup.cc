// From the flags of `brevet record` to models, guides, scorer and budget.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "app/record_flags.h"
#include "catalog/prices.h"

namespace brevet {
namespace {

tl::unexpected<Error> wrong(const char* code, std::string message, const char* param) {
  return fail(ErrorKind::kCallerInvalid, code, std::move(message), param);
}

Result<std::string> read_text(const std::string& path, const char* param) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream all;
  if (in) all << in.rdbuf();
  if (!in) return wrong("file_unreadable", "Cannot read " + path + ".", param);
  return all.str();
}

class OpenedCopy final : public StoreCopy {
 public:
  OpenedCopy(std::string folder, std::unique_ptr<Store> store)
      : folder_(std::move(folder)), store_(std::move(store)) {}
  ~OpenedCopy() override {
    store_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  OpenedCopy(const OpenedCopy&) = delete;
  OpenedCopy& operator=(const OpenedCopy&) = delete;
  const Store& store() const override { return *store_; }

 private:
  const std::string folder_;
  std::unique_ptr<Store> store_;
};

Result<> read_configurations(const RecordFlags& flags, record::RecordOptions& options) {
  const auto parse = [](const std::string& text) { return Configuration::parse(text); };
  for (const auto& text : flags.models) {
    auto configuration = parse(text);
    if (!configuration) return fail(configuration.error());
    const bool twice = std::find(options.configurations.begin(), options.configurations.end(),
                                 *configuration) != options.configurations.end();
    if (twice) return wrong("contradictory", "'" + text + "' is named twice.", "--models");
    options.configurations.push_back(std::move(*configuration));
  }
  for (const auto& [text, into] :
       {std::pair{&flags.judge, &options.judge}, std::pair{&flags.against, &options.against}}) {
    if (text->empty()) continue;
    auto configuration = parse(*text);
    if (!configuration) return fail(configuration.error());
    *into = std::move(*configuration);
  }
  if (options.judge &&
      (options.judge->samples != 1 || !options.judge->guide.empty() || !options.judge->transform.empty()))
    return wrong("contradictory", "A judge is asked once and without a guide: give the model alone.",
                 "--judge");
  if (options.scorer != record::ScorerKind::kJudge && (options.judge || options.against))
    return wrong("contradictory", "--judge and --against belong to --scorer judge.", "--judge");
  return {};
}

Result<> read_guides(const RecordFlags& flags, record::RecordOptions& options) {
  for (const auto& text : flags.guides) {
    const auto equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      return wrong("unknown_guide", "Write a guide as NAME=FILE, not '" + text + "'.", "--guide");
    auto guide = read_text(text.substr(equals + 1), "--guide");
    if (!guide) return fail(guide.error());
    options.guides[text.substr(0, equals)] = std::move(*guide);
  }
  const bool stored =
      std::any_of(options.configurations.begin(), options.configurations.end(),
                  [&](const auto& one) { return !one.guide.empty() && !options.guides.contains(one.guide); });
  if (!stored || flags.data_dir.empty()) return {};
  auto copy = StoreCopy::open(flags.data_dir);
  if (!copy) return fail(copy.error());
  return (*copy)->store().load({[](StoredSkill) {},
                                [&](StoredGuide guide) {
                                  const auto name = "g" + std::to_string(guide.guide.id);
                                  options.guides.emplace(name, std::move(guide.guide.text));
                                },
                                [](StoredOutcome) {}});
}

Result<> read_money(const RecordFlags& flags, record::RecordOptions& options) {
  options.limits.unpriced_max = flags.unknown_cost_calls;
  if (!flags.budget_usd.empty()) {
    const auto budget = Money::parse_usd(flags.budget_usd);
    if (!budget || budget->pico_usd < 0)
      return wrong("bad_budget", "'" + flags.budget_usd + "' is no amount in USD; write for example 2.50.",
                   "--budget-usd");
    options.limits.usd = *budget;
  }
  if (flags.temperature == "provider") {
    options.temperature.reset();
    return {};
  }
  double value = 0;
  const auto* end = flags.temperature.data() + flags.temperature.size();
  const auto read = std::from_chars(flags.temperature.data(), end, value);
  if (read.ec != std::errc() || read.ptr != end || !(value >= 0 && value <= 2))
    return wrong("bad_temperature", "A temperature is a number from 0 to 2, or 'provider' to send none.",
                 "--temperature");
  options.temperature = value;
  return {};
}

/// The names of all models that the configurations and the judge need.
std::vector<std::string> needed_models(const record::RecordOptions& options) {
  std::vector<std::string> out;
  for (const auto& one : options.configurations) out.push_back(one.model);
  if (options.judge) out.push_back(options.judge->model);
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

/// Only the models that are asked: others would be started, or need keys, for nothing.
Result<Config> models_config(const RecordFlags& flags, const std::vector<std::string>& needed) {
  if (flags.config.empty() == flags.url.empty()) {
    return wrong("contradictory",
                 "Say where the models are: --config FILE (a gateway's configuration), or --url URL (a "
                 "running gateway or "
                 "another endpoint of the OpenAI API).",
                 "--config");
  }
  Config out;
  if (!flags.url.empty()) {
    for (const auto& name : needed) {
      ModelOptions model;
      model.base_url = flags.url.ends_with("/v1") ? flags.url : flags.url + "/v1";
      model.retries = 0;
      if (const char* key = flags.key_env.empty() ? nullptr : std::getenv(flags.key_env.c_str()))
        model.key = key;
      out.models[name] = std::move(model);
    }
    return out;
  }
  auto config = load_config(flags.config);
  if (!config) return config;
  std::string names;
  for (const auto& [name, model] : config->models) names += (names.empty() ? "" : ", ") + name;
  for (const auto& name : needed) {
    const auto found = config->models.find(name);
    if (found == config->models.end()) {
      return wrong("unknown_model",
                   fmt::format("{} has no model '{}'; it has {}.", flags.config, name, names), "--models");
    }
    out.models[name] = found->second;
  }
  out.seed = config->seed;
  return out;
}

Result<> add_prices(const RecordFlags& flags, Config& config) {
  if (flags.prices.empty()) return {};
  auto table = PriceTable::load(flags.prices);
  if (!table) return fail(table.error());
  for (auto& [name, model] : config.models) {
    const auto* price = table->find(name);
    if (price == nullptr || (model.price.input_per_million && model.price.output_per_million)) continue;
    model.price = {price->input_per_million, price->output_per_million, price->cached_input_per_million,
                   price->basis == CostBasis::kAssumed};
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<StoreCopy>> StoreCopy::open(const std::string& data_dir) {
  const auto path = data_dir + "/brevet.db";
  if (!std::filesystem::exists(path))
    return wrong("no_data", "There is no " + path + "; name the gateway's data folder.", "--data-dir");
  auto folder = (std::filesystem::temp_directory_path() / "brevet-copy-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr)
    return wrong("output_unwritable", "Cannot make a folder for a copy of the store in " + folder + ".",
                 "--data-dir");
  const auto forget = [&] {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  };
  if (auto copied = copy_store(path, folder + "/brevet.db"); !copied) {
    forget();
    return fail(copied.error());
  }
  StoreOptions options;
  options.path = folder + "/brevet.db";
  options.retention = Microseconds{0};
  auto store = open_store(options);
  if (!store) {
    forget();
    return fail(store.error());
  }
  return std::make_unique<OpenedCopy>(folder, std::move(*store));
}

Result<> set_up_recording(const RecordFlags& flags, RecordSetup& setup) {
  auto& options = setup.options;
  auto scorer = record::parse_scorer(flags.scorer);
  if (!scorer) return fail(scorer.error());
  options.scorer = *scorer;
  if (auto done = read_configurations(flags, options); !done) return done;
  if (auto done = read_guides(flags, options); !done) return done;
  if (auto done = read_money(flags, options); !done) return done;
  if (!flags.schema.empty()) {
    auto text = read_text(flags.schema, "--schema");
    if (!text) return fail(text.error());
    auto schema = record::JsonSchema::compile(*text, flags.schema);
    if (!schema) return fail(schema.error());
    setup.schema = std::make_unique<record::JsonSchema>(std::move(*schema));
    options.schema = setup.schema.get();
  }
  options.command.command = flags.command;
  options.command.timeout =
      std::chrono::milliseconds(static_cast<std::int64_t>(flags.command_timeout_s * 1000));
  options.command.folder = std::filesystem::temp_directory_path().string();
  options.tokens_max = flags.max_tokens;
  options.limit_field = flags.limit_field;
  options.sample_temperature = flags.sample_temperature;
  options.concurrency = flags.concurrency;
  options.retry_unknown = flags.retry_unknown;
  options.failures_max = flags.failures_max;

  auto config = models_config(flags, needed_models(options));
  if (!config) return fail(config.error());
  if (auto done = add_prices(flags, *config); !done) return done;
  auto runtime = build_runtime(*config, setup.resources, system_clock());
  if (!runtime) return fail(runtime.error());
  setup.runtime = std::move(*runtime);
  for (const auto& [name, model] : setup.runtime->models) {
    const auto& from = config->models.at(name);
    const bool http = !from.base_url.empty() || from.upstream == UpstreamKind::kLocal;
    record::RecordModel to;
    to.client = model.client;
    to.is_gateway = !flags.url.empty();
    to.tries_max = to.is_gateway ? flags.gateway_tries : http ? 1 + std::max(from.retries, 0) : 1;
    to.concurrent_max = from.concurrent_max;
    to.logprobs = model.logprobs;
    to.names_record = from.upstream == UpstreamKind::kRecorded;
    setup.simulated = setup.simulated || model.simulated;
    options.models.emplace(name, std::move(to));
  }
  return {};
}

}  // namespace brevet
