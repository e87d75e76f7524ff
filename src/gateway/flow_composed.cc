// Composed candidates: a strategy that is called like a model.
//
// Its Run lives beside its parent's for as long as the call does. It settles with what it has when the
// deadline passes, and its parent waits for that. What it decided and called is kept in the parent's attempt.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "gateway/flow_run.h"

namespace brevet::flow {
namespace {

/// Keeps what the accounts need of an answer inside; what was said is only needed by whoever asked.
void forget_text(std::vector<Attempt>& attempts) {
  for (auto& attempt : attempts) {
    if (!attempt.answer) continue;
    auto& answer = *attempt.answer;
    answer.body = {};
    answer.text = {};
    answer.reasoning = {};
    answer.tool_calls = {};
  }
}

Cost cost_of(const std::vector<Attempt>& attempts) {
  Cost sum{Money{}, CostBasis::kRecorded};
  for (const auto& attempt : attempts) sum = sum + attempt.cost;
  return sum;
}

/// Candidates that can take the request and may be sent it; those that are composed look for themselves.
std::vector<Configuration> able_of(const Run& run, const Composed& composed) {
  std::vector<CandidateLimits> limits;
  for (const auto& candidate : composed.candidates) {
    const auto model = run.runtime->models.find(candidate.model);
    limits.push_back(
        {candidate.key(), model == run.runtime->models.end() ? ModelLimits{} : model->second.limits});
  }
  const auto can = who_can_take(*run.request, limits);
  std::vector<Configuration> out;
  for (std::size_t i = 0; i < composed.candidates.size(); ++i) {
    if (!can.why_not[i].empty()) continue;
    const auto model = run.runtime->models.find(composed.candidates[i].model);
    const bool here = model == run.runtime->models.end() || model->second.local;
    if (run.options.local_only && !here) continue;
    out.push_back(composed.candidates[i]);
  }
  return out;
}

Within within_of(const Run& parent, Call call) {
  Within out;
  out.edits = std::move(call.edits);
  out.messages = std::move(call.messages);
  out.max_tokens = call.max_tokens;
  out.temperature = call.temperature;
  out.sample = call.sample;
  out.want_logprobs = call.want_logprobs;
  // What is asked in order to learn, judge or fuse stays that, whoever is called inside.
  if (call.purpose != Purpose::kServe) out.purpose = call.purpose;
  if (parent.within.purpose) out.purpose = parent.within.purpose;
  return out;
}

Task<Ending> work(Run* run) {
  if (run->depth > kComposedDepthMax) {
    co_return Ending{DecisionState::kFailed,
                     Error{ErrorKind::kInternal, "composed_too_deep",
                           fmt::format("'{}' is a strategy inside more than {} others.", run->composed->name,
                                       kComposedDepthMax - 1)}};
  }
  if (run->candidates.empty()) {
    co_return Ending{
        DecisionState::kFailed,
        Error{ErrorKind::kCallerInvalid, "no_capable_model",
              fmt::format("No candidate of '{}' can take this request.", run->composed->name), "model"}};
  }
  make_view(*run);
  if (auto reason = run->strategy->not_applicable(*run->view)) {
    Call call;
    call.configuration = run->reference;
    call.delivery = Delivery::kStream;
    run->decision->steps.push_back(*reason);
    co_await call_directly(*run, std::move(call), *reason);
    const auto& attempt = run->decision->attempts.back();
    if (attempt.state == AttemptState::kDone) {
      run->decision->accepted = attempt.id;
      co_return Ending{DecisionState::kServed, std::nullopt};
    }
    const bool stopped = attempt.state == AttemptState::kCancelled;
    co_return Ending{stopped ? DecisionState::kCancelled : DecisionState::kFailed, attempt.error};
  }
  auto ending = co_await drive(*run, *run->strategy);
  co_return ending;
}

}  // namespace

Task<CallOutcome> call_composed(Run& parent, std::shared_ptr<const Composed> composed, int attempt, Call call,
                                ResponseSink* sink) {
  const auto place = mix_bits(parent.place, static_cast<std::uint64_t>(attempt) + 1);
  const auto before = parent.parts.clock.steady();
  Run run{parent.parts,
          parent.runtime,
          parent.request,
          parent.options,
          parent.route,
          sink,
          std::make_shared<Decision>(),
          parent.root().draws.fork(place)};
  run.parent = &parent;
  run.place = place;
  run.depth = parent.depth + 1;
  run.composed = composed;
  run.shown_as = parent.shown_as ? parent.shown_as : call.configuration;
  run.within = within_of(parent, std::move(call));
  run.snapshot = parent.snapshot;
  run.strategy = composed->strategy;
  run.started = before;
  run.candidates = able_of(run, *composed);
  if (!run.candidates.empty()) {
    run.weak = run.candidates.front();
    const bool able =
        std::find(run.candidates.begin(), run.candidates.end(), composed->reference) != run.candidates.end();
    run.reference = able ? composed->reference : run.candidates.back();
  }
  auto& decision = *run.decision;
  const auto& outer = parent.root().decision->partition;
  decision.partition = outer;
  decision.partition.weak = run.weak.key();
  decision.partition.reference = run.reference.key();

  auto ending = co_await work(&run);

  CallOutcome out;
  const auto latency = std::chrono::duration_cast<Microseconds>(parent.parts.clock.steady() - before);
  if (ending.state == DecisionState::kServed) {
    auto& served = decision.attempts[static_cast<std::size_t>(decision.accepted)];
    ModelResult result;
    result.answer = *std::move(served.answer);
    served.answer.reset();
    // The record of the part keeps its usage, as every other.
    Answer rest;
    rest.finish_reason = result.answer.finish_reason;
    rest.returned_model = result.answer.returned_model;
    rest.usage = result.answer.usage;
    rest.mean_logprob = result.answer.mean_logprob;
    rest.min_logprob = result.answer.min_logprob;
    served.answer = std::move(rest);
    // Whoever answered inside may be another one next time, which is no change of this candidate.
    result.answer.returned_model = composed->name;
    result.cost = cost_of(decision.attempts);
    result.latency = latency;
    result.first_token = served.first_token;
    // What this call was asked to add is in it already: every call inside was given it too.
    parent.decision->attempts[static_cast<std::size_t>(attempt)].prompt_bytes_added =
        served.prompt_bytes_added;
    if (run.text_replaced || run.own_usage[static_cast<std::size_t>(decision.accepted)])
      parent.own_usage[static_cast<std::size_t>(attempt)] = true;
    out.outcome = std::move(result);
  } else {
    ModelFailure failure;
    if (ending.state == DecisionState::kCancelled) {
      failure.error = Error{ErrorKind::kCancelled, "cancelled", "The call was cancelled."};
    } else if (ending.error) {
      failure.error = *ending.error;
    } else {
      failure.error = Error{ErrorKind::kInternal, "strategy_unbounded",
                            fmt::format("Strategy '{}' gave no answer.", run.strategy->name())};
    }
    failure.cost = cost_of(decision.attempts);
    failure.latency = latency;
    failure.streamed = run.began;
    out.outcome = tl::unexpected(std::move(failure));
  }
  forget_text(decision.attempts);
  out.parts = std::move(decision.attempts);
  out.steps = std::move(decision.steps);
  if (!decision.reason.code.empty() && decision.reason.code != kAsCalled &&
      (out.steps.empty() || out.steps.back().sentence != decision.reason.sentence))
    out.steps.push_back(decision.reason);
  out.draws = run.draws.log();
  co_return out;
}

}  // namespace brevet::flow
