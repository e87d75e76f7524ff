// The configuration as typed, validated values. app turns it into a Runtime; nobody else reads YAML.
//
// load_config() is pure but for reading the file and the environment. Unknown keys are errors that name the
// nearest key; every default is visible in `brevet config --defaults`. Values may hold ${ENV} and
// ${ENV:-fallback}.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "domain/money.h"

namespace brevet {

struct ServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 8787;
  int threads = 2;
  std::int64_t body_bytes_max = 32 * 1024 * 1024;
  std::int64_t connections_max = 10'000;
  std::chrono::milliseconds drain{10'000};
  std::string data_dir = "brevet-data";  ///< where brevet.db lives
  std::string log = "info";
  std::chrono::hours retention{24 * 30};
  std::string static_encoder;  ///< file of one; empty = the full encoder. load_config() makes it relative to
                               ///< the configuration file
  bool operator==(const ServerOptions&) const = default;
};

struct ClientKey {
  std::string key_env;  ///< environment variable that holds the key
  std::string key;      ///< resolved; never printed
};
struct TenantOptions {
  std::vector<ClientKey> keys;
  std::vector<std::string> routes;  ///< allowed routes and models; empty = all
};

enum class UpstreamKind { kOpenAi, kRecorded, kSimulated, kLocal };
struct PriceOptions {
  std::optional<Money> input_per_million;  ///< USD per million tokens
  std::optional<Money> output_per_million;
  std::optional<Money> cached_input_per_million;
  bool assumed = false;
  bool operator==(const PriceOptions&) const = default;
};
struct ModelOptions {
  UpstreamKind upstream = UpstreamKind::kOpenAi;
  std::string base_url;  ///< http(s)://host[:port]/prefix, as in the OpenAI clients
  std::string id;        ///< what the provider calls it; default: the name
  std::string key_env;   ///< environment variable with the provider's key; empty = none
  std::string key;       ///< resolved; never printed
  PriceOptions price;
  std::string file;    ///< recorded: data file; simulated: profile; local: GGUF file
  std::string server;  ///< local: path of llama-server
  bool logprobs = false;
  bool local = false;                          ///< on this machine (local_only requests may use it)
  std::optional<std::int64_t> context_tokens;  ///< prompt and answer together; empty = as the catalogue knows
  std::vector<std::string> modalities;         ///< text, image, audio, file; empty = as the catalogue knows
  std::optional<bool> tools;                   ///< empty = as the catalogue knows
  std::optional<bool> response_format;         ///< empty = not known
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds first_token_timeout{60'000};
  std::chrono::milliseconds total_timeout{600'000};
  int retries = 2;           ///< further tries on 429, 5xx and connection failures before the first byte
  int concurrent_max = 256;  ///< calls in flight; more are refused with upstream_overloaded
  std::string ca_file;       ///< extra CA bundle for TLS; verification is never off
  int cache_entries = 0;     ///< answers kept for exact repeats of a tenant's own calls; 0 = none
  std::chrono::seconds cache_lifetime{3600};
  bool cache_sampled = false;  ///< keep answers to calls with a temperature over 0 too
  bool operator==(const ModelOptions&) const = default;
};

using OptionScalar = std::variant<double, std::int64_t, bool, std::string>;
struct LearningConfig {
  bool enabled = true;
  double budget_share = 0.1;
  Money allowance = Money::from_pico(50'000'000'000);
  double spot_check_share = 0.02;
  std::int64_t queue_max = 1024;
  std::int64_t parallel_max = 8;
  std::int64_t request_bytes_max = 256 * 1024;  ///< larger requests, or answers, are not shadowed
  bool guides = true;
  std::int64_t guides_tried_max = 2;  ///< remembered guides tried per shadow; each is a weak call
  double tau_guide = 0.8;             ///< cosine from which a remembered guide is tried
  std::string judge = "off";          ///< off | reference: two judge calls where answers cannot be compared
  std::chrono::hours retry_after{24};
  std::int64_t skills_max = 100'000;  ///< per partition; the least used are evicted
  std::int64_t guides_max = 2'000;
};
/// The promise of a route: keep at least `retain` of the reference's quality, at `confidence`.
struct ContractConfig {
  double retain = .95;
  double confidence = .95;
  std::vector<std::string> groups;  ///< tags of x-brevet-tags for which the promise holds on its own
  double check_share_min = .05;     ///< of weak-served requests that the reference answers too, at least
  double budget_share = .1;         ///< what these checks may cost, as a share of what serving cost
  std::int64_t thresholds = 12;     ///< of a score, from careful to cheap, of which one is chosen
  std::string judge;                ///< model that compares what cannot be compared otherwise; empty = nobody
  std::string auditor;              ///< model that checks the judge
  double audit_share = .2;          ///< of what the judge compared
  std::chrono::seconds outcome_timeout{600};
  double credit_max = 0;                     ///< 0 = ten times 1 / check_share_min
  std::int64_t false_alarm_every = 100'000;  ///< requests, in the mean, at least
  bool stop = false;                         ///< the reference serves everything and nothing is learned
};
/// A candidate that is a strategy over candidates of its own.
struct ComposedOptions {
  std::string strategy;
  std::map<std::string, OptionScalar> strategy_options;
  std::string router;
  std::vector<std::string> candidates;
  std::string reference;  ///< default: the last candidate
};

struct RouteOptions {
  std::string strategy = "adaptive";
  std::map<std::string, OptionScalar> strategy_options;
  std::string router;                   ///< file of a trained router; load_config() makes it
                                        ///< relative to the configuration file
  std::vector<std::string> candidates;  ///< configuration keys, cheapest first
  std::map<std::string, ComposedOptions>
      composed;                ///< candidates that are strategies, by the name that stands
                               ///< for them in lists of candidates; nested ones too
  std::string reference;       ///< default: the last candidate
  std::string mode = "on";     ///< on | observe
  std::string store = "hash";  ///< none | hash | text
  bool local_only = false;     ///< only local models may serve this route
  std::string when_reference_unreachable = "fail";  ///< fail | serve_weak
  std::int64_t calls_max = 40;                      ///< model calls of one request
  std::chrono::milliseconds deadline{0};            ///< 0 = none
  std::chrono::milliseconds latency_p95{0};         ///< 0 = none
  LearningConfig learning;
  std::optional<ContractConfig> contract;  ///< empty: nothing is promised
};

/// Of all that is remembered, over all routes and tenants.
struct MemoryConfig {
  std::int64_t partitions_max = 2'000;
  std::int64_t estimators_max = 256;
  std::int64_t bytes_max = std::int64_t{2'048} << 20;
  bool operator==(const MemoryConfig&) const = default;
};

struct Config {
  ServerOptions server;
  MemoryConfig memory;
  std::map<std::string, TenantOptions> tenants;
  std::map<std::string, ModelOptions> models;
  std::map<std::string, RouteOptions> routes;
  std::uint64_t seed = 1;
};

/// Errors (kCallerInvalid, message with file, line and the nearest known key): config_unreadable,
/// config_syntax, unknown_key, wrong_type, bad_value, missing_key, unknown_model (a route names a model that
/// is not there), contradictory (e.g. one candidate only, reference not among candidates, a candidate that no
/// strategy would call, a public address without client keys), missing_env.
Result<Config> load_config(const std::string& path);
Result<Config> parse_config(const std::string& text, const std::string& name_for_errors);

/// What is allowed and yet not what it seems, one sentence each: values of routes of which only the largest
/// holds.
std::vector<std::string> config_warnings(const Config& config);

/// YAML of every key with its default and one comment line each; parse_config() reads it back to the same
/// values.
std::string default_config_yaml();

/// Nearest name by edit distance (at most 3), empty if none is near.
std::string nearest_name(const std::string& name, const std::vector<std::string>& known);

}  // namespace brevet
