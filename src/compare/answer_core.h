// The checkable core of an answer: the one letter, number, yes/no or JSON value that a question is really
// about.
//
// Used by compare (are two answers the same?) and by prompt's leak check (does a guide carry the answer?).
// Pure, thread-safe, linear in the text, no regular expressions. At most kCoreBytesMax bytes of a text are
// read (its head and its tail). English wording; a text in another language mostly has no core, which reads
// as "cannot tell" further up. Does not judge whether an answer is right.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace brevet {

inline constexpr std::size_t kCoreBytesMax = 32 * 1024;

/// One lettered option of a question.
struct ChoiceOption {
  char letter = 'A';  ///< upper case
  std::string text;   ///< trimmed, as written
};
/// The options that a question lists with letters from A on, without gaps ("A. ...", "(A) ...", "A) ...",
/// "A: ..." at the start of lines, or "(A) ... (B) ..." inside one); empty when it lists fewer than two.
std::vector<ChoiceOption> find_options(std::string_view question);

/// What kind of answer a question asks for, as far as its text shows.
enum class QuestionKind { kOpen, kChoice, kYesNo, kNumber };
QuestionKind question_kind(std::string_view question);

/// How sure an extraction is: stated as the answer ("the answer is", \boxed{}, the whole text), or merely the
/// last candidate found.
enum class Extraction { kNone, kAmbiguous, kLoose, kStated };

struct ExtractedLetters {
  Extraction how = Extraction::kNone;
  std::string letters;  ///< upper case, sorted, without repeats; more than one when several were chosen
};
/// The option chosen. `options` may be empty (unknown): then letters A to Z count. An article "A" or a
/// pronoun "I" in prose is never taken for an option.
ExtractedLetters extract_choice(std::string_view answer, const std::vector<ChoiceOption>& options);

struct ExtractedNumber {
  Extraction how = Extraction::kNone;
  double value = 0;
  int significant = 0;  ///< digits written, leading zeros not counted; 0 for a fraction (exact)
  int decimals = 0;     ///< digits after the point as written, less the exponent
  bool percent = false;
  std::string unit;    ///< the word after it, lower case, singular; empty without
  bool glued = false;  ///< the unit touches the digits, as in 5km
};
ExtractedNumber extract_number(std::string_view answer);
/// Every number written in a text, in order; `how` is kLoose.
std::vector<ExtractedNumber> numbers_in(std::string_view text);

struct ExtractedBool {
  Extraction how = Extraction::kNone;
  bool value = false;
};
/// yes/no, true/false, correct/incorrect as the answer.
ExtractedBool extract_yes_no(std::string_view answer);

/// True for "I can't help with that" and its kind: short texts that decline.
bool looks_like_refusal(std::string_view answer);

/// Lower case, Unicode punctuation folded, markdown and articles removed, single spaces: two spellings of one
/// short answer become equal.
std::string normalised_text(std::string_view text);

/// The one JSON object or array that a text holds: the whole text or a single fenced block; empty when there
/// is none.
std::string_view json_part(std::string_view text);

}  // namespace brevet
