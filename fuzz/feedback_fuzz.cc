// Goal: no feedback body crashes the reader; what it accepts keeps its bounds. Method: libFuzzer.
#include <cstdlib>
#include <string>

#include "wire/openai_chat.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto feedback = brevet::wire::parse_feedback({reinterpret_cast<const char*>(data), size});
  if (!feedback) return 0;
  if (feedback->decision_id.empty() || feedback->decision_id.size() > 128) std::abort();
  if (feedback->score && !(*feedback->score >= 0 && *feedback->score <= 1)) std::abort();
  if (!feedback->score && feedback->comment.empty()) std::abort();
  return 0;
}
