// Phrases by which a prompt of our own can be told from a client's request once it is only text on the wire.
// prompt puts them into the first sentence of its system message; recorded and simulated upstreams look for
// them there: a recorded file holds no answer to such a prompt, a simulated model answers it in kind.
#pragma once

#include <string_view>

namespace brevet {

inline constexpr std::string_view kGuideMarker = "Write a guide";
inline constexpr std::string_view kJudgeMarker = "Judge whether two answers";

}  // namespace brevet
