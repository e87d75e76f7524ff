// How two verdicts of a judge become one comparison. Prompts and parsing are prompt/judge.h.
//
// A judge sees the answers in both orders; its word counts only when both orders agree, because judges prefer
// a position (Zheng et al. 2023, arXiv 2306.05685). Pure.
#pragma once

#include <optional>
#include "domain/decision.h"

namespace brevet {

/// What a judge said of the answers in the order it saw them.
enum class JudgeWord { kFirst, kSecond, kTie };

/// `forward` is the word on (first, second), `swapped` on (second, first); empty = unreadable. Both tie:
/// same. Both prefer the same answer: different. Anything else: cannot tell.
inline Verdict combine_judge_words(std::optional<JudgeWord> forward, std::optional<JudgeWord> swapped) {
  if (!forward || !swapped) return Verdict::kCannotTell;
  if (*forward == JudgeWord::kTie && *swapped == JudgeWord::kTie) return Verdict::kSame;
  const bool first_wins = *forward == JudgeWord::kFirst && *swapped == JudgeWord::kSecond;
  const bool second_wins = *forward == JudgeWord::kSecond && *swapped == JudgeWord::kFirst;
  return first_wins || second_wins ? Verdict::kDifferent : Verdict::kCannotTell;
}

}  // namespace brevet
