// The text under which a recorded question is asked, and the key by which its recorded answer is found again.
//
// Used by clients that play a file and by the recorded upstream; both must agree byte for byte. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "dataset/outcome_file.h"

namespace brevet {

/// The user message for a record: its prompt and, when the prompt does not list the choices itself, one line
/// "A. text" for each and a last line that asks for the letter. A prompt lists its choices when each one
/// occurs as label, one of ". ", ") " or ": ", and text. The system prompt is a message of its own.
///
///     Which of these is a prime?
///     A. 4
///     B. 5
///     Answer with the letter of the right choice.
std::string render_prompt(const OutcomeRecord& record);

/// Hash of a rendered prompt (so of prompt and choices); white space at both ends does not count.
std::uint64_t prompt_key(std::string_view rendered);

}  // namespace brevet
