#include <fmt/format.h>

#include <boost/asio/bind_cancellation_slot.hpp>

#include "gateway/flow_run.h"

namespace brevet::flow {
namespace {

/// Delivers events as they come. The first one begins the client's stream.
class ClientStream final : public StreamSink {
 public:
  ClientStream(Run& run, const Configuration& model) : run_(run), model_(model) {}
  Task<Result<>> on_event(std::string data) override {
    if (!run_.began) {
      run_.began = true;
      run_.decision->streamed = true;
      auto begun = co_await run_.sink->begin(*run_.decision, model_);
      if (!begun) {
        run_.client_gone = true;
        co_return begun;
      }
    }
    auto sent = co_await run_.sink->event(std::move(data));
    if (!sent) run_.client_gone = true;
    co_return sent;
  }

 private:
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

/// The call with everything that the route's models need; opens the attempt.
struct Prepared {
  ModelClient* client = nullptr;
  ModelCall call;
  int attempt = 0;
};
Prepared prepare(Run& run, Call call, const Reason& reason) {
  Prepared out;
  auto& decision = *run.decision;
  out.attempt = static_cast<int>(decision.attempts.size());
  auto& attempt = decision.attempts.emplace_back();
  attempt.id = out.attempt;
  attempt.configuration = call.configuration;
  attempt.purpose = call.purpose;
  if (run.route) {
    run.called_because.push_back(reason);
    run.added_bytes.push_back(call.edits.system_prefix.size() + call.edits.last_user_prefix.size() +
                              call.edits.last_user_suffix.size());
  }
  const auto model = run.runtime->models.find(call.configuration.model);
  if (model != run.runtime->models.end()) {
    out.client = model->second.client.get();
    decision.simulated |= model->second.simulated;
  }
  out.call.configuration = std::move(call.configuration);
  out.call.request = run.request;
  out.call.edits = std::move(call.edits);
  out.call.messages = std::move(call.messages);
  out.call.max_tokens = call.max_tokens;
  out.call.want_logprobs = call.want_logprobs;
  out.call.purpose = call.purpose;
  out.call.seed = run.runtime->seed;
  out.call.stream =
      run.sink && call.delivery == Delivery::kStream && run.request->stream && call.messages.empty();
  return out;
}

void settle(Run& run, int id, ModelOutcome outcome) {
  auto& attempt = run.decision->attempts[static_cast<std::size_t>(id)];
  if (outcome) {
    attempt.state = AttemptState::kDone;
    attempt.answer = std::move(outcome->answer);
    attempt.cost = outcome->cost;
    attempt.latency = outcome->latency;
    attempt.first_token = outcome->first_token;
    attempt.tries = outcome->tries;
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

/// A call as a coroutine of its own, which a cancellation must not unwind before its cost is known.
Task<ModelOutcome> spawned_call(ModelClient* client, ModelCall call) {
  co_await asio::this_coro::throw_if_cancelled(false);
  if (!client) co_return missing(call);
  ModelOutcome outcome;
  try {
    outcome = co_await client->call(std::move(call), nullptr);
  } catch (const std::exception& error) {
    outcome = threw(error);
  }
  co_return outcome;
}

}  // namespace

bool cancelled(const asio::cancellation_state& state) {
  return state.cancelled() != asio::cancellation_type::none;
}

Task<void> call_directly(Run& run, Call call, const Reason& reason) {
  run.decision->reason = reason;
  auto prepared = prepare(run, std::move(call), reason);
  const auto before = run.parts.clock.steady();
  std::optional<ClientStream> stream;
  if (prepared.call.stream) stream.emplace(run, prepared.call.configuration);
  StreamSink* to = stream ? &*stream : nullptr;
  ModelOutcome outcome;
  if (!prepared.client) {
    outcome = missing(prepared.call);
  } else {
    try {
      outcome = co_await prepared.client->call(std::move(prepared.call), to);
    } catch (const std::exception& error) {
      outcome = threw(error);
    }
  }
  run.upstream += run.parts.clock.steady() - before;
  settle(run, prepared.attempt, std::move(outcome));
}

Task<void> make_calls(Run& run, Calls calls, const Reason& reason) {
  if (calls.calls.size() == 1 && run.pending.empty()) {
    co_await call_directly(run, std::move(calls.calls.front()), reason);
    co_return;
  }
  const auto executor = co_await asio::this_coro::executor;
  if (!run.waker) run.waker = std::make_shared<asio::steady_timer>(executor);
  for (auto& call : calls.calls) {
    // Several answers cannot share the client's stream.
    call.delivery = Delivery::kHold;
    auto prepared = prepare(run, std::move(call), reason);
    auto pending = std::make_shared<Pending>();
    pending->attempt = prepared.attempt;
    run.pending.push_back(pending);
    asio::co_spawn(executor, spawned_call(prepared.client, std::move(prepared.call)),
                   asio::bind_cancellation_slot(
                       pending->stop.slot(),
                       [pending, waker = run.waker](std::exception_ptr error, ModelOutcome outcome) {
                         pending->outcome =
                             error ? ModelOutcome(tl::unexpected(failure(ErrorKind::kCancelled, "cancelled",
                                                                         "The call was cancelled.")))
                                   : std::move(outcome);
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
    settle(run, (*it)->attempt, std::move((*it)->outcome));
    it = run.pending.erase(it);
    any = true;
  }
  return any;
}

}  // namespace

Task<void> wait_for_one(Run& run) {
  const auto before = run.parts.clock.steady();
  while (!run.pending.empty() && !reap(run)) {
    run.waker->expires_at(asio::steady_timer::time_point::max());
    (void)co_await run.waker->async_wait(kNoThrow);
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (cancelled(cancellation)) break;
  }
  run.upstream += run.parts.clock.steady() - before;
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

}  // namespace brevet::flow
