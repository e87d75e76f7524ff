#include "upstream/http_model_client.h"

#include <time.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <mutex>

#include "base/log.h"
#include "base/random.h"
#include "wire/openai_chat.h"
#include "wire/sse.h"

namespace brevet {
namespace {

using Steady = std::chrono::steady_clock;

constexpr std::size_t kErrorBytesMax = 16 * 1024;  ///< of a provider's error body
/// How long the end of a finished stream is waited for, off the request path, to keep its connection.
constexpr std::chrono::seconds kTailPatience{2};
/// What a failed try adds to a call's cost when the provider did no work: nothing, exactly.
const Cost kNothing{Money{}, CostBasis::kRecorded};

/// One try at a call: how it failed, and whether another may help.
struct TryFailure {
  Error error;
  bool retry = false;
  bool upstream_at_fault = true;  ///< counts for the breaker
  std::optional<Milliseconds> retry_after;
  std::optional<Answer> partial;
  Cost cost = kNothing;
};
using TryResult = tl::expected<Answer, TryFailure>;

tl::unexpected<TryFailure> failed(TryFailure failure) {
  return tl::unexpected<TryFailure>(std::move(failure));
}

/// What stays the same over the tries of one call.
struct Exchange {
  std::string rendered;   ///< empty when the client's bytes go as they came
  std::string_view body;  ///< of `rendered` or of the request
  wire::Hide hide;
  bool stream = false;
  bool include_usage = false;
  StreamSink* sink = nullptr;
  Steady::time_point deadline;  ///< of the whole call
  std::chrono::nanoseconds start{0};
  std::optional<Microseconds> first_token;
  bool streamed = false;
  std::optional<Money> recorded_cost;  ///< as the newest response's header said
};

std::optional<Milliseconds> parse_retry_after(const net::HttpHeaders& headers, Instant now) {
  const auto number = [](std::string_view text) -> std::optional<double> {
    double value = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
    return value >= 0 && value < 1e7 ? std::optional(value) : std::nullopt;
  };
  if (const auto ms = number(net::find_header(headers, "retry-after-ms"))) {
    return Milliseconds(static_cast<std::int64_t>(*ms));
  }
  const std::string text(net::find_header(headers, "retry-after"));
  if (text.empty()) return std::nullopt;
  if (const auto seconds = number(text)) return Milliseconds(static_cast<std::int64_t>(*seconds * 1000));
  tm parts{};
  if (!::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts)) return std::nullopt;
  const Instant at = Instant{std::chrono::seconds(::timegm(&parts))};
  return std::max(Milliseconds(0), std::chrono::duration_cast<Milliseconds>(at - now));
}

class HttpModelClient final : public ModelClient {
 public:
  HttpModelClient(HttpModelOptions options, net::HttpClient& http, Clock& clock, net::HttpOriginPtr origin)
      : options_(std::move(options)),
        http_(http),
        clock_(clock),
        origin_(std::move(origin)),
        target_(origin_->base_path() + "/chat/completions"),
        breaker_(options_.breaker) {
    net::HttpHeaders headers;
    headers.push_back({"content-type", "application/json"});
    headers.push_back({"accept", "application/json, text/event-stream"});
    headers.push_back({"user-agent", "brevet/" BREVET_VERSION});
    if (!options_.key.empty()) headers.push_back({"authorization", "Bearer " + options_.key});
    if (auto lines = net::header_lines(headers)) {
      headers_ = std::make_shared<const std::string>(*std::move(lines));
    } else {
      bad_headers_ = std::move(headers);
    }
  }

  Task<ModelOutcome> call(ModelCall call, StreamSink* sink) override {
    // A cancelled call must still say what it cost, so cancellation is looked at, not thrown.
    const bool throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    auto outcome = co_await run(&call, sink);
    co_await asio::this_coro::throw_if_cancelled(throws);
    co_return outcome;
  }

  ModelStatus status() const override {
    ModelStatus out;
    out.calls = calls_.load(std::memory_order_relaxed);
    out.failures = failures_.load(std::memory_order_relaxed);
    out.retries = retries_.load(std::memory_order_relaxed);
    out.in_flight = in_flight_.load(std::memory_order_relaxed);
    std::lock_guard lock(mutex_);
    out.breaker = breaker_.state(clock_.steady());
    out.last_error = last_error_;
    return out;
  }
  Cost price(const Usage& usage) const override { return price_of(options_.pricing, usage); }
  bool simulated() const override { return options_.simulated; }

 private:
  /// Reports a try to the breaker exactly once, however it ends.
  class Report {
   public:
    explicit Report(HttpModelClient& client) : client_(client) {}
    ~Report() {
      if (open_) done(nullptr);
    }
    Report(const Report&) = delete;
    Report& operator=(const Report&) = delete;
    /// `failure` null without `answered`: the try told nothing of the upstream.
    void done(const TryFailure* failure, bool answered = false) {
      open_ = false;
      std::lock_guard lock(client_.mutex_);
      if (failure && failure->upstream_at_fault) {
        client_.breaker_.on_failure(client_.clock_.steady());
      } else if (answered) {
        client_.breaker_.on_success();
      } else {
        client_.breaker_.on_abandoned();
      }
      if (failure) client_.last_error_ = failure->error.code;
      const bool fault = failure && failure->upstream_at_fault;
      // Once per outage, not once per call.
      if (fault && !client_.failing_) {
        spdlog::warn("model '{}' at {}: {} ({})", client_.options_.name, client_.origin_->name(),
                     failure->error.message, failure->error.code);
      }
      if (fault || answered) client_.failing_ = fault;
    }

   private:
    HttpModelClient& client_;
    bool open_ = true;
  };
  class InFlight {
   public:
    explicit InFlight(std::atomic<std::uint32_t>& count) : count_(count) {
      now = count_.fetch_add(1, std::memory_order_relaxed) + 1;
    }
    ~InFlight() { count_.fetch_sub(1, std::memory_order_relaxed); }
    InFlight(const InFlight&) = delete;
    InFlight& operator=(const InFlight&) = delete;
    std::uint32_t now = 0;

   private:
    std::atomic<std::uint32_t>& count_;
  };

  Task<ModelOutcome> run(ModelCall* call, StreamSink* sink) {
    const InFlight in_flight(in_flight_);
    calls_.fetch_add(1, std::memory_order_relaxed);
    Exchange exchange;
    exchange.start = clock_.steady();
    exchange.deadline =
        Steady::now() + std::min<Milliseconds>(options_.total_timeout, std::chrono::hours(24));
    exchange.sink = sink;
    exchange.stream = call->stream;
    int tries = 1;
    Cost spent = kNothing;
    if (in_flight.now > static_cast<std::uint32_t>(std::max(options_.concurrent_max, 1))) {
      TryFailure full;
      full.error.kind = ErrorKind::kOverloaded;
      full.error.code = "upstream_overloaded";
      full.error.message = "Model '" + options_.name + "' already has " +
                           std::to_string(options_.concurrent_max) +
                           " calls in flight; raise concurrent_max or try again.";
      co_return give_up(exchange, std::move(full), spent, tries);
    }
    if ((call->stream && !sink) || (!call->request && call->messages.empty())) {
      TryFailure bad;
      bad.error.code = "bad_call";
      bad.error.message = "A model call needs a request or messages, and a sink when it streams.";
      co_return give_up(exchange, std::move(bad), spent, tries);
    }
    render(*call, exchange);
    for (;; ++tries) {
      if (auto refused = ask_breaker()) co_return give_up(exchange, std::move(*refused), spent, tries);
      Report report(*this);
      // gcc 12 destroys the operands of a conditional co_await twice: the choice comes first.
      Task<TryResult> one = exchange.stream ? try_stream(&exchange) : try_whole(&exchange);
      auto result = co_await std::move(one);
      if (result) {
        report.done(nullptr, true);
        co_return finish(exchange, std::move(*result), spent, tries);
      }
      TryFailure& failure = result.error();
      const bool answered = failure.error.kind == ErrorKind::kProviderRejected;
      report.done(&failure, answered);
      const bool again = failure.retry && !exchange.streamed && tries <= options_.retries;
      const auto wait = wait_before(tries, failure);
      if (!again || !wait || Steady::now() + *wait >= exchange.deadline) {
        co_return give_up(exchange, std::move(failure), spent, tries);
      }
      spent = spent + failure.cost;
      retries_.fetch_add(1, std::memory_order_relaxed);
      asio::steady_timer timer(co_await asio::this_coro::executor, *wait);
      co_await timer.async_wait(kNoThrow);
      const auto state = co_await asio::this_coro::cancellation_state;
      if (state.cancelled() != asio::cancellation_type::none) {
        co_return give_up(exchange, was_cancelled(), spent, tries);
      }
    }
  }

  void render(const ModelCall& call, Exchange& exchange) const {
    const ChatRequest* request = call.request.get();
    const bool own_prompt = !call.messages.empty();
    wire::RenderOptions render;
    render.model_id = options_.id;
    render.edits = call.edits;
    render.stream = call.stream;
    render.add_usage = call.stream;
    render.add_logprobs = call.want_logprobs && (own_prompt || !request->wants_logprobs);
    render.top_logprobs = render.add_logprobs ? call.top_logprobs : 0;
    render.temperature = call.temperature;
    if (call.sample) render.seed = *call.sample;
    render.more_tokens = call.more_tokens;
    exchange.include_usage = !own_prompt && request->include_usage;
    exchange.hide.usage = call.stream && !exchange.include_usage;
    exchange.hide.logprobs = render.add_logprobs;
    if (own_prompt) {
      exchange.rendered = wire::render_plain_request(call.messages, render, call.max_tokens, request);
    } else if (auto edited = wire::edited_chat_request(*request, render)) {
      exchange.rendered = *std::move(edited);
    } else {
      exchange.body = *request->raw;  // `call` keeps it
      return;
    }
    exchange.body = exchange.rendered;
  }

  std::optional<TryFailure> ask_breaker() {
    std::lock_guard lock(mutex_);
    const auto now = clock_.steady();
    if (breaker_.allow(now)) return std::nullopt;
    const auto wait = std::chrono::duration_cast<Milliseconds>(breaker_.retry_in(now)).count();
    TryFailure out;
    out.error.kind = ErrorKind::kProviderUnavailable;
    out.error.code = "upstream_breaker_open";
    out.error.message = "Model '" + options_.name + "' failed repeatedly (last: " + last_error_ +
                        ") and is left alone; the next try is in " + std::to_string(wait) + " ms.";
    return out;
  }

  /// nullopt when the provider asks for a longer wait than we grant.
  std::optional<Milliseconds> wait_before(int tries, const TryFailure& failure) {
    if (failure.retry_after) {
      if (*failure.retry_after > options_.backoff_max) return std::nullopt;
      return failure.retry_after;
    }
    const auto doubled = options_.backoff * (std::int64_t{1} << std::min(tries - 1, 20));
    const auto longest = std::min<Milliseconds>(doubled, options_.backoff_max);
    // Half fixed, half random: callers that failed together do not come back together.
    const auto bits = mix_bits(options_.seed, jitter_.fetch_add(1, std::memory_order_relaxed));
    const auto half = longest.count() / 2;
    return Milliseconds(longest.count() - half +
                        (half > 0 ? static_cast<std::int64_t>(bits % (half + 1)) : 0));
  }

  Microseconds since(const Exchange& exchange) const {
    return std::chrono::duration_cast<Microseconds>(clock_.steady() - exchange.start);
  }

  ModelOutcome finish(const Exchange& exchange, Answer answer, const Cost& spent, int tries) const {
    ModelResult out;
    out.cost = spent + (exchange.recorded_cost ? Cost{exchange.recorded_cost, CostBasis::kRecorded}
                                               : price(answer.usage));
    out.answer = std::move(answer);
    out.latency = since(exchange);
    out.first_token = exchange.first_token;
    out.tries = tries;
    return out;
  }

  ModelOutcome give_up(const Exchange& exchange, TryFailure failure, const Cost& spent, int tries) {
    failures_.fetch_add(1, std::memory_order_relaxed);
    ModelFailure out;
    out.error = std::move(failure.error);
    out.partial = std::move(failure.partial);
    out.cost = spent + failure.cost;
    out.latency = since(exchange);
    out.tries = tries;
    out.streamed = exchange.streamed;
    return tl::unexpected<ModelFailure>(std::move(out));
  }

  // ---- One try --------------------------------------------------------------------------------------------

  net::HttpCall http_call(const Exchange& exchange) const {
    net::HttpCall out;
    out.origin = origin_;
    out.method = "POST";
    out.target = target_;
    out.headers = bad_headers_;
    out.more_headers = headers_;
    out.body_view = exchange.body;
    out.connect_timeout = options_.connect_timeout;
    out.total_timeout = std::max(std::chrono::duration_cast<Milliseconds>(exchange.deadline - Steady::now()),
                                 Milliseconds(0));
    // A whole answer comes when all of it is there, so only a stream has a first token to wait for.
    out.first_byte_timeout = exchange.stream ? options_.first_token_timeout : out.total_timeout;
    out.body_bytes_max = options_.answer_bytes_max;
    return out;
  }

  void take_recorded_cost(const net::HttpHeaders& headers, Exchange& exchange) const {
    if (!options_.plays_recorded) return;
    const auto text = net::find_header(headers, kRecordedCostHeader);
    exchange.recorded_cost = text.empty() ? std::nullopt : Money::parse_usd(text);
  }

  Task<TryResult> try_whole(Exchange* exchange) {
    auto whole = co_await http_.fetch(http_call(*exchange));
    if (!whole) co_return failed(from_net(*exchange, whole.error()));
    if (whole->status / 100 != 2) {
      co_return failed(from_status(whole->status, whole->headers, std::move(whole->body)));
    }
    take_recorded_cost(whole->headers, *exchange);
    auto answer = wire::parse_chat_completion(std::move(whole->body), exchange->hide);
    if (!answer) co_return failed(garbage(*exchange, answer.error()));
    co_return std::move(*answer);
  }

  Task<TryResult> try_stream(Exchange* exchange) {
    const auto first_by = Steady::now() + options_.first_token_timeout;
    auto opened = co_await http_.open(http_call(*exchange));
    if (!opened) co_return failed(from_net(*exchange, opened.error()));
    auto response = std::move(*opened);
    const bool good = response->status() / 100 == 2;
    if (good) take_recorded_cost(response->headers(), *exchange);
    const auto type = net::find_header(response->headers(), "content-type");
    if (!good || type.find("application/json") != std::string_view::npos) {
      std::string body;
      const std::size_t most = good ? options_.answer_bytes_max : kErrorBytesMax;
      while (body.size() < most) {
        auto piece = co_await response->read();
        if (!piece && good) {
          Error error = piece.error();
          if (error.code == "connection_closed") error.code = "body_cut";
          co_return failed(from_net(*exchange, error));
        }
        if (!piece || !*piece) break;
        body += **piece;
      }
      if (!good) co_return failed(from_status(response->status(), response->headers(), std::move(body)));
      co_return co_await deliver_whole(exchange, std::move(body));
    }

    wire::SseReader reader(options_.answer_bytes_max);
    wire::ChunkCollector collector(exchange->hide);
    int events = 0;
    bool done = false;
    while (!done) {
      std::optional<Steady::time_point> by;
      if (events == 0) by = first_by;
      auto piece = co_await response->read(by);
      std::string bytes;
      if (!piece) {
        if (piece.error().code == "connection_closed" && collector.finished()) break;
        co_return failed(from_stream(*exchange, collector, piece.error()));
      }
      const bool ended = !piece->has_value();
      if (ended) {
        // The last event may lack its empty line; only an end marker is complete without one.
        if (!reader.in_event()) break;
        bytes = "\n\n";
      } else {
        bytes = std::move(**piece);
      }
      auto read = reader.feed(bytes);
      if (!read) co_return failed(from_stream(*exchange, collector, read.error()));
      for (auto& event : *read) {
        if (event.data == "[DONE]") {
          done = true;
          break;
        }
        if (ended) break;
        if (++events == 1) exchange->first_token = since(*exchange);
        auto visible = collector.take(std::move(event.data));
        if (!visible) co_return failed(from_stream(*exchange, collector, visible.error()));
        if (!*visible) continue;
        exchange->streamed = true;
        const auto passed = co_await exchange->sink->on_event(std::move(**visible));
        if (!passed) co_return failed(from_stream(*exchange, collector, passed.error()));
      }
      if (ended) break;
    }
    if (!done && !collector.finished()) {
      Error cut;
      cut.kind = ErrorKind::kProviderUnavailable;
      cut.code = "upstream_stream_cut";
      cut.message = "Model '" + options_.name + "' ended its stream before the answer was complete.";
      co_return failed(from_stream(*exchange, collector, cut));
    }
    if (events == 0) {
      Error empty;
      empty.kind = ErrorKind::kProviderGarbage;
      empty.code = "upstream_bad_answer";
      empty.message = "Model '" + options_.name + "' ended its stream without a single event.";
      co_return failed(from_stream(*exchange, collector, empty));
    }
    co_await keep_connection(std::move(response));
    co_return collector.answer();
  }

  /// Some providers answer a streamed request whole.
  Task<TryResult> deliver_whole(Exchange* exchange, std::string body) {
    auto answer = wire::parse_chat_completion(std::move(body), exchange->hide);
    if (!answer) {
      Error error = answer.error();
      error.code = "upstream_not_a_stream";
      error.message = "Model '" + options_.name + "' was asked for a stream and sent JSON that is no answer.";
      co_return failed(garbage(*exchange, error));
    }
    exchange->first_token = since(*exchange);
    for (auto& chunk : wire::body_to_chunks(*answer, exchange->include_usage)) {
      exchange->streamed = true;
      const auto passed = co_await exchange->sink->on_event(std::move(chunk));
      if (!passed) {
        TryFailure stopped;
        stopped.error = passed.error();
        stopped.upstream_at_fault = false;
        stopped.cost = price(answer->usage);
        stopped.partial = std::move(*answer);
        co_return failed(std::move(stopped));
      }
    }
    co_return std::move(*answer);
  }

  static Task<void> read_tail(std::unique_ptr<net::HttpResponse> response) {
    const auto by = Steady::now() + kTailPatience;
    for (;;) {
      const auto piece = co_await response->read(by);
      if (!piece || !*piece) co_return;
    }
  }
  /// The connection can serve again once the end of the body has been read, which nobody should wait for.
  static Task<void> keep_connection(std::unique_ptr<net::HttpResponse> response) {
    if (response->at_end()) {
      co_await read_tail(std::move(response));
      co_return;
    }
    asio::co_spawn(co_await asio::this_coro::executor, read_tail(std::move(response)), asio::detached);
  }

  // ---- Failures -------------------------------------------------------------------------------------------

  TryFailure was_cancelled() const {
    TryFailure out;
    out.error.kind = ErrorKind::kCancelled;
    out.error.code = "cancelled";
    out.error.message = "The call was cancelled.";
    out.upstream_at_fault = false;
    return out;
  }

  /// Of a request that went out and whose usage nobody reported.
  Cost estimate(const Exchange& exchange, const Answer* partial) const {
    if (!options_.pricing.known()) return {};
    Usage usage;
    usage.estimated = true;
    usage.input_tokens = estimate_tokens(exchange.body.size());
    std::size_t bytes = 0;
    if (partial) {
      bytes = partial->text.size();
      for (const auto& tool : partial->tool_calls) bytes += tool.name.size() + tool.arguments.size();
    }
    usage.output_tokens = estimate_tokens(bytes);
    return price(usage);
  }

  /// Where a provider is reached is the gateway's own business: clients read the model's name and the cause,
  /// and the log has the address.
  std::string and_cause(const Error& error) const {
    const auto& address = origin_->name();
    return error.message.starts_with(address) ? error.message.substr(address.size()) : ": " + error.message;
  }

  TryFailure from_net(const Exchange& exchange, const Error& error) const {
    if (error.kind == ErrorKind::kCancelled) {
      TryFailure out = was_cancelled();
      out.cost = estimate(exchange, nullptr);
      return out;
    }
    TryFailure out;
    out.error.kind = error.kind;
    out.error.message = "Model '" + options_.name + "'" + and_cause(error);
    const auto& code = error.code;
    const bool not_sent = code == "dns_failed" || code == "connect_failed" || code == "tls_failed" ||
                          code == "connect_timeout" || code == "bad_call";
    if (!not_sent) out.cost = estimate(exchange, nullptr);
    out.retry = code == "dns_failed" || code == "connect_failed" || code == "connect_timeout" ||
                code == "connection_closed";
    if (code == "tls_failed") {
      out.error.code = "upstream_tls";
    } else if (code == "connect_timeout") {
      out.error.code = "upstream_connect_timeout";
    } else if (code == "first_byte_timeout" || code == "read_timeout") {
      out.error.code = "upstream_first_token_timeout";
    } else if (code == "total_timeout") {
      out.error.code = "upstream_timeout";
    } else if (code == "body_too_large") {
      out.error.code = "upstream_too_large";
    } else if (code == "body_cut" || code == "header_cut") {
      out.error.code = "upstream_answer_cut";
    } else if (error.kind == ErrorKind::kProviderGarbage) {
      out.error.code = "upstream_bad_http";
    } else if (error.kind == ErrorKind::kProviderUnavailable) {
      out.error.code = "upstream_unreachable";
    } else {
      out.error.code = code;
      out.upstream_at_fault = false;
    }
    return out;
  }

  TryFailure garbage(const Exchange& exchange, const Error& error) const {
    TryFailure out;
    out.error = error;
    out.cost = estimate(exchange, nullptr);
    return out;
  }

  /// A stream that failed after its header: what came of it is kept and accounted for. It is never asked for
  /// again, even where no event came: a provider that began to answer may have charged for it.
  TryFailure from_stream(const Exchange& exchange, const wire::ChunkCollector& collector,
                         const Error& error) const {
    TryFailure out;
    if (error.code == "connection_closed") {
      out.error.kind = ErrorKind::kProviderUnavailable;
      out.error.code = "upstream_stream_cut";
      out.error.message = "Model '" + options_.name + "' cut its stream" + and_cause(error);
    } else if (error.code == "read_timeout" || error.code == "total_timeout" ||
               error.code == "body_too_large" || error.code == "bad_http" ||
               error.kind == ErrorKind::kCancelled) {
      out = from_net(exchange, error);
      if (error.code == "client_gone") out.error = error;
    } else {
      out.error = error;
      out.upstream_at_fault =
          error.kind == ErrorKind::kProviderUnavailable || error.kind == ErrorKind::kProviderGarbage;
    }
    out.partial = collector.answer();
    if (exchange.recorded_cost) {
      out.cost = {exchange.recorded_cost, CostBasis::kRecorded};
      return out;
    }
    out.cost = collector.has_usage() ? price(out.partial->usage) : estimate(exchange, &*out.partial);
    return out;
  }

  TryFailure from_status(int status, const net::HttpHeaders& headers, std::string body) const {
    if (body.size() > kErrorBytesMax) body.resize(kErrorBytesMax);
    const auto theirs = wire::parse_error_body(body);
    const std::string who = "Model '" + options_.name + "' answered " + std::to_string(status);
    TryFailure out;
    out.error.upstream_status = status;
    out.error.upstream_body = std::move(body);
    out.error.message = theirs.message.empty() ? who + "." : who + ": " + theirs.message;
    if (status == 429) {
      out.error.kind = ErrorKind::kProviderRateLimited;
      out.error.code = "upstream_rate_limited";
      out.upstream_at_fault = false;
      // A spent quota does not come back within seconds.
      out.retry = theirs.code != "insufficient_quota" && theirs.type != "insufficient_quota";
    } else if (status == 408 || status >= 500) {
      out.error.kind = ErrorKind::kProviderUnavailable;
      out.error.code = "upstream_error";
      out.retry = true;
    } else if (status >= 400) {
      out.error.kind = ErrorKind::kProviderRejected;
      out.error.code = theirs.code.empty() ? "upstream_rejected" : theirs.code;
      out.upstream_at_fault = false;
      if (status == 401 || status == 403) {
        // Providers quote parts of the key, and the client would take it for its own.
        out.error.message = who + ": it refuses the key that the gateway sends, the one of its key_env.";
      } else if (!theirs.message.empty()) {
        out.error.message = theirs.message;
      }
    } else {
      out.error.kind = ErrorKind::kProviderGarbage;
      out.error.code = "upstream_unexpected_status";
    }
    if (out.retry) out.retry_after = parse_retry_after(headers, clock_.now());
    return out;
  }

  const HttpModelOptions options_;
  net::HttpClient& http_;
  Clock& clock_;
  const net::HttpOriginPtr origin_;
  const std::string target_;
  std::shared_ptr<const std::string> headers_;
  net::HttpHeaders bad_headers_;  ///< in their place when they hold a line break: every call then says so
  std::atomic<std::uint64_t> calls_{0}, failures_{0}, retries_{0}, jitter_{0};
  std::atomic<std::uint32_t> in_flight_{0};
  mutable std::mutex mutex_;
  Breaker breaker_;         // guarded by mutex_
  std::string last_error_;  // guarded by mutex_
  bool failing_ = false;    // guarded by mutex_; the last call that told something told a fault
};

}  // namespace

Result<ModelClientPtr> make_http_model_client(HttpModelOptions options, net::HttpClient& http, Clock& clock) {
  auto origin = http.origin(options.base_url, options.ca_file);
  if (!origin) return tl::unexpected(origin.error());
  return ModelClientPtr(
      std::make_shared<HttpModelClient>(std::move(options), http, clock, std::move(*origin)));
}

}  // namespace brevet
