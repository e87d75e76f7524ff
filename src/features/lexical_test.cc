// Goal: hashed words and counts are what the header says. Method: small texts with known answers.
#include "features/lexical.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

namespace brevet {
namespace {

double norm(const SparseVector& v) {
  double squares = 0;
  for (const float x : v.value) squares += static_cast<double>(x) * x;
  return std::sqrt(squares);
}

double dot(const SparseVector& a, const SparseVector& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.index.size(); ++i) {
    const auto at = std::lower_bound(b.index.begin(), b.index.end(), a.index[i]);
    if (at != b.index.end() && *at == a.index[i]) sum += a.value[i] * b.value[at - b.index.begin()];
  }
  return sum;
}

TEST(Lexical, is_sorted_unit_length_and_within_the_dimension) {
  const auto v = lexical_features("The quick brown fox jumps over the lazy dog; the dog sleeps.",
                                  {.dimension = 1U << 12});
  ASSERT_FALSE(v.index.empty());
  EXPECT_EQ(v.index.size(), v.value.size());
  EXPECT_TRUE(std::is_sorted(v.index.begin(), v.index.end()));
  EXPECT_EQ(std::adjacent_find(v.index.begin(), v.index.end()), v.index.end());
  EXPECT_LT(v.index.back(), 1U << 12);
  EXPECT_NEAR(norm(v), 1.0, 1e-6);
}

TEST(Lexical, counts_unigrams_and_bigrams_sublinearly) {
  const LexicalOptions words_only{.bigrams = false};
  EXPECT_EQ(lexical_features("red red blue", words_only).index.size(), 2u);
  EXPECT_EQ(lexical_features("red green blue").index.size(), 5u);
  const auto v = lexical_features("red red red blue", words_only);
  const auto [low, high] = std::minmax(v.value[0], v.value[1]);
  EXPECT_NEAR(high / low, 1.0 + std::log(3.0), 1e-5);
}

TEST(Lexical, ignores_case_and_punctuation_and_which_number_it_is) {
  EXPECT_EQ(lexical_features("What is 17 + 25?").index, lexical_features("what, is (31) 99").index);
  EXPECT_NE(lexical_features("what is 17").index, lexical_features("what is 1700").index);
  EXPECT_TRUE(lexical_features(" ?! ").index.empty());
  EXPECT_TRUE(lexical_features("").value.empty());
}

TEST(Lexical, like_texts_are_closer_than_unlike_ones) {
  const auto a = lexical_features("How do I reverse a list in Python?");
  const auto b = lexical_features("How can I reverse a string in Python?");
  const auto c = lexical_features("Which treaty ended the thirty years war?");
  EXPECT_GT(dot(a, b), dot(a, c) + 0.2);
}

TEST(Lexical, numbering_is_stable_because_it_is_stored) {
  const auto v = lexical_features("capital of France", {.dimension = 1U << 18, .bigrams = false});
  // Written down once; another answer means that kLexicalVersion has to change.
  EXPECT_EQ(v.index, (std::vector<std::uint32_t>{2174, 24523, 247516}));
}

TEST(Lexical, a_long_text_is_read_at_both_ends_only) {
  const std::string middle(200'000, 'x');
  const LexicalOptions options{.bytes_max = 64};
  EXPECT_EQ(lexical_features("begin " + middle + " end", options).index.size(),
            lexical_features("begin xx end", options).index.size() + 1);
}

TEST(Lexical, statistics) {
  const auto s = text_statistics("Is 3.14 > 2,5?\nJa, Größe x1 v2.0\n");
  EXPECT_EQ(s.words, 8u);  // Is 3.14 2,5 Ja Größe x1 v2 0
  EXPECT_EQ(s.numbers, 3u);
  EXPECT_EQ(s.lines, 2u);
  EXPECT_EQ(s.bytes, 35u);
  EXPECT_EQ(s.code_points, 33u);
  EXPECT_NEAR(s.non_ascii_share, 2.0 / 33, 1e-6);
  EXPECT_EQ(text_statistics("").lines, 0u);
}

}  // namespace
}  // namespace brevet
