#include "upstream/serve_models.h"

#include <atomic>
#include <optional>

#include "wire/openai_chat.h"
#include "wire/sse.h"

namespace brevet {
namespace {

using net::HttpHeaders;
using net::HttpResponder;

/// Events of a stream that reach the client before a declared cut.
constexpr int kEventsBeforeCut = 2;

/// A played error keeps the status that its provider gave it.
int status_of(const Error& error) {
  return error.upstream_status >= 400 ? error.upstream_status : wire::http_status_of(error.kind);
}

HttpHeaders json_headers() {
  return {{"content-type", "application/json"}};
}

// Lists of headers are built outside of coroutines: gcc 12 miscompiles some braced lists inside of them.
HttpHeaders stream_headers() {
  return {{"content-type", "text/event-stream"}, {"cache-control", "no-cache"}, {"x-accel-buffering", "no"}};
}
HttpHeaders with_cost(HttpHeaders headers, const std::optional<Money>& recorded) {
  if (recorded) headers.push_back({kRecordedCostHeader, recorded->to_string()});
  return headers;
}

Task<void> respond_error(HttpResponder* responder, Error error, HttpHeaders headers = json_headers()) {
  co_await responder->respond(status_of(error), std::move(headers), wire::error_json(error));
}

Error error_of(ErrorKind kind, const char* code, std::string message, int status = 0) {
  Error error;
  error.kind = kind;
  error.code = code;
  error.message = std::move(message);
  error.upstream_status = status;
  return error;
}

/// Begins the response with the first event, so that an error before it still gets a status of its own.
class WireSink final : public StreamSink {
 public:
  WireSink(HttpResponder& responder, Fault fault, std::optional<Money> recorded_cost)
      : responder_(responder), fault_(fault), recorded_cost_(recorded_cost) {}
  bool started() const { return started_; }
  bool cut() const { return cut_; }

  Task<Result<>> on_event(std::string data) override {
    if (!started_) {
      started_ = true;
      auto headers = with_cost(stream_headers(), recorded_cost_);
      auto begun = co_await responder_.start_stream(200, std::move(headers));
      if (!begun) co_return begun;
    }
    if (fault_ == Fault::kCut && events_ == kEventsBeforeCut) {
      cut_ = true;
      co_return fail(ErrorKind::kCancelled, "cut", "The stream is cut here, as declared.");
    }
    ++events_;
    if (fault_ == Fault::kGarbage) data = "{\"id\":\"chatcmpl-" + data.substr(data.size() / 2);
    co_return co_await responder_.write(wire::sse_data(data));
  }

 private:
  HttpResponder& responder_;
  const Fault fault_;
  const std::optional<Money> recorded_cost_;
  int events_ = 0;
  bool started_ = false, cut_ = false;
};

class Service {
 public:
  explicit Service(std::vector<ServedModel> models) : models_(std::move(models)), calls_(models_.size()) {}

  Task<void> serve(std::shared_ptr<net::HttpRequest> request, HttpResponder* responder) {
    const std::string path(request->path());
    if (path == "/v1/chat/completions") {
      if (request->method != "POST") co_return co_await wrong_method(responder, "POST");
      co_return co_await chat(std::move(request), responder);
    }
    if (path == "/health") {
      co_await responder->respond(200, json_headers(), R"({"status":"ok"})");
    } else if (path == "/v1/models") {
      if (request->method != "GET") co_return co_await wrong_method(responder, "GET");
      std::vector<wire::ModelListing> listing;
      for (const auto& model : models_) listing.push_back(listed(model));
      co_await responder->respond(200, json_headers(), wire::models_json(listing));
    } else if (path.starts_with("/v1/models/")) {
      const auto* model = find(path.substr(std::string_view("/v1/models/").size()));
      if (!model) co_return co_await unknown(responder, path.substr(std::string_view("/v1/models/").size()));
      co_await responder->respond(200, json_headers(), wire::model_json(listed(*model)));
    } else {
      co_await respond_error(responder,
                             error_of(ErrorKind::kCallerNotFound, "unknown_endpoint",
                                      "There is no " + path +
                                          "; POST /v1/chat/completions, GET /v1/models and GET /health "
                                          "are served."));
    }
  }

 private:
  static wire::ModelListing listed(const ServedModel& model) {
    return {model.name, model.client->simulated() ? "simulated" : "recorded", 0};
  }
  const ServedModel* find(std::string_view name) const {
    for (const auto& model : models_) {
      if (model.name == name) return &model;
    }
    return nullptr;
  }
  Task<void> wrong_method(HttpResponder* responder, std::string method) {
    auto headers = json_headers();
    headers.push_back({"allow", method});
    co_await respond_error(
        responder, error_of(ErrorKind::kCallerInvalid, "wrong_method", "Use " + method + " here.", 405),
        std::move(headers));
  }
  Task<void> unknown(HttpResponder* responder, std::string name) {
    std::string names;
    for (const auto& model : models_) names += (names.empty() ? "" : ", ") + model.name;
    auto error = error_of(ErrorKind::kCallerNotFound, "model_not_found",
                          "The model \"" + name + "\" does not exist here; there are " + names + ".");
    error.param = "model";
    co_await respond_error(responder, std::move(error));
  }

  Task<void> chat(std::shared_ptr<net::HttpRequest> request, HttpResponder* responder) {
    // A cancelled wait must end in the model's own accounting, not in an exception through it.
    co_await asio::this_coro::throw_if_cancelled(false);
    auto parsed = wire::parse_chat_request(std::move(request->body));
    if (!parsed) co_return co_await respond_error(responder, parsed.error());
    const auto* model = find(parsed->model);
    if (!model) co_return co_await unknown(responder, parsed->model);
    const auto fault = draw_fault(model->faults, calls_[static_cast<std::size_t>(model - models_.data())]++);
    if (fault == Fault::kRateLimited) {
      auto headers = json_headers();
      headers.push_back({"retry-after", std::to_string(model->faults.retry_after_s)});
      co_return co_await respond_error(responder,
                                       error_of(ErrorKind::kProviderRateLimited, "rate_limit_exceeded",
                                                "Send less (declared fault).", 429),
                                       std::move(headers));
    }
    if (fault == Fault::kServerError) {
      co_return co_await respond_error(responder, error_of(ErrorKind::kProviderUnavailable, "server_error",
                                                           "Failed (declared fault).", 500));
    }
    if (fault == Fault::kSlow) {
      asio::steady_timer timer(co_await asio::this_coro::executor, model->faults.slow_by);
      co_await timer.async_wait(kNoThrow);
      if (co_await cancel_requested()) co_return;
    }
    ModelCall call;
    call.configuration.model = model->name;
    call.request = std::make_shared<const ChatRequest>(std::move(*parsed));
    call.stream = call.request->stream;
    call.want_logprobs = call.request->wants_logprobs;
    if (call.stream) co_return co_await stream(model->client, std::move(call), fault, responder);
    auto headers = with_cost(json_headers(), model->client->recorded_cost(*call.request));
    auto outcome = co_await model->client->call(std::move(call), nullptr);
    if (!outcome) {
      if (outcome.error().error.kind == ErrorKind::kCancelled) co_return;
      co_return co_await respond_error(responder, outcome.error().error);
    }
    auto& body = outcome->answer.body;
    if (fault == Fault::kGarbage) body = "<html>" + body.substr(body.size() / 2);
    if (fault == Fault::kCut) {
      if (co_await responder->start_stream(200, std::move(headers)))
        co_await responder->write(body.substr(0, body.size() / 2));
      co_return;
    }
    co_await responder->respond(200, std::move(headers), std::move(body));
  }

  Task<void> stream(ModelClientPtr client, ModelCall call, Fault fault, HttpResponder* responder) {
    WireSink sink(*responder, fault, client->recorded_cost(*call.request));
    auto outcome = co_await client->call(std::move(call), &sink);
    // Without finish() the server closes the connection in the middle of the body: that is the cut.
    if (sink.cut()) co_return;
    if (!outcome) {
      const auto& error = outcome.error().error;
      if (error.kind == ErrorKind::kCancelled || error.code == "upstream_stream_cut") co_return;
      if (!sink.started()) co_return co_await respond_error(responder, error);
      co_await responder->write(wire::sse_data(wire::error_json(error)));
    } else {
      co_await responder->write(wire::sse_data("[DONE]"));
    }
    co_await responder->finish();
  }

  const std::vector<ServedModel> models_;
  std::vector<std::atomic<std::uint64_t>> calls_;
};

}  // namespace

net::HttpHandler make_model_handler(std::vector<ServedModel> models) {
  auto service = std::make_shared<Service>(std::move(models));
  return [service](std::shared_ptr<net::HttpRequest> request, HttpResponder& responder) {
    return service->serve(std::move(request), &responder);
  };
}

}  // namespace brevet
