// How commands name data files: FILE, or FILE@MODEL,MODEL for models of that file alone. Pure.
#pragma once

#include <string>
#include <vector>

namespace brevet {

/// Parts between separators that are outside of braces; an empty last one does not count.
std::vector<std::string> split_list(const std::string& text, char separator);

/// Split at the first '@' after the extension .jsonl or .jsonl.gz, for names of models may hold one.
struct DataArgument {
  std::string file;
  std::vector<std::string> models;
};
DataArgument parse_data(const std::string& text);

}  // namespace brevet
