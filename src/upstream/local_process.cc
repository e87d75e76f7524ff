#include "upstream/local_process.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <filesystem>
#include <future>
#include <thread>

#include "base/log.h"
#include "net/child_process.h"

namespace brevet {
namespace {

/// Another process may take a free port between our finding it and the server's binding it.
constexpr int kPortTriesMax = 3;
constexpr Milliseconds kHealthPause{50};  ///< between health checks at first; doubled up to the next
constexpr Milliseconds kHealthPauseMax{500};
constexpr Milliseconds kHealthTimeout{2'000};

std::uint16_t free_port() {
  using asio::ip::tcp;
  asio::io_context context;
  boost::system::error_code ec;
  tcp::acceptor acceptor(context);
  acceptor.open(tcp::v4(), ec);
  acceptor.bind(tcp::endpoint(asio::ip::address_v4::loopback(), 0), ec);
  return acceptor.local_endpoint(ec).port();
}

class LlamaServer final : public LocalModel {
 public:
  LlamaServer(LocalModelOptions options, net::HttpClient& http, Clock& clock)
      : options_(std::move(options)), http_(http), clock_(clock) {}
  ~LlamaServer() override {
    if (!thread_.joinable()) return;
    asio::post(context_, [this] {
      stopping_ = true;
      signal_.emit(asio::cancellation_type::terminal);
    });
    thread_.join();
  }

  Result<> start() {
    for (int tries = 1;; ++tries) {
      port_ = options_.port != 0 ? options_.port : free_port();
      HttpModelOptions http = options_.http;
      http.base_url = "http://127.0.0.1:" + std::to_string(port_) + "/v1";
      auto client = make_http_model_client(http, http_, clock_);
      if (!client) return tl::unexpected(client.error());
      auto health = http_.origin("http://127.0.0.1:" + std::to_string(port_));
      if (!health) return tl::unexpected(health.error());
      client_ = std::move(*client);
      origin_ = std::move(*health);
      auto started = run_thread();
      if (started) return started;
      const bool again =
          started.error().code == "local_start_failed" && options_.port == 0 && tries < kPortTriesMax;
      if (!again) return started;
    }
  }

  ModelClientPtr client() override { return client_; }
  LocalState state() const override { return state_.load(); }
  std::uint16_t port() const override { return port_; }
  int restarts() const override { return restarts_.load(); }

 private:
  Result<> run_thread() {
    first_ = std::promise<Result<>>();
    state_ = LocalState::kStarting;
    auto first = first_.get_future();
    context_.restart();
    asio::co_spawn(context_, supervise(), asio::bind_cancellation_slot(signal_.slot(), asio::detached));
    thread_ = std::thread([this] { context_.run(); });
    auto out = first.get();
    if (!out) thread_.join();
    return out;
  }

  std::vector<std::string> arguments() const {
    std::vector<std::string> out = {options_.server,
                                    "-m",
                                    options_.gguf,
                                    "--host",
                                    "127.0.0.1",
                                    "--port",
                                    std::to_string(port_),
                                    "-c",
                                    std::to_string(options_.context_tokens * std::max(options_.slots, 1)),
                                    "-np",
                                    std::to_string(std::max(options_.slots, 1)),
                                    "--alias",
                                    options_.http.id};
    if (options_.threads > 0) {
      out.push_back("-t");
      out.push_back(std::to_string(options_.threads));
    }
    out.insert(out.end(), options_.extra_arguments.begin(), options_.extra_arguments.end());
    return out;
  }

  /// Starts and watches until told to stop, or until starting again has failed too often in a row.
  Task<void> supervise() {
    co_await asio::this_coro::throw_if_cancelled(false);
    bool first = true;
    int in_a_row = 0;
    while (!stopping_) {
      net::ChildProcessOptions child_options;
      child_options.arguments = arguments();
      child_options.log_file = options_.log_file;
      child_options.grace = options_.grace;
      auto started = net::start_child(std::move(child_options));
      Error why;
      if (started) {
        child_ = std::move(*started);
        why = co_await until_healthy();
        if (why.code.empty()) {
          in_a_row = 0;
          state_ = LocalState::kHealthy;
          if (std::exchange(first, false)) first_.set_value(Result<>{});
          co_await until_exit();
          if (!stopping_)
            spdlog::warn("model '{}': llama-server ended and is started again", options_.http.name);
        }
        child_.reset();
      } else {
        why = started.error();
        why.code = "local_start_failed";
      }
      if (stopping_) break;
      if (first) {
        state_ = LocalState::kDown;
        first_.set_value(tl::unexpected<Error>(std::move(why)));
        co_return;
      }
      if (++in_a_row > options_.restarts_max) break;
      state_ = LocalState::kRestarting;
      co_await pause(options_.restart_backoff * (std::int64_t{1} << std::min(in_a_row - 1, 10)));
      if (!stopping_) restarts_.fetch_add(1);
    }
    state_ = LocalState::kDown;
    if (first) first_.set_value(fail(ErrorKind::kInternal, "local_start_failed", "Stopped while starting."));
    if (!stopping_) {
      spdlog::error("model '{}': llama-server failed {} times in a row and stays down", options_.http.name,
                    in_a_row);
    }
  }

  Task<void> pause(Milliseconds time) {
    asio::steady_timer timer(co_await asio::this_coro::executor, time);
    co_await timer.async_wait(kNoThrow);
  }

  Task<void> until_exit() {
    const int copy = ::dup(child_->exit_descriptor());
    if (copy < 0) co_return;
    asio::posix::stream_descriptor exit(co_await asio::this_coro::executor, copy);
    while (!stopping_ && !child_->exit_code()) {
      co_await exit.async_wait(asio::posix::stream_descriptor::wait_read, kNoThrow);
    }
  }

  /// An error with an empty code once /health answers 200.
  Task<Error> until_healthy() {
    const auto deadline = std::chrono::steady_clock::now() + options_.start_timeout;
    Milliseconds wait = kHealthPause;
    const std::string log = options_.log_file.empty() ? "" : " Its output is in " + options_.log_file + ".";
    Error error;
    while (!stopping_) {
      if (const auto code = child_->exit_code()) {
        error.code = "local_start_failed";
        error.message = "'" + options_.server + "' ended with code " + std::to_string(*code) +
                        " before it was ready." + log;
        co_return error;
      }
      net::HttpCall check;
      check.origin = origin_;
      check.target = "/health";
      check.connect_timeout = check.first_byte_timeout = check.total_timeout = kHealthTimeout;
      const auto answer = co_await http_.fetch(std::move(check));
      if (answer && answer->status == 200 && !child_->exit_code()) co_return error;
      if (std::chrono::steady_clock::now() >= deadline) {
        error.code = "local_start_timeout";
        error.message = "'" + options_.server + "' was not ready after " +
                        std::to_string(options_.start_timeout.count()) + " ms." + log;
        co_return error;
      }
      co_await pause(wait);
      wait = std::min(wait * 2, kHealthPauseMax);
    }
    error.code = "cancelled";
    co_return error;
  }

  const LocalModelOptions options_;
  net::HttpClient& http_;
  Clock& clock_;
  ModelClientPtr client_;
  net::HttpOriginPtr origin_;
  std::uint16_t port_ = 0;
  std::atomic<LocalState> state_{LocalState::kStarting};
  std::atomic<int> restarts_{0};
  std::promise<Result<>> first_;
  asio::io_context context_{1};
  // Touched on thread_ only.
  asio::cancellation_signal signal_;
  std::unique_ptr<net::ChildProcess> child_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace

const char* name_of(LocalState state) {
  switch (state) {
    case LocalState::kStarting:
      return "starting";
    case LocalState::kHealthy:
      return "healthy";
    case LocalState::kRestarting:
      return "restarting";
    case LocalState::kDown:
      return "down";
  }
  return "down";
}

Result<std::unique_ptr<LocalModel>> start_local_model(LocalModelOptions options, net::HttpClient& http,
                                                      Clock& clock) {
  if (::access(options.server.c_str(), X_OK) != 0) {
    return fail(ErrorKind::kCallerInvalid, "local_server_missing",
                "'" + options.server + "' is not a program that can be run; give the path of llama-server.",
                "server");
  }
  if (::access(options.gguf.c_str(), R_OK) != 0) {
    return fail(ErrorKind::kCallerInvalid, "local_model_missing",
                "The model file '" + options.gguf + "' cannot be read.", "file");
  }
  if (options.http.id.empty()) options.http.id = std::filesystem::path(options.gguf).stem().string();
  if (options.http.name.empty()) options.http.name = options.http.id;
  auto out = std::make_unique<LlamaServer>(std::move(options), http, clock);
  if (auto started = out->start(); !started) return tl::unexpected(started.error());
  return std::unique_ptr<LocalModel>(std::move(out));
}

}  // namespace brevet
