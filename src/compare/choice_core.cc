// Which option does an answer choose? The idea: look for words that announce an answer and read the letter
// that they announce, in an order of how plainly they do; fall back to the whole text, its last line and the
// texts of the options. Known weakness: English announcements only.
#include <algorithm>

#include "compare/answer_core.h"
#include "compare/text_scan.h"

namespace brevet {
namespace {

using scan::one_of;
using scan::Token;
using Tokens = std::vector<Token>;

char upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}
bool letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// What reads letters: knows which ones there are.
struct Reader {
  const Tokens& all;
  char last = 'Z';  ///< last option letter

  const Token* get(std::size_t i) const { return i < all.size() ? &all[i] : nullptr; }
  bool is(std::size_t i, std::initializer_list<std::string_view> words) const {
    return i < all.size() && one_of(all[i].lower, words);
  }
  bool negation(std::size_t i) const {
    if (i >= all.size()) return false;
    const auto& word = all[i].lower;
    return one_of(word,
                  {"not", "never", "cannot", "neither", "nor", "none", "incorrect", "wrong", "false"}) ||
           (word.size() > 3 && word.compare(word.size() - 3, 3, "n't") == 0);
  }

  /// A letter at token i that can be an option; `bracketed` when it stands in (), [] or quotes.
  bool is_letter(std::size_t i, bool& bracketed) const {
    const Token* token = get(i);
    bracketed = false;
    if (token == nullptr || token->text.size() != 1 || !letter(token->text[0])) return false;
    if (upper(token->text[0]) > last) return false;
    const Token* next = get(i + 1);
    const Token* before = i > 0 ? get(i - 1) : nullptr;
    if (before != nullptr && token->glued &&
        one_of(before->text, {"-", "+", "'", "/", ".", "&", "^", "=", "\\"})) {
      return false;
    }
    if (next != nullptr && next->glued) {
      const Token* after = get(i + 2);
      const bool tail = after != nullptr && after->glued && after->word;
      if (one_of(next->text, {"+", "#", "^", "_", "'", "&", "%"})) return false;
      if (one_of(next->text, {"-", ".", "=", "/", "("}) && tail) return false;  // B-52, U.S, E=mc, A/B, F(x)
    }
    if (next != nullptr && one_of(next->text, {")", "]", "\""})) {
      // "B)" counts as bracketed too: nobody writes it for an article.
      bracketed = true;
    }
    const bool lower = token->text[0] >= 'a';
    const bool ends = next == nullptr || !next->word || next->line_start;
    if (bracketed) return true;
    if (lower) return ends;
    if (one_of(token->text, {"A", "I"}) && !ends) {
      return one_of(next->lower,
                    {"because", "since", "as", "and", "or", "for", "due", "with", "given", "but"});
    }
    return true;
  }

  /// Letters from token i on: "B", "(B)", "A and C", "A, C". Empty when there is none; `end` moves behind.
  ExtractedLetters list(std::size_t i, std::size_t& end) const {
    ExtractedLetters out;
    bool bracketed = false;
    while (is(i, {"(", "[", "\"", "'"})) ++i;
    if (!is_letter(i, bracketed)) return out;
    out.how = Extraction::kStated;
    bool alternatives = false;
    for (;;) {
      out.letters += upper(all[i].text[0]);
      ++i;
      while (is(i, {")", "]", "\"", "'"}) && all[i].glued) ++i;
      std::size_t j = i;
      bool joined = false;
      bool either = false;
      while (is(j, {",", "and", "&", "or", "/"})) {
        joined = true;
        either |= all[j].lower == "or" || all[j].lower == "/";
        ++j;
      }
      while (is(j, {"(", "[", "option"})) ++j;
      if (!joined || !is_letter(j, bracketed)) break;
      // ", I think" and ", A ..." in prose go on with a word.
      const Token* after = get(j + 1);
      if (!bracketed && after != nullptr && after->word && !after->line_start) break;
      alternatives |= either;
      i = j;
    }
    end = i;
    std::sort(out.letters.begin(), out.letters.end());
    out.letters.erase(std::unique(out.letters.begin(), out.letters.end()), out.letters.end());
    if (alternatives && out.letters.size() > 1) out.how = Extraction::kAmbiguous;
    return out;
  }

  bool filler(std::size_t i) const {
    bool bracketed = false;
    if (is(i, {"i", "a"})) return !is_letter(i, bracketed);
    return is(i, {"is",          "are",     "was",     "would",      "be",       "should",      "must",
                  "to",          "this",    "the",     "question",   "option",   "choice",      "letter",
                  "correct",     "right",   "best",    "final",      "most",     "likely",      "therefore",
                  "thus",        "hence",   "clearly", "definitely", "probably", "indeed",      "here",
                  "believe",     "think",   "answer",  "statement",  "one",      "appropriate", "accurate",
                  "represented", "by",      "labeled", "labelled",   "given",    "above",       "in",
                  "my",          "opinion", "it",      "that",       "so",       "problem",     "simply",
                  "then",        ":",       "=",       "-",          ",",        ">",           "(",
                  "[",           "\"",      "'",       "#"});
  }
  static bool copula(const Token& token) {
    return one_of(token.lower, {"is", "are", "was", "be", ":", "=", "("}) || token.line_start;
  }

  /// What is said of the letters that end at `end`: -1 denied, 1 confirmed, 0 nothing.
  int predicate(std::size_t end) const {
    if (!is(end, {"is", "are", "was", "would", "must", "seems", "appears", "looks", "does", "isn't",
                  "doesn't", "cannot", "can't", "should"})) {
      return 0;
    }
    for (std::size_t i = end; i < end + 7 && i < all.size(); ++i) {
      if (negation(i)) return -1;
      if (is(i, {"correct", "right", "best", "answer"})) return 1;
      if (i > end && !is(i, {"the", "be", "to", "most", "likely", "clearly", "only", "therefore", "thus", "a",
                             "our", "also", "indeed"})) {
        return 0;
      }
    }
    return 0;
  }
};

struct Found {
  int rank = 0;
  ExtractedLetters letters;
  std::string seen;  ///< single letters announced at this rank, without repeats
};

void keep(Found& best, int rank, const ExtractedLetters& letters) {
  if (letters.how == Extraction::kNone || rank < best.rank) return;
  if (rank > best.rank) best.seen.clear();
  if (letters.letters.size() == 1 && best.seen.find(letters.letters) == std::string::npos)
    best.seen += letters.letters;
  best.rank = rank;
  best.letters = letters;  // of equal rank the last one counts: models correct themselves at the end
}

Found announced(const Reader& reader) {
  Found best;
  const auto& all = reader.all;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& word = all[i].lower;
    const bool strong = one_of(word, {"answer", "answers", "ans", "solution", "response", "selection"});
    const bool weak = one_of(word, {"option", "options", "choice", "letter"});
    const bool verb = one_of(word, {"choose", "chose", "select", "selected", "pick", "picked"}) ||
                      (word == "with" && i > 0 && one_of(all[i - 1].lower, {"go", "going", "gone", "went"}));
    const bool conclusion = one_of(word, {"therefore", "thus", "hence", "so"});
    std::size_t end = 0;
    if (strong || weak || verb || conclusion) {
      bool denied = false;
      for (std::size_t back = 1; back <= 3 && back <= i; ++back) denied |= reader.negation(i - back);
      std::size_t j = i + 1;
      bool link = false;
      std::size_t steps = 0;
      while (!denied && j < all.size() && steps < 12 && reader.filler(j)) {
        link |= Reader::copula(all[j]);
        ++j;
        ++steps;
      }
      if (!denied && j < all.size()) {
        link |= all[j].line_start;
        const auto letters = reader.list(j, end);
        const int said = letters.how == Extraction::kNone ? 0 : reader.predicate(end);
        const Token* after = reader.get(end);
        const bool closes = after == nullptr || !after->word || after->line_start;
        const bool final = i > 0 && one_of(all[i - 1].lower, {"final", "correct"});
        if (letters.how != Extraction::kNone && said >= 0) {
          if (strong && (link || closes)) keep(best, final ? 4 : 3, letters);
          if (weak && (link || said > 0)) keep(best, 2, letters);
          if (verb) keep(best, 2, letters);
          if (conclusion && (closes || said > 0)) keep(best, said > 0 ? 2 : 1, letters);
        }
      }
    }
    bool bracketed = false;
    if (reader.is_letter(i, bracketed)) {
      const bool opened = i > 0 && reader.is(i - 1, {"(", "["});
      const std::size_t before = opened ? i - 1 : i;
      const bool doubted = before > 0 && reader.is(before - 1, {"if", "whether", "why", "that", "and", "or"});
      const auto letters = reader.list(i, end);
      if (!doubted && reader.predicate(end) > 0) keep(best, 2, letters);
    }
  }
  return best;
}

/// The option that the text names by its words: exactly one, the longest where one holds another.
ExtractedLetters by_text(std::string_view answer, const std::vector<ChoiceOption>& options, bool whole_only) {
  ExtractedLetters out;
  const std::string text = ' ' + normalised_text(answer) + ' ';
  std::vector<std::string> needles;
  for (const auto& option : options) needles.push_back(' ' + normalised_text(option.text) + ' ');
  for (std::size_t i = 0; i < options.size(); ++i) {
    if (needles[i].size() < 3) continue;
    if (text == needles[i] || text == ' ' + std::string("answer is") + needles[i]) {
      out.how = Extraction::kStated;
      out.letters = options[i].letter;
      return out;
    }
  }
  if (whole_only) return out;
  std::string found;
  for (std::size_t i = 0; i < options.size(); ++i) {
    if (needles[i].size() < 3 || text.find(needles[i]) == std::string::npos) continue;
    bool inside_longer = false;
    for (std::size_t j = 0; j < options.size(); ++j) {
      inside_longer |= needles[j].size() > needles[i].size() &&
                       needles[j].find(needles[i]) != std::string::npos &&
                       text.find(needles[j]) != std::string::npos;
    }
    if (!inside_longer) found += options[i].letter;
  }
  if (found.size() == 1) {
    out.how = Extraction::kLoose;
    out.letters = found;
  } else if (found.size() > 1) {
    out.how = Extraction::kAmbiguous;
  }
  return out;
}

/// "B", "(B)", "B.", "B) text", "B: text" at the start of a line.
ExtractedLetters leading(std::string_view line, char last, bool bare_only) {
  const auto all = scan::tokens(line);
  Reader reader{all, last};
  std::size_t i = 0;
  while (reader.is(i, {"-", ">", "#", "\""})) ++i;
  const bool opened = reader.is(i, {"(", "["});
  std::size_t end = 0;
  auto letters = reader.list(i, end);
  if (letters.how == Extraction::kNone) return letters;
  const Token* after = reader.get(end);
  if (after == nullptr) return letters;
  const bool closed = end > 0 && one_of(all[end - 1].text, {")", "]"});
  if (reader.is(end, {".", ":", ")", "!", ","}) && reader.get(end + 1) == nullptr) return letters;
  if (bare_only) return {};
  const bool lower = all[i + (opened ? 1 : 0)].text[0] >= 'a';
  if (closed || opened) return letters;
  if (!lower && reader.is(end, {".", ":", "-"}) && (after->glued || reader.is(end, {"-"}))) return letters;
  if (!lower && reader.is(end, {"because", "since"})) return letters;
  return {};
}

}  // namespace

ExtractedLetters extract_choice(std::string_view answer, const std::vector<ChoiceOption>& options) {
  const std::string text = scan::bounded(answer, kCoreBytesMax);
  const char last = options.empty() ? 'Z' : options.back().letter;

  const auto boxes = scan::boxed(text);
  if (!boxes.empty()) {
    const std::string inside = scan::plain(boxes.back());
    auto letters = leading(inside, last, false);
    if (letters.how == Extraction::kNone) letters = by_text(inside, options, true);
    if (letters.how != Extraction::kNone) return letters;
  }

  const std::string plain = scan::plain(text);
  const auto all = scan::tokens(plain);
  const auto found = announced(Reader{all, last});
  // Two announcements are a correction; three different ones are a text that does not answer.
  if (found.seen.size() >= 3 && found.rank < 4) return {Extraction::kAmbiguous, ""};
  if (found.rank >= 2) return found.letters;

  const auto whole = scan::trim(plain);
  const auto first_line = scan::trim(whole.substr(0, whole.find('\n')));
  if (auto letters = leading(first_line, last, first_line.size() != whole.size());
      letters.how != Extraction::kNone) {
    return letters;
  }
  if (auto letters = leading(scan::last_line(plain), last, true); letters.how != Extraction::kNone)
    return letters;
  if (found.rank > 0) return found.letters;
  if (auto letters = leading(first_line, last, false); letters.how != Extraction::kNone) return letters;

  if (!options.empty()) {
    if (auto letters = by_text(plain, options, true); letters.how != Extraction::kNone) return letters;
    // An answer in words: the option that its announcement, its last line or the whole short text names.
    const auto at = scan::lower_ascii(plain).rfind("answer is");
    if (at != std::string::npos) {
      auto rest = std::string_view(plain).substr(at + 9);
      rest = rest.substr(0, rest.find('\n'));
      if (auto letters = by_text(rest, options, false); letters.how == Extraction::kLoose) {
        letters.how = Extraction::kStated;
        return letters;
      }
    }
    if (auto letters = by_text(scan::last_line(plain), options, false); letters.how == Extraction::kLoose) {
      return letters;
    }
    if (scan::word_count(plain) <= 40) {
      if (auto letters = by_text(plain, options, false); letters.how != Extraction::kNone) return letters;
    }
  }

  // A single distinct "(B)" anywhere.
  ExtractedLetters out;
  for (std::size_t i = 1; i + 1 < all.size(); ++i) {
    if (all[i - 1].text != "(" || all[i + 1].text != ")") continue;
    if (all[i].text.size() != 1 || !(all[i].text[0] >= 'A' && all[i].text[0] <= last)) continue;
    if (out.letters.find(all[i].text[0]) == std::string::npos) out.letters += all[i].text[0];
  }
  if (out.letters.size() == 1) out.how = Extraction::kLoose;
  if (out.letters.size() > 1) out = {Extraction::kAmbiguous, ""};
  return out;
}

std::vector<ChoiceOption> find_options(std::string_view question) {
  const std::string text = scan::bounded(question, kCoreBytesMax);
  struct Mark {
    char letter;
    std::size_t begin, text_begin;
  };
  // Marks at line starts first; a list inside a line only when there is none.
  for (const bool inline_list : {false, true}) {
    std::vector<Mark> marks;
    for (std::size_t i = 0; i < text.size(); ++i) {
      bool start =
          i == 0 || text[i - 1] == '\n' || (inline_list && (text[i - 1] == ' ' || text[i - 1] == '\t'));
      if (!start) continue;
      std::size_t at = i;
      if (!inline_list) {
        while (at < text.size() &&
               (text[at] == ' ' || text[at] == '\t' || text[at] == '*' || text[at] == '-'))
          ++at;
      }
      const bool opened = at < text.size() && (text[at] == '(' || text[at] == '[');
      if (opened) ++at;
      if (at + 1 >= text.size() || !letter(text[at])) continue;
      std::size_t close = at + 1;
      while (close < text.size() && text[close] == '*') ++close;
      if (close >= text.size()) continue;
      const char mark = text[close];
      const bool closed = mark == ')' || mark == ']';
      if (opened ? !closed : !(closed || mark == '.' || mark == ':')) continue;
      if (inline_list && !closed) continue;
      if (!closed && close + 1 < text.size() && text[close + 1] != ' ' && text[close + 1] != '\t') continue;
      if (!closed && text[at] >= 'a') continue;
      marks.push_back({upper(text[at]), i, close + 1});
    }
    // The longest run A, B, C, ...; the last such run counts (few-shot examples come before).
    std::vector<ChoiceOption> best;
    for (std::size_t i = 0; i < marks.size(); ++i) {
      if (marks[i].letter != 'A') continue;
      std::size_t n = 1;
      while (i + n < marks.size() && marks[i + n].letter == static_cast<char>('A' + n)) ++n;
      if (n < 2) continue;
      std::vector<ChoiceOption> run;
      for (std::size_t k = 0; k < n; ++k) {
        const std::size_t begin = marks[i + k].text_begin;
        std::size_t end = k + 1 < n ? marks[i + k + 1].begin : text.find('\n', begin);
        if (end == std::string::npos) end = text.size();
        auto option = scan::trim(std::string_view(text).substr(begin, end - begin));
        while (!option.empty() && (option.back() == ',' || option.back() == ';' || option.back() == '*')) {
          option.remove_suffix(1);
        }
        run.push_back({static_cast<char>('A' + k), std::string(scan::trim(option))});
      }
      best = std::move(run);
      i += n - 1;
    }
    if (!best.empty()) return best;
  }
  return {};
}

}  // namespace brevet
