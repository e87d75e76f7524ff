// Goal: the encoder gives unit vectors in which likeness of meaning is closeness, the same each time, and
// says clearly what it cannot open. Method: the real model that scripts/lib/deps.sh fetches;
// tests/encoder_reference.py compares the vectors with ONNX Runtime called from Python.
#include "features/encoder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>
#include "base/test_folder.h"

namespace brevet {
namespace {

std::string folder() {
  const char* set = std::getenv("BREVET_THIRD_PARTY");
  return std::string(set != nullptr ? set : BREVET_SOURCE_DIR "/third_party") + "/minilm";
}

double dot(const Embedding& a, const Embedding& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

struct Encoder : testing::Test {
  void SetUp() override {
    if (!std::ifstream(folder() + "/model.onnx")) {
      GTEST_SKIP() << folder() << " has no model; scripts/lib/deps.sh fetches it";
    }
    static const auto shared = make_encoder({.folder = folder()});
    ASSERT_TRUE(shared) << shared.error().message;
    encoder = *shared;
  }
  Embedding embed(std::string_view text) {
    auto result = encoder->embed(text);
    EXPECT_TRUE(result) << result.error().message;
    return result ? *result : Embedding(encoder->dimension());
  }
  std::shared_ptr<const SentenceEncoder> encoder;
};

TEST_F(Encoder, gives_unit_vectors_of_its_dimension_whatever_the_text) {
  EXPECT_EQ(encoder->dimension(), 384u);
  EXPECT_EQ(encoder->hash().size(), 64u);
  for (const std::string& text :
       {std::string(), std::string("a"), std::string("\xFF\xFE"), std::string(300'000, 'x'),
        std::string("日本の首都はどこですか"), std::string("\0b", 2)}) {
    const auto v = embed(text);
    ASSERT_EQ(v.size(), 384u);
    EXPECT_NEAR(dot(v, v), 1.0, 1e-5);
  }
}

TEST_F(Encoder, likeness_of_meaning_is_closeness) {
  const auto question = embed("How do I reverse a list in Python?");
  EXPECT_GT(dot(question, embed("Python: turn an array back to front")),
            dot(question, embed("What is the boiling point of nitrogen?")) + 0.2);
}

TEST_F(Encoder, is_the_same_each_time_and_from_many_threads) {
  const std::string text = "Which enzyme unwinds DNA during replication?";
  const auto once = embed(text);
  std::vector<Embedding> others(4);
  std::vector<std::thread> threads;
  for (auto& other : others) threads.emplace_back([&] { other = *encoder->embed(text); });
  for (auto& thread : threads) thread.join();
  for (const auto& other : others) EXPECT_EQ(other, once);
}

TEST_F(Encoder, cuts_long_texts_in_the_middle) {
  std::string words;
  for (int i = 0; i < 40'000; ++i) words += "word" + std::to_string(i) + " ";
  for (const auto& text : {words.substr(0, 20'000), words}) {  // below and above the bytes that are looked at
    const auto pieces = encoder->encode(text);
    ASSERT_EQ(pieces.size(), 256u);
    EXPECT_EQ(pieces.front(), encoder->tokenizer().cls());
    EXPECT_EQ(pieces.back(), encoder->tokenizer().sep());
    auto whole = encoder->tokenizer().pieces(text);
    EXPECT_TRUE(std::equal(pieces.begin() + 1, pieces.begin() + 128, whole.begin()));
    EXPECT_TRUE(std::equal(pieces.end() - 128, pieces.end() - 1, whole.end() - 127));
  }
}

TEST_F(Encoder, another_cap_is_another_identity) {
  const auto shorter = make_encoder({.folder = folder(), .pieces_max = 64});
  ASSERT_TRUE(shorter);
  EXPECT_NE((*shorter)->hash(), encoder->hash());
  EXPECT_EQ((*shorter)->encode(std::string(4000, '.')).size(), 64u);
}

TEST_F(Encoder, a_short_message_is_read_with_the_turn_before) {
  const auto& tokenizer = encoder->tokenizer();
  EXPECT_EQ(embedding_text(tokenizer, "And in Python?", "Reverse a list in Rust."),
            "Reverse a list in Rust.\nAnd in Python?");
  EXPECT_EQ(embedding_text(tokenizer, "And in Python?", ""), "And in Python?");
  const std::string nineteen = "a a a a a a a a a a a a a a a a a a a";
  EXPECT_EQ(embedding_text(tokenizer, nineteen, "before"), "before\n" + nineteen);
  EXPECT_EQ(embedding_text(tokenizer, nineteen + " a", "before"), nineteen + " a");
}

TEST_F(Encoder, says_what_it_cannot_open) {
  EXPECT_EQ(make_encoder({.folder = "/nonexistent"}).error().code, "encoder_unreadable");
  EXPECT_EQ(make_encoder({.folder = folder(), .pieces_max = 2}).error().code, "encoder_unusable");
  const auto temporary = std::filesystem::path(test_folder()) / "encoder_test";
  std::filesystem::create_directories(temporary);
  std::ofstream(temporary / "model.onnx") << "not a model";
  EXPECT_EQ(make_encoder({.folder = temporary.string()}).error().code, "vocabulary_unreadable");
  std::filesystem::copy_file(folder() + "/vocab.txt", temporary / "vocab.txt",
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_EQ(make_encoder({.folder = temporary.string()}).error().code, "encoder_unusable");
  std::filesystem::remove_all(temporary);
}

}  // namespace
}  // namespace brevet
