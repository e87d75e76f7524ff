#include "app/gateway_process.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <mutex>
#include <random>

#include "app/open_encoder.h"
#include "base/log.h"
#include "base/random.h"
#include "features/embedding_file.h"
#include "features/embedding_pool.h"
#include "features/text_features.h"
#include "gateway/admin_view.h"
#include "gateway/baseline.h"
#include "gateway/contract_gate.h"
#include "gateway/make_admin_view.h"
#include "gateway/recent_decisions.h"
#include "gateway/shadow_runner.h"
#include "gateway/share_dials.h"
#include "net/http_server.h"
#include "server/gateway_server.h"
#include "server/http_status.h"
#include "store/store.h"
#include "wire/openai_chat.h"

namespace brevet {
namespace {

/// Ids that sort by time: milliseconds, then a counter and random bits, in Crockford's base 32.
class DecisionIds {
 public:
  std::string next(Instant now) {
    static constexpr char kDigits[] = "0123456789abcdefghjkmnpqrstvwxyz";
    const auto milliseconds = static_cast<std::uint64_t>(now.time_since_epoch().count() / 1000);
    const auto count = counter_.fetch_add(1, std::memory_order_relaxed);
    std::uint64_t high = (milliseconds << 16) | (count & 0xffff);
    std::uint64_t low = mix_bits(key_, count);
    std::string out(30, '_');
    out.replace(0, 3, "dec");
    for (std::size_t i = 16; i >= 4; --i, high >>= 5) out[i] = kDigits[high & 31];
    for (std::size_t i = 29; i >= 17; --i, low >>= 5) out[i] = kDigits[low & 31];
    return out;
  }

 private:
  const std::uint64_t key_ = static_cast<std::uint64_t>(system_clock().steady().count()) ^
                             static_cast<std::uint64_t>(system_clock().now().time_since_epoch().count());
  std::atomic<std::uint64_t> counter_{0};
};

/// Memory is one for all routes: the largest bounds hold.
MemoryOptions memory_options(const Config& config) {
  MemoryOptions out;
  out.partitions_max = static_cast<std::size_t>(config.memory.partitions_max);
  out.estimators_max = static_cast<std::size_t>(config.memory.estimators_max);
  out.bytes_max = static_cast<std::size_t>(config.memory.bytes_max);
  if (config.routes.empty()) return out;
  std::int64_t skills = 0;
  std::int64_t guides = 0;
  for (const auto& [name, route] : config.routes) {
    skills = std::max(skills, route.learning.skills_max);
    guides = std::max(guides, route.learning.guides_max);
  }
  out.skills_max = static_cast<std::size_t>(skills);
  out.guides_max = static_cast<std::size_t>(guides);
  return out;
}

std::map<std::string, ModelOptions> local_models(const Config& config) {
  std::map<std::string, ModelOptions> out;
  for (const auto& [name, model] : config.models) {
    if (model.upstream == UpstreamKind::kLocal) out.emplace(name, model);
  }
  return out;
}

/// What a running process cannot take over; empty: everything else can be.
std::string needs_restart(const Config& before, const Config& after) {
  if (!(before.server == after.server)) return "`server` was changed";
  if (local_models(before) != local_models(after)) return "a local model was added, changed or removed";
  if (!(before.memory == after.memory)) return "`memory` was changed";
  const auto old_memory = memory_options(before);
  const auto new_memory = memory_options(after);
  if (old_memory.skills_max != new_memory.skills_max || old_memory.guides_max != new_memory.guides_max)
    return "the largest learning.skills_max or learning.guides_max was changed";
  return {};
}

class GatewayProcessImpl final : public GatewayProcess {
 public:
  explicit GatewayProcessImpl(GatewayOptions options)
      : options_(std::move(options)), loaded_(options_.config) {
    if (options_.server_in_file) loaded_.server = *options_.server_in_file;
  }
  ~GatewayProcessImpl() override { stop(); }

  Result<> set_up();
  void start() override {
    if (server_) server_->start();
  }
  void stop() override;
  Result<> reload() override;
  std::uint16_t port() const override { return server_ ? server_->port() : 0; }
  RequestFlow& flow() override { return *flow_; }
  RuntimePtr runtime() const override {
    std::lock_guard lock(runtime_mutex_);
    return runtime_;
  }
  Learner& learner() override { return *learner_; }
  std::uint64_t busy() const override {
    const auto shadows = shadows_->counters();
    return shadows.queued + shadows.running + learner_->figures().queue_length;
  }
  RouteFigures figures(const std::string& route) const override {
    for (auto& figures : ledger_.snapshot()) {
      if (figures.tenant == "default" && figures.route == route) return figures;
    }
    return {};
  }

 private:
  RuntimeOptions runtime_options() const {
    auto out = options_.runtime;
    if (out.log_folder.empty() && options_.http) out.log_folder = options_.config.server.data_dir;
    out.encoder_hash = features_->encoder_hash();
    return out;
  }
  Result<> set_up_store();
  /// Reads back what a setting keeps of the last run, if it is there.
  template <class State>
  Result<> restore(const char* setting, const char* what, State& state) {
    const auto kept = store_->setting(setting);
    if (!kept) return fail(kept.error());
    if (*kept && !state.restore(**kept)) spdlog::warn("the stored {} cannot be read; starting anew", what);
    return {};
  }
  Result<> set_up_features();
  Result<> set_up_contracts();
  Result<> set_up_server();
  std::vector<MetricSample> learning_samples() const;

  const GatewayOptions options_;
  Clock& clock_ = system_clock();
  UpstreamResources resources_;
  MoneyLedger ledger_;
  ShareDials dials_;
  BaselineEstimator baseline_;
  RecentDecisions recent_;
  DecisionIds ids_;
  std::atomic<std::uint64_t> next_number_{1};
  std::unique_ptr<Store> store_;
  std::unique_ptr<Learner> learner_;
  std::unique_ptr<EmbeddingPool> pool_;
  std::unique_ptr<EmbeddingPool> kept_pool_;  ///< pool_ behind a file
  std::unique_ptr<FeatureSource> features_;
  std::unique_ptr<ContractGate> contracts_;
  std::unique_ptr<ShadowRunner> shadows_;
  std::unique_ptr<RequestFlow> flow_;
  std::unique_ptr<AdminView> admin_;
  std::unique_ptr<GatewayServer> endpoints_;
  std::unique_ptr<net::HttpServer> server_;
  bool stopped_ = false;
  Config loaded_;  ///< what runtime_ was built from, as the file has it

  mutable std::mutex runtime_mutex_;
  RuntimePtr runtime_;  // guarded by runtime_mutex_
};

Result<> GatewayProcessImpl::set_up_store() {
  StoreOptions store;
  store.path = ":memory:";
  if (options_.http) {
    std::error_code failed;
    std::filesystem::create_directories(options_.config.server.data_dir, failed);
    if (failed) {
      return fail(
          ErrorKind::kCallerInvalid, "data_dir_unusable",
          "Cannot make the data folder " + options_.config.server.data_dir + ": " + failed.message() + ".",
          "server.data_dir");
    }
    store.path = options_.config.server.data_dir + "/brevet.db";
  }
  store.retention = std::chrono::duration_cast<Microseconds>(options_.config.server.retention);
  auto opened = open_store(store);
  if (!opened) return fail(opened.error());
  store_ = std::move(*opened);
  LearnerOptions learner;
  learner.mode = options_.http ? LearnerMode::kThread : LearnerMode::kInline;
  learner.memory = memory_options(options_.config);
  learner.retention = store.retention;
  learner.more_settings = [this] {
    return std::vector<std::pair<std::string, std::string>>{{kLedgerSetting, ledger_.save()},
                                                            {kDialsSetting, dials_.save()},
                                                            {kBaselineSetting, baseline_.save()}};
  };
  if (auto done = restore(kLedgerSetting, "money ledger", ledger_); !done) return done;
  if (auto done = restore(kDialsSetting, "share dials", dials_); !done) return done;
  if (auto done = restore(kBaselineSetting, "means of the reference", baseline_); !done) return done;
  auto made = make_learner(*store_, clock_, std::move(learner));
  if (!made) return fail(made.error());
  learner_ = std::move(*made);
  next_number_ = learner_->first_number();
  return {};
}

Result<> GatewayProcessImpl::set_up_features() {
  if (options_.encoder) {
    EmbeddingPoolOptions pool;
    pool.threads = options_.encoder_threads;
    auto opened = open_embedding(options_.config.server.static_encoder, pool);
    if (!opened) return fail(opened.error());
    pool_ = std::move(*opened);
    if (!options_.embedding_file.empty()) {
      auto kept = make_embedding_file(*pool_, {options_.embedding_file});
      if (!kept) return fail(kept.error());
      kept_pool_ = std::move(*kept);
    }
  }
  features_ = make_text_features(kept_pool_ ? kept_pool_.get() : pool_.get());
  return {};
}

/// Coins that nobody outside can foresee; in replay those of the seed, so that a replay sees the same ones.
CoinKey new_coin_key(bool secret, std::uint64_t seed) {
  if (!secret) return {mix_bits(seed, 1), mix_bits(seed, 2)};
  std::random_device device;
  const auto bits = [&] { return (std::uint64_t{device()} << 32) | device(); };
  const auto low = bits();
  return {low, bits()};
}

Result<> GatewayProcessImpl::set_up_contracts() {
  ContractGateOptions contracts;
  if (options_.http) contracts.journal = options_.config.server.data_dir + "/contract.journal";
  contracts.new_key = [secret = options_.http, seed = options_.config.seed] {
    return new_coin_key(secret, seed);
  };
  auto gate = make_contract_gate(std::move(contracts), clock_);
  if (!gate) return fail(gate.error());
  contracts_ = std::move(*gate);
  return {};
}

Result<> GatewayProcessImpl::set_up() {
  if (auto done = set_up_store(); !done) return done;
  if (auto done = set_up_contracts(); !done) return done;
  if (auto done = set_up_features(); !done) return done;
  auto runtime = build_runtime(options_.config, resources_, clock_, runtime_options());
  if (!runtime) return fail(runtime.error());
  runtime_ = std::move(*runtime);
  shadows_ = make_shadow_runner(ledger_, *learner_);
  FlowParts parts{*features_, *learner_, clock_, [this] { return learner_->snapshot(); }};
  parts.ledger = &ledger_;
  parts.recent = &recent_;
  parts.dials = &dials_;
  parts.baseline = &baseline_;
  parts.shadows = shadows_.get();
  parts.contracts = contracts_.get();
  parts.new_decision_id = [this] { return ids_.next(clock_.now()); };
  parts.next_number = [this] { return next_number_.fetch_add(1, std::memory_order_relaxed); };
  flow_ = make_request_flow(std::move(parts));
  return options_.http ? set_up_server() : Result<>{};
}

std::vector<MetricSample> GatewayProcessImpl::learning_samples() const {
  std::vector<MetricSample> out;
  const auto add = [&](const char* name, const char* help, bool counter, auto value) {
    out.push_back({name, help, counter, {}, static_cast<double>(value)});
  };
  const auto learned = learner_->figures();
  add("brevet_learning_queue", "Outcomes waiting to be written.", false, learned.queue_length);
  add("brevet_learning_refused_total", "Requests that found no place with the learner.", true,
      learned.refused);
  add("brevet_learning_dropped_total", "Decisions lost before they were written.", true, learned.dropped);
  add("brevet_feedback_learned_total",
      "Clients' words that said something new of an answer by the weak model.", true,
      learned.feedback_learned);
  add("brevet_outcomes_learned_total", "Outcomes of the weak model alone.", true, learned.outcomes_learned);
  add("brevet_cannot_tell_total", "Comparisons without a verdict.", true, learned.cannot_tell);
  add("brevet_guides_leaked_total", "Guides thrown away because they carried the answer.", true,
      learned.guides_leaked);
  add("brevet_skills_demoted_total", "Skills that a spot check refuted.", true, learned.demoted);
  const auto& memory = learned.memory;
  add("brevet_memory_skills", "Skills remembered.", false, memory.skills);
  add("brevet_memory_guides", "Guides remembered.", false, memory.guides);
  add("brevet_memory_bytes", "Bytes remembered, counted from sizes; memory.bytes_max bounds them.", false,
      memory.bytes);
  add("brevet_memory_partitions", "Partitions remembered; memory.partitions_max bounds them.", false,
      memory.partitions);
  add("brevet_memory_estimators", "Partitions with a full estimate; memory.estimators_max bounds them.",
      false, memory.estimators);
  add("brevet_memory_partitions_evicted_total", "Partitions dropped for a bound.", true,
      memory.partitions_evicted);
  add("brevet_memory_estimators_evicted_total", "Estimates dropped for a bound.", true,
      memory.estimators_evicted);
  add("brevet_store_commits_total", "Batches written to disk.", true, learned.commits);
  add("brevet_store_commit_failures_total", "Batches that could not be written.", true,
      learned.commit_failures);
  if (pool_) {
    const auto texts = pool_->counts();
    add("brevet_encoder_queue", "Texts waiting to be embedded.", false, texts.queued);
    add("brevet_embeddings_total", "Texts embedded by the encoder.", true, texts.computed);
    add("brevet_embedding_cache_hits_total", "Texts found in the cache of embeddings.", true, texts.cached);
    add("brevet_encoder_refused_total", "Texts refused because the queue was full.", true, texts.refused);
  }
  return out;
}

Result<> GatewayProcessImpl::set_up_server() {
  AdminParts admin{*store_, recent_, ledger_};
  admin.shadows = shadows_.get();
  admin.contracts = contracts_.get();
  admin.more_samples = [this] { return learning_samples(); };
  admin_ = make_admin_view(std::move(admin));
  ServerParts parts{*flow_, *admin_, *learner_, clock_, [this] { return runtime(); }};
  parts.tenants = options_.config.tenants;
  endpoints_ = make_gateway_server(std::move(parts));
  const auto& wanted = options_.config.server;
  net::HttpServerOptions http;
  http.address = wanted.address;
  http.port = wanted.port;
  http.threads = wanted.threads;
  http.body_bytes_max = static_cast<std::size_t>(wanted.body_bytes_max);
  http.connections_max = static_cast<std::size_t>(wanted.connections_max);
  http.error_body = [](int status, const std::string& code, const std::string& message) {
    return http_error_body(status, code, message);
  };
  auto server = net::make_http_server(std::move(http), endpoints_->handler());
  if (!server) return fail(server.error());
  server_ = std::move(*server);
  return {};
}

Result<> GatewayProcessImpl::reload() {
  if (options_.config_path.empty()) {
    return fail(ErrorKind::kCallerInvalid, "no_config_file",
                "There is no configuration file to load again; start with `brevet serve --config FILE`.");
  }
  auto config = load_config(options_.config_path);
  if (!config) return fail(config.error());
  if (const auto why = needs_restart(loaded_, *config); !why.empty()) {
    return fail(ErrorKind::kCallerInvalid, "restart_needed",
                "Only a restart can apply this file, because " + why + ". Nothing of it was applied.");
  }
  auto options = runtime_options();
  options.running = runtime();
  options.running_config = &loaded_;
  auto built = build_runtime(*config, resources_, clock_, options);
  if (!built) return fail(built.error());
  {
    std::lock_guard lock(runtime_mutex_);
    runtime_ = std::move(*built);
  }
  if (endpoints_) endpoints_->set_tenants(config->tenants);
  loaded_ = std::move(*config);
  for (const auto& warning : config_warnings(loaded_)) spdlog::warn("{}", warning);
  return {};
}

void GatewayProcessImpl::stop() {
  if (stopped_ || !flow_) return;
  stopped_ = true;
  const auto grace = options_.config.server.drain;
  if (server_) {
    // Shadows first, while the threads that run them still run; from here on none is admitted.
    endpoints_->set_draining();
    shadows_->drain(grace);
    server_->drain(grace);
  }
  learner_->stop();
}

}  // namespace

Result<std::unique_ptr<GatewayProcess>> GatewayProcess::create(GatewayOptions options) {
  auto process = std::make_unique<GatewayProcessImpl>(std::move(options));
  if (auto done = process->set_up(); !done) return fail(done.error());
  return std::unique_ptr<GatewayProcess>(std::move(process));
}

}  // namespace brevet
