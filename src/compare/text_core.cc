// Yes or no, refusals, normalised text, embedded JSON, and what kind of answer a question asks for.
#include <algorithm>

#include "compare/answer_core.h"
#include "compare/text_scan.h"

namespace brevet {
namespace {

using scan::one_of;

std::optional<bool> word_value(std::string_view word) {
  if (one_of(word, {"yes", "true", "correct", "yep", "yeah"})) return true;
  if (one_of(word, {"no", "false", "incorrect", "nope"})) return false;
  return std::nullopt;
}

bool holds_any(std::string_view text, std::initializer_list<std::string_view> phrases) {
  return std::any_of(phrases.begin(), phrases.end(),
                     [&](std::string_view phrase) { return text.find(phrase) != std::string_view::npos; });
}

}  // namespace

ExtractedBool extract_yes_no(std::string_view answer) {
  const std::string plain = scan::plain(scan::bounded(answer, kCoreBytesMax));
  const auto all = scan::tokens(plain);
  std::optional<bool> first;
  std::optional<bool> stated;
  bool both = false;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!all[i].word) continue;
    first = word_value(all[i].lower);
    // "No one knows", "No matter", "Correct answers are ..." are not answers.
    if (first && i + 1 < all.size() && all[i + 1].word && !all[i + 1].line_start) {
      const auto& next = all[i + 1].lower;
      if (one_of(next, {"one", "matter", "doubt", "answers", "answer", "way", "longer", "and", "or"}))
        first.reset();
    }
    break;
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!one_of(all[i].lower, {"answer", "statement", "claim", "conclusion", "therefore", "thus", "hence",
                               "so", "it", "this", "that"})) {
      continue;
    }
    const bool strong = one_of(all[i].lower, {"answer", "statement", "claim", "conclusion"});
    bool link = !strong && !one_of(all[i].lower, {"it", "this", "that"});
    bool negated = false;
    for (std::size_t j = i + 1; j < all.size() && j < i + 8; ++j) {
      const auto& word = all[j].lower;
      if (one_of(word, {"not", "isn't", "wasn't"})) {
        negated = !negated;
        link |= word != "not";
        continue;
      }
      if (const auto value = word_value(word)) {
        if (!link || (word == "correct" && j + 1 < all.size() && all[j + 1].word)) break;
        // "so no ..." in the middle of a sentence is a plain negation.
        if (!strong && one_of(word, {"no", "yes"}) && j + 1 < all.size() && all[j + 1].word &&
            !all[j + 1].line_start)
          break;
        const bool settled = negated ? !*value : *value;
        stated = settled;
        break;
      }
      if (one_of(word, {"is", ":", "was", "=", "be"})) {
        link = true;
      } else if (!one_of(word, {"the",    "to",       "this",      "question", "therefore", "thus",
                                ",",      "final",    "given",     "above",    "clearly",   "indeed",
                                "\"",     "answer",   "statement", "claim",    "a",         "definitely",
                                "simply", "actually", "-",         ">"})) {
        break;
      }
    }
  }
  if (!stated) {
    const auto line = scan::tokens(scan::last_line(plain));
    if (!line.empty() && line.size() <= 2 && word_value(line[0].lower)) stated = word_value(line[0].lower);
  }
  both = first && stated && *first != *stated;
  ExtractedBool out;
  if (both) {
    out.how = Extraction::kAmbiguous;
  } else if (first || stated) {
    out.how = Extraction::kStated;
    out.value = first ? *first : *stated;
  }
  return out;
}

bool looks_like_refusal(std::string_view answer) {
  if (answer.size() > 1200) return false;
  const std::string head = scan::lower_ascii(scan::plain(answer.substr(0, 240)));
  return holds_any(head, {"i can't help",    "i cannot help",          "i can't assist",
                          "i cannot assist", "i'm unable to",          "i am unable to",
                          "i'm not able to", "i am not able to",       "i won't be able",
                          "i can't provide", "i cannot provide",       "i can't answer",
                          "i cannot answer", "i'm sorry, but i can",   "i am sorry, but i can",
                          "sorry, i can't",  "sorry, i cannot",        "as an ai language model, i c",
                          "i must decline",  "i don't have access to", "i do not have access to"});
}

std::string normalised_text(std::string_view text) {
  const std::string plain = scan::plain(text);
  std::string out;
  const auto digit = [&](std::size_t at) {
    return at < plain.size() && plain[at] >= '0' && plain[at] <= '9';
  };
  bool join = false;
  for (const auto& token : scan::tokens(plain)) {
    if (!token.word) {
      // 1,234 is 1234, and 1.234 stays itself.
      if (one_of(token.text, {".", ","}) && token.at > 0 && digit(token.at - 1) && digit(token.at + 1)) {
        const bool thousands =
            token.text == "," && digit(token.at + 2) && digit(token.at + 3) && !digit(token.at + 4);
        if (!thousands) out += token.text;
        join = true;
        continue;
      }
      // Signs that change the meaning of short answers stay.
      if (one_of(token.text, {"+", "-", "/", "%", "=", "<", ">", "^", "*"})) {
        if (token.text == "-" && token.glued) continue;  // well-known = well known
        if (!out.empty()) out += ' ';
        out += token.text;
      }
      continue;
    }
    if (one_of(token.lower, {"a", "an", "the"})) continue;
    if (!out.empty() && !join) out += ' ';
    join = false;
    std::string_view word = token.lower;
    if (word.size() > 5 && word.substr(word.size() - 2) == "'s" && word != "that's" && word != "there's") {
      word.remove_suffix(2);  // Boyle's law names Boyle
    }
    out += word;
  }
  return out;
}

std::string_view json_part(std::string_view text) {
  const auto looks = [](std::string_view part) {
    return part.size() >= 2 &&
           ((part.front() == '{' && part.back() == '}') || (part.front() == '[' && part.back() == ']'));
  };
  const auto whole = scan::trim(text);
  if (looks(whole)) return whole;
  const auto open = whole.find("```");
  if (open == std::string_view::npos) return {};
  auto begin = whole.find('\n', open);
  if (begin == std::string_view::npos) return {};
  const auto close = whole.find("```", begin);
  if (close == std::string_view::npos) return {};
  if (whole.find("```", close + 3) != std::string_view::npos) return {};
  const auto inside = scan::trim(whole.substr(begin, close - begin));
  return looks(inside) ? inside : std::string_view{};
}

QuestionKind question_kind(std::string_view question) {
  if (!find_options(question).empty()) return QuestionKind::kChoice;
  const std::string lower = scan::lower_ascii(scan::plain(scan::bounded(question, kCoreBytesMax)));
  if (holds_any(lower, {"true or false", "yes or no", "yes/no", "true/false", "(t/f)", "answer yes",
                        "answer true", "with yes", "with true"})) {
    return QuestionKind::kYesNo;
  }
  if (holds_any(lower, {"how many",
                        "how much",
                        "how old",
                        "how long",
                        "how far",
                        "how tall",
                        "how fast",
                        "how heavy",
                        "calculate",
                        "compute ",
                        "evaluate ",
                        "simplify ",
                        "what is the value",
                        "what is the sum",
                        "what is the product",
                        "what is the probability",
                        "what is the total",
                        "what is the number",
                        "what is the average",
                        "what is the mean",
                        "what is the area",
                        "what is the volume",
                        "what is the perimeter",
                        "what is the difference",
                        "what is the remainder",
                        "what percent",
                        "find the value",
                        "find the number",
                        "find the sum",
                        "find the area",
                        "solve for",
                        "what fraction",
                        "what number",
                        "in what year",
                        "what year",
                        "what is the cost",
                        "what is the speed",
                        "what is the new price",
                        " times ",
                        "multiply ",
                        "subtract ",
                        "divided by",
                        "add up",
                        "what is the price",
                        "product of",
                        "how high",
                        "in dollars",
                        "what is the distance",
                        "what is the median"})) {
    return QuestionKind::kNumber;
  }
  const bool sums = holds_any(lower, {"add ", "divide ", "convert ", "round ", "percent of"});
  if (sums && std::any_of(lower.begin(), lower.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return QuestionKind::kNumber;
  }
  // Digits on both sides of an operator: "what is 12 * 7?".
  for (std::size_t i = 1; i + 1 < lower.size(); ++i) {
    if (!one_of(std::string_view(lower).substr(i, 1), {"+", "*", "-", "/", "^"})) continue;
    std::size_t left = i;
    while (left > 0 && lower[left - 1] == ' ') --left;
    std::size_t right = i + 1;
    while (right < lower.size() && lower[right] == ' ') ++right;
    const bool spaced = left != i || lower[i] == '*' || lower[i] == '+' || lower[i] == '^';
    if (left > 0 && right < lower.size() && spaced && lower[left - 1] >= '0' && lower[left - 1] <= '9' &&
        lower[right] >= '0' && lower[right] <= '9') {
      return QuestionKind::kNumber;
    }
  }
  // The last question starts with an auxiliary verb and offers no alternative.
  const auto mark = lower.rfind('?');
  if (mark != std::string::npos) {
    auto begin = lower.find_last_of(".?!\n:", mark == 0 ? 0 : mark - 1);
    begin = begin == std::string::npos || begin >= mark ? 0 : begin + 1;
    const auto sentence = scan::trim(std::string_view(lower).substr(begin, mark - begin));
    const auto word = sentence.substr(0, sentence.find(' '));
    if (one_of(word,
               {"is",     "are", "was",  "were", "do",  "does", "did", "can",   "could",  "will",   "would",
                "should", "has", "have", "had",  "may", "must", "am",  "isn't", "aren't", "doesn't"}) &&
        sentence.find(" or ") == std::string_view::npos && !holds_any(sentence, {"you "})) {
      return QuestionKind::kYesNo;
    }
  }
  return QuestionKind::kOpen;
}

}  // namespace brevet
