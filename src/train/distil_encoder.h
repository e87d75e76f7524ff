// A static encoder from the full one: what each piece of the vocabulary means alone, reduced and weighted.
//
// Called by `brevet encoder distil`. Takes about a minute of a core for 30,000 pieces. Deterministic for the
// same encoder, options and texts. Does not read or write files.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "features/static_encoder.h"

namespace brevet {

struct DistilOptions {
  std::size_t dimension = 256;     ///< principal components kept: fewer are faster and blur more
  double sif = 1e-4;               ///< a of a / (a + p): pieces with a frequency p over it count less
  std::size_t pieces_max = 512;    ///< of a text at serving
  std::vector<std::string> texts;  ///< the user's own: their frequencies take the place of the rank's
  int threads = 1;
  std::string command;
  std::string created;
  std::function<void(std::size_t done, std::size_t all)> progress;
  std::function<bool()> stop;  ///< ends it with `interrupted`
};

/// Frequency of the piece of rank `rank` (from 0) among `count` by Zipf's law: 1 / (rank + 2), scaled to
/// sum 1.
double zipf_frequency(std::size_t rank, std::size_t count);

/// Token vectors and PCA as model2vec (Tulkens, van Dongen 2024), weights as SIF (Arora, Liang, Ma, ICLR
/// 2017). A vocabulary is listed by falling frequency, so its rank stands in where no texts are given; with
/// texts the rank's frequencies are a prior worth kPriorPieces pieces. Errors: encoder_failed, interrupted
/// (kCancelled), bad_option (kCallerInvalid).
inline constexpr double kPriorPieces = 100'000;
Result<StaticEncoderFile> distil_encoder(const FullEncoder& encoder, const DistilOptions& options);

}  // namespace brevet
