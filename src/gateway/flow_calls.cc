#include <fmt/format.h>

#include <boost/asio/bind_cancellation_slot.hpp>

#include "gateway/call_times.h"
#include "gateway/flow_run.h"
#include "prompt/transform.h"

namespace brevet::flow {
namespace {

/// Delivers events as they come. The first one begins the client's stream.
class ClientStream final : public StreamSink {
 public:
  ClientStream(Run& run, Configuration model) : run_(run), model_(std::move(model)) {}
  Task<Result<>> on_event(std::string data) override {
    auto& root = run_.root();
    if (!root.began) {
      for (Run* run = &run_; run; run = run->parent) run->began = true;
      root.decision->streamed = true;
      auto begun = co_await root.sink->begin(*root.decision, model_);
      if (!begun) {
        gone();
        co_return begun;
      }
    }
    auto sent = co_await root.sink->event(std::move(data));
    if (!sent) gone();
    co_return sent;
  }

 private:
  void gone() {
    for (Run* run = &run_; run; run = run->parent) run->client_gone = true;
  }
  Run& run_;
  const Configuration model_;
};

ModelFailure failure(ErrorKind kind, const char* code, std::string message) {
  ModelFailure out;
  out.error.kind = kind;
  out.error.code = code;
  out.error.message = std::move(message);
  return out;
}

std::size_t bytes_of(const MessageEdits& edits) {
  return edits.system_prefix.size() + edits.last_user_prefix.size() + edits.last_user_suffix.size();
}

/// More than any strategy asks for at once.
constexpr int kSamplesMax = 1'000;

/// What every call inside a composed candidate takes from the call of that candidate.
void take_from_outside(const Within& within, Call& call) {
  if (within.purpose) call.purpose = *within.purpose;
  if (!call.messages.empty()) return;
  if (within.messages.empty()) {
    call.edits = both_edits(within.edits, call.edits);
  } else {
    call.messages = within.messages;
    call.max_tokens = within.max_tokens;
  }
  if (!call.temperature) call.temperature = within.temperature;
  if (!call.sample) {
    call.sample = within.sample;
  } else if (within.sample) {
    // Samples of a sample are others than those of the next one.
    call.sample = *within.sample * kSamplesMax + *call.sample;
  }
  call.want_logprobs |= within.want_logprobs;
}

/// The call with everything that the route's models need; opens the attempt.
struct Prepared {
  ModelClient* client = nullptr;
  std::shared_ptr<const Composed> composed;
  Call given;  ///< for a composed candidate
  ModelCall call;
  int attempt = 0;
  std::optional<ModelFailure> refused;
};
Prepared prepare(Run& run, Call call, const Reason& reason) {
  Prepared out;
  auto& decision = *run.decision;
  out.attempt = static_cast<int>(decision.attempts.size());
  auto& attempt = decision.attempts.emplace_back();
  attempt.id = out.attempt;
  attempt.configuration = call.configuration;
  attempt.tag = call.tag;
  if (call.sample && attempt.tag.empty()) attempt.tag = fmt::format("sample {}", *call.sample);
  if (run.parent) take_from_outside(run.within, call);
  attempt.purpose = call.purpose;
  run.own_prompt.push_back(!call.messages.empty());
  run.own_usage.push_back(!call.messages.empty());
  auto& root = run.root();
  bool stream =
      run.sink && call.delivery == Delivery::kStream && run.request->stream && call.messages.empty();
  int more_tokens = 0;
  if (run.route) {
    run.called_because.push_back(reason);
    const auto* transform = call.messages.empty() ? find_transform(call.configuration.transform) : nullptr;
    if (transform && (run.request->has_tools || run.request->has_response_format)) {
      decision.steps.push_back(
          {"transform_left_out",
           fmt::format("Transform '{}' is left out: the request {}.", transform->name,
                       run.request->has_tools ? "offers tools" : "asks for a response format")});
      transform = nullptr;
    }
    if (transform) {
      call.edits = both_edits(call.edits, transform->edits);
      more_tokens = transform->more_tokens;
      // What comes first is the reasoning.
      stream = stream && run.options.show_reasoning;
    }
    run.transformed.push_back(transform != nullptr);
    attempt.prompt_bytes_added = bytes_of(call.edits);
    const auto composed = run.route->composed.find(call.configuration.model);
    if (composed != run.route->composed.end()) {
      out.composed = composed->second;
      call.delivery = stream ? Delivery::kStream : Delivery::kHold;
      out.given = std::move(call);
      return out;
    }
    --root.calls_left;
  }
  const auto model = run.runtime->models.find(call.configuration.model);
  if (model != run.runtime->models.end()) {
    out.client = model->second.client.get();
    root.decision->simulated |= model->second.simulated;
    // Whoever was named by an option (a judge, say) has not been looked at before.
    if (run.options.local_only && !model->second.local) {
      out.refused = failure(ErrorKind::kPolicyRefused, "model_not_local",
                            fmt::format("The request must stay on this machine, and model '{}' is elsewhere.",
                                        call.configuration.model));
    }
  }
  out.call.configuration = std::move(call.configuration);
  out.call.request = run.request;
  out.call.edits = std::move(call.edits);
  out.call.messages = std::move(call.messages);
  out.call.max_tokens = call.max_tokens;
  out.call.more_tokens = more_tokens;
  out.call.temperature = call.temperature;
  out.call.sample = call.sample;
  out.call.want_logprobs = call.want_logprobs;
  out.call.top_logprobs = call.top_logprobs;
  out.call.purpose = call.purpose;
  out.call.seed = run.runtime->seed;
  out.call.tenant = run.options.tenant;
  out.call.may_store = run.options.store && (!run.route || run.route->store != StoreContent::kNone);
  out.call.stream = stream;
  return out;
}

/// Takes the reasoning out of what a transform was put into.
void take_reasoning(Answer& answer) {
  const auto split = split_reasoning(answer.text);
  if (split.reasoning.empty()) return;
  std::string text(split.answer);
  answer.reasoning = split.reasoning;
  answer.text = std::move(text);
  answer.body.clear();  // it holds what the client is not shown
}

void settle(Run& run, int id, CallOutcome result) {
  auto& attempt = run.decision->attempts[static_cast<std::size_t>(id)];
  attempt.parts = std::move(result.parts);
  attempt.steps = std::move(result.steps);
  run.draws.note(result.draws);
  auto& outcome = result.outcome;
  if (outcome) {
    attempt.state = AttemptState::kDone;
    attempt.answer = std::move(outcome->answer);
    attempt.cost = outcome->cost;
    attempt.latency = outcome->latency;
    attempt.first_token = outcome->first_token;
    attempt.tries = outcome->tries;
    if (run.route && run.route->latency_p95 && attempt.parts.empty())
      run.parts.call_times->add(run.route->name, attempt.latency);
    if (outcome->from_cache) {
      run.decision->steps.push_back(
          {"cache_hit", fmt::format("{} was not called: the same call was answered before.",
                                    attempt.configuration.key())});
    }
    const auto place = static_cast<std::size_t>(id);
    if (place < run.transformed.size() && run.transformed[place]) take_reasoning(*attempt.answer);
    return;
  }
  auto& failed = outcome.error();
  attempt.state =
      failed.error.kind == ErrorKind::kCancelled ? AttemptState::kCancelled : AttemptState::kFailed;
  attempt.answer = std::move(failed.partial);
  attempt.error = std::move(failed.error);
  attempt.cost = failed.cost;
  attempt.latency = failed.latency;
  attempt.tries = failed.tries;
}

ModelOutcome missing(const ModelCall& call) {
  return tl::unexpected(
      failure(ErrorKind::kInternal, "model_missing",
              fmt::format("The route calls model '{}', which is not configured.", call.configuration.model)));
}

/// No exception leaves a folder; one here is somebody's bug and must not take the request's thread with it.
ModelOutcome threw(const std::exception& error) {
  return tl::unexpected(failure(ErrorKind::kInternal, "upstream_threw",
                                std::string("The upstream client failed: ") + error.what()));
}

/// One call to its end; a cancellation must not unwind it before its cost is known.
Task<CallOutcome> one_call(Run* run, Prepared prepared, StreamSink* stream) {
  co_await asio::this_coro::throw_if_cancelled(false);
  CallOutcome out;
  if (prepared.refused) {
    out.outcome = tl::unexpected(*std::move(prepared.refused));
    co_return out;
  }
  if (prepared.composed) {
    auto* sink = prepared.given.delivery == Delivery::kStream ? run->sink : nullptr;
    out = co_await call_composed(*run, std::move(prepared.composed), prepared.attempt,
                                 std::move(prepared.given), sink);
    co_return out;
  }
  if (!prepared.client) {
    out.outcome = missing(prepared.call);
    co_return out;
  }
  try {
    out.outcome = co_await prepared.client->call(std::move(prepared.call), stream);
  } catch (const std::exception& error) {
    out.outcome = threw(error);
  }
  co_return out;
}

std::unique_ptr<StreamSink> stream_for(Run& run, const Prepared& prepared) {
  if (!prepared.call.stream) return {};
  return std::make_unique<ClientStream>(run, run.shown_as ? *run.shown_as : prepared.call.configuration);
}

}  // namespace

bool cancelled(const asio::cancellation_state& state) {
  return state.cancelled() != asio::cancellation_type::none;
}

bool time_is_up(Run& run) {
  const auto& root = run.root();
  return root.deadline && !root.began && run.parts.clock.steady() >= *root.deadline;
}

Task<void> call_directly(Run& run, Call call, const Reason& reason) {
  run.decision->reason = reason;
  if (run.root().deadline) {
    // Only what runs beside the flow can be stopped by its clock.
    Calls one;
    one.calls.push_back(std::move(call));
    co_await make_calls(run, std::move(one), reason);
    co_await see_through(run);
    co_return;
  }
  auto prepared = prepare(run, std::move(call), reason);
  const auto before = run.parts.clock.steady();
  const auto stream = stream_for(run, prepared);
  const int attempt = prepared.attempt;
  auto result = co_await one_call(&run, std::move(prepared), stream.get());
  run.upstream += run.parts.clock.steady() - before;
  settle(run, attempt, std::move(result));
}

Task<void> make_calls(Run& run, Calls calls, const Reason& reason) {
  const bool alone = calls.calls.size() == 1 && run.pending.empty();
  if (alone && !run.root().deadline) {
    co_await call_directly(run, std::move(calls.calls.front()), reason);
    co_return;
  }
  if (alone) run.decision->reason = reason;
  const auto executor = co_await asio::this_coro::executor;
  if (!run.waker) run.waker = std::make_shared<asio::steady_timer>(executor);
  for (auto& call : calls.calls) {
    // Several answers cannot share the client's stream.
    if (!alone) call.delivery = Delivery::kHold;
    auto prepared = prepare(run, std::move(call), reason);
    auto pending = std::make_shared<Pending>();
    pending->attempt = prepared.attempt;
    pending->composed = prepared.composed != nullptr;
    pending->stream = stream_for(run, prepared);
    run.pending.push_back(pending);
    asio::co_spawn(
        executor, one_call(&run, std::move(prepared), pending->stream.get()),
        asio::bind_cancellation_slot(
            pending->stop.slot(), [pending, waker = run.waker](std::exception_ptr error, CallOutcome result) {
              pending->result = std::move(result);
              if (error)
                pending->result.outcome =
                    tl::unexpected(failure(ErrorKind::kCancelled, "cancelled", "The call was cancelled."));
              pending->finished = true;
              waker->cancel();
            }));
  }
  co_await wait_for_one(run);
}

namespace {

/// Settles what has ended; true if anything had.
bool reap(Run& run) {
  bool any = false;
  for (auto it = run.pending.begin(); it != run.pending.end();) {
    if (!(*it)->finished) {
      ++it;
      continue;
    }
    settle(run, (*it)->attempt, std::move((*it)->result));
    it = run.pending.erase(it);
    any = true;
  }
  return any;
}

/// Not before the deadline by the flow's clock; waits for what is left of it by the timer's.
asio::steady_timer::time_point wake_at(Run& run) {
  const auto& root = run.root();
  if (!root.deadline || root.began) return asio::steady_timer::time_point::max();
  return asio::steady_timer::clock_type::now() + (*root.deadline - run.parts.clock.steady());
}

}  // namespace

Task<void> wait_for_one(Run& run) {
  const auto before = run.parts.clock.steady();
  while (!run.pending.empty() && !reap(run)) {
    if (time_is_up(run) && !run.time_told) {
      run.time_told = true;
      break;
    }
    run.waker->expires_at(run.time_told ? asio::steady_timer::time_point::max() : wake_at(run));
    (void)co_await run.waker->async_wait(kNoThrow);
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (cancelled(cancellation)) break;
  }
  run.upstream += run.parts.clock.steady() - before;
}

Task<void> see_through(Run& run) {
  while (!run.pending.empty()) {
    const auto state = co_await asio::this_coro::cancellation_state;
    if (cancelled(state)) {
      co_await stop_pending(run);
    } else if (time_is_up(run)) {
      co_await stop_late(run);
    } else {
      co_await wait_for_one(run);
    }
  }
}

Task<void> stop_pending(Run& run) {
  if (run.pending.empty()) co_return;
  for (const auto& pending : run.pending) {
    if (!pending->finished) pending->stop.emit(asio::cancellation_type::terminal);
  }
  // A cancelled wait is waited again: what was stopped still has costs to account for.
  while (!run.pending.empty()) {
    if (reap(run)) continue;
    run.waker->expires_at(asio::steady_timer::time_point::max());
    (void)co_await run.waker->async_wait(kNoThrow);
  }
}

Task<void> stop_late(Run& run) {
  std::vector<int> stopped;
  for (const auto& pending : run.pending) {
    if (pending->finished || pending->composed) continue;
    stopped.push_back(pending->attempt);
    pending->stop.emit(asio::cancellation_type::terminal);
  }
  while (!run.pending.empty()) {
    if (reap(run)) continue;
    run.waker->expires_at(asio::steady_timer::time_point::max());
    (void)co_await run.waker->async_wait(kNoThrow);
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (cancelled(cancellation)) co_await stop_pending(run);
  }
  for (const int id : stopped) {
    auto& attempt = run.decision->attempts[static_cast<std::size_t>(id)];
    if (attempt.state != AttemptState::kCancelled) continue;
    attempt.state = AttemptState::kFailed;
    attempt.error = late();
  }
}

Error late() {
  return Error{ErrorKind::kProviderTimeout, "deadline_exceeded",
               "The route's deadline passed before an answer was complete."};
}

}  // namespace brevet::flow
