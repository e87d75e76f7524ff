// Prompt transforms: texts put around the last user message that make a model reason before it answers, and
// how its answer is told from its reasoning.
//
// A configuration names one (`model|t=cot`); RequestFlow puts it into every call of that configuration and
// takes the reasoning out of the answer before any strategy, comparison or client sees it. Pure, thread-safe;
// the wording is our own. Sources: chain-of-thought with examples, Wei et al. 2022 (arXiv 2201.11903), and
// without, Kojima et al. 2022 (arXiv 2205.11916); self-check, Weng et al. 2023 (arXiv 2212.09561); experts by
// prompt, Si et al. 2023 (arXiv 2305.14628). What each costs is in docs/strategies/prompting.md. Not applied
// to requests with tools or a response format: reasoning would break both.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "domain/chat_request.h"
#include "domain/markers.h"

namespace brevet {

struct PromptTransform {
  std::string_view name;     ///< as in `model|t=NAME`
  std::string_view summary;  ///< one line
  MessageEdits edits;
  /// Added to the client's limit of tokens, which was meant for the answer alone.
  int more_tokens = 0;
};

/// Every transform: cot, cot_few, check, and the experts factual, multihop, math and commonsense.
const std::vector<PromptTransform>& prompt_transforms();
/// Null when there is none of this name.
const PromptTransform* find_transform(std::string_view name);

struct SplitAnswer {
  std::string_view reasoning;  ///< up to and with the marker; empty when there is none
  std::string_view answer;     ///< trimmed; the whole text when it has no marker or nothing follows it
};
/// Looks for the last line that begins with kFinalAnswerMark, whatever its case and markdown. `text` must
/// outlive the result.
SplitAnswer split_reasoning(std::string_view text);

/// `first` and then `second` at each place, as if both had been asked for.
MessageEdits both_edits(const MessageEdits& first, const MessageEdits& second);

}  // namespace brevet
