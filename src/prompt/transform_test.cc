// Goal: the answer is told from its reasoning however a model dresses the marker, and is never lost.
// Method: answers as models write them; every transform of the list.
#include "prompt/transform.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace brevet {
namespace {

TEST(Transforms, HaveNamesEditsAndRoom) {
  std::set<std::string_view> names;
  for (const auto& transform : prompt_transforms()) {
    EXPECT_TRUE(names.insert(transform.name).second);
    EXPECT_EQ(find_transform(transform.name), &transform);
    EXPECT_FALSE(transform.edits.empty());
    EXPECT_NE(transform.edits.last_user_suffix.find(kFinalAnswerMark), std::string::npos);
    EXPECT_GT(transform.more_tokens, 0);
    EXPECT_EQ(transform.name.find_first_of("|= "), std::string_view::npos) << "it stands in a configuration";
  }
  EXPECT_TRUE(names.contains("cot"));
  EXPECT_EQ(find_transform(""), nullptr);
  EXPECT_EQ(find_transform("judge-ab-1"), nullptr);
}

TEST(SplitReasoning, FindsTheMarkerInEveryDress) {
  for (const std::string text :
       {"6*7 = 42\nFinal answer: 42", "Steps.\n**Final answer:** 42\n", "Steps.\n## Final Answer : 42",
        "Steps\n> FINAL ANSWER:\n\n42", "Final answer: 41? No.\nFinal answer: 42", "**Final answer**: 42"}) {
    const auto split = split_reasoning(text);
    EXPECT_EQ(split.answer, "42") << text;
    EXPECT_EQ(std::string(split.reasoning) + "42", text.substr(0, text.find_last_of('2') + 1)) << text;
  }
}

TEST(SplitReasoning, KeepsTheWholeWhereThereIsNone) {
  for (const std::string text :
       {"", "42", "The final answer is 42.", "Steps.\nFinal answer:", "Final answers: 4"}) {
    EXPECT_EQ(split_reasoning(text).answer, text);
    EXPECT_TRUE(split_reasoning(text).reasoning.empty());
  }
  EXPECT_EQ(split_reasoning("Final answer: first\nand second\n").answer, "first\nand second");
}

}  // namespace
}  // namespace brevet
