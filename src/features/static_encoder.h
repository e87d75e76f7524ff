// A sentence encoder without a network: one vector per piece of the vocabulary, and a text is their mean. It
// is distilled from the full encoder (train/distil_encoder.h), a file of its own, and costs microseconds.
//
// Made by `brevet encoder distil`, opened by whoever embeds (app, eval). Thread-safe because immutable. It
// hears which words a text has and not their order. Its hash is that of its file, so memory and routers of
// another encoder are told apart as ever.
//
// File: a sealed file (base/sealed_file.h) named "brevet-static-encoder"; the body is the vectors, float32
// little-endian [pieces, dimension] in the order of the vocabulary, then the vocabulary, one piece a line.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "features/encoder.h"

namespace brevet {

struct StaticEncoderInfo {
  std::string source_hash;  ///< of the encoder that it was distilled from
  std::size_t dimension = 0;
  std::size_t pieces_max = 512;  ///< of a text; longer ones are cut in the middle
  std::uint64_t texts = 0;  ///< of the user's own that weighted the pieces; 0 = by rank in the vocabulary
  std::string texts_hash;   ///< SHA-256 hex over them; empty without any
  std::string command;
  std::string created;  ///< UTC, RFC 3339
  /// Figures of the distillation: name -> value, such as "variance_kept".
  std::vector<std::pair<std::string, double>> measured;
};

struct StaticEncoderFile {
  StaticEncoderInfo info;
  std::string vocabulary;  ///< as vocab.txt
  /// [pieces, dimension], weighted: a text's embedding is the sum of its pieces' rows at unit length. Rows of
  /// pieces that a text cannot have are 0. The row of [CLS] stands for a text without pieces.
  std::vector<float> vectors;
};

/// Bytes of the file, and from them. Errors (kCallerInvalid): static_encoder_corrupt (cut, changed, or its
/// numbers do not fit its vocabulary), static_encoder_version, vocabulary_invalid.
std::string static_encoder_bytes(const StaticEncoderFile& file);
Result<std::shared_ptr<const SentenceEncoder>> parse_static_encoder(std::string_view bytes,
                                                                    const std::string& name,
                                                                    StaticEncoderInfo* info = nullptr);
/// Errors: those of parse_static_encoder, static_encoder_unreadable.
Result<std::shared_ptr<const SentenceEncoder>> read_static_encoder(const std::string& path,
                                                                   StaticEncoderInfo* info = nullptr);
/// -> the encoder's hash. Errors (kCallerInvalid): static_encoder_unwritable.
Result<std::string> write_static_encoder(const StaticEncoderFile& file, const std::string& path);

}  // namespace brevet
