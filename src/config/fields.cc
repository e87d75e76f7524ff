// Every configuration key: how it is read, its default, what it is for.
#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

#include "config/config_reader.h"

namespace brevet::config {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

constexpr std::int64_t kDayMs = 86'400'000;

std::string quoted(const std::string& text) {
  YAML::Emitter out;
  out << YAML::DoubleQuoted << text;
  return out.c_str();
}
/// Bare where YAML reads the same text back.
std::string plain(const std::string& text) {
  return text.empty() ? "\"\"" : text;
}
std::string list(const std::vector<std::string>& items) {
  std::string out = "[";
  for (const auto& item : items) out += (out.size() > 1 ? ", " : "") + plain(item);
  return out + "]";
}

template <class T>
Field<T> text(const char* name, std::string T::*member, const char* help) {
  return {name, help,
          [member](Reader& reader, const YAML::Node& node, const std::string& key, T& out) {
            if (auto value = reader.scalar(node, key)) out.*member = std::move(*value);
          },
          [member](const T& value) { return (value.*member).empty() ? "\"\"" : quoted(value.*member); }};
}
template <class T>
Field<T> choice(const char* name, std::string T::*member, std::vector<std::string> known, const char* help) {
  return {name, help,
          [member, known](Reader& reader, const YAML::Node& node, const std::string& key, T& out) {
            if (auto value = reader.choice(node, key, known)) out.*member = std::move(*value);
          },
          [member](const T& value) { return plain(value.*member); }};
}
template <class T, class Number>
Field<T> integer(const char* name, Number T::*member, std::int64_t low, std::int64_t high, const char* help) {
  return {name, help,
          [=](Reader& reader, const YAML::Node& node, const std::string& key, T& out) {
            if (auto value = reader.integer(node, key, low, high)) out.*member = static_cast<Number>(*value);
          },
          [member](const T& value) { return std::to_string(value.*member); }};
}
template <class T>
Field<T> number(const char* name, double T::*member, double low, double high, const char* help) {
  return {name, help,
          [=](Reader& reader, const YAML::Node& node, const std::string& key, T& out) {
            if (auto value = reader.number(node, key, low, high)) out.*member = *value;
          },
          [member](const T& value) {
            std::ostringstream out;
            out << value.*member;
            return out.str();
          }};
}
template <class T>
Field<T> boolean(const char* name, bool T::*member, const char* help) {
  return {name, help,
          [member](Reader& reader, const YAML::Node& node, const std::string& key, T& out) {
            if (auto value = reader.boolean(node, key)) out.*member = *value;
          },
          [member](const T& value) { return value.*member ? "true" : "false"; }};
}
template <class T, class Duration>
Field<T> duration(const char* name, Duration T::*member, Duration unit, std::int64_t low, std::int64_t high,
                  const char* help) {
  return {name, help,
          [=](Reader& reader, const YAML::Node& node, const std::string& key, T& out) {
            if (auto value = reader.integer(node, key, low, high)) out.*member = unit * *value;
          },
          [=](const T& value) { return std::to_string(value.*member / unit); }};
}
template <class T>
Field<T> money(const char* name, std::optional<Money> T::*member, const char* help) {
  return {
      name, help,
      [member](Reader& reader, const YAML::Node& node, const std::string& key, T& out) {
        if (auto value = reader.money(node, key)) out.*member = *value;
      },
      [member](const T& value) { return value.*member ? (value.*member)->to_string() : std::string("~"); }};
}
template <class T>
Field<T> maybe(const char* name, std::optional<bool> T::*member, const char* help) {
  return {name, help,
          [member](Reader& reader, const YAML::Node& node, const std::string& key, T& out) {
            if (auto value = reader.boolean(node, key)) out.*member = *value;
          },
          [member](const T& value) { return !(value.*member)   ? "~"
                                            : *(value.*member) ? "true"
                                                               : "false"; }};
}
template <class T>
Field<T> maybe(const char* name, std::optional<std::int64_t> T::*member, std::int64_t low, std::int64_t high,
               const char* help) {
  return {name, help,
          [=](Reader& reader, const YAML::Node& node, const std::string& key, T& out) {
            if (auto value = reader.integer(node, key, low, high)) out.*member = *value;
          },
          [member](const T& value) {
            return value.*member ? std::to_string(*(value.*member)) : std::string("~");
          }};
}
template <class T>
Field<T> names(const char* name, std::vector<std::string> T::*member, const char* help) {
  return {name, help,
          [member](Reader& reader, const YAML::Node& node, const std::string& key, T& out) {
            out.*member = reader.names(node, key);
          },
          [member](const T& value) { return list(value.*member); }};
}
template <class T, class Section>
Field<T> section(const char* name, Section T::*member, const Fields<Section>& (*fields)(), const char* help) {
  return {name, help,
          [=](Reader& reader, const YAML::Node& node, const std::string& key, T& out) {
            read_fields(reader, node, key, fields(), out.*member);
          },
          nullptr};
}

const std::vector<std::pair<std::string, UpstreamKind>> kUpstreams = {{"openai", UpstreamKind::kOpenAi},
                                                                      {"recorded", UpstreamKind::kRecorded},
                                                                      {"simulated", UpstreamKind::kSimulated},
                                                                      {"local", UpstreamKind::kLocal}};

void read_upstream(Reader& reader, const YAML::Node& node, const std::string& key, ModelOptions& out) {
  std::vector<std::string> known;
  for (const auto& [name, kind] : kUpstreams) known.push_back(name);
  const auto value = reader.choice(node, key, known);
  for (const auto& [name, kind] : kUpstreams) {
    if (value == name) out.upstream = kind;
  }
}

void read_keys(Reader& reader, const YAML::Node& node, const std::string& key, TenantOptions& out) {
  static const Fields<ClientKey> fields = {
      {"env", "",
       [](Reader& r, const YAML::Node& value, const std::string& name, ClientKey& into) {
         if (auto secret = r.secret(value, name, into.key_env)) into.key = std::move(*secret);
       },
       nullptr}};
  if (!reader.expect_list(node, key)) return;
  for (const auto& item : node) {
    ClientKey client;
    if (item.IsScalar()) {
      reader.set_error(
          item.Mark(), "wrong_type",
          "`" + key + "` lists {env: NAME} entries, where NAME is the environment variable with the key",
          key);
      return;
    }
    read_fields(reader, item, key, fields, client);
    if (client.key_env.empty())
      reader.set_error(item.Mark(), "missing_key", "`" + key + "` has an entry without `env`", key);
    if (reader.failed()) return;
    out.keys.push_back(std::move(client));
  }
}

/// A scalar by the look of it, as YAML would: numbers and booleans unless quoted.
OptionScalar option_scalar(const YAML::Node& node, const std::string& text) {
  if (node.Tag() == "!") return text;  // quoted
  bool flag = false;
  std::int64_t whole = 0;
  double real = 0;
  const YAML::Node value(text);
  if (YAML::convert<std::int64_t>::decode(value, whole)) return whole;
  if (YAML::convert<double>::decode(value, real) && std::isfinite(real)) return real;
  if (YAML::convert<bool>::decode(value, flag)) return flag;
  return text;
}

void read_strategy(Reader& reader, const YAML::Node& node, const std::string& key, RouteOptions& out) {
  if (node.IsScalar()) {
    if (auto name = reader.scalar(node, key)) out.strategy = std::move(*name);
    return;
  }
  if (!reader.expect_map(node, key)) return;
  bool named = false;
  reader.members(node, key, [&](const std::string& name, const YAML::Node&, const YAML::Node& value) {
    const auto text = reader.scalar(value, join_key(key, name));
    if (!text) return;
    if (name == "name") {
      out.strategy = *text;
      named = true;
    } else if (name == "router") {
      out.router = *text;
    } else {
      out.strategy_options[name] = option_scalar(value, *text);
    }
  });
  if (!named) {
    reader.set_error(node.Mark(), "missing_key",
                     "`" + key + "` has options and no `name`; write {name: adaptive, ...}",
                     join_key(key, "name"));
  }
}

std::vector<std::string> read_candidates(Reader& reader, const YAML::Node& node, const std::string& key,
                                         int depth, RouteOptions& route);

/// {name: STRATEGY, as: NAME, candidates: [...], option: value, ...}. The name that stands for it.
std::string read_composed(Reader& reader, const YAML::Node& node, const std::string& key, int depth,
                          RouteOptions& route) {
  if (depth >= kComposedDepthMax) {
    reader.set_error(node.Mark(), "bad_value",
                     "`" + key + "` nests strategies deeper than " + std::to_string(kComposedDepthMax), key);
    return {};
  }
  ComposedOptions out;
  std::string as;
  reader.members(node, key, [&](const std::string& name, const YAML::Node&, const YAML::Node& value) {
    const auto inner = join_key(key, name);
    if (name == "candidates") {
      out.candidates = read_candidates(reader, value, inner, depth + 1, route);
      return;
    }
    const auto text = reader.scalar(value, inner);
    if (!text) return;
    if (name == "name") {
      out.strategy = *text;
    } else if (name == "as") {
      as = *text;
    } else if (name == "reference") {
      out.reference = *text;
    } else if (name == "router") {
      out.router = *text;
    } else {
      out.strategy_options[name] = option_scalar(value, *text);
    }
  });
  if (reader.failed()) return {};
  if (out.strategy.empty()) {
    reader.set_error(node.Mark(), "missing_key",
                     "`" + key +
                         "` has a candidate that is a map without `name`; write {name: STRATEGY, "
                         "candidates: [...]}",
                     join_key(key, "name"));
  }
  if (out.candidates.empty()) {
    reader.set_error(node.Mark(), "missing_key",
                     "`" + key + "` has a strategy among its candidates that has no `candidates` of its own",
                     join_key(key, "candidates"));
  }
  for (int n = 2; as.empty(); ++n) {
    const auto name = n == 2 ? out.strategy : out.strategy + "-" + std::to_string(n);
    if (!route.composed.contains(name)) as = name;
  }
  if (!reader.failed() && !route.composed.emplace(as, std::move(out)).second) {
    reader.set_error(node.Mark(), "contradictory",
                     "`" + key + "` has two strategies called " + as + "; give one another name with `as`",
                     join_key(key, "as"));
  }
  return as;
}

std::vector<std::string> read_candidates(Reader& reader, const YAML::Node& node, const std::string& key,
                                         int depth, RouteOptions& route) {
  std::vector<std::string> out;
  if (!reader.expect_list(node, key)) return out;
  for (const auto& item : node) {
    auto text = item.IsMap() ? read_composed(reader, item, key, depth, route)
                             : reader.scalar(item, key).value_or(std::string());
    if (reader.failed()) break;
    if (text.empty()) reader.set_error(item.Mark(), "bad_value", "`" + key + "` holds an empty name", key);
    if (std::find(out.begin(), out.end(), text) != out.end()) {
      reader.set_error(item.Mark(), "contradictory", "`" + key + "` names " + text + " twice", key);
    }
    out.push_back(std::move(text));
  }
  return out;
}

/// `full`, or {static: FILE}.
Field<ServerOptions> encoder_field() {
  static const Fields<ServerOptions> kinds = {
      text("static", &ServerOptions::static_encoder, "file that `brevet encoder distil` made")};
  return {
      "encoder",
      "full, or {static: FILE}, one that `brevet encoder distil` made: a thousand times cheaper, and routers "
      "and memory are its own",
      [](Reader& reader, const YAML::Node& node, const std::string& key, ServerOptions& out) {
        if (node.IsMap()) {
          read_fields(reader, node, key, kinds, out);
          if (!reader.failed() && out.static_encoder.empty())
            reader.set_error(node.Mark(), "missing_key", "`" + key + ".static` is missing: name its file",
                             key);
        } else {
          reader.choice(node, key, {"full"});
        }
      },
      [](const ServerOptions& value) {
        return value.static_encoder.empty() ? "full" : "{static: " + quoted(value.static_encoder) + "}";
      }};
}

}  // namespace

const Fields<ServerOptions>& server_fields() {
  using S = ServerOptions;
  static const Fields<S> fields = {
      text("address", &S::address,
           "address to listen on; one that others can reach needs client keys under tenants"),
      integer("port", &S::port, 0, 65'535, "0 picks a free one"),
      integer("threads", &S::threads, 1, 256, "threads that serve requests; embedding has its own"),
      integer("body_bytes_max", &S::body_bytes_max, 1024, 1'073'741'824,
              "largest request body; larger ones are refused with 413"),
      integer("connections_max", &S::connections_max, 1, 1'000'000, "client connections at once"),
      duration("drain_ms", &S::drain, milliseconds(1), 0, kDayMs,
               "how long a stopping gateway lets running requests finish"),
      text("data_dir", &S::data_dir, "folder of brevet.db: memory, decisions, feedback"),
      choice("log", &S::log, {"trace", "debug", "info", "warn", "error", "off"},
             "trace, debug, info, warn, error or off"),
      duration("retention_days", &S::retention, hours(24), 1, 36'500,
               "how long decisions, feedback and texts of requests are kept"),
      encoder_field(),
  };
  return fields;
}

const Fields<MemoryConfig>& memory_fields() {
  using M = MemoryConfig;
  static const Fields<M> fields = {
      integer("partitions_max", &M::partitions_max, 1, 10'000'000,
              "partitions (tenant, models, system prompt) remembered; the least recently used go whole"),
      integer("estimators_max", &M::estimators_max, 1, 10'000'000,
              "partitions with a full estimate (1.2 MB to 28 MB each); the least recently used start theirs "
              "anew"),
      integer("bytes_max", &M::bytes_max, 16 * 1024 * 1024, std::int64_t{1} << 46,
              "bytes remembered, counted from sizes; partitions over it go, the least recently used first"),
  };
  return fields;
}

const Fields<TenantOptions>& tenant_fields() {
  using T = TenantOptions;
  static const Fields<T> fields = {
      {"keys", "client keys, each {env: NAME}: NAME is the environment variable that holds the key",
       read_keys, [](const T&) { return std::string("[]"); }},
      names("routes", &T::routes, "routes and models that this tenant may use; empty means all"),
  };
  return fields;
}

const Fields<PriceOptions>& price_fields() {
  using P = PriceOptions;
  static const Fields<P> fields = {
      money("input", &P::input_per_million,
            "USD per million input tokens; without it the cost is unknown, never 0"),
      money("output", &P::output_per_million, "USD per million output tokens"),
      money("cached_input", &P::cached_input_per_million,
            "USD per million input tokens that the provider had cached; default: input"),
      boolean("assumed", &P::assumed, "true when these are not the provider's prices; figures then say so"),
  };
  return fields;
}

const Fields<ModelOptions>& model_fields() {
  using M = ModelOptions;
  static const Fields<M> fields = {
      {"upstream", "openai (any compatible endpoint), recorded, simulated or local", read_upstream,
       [](const M& value) {
         for (const auto& [name, kind] : kUpstreams) {
           if (kind == value.upstream) return name;
         }
         return std::string();
       }},
      text("base_url", &M::base_url, "openai: as in the OpenAI clients, e.g. https://api.openai.com/v1"),
      text("id", &M::id, "what the provider calls the model; default: the name given here"),
      {"key_env", "environment variable with the provider's key; empty means none",
       [](Reader& reader, const YAML::Node& node, const std::string& key, M& out) {
         if (node.IsScalar() && node.Scalar().empty()) return;
         if (auto value = reader.secret(node, key, out.key_env)) out.key = std::move(*value);
       },
       [](const M& value) { return plain(value.key_env); }},
      section("price", &M::price, price_fields, "of the tokens"),
      text("file", &M::file,
           "recorded: data file; simulated: profile (default: the embedded one); local: GGUF file"),
      text("server", &M::server,
           "local: path of llama-server (default: the one that scripts/run --local built)"),
      boolean("logprobs", &M::logprobs,
              "the endpoint returns log-probabilities when asked; the best signal there is"),
      boolean("local", &M::local, "runs on this machine, so local_only requests may use it"),
      maybe("context_tokens", &M::context_tokens, 1, 1'000'000'000,
            "prompt and answer together; longer requests go to others. Default: as the catalogue knows"),
      names("modalities", &M::modalities,
            "text, image, audio, file: what a message may hold; default: as the catalogue knows"),
      maybe("tools", &M::tools, "false: requests with tools go to others; default: as the catalogue knows"),
      maybe("response_format", &M::response_format,
            "false: requests that ask for a response format go to others; not known means they may come"),
      duration("connect_timeout_ms", &M::connect_timeout, milliseconds(1), 1, kDayMs, "for TCP and TLS"),
      duration("first_token_timeout_ms", &M::first_token_timeout, milliseconds(1), 1, kDayMs,
               "until the first byte of the answer"),
      duration("total_timeout_ms", &M::total_timeout, milliseconds(1), 1, kDayMs,
               "for a whole call, retries included"),
      integer("retries", &M::retries, 0, 10,
              "further tries on 429, 5xx and connection failures, before the first byte only"),
      integer("concurrent_max", &M::concurrent_max, 1, 100'000,
              "calls in flight; more are refused with upstream_overloaded"),
      text("ca_file", &M::ca_file, "further CA certificates (PEM); verification is never off"),
      integer("cache_entries", &M::cache_entries, 0, 1'000'000,
              "answers kept in memory for exact repeats of a tenant's own calls at temperature 0; 0 = none"),
      duration("cache_lifetime_s", &M::cache_lifetime, std::chrono::seconds(1), 1, 86'400 * 30,
               "of a kept answer"),
      boolean("cache_sampled", &M::cache_sampled,
              "keep answers to calls with a temperature over 0 too: repeats then all get the first one"),
  };
  return fields;
}

const Fields<LearningConfig>& learning_fields() {
  using L = LearningConfig;
  constexpr auto kManyEntries = std::int64_t{100'000'000};
  static const Fields<L> fields = {
      boolean("enabled", &L::enabled, "shadow calls that find out what the weak model can do"),
      number("budget_share", &L::budget_share, 0, 1000,
             "learning may spend this share of what serving spent, plus the allowance"),
      {"allowance", "USD that learning may spend before serving has spent anything",
       [](Reader& reader, const YAML::Node& node, const std::string& key, L& out) {
         if (auto value = reader.money(node, key)) out.allowance = *value;
       },
       [](const L& value) { return value.allowance.to_string(); }},
      number("spot_check_share", &L::spot_check_share, 0, 1,
             "share of weak-served requests that the reference answers too, unseen"),
      integer("queue_max", &L::queue_max, 1, 1'000'000, "shadows waiting; a full queue starts none"),
      integer("parallel_max", &L::parallel_max, 1, 10'000, "shadows running at once"),
      integer("request_bytes_max", &L::request_bytes_max, 1024, 1'073'741'824,
              "larger requests, answers included, are not shadowed; queue_max of them may wait"),
      boolean("guides", &L::guides, "let the reference write guides for the weak model"),
      integer("guides_tried_max", &L::guides_tried_max, 0, 8,
              "remembered guides tried per shadow; each is a call of the weak model"),
      number("tau_guide", &L::tau_guide, -1, 1,
             "cosine from which a remembered guide is tried; lower: more calls, more reuse"),
      choice("judge", &L::judge, {"off", "reference"},
             "reference: it judges in both orders (two calls) where answers cannot be compared otherwise"),
      duration("retry_after_hours", &L::retry_after, hours(1), 0, 24 * 3650,
               "before a request that only strong could do is tried again"),
      integer("skills_max", &L::skills_max, 1, kManyEntries,
              "remembered requests per partition; the least used go. The largest value of all routes holds"),
      integer("guides_max", &L::guides_max, 1, kManyEntries, "guides per partition, likewise"),
  };
  return fields;
}

const Fields<ContractConfig>& contract_fields() {
  using C = ContractConfig;
  static const Fields<C> fields = {
      number("retain", &C::retain, 0, 1,
             "promised: at least this share of the reference's quality, on all that is served"),
      number("confidence", &C::confidence, 0, 1, "that the promise is kept, at every moment"),
      names("groups", &C::groups,
            "tags (x-brevet-tags) for which the promise holds on its own; the rest is a group too"),
      number("check_share_min", &C::check_share_min, .001, 1,
             "of what weak serves, the reference answers at least this share too, unseen; lower: cheaper, "
             "slower"),
      number("budget_share", &C::budget_share, 0, 1000,
             "these checks may cost this share of what serving cost; beyond it they fall to check_share_min"),
      integer("thresholds", &C::thresholds, 1, 64,
              "of a strategy's score, from careful to cheap; the cheapest that is certified serves"),
      text("judge", &C::judge,
           "model that says, in both orders, whether answers differ that cannot be compared otherwise"),
      text("auditor", &C::auditor, "model that checks the judge on audit_share; needed with a judge"),
      number("audit_share", &C::audit_share, .01, 1,
             "of what the judge compared that the auditor compares too"),
      duration("outcome_timeout_s", &C::outcome_timeout, std::chrono::seconds(1), 1, 7 * 86'400,
               "after this an outcome that has not come counts as the worst there is"),
      number("credit_max", &C::credit_max, 0, 1e6,
             "credit that a good past may leave, in answers; 0 = ten times 1 / check_share_min"),
      integer("false_alarm_every", &C::false_alarm_every, 1'000, 1'000'000'000,
              "requests between false alarms of the drift detector, at least, in the mean"),
      boolean("stop", &C::stop, "true: the reference serves everything and the contract learns nothing"),
  };
  return fields;
}

const Fields<RouteOptions>& route_fields() {
  using R = RouteOptions;
  static const Fields<R> fields = {
      {"strategy",
       "a name, or {name: NAME, option: value, ...}; router: FILE is a trained router (docs/routers.md); "
       "`brevet config --defaults` lists them",
       read_strategy, [](const R& value) { return value.strategy; }},
      {"candidates",
       "models by name (`small`, `small|t=cot`), cheapest first: the weak one and the reference, more where "
       "the "
       "strategy calls more; a candidate may be a strategy itself, {name: NAME, candidates: [...]}",
       [](Reader& reader, const YAML::Node& node, const std::string& key, R& out) {
         out.candidates = read_candidates(reader, node, key, 0, out);
       },
       [](const R& value) { return list(value.candidates); }},
      text("reference", &R::reference,
           "the strong one, whose quality is the measure; default: the last candidate"),
      choice("mode", &R::mode, {"on", "observe"},
             "observe: the reference serves everything, the rest is only tried in the shadow"),
      choice("store", &R::store, {"none", "hash", "text"},
             "what is kept of request content: none, hash or text"),
      boolean("local_only", &R::local_only,
              "requests of this route may only be sent to local models, as if each said x-brevet-local-only"),
      choice("when_reference_unreachable", &R::when_reference_unreachable, {"fail", "serve_weak"},
             "fail: the error reaches the client; serve_weak: the first candidate answers, and the decision "
             "says so"),
      integer("calls_max", &R::calls_max, 1, 1'000,
              "model calls of one request, those of strategies inside strategies among them"),
      duration("deadline_ms", &R::deadline, milliseconds(1), 0, kDayMs,
               "for a whole request, until its first byte: what has come by then must do; 0 = none"),
      duration(
          "latency_p95_ms", &R::latency_p95, milliseconds(1), 0, kDayMs,
          "aim for 95% of requests: with an answer in hand no call is begun that would likely end later; 0 = "
          "none"),
      section("learning", &R::learning, learning_fields, "off the request path"),
      {"contract",
       "a promise of quality, such as {retain: .95, confidence: .95} (docs/contract.md); ~ = none",
       [](Reader& reader, const YAML::Node& node, const std::string& key, R& out) {
         read_fields(reader, node, key, contract_fields(), out.contract.emplace());
       },
       [](const R&) { return std::string("~"); }},
  };
  return fields;
}

}  // namespace brevet::config
