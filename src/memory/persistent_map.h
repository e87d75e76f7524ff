// A map from 64-bit keys to values whose copies are cheap and immutable: what a snapshot holds while the
// owner goes on writing.
//
// The idea: a tree with 32 branches a level, five bits of the key each (a hash array mapped trie, Bagwell
// 2001). A change copies the nodes on its path, so a copy taken before still reads the old ones; nodes made
// since the last copy are changed in place. Copying is O(1), a change O(log32 n) small nodes. Keys need no
// hashing when they are dense (slots); callers hash names themselves and check the full name in the value.
// One writer; any number of readers of copies made by snapshot(). Known weakness: a lookup follows up to
// log32 n pointers, so it is for lookups, not for scans.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace brevet {

template <class V>
class PersistentMap {
 public:
  /// Null when absent. Valid until the next change of this object; in a copy, for its life.
  const V* find(std::uint64_t key) const {
    const Node* node = root_.get();
    for (int shift = 0; node != nullptr; shift += kBits) {
      const std::uint32_t bit = bit_of(key, shift);
      if (node->leaf_bits & bit) {
        const auto& leaf = node->leaves[index_of(node->leaf_bits, bit)];
        return leaf.first == key ? &leaf.second : nullptr;
      }
      if (!(node->child_bits & bit)) return nullptr;
      node = node->children[index_of(node->child_bits, bit)].get();
    }
    return nullptr;
  }

  void set(std::uint64_t key, V value) { set_in(root_, 0, key, std::move(value)); }

  void erase(std::uint64_t key) {
    if (find(key) == nullptr) return;
    erase_in(root_, 0, key);
    --size_;
  }

  std::size_t size() const { return size_; }

  /// Visits every value in an order that depends on the keys alone.
  template <class F>
  void for_each(F&& visit) const {
    if (root_) visit_in(*root_, visit);
  }

  /// A copy that no later change reaches.
  PersistentMap snapshot() {
    ++epoch_;
    return *this;
  }

 private:
  static constexpr int kBits = 5;
  struct Node {
    std::uint64_t epoch = 0;
    std::uint32_t leaf_bits = 0;
    std::uint32_t child_bits = 0;
    std::vector<std::pair<std::uint64_t, V>> leaves;
    std::vector<std::shared_ptr<Node>> children;
  };
  using NodePtr = std::shared_ptr<Node>;

  static std::uint32_t bit_of(std::uint64_t key, int shift) {
    return std::uint32_t{1} << ((key >> shift) & 31U);
  }
  static std::size_t index_of(std::uint32_t bits, std::uint32_t bit) {
    // Counted by hand: without a processor that is known to count bits, std::popcount calls a function.
    std::uint32_t count = bits & (bit - 1);
    count -= (count >> 1) & 0x55555555U;
    count = (count & 0x33333333U) + ((count >> 2) & 0x33333333U);
    count = (count + (count >> 4)) & 0x0F0F0F0FU;
    return (count * 0x01010101U) >> 24;
  }
  template <class List>
  static auto at(List& list, std::size_t index) {
    return list.begin() + static_cast<std::ptrdiff_t>(index);
  }

  Node& own(NodePtr& node) {
    if (!node) {
      node = std::make_shared<Node>();
    } else if (node->epoch != epoch_) {
      node = std::make_shared<Node>(*node);
    }
    node->epoch = epoch_;
    return *node;
  }

  void set_in(NodePtr& place, int shift, std::uint64_t key, V value) {
    Node& node = own(place);
    const std::uint32_t bit = bit_of(key, shift);
    if (node.child_bits & bit) {
      set_in(node.children[index_of(node.child_bits, bit)], shift + kBits, key, std::move(value));
      return;
    }
    const std::size_t leaf = index_of(node.leaf_bits, bit);
    if (!(node.leaf_bits & bit)) {
      node.leaves.emplace(at(node.leaves, leaf), key, std::move(value));
      node.leaf_bits |= bit;
      ++size_;
      return;
    }
    if (node.leaves[leaf].first == key) {
      node.leaves[leaf].second = std::move(value);
      return;
    }
    // Two keys share this branch: the one that is here moves one level down. Distinct keys differ in some of
    // their 64 bits, so the descent ends.
    auto moved = std::move(node.leaves[leaf]);
    node.leaves.erase(at(node.leaves, leaf));
    node.leaf_bits &= ~bit;
    node.child_bits |= bit;
    const auto child = node.children.insert(at(node.children, index_of(node.child_bits, bit)), nullptr);
    --size_;
    set_in(*child, shift + kBits, moved.first, std::move(moved.second));
    set_in(*child, shift + kBits, key, std::move(value));
  }

  /// The key is there.
  void erase_in(NodePtr& place, int shift, std::uint64_t key) {
    Node& node = own(place);
    const std::uint32_t bit = bit_of(key, shift);
    if (node.child_bits & bit) {
      NodePtr& child = node.children[index_of(node.child_bits, bit)];
      erase_in(child, shift + kBits, key);
      if (child->leaf_bits == 0 && child->child_bits == 0) {
        node.children.erase(at(node.children, index_of(node.child_bits, bit)));
        node.child_bits &= ~bit;
      }
      return;
    }
    node.leaves.erase(at(node.leaves, index_of(node.leaf_bits, bit)));
    node.leaf_bits &= ~bit;
  }

  template <class F>
  static void visit_in(const Node& node, F& visit) {
    for (const auto& [key, value] : node.leaves) visit(key, value);
    for (const auto& child : node.children) visit_in(*child, visit);
  }

  NodePtr root_;
  std::uint64_t epoch_ = 1;
  std::size_t size_ = 0;
};

}  // namespace brevet
