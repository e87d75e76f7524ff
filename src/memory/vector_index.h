// Nearest neighbours by cosine among vectors that are only ever appended.
//
// The idea: vectors lie in blocks of up to 1,024, contiguous, beside a sketch of one sign bit per dimension.
// Up to kExactMax vectors the search is a plain SIMD scan. Above, the sketches (48 bytes instead of 1,536)
// are scanned by Hamming distance and only the best kCandidates are compared exactly. On 22,220 sentences
// embedded with MiniLM that finds .9996 of the true 40 nearest (bench/memory_bench.cc has the figures of this
// build). There is no graph to build, so a snapshot answers the same whenever it was taken, and publishing
// costs the pointers of what is new. Known weakness: linear in the number of vectors, so beyond about a
// million a graph is better.
//
// One writer appends; copies made by snapshot() are immutable and safe to read from any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "memory/known_neighbours.h"
#include "memory/persistent_map.h"

namespace brevet {

class VectorIndex {
 public:
  struct Hit {
    std::uint32_t slot = 0;
    float similarity = 0;
  };
  static constexpr std::size_t kBlock = 1024;
  static constexpr std::size_t kExactMax = 2048;
  static constexpr std::size_t kCandidates = 1024;

  VectorIndex() = default;
  /// For a replay on one thread: searches walk these lists as far as they know query and entries. Null: as
  /// ever.
  explicit VectorIndex(std::shared_ptr<const KnownNeighbours> known);

  /// Appends a unit vector of `dimension` finite numbers (all of one index have the same) and returns its
  /// slot.
  std::uint32_t append(const std::vector<float>& vector);
  std::size_t size() const { return size_; }
  std::size_t dimension() const { return dimension_; }
  /// Of vectors and sketches, the room of the last block included.
  std::size_t bytes() const;
  /// Valid as long as this object or a copy of it.
  const float* vector(std::uint32_t slot) const;

  /// At most k slots for which `alive` holds (null: all do), nearest first, equal ones by slot; those under
  /// min_similarity left out. Empty for a query of another dimension.
  std::vector<Hit> nearest(const std::vector<float>& query, std::size_t k, float min_similarity,
                           const std::function<bool(std::uint32_t)>& alive) const;

  VectorIndex snapshot();

 private:
  struct Block;
  using BlockPtr = std::shared_ptr<Block>;
  void scan_exact(const std::vector<float>& query, std::vector<Hit>& hits) const;
  void scan_sketches(const std::vector<float>& query, std::size_t candidates, std::vector<Hit>& hits) const;
  template <class F>
  void each_block(F&& visit) const;
  /// False when the lists cannot tell.
  bool walk_lists(const std::vector<float>& query, std::size_t k, float min_similarity,
                  const std::function<bool(std::uint32_t)>& alive, std::vector<Hit>& found) const;

  /// What the lists know of this index; shared by its copies, which look only at slots below their size.
  struct Known {
    std::shared_ptr<const KnownNeighbours> lists;
    std::vector<std::uint32_t> slot_of;  ///< by number of the list; kNoSlot = not appended
    bool usable = true;  ///< false once a vector came that is not of the set, or one came twice
  };
  static constexpr std::uint32_t kNoSlot = 0xffffffff;

  PersistentMap<BlockPtr> blocks_;
  std::size_t size_ = 0;
  std::size_t dimension_ = 0;
  std::shared_ptr<Known> known_;
};

}  // namespace brevet
