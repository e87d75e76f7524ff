// Numbers in answers: thousands separators, decimals, fractions, powers of ten, percent, currency, units; and
// which of them is the answer. Known weakness: "1.234" is read as a decimal, never as a European thousand.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "compare/answer_core.h"
#include "compare/text_scan.h"

namespace brevet {
namespace {

using scan::one_of;

bool digit(char c) {
  return c >= '0' && c <= '9';
}
bool alpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

struct Written {
  ExtractedNumber number;
  std::size_t begin = 0, end = 0;
  bool from_word = false;
};

struct NumberWord {
  std::string_view word;
  int value;
};
constexpr NumberWord kNumberWords[] = {
    {"zero", 0},      {"one", 1},       {"two", 2},       {"three", 3},    {"four", 4},     {"five", 5},
    {"six", 6},       {"seven", 7},     {"eight", 8},     {"nine", 9},     {"ten", 10},     {"eleven", 11},
    {"twelve", 12},   {"thirteen", 13}, {"fourteen", 14}, {"fifteen", 15}, {"sixteen", 16}, {"seventeen", 17},
    {"eighteen", 18}, {"nineteen", 19}, {"twenty", 20},   {"thirty", 30},  {"forty", 40},   {"fifty", 50},
    {"sixty", 60},    {"seventy", 70},  {"eighty", 80},   {"ninety", 90},
};

std::optional<int> number_word(std::string_view word) {
  for (const auto& entry : kNumberWords) {
    if (entry.word == word) return entry.value;
  }
  return std::nullopt;
}

/// Digits with separators at `at`: fills value, significant, decimals and moves `at` behind them.
bool read_decimal(std::string_view text, std::size_t& at, ExtractedNumber& out) {
  std::size_t i = at;
  std::string digits;
  while (i < text.size() && digit(text[i])) digits += text[i++];
  if (digits.empty() && !(i + 1 < text.size() && text[i] == '.' && digit(text[i + 1]))) return false;
  if (!digits.empty() && digits.size() <= 3) {
    while (i + 3 < text.size() && (text[i] == ',' || text[i] == '_') && digit(text[i + 1]) &&
           digit(text[i + 2]) && digit(text[i + 3]) && !(i + 4 < text.size() && digit(text[i + 4]))) {
      digits.append(text.substr(i + 1, 3));
      i += 4;
    }
  }
  if (i + 1 < text.size() && text[i] == '.' && digit(text[i + 1])) {
    digits += '.';
    ++i;
    while (i < text.size() && digit(text[i])) {
      digits += text[i++];
      ++out.decimals;
    }
  }
  if (digits.size() > 300) digits.resize(300);
  if (digits.front() == '.') digits.insert(digits.begin(), '0');
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), out.value);
  if (parsed.ec != std::errc{}) return false;
  bool leading = true;
  for (const char c : digits) {
    if (c == '.') continue;
    if (c != '0') leading = false;
    if (!leading) ++out.significant;
  }
  at = i;
  return true;
}

std::size_t skip_spaces(std::string_view text, std::size_t i) {
  while (i < text.size() && (text[i] == ' ' || text[i] == '\t')) ++i;
  return i;
}

/// A signed whole exponent, in braces or not.
std::optional<int> read_exponent(std::string_view text, std::size_t& at) {
  std::size_t i = at;
  if (i < text.size() && (text[i] == '(' || text[i] == '{')) ++i;
  bool minus = false;
  if (i < text.size() && (text[i] == '-' || text[i] == '+')) minus = text[i++] == '-';
  int value = 0;
  const std::size_t first = i;
  while (i < text.size() && digit(text[i]) && i - first < 4) value = value * 10 + (text[i++] - '0');
  if (i == first) return std::nullopt;
  if (i < text.size() && (text[i] == ')' || text[i] == '}')) ++i;
  at = i;
  return minus ? -value : value;
}

double scaled(double value, int exponent) {
  return value * std::pow(10.0, std::clamp(exponent, -400, 400));
}

std::string singular(std::string word) {
  if (word.size() > 3 && word.back() == 's' && word[word.size() - 2] != 's') word.pop_back();
  return word;
}

/// Letters that touch the digits and still leave a number: 5km, 3rd, 20k. Anything else (5CC2, 12ab) is a
/// name.
bool glued_unit(std::string_view word) {
  return one_of(word, {"km",  "m",   "cm",  "mm",  "kg", "g",  "mg", "s",       "ms",      "h",      "min",
                       "hr",  "hrs", "l",   "ml",  "ft", "in", "lb", "lbs",     "oz",      "mph",    "kmh",
                       "kph", "usd", "eur", "k",   "n",  "w",  "kw", "j",       "kj",      "v",      "c",
                       "f",   "pa",  "hz",  "khz", "mb", "gb", "kb", "tb",      "st",      "nd",     "rd",
                       "th",  "am",  "pm",  "x",   "d",  "y",  "e",  "percent", "million", "billion"});
}

/// One number that starts at `at` (a digit, or a point before one); `at` moves behind it.
bool read_number(std::string_view text, std::size_t& at, ExtractedNumber& out) {
  const std::size_t start = at;
  std::size_t i = at;
  if (!read_decimal(text, i, out)) return false;
  // Exponents: 1.5e-7, 1.5 * 10^5, 10^6.
  if (i + 1 < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    std::size_t j = i + 1;
    const bool signed_exponent = text[j] == '-' || text[j] == '+';
    if (const auto exponent = read_exponent(text, j);
        exponent && (signed_exponent || !(j < text.size() && alpha(text[j])))) {
      out.value = scaled(out.value, *exponent);
      out.decimals -= *exponent;
      i = j;
    }
  }
  std::size_t j = skip_spaces(text, i);
  if (j < text.size() && (text[j] == '*' || text[j] == 'x' || text[j] == 'X')) {
    std::size_t k = skip_spaces(text, j + 1);
    if (text.substr(k, 3) == "10^") {
      k += 3;
      if (const auto exponent = read_exponent(text, k)) {
        out.value = scaled(out.value, *exponent);
        out.decimals -= *exponent;
        i = k;
      }
    }
  } else if (text.substr(start, i - start) == "10" && i < text.size() && text[i] == '^') {
    std::size_t k = i + 1;
    if (const auto exponent = read_exponent(text, k)) {
      out.value = std::pow(10.0, std::clamp(*exponent, -400, 400));
      out.significant = 0;
      i = k;
    }
  }
  // Fractions: 3/4 and 1 3/4. A date or a path (1/2/2024) is none.
  const auto fraction_at = [&](std::size_t from, double& over_under) {
    ExtractedNumber over, under;
    std::size_t k = from;
    if (!read_decimal(text, k, over)) return std::size_t{0};
    k = skip_spaces(text, k);
    if (k >= text.size() || text[k] != '/') return std::size_t{0};
    k = skip_spaces(text, k + 1);
    if (!read_decimal(text, k, under) || under.value == 0) return std::size_t{0};
    if (k < text.size() && (text[k] == '/' || text[k] == '^')) return std::size_t{0};
    over_under = over.value / under.value;
    return k;
  };
  double part = 0;
  if (const auto end = fraction_at(start, part)) {
    out.value = part;
    out.significant = 0;
    out.decimals = 0;
    i = end;
  } else if (out.decimals == 0 && i < text.size() && text[i] == ' ' && out.value < 1000) {
    const auto mixed = fraction_at(skip_spaces(text, i), part);
    if (mixed != 0 && part < 1) {
      out.value += part;
      out.significant = 0;
      i = mixed;
    }
  }
  // Percent, multiplier words, unit.
  j = skip_spaces(text, i);
  if (j < text.size() && text[j] == '%') {
    out.percent = true;
    i = j + 1;
    j = skip_spaces(text, i);
  }
  // More than one blank or a line break ends the phrase.
  std::size_t word_end = j;
  while (word_end < text.size() && alpha(text[word_end])) ++word_end;
  std::string word = scan::lower_ascii(text.substr(j, word_end - j));
  const std::pair<std::string_view, int> multipliers[] = {
      {"thousand", 3}, {"million", 6}, {"billion", 9}, {"trillion", 12}};
  for (const auto& [name, power] : multipliers) {
    if (word != name) continue;
    out.value = scaled(out.value, power);
    out.decimals -= power;
    i = word_end;
    j = skip_spaces(text, i);
    word_end = j;
    while (word_end < text.size() && alpha(text[word_end])) ++word_end;
    word = scan::lower_ascii(text.substr(j, word_end - j));
    break;
  }
  if (one_of(word, {"percent", "percentage", "pct"})) {
    out.percent = true;
    i = word_end;
  } else if (!word.empty() &&
             !one_of(word, {"and", "or", "is", "are", "in",  "of",   "to",   "for", "which", "because", "so",
                            "x",   "as", "by", "per", "the", "from", "with", "at",  "if",    "then"})) {
    out.unit = singular(word);
    out.glued = j == i;
  }
  at = std::max(i, start + 1);
  return true;
}

std::vector<Written> written_numbers(std::string_view text, bool words_too) {
  std::vector<Written> out;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    const char before = i > 0 ? text[i - 1] : ' ';
    const bool starts = digit(c) || (c == '.' && i + 1 < text.size() && digit(text[i + 1]) && !digit(before));
    if (starts && !alpha(before) && before != '^' && before != '_') {
      Written number;
      number.number.how = Extraction::kLoose;
      std::size_t end = i;
      std::size_t tail = i;
      while (tail < text.size() && (digit(text[tail]) || text[tail] == '.' || text[tail] == ',')) ++tail;
      const std::size_t letters = tail;
      while (tail < text.size() && (alpha(text[tail]) || digit(text[tail]))) ++tail;
      const auto word = scan::lower_ascii(text.substr(letters, tail - letters));
      const bool exponent =
          word.size() > 1 && word[0] == 'e' && word.find_first_not_of("0123456789", 1) == std::string::npos;
      if (!word.empty() && !exponent && !glued_unit(word)) {
        i = tail;
        continue;
      }
      if (read_number(text, end, number.number)) {
        number.begin = i;
        number.end = end;
        std::size_t sign = i;
        if (sign > 0 && text[sign - 1] == '$') --sign;
        if (sign > 0 && text[sign - 1] == '-') {
          const char earlier = sign > 1 ? text[sign - 2] : ' ';
          if (!alpha(earlier) && !digit(earlier) && earlier != ')') {
            number.number.value = -number.number.value;
            number.begin = sign - 1;
          }
        }
        out.push_back(number);
        i = end;
        continue;
      }
    }
    if (digit(c)) {  // inside a word such as x2 or H2O
      while (i < text.size() && (digit(text[i]) || alpha(text[i]))) ++i;
      continue;
    }
    if (alpha(c)) {
      std::size_t end = i;
      while (end < text.size() && alpha(text[end])) ++end;
      if (words_too) {
        if (auto value = number_word(scan::lower_ascii(text.substr(i, end - i)))) {
          if (*value >= 20 && end + 1 < text.size() && (text[end] == '-' || text[end] == ' ')) {
            std::size_t unit_end = end + 1;
            while (unit_end < text.size() && alpha(text[unit_end])) ++unit_end;
            const auto unit = number_word(scan::lower_ascii(text.substr(end + 1, unit_end - end - 1)));
            if (unit && *unit >= 1 && *unit <= 9) {
              value = *value + *unit;
              end = unit_end;
            }
          }
          Written number;
          number.number.how = Extraction::kLoose;
          number.number.value = *value;
          number.number.significant = *value < 10 ? 1 : 2;
          number.begin = i;
          number.end = end;
          number.from_word = true;
          out.push_back(number);
        }
      }
      i = end;
      continue;
    }
    ++i;
  }
  return out;
}

/// The number that a phrase such as " 3 + 5 = 8 apples." comes to: the one behind its last '=', else its
/// first.
ExtractedNumber phrase_number(std::string_view phrase) {
  const auto all = written_numbers(phrase, true);
  if (all.empty()) return {};
  const auto equals = phrase.rfind('=');
  const Written* chosen = &all.front();
  if (equals != std::string_view::npos) {
    for (const auto& number : all) {
      if (number.begin > equals) {
        chosen = &number;
        break;
      }
    }
  }
  ExtractedNumber out = chosen->number;
  out.how = Extraction::kStated;
  // "2 or 3": two answers; "3 + 5" without a result: none that is written.
  const auto rest = scan::trim(phrase.substr(chosen->end));
  const bool joined = rest.substr(0, 3) == "or " || rest.substr(0, 4) == "and ";
  if (joined && chosen != &all.back()) {
    const auto next =
        std::find_if(all.begin(), all.end(), [&](const Written& w) { return w.begin >= chosen->end; });
    if (next != all.end() && next->begin - chosen->end <= 8 && next->number.value != out.value) {
      out.how = Extraction::kAmbiguous;
    }
  }
  if (!rest.empty() && one_of(rest.substr(0, 1), {"+", "*", "^"}) &&
      rest.find('=') == std::string_view::npos) {
    out.how = Extraction::kAmbiguous;
  }
  return out;
}

/// Text up to the end of the sentence or line.
std::string_view sentence_from(std::string_view text, std::size_t at) {
  std::size_t end = at;
  while (end < text.size()) {
    const char c = text[end];
    if (c == '\n' && end > at + 1 && !scan::trim(text.substr(at, end - at)).empty()) break;
    const bool stop = c == '.' || c == ';' || c == '!' || c == '?';
    if (stop && (end + 1 >= text.size() || text[end + 1] == ' ' || text[end + 1] == '\n')) break;
    ++end;
  }
  return text.substr(at, end - at);
}

}  // namespace

std::vector<ExtractedNumber> numbers_in(std::string_view text) {
  std::vector<ExtractedNumber> out;
  for (const auto& number : written_numbers(scan::plain(scan::bounded(text, kCoreBytesMax)), false)) {
    out.push_back(number.number);
  }
  return out;
}

ExtractedNumber extract_number(std::string_view answer) {
  const std::string text = scan::bounded(answer, kCoreBytesMax);
  const auto boxes = scan::boxed(text);
  if (!boxes.empty()) {
    const std::string inside = scan::plain(boxes.back());
    if (const auto number = phrase_number(inside); number.how != Extraction::kNone) return number;
  }
  const std::string plain = scan::plain(text);
  const auto hashes = plain.rfind("####");
  if (hashes != std::string::npos) {
    const auto number = phrase_number(sentence_from(plain, hashes + 4));
    if (number.how != Extraction::kNone) return number;
  }

  // "... answer (to this) is 42", "Answer: 42", "result = 42": the last announcement with a number behind its
  // link.
  const std::string lower = scan::lower_ascii(plain);
  std::size_t limit = std::string::npos;
  for (int tries = 0; tries < 8; ++tries) {
    std::size_t at = std::string::npos;
    for (std::string_view word : {"answer", "result", "solution"}) {
      const auto found = lower.rfind(word, limit);
      if (found != std::string::npos && (at == std::string::npos || found > at)) at = found;
    }
    if (at == std::string::npos) break;
    const auto sentence = sentence_from(lower, at);
    std::size_t link = std::string_view::npos;
    for (std::string_view word : {" is ", ": ", ":", "=", " are ", " was ", " be ", " equals "}) {
      const auto found = sentence.find(word);
      if (found != std::string_view::npos) link = std::min(link, found + word.size() - 1);
    }
    if (link != std::string_view::npos) {
      const auto phrase = sentence.substr(link);
      const auto number = phrase_number(phrase);
      if (number.how != Extraction::kNone) return number;
    }
    if (at == 0) break;
    limit = at - 1;
  }

  const auto whole = scan::trim(plain);
  if (scan::word_count(whole) <= 4) {
    const auto number = phrase_number(whole);
    if (number.how != Extraction::kNone && written_numbers(whole, true).size() == 1) return number;
  }
  const auto line = scan::last_line(plain);
  const auto equals = line.rfind('=');
  if (equals != std::string_view::npos) {
    const auto tail = line.substr(equals + 1);
    const auto numbers = written_numbers(tail, false);
    if (!numbers.empty() && scan::word_count(tail) <= 4) {
      auto number = numbers.front().number;
      number.how = Extraction::kStated;
      return number;
    }
  }
  const bool brief = scan::word_count(whole) <= 12;
  const auto all = written_numbers(plain, brief);
  if (all.empty()) return {};
  auto number = all.back().number;
  number.how = Extraction::kLoose;
  if (all.size() > 1) {
    const auto& earlier = all[all.size() - 2];
    const auto between = std::string_view(plain).substr(earlier.end, all.back().begin - earlier.end);
    if (between.find(" or ") != std::string_view::npos && between.size() <= 24 &&
        earlier.number.value != number.value) {
      number.how = Extraction::kAmbiguous;
    }
  }
  return number;
}

}  // namespace brevet
