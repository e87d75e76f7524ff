#include "net/http_client.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <charconv>
#include <cstring>
#include <map>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "net/deadline_list.h"
#include "net/http_parser.h"
#include "net/socket_read.h"
#include "net/waiter.h"

namespace brevet::net {
namespace {

using asio::ip::tcp;
using Resolver = asio::ip::basic_resolver<tcp, Executor>;
using TlsStream = asio::ssl::stream<PlainSocket&>;
using ErrorCode = boost::system::error_code;
using Time = std::chrono::steady_clock::time_point;
using Received = std::tuple<ErrorCode, std::size_t>;

constexpr std::size_t kReadBuffer = 16 * 1024;
constexpr std::size_t kJoinedBytes = 16 * 1024;  ///< bodies up to this are copied behind their header
constexpr std::size_t kHeadKept = 4 * 1024;      ///< of the memory of a request's header and short body
/// An idle connection is looked at before use when it rested this long; the peer may have closed it.
constexpr std::chrono::milliseconds kTrustedRest{20};
constexpr std::chrono::seconds kPurgePeriod{1};

struct Origin final : HttpOrigin {
  const std::string& name() const override { return name_text; }
  const std::string& base_path() const override { return path; }

  std::uint64_t id = 0;
  std::string name_text, path, host, port, host_header;
  std::optional<tcp::endpoint> address;  ///< of a numeric host
  std::shared_ptr<asio::ssl::context> tls;
};

/// Unique over all clients, as they share each context's pool.
std::uint64_t next_origin_id() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

/// One connection. Its deadline closes it, which ends whatever waits on it.
class Link final : public DeadlineList::Node, private SocketRead {
 public:
  Link(const Executor& executor, std::size_t header_bytes_max)
      : SocketRead(executor.context(), socket), socket(executor), parser(header_bytes_max) {}
  ~Link() override { close(); }

  void close() {
    ErrorCode ignored;
    socket.close(ignored);
  }
  bool fit_for_reuse() const {
    return parser_done && sent_all && parser.keep_alive() && begin == end && socket.is_open();
  }

  using SocketRead::ready_to_read;
  /// One read of a plain socket. A coroutine that is cancelled is told so by operation_aborted.
  Task<Received> receive(char* to, std::size_t size, Look look) {
    return asio::async_initiate<const asio::use_awaitable_t<>, void(Received)>(
        [this, to, size, look](auto handler) {
          auto slot = asio::get_associated_cancellation_slot(handler);
          if (slot.is_connected()) {
            slot.assign([this](asio::cancellation_type) {
              ErrorCode ignored;
              socket.cancel(ignored);
            });
          }
          handler_.emplace(std::move(handler));
          read(to, size, look);
        },
        asio::use_awaitable);
  }

  PlainSocket socket;
  std::unique_ptr<TlsStream> tls;
  ResponseParser parser;
  std::string head;  ///< of the request that is being sent, and a short body behind it
  std::unique_ptr<char[]> buffer;
  std::size_t capacity = 0, begin = 0, end = 0;
  bool parser_done = false;
  bool sent_all = false;
  bool expired = false;
  Waiter* waiter = nullptr;  ///< of a name look-up, which a closed socket does not end
  Time rested_since{};

 private:
  void on_deadline() override {
    expired = true;
    close();
    if (waiter) waiter->notify();
  }
  void on_read(ErrorCode ec, std::size_t size) override {
    auto handler = std::move(*handler_);
    handler_.reset();
    auto slot = asio::get_associated_cancellation_slot(handler);
    if (slot.is_connected()) slot.clear();
    std::move(handler)(Received(ec, size));
  }
  /// The coroutine goes with its handler, and this object with the coroutine.
  void on_abandoned() override {
    const auto handler = std::move(*handler_);
    handler_.reset();
  }

  using Handler = asio::async_result<asio::use_awaitable_t<>, void(Received)>::handler_type;
  std::optional<Handler> handler_;
};
using LinkPtr = std::unique_ptr<Link>;

/// The idle connections of one context, of all clients. Touched on that context's thread only.
class Pool final : public asio::execution_context::service {
 public:
  static inline asio::execution_context::id id;
  explicit Pool(asio::io_context& context) : service(context), deadlines(context) {}

  LinkPtr take(std::uint64_t origin, Time now, const HttpClientOptions& options) {
    purge(now, options);
    const auto found = idle_.find(origin);
    if (found == idle_.end()) return nullptr;
    auto& links = found->second;
    while (!links.empty()) {
      auto link = std::move(links.back());  // The freshest: the oldest age out when there is less to do.
      links.pop_back();
      if (now - link->rested_since > options.idle_age_max) continue;
      if (now - link->rested_since < kTrustedRest || still_open(*link)) return link;
    }
    return nullptr;
  }

  void give(std::uint64_t origin, LinkPtr link, const HttpClientOptions& options) {
    link->rested_since = std::chrono::steady_clock::now();
    link->unlink();
    auto& links = idle_[origin];
    if (links.size() < options.idle_per_origin_max) links.push_back(std::move(link));
  }

  DeadlineList deadlines;

 private:
  void shutdown() noexcept override { idle_.clear(); }

  /// A byte that nobody asked for makes a connection as unusable as its end.
  static bool still_open(Link& link) {
    char byte = 0;
    const auto got = ::recv(link.socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  }

  void purge(Time now, const HttpClientOptions& options) {
    if (now - purged_ < kPurgePeriod) return;
    purged_ = now;
    for (auto it = idle_.begin(); it != idle_.end();) {
      std::erase_if(it->second,
                    [&](const LinkPtr& link) { return now - link->rested_since > options.idle_age_max; });
      it = it->second.empty() ? idle_.erase(it) : std::next(it);
    }
  }

  std::unordered_map<std::uint64_t, std::vector<LinkPtr>> idle_;
  Time purged_{};
};

struct Counters {
  std::atomic<std::uint64_t> opened{0}, reused{0}, stale_retries{0}, failures{0};
};
void count(std::atomic<std::uint64_t>& counter) {
  counter.fetch_add(1, std::memory_order_relaxed);
}

/// What a client's calls and the responses that outlive it share.
struct State {
  HttpClientOptions options;
  Counters counters;
};

tl::unexpected<Error> unavailable(const char* code, const Origin& origin, const std::string& what) {
  return fail(ErrorKind::kProviderUnavailable, code, origin.name_text + ": " + what + ".");
}
tl::unexpected<Error> cancelled() {
  return fail(ErrorKind::kCancelled, "cancelled", "The call was cancelled.");
}
tl::unexpected<Error> timed_out(const char* code, const Origin& origin, const std::string& what) {
  return fail(ErrorKind::kProviderTimeout, code, origin.name_text + " " + what + ".");
}

tl::unexpected<Error> garbage(const ParseFailure& failure, const Origin& origin) {
  const std::string code = failure.code;
  return fail(ErrorKind::kProviderGarbage, code == "malformed_http" ? "bad_http" : code,
              origin.name_text + " answered: " + failure.message);
}

/// Times of one call, all absolute.
struct Deadlines {
  Time begin, first_byte, total;
};

Time plus(Time start, Milliseconds timeout) {
  constexpr std::chrono::hours kLongest{24 * 365};
  return start + std::min<std::chrono::nanoseconds>(timeout, kLongest);
}

std::string_view body_of(const HttpCall& call) {
  return call.body_view.empty() ? std::string_view(call.body) : call.body_view;
}

void append_headers(std::string& out, const HttpHeaders& headers) {
  for (const auto& header : headers) {
    out += header.name;
    out += ": ";
    out += header.value;
    out += "\r\n";
  }
}

/// The request's header into `out`, whose memory is used again.
void request_head(const HttpCall& call, const Origin& origin, std::string& out) {
  const auto body = body_of(call);
  out.clear();
  out += call.method;
  out += ' ';
  out += call.target;
  out += " HTTP/1.1\r\nhost: ";
  out += origin.host_header;
  out += "\r\n";
  append_headers(out, call.headers);
  if (call.more_headers) out += *call.more_headers;
  if (!body.empty() || (call.method != "GET" && call.method != "HEAD" && call.method != "DELETE")) {
    std::array<char, 24> digits;
    out += "content-length: ";
    out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), body.size()).ptr);
    out += "\r\n";
  }
  out += "\r\n";
}

Task<bool> was_cancelled() {
  const auto state = co_await asio::this_coro::cancellation_state;
  co_return state.cancelled() != asio::cancellation_type::none;
}

// ---- Connecting -------------------------------------------------------------------------------------------

struct Lookup {
  explicit Lookup(const Executor& executor) : resolver(executor) {}
  Resolver resolver;
  Waiter waiter;
  ErrorCode ec;
  std::vector<tcp::endpoint> endpoints;
  bool done = false;
};

/// The system's look-up cannot be interrupted, so the coroutine can leave it behind.
Task<Result<std::vector<tcp::endpoint>>> resolve(Link* link, const Origin* origin) {
  std::vector<tcp::endpoint> endpoints;
  if (origin->address) {
    endpoints.push_back(*origin->address);
    co_return endpoints;
  }
  const auto lookup = std::make_shared<Lookup>(link->socket.get_executor());
  lookup->resolver.async_resolve(origin->host, origin->port,
                                 [lookup](ErrorCode ec, Resolver::results_type found) {
                                   lookup->ec = ec;
                                   for (const auto& entry : found)
                                     lookup->endpoints.push_back(entry.endpoint());
                                   lookup->done = true;
                                   lookup->waiter.notify();
                                 });
  link->waiter = &lookup->waiter;
  if (!lookup->done) co_await lookup->waiter.wait();
  link->waiter = nullptr;
  if (!lookup->done) {
    if (link->expired) co_return timed_out("connect_timeout", *origin, "could not be looked up in time");
    co_return cancelled();
  }
  if (lookup->ec || lookup->endpoints.empty()) {
    co_return unavailable("dns_failed", *origin, "cannot look up the host name: " + lookup->ec.message());
  }
  co_return std::move(lookup->endpoints);
}

Task<Result<>> connect(Link* link, const Origin* origin) {
  auto endpoints = co_await resolve(link, origin);
  if (!endpoints) co_return tl::unexpected(std::move(endpoints.error()));
  ErrorCode ec;
  for (const auto& endpoint : *endpoints) {
    if (link->expired || co_await was_cancelled()) break;
    link->close();
    std::tie(ec) = co_await link->socket.async_connect(endpoint, kNoThrow);
    if (!ec) break;
  }
  if (link->expired) co_return timed_out("connect_timeout", *origin, "did not accept a connection in time");
  if (co_await was_cancelled()) co_return cancelled();
  if (ec) co_return unavailable("connect_failed", *origin, "cannot connect: " + ec.message());
  link->socket.set_option(tcp::no_delay(true), ec);
  link->socket.non_blocking(true, ec);
  if (!origin->tls) {
    link->ready_to_read();
    co_return Result<>{};
  }

  link->tls = std::make_unique<TlsStream>(link->socket, *origin->tls);
  link->tls->set_verify_callback(asio::ssl::host_name_verification(origin->host), ec);
  if (!origin->address) SSL_set_tlsext_host_name(link->tls->native_handle(), origin->host.c_str());
  std::tie(ec) = co_await link->tls->async_handshake(asio::ssl::stream_base::client, kNoThrow);
  if (link->expired)
    co_return timed_out("connect_timeout", *origin, "did not finish the TLS handshake in time");
  if (co_await was_cancelled()) co_return cancelled();
  if (ec) {
    std::string why = ec.message();
    const long verdict = SSL_get_verify_result(link->tls->native_handle());
    if (verdict != X509_V_OK)
      why = std::string("the certificate is not trusted: ") + X509_verify_cert_error_string(verdict);
    co_return unavailable("tls_failed", *origin, "TLS failed: " + why);
  }
  co_return Result<>{};
}

// ---- Sending and receiving --------------------------------------------------------------------------------

/// Takes `sent` bytes off the front of the parts.
void advance(std::array<asio::const_buffer, 2>& parts, std::size_t sent) {
  for (auto& part : parts) {
    const auto step = std::min(sent, part.size());
    part += step;
    sent -= step;
  }
}

/// Sends what a plain socket takes at once.
void send_now(Link& link, std::array<asio::const_buffer, 2>& parts, ErrorCode& ec) {
  if (link.tls) return;
  const auto sent =
      parts[1].size() == 0 ? link.socket.write_some(parts[0], ec) : link.socket.write_some(parts, ec);
  if (ec == asio::error::would_block || ec == asio::error::try_again) ec = {};
  advance(parts, sent);
}

Task<ErrorCode> send_rest(Link* link, std::array<asio::const_buffer, 2> parts) {
  ErrorCode ec;
  while (parts[0].size() + parts[1].size() > 0 && !ec) {
    std::size_t sent = 0;
    if (link->tls) {
      const auto part = parts[0].size() > 0 ? parts[0] : parts[1];
      std::tie(ec, sent) = co_await link->tls->async_write_some(part, kNoThrow);
    } else {
      std::tie(ec, sent) = co_await link->socket.async_write_some(parts, kNoThrow);
    }
    advance(parts, sent);
  }
  co_return ec;
}

/// Receives once; take() does the rest.
Task<Received> receive(Link& link, Look look) {
  if (link.begin == link.end) link.begin = link.end = 0;
  if (link.end == link.capacity) {
    const std::size_t held = link.end - link.begin;
    const std::size_t capacity = std::max(link.capacity, held + kReadBuffer);
    std::unique_ptr<char[]> next(new char[capacity]);
    if (held > 0) std::memcpy(next.get(), link.buffer.get() + link.begin, held);
    link.buffer = std::move(next);
    link.capacity = capacity;
    link.begin = 0;
    link.end = held;
  }
  char* const to = link.buffer.get() + link.end;
  const std::size_t room = link.capacity - link.end;
  if (!link.tls) return link.receive(to, room, look);
  return link.tls->async_read_some(asio::buffer(to, room), kNoThrow);
}

/// Parses what has come.
ParseProgress take(Link& link, ErrorCode ec, std::size_t got) {
  link.end += got;
  ParseProgress progress = ParseProgress::kNeedMore;
  if (link.begin != link.end) {
    std::size_t used = 0;
    progress = link.parser.feed({link.buffer.get() + link.begin, link.end - link.begin}, used);
    link.begin += used;
  }
  // Only a proper end ends a body that has no length: a reset, or TLS cut short, does not.
  if (ec == asio::error::eof && progress == ParseProgress::kNeedMore) progress = link.parser.finish_at_eof();
  if (progress == ParseProgress::kDone) link.parser_done = true;
  return progress;
}

/// What a failed receive means; called when progress is not kDone.
Task<Error> explain(Link* link, const Origin* origin, ErrorCode ec, ParseProgress progress,
                    const char* late) {
  if (link->expired) {
    co_return timed_out(late, *origin, std::string("did not answer in time (") + late + ")").value();
  }
  if (co_await was_cancelled()) co_return cancelled().value();
  if (progress == ParseProgress::kFailed) co_return garbage(link->parser.failure(), *origin).value();
  const char* when = link->parser.begun() ? "the connection closed in the middle of the answer: "
                                          : "the connection closed before an answer: ";
  co_return unavailable("connection_closed", *origin, when + ec.message()).value();
}

class Client final : public HttpClient {
 public:
  explicit Client(HttpClientOptions options) : state_(std::make_shared<State>()) {
    state_->options = options;
  }

  Result<HttpOriginPtr> origin(const std::string& base_url, const std::string& ca_file) override;
  Task<Result<std::unique_ptr<HttpResponse>>> open(HttpCall call) override;
  Task<Result<HttpWhole>> fetch(HttpCall call) override;
  HttpClientMetrics metrics() const override {
    const auto& from = state_->counters;
    return {from.opened.load(), from.reused.load(), from.stale_retries.load(), from.failures.load()};
  }

 private:
  Task<Result<LinkPtr>> begin(const HttpCall* call, Pool* pool, Deadlines deadlines);

  const std::shared_ptr<State> state_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<asio::ssl::context>>
      tls_contexts_;                                 // guarded by mutex_, key: CA file
  std::map<std::string, std::uint64_t> origin_ids_;  // guarded by mutex_
};

const Origin& origin_of(const HttpCall& call) {
  return static_cast<const Origin&>(*call.origin);
}

Deadlines deadlines_of(const HttpCall& call) {
  const auto now = std::chrono::steady_clock::now();
  Deadlines out;
  out.begin = now;
  out.total = plus(now, call.total_timeout);
  out.first_byte = std::min(plus(now, call.first_byte_timeout), out.total);
  return out;
}

/// The pool of the context that the calling coroutine runs on; checks the call on the way.
Result<Pool*> pool_for(const asio::any_io_executor& executor, const HttpCall& call) {
  const auto* direct = executor.target<Executor>();
  if (!direct || !call.origin) {
    return fail(ErrorKind::kInternal, "bad_call",
                "An HTTP call needs an origin and an io_context to run on.");
  }
  bool clean = single_line(call.target) && call.target.find(' ') == std::string::npos;
  for (const auto& header : call.headers)
    clean = clean && single_line(header.name) && single_line(header.value);
  if (!clean) {
    return fail(ErrorKind::kInternal, "bad_call",
                "The target or a header of an HTTP call holds a line break.");
  }
  return &asio::use_service<Pool>(direct->context());
}

/// Connects or takes an idle connection, sends, and receives until the header is there.
Task<Result<LinkPtr>> Client::begin(const HttpCall* call, Pool* pool, Deadlines deadlines) {
  const Origin& origin = origin_of(*call);
  LinkPtr link = pool->take(origin.id, deadlines.begin, state_->options);
  bool reused = link != nullptr;
  if (reused) count(state_->counters.reused);
  const std::string_view body = body_of(*call);
  const bool joined = body.size() <= kJoinedBytes;
  for (;;) {
    if (!link) {
      const auto executor = co_await asio::this_coro::executor;
      link = std::make_unique<Link>(*executor.target<Executor>(), state_->options.header_bytes_max);
      link->at = std::min(plus(std::chrono::steady_clock::now(), call->connect_timeout), deadlines.total);
      pool->deadlines.add(*link);
      count(state_->counters.opened);
      auto connected = co_await connect(link.get(), &origin);
      if (!connected) co_return tl::unexpected(std::move(connected.error()));
    }
    link->at = deadlines.first_byte;
    pool->deadlines.add(*link);
    link->parser.start(call->method == "HEAD", call->body_bytes_max);
    link->parser_done = false;
    request_head(*call, origin, link->head);
    if (joined) link->head += body;
    std::array<asio::const_buffer, 2> parts{asio::buffer(link->head),
                                            joined ? asio::const_buffer() : asio::buffer(body)};
    ErrorCode ec;
    send_now(*link, parts, ec);
    // A peer that refuses a body may answer and close before all is sent: its answer counts, so a failure to
    // send shows in what is received.
    if (!ec && parts[0].size() + parts[1].size() > 0) ec = co_await send_rest(link.get(), parts);
    link->sent_all = !ec;
    ParseProgress progress = ParseProgress::kNeedMore;
    // What a connection that cannot be sent to still holds is there already, if anything is.
    auto look = link->sent_all ? Look::kIfNew : Look::kFirst;
    do {
      std::size_t got = 0;
      std::tie(ec, got) = co_await receive(*link, look);
      look = Look::kFirst;
      progress = take(*link, ec, got);
      if (link->parser.begun()) link->at = deadlines.total;
    } while (!ec && progress == ParseProgress::kNeedMore && !link->parser.header_done());
    // A connection that failed behind a whole header is left for read() to report.
    if (progress != ParseProgress::kFailed && link->parser.header_done()) {
      if (link->head.capacity() > kHeadKept) std::string().swap(link->head);
      co_return std::move(link);
    }
    const bool late_start = !link->parser.begun() && deadlines.first_byte < deadlines.total;
    Error error = co_await explain(link.get(), &origin, ec, progress,
                                   late_start ? "first_byte_timeout" : "total_timeout");
    // Whoever began to answer had the request and may have charged for it.
    if (error.code == "connection_closed" && link->parser.begun()) error.code = "header_cut";
    if (error.code != "connection_closed" || !reused) {
      co_return tl::unexpected(std::move(error));
    }
    count(state_->counters.stale_retries);
    reused = false;
    link.reset();
  }
}

class Response final : public HttpResponse {
 public:
  Response(std::shared_ptr<State> state, HttpOriginPtr origin, Pool* pool, LinkPtr link, Time total)
      : state_(std::move(state)),
        origin_(std::move(origin)),
        pool_(pool),
        link_(std::move(link)),
        total_(total) {
    status_ = link_->parser.status();
    headers_ = std::move(link_->parser.headers());
  }

  int status() const override { return status_; }
  const HttpHeaders& headers() const override { return headers_; }
  bool at_end() const override { return !link_ || (link_->parser_done && link_->parser.body().empty()); }

  Task<Result<std::optional<std::string>>> read(std::optional<Time> by) override {
    while (link_) {
      if (!link_->parser.body().empty()) {
        std::optional<std::string> bytes(std::move(link_->parser.body()));
        link_->parser.body().clear();
        co_return bytes;
      }
      if (link_->parser_done) {
        if (link_->fit_for_reuse()) pool_->give(origin_id(), std::move(link_), state_->options);
        link_.reset();
        break;
      }
      const bool sooner = by && *by < total_;
      link_->at = sooner ? *by : total_;
      auto [ec, got] = co_await receive(*link_, Look::kFirst);
      const auto progress = take(*link_, ec, got);
      link_->at = total_;
      if (progress == ParseProgress::kFailed ||
          (ec && progress != ParseProgress::kDone && link_->parser.body().empty())) {
        const auto* origin = static_cast<const Origin*>(origin_.get());
        Error error =
            co_await explain(link_.get(), origin, ec, progress, sooner ? "read_timeout" : "total_timeout");
        count(state_->counters.failures);
        link_.reset();
        failed_ = error;
        co_return tl::unexpected(std::move(error));
      }
    }
    if (failed_) co_return tl::unexpected(*failed_);
    co_return std::optional<std::string>();
  }

 private:
  std::uint64_t origin_id() const { return static_cast<const Origin&>(*origin_).id; }

  const std::shared_ptr<State> state_;
  const HttpOriginPtr origin_;
  Pool* const pool_;
  LinkPtr link_;
  const Time total_;
  int status_ = 0;
  HttpHeaders headers_;
  std::optional<Error> failed_;
};

Task<Result<std::unique_ptr<HttpResponse>>> Client::open(HttpCall call) {
  const auto executor = co_await asio::this_coro::executor;
  const auto pool = pool_for(executor, call);
  if (!pool) co_return tl::unexpected(pool.error());
  const auto deadlines = deadlines_of(call);
  auto link = co_await begin(&call, *pool, deadlines);
  if (!link) {
    count(state_->counters.failures);
    co_return tl::unexpected(std::move(link.error()));
  }
  co_return std::make_unique<Response>(state_, std::move(call.origin), *pool, std::move(*link),
                                       deadlines.total);
}

Task<Result<HttpWhole>> Client::fetch(HttpCall call) {
  const auto executor = co_await asio::this_coro::executor;
  const auto pool = pool_for(executor, call);
  if (!pool) co_return tl::unexpected(pool.error());
  const auto deadlines = deadlines_of(call);
  auto begun = co_await begin(&call, *pool, deadlines);
  if (!begun) {
    count(state_->counters.failures);
    co_return tl::unexpected(std::move(begun.error()));
  }
  LinkPtr link = std::move(*begun);
  while (!link->parser_done) {
    auto [ec, got] = co_await receive(*link, Look::kFirst);
    const auto progress = take(*link, ec, got);
    if (progress == ParseProgress::kFailed || (ec && progress != ParseProgress::kDone)) {
      const auto& origin = origin_of(call);
      Error error = co_await explain(link.get(), &origin, ec, progress, "total_timeout");
      if (error.code == "connection_closed") error.code = "body_cut";
      count(state_->counters.failures);
      co_return tl::unexpected(std::move(error));
    }
  }
  HttpWhole whole;
  whole.status = link->parser.status();
  whole.headers = std::move(link->parser.headers());
  whole.body = std::move(link->parser.body());
  if (link->fit_for_reuse()) (*pool)->give(origin_of(call).id, std::move(link), state_->options);
  co_return whole;
}

Result<HttpOriginPtr> Client::origin(const std::string& base_url, const std::string& ca_file) {
  const auto bad = [&](const std::string& why) {
    return fail(ErrorKind::kCallerInvalid, "bad_url", "'" + base_url + "' is not a base URL: " + why,
                "base_url");
  };
  const auto parsed = boost::urls::parse_uri(base_url);
  if (!parsed) return bad("write it as https://host[:port]/path.");
  const auto& url = *parsed;
  const bool tls = url.scheme_id() == boost::urls::scheme::https;
  if (!tls && url.scheme_id() != boost::urls::scheme::http) return bad("only http and https are known.");
  if (url.has_query() || url.has_fragment()) return bad("it must have no query and no fragment.");
  if (url.has_userinfo()) return bad("it must hold no user name; give a key instead.");
  auto out = std::make_shared<Origin>();
  out->host = url.host_address();
  if (out->host.empty()) return bad("it names no host.");
  out->port = url.has_port() ? std::string(url.port()) : tls ? "443" : "80";
  unsigned short port_number = 0;
  const auto read = std::from_chars(out->port.data(), out->port.data() + out->port.size(), port_number);
  if (read.ec != std::errc() || port_number == 0) return bad("its port is not in 1..65535.");
  out->path = std::string(url.encoded_path());
  while (out->path.ends_with('/')) out->path.pop_back();
  const std::string host(url.encoded_host());
  out->host_header = url.has_port() ? host + ":" + out->port : host;
  out->name_text = (tls ? "https://" : "http://") + out->host_header;
  ErrorCode ec;
  const auto address = asio::ip::make_address(out->host, ec);
  if (!ec) out->address = tcp::endpoint(address, port_number);
  std::lock_guard lock(mutex_);
  if (tls) {
    auto& context = tls_contexts_[ca_file];
    if (!context) {
      auto fresh = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_client);
      SSL_CTX_set_min_proto_version(fresh->native_handle(), TLS1_2_VERSION);
      SSL_CTX_set_mode(fresh->native_handle(), SSL_MODE_RELEASE_BUFFERS);
      fresh->set_verify_mode(asio::ssl::verify_peer, ec);
      fresh->set_default_verify_paths(ec);
      if (!ca_file.empty()) {
        fresh->load_verify_file(ca_file, ec);
        if (ec) {
          return fail(ErrorKind::kCallerInvalid, "bad_ca_file",
                      "Cannot read certificates from '" + ca_file + "': " + ec.message() + ".", "ca_file");
        }
      }
      context = std::move(fresh);
    }
    out->tls = context;
  }
  // One server with one trust is one pool, whatever the path and however often the configuration is read.
  auto& id = origin_ids_[out->name_text + ' ' + ca_file];
  if (id == 0) id = next_origin_id();
  out->id = id;
  return HttpOriginPtr(std::move(out));
}

}  // namespace

std::optional<std::string> header_lines(const HttpHeaders& headers) {
  for (const auto& header : headers) {
    if (!single_line(header.name) || !single_line(header.value)) return std::nullopt;
  }
  std::string out;
  append_headers(out, headers);
  return out;
}

std::unique_ptr<HttpClient> make_http_client(HttpClientOptions options) {
  return std::make_unique<Client>(options);
}

}  // namespace brevet::net
