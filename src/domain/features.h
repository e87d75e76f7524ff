// What a request looks like to a router: an embedding, hashed words and text statistics. Plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace brevet {

/// Unit L2 norm, dimension of the encoder (384 for MiniLM). Immutable once shared.
using Embedding = std::vector<float>;

/// Sparse vector of hashed words: strictly increasing indices below the dimension, unit L2 norm.
struct SparseVector {
  std::vector<std::uint32_t> index;
  std::vector<float> value;
};

/// The shape of the text, features/text_shape.h says which number is what.
inline constexpr std::size_t kTextShapeNumbers = 58;
using TextShape = std::array<float, kTextShapeNumbers>;

struct TextStatistics {
  std::uint32_t bytes = 0;
  std::uint32_t words = 0;
  std::uint32_t numbers = 0;  ///< words that are numbers
  std::uint32_t lines = 0;
  std::uint32_t code_points = 0;
  float non_ascii_share = 0;
  TextShape shape{};
};

struct RequestFeatures {
  std::shared_ptr<const Embedding> embedding;  ///< null when there is no encoder or no text
  SparseVector words;
  TextStatistics statistics;
  /// What a model beside the encoder says of the request, for routers that read it: probabilities of a text
  /// classifier's classes, or one number of a model that was asked. Null where nothing was asked.
  std::shared_ptr<const std::vector<float>> classified = {};
};

}  // namespace brevet
