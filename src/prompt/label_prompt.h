// Asking a model how well a weaker one would answer, with one token out, and reading the probabilities of its
// labels.
//
// Called by the strategy causal_llm. Pure, thread-safe, wording of our own. The idea is that of RouteLLM's
// causal classifier (Ong et al. 2024, arXiv 2406.18665, section 4.3), whose labels 1 to 5 stand for the
// quality of the weak model's answer; there a model was fine-tuned for it, here any model is asked.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/answer.h"
#include "domain/chat_request.h"
#include "domain/markers.h"

namespace brevet {

/// Alternatives of the first token that are asked for: the most that OpenAI gives.
inline constexpr int kLabelAlternatives = 20;
/// Of a longer question its two ends are shown, a half of this each.
inline constexpr std::size_t kLabelQuestionBytesMax = 8'000;

/// The system message starts with kLabelMarker. The question is fenced by a delimiter that it does not hold.
std::vector<PlainMessage> label_messages(std::string_view question);

/// What a calibration of the answers depends on beside the model: SHA-256 hex of its name and our wording.
std::string label_prompt_hash(std::string_view model);

struct LabelShares {
  double weak_suffices = 0;  ///< share of labels 4 and 5 in the probability of all labels
  double on_labels = 0;      ///< probability of all labels together, 0..1
};
/// Nothing when no label is among the alternatives. White space around a token does not count.
std::optional<LabelShares> read_label(const std::vector<TokenAlternative>& first_token);

}  // namespace brevet
