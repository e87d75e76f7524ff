// Goal: a static encoder is the scaled sum of its rows whatever the text, survives its file, and a broken
// file is refused with a sentence. Method: a vocabulary of a few pieces with vectors that can be checked by
// hand.
#include "features/static_encoder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/test_folder.h"
#include "features/embedding_pool.h"

namespace brevet {
namespace {

StaticEncoderFile small() {
  StaticEncoderFile out;
  out.vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##c\n";
  out.info.source_hash = "source";
  out.info.dimension = 2;
  out.info.pieces_max = 4;
  out.info.texts = 7;
  out.info.texts_hash = "texts";
  out.info.command = "brevet encoder distil";
  out.info.created = "2026-01-01T00:00:00Z";
  out.info.measured = {{"variance_kept", .5}};
  //              [PAD] [UNK]  [CLS] [SEP] [MASK] a     b     ##c
  out.vectors = {0, 0, 0, .5F, 1, 0, 0, 0, 0, 0, 3, 0, 0, 4, -3, 0};
  return out;
}

std::shared_ptr<const SentenceEncoder> parsed(const StaticEncoderFile& file) {
  auto made = parse_static_encoder(static_encoder_bytes(file), "file");
  EXPECT_TRUE(made) << made.error().message;
  return made ? *made : nullptr;
}

TEST(StaticEncoder, adds_up_its_rows_at_unit_length) {
  const auto encoder = parsed(small());
  EXPECT_EQ(encoder->dimension(), 2U);
  EXPECT_EQ(*encoder->embed("a"), (Embedding{1, 0}));
  const auto both = *encoder->embed("B a");
  EXPECT_FLOAT_EQ(both[0], .6F);
  EXPECT_FLOAT_EQ(both[1], .8F);
  EXPECT_EQ(*encoder->embed("zz"), (Embedding{0, 1})) << "unknown pieces have a row of their own";
}

TEST(StaticEncoder, text_without_pieces_or_direction_has_the_row_of_cls) {
  const auto encoder = parsed(small());
  EXPECT_EQ(*encoder->embed(""), (Embedding{1, 0}));
  EXPECT_EQ(*encoder->embed(" \n\t"), (Embedding{1, 0}));
  EXPECT_EQ(*encoder->embed("ac"), (Embedding{1, 0})) << "3 and -3";
}

TEST(StaticEncoder, cuts_long_texts_in_the_middle_and_stays_quick_on_endless_ones) {
  const auto encoder = parsed(small());
  EXPECT_EQ(encoder->encode("a a b b b b b a a").size(), 4U);
  EXPECT_EQ(*encoder->embed("a a b b b b b a a"), (Embedding{1, 0}));
  std::string text = "a a ";
  for (int i = 0; i < 200'000; ++i) text += "b ";
  EXPECT_EQ(*encoder->embed(text + "a a"), (Embedding{1, 0}));
}

TEST(StaticEncoder, file_gives_back_what_it_was_made_of) {
  const auto path = test_folder() + "small.static";
  const auto hash = write_static_encoder(small(), path);
  ASSERT_TRUE(hash);
  StaticEncoderInfo info;
  const auto read = read_static_encoder(path, &info);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ((*read)->hash(), *hash);
  EXPECT_EQ(info.source_hash, "source");
  EXPECT_EQ(info.pieces_max, 4U);
  EXPECT_EQ(info.texts, 7U);
  EXPECT_EQ(info.texts_hash, "texts");
  EXPECT_EQ(info.command, "brevet encoder distil");
  EXPECT_EQ(info.measured, small().info.measured);
  auto other = small();
  other.vectors[10] = 2;
  EXPECT_NE(parsed(other)->hash(), *hash) << "other numbers are another encoder";
}

TEST(StaticEncoder, refuses_every_changed_byte_and_every_cut) {
  const auto bytes = static_encoder_bytes(small());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    auto changed = bytes;
    changed[i] ^= 2;
    EXPECT_FALSE(parse_static_encoder(changed, "file")) << i;
    EXPECT_FALSE(parse_static_encoder(std::string_view(bytes).substr(0, i), "file")) << i;
  }
}

TEST(StaticEncoder, says_what_is_wrong_with_a_file) {
  const auto code = [](const StaticEncoderFile& file) {
    return parse_static_encoder(static_encoder_bytes(file), "file").error().code;
  };
  auto file = small();
  file.info.dimension = 0;
  EXPECT_EQ(code(file), "static_encoder_corrupt");
  file = small();
  file.vectors.resize(14);
  EXPECT_EQ(code(file), "static_encoder_corrupt") << "one row too few";
  file = small();
  file.vectors[10] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(code(file), "static_encoder_corrupt");
  file = small();
  file.vectors[4] = 0;
  EXPECT_EQ(code(file), "static_encoder_corrupt") << "nothing for an empty text";
  file = small();
  file.vocabulary = "a\nb\n";
  EXPECT_EQ(code(file), "vocabulary_invalid");
  auto newer = static_encoder_bytes(small());
  newer.replace(newer.find(" 1\n"), 3, " 2\n");
  EXPECT_EQ(parse_static_encoder(newer, "file").error().code, "static_encoder_version");
  EXPECT_EQ(read_static_encoder(test_folder() + "none").error().code, "static_encoder_unreadable");
  EXPECT_EQ(write_static_encoder(small(), test_folder() + "no/such").error().code,
            "static_encoder_unwritable");
}

TEST(StaticEncoder, embeds_where_it_is_asked) {
  const auto pool = make_inline_embedding(parsed(small()));
  asio::io_context context(1);
  Embedding got;
  asio::co_spawn(
      context,
      [](EmbeddingPool* from, Embedding* into) -> Task<void> {
        auto embedded = co_await from->embed("a");
        if (embedded) *into = **embedded;
      }(pool.get(), &got),
      asio::detached);
  EXPECT_GT(context.run(), 0U);
  EXPECT_EQ(got, (Embedding{1, 0}));
  EXPECT_EQ(pool->counts().computed, 1U);
  EXPECT_EQ(pool->encoder().dimension(), 2U);
}

}  // namespace
}  // namespace brevet
