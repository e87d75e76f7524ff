#include "train/softmax_head.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <deque>
#include <vector>

#include "memory/simd.h"

namespace brevet {
namespace {

using Vector = std::vector<double>;

/// The loss and its gradient; parameters lie as [c, d+1].
class Objective {
 public:
  Objective(const Matrix& x, const Matrix& targets, std::span<const float> weights, double ridge)
      : targets_(targets), weights_(weights), ridge_(ridge), classes_(targets.cols), width_(x.cols + 1) {
    x_ = Matrix(x.rows, width_);
    for (std::size_t i = 0; i < x.rows; ++i) {
      std::copy_n(x.row(i), x.cols, x_.row(i));
      x_.at(i, x.cols) = 1;
    }
    x_across_ = transposed(x_);
  }

  std::size_t size() const { return classes_ * width_; }

  double evaluate(const Vector& parameters, Vector& gradient) {
    Matrix across(width_, classes_);
    for (std::size_t c = 0; c < classes_; ++c) {
      for (std::size_t j = 0; j < width_; ++j) {
        across.at(j, c) = static_cast<float>(parameters[c * width_ + j]);
      }
    }
    multiply_into(x_, across, scores_);
    double loss = 0;
    for (std::size_t i = 0; i < x_.rows; ++i) {
      float* s = scores_.row(i);
      const float top = *std::max_element(s, s + classes_);
      double sum = 0;
      for (std::size_t c = 0; c < classes_; ++c) sum += std::exp(static_cast<double>(s[c] - top));
      const double log_sum = std::log(sum) + top;
      for (std::size_t c = 0; c < classes_; ++c) {
        const double target = targets_.at(i, c);
        const double log_p = s[c] - log_sum;
        loss -= weights_[i] * target * log_p;
        s[c] = static_cast<float>(weights_[i] * (std::exp(log_p) - target));
      }
    }
    multiply_into(x_across_, scores_, slope_);
    gradient.resize(size());
    for (std::size_t c = 0; c < classes_; ++c) {
      for (std::size_t j = 0; j < width_; ++j) {
        const std::size_t at = c * width_ + j;
        gradient[at] = slope_.at(j, c);
        if (j + 1 == width_) continue;
        gradient[at] += ridge_ * parameters[at];
        loss += .5 * ridge_ * parameters[at] * parameters[at];
      }
    }
    return loss;
  }

 private:
  const Matrix& targets_;
  std::span<const float> weights_;
  double ridge_;
  std::size_t classes_;
  std::size_t width_;
  Matrix x_, x_across_, scores_, slope_;
};

double inner(const Vector& a, const Vector& b) {
  return dot(a.data(), b.data(), a.size());
}

/// Steps and changes of gradient of the last iterations.
struct Past {
  Vector step, change;
  double inverse = 0;  ///< 1 / (step . change)
};

/// -H gradient by the two-loop recursion.
Vector direction(const Vector& gradient, const std::deque<Past>& past) {
  Vector q = gradient;
  std::vector<double> alpha(past.size());
  for (std::size_t k = past.size(); k-- > 0;) {
    alpha[k] = past[k].inverse * inner(past[k].step, q);
    add_scaled(q.data(), -alpha[k], past[k].change.data(), q.size());
  }
  if (!past.empty()) {
    const auto& last = past.back();
    const double scale = 1 / (last.inverse * inner(last.change, last.change));
    for (auto& value : q) value *= scale;
  }
  for (std::size_t k = 0; k < past.size(); ++k) {
    const double beta = past[k].inverse * inner(past[k].change, q);
    add_scaled(q.data(), alpha[k] - beta, past[k].step.data(), q.size());
  }
  for (auto& value : q) value = -value;
  return q;
}

}  // namespace

std::optional<Matrix> fit_softmax(const Matrix& x, const Matrix& targets, std::span<const float> weights,
                                  const SoftmaxOptions& options, const std::function<bool()>& stop) {
  assert(x.rows == targets.rows && x.rows == weights.size());
  constexpr std::size_t kMemory = 10;
  constexpr int kHalvingsMax = 30;
  Objective objective(x, targets, weights, options.ridge);
  Vector at(objective.size(), 0), gradient, next, next_gradient;
  double total = 0;
  for (const float w : weights) total += w;
  double loss = objective.evaluate(at, gradient);
  std::deque<Past> past;
  for (int step = 0; step < options.steps_max; ++step) {
    if (stop && stop()) return std::nullopt;
    double largest = 0;
    for (const double g : gradient) largest = std::max(largest, std::abs(g));
    if (largest <= options.tolerance * std::max(1e-12, total)) break;
    Vector along = direction(gradient, past);
    double slope = inner(along, gradient);
    if (!(slope < 0)) {
      past.clear();
      along = direction(gradient, past);
      slope = inner(along, gradient);
    }
    // Without a past the scale is unknown: one unit of weight is a safe first length.
    double length = past.empty() ? 1 / std::max(1.0, std::sqrt(inner(gradient, gradient))) : 1;
    double next_loss = loss;
    bool found = false;
    for (int halving = 0; halving < kHalvingsMax && !found; ++halving) {
      next = at;
      add_scaled(next.data(), length, along.data(), next.size());
      next_loss = objective.evaluate(next, next_gradient);
      found = std::isfinite(next_loss) && next_loss <= loss + 1e-4 * length * slope;
      if (!found) length /= 2;
    }
    // The products are float: near the optimum no step can be seen to be downhill.
    if (!found) break;
    Past made;
    made.step.resize(at.size());
    made.change.resize(at.size());
    for (std::size_t k = 0; k < at.size(); ++k) {
      made.step[k] = next[k] - at[k];
      made.change[k] = next_gradient[k] - gradient[k];
    }
    const double curvature = inner(made.step, made.change);
    if (curvature > 1e-10 * inner(made.change, made.change)) {
      made.inverse = 1 / curvature;
      past.push_back(std::move(made));
      if (past.size() > kMemory) past.pop_front();
    }
    at.swap(next);
    gradient.swap(next_gradient);
    loss = next_loss;
  }
  Matrix out(targets.cols, x.cols + 1);
  for (std::size_t k = 0; k < at.size(); ++k) out.values[k] = static_cast<float>(at[k]);
  return out;
}

}  // namespace brevet
