#include "catalog/json_place.h"

#include <algorithm>
#include <boost/json.hpp>

namespace brevet::catalog {
namespace {

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}
  std::size_t at() const { return at_; }
  bool end() const { return at_ >= text_.size(); }
  char peek() {
    while (!end() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\r' || text_[at_] == '\n'))
      ++at_;
    return end() ? '\0' : text_[at_];
  }
  void skip() { ++at_; }
  /// The inside of a string; the scanner stands on its first quote.
  std::string_view string() {
    const auto begin = ++at_;
    while (!end() && text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
    at_ = std::min(at_, text_.size());
    const auto out = text_.substr(begin, at_ - begin);
    ++at_;
    return out;
  }
  void value() {
    std::size_t depth = 0;
    for (;;) {
      const char c = peek();
      if (end()) return;
      if (c == '"') {
        string();
      } else if (c == '{' || c == '[') {
        ++depth;
        skip();
      } else if (c == '}' || c == ']') {
        if (depth == 0) return;
        --depth;
        skip();
      } else if (c == ',' || c == ':') {
        if (depth == 0) return;
        skip();
      } else {
        while (!end() && std::string_view(",:]} \t\r\n").find(text_[at_]) == std::string_view::npos) ++at_;
      }
      if (depth == 0) return;
    }
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

Result<boost::json::value> parse_text(std::string_view text, const std::string& name) {
  boost::system::error_code error;
  boost::json::stream_parser parser;
  const auto used = parser.write_some(text.data(), text.size(), error);
  if (!error) parser.finish(error);
  if (!error && text.find_first_not_of(" \t\r\n", used) != std::string_view::npos)
    error = boost::json::error::extra_data;
  if (!error) return parser.release();
  return fail(
      ErrorKind::kCallerInvalid, "bad_model_file",
      name + ": line " + std::to_string(line_at(text, used)) + ": is not JSON: " + error.message() + ".",
      "(file)");
}

std::size_t line_at(std::string_view text, std::size_t at) {
  const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(at, text.size()));
  return 1 + static_cast<std::size_t>(std::count(text.begin(), end, '\n'));
}

std::size_t line_of(std::string_view json, const std::vector<std::string>& path) {
  Scanner scanner(json);
  scanner.peek();
  std::size_t found = scanner.at();
  for (const auto& wanted : path) {
    if (scanner.peek() != '{') break;
    scanner.skip();
    bool here = false;
    while (scanner.peek() == '"') {
      const auto begin = scanner.at();
      const auto key = scanner.string();
      if (scanner.peek() != ':') break;
      scanner.skip();
      if (key == wanted) {
        found = begin;
        here = true;
        break;
      }
      scanner.value();
      if (scanner.peek() != ',') break;
      scanner.skip();
    }
    if (!here) break;
  }
  return line_at(json, found);
}

}  // namespace brevet::catalog
