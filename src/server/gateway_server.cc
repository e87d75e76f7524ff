#include "server/gateway_server.h"

#include <algorithm>
#include <atomic>

#include "base/log.h"
#include "base/random.h"
#include "gateway/router_names.h"
#include "net/http_target.h"
#include "server/client_keys.h"
#include "server/http_response_sink.h"
#include "server/http_status.h"
#include "server/metrics.h"
#include "wire/json_text.h"
#include "wire/openai_chat.h"

namespace brevet {
namespace {

constexpr std::size_t kRequestIdBytesMax = 128;
constexpr std::size_t kSessionBytesMax = 256;
constexpr std::size_t kTagsBytesMax = 256;
constexpr std::size_t kDecisionsMax = 1000;
constexpr std::size_t kCommentBytesMax = 1024;

using net::json_type;
using net::normal_path;
using net::percent_decoded;
using net::query_value;
using net::whole_number;
using Names = std::vector<std::string>;

bool plain_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_' || c == '.' || c == ':' || c == '/' || c == '+' || c == '=';
  });
}

Error make_error(ErrorKind kind, std::string code, std::string message, std::string param = {}) {
  return Error{kind, std::move(code), std::move(message), std::move(param), 0, {}};
}

/// One HTTP exchange on its way.
struct Exchange {
  const net::HttpRequest& request;
  net::HttpResponder& responder;
  std::string request_id;
  const char* endpoint = "other";
  int status = 0;
  Client client;
};

class Server final : public GatewayServer {
 public:
  explicit Server(ServerParts parts)
      : parts_(std::move(parts)),
        keys_(std::make_shared<const ClientKeys>(parts_.tenants)),
        id_key_(hash_bytes("request-id",
                           static_cast<std::uint64_t>(parts_.clock.now().time_since_epoch().count()))) {}

  net::HttpHandler handler() override {
    return [this](std::shared_ptr<net::HttpRequest> request, net::HttpResponder& responder) {
      return serve(std::move(request), responder);
    };
  }
  void set_draining() override { draining_.store(true); }
  void set_tenants(const std::map<std::string, TenantOptions>& tenants) override {
    auto fresh = std::make_shared<const ClientKeys>(tenants);
    std::lock_guard lock(keys_mutex_);
    keys_ = std::move(fresh);
  }

 private:
  std::shared_ptr<const ClientKeys> keys() const {
    std::lock_guard lock(keys_mutex_);
    return keys_;
  }

  Task<void> serve(std::shared_ptr<net::HttpRequest> request, net::HttpResponder& responder) {
    // A hang-up is seen by the flow itself, which accounts for it; here nothing may be skipped.
    co_await asio::this_coro::throw_if_cancelled(false);
    Exchange exchange{*request, responder, request_id(*request)};
    co_await dispatch(exchange, *request);
    metrics_.exchange(exchange.endpoint, exchange.status == 0 ? 499 : exchange.status);
  }

  /// No coroutine: what is chosen is awaited by serve() itself.
  Task<void> dispatch(Exchange& exchange, net::HttpRequest& request) {
    const std::string_view path = normal_path(request.path());
    const bool get = request.method == "GET" || request.method == "HEAD";
    const bool post = request.method == "POST";
    const auto starts = [&](std::string_view prefix) { return path.compare(0, prefix.size(), prefix) == 0; };

    if (path == "/health" || path == "/health/liveness" || path == "/health/liveliness") {
      exchange.endpoint = "health";
      if (!get) return wrong_method(exchange, "GET");
      return respond(exchange, 200, R"({"status":"ok"})");
    }
    if (path == "/health/readiness") {
      exchange.endpoint = "readiness";
      if (!get) return wrong_method(exchange, "GET");
      return readiness(exchange);
    }
    if (path == "/metrics") {
      exchange.endpoint = "metrics";
      if (!get) return wrong_method(exchange, "GET");
      return metrics(exchange);
    }

    const bool chat_path = path == "/chat/completions";
    const bool known = chat_path || path == "/models" || starts("/models/") || path == "/route" ||
                       path == "/decisions" || starts("/decisions/") || path == "/feedback" ||
                       path == "/report" || path == "/contract";
    if (!known) return unknown_path(exchange, std::string(path));
    auto client = keys()->identify(request.headers);
    if (!client) return refuse(exchange, client.error());
    exchange.client = std::move(*client);

    if (chat_path || path == "/route" || path == "/feedback" || (path == "/contract" && post)) {
      exchange.endpoint = chat_path             ? "chat_completions"
                          : path == "/route"    ? "route"
                          : path == "/contract" ? "contract"
                                                : "feedback";
      if (!post) return wrong_method(exchange, "POST");
      const auto type = net::find_header(request.headers, "content-type");
      // A page in a browser may send a body without any type to another origin, unasked; programs and curl
      // may leave the type out.
      const bool browser = !net::find_header(request.headers, "origin").empty() ||
                           !net::find_header(request.headers, "sec-fetch-site").empty();
      if (type.empty() ? browser : !json_type(type)) {
        const auto error = make_error(
            ErrorKind::kCallerInvalid, "unsupported_media_type",
            "Send the body as JSON with the header 'content-type: application/json'.", "content-type");
        return refuse(exchange, error);
      }
      if (chat_path) return chat(exchange, request);
      if (path == "/route") return dry_run(exchange, request);
      if (path == "/contract") return switch_contract(exchange, request);
      return feedback(exchange, request);
    }
    exchange.endpoint = starts("/models")     ? "models"
                        : path == "/report"   ? "report"
                        : path == "/contract" ? "contract"
                                              : "decisions";
    if (!get) return wrong_method(exchange, "GET");
    if (starts("/models")) return models(exchange, std::string(path));
    if (path == "/report") return report(exchange);
    if (path == "/contract") return contract(exchange);
    return decisions(exchange, std::string(path));
  }

  // ---- answering
  Task<void> metrics(Exchange& exchange) {
    const auto runtime = parts_.runtime();
    exchange.status = 200;
    net::HttpHeaders headers{{"content-type", "text/plain; version=0.0.4; charset=utf-8"}};
    std::string text = metrics_.render(runtime.get(), parts_.admin.samples());
    static_cast<void>(co_await exchange.responder.respond(200, std::move(headers), std::move(text)));
  }

  Task<void> respond(Exchange& exchange, int status, std::string body) {
    exchange.status = status;
    net::HttpHeaders headers;
    headers.push_back({"content-type", "application/json"});
    headers.push_back({"x-request-id", exchange.request_id});
    static_cast<void>(co_await exchange.responder.respond(status, std::move(headers), std::move(body)));
  }

  Task<void> refuse(Exchange& exchange, Error error, const char* allow = nullptr) {
    exchange.status = http_status(error);
    net::HttpHeaders headers;
    headers.push_back({"content-type", "application/json"});
    headers.push_back({"x-request-id", exchange.request_id});
    if (allow != nullptr) headers.push_back({"allow", allow});
    if (exchange.status == 401) headers.push_back({"www-authenticate", "Bearer"});
    if (exchange.status == 429 || exchange.status == 503) headers.push_back({"retry-after", "1"});
    auto body = http_error_body(error);
    static_cast<void>(
        co_await exchange.responder.respond(exchange.status, std::move(headers), std::move(body)));
  }

  Task<void> wrong_method(Exchange& exchange, const char* right) {
    auto error = make_error(ErrorKind::kCallerInvalid, "method_not_allowed",
                            std::string("Use ") + right + " for this path.");
    co_await refuse(exchange, std::move(error), right);
  }

  Task<void> unknown_path(Exchange& exchange, std::string path) {
    const Names openai = {"/completions",        "/embeddings",   "/responses",  "/messages",
                          "/images/generations", "/audio/speech", "/moderations"};
    auto error =
        make_error(ErrorKind::kCallerNotFound, "unknown_endpoint",
                   "There is nothing at this path. Try POST /v1/chat/completions, GET /v1/models or GET "
                   "/health.");
    if (std::find(openai.begin(), openai.end(), path) != openai.end()) {
      error = make_error(ErrorKind::kCallerNotFound, "unsupported_endpoint",
                         "This gateway does not serve that endpoint; it serves POST /v1/chat/completions.");
    }
    co_await refuse(exchange, std::move(error));
  }

  std::string request_id(const net::HttpRequest& request) {
    const auto given = net::find_header(request.headers, "x-request-id");
    // Only what can stand in a header and a log as it is; anything else is not ours to repeat.
    if (given.size() <= kRequestIdBytesMax && plain_token(given)) return std::string(given);
    const auto count = requests_.fetch_add(1, std::memory_order_relaxed);
    static constexpr char kHex[] = "0123456789abcdef";
    std::string out(20, '_');
    out.replace(0, 3, "req");
    auto bits = mix_bits(id_key_, count);
    for (std::size_t i = 4; i < out.size(); ++i, bits >>= 4) out[i] = kHex[bits & 15];
    return out;
  }

  // ---- health
  Task<void> readiness(Exchange& exchange) {
    const auto runtime = parts_.runtime();
    const bool draining = draining_.load();
    const bool ready = !draining && runtime && !(runtime->routes.empty() && runtime->models.empty());
    std::string body = std::string(R"({"status":")") +
                       (ready      ? "ready"
                        : draining ? "draining"
                                   : "starting") +
                       R"(","models":{)";
    if (runtime) {
      bool first = true;
      for (const auto& [name, model] : runtime->models) {
        if (!model.client) continue;
        const auto breaker = model.client->status().breaker;
        if (!first) body += ',';
        first = false;
        wire::append_json_string(body, name);
        body += breaker == BreakerState::kClosed     ? R"(:"up")"
                : breaker == BreakerState::kHalfOpen ? R"(:"recovering")"
                                                     : R"(:"down")";
      }
    }
    body += "}}";
    co_await respond(exchange, ready ? 200 : 503, std::move(body));
  }

  // ---- requests to models
  /// Route or model of this name that the client may use.
  Result<> find_model(const Runtime& runtime, const Client& client, const std::string& name) const {
    const bool known = runtime.routes.count(name) != 0 || runtime.models.count(name) != 0;
    if (known && client.may_use(name)) return {};
    if (known) {
      return fail(ErrorKind::kPolicyRefused, "model_not_allowed",
                  "The client key may not use '" + name + "'. GET /v1/models lists what it may use.",
                  "model");
    }
    const auto names = usable(runtime, client);
    const auto near = nearest_name(name, names);
    std::string message = "There is no route or model '" + shown(name) + "'.";
    if (!near.empty()) {
      message += " Did you mean '" + near + "'?";
    } else if (!names.empty()) {
      message += " Known are";
      for (std::size_t i = 0; i < names.size() && i < 12; ++i)
        message += (i == 0 ? " '" : ", '") + names[i] + "'";
      message += names.size() > 12 ? " and more: see GET /v1/models." : ".";
    }
    return fail(ErrorKind::kCallerNotFound, "model_not_found", std::move(message), "model");
  }

  /// A name as RouteLLM's server takes them becomes its route and a threshold for this request.
  static Result<> use_router_name(const Runtime& runtime, const Client& client, ChatRequest& request,
                                  RequestOptions& options) {
    if (runtime.routes.count(request.model) != 0 || runtime.models.count(request.model) != 0) return {};
    auto named = resolve_router_name(runtime, request.model,
                                     [&](const std::string& route) { return client.may_use(route); });
    if (!named) return fail(named.error());
    if (!*named) return {};
    request.model = std::move((*named)->route);
    options.threshold = (*named)->threshold;
    return {};
  }

  /// Whole UTF-8 characters of a name as sent, at most 64 bytes.
  static std::string shown(const std::string& name) {
    std::size_t size = std::min<std::size_t>(name.size(), 64);
    while (size > 0 && size < name.size() && (static_cast<unsigned char>(name[size]) & 0xC0) == 0x80) --size;
    return name.substr(0, size) + (size < name.size() ? "..." : "");
  }

  static Names usable(const Runtime& runtime, const Client& client) {
    Names names;
    for (const auto& [name, route] : runtime.routes) {
      if (client.may_use(name)) names.push_back(name);
    }
    for (const auto& [name, model] : runtime.models) {
      if (client.may_use(name) && runtime.routes.count(name) == 0) names.push_back(name);
    }
    return names;
  }

  static Result<RequestOptions> request_options(const net::HttpRequest& request, const Client& client) {
    RequestOptions options;
    options.tenant = client.tenant;
    std::string_view session = net::find_header(request.headers, "x-session-id");
    if (session.empty()) session = net::find_header(request.headers, "x-claude-code-session-id");
    if (session.size() > kSessionBytesMax) return too_long("x-session-id", kSessionBytesMax);
    options.session = session;
    const auto tags = net::find_header(request.headers, "x-brevet-tags");
    if (tags.size() > kTagsBytesMax) return too_long("x-brevet-tags", kTagsBytesMax);
    options.tags = tags;
    const auto force = net::find_header(request.headers, "x-brevet-force");
    if (!force.empty() && force != "reference") return bad_switch("x-brevet-force", "'reference'");
    options.force_reference = !force.empty();
    const auto reasoning = net::find_header(request.headers, "x-brevet-reasoning");
    if (!reasoning.empty() && reasoning != "show") return bad_switch("x-brevet-reasoning", "'show'");
    options.show_reasoning = !reasoning.empty();
    struct Switch {
      const char* name;
      bool* value;
    };
    for (const auto& [name, value] :
         {Switch{"x-brevet-learn", &options.learn}, Switch{"x-brevet-store", &options.store},
          Switch{"x-brevet-local-only", &options.local_only}}) {
      const auto word = net::find_header(request.headers, name);
      if (word.empty()) continue;
      const bool on = word == "on" || word == "true";
      if (!on && word != "off" && word != "false") return bad_switch(name, "'on' or 'off'");
      *value = on;
    }
    return options;
  }
  static tl::unexpected<Error> too_long(const char* name, std::size_t most) {
    return fail(ErrorKind::kCallerInvalid, "header_too_long",
                std::string("The header ") + name + " may hold at most " + std::to_string(most) + " bytes.",
                name);
  }
  static tl::unexpected<Error> bad_switch(const char* name, const char* allowed) {
    return fail(ErrorKind::kCallerInvalid, "bad_header",
                std::string("The header ") + name + " must be " + allowed + ".", name);
  }

  /// What chat and dry run share: a checked request for a known model.
  struct Prepared {
    RuntimePtr runtime;
    std::shared_ptr<const ChatRequest> request;
    RequestOptions options;
  };
  Result<Prepared> prepare(const Exchange& exchange, net::HttpRequest& request) {
    Prepared out;
    auto options = request_options(request, exchange.client);
    if (!options) return fail(options.error());
    out.options = std::move(*options);
    if (request.body.empty()) {
      return fail(ErrorKind::kCallerInvalid, "empty_body",
                  "The request has no body. Send a JSON object with 'model' and 'messages'.");
    }
    wire::ChatLimits limits;
    limits.hash = wire::HashWhen::kLater;
    auto parsed = wire::parse_chat_request(std::move(request.body), limits);
    if (!parsed) return fail(parsed.error());
    out.runtime = parts_.runtime();
    if (!out.runtime) {
      return fail(ErrorKind::kOverloaded, "starting",
                  "The gateway has no configuration yet. Try again shortly.");
    }
    if (auto named = use_router_name(*out.runtime, exchange.client, *parsed, out.options); !named)
      return fail(named.error());
    if (auto found = find_model(*out.runtime, exchange.client, parsed->model); !found)
      return fail(found.error());
    if (out.runtime->routes.count(parsed->model) != 0) wire::add_request_hash(*parsed);
    out.request = std::make_shared<const ChatRequest>(std::move(*parsed));
    return out;
  }

  Task<void> chat(Exchange& exchange, net::HttpRequest& request) {
    auto prepared = prepare(exchange, request);
    if (!prepared) co_return co_await refuse(exchange, prepared.error());
    SinkOptions options;
    options.request_id = exchange.request_id;
    options.stream = prepared->request->stream;
    options.include_usage = prepared->request->include_usage;
    options.ping_every = parts_.ping_every;
    HttpResponseSink sink(exchange.responder, metrics_, std::move(options));
    metrics_.in_flight.fetch_add(1);
    const bool stream = prepared->request->stream;
    if (stream) co_await sink.open();
    std::shared_ptr<const Decision> decision;
    bool broken = false;
    try {
      decision = co_await parts_.flow.run(std::move(prepared->runtime), std::move(prepared->request),
                                          std::move(prepared->options), sink);
    } catch (const std::exception& e) {
      // The flow throws nothing of its own; memory may run out.
      spdlog::error("request {} failed inside: {}", exchange.request_id, e.what());
      broken = true;
    }
    if (stream) co_await sink.close();
    metrics_.in_flight.fetch_sub(1);
    exchange.status = sink.status();
    if (decision) sink.count(*decision);
    if (broken && exchange.status == 0) {
      auto error = make_error(ErrorKind::kInternal, "internal", "The gateway failed; its log says why.");
      co_await refuse(exchange, std::move(error));
    }
  }

  Task<void> dry_run(Exchange& exchange, net::HttpRequest& request) {
    auto prepared = prepare(exchange, request);
    if (!prepared) co_return co_await refuse(exchange, prepared.error());
    const auto decision = co_await parts_.flow.dry_run(
        std::move(prepared->runtime), std::move(prepared->request), std::move(prepared->options));
    if (!decision) co_return co_await refuse(exchange, decision.error());
    co_await respond(exchange, 200, parts_.admin.dry_run_json(**decision));
  }

  // ---- models
  Task<void> models(Exchange& exchange, std::string path) {
    const auto runtime = parts_.runtime();
    std::vector<wire::ModelListing> list;
    if (runtime) {
      for (const auto& name : usable(*runtime, exchange.client)) {
        const auto model = runtime->models.find(name);
        const bool route = runtime->routes.count(name) != 0;
        std::string owner = "brevet";
        if (!route && model != runtime->models.end()) {
          owner = model->second.simulated ? "simulated" : model->second.local ? "local" : "upstream";
        }
        list.push_back({name, std::move(owner), started_s_});
      }
    }
    if (path == "/models" || path == "/models/")
      co_return co_await respond(exchange, 200, wire::models_json(list));
    const auto name = percent_decoded(std::string_view(path).substr(std::string_view("/models/").size()));
    const auto found =
        std::find_if(list.begin(), list.end(), [&](const auto& listing) { return listing.id == name; });
    if (found != list.end()) co_return co_await respond(exchange, 200, wire::model_json(*found));
    auto error =
        runtime ? find_model(*runtime, exchange.client, name).error()
                : make_error(ErrorKind::kCallerNotFound, "model_not_found", "There is no model.", "model");
    co_await refuse(exchange, std::move(error));
  }

  // ---- decisions, feedback, report
  Task<void> decisions(Exchange& exchange, std::string path) {
    constexpr std::string_view kPrefix = "/decisions/";
    if (path.size() > kPrefix.size()) {
      const auto id = percent_decoded(std::string_view(path).substr(kPrefix.size()));
      if (id.size() > 64 || !plain_token(id)) co_return co_await refuse(exchange, unknown_decision());
      auto found = co_await parts_.admin.decision_json(exchange.client.tenant, id);
      if (!found) co_return co_await refuse(exchange, found.error());
      if (!*found) co_return co_await refuse(exchange, unknown_decision());
      co_return co_await respond(exchange, 200, std::move(**found));
    }
    DecisionQuery query;
    query.tenant = exchange.client.tenant;
    const auto limit = query_value(exchange.request.target, "limit");
    if (limit) {
      const auto count = whole_number(*limit);
      if (!count || *count == 0 || *count > kDecisionsMax) {
        auto error = make_error(ErrorKind::kCallerInvalid, "bad_value",
                                "limit must be a whole number from 1 to 1000.", "limit");
        co_return co_await refuse(exchange, std::move(error));
      }
      query.limit = static_cast<std::size_t>(*count);
    }
    query.route = query_value(exchange.request.target, "route").value_or("");
    auto found = co_await parts_.admin.decisions_json(std::move(query));
    if (!found) co_return co_await refuse(exchange, found.error());
    std::string body = R"({"object":"list","data":[)";
    for (std::size_t i = 0; i < found->size(); ++i) {
      if (i != 0) body += ',';
      body += (*found)[i];
    }
    body += "]}";
    co_await respond(exchange, 200, std::move(body));
  }

  static Error unknown_decision() {
    return make_error(
        ErrorKind::kCallerNotFound, "unknown_decision",
        "There is no decision with this id for this client; ids stand in the header x-brevet-decision.",
        "decision_id");
  }

  Task<void> feedback(Exchange& exchange, net::HttpRequest& request) {
    auto parsed = wire::parse_feedback(request.body);
    if (!parsed) co_return co_await refuse(exchange, parsed.error());
    if (parsed->comment.size() > kCommentBytesMax) {
      auto error = make_error(ErrorKind::kCallerInvalid, "bad_value", "comment may hold at most 1024 bytes.",
                              "comment");
      co_return co_await refuse(exchange, std::move(error));
    }
    std::string body = R"({"recorded":true,"decision_id":)";
    wire::append_json_string(body, parsed->decision_id);
    body += '}';
    Feedback feedback;
    feedback.decision_id = std::move(parsed->decision_id);
    feedback.tenant = exchange.client.tenant;
    feedback.score = parsed->score;
    feedback.comment = std::move(parsed->comment);
    feedback.time = parts_.clock.now();
    auto stored = co_await parts_.outcomes.feedback(std::move(feedback));
    if (!stored) co_return co_await refuse(exchange, stored.error());
    co_await respond(exchange, 200, std::move(body));
  }

  Task<void> report(Exchange& exchange) {
    ReportQuery query;
    query.tenant = exchange.client.tenant;
    query.route = query_value(exchange.request.target, "route").value_or("");
    const auto runtime = parts_.runtime();
    if (!query.route.empty() && runtime && runtime->routes.count(query.route) == 0) {
      Names routes;
      for (const auto& [name, route] : runtime->routes) routes.push_back(name);
      const auto near = nearest_name(query.route, routes);
      auto error = make_error(ErrorKind::kCallerNotFound, "unknown_route",
                              "There is no route '" + shown(query.route) + "'." +
                                  (near.empty() ? std::string() : " Did you mean '" + near + "'?"),
                              "route");
      co_return co_await refuse(exchange, std::move(error));
    }
    auto found = co_await parts_.admin.report_json(std::move(query));
    if (!found) co_return co_await refuse(exchange, found.error());
    co_await respond(exchange, 200, std::move(*found));
  }

  Task<void> contract(Exchange& exchange) {
    ReportQuery query;
    query.tenant = exchange.client.tenant;
    query.route = query_value(exchange.request.target, "route").value_or("");
    std::string body = parts_.admin.contract_json(query);
    co_await respond(exchange, 200, std::move(body));
  }

  /// {"route": NAME, "on": true|false}: the kill switch.
  Task<void> switch_contract(Exchange& exchange, net::HttpRequest& request) {
    auto parsed = wire::parse_contract_switch(request.body);
    if (!parsed) co_return co_await refuse(exchange, parsed.error());
    auto done = parts_.admin.set_contract_switch(exchange.client.tenant, parsed->route, parsed->on);
    if (!done) co_return co_await refuse(exchange, done.error());
    std::string body = R"({"route":)";
    wire::append_json_string(body, parsed->route);
    body += parsed->on ? R"(,"on":true})" : R"(,"on":false})";
    co_await respond(exchange, 200, std::move(body));
  }

  const ServerParts parts_;
  mutable std::mutex keys_mutex_;
  std::shared_ptr<const ClientKeys> keys_;  // guarded by keys_mutex_
  const std::uint64_t id_key_;
  const std::int64_t started_s_ =
      std::chrono::duration_cast<std::chrono::seconds>(parts_.clock.now().time_since_epoch()).count();
  Metrics metrics_;
  std::atomic<bool> draining_{false};
  std::atomic<std::uint64_t> requests_{0};
};

}  // namespace

std::unique_ptr<GatewayServer> make_gateway_server(ServerParts parts) {
  return std::make_unique<Server>(std::move(parts));
}

}  // namespace brevet
