#include "gateway/flow_contract.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "gateway/flow_run.h"
#include "gateway/shadow_runner.h"
#include "prompt/judge.h"

namespace brevet::flow {
namespace {

/// The reference's own answer to the client's own prompt.
bool is_reference(const Run& run, const Configuration& configuration, const MessageEdits& edits) {
  return configuration == run.route->reference && edits.empty();
}

bool may_call_reference(const Run& run) {
  return std::find(run.candidates.begin(), run.candidates.end(), run.route->reference) !=
         run.candidates.end();
}

/// Whether the answer can be compared with the reference's later; then a place for the shadow is held.
bool checkable(Run& run) {
  auto& known = run.contract.checkable;
  if (known) return *known;
  const auto& decision = *run.decision;
  const auto& learning = run.route->learning;
  const std::size_t bytes = run.request->raw ? run.request->raw->size() : 0;
  known = run.parts.shadows && decision.learn && !run.request->hash.empty() &&
          bytes <= learning.request_bytes_max && may_call_reference(run) && run.route->shadow_plan &&
          !run.route->shadow_plan->not_applicable(*run.view) && run.parts.shadows->hold(*run.route);
  return *known;
}

ContractQuestion question(Run& run, bool risky) {
  ContractQuestion out;
  out.tenant = run.options.tenant;
  out.tags = run.decision->tags;
  out.risky = risky;
  out.score = run.contract.score;
  out.checkable = (risky || out.score) && checkable(run);
  return out;
}

Instead reference_instead(const Run& run, const ContractSeat& seat) {
  return {run.route->reference,
          {seat.reason, fmt::format("Served by {}. {}", run.route->reference.key(), seat.sentence)}};
}

/// Whether the step is one call whose answer is served as it is, by one candidate.
const Call* one_shot(const Run& run, const Step& step) {
  const auto* calls = std::get_if<Calls>(&step.what);
  if (!calls || calls->calls.size() != 1 || !run.pending.empty()) return nullptr;
  const auto& call = calls->calls.front();
  const bool plain =
      call.purpose == Purpose::kServe && call.delivery == Delivery::kStream && call.messages.empty();
  return plain ? &call : nullptr;
}

/// Notes what the strategy wishes; true where that is not the reference, or where the contract may choose by
/// score.
bool note_wish(Run& run, const Step& step, const Call& call) {
  auto& contract = run.contract;
  contract.score = step.score;
  const bool risky = !is_reference(run, call.configuration, call.edits);
  if (!risky && !step.score) return false;
  contract.wished = true;
  contract.risky = risky;
  contract.wish = risky ? call.configuration : run.view->weak;
  if (risky) contract.edits = call.edits;
  return true;
}

/// What the seat means for a step that would serve `risky`.
std::optional<Instead> by_seat(const Run& run, const ContractSeat& seat, bool risky) {
  if (seat.risky == risky) return std::nullopt;
  if (!seat.risky) return reference_instead(run, seat);
  const auto& wish = run.contract.wish;
  return Instead{wish,
                 {"contract_certified",
                  fmt::format("Served by {} because its score of {:.3g} is one that the contract certifies.",
                              wish.key(), run.contract.score.value_or(0))}};
}

}  // namespace

void contract_begin(Run& run) {
  run.contract.on = run.route && run.route->contract && run.parts.contracts;
}

std::optional<Instead> contract_before_calls(Run& run, const Step& step) {
  auto& contract = run.contract;
  if (!contract.on || contract.seat) return std::nullopt;
  const auto* call = one_shot(run, step);
  if (!call || !note_wish(run, step, *call)) return std::nullopt;
  const bool risky = !is_reference(run, call->configuration, call->edits);
  auto asked = run.parts.contracts->ask(*run.route, question(run, risky));
  // Bytes of this call would reach the client, so this is the moment to book. A refusal takes its seat when
  // the reference has answered.
  if (asked.risky && run.sink && run.request->stream) {
    contract.seat = run.parts.contracts->admit(*run.route, question(run, risky));
    return by_seat(run, *contract.seat, risky);
  }
  contract.refused = asked.reason;
  return by_seat(run, asked, risky);
}

std::optional<Instead> contract_before_accept(Run& run, const Accept& accept) {
  auto& contract = run.contract;
  if (!contract.on || (contract.seat && contract.seat->risky)) return std::nullopt;
  const auto& attempts = run.decision->attempts;
  const auto id = static_cast<std::size_t>(accept.attempt);
  const bool reference =
      attempts[id].configuration == run.route->reference && attempts[id].prompt_bytes_added == 0;
  if (reference && !accept.text) return std::nullopt;
  if (reference) {
    // What would be compared with the reference's answer is made of it, and could not be told from it again.
    contract_let_go(run);
    contract.checkable = false;
  }
  if (!contract.wished) {
    contract.wished = true;
    contract.risky = true;
    contract.wish = attempts[id].configuration;
  }
  auto asked = contract.seat ? *contract.seat : run.parts.contracts->ask(*run.route, question(run, true));
  if (asked.risky) {
    contract.seat = run.parts.contracts->admit(*run.route, question(run, true));
    if (contract.seat->risky) return std::nullopt;
    asked = *contract.seat;
  }
  contract.refused = asked.reason;
  auto out = reference_instead(run, asked);
  for (const auto& attempt : attempts) {
    if (attempt.configuration == run.route->reference && attempt.state == AttemptState::kDone &&
        attempt.purpose == Purpose::kServe && attempt.prompt_bytes_added == 0)
      out.attempt = attempt.id;
  }
  return out;
}

Task<Ending> serve_instead(Run& run, Instead instead) {
  co_await stop_pending(run);
  auto& decision = *run.decision;
  for (;;) {
    decision.steps.push_back(instead.reason);
    if (instead.attempt >= 0) {
      decision.accepted = instead.attempt;
      decision.reason = std::move(instead.reason);
      co_return Ending{DecisionState::kServed, std::nullopt};
    }
    Call call;
    call.configuration = instead.configuration;
    call.delivery = Delivery::kStream;
    co_await call_directly(run, std::move(call), instead.reason);
    const auto& attempt = decision.attempts.back();
    if (run.client_gone || attempt.state == AttemptState::kCancelled)
      co_return Ending{DecisionState::kCancelled, client_gone()};
    if (attempt.state == AttemptState::kDone) {
      if (instead.configuration != run.route->reference && !run.began) {
        // It was held: now it is to reach the client.
        if (auto refused = contract_before_accept(run, Accept{attempt.id})) {
          instead = std::move(*refused);
          continue;
        }
      }
      decision.accepted = attempt.id;
      co_return Ending{DecisionState::kServed, std::nullopt};
    }
    if (instead.configuration == run.route->reference || run.began)
      co_return Ending{DecisionState::kFailed, attempt.error};
    const auto failed = instead.configuration.key();
    instead.configuration = run.route->reference;
    instead.reason = {"contract_weak_failed",
                      fmt::format("Served by {} because {} failed ({}).", run.route->reference.key(), failed,
                                  attempt.error ? attempt.error->code : "no answer")};
  }
}

std::optional<Instead> contract_would(Run& run, const Step& step) {
  if (!run.contract.on) return std::nullopt;
  const auto* calls = std::get_if<Calls>(&step.what);
  if (!calls || calls->calls.size() != 1) return std::nullopt;
  const auto& call = calls->calls.front();
  if (!note_wish(run, step, call)) return std::nullopt;
  const bool risky = run.contract.risky;
  return by_seat(run, run.parts.contracts->ask(*run.route, question(run, risky)), risky);
}

void contract_let_go(Run& run) {
  auto& held = run.contract.checkable;
  if (held && *held) run.parts.shadows->let_go();
  held.reset();
}

std::shared_ptr<const ContractCheck> contract_finish(Run& run) {
  auto& contract = run.contract;
  if (!contract.on) return nullptr;
  auto& gate = *run.parts.contracts;
  const auto& decision = *run.decision;
  const auto& route = *run.route;
  for (const auto& attempt : decision.attempts) {
    if (attempt.state != AttemptState::kDone || !attempt.answer || attempt.purpose != Purpose::kServe)
      continue;
    gate.saw_model(route, run.options.tenant, attempt.configuration, attempt.answer->returned_model);
    gate.saw_cost(route, run.options.tenant, attempt.configuration, attempt.cost);
  }
  const auto* served = decision.state == DecisionState::kServed ? decision.served() : nullptr;
  const bool reference = served && served->configuration == route.reference &&
                         served->prompt_bytes_added == 0 && !run.text_replaced;
  std::shared_ptr<ContractCheck> check;
  if (!served) {
    if (contract.seat) gate.expire(*contract.seat);
  } else if (!reference && !(contract.seat && contract.seat->risky)) {
    // Only where the reference may not be called, or could not be reached.
    gate.outside(route, run.options.tenant);
    if (contract.seat) gate.expire(*contract.seat);
  } else {
    if (!contract.seat) {
      auto asked = question(run, contract.risky);
      asked.decided = true;
      asked.refused = contract.refused;
      contract.seat = gate.admit(route, asked);
    } else if (!contract.seat->risky) {
      gate.answered(*contract.seat);
    }
    const auto& seat = *contract.seat;
    if (seat.risky && reference) {
      // What was to be served failed before its first byte.
      if (seat.shadow) gate.settle(seat, {true, true, false});
    } else if (seat.shadow) {
      check = std::make_shared<ContractCheck>();
      check->seat = seat;
      check->risky_served = seat.risky;
      check->other = seat.risky ? route.reference : contract.wish;
      if (!seat.risky) check->edits = contract.edits;
    }
  }
  if (!check) contract_let_go(run);
  return check;
}

namespace {

constexpr int kNotAsked = -3;

/// The verdict of a model that sees both answers in both orders.
Task<Verdict> ask_judge(Run& run, std::string judge, int other) {
  const auto* first = run.view->served_answer;
  const auto* second = other == kWeakAnswer
                           ? run.view->weak_answer
                           : &*run.decision->attempts[static_cast<std::size_t>(other)].answer;
  const std::string question_text(run.request->last_user_text());
  const std::array<std::string, 2> texts{first->text, second->text};
  if (texts[0].empty() || texts[1].empty()) co_return Verdict::kCannotTell;
  std::array<int, 2> asked{};
  for (std::size_t order = 0; order < 2; ++order) {
    Call call;
    call.configuration.model = judge;
    call.configuration.transform = order == 0 ? "contract-judge-ab" : "contract-judge-ba";
    call.purpose = Purpose::kJudge;
    call.messages = judge_messages({question_text, texts[order], texts[1 - order]});
    call.max_tokens = kJudgeTokensMax;
    const Reason reason{"contract_judge", fmt::format("{} is asked whether the answers differ.", judge)};
    run.decision->steps.push_back(reason);
    co_await call_directly(run, std::move(call), reason);
    asked[order] = run.decision->attempts.back().id;
  }
  const Need need = NeedCompare{kServedAnswer, other, asked[0], asked[1]};
  co_await answer_need(run, need);
  co_return run.evidence.comparisons.back().verdict;
}

}  // namespace

Task<void> contract_check(Run& run, std::shared_ptr<const Decision> parent,
                          std::shared_ptr<const ContractCheck> check) {
  auto& gate = *run.parts.contracts;
  const auto& seat = check->seat;
  int other = kNotAsked;
  // A held answer of another configuration than weak is nothing that memory may learn of weak.
  const auto* weak_answer = run.view->weak_answer;
  if (!check->risky_served) {
    for (const auto& attempt : parent->attempts) {
      if (attempt.configuration != check->other || attempt.state != AttemptState::kDone || !attempt.answer)
        continue;
      run.view->weak_answer = &*attempt.answer;
      other = kWeakAnswer;
    }
  }
  ContractFinding finding;
  if (other != kWeakAnswer) {
    Call call;
    call.configuration = check->other;
    call.edits = check->edits;
    call.purpose = Purpose::kLearn;
    call.want_logprobs = run.view->weak_has_logprobs && check->other == run.view->weak;
    const Reason reason{"contract_check",
                        fmt::format("The contract compares with what {} answers.", check->other.key())};
    run.decision->steps.push_back(reason);
    co_await call_directly(run, std::move(call), reason);
    const auto& attempt = run.decision->attempts.back();
    if (attempt.state != AttemptState::kDone || !attempt.answer) {
      // A reference that did not answer leaves the worst; a weak one that did not is as bad as a wrong
      // answer.
      if (check->risky_served) {
        gate.expire(seat);
      } else {
        gate.settle(seat, {false, false, false});
      }
      co_return;
    }
    other = attempt.id;
    gate.saw_model(*run.route, run.options.tenant, attempt.configuration, attempt.answer->returned_model);
    gate.saw_cost(*run.route, run.options.tenant, attempt.configuration, attempt.cost);
  }
  const Need need = NeedCompare{kServedAnswer, other};
  co_await answer_need(run, need);
  auto verdict = run.evidence.comparisons.back().verdict;
  if (verdict != Verdict::kCannotTell) {
    finding.checked = finding.judged = verdict == Verdict::kSame;
  } else if (seat.judged) {
    const auto& terms = *run.route->contract;
    verdict = co_await ask_judge(run, terms.judge, other);
    finding.judged = verdict == Verdict::kSame;
    if (seat.audit) {
      verdict = co_await ask_judge(run, terms.auditor, other);
      finding.checked = verdict == Verdict::kSame;
    }
    finding.cannot_tell = verdict == Verdict::kCannotTell;
  } else {
    finding.checked = false;
    finding.cannot_tell = true;
  }
  if (check->other != run.route->weak) run.view->weak_answer = weak_answer;
  gate.settle(seat, finding);
}

}  // namespace brevet::flow
