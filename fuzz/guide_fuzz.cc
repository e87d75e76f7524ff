// Goal: whatever a model writes as a guide or as a verdict is cleaned, bounded and checked without harm;
// cleaning twice changes nothing. Method: libFuzzer; the input is split at a byte of zero into question and
// written text.
#include <cstdlib>
#include <string>

#include "prompt/guide.h"
#include "prompt/judge.h"
#include "prompt/leak_check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace brevet;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto cut = bytes.find('\0');
  const std::string question(bytes.substr(0, cut));
  const std::string written(cut == std::string_view::npos ? bytes : bytes.substr(cut + 1));
  const auto guide = clean_guide(written);
  if (guide.size() > kGuideBytesMax) std::abort();
  check_leak({guide, question, written});
  check_leak({written, question, question});
  if (guide_edits(guide).empty() != guide.empty()) std::abort();
  const auto word = parse_judge_word(written);
  if (word && written.find("[[") == std::string::npos) std::abort();
  if (guide_writing_messages(question).size() != 2 || judge_messages({question, written, guide}).size() != 2)
    std::abort();
  return 0;
}
