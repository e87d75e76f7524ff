// What texts look like to a router, as serving would see them: embeddings through a pool that keeps them on
// disk between runs, words and counts. With progress on standard error, ended by Ctrl-C.
//
// Used by commands that train and calibrate routers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "domain/features.h"

namespace brevet {

class TextEmbedder {
 public:
  virtual ~TextEmbedder() = default;
  virtual const std::string& encoder_hash() const = 0;
  /// In the order of `texts`. Errors: encoder_failed, interrupted.
  virtual Result<std::vector<RequestFeatures>> embed(const std::vector<std::string>& texts) = 0;
  /// Of the text classifier that fills RequestFeatures::classified; empty without one.
  virtual const std::string& classifier_hash() const = 0;
};

/// `threads` 0 = one per core; `static_encoder` is the file of one, empty = the full encoder; `classifier` is
/// the folder of a text classifier that reads every text too, empty = none. Errors: those of the encoder and
/// of the file.
Result<std::unique_ptr<TextEmbedder>> make_text_embedder(int threads, const std::string& static_encoder,
                                                         const std::string& classifier = {});

}  // namespace brevet
