// A text as a point: sentences that ask for similar things lie close (cosine). In this process, no network.
//
// Called by the pool's workers on the request path, by eval and by benches. Thread-safe: calls may run at the
// same time, each on its caller's thread. Does not queue or cache (embedding_pool.h does), and does not
// decide what of a request is embedded beyond embedding_text().
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "domain/features.h"
#include "features/wordpiece.h"

namespace brevet {

struct EncoderOptions {
  std::string folder;  ///< holds model.onnx and vocab.txt, as scripts/lib/deps.sh leaves them
  std::size_t pieces_max =
      256;          ///< with [CLS] and [SEP]; longer texts are cut in the middle. Cost grows a bit
                    ///< faster than linearly; the model was trained with 256 and knows at most 512
  int threads = 1;  ///< per text. More shortens one text and lowers the texts per second
};

/// Bytes of a text that are looked at: this many at either end.
inline constexpr std::size_t kTextEndBytes = 32 * 1024;

class SentenceEncoder {
 public:
  virtual ~SentenceEncoder() = default;
  /// Unit L2 norm, length dimension(). One text at a time: the 8-bit model scales by the largest value of a
  /// batch, so a text would look different in different company. Errors: encoder_failed (kInternal).
  virtual Result<Embedding> embed(std::string_view text) const = 0;
  /// The pieces that embed() reads, at most pieces_max; with [CLS] and [SEP] where the encoder wants them.
  virtual std::vector<std::int32_t> encode(std::string_view text) const = 0;
  virtual std::size_t dimension() const = 0;
  /// Identity in memory keys: SHA-256 hex over model, vocabulary and pieces_max.
  virtual const std::string& hash() const = 0;
  virtual const WordPiece& tokenizer() const = 0;
};

/// One that can be asked about pieces, for distilling: a static encoder has nothing more to say than its
/// rows.
class FullEncoder : public SentenceEncoder {
 public:
  /// Of [CLS] pieces [SEP], numbers of the vocabulary: what embed() gives, before it is scaled to unit
  /// length. Errors: encoder_failed.
  virtual Result<Embedding> mean_of(std::span<const std::int32_t> pieces) const = 0;
};

/// Pieces of a text, `most` of them at most, from its beginning and its end; of a longer text only
/// `end_bytes` at either end are looked at.
std::vector<std::int32_t> content_pieces(const WordPiece& tokenizer, std::string_view text, std::size_t most,
                                         std::size_t end_bytes = kTextEndBytes);

/// Errors (kInternal): encoder_unreadable, encoder_unusable (not the expected inputs and outputs),
/// vocabulary_unreadable, vocabulary_invalid.
Result<std::shared_ptr<const FullEncoder>> make_encoder(const EncoderOptions& options);

/// A text classifier in the place of an encoder: embed() gives the probabilities of its classes, which sum
/// to 1. The folder is as an encoder's; its model.onnx gives `logits`, float [1, classes], as
/// tools/finetune_bert.py writes it. Errors: those of make_encoder.
Result<std::shared_ptr<const SentenceEncoder>> make_classifier(const EncoderOptions& options);

/// What of a request is embedded: the last user message, preceded by the previous user turn when the last has
/// under kShortPieces pieces ("and in Python?" means little alone).
inline constexpr std::size_t kShortPieces = 20;
std::string embedding_text(const WordPiece& tokenizer, std::string_view last_user,
                           std::string_view previous_user);

}  // namespace brevet
