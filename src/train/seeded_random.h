// Random numbers of a fit: a function of the seed alone, the same on every machine.
// Used inside src/train. Not thread-safe; one per fit. Not for serving, whose coins are logged (Draws).
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <utility>
#include <vector>

#include "base/random.h"

namespace brevet {

class SeededRandom {
 public:
  explicit SeededRandom(std::uint64_t seed, std::uint64_t stream = 0) : key_(mix_bits(seed, stream)) {}
  /// [0, 1)
  double uniform() { return static_cast<double>(mix_bits(key_, counter_++) >> 11) * 0x1p-53; }
  /// 0 .. count-1; count > 0.
  std::size_t below(std::size_t count) {
    return static_cast<std::size_t>(uniform() * static_cast<double>(count));
  }
  /// Standard normal (Box and Muller 1958).
  double normal() {
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }
  template <class T>
  void shuffle(std::vector<T>& values) {
    for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[below(i)]);
  }

 private:
  std::uint64_t key_;
  std::uint64_t counter_ = 0;
};

}  // namespace brevet
