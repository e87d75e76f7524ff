// Goal: pieces are those of the reference tokenizer. Method: its recorded answers to a few hundred texts of
// ours, and a tiny vocabulary for each rule. tests/tokenizer_reference.py compares tens of thousands of texts
// live.
#include "features/wordpiece.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace brevet {
namespace {

std::string third_party() {
  const char* set = std::getenv("BREVET_THIRD_PARTY");
  return set != nullptr ? set : BREVET_SOURCE_DIR "/third_party";
}

std::shared_ptr<const WordPiece> small() {
  auto made = WordPiece::create(
      "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nun\n##aff\n##able\ncafe\n-\nstrasse\n中\na\n##b\n");
  return made ? *made : nullptr;
}

std::string words(const std::shared_ptr<const WordPiece>& tokenizer, std::string_view text) {
  std::string out;
  for (const auto number : tokenizer->pieces(text)) {
    if (!out.empty()) out += ' ';
    out += tokenizer->piece(number);
  }
  return out;
}

TEST(WordPiece, equals_the_reference_on_recorded_texts) {
  const auto path = third_party() + "/minilm/vocab.txt";
  if (!std::ifstream(path)) GTEST_SKIP() << path << " is missing; scripts/lib/deps.sh fetches it";
  const auto tokenizer = WordPiece::load(path);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  std::ifstream golden(BREVET_SOURCE_DIR "/tests/data/wordpiece_golden.txt");
  std::string line;
  int compared = 0;
  while (std::getline(golden, line)) {
    if (line.starts_with('#')) continue;
    const auto tab = line.find('\t');
    ASSERT_NE(tab, std::string::npos);
    std::string text;
    for (std::size_t i = 0; i + 1 < tab; i += 2) {
      text += static_cast<char>(std::stoi(line.substr(i, 2), nullptr, 16));
    }
    std::vector<std::int32_t> expected;
    std::istringstream numbers(line.substr(tab));
    for (std::int32_t number = 0; numbers >> number;) expected.push_back(number);
    EXPECT_EQ((*tokenizer)->encode(text), expected) << text;
    ++compared;
  }
  EXPECT_GE(compared, 300);
}

TEST(WordPiece, takes_the_longest_match_and_else_unknown) {
  const auto tokenizer = small();
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(words(tokenizer, "unaffable"), "un ##aff ##able");
  EXPECT_EQ(words(tokenizer, "unaffablex"), "[UNK]");
  EXPECT_EQ(words(tokenizer, "a" + std::string(99, 'b')).substr(0, 7), "a ##b #");
  EXPECT_EQ(words(tokenizer, "a" + std::string(100, 'b')), "[UNK]");
}

TEST(WordPiece, folds_case_accents_and_spacing) {
  const auto tokenizer = small();
  EXPECT_EQ(words(tokenizer, "CAF\u00C9-Cafe\u0301"), "cafe - cafe");
  EXPECT_EQ(words(tokenizer, "ca\u200Bf\x01\u00ADe\u3000a"), "cafe a");
  EXPECT_EQ(words(tokenizer, "a中a"), "a 中 a");
  EXPECT_EQ(words(tokenizer, ""), "");
}

TEST(WordPiece, names_of_special_tokens_become_those_tokens) {
  const auto tokenizer = small();
  EXPECT_EQ(words(tokenizer, "a[SEP]a"), "a [SEP] a");
  EXPECT_EQ(words(tokenizer, "[sep]"), "[UNK] [UNK] [UNK]");
}

TEST(WordPiece, malformed_utf8_is_dropped_part_by_part) {
  const auto tokenizer = small();
  EXPECT_EQ(words(tokenizer,
                  "ca\xFF\x66\xE4\xB8"
                  "e"),
            "cafe");
  EXPECT_EQ(decode_utf8("\xE4\xB8"
                        "a"),
            U"\uFFFDa");
  EXPECT_EQ(decode_utf8("\xED\xA0\x80"), U"\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(decode_utf8("\xF0\x9F\x98"), U"\uFFFD");
}

TEST(WordPiece, stops_after_most_pieces) {
  const auto tokenizer = small();
  EXPECT_EQ(tokenizer->pieces("a a a a", 3).size(), 3u);
  EXPECT_EQ(tokenizer->pieces("un unaffable", 2).size(), 2u);
}

TEST(WordPiece, cuts_in_the_middle) {
  std::vector<std::int32_t> content{1, 2, 3, 4, 5, 6};
  cut_in_the_middle(content, 5);
  EXPECT_EQ(content, (std::vector<std::int32_t>{1, 2, 3, 5, 6}));
  cut_in_the_middle(content, 2);
  EXPECT_EQ(content, (std::vector<std::int32_t>{1, 6}));
  cut_in_the_middle(content, 9);
  EXPECT_EQ(content.size(), 2u);
}

TEST(WordPiece, says_what_is_wrong_with_a_vocabulary) {
  EXPECT_EQ(WordPiece::load("/nonexistent").error().code, "vocabulary_unreadable");
  EXPECT_EQ(WordPiece::create("a\na\n").error().code, "vocabulary_invalid");
  EXPECT_EQ(WordPiece::create("a\n").error().code, "vocabulary_invalid");
}

}  // namespace
}  // namespace brevet
