#include "train/k_means.h"

#include <algorithm>
#include <cmath>

#include "memory/simd.h"
#include "train/seeded_random.h"

namespace brevet {
namespace {

void to_unit(float* row, std::size_t d) {
  const float length = std::sqrt(dot(row, row, d));
  if (length > 0) {
    for (std::size_t j = 0; j < d; ++j) row[j] /= length;
  }
}

/// Far points are likelier to become the next start (Arthur and Vassilvitskii 2007).
Matrix starts(const Matrix& x, std::size_t count, SeededRandom& random) {
  Matrix centroids(count, x.cols);
  std::vector<double> distance(x.rows, 4);
  std::size_t made = 0;
  std::size_t chosen = random.below(x.rows);
  while (true) {
    std::copy_n(x.row(chosen), x.cols, centroids.row(made));
    double total = 0;
    for (std::size_t i = 0; i < x.rows; ++i) {
      const double similarity = dot(x.row(i), centroids.row(made), x.cols);
      distance[i] = std::min(distance[i], std::max(0.0, 2 - 2 * similarity));
      if (distance[i] < 1e-6) distance[i] = 0;
      total += distance[i];
    }
    ++made;
    if (made == count || total <= 0) break;
    double at = random.uniform() * total;
    chosen = 0;
    for (std::size_t i = 0; i < x.rows; ++i) {
      if (distance[i] <= 0) continue;
      chosen = i;
      at -= distance[i];
      if (at < 0) break;
    }
  }
  centroids.rows = made;
  centroids.values.resize(made * x.cols);
  return centroids;
}

}  // namespace

Clusters k_means(const Matrix& x, std::size_t count, std::uint64_t seed, int rounds_max) {
  SeededRandom random(seed, 0x6b6d);
  Clusters out;
  out.centroids = starts(x, std::max<std::size_t>(1, std::min(count, x.rows)), random);
  out.member_of.assign(x.rows, 0);
  Matrix scores;
  for (int round = 0; round <= rounds_max; ++round) {
    multiply_into(x, transposed(out.centroids), scores);
    bool changed = round == 0;
    for (std::size_t i = 0; i < x.rows; ++i) {
      const float* row = scores.row(i);
      const auto best = static_cast<std::uint32_t>(std::max_element(row, row + scores.cols) - row);
      changed = changed || best != out.member_of[i];
      out.member_of[i] = best;
    }
    std::vector<std::uint32_t> members(out.centroids.rows, 0);
    for (const auto c : out.member_of) ++members[c];
    if (!changed || round == rounds_max) {
      // Empty ones would be met by nobody.
      std::vector<std::uint32_t> kept, number(members.size(), 0);
      for (std::uint32_t c = 0; c < members.size(); ++c) {
        if (members[c] == 0) continue;
        number[c] = static_cast<std::uint32_t>(kept.size());
        kept.push_back(c);
      }
      out.centroids = rows_of(out.centroids, kept);
      for (auto& c : out.member_of) c = number[c];
      return out;
    }
    Matrix means(out.centroids.rows, x.cols);
    for (std::size_t i = 0; i < x.rows; ++i) {
      float* mean = means.row(out.member_of[i]);
      const float* row = x.row(i);
      for (std::size_t j = 0; j < x.cols; ++j) mean[j] += row[j];
    }
    for (std::size_t c = 0; c < means.rows; ++c) {
      if (members[c] == 0) std::copy_n(out.centroids.row(c), x.cols, means.row(c));
      to_unit(means.row(c), x.cols);
    }
    out.centroids = std::move(means);
  }
  return out;
}

std::vector<float> nearest_similarity(const Matrix& x, const Matrix& centroids) {
  const Matrix scores = multiply(x, transposed(centroids));
  std::vector<float> out(x.rows);
  for (std::size_t i = 0; i < x.rows; ++i) {
    out[i] = *std::max_element(scores.row(i), scores.row(i) + scores.cols);
  }
  return out;
}

}  // namespace brevet
