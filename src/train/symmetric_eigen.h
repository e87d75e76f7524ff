// Eigenvalues and eigenvectors of a symmetric matrix, for principal components of embeddings.
//
// Used inside src/train. Plain function, deterministic. For a few hundred rows; not for sparse or large
// matrices.
#pragma once

#include <vector>

#include "train/matrix.h"

namespace brevet {

struct SymmetricEigen {
  std::vector<double> values;  ///< largest first
  Matrix vectors;              ///< row i belongs to values[i], unit length
};

/// Cyclic Jacobi rotations in double until what is off the diagonal is under 1e-12 of the whole, 60 sweeps at
/// most (Golub and Van Loan, Matrix Computations, section 8.5; quadratic convergence needs about ten). Only
/// the upper triangle of `a` [d, d] is read.
SymmetricEigen symmetric_eigen(const Matrix& a);

}  // namespace brevet
