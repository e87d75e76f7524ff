// Words of a text without any model: hashed bag of words for an online linear model, and counts.
//
// Called on the request path for every routed request; pure, thread-safe, linear in the bytes looked at. The
// numbering of words is stored with what was learned, so it may not change without a new kLexicalVersion.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "domain/features.h"

namespace brevet {

inline constexpr int kLexicalVersion = 1;

struct LexicalOptions {
  std::uint32_t dimension = 1U << 18;  ///< power of two; smaller saves memory and merges words
  bool bigrams = true;                 ///< neighbouring words too: finds phrases, doubles the work
  std::size_t bytes_max = 64 * 1024;   ///< of a longer text half at either end is read
};

/// Unigrams and bigrams, each at hash mod dimension with 1 + ln(count), scaled to unit length. A word is a
/// run of letters, digits and bytes above ASCII, in lower case (ASCII only); a word of digits counts as "a
/// number of so many digits". Empty for a text without words.
SparseVector lexical_features(std::string_view text, const LexicalOptions& options = {});

/// Counts over the whole text. A number is a word that begins with a digit and holds only digits (one '.' or
/// ',' between digits belongs to it). Malformed bytes count as code points by their non-continuation bytes.
TextStatistics text_statistics(std::string_view text);

}  // namespace brevet
