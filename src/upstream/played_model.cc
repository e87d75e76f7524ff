#include "upstream/played_model.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "wire/openai_chat.h"

namespace brevet {
namespace {

/// Waits unless cancelled; true when time passed in full.
Task<bool> wait_for(Microseconds time) {
  if (time > Microseconds{0}) {
    asio::steady_timer timer(co_await asio::this_coro::executor, time);
    co_await timer.async_wait(kNoThrow);
  }
  co_return !co_await cancel_requested();
}

Microseconds scaled(Microseconds time, double speed) {
  if (speed <= 0) return Microseconds{0};
  return Microseconds{static_cast<std::int64_t>(static_cast<double>(time.count()) / speed)};
}

std::string with_fingerprint(std::string json, const std::string& fingerprint) {
  if (!fingerprint.empty()) json.insert(1, "\"system_fingerprint\":\"" + fingerprint + "\",");
  return json;
}

Error error_of(ErrorKind kind, const char* code, std::string message, int status) {
  Error error;
  error.kind = kind;
  error.code = code;
  error.message = std::move(message);
  error.upstream_status = status;
  return error;
}

/// The error of a fault that lets no answer through; nothing for the others.
std::optional<Error> refusal(Fault fault) {
  switch (fault) {
    case Fault::kRateLimited:
      return error_of(ErrorKind::kProviderRateLimited, "upstream_rate_limited",
                      "The simulated provider asks to send less (declared fault).", 429);
    case Fault::kServerError:
      return error_of(ErrorKind::kProviderUnavailable, "upstream_error",
                      "The simulated provider failed (declared fault).", 500);
    case Fault::kGarbage:
      return error_of(ErrorKind::kProviderGarbage, "upstream_bad_json",
                      "The simulated provider sent bytes that are not JSON (declared fault).", 200);
    case Fault::kNone:
    case Fault::kCut:
    case Fault::kSlow:
      break;
  }
  return std::nullopt;
}

Error cut_error() {
  return error_of(ErrorKind::kProviderUnavailable, "upstream_stream_cut",
                  "The simulated provider broke the answer off (declared fault).", 0);
}
Error cancelled_error() {
  return error_of(ErrorKind::kCancelled, "cancelled", "The call was cancelled.", 0);
}

class InFlight {
 public:
  explicit InFlight(std::atomic<std::uint32_t>& count) : count_(count) { ++count_; }
  ~InFlight() { --count_; }
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;

 private:
  std::atomic<std::uint32_t>& count_;
};

/// What is known of an answer of which `share` was received.
ModelFailure partial_failure(const ModelClient& client, Error error, const PlayedAnswer& played, double share,
                             bool streamed) {
  ModelFailure failure;
  failure.error = std::move(error);
  failure.latency = played.latency;
  failure.streamed = streamed;
  Answer partial;
  partial.returned_model = played.answer.returned_model;
  partial.text = played.answer.text.substr(
      0, static_cast<std::size_t>(share * static_cast<double>(played.answer.text.size())));
  partial.usage = played.answer.usage;
  partial.usage.estimated = true;
  if (partial.usage.output_tokens) {
    partial.usage.output_tokens =
        static_cast<std::int64_t>(share * static_cast<double>(*partial.usage.output_tokens));
  }
  failure.cost = client.price(partial.usage);
  failure.partial = std::move(partial);
  return failure;
}

}  // namespace

ModelStatus PlayedModel::status() const {
  ModelStatus status;
  status.calls = calls_;
  status.failures = failures_;
  status.in_flight = in_flight_;
  std::lock_guard lock(mutex_);
  status.last_error = last_error_;
  return status;
}

ModelOutcome PlayedModel::failed(ModelFailure failure) {
  if (failure.error.kind != ErrorKind::kCancelled) {
    ++failures_;
    std::lock_guard lock(mutex_);
    last_error_ = failure.error.code;
  }
  return tl::unexpected<ModelFailure>(std::move(failure));
}

ModelOutcome PlayedModel::refuse(Error error) {
  ++calls_;
  ModelFailure failure;
  failure.error = std::move(error);
  failure.cost = {Money{}, CostBasis::kRecorded};
  return failed(std::move(failure));
}

Task<ModelOutcome> PlayedModel::play(PlayedAnswer played, ModelCall call, StreamSink* sink) {
  co_await asio::this_coro::throw_if_cancelled(false);
  ++calls_;
  const InFlight in_flight(in_flight_);
  if (auto error = refusal(played.fault)) {
    ModelFailure failure;
    failure.error = std::move(*error);
    failure.cost = {Money{}, CostBasis::kPriced};
    co_return failed(std::move(failure));
  }
  if (played.fault == Fault::kSlow) {
    played.latency += played.slow_by;
    if (!co_await wait_for(played.slow_by)) {
      co_return failed(partial_failure(*this, cancelled_error(), played, 0, false));
    }
  }
  const bool client_wants_logprobs = call.request && call.messages.empty() && call.request->wants_logprobs;
  if (!call.want_logprobs && !client_wants_logprobs) {
    played.answer.mean_logprob.reset();
    played.answer.min_logprob.reset();
    played.answer.first_token.clear();
  }
  const bool streamed = call.stream && sink;
  ModelResult result;
  result.answer = played.answer;
  result.cost = played.cost;
  result.latency = played.latency;
  Answer shown;
  if (streamed || played.body) shown = played.answer;
  if (!client_wants_logprobs) {
    shown.mean_logprob.reset();
    shown.min_logprob.reset();
    shown.first_token.clear();
  }
  std::string id;
  if (streamed || played.body) id = fmt::format("chatcmpl-{}{:016x}", played.fingerprint, played.id);
  const auto created_s =
      std::chrono::duration_cast<std::chrono::seconds>(system_clock().now().time_since_epoch()).count();
  const auto& model = played.answer.returned_model;
  if (streamed) {
    const bool usage = call.request && call.messages.empty() && call.request->include_usage;
    auto chunks = wire::completion_chunks(shown, id, model, created_s, usage);
    const auto count = chunks.size();
    const auto gap = scaled(std::max(played.latency - played.first_token, Microseconds{0}), played.speed) /
                     static_cast<std::int64_t>(count);
    for (std::size_t i = 0; i < count; ++i) {
      const double share = static_cast<double>(i) / static_cast<double>(count);
      const bool in_time = co_await wait_for(i == 0 ? scaled(played.first_token, played.speed) : gap);
      if (!in_time) co_return failed(partial_failure(*this, cancelled_error(), played, share, i > 0));
      if (played.fault == Fault::kCut && i >= std::max<std::size_t>(1, count / 2)) {
        co_return failed(partial_failure(*this, cut_error(), played, share, true));
      }
      auto taken = co_await sink->on_event(with_fingerprint(std::move(chunks[i]), played.fingerprint));
      if (!taken) co_return failed(partial_failure(*this, taken.error(), played, share, true));
    }
    result.first_token = played.first_token;
    co_return result;
  }
  if (!co_await wait_for(scaled(played.latency, played.speed))) {
    co_return failed(partial_failure(*this, cancelled_error(), played, 0, false));
  }
  if (played.fault == Fault::kCut) co_return failed(partial_failure(*this, cut_error(), played, 0.5, false));
  if (played.body) {
    result.answer.body =
        with_fingerprint(wire::completion_json(shown, id, model, created_s), played.fingerprint);
  }
  co_return result;
}

SeenPrompt seen_prompt(const ModelCall& call) {
  SeenPrompt out;
  const auto* request = call.request.get();
  const auto temperature = call.temperature ? call.temperature
                           : request        ? request->temperature
                                            : std::nullopt;
  const auto seed = call.sample ? std::optional<std::int64_t>(*call.sample)
                    : request   ? request->seed
                                : std::nullopt;
  if (temperature && *temperature > 0 && seed) out.sample = static_cast<std::uint64_t>(*seed) + 1;
  if (!call.messages.empty()) {
    for (const auto& message : call.messages) {
      out.bytes += message.text.size();
      if (message.role == "system" || message.role == "developer") out.system += message.text + "\n";
      if (message.role == "user") out.last_user = message.text;
    }
    return out;
  }
  if (!call.request) return out;
  for (const auto& message : call.request->messages) out.bytes += message.text.size();
  const auto& edits = call.edits;
  out.bytes += edits.system_prefix.size() + edits.last_user_prefix.size() + edits.last_user_suffix.size();
  out.system = edits.system_prefix + call.request->system_text();
  out.last_user =
      edits.last_user_prefix + std::string(call.request->last_user_text()) + edits.last_user_suffix;
  return out;
}

}  // namespace brevet
