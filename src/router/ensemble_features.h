// What the forest of the ensemble looks at, computed the same way while fitting and while serving.
//
// Layout, for m configurations and p components: the shape of the text (58), p components of the embedding,
// then for each of three linear members (embedding, shape, words) its m predicted qualities and their m-1
// differences to the first configuration's. Used by predict_ensemble.cc and by train. Pure.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

#include "domain/features.h"

namespace brevet {

/// Words that the words member knows, with their inverse document frequency: v * idf, scaled to unit length
/// over the words that are known.
struct KnownWords {
  std::span<const float> index;  ///< strictly increasing
  std::span<const float> idf;
};

/// Calls emit(place in KnownWords, value) for each known word of `words`.
template <class Emit>
void for_known_words(const SparseVector& words, const KnownWords& known, Emit&& emit) {
  const auto walk = [&](auto&& visit) {
    auto from = known.index.begin();
    for (std::size_t w = 0; w < words.index.size(); ++w) {
      const auto wanted = static_cast<float>(words.index[w]);
      from = std::lower_bound(from, known.index.end(), wanted);
      if (from == known.index.end()) return;
      if (*from != wanted) continue;
      const auto place = static_cast<std::size_t>(from - known.index.begin());
      visit(place, words.value[w] * known.idf[place]);
    }
  };
  float squares = 0;
  walk([&](std::size_t, float value) { squares += value * value; });
  if (!(squares > 0)) return;
  const float scale = 1 / std::sqrt(squares);
  walk([&](std::size_t place, float value) { emit(place, value * scale); });
}

inline std::size_t member_width(std::size_t configurations) {
  return 2 * configurations - 1;
}
inline std::size_t ensemble_width(std::size_t configurations, std::size_t components) {
  constexpr std::size_t kMembers = 3;
  return kTextShapeNumbers + components + kMembers * member_width(configurations);
}
/// [m] qualities -> [2m-1]: themselves and their differences to the first.
inline void write_member(std::span<const float> quality, float* out) {
  for (std::size_t c = 0; c < quality.size(); ++c) *out++ = quality[c];
  for (std::size_t c = 1; c < quality.size(); ++c) *out++ = quality[c] - quality[0];
}

}  // namespace brevet
