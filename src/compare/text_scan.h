// Reading answers word by word: markdown and LaTeX stripped, tokens with their surroundings.
//
// Inside compare only (answer cores and comparisons). Pure; every scan is bounded by the text given.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace brevet::scan {

/// The text without markdown emphasis and LaTeX dressing: \text{B} becomes B, \frac{3}{4} becomes 3/4, \times
/// becomes *, typographic quotes, dashes, spaces and superscript digits become ASCII. Lines stay lines.
std::string plain(std::string_view text);

/// Head and tail of a text that is longer than `most` bytes, else the text itself.
std::string bounded(std::string_view text, std::size_t most);

/// Contents of every \boxed{...} or \fbox{...}, in order.
std::vector<std::string_view> boxed(std::string_view text);

struct Token {
  std::string_view text;    ///< a run of letters and digits (apostrophes inside kept), or one other character
  std::string lower;        ///< lower case ASCII of it
  bool word = false;        ///< starts with a letter, digit or non-ASCII byte
  bool line_start = false;  ///< first on its line
  bool glued = false;       ///< no white space before it
  std::size_t at = 0;       ///< offset in the text
};
std::vector<Token> tokens(std::string_view text);

bool one_of(std::string_view word, std::initializer_list<std::string_view> words);
std::string lower_ascii(std::string_view text);
std::string_view trim(std::string_view text);
/// Last line that holds something.
std::string_view last_line(std::string_view text);
/// Number of white-space separated words.
std::size_t word_count(std::string_view text);

}  // namespace brevet::scan
