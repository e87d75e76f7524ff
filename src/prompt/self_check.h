// Asking a model whether an answer is right, and reading its word: the check before an answer is accepted.
//
// Called by cascades (purpose judge). After the verification of AutoMix (Aggarwal, Madaan et al. 2023, arXiv
// 2310.12963), where the small model checks its own answer several times and the share of "yes" is its
// confidence; its few-shot examples are about given contexts, ours are worked from general knowledge. Pure,
// thread-safe, own wording. Known weakness: a model that is wrong is often sure of it; what the check is
// worth is measured per model, never assumed.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "domain/chat_request.h"

namespace brevet {

inline constexpr int kSelfCheckTokensMax = 160;

/// Both texts are fenced by a delimiter that occurs in neither, so that an answer cannot give orders.
std::vector<PlainMessage> self_check_messages(std::string_view question, std::string_view answer);
/// True for right, false for wrong; empty where the reply says neither or both. Reads the last line's
/// verdict.
std::optional<bool> parse_self_check(std::string_view reply);

}  // namespace brevet
