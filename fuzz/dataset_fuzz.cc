// Goal: no bytes make the reader of outcome records misbehave, and what it accepts survives being written.
// Method: libFuzzer on one line; accepted records are written and read again.
#include <cstdint>
#include <cstdlib>

#include "dataset/outcome_file.h"
#include "dataset/prompt_text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace brevet;
  OutcomeReadOptions options;
  options.prompt = PromptField::kOptional;
  const auto record = parse_outcome_record({reinterpret_cast<const char*>(data), size}, "fuzz:1", options);
  if (!record) return 0;
  prompt_key(render_prompt(*record));
  const auto again = parse_outcome_record(outcome_record_json(*record), "fuzz:1", options);
  if (!again || again->id != record->id || again->models.size() != record->models.size()) std::abort();
  return 0;
}
