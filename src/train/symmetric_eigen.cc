#include "train/symmetric_eigen.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace brevet {
namespace {

constexpr int kSweepsMax = 60;
constexpr double kOffDiagonal = 1e-12;

}  // namespace

SymmetricEigen symmetric_eigen(const Matrix& a) {
  const std::size_t d = a.rows;
  // Full and symmetric, so that a rotation of two rows is two runs through memory and the columns follow.
  std::vector<double> m(d * d), v(d * d, 0.0);
  double whole = 0;
  for (std::size_t i = 0; i < d; ++i) {
    v[i * d + i] = 1;
    for (std::size_t j = 0; j < d; ++j) {
      const double value = i <= j ? a.at(i, j) : a.at(j, i);
      m[i * d + j] = value;
      whole += value * value;
    }
  }
  for (int sweep = 0; sweep < kSweepsMax; ++sweep) {
    double off = 0;
    for (std::size_t i = 0; i < d; ++i) {
      for (std::size_t j = i + 1; j < d; ++j) off += 2 * m[i * d + j] * m[i * d + j];
    }
    if (off <= kOffDiagonal * kOffDiagonal * whole) break;
    for (std::size_t p = 0; p < d; ++p) {
      for (std::size_t q = p + 1; q < d; ++q) {
        const double apq = m[p * d + q];
        if (apq == 0) continue;
        const double theta = (m[q * d + q] - m[p * d + p]) / (2 * apq);
        const double t = (theta >= 0 ? 1.0 : -1.0) / (std::fabs(theta) + std::sqrt(theta * theta + 1));
        const double c = 1 / std::sqrt(t * t + 1), s = t * c;
        double* mp = m.data() + p * d;
        double* mq = m.data() + q * d;
        double* vp = v.data() + p * d;
        double* vq = v.data() + q * d;
        const double app = mp[p] - t * apq, aqq = mq[q] + t * apq;
        for (std::size_t k = 0; k < d; ++k) {
          const double x = mp[k], y = mq[k];
          mp[k] = c * x - s * y;
          mq[k] = s * x + c * y;
          const double vx = vp[k], vy = vq[k];
          vp[k] = c * vx - s * vy;
          vq[k] = s * vx + c * vy;
        }
        mp[p] = app, mq[q] = aqq, mp[q] = 0, mq[p] = 0;
        for (std::size_t k = 0; k < d; ++k) {
          m[k * d + p] = mp[k];
          m[k * d + q] = mq[k];
        }
      }
    }
  }
  std::vector<std::size_t> order(d);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t x, std::size_t y) { return m[x * d + x] > m[y * d + y]; });
  SymmetricEigen out;
  out.vectors = Matrix(d, d);
  for (std::size_t i = 0; i < d; ++i) {
    out.values.push_back(m[order[i] * d + order[i]]);
    for (std::size_t k = 0; k < d; ++k) out.vectors.at(i, k) = static_cast<float>(v[order[i] * d + k]);
  }
  return out;
}

}  // namespace brevet
