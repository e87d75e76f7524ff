// Nearest-neighbour lists of vectors that are all known beforehand, so that a replay does not search again
// for every seed what no seed changes.
//
// The idea: for every vector of a fixed set its `depth` nearest ones are listed once. A VectorIndex that was
// given these lists walks the list of a query and takes what it holds, instead of comparing with everything;
// what the lists cannot answer (an unknown query, a list that ends too early) is searched as ever. The result
// is the exact one, with the same similarities. Production has no such set and gives no lists.
//
// Made by eval, read by VectorIndex. Immutable and thread-safe once made. A vector is known by its address,
// so the embeddings must outlive the lists and be passed around, never copied.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "domain/features.h"

namespace brevet {

class KnownNeighbours {
 public:
  struct Near {
    std::uint32_t number = 0;  ///< of a vector of the set
    float similarity = 0;      ///< cosine
  };

  /// Compares each with each: n^2 / 2 products of `dimension` numbers, on `threads` threads. Null embeddings
  /// are in nobody's list and have an empty one. Entries of one list: nearest first, equal ones by number,
  /// the vector itself among them; at most `depth`.
  static std::shared_ptr<const KnownNeighbours> make(std::vector<std::shared_ptr<const Embedding>> embeddings,
                                                     std::size_t depth, int threads);
  /// The same, kept in a file of `folder` that is named by the hash of the embeddings and `depth`. A file
  /// that is torn or of other contents is made anew; a folder that cannot be written costs only the next run.
  static std::shared_ptr<const KnownNeighbours> cached(
      std::vector<std::shared_ptr<const Embedding>> embeddings, std::size_t depth, int threads,
      const std::string& folder);

  /// The number of the vector whose numbers lie at this address.
  std::optional<std::uint32_t> number_of(const float* data) const;
  std::span<const Near> list(std::uint32_t number) const;
  /// Every vector of the set is in this list, so what is not met in it is not there.
  bool complete(std::uint32_t number) const { return list(number).size() == known_; }
  std::size_t size() const { return embeddings_.size(); }

 private:
  KnownNeighbours(std::vector<std::shared_ptr<const Embedding>> embeddings, std::size_t depth);
  void compute(int threads);

  const std::vector<std::shared_ptr<const Embedding>> embeddings_;
  std::size_t depth_ = 0;
  std::size_t known_ = 0;  ///< embeddings that are not null
  std::unordered_map<const float*, std::uint32_t> numbers_;
  std::vector<Near> lists_;  ///< size() x depth_, row-major; rows of null embeddings unused
};

}  // namespace brevet
