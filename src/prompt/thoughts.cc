#include "prompt/thoughts.h"

#include <algorithm>
#include <charconv>

namespace brevet {
namespace {

constexpr std::size_t kQuestionBytesMax = 16 * 1024;

std::string cut(std::string_view text, std::size_t most) {
  if (text.size() <= most) return std::string(text);
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0) == 0x80) --most;
  return std::string(text.substr(0, most));
}

std::string lines(const std::vector<std::string>& state) {
  if (state.empty()) return "(none yet)";
  std::string out;
  for (const auto& thought : state) out += (out.empty() ? "" : "\n") + thought;
  return out;
}

std::vector<PlainMessage> prompt(std::string system, std::string_view question, std::string rest) {
  return {{"system", std::move(system)},
          {"user", "Task:\n" + cut(question, kQuestionBytesMax) + "\n\n" + std::move(rest)}};
}

bool digit(char c) {
  return c >= '0' && c <= '9';
}
bool blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

/// A line without blanks and the marks of lists at its start: "3. ", "2) ", "- ", "* ".
std::string_view bare(std::string_view line) {
  const auto trim = [&] {
    while (!line.empty() && blank(line.front())) line.remove_prefix(1);
    while (!line.empty() && blank(line.back())) line.remove_suffix(1);
  };
  trim();
  std::size_t i = 0;
  while (i < line.size() && digit(line[i])) ++i;
  if (i > 0 && i + 1 < line.size() && (line[i] == '.' || line[i] == ')') && blank(line[i + 1])) {
    line.remove_prefix(i + 1);
  } else if (line.size() > 1 && (line[0] == '-' || line[0] == '*') && blank(line[1])) {
    line.remove_prefix(1);
  }
  trim();
  return line;
}

}  // namespace

std::vector<PlainMessage> propose_messages(std::string_view question, const std::vector<std::string>& state,
                                           std::size_t count) {
  std::string system(kProposeMarker);
  system += " of a solution. You see a task and the steps taken so far. Do not solve the whole task at once.";
  const std::string wanted = count == 1
                                 ? "Write the next step in one line, and nothing else."
                                 : "Write up to " + std::to_string(count) +
                                       " different next steps, each in a line of its own, and nothing else.";
  return prompt(std::move(system), question,
                "Steps so far:\n" + lines(state) + "\n\n" + wanted +
                    " Where a step completes the solution, begin "
                    "its line with " +
                    std::string(kThoughtDone) + ": and give the result in it.");
}

std::vector<std::string> parse_thoughts(std::string_view text, std::size_t most) {
  std::vector<std::string> out;
  while (!text.empty() && out.size() < most) {
    const auto end = std::min(text.find('\n'), text.size());
    auto thought = cut(bare(text.substr(0, end)), kThoughtBytesMax);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (thought.empty() || thought.starts_with("```")) continue;
    if (std::find(out.begin(), out.end(), thought) == out.end()) out.push_back(std::move(thought));
  }
  return out;
}

bool is_done(std::string_view thought) {
  return thought.starts_with(kThoughtDone);
}

double weight_of(Likelihood likelihood) {
  switch (likelihood) {
    case Likelihood::kImpossible:
      return .001;
    case Likelihood::kLikely:
      return 1;
    case Likelihood::kSure:
      return 20;
  }
  return 0;
}

std::vector<PlainMessage> value_messages(std::string_view question, const std::vector<std::string>& state) {
  std::string system(kValueMarker);
  system +=
      " can still lead to a right answer of the task. Look a little ahead, check what can be checked, and do "
      "not "
      "be polite.";
  return prompt(std::move(system), question,
                "Steps so far:\n" + lines(state) +
                    "\n\nEnd with one line that holds one of these words alone: sure, likely, impossible.");
}

std::optional<Likelihood> parse_likelihood(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  std::optional<Likelihood> out;
  std::size_t last = 0;
  const auto look = [&](std::string_view word, Likelihood likelihood) {
    const auto at = lower.rfind(word);
    if (at == std::string::npos || at < last) return;
    // "unlikely" is not "likely".
    if (at > 0 && lower[at - 1] >= 'a' && lower[at - 1] <= 'z') return;
    // "not sure" is none of the words: what it means instead is not said.
    const auto before = std::string_view(lower).substr(0, at);
    const bool negated = before.ends_with("not ") || before.ends_with("n't ");
    if (negated) {
      out.reset();
      last = at;
      return;
    }
    out = likelihood;
    last = at;
  };
  look("impossible", Likelihood::kImpossible);
  look("likely", Likelihood::kLikely);
  look("sure", Likelihood::kSure);
  return out;
}

std::vector<PlainMessage> vote_messages(std::string_view question,
                                        const std::vector<std::vector<std::string>>& states) {
  std::string system(kVoteMarker);
  system += " towards a right answer of the task is the most promising. Compare them before you decide.";
  std::string rest;
  for (std::size_t i = 0; i < states.size(); ++i)
    rest += "Way " + std::to_string(i + 1) + ":\n" + lines(states[i]) + "\n\n";
  return prompt(
      std::move(system), question,
      rest +
          "End with one line that holds nothing but the number of your choice in double brackets, such "
          "as [[1]].");
}

std::optional<std::size_t> parse_vote(std::string_view text, std::size_t count) {
  const auto at = text.rfind("[[");
  if (at == std::string_view::npos) return std::nullopt;
  const auto inner = text.substr(at + 2);
  std::size_t number = 0;
  const auto read = std::from_chars(inner.data(), inner.data() + inner.size(), number);
  if (read.ec != std::errc() || !std::string_view(read.ptr, inner.data() + inner.size()).starts_with("]]"))
    return std::nullopt;
  if (number < 1 || number > count) return std::nullopt;
  return number - 1;
}

MessageEdits answer_edits(const std::vector<std::string>& state) {
  MessageEdits out;
  if (state.empty()) return out;
  out.last_user_suffix = "\n\nThese steps were found to lead to the answer:\n" + lines(state) +
                         "\n\nFollow them and give the answer alone, in the form in which it was asked for.";
  return out;
}

}  // namespace brevet
