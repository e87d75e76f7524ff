#include "dataset/prompt_text.h"

#include "base/random.h"

namespace brevet {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const auto begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

bool lists_choices(const OutcomeRecord& record) {
  for (const auto& choice : record.choices) {
    bool found = false;
    for (const char* separator : {". ", ") ", ": "}) {
      const std::string wanted = choice.label + separator + std::string(trimmed(choice.text));
      found = found || record.prompt.find(wanted) != std::string::npos;
    }
    if (!found) return false;
  }
  return true;
}

}  // namespace

std::string render_prompt(const OutcomeRecord& record) {
  if (record.choices.empty() || lists_choices(record)) return record.prompt;
  std::string out = record.prompt;
  for (const auto& choice : record.choices) {
    out += "\n" + choice.label + ". ";
    out += trimmed(choice.text);
  }
  out += "\nAnswer with the letter of the right choice.";
  return out;
}

std::uint64_t prompt_key(std::string_view rendered) {
  return hash_bytes(trimmed(rendered));
}

}  // namespace brevet
