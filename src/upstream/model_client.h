// The one contract of every upstream: call a model once.
//
// Called by RequestFlow for serving and learning alike. Thread-safe; a call stays on the caller's executor.
// Deadlines, bounded retries, breaker and concurrency limit of one model live behind it. Does not choose,
// compare or learn.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/async.h"
#include "base/result.h"
#include "domain/answer.h"
#include "domain/chat_request.h"
#include "domain/configuration.h"

namespace brevet {

struct ModelCall {
  Configuration configuration;
  std::shared_ptr<const ChatRequest> request;  ///< the client's request; null only with `messages`
  MessageEdits edits;
  std::vector<PlainMessage> messages;  ///< not empty: a prompt of our own, `request` only gives metadata
  std::optional<int> max_tokens;       ///< for prompts of our own
  int more_tokens = 0;                 ///< added to the client's limit of tokens, where it has one
  std::optional<double> temperature;   ///< instead of the client's
  /// One of several answers to the same prompt: which one, from 0. Sent upstream as `seed`.
  std::optional<int> sample;
  bool want_logprobs = false;
  int top_logprobs = 0;  ///< with want_logprobs: so many alternatives of each token
  bool stream = false;   ///< ask for SSE; needs a sink
  Purpose purpose = Purpose::kServe;
  std::uint64_t seed = 0;  ///< for simulated upstreams: same request, same seed, same answer
  std::string tenant;      ///< whose call it is; a completion cache answers nobody else
  bool may_store = false;  ///< the request and its route let content be kept
};

/// Receives a streamed answer. `data` is the JSON of one SSE event as it came, less what we had added
/// upstream; [DONE] is never passed on: the call's return says how it ended. Returning an error cancels the
/// upstream call.
class StreamSink {
 public:
  virtual ~StreamSink() = default;
  virtual Task<Result<>> on_event(std::string data) = 0;
};

struct ModelResult {
  Answer answer;
  Cost cost;
  Microseconds latency{0};
  std::optional<Microseconds> first_token;
  int tries = 1;
  bool from_cache = false;  ///< a completion cache answered; no provider was called
};

/// A failed call with what is known of it: a cut or cancelled stream still has tokens to account for.
struct ModelFailure {
  Error error;
  std::optional<Answer> partial;
  Cost cost;  ///< of what was received, basis assumed when the provider did not report usage; unknown if
              ///< nothing is known
  Microseconds latency{0};
  int tries = 1;
  bool streamed = false;  ///< at least one event reached the sink
};
using ModelOutcome = tl::expected<ModelResult, ModelFailure>;

enum class BreakerState { kClosed, kHalfOpen, kOpen };

struct ModelStatus {
  BreakerState breaker = BreakerState::kClosed;
  std::string last_error;  ///< code of the last failure, empty if none
  std::uint64_t calls = 0, failures = 0, retries = 0;
  std::uint32_t in_flight = 0;
  std::uint64_t cache_hits = 0, cache_entries = 0, cache_evicted = 0;  ///< of its completion cache
};

class ModelClient {
 public:
  virtual ~ModelClient() = default;
  /// On cancellation of the coroutine it returns ErrorKind::kCancelled after having stopped the upstream
  /// work.
  virtual Task<ModelOutcome> call(ModelCall call, StreamSink* sink) = 0;
  /// Never makes a paid call.
  virtual ModelStatus status() const = 0;
  /// Price of the usage; unknown when the model has no price or a needed count is missing.
  virtual Cost price(const Usage& usage) const = 0;
  virtual bool simulated() const { return false; }
  /// What this request's answer cost when it was recorded; empty for anything but a recorded answer whose
  /// file says so. Known before the call, so that an endpoint can say it in a header.
  virtual std::optional<Money> recorded_cost(const ChatRequest&) const { return std::nullopt; }
};

/// The header in which an endpoint of recorded models (serve_models.h) says that cost, in USD. A client takes
/// it from an endpoint only where the configuration says that it plays recordings.
inline constexpr const char* kRecordedCostHeader = "x-brevet-recorded-cost-usd";

using ModelClientPtr = std::shared_ptr<ModelClient>;

}  // namespace brevet
