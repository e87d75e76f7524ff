// Asking a model which of two answers is better, and reading its word strictly.
//
// Called by strategies that want a judge's verdict (purpose judge, temperature 0). Both orders are asked;
// compare/judge.h combines them. Pure, thread-safe, own wording.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "compare/judge.h"
#include "domain/chat_request.h"
#include "domain/markers.h"

namespace brevet {

inline constexpr int kJudgeTokensMax = 400;

struct JudgedPair {
  std::string_view question;
  std::string_view first;   ///< shown as answer A
  std::string_view second;  ///< shown as answer B
};
/// The system message starts with kJudgeMarker. Answers are fenced by a delimiter that occurs in none of the
/// texts, so that an answer cannot pretend to be the judge's instructions.
std::vector<PlainMessage> judge_messages(const JudgedPair& pair);

/// [[A]], [[B]] or [[C]] (tie). Strict: exactly one distinct verdict in the text, otherwise nothing.
std::optional<JudgeWord> parse_judge_word(std::string_view text);

}  // namespace brevet
