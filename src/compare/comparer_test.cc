// Goal: what is remembered is what comparing says, for every part that a comparison reads. Method: all pairs
// of answers that differ in one part each, asked twice and beyond the bound.
#include "compare/comparer.h"

#include <gtest/gtest.h>

#include <vector>

namespace brevet {
namespace {

Answer answer(std::string text, std::string finish = "stop") {
  Answer out;
  out.text = std::move(text);
  out.finish_reason = std::move(finish);
  return out;
}

TEST(Comparer, RemembersWhatComparingSays) {
  std::vector<Answer> answers = {
      answer("The answer is (A)."),
      answer("The answer is (B)."),
      answer("The answer is (A).", "length"),
      answer("{\"a\": 1}"),
      answer("42"),
      answer("Nothing that could be checked, told at some length and in other words."),
      answer("")};
  answers.push_back(answer("The answer is (A)."));
  answers.back().tool_calls.push_back({"id", "look", "{}"});
  const std::string choice = "Which?\nA. one\nB. two\nC. three\nD. four";
  std::vector<CompareContext> contexts(4);
  contexts[0].question = choice;
  contexts[1].question = "How many?";
  contexts[2].question = "How many?";
  contexts[2].has_response_format = true;
  contexts[3].question = "How many?";
  contexts[3].embedding_similarity = 0.99;
  for (const std::size_t bound : {std::size_t{1000}, std::size_t{3}, std::size_t{0}}) {
    const auto remembering = make_remembering_comparer(bound);
    for (int again = 0; again < 2; ++again) {
      for (const auto& context : contexts) {
        for (const auto& first : answers) {
          for (const auto& second : answers) {
            const auto expected = compare_answers(first, second, context);
            for (Comparer* comparer : {remembering.get(), &plain_comparer()}) {
              const auto found = comparer->compare(first, second, context);
              EXPECT_EQ(found.comparison.verdict, expected.verdict) << first.text << " | " << second.text;
              EXPECT_EQ(found.comparison.method, expected.method);
              EXPECT_EQ(found.comparison.similarity, expected.similarity);
              EXPECT_STREQ(found.comparison.why, expected.why);
              EXPECT_EQ(found.wants_embedding,
                        expected.verdict == Verdict::kCannotTell && wants_embedding(first, second, context));
            }
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace brevet
