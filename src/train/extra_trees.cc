#include "train/extra_trees.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "train/seeded_random.h"

namespace brevet {
namespace {

/// The features of all rows by column, so that a node reads one short stretch per feature.
class Grower {
 public:
  Grower(const Matrix& x, const Matrix& y, const ForestOptions& options, Forest& out)
      : columns_(transposed(x)), y_(y), options_(options), out_(out), left_(y.cols), total_(y.cols) {
    order_.resize(x.cols);
    tried_ = std::clamp<std::size_t>(
        static_cast<std::size_t>(std::ceil(options.features_share * static_cast<double>(x.cols))), 1, x.cols);
  }

  void grow_tree(SeededRandom& random) {
    const std::size_t n = y_.rows;
    rows_.resize(n);
    std::iota(rows_.begin(), rows_.end(), 0);
    if (n > options_.rows_max) {
      random.shuffle(rows_);
      rows_.resize(options_.rows_max);
    }
    std::iota(order_.begin(), order_.end(), 0);
    out_.roots.push_back(static_cast<std::uint32_t>(out_.nodes.size()));
    out_.nodes.emplace_back();
    struct Open {
      std::uint32_t node;
      std::size_t from, to;
    };
    std::vector<Open> open = {{out_.roots.back(), 0, rows_.size()}};
    while (!open.empty()) {
      const Open at = open.back();
      open.pop_back();
      const auto split = best_split(at.from, at.to, random);
      if (split.feature < 0) {
        close(at.node, at.from, at.to);
        continue;
      }
      const float* column = columns_.row(static_cast<std::size_t>(split.feature));
      const auto middle = std::stable_partition(rows_.begin() + static_cast<std::ptrdiff_t>(at.from),
                                                rows_.begin() + static_cast<std::ptrdiff_t>(at.to),
                                                [&](auto i) { return column[i] <= split.threshold; });
      const auto cut = static_cast<std::size_t>(middle - rows_.begin());
      const auto next = static_cast<std::uint32_t>(out_.nodes.size());
      out_.nodes[at.node] = {split.feature, split.threshold, next};
      out_.nodes.emplace_back();
      out_.nodes.emplace_back();
      open.push_back({next + 1, cut, at.to});
      open.push_back({next, at.from, cut});
    }
  }

 private:
  struct Split {
    std::int32_t feature = -1;
    float threshold = 0;
    double score = 0;
  };

  void close(std::uint32_t node, std::size_t from, std::size_t to) {
    out_.nodes[node].next = static_cast<std::uint32_t>(out_.values.size() / out_.outputs);
    const auto count = static_cast<double>(to - from);
    for (std::size_t c = 0; c < y_.cols; ++c) {
      double sum = 0;
      for (std::size_t k = from; k < to; ++k) sum += y_.at(rows_[k], c);
      out_.values.push_back(static_cast<float>(sum / count));
    }
  }

  Split best_split(std::size_t from, std::size_t to, SeededRandom& random) {
    Split best;
    const std::size_t n = to - from;
    if (n < 2 * options_.leaf_min) return best;
    const std::span rows = std::span(rows_).subspan(from, n);
    std::fill(total_.begin(), total_.end(), 0.0F);
    for (const auto i : rows) {
      for (std::size_t c = 0; c < y_.cols; ++c) total_[c] += y_.at(i, c);
    }
    // The gain over one leaf is the score minus this; a pure node cannot gain.
    double whole = 0;
    for (const float t : total_) whole += static_cast<double>(t) * t / static_cast<double>(n);
    best.score = whole + 1e-9 * static_cast<double>(n);
    std::size_t tried = 0;
    for (std::size_t k = 0; k < order_.size() && tried < tried_; ++k) {
      std::swap(order_[k], order_[k + random.below(order_.size() - k)]);
      const float* column = columns_.row(order_[k]);
      float low = column[rows[0]], high = low;
      for (const auto i : rows) low = std::min(low, column[i]), high = std::max(high, column[i]);
      if (!(high > low)) continue;  // constant here; costs no try
      ++tried;
      auto threshold = static_cast<float>(low + random.uniform() * (static_cast<double>(high) - low));
      if (threshold >= high) threshold = low;
      std::size_t count = 0;
      std::fill(left_.begin(), left_.end(), 0.0F);
      if (y_.cols == 2) {
        // The usual case, without an inner loop.
        float first = 0, second = 0, in = 0;
        for (const auto i : rows) {
          const float inside = column[i] <= threshold ? 1.0F : 0.0F;
          const float* y = y_.row(i);
          first += inside * y[0], second += inside * y[1], in += inside;
        }
        left_[0] = first, left_[1] = second;
        count = static_cast<std::size_t>(in);
      } else {
        for (const auto i : rows) {
          if (column[i] > threshold) continue;
          ++count;
          const float* y = y_.row(i);
          for (std::size_t c = 0; c < y_.cols; ++c) left_[c] += y[c];
        }
      }
      if (count < options_.leaf_min || n - count < options_.leaf_min) continue;
      double score = 0;
      for (std::size_t c = 0; c < y_.cols; ++c) {
        const double rest = static_cast<double>(total_[c]) - left_[c];
        score += static_cast<double>(left_[c]) * left_[c] / static_cast<double>(count) +
                 rest * rest / static_cast<double>(n - count);
      }
      if (score > best.score) best = {static_cast<std::int32_t>(order_[k]), threshold, score};
    }
    return best;
  }

  Matrix columns_;  ///< [features, n]
  const Matrix& y_;
  const ForestOptions& options_;
  Forest& out_;
  std::size_t tried_ = 1;
  std::vector<std::uint32_t> rows_;   ///< of the tree; a node owns a stretch
  std::vector<std::uint32_t> order_;  ///< features, reshuffled as far as a node tries
  std::vector<float> left_, total_;
};

}  // namespace

std::optional<Forest> grow_forest(const Matrix& x, const Matrix& y, const ForestOptions& options,
                                  std::uint64_t seed, const std::function<bool()>& stop) {
  Forest out;
  out.outputs = y.cols;
  Grower grower(x, y, options, out);
  for (std::size_t tree = 0; tree < options.trees; ++tree) {
    if (stop && stop()) return std::nullopt;
    SeededRandom random(seed, tree + 1);
    grower.grow_tree(random);
  }
  return out;
}

}  // namespace brevet
