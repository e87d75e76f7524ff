// Embeddings kept on disk by content: what one run embedded, the next one reads. For replay, where the same
// texts are embedded for every seed, order and strategy; a gateway in production has the pool's own cache.
//
// Wraps an EmbeddingPool. Thread-safe. The first to open a file writes it (a lock says who); others read what
// is there when they open it and keep nothing. A file of another encoder is refused; one with a torn end is
// used as far as it is whole, never trusted beyond. Does not embed.
#pragma once

#include <memory>
#include <string>

#include "features/embedding_pool.h"

namespace brevet {

struct EmbeddingFileOptions {
  std::string path;  ///< the encoder's hash is part of what is written; another encoder's file is refused
  std::size_t entries_max = 2'000'000;  ///< further texts are embedded but not kept
};

/// `inner` must outlive it. Errors (kInternal): embedding_file_unusable (cannot be opened, or of another
/// encoder).
Result<std::unique_ptr<EmbeddingPool>> make_embedding_file(EmbeddingPool& inner,
                                                           const EmbeddingFileOptions& options);

}  // namespace brevet
