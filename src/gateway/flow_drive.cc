// Drives a strategy step by step, opens a decision and accounts for what was done.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "gateway/call_times.h"
#include "gateway/flow_run.h"
#include "gateway/share_dials.h"

namespace brevet::flow {

namespace {

Error internal(const char* code, std::string message) {
  return Error{ErrorKind::kInternal, code, std::move(message)};
}

/// Equal for all turns of a conversation: the caller's name of it, else the first user message.
std::uint64_t session_key(const Run& run) {
  const auto tenant = hash_bytes(run.options.tenant);
  if (!run.options.session.empty()) return hash_bytes(run.options.session, tenant);
  const auto& messages = run.request->messages;
  const auto first = std::find_if(messages.begin(), messages.end(),
                                  [](const ChatMessage& message) { return message.role == "user"; });
  return hash_bytes(first == messages.end() ? std::string_view{} : first->text, tenant);
}

Error calls_exhausted(const Run& run) {
  return Error{ErrorKind::kPolicyRefused, "calls_exhausted",
               fmt::format("Route '{}' allows {} model calls for one request, and they are used up. Raise "
                           "calls_max, or let its strategy make fewer.",
                           run.route->name, run.route->calls_max)};
}

/// With an answer in hand, whether another call would likely end after the time that the route aims at.
bool another_would_be_late(Run& run) {
  if (!run.route || !run.route->latency_p95 || run.view->out_of_time) return false;
  const auto& attempts = run.decision->attempts;
  const bool any = std::any_of(attempts.begin(), attempts.end(), [](const Attempt& attempt) {
    return attempt.state == AttemptState::kDone && attempt.purpose == Purpose::kServe;
  });
  if (!any) return false;
  const auto usual = run.parts.call_times->p95(run.route->name);
  const auto elapsed = run.parts.clock.steady() - run.root().started;
  return usual && elapsed + *usual > *run.route->latency_p95;
}

/// Bytes are with the client: this attempt is the answer, whole or cut.
Ending ending_of_stream(Run& run) {
  auto& decision = *run.decision;
  const auto& attempt = decision.attempts.back();
  if (attempt.state == AttemptState::kDone) {
    decision.accepted = attempt.id;
    return {DecisionState::kServed, std::nullopt};
  }
  if (run.client_gone || attempt.state == AttemptState::kCancelled)
    return {DecisionState::kCancelled, client_gone()};
  return {DecisionState::kFailed, attempt.error};
}

/// The answer stays whose it was, with what it cost, and says something else.
void replace_text(Run& run, Answer& answer, const std::string& text) {
  if (answer.text == text) return;
  answer.text = text;
  answer.body.clear();
  answer.reasoning.clear();
  answer.tool_calls.clear();
  answer.mean_logprob.reset();
  answer.min_logprob.reset();
  run.text_replaced = true;
}

}  // namespace

Error client_gone() {
  return Error{ErrorKind::kCancelled, "client_gone", "The client hung up before the answer was complete."};
}

void make_view(Run& run) {
  const auto& route = *run.route;
  const auto logprobs = [&](const Configuration& candidate) {
    const auto model = run.runtime->models.find(candidate.model);
    return model != run.runtime->models.end() && model->second.logprobs;
  };
  if (run.composed) {
    run.view.emplace(RequestView{*run.request, run.features, run.decision->partition, run.weak, run.reference,
                                 run.candidates});
    run.view->weak_has_logprobs = logprobs(run.weak);
    for (const auto& candidate : run.candidates) run.view->have_logprobs.push_back(logprobs(candidate));
    const auto& outer = *run.parent->view;
    run.view->may_hold = outer.may_hold;
    run.view->session = outer.session;
    run.view->show_reasoning = outer.show_reasoning;
    return;
  }
  auto& partition = run.decision->partition;
  if (run.candidates.empty()) run.candidates = route.candidates;
  // Where the cheapest cannot take the request, the next is the weak one.
  const bool weak_can =
      std::find(run.candidates.begin(), run.candidates.end(), route.weak) != run.candidates.end();
  run.view.emplace(RequestView{*run.request, run.features, partition,
                               weak_can ? route.weak : run.candidates.front(), route.reference,
                               run.candidates});
  run.view->weak_has_logprobs = logprobs(route.weak);
  for (const auto& candidate : run.candidates) run.view->have_logprobs.push_back(logprobs(candidate));
  run.view->may_write_guide = route.learning.guides;
  run.view->show_reasoning = run.options.show_reasoning;
  run.view->session = session_key(run);
  run.calls_left = route.calls_max;
  if (route.deadline) run.deadline = run.started + *route.deadline;
}

void open_decision(Run& run) {
  auto& decision = *run.decision;
  decision.id = run.parts.new_decision_id();
  decision.time = run.parts.clock.now();
  decision.tenant = run.options.tenant;
  decision.tags = run.options.tags.substr(0, kTagBytesMax);
  decision.session = run.options.session;
  run.started = run.parts.clock.steady();
  if (!run.route) {
    decision.learn = false;
    return;
  }
  const auto& route = *run.route;
  const auto& request = *run.request;
  decision.route = route.name;
  decision.strategy = run.strategy->name();
  decision.partition.tenant = run.options.tenant;
  decision.partition.encoder_hash = run.parts.features.encoder_hash();
  decision.partition.weak = route.weak.key();
  decision.partition.reference = route.reference.key();
  decision.partition.system_hash = request.system_hash;
  const bool keep = run.options.store && route.store != StoreContent::kNone;
  if (keep) {
    decision.request_hash = request.hash;
    decision.system_hash = request.system_hash;
    decision.hash_only = request.has_tools || request.has_response_format;
    decision.store_text = route.store == StoreContent::kText;
    if (decision.store_text) decision.request_text = request.last_user_text();
  }
  // What is learned holds the request's hash and embedding, so what is not to be kept is not learned from.
  decision.learn = run.options.learn && keep && route.learning.enabled && route.shadow_plan != nullptr;
  // A session of our own is a hash of content, so it is only for routes that may keep one.
  if (decision.session.empty() && keep) {
    const auto first_user = std::find_if(request.messages.begin(), request.messages.end(),
                                         [](const ChatMessage& message) { return message.role == "user"; });
    const std::string_view text =
        first_user == request.messages.end() ? std::string_view{} : first_user->text;
    const auto seed = hash_bytes(run.options.tenant, hash_bytes(request.system_hash));
    decision.session = fmt::format("ses_{:016x}", hash_bytes(text, seed));
  }
}

namespace {

Task<Ending> accept_attempt(Run& run, Accept accept, Reason reason) {
  if (auto instead = contract_before_accept(run, accept)) co_return co_await serve_instead(run, *instead);
  co_await stop_pending(run);
  auto& decision = *run.decision;
  const auto id = static_cast<std::size_t>(accept.attempt);
  decision.accepted = accept.attempt;
  if (accept.text) replace_text(run, *decision.attempts[id].answer, *accept.text);
  decision.reason = reason.code == kAsCalled ? run.called_because[id] : std::move(reason);
  co_return Ending{DecisionState::kServed, std::nullopt};
}

/// The newest answer to the client's own prompt, -1 if there is none.
int newest_answer(const Run& run) {
  const auto& attempts = run.decision->attempts;
  for (auto it = attempts.rbegin(); it != attempts.rend(); ++it) {
    if (it->state == AttemptState::kDone && it->answer && it->purpose == Purpose::kServe &&
        !run.own_prompt[static_cast<std::size_t>(it->id)])
      return it->id;
  }
  return -1;
}

/// For a strategy that would call further although time is up.
Task<Ending> settle_late(Run& run) {
  const int id = newest_answer(run);
  if (id < 0) co_return Ending{DecisionState::kFailed, late()};
  const auto& attempt = run.decision->attempts[static_cast<std::size_t>(id)];
  Reason reason{
      "deadline_served",
      fmt::format("Served by {}, the newest answer that there was when the route's deadline passed.",
                  attempt.configuration.key())};
  run.decision->steps.push_back(reason);
  Accept accept;
  accept.attempt = id;
  auto ending = co_await accept_attempt(run, std::move(accept), std::move(reason));
  co_return ending;
}

}  // namespace

Task<Ending> drive(Run& run, const Strategy& strategy) {
  auto& decision = *run.decision;
  const Turn turn{*run.view, run.evidence, decision.attempts, *run.snapshot};
  const int steps_max = kStepsMax + 2 * (run.route ? run.route->calls_max : 0);
  for (int i = 0; i < steps_max; ++i) {
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (run.client_gone || cancelled(cancellation)) {
      co_await stop_pending(run);
      co_return Ending{DecisionState::kCancelled, client_gone()};
    }
    if (time_is_up(run)) {
      run.time_told = true;
      run.view->out_of_time = true;
      co_await stop_late(run);
      if (run.began) co_return ending_of_stream(run);  // its first byte came before it was stopped
    }
    run.view->calls_left = run.root().calls_left;
    if (another_would_be_late(run)) run.view->out_of_time = true;
    Step step = strategy.next(turn, run.draws);
    decision.steps.push_back(step.reason);
    if (step.score) decision.score = step.score;
    if (!step.qualities.empty()) decision.qualities = step.qualities;
    if (auto* need = std::get_if<Need>(&step.what)) {
      co_await answer_need(run, std::move(*need));
    } else if (auto* calls = std::get_if<Calls>(&step.what)) {
      if (calls->calls.empty()) break;
      if (run.time_told) co_return co_await settle_late(run);
      if (static_cast<int>(calls->calls.size()) > run.root().calls_left) {
        co_await stop_pending(run);
        co_return Ending{DecisionState::kFailed, calls_exhausted(run)};
      }
      if (auto instead = contract_before_calls(run, step)) co_return co_await serve_instead(run, *instead);
      count_vote(run, *calls);
      co_await make_calls(run, std::move(*calls), step.reason);
      if (run.began) {
        // Whoever hangs up ends the wait and not the call, which writes to this run until it has stopped.
        co_await see_through(run);
        co_return ending_of_stream(run);
      }
    } else if (std::holds_alternative<Wait>(step.what)) {
      if (run.pending.empty()) break;
      co_await wait_for_one(run);
    } else if (auto* accept = std::get_if<Accept>(&step.what)) {
      const auto id = static_cast<std::size_t>(accept->attempt);
      if (accept->attempt < 0 || id >= decision.attempts.size() ||
          decision.attempts[id].state != AttemptState::kDone)
        break;
      auto ending = co_await accept_attempt(run, std::move(*accept), std::move(step.reason));
      co_return ending;
    } else {
      co_await stop_pending(run);
      decision.reason = step.reason;
      const auto& error = std::get<GiveUp>(step.what).error;
      // The only failure of a request whose client has gone is that it has gone.
      const auto now = co_await asio::this_coro::cancellation_state;
      if (run.client_gone || cancelled(now)) {
        co_return Ending{DecisionState::kCancelled, client_gone()};
      }
      co_return Ending{DecisionState::kFailed, error};
    }
  }
  co_await stop_pending(run);
  co_return Ending{DecisionState::kFailed,
                   internal("strategy_unbounded",
                            fmt::format("Strategy '{}' did not come to a valid end.", strategy.name()))};
}

Task<Result<Step>> first_calls(Run& run, const Strategy& strategy) {
  const Turn turn{*run.view, run.evidence, run.decision->attempts, *run.snapshot};
  for (int i = 0; i < kStepsMax; ++i) {
    Step step = strategy.next(turn, run.draws);
    run.decision->steps.push_back(step.reason);
    if (step.score) run.decision->score = step.score;
    if (!step.qualities.empty()) run.decision->qualities = step.qualities;
    auto* need = std::get_if<Need>(&step.what);
    if (!need) {
      const auto* calls = std::get_if<Calls>(&step.what);
      if (!calls || calls->calls.empty()) break;
      co_return step;
    }
    co_await answer_need(run, std::move(*need));
  }
  co_return fail(internal("strategy_unbounded",
                          fmt::format("Strategy '{}' did not come to a first call.", strategy.name())));
}

void count_vote(Run& run, const Calls& calls) {
  // A dial belongs to the route's own strategy.
  if (calls.vote && !run.parent) run.parts.dials->count(run.options.tenant, run.route->name, *calls.vote);
}

std::vector<Answer> take_answers(Decision& decision) {
  std::vector<Answer> out(decision.attempts.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    auto& answer = decision.attempts[i].answer;
    if (!answer) continue;
    Answer rest;
    rest.finish_reason = answer->finish_reason;
    rest.returned_model = answer->returned_model;
    rest.usage = answer->usage;
    rest.mean_logprob = answer->mean_logprob;
    rest.min_logprob = answer->min_logprob;
    out[i] = std::exchange(*answer, std::move(rest));
  }
  return out;
}

void account(Run& run) {
  auto& decision = *run.decision;
  Cost cost{Money{}, CostBasis::kRecorded};
  for (const auto& attempt : decision.attempts) cost = cost + attempt.cost;
  decision.cost = cost;  // nothing called is nothing spent, and that is known
  const auto latency = run.parts.clock.steady() - run.started;
  decision.latency = std::chrono::duration_cast<Microseconds>(latency);
  decision.overhead = std::chrono::duration_cast<Microseconds>(latency - run.upstream);
  decision.draws = run.draws.log();
  if (!run.route) return;
  decision.snapshot_version = run.snapshot->version();
  decision.estimate = run.evidence.estimate;
  // The neighbours that an estimate weighed are its reasons; they are kept once.
  if (decision.estimate) decision.neighbours = std::exchange(decision.estimate->nearest, {});
  if (run.evidence.neighbours) {
    const auto& found = *run.evidence.neighbours;
    decision.neighbours.assign(
        found.begin(), found.begin() + static_cast<std::ptrdiff_t>(std::min(found.size(), kNeighboursKept)));
  }
  decision.exact_repeat = run.evidence.exact && run.evidence.exact->has_value();
  decision.comparisons = run.evidence.comparisons;
  if (run.features_fetched && !decision.request_hash.empty()) {
    decision.embedding = run.features.embedding;
    decision.words = std::make_shared<const SparseVector>(run.features.words);
  }
}

}  // namespace brevet::flow
