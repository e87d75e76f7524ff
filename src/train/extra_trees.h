// Extremely randomised trees (Geurts, Ernst and Wehenkel 2006) for several outputs at once.
//
// Every node tries a few features, one random threshold each, and takes the split that leaves the least
// squared error summed over the outputs. Used by fit_ensemble.cc. Deterministic for a seed.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "train/matrix.h"

namespace brevet {

struct ForestOptions {
  std::size_t trees = 300;
  std::size_t leaf_min = 20;    ///< rows; more is smoother
  double features_share = .3;   ///< of the features tried at a node
  std::size_t rows_max = 4000;  ///< of a tree; drawn without replacement where there are more
};

struct Forest {
  /// A leaf has feature -1 and its values in row `next`; else x[feature] <= threshold goes to node `next`,
  /// the rest to the one behind it.
  struct Node {
    std::int32_t feature = -1;
    float threshold = 0;
    std::uint32_t next = 0;
  };
  std::vector<Node> nodes;
  std::vector<std::uint32_t> roots;  ///< [trees]
  std::size_t outputs = 0;
  std::vector<float> values;  ///< [leaves, outputs]
};

/// x [n, features], y [n, outputs], n >= 1. Empty when `stop` said so.
std::optional<Forest> grow_forest(const Matrix& x, const Matrix& y, const ForestOptions& options,
                                  std::uint64_t seed, const std::function<bool()>& stop = {});

}  // namespace brevet
