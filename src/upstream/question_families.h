// The families of simulated questions: each makes one question from draws. Only for simulated_questions.cc.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/random.h"
#include "upstream/simulated_questions.h"

namespace brevet {

/// Draws for one question; pure in its key.
class QuestionDraws {
 public:
  explicit QuestionDraws(std::uint64_t key) : key_(key) {}
  double uniform() { return static_cast<double>(mix_bits(key_, counter_++) >> 11) * 0x1.0p-53; }
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(uniform() * static_cast<double>(high - low + 1));
  }
  /// Between low and high, nearer to high the larger `level` (0..1) is.
  std::int64_t scaled(double level, std::int64_t low, std::int64_t high) {
    const double span = static_cast<double>(high - low);
    const double at = span * (0.7 * level + 0.3 * uniform());
    return low + static_cast<std::int64_t>(at + 0.5);
  }
  template <class T>
  const T& pick(const std::vector<T>& list) {
    return list[static_cast<std::size_t>(between(0, static_cast<std::int64_t>(list.size()) - 1))];
  }

 private:
  std::uint64_t key_;
  std::uint64_t counter_ = 0;
};

/// A question before its form (plain, lettered, JSON) is chosen.
struct QuestionDraft {
  std::vector<std::string> wordings;  ///< at least two, each complete
  AnswerKind kind = AnswerKind::kNumber;
  std::string answer;
  std::vector<std::string> wrongs;  ///< plausible slips, most plausible first; may repeat the answer
};

struct FamilyRecipe {
  QuestionFamily family;
  QuestionDraft (*make)(QuestionDraws& draws, double level);
};
const std::vector<FamilyRecipe>& family_recipes();

}  // namespace brevet
