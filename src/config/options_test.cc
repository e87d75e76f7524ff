// Goal: a good file gives typed values, a bad one a clear sentence with code, line and nearest key, and no
// secret is ever shown. Method: texts by hand; the printed defaults and the documented example are read back.
#include "config/options.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/test_folder.h"

namespace brevet {
namespace {

const std::string kModels = R"(models:
  small: {base_url: "http://127.0.0.1:1/v1"}
  large: {base_url: "https://api.example.com/v1/", price: {input: 2, output: 8}}
)";

Config good(const std::string& text) {
  auto config = parse_config(text, "test.yaml");
  EXPECT_TRUE(config) << (config ? "" : config.error().message);
  return config ? *config : Config{};
}

/// The error must have the code and hold every one of the given pieces.
void bad(const std::string& text, const std::string& code, std::initializer_list<const char*> pieces) {
  const auto config = parse_config(text, "test.yaml");
  ASSERT_FALSE(config) << text;
  EXPECT_EQ(config.error().code, code) << config.error().message;
  EXPECT_EQ(config.error().kind, ErrorKind::kCallerInvalid);
  for (const char* piece : pieces) {
    EXPECT_NE(config.error().message.find(piece), std::string::npos)
        << piece << " not in: " << config.error().message;
  }
}

TEST(Config, ReadsEverything) {
  setenv("BREVET_TEST_KEY", "sk-1\n", 1);
  setenv("BREVET_TEST_CLIENT", "client-1", 1);
  setenv("BREVET_TEST_PORT", "9000", 1);
  const auto config = good(R"(
seed: 7
server: {address: 0.0.0.0, port: "${BREVET_TEST_PORT}", threads: 4, data_dir: "${BREVET_TEST_NONE:-/tmp/x}/d", retention_days: 2, drain_ms: 50, log: warn}
tenants:
  team: {keys: [{env: BREVET_TEST_CLIENT}], routes: [auto, small]}
models:
  small: {base_url: "http://127.0.0.1:1/v1/", id: tiny, logprobs: true, retries: 0, concurrent_max: 8, first_token_timeout_ms: 100}
  large: {upstream: openai, base_url: https://api.example.com, key_env: BREVET_TEST_KEY, price: {input: 0.15, output: "0.6", cached_input: 7.5e-2, assumed: true}}
  past:  {upstream: recorded, file: data.jsonl}
  away:  {upstream: recorded, base_url: "http://127.0.0.1:2/v1/"}
  sim:   {upstream: simulated}
  here:  {upstream: local, server: /bin/llama, file: m.gguf}
routes:
  auto:
    strategy: {name: knn, k: 8, threshold: 0.5, exact: false, label: "8"}
    candidates: [small, large]
    reference: large
    mode: observe
    store: text
    learning: {budget_share: 0.5, allowance: 1.25, retry_after_hours: 3, guides: no, queue_max: 5,
               judge: reference, tau_guide: 0.6, guides_tried_max: 4, request_bytes_max: 4096}
memory: {partitions_max: 7, estimators_max: 3, bytes_max: 50000000}
)");
  EXPECT_EQ(config.seed, 7u);
  EXPECT_EQ(config.server.port, 9000);
  EXPECT_EQ(config.server.data_dir, "/tmp/x/d");
  EXPECT_EQ(config.server.retention, std::chrono::hours(48));
  EXPECT_EQ(config.server.drain, std::chrono::milliseconds(50));
  EXPECT_EQ(config.tenants.at("team").keys.at(0).key, "client-1");
  EXPECT_EQ(config.tenants.at("team").routes, (std::vector<std::string>{"auto", "small"}));
  EXPECT_EQ(config.models.at("small").id, "tiny");
  EXPECT_EQ(config.models.at("small").base_url, "http://127.0.0.1:1/v1");
  EXPECT_FALSE(config.models.at("small").price.input_per_million);
  const auto& large = config.models.at("large");
  EXPECT_EQ(large.id, "large");
  EXPECT_EQ(large.key, "sk-1");
  EXPECT_EQ(large.price.input_per_million, Money::parse_usd("0.15"));
  EXPECT_EQ(large.price.cached_input_per_million, Money::parse_usd("0.075"));
  EXPECT_TRUE(large.price.assumed);
  EXPECT_EQ(config.models.at("past").upstream, UpstreamKind::kRecorded);
  EXPECT_EQ(config.models.at("away").base_url, "http://127.0.0.1:2/v1");
  EXPECT_EQ(config.models.at("sim").upstream, UpstreamKind::kSimulated);
  EXPECT_TRUE(config.models.at("here").local);
  const auto& route = config.routes.at("auto");
  EXPECT_EQ(route.strategy, "knn");
  EXPECT_EQ(route.strategy_options.at("k"), OptionScalar(std::int64_t{8}));
  EXPECT_EQ(route.strategy_options.at("threshold"), OptionScalar(0.5));
  EXPECT_EQ(route.strategy_options.at("exact"), OptionScalar(false));
  EXPECT_EQ(route.strategy_options.at("label"), OptionScalar(std::string("8")));
  EXPECT_EQ(route.mode, "observe");
  EXPECT_EQ(route.learning.retry_after, std::chrono::hours(3));
  EXPECT_EQ(route.learning.allowance, Money::parse_usd("1.25"));
  EXPECT_FALSE(route.learning.guides);
  EXPECT_EQ(route.learning.judge, "reference");
  EXPECT_EQ(route.learning.tau_guide, 0.6);
  EXPECT_EQ(route.learning.guides_tried_max, 4);
  EXPECT_EQ(route.learning.request_bytes_max, 4096);
  EXPECT_EQ(config.memory, (MemoryConfig{7, 3, 50'000'000}));
}

TEST(Config, TheReferenceIsTheLastCandidate) {
  EXPECT_EQ(good(kModels + "routes: {auto: {candidates: [small, large]}}").routes.at("auto").reference,
            "large");
}

TEST(Config, WhatAModelTakes) {
  const auto config = good(R"(models:
  a: {base_url: "http://127.0.0.1:1/v1", context_tokens: 8192, modalities: [text, image], tools: false}
  b: {base_url: "http://127.0.0.1:1/v1", response_format: true}
)");
  const auto& a = config.models.at("a");
  EXPECT_EQ(a.context_tokens, 8192);
  EXPECT_EQ(a.modalities, (std::vector<std::string>{"text", "image"}));
  EXPECT_EQ(a.tools, false);
  EXPECT_EQ(a.response_format, std::nullopt);
  EXPECT_EQ(config.models.at("b").response_format, true);
  EXPECT_EQ(config.models.at("b").context_tokens, std::nullopt);
  bad("models:\n  a: {base_url: \"http://127.0.0.1:1/v1\", modalities: [smell]}\n", "bad_value",
      {"smell", "image"});
  bad("models:\n  a: {base_url: \"http://127.0.0.1:1/v1\", context_tokens: 0}\n", "bad_value",
      {"context_tokens"});
}

TEST(Config, ARouterIsAFileBesideTheConfiguration) {
  const auto text = kModels + R"(  middle: {base_url: "http://127.0.0.1:1/v1"}
routes:
  auto:
    candidates: [small, middle, large]
    strategy: {name: mf, router: mf.router, threshold: .3}
)";
  const auto parsed = good(text);
  EXPECT_EQ(parsed.routes.at("auto").router, "mf.router");
  EXPECT_EQ(parsed.routes.at("auto").strategy_options.count("router"), 0U);
  EXPECT_EQ(parsed.routes.at("auto").candidates.size(), 3U) << "a router may choose among many";
  const auto path = test_folder() + "brevet.yaml";
  std::ofstream(path) << text;
  const auto loaded = load_config(path);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->routes.at("auto").router, test_folder() + "mf.router");
}

TEST(Config, PrintedDefaultsAreTheDefaults) {
  const auto config = good(default_config_yaml());
  const ServerOptions server;
  EXPECT_EQ(config.server.address, server.address);
  EXPECT_EQ(config.server.port, server.port);
  EXPECT_EQ(config.server.threads, server.threads);
  EXPECT_EQ(config.server.body_bytes_max, server.body_bytes_max);
  EXPECT_EQ(config.server.connections_max, server.connections_max);
  EXPECT_EQ(config.server.drain, server.drain);
  EXPECT_EQ(config.server.data_dir, server.data_dir);
  EXPECT_EQ(config.server.log, server.log);
  EXPECT_EQ(config.server.retention, server.retention);
  EXPECT_EQ(config.seed, Config{}.seed);
  EXPECT_EQ(config.memory, MemoryConfig{});
  EXPECT_TRUE(config.tenants.at("default").keys.empty());
  const auto& model = config.models.at("weak");
  const ModelOptions plain;
  EXPECT_EQ(model.upstream, plain.upstream);
  EXPECT_EQ(model.id, "weak");
  EXPECT_EQ(model.key_env, "");
  EXPECT_FALSE(model.price.input_per_million || model.price.output_per_million ||
               model.price.cached_input_per_million);
  EXPECT_EQ(model.logprobs, plain.logprobs);
  EXPECT_EQ(model.local, plain.local);
  EXPECT_EQ(model.connect_timeout, plain.connect_timeout);
  EXPECT_EQ(model.first_token_timeout, plain.first_token_timeout);
  EXPECT_EQ(model.total_timeout, plain.total_timeout);
  EXPECT_EQ(model.retries, plain.retries);
  EXPECT_EQ(model.concurrent_max, plain.concurrent_max);
  const auto& route = config.routes.at("auto");
  const RouteOptions standard;
  EXPECT_EQ(route.strategy, standard.strategy);
  EXPECT_EQ(route.mode, standard.mode);
  EXPECT_EQ(route.store, standard.store);
  EXPECT_EQ(route.learning.enabled, standard.learning.enabled);
  EXPECT_EQ(route.learning.budget_share, standard.learning.budget_share);
  EXPECT_EQ(route.learning.allowance, standard.learning.allowance);
  EXPECT_EQ(route.learning.spot_check_share, standard.learning.spot_check_share);
  EXPECT_EQ(route.learning.queue_max, standard.learning.queue_max);
  EXPECT_EQ(route.learning.parallel_max, standard.learning.parallel_max);
  EXPECT_EQ(route.learning.request_bytes_max, standard.learning.request_bytes_max);
  EXPECT_EQ(route.learning.guides, standard.learning.guides);
  EXPECT_EQ(route.learning.judge, standard.learning.judge);
  EXPECT_EQ(route.learning.tau_guide, standard.learning.tau_guide);
  EXPECT_EQ(route.learning.guides_tried_max, standard.learning.guides_tried_max);
  EXPECT_EQ(route.learning.retry_after, standard.learning.retry_after);
  EXPECT_EQ(route.learning.skills_max, standard.learning.skills_max);
  EXPECT_EQ(route.learning.guides_max, standard.learning.guides_max);
}

TEST(Config, TheDocumentedExampleWorks) {
  setenv("OPENAI_API_KEY", "sk-test", 1);
  const std::string path = std::string(BREVET_SOURCE_DIR) + "/docs/config-example.yaml";
  const auto config = load_config(path);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->models.at("large").key, "sk-test");
  EXPECT_EQ(config->routes.at("auto").candidates, (std::vector<std::string>{"small", "large"}));
  std::ifstream file(path);
  std::string line;
  int lines = 0;
  while (std::getline(file, line)) lines += !line.empty() && line[0] != '#';
  EXPECT_LE(lines, 12);
}

TEST(Config, UnreadableAndNotYaml) {
  const auto missing = load_config("/nonexistent/brevet.yaml");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, "config_unreadable");
  EXPECT_FALSE(load_config("/"));
  bad("a: [1, 2", "config_syntax", {"test.yaml"});
  bad("models: {a: {}}\n  b: 1\n", "config_syntax", {"test.yaml:"});
  bad("a: 1\n---\nb: 2\n", "config_syntax", {"more than one"});
  bad(std::string(100'000, '['), "config_syntax", {});
  bad("a: 1\n}\n", "config_syntax", {});
  bad(", a: 1\n", "config_syntax", {"more than one"});
  bad("", "missing_key", {"`models` is missing"});
  bad("just text", "wrong_type", {"must be a map"});
  bad(std::string(5'000'000, ' '), "config_unreadable", {"larger"});
}

TEST(Config, MisspeltKeysNameTheNearest) {
  bad("modles: {}", "unknown_key", {"test.yaml:1:", "`modles`", "did you mean `models`?"});
  bad("server:\n  adress: x\n", "unknown_key", {"test.yaml:2:", "`server.adress`", "`address`"});
  bad("server:\n  zzzzzzzzzz: x\n", "unknown_key", {"known are address, port"});
  bad("models:\n  a:\n    base-url: x\n", "unknown_key",
      {"test.yaml:3:", "`models.a.base-url`", "`base_url`"});
  bad(kModels + "routes: {auto: {candidates: [small, large], learning: {budget: 1, guide: true}}}",
      "unknown_key", {});
  bad(kModels + "routes: {auto: {candidates: [small, large], mode: observ}}", "bad_value", {"`observe`"});
  bad(kModels + "routes: {auto: {candidates: [smal, large]}}", "unknown_model", {"did you mean `small`?"});
  bad("models: {a: {upstream: openia}}", "bad_value", {"`openai`"});
  bad("server: {port: 1}\nserver: {port: 2}", "config_syntax", {"twice"});
}

TEST(Config, WrongTypesAndValues) {
  bad("server: {port: many}", "wrong_type", {"`server.port`", "whole number", "'many'"});
  bad("server: {port: 70000}", "bad_value", {"between 0 and 65535"});
  bad("server: {port: [1]}", "wrong_type", {"single value"});
  bad("server: 5", "wrong_type", {"`server` must be a map"});
  bad("models: [a]", "wrong_type", {"`models` must be a map"});
  bad("models: {a: {logprobs: maybe}}", "wrong_type", {"true or false"});
  bad("models: {a: {base_url: \"http://x\", price: {input: cheap}}}", "wrong_type", {"USD"});
  bad("models: {a: {base_url: \"http://x\", price: {input: -1, output: 1}}}", "bad_value", {"negative"});
  bad("models: {a: {base_url: \"ftp://x\"}}", "bad_value", {"`models.a.base_url`", "http://"});
  bad("models: {a: {base_url: \"http://\"}}", "bad_value", {"http://"});
  bad("models: {\"a|b\": {base_url: \"http://x\"}}", "bad_value", {"without blanks and |"});
  bad(kModels + "routes: {auto: {candidates: small}}", "wrong_type", {"must be a list"});
  bad(kModels + "routes: {auto: {candidates: [small, large], strategy: {k: 3}}}", "missing_key", {"`name`"});
  bad(kModels + "routes: {auto: {candidates: [small, large], learning: {spot_check_share: 2}}}", "bad_value",
      {"between 0 and 1"});
  bad(kModels + "memory: {partitions_max: 0}", "bad_value", {"memory.partitions_max", "between 1"});
  bad(kModels + "memory: {bytes_max: 1000}", "bad_value", {"memory.bytes_max"});
  bad(kModels + "memory: {estimators_max: many}", "wrong_type", {"memory.estimators_max"});
  bad(kModels + "memory: {partition_max: 5}", "unknown_key", {"did you mean `partitions_max`?"});
  bad(kModels + "routes: {auto: {candidates: [small, large], learning: {request_bytes_max: 5}}}", "bad_value",
      {"learning.request_bytes_max"});
  bad(kModels + "routes: {auto: {candidates: [\"small|t\", large]}}", "bad_value", {"cannot be read"});
  bad(kModels + "routes: {auto: {candidates: [\"small|s=3\", large]}}", "bad_value", {"models by name"});
}

TEST(Config, MissingKeys) {
  bad("models: {a: }", "missing_key", {"base_url"});
  bad("models: {a: {upstream: recorded}}", "missing_key", {"file"});
  bad("models: {a: {base_url: \"http://x\", price: {input: 1}}}", "missing_key", {"`output`"});
  bad(kModels + "routes: {auto: {}}", "missing_key", {"candidates"});
  bad(kModels + "tenants: {t: {keys: [{}]}}", "missing_key", {"env"});
  bad(kModels + "tenants: {t: {routes: [small]}}", "missing_key", {"nobody"});
}

TEST(Config, ACandidateMayBeAStrategy) {
  const auto config = parse_config(kModels + R"(
routes:
  auto:
    deadline_ms: 1500
    candidates:
      - small
      - {name: self_consistency, as: voters, samples: 5, candidates: ["small|t=cot"]}
      - name: blender
        candidates: [small, {name: blended, candidates: [small, large]}]
      - large
)",
                                   "test.yaml");
  ASSERT_TRUE(config) << config.error().message;
  const auto& route = config->routes.at("auto");
  EXPECT_EQ(route.candidates, (std::vector<std::string>{"small", "voters", "blender", "large"}));
  EXPECT_EQ(route.deadline, std::chrono::milliseconds(1500));
  ASSERT_EQ(route.composed.size(), 3U);
  const auto& voters = route.composed.at("voters");
  EXPECT_EQ(voters.strategy, "self_consistency");
  EXPECT_EQ(voters.candidates, std::vector<std::string>{"small|t=cot"});
  EXPECT_EQ(voters.reference, "small|t=cot");
  EXPECT_EQ(std::get<std::int64_t>(voters.strategy_options.at("samples")), 5);
  EXPECT_EQ(route.composed.at("blender").candidates, (std::vector<std::string>{"small", "blended"}));
  EXPECT_EQ(route.composed.at("blended").candidates, (std::vector<std::string>{"small", "large"}));

  bad(kModels + "routes: {auto: {candidates: [{name: blended}, large]}}", "missing_key", {"no `candidates`"});
  bad(kModels + "routes: {auto: {candidates: [{candidates: [small]}, large]}}", "missing_key", {"`name`"});
  bad(kModels + "routes: {auto: {candidates: [{name: blended, candidates: [nobody]}, large]}}",
      "unknown_model", {"nobody"});
  bad(kModels +
          "routes: {auto: {candidates: [{name: a, candidates: [{name: b, candidates: [{name: c, "
          "candidates: [{name: d, candidates: [{name: e, candidates: [small]}]}]}]}]}, large]}}",
      "bad_value", {"deeper than 4"});
}

TEST(Config, NoStrategyIsInsideItself) {
  bad(kModels + "routes: {auto: {candidates: [{name: self_consistency, as: v, candidates: [v]}, large]}}",
      "bad_value", {"strategy v", "inside itself"});
  bad(kModels +
          "routes: {auto: {candidates: [{name: blended, as: a, candidates: [small, {name: blended, as: b, "
          "candidates: [small, a]}]}, large]}}",
      "bad_value", {"inside itself"});
  // Named one after the other instead of written inside each other, five deep.
  bad(kModels +
          "routes: {auto: {candidates: [{name: blended, as: a, candidates: [small, b]}, {name: blended, as: "
          "b, candidates: [small, c]}, {name: blended, as: c, candidates: [small, d]}, {name: blended, as: "
          "d, candidates: [small, e]}, {name: blended, as: e, candidates: [small]}, large]}}",
      "bad_value", {"deeper than 4"});
  // A strategy asked as a judge could ask itself.
  bad(kModels +
          "routes: {auto: {candidates: [{name: blender, as: panel, judge: panel, candidates: [small, "
          "large]}, large]}}",
      "unknown_model", {"panel", "judge"});
  bad(kModels + "routes: {auto: {strategy: {name: blender, fuser: nobody}, candidates: [small, large]}}",
      "unknown_model", {"nobody", "fuser"});
  bad(kModels +
          "routes: {auto: {strategy: {name: blender, judge: \"small|t=cot\"}, candidates: [small, large]}}",
      "unknown_model", {"small|t=cot"});
  const auto config = parse_config(
      kModels +
          "routes: {auto: {strategy: {name: blender, judge: small, fuser: reference}, candidates: "
          "[small, large]}}",
      "test.yaml");
  EXPECT_TRUE(config) << config.error().message;
}

TEST(Config, Contradictions) {
  bad(kModels + "routes:\n  auto:\n    candidates: [small]\n", "contradictory",
      {"test.yaml:6:", "only one entry"});
  bad(kModels + "routes: {auto: {candidates: [small, small]}}", "contradictory", {"twice"});
  bad(kModels +
          "  third: {base_url: \"http://127.0.0.1:3/v1\"}\n"
          "routes: {auto: {candidates: [small, third], reference: large}}",
      "contradictory", {"not among the candidates"});
  bad(kModels +
          "routes: {auto: {candidates: [{name: blended, as: small, candidates: [small, large]}, large]}}",
      "contradictory", {"the name of a model"});
  bad(kModels +
          "routes: {auto: {candidates: [{name: blended, candidates: [small], as: v}, {name: rar, as: v, "
          "candidates: [small]}]}}",
      "contradictory", {"two strategies called v"});
  bad(kModels + "routes: {auto: {candidates: [small, large], reference: small}}", "contradictory",
      {"cheapest"});
  bad(kModels + "routes: {auto: {candidates: [small, large], local_only: true}}", "contradictory",
      {"local_only", "local: true"});
  bad(kModels + "routes: {auto: {candidates: [small, large], when_reference_unreachable: panic}}",
      "bad_value", {"fail"});
  bad(kModels + "routes: {small: {candidates: [small, large]}}", "contradictory", {"name of a model"});
  bad(kModels + "routes: {auto: {candidates: [small, large], mode: observe, learning: {enabled: false}}}",
      "contradictory", {"observe"});
  bad(kModels + "server: {address: 0.0.0.0}", "contradictory", {"client keys"});
  bad("models: {a: {upstream: recorded, file: f, base_url: \"http://x\"}}", "contradictory", {"base_url"});
  bad("models: {a: {upstream: local, base_url: \"http://x\"}}", "contradictory", {"runs here"});
  bad("models: {a: {base_url: \"http://x\", file: f}}", "contradictory", {"file"});
  bad("models: {a: {base_url: \"http://x\", server: f}}", "contradictory", {"server"});
  bad("models: {a: {base_url: \"http://x\", total_timeout_ms: 10}}", "contradictory",
      {"longer than total_timeout_ms"});
  setenv("BREVET_TEST_CLIENT", "client-1", 1);
  bad(kModels + "tenants: {a: {keys: [{env: BREVET_TEST_CLIENT}]}, b: {keys: [{env: BREVET_TEST_CLIENT}]}}",
      "contradictory", {"`tenants.b.keys`"});
  bad(kModels +
          "tenants: {a: {keys: [{env: BREVET_TEST_CLIENT}], routes: [autoo]}}\nroutes: {auto: {candidates: "
          "[small, large]}}",
      "unknown_model", {"did you mean `auto`?"});
}

TEST(Config, EnvironmentAndSecrets) {
  unsetenv("BREVET_TEST_UNSET");
  bad("models: {a: {base_url: \"http://x\", key_env: BREVET_TEST_UNSET}}", "missing_env",
      {"BREVET_TEST_UNSET", "not set"});
  bad("models: {a: {base_url: \"${BREVET_TEST_UNSET}\"}}", "missing_env", {"BREVET_TEST_UNSET"});
  bad("models: {a: {base_url: \"${oops\"}}", "bad_value", {"${NAME}"});
  // What could be a secret in the wrong place is not shown.
  setenv("BREVET_TEST_SECRET", "hunter2", 1);
  for (const std::string text :
       {"models: {a: {base_url: \"http://x\", key_env: sk-hunter2}}",
        "models: {a: {base_url: \"http://x\", key_env: gsk_hunter2}}",
        "models: {a: {base_url: \"https://user:hunter2@host/v1\"}}",
        "models: {a: {base_url: \"http://x\", api_key: hunter2}}",
        "models: {a: {base_url: \"http://x\", api_key: \"${BREVET_TEST_SECRET}\"}}",
        "server: {port: \"${BREVET_TEST_SECRET}\"}", "models: {a: {upstream: \"${BREVET_TEST_SECRET}\"}}",
        "models: {a: {base_url: \"${BREVET_TEST_SECRET}\"}}"}) {
    const auto config = parse_config(text, "test.yaml");
    ASSERT_FALSE(config) << text;
    EXPECT_EQ(config.error().message.find("hunter2"), std::string::npos) << config.error().message;
    EXPECT_EQ(config.error().param.find("hunter2"), std::string::npos) << config.error().param;
  }
}

TEST(NearestName, WithinThreeEdits) {
  const std::vector<std::string> known = {"candidates", "reference", "mode"};
  EXPECT_EQ(nearest_name("candidate", known), "candidates");
  EXPECT_EQ(nearest_name("refernece", known), "reference");
  EXPECT_EQ(nearest_name("something", known), "");
  EXPECT_EQ(nearest_name("xyz", {"abc"}), "");
  EXPECT_EQ(nearest_name("", known), "");
}

TEST(Config, WarnsOfWhatIsAllowedAndWithoutEffect) {
  EXPECT_TRUE(config_warnings(good(kModels + "routes: {auto: {candidates: [small, large]}}")).empty());
  const auto warnings = config_warnings(good(kModels + R"(
routes:
  auto: {candidates: [small, large], learning: {skills_max: 10}}
  other: {candidates: [small, large], learning: {skills_max: 20}}
)"));
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_NE(warnings[0].find("largest, 20"), std::string::npos);
}

TEST(Config, AContractInThreeLines) {
  const auto config = good(kModels + R"(routes:
  plain: {candidates: [small, large]}
  auto:
    candidates: [small, large]
    contract: {retain: .9, confidence: .99, groups: [math, code], check_share_min: .1, stop: true}
)");
  EXPECT_FALSE(config.routes.at("plain").contract);
  const auto& contract = *config.routes.at("auto").contract;
  EXPECT_EQ(contract.retain, .9);
  EXPECT_EQ(contract.confidence, .99);
  EXPECT_EQ(contract.groups, (std::vector<std::string>{"math", "code"}));
  EXPECT_EQ(contract.check_share_min, .1);
  EXPECT_TRUE(contract.stop);
  EXPECT_EQ(good(kModels + "routes: {auto: {candidates: [small, large], contract: {}}}")
                .routes.at("auto")
                .contract->retain,
            .95);
}

TEST(Config, AnImpossibleContractIsRefusedWithItsReason) {
  const auto with = [](const std::string& contract, const std::string& more = "") {
    return kModels + "routes: {auto: {candidates: [small, large]" + more + ", contract: {" + contract + "}}}";
  };
  bad(with("retain: 1"), "contract_impossible", {"leaves no answer"});
  bad(with("retain: 0"), "contract_impossible", {"promises nothing"});
  bad(with("confidence: 1"), "contract_impossible", {"no finite number"});
  bad(with("credit_max: .5"), "contract_impossible", {"never leaves credit"});
  bad(with("", ", learning: {enabled: false}"), "contract_impossible", {"learning.enabled"});
  bad(with("", ", store: none"), "contract_impossible", {"store: hash"});
  bad(with("judge: small"), "contract_impossible", {"auditor", "hide errors"});
  bad(with("judge: small, auditor: small"), "contract_impossible", {"the judge itself"});
  bad(with("judge: smal, auditor: large"), "unknown_model", {"smal"});
  bad(with("groups: ['a,b']"), "bad_value", {"one tag"});
  good(with("judge: small, auditor: large, groups: [a, b]"));
}

TEST(Config, TheEncoderIsFullOrAStaticFileBesideTheConfiguration) {
  const std::string rest = "models: {a: {base_url: http://x/v1}}\n";
  EXPECT_TRUE(parse_config("server: {encoder: full}\n" + rest, "c")->server.static_encoder.empty());
  EXPECT_EQ(parse_config("server: {encoder: {static: my.static}}\n" + rest, "c")->server.static_encoder,
            "my.static");
  EXPECT_EQ(parse_config("server: {encoder: half}\n" + rest, "c").error().code, "bad_value");
  EXPECT_EQ(parse_config("server: {encoder: {static: \"\"}}\n" + rest, "c").error().code, "missing_key");
  EXPECT_EQ(parse_config("server: {encoder: {statik: x}}\n" + rest, "c").error().code, "unknown_key");
  std::ofstream(test_folder() + "encoder.yaml") << "server: {encoder: {static: my.static}}\n" << rest;
  EXPECT_EQ(load_config(test_folder() + "encoder.yaml")->server.static_encoder, test_folder() + "my.static");
}

TEST(Config, AModelThatAStrategyAsksMustBeThere) {
  const auto code = [](const std::string& model) {
    const auto parsed = parse_config(
        "models: {a: {base_url: http://x/v1}, b: {base_url: http://x/v1}}\n"
        "routes: {auto: {candidates: [a, b], strategy: {name: causal_llm, model: " +
            model + "}}}\n",
        "c");
    return parsed ? std::string("good") : parsed.error().code;
  };
  EXPECT_EQ(code("a"), "good");
  EXPECT_EQ(code("c"), "unknown_model");
}

}  // namespace
}  // namespace brevet
