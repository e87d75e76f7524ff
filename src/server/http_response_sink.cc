#include "server/http_response_sink.h"

#include <algorithm>

#include "server/http_status.h"
#include "wire/openai_chat.h"
#include "wire/sse.h"

namespace brevet {
namespace {

using std::chrono::steady_clock;

constexpr const char* kJson = "application/json";
constexpr std::size_t kHeaderBytesMax = 512;  ///< of one value
constexpr const char* kEvents = "text/event-stream; charset=utf-8";

/// Header values and comments hold what configuration and strategies say; nothing of it may end a line.
std::string one_line(std::string_view text) {
  std::string out(text.substr(0, kHeaderBytesMax));
  for (auto& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return out;
}

void put(net::HttpHeaders& headers, const char* name, std::string_view value) {
  headers.push_back({name, one_line(value)});
}
void put(net::HeaderLines& lines, const char* name, std::string_view value) {
  lines.add(name, value.substr(0, kHeaderBytesMax));
}

template <class Headers>
void add_decision(Headers& headers, const Decision& decision, const Configuration* model) {
  put(headers, "x-brevet-decision", decision.id);
  if (model != nullptr && model->plain()) {
    put(headers, "x-brevet-model", model->model);
  } else if (model != nullptr) {
    put(headers, "x-brevet-model", model->key());
  }
  if (!decision.reason.code.empty()) put(headers, "x-brevet-reason", decision.reason.code);
}

/// What is not known is left out: a client that reads 0 would believe it.
template <class Headers>
void add_money(Headers& headers, const Decision& decision) {
  if (decision.cost.amount) put(headers, "x-brevet-cost-usd", decision.cost.amount->to_string());
  put(headers, "x-brevet-cost-basis", name_of(decision.cost.basis));
  if (decision.baseline.amount) put(headers, "x-brevet-baseline-usd", decision.baseline.amount->to_string());
}

std::string comment(const net::HttpHeaders& fields) {
  std::string out = ": brevet";
  for (const auto& field : fields) {
    out += ' ';
    out += field.name.substr(std::string_view("x-brevet-").size());
    out += '=';
    out += field.value;
  }
  out += "\n\n";
  return out;
}

}  // namespace

struct HttpResponseSink::Line {
  Line(asio::any_io_executor executor, net::HttpResponder& to, Metrics& counts, const SinkOptions& options)
      : responder(to), metrics(counts), every(options.ping_every), timer(executor), changed(executor) {
    changed.expires_at(steady_clock::time_point::max());
  }
  net::HttpResponder& responder;
  Metrics& metrics;
  const std::chrono::milliseconds every;
  asio::steady_timer timer;    ///< until the next ping
  asio::steady_timer changed;  ///< cancelled when busy or running change
  net::HttpHeaders early;      ///< of a stream that a ping has to start
  steady_clock::time_point last = steady_clock::now();
  bool started = false;  ///< status and headers are out
  bool busy = false;     ///< a write is under way
  bool running = false;  ///< the ping loop
  bool stopped = false;
  bool gone = false;  ///< a write failed
};

HttpResponseSink::HttpResponseSink(net::HttpResponder& responder, Metrics& metrics, SinkOptions options)
    : responder_(responder), metrics_(metrics), options_(std::move(options)) {}

HttpResponseSink::~HttpResponseSink() {
  if (counted_stream_) metrics_.streams.fetch_sub(1);
}

void HttpResponseSink::count(const Decision& decision) {
  if (std::exchange(counted_, true)) return;
  metrics_.decided(decision);
}

Task<void> HttpResponseSink::open() {
  if (!options_.stream) co_return;
  const auto executor = co_await asio::this_coro::executor;
  line_ = std::make_shared<Line>(executor, responder_, metrics_, options_);
  if (options_.ping_every.count() <= 0) co_return;
  line_->early = headers(kEvents);
  line_->running = true;
  asio::co_spawn(executor, ping_loop(line_), asio::detached);
}

Task<void> HttpResponseSink::ping_loop(std::shared_ptr<Line> line) {
  for (;;) {
    line->timer.expires_at(line->last + line->every);
    co_await line->timer.async_wait(kNoThrow);
    if (line->stopped || line->gone) break;
    if (line->busy || steady_clock::now() - line->last < line->every) {
      if (line->busy) line->last = steady_clock::now();
      continue;
    }
    line->busy = true;
    Result<> written;
    if (!line->started) {
      line->started = true;
      written = co_await line->responder.start_stream(200, std::move(line->early));
    }
    if (written) {
      std::string ping = ": ping\n\n";
      written = co_await line->responder.write(std::move(ping));
    }
    if (written) line->metrics.pings.fetch_add(1);
    line->gone = line->gone || !written;
    line->last = steady_clock::now();
    line->busy = false;
    line->changed.cancel();
  }
  line->running = false;
  line->changed.cancel();
}

Task<void> HttpResponseSink::wait_for_line() {
  // A cancelled coroutine still has to wait: the ping's write uses the responder.
  while (line_->busy) co_await line_->changed.async_wait(kNoThrow);
}

Task<void> HttpResponseSink::close() {
  const bool throwing = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  if (line_) {
    line_->stopped = true;
    line_->timer.cancel();
    while (line_->running) co_await line_->changed.async_wait(kNoThrow);
  }
  co_await asio::this_coro::throw_if_cancelled(throwing);
}

net::HttpHeaders HttpResponseSink::headers(const char* content_type) const {
  net::HttpHeaders out;
  out.reserve(10);
  out.push_back({"content-type", content_type});
  if (content_type == kEvents) {
    out.push_back({"cache-control", "no-cache"});
    out.push_back({"x-accel-buffering", "no"});
  }
  out.push_back({"x-request-id", options_.request_id});
  return out;
}

Task<Result<>> HttpResponseSink::start_stream(net::HttpHeaders with) {
  status_ = 200;
  line_->started = true;
  if (!counted_stream_) {
    counted_stream_ = true;
    metrics_.streams.fetch_add(1);
  }
  co_return co_await responder_.start_stream(200, std::move(with));
}

Task<Result<>> HttpResponseSink::send(std::string bytes) {
  co_await wait_for_line();
  if (line_->gone)
    co_return brevet::fail(ErrorKind::kCancelled, "client_gone", "The client closed the connection.");
  line_->busy = true;
  auto written = co_await responder_.write(std::move(bytes));
  line_->busy = false;
  line_->last = steady_clock::now();
  line_->gone = !written;
  co_return written;
}

Task<Result<>> HttpResponseSink::begin(const Decision& decision, const Configuration& model) {
  co_await wait_for_line();
  if (line_->started) {  // by a ping
    status_ = 200;
    net::HttpHeaders fields;
    add_decision(fields, decision, &model);
    co_return co_await send(comment(fields));
  }
  auto with = headers(kEvents);
  add_decision(with, decision, &model);
  if (decision.simulated) with.push_back({"x-brevet-simulated", "true"});
  co_return co_await start_stream(std::move(with));
}

Task<Result<>> HttpResponseSink::event(std::string data) {
  co_return co_await send(wire::sse_data(data));
}

Task<Result<>> HttpResponseSink::end(const Decision& decision, std::optional<Error> error) {
  count(decision);
  net::HttpHeaders fields;
  put(fields, "x-brevet-decision", decision.id);
  add_money(fields, decision);
  std::string bytes = error ? wire::sse_data(wire::error_json(*error)) + comment(fields)
                            : comment(fields) + wire::sse_data("[DONE]");
  auto sent = co_await send(std::move(bytes));
  if (!sent) co_return sent;
  co_return co_await responder_.finish();
}

Task<Result<>> HttpResponseSink::whole(const Decision& decision, Attempt& served) {
  count(decision);
  static const Answer kNothing;
  const Answer& answer = served.answer ? *served.answer : kNothing;
  if (!options_.stream) {
    net::HeaderLines with;
    with.add("content-type", kJson);
    with.add("x-request-id", options_.request_id);
    add_decision(with, decision, &served.configuration);
    add_money(with, decision);
    if (decision.simulated) with.add("x-brevet-simulated", "true");
    with.add("openai-processing-ms", std::to_string(decision.latency.count() / 1000));
    const auto created =
        std::chrono::duration_cast<std::chrono::seconds>(decision.time.time_since_epoch()).count();
    std::string body;
    if (answer.body.empty()) {
      const auto& model = answer.returned_model.empty() ? served.configuration.model : answer.returned_model;
      body = wire::completion_json(answer, "chatcmpl-" + decision.id, model, created);
    } else {
      body.swap(served.answer->body);
    }
    status_ = 200;
    return responder_.respond_lines(200, std::move(with), std::move(body));
  }
  return whole_as_stream(decision, served);
}

Task<Result<>> HttpResponseSink::whole_as_stream(const Decision& decision, const Attempt& served) {
  static const Answer kNothing;
  const Answer& answer = served.answer ? *served.answer : kNothing;
  co_await wait_for_line();
  net::HttpHeaders fields;
  add_decision(fields, decision, &served.configuration);
  add_money(fields, decision);
  std::string bytes;
  if (line_->started) {
    status_ = 200;
  } else {
    auto with = headers(kEvents);
    with.insert(with.end(), fields.begin(), fields.end());
    if (decision.simulated) with.push_back({"x-brevet-simulated", "true"});
    if (auto started = co_await start_stream(std::move(with)); !started) co_return started;
  }
  for (const auto& chunk : wire::body_to_chunks(answer, options_.include_usage))
    bytes += wire::sse_data(chunk);
  bytes += comment(fields);
  bytes += wire::sse_data("[DONE]");
  auto sent = co_await send(std::move(bytes));
  if (!sent) co_return sent;
  co_return co_await responder_.finish();
}

Task<Result<>> HttpResponseSink::fail(const Decision& decision, const Error& error) {
  count(decision);
  if (line_) co_await wait_for_line();
  if (line_ && line_->started) {
    status_ = 200;
    std::string bytes = wire::sse_data(http_error_body(error));
    auto sent = co_await send(std::move(bytes));
    if (!sent) co_return sent;
    co_return co_await responder_.finish();
  }
  auto with = headers(kJson);
  add_decision(with, decision, nullptr);
  const int status = http_status(error);
  if (status == 429 || status == 503) with.push_back({"retry-after", "1"});
  status_ = status;
  if (line_) {
    line_->stopped = true;  // no ping may follow
    line_->started = true;
  }
  co_return co_await responder_.respond(status, std::move(with), http_error_body(error));
}

}  // namespace brevet
