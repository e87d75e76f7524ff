// What the owner of an estimate knows of each hashed word: its weight, how far it was moved so far, and
// whether a snapshot has yet to hear of it.
//
// Part of Estimator. A flat table with open addressing: learning an outcome touches a hundred words, and a
// weight that only the owner reads need not be put where snapshots look. Not thread-safe. Words are never
// taken out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace brevet {

class WordTable {
 public:
  struct Word {
    float weight = 0;
    float squares = 0;  ///< AdaGrad's sum of squared gradients; 0 = not learned yet
  };

  /// Null when the word was never learned. Valid until the next change.
  const Word* find(std::uint32_t index) const {
    if (slots_.empty()) return nullptr;
    const Slot& slot = slots_[place_of(index)];
    return slot.used ? &slot.word : nullptr;
  }

  /// The word to be changed, made if it is new; valid until the next call. A snapshot will hear of it.
  Word& change(std::uint32_t index) {
    if (2 * (size_ + 1) > slots_.size()) grow();
    Slot& slot = slots_[place_of(index)];
    if (!slot.used) {
      slot.index = index;
      slot.used = true;
      ++size_;
    }
    if (!slot.changed) changed_.push_back(index);
    slot.changed = true;
    return slot.word;
  }

  /// Visits each word changed since the last call once, in the order of its first change.
  template <class F>
  void take_changed(F&& visit) {
    for (const auto index : changed_) {
      Slot& slot = slots_[place_of(index)];
      slot.changed = false;
      visit(index, slot.word.weight);
    }
    changed_.clear();
  }

  std::size_t size() const { return size_; }

 private:
  static constexpr std::size_t kFirstSlots = 256;
  struct Slot {
    Word word;
    std::uint32_t index = 0;
    bool used = false;
    bool changed = false;
  };

  /// Where the word is, or the free place where it would be.
  std::size_t place_of(std::uint32_t index) const {
    const std::size_t mask = slots_.size() - 1;
    // Indices are hashes already, but of fewer bits than a table may have places.
    std::size_t place = (index * std::uint64_t{0x9E3779B97F4A7C15} >> 32) & mask;
    while (slots_[place].used && slots_[place].index != index) place = (place + 1) & mask;
    return place;
  }

  void grow() {
    std::vector<Slot> before(slots_.empty() ? kFirstSlots : 2 * slots_.size());
    before.swap(slots_);
    for (const Slot& slot : before) {
      if (slot.used) slots_[place_of(slot.index)] = slot;
    }
  }

  std::vector<Slot> slots_;  ///< a power of two, at most half of them used
  std::vector<std::uint32_t> changed_;
  std::size_t size_ = 0;
};

}  // namespace brevet
