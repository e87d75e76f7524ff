// Goal: the shape of a text is what its header says. Method: small texts by hand, bounds on odd ones.
#include "features/text_shape.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "features/lexical.h"

namespace brevet {
namespace {

TEST(TextShape, FindsLetteredOptionsInOrder) {
  const auto parts = question_parts("What is it?\nA. one\n (B) two words\nC: three\nE. five");
  EXPECT_EQ(parts.stem, "What is it?");
  ASSERT_EQ(parts.options.size(), 3U) << "E without D is no option";
  EXPECT_EQ(parts.options[1], "two words");
  EXPECT_TRUE(question_parts("A. only one").options.empty());
  EXPECT_EQ(question_parts("A. only one").stem, "A. only one");
  EXPECT_TRUE(question_parts("A.x\nB.y").options.empty()) << "a blank has to follow the mark";
}

TEST(TextShape, NumbersByHand) {
  const std::string text = "Which of the following is NOT prime?\nA. 2\nB. 4";
  const auto shape = text_shape(text);
  EXPECT_NEAR(shape[0], std::log(1 + 46.0) - 6, 1e-5);    // bytes
  EXPECT_NEAR(shape[1], std::log(1 + 36.0) - 5.5, 1e-5);  // bytes of the stem
  EXPECT_NEAR(shape[2], 20.0 / 46, 1e-5);                 // digits
  EXPECT_NEAR(shape[4], 2.0 / 5 - 1, 1e-5);               // options
  EXPECT_EQ(shape[6], 0);                                 // no backslash
  EXPECT_EQ(shape[9], 0);                                 // no digit in the stem
  EXPECT_EQ(shape[15], 1);                                // every option is a number
  EXPECT_EQ(shape[16], 1);                                // negation
  EXPECT_EQ(shape[17], 1);                                // "which of the following"
  EXPECT_EQ(shape[21], 1);                                // ends in a question mark
  EXPECT_EQ(shape[31], 0);                                // "what"
  EXPECT_EQ(shape[32], 1);                                // "which"
}

TEST(TextShape, WordsAreWholeWordsAndFormulasAreSeen) {
  EXPECT_EQ(text_shape("A knotted rope.")[16], 0) << "'not' inside a word";
  EXPECT_EQ(text_shape("It isn't so.")[16], 1);
  EXPECT_EQ(text_shape("Take 3 + 4 of them.")[24], 1);
  EXPECT_EQ(text_shape("A well-known rope.")[24], 0);
  EXPECT_EQ(text_shape("In 1776 it began.")[26], 1);
  EXPECT_EQ(text_shape("Of 17760 it is one.")[26], 0);
}

TEST(TextShape, OddTextsStayInBoundsAndStatisticsCarryIt) {
  for (const auto& text :
       {std::string(), std::string(200'000, 'A'), std::string("\n\n\n"), std::string("A.\nB.\nC."),
        std::string("\xff\xfe\x80"), std::string(5000, '$'), std::string("A. \nB. ")}) {
    for (const float v : text_shape(text)) {
      EXPECT_TRUE(v >= -3 && v <= 3) << text.substr(0, 10);
    }
    EXPECT_EQ(text_statistics(text).shape, text_shape(text));
  }
}

}  // namespace
}  // namespace brevet
