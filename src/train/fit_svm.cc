// svm: one linear support vector regression per model (RouterBench, Hu et al. 2024, arXiv 2403.12031, section
// 4.2; there scikit-learn's LinearSVR), by dual coordinate descent (Ho and Lin 2012, "Large-scale linear
// support vector regression", algorithm 1 with the stopping rule on the largest step).
//
// The offset is a feature that is always 1, and so is penalised a little, as there. Known weakness: the
// absolute loss predicts the median, which on 0/1 scores is 0 or 1 almost everywhere; hence the squared loss
// by default.
#include <cmath>

#include "memory/simd.h"
#include "train/fit_kinds.h"
#include "train/seeded_random.h"

namespace brevet {
namespace {

struct SvrOptions {
  double cost = 1;
  double epsilon = 0;
  bool squared = true;
  int passes_max = 300;
  double tolerance = 1e-3;
};

/// x [n, d+1] with a last column of 1. -> [d+1]. Empty when stopped.
std::vector<float> support_vector_regression(const Matrix& x, const std::vector<float>& y,
                                             const SvrOptions& options, const FitOrder& order,
                                             std::uint64_t stream) {
  const std::size_t n = x.rows;
  const double bound = options.squared ? 1e300 : options.cost;
  const double diagonal = options.squared ? .5 / options.cost : 0;
  std::vector<float> w(x.cols, 0);
  std::vector<double> beta(n, 0), curvature(n);
  for (std::size_t i = 0; i < n; ++i) curvature[i] = dot(x.row(i), x.row(i), x.cols) + diagonal;
  std::vector<std::uint32_t> turn(n);
  for (std::uint32_t i = 0; i < n; ++i) turn[i] = i;
  SeededRandom random(order.seed, stream);
  double first_largest = 0;
  for (int pass = 0; pass < options.passes_max; ++pass) {
    if (order.stopped()) return {};
    random.shuffle(turn);
    double largest = 0;
    for (const auto i : turn) {
      const float* row = x.row(i);
      const double slope = dot(w.data(), row, x.cols) - y[i] + diagonal * beta[i];
      const double up = slope + options.epsilon;
      const double down = slope - options.epsilon;
      double step = -beta[i];
      if (up < curvature[i] * beta[i]) {
        step = -up / curvature[i];
      } else if (down > curvature[i] * beta[i]) {
        step = -down / curvature[i];
      }
      const double next = std::clamp(beta[i] + step, -bound, bound);
      const double moved = next - beta[i];
      if (moved == 0) continue;
      largest = std::max(largest, std::abs(moved) * curvature[i]);
      beta[i] = next;
      const auto scale = static_cast<float>(moved);
      for (std::size_t j = 0; j < x.cols; ++j) w[j] += scale * row[j];
    }
    if (pass == 0) first_largest = largest;
    if (largest <= options.tolerance * first_largest) break;
  }
  return w;
}

Result<Fitted> fit_svm(const Training& data, const FitOrder& order) {
  Matrix weights(data.configurations, data.x.cols + 1);
  const SvrOptions options{.cost = number_of(order, "cost"),
                           .epsilon = number_of(order, "epsilon"),
                           .squared = flag_of(order, "squared"),
                           .passes_max = static_cast<int>(count_of(order, "passes_max"))};
  for (std::size_t m = 0; m < data.configurations; ++m) {
    std::vector<std::uint32_t> rows;
    std::vector<float> y;
    for (std::uint32_t i = 0; i < data.size(); ++i) {
      if (std::isnan(data.quality[m][i])) continue;
      rows.push_back(i);
      y.push_back(data.quality[m][i]);
    }
    const auto w = support_vector_regression(with_ones(rows_of(data.x, rows)), y, options, order, m);
    if (w.empty()) return fit_interrupted();
    std::copy(w.begin(), w.end(), weights.row(m));
  }
  return Fitted{{{"weights", tensor_of(weights)}}};
}

}  // namespace

KindRow svm_row() {
  KindRow row;
  row.kind.name = "svm";
  row.kind.summary = "a linear support vector regression per model on the embedding";
  row.kind.options = {
      {"cost", .01, 1e-5, 1e4, "of an error: more follows the data, less is smoother"},
      {"epsilon", 0.0, 0.0, 1.0, "errors below it are free"},
      {"squared", true, {}, {}, "squared errors (the mean) instead of absolute ones (the median)"},
      {"passes_max", std::int64_t{300}, 1.0, 10000.0, "over the data; more is exacter and slower"}};
  row.kind.requests_min = 50;
  row.kind.many = true;
  row.fit = fit_svm;
  row.reads_quality = true;
  return row;
}

}  // namespace brevet
