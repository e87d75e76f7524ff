// What single keys cannot tell: keys that contradict each other, names that must exist somewhere else.
#include <algorithm>
#include <set>

#include "config/config_reader.h"
#include "domain/configuration.h"

namespace brevet::config {
namespace {

constexpr std::size_t kContractGroupsMax = 32;

/// Line of a key, or of the nearest section around it that is there.
YAML::Mark mark_of(const YAML::Node& root, std::initializer_list<std::string> path) {
  YAML::Node node;
  node.reset(root);
  auto mark = root.Mark();
  for (const auto& name : path) {
    if (!node.IsMap()) break;
    bool found = false;
    for (const auto& member : node) {
      if (!member.first.IsScalar() || member.first.Scalar() != name) continue;
      mark = member.first.Mark();
      const YAML::Node next = member.second;
      node.reset(next);
      found = true;
      break;
    }
    if (!found) break;
  }
  return mark;
}

bool is_loopback(const std::string& address) {
  return address == "localhost" || address == "::1" || address == "[::1]" || address.starts_with("127.");
}

template <class Map>
std::vector<std::string> names_of(const Map& map) {
  std::vector<std::string> out;
  for (const auto& [name, value] : map) out.push_back(name);
  return out;
}

class Validator {
 public:
  Validator(Reader& reader, const YAML::Node& root, Config& config)
      : reader_(reader), root_(root), config_(config) {}

  void run() {
    if (config_.models.empty()) {
      reader_.set_error(
          mark_of(root_, {"models"}), "missing_key",
          "`models` is missing; name at least one model, such as {small: {base_url: ..., key_env: ...}}",
          "models");
    }
    for (auto& [name, model] : config_.models) check_model(name, model);
    for (auto& [name, route] : config_.routes) check_route(name, route);
    check_tenants();
  }

 private:
  void fail_at(std::initializer_list<std::string> path, const char* code, const std::string& message) {
    std::string key;
    for (const auto& name : path) key = join_key(key, name);
    reader_.set_error(mark_of(root_, path), code, message, key);
  }

  void check_name(const std::string& section, const std::string& name) {
    const bool bad = name.empty() || name.size() > 200 || std::any_of(name.begin(), name.end(), [](char c) {
                       return c == '|' || (c >= 0 && c <= 0x20) || c == 0x7f;
                     });
    if (bad)
      fail_at({section, name}, "bad_value",
              "a name under `" + section + "` must be 1 to 200 characters, without blanks and |");
  }

  void check_model(const std::string& name, ModelOptions& model) {
    check_name("models", name);
    const auto where = "`models." + name;
    const bool openai = model.upstream == UpstreamKind::kOpenAi,
               local = model.upstream == UpstreamKind::kLocal;
    if (openai) {
      if (model.base_url.empty())
        fail_at({"models", name, "base_url"}, "missing_key",
                where + ".base_url` is missing, such as https://api.openai.com/v1");
      check_url(name, model.base_url);
      if (!model.file.empty())
        fail_at({"models", name, "file"}, "contradictory",
                where + ".file` is for recorded, simulated and local models; this one is an openai endpoint");
    } else {
      const bool played =
          model.upstream == UpstreamKind::kRecorded || model.upstream == UpstreamKind::kSimulated;
      if (!model.base_url.empty() && played && model.file.empty()) {
        check_url(name, model.base_url);  // a `brevet upstream`
      } else if (!model.base_url.empty()) {
        fail_at(
            {"models", name, "base_url"}, "contradictory",
            played
                ? where +
                      ".base_url` names a `brevet upstream`, which has the file; leave out base_url or file"
                : where + ".base_url` is for endpoints; this model runs here");
      }
      if (!model.key_env.empty())
        fail_at({"models", name, "key_env"}, "contradictory",
                where + ".key_env` is for openai endpoints; this model has another upstream");
      if (!model.ca_file.empty())
        fail_at({"models", name, "ca_file"}, "contradictory",
                where + ".ca_file` is for openai endpoints; this model has another upstream");
    }
    if (!local && !model.server.empty())
      fail_at({"models", name, "server"}, "contradictory",
              where + ".server` is for local models; this model has another upstream");
    if (model.upstream == UpstreamKind::kRecorded && model.file.empty() && model.base_url.empty()) {
      fail_at({"models", name, "file"}, "missing_key",
              where +
                  ".file` is missing: a recorded model needs its data file, or the base_url of a "
                  "`brevet upstream --recorded`");
    }
    const auto& price = model.price;
    if (price.input_per_million.has_value() != price.output_per_million.has_value()) {
      const char* missing = price.input_per_million ? "output" : "input";
      fail_at({"models", name, "price"}, "missing_key",
              where + ".price` needs `" + std::string(missing) + "` too, in USD per million tokens");
    }
    if (price.cached_input_per_million && !price.input_per_million) {
      fail_at({"models", name, "price", "cached_input"}, "missing_key",
              where + ".price` needs `input` and `output` beside `cached_input`");
    }
    if (model.first_token_timeout > model.total_timeout) {
      fail_at({"models", name, "first_token_timeout_ms"}, "contradictory",
              where + ".first_token_timeout_ms` is longer than total_timeout_ms");
    }
    if (model.connect_timeout > model.total_timeout) {
      fail_at({"models", name, "connect_timeout_ms"}, "contradictory",
              where + ".connect_timeout_ms` is longer than total_timeout_ms");
    }
    static const std::set<std::string> kModalities = {"text", "image", "audio", "file"};
    for (const auto& modality : model.modalities) {
      if (kModalities.contains(modality)) continue;
      fail_at({"models", name, "modalities"}, "bad_value",
              where + ".modalities` lists " + modality + "; known are text, image, audio and file");
    }
    if (local) model.local = true;
    if (model.id.empty()) model.id = name;
  }

  void check_url(const std::string& name, std::string& url) {
    const auto key = "`models." + name + ".base_url`";
    const std::size_t host = url.starts_with("https://") ? 8 : url.starts_with("http://") ? 7 : 0;
    while (host > 0 && url.size() > host && url.back() == '/') url.pop_back();
    const auto authority = url.substr(host, url.find('/', host) - host);
    // Not shown: a URL may carry a password.
    if (authority.find('@') != std::string::npos) {
      fail_at(
          {"models", name, "base_url"}, "bad_value",
          key + " must not carry a password; put the key in an environment variable and name it in key_env");
    }
    const bool odd = std::any_of(url.begin(), url.end(),
                                 [](char c) { return c <= 0x20 || c == 0x7f || c == '?' || c == '#'; });
    if (host == 0 || authority.empty() || authority[0] == ':' || odd) {
      fail_at({"models", name, "base_url"}, "bad_value",
              key + " must look like http://host:port/v1 or https://host/v1");
    }
  }

  bool known_configuration(const std::string& route, const char* key, const std::string& text) {
    const auto parsed = Configuration::parse(text);
    if (!parsed) {
      fail_at({"routes", route, key}, "bad_value",
              "`routes." + route + "." + key +
                  "` holds a configuration that cannot be read: " + parsed.error().message);
      return false;
    }
    const auto& composed = config_.routes[route].composed;
    auto with_transform = *parsed;
    with_transform.transform.clear();
    if (!with_transform.plain() || (!parsed->transform.empty() && composed.contains(parsed->model))) {
      // Accepting it would call the plain model and record that more was applied.
      fail_at({"routes", route, key}, "bad_value",
              "`routes." + route + "." + key + "` holds " + text +
                  "; a route takes models by name, with a transform at most (small|t=cot), and strategies "
                  "without");
      return false;
    }
    if (config_.models.count(parsed->model) || composed.contains(parsed->model)) return true;
    fail_at({"routes", route, key}, "unknown_model",
            "`routes." + route + "." + key + "` names the model " + parsed->model +
                ", which is not under `models`" + known_names(parsed->model, names_of(config_.models)));
    return false;
  }

  /// Of a composed candidate, whether it has one inside.
  bool is_local(const RouteOptions& route, const std::string& text) const {
    const auto parsed = Configuration::parse(text);
    if (!parsed) return false;
    const auto composed = route.composed.find(parsed->model);
    if (composed != route.composed.end()) {
      const auto& inside = composed->second.candidates;
      return std::any_of(inside.begin(), inside.end(),
                         [&](const std::string& candidate) { return is_local(route, candidate); });
    }
    const auto model = config_.models.find(parsed->model);
    return model != config_.models.end() && model->second.local;
  }

  /// How deep strategies nest below this one, itself counted; stops one beyond what is allowed, so it ends
  /// where a strategy is inside itself too.
  int depth_of(const RouteOptions& route, const std::string& as, int above) const {
    int deepest = above + 1;
    if (deepest > kComposedDepthMax) return deepest;
    for (const auto& text : route.composed.at(as).candidates) {
      const auto parsed = Configuration::parse(text);
      if (!parsed || !route.composed.contains(parsed->model)) continue;
      deepest = std::max(deepest, depth_of(route, parsed->model, above + 1));
      if (deepest > kComposedDepthMax) break;
    }
    return deepest;
  }

  /// Models that a strategy asks beside its candidates (a judge, a fuser, a grader). They answer a prompt of
  /// the strategy's own, so a transform would be recorded and not applied, and a strategy could ask itself.
  void check_asked(const std::string& name, const char* key,
                   const std::map<std::string, OptionScalar>& options) {
    for (const char* const option : {"model", "judge", "fuser"}) {
      const auto given = options.find(option);
      const auto* model = given == options.end() ? nullptr : std::get_if<std::string>(&given->second);
      if (!model || model->empty() || *model == "reference" || config_.models.count(*model)) continue;
      fail_at({"routes", name, key}, "unknown_model",
              "`routes." + name + "." + key + "` has a strategy that asks the model " + *model + " as its " +
                  option + ", which is not under `models`" + known_names(*model, names_of(config_.models)));
    }
  }

  bool check_composed(const std::string& name, RouteOptions& route) {
    for (auto& [as, composed] : route.composed) {
      const auto where = "`routes." + name + ".candidates";
      const bool bad = as.size() > 200 || as.find_first_of("| \t\r\n") != std::string::npos;
      if (bad)
        fail_at({"routes", name, "candidates"}, "bad_value",
                where + "` calls a strategy " + as + "; a name must be without blanks and |");
      if (config_.models.count(as)) {
        fail_at(
            {"routes", name, "candidates"}, "contradictory",
            where + "` calls a strategy " + as + ", which is the name of a model; give it another with `as`");
      }
      for (const auto& candidate : composed.candidates) {
        if (!known_configuration(name, "candidates", candidate)) return false;
      }
      if (composed.reference.empty()) composed.reference = composed.candidates.back();
      if (std::find(composed.candidates.begin(), composed.candidates.end(), composed.reference) ==
          composed.candidates.end()) {
        fail_at({"routes", name, "candidates"}, "contradictory",
                where + "` has the strategy " + as + ", whose reference is not among its candidates");
      }
      check_asked(name, "candidates", composed.strategy_options);
    }
    for (const auto& [as, composed] : route.composed) {
      if (depth_of(route, as, 0) <= kComposedDepthMax) continue;
      fail_at({"routes", name, "candidates"}, "bad_value",
              "`routes." + name + ".candidates` has the strategy " + as +
                  " inside itself, or nests strategies deeper than " + std::to_string(kComposedDepthMax));
      return false;
    }
    return true;
  }

  void check_route(const std::string& name, RouteOptions& route) {
    check_name("routes", name);
    const auto where = "`routes." + name;
    if (config_.models.count(name)) {
      fail_at({"routes", name}, "contradictory",
              where + "` has the name of a model, so a request could mean either; rename one");
    }
    if (route.candidates.empty()) {
      fail_at({"routes", name, "candidates"}, "missing_key",
              where + ".candidates` is missing: list the models, cheapest first");
      return;
    }
    if (route.candidates.size() == 1) {
      fail_at({"routes", name, "candidates"}, "contradictory",
              where +
                  ".candidates` has only one entry, so there is nothing to route; add a second, or use the "
                  "model by its name");
    }
    if (!check_composed(name, route)) return;
    for (const auto& candidate : route.candidates) {
      if (!known_configuration(name, "candidates", candidate)) return;
    }
    if (route.reference.empty()) route.reference = route.candidates.back();
    if (!known_configuration(name, "reference", route.reference)) return;
    if (std::find(route.candidates.begin(), route.candidates.end(), route.reference) ==
        route.candidates.end()) {
      fail_at({"routes", name, "reference"}, "contradictory",
              where + ".reference` is not among the candidates; add it there");
    }
    if (route.reference == route.candidates.front()) {
      fail_at({"routes", name, "reference"}, "contradictory",
              where +
                  ".reference` is also the first, cheapest candidate; list candidates cheapest first and "
                  "name the strong one");
    }
    check_asked(name, "strategy", route.strategy_options);
    if (route.strategy.empty())
      fail_at({"routes", name, "strategy"}, "bad_value", where + ".strategy` is empty");
    if (route.local_only && std::none_of(route.candidates.begin(), route.candidates.end(),
                                         [&](const std::string& text) { return is_local(route, text); })) {
      fail_at({"routes", name, "local_only"}, "contradictory",
              where +
                  ".local_only` lets only local models answer and no candidate is one; set local: true on a "
                  "model that runs on this machine");
    }
    if (route.deadline.count() > 0 && route.latency_p95 > route.deadline) {
      fail_at({"routes", name, "latency_p95_ms"}, "contradictory",
              where + ".latency_p95_ms` is longer than deadline_ms, so it would never be looked at");
    }
    check_contract(name, route);
    if (route.mode == "observe" && !route.learning.enabled) {
      fail_at({"routes", name, "mode"}, "contradictory",
              where +
                  "` observes with learning switched off, so nothing would be observed; set "
                  "learning.enabled: true, or mode: on");
    }
  }

  /// A contract that can never be kept, or of which nothing could ever be known, is refused before it serves.
  void check_contract(const std::string& name, const RouteOptions& route) {
    if (!route.contract) return;
    const auto& contract = *route.contract;
    const auto where = "`routes." + name + ".contract";
    const auto refuse = [&](const char* key, const std::string& why) {
      fail_at({"routes", name, "contract", key}, "contract_impossible", where + "." + key + "` " + why);
    };
    if (contract.retain <= 0 || contract.retain >= 1) {
      refuse("retain",
             contract.retain >= 1
                 ? "of 1 leaves no answer to anybody but the reference; name a share below 1, such as "
                   ".95, or leave the contract out and use strategy: always_strong"
                 : "of 0 promises nothing; name a share above 0, such as .95");
    }
    if (contract.confidence <= 0 || contract.confidence >= 1) {
      refuse("confidence",
             "must be above 0 and below 1: no finite number of requests proves anything for "
             "certain; .95 is usual");
    }
    if (contract.credit_max > 0 && contract.credit_max < contract.retain) {
      refuse(
          "credit_max",
          "below retain never leaves credit for one answer of weak; leave it out, or name the answers that a "
          "good past may leave, such as 50");
    }
    if (!route.learning.enabled) {
      refuse("retain",
             "cannot be kept with learning.enabled: false, because then no answer is ever compared "
             "with the reference's; switch learning on");
    }
    if (route.store == "none") {
      refuse("retain",
             "cannot be kept with store: none, because then no request may be compared after it was "
             "served; use store: hash");
    }
    const bool reference_elsewhere = !is_local(route, route.reference);
    if (route.local_only && reference_elsewhere) {
      refuse("retain", "speaks of the quality of " + route.reference +
                           ", which local_only never lets answer; make it local, or leave one of both out");
    }
    for (const auto& group : contract.groups) {
      if (group.find(',') == std::string::npos) continue;
      fail_at({"routes", name, "contract", "groups"}, "bad_value",
              where + ".groups` lists '" + group + "'; a group is one tag, and tags are separated by commas");
    }
    if (contract.groups.size() > kContractGroupsMax) {
      fail_at({"routes", name, "contract", "groups"}, "bad_value",
              where + ".groups` has more than " + std::to_string(kContractGroupsMax) +
                  " groups; each has a ledger and a share of the confidence of its own");
    }
    if (contract.judge.empty() != contract.auditor.empty()) {
      refuse(
          contract.judge.empty() ? "judge" : "auditor",
          contract.judge.empty()
              ? "is missing: there is an auditor and nobody to check"
              : "is missing: a judge that nobody checks may hide errors, and then nothing can be promised; "
                "name the model that checks a share of its verdicts, such as the reference");
    }
    for (const auto* model : {&contract.judge, &contract.auditor}) {
      if (model->empty() || config_.models.count(*model)) continue;
      fail_at({"routes", name, "contract", model == &contract.judge ? "judge" : "auditor"}, "unknown_model",
              where + "` names the model " + *model + ", which is not under `models`" +
                  known_names(*model, names_of(config_.models)));
    }
    if (!contract.judge.empty() && contract.judge == contract.auditor)
      refuse("auditor", "is the judge itself, so its errors would stay; name another model");
  }

  void check_tenants() {
    std::set<std::string> keys;
    for (const auto& [name, tenant] : config_.tenants) {
      check_name("tenants", name);
      for (const auto& client : tenant.keys) {
        if (keys.insert(client.key).second) continue;
        fail_at({"tenants", name, "keys"}, "contradictory",
                "`tenants." + name + ".keys` has a key that was given before; a key must name one tenant");
      }
      for (const auto& route : tenant.routes) {
        if (config_.routes.count(route) || config_.models.count(route)) continue;
        auto known = names_of(config_.routes);
        for (const auto& model : names_of(config_.models)) known.push_back(model);
        fail_at({"tenants", name, "routes"}, "unknown_model",
                "`tenants." + name + ".routes` names " + route + ", which is neither a route nor a model" +
                    known_names(route, known));
      }
    }
    if (keys.empty() && !is_loopback(config_.server.address)) {
      fail_at({"server", "address"}, "contradictory",
              "`server.address` lets other machines in and no tenant has client keys; add keys under "
              "`tenants`, or listen on 127.0.0.1");
    }
    for (const auto& [name, tenant] : config_.tenants) {
      if (name == "default" || !tenant.keys.empty()) continue;
      fail_at({"tenants", name}, "missing_key",
              "`tenants." + name + "` has no keys, so nobody could be this tenant");
    }
  }

  Reader& reader_;
  const YAML::Node& root_;
  Config& config_;
};

}  // namespace

void validate(Reader& reader, const YAML::Node& root, Config& config) {
  Validator(reader, root, config).run();
}

}  // namespace brevet::config
