// Goal: distilling keeps what lies apart apart, weights frequent pieces down, hears the user's own texts, and
// the eigenvalues behind it are right. Method: a made encoder whose pieces have known vectors; matrices with
// known spectra.
#include "train/distil_encoder.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "train/symmetric_eigen.h"

namespace brevet {
namespace {

constexpr std::size_t kWords = 200;
constexpr std::size_t kDimension = 8;

/// Words "w0" ... whose vectors lie in the first three of eight directions, but for noise of a hundredth.
class MadeEncoder final : public FullEncoder {
 public:
  MadeEncoder() {
    std::string vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n[unused0]\n";
    for (std::size_t i = 0; i < kWords; ++i) vocabulary += "w" + std::to_string(i) + "\n";
    tokenizer_ = *WordPiece::create(vocabulary);
  }
  Result<Embedding> embed(std::string_view) const override { return Embedding(kDimension, 1.0F); }
  Result<Embedding> mean_of(std::span<const std::int32_t> pieces) const override {
    if (fails) return fail(ErrorKind::kInternal, "encoder_failed", "no");
    Embedding out(kDimension, 0.1F);
    for (std::size_t k = 0; k < kDimension; ++k) {
      const auto noise =
          static_cast<double>(mix_bits(pieces.empty() ? 7 : pieces[0], k) >> 11) * 0x1p-53 - .5;
      out[k] += static_cast<float>(noise * (k < 3 ? 2 : .01));
    }
    return out;
  }
  std::vector<std::int32_t> encode(std::string_view text) const override { return tokenizer_->encode(text); }
  std::size_t dimension() const override { return kDimension; }
  const std::string& hash() const override { return hash_; }
  const WordPiece& tokenizer() const override { return *tokenizer_; }
  bool fails = false;

 private:
  std::shared_ptr<const WordPiece> tokenizer_;
  const std::string hash_ = "made";
};

std::shared_ptr<const SentenceEncoder> opened(const StaticEncoderFile& file) {
  return parse_static_encoder(static_encoder_bytes(file), "file").value();
}
double row_length(const StaticEncoderFile& file, std::size_t piece) {
  double squares = 0;
  for (std::size_t k = 0; k < file.info.dimension; ++k) {
    const double value = file.vectors[piece * file.info.dimension + k];
    squares += value * value;
  }
  return std::sqrt(squares);
}
double cosine(const Embedding& a, const Embedding& b) {
  double dot = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) dot += a[i] * b[i], aa += a[i] * a[i], bb += b[i] * b[i];
  return dot / std::sqrt(aa * bb);
}

TEST(SymmetricEigen, finds_a_known_spectrum) {
  Matrix a(3, 3);
  a.values = {2, -1, 0, -1, 2, -1, 0, -1, 2};
  const auto eigen = symmetric_eigen(a);
  EXPECT_NEAR(eigen.values[0], 2 + std::sqrt(2.0), 1e-12);
  EXPECT_NEAR(eigen.values[1], 2, 1e-12);
  EXPECT_NEAR(eigen.values[2], 2 - std::sqrt(2.0), 1e-12);
}

TEST(SymmetricEigen, vectors_are_orthonormal_and_rebuild_the_matrix) {
  constexpr std::size_t d = 60;
  Matrix x(d / 2, d);  // half the rank, so that half of the eigenvalues are 0
  for (std::size_t i = 0; i < x.values.size(); ++i)
    x.values[i] = static_cast<float>(static_cast<double>(mix_bits(3, i) >> 11) * 0x1p-53 - .5);
  const auto a = multiply(transposed(x), x);
  const auto eigen = symmetric_eigen(a);
  EXPECT_TRUE(std::is_sorted(eigen.values.rbegin(), eigen.values.rend()));
  EXPECT_NEAR(eigen.values[d / 2], 0, 1e-5);
  for (std::size_t i = 0; i < d; ++i) {
    for (std::size_t j = 0; j < d; ++j) {
      double dot = 0, rebuilt = 0;
      for (std::size_t k = 0; k < d; ++k) {
        dot += static_cast<double>(eigen.vectors.at(i, k)) * eigen.vectors.at(j, k);
        rebuilt += eigen.values[k] * eigen.vectors.at(k, i) * eigen.vectors.at(k, j);
      }
      EXPECT_NEAR(dot, i == j ? 1 : 0, 1e-5);
      EXPECT_NEAR(rebuilt, a.at(i, j), 1e-4);
    }
  }
}

TEST(DistilEncoder, frequencies_by_rank_sum_to_one) {
  double sum = 0;
  for (std::size_t rank = 0; rank < 1000; ++rank) sum += zipf_frequency(rank, 1000);
  EXPECT_NEAR(sum, 1, 1e-9);
  EXPECT_NEAR(zipf_frequency(0, 5) / zipf_frequency(4, 5), 3, 1e-12);
}

TEST(DistilEncoder, keeps_the_directions_in_which_pieces_differ) {
  const MadeEncoder encoder;
  DistilOptions options;
  options.dimension = 3;
  options.sif = 1;
  const auto file = distil_encoder(encoder, options);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_GT(file->info.measured[0].second, .999) << "variance kept";
  EXPECT_EQ(file->info.source_hash, "made");
  const auto made = opened(*file);
  EXPECT_EQ(made->dimension(), 3U);
  // Words as near to one another as the encoder has them, once the common part is taken away.
  Embedding mean(kDimension, 0.0F);
  for (std::int32_t i = 6; i < static_cast<std::int32_t>(6 + kWords); ++i) {
    for (std::size_t k = 0; k < kDimension; ++k) mean[k] += (*encoder.mean_of(std::array{i}))[k] / kWords;
  }
  for (int i = 0; i < 20; ++i) {
    auto a = *encoder.mean_of(std::array{6 + i}), b = *encoder.mean_of(std::array{7 + i});
    for (std::size_t k = 0; k < kDimension; ++k) a[k] -= mean[k], b[k] -= mean[k];
    const auto near =
        cosine(*made->embed("w" + std::to_string(i)), *made->embed("w" + std::to_string(i + 1)));
    EXPECT_NEAR(near, cosine(a, b), .03);
  }
}

TEST(DistilEncoder, frequent_pieces_count_less_and_special_ones_not_at_all) {
  const MadeEncoder encoder;
  DistilOptions options;
  options.dimension = kDimension;
  options.sif = 1e-3;
  const auto file = distil_encoder(encoder, options);
  ASSERT_TRUE(file);
  options.sif = 1;
  const auto even = distil_encoder(encoder, options);
  ASSERT_TRUE(even);
  const auto weight = [&](std::size_t piece) { return row_length(*file, piece) / row_length(*even, piece); };
  EXPECT_GT(weight(6 + kWords - 1), 10 * weight(6));
  for (const std::size_t special : {0, 3, 4, 5}) EXPECT_EQ(row_length(*file, special), 0) << special;
  EXPECT_GT(row_length(*file, 1), 0) << "[UNK] stands for what nobody knows";
  EXPECT_GT(row_length(*file, 2), 0) << "[CLS] stands for an empty text";
}

TEST(DistilEncoder, own_texts_say_what_is_frequent) {
  const MadeEncoder encoder;
  DistilOptions options;
  options.dimension = kDimension;
  options.sif = 1e-3;
  const auto by_rank = distil_encoder(encoder, options);
  std::string text;
  for (int i = 0; i < 500; ++i) text += "w150 ";
  options.texts.assign(2000, text);
  const auto by_texts = distil_encoder(encoder, options);
  ASSERT_TRUE(by_texts);
  EXPECT_LT(row_length(*by_texts, 6 + 150), .1 * row_length(*by_rank, 6 + 150));
  EXPECT_GT(row_length(*by_texts, 6), row_length(*by_rank, 6)) << "and what is not";
  EXPECT_EQ(by_texts->info.texts, 2000U);
  EXPECT_EQ(by_texts->info.texts_hash.size(), 64U);
}

TEST(DistilEncoder, threads_change_nothing_and_failures_are_told) {
  MadeEncoder encoder;
  DistilOptions options;
  options.dimension = 4;
  const auto one = distil_encoder(encoder, options);
  options.threads = 3;
  EXPECT_EQ(distil_encoder(encoder, options)->vectors, one->vectors);
  options.stop = [] { return true; };
  EXPECT_EQ(distil_encoder(encoder, options).error().code, "interrupted");
  options.stop = nullptr;
  options.dimension = kDimension + 1;
  EXPECT_EQ(distil_encoder(encoder, options).error().code, "bad_option");
  options.dimension = 4;
  options.sif = 0;
  EXPECT_EQ(distil_encoder(encoder, options).error().code, "bad_option");
  options.sif = 1;
  encoder.fails = true;
  EXPECT_EQ(distil_encoder(encoder, options).error().code, "encoder_failed");
}

}  // namespace
}  // namespace brevet
