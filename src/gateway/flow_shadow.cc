#include "gateway/flow_shadow.h"

#include <charconv>

#include "gateway/money_ledger.h"
#include "gateway/recent_decisions.h"
#include "prompt/guide.h"
#include "prompt/leak_check.h"

namespace brevet::flow {
namespace {

const Comparison* newest_comparison(const Run& run, int other) {
  return run.evidence.comparison(kServedAnswer, other);
}
Verdict verdict_on(const Run& run, int other) {
  const auto* found = newest_comparison(run, other);
  return found ? found->verdict : Verdict::kCannotTell;
}

std::uint64_t guide_number(const std::string& name) {
  std::uint64_t id = 0;
  const auto parsed = std::from_chars(name.data(), name.data() + name.size(), id);
  return parsed.ec == std::errc{} && parsed.ptr == name.data() + name.size() ? id : 0;
}

/// Calls of a shadow, those inside composed candidates among them: weak alone, with each guide and with a new
/// one, the guide, what a contract asks for; and for each answer a judge and its auditor, in both orders.
int calls_max(const Route& route) {
  const auto answers = static_cast<int>(route.learning.guides_tried_max) + 4;
  return answers * (route.calls_max + 4);
}

bool done(const Attempt& attempt) {
  return attempt.state == AttemptState::kDone && attempt.answer;
}

void read_spot_check(const Run& run, const Attempt& served, ShadowResult& result) {
  const bool compared = !run.evidence.comparisons.empty();
  const auto verdict = compared ? run.evidence.comparisons.back().verdict : Verdict::kCannotTell;
  const auto guide = guide_number(served.configuration.guide);
  result.weak_model_id = served.answer->returned_model;
  if (guide != 0) {
    if (compared) result.guides_tried.emplace_back(guide, verdict);
    return;
  }
  result.weak_alone_known = compared;
  result.weak_alone = verdict;
  result.weak_logprob = served.answer->mean_logprob;
}

void read_weak_alone(const Answer& answer, Verdict verdict, ShadowResult& result) {
  result.weak_alone_known = true;
  result.weak_alone = verdict;
  result.weak_logprob = answer.mean_logprob;
  result.weak_model_id = answer.returned_model;
}

/// What the plan's attempts and comparisons say, in the words of memory.
void read_attempts(const Run& run, const Decision& parent, ShadowResult& result) {
  const auto& weak = run.route->weak;
  const auto is_weak = [&](Configuration candidate) {
    candidate.guide = weak.guide;
    return candidate == weak;
  };
  if (run.view->weak_answer) read_weak_alone(*run.view->weak_answer, verdict_on(run, kWeakAnswer), result);
  for (const auto& attempt : run.decision->attempts) {
    if (!done(attempt)) continue;
    if (attempt.purpose == Purpose::kGuide) {
      const auto text = clean_guide(attempt.answer->text);
      if (text.empty()) continue;
      if (check_leak({text, run.request->last_user_text(), run.view->served_answer->text}).leaks) {
        result.guide_leaked = true;
        continue;
      }
      Guide guide;
      guide.text = text;
      guide.embedding = result.embedding;
      guide.source_request_hash = result.request_hash;
      guide.author = attempt.configuration.key();
      guide.author_model_id = attempt.answer->returned_model;
      guide.decision_id = parent.id;
      guide.created = run.parts.clock.now();
      result.new_guide = std::move(guide);
    } else if (attempt.purpose == Purpose::kLearn && is_weak(attempt.configuration)) {
      if (attempt.configuration.guide == weak.guide) {
        read_weak_alone(*attempt.answer, verdict_on(run, attempt.id), result);
      } else if (const auto id = guide_number(attempt.configuration.guide)) {
        if (newest_comparison(run, attempt.id))
          result.guides_tried.emplace_back(id, verdict_on(run, attempt.id));
      } else if (newest_comparison(run, attempt.id)) {
        result.new_guide_verdict = verdict_on(run, attempt.id);
      }
    }
  }
}

}  // namespace

Task<std::shared_ptr<const ShadowResult>> run_shadow(Run& run, std::shared_ptr<const Decision> parent,
                                                     ShadowTerms& terms) {
  const bool throwing = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto& route = *run.route;
  auto& decision = *run.decision;
  open_decision(run);
  decision.parent_id = parent->id;
  decision.partition = parent->partition;
  decision.strategy = route.shadow_plan->name();
  decision.would_have.clear();

  const auto* served = parent->served();
  if (!served || !served->answer) {
    run.parts.outcomes.release();
    co_await asio::this_coro::throw_if_cancelled(throwing);
    co_return nullptr;
  }
  // Features that serving had fetched are not fetched again; a shadow always needs them, to remember.
  if (parent->words) {
    run.features.embedding = parent->embedding;
    run.features.words = *parent->words;
    run.features_fetched = true;
  } else {
    co_await fetch_features(run);
  }

  make_view(run);
  // Nobody waits for it, and each of its calls may be what the whole of a request may be.
  run.deadline.reset();
  run.calls_left = calls_max(route);
  run.view->may_write_guide = route.learning.guides && terms.may_write_guide;
  run.view->served_answer = &*served->answer;
  run.view->served_by = &served->configuration;
  run.view->spot_check = served->configuration != route.reference;
  const auto remembered = run.snapshot->find_exact(decision.partition, run.request->hash);
  if (remembered) run.view->served_skill = &*remembered;
  if (!run.view->spot_check) {
    for (const auto& attempt : parent->attempts) {
      // A sample, a draft or a verdict of weak is not what it answers alone.
      if (attempt.configuration == route.weak && done(attempt) && attempt.purpose == Purpose::kServe &&
          attempt.tag.empty())
        run.view->weak_answer = &*attempt.answer;
    }
  }

  auto result = std::make_shared<ShadowResult>();
  result->partition = decision.partition;
  result->request_hash = run.request->hash;
  result->spot_check = run.view->spot_check;
  result->skill_id = result->spot_check ? parent->skill_id : remembered ? remembered->id : 0;
  if (!decision.hash_only) {
    result->embedding = run.features.embedding;
    result->words = std::make_shared<const SparseVector>(run.features.words);
  }
  if (route.store == StoreContent::kText) result->text = run.request->last_user_text();

  if (terms.check) co_await contract_check(run, parent, terms.check);
  Ending ending{DecisionState::kServed, std::nullopt};
  if (terms.may_learn) ending = co_await drive(run, *route.shadow_plan);
  account(run);
  decision.embedding.reset();
  decision.words.reset();
  decision.state = ending.state;
  decision.error = ending.error;
  // A plan ends by giving up without an error: then it is done, and nobody was served.
  if (ending.state == DecisionState::kFailed && !ending.error) decision.state = DecisionState::kServed;
  terms.spent = decision.cost;
  if (result->spot_check) {
    read_spot_check(run, *served, *result);
  } else {
    read_attempts(run, *parent, *result);
  }
  const bool found = result->weak_alone_known || !result->guides_tried.empty();
  const auto final_result = found ? std::shared_ptr<const ShadowResult>(result) : nullptr;
  if (run.parts.ledger) {
    const bool would_be_weak = parent->would_have == decision.partition.weak;
    run.parts.ledger->shadowed(
        decision, *result, would_be_weak ? MoneyLedger::Parent::kWouldBeWeak : MoneyLedger::Parent::kOther);
  }
  (void)take_answers(decision);
  run.snapshot = nullptr;
  if (run.parts.recent) run.parts.recent->add(run.decision);
  run.parts.outcomes.decided(run.decision, final_result);
  co_await asio::this_coro::throw_if_cancelled(throwing);
  co_return final_result;
}

}  // namespace brevet::flow
