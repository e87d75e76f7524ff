// Goal: answers are grouped by what they come to, and who has no vote has none.
// Method: hand-written answers to a choice, a number and an open question.
#include "compare/vote.h"

#include <gtest/gtest.h>

#include <cmath>

namespace brevet {
namespace {

Vote vote(std::string_view question, const std::vector<std::string>& texts) {
  std::vector<Answer> answers;
  for (const auto& text : texts) {
    auto& answer = answers.emplace_back();
    answer.text = text;
    answer.finish_reason = "stop";
  }
  std::vector<const Answer*> pointers;
  for (const auto& answer : answers) pointers.push_back(&answer);
  CompareContext context;
  context.question = question;
  return count_votes(pointers, context);
}

TEST(Vote, GroupsByValueWhateverTheWording) {
  const auto found = vote("What is 6 times 7?", {"The answer is 41.", "42", "It is 42.", "6 * 7 = 42"});
  EXPECT_EQ(found.group, (std::vector<int>{0, 1, 1, 1}));
  EXPECT_EQ(found.leader, 1);
  EXPECT_EQ(found.leading(), 3U);
  EXPECT_EQ(found.second, 1U);
  EXPECT_EQ(found.first_of_leader(), 1U);
  EXPECT_NEAR(found.entropy(), -(.25 * std::log(.25) + .75 * std::log(.75)), 1e-12);
}

TEST(Vote, WhoGivesNoChoiceHasNoVote) {
  const auto found = vote("Which is a mammal?\nA. salmon\nB. bat\nC. crow",
                          {"I cannot say.", "B", "The answer is (B).", ""});
  EXPECT_EQ(found.group, (std::vector<int>{-1, 0, 0, -1}));
  EXPECT_EQ(found.votes(), 2U);
}

TEST(Vote, ATieGoesToTheFirst) {
  const auto found = vote("What is 6 times 7?", {"41", "42"});
  EXPECT_EQ(found.leader, 0);
  EXPECT_EQ(found.second, 1U);
}

TEST(Vote, NobodyVotesAmongNobody) {
  const auto found = vote("What is 6 times 7?", {});
  EXPECT_EQ(found.leader, -1);
  EXPECT_EQ(found.leading(), 0U);
  EXPECT_EQ(found.entropy(), 0);
}

}  // namespace
}  // namespace brevet
