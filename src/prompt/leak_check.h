// Does a guide carry the answer of the request that it was written for?
//
// Called by shadow plans before a new guide is tried or stored: a guide that holds the answer would look like
// a win on its own question and help on no other. Pure, thread-safe. Both error rates are measured on a
// labelled set by leak_check_test.cc. In doubt it says "leaks": a lost guide costs one call, a leaking one
// pollutes memory.
#pragma once

#include <string>
#include <string_view>

#include "domain/answer.h"

namespace brevet {

struct LeakCheckInput {
  std::string_view guide;     ///< cleaned
  std::string_view question;  ///< text of the last user message
  std::string_view answer;    ///< text of the reference's answer to it
};

struct LeakVerdict {
  bool leaks = false;
  /// Static code: letter, option_text, yes_no, number, words, json_value, answer_text, states_answer; "" when
  /// clean.
  const char* why = "";
};

LeakVerdict check_leak(const LeakCheckInput& input);

}  // namespace brevet
