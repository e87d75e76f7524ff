// Dense float matrices and the few products that fitting on a CPU needs.
//
// Used inside src/train. Plain values. Products use the widest vectors of the machine and add in one fixed
// order, so equal machines give equal bits. Not a general library: shapes are the caller's to get right
// (asserted).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace brevet {

/// Row-major.
struct Matrix {
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::vector<float> values;

  Matrix() = default;
  Matrix(std::size_t r, std::size_t c) : rows(r), cols(c), values(r * c) {}
  float* row(std::size_t i) { return values.data() + i * cols; }
  const float* row(std::size_t i) const { return values.data() + i * cols; }
  float& at(std::size_t i, std::size_t j) { return values[i * cols + j]; }
  float at(std::size_t i, std::size_t j) const { return values[i * cols + j]; }
};

Matrix transposed(const Matrix& a);
/// a [n,k] times b [k,m] -> [n,m].
Matrix multiply(const Matrix& a, const Matrix& b);
/// Overwrites `out`, whose memory is kept: c = a b.
void multiply_into(const Matrix& a, const Matrix& b, Matrix& out);
/// Rows `order` of `a`, in that order.
Matrix rows_of(const Matrix& a, std::span<const std::uint32_t> order);

/// Solves (A + ridge I) X = B for symmetric positive semi-definite A [d,d] and B [d,m] by Cholesky in double.
/// Empty when the sum is not positive definite.
std::optional<Matrix> solve_ridge(const Matrix& a, const Matrix& b, double ridge);

}  // namespace brevet
