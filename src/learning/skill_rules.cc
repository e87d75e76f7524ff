#include "learning/skill_rules.h"

#include <algorithm>

namespace brevet {
namespace {

/// What a trial says about its own request; empty status = nothing.
struct Finding {
  std::optional<SkillStatus> status;
  std::uint64_t guide_id = 0;
};

void count_guides(const ShadowResult& result, PendingChanges& changes) {
  for (const auto& [id, verdict] : result.guides_tried) {
    auto guide = changes.guide(result.partition, id);
    if (!guide || verdict == Verdict::kCannotTell) continue;
    ++(verdict == Verdict::kSame ? guide->wins : guide->losses);
    changes.put(result.partition, std::move(*guide));
  }
}

Finding finding_of(const ShadowResult& result, const std::string& decision_id, Instant time,
                   PendingChanges& changes, LearnerFigures& counts) {
  if (result.weak_alone_known && result.weak_alone == Verdict::kSame) return {SkillStatus::kWeakOk, 0};
  bool differed = result.weak_alone_known && result.weak_alone == Verdict::kDifferent;
  for (const auto& [id, verdict] : result.guides_tried) {
    // A guide that was forgotten while the shadow ran must not come back through a skill.
    if (verdict == Verdict::kSame && changes.guide(result.partition, id))
      return {SkillStatus::kWeakWithGuide, id};
    differed = differed || verdict == Verdict::kDifferent;
  }
  if (result.new_guide && result.new_guide_verdict) {
    if (*result.new_guide_verdict == Verdict::kSame) {
      Guide guide = *result.new_guide;
      guide.id = 0;
      guide.embedding = result.embedding;
      guide.source_request_hash = result.request_hash;
      guide.decision_id = decision_id;
      guide.created = time;
      guide.wins = 1;
      guide.losses = 0;
      ++counts.guides_written;
      return {SkillStatus::kWeakWithGuide, changes.put(result.partition, std::move(guide))};
    }
    if (*result.new_guide_verdict == Verdict::kDifferent) {
      ++counts.guides_useless;
      differed = true;
    }
  }
  if (differed) return {SkillStatus::kStrongOnly, 0};
  return {};
}

void set_status(Skill& skill, const Finding& finding) {
  if (skill.status == SkillStatus::kStrongOnly && *finding.status != SkillStatus::kStrongOnly) {
    skill.confirmed = 0;
    skill.refuted = 0;
  }
  skill.status = *finding.status;
  skill.guide_id = finding.guide_id;
}

/// The verdict on the weak answer that had been served: with the skill's guide where it served with one.
Verdict spot_check_verdict(const ShadowResult& result, const std::optional<StoredSkill>& decided_by) {
  if (decided_by && decided_by->skill.guide_id != 0) {
    for (const auto& [id, verdict] : result.guides_tried) {
      if (id == decided_by->skill.guide_id) return verdict;
    }
  }
  if (result.weak_alone_known) return result.weak_alone;
  return result.guides_tried.empty() ? Verdict::kCannotTell : result.guides_tried.front().second;
}

/// What the verdict on an answer that weak had served says of the skill that decided so.
void judge_skill(const ShadowResult& result, Instant time, PendingChanges& changes, LearnerFigures& counts) {
  auto decided_by = result.skill_id != 0 ? changes.skill(result.skill_id) : std::nullopt;
  const Verdict verdict = spot_check_verdict(result, decided_by);
  if (!decided_by || verdict == Verdict::kCannotTell || !(decided_by->partition == result.partition)) return;
  Skill& skill = decided_by->skill;
  if (skill.status == SkillStatus::kStrongOnly) return;  // demoted meanwhile
  ++(verdict == Verdict::kSame ? skill.confirmed : skill.refuted);
  const bool own = skill.request_hash == result.request_hash;
  if (verdict == Verdict::kDifferent && (own || skill.refuted > skill.confirmed)) {
    skill.status = SkillStatus::kStrongOnly;
    skill.guide_id = 0;
    skill.last_tried = time;
    ++counts.demoted;
  }
  changes.put(result.partition, std::move(skill));
}

void count_spot_check(const ShadowResult& result, const PendingChanges& changes, LearnerFigures& counts) {
  const auto decided_by = result.skill_id != 0 ? changes.skill(result.skill_id) : std::nullopt;
  const Verdict verdict = spot_check_verdict(result, decided_by);
  if (verdict == Verdict::kSame) ++counts.spot_checks_agreed;
  if (verdict == Verdict::kDifferent) ++counts.spot_checks_differed;
}

/// The outcome for the estimate and the request's own skill. `decision_id` is a new guide's provenance.
void remember(const ShadowResult& result, const std::string& decision_id, Instant time,
              PendingChanges& changes, LearnerFigures& counts) {
  if (result.weak_alone_known && result.weak_alone != Verdict::kCannotTell) {
    StoredOutcome outcome;
    outcome.partition = result.partition;
    outcome.request_hash = result.request_hash;
    outcome.embedding = result.embedding;
    outcome.words = result.words;
    outcome.agrees = result.weak_alone == Verdict::kSame;
    outcome.weak_logprob = result.weak_logprob;
    outcome.spot_check = result.spot_check;
    outcome.time = time;
    changes.add(std::move(outcome));
    ++counts.outcomes_learned;
  }

  const Finding finding = finding_of(result, decision_id, time, changes, counts);
  auto known = changes.skill(result.partition, result.request_hash);
  if (!finding.status) {
    ++counts.cannot_tell;
    if (!known) return;
  }
  Skill skill = known.value_or(Skill{});
  if (!known) {
    skill.request_hash = result.request_hash;
    skill.created = time;
  }
  if (result.embedding) skill.embedding = result.embedding;
  if (!result.text.empty()) skill.text = result.text;
  skill.last_tried = time;
  ++skill.tries;
  if (finding.status) {
    set_status(skill, finding);
    if (!result.weak_model_id.empty()) skill.weak_model_id = result.weak_model_id;
  }
  changes.put(result.partition, std::move(skill));
}

}  // namespace

void learn_from_decision(const Decision& decision, PendingChanges& changes, LearnerFigures& counts) {
  changes.saw_decision_number(decision.number);
  for (const auto& attempt : decision.attempts) {
    if (attempt.state != AttemptState::kDone || !attempt.answer) continue;
    const std::string& id = attempt.answer->returned_model;
    if (id.empty()) continue;
    if (changes.changes_model_id(attempt.configuration.model, id)) ++counts.model_id_changes;
    changes.saw_model_id(attempt.configuration.model, id);
  }
  if (!decision.learn || !decision.parent_id.empty()) return;
  if (decision.estimate && decision.estimate->outcomes > 0) {
    changes.saw_score(decision.partition, decision.estimate->score);
  }
  if (decision.skill_id != 0 && decision.state == DecisionState::kServed) {
    if (auto used = changes.skill(decision.skill_id); used && used->partition == decision.partition) {
      ++used->skill.hits;
      changes.put(used->partition, std::move(used->skill));
    }
  }
}

void learn_from_passed(const PassedModels& passed, PendingChanges& changes, LearnerFigures& counts) {
  changes.saw_decision_number(passed.number);
  if (passed.returned_model.empty()) return;
  const std::string model(passed.model), id(passed.returned_model);
  if (changes.changes_model_id(model, id)) ++counts.model_id_changes;
  changes.saw_model_id(model, id);
}

void learn_from_shadow(const ShadowResult& result, const Decision& decision, PendingChanges& changes,
                       LearnerFigures& counts) {
  ++counts.shadows_absorbed;
  if (result.guide_leaked) ++counts.guides_leaked;
  if (result.partition.weak.empty() || result.request_hash.empty()) return;
  count_guides(result, changes);
  if (result.spot_check) {
    count_spot_check(result, changes, counts);
    judge_skill(result, decision.time, changes, counts);
  }
  remember(result, decision.parent_id.empty() ? decision.id : decision.parent_id, decision.time, changes,
           counts);
}

void learn_from_feedback(const ShadowResult& said, const Feedback& feedback, PendingChanges& changes,
                         LearnerFigures& counts) {
  ++counts.feedback_learned;
  count_guides(said, changes);
  judge_skill(said, feedback.time, changes, counts);
  remember(said, feedback.decision_id, feedback.time, changes, counts);
}

}  // namespace brevet
