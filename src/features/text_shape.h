// The shape of a request's text in 58 numbers: lengths, answer options, digits, formulas, kinds of question.
//
// For routers: on recorded multiple-choice questions the shape predicts where a strong model helps as well as
// the embedding does, and differently. Called by text_statistics, and so wherever features are made. Pure,
// thread-safe, linear in the bytes looked at. Known weakness: the words that it looks for are English; in
// other languages those numbers are 0. What a number means may not change without a new kLexicalVersion.
#pragma once

#include <string_view>
#include <vector>

#include "domain/features.h"

namespace brevet {

/// A text as a question with lettered options: "A. ...", "(B) ...", "C: ..." on lines of their own, in the
/// order of the alphabet, at least two.
struct QuestionParts {
  std::string_view stem;  ///< what stands before the first option, trimmed; all if there is none
  std::vector<std::string_view> options;  ///< trimmed
};
QuestionParts question_parts(std::string_view text);

/// Every number lies in [-3, 3] and is 0 where it does not apply. Of a longer text the first 16 KiB are read,
/// which takes about a millisecond.
TextShape text_shape(std::string_view text);

}  // namespace brevet
