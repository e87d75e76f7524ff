// Prompts of a tree search over thoughts, and how their answers are read (Yao et al. 2023, arXiv 2305.10601).
//
// Called by the strategy tree_of_thoughts. Pure, thread-safe; the wording is our own. A thought is one line,
// one step towards the answer; a state is the thoughts so far, a line each. Each prompt begins with a marker
// of domain/markers.h.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/chat_request.h"
#include "domain/markers.h"

namespace brevet {

inline constexpr int kProposeTokensMax = 600;
inline constexpr int kValueTokensMax = 200;
inline constexpr std::size_t kThoughtBytesMax = 400;
/// Begins a thought after which nothing is left to do but to write the answer.
inline constexpr std::string_view kThoughtDone = "DONE";

/// Asks for up to `count` different next thoughts, one a line; with a count of 1 for a single one.
std::vector<PlainMessage> propose_messages(std::string_view question, const std::vector<std::string>& state,
                                           std::size_t count);
/// Lines without list marks, without repeats, at most `most`; longer lines are cut.
std::vector<std::string> parse_thoughts(std::string_view text, std::size_t most);
bool is_done(std::string_view thought);

enum class Likelihood { kImpossible, kLikely, kSure };
/// The paper's weights of the three words: .001, 1 and 20.
double weight_of(Likelihood likelihood);
/// Asks whether these thoughts can still lead to a right answer.
std::vector<PlainMessage> value_messages(std::string_view question, const std::vector<std::string>& state);
/// The last of the words sure, likely and impossible in a text; empty without any.
std::optional<Likelihood> parse_likelihood(std::string_view text);

/// Asks which of several states is the most promising; they are numbered from 1.
std::vector<PlainMessage> vote_messages(std::string_view question,
                                        const std::vector<std::vector<std::string>>& states);
/// The number in the last "[[n]]" of a text, less 1; empty unless it is below `count`.
std::optional<std::size_t> parse_vote(std::string_view text, std::size_t count);

/// Put around the client's own prompt for the call that writes the answer.
MessageEdits answer_edits(const std::vector<std::string>& state);

}  // namespace brevet
