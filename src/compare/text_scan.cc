#include "compare/text_scan.h"

#include <algorithm>

namespace brevet::scan {
namespace {

struct Fold {
  std::string_view from, to;
};
// UTF-8 sequences that models write where plain ASCII is meant.
constexpr Fold kFolds[] = {
    {"\xE2\x80\x98", "'"},    {"\xE2\x80\x99", "'"},    {"\xE2\x80\x9C", "\""}, {"\xE2\x80\x9D", "\""},
    {"\xE2\x80\x93", "-"},    {"\xE2\x80\x94", " - "},  {"\xE2\x88\x92", "-"},  {"\xC2\xA0", " "},
    {"\xE2\x80\xAF", " "},    {"\xE2\x80\x89", " "},    {"\xC3\x97", "*"},      {"\xC2\xB7", "*"},
    {"\xE2\x8B\x85", "*"},    {"\xC2\xBD", " 1/2"},     {"\xC2\xBC", " 1/4"},   {"\xC2\xBE", " 3/4"},
    {"\xE2\x85\x93", " 1/3"}, {"\xE2\x85\x94", " 2/3"}, {"\xE2\x89\x88", "="},  {"\xE2\x86\x92", ":"},
    {"\xE2\x9F\xB9", ":"},    {"\xE2\x80\xA6", "..."},  {"\xEF\xBC\x9A", ":"},  {"\xE2\x81\xBB", "^-"},
    {"\xE2\x81\xB0", "^0"},   {"\xC2\xB9", "^1"},       {"\xC2\xB2", "^2"},     {"\xC2\xB3", "^3"},
    {"\xE2\x81\xB4", "^4"},   {"\xE2\x81\xB5", "^5"},   {"\xE2\x81\xB6", "^6"}, {"\xE2\x81\xB7", "^7"},
    {"\xE2\x81\xB8", "^8"},   {"\xE2\x81\xB9", "^9"},
};

bool alnum(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool alpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

/// Offset behind the brace that closes the one at `open`, or npos.
std::size_t brace_end(std::string_view text, std::size_t open) {
  int depth = 0;
  for (std::size_t i = open; i < text.size(); ++i) {
    if (text[i] == '{') ++depth;
    if (text[i] == '}' && --depth == 0) return i + 1;
  }
  return std::string_view::npos;
}

/// Argument in braces at `at`; moves `at` behind it. Empty when there is none.
std::string_view argument(std::string_view text, std::size_t& at) {
  if (at >= text.size() || text[at] != '{') return {};
  const auto end = brace_end(text, at);
  if (end == std::string_view::npos) return {};
  const auto inside = text.substr(at + 1, end - at - 2);
  at = end;
  return inside;
}

void append_plain(std::string_view text, std::string& out, int depth) {
  bool balanced = true;  // after one unclosed brace no further is looked for: the scan stays linear
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '*' && i + 1 < text.size() && i > 0 && space(text[i - 1]) && space(text[i + 1])) {
      out += '*';  // multiplication, not emphasis
      ++i;
    } else if (c == '*' && i > 0 && i + 1 < text.size() && (text[i - 1] >= '0' && text[i - 1] <= '9') &&
               (text[i + 1] >= '0' && text[i + 1] <= '9')) {
      out += '*';
      ++i;
    } else if (c == '*' || c == '`' || c == '$' || c == '{' || c == '}') {
      ++i;
    } else if (c == '_' && (i == 0 || !alnum(text[i - 1]) || i + 1 >= text.size() || !alnum(text[i + 1]))) {
      ++i;
    } else if (c == '\\') {
      std::size_t end = i + 1;
      while (end < text.size() && alpha(text[end])) ++end;
      const auto name = text.substr(i + 1, end - i - 1);
      if (name.empty()) {  // \( \) \[ \] \, \! \% \$
        const char next = end < text.size() ? text[end] : ' ';
        if (next == '%') out += '%';
        if (next != '%' && next != '!' && next != ',') out += ' ';
        i = std::min(end + 1, text.size());
      } else if (balanced && one_of(name, {"frac", "dfrac", "tfrac"}) && depth < 8) {
        auto at = end;
        const auto over = argument(text, at);
        const auto under = over.empty() ? std::string_view{} : argument(text, at);
        if (under.empty()) {
          balanced = false;
          i = end;
        } else {
          append_plain(over, out, depth + 1);
          out += '/';
          append_plain(under, out, depth + 1);
          i = at;
        }
      } else if (one_of(name, {"times", "cdot"})) {
        out += '*';
        i = end;
      } else if (one_of(name, {"approx", "simeq"})) {
        out += '=';
        i = end;
      } else {
        out += ' ';  // any other command; its argument's braces are dropped above
        i = end;
      }
    } else if (static_cast<unsigned char>(c) >= 0x80) {
      bool folded = false;
      for (const auto& fold : kFolds) {
        if (text.compare(i, fold.from.size(), fold.from) != 0) continue;
        // Runs of superscripts are one exponent.
        const bool more =
            fold.to.size() == 2 && fold.to[0] == '^' && !out.empty() && i > 1 &&
            out.find_last_of('^') != std::string::npos &&
            out.find_first_not_of("-0123456789", out.find_last_of('^') + 1) == std::string::npos;
        out += more ? fold.to.substr(1) : fold.to;
        i += fold.from.size();
        folded = true;
        break;
      }
      if (!folded) {
        out += c;
        ++i;
      }
    } else {
      out += c;
      ++i;
    }
  }
}

}  // namespace

std::string plain(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  append_plain(text, out, 0);
  return out;
}

std::string bounded(std::string_view text, std::size_t most) {
  if (text.size() <= most) return std::string(text);
  std::string out(text.substr(0, most / 4));
  out += "\n\n";
  out += text.substr(text.size() - (most - most / 4));
  return out;
}

std::vector<std::string_view> boxed(std::string_view text) {
  std::vector<std::string_view> out;
  for (std::string_view name : {"\\boxed", "\\fbox"}) {
    std::size_t at = 0;
    while ((at = text.find(name, at)) != std::string_view::npos) {
      at += name.size();
      while (at < text.size() && text[at] == ' ') ++at;
      const auto inside = argument(text, at);
      if (inside.empty()) break;  // unclosed: the rest cannot be closed either, and the scan stays linear
      out.push_back(inside);
    }
  }
  return out;
}

std::vector<Token> tokens(std::string_view text) {
  std::vector<Token> out;
  bool line_start = true;
  bool glued = false;
  for (std::size_t i = 0; i < text.size();) {
    if (space(text[i])) {
      if (text[i] == '\n') line_start = true;
      glued = false;
      ++i;
      continue;
    }
    std::size_t end = i + 1;
    const bool word = alnum(text[i]);
    if (word) {
      while (end < text.size() &&
             (alnum(text[end]) || (text[end] == '\'' && end + 1 < text.size() && alpha(text[end + 1])))) {
        ++end;
      }
    }
    Token token;
    token.text = text.substr(i, end - i);
    token.lower = lower_ascii(token.text);
    token.word = word;
    token.line_start = line_start;
    token.glued = glued;
    token.at = i;
    out.push_back(std::move(token));
    line_start = false;
    glued = true;
    i = end;
  }
  return out;
}

bool one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::string lower_ascii(std::string_view text) {
  std::string out(text);
  for (auto& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && space(text.front())) text.remove_prefix(1);
  while (!text.empty() && space(text.back())) text.remove_suffix(1);
  return text;
}

std::string_view last_line(std::string_view text) {
  text = trim(text);
  const auto line = text.find_last_of("\n\r");
  return trim(line == std::string_view::npos ? text : text.substr(line + 1));
}

std::size_t word_count(std::string_view text) {
  std::size_t count = 0;
  bool inside = false;
  for (const char c : text) {
    if (space(c)) {
      inside = false;
    } else if (!inside) {
      inside = true;
      ++count;
    }
  }
  return count;
}

}  // namespace brevet::scan
