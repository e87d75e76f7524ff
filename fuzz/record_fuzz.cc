// Goal: no bytes make the readers of journals, questions and JSON Schemas misbehave, and what they accept
// survives being written. Method: libFuzzer; the first byte chooses the reader.
#include <boost/json.hpp>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "record/journal.h"
#include "record/json_schema.h"
#include "record/prompt_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace brevet::record;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 3 == 0) {
    // Both as a whole and as the JSON of one line, since no mutation finds a checksum.
    if (const auto replay = replay_journal(text, "fuzz"); replay && replay->good_bytes > text.size())
      std::abort();
    CallResult result;
    result.number = 1;
    result.response = text;
    const auto line = journal_line(result);
    const auto again = parse_journal_line(std::string_view(line).substr(0, line.size() - 1), "fuzz");
    if (!again || std::get<CallResult>(*again).number != 1) std::abort();
  } else if (data[0] % 3 == 1) {
    QuestionReadOptions options;
    options.dataset = "d";
    const auto question = parse_question(text, "fuzz:1", options);
    if (!question) return 0;
    const auto line = outcome_line(*question, {});
    const auto again = parse_question(line, "fuzz:1", options);
    if (!again || again->record.id != question->record.id) std::abort();
    if (ask_body(*again, {}) != ask_body(*question, {})) std::abort();
  } else {
    const auto end = text.find('\0');
    const auto schema = JsonSchema::compile(text.substr(0, end), "fuzz");
    if (!schema || end == std::string_view::npos) return 0;
    boost::json::error_code error;
    const auto value = boost::json::parse(text.substr(end + 1), error);
    if (!error) static_cast<void>(schema->valid(value));
  }
  return 0;
}
