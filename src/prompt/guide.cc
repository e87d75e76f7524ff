#include "prompt/guide.h"

#include <algorithm>

namespace brevet {
namespace {

constexpr std::size_t kQuestionBytesMax = 24 * 1024;

std::string_view trim(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (auto& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool starts_with_any(std::string_view text, std::initializer_list<std::string_view> starts) {
  return std::any_of(starts.begin(), starts.end(),
                     [&](std::string_view start) { return text.substr(0, start.size()) == start; });
}

/// Largest position <= at that does not split a UTF-8 character.
std::size_t character_start(std::string_view text, std::size_t at) {
  while (at > 0 && at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
  return at;
}

/// Head and tail of a long question, cut at characters.
std::string shortened(std::string_view question) {
  if (question.size() <= kQuestionBytesMax) return std::string(question);
  const auto head = character_start(question, kQuestionBytesMax / 2);
  auto tail = question.size() - kQuestionBytesMax / 2;
  tail = character_start(question, tail);
  return std::string(question.substr(0, head)) + "\n[...]\n" + std::string(question.substr(tail));
}

/// A first line that only talks about the guide: "Sure! Here is a guide:", "**Guide**", "# Guide".
bool is_preamble(std::string_view line) {
  if (trim(line).substr(0, 3) == "```") return false;  // a fence is taken off as a whole
  auto text = lower(line);
  std::erase_if(text, [](char c) { return c == '*' || c == '#' || c == '_' || c == '`'; });
  const auto bare = trim(text);
  if (bare.empty()) return true;
  if (bare.size() > 160) return false;
  const bool announces = bare.back() == ':' || bare.back() == '!';
  if (bare == "guide" || bare == "guide:" || bare == "the guide" || bare == "---") return true;
  if (announces && bare.find("guide") != std::string_view::npos) return true;
  return announces && starts_with_any(bare, {"sure", "certainly", "of course", "absolutely", "okay", "ok,",
                                             "here is", "here's", "here are", "great question", "below is"});
}

}  // namespace

std::vector<PlainMessage> guide_writing_messages(std::string_view question) {
  std::string user = "The task that a less experienced assistant failed at, between lines of equal signs:\n";
  user += "==========\n";
  user += shortened(question);
  user += "\n==========\n";
  user +=
      "Write what would help it with this task and with others of the same kind: which facts, rules or "
      "formulas "
      "matter, in which order to work, and which mistakes are easy to make.\n"
      "Do not solve the task. Never state, hint at or rule out a result: no option letter, no final number, "
      "no yes or "
      "no, no text of an option, no value to return. Someone who reads only the guide must not be able to "
      "tell the "
      "answer.\n"
      "At most 150 words, plain sentences, no heading, no introduction, nothing but the guide.";
  std::string system(kGuideMarker);
  system +=
      " to the approach of a kind of question. Pass on method and background knowledge, and keep the answer "
      "to "
      "yourself.";
  return {{"system", std::move(system)}, {"user", std::move(user)}};
}

std::string clean_guide(std::string_view written) {
  auto text = trim(written);
  // Reasoning that some models put in front.
  if (text.substr(0, 7) == "<think>") {
    const auto end = text.find("</think>");
    if (end == std::string_view::npos) return {};
    text = trim(text.substr(end + 8));
  }
  for (int lines = 0; lines < 4; ++lines) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos || !is_preamble(text.substr(0, end))) break;
    text = trim(text.substr(end + 1));
  }
  if (text.substr(0, 3) == "```") {
    const auto line = text.find('\n');
    if (line == std::string_view::npos) return {};
    text = text.substr(line + 1);
    const auto close = text.rfind("```");
    if (close != std::string_view::npos) text = text.substr(0, close);
    text = trim(text);
  }
  for (std::string_view label : {"Guide:", "**Guide:**", "GUIDE:"}) {
    if (text.substr(0, label.size()) == label) text = trim(text.substr(label.size()));
  }
  // A closing offer to help is no part of the guide.
  const auto last = text.rfind('\n');
  if (last != std::string_view::npos) {
    const auto tail = lower(trim(text.substr(last)));
    if (starts_with_any(tail, {"let me know", "i hope", "would you like", "feel free", "do you want"})) {
      text = trim(text.substr(0, last));
    }
  }
  std::string out;
  out.reserve(std::min(text.size(), kGuideBytesMax + 1));
  // The header would end a guide early for whoever reads it back out of a prompt.
  for (std::size_t i = 0; i < text.size() && out.size() <= kGuideBytesMax; ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == '\r' || (c < 0x20 && c != '\n' && c != '\t')) continue;
    if (c == '\n' && out.size() >= 2 && out.back() == '\n' && out[out.size() - 2] == '\n') continue;
    out += text[i];
  }
  if (out.size() > kGuideBytesMax) {
    const auto room = std::string_view(out).substr(0, character_start(out, kGuideBytesMax));
    std::size_t cut = 0;
    for (std::size_t i = 0; i + 1 <= room.size(); ++i) {
      const bool stop = room[i] == '.' || room[i] == '!' || room[i] == '?';
      const bool ends = i + 1 == room.size() || room[i + 1] == ' ' || room[i + 1] == '\n';
      const bool numbering =
          i > 0 && room[i - 1] >= '0' && room[i - 1] <= '9' && (i < 3 || room[i - 2] == '\n');
      if ((stop && ends && !numbering) || room[i] == '\n') cut = i + 1;
    }
    if (cut < kGuideBytesMax / 4) {  // one endless sentence: the last whole word
      cut = room.rfind(' ');
      if (cut == std::string_view::npos) cut = room.size();
    }
    out.resize(cut);
  }
  const auto done = trim(out);
  // Less than a dozen letters is no guide.
  return done.size() < 12 ? std::string{} : std::string(done);
}

MessageEdits guide_edits(const std::string& guide) {
  MessageEdits edits;
  if (guide.empty()) return edits;
  edits.last_user_prefix = std::string(kGuideHeader) + "\n" + guide +
                           "\n\nUse the guide where it fits, then answer the following as asked.\n\n";
  return edits;
}

}  // namespace brevet
