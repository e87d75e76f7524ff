// A pooled keep-alive HTTP/1.1 client with verified TLS.
//
// Used by upstream, by local process health checks and by the demo. Thread-safe. A call runs on the caller's
// executor, which must be (on) an io_context run by one thread; the connection it opens is pooled with that
// context and never leaves it. Cancelling the calling coroutine closes the connection. A request is sent
// again only when a *reused* connection failed before any byte of the response, once, on a fresh one. Knows
// no FMs and no JSON; follows no redirects, decodes no content-encoding, keeps no cookies.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/async.h"
#include "base/clock.h"
#include "base/result.h"
#include "net/http_message.h"

namespace brevet::net {

struct HttpClientOptions {
  std::size_t idle_per_origin_max = 256;  ///< per context; further connections are closed after use
  std::chrono::seconds idle_age_max{50};  ///< older idle ones are closed at the next use of the pool
  std::size_t header_bytes_max = 64 * 1024;
};

/// A server to talk to: scheme, host, port, base path and trust, checked once.
class HttpOrigin {
 public:
  virtual ~HttpOrigin() = default;
  /// "https://api.example.com:8443", for messages.
  virtual const std::string& name() const = 0;
  /// Path of the base URL without a trailing '/', such as "/v1"; may be empty.
  virtual const std::string& base_path() const = 0;
};
using HttpOriginPtr = std::shared_ptr<const HttpOrigin>;

struct HttpCall {
  HttpOriginPtr origin;
  std::string method = "GET";
  std::string target = "/";  ///< whole path and query; the origin's base_path is not added
  HttpHeaders headers;       ///< host, content-length and connection are ours
  /// Further headers, ready made once for many calls by header_lines(); may be null.
  std::shared_ptr<const std::string> more_headers;
  std::string body;
  /// Sent instead of `body` when it is not empty. Outlives the call, and for open() the header of the
  /// response.
  std::string_view body_view;
  Milliseconds connect_timeout{5'000};      ///< name look-up, TCP and TLS together
  Milliseconds first_byte_timeout{60'000};  ///< from the start of the call to the first byte of the response
  Milliseconds total_timeout{600'000};      ///< from the start of the call to the last byte of the body
  std::size_t body_bytes_max = 32 * 1024 * 1024;
};

/// A response whose header has arrived. Destroying it before the end of the body closes the connection.
/// Header fields as they stand in a request; nullopt when one holds a line break.
std::optional<std::string> header_lines(const HttpHeaders& headers);

class HttpResponse {
 public:
  virtual ~HttpResponse() = default;
  virtual int status() const = 0;
  virtual const HttpHeaders& headers() const = 0;
  /// The next bytes of the body as they come, whatever the framing; nullopt at its end. `by` is a deadline
  /// for this read on top of the call's total one. Errors as HttpClient::open; connection_closed when the
  /// peer closed before the body was complete.
  virtual Task<Result<std::optional<std::string>>> read(
      std::optional<std::chrono::steady_clock::time_point> by = std::nullopt) = 0;
  /// The end of the body is here: the next read() does not wait, and frees the connection.
  virtual bool at_end() const = 0;
};

struct HttpWhole {
  int status = 0;
  HttpHeaders headers;
  std::string body;
};

/// Counts since the client was made, over all contexts.
struct HttpClientMetrics {
  std::uint64_t opened = 0;         ///< connections opened
  std::uint64_t reused = 0;         ///< calls that found an idle connection
  std::uint64_t stale_retries = 0;  ///< reused connections that turned out closed, and were replaced
  std::uint64_t failures = 0;       ///< calls that returned an error
};

class HttpClient {
 public:
  virtual ~HttpClient() = default;
  /// Errors (kCallerInvalid): bad_url, bad_ca_file. `ca_file` (PEM, may be empty) is trusted besides the
  /// system's certificates, for this origin only.
  virtual Result<HttpOriginPtr> origin(const std::string& base_url, const std::string& ca_file = {}) = 0;
  /// Returns when the header of the response is there. Errors: dns_failed, connect_failed, tls_failed,
  /// connection_closed (before any byte of the response), header_cut (kProviderUnavailable); connect_timeout,
  /// first_byte_timeout, total_timeout, read_timeout (kProviderTimeout); bad_http, headers_too_large,
  /// body_too_large (kProviderGarbage); cancelled (kCancelled).
  virtual Task<Result<std::unique_ptr<HttpResponse>>> open(HttpCall call) = 0;
  /// The whole response; cheaper than open() and read() for short ones.
  virtual Task<Result<HttpWhole>> fetch(HttpCall call) = 0;
  virtual HttpClientMetrics metrics() const = 0;
};

std::unique_ptr<HttpClient> make_http_client(HttpClientOptions options = {});

}  // namespace brevet::net
