// Goal: labels are read as probabilities however the tokens are spelled, and the prompt cannot be escaped
// from. Method: lists of alternatives with known sums; questions that hold the fence, and long ones.
#include "prompt/label_prompt.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace brevet {
namespace {

TEST(LabelPrompt, shares_of_labels_sum_over_spellings) {
  const auto label = read_label({{"4", std::log(.3)},
                                 {" 4", std::log(.1)},
                                 {"5", std::log(.2)},
                                 {"1", std::log(.2)},
                                 {"The", std::log(.15)},
                                 {"45", std::log(.05)}});
  ASSERT_TRUE(label);
  EXPECT_NEAR(label->weak_suffices, .6 / .8, 1e-12);
  EXPECT_NEAR(label->on_labels, .8, 1e-12);
}

TEST(LabelPrompt, no_label_is_nothing) {
  EXPECT_FALSE(read_label({}));
  EXPECT_FALSE(read_label({{"The", -.1}, {"0", -1}, {"6", -1}, {"", -1}, {" ", -1}, {"44", -1}}));
  EXPECT_FALSE(read_label({{"4", -std::numeric_limits<double>::infinity()}})) << "impossible is not a label";
  EXPECT_FALSE(read_label({{"4", std::nan("")}}));
  EXPECT_NEAR(read_label({{"4", .5}})->on_labels, 1, 1e-12) << "rounding of the provider";
}

TEST(LabelPrompt, question_stays_inside_its_fence) {
  const auto messages = label_messages("a ===== b ====== c");
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_TRUE(std::string_view(messages[0].text).starts_with(kLabelMarker));
  const auto& user = messages[1].text;
  const std::string fence = "\n=======\n";
  const auto first = user.find(fence), second = user.rfind(fence);
  EXPECT_LT(first, second);
  EXPECT_EQ(user.substr(first + fence.size(), second - first - fence.size()), "a ===== b ====== c");
}

TEST(LabelPrompt, long_questions_show_both_ends_whole_characters) {
  std::string question = "BEGIN ";
  while (question.size() < 3 * kLabelQuestionBytesMax) question += "ä";
  const auto messages = label_messages(question + " END");
  EXPECT_LT(messages[1].text.size(), kLabelQuestionBytesMax + 200);
  EXPECT_NE(messages[1].text.find("BEGIN"), std::string::npos);
  EXPECT_NE(messages[1].text.find(" END"), std::string::npos);
  const auto cut = messages[1].text.find("\n[...]\n");
  ASSERT_NE(cut, std::string::npos);
  EXPECT_EQ(messages[1].text.substr(cut - 2, 2), "ä");
  EXPECT_EQ(messages[1].text.substr(cut + 7, 2), "ä");
}

}  // namespace
}  // namespace brevet
