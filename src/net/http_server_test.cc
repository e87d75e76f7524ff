// Goal: the server keeps HTTP/1.1's promises and its own bounds whatever a client does. Method: a real server
// on port 0, exact bytes sent and read over real sockets; waiting is always for an event, never for a time.
#include "net/http_server.h"

#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "net/test_peer.h"

namespace brevet::net {
namespace {

class HttpServerTest : public testing::Test {
 protected:
  void serve(HttpHandler handler, HttpServerOptions options = {}) {
    if (options.threads == 2) options.threads = 1;
    options.error_body = [](int status, const std::string& code, const std::string& message) {
      return std::to_string(status) + " " + code + " " + message;
    };
    auto made = make_http_server(std::move(options), std::move(handler));
    ASSERT_TRUE(made) << made.error().message;
    server_ = std::move(*made);
    server_->start();
  }
  TestPeer connect() { return TestPeer(server_->port()); }

  std::unique_ptr<HttpServer> server_;
};

// gcc 12 miscompiles braced lists inside co_await: headers get a name first.
const HttpHeaders kText{{"content-type", "text/plain"}};

Task<void> echo(std::shared_ptr<HttpRequest> request, HttpResponder& responder) {
  co_await responder.respond(200, kText,
                             request->method + " " + request->target + " [" + request->body + "]");
}

TEST_F(HttpServerTest, AnswersAndKeepsTheConnection) {
  serve(echo);
  auto peer = connect();
  peer.send("POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_NE(peer.read_until("[hello]").find("HTTP/1.1 200 OK\r\n"), std::string::npos);
  EXPECT_NE(peer.received.find("content-length: 19\r\n"), std::string::npos);
  peer.clear();
  peer.send("GET /second HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_NE(peer.read_until("[]").find("GET /second []"), std::string::npos);
}

TEST_F(HttpServerTest, PipelinedRequestsAreAnsweredInOrder) {
  // The handler suspends, so that later requests are already here while an earlier one runs.
  serve([](std::shared_ptr<HttpRequest> request, HttpResponder& responder) -> Task<void> {
    for (int i = 0; i < 3; ++i) co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
    co_await responder.respond(200, {}, "<" + request->target + ">");
  });
  std::string all;
  for (int i = 0; i < 500; ++i) all += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: x\r\n\r\n";
  auto peer = connect();
  std::thread sender([&] { peer.send(all); });
  peer.read_until("</499>");
  sender.join();
  std::size_t at = 0;
  for (int i = 0; i < 500; ++i) {
    at = peer.received.find("</" + std::to_string(i) + ">", at);
    ASSERT_NE(at, std::string::npos) << i;
  }
}

TEST_F(HttpServerTest, BodiesInChunksAndInPieces) {
  serve(echo);
  auto peer = connect();
  const std::string request =
      "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "4;ext=1\r\nwiki\r\n5\r\npedia\r\n0\r\nTrailer: x\r\n\r\n";
  for (const char c : request) peer.send(std::string_view(&c, 1));
  EXPECT_NE(peer.read_until("[wikipedia]").find("POST /c"), std::string::npos);
}

TEST_F(HttpServerTest, LargeBodyArrivesWhole) {
  serve([](std::shared_ptr<HttpRequest> request, HttpResponder& responder) -> Task<void> {
    co_await responder.respond(200, {}, std::move(request->body));
  });
  std::string body(5'000'000, 'x');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>('a' + i % 23);
  auto peer = connect();
  std::thread sender([&] {
    peer.send("POST / HTTP/1.1\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  });
  while (peer.received.size() < body.size() || !peer.received.ends_with(body)) {
    ASSERT_TRUE(peer.read_some());
  }
  sender.join();
}

TEST_F(HttpServerTest, ExpectContinueIsAnsweredBeforeTheBody) {
  serve(echo);
  auto peer = connect();
  peer.send("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(peer.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  peer.clear();
  peer.send("ok");
  EXPECT_NE(peer.read_until("[ok]").find("200 OK"), std::string::npos);
}

TEST_F(HttpServerTest, HeadHasTheLengthButNoBody) {
  serve(echo);
  auto peer = connect();
  peer.send("HEAD /h HTTP/1.1\r\n\r\nGET /g HTTP/1.1\r\nConnection: close\r\n\r\n");
  peer.read_to_end();
  EXPECT_NE(peer.received.find("content-length: 10\r\n"), std::string::npos);
  EXPECT_EQ(peer.received.find("HEAD /h []"), std::string::npos);
  EXPECT_TRUE(peer.received.ends_with("GET /g []"));
}

TEST_F(HttpServerTest, OldClientsGetACloseDelimitedStream) {
  serve([](std::shared_ptr<HttpRequest>, HttpResponder& responder) -> Task<void> {
    co_await responder.start_stream(200, kText);
    co_await responder.write("one ");
    co_await responder.write("two");
    co_await responder.finish();
  });
  auto peer = connect();
  peer.send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(peer.read_to_end().ends_with("\r\n\r\none two"));
  auto modern = connect();
  modern.send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(modern.read_until("0\r\n\r\n").ends_with("\r\n\r\n4\r\none \r\n3\r\ntwo\r\n0\r\n\r\n"));
}

TEST_F(HttpServerTest, StreamHeaderDoesNotWaitForTheFirstEvent) {
  std::promise<void> header_seen;
  auto seen = header_seen.get_future().share();
  serve([seen](std::shared_ptr<HttpRequest>, HttpResponder& responder) -> Task<void> {
    co_await responder.start_stream(200, {});
    asio::steady_timer poll(co_await asio::this_coro::executor);
    while (seen.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
      poll.expires_after(std::chrono::milliseconds(1));
      co_await poll.async_wait(asio::use_awaitable);
    }
    co_await responder.write("late");
    co_await responder.finish();
  });
  auto peer = connect();
  peer.send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_NE(peer.read_until("\r\n\r\n").find("transfer-encoding: chunked"), std::string::npos);
  header_seen.set_value();
  EXPECT_NE(peer.read_until("0\r\n\r\n").find("late"), std::string::npos);
}

TEST_F(HttpServerTest, AnUnfinishedStreamIsCut) {
  serve([](std::shared_ptr<HttpRequest>, HttpResponder& responder) -> Task<void> {
    co_await responder.start_stream(200, {});
    co_await responder.write("part");
  });
  auto peer = connect();
  peer.send("GET / HTTP/1.1\r\n\r\n");
  peer.read_to_end();
  EXPECT_NE(peer.received.find("part"), std::string::npos);
  EXPECT_EQ(peer.received.find("0\r\n\r\n"), std::string::npos);
}

struct BadCase {
  const char* name;
  std::string bytes;
  const char* answer;
};
class BadInput : public HttpServerTest, public testing::WithParamInterface<BadCase> {};
TEST_P(BadInput, IsRefusedWithAStableCodeAndTheConnectionCloses) {
  HttpServerOptions options;
  options.header_bytes_max = 1000;
  options.body_bytes_max = 100;
  std::atomic<int> handled{0};
  serve(
      [&](std::shared_ptr<HttpRequest> request, HttpResponder& responder) -> Task<void> {
        ++handled;
        co_await echo(request, responder);
      },
      options);
  auto peer = connect();
  peer.send(GetParam().bytes);
  peer.read_to_end();
  EXPECT_NE(peer.received.find(GetParam().answer), std::string::npos) << peer.received;
  EXPECT_EQ(handled, 0);
}
const std::string kChunkedPost = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
INSTANTIATE_TEST_SUITE_P(
    Cases, BadInput,
    testing::Values(
        BadCase{"garbage", "\x16\x03\x01\x02garbage\r\n\r\n", "400 malformed_http"},
        BadCase{"version", "GET / HTTP/3.0\r\n\r\n", "400 malformed_http"},
        BadCase{"bare_lf", "GET / HTTP/1.1\nHost: x\n\n", "400 malformed_http"},
        BadCase{"no_colon", "GET / HTTP/1.1\r\nHost\r\n\r\n", "400 malformed_http"},
        BadCase{"two_lengths", "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
                "400 malformed_http"},
        BadCase{"negative_length", "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "400 malformed_http"},
        BadCase{"length_and_chunked",
                "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                "400 malformed_http"},
        BadCase{"other_coding", "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", "400 malformed_http"},
        BadCase{"chunked_not_last", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
                "400 malformed_http"},
        BadCase{"bad_chunk", kChunkedPost + "zz\r\n\r\n", "400 malformed_http"},
        BadCase{"endless_extension", kChunkedPost + "1;" + std::string(3000, 'e'), "431 headers_too_large"},
        BadCase{"long_header", "GET / HTTP/1.1\r\nA: " + std::string(3000, 'a') + "\r\n\r\n",
                "431 headers_too_large"},
        BadCase{"endless_target", "GET /" + std::string(3000, 'a'), "431 headers_too_large"},
        BadCase{"many_headers",
                [] {
                  std::string out = "GET / HTTP/1.1\r\n";
                  for (int i = 0; i < 300; ++i) out += "A: b\r\n";
                  return out + "\r\n";
                }(),
                "431 headers_too_large"},
        BadCase{"long_body", "POST / HTTP/1.1\r\nContent-Length: 101\r\n\r\n" + std::string(101, 'b'),
                "413 body_too_large"},
        BadCase{"absurd_length", "POST / HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\n",
                "413 body_too_large"},
        BadCase{"long_chunk", kChunkedPost + "1000\r\n", "413 body_too_large"},
        BadCase{"many_chunks",
                kChunkedPost + "32\r\n" + std::string(50, 'x') + "\r\n33\r\n" + std::string(51, 'x') + "\r\n",
                "413 body_too_large"}),
    [](const auto& test) { return test.param.name; });

TEST_F(HttpServerTest, TheAnswerToAnOversizedBodySurvivesTheBody) {
  HttpServerOptions options;
  options.body_bytes_max = 1000;
  serve(echo, options);
  auto peer = connect();
  const std::string body(8'000'000, 'x');
  std::thread sender([&] {
    peer.send("POST / HTTP/1.1\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    peer.shut_down_writing();
  });
  peer.read_to_end();
  sender.join();
  EXPECT_NE(peer.received.find("413 body_too_large"), std::string::npos);
}

TEST_F(HttpServerTest, SlowRequestsTimeOut) {
  HttpServerOptions options;
  options.read_timeout = std::chrono::seconds(0);
  serve(echo, options);
  auto peer = connect();
  peer.send("POST / HTTP/1.1\r\nContent-Le");
  EXPECT_NE(peer.read_to_end().find("408 request_timeout"), std::string::npos);
}

TEST_F(HttpServerTest, IdleConnectionsAreClosed) {
  HttpServerOptions options;
  options.idle_timeout = std::chrono::seconds(0);
  serve(echo, options);
  auto peer = connect();
  EXPECT_EQ(peer.read_to_end(), "");
}

TEST_F(HttpServerTest, HangUpCancelsTheHandler) {
  std::promise<void> started, cancelled;
  serve([&](std::shared_ptr<HttpRequest>, HttpResponder&) -> Task<void> {
    co_await asio::this_coro::throw_if_cancelled(false);
    started.set_value();
    asio::steady_timer never(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
    co_await never.async_wait(kNoThrow);
    if (co_await cancel_requested()) cancelled.set_value();
  });
  auto peer = connect();
  peer.send("GET / HTTP/1.1\r\n\r\n");
  started.get_future().wait();
  peer.close();
  EXPECT_EQ(cancelled.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
}

TEST_F(HttpServerTest, HangUpDuringAStreamFailsTheWriteOrCancels) {
  std::promise<bool> ended;
  serve([&](std::shared_ptr<HttpRequest>, HttpResponder& responder) -> Task<void> {
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await responder.start_stream(200, {});
    for (;;) {
      const auto written = co_await responder.write(std::string(100'000, 'x'));
      const bool stop = co_await cancel_requested();
      if (!written || stop) {
        ended.set_value(true);
        co_return;
      }
    }
  });
  {
    auto peer = connect();
    peer.send("GET / HTTP/1.1\r\n\r\n");
    peer.read_until("xxx");
  }
  EXPECT_EQ(ended.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
}

TEST_F(HttpServerTest, CancellationOfOneRequestDoesNotReachTheNextConnection) {
  std::promise<void> first_started;
  std::atomic<int> calls{0};
  serve([&](std::shared_ptr<HttpRequest> request, HttpResponder& responder) -> Task<void> {
    if (calls++ == 0) {
      first_started.set_value();
      asio::steady_timer never(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
      co_await never.async_wait(asio::use_awaitable);  // Throws when cancelled; the server must survive that.
    }
    co_await echo(request, responder);
  });
  {
    auto peer = connect();
    peer.send("GET /1 HTTP/1.1\r\n\r\n");
    first_started.get_future().wait();
  }
  auto peer = connect();
  peer.send("GET /2 HTTP/1.1\r\n\r\n");
  EXPECT_NE(peer.read_until("[]").find("GET /2"), std::string::npos);
}

TEST_F(HttpServerTest, AThrowingOrSilentHandlerIsAnInternalError) {
  serve([](std::shared_ptr<HttpRequest> request, HttpResponder&) -> Task<void> {
    if (request->target == "/throw") throw std::runtime_error("boom");
    co_return;
  });
  for (const std::string target : {"/throw", "/silent"}) {
    auto peer = connect();
    peer.send("GET " + target + " HTTP/1.1\r\nConnection: close\r\n\r\n");
    EXPECT_NE(peer.read_to_end().find("500 internal_error"), std::string::npos);
  }
}

const HttpHeaders kInjected{{"x-model", "a\r\nset-cookie: b"}};
TEST_F(HttpServerTest, HeadersCannotBeInjected) {
  serve([](std::shared_ptr<HttpRequest>, HttpResponder& responder) -> Task<void> {
    co_await responder.respond(200, kInjected, "");
  });
  auto peer = connect();
  peer.send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(peer.read_until("\r\n\r\n").find("\r\nset-cookie"), std::string::npos);
}

TEST_F(HttpServerTest, ConnectionsBeyondTheBoundGet503) {
  HttpServerOptions options;
  options.connections_max = 1;
  serve(echo, options);
  auto first = connect();
  first.send("GET / HTTP/1.1\r\n\r\n");
  first.read_until("[]");
  auto second = connect();
  EXPECT_NE(second.read_to_end().find("503 too_many_connections"), std::string::npos);
}

TEST_F(HttpServerTest, DrainLetsRequestsEndAndThenCloses) {
  std::promise<void> started, release;
  auto released = release.get_future().share();
  serve([&, released](std::shared_ptr<HttpRequest> request, HttpResponder& responder) -> Task<void> {
    started.set_value();
    asio::steady_timer poll(co_await asio::this_coro::executor);
    while (released.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
      poll.expires_after(std::chrono::milliseconds(1));
      co_await poll.async_wait(asio::use_awaitable);
    }
    co_await echo(request, responder);
  });
  auto idle = connect();
  auto busy = connect();
  busy.send("GET /slow HTTP/1.1\r\n\r\n");
  started.get_future().wait();
  std::thread drainer([&] { server_->drain(std::chrono::seconds(20)); });
  EXPECT_EQ(idle.read_to_end(), "");  // Closed at once: it has nothing in flight.
  release.set_value();
  busy.read_to_end();
  drainer.join();
  EXPECT_NE(busy.received.find("GET /slow []"), std::string::npos);
  EXPECT_NE(busy.received.find("connection: close"), std::string::npos);
  EXPECT_EQ(server_->open_connections(), 0u);
}

TEST_F(HttpServerTest, DrainCancelsWhatOutlivesItsGrace) {
  std::promise<void> started;
  std::atomic<bool> cancelled{false};
  serve([&](std::shared_ptr<HttpRequest>, HttpResponder&) -> Task<void> {
    co_await asio::this_coro::throw_if_cancelled(false);
    started.set_value();
    asio::steady_timer never(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
    co_await never.async_wait(kNoThrow);
    cancelled = co_await cancel_requested();
  });
  auto peer = connect();
  peer.send("GET / HTTP/1.1\r\n\r\n");
  started.get_future().wait();
  server_->drain(std::chrono::milliseconds(0));
  EXPECT_TRUE(cancelled);
}

TEST_F(HttpServerTest, ManyThreadsShareOnePort) {
  HttpServerOptions options;
  options.threads = 3;
  serve(echo, options);
  for (int i = 0; i < 30; ++i) {
    auto peer = connect();
    peer.send("GET / HTTP/1.1\r\n\r\n");
    EXPECT_NE(peer.read_until("[]").find("200 OK"), std::string::npos);
  }
}

TEST(HttpServer, ATakenPortIsAnErrorNotAShare) {
  HttpServerOptions options;
  options.threads = 2;
  auto first = make_http_server(options, echo);
  ASSERT_TRUE(first);
  options.port = (*first)->port();
  auto second = make_http_server(options, echo);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, "address_in_use");
  options.address = "nowhere";
  EXPECT_EQ(make_http_server(options, echo).error().code, "bad_address");
}

}  // namespace
}  // namespace brevet::net
