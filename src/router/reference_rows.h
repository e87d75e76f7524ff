// Remembered embeddings of a router that looks requests up: nearest rows, and sums over all rows weighted by
// similarity. Both under a millisecond at 100,000 rows of 384.
//
// The idea: beside every row lies a sketch of its signs, one bit per dimension. Up to kExactMax rows
// everything is exact. Above, the kCandidates rows with the nearest sketches are compared exactly. A sum
// over all rows takes those exactly too; the weight of every other row is read from its sketch distance,
// through a line from distance to similarity and one factor that are both fitted, for this request, on a
// fixed sample of rows compared exactly (a ratio estimator, Cochran 1977, chapter 6). The error of a single
// row's weight is some tens of percent, that of a sum over thousands well under one. Known weakness: a
// handful of far rows with a label of their own kind are told less exactly than by a full scan.
//
// Used inside src/router. Immutable, thread-safe. bench/router/predict_bench.cc measures it.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "domain/features.h"
#include "router/artefact.h"

namespace brevet {

/// What each row adds to which sum: rows in order, row i has entries begin[i] .. begin[i+1].
struct RowEntries {
  std::vector<std::uint32_t> begin;  ///< [n + 1]
  std::vector<std::uint32_t> sum;
  std::vector<float> value;
  std::size_t sums = 0;  ///< number of different sums
  /// Few sums are kept side by side as well, so that a row is added at once. Call when all is filled in.
  void finish();
  static constexpr std::size_t kDense = 4;
  std::vector<float> dense;  ///< [n, kDense] or empty
};

class ReferenceRows {
 public:
  static constexpr std::size_t kExactMax = 4096;
  static constexpr std::size_t kCandidates = 1024;
  static constexpr std::size_t kSample = 512;

  struct Hit {
    std::uint32_t row = 0;
    float similarity = 0;
  };

  /// `rows` [n, d] has to outlive this.
  explicit ReferenceRows(const Tensor& rows);
  std::size_t size() const { return count_; }
  std::size_t dimension() const { return dimension_; }
  /// At most k (k <= kCandidates above kExactMax rows), nearest first, equal ones by row.
  std::vector<Hit> nearest(const Embedding& query, std::size_t k) const;
  /// out[s] = sum over rows i of weight(similarity_i, largest similarity) * value, for every sum s.
  /// `weight` is positive and increasing in the similarity.
  void weighted_sums(const Embedding& query, const RowEntries& entries,
                     const std::function<double(double similarity, double largest)>& weight,
                     std::span<double> out) const;

 private:
  float similarity(const float* query, std::uint32_t row) const;
  /// Sketch distances of all rows into `distances`; -> the largest distance of a candidate.
  std::uint16_t candidates(const Embedding& query, std::vector<std::uint16_t>& distances,
                           std::vector<Hit>& found) const;

  const float* rows_;
  std::size_t count_;
  std::size_t dimension_;
  std::size_t words_;                    ///< 64-bit words of a sketch
  std::vector<std::uint64_t> sketches_;  ///< [n, words]; empty where everything is exact
  std::vector<std::uint32_t> sample_;    ///< rows, increasing
  std::vector<float> sample_rows_;       ///< their numbers, side by side
};

}  // namespace brevet
