#include "domain/answer.h"
#include "domain/decision.h"
#include "domain/memory_entry.h"

namespace brevet {

const char* name_of(Purpose purpose) {
  switch (purpose) {
    case Purpose::kServe:
      return "serve";
    case Purpose::kJudge:
      return "judge";
    case Purpose::kFuse:
      return "fuse";
    case Purpose::kGuide:
      return "guide";
    case Purpose::kLearn:
      return "learn";
  }
  return "serve";
}

const char* name_of(AttemptState state) {
  switch (state) {
    case AttemptState::kPending:
      return "pending";
    case AttemptState::kDone:
      return "done";
    case AttemptState::kFailed:
      return "failed";
    case AttemptState::kCancelled:
      return "cancelled";
  }
  return "pending";
}

const char* name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kSame:
      return "same";
    case Verdict::kDifferent:
      return "different";
    case Verdict::kCannotTell:
      return "cannot_tell";
  }
  return "cannot_tell";
}

const char* name_of(DecisionState state) {
  switch (state) {
    case DecisionState::kServed:
      return "served";
    case DecisionState::kFailed:
      return "failed";
    case DecisionState::kCancelled:
      return "cancelled";
  }
  return "failed";
}

std::string how_many_near(const Estimate& estimate) {
  const auto whole = static_cast<long>(estimate.effective_n + 0.5);
  return whole < 1 ? "none near" : "about " + std::to_string(whole) + " near";
}

const char* name_of(SkillStatus status) {
  switch (status) {
    case SkillStatus::kWeakOk:
      return "weak_ok";
    case SkillStatus::kWeakWithGuide:
      return "weak_with_guide";
    case SkillStatus::kStrongOnly:
      return "strong_only";
  }
  return "strong_only";
}

std::optional<SkillStatus> skill_status_from(std::string_view name) {
  for (const auto status : {SkillStatus::kWeakOk, SkillStatus::kWeakWithGuide, SkillStatus::kStrongOnly}) {
    if (name == name_of(status)) return status;
  }
  return std::nullopt;
}

std::string Partition::key() const {
  std::string out;
  for (const std::string* field : {&tenant, &encoder_hash, &weak, &reference, &system_hash}) {
    // Length-prefixed, so that no two different partitions share a key whatever bytes a name holds.
    out += std::to_string(field->size()) + ":" + *field + ";";
  }
  return out;
}

}  // namespace brevet
