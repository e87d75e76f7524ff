// The idea: take the checkable core out of the reference's answer (compare/answer_core.h) and look for it in
// the guide, in the forms in which a writer would give it away; general statements ("if ..., answer no,
// otherwise yes"; "reply with A, B, C or D") do not count. Example: core "B" with options London, Paris:
// "option (B)", "rule out A" and "think of Paris" leak. Known weaknesses: riddles ("one less than 6"), hints
// by sound or spelling, languages other than English.
#include "prompt/leak_check.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "compare/answer_core.h"
#include "compare/text_scan.h"

namespace brevet {
namespace {

using scan::one_of;
using scan::Token;
using Tokens = std::vector<Token>;
using Words = std::vector<std::string>;

constexpr LeakVerdict kClean{};

bool stop_word(std::string_view word) {
  return one_of(
      word,
      {"the",   "a",     "an",     "of",    "to",      "in",    "on",    "at",    "for",   "by",   "with",
       "from",  "and",   "or",     "is",    "are",     "was",   "were",  "be",    "been",  "has",  "have",
       "had",   "it",    "its",    "this",  "that",    "these", "those", "as",    "if",    "no",   "not",
       "which", "what",  "who",    "how",   "when",    "where", "does",  "do",    "did",   "can",  "could",
       "will",  "would", "should", "may",   "must",    "than",  "then",  "there", "their", "they", "he",
       "she",   "you",   "i",      "we",    "one",     "all",   "any",   "such",  "so",    "but",  "into",
       "about", "also",  "same",   "other", "because", "since", "each",  "only",  "more",  "most", "up"});
}

/// A crude stem, so that disclose and disclosing meet.
std::string stem(std::string word) {
  const auto drop = [&](std::string_view end, std::size_t least) {
    if (word.size() < end.size() + least || word.compare(word.size() - end.size(), end.size(), end) != 0)
      return false;
    word.resize(word.size() - end.size());
    return true;
  };
  if (drop("ing", 4) || drop("ed", 4) || drop("es", 4) || drop("'s", 2)) {
    // one ending is enough
  } else if (word.size() > 3 && word.back() == 's' && word[word.size() - 2] != 's') {
    word.pop_back();
  }
  if (word.size() > 4 && word.back() == 'e') word.pop_back();
  return word;
}

Words content_words(std::string_view text) {
  Words out;
  for (const auto& token : scan::tokens(scan::plain(text))) {
    if (!token.word || stop_word(token.lower) || token.lower.size() < 2) continue;
    out.push_back(stem(token.lower));
  }
  return out;
}
std::set<std::string> word_set(std::string_view text) {
  const auto words = content_words(text);
  return {words.begin(), words.end()};
}

bool holds_phrase(const std::string& normalised, const std::string& phrase) {
  return !phrase.empty() && (' ' + normalised + ' ').find(' ' + phrase + ' ') != std::string::npos;
}

/// Letters and digits only: finds P-a-r-i-s.
std::string compact(std::string_view text) {
  std::string out;
  for (const auto& token : scan::tokens(text)) {
    if (token.word) out += token.lower;
  }
  return out;
}

/// Sentences and lines, for what holds only within one.
std::vector<std::string_view> sentences(std::string_view text) {
  std::vector<std::string_view> out;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool stop = text[i] == '.' || text[i] == '!' || text[i] == '?' || text[i] == ';';
    const bool ends = i + 1 == text.size() || text[i + 1] == ' ' || text[i + 1] == '\n';
    if (text[i] != '\n' && !(stop && ends)) continue;
    // "1. Find ..." is one sentence.
    const auto head = scan::trim(text.substr(begin, i - begin));
    if (text[i] == '.' && head.size() <= 2 && i + 1 < text.size() && text[i + 1] == ' ' &&
        head.find_first_not_of("0123456789") == std::string_view::npos) {
      continue;
    }
    out.push_back(text.substr(begin, i - begin));
    begin = i + 1;
  }
  out.push_back(text.substr(begin));
  return out;
}

/// A sentence without its numbering ("1. ", "2) ").
std::string_view unnumbered(std::string_view sentence) {
  auto text = scan::trim(sentence);
  std::size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
  if (digits > 0 && digits <= 2 && digits + 1 < text.size() && (text[digits] == '.' || text[digits] == ')') &&
      text[digits + 1] == ' ') {
    text.remove_prefix(digits + 2);
  }
  return text;
}

bool conditional(const Tokens& sentence) {
  return std::any_of(sentence.begin(), sentence.end(), [](const Token& token) {
    return one_of(token.lower, {"if", "whether", "unless", "otherwise", "when", "else"});
  });
}

// ---- choices
constexpr std::string_view kOrdinals[] = {"first", "second",  "third",  "fourth", "fifth",
                                          "sixth", "seventh", "eighth", "ninth",  "tenth"};

bool announces_letter(std::string_view word) {
  return one_of(word, {"option",    "options", "answer", "answers",     "choice",  "choices", "letter",
                       "letters",   "select",  "choose", "pick",        "mark",    "circle",  "tick",
                       "eliminate", "exclude", "reject", "discard",     "out",     "is",      "be",
                       "with",      "say",     "write",  "alternative", "respond", "reply",   "remains"});
}

/// Lists of at least three letters ("A, B, C or D") name the format when they hold all options: their tokens
/// are taken out. Ranges (A to D, A-D) are, too.
std::vector<bool> format_lists(const Tokens& all, std::size_t count) {
  std::vector<bool> skip(all.size(), false);
  const auto option = [&](std::size_t i) {
    return i < all.size() && all[i].text.size() == 1 && all[i].text[0] >= 'A' &&
           all[i].text[0] < static_cast<char>('A' + static_cast<int>(count));
  };
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!option(i)) continue;
    std::set<char> letters;
    std::size_t j = i;
    std::size_t last = i;
    while (j < all.size() && (option(j) || one_of(all[j].lower, {",", "or", "and", "/", "(", ")", "|"}))) {
      if (option(j)) {
        letters.insert(all[j].text[0]);
        last = j;
      }
      ++j;
    }
    const bool range = all[i].text == "A" && i + 2 < all.size() &&
                       one_of(all[i + 1].lower, {"to", "-", "through"}) && option(i + 2) &&
                       all[i + 2].text[0] == static_cast<char>('A' + static_cast<int>(count) - 1);
    if (letters.size() == count && count >= 2) {
      std::fill(skip.begin() + static_cast<std::ptrdiff_t>(i),
                skip.begin() + static_cast<std::ptrdiff_t>(last) + 1, true);
    } else if (range) {
      std::fill(skip.begin() + static_cast<std::ptrdiff_t>(i),
                skip.begin() + static_cast<std::ptrdiff_t>(i) + 3, true);
      last = i + 2;
    }
    i = std::max(i, last);
  }
  return skip;
}

/// How the options are named by letter: bit k set = option k is spoken of as an option.
unsigned named_letters(const Tokens& all, std::size_t count) {
  const auto skip = format_lists(all, count);
  unsigned named = 0;
  bool chain = false;  // inside "options A, C and D"
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& token = all[i];
    const bool single = token.text.size() == 1 && ((token.text[0] >= 'A' && token.text[0] <= 'Z') ||
                                                   (token.text[0] >= 'a' && token.text[0] <= 'z'));
    if (!single) {
      if (!one_of(token.lower, {",", "and", "or", "(", ")", "/", "\""})) chain = false;
      continue;
    }
    if (skip[i]) continue;
    const bool upper = token.text[0] <= 'Z';
    const auto index = static_cast<std::size_t>(token.lower[0] - 'a');
    if (index >= count) {
      chain = false;
      continue;
    }
    const Token* next = i + 1 < all.size() ? &all[i + 1] : nullptr;
    const auto before = [&](std::size_t back) -> const Token* {
      return i >= back ? &all[i - back] : nullptr;
    };
    const Token* previous = before(1);
    const bool opened = previous != nullptr && one_of(previous->text, {"(", "[", "\"", "'"});
    const bool closed = next != nullptr && one_of(next->text, {")", "]", "\"", "'"}) && next->glued;
    const bool pronoun = one_of(token.lower, {"a", "i"}) && next != nullptr && next->word &&
                         !next->line_start &&
                         !one_of(next->lower, {"is", "and", "or", "because", "since", "as"});
    bool counts = opened && closed;
    // "a) restate ..." is numbering; "B) fits" at the end of a phrase is not.
    const bool numbering = !opened && closed && !upper;
    if (!counts && !numbering && upper && closed) counts = true;
    if (!counts && !pronoun && !numbering) {
      std::size_t back = opened ? 2 : 1;
      bool announced = false;
      for (std::size_t steps = 0; steps < 3; ++steps, ++back) {
        const Token* word = before(back);
        if (word == nullptr) break;
        if (announces_letter(word->lower) || word->text == ":") {
          // Formulas: "U = R I" has no announcing word; "is F" in "force is F" has one and is taken as a
          // leak.
          announced = true;
          break;
        }
        if (!one_of(word->lower, {"the", "letter", "option", "just", "only", "simply", "(", "\""})) break;
      }
      const bool alone = (previous == nullptr || previous->text == "." || token.line_start) &&
                         (next == nullptr || next->line_start || (next->text == "." && i + 2 >= all.size()));
      const auto word_at = [&](std::size_t ahead) {
        return i + ahead < all.size() ? std::string_view(all[i + ahead].lower) : std::string_view{};
      };
      const auto judging = [](std::string_view word) {
        return one_of(word, {"correct", "right", "wrong", "incorrect", "best", "true", "false", "answer"});
      };
      const bool judged =
          one_of(word_at(1), {"fits", "remains", "wins"}) ||
          (word_at(1) == "is" && (judging(word_at(2)) || (word_at(2) == "the" && judging(word_at(3)))));
      counts = (upper && (announced || alone || judged)) ||
               (!upper && announced && (next == nullptr || !next->word));
    }
    if (counts || (chain && !pronoun && upper)) {
      named |= 1u << index;
      chain = true;
    }
  }
  return named;
}

LeakVerdict check_choice(const LeakCheckInput& in, const std::string& guide,
                         const std::vector<ChoiceOption>& options, const std::string& letters) {
  const auto all = scan::tokens(guide);
  if (named_letters(all, std::min<std::size_t>(options.size(), 26)) != 0) return {true, "letter"};

  const auto is_answer = [&](const ChoiceOption& option) {
    return letters.find(option.letter) != std::string::npos;
  };
  for (std::size_t k = 0; k < options.size(); ++k) {
    if (!is_answer(options[k])) continue;
    for (std::size_t i = 0; i + 1 < all.size(); ++i) {
      const bool ordinal = (k < std::size(kOrdinals) && all[i].lower == kOrdinals[k]) ||
                           (k + 1 == options.size() && all[i].lower == "last");
      if (ordinal &&
          one_of(all[i + 1].lower, {"option", "choice", "answer", "alternative", "letter", "one"})) {
        return {true, "letter"};
      }
      const bool after = all[i].lower == "after" || all[i].lower == "following";
      const bool prior = all[i].lower == "before";
      if ((after || prior) && all[i + 1].text.size() == 1 &&
          all[i + 1].text[0] == static_cast<char>(options[k].letter + (after ? -1 : 1))) {
        return {true, "letter"};
      }
    }
  }

  // The stem of the question, without its options.
  const auto at = in.question.find(options.front().text);
  const std::string_view stem_text = at == std::string_view::npos ? in.question : in.question.substr(0, at);
  const auto stem_words = word_set(stem_text);
  const auto guide_words = word_set(guide);
  const std::string normal_guide = normalised_text(guide);
  const std::string normal_stem = normalised_text(stem_text);

  const auto overlap = [&](const ChoiceOption& option) {
    double hit = 0, total = 0;
    for (const auto& word : word_set(option.text)) {
      if (stem_words.count(word) != 0) continue;
      // Words that several options share tell nothing apart.
      int shared = 0;
      for (const auto& other : options) shared += word_set(other.text).count(word) != 0;
      const double weight = 1.0 / std::max(1, shared);
      total += weight;
      if (guide_words.count(word) != 0) hit += weight;
    }
    return total > 0 ? hit / total : 0.0;
  };
  for (const auto& option : options) {
    if (!is_answer(option)) continue;
    const std::string phrase = normalised_text(option.text);
    std::size_t others = 0;
    for (const auto& other : options) {
      others += !is_answer(other) && holds_phrase(normal_guide, normalised_text(other.text));
    }
    const bool several =
        others * 2 >= options.size() - 1 && others > 0;  // a survey of the options, not a hint
    const auto number = extract_number(option.text);
    const bool numeric = number.how != Extraction::kNone && scan::word_count(option.text) <= 3;
    if (numeric && !several) {
      for (const auto& line : sentences(guide)) {
        const auto written = unnumbered(line);
        for (const auto& found : numbers_in(written)) {
          if (std::abs(found.value - number.value) > 1e-9 * std::max(1.0, std::abs(number.value))) continue;
          bool in_stem = false;
          for (const auto& given : numbers_in(stem_text)) in_stem |= given.value == found.value;
          if (!in_stem) return {true, "option_text"};
        }
        const auto word = extract_number(written);
        if (word.how != Extraction::kNone && word.value == number.value) {
          bool in_stem = false;
          for (const auto& given : numbers_in(stem_text)) in_stem |= given.value == word.value;
          if (!in_stem) return {true, "option_text"};
        }
      }
      // Number words anywhere.
      for (const auto& token : all) {
        if (token.text.size() < 3 || (token.text[0] >= '0' && token.text[0] <= '9')) continue;
        const auto word = extract_number(token.text);
        if (word.how != Extraction::kNone && word.value == number.value && number.value > 2)
          return {true, "option_text"};
      }
      continue;
    }
    if (several) continue;
    if (holds_phrase(normal_guide, phrase) && !holds_phrase(normal_stem, phrase))
      return {true, "option_text"};
    if (compact(option.text).size() >= 5 && compact(guide).find(compact(option.text)) != std::string::npos &&
        compact(stem_text).find(compact(option.text)) == std::string::npos) {
      return {true, "option_text"};
    }
    const double mine = overlap(option);
    double best_other = 0;
    for (const auto& other : options) {
      if (!is_answer(other)) best_other = std::max(best_other, overlap(other));
    }
    if (mine >= 0.5 && mine > best_other + 0.2) return {true, "option_text"};
  }
  return kClean;
}

// ---- yes or no
LeakVerdict check_yes_no(const LeakCheckInput& in, const std::string& guide, bool value) {
  const auto question_words = word_set(in.question);
  for (const auto& sentence : sentences(guide)) {
    const auto all = scan::tokens(sentence);
    if (all.empty() || conditional(all)) continue;
    bool yes = false, no = false;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto& word = all[i].lower;
      const Token* previous = i > 0 ? &all[i - 1] : nullptr;
      const Token* next = i + 1 < all.size() ? &all[i + 1] : nullptr;
      const bool first = previous == nullptr;
      const bool said =
          previous != nullptr &&
          one_of(previous->lower, {"is", "be", "answer", ":", "say", "reply", "with", "as", "answered", "\"",
                                   "'", "conclude", "it", "not", "respond", "write", "to", "clearly"});
      const bool ends = next == nullptr || !next->word;
      if (one_of(word, {"yes", "no", "true", "false"}) && i + 2 < all.size() && next->lower == "or" &&
          one_of(all[i + 2].lower, {"yes", "no", "true", "false"})) {
        i += 2;  // "yes or no" names the format
        continue;
      }
      if (word == "yes" && (first || said || ends)) yes = true;
      if (word == "no" && ((first && ends) || (said && ends))) no = true;
      if (word == "no" && previous != nullptr && previous->text == "\"") no = true;
      if (one_of(word, {"true", "correct"}) && previous != nullptr &&
          one_of(previous->lower, {"is", "be", "as", ":", "it"}) && ends)
        yes = true;
      if (one_of(word, {"false", "incorrect", "untrue"}) && previous != nullptr && said) no = true;
      if (word == "true" && previous != nullptr && previous->lower == "not") no = true;
    }
    const bool both = yes && no;
    if (!both && (yes || no)) return {true, "yes_no"};
    // The question as a statement: nearly all its words in a sentence that is neither a task nor a question.
    std::size_t hit = 0;
    const auto words = word_set(sentence);
    for (const auto& word : question_words) hit += words.count(word) != 0;
    const bool instructs =
        one_of(all[0].lower, {"check",     "try",     "test", "ask",      "decide",   "find",  "recall",
                              "think",     "compare", "look", "use",      "consider", "add",   "divide",
                              "determine", "note",    "see",  "identify", "verify",   "reason"});
    std::size_t size = 0;
    for (const auto& word : question_words)
      size += !one_of(word, {"answer", "yes", "true", "fals", "statement", "reply"});
    const bool states = std::any_of(all.begin(), all.end(), [](const Token& token) {
      return one_of(token.lower, {"is", "are", "was", "were", "does", "do", "can", "has", "have", "not",
                                  "cannot", "will"}) ||
             (token.lower.size() > 4 && token.lower.back() == 's');
    });
    const bool denies =
        words.count("cannot") != 0 ||
        std::any_of(all.begin(), all.end(), [](const Token& token) { return token.lower == "not"; });
    if (!instructs && states && size >= 2 && hit * 10 >= size * (denies ? 5 : 6)) return {true, "yes_no"};
  }
  (void)value;
  return kClean;
}

// ---- numbers
bool announces_result(const std::string& text, std::size_t begin) {
  const auto head = scan::tokens(std::string_view(text).substr(0, begin));
  for (std::size_t back = 1; back <= 4 && back <= head.size(); ++back) {
    if (one_of(head[head.size() - back].lower,
               {"answer", "result", "total", "equals", "=",      "is",    "get",           "gets",
                "gives",  "give",   "be",    "obtain", "yields", "makes", "has",           "have",
                "are",    "value",  "to",    ":",      "with",   "about", "approximately", "write"})) {
      return true;
    }
  }
  return false;
}

LeakVerdict check_number(const LeakCheckInput& in, const std::string& guide, const ExtractedNumber& core) {
  std::vector<double> wanted = {core.value};
  if (core.percent) wanted.push_back(core.value / 100);
  if (!core.percent && std::abs(core.value) <= 1 && core.value != 0) wanted.push_back(core.value * 100);
  const auto matches = [&](const ExtractedNumber& found, bool in_percent) {
    for (std::size_t k = 0; k < wanted.size(); ++k) {
      if (k == 1 && !core.percent && !in_percent) continue;
      const double target = wanted[k];
      if (std::abs(found.value - target) <= 1e-9 * std::max(1.0, std::abs(target))) return true;
      // Rounded forms: 28.274 and 28.27.
      const int decimals = std::min(found.decimals, core.significant == 0 ? 9 : core.decimals);
      if (decimals >= 1 && std::abs(found.value - target) <= 0.51 * std::pow(10.0, -decimals)) return true;
    }
    return false;
  };
  std::set<double> given;
  for (const auto& number : numbers_in(in.question)) given.insert(number.value);
  const bool small = core.value == std::floor(core.value) && std::abs(core.value) <= 3;
  const bool known = given.count(core.value) != 0;
  for (const auto& sentence : sentences(guide)) {
    const std::string text(unnumbered(sentence));
    const auto lower = scan::lower_ascii(text);
    // Digits and number words, one token run at a time, so that the position is known.
    for (const auto& token : scan::tokens(text)) {
      if (!token.word) continue;
      const auto rest = std::string_view(text).substr(token.at);
      const auto numbers = numbers_in(rest);
      ExtractedNumber found;
      if (token.text[0] >= '0' && token.text[0] <= '9') {
        if (numbers.empty()) continue;
        if (token.at > 1 && text[token.at - 1] == '.' && text[token.at - 2] >= '0' &&
            text[token.at - 2] <= '9')
          continue;
        if (token.at > 0 && (text[token.at - 1] == ',' || text[token.at - 1] == '/') && token.glued) continue;
        found = numbers.front();
        if (token.at > 0 && text[token.at - 1] == '-')
          found.value = core.value < 0 ? -found.value : found.value;
      } else {
        found = extract_number(token.text);
        if (found.how == Extraction::kNone) continue;
        if (token.lower == "one") continue;
      }
      if (!matches(found, found.percent)) continue;
      const bool label = token.at >= 5 && one_of(lower.substr(token.at - 5, 5), {"step ", "rule ", "part "});
      if (label) continue;
      const bool unit = !core.unit.empty() && found.unit == core.unit;
      if ((small || known) && !unit && !announces_result(text, token.at)) continue;
      if ((small || known) && !unit && one_of(found.unit, {"step", "place", "way", "part", "decimal"}))
        continue;
      return {true, "number"};
    }
  }
  // Digits pulled apart: "2 8 8".
  if (core.significant >= 3 && core.decimals == 0) {
    std::string run;
    for (const auto& token : scan::tokens(guide)) {
      const bool digit = token.text.size() == 1 && token.text[0] >= '0' && token.text[0] <= '9';
      if (!digit) {
        if (run.size() >= 3 && std::abs(std::stod(run.substr(0, 15)) - std::abs(core.value)) < 0.5)
          return {true, "number"};
        run.clear();
        continue;
      }
      run += token.text;
    }
    if (run.size() >= 3 && std::abs(std::stod(run.substr(0, 15)) - std::abs(core.value)) < 0.5)
      return {true, "number"};
  }
  return kClean;
}

// ---- words, JSON values, long texts
/// An item of the question is named as the answer: "the answer is Ann", "Ann is the tallest".
bool announces_phrase(const std::string& guide, const std::string& phrase) {
  const auto first = phrase.substr(0, phrase.find(' '));
  for (const auto& sentence : sentences(guide)) {
    const auto all = scan::tokens(sentence);
    if (conditional(all)) continue;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (all[i].lower != first) continue;
      // The whole phrase from here on.
      if (!holds_phrase(normalised_text(sentence.substr(all[i].at)), phrase)) continue;
      for (std::size_t back = 1; back <= 4 && back <= i; ++back) {
        if (one_of(all[i - back].lower, {"answer", "result", "is", "choose", "pick", "select", "name",
                                         "write", "say", ":", "be", "gives", "get", "it's", "solution"})) {
          return true;
        }
      }
      if (i + 2 < all.size() && all[i + 1].lower == "is" &&
          one_of(all[i + 2].lower, {"the", "right", "correct"}))
        return true;
      if (all.size() <= 2) return true;
    }
  }
  return false;
}

/// A value of a few words: the phrase, its rare words, or most of its words.
bool holds_value(const std::string& guide, std::string_view value, std::string_view question) {
  const std::string phrase = normalised_text(value);
  const std::string normal_guide = normalised_text(guide);
  const std::string normal_question = normalised_text(question);
  if (phrase.empty()) return false;
  if (holds_phrase(normal_question, phrase)) return announces_phrase(guide, phrase);
  if (holds_phrase(normal_guide, phrase)) return true;
  const auto squeezed = compact(scan::plain(value));
  if (squeezed.size() >= 5 && compact(guide).find(squeezed) != std::string::npos &&
      compact(question).find(squeezed) == std::string::npos) {
    return true;
  }
  const auto question_words = word_set(question);
  const auto guide_words = word_set(guide);
  std::size_t total = 0, hit = 0;
  const std::string plain = scan::plain(value);
  for (const auto& token : scan::tokens(plain)) {
    if (!token.word || stop_word(token.lower) || token.lower.size() < 3) continue;
    const auto word = stem(token.lower);
    if (question_words.count(word) != 0) continue;
    ++total;
    const bool held = guide_words.count(word) != 0;
    hit += held;
    // A name inside the value, such as Goethe.
    const bool name = token.text[0] >= 'A' && token.text[0] <= 'Z' && token.at > 0 && token.lower.size() >= 4;
    if (held && name) return true;
    if (token.lower.size() >= 5 && token.at > 0 && name &&
        compact(guide).find(token.lower) != std::string::npos)
      return true;
    // sublimation, sublimates: a long common start of a single-word value.
    if (total == 1 && plain.find(' ') == std::string::npos && word.size() >= 7) {
      for (const auto& other : guide_words) {
        if (other.size() >= 6 && other.compare(0, word.size() - 3, word, 0, word.size() - 3) == 0)
          return true;
      }
    }
  }
  return total > 0 && hit * 10 >= total * 8;
}

LeakVerdict check_json(const LeakCheckInput& in, const std::string& guide, std::string_view json) {
  // Leaf values by a scan of the text: strings that no colon follows, and numbers outside strings.
  std::size_t values = 0, leaked = 0;
  std::string outside;
  for (std::size_t i = 0; i < json.size();) {
    if (json[i] != '"') {
      outside += json[i++];
      continue;
    }
    std::size_t end = i + 1;
    while (end < json.size() && json[end] != '"') end += json[end] == '\\' ? 2 : 1;
    end = std::min(end, json.size());
    const auto text = json.substr(i + 1, end - i - 1);
    std::size_t next = std::min(end + 1, json.size());
    while (next < json.size() && (json[next] == ' ' || json[next] == '\n')) ++next;
    i = std::min(end + 1, json.size());
    outside += ' ';
    if (next < json.size() && json[next] == ':') continue;
    if (text.size() < 3) continue;
    ++values;
    leaked += holds_value(guide, text, in.question);
  }
  for (const auto& number : numbers_in(outside)) {
    ++values;
    leaked += check_number(in, guide, number).leaks;
  }
  return leaked > 0 && leaked * 2 >= values ? LeakVerdict{true, "json_value"} : kClean;
}

LeakVerdict check_long_text(const LeakCheckInput& in, const std::string& guide) {
  constexpr std::size_t kRun = 6;
  const auto words = [](std::string_view text) {
    Words out;
    for (const auto& token : scan::tokens(scan::plain(text))) {
      if (token.word) out.push_back(token.lower);
    }
    return out;
  };
  const auto runs = [](const Words& all) {
    std::set<std::string> out;
    for (std::size_t i = 0; i + kRun <= all.size(); ++i) {
      std::string run;
      for (std::size_t k = 0; k < kRun; ++k) run += all[i + k] + ' ';
      out.insert(std::move(run));
    }
    return out;
  };
  const auto known = runs(words(in.question));
  const auto mine = runs(words(guide));
  const auto theirs = runs(words(in.answer.substr(0, kCoreBytesMax)));
  std::size_t shared = 0;
  for (const auto& run : mine) shared += theirs.count(run) != 0 && known.count(run) == 0;
  return shared >= 3 ? LeakVerdict{true, "answer_text"} : kClean;
}

}  // namespace

LeakVerdict check_leak(const LeakCheckInput& input) {
  LeakCheckInput in = input;
  const std::string guide = scan::plain(scan::trim(in.guide.substr(0, kCoreBytesMax)));
  if (scan::trim(guide).empty()) return kClean;
  const auto answer = scan::trim(in.answer);

  if (const auto options = find_options(in.question); !options.empty()) {
    const auto chosen = extract_choice(answer, options);
    return check_choice(in, guide, options, chosen.letters);
  }
  if (question_kind(in.question) == QuestionKind::kYesNo) {
    const auto found = extract_yes_no(answer);
    if (found.how == Extraction::kStated) {
      if (const auto verdict = check_yes_no(in, guide, found.value); verdict.leaks) return verdict;
    }
  }
  if (const auto json = json_part(answer); !json.empty()) {
    if (const auto verdict = check_json(in, guide, json); verdict.leaks) return verdict;
  }
  const auto number = extract_number(answer);
  const std::size_t answer_words = scan::word_count(answer);
  const bool asked = question_kind(in.question) == QuestionKind::kNumber;
  if ((number.how == Extraction::kStated || number.how == Extraction::kLoose) &&
      (asked || (answer_words <= 6 && numbers_in(answer).size() <= 1))) {
    if (const auto verdict = check_number(in, guide, number); verdict.leaks) return verdict;
  } else if (answer_words <= 12 && question_kind(in.question) != QuestionKind::kYesNo) {
    std::string_view core = answer;
    while (!core.empty() && one_of(core.substr(core.size() - 1), {".", "!"})) core.remove_suffix(1);
    // "The author is Goethe": what follows the last "is".
    for (std::string_view link : {" is ", " was ", " are "}) {
      const auto at = core.rfind(link);
      if (at != std::string_view::npos) core = core.substr(at + link.size());
    }
    if (holds_value(guide, core, in.question)) return {true, "words"};
  }
  if (answer_words > 12) {
    if (const auto verdict = check_long_text(in, guide); verdict.leaks) return verdict;
  }
  return kClean;
}

}  // namespace brevet
