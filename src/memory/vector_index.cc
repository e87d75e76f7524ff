#include "memory/vector_index.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

#include "memory/simd.h"

namespace brevet {
namespace {

void sketch_of(const float* vector, std::size_t dimension, std::uint64_t* out) {
  std::memset(out, 0, (dimension + 63) / 64 * sizeof(std::uint64_t));
  for (std::size_t i = 0; i < dimension; ++i) {
    out[i / 64] |= std::uint64_t{vector[i] > 0} << (i % 64);
  }
}

}  // namespace

// Slots below the count that a snapshot knows are never written again, so the writer may fill the rest of a
// block that readers hold. The last block starts small and doubles: most partitions stay small.
struct VectorIndex::Block {
  Block(std::size_t slots, std::size_t dimension)
      : capacity(slots), vectors(slots * dimension), sketches(slots * ((dimension + 63) / 64)) {}
  const std::size_t capacity;
  std::vector<float> vectors;
  std::vector<std::uint64_t> sketches;
};

constexpr std::size_t kFirstCapacity = 16;

VectorIndex::VectorIndex(std::shared_ptr<const KnownNeighbours> known) {
  if (!known) return;
  known_ = std::make_shared<Known>();
  known_->slot_of.assign(known->size(), kNoSlot);
  known_->lists = std::move(known);
}

std::size_t VectorIndex::bytes() const {
  if (size_ == 0) return 0;
  const std::size_t slots = size_ <= kBlock ? std::max(kFirstCapacity, std::bit_ceil(size_))
                                            : (size_ + kBlock - 1) / kBlock * kBlock;
  return slots * (dimension_ * sizeof(float) + (dimension_ + 63) / 64 * sizeof(std::uint64_t));
}

std::uint32_t VectorIndex::append(const std::vector<float>& vector) {
  if (size_ == 0) dimension_ = vector.size();
  assert(vector.size() == dimension_ && dimension_ > 0);
  const std::size_t words = (dimension_ + 63) / 64;
  const std::size_t block_number = size_ / kBlock;
  const std::size_t place = size_ % kBlock;
  const BlockPtr* found = blocks_.find(block_number);
  BlockPtr block = found != nullptr ? *found : nullptr;
  if (!block || place >= block->capacity) {
    const std::size_t capacity =
        !block ? (block_number == 0 ? kFirstCapacity : kBlock) : std::min(kBlock, 2 * block->capacity);
    auto larger = std::make_shared<Block>(capacity, dimension_);
    if (block) {
      std::copy_n(block->vectors.begin(), place * dimension_, larger->vectors.begin());
      std::copy_n(block->sketches.begin(), place * words, larger->sketches.begin());
    }
    block = std::move(larger);
    blocks_.set(block_number, block);
  }
  std::copy(vector.begin(), vector.end(), block->vectors.data() + place * dimension_);
  sketch_of(vector.data(), dimension_, block->sketches.data() + place * words);
  if (known_ && known_->usable) {
    const auto number = known_->lists->number_of(vector.data());
    if (number && known_->slot_of[*number] == kNoSlot) {
      known_->slot_of[*number] = static_cast<std::uint32_t>(size_);
    } else {
      known_->usable = false;
    }
  }
  return static_cast<std::uint32_t>(size_++);
}

const float* VectorIndex::vector(std::uint32_t slot) const {
  return (*blocks_.find(slot / kBlock))->vectors.data() + (slot % kBlock) * dimension_;
}

VectorIndex VectorIndex::snapshot() {
  VectorIndex copy;
  copy.blocks_ = blocks_.snapshot();
  copy.size_ = size_;
  copy.dimension_ = dimension_;
  copy.known_ = known_;
  return copy;
}

template <class F>
void VectorIndex::each_block(F&& visit) const {
  for (std::size_t first = 0; first < size_; first += kBlock) {
    visit(first, std::min(kBlock, size_ - first), **blocks_.find(first / kBlock));
  }
}

void VectorIndex::scan_exact(const std::vector<float>& query, std::vector<Hit>& hits) const {
  hits.reserve(size_);
  each_block([&](std::size_t first, std::size_t count, const Block& block) {
    for (std::size_t i = 0; i < count; ++i) {
      hits.push_back({static_cast<std::uint32_t>(first + i),
                      dot(query.data(), block.vectors.data() + i * dimension_, dimension_)});
    }
  });
}

void VectorIndex::scan_sketches(const std::vector<float>& query, std::size_t candidates,
                                std::vector<Hit>& hits) const {
  // Kept between calls: a search must not pay for clearing pages the size of the index.
  thread_local std::vector<std::uint16_t> distance;
  thread_local std::vector<std::uint32_t> per_distance;
  const std::size_t words = (dimension_ + 63) / 64;
  std::vector<std::uint64_t> sketch(words);
  sketch_of(query.data(), dimension_, sketch.data());
  distance.resize(size_);
  per_distance.assign(dimension_ + 1, 0);
  each_block([&](std::size_t first, std::size_t count, const Block& block) {
    hamming(block.sketches.data(), count, sketch.data(), words, distance.data() + first);
    for (std::size_t i = first; i < first + count; ++i) ++per_distance[distance[i]];
  });
  std::size_t limit = 0;  // the smallest distance within which enough candidates lie
  for (std::size_t within = 0; limit < dimension_; ++limit) {
    within += per_distance[limit];
    if (within >= candidates) break;
  }
  // Of those exactly at the limit only as many as fit, so that equal vectors cannot make a search exhaustive.
  std::size_t at_limit = candidates;
  for (std::size_t d = 0; d < limit; ++d) at_limit -= per_distance[d];
  hits.reserve(candidates);
  each_block([&](std::size_t first, std::size_t count, const Block& block) {
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint16_t d = distance[first + i];
      if (d > limit || (d == limit && at_limit == 0)) continue;
      if (d == limit) --at_limit;
      hits.push_back({static_cast<std::uint32_t>(first + i),
                      dot(query.data(), block.vectors.data() + i * dimension_, dimension_)});
    }
  });
}

bool VectorIndex::walk_lists(const std::vector<float>& query, std::size_t k, float min_similarity,
                             const std::function<bool(std::uint32_t)>& alive, std::vector<Hit>& found) const {
  if (!known_->usable) return false;
  const auto number = known_->lists->number_of(query.data());
  if (!number) return false;
  found.reserve(k + 1);
  bool far = false;
  for (const auto& near : known_->lists->list(*number)) {
    far = !(near.similarity >= min_similarity);
    // Those as near as the last one may have the smaller slots.
    if (far || (found.size() >= k && near.similarity < found.back().similarity)) break;
    const std::uint32_t slot = known_->slot_of[near.number];
    if (slot < size_ && (!alive || alive(slot))) found.push_back({slot, near.similarity});
  }
  if (found.size() < k && !far && !known_->lists->complete(*number)) {
    found.clear();
    return false;
  }
  // Equal similarities are ordered by slot, as a search would.
  std::sort(found.begin(), found.end(), [](const Hit& a, const Hit& b) {
    return a.similarity != b.similarity ? a.similarity > b.similarity : a.slot < b.slot;
  });
  if (found.size() > k) found.resize(k);
  return true;
}

std::vector<VectorIndex::Hit> VectorIndex::nearest(const std::vector<float>& query, std::size_t k,
                                                   float min_similarity,
                                                   const std::function<bool(std::uint32_t)>& alive) const {
  std::vector<Hit> found;
  if (size_ == 0 || k == 0 || query.size() != dimension_) return found;
  if (known_ && walk_lists(query, k, min_similarity, alive, found)) return found;
  const auto nearer = [](const Hit& a, const Hit& b) {
    return a.similarity != b.similarity ? a.similarity > b.similarity : a.slot < b.slot;
  };
  std::size_t candidates = std::max(kCandidates, 16 * k);
  while (true) {
    const bool all = size_ <= std::max(kExactMax, candidates);
    std::vector<Hit> hits;
    if (all) {
      scan_exact(query, hits);
    } else {
      scan_sketches(query, candidates, hits);
    }
    std::erase_if(hits, [&](const Hit& hit) { return !(hit.similarity >= min_similarity); });
    const bool sifted = hits.size() < (all ? size_ : candidates);  // some were too far already
    // Removed entries are few, so the front is sorted in pieces until k living ones are there.
    std::size_t sorted = 0;
    while (sorted < hits.size() && found.size() < k) {
      const std::size_t next = std::min(hits.size(), sorted + 2 * k);
      const auto from = hits.begin() + static_cast<std::ptrdiff_t>(sorted);
      const auto to = hits.begin() + static_cast<std::ptrdiff_t>(next);
      if (to != hits.end()) std::nth_element(from, to, hits.end(), nearer);
      std::sort(from, to, nearer);
      for (; sorted < next && found.size() < k; ++sorted) {
        if (!alive || alive(hits[sorted].slot)) found.push_back(hits[sorted]);
      }
    }
    if (found.size() == k || all || sifted) return found;
    // Removed entries filled the candidates: look at more.
    found.clear();
    candidates *= 4;
  }
}

}  // namespace brevet
