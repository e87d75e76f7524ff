// Spherical k-means (Dhillon and Modha 2001) with k-means++ starts: topics of requests, for familiarity, the
// cluster routers and tags that nobody gave. Used inside src/train. Deterministic for a seed.
#pragma once

#include <cstdint>
#include <vector>

#include "train/matrix.h"

namespace brevet {

struct Clusters {
  Matrix centroids;  ///< [c, d], unit length; c may be less than asked: empty ones are left out
  std::vector<std::uint32_t> member_of;  ///< [n]
};

/// x [n, d] of unit rows, n >= 1.
Clusters k_means(const Matrix& x, std::size_t count, std::uint64_t seed, int rounds_max = 20);
/// Largest cosine of each row of x with a centroid; [n].
std::vector<float> nearest_similarity(const Matrix& x, const Matrix& centroids);

}  // namespace brevet
