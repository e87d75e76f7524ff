// Varied questions with answers that code can check, for the simulated world and the demo that plays in it.
//
// Used by the simulated models (which look a question up by its text) and by `brevet demo` (which asks and
// grades). Pure and seeded: question i of a seed is the same in every process, so the two sides need not
// exchange anything but the seed. Knows no models: how likely a model is right is simulated_model's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace brevet {

enum class AnswerKind { kNumber, kChoice, kText, kJson };
const char* name_of(AnswerKind kind);

struct SimulatedQuestion {
  std::size_t number = 0;  ///< position in the set
  int family = 0;          ///< index into question_families()
  AnswerKind kind = AnswerKind::kNumber;
  std::string text;      ///< as asked first
  std::string reworded;  ///< the same question and answer in other words
  std::string answer;    ///< number, letter, text or JSON
  std::string wrong;     ///< a plausible wrong answer of the same kind
  std::string wrong2;    ///< another one, different from both
  double size = 0;       ///< how large its parameters are within the family, -1..1
};

struct QuestionFamily {
  std::string name;    ///< "remainder after division"; the phrase a fitting guide contains
  std::string method;  ///< one or two sentences: how such questions are solved, without any answer
};
const std::vector<QuestionFamily>& question_families();

struct QuestionOptions {
  std::uint64_t seed = 1;
  std::size_t requests = 20'000;  ///< length of the stream; at most 1,000,000
  double repeat_share = 0.15;     ///< requests that repeat an earlier one word by word
  double reworded_share = 0.10;   ///< requests that ask an earlier question in other words
};

/// One request of the stream.
struct QuestionRequest {
  std::size_t question = 0;
  bool reworded = false;
  bool repeat = false;  ///< the same text was asked before
};

class SimulatedQuestions {
 public:
  static std::shared_ptr<const SimulatedQuestions> generate(const QuestionOptions& options);
  virtual ~SimulatedQuestions() = default;

  virtual const std::vector<SimulatedQuestion>& questions() const = 0;
  virtual const std::vector<QuestionRequest>& stream() const = 0;
  /// The text of request i of the stream.
  virtual std::string_view text(std::size_t request) const = 0;
  /// The question whose text (either wording) stands in `text` on lines of its own, whatever stands before
  /// and after; null when there is none. `rest` receives what was around it.
  virtual const SimulatedQuestion* find(std::string_view text, std::string* rest = nullptr) const = 0;
};

/// Grades an answer in words: what follows the last "answer is" (or the whole text) equals the right answer,
/// compared by kind: numbers by value, letters, JSON without white space, text without case.
bool answer_is_right(const SimulatedQuestion& question, std::string_view answer_text);

}  // namespace brevet
