// Pieces of OpenAI answers that whole and streamed ones share. Only for src/wire.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "domain/answer.h"
#include "wire/json_text.h"

namespace brevet::wire {

/// Usage as providers spell it; a count that is absent, negative or not a whole number stays unknown.
Usage read_usage(simdjson::dom::object usage);
/// The text of `content`: a string, or the text parts of a list one after the other.
std::string content_text(simdjson::dom::element content);
/// A JSON string as it is, anything else as compact JSON: some servers send arguments as an object.
std::string text_or_json(simdjson::dom::element value);
/// True when the object has the key with a value other than null.
bool has_value(simdjson::dom::object object, std::string_view key);

/// Running mean and minimum of token log-probabilities.
struct LogprobStats {
  double sum = 0;
  double min = 0;
  int count = 0;
  /// Reads choice.logprobs; values over 0 (rounding of the provider) count as 0.
  void add(simdjson::dom::object choice);
};

/// Alternatives of the first token in choice.logprobs with that token among them, at most kAlternativesMax;
/// empty when the provider lists none. Values over 0 count as 0.
inline constexpr std::size_t kAlternativesMax = 64;
std::vector<TokenAlternative> first_token_alternatives(simdjson::dom::object choice);

/// Reads the value of an `error` member, which may be an object or a string.
struct ErrorFields {
  std::string code, type, message;
};
ErrorFields read_error(simdjson::dom::element error);

/// Pieces of about `bytes`, cut where a UTF-8 character begins.
std::vector<std::string_view> utf8_pieces(std::string_view text, std::size_t bytes);

}  // namespace brevet::wire
