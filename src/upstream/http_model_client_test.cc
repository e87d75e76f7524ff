// Goal: a call over HTTP ends well or in a stable error, is retried within its bounds, and always says what
// it cost. Method: a real server on port 0 whose handler plays the provider; raw peers where the wire must
// break.
#include "upstream/http_model_client.h"

#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <functional>
#include <future>
#include <thread>

#include "net/http_server.h"
#include "net/test_peer.h"
#include "wire/openai_chat.h"

namespace brevet {
namespace {

using net::HttpHeaders;
using net::HttpRequest;
using net::HttpResponder;

const HttpHeaders kJson{{"content-type", "application/json"}};
const HttpHeaders kSse{{"content-type", "text/event-stream"}};
const std::string kWhole =
    R"({"id":"c1","object":"chat.completion","created":1,"model":"m-2024","choices":[{"index":0,"message":)"
    R"({"role":"assistant","content":"hello"},"finish_reason":"stop"}],)"
    R"("usage":{"prompt_tokens":1000,"completion_tokens":500,"total_tokens":1500}})";
std::string chunk(const std::string& delta, const std::string& finish = "null") {
  return R"({"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-2024","choices":[{"index":0,"delta":{)" +
         delta + R"(},"finish_reason":)" + finish + "}]}";
}
const std::string kUsageChunk =
    R"({"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-2024","choices":[],)"
    R"("usage":{"prompt_tokens":1000,"completion_tokens":500,"total_tokens":1500}})";
std::string sse(const std::vector<std::string>& events) {
  std::string out;
  for (const auto& event : events) out += "data: " + event + "\n\n";
  return out;
}
std::string error_body(const std::string& code) {
  return R"({"error":{"message":"No such thing.","type":"invalid_request_error","param":null,"code":")" +
         code + "\"}}";
}

class Collect : public StreamSink {
 public:
  Task<Result<>> on_event(std::string data) override {
    events.push_back(std::move(data));
    if (refuse) co_return fail(ErrorKind::kCancelled, "client_gone", "The client closed the connection.");
    co_return Result<>{};
  }
  std::vector<std::string> events;
  bool refuse = false;
};

/// What the provider answers to one request.
struct Play {
  int status = 200;
  HttpHeaders headers = kJson;
  std::string body;
};

class HttpModelTest : public testing::Test {
 protected:
  HttpModelTest() {
    options_.name = "weak";
    options_.id = "provider/m";
    options_.key = "secret";
    options_.backoff = Milliseconds(1);
    options_.pricing.input_per_million = Money::parse_usd("1");
    options_.pricing.output_per_million = Money::parse_usd("2");
  }

  /// Plays the answers one by one, the last one for ever.
  void provide(std::vector<Play> plays) {
    net::HttpServerOptions server_options;
    server_options.threads = 1;
    auto made = net::make_http_server(
        server_options,
        [this, plays](std::shared_ptr<HttpRequest> request, HttpResponder& responder) -> Task<void> {
          const auto n = static_cast<std::size_t>(requests_++);
          last_request_ = *request;
          const Play& play = plays[std::min(n, plays.size() - 1)];
          co_await responder.respond(play.status, play.headers, play.body);
        });
    ASSERT_TRUE(made);
    server_ = std::move(*made);
    server_->start();
    make_client(server_->port());
  }
  void make_client(std::uint16_t port) {
    options_.base_url = "http://127.0.0.1:" + std::to_string(port) + "/v1";
    auto made = make_http_model_client(options_, *http_);
    ASSERT_TRUE(made) << made.error().message;
    client_ = std::move(*made);
  }

  static ModelCall call(bool stream = false, const std::string& extra = "") {
    ModelCall out;
    auto parsed = wire::parse_chat_request(R"({"model":"auto",)" + extra +
                                           R"("messages":[{"role":"user","content":"hi"}]})");
    out.request = std::make_shared<const ChatRequest>(std::move(*parsed));
    out.stream = stream;
    return out;
  }
  ModelOutcome run(ModelCall what, StreamSink* sink = nullptr) {
    std::optional<ModelOutcome> out;
    asio::co_spawn(context_, client_->call(std::move(what), sink),
                   [&out](std::exception_ptr failed, ModelOutcome value) {
                     if (failed) std::rethrow_exception(failed);
                     out.emplace(std::move(value));
                   });
    context_.restart();
    context_.run();
    return std::move(*out);
  }
  std::string code(ModelCall what, StreamSink* sink = nullptr) {
    const auto outcome = run(std::move(what), sink);
    return outcome ? "ok" : outcome.error().error.code;
  }

  HttpModelOptions options_;
  std::unique_ptr<asio::io_context> owned_context_ = std::make_unique<asio::io_context>(1);
  asio::io_context& context_ = *owned_context_;
  std::unique_ptr<net::HttpClient> http_ = net::make_http_client();
  std::atomic<int> requests_{0};
  HttpRequest last_request_;  // read once the server has answered
  std::unique_ptr<net::HttpServer> server_;
  ModelClientPtr client_;
};

TEST_F(HttpModelTest, AWholeAnswerWithItsPrice) {
  provide({{200, kJson, kWhole}});
  const auto outcome = run(call());
  ASSERT_TRUE(outcome) << outcome.error().error.message;
  EXPECT_EQ(outcome->answer.body, kWhole);
  EXPECT_EQ(outcome->answer.text, "hello");
  EXPECT_EQ(outcome->answer.returned_model, "m-2024");
  EXPECT_EQ(outcome->cost.amount->to_string(), "0.002");
  EXPECT_EQ(outcome->cost.basis, CostBasis::kPriced);
  EXPECT_EQ(outcome->tries, 1);
  EXPECT_EQ(last_request_.target, "/v1/chat/completions");
  EXPECT_EQ(net::find_header(last_request_.headers, "authorization"), "Bearer secret");
  EXPECT_NE(last_request_.body.find(R"("model":"provider/m")"), std::string::npos);
}

TEST_F(HttpModelTest, AStreamHidesWhatWeAddedAndIsPriced) {
  provide({{200, kSse,
            sse({chunk(R"("role":"assistant","content":"he")"), chunk(R"("content":"llo")"),
                 chunk("", "\"stop\""), kUsageChunk, "[DONE]"})}});
  Collect sink;
  const auto outcome = run(call(true, R"("stream":true,)"), &sink);
  ASSERT_TRUE(outcome) << outcome.error().error.message;
  EXPECT_EQ(outcome->answer.text, "hello");
  EXPECT_EQ(outcome->cost.amount->to_string(), "0.002");
  EXPECT_TRUE(outcome->first_token);
  EXPECT_EQ(sink.events.size(), 3u);  // The usage chunk is ours, [DONE] is never passed on.
  EXPECT_NE(last_request_.body.find("include_usage"), std::string::npos);
  Collect asked;
  ASSERT_TRUE(run(call(true, R"("stream":true,"stream_options":{"include_usage":true},)"), &asked));
  EXPECT_EQ(asked.events.size(), 4u);
  EXPECT_EQ(http_->metrics().opened, 1u);  // The stream's connection was kept.
}

TEST_F(HttpModelTest, AMissingDoneIsToleratedAfterTheFinish) {
  provide({{200, kSse, sse({chunk(R"("content":"x")", "\"stop\""), kUsageChunk})}});
  Collect sink;
  EXPECT_EQ(code(call(true), &sink), "ok");
}

TEST_F(HttpModelTest, ADoneWithoutAnEmptyLineCounts) {
  provide({{200, kSse, sse({chunk(R"("content":"x")")}) + "data: [DONE]"}});
  Collect sink;
  EXPECT_EQ(code(call(true), &sink), "ok");
}

TEST_F(HttpModelTest, ACutStreamIsAnErrorWithAnEstimate) {
  provide({{200, kSse, sse({chunk(R"("content":"12345678")")})}});
  Collect sink;
  const auto outcome = run(call(true), &sink);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().error.code, "upstream_stream_cut");
  EXPECT_EQ(outcome.error().error.kind, ErrorKind::kProviderUnavailable);
  EXPECT_TRUE(outcome.error().streamed);
  EXPECT_EQ(outcome.error().partial->text, "12345678");
  EXPECT_EQ(outcome.error().cost.basis, CostBasis::kAssumed);
  EXPECT_GT(outcome.error().cost.amount->pico_usd, 4'000'000);  // 2 output tokens and the prompt
  EXPECT_EQ(requests_, 1);  // Never again once something reached the client.
}

TEST_F(HttpModelTest, OneBadEventDoesNotFailAStream) {
  provide({{200, kSse,
            sse({chunk(R"("content":"a")"), "{broken", chunk(R"("content":"b")", "\"stop\""), "[DONE]"})}});
  Collect sink;
  const auto outcome = run(call(true), &sink);
  ASSERT_TRUE(outcome) << outcome.error().error.message;
  EXPECT_EQ(outcome->answer.text, "ab");
  EXPECT_EQ(sink.events[1], "{broken");
}

TEST_F(HttpModelTest, AnInBandErrorFailsTheStream) {
  options_.retries = 0;
  provide(
      {{200, kSse, sse({chunk(R"("content":"a")"), R"({"error":{"message":"overheated","code":"x"}})"})}});
  Collect sink;
  const auto outcome = run(call(true), &sink);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().error.code, "upstream_stream_error");
}

TEST_F(HttpModelTest, AProviderThatCannotStreamIsStreamedByUs) {
  provide({{200, kJson, kWhole}});
  Collect sink;
  const auto outcome = run(call(true), &sink);
  ASSERT_TRUE(outcome) << outcome.error().error.message;
  EXPECT_EQ(outcome->answer.text, "hello");
  EXPECT_GE(sink.events.size(), 2u);
}

TEST_F(HttpModelTest, RetriesAreBoundedAndCounted) {
  provide({{503, kJson, error_body("busy")}});
  options_.breaker.failures_to_open = 100;
  make_client(server_->port());
  const auto outcome = run(call());
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().error.code, "upstream_error");
  EXPECT_EQ(outcome.error().error.upstream_status, 503);
  EXPECT_EQ(outcome.error().tries, 3);
  EXPECT_EQ(requests_, 3);
  EXPECT_EQ(outcome.error().cost.amount->pico_usd, 0);  // Refused work costs nothing.
  const auto status = client_->status();
  EXPECT_EQ(status.retries, 2u);
  EXPECT_EQ(status.failures, 1u);
  EXPECT_EQ(status.last_error, "upstream_error");
}

TEST_F(HttpModelTest, ARetryThatWorksIsASuccess) {
  HttpHeaders soon = kJson;
  soon.push_back({"retry-after", "0"});
  provide({{429, soon, error_body("slow_down")}, {500, kJson, "oops"}, {200, kJson, kWhole}});
  const auto outcome = run(call());
  ASSERT_TRUE(outcome) << outcome.error().error.message;
  EXPECT_EQ(outcome->tries, 3);
  EXPECT_EQ(outcome->cost.basis, CostBasis::kPriced);
}

TEST_F(HttpModelTest, ALongRetryAfterEndsTheCall) {
  HttpHeaders later = kJson;
  later.push_back({"retry-after", "3600"});
  provide({{429, later, error_body("slow_down")}});
  const auto outcome = run(call());
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().error.code, "upstream_rate_limited");
  EXPECT_EQ(outcome.error().error.kind, ErrorKind::kProviderRateLimited);
  EXPECT_EQ(requests_, 1);
}

TEST_F(HttpModelTest, TheProvidersOwnRefusalIsPassedOnOnce) {
  provide({{400, kJson, error_body("context_length_exceeded")}});
  for (const bool stream : {false, true}) {
    Collect sink;
    const auto outcome = run(call(stream), &sink);
    ASSERT_FALSE(outcome);
    const auto& error = outcome.error().error;
    EXPECT_EQ(error.kind, ErrorKind::kProviderRejected);
    EXPECT_EQ(error.code, "context_length_exceeded");
    EXPECT_EQ(error.message, "No such thing.");
    EXPECT_EQ(error.upstream_status, 400);
    EXPECT_EQ(error.upstream_body, error_body("context_length_exceeded"));
  }
  EXPECT_EQ(requests_, 2);
  EXPECT_EQ(client_->status().breaker, BreakerState::kClosed);
}

TEST_F(HttpModelTest, ARefusalOfOurKeySaysWhoseKeyItIs) {
  provide({{401, kJson, error_body("invalid_api_key")}});
  const auto outcome = run(call());
  ASSERT_FALSE(outcome);
  const auto& error = outcome.error().error;
  EXPECT_EQ(error.code, "invalid_api_key");
  EXPECT_NE(error.message.find("key_env"), std::string::npos) << error.message;
  EXPECT_EQ(error.message.find("No such thing"), std::string::npos) << "providers quote parts of the key";
}

TEST_F(HttpModelTest, GarbageHasStableCodes) {
  options_.breaker.failures_to_open = 100;
  provide({{200, kJson, "<html>"}, {200, kJson, R"({"choices":[]})"}, {302, kJson, ""}});
  EXPECT_EQ(code(call()), "upstream_bad_json");
  EXPECT_EQ(code(call()), "upstream_bad_answer");
  EXPECT_EQ(code(call()), "upstream_unexpected_status");
}

TEST_F(HttpModelTest, GarbageStreamsHaveStableCodes) {
  options_.breaker.failures_to_open = 100;
  provide({{200, kJson, "[1]"}, {200, kSse, sse({"[DONE]"})}, {200, kSse, ""}});
  Collect sink;
  EXPECT_EQ(code(call(true), &sink), "upstream_not_a_stream");
  EXPECT_EQ(code(call(true), &sink), "upstream_bad_answer");
  EXPECT_EQ(code(call(true), &sink), "upstream_stream_cut");
  EXPECT_TRUE(sink.events.empty());
}

TEST_F(HttpModelTest, OversizedAnswersAreRefused) {
  options_.answer_bytes_max = 100;
  provide({{200, kJson, kWhole}});
  EXPECT_EQ(code(call()), "upstream_too_large");
}

TEST_F(HttpModelTest, TheBreakerOpensAndSparesTheUpstream) {
  options_.retries = 0;
  options_.breaker.failures_to_open = 2;
  options_.breaker.open_for = std::chrono::hours(1);
  provide({{500, kJson, "down"}});
  EXPECT_EQ(code(call()), "upstream_error");
  EXPECT_EQ(code(call()), "upstream_error");
  EXPECT_EQ(code(call()), "upstream_breaker_open");
  EXPECT_EQ(requests_, 2);
  EXPECT_EQ(client_->status().breaker, BreakerState::kOpen);
}

TEST_F(HttpModelTest, NobodyThere) {
  std::uint16_t port = 0;
  {
    const net::TestListener gone;
    port = gone.port();
  }
  make_client(port);
  const auto outcome = run(call());
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().error.code, "upstream_unreachable");
  EXPECT_EQ(outcome.error().error.message, "Model 'weak': cannot connect: Connection refused.")
      << "where it was sought is not the client's business";
  EXPECT_EQ(outcome.error().tries, 3);
  EXPECT_EQ(outcome.error().cost.amount->pico_usd, 0);
}

TEST_F(HttpModelTest, AnAnswerCutInItsMiddleIsNotAskedForAgain) {
  net::TestListener listener;
  std::atomic<int> asked{0};
  std::thread provider([&] {
    for (int i = 0; i < 2; ++i) {  // the call, and the one that ends this thread
      auto peer = listener.accept();
      peer.read_until("}]}");
      ++asked;
      peer.send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{\"id\":");
    }
  });
  options_.retries = 3;
  make_client(listener.port());
  const auto outcome = run(call());
  EXPECT_EQ(asked, 1);
  ASSERT_FALSE(outcome);
  const auto& failure = outcome.error();
  EXPECT_EQ(failure.error.code, "upstream_answer_cut");
  EXPECT_EQ(failure.tries, 1);
  EXPECT_GT(failure.cost.amount->pico_usd, 0) << "it may have worked on it";
  EXPECT_EQ(failure.error.message.find("127.0.0.1"), std::string::npos) << failure.error.message;
  EXPECT_TRUE(failure.error.message.starts_with("Model 'weak': the connection closed in the middle"))
      << failure.error.message;
  net::TestPeer last(listener.port());
  last.send("}]}");
  provider.join();
}

TEST_F(HttpModelTest, ARecordedCostCountsOnlyFromAnEndpointThatPlaysRecordings) {
  HttpHeaders json = kJson;
  json.push_back({"x-brevet-recorded-cost-usd", "0.0123"});
  HttpHeaders stream{{"content-type", "text/event-stream"}, {"x-brevet-recorded-cost-usd", "0.0123"}};
  for (const bool plays : {true, false}) {
    options_.plays_recorded = plays;
    requests_ = 0;
    const auto events = sse({chunk(R"("content":"hello")"), chunk("", R"("stop")"), kUsageChunk, "[DONE]"});
    provide({{200, json, kWhole}, {200, stream, events}});
    const auto whole = run(call());
    Collect sink;
    const auto streamed = run(call(true), &sink);
    for (const auto* outcome : {&whole, &streamed}) {
      ASSERT_TRUE(*outcome) << outcome->error().error.message;
      EXPECT_EQ((*outcome)->cost.basis, plays ? CostBasis::kRecorded : CostBasis::kPriced);
      EXPECT_EQ((*outcome)->cost.amount == Money::parse_usd("0.0123"), plays);
    }
  }
  options_.plays_recorded = true;
  options_.pricing = {};
  provide({{200, kJson, kWhole}});
  EXPECT_FALSE(run(call())->cost.amount) << "no header and no price is unknown, never 0";
}

struct Beginning {
  const char* name;
  const char* bytes;
  bool stream;
  const char* code;
};
class AnswersThatBegan : public HttpModelTest, public testing::WithParamInterface<Beginning> {};
TEST_P(AnswersThatBegan, AreNotAskedForAgain) {
  net::TestListener listener;
  std::atomic<int> asked{0};
  std::thread provider([&] {
    for (int i = 0; i < 2; ++i) {  // the call, and the one that ends this thread
      auto peer = listener.accept();
      peer.read_until("}]");
      ++asked;
      peer.send(GetParam().bytes);
    }
  });
  options_.retries = 3;
  make_client(listener.port());
  Collect sink;
  const auto outcome = run(call(GetParam().stream), GetParam().stream ? &sink : nullptr);
  EXPECT_EQ(asked, 1);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().error.code, GetParam().code);
  EXPECT_EQ(outcome.error().tries, 1);
  EXPECT_GT(outcome.error().cost.amount->pico_usd, 0) << "it may be charged for";
  net::TestPeer last(listener.port());
  last.send("}]");
  provider.join();
}
constexpr const char* kStreamHeader = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
INSTANTIATE_TEST_SUITE_P(
    Cases, AnswersThatBegan,
    testing::Values(Beginning{"status_line", "HTTP/1.1 2", false, "upstream_answer_cut"},
                    Beginning{"header", "HTTP/1.1 200 OK\r\ncontent-ty", false, "upstream_answer_cut"},
                    Beginning{"header_of_a_stream", "HTTP/1.1 200 OK\r\ncontent-ty", true,
                              "upstream_answer_cut"},
                    Beginning{"stream_without_an_event", kStreamHeader, true, "upstream_stream_cut"}),
    [](const auto& test) { return test.param.name; });

TEST_F(HttpModelTest, ASilentProviderMeetsTheDeadlines) {
  const net::TestListener silent;  // Accepts in the kernel, never reads.
  options_.first_token_timeout = Milliseconds(1);
  options_.total_timeout = std::chrono::seconds(30);
  make_client(silent.port());
  Collect sink;
  const auto outcome = run(call(true), &sink);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().error.code, "upstream_first_token_timeout");
  EXPECT_EQ(outcome.error().error.kind, ErrorKind::kProviderTimeout);
  EXPECT_EQ(outcome.error().cost.basis, CostBasis::kAssumed);  // It may have worked on it.
  options_.total_timeout = Milliseconds(1);
  make_client(silent.port());
  EXPECT_EQ(code(call()), "upstream_timeout");
}

TEST_F(HttpModelTest, PingsDoNotCountAsAFirstToken) {
  net::TestListener listener;
  std::thread provider([&] {
    auto peer = listener.accept();
    peer.read_until("\r\n\r\n");
    peer.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n: ping\n\n");
    peer.read_to_end();
  });
  options_.first_token_timeout = Milliseconds(100);
  make_client(listener.port());
  Collect sink;
  EXPECT_EQ(code(call(true), &sink), "upstream_first_token_timeout");
  provider.join();
}

TEST_F(HttpModelTest, TheConcurrencyLimitRefusesAtOnce) {
  net::TestListener listener;
  options_.concurrent_max = 1;
  make_client(listener.port());
  std::promise<void> refused;
  std::thread provider([&] {
    auto peer = listener.accept();
    peer.read_until("\r\n\r\n");
    refused.get_future().wait();
    peer.send("HTTP/1.1 200 OK\r\ncontent-length: " + std::to_string(kWhole.size()) + "\r\n\r\n" + kWhole);
    peer.read_to_end();
  });
  bool first_done = false;
  asio::co_spawn(context_, client_->call(call(), nullptr),
                 [&](std::exception_ptr, ModelOutcome outcome) { first_done = outcome.has_value(); });
  asio::co_spawn(context_, client_->call(call(), nullptr), [&](std::exception_ptr, ModelOutcome outcome) {
    EXPECT_FALSE(outcome);
    if (!outcome) {
      EXPECT_EQ(outcome.error().error.code, "upstream_overloaded");
    }
    refused.set_value();
  });
  context_.run();
  EXPECT_TRUE(first_done);
  EXPECT_EQ(client_->status().in_flight, 0u);
  owned_context_.reset();  // Closes the pooled connection, for whose end the provider waits.
  provider.join();
}

TEST_F(HttpModelTest, CancellingACallStopsTheUpstreamAndKeepsTheAccount) {
  net::TestListener listener;
  make_client(listener.port());
  std::atomic<bool> stopped{false};
  std::thread provider([&] {
    auto peer = listener.accept();
    peer.read_until("\r\n\r\n");
    peer.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" +
              sse({chunk(R"("content":"12345678")")}));
    peer.clear();
    peer.read_to_end();
    stopped = true;
  });
  asio::cancellation_signal signal;
  class CancelAfterFirst : public StreamSink {
   public:
    explicit CancelAfterFirst(asio::cancellation_signal& to) : signal_(to) {}
    Task<Result<>> on_event(std::string) override {
      asio::post(co_await asio::this_coro::executor,
                 [this] { signal_.emit(asio::cancellation_type::terminal); });
      co_return Result<>{};
    }

   private:
    asio::cancellation_signal& signal_;
  } sink(signal);
  std::optional<ModelOutcome> outcome;
  asio::co_spawn(context_, client_->call(call(true), &sink),
                 asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr, ModelOutcome value) {
                   outcome.emplace(std::move(value));
                 }));
  context_.run();
  provider.join();
  EXPECT_TRUE(stopped);
  ASSERT_FALSE(*outcome);
  EXPECT_EQ(outcome->error().error.kind, ErrorKind::kCancelled);
  EXPECT_EQ(outcome->error().partial->text, "12345678");
  EXPECT_EQ(outcome->error().cost.basis, CostBasis::kAssumed);
  EXPECT_TRUE(outcome->error().streamed);
  EXPECT_EQ(client_->status().breaker, BreakerState::kClosed);
}

TEST_F(HttpModelTest, ASinkThatRefusesEndsTheCall) {
  provide({{200, kSse, sse({chunk(R"("content":"a")"), chunk(R"("content":"b")", "\"stop\""), "[DONE]"})}});
  Collect sink;
  sink.refuse = true;
  const auto outcome = run(call(true), &sink);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().error.kind, ErrorKind::kCancelled);
  EXPECT_EQ(sink.events.size(), 1u);
  EXPECT_EQ(requests_, 1);
}

TEST_F(HttpModelTest, PromptsOfOurOwnAndUnknownPrices) {
  options_.pricing = {};
  provide({{200, kJson, kWhole}});
  ModelCall own;
  own.messages.push_back({"user", "write a guide"});
  own.max_tokens = 99;
  const auto outcome = run(std::move(own));
  ASSERT_TRUE(outcome);
  EXPECT_FALSE(outcome->cost.amount);
  EXPECT_EQ(outcome->cost.basis, CostBasis::kUnknown);
  EXPECT_NE(last_request_.body.find("write a guide"), std::string::npos);
  EXPECT_NE(last_request_.body.find("99"), std::string::npos);
}

TEST_F(HttpModelTest, BadOptionsAreErrors) {
  options_.base_url = "not a url";
  EXPECT_EQ(make_http_model_client(options_, *http_).error().code, "bad_url");
}

}  // namespace
}  // namespace brevet
