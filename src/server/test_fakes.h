// For tests of the server: the handler with a programmable flow, admin view and outcome sink, and a responder
// that keeps what was written; no sockets.
#pragma once

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <map>
#include <string>

#include "net/http_target.h"
#include "server/gateway_server.h"
#include "server/http_status.h"

namespace brevet {

namespace json = boost::json;

class FakeResponder final : public net::HttpResponder {
 public:
  Task<Result<>> respond(int code, net::HttpHeaders with, std::string text) override {
    EXPECT_EQ(status, 0) << "answered twice";
    status = code;
    headers = std::move(with);
    body = std::move(text);
    co_return client_gone ? gone() : Result<>{};
  }
  Task<Result<>> respond_lines(int code, net::HeaderLines lines, std::string text) override {
    net::HttpHeaders with;
    std::string_view rest = lines.text();
    while (!rest.empty()) {
      const auto line = rest.substr(0, rest.find("\r\n"));
      rest.remove_prefix(line.size() + 2);
      const auto colon = line.find(": ");
      with.push_back({std::string(line.substr(0, colon)), std::string(line.substr(colon + 2))});
    }
    return respond(code, std::move(with), std::move(text));
  }
  Task<Result<>> start_stream(int code, net::HttpHeaders with) override {
    EXPECT_EQ(status, 0) << "answered twice";
    status = code;
    headers = std::move(with);
    streamed = true;
    co_return client_gone ? gone() : Result<>{};
  }
  Task<Result<>> write(std::string bytes) override {
    EXPECT_TRUE(streamed);
    EXPECT_FALSE(finished) << "written after the end";
    EXPECT_FALSE(inside_write) << "two writes at once";
    inside_write = true;
    auto executor = co_await asio::this_coro::executor;
    co_await asio::post(executor, asio::use_awaitable);  // a real write suspends
    inside_write = false;
    if (client_gone) co_return gone();
    writes.push_back(bytes);
    body += bytes;
    co_return Result<>{};
  }
  Task<Result<>> finish() override {
    finished = true;
    co_return Result<>{};
  }
  static Result<> gone() { return fail(ErrorKind::kCancelled, "client_gone", "gone"); }

  std::string header(std::string_view name) const { return std::string(net::find_header(headers, name)); }
  std::string code() const {
    boost::system::error_code error;
    const auto value = json::parse(body, error);
    if (error || !value.is_object() || !value.as_object().contains("error"))
      return "no error object: " + body;
    const auto& object = value.at("error").as_object();
    EXPECT_TRUE(object.at("message").is_string() && object.at("type").is_string() &&
                object.contains("param"));
    return std::string(object.at("code").as_string());
  }

  int status = 0;
  net::HttpHeaders headers;
  std::string body;
  std::vector<std::string> writes;
  bool streamed = false, finished = false, client_gone = false, inside_write = false;
};

class FakeClient final : public ModelClient {
 public:
  Task<ModelOutcome> call(ModelCall, StreamSink*) override {
    ++calls;
    co_return tl::unexpected<ModelFailure>(ModelFailure{});
  }
  ModelStatus status() const override {
    ModelStatus status;
    status.breaker = breaker;
    status.in_flight = 2;
    return status;
  }
  Cost price(const Usage&) const override { return {}; }
  int calls = 0;
  BreakerState breaker = BreakerState::kClosed;
};

using Run = std::function<Task<std::shared_ptr<const Decision>>(std::shared_ptr<const ChatRequest>,
                                                                RequestOptions, ResponseSink&)>;

class FakeFlow final : public RequestFlow {
 public:
  Task<std::shared_ptr<const Decision>> run(RuntimePtr, std::shared_ptr<const ChatRequest> request,
                                            RequestOptions options, ResponseSink& sink) override {
    ++runs;
    seen_request = request;
    seen_options = options;
    co_return co_await act(std::move(request), std::move(options), sink);
  }
  Task<Result<std::shared_ptr<const Decision>>> dry_run(RuntimePtr,
                                                        std::shared_ptr<const ChatRequest> request,
                                                        RequestOptions options) override {
    seen_request = std::move(request);
    seen_options = std::move(options);
    if (dry_error) co_return fail(*dry_error);
    auto decision = std::make_shared<Decision>();
    decision->id = "dec_dry";
    co_return std::shared_ptr<const Decision>(decision);
  }
  Task<std::shared_ptr<const ShadowResult>> shadow(RuntimePtr, std::shared_ptr<const ChatRequest>,
                                                   std::shared_ptr<const Decision>, ShadowTerms&) override {
    co_return nullptr;
  }
  Run act;
  int runs = 0;
  std::shared_ptr<const ChatRequest> seen_request;
  RequestOptions seen_options;
  std::optional<Error> dry_error;
};

class FakeAdmin final : public AdminView {
 public:
  Task<Result<std::optional<std::string>>> decision_json(std::string tenant, std::string id) override {
    if (id == "dec_broken")
      co_return fail(ErrorKind::kInternal, "store_unreadable", "The store cannot be read.");
    if (tenant == "default" && id == "dec_1") co_return std::optional<std::string>(R"({"id":"dec_1"})");
    co_return std::optional<std::string>();
  }
  Task<Result<std::vector<std::string>>> decisions_json(DecisionQuery query) override {
    last_query = query;
    co_return std::vector<std::string>{R"({"id":"dec_2"})", R"({"id":"dec_1"})"};
  }
  Task<Result<std::string>> report_json(ReportQuery query) override {
    last_report = query;
    co_return std::string(R"({"requests":3})");
  }
  std::string dry_run_json(const Decision& decision) const override {
    return R"({"id":")" + decision.id + R"(","explanation":"because"})";
  }
  std::vector<MetricSample> samples() const override {
    return {{"brevet_learning_queue", "Waiting outcomes.", false, {}, 7},
            {"brevet_shadows_total", "Shadows.", true, {{"result", "finished"}}, 4},
            {"brevet_shadows_total", "Shadows.", true, {{"result", "we\"ird\n"}}, 1}};
  }
  DecisionQuery last_query;
  ReportQuery last_report;
};

class FakeOutcomes final : public OutcomeSink {
 public:
  bool reserve() override { return true; }
  void release() override {}
  void decided(std::shared_ptr<const Decision>, std::shared_ptr<const ShadowResult>) override {}
  Task<Result<>> feedback(Feedback given) override {
    feedbacks.push_back(given);
    if (given.decision_id == "dec_unknown") {
      co_return fail(ErrorKind::kCallerNotFound, "unknown_decision", "There is no such decision.");
    }
    co_return Result<>{};
  }
  std::vector<Feedback> feedbacks;
};

inline std::shared_ptr<Decision> decision_of(const ChatRequest& request, const RequestOptions& options) {
  auto decision = std::make_shared<Decision>();
  decision->id = "dec_7";
  decision->tenant = options.tenant;
  decision->route = request.model == "auto" ? "auto" : "";
  decision->reason = {"skill_hit", "Served by weak."};
  decision->cost = {Money::from_pico(123'000'000), CostBasis::kPriced};
  decision->baseline = {Money::from_pico(500'000'000), CostBasis::kAssumed};
  decision->latency = Microseconds{12'000};
  Attempt attempt;
  attempt.configuration.model = "weak";
  attempt.state = AttemptState::kDone;
  attempt.latency = Microseconds{11'000};
  attempt.tries = 2;
  Answer answer;
  answer.body =
      R"({"id":"up1","object":"chat.completion","created":5,"model":"weak-1","choices":[{"index":0,"message":)"
      R"({"role":"assistant","content":"Hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,)"
      R"("completion_tokens":1,"total_tokens":4},"odd":true})";
  answer.text = "Hello";
  answer.finish_reason = "stop";
  answer.returned_model = "weak-1";
  answer.usage.input_tokens = 3;
  answer.usage.output_tokens = 1;
  attempt.answer = std::move(answer);
  decision->attempts.push_back(std::move(attempt));
  decision->accepted = 0;
  return decision;
}

inline Task<std::shared_ptr<const Decision>> serve_whole(std::shared_ptr<const ChatRequest> request,
                                                         RequestOptions options, ResponseSink& sink) {
  auto decision = decision_of(*request, options);
  static_cast<void>(co_await sink.whole(*decision, decision->attempts[0]));
  co_return decision;
}

class GatewayServerTest : public testing::Test {
 protected:
  GatewayServerTest() {
    auto runtime = std::make_shared<Runtime>();
    client_ = std::make_shared<FakeClient>();
    for (const char* name : {"weak", "strong", "org/model:8b"}) {
      Model model;
      model.name = name;
      model.client = client_;
      runtime->models[name] = model;
    }
    runtime->routes["auto"] = std::make_shared<Route>();
    runtime_ = runtime;
    flow_.act = serve_whole;
  }

  FakeResponder ask(std::string method, std::string target, std::string body = {},
                    net::HttpHeaders headers = {}) {
    ServerParts parts{flow_, admin_, outcomes_, clock_, [this] { return runtime_; }};
    parts.tenants = tenants_;
    parts.ping_every = ping_every_;
    if (!server_) server_ = make_gateway_server(std::move(parts));
    auto request = std::make_shared<net::HttpRequest>();
    request->method = std::move(method);
    request->target = std::move(target);
    request->body = std::move(body);
    request->headers = std::move(headers);
    FakeResponder responder;
    responder.client_gone = client_gone_;
    asio::io_context context(1);
    std::exception_ptr thrown;
    asio::co_spawn(context, server_->handler()(request, responder),
                   [&](std::exception_ptr e) { thrown = e; });
    context.run();
    EXPECT_EQ(thrown, nullptr);
    return responder;
  }
  FakeResponder chat(std::string body, net::HttpHeaders headers = {}) {
    return ask("POST", "/v1/chat/completions", std::move(body), std::move(headers));
  }

  FakeFlow flow_;
  FakeAdmin admin_;
  FakeOutcomes outcomes_;
  ManualClock clock_{Instant{std::chrono::seconds(1'000'000)}};
  RuntimePtr runtime_;
  std::shared_ptr<FakeClient> client_;
  std::map<std::string, TenantOptions> tenants_;
  std::chrono::milliseconds ping_every_{0};
  bool client_gone_ = false;
  std::unique_ptr<GatewayServer> server_;
};

const char* const kHello = R"({"model":"auto","messages":[{"role":"user","content":"Hi"}]})";
const char* const kStreamed = R"({"model":"auto","stream":true,"messages":[{"role":"user","content":"Hi"}]})";

}  // namespace brevet
