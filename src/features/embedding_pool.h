// Embedding off the request threads: worker threads behind a bounded queue, a cache of recent embeddings, and
// one computation for identical texts that arrive together.
//
// Called by the feature source on the request path. Thread-safe; embed() resumes on the caller's executor. A
// full queue is an error at once, never a wait without end. A cancelled caller resumes at once, and a text
// nobody waits for any more is not computed. Must be destroyed before the executors of its callers; callers
// still waiting then get encoder_stopped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/async.h"
#include "base/result.h"
#include "features/encoder.h"

namespace brevet {

struct EmbeddingPoolOptions {
  int threads = 1;                 ///< texts computed at the same time; each takes a core while it runs
  std::size_t queue_max = 1024;    ///< texts waiting; at 6 ms a text the last one waits 6 s
  std::size_t cache_max = 16'384;  ///< embeddings kept, about 1.7 kB each; 0 keeps none
  std::size_t waiters_max = 4096;  ///< callers of one text that is being computed
};

struct EmbeddingPoolCounts {
  std::uint64_t computed = 0;   ///< by the encoder
  std::uint64_t cached = 0;     ///< answered from the cache
  std::uint64_t joined = 0;     ///< waited for a computation already begun
  std::uint64_t refused = 0;    ///< encoder_overloaded
  std::uint64_t failed = 0;     ///< encoder_failed
  std::uint64_t abandoned = 0;  ///< not computed because every caller was cancelled
  std::size_t queued = 0;       ///< now
};

class EmbeddingPool {
 public:
  virtual ~EmbeddingPool() = default;
  /// Errors: encoder_overloaded (kOverloaded), encoder_failed, encoder_stopped (kInternal), cancelled
  /// (kCancelled).
  virtual Task<Result<std::shared_ptr<const Embedding>>> embed(std::string text) = 0;
  virtual const SentenceEncoder& encoder() const = 0;
  virtual EmbeddingPoolCounts counts() const = 0;
};

std::unique_ptr<EmbeddingPool> make_embedding_pool(std::shared_ptr<const SentenceEncoder> encoder,
                                                   const EmbeddingPoolOptions& options = {});

/// For an encoder of microseconds: a text is embedded at once where it is asked for. A queue would cost more
/// than the work, and nothing is ever refused or kept.
std::unique_ptr<EmbeddingPool> make_inline_embedding(std::shared_ptr<const SentenceEncoder> encoder);

}  // namespace brevet
