#include "learning/served_by_weak.h"

#include <charconv>

namespace brevet {
namespace {

constexpr double kGoodFrom = 0.5;

/// The id of the guide that `configuration` has on top of `weak`: 0 for weak alone, nothing for any other.
std::optional<std::uint64_t> guide_beside(Configuration configuration, const std::string& weak) {
  const std::string guide = std::exchange(configuration.guide, {});
  if (configuration.key() != weak) return std::nullopt;
  if (guide.empty()) return 0;
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(guide.data(), guide.data() + guide.size(), id);
  if (error != std::errc{} || end != guide.data() + guide.size() || id == 0) return std::nullopt;
  return id;
}

}  // namespace

void ServedByWeak::add(const Decision& decision) {
  if (kept_ == 0 || !decision.learn || !decision.parent_id.empty() || decision.request_hash.empty()) return;
  const Attempt* served = decision.served();
  if (decision.state != DecisionState::kServed || served == nullptr || !served->answer) return;
  // A sample, a draft or a step of a search is not what weak answers alone.
  if (served->purpose != Purpose::kServe || !served->tag.empty()) return;
  const auto guide = guide_beside(served->configuration, decision.partition.weak);
  if (!guide) return;

  Served kept;
  kept.guide_id = *guide;
  ShadowResult& result = kept.result;
  result.partition = decision.partition;
  result.request_hash = decision.request_hash;
  if (!decision.hash_only) {
    result.embedding = decision.embedding;
    result.words = decision.words;
  }
  if (*guide == 0) result.weak_logprob = served->answer->mean_logprob;
  result.weak_model_id = served->answer->returned_model;
  result.skill_id = decision.skill_id;
  if (decision.store_text) result.text = decision.request_text;
  if (!found_.emplace(decision.id, std::move(kept)).second) return;
  order_.push_back(decision.id);
  if (order_.size() > kept_) {
    found_.erase(order_.front());
    order_.pop_front();
  }
}

std::optional<ShadowResult> ServedByWeak::hear(const Feedback& feedback) {
  if (!feedback.score) return std::nullopt;
  const auto known = found_.find(feedback.decision_id);
  if (known == found_.end() || known->second.result.partition.tenant != feedback.tenant) return std::nullopt;
  Served& served = known->second;
  const bool good = *feedback.score >= kGoodFrom;
  if (served.was_good == good) return std::nullopt;
  served.was_good = good;

  ShadowResult said = served.result;
  const Verdict verdict = good ? Verdict::kSame : Verdict::kDifferent;
  if (served.guide_id != 0) {
    said.guides_tried.emplace_back(served.guide_id, verdict);
  } else {
    said.weak_alone_known = true;
    said.weak_alone = verdict;
  }
  return said;
}

}  // namespace brevet
