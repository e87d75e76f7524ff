#include "train/linear_members.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <map>

#include "memory/simd.h"
#include "router/ensemble_features.h"
#include "train/seeded_random.h"

namespace brevet {
namespace {

std::vector<float> column_means(const Matrix& x) {
  std::vector<double> sums(x.cols, 0);
  for (std::size_t i = 0; i < x.rows; ++i) {
    for (std::size_t j = 0; j < x.cols; ++j) sums[j] += x.at(i, j);
  }
  std::vector<float> out;
  for (const double s : sums) out.push_back(static_cast<float>(s / static_cast<double>(x.rows)));
  return out;
}

Matrix centred(const Matrix& x, const std::vector<float>& mean) {
  Matrix out = x;
  for (std::size_t i = 0; i < x.rows; ++i) {
    for (std::size_t j = 0; j < x.cols; ++j) out.at(i, j) -= mean[j];
  }
  return out;
}

void subtract(Matrix& a, const Matrix& b) {
  for (std::size_t k = 0; k < a.values.size(); ++k) a.values[k] -= b.values[k];
}

std::vector<std::vector<std::uint32_t>> rows_by_fold(const std::vector<std::uint32_t>& fold) {
  std::vector<std::vector<std::uint32_t>> out(*std::max_element(fold.begin(), fold.end()) + 1);
  for (std::uint32_t i = 0; i < fold.size(); ++i) out[fold[i]].push_back(i);
  return out;
}

/// Requests as rows of known words.
struct SparseRows {
  std::vector<std::size_t> begin = {0};
  std::vector<std::uint32_t> place;
  std::vector<float> value;
};

/// (X X' + ridge I) a = y over the rows where `in` holds; X' a into `weights` [k].
void solve_words(const SparseRows& rows, const std::vector<bool>& in, const std::vector<float>& y,
                 double ridge, std::vector<float>& weights) {
  constexpr int kStepsMax = 60;
  constexpr double kTolerance = 1e-3;
  const std::size_t n = in.size();
  std::vector<double> a(n, 0), r(n, 0), p(n, 0), q(n, 0);
  double now = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (!in[i]) continue;
    r[i] = p[i] = y[i];
    now += r[i] * r[i];
  }
  const auto across = [&](const std::vector<double>& from) {
    std::fill(weights.begin(), weights.end(), 0.0F);
    for (std::size_t i = 0; i < n; ++i) {
      if (!in[i]) continue;
      const auto scale = static_cast<float>(from[i]);
      for (std::size_t e = rows.begin[i]; e < rows.begin[i + 1]; ++e) {
        weights[rows.place[e]] += scale * rows.value[e];
      }
    }
  };
  const double first = now;
  for (int step = 0; step < kStepsMax && now > kTolerance * kTolerance * first && now > 0; ++step) {
    across(p);
    double curvature = 0;
    for (std::size_t i = 0; i < n; ++i) {
      if (!in[i]) continue;
      double sum = ridge * p[i];
      for (std::size_t e = rows.begin[i]; e < rows.begin[i + 1]; ++e) {
        sum += weights[rows.place[e]] * rows.value[e];
      }
      q[i] = sum;
      curvature += sum * p[i];
    }
    if (!(curvature > 0)) break;
    const double length = now / curvature;
    double next = 0;
    for (std::size_t i = 0; i < n; ++i) {
      if (!in[i]) continue;
      a[i] += length * p[i];
      r[i] -= length * q[i];
      next += r[i] * r[i];
    }
    const double turn = next / now;
    for (std::size_t i = 0; i < n; ++i) p[i] = r[i] + turn * p[i];
    now = next;
  }
  across(a);
}

}  // namespace

DenseMember fit_dense_member(const Matrix& x, const Matrix& y, const std::vector<std::uint32_t>& fold,
                             double ridge) {
  assert(x.rows == y.rows && x.rows == fold.size());
  const auto x_mean = column_means(x);
  const Matrix c = centred(x, x_mean);
  const auto folds = rows_by_fold(fold);
  // The products of every fold are made once; a fit without one fold is the whole less that fold.
  std::vector<Matrix> gram, cross;
  std::vector<std::vector<double>> sums;
  Matrix gram_all(x.cols, x.cols), cross_all(x.cols, y.cols), row_all(1, x.cols);
  const auto solve = [&](const Matrix& g, const Matrix& b) {
    auto w = solve_ridge(g, b, ridge);
    return w ? std::move(*w) : Matrix(x.cols, y.cols);
  };
  std::vector<double> sum_all(y.cols, 0);
  std::vector<Matrix> part_x, x_sum;
  for (const auto& rows : folds) {
    part_x.push_back(rows_of(c, rows));
    const Matrix across = transposed(part_x.back());
    gram.push_back(multiply(across, part_x.back()));
    cross.push_back(multiply(across, rows_of(y, rows)));
    Matrix ones(1, rows.size());
    std::fill(ones.values.begin(), ones.values.end(), 1.0F);
    x_sum.push_back(multiply(ones, part_x.back()));
    std::vector<double> sum(y.cols, 0);
    for (const auto i : rows) {
      for (std::size_t m = 0; m < y.cols; ++m) sum[m] += y.at(i, m);
    }
    for (std::size_t m = 0; m < y.cols; ++m) sum_all[m] += sum[m];
    sums.push_back(std::move(sum));
    for (std::size_t k = 0; k < gram_all.values.size(); ++k) gram_all.values[k] += gram.back().values[k];
    for (std::size_t k = 0; k < cross_all.values.size(); ++k) cross_all.values[k] += cross.back().values[k];
    for (std::size_t k = 0; k < x.cols; ++k) row_all.values[k] += x_sum.back().values[k];
  }
  DenseMember out;
  out.out_of_fold = Matrix(x.rows, y.cols);
  for (std::size_t f = 0; f < folds.size(); ++f) {
    const auto left = static_cast<double>(x.rows - folds[f].size());
    if (left < 1) continue;
    Matrix g = gram_all, b = cross_all, centre = row_all;
    subtract(g, gram[f]);
    subtract(b, cross[f]);
    subtract(centre, x_sum[f]);
    for (auto& v : centre.values) v /= static_cast<float>(left);
    std::vector<double> mean(y.cols);
    for (std::size_t m = 0; m < y.cols; ++m) mean[m] = (sum_all[m] - sums[f][m]) / left;
    // The products were made around the mean of all rows; what is left has a mean of its own.
    for (std::size_t j = 0; j < x.cols; ++j) {
      const double of_row = left * centre.values[j];
      for (std::size_t k = 0; k < x.cols; ++k) g.at(j, k) -= static_cast<float>(of_row * centre.values[k]);
      for (std::size_t m = 0; m < y.cols; ++m) b.at(j, m) -= static_cast<float>(of_row * mean[m]);
    }
    const Matrix w = solve(g, b);
    Matrix moved = part_x[f];
    for (std::size_t k = 0; k < moved.rows; ++k) {
      for (std::size_t j = 0; j < x.cols; ++j) moved.at(k, j) -= centre.values[j];
    }
    const Matrix predicted = multiply(moved, w);
    for (std::size_t k = 0; k < folds[f].size(); ++k) {
      for (std::size_t m = 0; m < y.cols; ++m) {
        out.out_of_fold.at(folds[f][k], m) = predicted.at(k, m) + static_cast<float>(mean[m]);
      }
    }
  }
  std::vector<double> mean(y.cols);
  for (std::size_t m = 0; m < y.cols; ++m) mean[m] = sum_all[m] / static_cast<double>(x.rows);
  // Around the mean of all rows, their sum is 0, so the mean of y drops out.
  const Matrix w = solve(gram_all, cross_all);
  out.weights = Matrix(y.cols, x.cols + 1);
  for (std::size_t m = 0; m < y.cols; ++m) {
    double offset = mean[m];
    for (std::size_t j = 0; j < x.cols; ++j) {
      out.weights.at(m, j) = w.at(j, m);
      offset -= static_cast<double>(w.at(j, m)) * x_mean[j];
    }
    out.weights.at(m, x.cols) = static_cast<float>(offset);
  }
  return out;
}

WordsMember fit_words_member(std::span<const SparseVector* const> words, const Matrix& y,
                             const std::vector<std::uint32_t>& fold, double ridge) {
  const std::size_t n = words.size();
  WordsMember out;
  std::vector<std::uint32_t> all;
  for (const auto* w : words) all.insert(all.end(), w->index.begin(), w->index.end());
  std::sort(all.begin(), all.end());
  for (std::size_t k = 0; k < all.size();) {
    const auto end = static_cast<std::size_t>(std::upper_bound(all.begin(), all.end(), all[k]) - all.begin());
    // A word of one request teaches nothing about another.
    if (end - k >= 2) {
      out.index.push_back(static_cast<float>(all[k]));
      out.idf.push_back(std::log(static_cast<float>(1 + n) / static_cast<float>(1 + end - k)) + 1);
    }
    k = end;
  }
  SparseRows rows;
  for (const auto* w : words) {
    for_known_words(*w, {out.index, out.idf}, [&](std::size_t place, float value) {
      rows.place.push_back(static_cast<std::uint32_t>(place));
      rows.value.push_back(value);
    });
    rows.begin.push_back(rows.place.size());
  }
  const std::size_t m = y.cols;
  const auto folds = rows_by_fold(fold);
  out.weights = Matrix(out.index.size(), m);
  out.mean.resize(m);
  out.out_of_fold = Matrix(n, m);
  std::vector<float> weights(out.index.size());
  for (std::size_t c = 0; c < m; ++c) {
    // The last round leaves nothing out.
    for (std::size_t f = 0; f <= folds.size(); ++f) {
      std::vector<bool> in(n, true);
      if (f < folds.size()) {
        for (const auto i : folds[f]) in[i] = false;
      }
      double sum = 0, count = 0;
      for (std::size_t i = 0; i < n; ++i) {
        if (in[i]) sum += y.at(i, c), count += 1;
      }
      const auto mean = static_cast<float>(count > 0 ? sum / count : 0);
      std::vector<float> rest(n);
      for (std::size_t i = 0; i < n; ++i) rest[i] = y.at(i, c) - mean;
      solve_words(rows, in, rest, ridge, weights);
      if (f == folds.size()) {
        out.mean[c] = mean;
        for (std::size_t k = 0; k < weights.size(); ++k) out.weights.at(k, c) = weights[k];
        continue;
      }
      for (const auto i : folds[f]) {
        float predicted = mean;
        for (std::size_t e = rows.begin[i]; e < rows.begin[i + 1]; ++e) {
          predicted += weights[rows.place[e]] * rows.value[e];
        }
        out.out_of_fold.at(i, c) = predicted;
      }
    }
  }
  return out;
}

Matrix principal_components(const Matrix& x, std::size_t count, std::uint64_t seed) {
  constexpr int kRounds = 20;
  const auto mean = column_means(x);
  const Matrix c = centred(x, mean);
  const Matrix covariance = multiply(transposed(c), c);
  SeededRandom random(seed, 0x706361);
  Matrix basis(count, x.cols);
  for (auto& v : basis.values) v = static_cast<float>(random.normal());
  const auto orthonormal = [&] {
    for (std::size_t k = 0; k < count; ++k) {
      float* row = basis.row(k);
      // Twice: one pass of Gram and Schmidt in float leaves a rest.
      for (int pass = 0; pass < 2; ++pass) {
        for (std::size_t before = 0; before < k; ++before) {
          const float share = dot(row, basis.row(before), x.cols);
          for (std::size_t j = 0; j < x.cols; ++j) row[j] -= share * basis.at(before, j);
        }
        const float length = std::sqrt(dot(row, row, x.cols));
        for (std::size_t j = 0; j < x.cols; ++j) row[j] = length > 1e-20F ? row[j] / length : 0;
      }
    }
  };
  orthonormal();
  for (int round = 0; round < kRounds; ++round) {
    basis = multiply(basis, covariance);
    orthonormal();
  }
  Matrix out(count, x.cols + 1);
  for (std::size_t k = 0; k < count; ++k) {
    std::copy_n(basis.row(k), x.cols, out.row(k));
    out.at(k, x.cols) = -dot(basis.row(k), mean.data(), x.cols);
  }
  return out;
}

}  // namespace brevet
