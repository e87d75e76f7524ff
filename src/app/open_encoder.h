// The encoder that a configuration or a flag names, behind what serves its embeddings.
// Used by every command that embeds.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "features/embedding_pool.h"

namespace brevet {

/// `static_file` empty: the full sentence encoder behind a pool of threads; else a static one, which embeds
/// where it is asked. Errors: those of make_encoder and read_static_encoder.
Result<std::unique_ptr<EmbeddingPool>> open_embedding(const std::string& static_file,
                                                      const EmbeddingPoolOptions& options);
/// The same, with what was embedded kept in `cache_folder` between runs where embedding is slow enough to be
/// worth it. Errors: those of open_embedding and make_embedding_file.
struct KeptEmbedding {
  std::unique_ptr<EmbeddingPool> pool;
  std::unique_ptr<EmbeddingPool> file;  ///< wraps pool; null for a static encoder
  EmbeddingPool& use() const { return file ? *file : *pool; }
};
Result<KeptEmbedding> open_kept_embedding(const std::string& static_file, const EmbeddingPoolOptions& options,
                                          const std::string& cache_folder);

}  // namespace brevet
