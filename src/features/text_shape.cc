#include "features/text_shape.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <string>

namespace brevet {
namespace {

constexpr std::size_t kBytesMax = 16 * 1024;
constexpr float kLimit = 3;
constexpr std::size_t kOptionsMax = 26;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}
bool is_word(char c) {
  return is_digit(c) || is_upper(c) || is_lower(c) || static_cast<unsigned char>(c) >= 0x80;
}
bool is_punctuation(char c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (auto& c : out) {
    if (is_upper(c)) c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

/// 64-bit FNV-1a (Fowler, Noll and Vo) of a piece in lower case: two that differ are hardly ever one, and no
/// copy is made.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c);
    hash *= 0x100000001b3;
  }
  return hash;
}

/// Runs of letters, digits and bytes above ASCII, in lower case; a run of digits counts by its length.
std::vector<std::uint64_t> words_of(std::string_view text) {
  std::vector<std::uint64_t> out;
  for (std::size_t at = 0; at < text.size();) {
    if (!is_word(text[at])) {
      ++at;
      continue;
    }
    const std::size_t from = at;
    bool digits = true;
    for (; at < text.size() && is_word(text[at]); ++at) digits = digits && is_digit(text[at]);
    out.push_back(digits ? at - from : hash_of(text.substr(from, at - from)));
  }
  return out;
}

void make_set(std::vector<std::uint64_t>& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

/// Of two sets.
std::size_t in_both(const std::vector<std::uint64_t>& a, const std::vector<std::uint64_t>& b) {
  std::size_t both = 0;
  for (auto x = a.begin(), y = b.begin(); x != a.end() && y != b.end();) {
    if (*x == *y) ++both;
    const bool behind = *x <= *y;
    const bool ahead = *y <= *x;
    if (behind) ++x;
    if (ahead) ++y;
  }
  return both;
}

/// Pieces between white space.
std::vector<std::string_view> pieces_of(std::string_view text) {
  std::vector<std::string_view> out;
  for (std::size_t at = 0; at < text.size();) {
    if (is_space(text[at])) {
      ++at;
      continue;
    }
    const std::size_t from = at;
    while (at < text.size() && !is_space(text[at])) ++at;
    out.push_back(text.substr(from, at - from));
  }
  return out;
}

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// One of `phrases` stands in the lower-case `text` between ends of words.
template <std::size_t N>
bool has_phrase(std::string_view text, const std::array<std::string_view, N>& phrases) {
  for (const auto phrase : phrases) {
    for (auto at = text.find(phrase); at != std::string_view::npos; at = text.find(phrase, at + 1)) {
      const auto end = at + phrase.size();
      if ((at == 0 || !is_word(text[at - 1])) && (end == text.size() || !is_word(text[end]))) return true;
    }
  }
  return false;
}

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

/// Digits with signs and units, such as "3.5 m", "$40", "-2/3": at most six letters behind the number.
bool numeric_option(std::string_view text) {
  std::size_t at = 0;
  std::size_t digits = 0;
  std::size_t letters = 0;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (is_digit(c)) {
      if (letters > 1) return false;
      ++digits;
      letters = 0;
    } else if (is_upper(c) || is_lower(c)) {
      if (++letters > 6) return false;
    }
  }
  return digits > 0;
}

/// Of two sets: what they share over all they hold.
double jaccard(const std::vector<std::uint64_t>& a, const std::vector<std::uint64_t>& b) {
  const std::size_t both = in_both(a, b);
  return static_cast<double>(both) /
         static_cast<double>(std::max<std::size_t>(1, a.size() + b.size() - both));
}

/// A year from 1500 to 2099 that stands alone.
bool has_year(std::string_view text) {
  for (std::size_t at = 0; at + 4 <= text.size(); ++at) {
    if ((at > 0 && is_word(text[at - 1])) || (at + 4 < text.size() && is_word(text[at + 4]))) continue;
    const auto four = text.substr(at, 4);
    if (!std::all_of(four.begin(), four.end(), is_digit)) continue;
    if ((four[0] == '1' && four[1] >= '5') || (four[0] == '2' && four[1] == '0')) return true;
  }
  return false;
}

bool has_formula(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '=' || c == '<' || c == '>') return true;
    if (c == '^' && at > 0 && is_word(text[at - 1])) return true;
    if (c == '+' || c == '*' || c == '/' || c == '-') {
      auto before = at;
      while (before > 0 && is_space(text[before - 1])) --before;
      auto after = at + 1;
      while (after < text.size() && is_space(text[after])) ++after;
      if (before > 0 && is_digit(text[before - 1]) && after < text.size() && is_digit(text[after]))
        return true;
    }
  }
  static constexpr std::array<std::string_view, 8> kSigns = {"\xe2\x88\x91", "\xe2\x88\xab", "\xe2\x88\x9a",
                                                             "\xe2\x89\xa4", "\xe2\x89\xa5", "\xcf\x80",
                                                             "\xce\xb8",     "\xce\xbb"};
  return std::any_of(kSigns.begin(), kSigns.end(), [&](auto sign) { return has(text, sign); });
}

/// Writes one number after the other.
class Numbers {
 public:
  explicit Numbers(TextShape& out) : out_(out) {}
  void add(double value) { out_[at_++] = std::clamp(static_cast<float>(value), -kLimit, kLimit); }
  void add(bool value) { add(value ? 1.0 : 0.0); }
  std::size_t count() const { return at_; }

 private:
  TextShape& out_;
  std::size_t at_ = 0;
};

void add_lengths(Numbers& numbers, std::string_view text, const QuestionParts& parts,
                 const std::vector<std::string_view>& pieces) {
  const auto length = static_cast<double>(std::max<std::size_t>(1, text.size()));
  const auto options = static_cast<double>(parts.options.size());
  std::vector<double> option_bytes, piece_bytes;
  for (const auto option : parts.options) option_bytes.push_back(static_cast<double>(option.size()));
  for (const auto piece : pieces) piece_bytes.push_back(static_cast<double>(piece.size()));
  const double mean_option = mean(option_bytes);
  const bool any = !parts.options.empty();
  numbers.add(std::log(1 + length) - 6);
  numbers.add(std::log(1 + static_cast<double>(parts.stem.size())) - 5.5);
  numbers.add(10 * static_cast<double>(std::count_if(text.begin(), text.end(), is_digit)) / length);
  numbers.add(10 * static_cast<double>(std::count_if(text.begin(), text.end(), is_punctuation)) / length);
  numbers.add(any ? options / 5 - 1 : 0.0);
  numbers.add(any ? std::log(1 + mean_option) - 3 : 0.0);
  numbers.add(has(text, "\\"));
  numbers.add(has(parts.stem, "\n"));
  numbers.add(has(text, "$"));
  numbers.add(std::any_of(parts.stem.begin(), parts.stem.end(), is_digit));
  numbers.add(pieces.empty() ? 0.0 : mean(piece_bytes) / 5 - 1);
  numbers.add(has(text, "="));
  double squares = 0;
  for (const double bytes : option_bytes) squares += (bytes - mean_option) * (bytes - mean_option);
  numbers.add(any ? std::sqrt(squares / options) / (1 + mean_option) : 0.0);
  numbers.add(any ? std::log(1 + *std::max_element(option_bytes.begin(), option_bytes.end())) - 3.5 : 0.0);
  numbers.add(any ? std::log(1 + *std::min_element(option_bytes.begin(), option_bytes.end())) - 2.5 : 0.0);
  numbers.add(
      any ? static_cast<double>(std::count_if(parts.options.begin(), parts.options.end(), numeric_option)) /
                options
          : 0.0);
}

void add_question(Numbers& numbers, std::string_view text, const QuestionParts& parts,
                  const std::vector<std::string_view>& pieces, std::string_view low) {
  static constexpr std::array<std::string_view, 8> kNegations = {"not",   "except", "incorrect", "false",
                                                                 "least", "never",  "no",        "cannot"};
  static constexpr std::array<std::string_view, 2> kRoman = {"i.", "ii"};
  const auto stem = parts.stem;
  const auto stem_pieces = static_cast<double>(std::max<std::size_t>(1, pieces_of(stem).size()));
  numbers.add(has_phrase(low, kNegations) || has(low, "n't"));
  numbers.add(has(low, "which of the following"));
  numbers.add(has(low, "following"));
  numbers.add(has(low, "statement 1") || has(low, "scenario 1") || has(low, "(i)") ||
              has_phrase(low, kRoman));
  numbers.add(has(stem, "___"));
  numbers.add(!stem.empty() && stem.back() == '?');
  numbers.add(!stem.empty() && (stem.back() == '.' || stem.back() == ':'));
  numbers.add(std::any_of(parts.options.begin(), parts.options.end(), [](auto option) {
    const auto small = lower(option);
    return has(small, "all of the") || has(small, "none of the") || has(small, "both");
  }));
  numbers.add(has_formula(text));
  numbers.add(10 * static_cast<double>(std::count_if(stem.begin(), stem.end(), is_upper)) /
              static_cast<double>(std::max<std::size_t>(1, stem.size())));
  numbers.add(has_year(text));
  std::size_t sentences = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool stop = text[at] == '.' || text[at] == '?' || text[at] == '!';
    sentences += stop && (at + 1 == text.size() || is_space(text[at + 1]));
  }
  numbers.add(std::log(1 + static_cast<double>(sentences)) - 1);
  std::vector<std::uint64_t> distinct;
  for (const auto piece : pieces) distinct.push_back(hash_of(piece));
  make_set(distinct);
  numbers.add(static_cast<double>(distinct.size()) /
              static_cast<double>(std::max<std::size_t>(1, pieces.size())));
  numbers.add(has(stem, "\"") || has(stem, "\xe2\x80\x9c"));
  numbers.add(10 * static_cast<double>(std::count(stem.begin(), stem.end(), ',')) / stem_pieces);
  // The question itself stands at the end of a long stem.
  constexpr std::size_t kTail = 200;
  const auto tail = low.substr(low.size() - std::min(low.size(), kTail));
  static constexpr std::array<std::string_view, 9> kWords = {"what", "which", "who",      "when",    "where",
                                                             "why",  "how",   "how many", "how much"};
  for (const auto word : kWords) numbers.add(has_phrase(tail, std::array{word}));
}

void add_options(Numbers& numbers, std::string_view text, const QuestionParts& parts, std::string_view low) {
  auto stem_words = words_of(parts.stem);
  make_set(stem_words);
  std::vector<std::vector<std::uint64_t>> sets;
  std::vector<double> overlap, shared, counts;
  std::vector<std::uint64_t> first;
  bool whole_number = false, all_single = !parts.options.empty(), capital_inside = false;
  for (const auto option : parts.options) {
    auto set = words_of(option);
    make_set(set);
    for (const auto& before : sets) shared.push_back(jaccard(set, before));
    overlap.push_back(static_cast<double>(in_both(set, stem_words)) /
                      static_cast<double>(std::max<std::size_t>(1, set.size())));
    sets.push_back(std::move(set));
    const auto pieces = pieces_of(option);
    counts.push_back(static_cast<double>(pieces.size()));
    first.push_back(pieces.empty() ? 0 : hash_of(pieces.front()));
    all_single = all_single && pieces.size() == 1;
    whole_number = whole_number || (!option.empty() && std::all_of(option.begin(), option.end(), is_digit));
    capital_inside =
        capital_inside || (!option.empty() && std::any_of(option.begin() + 1, option.end(), is_upper));
  }
  make_set(first);
  const auto [least, most] = std::minmax_element(overlap.begin(), overlap.end());
  numbers.add(mean(shared));
  numbers.add(shared.empty() ? 0.0 : *std::max_element(shared.begin(), shared.end()));
  numbers.add(mean(overlap));
  numbers.add(overlap.empty() ? 0.0 : *most - *least);
  numbers.add(static_cast<double>(first.size()) / 4);
  numbers.add(whole_number);
  numbers.add(mean(counts) / 10);
  numbers.add(all_single);
  static constexpr std::array<std::string_view, 9> kPeople = {
      "he", "she", "his", "her", "man", "woman", "plaintiff", "defendant", "patient"};
  static constexpr std::array<std::string_view, 3> kSpeaker = {"you", "your", "i"};
  static constexpr std::array<std::string_view, 7> kDefinition = {
      "according to", "refer to", "refers to", "called", "known as", "defined", "term"};
  static constexpr std::array<std::string_view, 5> kBest = {"best", "most likely", "primary", "main",
                                                            "major"};
  static constexpr std::array<std::string_view, 6> kCompute = {"calculate", "find",      "compute",
                                                               "value",     "determine", "approximately"};
  numbers.add(has_phrase(low, kPeople));
  numbers.add(has_phrase(low, kSpeaker));
  numbers.add(has_phrase(low, kDefinition));
  numbers.add(has_phrase(low, kBest));
  numbers.add(has_phrase(low, kCompute));
  numbers.add(has(parts.stem, "("));
  numbers.add(capital_inside);
  numbers.add(!parts.stem.empty() && is_lower(parts.stem.front()));
  numbers.add(std::log1p(static_cast<double>(words_of(text).size())) - 4);
  static constexpr std::array<std::string_view, 6> kOpening = {"for",     "if",       "let",
                                                               "suppose", "consider", "assume"};
  numbers.add(std::any_of(kOpening.begin(), kOpening.end(), [&](auto word) {
    return low.starts_with(word) && (low.size() == word.size() || !is_word(low[word.size()]));
  }));
}

}  // namespace

QuestionParts question_parts(std::string_view text) {
  QuestionParts out;
  std::size_t first = 0;
  for (std::size_t from = 0; from < text.size() && out.options.size() < kOptionsMax;) {
    const auto end = std::min(text.find('\n', from), text.size());
    auto line = text.substr(from, end - from);
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
    if (line.starts_with('(')) line.remove_prefix(1);
    const char expected = static_cast<char>('A' + out.options.size());
    const bool marked = line.size() >= 2 && line[0] == expected &&
                        (line[1] == '.' || line[1] == ')' || line[1] == ':') &&
                        (line.size() == 2 || is_space(line[2]));
    if (marked) {
      if (out.options.empty()) first = from;
      out.options.push_back(trimmed(line.substr(2)));
    }
    from = end + 1;
  }
  if (out.options.size() < 2) out.options.clear();
  out.stem = trimmed(out.options.empty() ? text : text.substr(0, first));
  return out;
}

TextShape text_shape(std::string_view text) {
  text = text.substr(0, kBytesMax);
  const auto parts = question_parts(text);
  const auto pieces = pieces_of(text);
  const auto low = lower(parts.stem);
  TextShape out{};
  Numbers numbers(out);
  add_lengths(numbers, text, parts, pieces);
  add_question(numbers, text, parts, pieces, low);
  add_options(numbers, text, parts, low);
  assert(numbers.count() == kTextShapeNumbers);
  return out;
}

}  // namespace brevet
