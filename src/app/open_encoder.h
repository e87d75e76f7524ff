// The encoder that a configuration or a flag names, behind what serves its embeddings.
// Used by every command that embeds.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "features/embedding_pool.h"
#include "router/router.h"

namespace brevet {

/// `static_file` empty: the full sentence encoder behind a pool of threads; else a static one, which embeds
/// where it is asked. Errors: those of make_encoder and read_static_encoder.
Result<std::unique_ptr<EmbeddingPool>> open_embedding(const std::string& static_file,
                                                      const EmbeddingPoolOptions& options);
/// A text classifier (make_classifier) behind a pool of threads. Errors: those of make_classifier.
Result<std::unique_ptr<EmbeddingPool>> open_classifier(const std::string& folder,
                                                       const EmbeddingPoolOptions& options);
/// Folder of the text classifier that a router reads, whose file is `router_path`; empty where it reads none.
std::string classifier_folder(const std::string& router_path, const RouterInfo& info);
/// As open_embedding, with what was embedded kept in `cache_folder` between runs where embedding is slow
/// enough to be worth it. Errors: those of open_embedding and make_embedding_file.
struct KeptEmbedding {
  std::unique_ptr<EmbeddingPool> pool;
  std::unique_ptr<EmbeddingPool> file;  ///< wraps pool; null for a static encoder
  EmbeddingPool& use() const { return file ? *file : *pool; }
};
Result<KeptEmbedding> open_kept_embedding(const std::string& static_file, const EmbeddingPoolOptions& options,
                                          const std::string& cache_folder);

}  // namespace brevet
