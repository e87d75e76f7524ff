// Phrases by which a prompt of our own can be told from a client's request once it is only text on the wire.
// prompt puts them into the first sentence of its system message; recorded and simulated upstreams look for
// them there: a recorded file holds no answer to such a prompt, a simulated model answers it in kind.
#pragma once

#include <string_view>

namespace brevet {

inline constexpr std::string_view kGuideMarker = "Write a guide";
inline constexpr std::string_view kJudgeMarker = "Judge whether two answers";
/// Stands in front of an answer that follows reasoning, in prompts that ask for both and in their answers.
inline constexpr std::string_view kFinalAnswerMark = "Final answer:";
inline constexpr std::string_view kFuseMarker = "Write the best answer";
inline constexpr std::string_view kProposeMarker = "Propose the next step";
inline constexpr std::string_view kValueMarker = "Judge whether these steps";
inline constexpr std::string_view kVoteMarker = "Choose which of several ways";
inline constexpr std::string_view kLabelMarker = "Predict how well";
inline constexpr std::string_view kCheckMarker = "Check whether an answer is right";

}  // namespace brevet
