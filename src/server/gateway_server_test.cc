// Goal: every endpoint answers as promised, and every misuse gets a clear sentence with a stable code.
// Method: the handler with a programmable flow, admin view and outcome sink, and a responder that keeps what
// was written; no sockets.
#include "server/gateway_server.h"

#include "server/test_fakes.h"

namespace brevet {
namespace {

TEST_F(GatewayServerTest, WholeAnswerIsTheUpstreamsBytesWithHeaders) {
  const auto got =
      chat(kHello, {{"x-request-id", "mine-1"}, {"content-type", "application/json; charset=utf-8"}});
  EXPECT_EQ(got.status, 200);
  EXPECT_NE(got.body.find("\"odd\":true"), std::string::npos);
  EXPECT_EQ(got.header("content-type"), "application/json");
  EXPECT_EQ(got.header("x-request-id"), "mine-1");
  EXPECT_EQ(got.header("x-brevet-decision"), "dec_7");
  EXPECT_EQ(got.header("x-brevet-model"), "weak");
  EXPECT_EQ(got.header("x-brevet-reason"), "skill_hit");
  EXPECT_EQ(got.header("x-brevet-cost-usd"), "0.000123");
  EXPECT_EQ(got.header("x-brevet-baseline-usd"), "0.0005");
  EXPECT_EQ(got.header("openai-processing-ms"), "12");
  EXPECT_FALSE(flow_.seen_request->hash.empty()) << "routed requests are hashed";
}

TEST_F(GatewayServerTest, AnUnknownCostIsLeftOutNeverZero) {
  flow_.act = [](std::shared_ptr<const ChatRequest> request, RequestOptions options,
                 ResponseSink& sink) -> Task<std::shared_ptr<const Decision>> {
    auto decision = decision_of(*request, options);
    decision->cost = {};
    decision->baseline = {};
    static_cast<void>(co_await sink.whole(*decision, decision->attempts[0]));
    co_return decision;
  };
  const auto got = chat(kHello);
  EXPECT_EQ(got.header("x-brevet-cost-usd"), "");
  EXPECT_EQ(got.header("x-brevet-baseline-usd"), "");
  EXPECT_EQ(got.header("x-brevet-cost-basis"), "unknown");
  EXPECT_NE(ask("GET", "/metrics").body.find("brevet_unpriced_requests_total{route=\"auto\"} 1"),
            std::string::npos);
}

TEST_F(GatewayServerTest, ANamedModelPassesThrough) {
  const auto got =
      chat(R"({"model":"org/model:8b","messages":[{"role":"user","content":"Hi"}],"unknown":[1, 2]})");
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(flow_.seen_request->model, "org/model:8b");
  EXPECT_NE(flow_.seen_request->raw->find("\"unknown\":[1, 2]"), std::string::npos);
}

TEST_F(GatewayServerTest, StreamFlushesEveryEventAndEndsWithCostAndDone) {
  flow_.act = [](std::shared_ptr<const ChatRequest> request, RequestOptions options,
                 ResponseSink& sink) -> Task<std::shared_ptr<const Decision>> {
    auto decision = decision_of(*request, options);
    auto cost = decision->cost;
    decision->cost = {};
    EXPECT_TRUE(co_await sink.begin(*decision, decision->attempts[0].configuration));
    EXPECT_TRUE(co_await sink.event(R"({"a":1})"));
    EXPECT_TRUE(co_await sink.event(R"({"b":2})"));
    decision->cost = cost;
    EXPECT_TRUE(co_await sink.end(*decision, std::nullopt));
    co_return decision;
  };
  const auto got = chat(kStreamed);
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.header("content-type").rfind("text/event-stream", 0), 0u);
  EXPECT_EQ(got.header("cache-control"), "no-cache");
  EXPECT_EQ(got.header("x-accel-buffering"), "no");
  EXPECT_EQ(got.header("x-brevet-model"), "weak");
  EXPECT_EQ(got.header("x-brevet-cost-usd"), "") << "not known when the stream starts";
  ASSERT_EQ(got.writes.size(), 3u);
  EXPECT_EQ(got.writes[0], "data: {\"a\":1}\n\n");
  EXPECT_EQ(got.writes[1], "data: {\"b\":2}\n\n");
  EXPECT_EQ(
      got.writes[2],
      ": brevet decision=dec_7 cost-usd=0.000123 cost-basis=priced baseline-usd=0.0005\n\ndata: [DONE]\n\n");
  EXPECT_TRUE(got.finished);
}

TEST_F(GatewayServerTest, ACutStreamEndsInAnErrorAndNeverInDone) {
  flow_.act = [](std::shared_ptr<const ChatRequest> request, RequestOptions options,
                 ResponseSink& sink) -> Task<std::shared_ptr<const Decision>> {
    auto decision = decision_of(*request, options);
    co_await sink.begin(*decision, decision->attempts[0].configuration);
    co_await sink.event(R"({"a":1})");
    decision->state = DecisionState::kFailed;
    Error error;
    error.kind = ErrorKind::kProviderUnavailable;
    error.code = "upstream_cut";
    error.message = "The provider closed the stream.";
    co_await sink.end(*decision, error);
    co_return decision;
  };
  const auto got = chat(kStreamed);
  EXPECT_NE(got.body.find(R"(data: {"error":{"message":"The provider closed the stream.")"),
            std::string::npos);
  EXPECT_NE(got.body.find("upstream_cut"), std::string::npos);
  EXPECT_EQ(got.body.find("[DONE]"), std::string::npos);
  EXPECT_TRUE(got.finished);
}

TEST_F(GatewayServerTest, AHeldAnswerBecomesEvents) {
  const auto got = chat(R"({"model":"auto","stream":true,"stream_options":{"include_usage":true},)"
                        R"("messages":[{"role":"user","content":"Hi"}]})");
  EXPECT_TRUE(got.streamed);
  EXPECT_EQ(got.header("x-brevet-cost-usd"), "0.000123") << "a held answer's cost is known";
  const auto role = got.body.find(R"("role":"assistant")");
  const auto text = got.body.find("Hello");
  ASSERT_NE(role, std::string::npos);
  ASSERT_NE(text, std::string::npos);
  EXPECT_LT(role, text);
  EXPECT_NE(got.body.find(R"("choices":[])"), std::string::npos);
  EXPECT_EQ(got.body.find("\"finish_reason\":\"stop\""), got.body.rfind("\"finish_reason\":\"stop\""));
  EXPECT_EQ(got.body.substr(got.body.size() - 14), "data: [DONE]\n\n");
}

/// Waits until the responder has seen `count` pings; the wait is on a condition, its length does not matter.
Task<void> wait_for_pings(const FakeResponder* responder, std::size_t count) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  while (responder->writes.size() < count) {
    timer.expires_after(std::chrono::milliseconds(1));
    co_await timer.async_wait(kNoThrow);
  }
}

TEST_F(GatewayServerTest, WhileAnAnswerIsHeldPingsKeepTheConnectionAlive) {
  ping_every_ = std::chrono::milliseconds(1);
  for (const bool fails : {false, true}) {
    server_.reset();
    auto request = std::make_shared<net::HttpRequest>();
    request->method = "POST";
    request->target = "/v1/chat/completions";
    request->body = kStreamed;
    FakeResponder responder;
    flow_.act = [&](std::shared_ptr<const ChatRequest> chat_request, RequestOptions options,
                    ResponseSink& sink) -> Task<std::shared_ptr<const Decision>> {
      auto decision = decision_of(*chat_request, options);
      co_await wait_for_pings(&responder, 3);
      if (fails) {
        Error error;
        error.kind = ErrorKind::kProviderTimeout;
        error.code = "upstream_timeout";
        error.message = "Too slow.";
        co_await sink.fail(*decision, error);
      } else {
        co_await sink.whole(*decision, decision->attempts[0]);
      }
      co_return decision;
    };
    server_ = make_gateway_server([&] {
      ServerParts parts{flow_, admin_, outcomes_, clock_, [this] { return runtime_; }};
      parts.ping_every = ping_every_;
      return parts;
    }());
    asio::io_context context(1);
    asio::co_spawn(context, server_->handler()(request, responder), asio::detached);
    context.run();
    EXPECT_EQ(responder.status, 200);
    EXPECT_EQ(responder.header("x-brevet-model"), "") << "the first ping had to send the headers";
    EXPECT_EQ(responder.writes[0], ": ping\n\n");
    EXPECT_TRUE(responder.finished);
    if (fails) {
      EXPECT_NE(responder.body.find("upstream_timeout"), std::string::npos);
      EXPECT_EQ(responder.body.find("[DONE]"), std::string::npos);
    } else {
      EXPECT_NE(responder.body.find(": brevet decision=dec_7 model=weak reason=skill_hit"),
                std::string::npos);
      EXPECT_NE(responder.body.find("Hello"), std::string::npos);
      EXPECT_EQ(responder.body.substr(responder.body.size() - 14), "data: [DONE]\n\n");
    }
  }
}

TEST_F(GatewayServerTest, AClientThatIsGoneIsTheFlowsToAccount) {
  client_gone_ = true;
  Result<> seen;
  flow_.act = [&](std::shared_ptr<const ChatRequest> request, RequestOptions options,
                  ResponseSink& sink) -> Task<std::shared_ptr<const Decision>> {
    auto decision = decision_of(*request, options);
    co_await sink.begin(*decision, decision->attempts[0].configuration);
    seen = co_await sink.event("{}");
    decision->state = DecisionState::kCancelled;
    co_return decision;
  };
  chat(kStreamed);
  EXPECT_FALSE(seen.has_value());
  client_gone_ = false;
  EXPECT_NE(ask("GET", "/metrics").body.find(R"(brevet_requests_total{route="auto",outcome="cancelled"} 1)"),
            std::string::npos);
}

TEST_F(GatewayServerTest, ErrorsOfTheFlowKeepTheirStatusCodeAndTheProvidersBody) {
  struct Row {
    ErrorKind kind;
    int upstream;
    int status;
  };
  for (const auto& row :
       {Row{ErrorKind::kProviderUnavailable, 0, 502}, Row{ErrorKind::kProviderUnavailable, 500, 502},
        Row{ErrorKind::kProviderTimeout, 0, 504}, Row{ErrorKind::kProviderRateLimited, 429, 429},
        Row{ErrorKind::kProviderRejected, 400, 400}, Row{ErrorKind::kProviderRejected, 401, 502},
        Row{ErrorKind::kProviderGarbage, 200, 502}, Row{ErrorKind::kOverloaded, 0, 503},
        Row{ErrorKind::kPolicyBudget, 0, 429}, Row{ErrorKind::kPolicyRefused, 0, 403},
        Row{ErrorKind::kInternal, 0, 500}}) {
    flow_.act = [&](std::shared_ptr<const ChatRequest> request, RequestOptions options,
                    ResponseSink& sink) -> Task<std::shared_ptr<const Decision>> {
      auto decision = decision_of(*request, options);
      Error error;
      error.kind = row.kind;
      error.code = "some_code";
      error.message = "What to do.";
      error.upstream_status = row.upstream;
      if (row.kind == ErrorKind::kProviderRejected) {
        error.upstream_body =
            R"({"error":{"message":"bad tool","type":"invalid_request_error","param":null,"code":"up"}})";
      }
      co_await sink.fail(*decision, error);
      co_return decision;
    };
    for (const char* body : {kHello, kStreamed}) {
      const auto got = chat(body);
      EXPECT_EQ(got.status, row.status) << name_of(row.kind);
      EXPECT_EQ(got.code(),
                row.kind == ErrorKind::kProviderRejected && row.upstream == 400 ? "up" : "some_code");
      EXPECT_EQ(got.header("x-brevet-decision"), "dec_7");
    }
  }
}

TEST_F(GatewayServerTest, BadBodiesGetASentence) {
  const std::pair<const char*, const char*> rows[] = {
      {"", "empty_body"},
      {"{", "bad_json"},
      {"nonsense", "bad_json"},
      {R"({"model":"auto","messages":[{"role":"user","content":"Hi"}]} x)", "bad_json"},
      {R"({"messages":[{"role":"user","content":"Hi"}]})", "missing_field"},
      {R"({"model":"auto"})", "missing_field"},
      {R"({"model":5,"messages":[{"role":"user","content":"Hi"}]})", "wrong_type"},
      {R"({"model":"auto","messages":"Hi"})", "wrong_type"},
      {R"({"model":"auto","messages":[{"role":"user","content":"Hi"}],"stream":"yes"})", "wrong_type"},
  };
  for (const auto& [body, code] : rows) {
    const auto got = chat(body);
    EXPECT_EQ(got.status, 400) << body;
    EXPECT_EQ(got.code(), code) << body;
    EXPECT_EQ(ask("POST", "/v1/route", body).code(), code) << body;
  }
  EXPECT_EQ(flow_.runs, 0);
  const auto deep = chat(R"({"model":"auto","messages":[],"x":)" + std::string(100'000, '[') + "}");
  EXPECT_EQ(deep.status, 400);
}

TEST_F(GatewayServerTest, AnUnknownModelNamesTheNearest) {
  auto got = chat(R"({"model":"atuo","messages":[{"role":"user","content":"Hi"}]})");
  EXPECT_EQ(got.status, 404);
  EXPECT_EQ(got.code(), "model_not_found");
  EXPECT_NE(got.body.find("Did you mean 'auto'?"), std::string::npos);
  got = chat(R"({"model":"something-else-entirely","messages":[{"role":"user","content":"Hi"}]})");
  EXPECT_EQ(got.code(), "model_not_found");
  EXPECT_NE(got.body.find("'strong'"), std::string::npos);
  const std::string huge(100'000, 'm');
  got = chat(R"({"model":")" + huge + R"(","messages":[{"role":"user","content":"Hi"}]})");
  EXPECT_EQ(got.status, 404);
  EXPECT_LT(got.body.size(), 1000u);
}

TEST_F(GatewayServerTest, RequestHeadersAreSwitches) {
  chat(kHello, {{"X-Session-Id", "s1"},
                {"X-Brevet-Force", "reference"},
                {"x-brevet-learn", "off"},
                {"x-brevet-store", "off"},
                {"x-brevet-local-only", "on"},
                {"x-brevet-tags", "team=a"}});
  const auto& options = flow_.seen_options;
  EXPECT_EQ(options.session, "s1");
  EXPECT_TRUE(options.force_reference);
  EXPECT_FALSE(options.learn);
  EXPECT_FALSE(options.store);
  EXPECT_TRUE(options.local_only);
  EXPECT_EQ(options.tags, "team=a");
  EXPECT_EQ(options.tenant, "default");

  chat(kHello, {{"x-brevet-local-only", "true"}, {"x-brevet-learn", "false"}});
  EXPECT_TRUE(flow_.seen_options.local_only);
  EXPECT_FALSE(flow_.seen_options.learn);

  EXPECT_EQ(chat(kHello, {{"x-brevet-force", "weak"}}).code(), "bad_header");
  EXPECT_EQ(chat(kHello, {{"x-brevet-local-only", "yes"}}).code(), "bad_header");
  EXPECT_EQ(chat(kHello, {{"x-brevet-learn", "no"}}).code(), "bad_header");
  EXPECT_EQ(chat(kHello, {{"x-brevet-tags", std::string(257, 't')}}).code(), "header_too_long");
  EXPECT_EQ(chat(kHello, {{"x-session-id", std::string(60'000, 's')}}).code(), "header_too_long");
  EXPECT_EQ(chat(kHello, {{"x-tenant", "other"}}).status, 200);
  EXPECT_EQ(flow_.seen_options.tenant, "default") << "a tenant never comes from a header";
}

TEST_F(GatewayServerTest, HeadersOutCannotBeInjected) {
  for (const std::string& id : {std::string("a\r\nx-evil: 1"), std::string(5000, 'a'), std::string("a b"),
                                std::string("\x01"), std::string("")}) {
    const auto got = chat(kHello, {{"x-request-id", id}});
    EXPECT_EQ(got.header("x-request-id").rfind("req_", 0), 0u);
  }
  EXPECT_NE(chat(kHello).header("x-request-id"), chat(kHello).header("x-request-id"));
  flow_.act = [](std::shared_ptr<const ChatRequest> request, RequestOptions options,
                 ResponseSink& sink) -> Task<std::shared_ptr<const Decision>> {
    auto decision = decision_of(*request, options);
    decision->reason.code = "x\r\nset-cookie: 1\n\ndata: {}";
    decision->attempts[0].configuration.model = "m\r\nevil: 1";
    co_await sink.whole(*decision, decision->attempts[0]);
    co_return decision;
  };
  for (const char* body : {kHello, kStreamed}) {
    const auto got = chat(body);
    for (const auto& header : got.headers) {
      EXPECT_EQ(header.value.find_first_of("\r\n"), std::string::npos) << header.name;
    }
    EXPECT_EQ(got.body.find("set-cookie: 1\n"), std::string::npos);
  }
}

TEST_F(GatewayServerTest, WrongMethodsPathsAndTypes) {
  auto got = ask("GET", "/v1/chat/completions");
  EXPECT_EQ(got.status, 405);
  EXPECT_EQ(got.code(), "method_not_allowed");
  EXPECT_EQ(got.header("allow"), "POST");
  EXPECT_EQ(ask("DELETE", "/v1/models").status, 405);
  EXPECT_EQ(ask("POST", "/health").status, 405);
  EXPECT_EQ(ask("POST", "/metrics").status, 405);
  EXPECT_EQ(ask("GET", "/v1/feedback").status, 405);
  EXPECT_EQ(ask("PUT", "/v1/decisions/dec_1").status, 405);
  got = chat(kHello, {{"content-type", "application/x-www-form-urlencoded"}});
  EXPECT_EQ(got.status, 415);
  EXPECT_EQ(got.code(), "unsupported_media_type");
  // What a page in a browser can send unasked, without or with a type of its own.
  EXPECT_EQ(chat(kHello, {{"content-type", "text/plain"}}).status, 415);
  EXPECT_EQ(chat(kHello, {{"content-type", "multipart/form-data; boundary=x"}}).status, 415);
  EXPECT_EQ(chat(kHello, {{"origin", "https://elsewhere.example"}}).status, 415);
  EXPECT_EQ(chat(kHello, {{"sec-fetch-site", "cross-site"}}).status, 415);
  EXPECT_EQ(chat(kHello, {{"origin", "https://here.example"}, {"content-type", "application/json"}}).status,
            200);
  EXPECT_EQ(chat(kHello).status, 200);
  EXPECT_EQ(ask("GET", "/nothing").code(), "unknown_endpoint");
  EXPECT_EQ(ask("GET", "/").code(), "unknown_endpoint");
  EXPECT_EQ(ask("POST", "/v1/embeddings", "{}").code(), "unsupported_endpoint");
  EXPECT_EQ(ask("GET", "/v1/chat/completions/../../etc/passwd").status, 404);
  EXPECT_EQ(ask("POST", "/chat/completions", kHello).status, 200) << "a base_url without /v1 works";
  EXPECT_EQ(ask("POST", "/v1/chat/completions/?x=1", kHello).status, 200);
}

TEST_F(GatewayServerTest, ModelsAndRoutesAreListed) {
  const auto got = ask("GET", "/v1/models");
  EXPECT_EQ(got.status, 200);
  const auto list = json::parse(got.body).as_object();
  EXPECT_EQ(list.at("object").as_string(), "list");
  EXPECT_EQ(list.at("data").as_array().size(), 4u);
  EXPECT_EQ(list.at("data").as_array()[0].at("id").as_string(), "auto");
  EXPECT_EQ(ask("GET", "/v1/models/auto").status, 200);
  EXPECT_EQ(ask("GET", "/v1/models/org/model:8b").status, 200);
  EXPECT_EQ(ask("GET", "/v1/models/org%2Fmodel%3A8b").status, 200);
  EXPECT_EQ(ask("GET", "/v1/models/stronk").code(), "model_not_found");
}

TEST_F(GatewayServerTest, DryRunExplainsWithoutServing) {
  auto got = ask("POST", "/v1/route", kHello);
  EXPECT_EQ(got.status, 200);
  EXPECT_NE(got.body.find("explanation"), std::string::npos);
  EXPECT_EQ(flow_.runs, 0);
  EXPECT_EQ(client_->calls, 0);
  flow_.dry_error = Error{ErrorKind::kCallerInvalid, "no_reference", "No.", "", 0, ""};
  EXPECT_EQ(ask("POST", "/v1/route", kHello).code(), "no_reference");
}

TEST_F(GatewayServerTest, DecisionsAreReadPerTenant) {
  EXPECT_EQ(ask("GET", "/v1/decisions/dec_1").body, R"({"id":"dec_1"})");
  EXPECT_EQ(ask("GET", "/v1/decisions/dec_9").code(), "unknown_decision");
  EXPECT_EQ(ask("GET", "/v1/decisions/" + std::string(5000, 'x')).code(), "unknown_decision");
  EXPECT_EQ(ask("GET", "/v1/decisions/%00%0a").code(), "unknown_decision");
  EXPECT_EQ(ask("GET", "/v1/decisions/dec_broken").status, 500);
  auto got = ask("GET", "/v1/decisions?limit=5&route=auto");
  EXPECT_EQ(json::parse(got.body).at("data").as_array().size(), 2u);
  EXPECT_EQ(admin_.last_query.limit, 5u);
  EXPECT_EQ(admin_.last_query.route, "auto");
  for (const char* limit : {"0", "-1", "x", "1001", "99999999999999999999", ""}) {
    EXPECT_EQ(ask("GET", std::string("/v1/decisions?limit=") + limit).code(), "bad_value") << limit;
  }
}

TEST_F(GatewayServerTest, FeedbackIsStoredBeforeItIsConfirmed) {
  clock_.advance(Microseconds{5});
  const auto got = ask("POST", "/v1/feedback", R"({"decision_id":"dec_1","score":0.5,"comment":"fine"})");
  EXPECT_EQ(got.status, 200);
  ASSERT_EQ(outcomes_.feedbacks.size(), 1u);
  EXPECT_EQ(outcomes_.feedbacks[0].tenant, "default");
  EXPECT_EQ(*outcomes_.feedbacks[0].score, 0.5);
  EXPECT_EQ(outcomes_.feedbacks[0].time, clock_.now());
  EXPECT_EQ(ask("POST", "/v1/feedback", R"({"decision_id":"dec_unknown","score":1})").status, 404);
  for (const char* body : {"", "{", "[]", R"({"score":1})", R"({"decision_id":"dec_1","score":2})",
                           R"({"decision_id":"dec_1","score":"good"})", R"({"decision_id":7,"score":1})"}) {
    EXPECT_EQ(ask("POST", "/v1/feedback", body).status, 400) << body;
  }
  EXPECT_EQ(outcomes_.feedbacks.size(), 2u);
}

TEST_F(GatewayServerTest, ReportIsOfTheTenantAndOfAKnownRoute) {
  EXPECT_EQ(ask("GET", "/v1/report?route=auto").body, R"({"requests":3})");
  EXPECT_EQ(admin_.last_report.route, "auto");
  EXPECT_EQ(admin_.last_report.tenant, "default");
  const auto got = ask("GET", "/v1/report?route=atuo");
  EXPECT_EQ(got.code(), "unknown_route");
  EXPECT_NE(got.body.find("Did you mean 'auto'?"), std::string::npos);
}

TEST_F(GatewayServerTest, HealthNeverCallsAModelAndDrainingIsNotReady) {
  EXPECT_EQ(ask("GET", "/health").body, R"({"status":"ok"})");
  EXPECT_EQ(ask("GET", "/health/liveness").status, 200);
  EXPECT_EQ(ask("GET", "/health/liveliness").status, 200);
  EXPECT_EQ(ask("HEAD", "/health").status, 200);
  client_->breaker = BreakerState::kOpen;
  auto got = ask("GET", "/health/readiness");
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(json::parse(got.body).at("models").at("weak").as_string(), "down");
  server_->set_draining();
  got = ask("GET", "/health/readiness");
  EXPECT_EQ(got.status, 503);
  EXPECT_NE(got.body.find("draining"), std::string::npos);
  EXPECT_EQ(ask("GET", "/health").status, 200);
  EXPECT_EQ(client_->calls, 0);
  server_.reset();
  runtime_ = nullptr;
  EXPECT_EQ(ask("GET", "/health/readiness").status, 503);
  EXPECT_EQ(chat(kHello).code(), "starting");
}

TEST_F(GatewayServerTest, ClientKeysNameTheTenant) {
  tenants_["team"].keys.push_back({"TEAM_KEY", "secret-1"});
  tenants_["team"].routes = {"auto"};
  tenants_["other"].keys.push_back({"OTHER_KEY", "secret-2"});
  auto got = chat(kHello);
  EXPECT_EQ(got.status, 401);
  EXPECT_EQ(got.code(), "missing_key");
  EXPECT_EQ(got.header("www-authenticate"), "Bearer");
  for (const char* key :
       {"Bearer secret", "Bearer secret-11", "Bearer ", "Basic secret-1", "secret-1", "Bearer secret-1 x"}) {
    EXPECT_EQ(chat(kHello, {{"authorization", key}}).status, 401) << key;
  }
  EXPECT_EQ(flow_.runs, 0);
  EXPECT_EQ(chat(kHello, {{"authorization", "Bearer secret-1"}}).status, 200);
  EXPECT_EQ(flow_.seen_options.tenant, "team");
  EXPECT_EQ(chat(kHello, {{"Authorization", "bearer secret-2"}}).status, 200);
  EXPECT_EQ(flow_.seen_options.tenant, "other");
  EXPECT_EQ(chat(kHello, {{"x-api-key", "secret-1"}}).status, 200);
  got =
      chat(R"({"model":"strong","messages":[{"role":"user","content":"Hi"}]})", {{"x-api-key", "secret-1"}});
  EXPECT_EQ(got.status, 403);
  EXPECT_EQ(got.code(), "model_not_allowed");
  got = ask("GET", "/v1/models", "", {{"x-api-key", "secret-1"}});
  EXPECT_EQ(json::parse(got.body).at("data").as_array().size(), 1u);
  EXPECT_EQ(ask("GET", "/v1/decisions/dec_1", "", {{"x-api-key", "secret-1"}}).status, 404);
  EXPECT_EQ(ask("GET", "/v1/report").status, 401);
  EXPECT_EQ(ask("GET", "/health").status, 200);
  EXPECT_EQ(ask("GET", "/metrics").status, 200);
  EXPECT_EQ(ask("GET", "/metrics").body.find("secret"), std::string::npos);
}

}  // namespace
}  // namespace brevet
