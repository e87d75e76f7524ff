// Goal: embeddings on disk are the ones that were embedded, and a damaged or foreign file is never trusted.
// Method: a fake pool that counts, temporary files, truncation at every byte of the last record.
#include "features/embedding_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace brevet {
namespace {

class FakeEncoder : public SentenceEncoder {
 public:
  explicit FakeEncoder(std::string hash) : hash_(std::move(hash)) {}
  Result<Embedding> embed(std::string_view text) const override {
    return Embedding{static_cast<float>(text.size()), 1};
  }
  std::vector<std::int32_t> encode(std::string_view) const override { return {}; }
  std::size_t dimension() const override { return 2; }
  const std::string& hash() const override { return hash_; }
  const WordPiece& tokenizer() const override { std::abort(); }

 private:
  std::string hash_;
};

class FakePool : public EmbeddingPool {
 public:
  explicit FakePool(std::string hash = "h1") : encoder_(std::move(hash)) {}
  Task<Result<std::shared_ptr<const Embedding>>> embed(std::string text) override {
    ++calls;
    co_return std::make_shared<const Embedding>(*encoder_.embed(text));
  }
  const SentenceEncoder& encoder() const override { return encoder_; }
  EmbeddingPoolCounts counts() const override { return {}; }
  int calls = 0;

 private:
  FakeEncoder encoder_;
};

Task<void> embed_into(EmbeddingPool* pool, std::string text, Embedding* out) {
  auto made = co_await pool->embed(std::move(text));
  if (made) *out = **made;
}

Embedding run_embed(EmbeddingPool& pool, const std::string& text) {
  asio::io_context context;
  Embedding out;
  asio::co_spawn(context, embed_into(&pool, text, &out), asio::detached);
  context.run();
  return out;
}

class EmbeddingFileTest : public testing::Test {
 protected:
  EmbeddingFileTest()
      : path_((std::filesystem::temp_directory_path() / ("brevet-embeddings-" + std::to_string(getpid())))
                  .string()) {
    std::filesystem::remove(path_);
  }
  ~EmbeddingFileTest() override { std::filesystem::remove(path_); }
  std::string path_;
};

TEST_F(EmbeddingFileTest, SecondRunReadsWhatTheFirstEmbedded) {
  FakePool first, second;
  {
    auto file = make_embedding_file(first, {path_});
    ASSERT_TRUE(file);
    EXPECT_EQ(run_embed(**file, "abc"), (Embedding{3, 1}));
    EXPECT_EQ(run_embed(**file, "abcd"), (Embedding{4, 1}));
    EXPECT_EQ(run_embed(**file, "abc"), (Embedding{3, 1}));
  }
  EXPECT_EQ(first.calls, 2);
  auto file = make_embedding_file(second, {path_});
  ASSERT_TRUE(file);
  EXPECT_EQ(run_embed(**file, "abcd"), (Embedding{4, 1}));
  EXPECT_EQ(second.calls, 0);
}

TEST_F(EmbeddingFileTest, TornEndIsCutOffAndWrittenAgain) {
  FakePool pool;
  run_embed(**make_embedding_file(pool, {path_}), "abc");
  run_embed(**make_embedding_file(pool, {path_}), "abcd");
  const auto whole = std::filesystem::file_size(path_);
  for (std::uintmax_t cut = 1; cut < 24; ++cut) {
    std::filesystem::resize_file(path_, whole - cut);
    FakePool again;
    auto file = make_embedding_file(again, {path_});
    ASSERT_TRUE(file);
    EXPECT_EQ(run_embed(**file, "abc"), (Embedding{3, 1}));
    EXPECT_EQ(again.calls, 0) << cut;
    EXPECT_EQ(run_embed(**file, "abcd"), (Embedding{4, 1}));
    EXPECT_EQ(again.calls, 1) << cut;
  }
}

TEST_F(EmbeddingFileTest, TheFirstToOpenWritesAndTheSecondReads) {
  FakePool first, second, third;
  auto writer = make_embedding_file(first, {path_}).value();
  EXPECT_EQ(run_embed(*writer, "abc"), (Embedding{3, 1}));
  {
    auto reader = make_embedding_file(second, {path_}).value();
    EXPECT_EQ(run_embed(*reader, "abc"), (Embedding{3, 1}));
    EXPECT_EQ(second.calls, 0);
    const auto size = std::filesystem::file_size(path_);
    EXPECT_EQ(run_embed(*reader, "abcdef"), (Embedding{6, 1}));
    EXPECT_EQ(run_embed(*reader, "abcdef"), (Embedding{6, 1}));
    EXPECT_EQ(second.calls, 1) << "kept in memory";
    EXPECT_EQ(std::filesystem::file_size(path_), size) << "and not in the file";
  }
  EXPECT_EQ(run_embed(*writer, "abcd"), (Embedding{4, 1}));
  writer.reset();
  auto again = make_embedding_file(third, {path_}).value();
  EXPECT_EQ(run_embed(*again, "abc"), (Embedding{3, 1}));
  EXPECT_EQ(run_embed(*again, "abcd"), (Embedding{4, 1}));
  EXPECT_EQ(third.calls, 0);
}

TEST_F(EmbeddingFileTest, AnotherEncodersFileIsRefused) {
  FakePool mine("h1"), other("h2");
  run_embed(**make_embedding_file(mine, {path_}), "abc");
  const auto refused = make_embedding_file(other, {path_});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "embedding_file_unusable");
}

}  // namespace
}  // namespace brevet
