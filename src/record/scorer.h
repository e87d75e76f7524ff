// How right is an answer? The scorers that need nothing but the answer and the reference.
//
// Used by the recorder; scorers that call something (a command, a judge) are command_scorer.h and
// the recorder's own. Pure and thread-safe; the cores are compare's. A scorer that cannot tell says so: a
// record without a score is left out and counted, never scored 0.
//
//   exact        1 when both texts are equal after normalising (case, punctuation, articles, spaces)
//   choice       1 when the letter chosen is the right one; the reference is a label, or the text of a choice
//   number       1 when the final number equals the reference's within 1e-6 (50% equals 0.5)
//   json_schema  1 when the answer holds one JSON value and it keeps to the schema
// An answer without the thing asked for (no letter, no number, no JSON) is wrong: 0.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "compare/judge.h"
#include "record/json_schema.h"
#include "record/prompt_file.h"

namespace brevet::record {

enum class ScorerKind { kExact, kChoice, kNumber, kJsonSchema, kCommand, kJudge };
/// Errors: unknown_scorer (names those there are).
Result<ScorerKind> parse_scorer(std::string_view name);
const char* name_of(ScorerKind kind);

struct Score {
  std::optional<double> value;      ///< 0..1
  std::optional<std::string> pred;  ///< what was read out of the answer
  bool has_pred = false;            ///< the scorer reads something out of answers
  std::string why;                  ///< without a value: the reason, a stable code
};

/// Whether the question has what the scorer compares with. Errors (kCallerInvalid): missing_answer, and
/// bad_answer_key (the reference is no choice, or no number).
Result<> check_question(ScorerKind kind, const Question& question);

/// For the four kinds above; `schema` for json_schema. The question must have passed check_question().
Score score_text(ScorerKind kind, const Question& question, std::string_view answer,
                 const JsonSchema* schema);

/// A judge's words on (answer, reference) and on (reference, answer) as a score: a win or a loss counts only
/// when both orders agree, otherwise it is a tie (Zheng et al. 2023, arXiv 2306.05685, section 3.4): 1, 0,
/// .5. Nothing when a word is missing.
struct JudgeScore {
  std::optional<double> value;
  bool orders_differ = false;  ///< the judge changed its mind with the order
};
JudgeScore judge_score(std::optional<JudgeWord> forward, std::optional<JudgeWord> swapped);

}  // namespace brevet::record
