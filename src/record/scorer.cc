#include "record/scorer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cmath>
#include <utility>

#include "compare/answer_core.h"

namespace brevet::record {
namespace {

constexpr double kNumberTolerance = 1e-6;
constexpr std::size_t kPredBytesMax = 200;

constexpr std::array<std::pair<const char*, ScorerKind>, 6> kKinds = {
    {{"exact", ScorerKind::kExact},
     {"choice", ScorerKind::kChoice},
     {"number", ScorerKind::kNumber},
     {"json_schema", ScorerKind::kJsonSchema},
     {"command", ScorerKind::kCommand},
     {"judge", ScorerKind::kJudge}}};

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const auto begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

/// Where the record has no choices of its own, its prompt may list them.
std::vector<ChoiceOption> options_of(const Question& question) {
  if (question.record.choices.empty()) return find_options(question.record.prompt);
  std::vector<ChoiceOption> out;
  for (const auto& choice : question.record.choices) {
    const auto label = trimmed(choice.label);
    if (label.size() != 1) return {};
    const char letter =
        static_cast<char>(label[0] >= 'a' && label[0] <= 'z' ? label[0] - 'a' + 'A' : label[0]);
    if (letter < 'A' || letter > 'Z') return {};
    out.push_back({letter, std::string(trimmed(choice.text))});
  }
  return out;
}

/// 0 when the reference names none of the options.
char right_letter(const Question& question, const std::vector<ChoiceOption>& options) {
  const auto answer = trimmed(question.record.answer);
  for (const auto& option : options) {
    if (answer.size() == 1 && (answer[0] == option.letter || answer[0] - 'a' + 'A' == option.letter))
      return option.letter;
  }
  const auto wanted = normalised_text(answer);
  char found = 0;
  for (const auto& option : options) {
    if (normalised_text(option.text) != wanted) continue;
    if (found != 0) return 0;
    found = option.letter;
  }
  return found;
}

bool equal_numbers(const ExtractedNumber& a, const ExtractedNumber& b) {
  const auto near = [](double x, double y) {
    return x == y || std::abs(x - y) <= kNumberTolerance * std::max(std::abs(x), std::abs(y));
  };
  if (near(a.value, b.value)) return true;
  return a.percent != b.percent &&
         near(a.percent ? a.value / 100 : a.value, b.percent ? b.value / 100 : b.value);
}

Score of(bool right, std::optional<std::string> pred) {
  Score out;
  out.value = right ? 1 : 0;
  out.has_pred = true;
  if (pred && pred->size() <= kPredBytesMax) out.pred = std::move(pred);
  return out;
}

}  // namespace

Result<ScorerKind> parse_scorer(std::string_view name) {
  std::string names;
  for (const auto& [known, kind] : kKinds) {
    if (name == known) return kind;
    names += (names.empty() ? "" : ", ") + std::string(known);
  }
  return fail(ErrorKind::kCallerInvalid, "unknown_scorer",
              fmt::format("There is no scorer '{}'; there are {}.", name, names), "--scorer");
}

const char* name_of(ScorerKind kind) {
  for (const auto& [known, value] : kKinds) {
    if (value == kind) return known;
  }
  return "";
}

Result<> check_question(ScorerKind kind, const Question& question) {
  const auto& record = question.record;
  if (kind == ScorerKind::kJsonSchema || kind == ScorerKind::kCommand || kind == ScorerKind::kJudge)
    return {};
  if (trimmed(record.answer).empty()) {
    return fail(ErrorKind::kCallerInvalid, "missing_answer",
                fmt::format("The scorer {} compares with the right answer, and question {} has none.",
                            name_of(kind), record.id),
                "answer");
  }
  if (kind == ScorerKind::kChoice) {
    const auto options = options_of(question);
    if (options.empty() || right_letter(question, options) == 0) {
      return fail(
          ErrorKind::kCallerInvalid, "bad_answer_key",
          fmt::format(
              "Question {} has no choices labelled with single letters, or its answer is none of them.",
              record.id),
          "answer");
    }
  }
  if (kind == ScorerKind::kNumber && extract_number(record.answer).how == Extraction::kNone) {
    return fail(ErrorKind::kCallerInvalid, "bad_answer_key",
                fmt::format("The answer of question {} holds no number.", record.id), "answer");
  }
  return {};
}

Score score_text(ScorerKind kind, const Question& question, std::string_view answer,
                 const JsonSchema* schema) {
  switch (kind) {
    case ScorerKind::kExact: {
      auto said = normalised_text(answer);
      const bool right = said == normalised_text(question.record.answer);
      return of(right, std::move(said));
    }
    case ScorerKind::kChoice: {
      const auto options = options_of(question);
      const auto chosen = extract_choice(answer, options);
      if (chosen.how == Extraction::kNone || chosen.how == Extraction::kAmbiguous ||
          chosen.letters.size() != 1)
        return of(false, std::nullopt);
      return of(chosen.letters[0] == right_letter(question, options), chosen.letters);
    }
    case ScorerKind::kNumber: {
      const auto said = extract_number(answer);
      if (said.how == Extraction::kNone || said.how == Extraction::kAmbiguous) return of(false, std::nullopt);
      return of(equal_numbers(said, extract_number(question.record.answer)), fmt::format("{}", said.value));
    }
    case ScorerKind::kJsonSchema: {
      // A bare number or string is JSON too; json_part() finds objects and lists.
      auto part = json_part(answer);
      if (part.empty()) part = trimmed(answer);
      boost::json::error_code error;
      const auto value = boost::json::parse(part, error);
      Score out;
      out.value = !error && schema != nullptr && schema->valid(value) ? 1 : 0;
      return out;
    }
    case ScorerKind::kCommand:
    case ScorerKind::kJudge:
      break;
  }
  return {};
}

JudgeScore judge_score(std::optional<JudgeWord> forward, std::optional<JudgeWord> swapped) {
  if (!forward || !swapped) return {};
  if (*forward == JudgeWord::kFirst && *swapped == JudgeWord::kSecond) return {1.0, false};
  if (*forward == JudgeWord::kSecond && *swapped == JudgeWord::kFirst) return {0.0, false};
  const bool tie = *forward == JudgeWord::kTie && *swapped == JudgeWord::kTie;
  return {0.5, !tie};
}

}  // namespace brevet::record
