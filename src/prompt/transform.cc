#include "prompt/transform.h"

#include <algorithm>

namespace brevet {
namespace {

/// Room for the reasoning: few answers of a page of steps are longer.
constexpr int kReasoningTokens = 1024;

constexpr const char* kClosing =
    "\n\nWhen you are done, write one last line that begins with \"Final answer:\" and holds the answer "
    "alone, "
    "in the form in which it was asked for.";

std::string steps(const char* how) {
  return std::string("\n\n") + how + kClosing;
}

// Examples of ours; each is of another kind, so that the form is learned and not the subject.
constexpr const char* kExamples =
    "Here is how such questions are worked out.\n\n"
    "Question: A shop sells pens at 3 for 4 euro. What do 12 pens cost?\n"
    "12 pens are 12 / 3 = 4 groups of three. Each group costs 4 euro, so they cost 4 * 4 = 16 euro.\n"
    "Final answer: 16 euro\n\n"
    "Question: Which of these is a mammal? A. salmon B. bat C. crow D. newt\n"
    "Mammals suckle their young. A salmon is a fish, a crow a bird, a newt an amphibian; a bat suckles its "
    "young although it flies.\n"
    "Final answer: B\n\n"
    "Question: Anna is older than Ben, and Cara is younger than Ben. Who is the youngest?\n"
    "From oldest to youngest the order is Anna, Ben, Cara, since Cara is below Ben and Ben below Anna.\n"
    "Final answer: Cara\n\n"
    "Now the question that matters.\n\n";

std::vector<PromptTransform> make_transforms() {
  const auto reasoned = [](std::string_view name, std::string_view summary, const char* how) {
    PromptTransform out;
    out.name = name;
    out.summary = summary;
    out.edits.last_user_suffix = steps(how);
    out.more_tokens = kReasoningTokens;
    return out;
  };
  std::vector<PromptTransform> out;
  out.push_back(reasoned("cot", "reasons step by step, no examples",
                         "Work this out step by step before you answer, one step a line."));
  auto few = reasoned("cot_few", "reasons step by step, after three worked examples",
                      "Work this out step by step as in the examples before you answer.");
  few.edits.last_user_prefix = kExamples;
  out.push_back(std::move(few));
  out.push_back(
      reasoned("check", "answers, looks for a mistake in its answer, and answers again",
               "First work out an answer. Then test it: put it back into the question, try to find a "
               "mistake in each step, and correct what you find."));
  out.push_back(
      reasoned("factual", "expert for facts: recalls what it knows before it answers",
               "First write down the facts that you are sure of and that bear on this, one a line. Then "
               "answer from them alone."));
  out.push_back(
      reasoned("multihop", "expert for chains of facts: splits the question first",
               "First split this into the smaller questions that lead to the answer, and answer them in "
               "order, each from the ones before."));
  out.push_back(
      reasoned("math", "expert for calculation: sets up and computes exactly",
               "First name the quantities that are given and the one that is asked for. Then set up what "
               "connects them and compute exactly, one line for each operation."));
  out.push_back(
      reasoned("commonsense", "expert for everyday knowledge: says what usually holds first",
               "First write down what people know of such situations from everyday life. Then choose the "
               "answer that fits it best."));
  return out;
}

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// The text behind the marker when this line begins with it: emphasis, headings and blanks before it do not
/// count, nor those between its words and its colon.
bool after_marker(std::string_view line, std::string_view& rest) {
  constexpr std::string_view kWords = "final answer";
  const auto dressing = [](char c) {
    return c == ' ' || c == '\t' || c == '*' || c == '#' || c == '_' || c == '>';
  };
  while (!line.empty() && dressing(line.front())) line.remove_prefix(1);
  if (line.size() < kWords.size()) return false;
  for (std::size_t i = 0; i < kWords.size(); ++i) {
    if (lower(line[i]) != kWords[i]) return false;
  }
  line.remove_prefix(kWords.size());
  while (!line.empty() && dressing(line.front())) line.remove_prefix(1);
  if (line.empty() || line.front() != ':') return false;
  line.remove_prefix(1);
  // What closed the emphasis around the marker.
  while (!line.empty() && (line.front() == '*' || line.front() == '_')) line.remove_prefix(1);
  rest = line;
  return true;
}

}  // namespace

const std::vector<PromptTransform>& prompt_transforms() {
  static const std::vector<PromptTransform> list = make_transforms();
  return list;
}

const PromptTransform* find_transform(std::string_view name) {
  if (name.empty()) return nullptr;
  const auto& list = prompt_transforms();
  const auto found = std::find_if(list.begin(), list.end(),
                                  [&](const PromptTransform& transform) { return transform.name == name; });
  return found == list.end() ? nullptr : &*found;
}

SplitAnswer split_reasoning(std::string_view text) {
  std::size_t end = text.size();
  while (true) {
    const auto newline = end == 0 ? std::string_view::npos : text.rfind('\n', end - 1);
    const std::size_t begin = newline == std::string_view::npos ? 0 : newline + 1;
    std::string_view rest;
    if (after_marker(text.substr(begin, end - begin), rest)) {
      const auto from = static_cast<std::size_t>(rest.data() - text.data());
      const auto answer = trimmed(text.substr(from));
      if (!answer.empty())
        return {text.substr(0, static_cast<std::size_t>(answer.data() - text.data())), answer};
    }
    if (begin == 0) break;
    end = begin - 1;
  }
  return {{}, text};
}

MessageEdits both_edits(const MessageEdits& first, const MessageEdits& second) {
  MessageEdits out;
  out.system_prefix = first.system_prefix + second.system_prefix;
  out.last_user_prefix = first.last_user_prefix + second.last_user_prefix;
  out.last_user_suffix = first.last_user_suffix + second.last_user_suffix;
  return out;
}

}  // namespace brevet
