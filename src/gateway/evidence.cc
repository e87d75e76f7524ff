// Answers what strategies need to know: lookups in the snapshot, comparisons of answers, a judge's word.
#include <cmath>

#include "compare/compare.h"
#include "gateway/flow_run.h"
#include "gateway/share_dials.h"
#include "prompt/judge.h"

namespace brevet::flow {
namespace {

const Answer* answer_of(const Run& run, int id) {
  if (id == kServedAnswer) return run.view->served_answer;
  if (id == kWeakAnswer) return run.view->weak_answer;
  const auto& attempts = run.decision->attempts;
  if (id < 0 || id >= static_cast<int>(attempts.size())) return nullptr;
  const auto& attempt = attempts[static_cast<std::size_t>(id)];
  return attempt.state == AttemptState::kDone && attempt.answer ? &*attempt.answer : nullptr;
}

Task<std::shared_ptr<const Embedding>> embed_text(Run& run, std::string text) {
  auto request = std::make_shared<ChatRequest>();
  request->raw = std::make_shared<const std::string>();
  ChatMessage message;
  message.role = "user";
  message.text = std::move(text);
  request->messages.push_back(std::move(message));
  auto result = co_await run.parts.features.features(std::move(request));
  co_return std::move(result.features.embedding);
}

double cosine(const Embedding& a, const Embedding& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

Task<void> compare_two(Run& run, NeedCompare need) {
  Comparison comparison;
  comparison.first = need.first;
  comparison.second = need.second;
  const auto* first = answer_of(run, need.first);
  const auto* second = answer_of(run, need.second);
  if (need.judge_forward >= 0 && need.judge_swapped >= 0) {
    const auto* forward = answer_of(run, need.judge_forward);
    const auto* swapped = answer_of(run, need.judge_swapped);
    comparison.method = "judge";
    comparison.verdict = combine_judge_words(forward ? parse_judge_word(forward->text) : std::nullopt,
                                             swapped ? parse_judge_word(swapped->text) : std::nullopt);
  } else if (first && second) {
    auto context = compare_context(*run.request);
    auto found = run.parts.comparer->compare(*first, *second, context);
    if (found.wants_embedding) {
      // Copies: the answers live in a vector that may grow while the encoder works.
      const auto one = co_await embed_text(run, first->text);
      std::shared_ptr<const Embedding> other;
      if (one) other = co_await embed_text(run, second->text);
      if (one && other) {
        context.embedding_similarity = cosine(*one, *other);
        found =
            run.parts.comparer->compare(*answer_of(run, need.first), *answer_of(run, need.second), context);
      }
    }
    comparison.verdict = found.comparison.verdict;
    comparison.method = std::move(found.comparison.method);
    comparison.similarity = found.comparison.similarity;
  } else {
    comparison.method = "none";
  }
  run.evidence.comparisons.push_back(std::move(comparison));
}

/// What the text classifier of the strategy says of the request, where it has one.
Task<void> classify(Run& run, EmbeddingPool* classifier) {
  std::string text(run.request->last_user_text());
  if (!classifier || text.empty()) co_return;
  auto classes = co_await classifier->embed(std::move(text));
  if (classes) {
    run.features.classified = std::move(*classes);
  } else {
    run.decision->degraded = classes.error().code;
  }
}

}  // namespace

Task<void> fetch_features(Run& run) {
  if (run.features_fetched) co_return;
  if (run.parent) {
    co_await fetch_features(*run.parent);
    run.features = run.parent->features;
    if (run.composed) co_await classify(run, run.composed->classifier.get());
    run.features_fetched = true;
    co_return;
  }
  if (run.features_asked) {
    // Another part of the request asked first; encoding once is enough.
    if (!run.features_waker) {
      run.features_waker = std::make_unique<asio::steady_timer>(co_await asio::this_coro::executor);
      run.features_waker->expires_at(asio::steady_timer::time_point::max());
    }
    while (!run.features_fetched) (void)co_await run.features_waker->async_wait(kNoThrow);
    co_return;
  }
  run.features_asked = true;
  auto result = co_await run.parts.features.features(run.request);
  run.features = std::move(result.features);
  run.decision->degraded = std::move(result.degraded);
  if (run.route) co_await classify(run, run.route->classifier.get());
  run.features_fetched = true;
  if (run.features_waker) run.features_waker->cancel();
}

Task<void> answer_need(Run& run, Need need) {
  const auto& partition = run.decision->partition;
  auto& evidence = run.evidence;
  if (std::holds_alternative<NeedExact>(need)) {
    evidence.exact.emplace(
        run.request->hash.empty() ? std::nullopt : run.snapshot->find_exact(partition, run.request->hash));
    co_return;
  }
  if (const auto* compare = std::get_if<NeedCompare>(&need)) {
    co_await compare_two(run, *compare);
    co_return;
  }
  if (!run.features_fetched) co_await fetch_features(run);
  evidence.features = true;
  const auto* embedding = run.features.embedding.get();
  if (const auto* near = std::get_if<NeedNeighbours>(&need)) {
    evidence.neighbours.emplace();
    if (embedding) *evidence.neighbours = run.snapshot->nearest(partition, *embedding, near->k);
  } else if (const auto* guides = std::get_if<NeedGuides>(&need)) {
    evidence.guides.emplace();
    if (embedding)
      *evidence.guides = run.snapshot->guides(partition, *embedding, guides->k, guides->min_similarity);
  } else if (std::holds_alternative<NeedEstimate>(need)) {
    evidence.estimate = run.snapshot->estimate(partition, run.features);
    evidence.dial = run.parts.dials->of(run.options.tenant, run.route->name);
  } else if (const auto* after = std::get_if<NeedAfterAnswer>(&need)) {
    if (!evidence.estimate) evidence.estimate = run.snapshot->estimate(partition, run.features);
    const auto* answer = answer_of(run, after->attempt);
    evidence.after_answer[after->attempt] =
        answer && answer->mean_logprob
            ? run.snapshot->after_answer(partition, *evidence.estimate, *answer->mean_logprob)
            : std::nullopt;
  }
}

}  // namespace brevet::flow
