// 1. Each piece alone through the encoder: [CLS] piece [SEP], mean of the last layer.
// 2. Their mean is taken away, and the first `dimension` principal components are kept.
// 3. Each row times a / (a + p(piece)), so that "the" does not drown what a text is about.
// Example: of 384 numbers a piece 256 remain, which keep most of the variance (told as variance_kept).
// Known weakness: a piece alone is not what it is in a sentence; "##ing" says little, and nothing is
// disambiguated.
#include "train/distil_encoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>
#include <optional>
#include <thread>

#include "base/random.h"
#include "train/matrix.h"
#include "train/symmetric_eigen.h"

namespace brevet {
namespace {

constexpr std::size_t kProgressEach = 256;

/// A piece that no text has: [PAD], [MASK], [unused7]. [UNK] is one that texts have.
bool never_in_texts(std::string_view piece) {
  return piece.size() > 2 && piece.front() == '[' && piece.back() == ']' && piece != "[UNK]";
}

std::string vocabulary_of(const WordPiece& tokenizer) {
  std::string out;
  for (std::size_t i = 0; i < tokenizer.size(); ++i) {
    out += tokenizer.piece(static_cast<std::int32_t>(i));
    out += '\n';
  }
  return out;
}

/// Row i: the mean of `used[i]` alone; the last row that of no piece at all.
Result<Matrix> piece_means(const FullEncoder& encoder, const std::vector<std::int32_t>& used,
                           const DistilOptions& options) {
  Matrix out(used.size() + 1, encoder.dimension());
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::optional<Error> failed;  // guarded by mutex while threads run
  const auto work = [&] {
    for (std::size_t i = next++; i < out.rows; i = next++) {
      if (i % kProgressEach == 0) {
        const std::lock_guard lock(mutex);
        if (failed) return;
        if (options.progress) options.progress(i, out.rows);
        if (options.stop && options.stop()) {
          failed =
              Error{ErrorKind::kCancelled, "interrupted", "Distilling was stopped; nothing was written."};
          return;
        }
      }
      const auto piece = std::span(used).subspan(std::min(i, used.size()), i < used.size() ? 1 : 0);
      const auto mean = encoder.mean_of(piece);
      if (!mean) {
        const std::lock_guard lock(mutex);
        failed = mean.error();
        return;
      }
      std::copy(mean->begin(), mean->end(), out.row(i));
    }
  };
  std::vector<std::thread> threads;
  for (int i = 1; i < options.threads; ++i) threads.emplace_back(work);
  work();
  for (auto& thread : threads) thread.join();
  if (failed) return fail(*failed);
  return out;
}

/// Share of the pieces of all texts, for each piece of `used`.
std::vector<double> frequencies(const WordPiece& tokenizer, const std::vector<std::int32_t>& used,
                                const DistilOptions& options) {
  std::vector<double> counts(tokenizer.size(), 0);
  double all = 0;
  for (const auto& text : options.texts) {
    for (const auto piece : content_pieces(tokenizer, text, options.pieces_max)) {
      counts[static_cast<std::size_t>(piece)] += 1;
      all += 1;
    }
  }
  const double prior = all > 0 ? kPriorPieces : 1;
  std::vector<double> out;
  for (std::size_t rank = 0; rank < used.size(); ++rank) {
    out.push_back((counts[static_cast<std::size_t>(used[rank])] + prior * zipf_frequency(rank, used.size())) /
                  (all + prior));
  }
  return out;
}

}  // namespace

double zipf_frequency(std::size_t rank, std::size_t count) {
  double sum = 0;
  // Harmonic numbers by their asymptotic series: exact to 1e-9 from ten on.
  const auto harmonic = [](double n) {
    double out = 0;
    while (n < 10) out -= 1 / ++n;
    const double square = n * n;
    return out + std::log(n) + 0.57721566490153286 + 1 / (2 * n) - 1 / (12 * square) +
           1 / (120 * square * square);
  };
  sum = harmonic(static_cast<double>(count) + 1) - 1;
  return 1 / (static_cast<double>(rank) + 2) / sum;
}

Result<StaticEncoderFile> distil_encoder(const FullEncoder& encoder, const DistilOptions& options) {
  const auto& tokenizer = encoder.tokenizer();
  const std::size_t d = encoder.dimension();
  if (options.dimension == 0 || options.dimension > d) {
    return fail(ErrorKind::kCallerInvalid, "bad_option",
                fmt::format("The dimension must lie between 1 and {}, the encoder's own.", d), "--dimension");
  }
  if (!(options.sif > 0 && options.sif <= 1) || options.pieces_max == 0) {
    return fail(ErrorKind::kCallerInvalid, "bad_option",
                "The weighting must lie over 0 and not over 1, and a text has at least one piece.", "--sif");
  }
  std::vector<std::int32_t> used;
  for (std::size_t i = 0; i < tokenizer.size(); ++i) {
    const auto piece = static_cast<std::int32_t>(i);
    if (!never_in_texts(tokenizer.piece(piece))) used.push_back(piece);
  }
  auto means = piece_means(encoder, used, options);
  if (!means) return fail(means.error());
  std::vector<double> mean(d, 0);
  for (std::size_t i = 0; i < used.size(); ++i) {
    for (std::size_t k = 0; k < d; ++k) mean[k] += means->at(i, k);
  }
  for (std::size_t i = 0; i < means->rows; ++i) {
    for (std::size_t k = 0; k < d; ++k)
      means->at(i, k) -= static_cast<float>(mean[k] / static_cast<double>(used.size()));
  }
  Matrix pieces = *means;
  pieces.rows = used.size();
  pieces.values.resize(used.size() * d);
  const auto eigen = symmetric_eigen(multiply(transposed(pieces), pieces));
  Matrix axes(d, options.dimension);
  double kept = 0, whole = 0;
  for (std::size_t i = 0; i < d; ++i) {
    whole += eigen.values[i];
    if (i >= options.dimension) continue;
    kept += eigen.values[i];
    for (std::size_t k = 0; k < d; ++k) axes.at(k, i) = eigen.vectors.at(i, k);
  }
  const auto reduced = multiply(*means, axes);
  const auto frequency = frequencies(tokenizer, used, options);
  StaticEncoderFile out;
  out.vectors.assign(tokenizer.size() * options.dimension, 0.0F);
  const auto put = [&](std::int32_t piece, const float* row, double weight) {
    float* into = out.vectors.data() + static_cast<std::size_t>(piece) * options.dimension;
    for (std::size_t k = 0; k < options.dimension; ++k) into[k] = row[k] * static_cast<float>(weight);
  };
  for (std::size_t i = 0; i < used.size(); ++i)
    put(used[i], reduced.row(i), options.sif / (options.sif + frequency[i]));
  put(tokenizer.cls(), reduced.row(used.size()), 1);
  out.vocabulary = vocabulary_of(tokenizer);
  auto& info = out.info;
  info.source_hash = encoder.hash();
  info.dimension = options.dimension;
  info.pieces_max = options.pieces_max;
  info.texts = options.texts.size();
  if (!options.texts.empty()) {
    std::string hashes;
    for (const auto& text : options.texts) hashes += sha256_hex(text);
    info.texts_hash = sha256_hex(hashes);
  }
  info.command = options.command;
  info.created = options.created;
  info.measured = {{"variance_kept", whole > 0 ? kept / whole : 1.0},
                   {"sif", options.sif},
                   {"pieces", static_cast<double>(used.size())}};
  return out;
}

}  // namespace brevet
