#include "app/data_argument.h"

#include <string_view>

namespace brevet {

std::vector<std::string> split_list(const std::string& text, char separator) {
  std::vector<std::string> out;
  std::string part;
  int depth = 0;  // options in braces may hold the separator
  for (const char c : text) {
    if (c == '{') ++depth;
    if (c == '}') --depth;
    if (c == separator && depth <= 0) {
      out.push_back(std::move(part));
      part.clear();
    } else {
      part += c;
    }
  }
  if (!part.empty()) out.push_back(std::move(part));
  return out;
}

DataArgument parse_data(const std::string& text) {
  for (const std::string_view extension : {".jsonl.gz@", ".jsonl@"}) {
    const auto found = text.find(extension);
    if (found == std::string::npos) continue;
    const auto at = found + extension.size() - 1;
    return {text.substr(0, at), split_list(text.substr(at + 1), ',')};
  }
  return {text, {}};
}

}  // namespace brevet
