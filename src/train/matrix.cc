// The product is the usual blocked one (Goto and van de Geijn 2008): 16 columns of B are packed once and met
// by four rows of A at a time, whose 64 sums stay in registers. Blocks of 1,024 along the inner dimension
// keep the packed strip in cache and the float sums short.
#include "train/matrix.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstring>

#include "memory/simd.h"

namespace brevet {
namespace {

constexpr std::size_t kStrip = 16;
constexpr std::size_t kInner = 1024;
constexpr std::size_t kRowsAtOnce = 4;
typedef float Floats __attribute__((vector_size(kStrip * sizeof(float)), aligned(4)));

/// c[r][0..16) += sum over k of a[r][k] * strip[k][0..16), for `Rows` rows; c has room for 16 in each.
template <std::size_t Rows>
inline __attribute__((always_inline)) void block(const float* a, std::size_t a_step, const float* strip,
                                                 std::size_t inner, float* c) {
  Floats sums[Rows];
  for (std::size_t r = 0; r < Rows; ++r) sums[r] = *reinterpret_cast<const Floats*>(c + r * kStrip);
  for (std::size_t k = 0; k < inner; ++k) {
    const Floats b = *reinterpret_cast<const Floats*>(strip + k * kStrip);
    for (std::size_t r = 0; r < Rows; ++r) sums[r] += a[r * a_step + k] * b;
  }
  for (std::size_t r = 0; r < Rows; ++r) *reinterpret_cast<Floats*>(c + r * kStrip) = sums[r];
}

struct Kernels {
  void (*four)(const float*, std::size_t, const float*, std::size_t, float*);
  void (*one)(const float*, std::size_t, const float*, std::size_t, float*);
};

#define BREVET_MATRIX_KERNELS(name, attributes)                                                            \
  attributes void four_##name(const float* a, std::size_t step, const float* b, std::size_t n, float* c) { \
    block<kRowsAtOnce>(a, step, b, n, c);                                                                  \
  }                                                                                                        \
  attributes void one_##name(const float* a, std::size_t step, const float* b, std::size_t n, float* c) {  \
    block<1>(a, step, b, n, c);                                                                            \
  }                                                                                                        \
  constexpr Kernels k##name {                                                                              \
    four_##name, one_##name                                                                                \
  }

BREVET_MATRIX_KERNELS(Plain, );
#if defined(__x86_64__)
BREVET_MATRIX_KERNELS(Avx2, __attribute__((target("avx2,fma"))));
BREVET_MATRIX_KERNELS(Avx512, __attribute__((target("avx512f,fma"))));
#endif
#undef BREVET_MATRIX_KERNELS

const Kernels& kernels() {
#if defined(__x86_64__)
  static const Kernels& chosen = __builtin_cpu_supports("avx512f")                                 ? kAvx512
                                 : __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? kAvx2
                                                                                                   : kPlain;
  return chosen;
#else
  return kPlain;
#endif
}

}  // namespace

Matrix transposed(const Matrix& a) {
  Matrix out(a.cols, a.rows);
  constexpr std::size_t kTile = 32;
  for (std::size_t i0 = 0; i0 < a.rows; i0 += kTile) {
    for (std::size_t j0 = 0; j0 < a.cols; j0 += kTile) {
      for (std::size_t i = i0; i < std::min(a.rows, i0 + kTile); ++i) {
        for (std::size_t j = j0; j < std::min(a.cols, j0 + kTile); ++j) {
          out.values[j * a.rows + i] = a.values[i * a.cols + j];
        }
      }
    }
  }
  return out;
}

void multiply_into(const Matrix& a, const Matrix& b, Matrix& out) {
  assert(a.cols == b.rows);
  out.rows = a.rows;
  out.cols = b.cols;
  out.values.assign(a.rows * b.cols, 0);
  const auto& kernel = kernels();
  thread_local std::vector<float> strip;
  strip.resize(kInner * kStrip);
  std::array<float, kRowsAtOnce * kStrip> sums;
  for (std::size_t k0 = 0; k0 < a.cols; k0 += kInner) {
    const std::size_t inner = std::min(kInner, a.cols - k0);
    for (std::size_t j0 = 0; j0 < b.cols; j0 += kStrip) {
      const std::size_t width = std::min(kStrip, b.cols - j0);
      for (std::size_t k = 0; k < inner; ++k) {
        float* to = strip.data() + k * kStrip;
        std::memcpy(to, b.row(k0 + k) + j0, width * sizeof(float));
        std::fill(to + width, to + kStrip, 0.0F);
      }
      for (std::size_t i = 0; i < a.rows;) {
        const std::size_t count = i + kRowsAtOnce <= a.rows ? kRowsAtOnce : 1;
        sums.fill(0);
        (count == 1 ? kernel.one : kernel.four)(a.row(i) + k0, a.cols, strip.data(), inner, sums.data());
        for (std::size_t r = 0; r < count; ++r) {
          float* to = out.row(i + r) + j0;
          for (std::size_t j = 0; j < width; ++j) to[j] += sums[r * kStrip + j];
        }
        i += count;
      }
    }
  }
}

Matrix multiply(const Matrix& a, const Matrix& b) {
  Matrix out;
  multiply_into(a, b, out);
  return out;
}

Matrix rows_of(const Matrix& a, std::span<const std::uint32_t> order) {
  Matrix out(order.size(), a.cols);
  for (std::size_t i = 0; i < order.size(); ++i) std::copy_n(a.row(order[i]), a.cols, out.row(i));
  return out;
}

std::optional<Matrix> solve_ridge(const Matrix& a, const Matrix& b, double ridge) {
  assert(a.rows == a.cols && a.rows == b.rows);
  const std::size_t d = a.rows;
  const std::size_t m = b.cols;
  std::vector<double> low(d * d);  // lower triangle L, A + ridge I = L L'
  for (std::size_t i = 0; i < d; ++i) {
    double* li = low.data() + i * d;
    for (std::size_t j = 0; j <= i; ++j) {
      const double* lj = low.data() + j * d;
      const double rest = static_cast<double>(a.at(i, j)) + (i == j ? ridge : 0) - dot(li, lj, j);
      if (i == j) {
        if (!(rest > 1e-12)) return std::nullopt;
        li[i] = std::sqrt(rest);
      } else {
        li[j] = rest / lj[j];
      }
    }
  }
  std::vector<double> x(d);
  Matrix out(d, m);
  for (std::size_t column = 0; column < m; ++column) {
    for (std::size_t i = 0; i < d; ++i) {
      x[i] = (static_cast<double>(b.at(i, column)) - dot(low.data() + i * d, x.data(), i)) / low[i * d + i];
    }
    for (std::size_t i = d; i-- > 0;) {
      x[i] /= low[i * d + i];
      for (std::size_t j = 0; j < i; ++j) x[j] -= low[i * d + j] * x[i];
    }
    for (std::size_t i = 0; i < d; ++i) out.at(i, column) = static_cast<float>(x[i]);
  }
  return out;
}

}  // namespace brevet
