// An HTTP/1.1 server: accepts, reads whole requests within bounds, hands each to one handler, writes what it
// answers.
//
// Used by server and by `brevet upstream`. One io_context per worker thread, each with its own SO_REUSEPORT
// acceptor, so a connection never changes its thread. Knows no FMs and no JSON.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/async.h"
#include "base/result.h"
#include "net/http_message.h"

namespace brevet::net {

struct HttpRequest {
  std::string method;
  std::string target;  ///< as sent, path and query
  HttpHeaders headers;
  std::string body;
  std::string peer;  ///< address of the client
  std::string_view path() const;
};

/// How a handler answers: respond() once, or start_stream(), write()*, finish().
class HttpResponder {
 public:
  virtual ~HttpResponder() = default;
  virtual Task<Result<>> respond(int status, HttpHeaders headers, std::string body) = 0;
  /// The same with the header as it goes over the wire: for the answers that are many.
  virtual Task<Result<>> respond_lines(int status, HeaderLines lines, std::string body) = 0;
  /// Sends the header of a chunked response; for SSE the caller passes content-type text/event-stream.
  virtual Task<Result<>> start_stream(int status, HttpHeaders headers) = 0;
  /// One chunk, flushed at once. An error means that the client is gone.
  virtual Task<Result<>> write(std::string bytes) = 0;
  virtual Task<Result<>> finish() = 0;
};

/// Runs as a coroutine that is cancelled (terminal) when the client hangs up.
using HttpHandler = std::function<Task<void>(std::shared_ptr<HttpRequest> request, HttpResponder& responder)>;

struct HttpServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;  ///< 0 = any free one
  int threads = 2;
  std::size_t header_bytes_max = 64 * 1024;
  std::size_t body_bytes_max = 32 * 1024 * 1024;  ///< larger: 413 with code body_too_large
  std::size_t connections_max = 10'000;           ///< further ones are accepted and closed with 503
  std::chrono::seconds idle_timeout{75};
  std::chrono::seconds read_timeout{30};  ///< for one whole request once its first byte came
  /// Body of an error answer that the server itself makes (malformed HTTP, too large): the caller's protocol.
  std::function<std::string(int status, const std::string& code, const std::string& message)> error_body;
};

class HttpServer {
 public:
  virtual ~HttpServer() = default;
  virtual std::uint16_t port() const = 0;
  /// The contexts, for timers and background work on the same threads.
  virtual std::vector<asio::io_context*> contexts() = 0;
  /// Starts the threads; returns at once.
  virtual void start() = 0;
  /// Stops accepting, lets requests in flight end for at most `grace`, closes idle connections, joins.
  /// Idempotent.
  virtual void drain(std::chrono::milliseconds grace) = 0;
  virtual std::size_t open_connections() const = 0;
};

/// Binds at once. Errors: address_in_use, bad_address.
Result<std::unique_ptr<HttpServer>> make_http_server(HttpServerOptions options, HttpHandler handler);

}  // namespace brevet::net
