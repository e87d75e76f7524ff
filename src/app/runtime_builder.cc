#include "app/runtime_builder.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/paths.h"
#include "app/route_router.h"
#include "base/random.h"
#include "catalog/model_catalogue.h"
#include "catalog/prices.h"
#include "upstream/completion_cache.h"
#include "upstream/recorded_model.h"
#include "upstream/simulated_model.h"

#include <fstream>
#include <sstream>

namespace brevet {
namespace {

Pricing pricing_of(const PriceOptions& price) {
  return {price.input_per_million, price.output_per_million, price.cached_input_per_million,
          price.assumed ? CostBasis::kAssumed : CostBasis::kPriced};
}

HttpModelOptions http_options(const std::string& name, const ModelOptions& model, std::uint64_t seed) {
  HttpModelOptions out;
  out.name = name;
  out.base_url = model.base_url;
  out.id = model.id.empty() ? name : model.id;
  out.key = model.key;
  out.ca_file = model.ca_file;
  out.pricing = pricing_of(model.price);
  out.connect_timeout = model.connect_timeout;
  out.first_token_timeout = model.first_token_timeout;
  out.total_timeout = model.total_timeout;
  out.retries = model.retries;
  out.concurrent_max = model.concurrent_max;
  out.simulated = model.upstream == UpstreamKind::kSimulated;
  out.plays_recorded = model.upstream == UpstreamKind::kRecorded;
  out.seed = seed;
  return out;
}

/// Data and worlds loaded once each, however many models play from them.
struct Loaded {
  std::map<std::string, std::shared_ptr<const RecordedAnswers>> recorded;
  std::map<std::string, std::shared_ptr<const SimulatedWorld>> worlds;
};

Result<std::shared_ptr<const SimulatedWorld>> load_world(const std::string& file) {
  std::string text(default_simulation_profile());
  if (!file.empty()) {
    std::ifstream in(file);
    if (!in)
      return fail(ErrorKind::kCallerInvalid, "profile_unreadable",
                  "Cannot read the simulation profile " + file + ".", "file");
    std::ostringstream all;
    all << in.rdbuf();
    text = all.str();
  }
  auto profile = parse_simulation_profile(text, file.empty() ? "embedded profile" : file);
  if (!profile) return fail(profile.error());
  return SimulatedWorld::create(std::move(*profile));
}

Result<ModelClientPtr> make_client(const std::string& name, const ModelOptions& model, Loaded& loaded,
                                   UpstreamResources& resources, Clock& clock, const std::string& log_folder,
                                   std::uint64_t seed) {
  // With a base_url, recorded and simulated models are somebody else's endpoint (`brevet upstream`), and stay
  // labelled.
  if (model.upstream != UpstreamKind::kLocal && !model.base_url.empty()) {
    return make_http_model_client(http_options(name, model, seed), *resources.http, clock);
  }
  switch (model.upstream) {
    case UpstreamKind::kOpenAi:
      return make_http_model_client(http_options(name, model, seed), *resources.http, clock);
    case UpstreamKind::kRecorded: {
      auto& answers = loaded.recorded[model.file];
      if (!answers) {
        auto read = RecordedAnswers::load({model.file, "", {}});
        if (!read) return fail(read.error());
        answers = *read;
      }
      RecordedModelOptions options;
      options.model = model.id.empty() ? name : model.id;
      if (model.price.input_per_million && model.price.output_per_million) {
        auto prices = std::make_shared<PriceTable>();
        prices->set(options.model, {*model.price.input_per_million, *model.price.output_per_million,
                                    model.price.cached_input_per_million, std::nullopt,
                                    model.price.assumed ? CostBasis::kAssumed : CostBasis::kPriced});
        options.prices = std::move(prices);
      }
      return make_recorded_model(answers, std::move(options));
    }
    case UpstreamKind::kSimulated: {
      auto& world = loaded.worlds[model.file];
      if (!world) {
        auto made = load_world(model.file);
        if (!made) return fail(made.error());
        world = *made;
      }
      return make_simulated_model(world, model.id.empty() ? name : model.id);
    }
    case UpstreamKind::kLocal: {
      LocalModelOptions options;
      options.server = model.server.empty() ? llama_server_path() : model.server;
      options.gguf = model.file.empty() ? local_model_path() : model.file;
      options.log_file = log_folder.empty() ? "" : log_folder + "/llama-server-" + name + ".log";
      options.http = http_options(name, model, seed);
      auto started = start_local_model(std::move(options), *resources.http, clock);
      if (!started) return fail(started.error());
      auto client = (*started)->client();
      resources.local_models.push_back(std::move(*started));
      return client;
    }
  }
  return fail(ErrorKind::kInternal, "unknown_upstream", "An upstream kind has no client.");
}

/// The running client of a model whose options are still the same; null if there is none.
ModelClientPtr client_in_use(const std::string& name, const ModelOptions& model, const Config& config,
                             const RuntimeOptions& options) {
  if (!options.running || !options.running_config || options.running_config->seed != config.seed) return {};
  const auto before = options.running_config->models.find(name);
  const auto running = options.running->models.find(name);
  if (before == options.running_config->models.end() || running == options.running->models.end()) return {};
  return before->second == model ? running->second.client : ModelClientPtr{};
}

/// As configured, else as the catalogue knows the model under the name that its provider gives it. A response
/// format is only taken from the configuration: the catalogue knows of schemas, and many models without take
/// the simpler formats.
ModelLimits limits_of(const std::string& name, const ModelOptions& model) {
  ModelLimits out;
  const auto& catalogue = ModelCatalogue::embedded();
  const auto* known = catalogue.find(model.id.empty() ? name : model.id);
  if (!known) known = catalogue.find(name);
  if (known) {
    out.context_tokens = known->context_tokens;
    out.other_parts = known->has(Capability::kVision);
    out.tools = known->has(Capability::kTools);
  }
  if (model.context_tokens) out.context_tokens = model.context_tokens;
  if (!model.modalities.empty()) {
    out.other_parts = std::any_of(model.modalities.begin(), model.modalities.end(),
                                  [](const std::string& modality) { return modality != "text"; });
  }
  if (model.tools) out.tools = model.tools;
  out.response_format = model.response_format;
  return out;
}

/// The promise with everything that it stands on: another strategy, router or model is another version of it.
ContractTerms contract_terms(const ContractConfig& config, const RouteOptions& route) {
  ContractTerms out;
  out.retain = config.retain;
  out.confidence = config.confidence;
  out.groups = config.groups;
  out.check_share_min = config.check_share_min;
  out.budget_share = config.budget_share;
  out.thresholds = static_cast<std::size_t>(config.thresholds);
  out.judge = config.judge;
  out.auditor = config.auditor;
  out.audit_share = config.audit_share;
  out.outcome_timeout = config.outcome_timeout;
  out.credit_max = config.credit_max > 0 ? config.credit_max : 10 / config.check_share_min;
  out.alarm_run_length = static_cast<double>(config.false_alarm_every);
  out.stop = config.stop;
  std::string version = route.strategy + "|";
  for (const auto& [name, value] : route.strategy_options) {
    version += name + "=" + std::visit([](const auto& held) { return fmt::format("{}", held); }, value) + ";";
  }
  for (const auto& candidate : route.candidates) version += "|" + candidate;
  if (!route.router.empty()) {
    std::ifstream file(route.router, std::ios::binary);
    std::ostringstream all;
    all << file.rdbuf();
    version += "|" + sha256_hex(all.str());
  }
  out.version = sha256_hex(version).substr(0, 16);
  std::string key = fmt::format("{} {} {} {} {} {} {} {} {} {} {} {} {} {}", out.retain, out.confidence,
                                out.check_share_min, out.budget_share, out.thresholds, out.judge, out.auditor,
                                out.audit_share, out.outcome_timeout.count(), out.credit_max,
                                out.alarm_run_length, out.stop, out.version, route.reference);
  for (const auto& group : out.groups) key += "," + group;
  out.key = std::move(key);
  return out;
}

Result<std::shared_ptr<const Route>> build_route(const std::string& name, const RouteOptions& options,
                                                 RouterFiles& routers,
                                                 const std::optional<std::string>& encoder_hash) {
  auto route = std::make_shared<Route>();
  route->name = name;
  for (const auto& candidate : options.candidates) {
    auto parsed = Configuration::parse(candidate);
    if (!parsed) return fail(parsed.error());
    route->candidates.push_back(std::move(*parsed));
  }
  route->weak = route->candidates.front();
  auto reference =
      Configuration::parse(options.reference.empty() ? options.candidates.back() : options.reference);
  if (!reference) return fail(reference.error());
  route->reference = std::move(*reference);
  auto strategy = make_route_strategy(options, routers, encoder_hash);
  if (!strategy) return fail(strategy.error());
  route->strategy = std::move(strategy->strategy);
  auto composed = make_composed(options, routers, encoder_hash);
  if (!composed) return fail(composed.error());
  route->composed = std::move(*composed);
  route->calls_max = static_cast<int>(options.calls_max);
  if (options.deadline.count() > 0) route->deadline = options.deadline;
  if (options.latency_p95.count() > 0) route->latency_p95 = options.latency_p95;
  route->at_threshold = std::move(strategy->at_threshold);
  route->classifier = std::move(strategy->classifier);
  const auto& learning = options.learning;
  if (learning.enabled) {
    auto plan = make_strategy("rar_shadow", {{"write_guides", learning.guides},
                                             {"guides_max", learning.guides_tried_max},
                                             {"tau_guide", learning.tau_guide},
                                             {"judge", learning.judge}});
    if (!plan) return fail(plan.error());
    route->shadow_plan = std::move(*plan);
  }
  route->mode = options.mode == "observe" ? RouteMode::kObserve : RouteMode::kOn;
  route->store = options.store == "text"   ? StoreContent::kText
                 : options.store == "none" ? StoreContent::kNone
                                           : StoreContent::kHash;
  route->local_only = options.local_only;
  route->when_reference_unreachable = options.when_reference_unreachable == "serve_weak"
                                          ? WhenUnreachable::kServeWeak
                                          : WhenUnreachable::kFail;
  route->learning.enabled = learning.enabled;
  route->learning.budget_share = learning.budget_share;
  route->learning.allowance = learning.allowance;
  route->learning.spot_check_share = learning.spot_check_share;
  route->learning.queue_max = static_cast<std::size_t>(learning.queue_max);
  route->learning.parallel_max = static_cast<std::size_t>(learning.parallel_max);
  route->learning.request_bytes_max = static_cast<std::size_t>(learning.request_bytes_max);
  route->learning.guides = learning.guides;
  route->learning.guides_tried_max = static_cast<std::size_t>(learning.guides_tried_max);
  route->learning.judge = learning.judge == "reference";
  route->learning.retry_after = learning.retry_after;
  if (options.contract) route->contract = contract_terms(*options.contract, options);
  return std::shared_ptr<const Route>(std::move(route));
}

}  // namespace

Result<RuntimePtr> build_runtime(const Config& config, UpstreamResources& resources, Clock& clock,
                                 const RuntimeOptions& options) {
  if (!resources.http) {
    net::HttpClientOptions http;
    for (const auto& [name, model] : config.models) {
      // A connection per call that may be in flight: fewer kept would be opened again and again under load.
      http.idle_per_origin_max =
          std::max(http.idle_per_origin_max, static_cast<std::size_t>(std::max(model.concurrent_max, 0)));
    }
    resources.http = net::make_http_client(http);
  }
  auto runtime = std::make_shared<Runtime>();
  runtime->seed = config.seed;
  Loaded loaded;
  for (const auto& [name, model] : config.models) {
    Model out;
    out.name = name;
    out.id = model.id.empty() ? name : model.id;
    out.local = model.local || model.upstream == UpstreamKind::kLocal;
    out.logprobs = model.logprobs;
    out.limits = limits_of(name, model);
    const auto given = options.given_clients.find(name);
    if (given != options.given_clients.end()) {
      out.client = given->second;
    } else if (auto kept = client_in_use(name, model, config, options)) {
      out.client = std::move(kept);
    } else {
      auto client = make_client(name, model, loaded, resources, clock, options.log_folder, config.seed);
      if (!client) {
        auto error = client.error();
        if (error.param.empty()) error.param = "models." + name;
        return fail(std::move(error));
      }
      out.client = std::move(*client);
      if (model.cache_entries > 0) {
        CompletionCacheOptions cache;
        cache.entries_max = static_cast<std::size_t>(model.cache_entries);
        cache.lifetime = model.cache_lifetime;
        cache.sampled = model.cache_sampled;
        out.client = make_caching_client(std::move(out.client), cache, clock);
      }
    }
    out.simulated = out.client->simulated();
    runtime->models.emplace(name, std::move(out));
  }
  RouterFiles routers;
  for (const auto& [name, route_options] : config.routes) {
    auto route = build_route(name, route_options, routers, options.encoder_hash);
    if (!route) {
      auto error = route.error();
      if (error.param.empty()) error.param = "routes." + name;
      if (error.param == "router" || error.param == "candidates")
        error.message = "Route '" + name + "': " + error.message;
      return fail(std::move(error));
    }
    runtime->routes.emplace(name, std::move(*route));
  }
  return RuntimePtr(std::move(runtime));
}

}  // namespace brevet
