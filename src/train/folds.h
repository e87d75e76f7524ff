// Which fold a labelled request belongs to: near-duplicates (one cluster) are never on both sides.
// Used inside src/train. Pure, deterministic for a seed.
#pragma once

#include <cstdint>
#include <vector>

namespace brevet {

/// [n] numbers below min(folds, number of clusters); every one occurs. Clusters in a seeded order, each into
/// the fold with the fewest rows so far.
std::vector<std::uint32_t> fold_by_cluster(const std::vector<std::uint32_t>& cluster, int folds,
                                           std::uint64_t seed);

}  // namespace brevet
