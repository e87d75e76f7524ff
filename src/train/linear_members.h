// The cheap linear routers inside the ensemble: ridge regressions on dense features and on words, each with
// predictions for the rows that taught it, made without them. Used by fit_ensemble.cc. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "domain/features.h"
#include "train/matrix.h"

namespace brevet {

struct DenseMember {
  Matrix weights;      ///< [m, d+1], offset last
  Matrix out_of_fold;  ///< [n, m]
};
/// Ridge regression of y [n, m] on x [n, d] (centred, offset free). Row i of out_of_fold comes from the rows
/// of the other folds.
DenseMember fit_dense_member(const Matrix& x, const Matrix& y, const std::vector<std::uint32_t>& fold,
                             double ridge);

struct WordsMember {
  std::vector<float> index;  ///< [k] of words seen in at least two requests, increasing
  std::vector<float> idf;    ///< [k] ln((1 + n) / (1 + requests with it)) + 1
  Matrix weights;            ///< [k, m]
  std::vector<float> mean;   ///< [m]
  Matrix out_of_fold;        ///< [n, m]
};
/// Ridge regression on tf-idf words of unit length, by conjugate gradients on its dual (Hestenes and Stiefel
/// 1952).
WordsMember fit_words_member(std::span<const SparseVector* const> words, const Matrix& y,
                             const std::vector<std::uint32_t>& fold, double ridge);

/// The `count` directions of the largest variance of x, by orthogonal iteration: [count, d+1], the last
/// number takes the mean off.
Matrix principal_components(const Matrix& x, std::size_t count, std::uint64_t seed);

}  // namespace brevet
