#include "strategy/strategy_text.h"

#include <charconv>

namespace brevet {
namespace {

OptionValue scalar_of(const std::string& text) {
  if (text == "true" || text == "false") return text == "true";
  const char* end = text.data() + text.size();
  std::int64_t whole = 0;
  if (const auto read = std::from_chars(text.data(), end, whole); read.ec == std::errc{} && read.ptr == end)
    return whole;
  double number = 0;
  if (const auto read = std::from_chars(text.data(), end, number); read.ec == std::errc{} && read.ptr == end)
    return number;
  return text;
}

}  // namespace

Result<StrategyText> parse_strategy_text(const std::string& text) {
  StrategyText out;
  const auto brace = text.find('{');
  out.name = text.substr(0, brace);
  if (brace == std::string::npos) return out;
  if (text.back() != '}') {
    return fail(ErrorKind::kCallerInvalid, "bad_option",
                "'" + text + "' is not of the form name{key=value;...}.", "strategy");
  }
  std::string rest = text.substr(brace + 1, text.size() - brace - 2);
  while (!rest.empty()) {
    const auto semicolon = rest.find(';');
    const auto part = rest.substr(0, semicolon);
    rest = semicolon == std::string::npos ? "" : rest.substr(semicolon + 1);
    const auto equals = part.find('=');
    if (equals == std::string::npos || equals == 0) {
      return fail(ErrorKind::kCallerInvalid, "bad_option",
                  "'" + part + "' in '" + text + "' is not of the form key=value.", "strategy");
    }
    out.options[part.substr(0, equals)] = scalar_of(part.substr(equals + 1));
  }
  return out;
}

}  // namespace brevet
