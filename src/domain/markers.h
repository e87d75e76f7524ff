// Phrases that our own prompts always contain, so that whoever plays a model back (recorded and simulated
// upstreams, tests) can tell what a call is for without seeing how the prompt is built. Constants only.
#pragma once

#include <string_view>

namespace brevet {

/// In the last user message of every guide-writing prompt (prompt/guide.h).
inline constexpr std::string_view kGuideMarker = "Write a guide";
/// In front of a guide that is put into a request (prompt/guide.h); what follows is the guide.
inline constexpr std::string_view kGuideHeader = "Guide for questions of this kind:";
/// In the last user message of every pairwise judging prompt (prompt/judge.h).
inline constexpr std::string_view kJudgeMarker = "Judge the two answers";

}  // namespace brevet
