// Goal: any two answers to any question end in a verdict that does not depend on their order; an answer is
// never different from itself; a text without a choice is never the same in a choice question. Method:
// libFuzzer; the input is split at two bytes of zero into question and answers.
#include <cstdlib>
#include <string>

#include "compare/answer_core.h"
#include "compare/compare.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace brevet;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto first_cut = bytes.find('\0');
  const auto second_cut = first_cut == std::string_view::npos ? first_cut : bytes.find('\0', first_cut + 1);
  const std::string question(bytes.substr(0, first_cut));
  Answer a, b;
  a.finish_reason = b.finish_reason = "stop";
  if (first_cut != std::string_view::npos) a.text = bytes.substr(first_cut + 1, second_cut - first_cut - 1);
  if (second_cut != std::string_view::npos) b.text = bytes.substr(second_cut + 1);
  CompareContext context;
  context.question = question;
  context.has_response_format = size % 5 == 0;
  if (size % 3 == 0) context.embedding_similarity = static_cast<double>(size % 200) / 100 - 1;
  const auto forward = compare_answers(a, b, context);
  const auto backward = compare_answers(b, a, context);
  if (forward.verdict != backward.verdict) std::abort();
  context.embedding_similarity.reset();
  if (compare_answers(a, a, context).verdict == Verdict::kDifferent) std::abort();
  const auto options = find_options(question);
  if (!options.empty() && forward.verdict == Verdict::kSame && forward.method == "choice" &&
      extract_choice(a.text, options).letters.empty()) {
    std::abort();
  }
  return 0;
}
