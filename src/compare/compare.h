// Are two answers to one request the same, as far as can be checked?
//
// Called by gateway for the evidence that strategies and shadow plans ask for, by train and eval for labels.
// Pure and thread-safe; throws nothing. It compares answers with each other, never with the truth.
//
// The first method that fits decides:
//   tool_call  either answer calls tools: names and canonical arguments as a multiset; tools on one side only
//              are different
//   json       the request asks for JSON, or both answers are JSON: equal structure, key order free, numbers
//   by
//              value; asked for JSON and only one side gives any = different
//   choice     the question lists options: the letter chosen, or the option whose text is given. A letter on
//              one side and a text without any choice on the other are DIFFERENT: such a text does not answer
//              the question, and counting it as unknown would hide a weak model that never answers. No letter
//              on both sides is "cannot tell", never the same
//   yes_no     a yes/no or true/false question
//   number     the final number, see same_number()
//   text       equal after normalising, or short texts of which one holds the other; short texts that share
//   no
//              word are different
//   embedding  similarity of embeddings, given by the caller, against two thresholds; only where the numbers
//              and negations of both texts agree
// "Cannot tell" is what remains: empty, refused or cut answers (finish_reason length or content_filter), an
// answer that states two things, and long free text without a checkable core.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "domain/answer.h"
#include "domain/chat_request.h"
#include "domain/decision.h"

namespace brevet {

struct CompareContext {
  std::string_view question;         ///< text of the last user message
  bool has_response_format = false;  ///< the request asks for JSON
  /// Cosine of the embeddings of both texts; empty when nobody computed it.
  std::optional<double> embedding_similarity;
};
CompareContext compare_context(const ChatRequest& request);

struct CompareOptions {
  double number_relative_tolerance = 1e-6;  ///< wider calls rounding differences the same
  double embedding_same = 0.95;             ///< higher: fewer wrong "same", more "cannot tell"
  double embedding_different = 0.25;        ///< lower: fewer wrong "different", more "cannot tell"
  std::size_t short_words_max = 8;          ///< texts of more words are never called different by their words
};

/// What compare_answers() found; the caller puts it into a Comparison.
struct AnswerComparison {
  Verdict verdict = Verdict::kCannotTell;
  std::string method;     ///< tool_call, json, choice, yes_no, number, text, embedding, none
  double similarity = 0;  ///< of the embedding method; 1 or 0 for exact methods
  const char* why =
      "";  ///< static code: equal, unequal, empty, cut, refused, no_core, one_sided, ambiguous, ...
};
AnswerComparison compare_answers(const Answer& first, const Answer& second, const CompareContext& context,
                                 const CompareOptions& options = {});

/// True when embeddings would be read: everything cheaper cannot tell and both texts are whole. Lets callers
/// embed only where it matters.
bool wants_embedding(const Answer& first, const Answer& second, const CompareContext& context,
                     const CompareOptions& options = {});

}  // namespace brevet
