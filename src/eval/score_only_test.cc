// Goal: where a file has scores alone, comparing two played answers says exactly what scores can say. Method:
// every pair of scores under every kind of question that comparing tells apart.
#include <gtest/gtest.h>

#include "compare/compare.h"
#include "upstream/recorded_model.h"

namespace brevet {
namespace {

constexpr const char* kQuestions[] = {
    "Which is a prime?\n\nA. four\nB. six\nC. seven\nD. eight",
    "Is it so?\nA) yes\nB) no",
    "How many apples are left?",
    "Is water wet? Answer yes or no.",
    "Write a letter to the landlord about the heating.",
    "Translate the text.",
};

Verdict compared(double weak, double strong, const char* question, bool json) {
  Answer first;
  Answer second;
  first.text = score_only_answer(weak, "mixtral-8x7b");
  second.text = score_only_answer(strong, "gpt-4-1106-preview");
  first.finish_reason = second.finish_reason = "stop";
  CompareContext context;
  context.question = question;
  context.has_response_format = json;
  const auto there = compare_answers(first, second, context).verdict;
  EXPECT_EQ(there, compare_answers(second, first, context).verdict) << "order matters";
  return there;
}

TEST(ScoreOnly, ComparingSaysWhatScoresCanSay) {
  const struct {
    double weak, strong;
    Verdict verdict;
  } cases[] = {{1, 1, Verdict::kSame},
               {1, 0, Verdict::kDifferent},
               {0, 0, Verdict::kCannotTell},
               {.9, .9, Verdict::kSame},
               {.9, .8, Verdict::kDifferent},
               {.3, .2, Verdict::kCannotTell},
               {.3, .3, Verdict::kCannotTell},
               {1, .9, Verdict::kDifferent},
               {.9, .3, Verdict::kDifferent},
               {.5, .5, Verdict::kSame},
               {.5, .499, Verdict::kDifferent},
               {2. / 3, 2. / 3, Verdict::kSame},
               {2. / 3, .667, Verdict::kDifferent}};
  for (const auto* question : kQuestions) {
    for (const bool json : {false, true}) {
      for (const auto& one : cases) {
        EXPECT_EQ(static_cast<int>(compared(one.weak, one.strong, question, json)),
                  static_cast<int>(one.verdict))
            << one.weak << " and " << one.strong << " on: " << question << (json ? " (JSON)" : "");
      }
    }
  }
}

TEST(ScoreOnly, EveryMarkOfTenIsTakenForItself) {
  for (int a = 0; a <= 10; ++a) {
    for (int b = 0; b <= 10; ++b) {
      const auto wanted = a < 5 && b < 5 ? Verdict::kCannotTell
                          : a == b       ? Verdict::kSame
                                         : Verdict::kDifferent;
      EXPECT_EQ(static_cast<int>(compared(a / 10., b / 10., kQuestions[4], false)), static_cast<int>(wanted))
          << a << " and " << b << " of ten";
    }
  }
}

}  // namespace
}  // namespace brevet
