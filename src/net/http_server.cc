#include "net/http_server.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <charconv>
#include <condition_variable>
#include <cstring>
#include <ctime>
#include <mutex>
#include <optional>
#include <thread>

#include "base/log.h"
#include "net/http_parser.h"
#include "net/response_text.h"
#include "net/socket_read.h"
#include "net/waiter.h"

namespace brevet::net {
namespace {

using asio::ip::tcp;
using Acceptor = asio::basic_socket_acceptor<tcp, Executor>;
using Timer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                         asio::wait_traits<std::chrono::steady_clock>, Executor>;
using ErrorCode = boost::system::error_code;
using Time = std::chrono::steady_clock::time_point;

constexpr std::size_t kSmallBuffer = 4 * 1024;   ///< what an idle connection holds
constexpr std::size_t kLargeBuffer = 64 * 1024;  ///< while the body of a large request comes in
constexpr std::size_t kJoinedBytes = 16 * 1024;  ///< bodies up to this are copied behind their header
constexpr std::size_t kLingerBytesMax = 64 * 1024 * 1024;  ///< read over after a refused request
constexpr std::chrono::seconds kLinger{2};
constexpr std::chrono::milliseconds kUnwind{2'000};  ///< for cancelled handlers to end in drain()
constexpr int kBacklog = 4096;
constexpr Time kNever = Time::max();

class Connection;

/// What all threads of one server share.
struct Shared {
  HttpServerOptions options;
  HttpHandler handler;
  std::atomic<std::size_t> open{0};
  std::atomic<bool> draining{false};
  std::mutex mutex;
  std::condition_variable closed;  ///< signalled on every close while draining
};

/// One thread with its context, acceptor and connections; all but `context` is touched on that thread only.
struct Worker {
  explicit Worker(Shared& shared_state) : shared(shared_state) {}
  ~Worker();

  void accept();
  void tick();
  const std::string& date();
  void close_idle();
  void cancel_all();

  Shared& shared;
  std::unique_ptr<asio::io_context> context = std::make_unique<asio::io_context>(1);
  std::optional<asio::executor_work_guard<Executor>> work;
  std::optional<Acceptor> acceptor;
  std::optional<Timer> timer;
  std::optional<Timer> accept_timer;
  std::chrono::milliseconds period{1'000};
  Time now = std::chrono::steady_clock::now();  ///< as of the last tick
  Connection* first = nullptr;                  ///< list of open connections
  std::string date_text;
  std::time_t date_second = 0;
  std::thread thread;
};

/// One client connection: reads, runs one handler at a time, and is the handler's responder. While a handler
/// runs, the read for the next request stays pending, so that a hang-up is seen at no cost.
class Connection final : public HttpResponder,
                         public std::enable_shared_from_this<Connection>,
                         private SocketRead {
 public:
  Connection(Worker& worker, PlainSocket::Base socket)
      : SocketRead(*worker.context, socket_),
        worker_(worker),
        socket_(std::move(socket)),
        parser_({worker.shared.options.header_bytes_max, worker.shared.options.body_bytes_max}) {
    next_ = worker_.first;
    if (next_) next_->previous_ = this;
    worker_.first = this;
    worker_.shared.open.fetch_add(1, std::memory_order_relaxed);
    ready_to_read();
  }
  ~Connection() override {
    if (previous_) {
      previous_->next_ = next_;
    } else {
      worker_.first = next_;
    }
    if (next_) next_->previous_ = previous_;
    Shared& shared = worker_.shared;
    ErrorCode ignored;
    socket_.close(ignored);
    shared.open.fetch_sub(1, std::memory_order_relaxed);
    if (shared.draining.load(std::memory_order_relaxed)) {
      std::lock_guard lock(shared.mutex);
      shared.closed.notify_all();
    }
  }

  static void start(std::shared_ptr<Connection> self) {
    auto& connection = *self;
    asio::co_spawn(connection.socket_.get_executor(), connection.serve(self),
                   asio::bind_cancellation_slot(connection.signal_.slot(), asio::detached));
  }

  Task<Result<>> respond(int status, HttpHeaders headers, std::string body) override {
    std::string lines;
    append_headers(lines, headers);
    return respond_text(status, std::move(lines), std::move(body));
  }
  Task<Result<>> respond_lines(int status, HeaderLines lines, std::string body) override {
    return respond_text(status, std::move(lines).take(), std::move(body));
  }
  Task<Result<>> respond_text(int status, std::string lines, std::string body) {
    if (phase_ != Phase::kHandling || answer_ != AnswerState::kNone) co_return wrong_order();
    answer_ = AnswerState::kDone;
    out_.clear();
    write_head(status, lines);
    const bool bodiless = status == 204 || status == 304;
    if (!bodiless) {
      out_ += std::string_view("content-length: ");
      append_number(out_, body.size());
      out_ += std::string_view("\r\n");
    }
    out_ += std::string_view("\r\n");
    if (bodiless || head_request_) body.clear();
    if (body.size() <= kJoinedBytes && !peer_gone_) {
      out_ += body;
      send_what_fits();
      if (out_.empty()) co_return Result<>{};
      body.clear();
    }
    co_return co_await send(std::move(body), {});
  }

  Task<Result<>> start_stream(int status, HttpHeaders headers) override {
    if (phase_ != Phase::kHandling || answer_ != AnswerState::kNone) co_return wrong_order();
    answer_ = AnswerState::kStream;
    out_.clear();
    if (!http_1_1_) keep_alive_ = false;  // Only the end of the connection ends such a body.
    std::string lines;
    append_headers(lines, headers);
    write_head(status, lines);
    out_ += http_1_1_ ? "transfer-encoding: chunked\r\n\r\n" : "\r\n";
    // The header waits for the first bytes of the body, but no longer than until this thread is free.
    asio::post(socket_.get_executor(), [self = shared_from_this(), number = requests_] {
      if (self->requests_ == number && self->answer_ == AnswerState::kStream && !self->sending_) {
        self->send_what_fits();
      }
    });
    co_return peer_gone_ ? gone() : Result<>{};
  }

  Task<Result<>> write(std::string bytes) override {
    if (answer_ != AnswerState::kStream) co_return wrong_order();
    if (bytes.empty() || head_request_) co_return peer_gone_ ? gone() : Result<>{};
    if (http_1_1_) {
      append_number(out_, bytes.size(), 16);
      out_ += "\r\n";
      co_return co_await send(std::move(bytes), "\r\n");
    }
    co_return co_await send(std::move(bytes), {});
  }

  Task<Result<>> finish() override {
    if (answer_ != AnswerState::kStream) co_return wrong_order();
    answer_ = AnswerState::kDone;
    if (http_1_1_ && !head_request_) out_ += "0\r\n\r\n";
    co_return co_await send({}, {});
  }

  /// Called by the worker's sweep.
  void check(Time now) {
    if (now < deadline_) return;
    deadline_ = kNever;
    if (phase_ == Phase::kReading) timed_out_ = true;
    if (phase_ == Phase::kReading && waiter_.waiting()) {
      waiter_.notify();
    } else {
      abort();
    }
  }
  void close_if_idle() {
    if (phase_ == Phase::kIdle) abort();
  }
  void cancel() {
    if (phase_ == Phase::kHandling) {
      keep_alive_ = false;
      signal_.emit(asio::cancellation_type::terminal);
    } else {
      abort();
    }
  }
  Connection* next() const { return next_; }

 private:
  enum class Phase { kIdle, kReading, kHandling, kLingering };
  enum class AnswerState { kNone, kStream, kDone };

  static tl::unexpected<Error> gone() {
    return fail(ErrorKind::kCancelled, "client_gone", "The client closed the connection.");
  }
  static Result<> wrong_order() {
    return fail(ErrorKind::kInternal, "answered_twice", "The handler answered twice or out of order.");
  }

  void set_deadline(std::chrono::milliseconds after) { deadline_ = worker_.now + worker_.period + after; }

  void abort() {
    peer_gone_ = true;
    ErrorCode ignored;
    socket_.close(ignored);
    if (!reading_) waiter_.notify();
  }

  Task<void> serve([[maybe_unused]] std::shared_ptr<Connection> self) {  // `self` keeps this alive.
    const auto& options = worker_.shared.options;
    co_await asio::this_coro::throw_if_cancelled(false);
    while (!peer_gone_) {
      phase_ = begin_ == end_ ? Phase::kIdle : Phase::kReading;
      if (phase_ == Phase::kIdle && worker_.shared.draining.load(std::memory_order_relaxed)) break;
      set_deadline(phase_ == Phase::kIdle ? std::chrono::milliseconds(options.idle_timeout)
                                          : std::chrono::milliseconds(options.read_timeout));
      renew_request();
      std::optional<ParseFailure> failure;
      if (!co_await read_request(failure)) {
        if (failure) co_await refuse(*failure);
        break;
      }
      co_await run_handler();
      if (!keep_alive_ || answer_ != AnswerState::kDone || peer_gone_) break;
    }
    ErrorCode ignored;
    socket_.close(ignored);
    phase_ = Phase::kLingering;
  }

  /// The request object is used again unless a handler kept it.
  void renew_request() {
    if (request_ && request_.use_count() == 1 && request_->body.capacity() <= kLargeBuffer) {
      request_->headers.clear();
      request_->body.clear();
    } else {
      request_ = std::make_shared<HttpRequest>();
      request_->peer = peer_;
    }
    parser_.start(*request_);
    continued_ = false;
  }

  /// True with a whole request; false with a failure to answer, or none when the client is gone.
  Task<bool> read_request(std::optional<ParseFailure>& failure) {
    for (;;) {
      if (begin_ != end_) {
        if (phase_ == Phase::kIdle) {
          phase_ = Phase::kReading;
          set_deadline(worker_.shared.options.read_timeout);
        }
        skip_empty_lines();
        std::size_t used = 0;
        const auto progress = parser_.feed({buffer_.get() + begin_, end_ - begin_}, used);
        begin_ += used;
        started_ = started_ || used > 0;
        if (progress == ParseProgress::kDone) co_return true;
        if (progress == ParseProgress::kFailed) {
          failure = parser_.failure();
          co_return false;
        }
        if (parser_.header_done() && parser_.expects_continue() && !continued_ && begin_ == end_) {
          continued_ = true;
          static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
          ErrorCode ignored;
          socket_.write_some(asio::buffer(kContinue), ignored);
        }
      }
      if (peer_gone_) co_return false;
      if (!reading_) start_read();
      co_await waiter_.wait();
      if (timed_out_) {
        failure = ParseFailure{408, "request_timeout", "The request did not arrive in time."};
        co_return false;
      }
    }
  }

  /// Some clients end a body with a line break that is not part of it.
  void skip_empty_lines() {
    while (!started_ && begin_ != end_ && (buffer_[begin_] == '\r' || buffer_[begin_] == '\n')) ++begin_;
  }

  Task<void> run_handler() {
    started_ = false;
    phase_ = Phase::kHandling;
    deadline_ = kNever;
    answer_ = AnswerState::kNone;
    ++requests_;
    http_1_1_ = parser_.http_1_1();
    head_request_ = request_->method == "HEAD";
    keep_alive_ = parser_.keep_alive();
    if (!in_read_callback_ && !reading_) start_read();
    bool threw = false;
    co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
    co_await asio::this_coro::throw_if_cancelled(true);
    try {
      co_await worker_.shared.handler(request_, *this);
    } catch (const std::exception& error) {
      threw = true;
      // A cancelled coroutine ends by an exception; that is no fault.
      if (!peer_gone_) spdlog::error("request handler failed: {}", error.what());
    }
    co_await asio::this_coro::throw_if_cancelled(false);
    if (answer_ == AnswerState::kNone && !peer_gone_) {
      keep_alive_ = keep_alive_ && !threw;
      // gcc 12 copies braced temporaries inside co_await bit by bit, so this one has a name.
      const ParseFailure failure{500, "internal_error", "The server failed to answer this request."};
      co_await respond_error(failure);
    }
    // A stream that was begun and not finished is cut: closing without the last chunk says so.
  }

  Task<void> respond_error(ParseFailure failure) {
    const auto& error_body = worker_.shared.options.error_body;
    HttpHeaders headers{{"content-type", error_body ? "application/json" : "text/plain"}};
    auto body =
        error_body ? error_body(failure.status, failure.code, failure.message) : failure.message + "\n";
    co_await respond(failure.status, std::move(headers), std::move(body));
  }

  /// Answers a request that could not be read, and reads over what the client still sends: closing at once
  /// would reset the connection and could destroy the answer on its way.
  Task<void> refuse(ParseFailure failure) {
    phase_ = Phase::kHandling;
    deadline_ = kNever;
    answer_ = AnswerState::kNone;
    ++requests_;
    http_1_1_ = true;
    head_request_ = false;
    keep_alive_ = false;
    co_await respond_error(failure);
    phase_ = Phase::kLingering;
    ErrorCode ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
    set_deadline(kLinger);
    std::size_t left = kLingerBytesMax;
    while (!peer_gone_ && left > 0) {
      const std::size_t got = end_ - begin_;
      left -= std::min(left, got);
      begin_ = end_;
      if (!reading_) start_read();
      co_await waiter_.wait();
    }
  }

  void start_read() {
    if (!socket_.is_open()) {
      peer_gone_ = true;
      return;
    }
    const std::size_t held = end_ - begin_;
    std::size_t want = kSmallBuffer;
    if (phase_ == Phase::kReading && started_) want = kLargeBuffer;
    if (phase_ == Phase::kReading) want = std::max(want, held + kSmallBuffer);
    if (capacity_ < want || (held == 0 && capacity_ > want)) {
      std::unique_ptr<char[]> larger(new char[want]);
      if (held > 0) std::memcpy(larger.get(), buffer_.get() + begin_, held);
      buffer_ = std::move(larger);
      capacity_ = want;
      begin_ = 0;
      end_ = held;
    } else if (begin_ > 0) {
      std::memmove(buffer_.get(), buffer_.get() + begin_, held);
      begin_ = 0;
      end_ = held;
    }
    if (end_ == capacity_) return;  // Enough of the next requests is here; their handlers come first.
    reading_ = true;
    reader_ = shared_from_this();
    // After a whole request only a hang-up can follow at once; a reset right behind it shows when it is
    // answered.
    const bool inside = phase_ == Phase::kReading || phase_ == Phase::kLingering;
    read(buffer_.get() + end_, capacity_ - end_, inside ? Look::kFirst : Look::kIfNew);
  }

  void on_abandoned() override { const auto self = std::move(reader_); }
  void on_read(ErrorCode ec, std::size_t n) override {
    const auto self = std::move(reader_);
    reading_ = false;
    end_ += n;
    if (ec) {
      peer_gone_ = true;
      if (phase_ == Phase::kHandling) {
        signal_.emit(asio::cancellation_type::terminal);
        return;
      }
    }
    in_read_callback_ = true;
    waiter_.notify();
    in_read_callback_ = false;
    // The handler may be suspended now: the next read watches for a hang-up meanwhile.
    if (phase_ == Phase::kHandling && !peer_gone_ && !reading_) start_read();
  }

  /// All of the header but what says how the body ends.
  void write_head(int status, std::string_view lines) {
    using namespace std::string_view_literals;
    if (worker_.shared.draining.load(std::memory_order_relaxed)) keep_alive_ = false;
    out_ += "HTTP/1.1 "sv;
    append_number(out_, static_cast<std::uint64_t>(std::clamp(status, 100, 999)));
    out_ += ' ';
    out_ += reason_of(status);
    out_ += "\r\ndate: "sv;
    out_ += worker_.date();
    out_ += "\r\n"sv;
    out_ += lines;
    if (!keep_alive_) {
      out_ += "connection: close\r\n"sv;
    } else if (!http_1_1_) {
      out_ += "connection: keep-alive\r\n"sv;
    }
  }

  /// Writes as much of out_ as the socket takes at once and keeps the rest.
  void send_what_fits() {
    if (out_.empty()) return;
    ErrorCode ec;
    const auto sent = socket_.write_some(asio::buffer(out_), ec);
    if (ec && ec != asio::error::would_block) peer_gone_ = true;
    out_.erase(0, sent);
  }

  /// Writes out_, `bytes` and `tail` in one go; suspends only when the socket is full.
  Task<Result<>> send(std::string bytes, std::string_view tail) {
    if (peer_gone_) co_return gone();
    if (bytes.size() + tail.size() <= kJoinedBytes) {
      out_ += bytes;
      out_ += tail;
      bytes.clear();
      tail = {};
    }
    std::array<asio::const_buffer, 3> parts{asio::buffer(out_), asio::buffer(bytes),
                                            asio::const_buffer(tail.data(), tail.size())};
    std::size_t left = out_.size() + bytes.size() + tail.size();
    ErrorCode ec;
    while (left > 0) {
      std::size_t sent = parts[1].size() + parts[2].size() == 0 ? socket_.write_some(parts[0], ec)
                                                                : socket_.write_some(parts, ec);
      if (ec == asio::error::would_block || ec == asio::error::try_again) {
        sending_ = true;
        set_deadline(worker_.shared.options.idle_timeout);
        std::tie(ec, sent) = co_await socket_.async_write_some(parts, kNoThrow);
        sending_ = false;
        deadline_ = kNever;
      }
      if (ec) {
        out_.clear();
        peer_gone_ = true;
        co_return gone();
      }
      left -= sent;
      for (auto& part : parts) {
        const auto step = std::min(sent, part.size());
        part += step;
        sent -= step;
      }
    }
    if (out_.capacity() > kLargeBuffer) std::string().swap(out_);
    out_.clear();
    co_return Result<>{};
  }

 public:
  void set_peer(std::string peer) { peer_ = std::move(peer); }

 private:
  Worker& worker_;
  PlainSocket socket_;
  std::shared_ptr<Connection> reader_;  ///< this, while a read is pending
  asio::cancellation_signal signal_;
  Waiter waiter_;
  RequestParser parser_;
  std::shared_ptr<HttpRequest> request_;
  std::string peer_;
  std::unique_ptr<char[]> buffer_;
  std::size_t capacity_ = 0, begin_ = 0, end_ = 0;
  std::string out_;
  Time deadline_ = kNever;
  std::uint64_t requests_ = 0;
  Phase phase_ = Phase::kIdle;
  AnswerState answer_ = AnswerState::kNone;
  bool reading_ = false;
  bool in_read_callback_ = false;
  bool started_ = false;  ///< the parser has taken bytes of this request
  bool continued_ = false;
  bool sending_ = false;
  bool timed_out_ = false;
  bool peer_gone_ = false;
  bool keep_alive_ = true;
  bool http_1_1_ = true;
  bool head_request_ = false;
  Connection* previous_ = nullptr;
  Connection* next_ = nullptr;
};

Worker::~Worker() {
  work.reset();
  acceptor.reset();
  timer.reset();
  accept_timer.reset();
  context.reset();  // Ends what handlers are left, whose connections still use the rest of this object.
}

const std::string& Worker::date() {
  const std::time_t second = std::time(nullptr);
  if (second != date_second) {
    date_second = second;
    std::tm parts{};
    gmtime_r(&second, &parts);
    std::array<char, 40> text;
    date_text.assign(text.data(),
                     std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts));
  }
  return date_text;
}

void Worker::accept() {
  acceptor->async_accept([this](ErrorCode ec, PlainSocket::Base socket) {
    if (!acceptor->is_open()) return;
    if (ec) {
      if (ec == asio::error::operation_aborted) return;
      // Out of descriptors, most likely: accepting again at once would spin.
      accept_timer->expires_after(std::chrono::milliseconds(100));
      accept_timer->async_wait([this](ErrorCode stopped) {
        if (!stopped && acceptor->is_open()) accept();
      });
      return;
    }
    ErrorCode ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    socket.non_blocking(true, ignored);
    if (shared.open.load(std::memory_order_relaxed) >= shared.options.connections_max) {
      const std::string message = "Too many open connections.";
      const auto& make = shared.options.error_body;
      const auto body = make ? make(503, "too_many_connections", message) : message;
      std::string answer =
          "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\ncontent-type: ";
      answer += make ? "application/json" : "text/plain";
      answer += "\r\ncontent-length: ";
      append_number(answer, body.size());
      answer += "\r\n\r\n" + body;
      socket.write_some(asio::buffer(answer), ignored);
    } else {
      const auto peer = socket.remote_endpoint(ignored);
      auto connection = std::make_shared<Connection>(*this, std::move(socket));
      connection->set_peer(peer.address().to_string());
      Connection::start(std::move(connection));
    }
    accept();
  });
}

void Worker::tick() {
  timer->expires_after(period);
  timer->async_wait([this](ErrorCode ec) {
    if (ec) return;
    now = std::chrono::steady_clock::now();
    for (Connection* connection = first; connection != nullptr;) {
      const auto hold = connection->shared_from_this();
      connection->check(now);
      connection = hold->next();
    }
    tick();
  });
}

void Worker::close_idle() {
  for (Connection* connection = first; connection != nullptr;) {
    const auto hold = connection->shared_from_this();
    connection->close_if_idle();
    connection = hold->next();
  }
}

void Worker::cancel_all() {
  for (Connection* connection = first; connection != nullptr;) {
    const auto hold = connection->shared_from_this();
    connection->cancel();
    connection = hold->next();
  }
}

class Server final : public HttpServer {
 public:
  Server(HttpServerOptions options, HttpHandler handler) {
    shared_.options = std::move(options);
    shared_.handler = std::move(handler);
  }
  ~Server() override { drain(std::chrono::milliseconds(0)); }

  Result<> bind() {
    const auto& options = shared_.options;
    ErrorCode ec;
    const auto address = asio::ip::make_address(options.address, ec);
    if (ec) {
      return fail(ErrorKind::kCallerInvalid, "bad_address",
                  "'" + options.address + "' is not an IP address to listen on.", "address");
    }
    tcp::endpoint endpoint(address, options.port);
    const int threads = std::clamp(options.threads, 1, 256);
    const auto shortest = std::min<std::chrono::milliseconds>(options.idle_timeout, options.read_timeout);
    if (threads > 1 && options.port != 0) {
      // Sockets that share a port do not notice a foreign server on it; one that does not share does.
      asio::io_context context;
      tcp::acceptor probe(context);
      if (auto opened = open_on(probe, endpoint, false); !opened) return opened;
    }
    for (int i = 0; i < threads; ++i) {
      auto worker = std::make_unique<Worker>(shared_);
      worker->period =
          std::clamp(shortest / 4, std::chrono::milliseconds(10), std::chrono::milliseconds(1'000));
      worker->acceptor.emplace(worker->context->get_executor());
      worker->timer.emplace(worker->context->get_executor());
      worker->accept_timer.emplace(worker->context->get_executor());
      worker->work.emplace(worker->context->get_executor());
      if (auto opened = open_on(*worker->acceptor, endpoint, threads > 1); !opened) return opened;
      endpoint.port(worker->acceptor->local_endpoint(ec).port());
      workers_.push_back(std::move(worker));
    }
    port_ = endpoint.port();
    return {};
  }

  std::uint16_t port() const override { return port_; }
  std::vector<asio::io_context*> contexts() override {
    std::vector<asio::io_context*> out;
    for (auto& worker : workers_) out.push_back(worker->context.get());
    return out;
  }

  void start() override {
    if (started_) return;
    started_ = true;
    for (auto& worker : workers_) {
      asio::post(*worker->context, [w = worker.get()] {
        w->accept();
        w->tick();
      });
      worker->thread = std::thread([w = worker.get()] {
        for (;;) {
          try {
            w->context->run();
            return;
          } catch (const std::exception& error) {
            spdlog::error("unhandled exception on a server thread: {}", error.what());
          }
        }
      });
    }
  }

  void drain(std::chrono::milliseconds grace) override {
    if (drained_) return;
    drained_ = true;
    if (!started_) {
      for (auto& worker : workers_) worker->acceptor.reset();
      return;
    }
    shared_.draining = true;
    on_workers([](Worker& worker) {
      ErrorCode ignored;
      worker.acceptor->close(ignored);
      worker.close_idle();
    });
    wait_for_none(grace);
    if (open_connections() > 0) {
      on_workers([](Worker& worker) { worker.cancel_all(); });
      wait_for_none(kUnwind);
    }
    for (auto& worker : workers_) {
      worker->context->stop();
      worker->thread.join();
    }
  }

  std::size_t open_connections() const override { return shared_.open.load(std::memory_order_relaxed); }

 private:
  template <class AnyAcceptor>
  Result<> open_on(AnyAcceptor& acceptor, const tcp::endpoint& endpoint, bool share_port) {
    ErrorCode ec;
    acceptor.open(endpoint.protocol(), ec);
    if (!ec) acceptor.set_option(asio::socket_base::reuse_address(true), ec);
    const int on = 1;
    if (!ec && share_port) ::setsockopt(acceptor.native_handle(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (!ec) acceptor.bind(endpoint, ec);
    if (!ec) acceptor.listen(kBacklog, ec);
    if (!ec) return {};
    const std::string where = endpoint.address().to_string() + ":" + std::to_string(endpoint.port());
    if (ec == asio::error::address_in_use) {
      return fail(ErrorKind::kCallerInvalid, "address_in_use",
                  "Something else already listens on " + where + "; stop it or choose another port.", "port");
    }
    return fail(ErrorKind::kCallerInvalid, "bad_address",
                "Cannot listen on " + where + ": " + ec.message() + ".", "address");
  }

  /// Runs on every worker's thread and waits, within kUnwind, until it has.
  void on_workers(void (*action)(Worker&)) {
    const auto left = std::make_shared<std::atomic<std::size_t>>(workers_.size());
    for (auto& worker : workers_) {
      asio::post(*worker->context, [this, action, left, w = worker.get()] {
        action(*w);
        std::lock_guard lock(shared_.mutex);
        left->fetch_sub(1);
        shared_.closed.notify_all();
      });
    }
    // A handler that blocks its thread must not block the shutdown for ever.
    std::unique_lock lock(shared_.mutex);
    shared_.closed.wait_for(lock, kUnwind, [&] { return left->load() == 0; });
  }

  void wait_for_none(std::chrono::milliseconds patience) {
    std::unique_lock lock(shared_.mutex);
    shared_.closed.wait_for(lock, patience, [&] { return open_connections() == 0; });
  }

  Shared shared_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::uint16_t port_ = 0;
  bool started_ = false;
  bool drained_ = false;
};

}  // namespace

std::string_view HttpRequest::path() const {
  const std::string_view whole = target;
  return whole.substr(0, whole.find('?'));
}

Result<std::unique_ptr<HttpServer>> make_http_server(HttpServerOptions options, HttpHandler handler) {
  auto server = std::make_unique<Server>(std::move(options), std::move(handler));
  if (auto bound = server->bind(); !bound) return tl::unexpected(bound.error());
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace brevet::net
