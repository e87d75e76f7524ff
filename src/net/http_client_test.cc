// Goal: the client's framing, pooling, deadlines, bounds and trust. Method: scripted peers that say exact
// bytes over real sockets, one io_context on the test's thread; deadlines are either far away or already
// past.
#include "net/http_client.h"

#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <functional>
#include <future>
#include <thread>

#include "net/http_server.h"
#include "net/test_peer.h"
#include "net/test_run.h"
#include "net/test_tls.h"

namespace brevet::net {
namespace {

class HttpClientTest : public testing::Test {
 protected:
  ~HttpClientTest() override { finish(); }
  /// Ends the script; called where it uses what the test body owns.
  void finish() {
    listener_.close();
    if (thread_.joinable()) thread_.join();
  }
  /// Runs `script` on its own thread; it accepts what it wants from the listener.
  void script(std::function<void(TestListener&)> play) {
    thread_ = std::thread([this, play = std::move(play)] { play(listener_); });
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(listener_.port()); }
  HttpCall call(const std::string& method = "POST", std::string body = "{}") {
    HttpCall out;
    out.origin = *client_->origin(url());
    out.method = method;
    out.target = "/v1/x";
    out.body = std::move(body);
    out.connect_timeout = out.first_byte_timeout = out.total_timeout = std::chrono::seconds(30);
    return out;
  }
  Result<HttpWhole> fetch(HttpCall what) { return run_task(context_, client_->fetch(std::move(what))); }
  Result<HttpWhole> fetch() { return fetch(call()); }

  TestListener listener_;
  asio::io_context context_{1};
  std::unique_ptr<HttpClient> client_ = make_http_client();
  std::thread thread_;
};

constexpr const char* kOk = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

TEST_F(HttpClientTest, SendsAWholeRequestAndReusesTheConnection) {
  std::string first, second;
  script([&](TestListener& listener) {
    auto peer = listener.accept();
    first = peer.read_until("{}");
    peer.send(kOk);
    peer.clear();
    second = peer.read_until("{}");
    peer.send("HTTP/1.1 404 Not Found\r\nX-Why: none\r\ncontent-length: 0\r\n\r\n");
  });
  auto one = call();
  one.headers.push_back({"authorization", "Bearer k"});
  const auto a = fetch(one);
  ASSERT_TRUE(a) << a.error().message;
  EXPECT_EQ(a->body, "ok");
  const auto b = fetch();
  ASSERT_TRUE(b);
  EXPECT_EQ(b->status, 404);
  EXPECT_EQ(find_header(b->headers, "x-why"), "none");
  EXPECT_EQ(first, "POST /v1/x HTTP/1.1\r\nhost: 127.0.0.1:" + std::to_string(listener_.port()) +
                       "\r\nauthorization: Bearer k\r\ncontent-length: 2\r\n\r\n{}");
  EXPECT_NE(second.find("POST /v1/x"), std::string::npos);
  EXPECT_EQ(client_->metrics().opened, 1u);
  EXPECT_EQ(client_->metrics().reused, 1u);
  finish();
}

TEST_F(HttpClientTest, EveryFramingGivesTheSameBody) {
  const std::string plain = "hello, world";
  const std::vector<std::string> answers = {
      "HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n" + plain,
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\nhello,\r\n6;x=y\r\n world\r\n0\r\nTrailer: "
      "t\r\n\r\n",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 "
      "OK\r\ncontent-length: 12\r\n\r\n" +
          plain,
      "HTTP/1.0 200 OK\r\n\r\n" + plain};
  script([&](TestListener& listener) {
    for (const auto& answer : answers) {
      auto peer = listener.accept();
      peer.read_until("{}");
      for (const char c : answer) peer.send(std::string_view(&c, 1));
    }
  });
  for (const auto& answer : answers) {
    const auto got = fetch();
    ASSERT_TRUE(got) << answer << got.error().message;
    EXPECT_EQ(got->body, plain) << answer;
  }
  EXPECT_EQ(client_->metrics().failures, 0u);
  finish();
}

TEST_F(HttpClientTest, AStalePooledConnectionIsReplacedOnce) {
  script([&](TestListener& listener) {
    {
      auto peer = listener.accept();
      peer.read_until("{}");
      peer.send(kOk);
      peer.clear();
      peer.read_until("{}");  // The second request is read, and its connection ends without a byte of answer.
    }
    auto peer = listener.accept();
    peer.read_until("{}");
    peer.send(kOk);
  });
  ASSERT_TRUE(fetch());
  const auto second = fetch();
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(client_->metrics().stale_retries, 1u);
  EXPECT_EQ(client_->metrics().opened, 2u);
}

TEST_F(HttpClientTest, AFreshConnectionThatClosesIsAnError) {
  script([&](TestListener& listener) { listener.accept().read_until("{}"); });
  const auto got = fetch();
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, "connection_closed");
  EXPECT_EQ(got.error().kind, ErrorKind::kProviderUnavailable);
  EXPECT_EQ(client_->metrics().stale_retries, 0u);
}

TEST_F(HttpClientTest, NoSecondTryOnceAByteOfTheAnswerCame) {
  script([&](TestListener& listener) {
    auto peer = listener.accept();
    peer.read_until("{}");
    peer.send(kOk);
    peer.clear();
    peer.read_until("{}");
    peer.send("HTTP/1.1 200");
  });
  ASSERT_TRUE(fetch());
  const auto second = fetch();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, "header_cut");
  EXPECT_EQ(client_->metrics().stale_retries, 0u);
  EXPECT_EQ(client_->metrics().opened, 1u);
}

struct BadAnswer {
  const char* name;
  std::string bytes;
  const char* code;
};
class BadAnswers : public HttpClientTest, public testing::WithParamInterface<BadAnswer> {};
TEST_P(BadAnswers, AreErrorsWithStableCodes) {
  script([&](TestListener& listener) {
    auto peer = listener.accept();
    peer.read_until("{}");
    peer.send(GetParam().bytes);
  });
  auto what = call();
  what.body_bytes_max = 1000;
  const auto got = fetch(what);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, GetParam().code) << got.error().message;
}
INSTANTIATE_TEST_SUITE_P(
    Cases, BadAnswers,
    testing::Values(
        BadAnswer{"not_http", "SSH-2.0-OpenSSH_9.2\r\n", "bad_http"},
        BadAnswer{"no_status", "HTTP/1.1 OK\r\n\r\n", "bad_http"},
        BadAnswer{"two_lengths", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
                  "bad_http"},
        BadAnswer{"bad_chunk", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", "bad_http"},
        BadAnswer{"coding", "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nzz", "bad_http"},
        BadAnswer{"cut_length", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nab", "body_cut"},
        BadAnswer{"cut_chunk", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab", "body_cut"},
        BadAnswer{"cut_header", "HTTP/1.1 200 OK\r\ncontent-le", "header_cut"},
        BadAnswer{"long_header", "HTTP/1.1 200 OK\r\na: " + std::string(70'000, 'x'), "headers_too_large"},
        BadAnswer{"long_length", "HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n", "body_too_large"},
        BadAnswer{"long_body", "HTTP/1.1 200 OK\r\n\r\n" + std::string(1001, 'x'), "body_too_large"}),
    [](const auto& test) { return test.param.name; });

TEST_F(HttpClientTest, BytesBehindAnAnswerCostTheConnection) {
  script([&](TestListener& listener) {
    for (int i = 0; i < 2; ++i) {
      auto peer = listener.accept();
      peer.read_until("{}");
      peer.send(std::string(kOk) + "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged");
    }
  });
  EXPECT_EQ(fetch()->body, "ok");
  EXPECT_EQ(fetch()->body, "ok");
  EXPECT_EQ(client_->metrics().opened, 2u);
}

TEST_F(HttpClientTest, LargeBodiesBothWays) {
  const std::string body(3'000'000, 'b');
  script([&](TestListener& listener) {
    auto peer = listener.accept();
    while (peer.received.size() < body.size() || !peer.received.ends_with(body)) {
      if (!peer.read_some()) return;
    }
    peer.send("HTTP/1.1 200 OK\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  });
  const auto got = fetch(call("POST", body));
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->body, body);
  finish();
}

TEST_F(HttpClientTest, AnEarlyRefusalOfALargeBodyIsTheAnswer) {
  script([&](TestListener& listener) {
    auto peer = listener.accept();
    peer.read_until("\r\n\r\n");
    peer.send("HTTP/1.1 413 Payload Too Large\r\nconnection: close\r\ncontent-length: 3\r\n\r\nbig");
    peer.shut_down_writing();
    peer.read_to_end();
  });
  const auto got = fetch(call("POST", std::string(8'000'000, 'b')));
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->status, 413);
}

TEST_F(HttpClientTest, DeadlinesEndACallAndSayWhich) {
  std::promise<void> done;
  auto end = done.get_future();
  script([&](TestListener& listener) {
    auto silent = listener.accept();
    auto partial = listener.accept();
    partial.read_until("{}");
    partial.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
    auto streamed = listener.accept();
    streamed.read_until("{}");
    streamed.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
    end.wait();
  });
  auto first = call();
  first.first_byte_timeout = std::chrono::milliseconds(1);
  EXPECT_EQ(fetch(first).error().code, "first_byte_timeout");
  auto total = call();
  total.total_timeout = std::chrono::milliseconds(100);
  const auto late = fetch(total);
  EXPECT_EQ(late.error().code, "total_timeout");
  EXPECT_EQ(late.error().kind, ErrorKind::kProviderTimeout);
  const auto code = run_task(context_, [](HttpClient* client, HttpCall what) -> Task<std::string> {
    auto response = co_await client->open(std::move(what));
    if (!response) co_return response.error().code;
    auto piece = co_await (*response)->read();
    if (!piece || *piece != "half") co_return "no piece";
    piece = co_await (*response)->read(std::chrono::steady_clock::now());
    co_return piece ? "a piece" : piece.error().code;
  }(client_.get(), call()));
  EXPECT_EQ(code, "read_timeout");
  done.set_value();
  finish();
}

TEST_F(HttpClientTest, CancellingTheCallClosesTheConnection) {
  std::promise<void> here;
  std::atomic<bool> closed{false};
  script([&](TestListener& listener) {
    auto peer = listener.accept();
    peer.read_until("{}");
    here.set_value();
    closed = !peer.read_some();
  });
  asio::cancellation_signal signal;
  std::optional<Error> error;
  auto guarded = [](HttpClient* client, HttpCall what) -> Task<Result<HttpWhole>> {
    co_await asio::this_coro::throw_if_cancelled(false);
    co_return co_await client->fetch(std::move(what));
  };
  asio::co_spawn(context_, guarded(client_.get(), call()),
                 asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr, Result<HttpWhole> got) {
                   if (!got) error = got.error();
                 }));
  std::thread canceller([&] {
    here.get_future().wait();
    asio::post(context_, [&] { signal.emit(asio::cancellation_type::terminal); });
  });
  context_.run();
  canceller.join();
  thread_.join();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->kind, ErrorKind::kCancelled);
  EXPECT_TRUE(closed);
}

TEST_F(HttpClientTest, AThrowingCoroutineIsCancelledToo) {
  std::promise<void> here;
  script([&](TestListener& listener) {
    auto peer = listener.accept();
    peer.read_until("{}");
    here.set_value();
    peer.read_some();
  });
  asio::cancellation_signal signal;
  bool threw = false;
  asio::co_spawn(
      context_, client_->fetch(call()),
      asio::bind_cancellation_slot(
          signal.slot(), [&](std::exception_ptr failed, Result<HttpWhole>) { threw = failed != nullptr; }));
  std::thread canceller([&] {
    here.get_future().wait();
    asio::post(context_, [&] { signal.emit(asio::cancellation_type::terminal); });
  });
  context_.run();
  canceller.join();
  EXPECT_TRUE(threw);
  finish();
}

TEST_F(HttpClientTest, NobodyListening) {
  auto what = call();
  listener_.close();
  const auto got = fetch(what);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, "connect_failed");
}

TEST_F(HttpClientTest, UnknownHost) {
  HttpCall what = call();
  what.origin = *client_->origin("http://no-such-host.invalid/v1");
  const auto got = fetch(what);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, "dns_failed");
}

TEST_F(HttpClientTest, WorksAgainstOurServerByName) {
  HttpServerOptions options;
  options.threads = 1;
  auto server = make_http_server(
      options, [](std::shared_ptr<HttpRequest> request, HttpResponder& responder) -> Task<void> {
        co_await responder.start_stream(200, {});
        for (int i = 0; i < 3; ++i) co_await responder.write(request->body);
        co_await responder.finish();
      });
  ASSERT_TRUE(server);
  (*server)->start();
  HttpCall what = call("POST", "abc");
  what.origin = *client_->origin("http://localhost:" + std::to_string((*server)->port()) + "/v1/");
  EXPECT_EQ(what.origin->base_path(), "/v1");
  for (int i = 0; i < 3; ++i) {
    const auto got = fetch(what);
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(got->body, "abcabcabc");
  }
  EXPECT_EQ(client_->metrics().opened, 1u);
}

TEST_F(HttpClientTest, BadUrlsAreRefusedWithASentence) {
  for (const char* bad : {"", "api.example.com", "ftp://x/", "http://", "http://u:p@x/", "http://x/?q",
                          "http://x/#f", "http://x:0/", "http://x:99999/", "http:// x/"}) {
    const auto origin = client_->origin(bad);
    ASSERT_FALSE(origin) << bad;
    EXPECT_EQ(origin.error().code, "bad_url") << bad;
  }
  EXPECT_EQ((*client_->origin("https://[::1]:8443/a//"))->name(), "https://[::1]:8443");
}

TEST_F(HttpClientTest, HeadersCannotBeInjected) {
  auto what = call();
  what.headers.push_back({"x", "a\r\nb: c"});
  EXPECT_EQ(fetch(what).error().code, "bad_call");
}

class HttpClientTlsTest : public HttpClientTest {
 protected:
  /// A TLS server that answers `count` requests a connection, on up to two connections.
  void serve(TestAuthority& authority, int count) {
    script([&authority, count](TestListener& listener) {
      for (int connections = 0; connections < 2; ++connections) {
        auto peer = listener.accept();
        if (!peer.connected()) return;
        auto tls = authority.accept(peer.descriptor());
        for (int i = 0; tls && i < count; ++i) {
          std::string received;
          while (received.find("{}") == std::string::npos) {
            char buffer[4096];
            const int got = SSL_read(tls.get(), buffer, sizeof buffer);
            if (got <= 0) break;
            received.append(buffer, static_cast<std::size_t>(got));
          }
          if (received.empty()) break;
          SSL_write(tls.get(), kOk, static_cast<int>(std::string_view(kOk).size()));
        }
      }
    });
  }
  Result<HttpWhole> fetch_tls(const std::string& host, const std::string& ca_file) {
    HttpCall what = call();
    what.origin = *client_->origin("https://" + host + ":" + std::to_string(listener_.port()), ca_file);
    return fetch(what);
  }
};

TEST_F(HttpClientTlsTest, ATrustedServerIsUsedAndItsConnectionKept) {
  TestAuthority authority("IP:127.0.0.1");
  serve(authority, 2);
  HttpCall what = call();
  what.origin =
      *client_->origin("https://127.0.0.1:" + std::to_string(listener_.port()), authority.ca_file());
  for (int i = 0; i < 2; ++i) {
    const auto got = fetch(what);
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(got->body, "ok");
  }
  EXPECT_EQ(client_->metrics().opened, 1u);
}

TEST_F(HttpClientTlsTest, NamesAreVerified) {
  TestAuthority authority("DNS:localhost");
  serve(authority, 1);
  EXPECT_EQ(fetch_tls("127.0.0.1", authority.ca_file()).error().code, "tls_failed");
  const auto got = fetch_tls("localhost", authority.ca_file());
  EXPECT_TRUE(got) << got.error().message;
}

TEST_F(HttpClientTlsTest, AnUnknownAuthorityIsNotTrusted) {
  TestAuthority authority("IP:127.0.0.1");
  serve(authority, 1);
  const auto got = fetch_tls("127.0.0.1", "");
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, "tls_failed");
  EXPECT_NE(got.error().message.find("not trusted"), std::string::npos) << got.error().message;
  EXPECT_EQ(client_->origin("https://x", "/nowhere.pem").error().code, "bad_ca_file");
}

}  // namespace
}  // namespace brevet::net
