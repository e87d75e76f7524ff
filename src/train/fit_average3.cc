// average3: mean of three ranks of the gain from the strong model, a reference that other routers are
// measured against: mean gain of the 40 nearest labelled requests; P(strong right) - P(weak right) from two
// logistic regressions on the embedding (C = .1); the same on hashed words (C = 1). C is the inverse penalty
// of scikit-learn's LogisticRegression.
//
// Averaging ranks lets members speak that live on different scales (Borda). Places are taken among scores of
// requests that were left out of a member's fit, in halves: among its own a member looks surer than it is.
// Known weakness: every member is linear or local, and none knows when another is right.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "memory/simd.h"
#include "train/fit_kinds.h"
#include "train/folds.h"
#include "train/softmax_head.h"

namespace brevet {
namespace {

constexpr std::size_t kMembers = 3;

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

/// Words of requests by their place among all words of the training, with a column for the offset behind.
struct WordRows {
  std::vector<float> index;              ///< [k] increasing
  std::vector<std::size_t> begin = {0};  ///< [n + 1]
  std::vector<std::uint32_t> place;
  std::vector<float> value;
};

WordRows word_rows(const Training& data) {
  WordRows out;
  std::vector<std::uint32_t> all;
  for (const auto* features : data.features)
    all.insert(all.end(), features->words.index.begin(), features->words.index.end());
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  out.index.assign(all.begin(), all.end());
  for (const auto* features : data.features) {
    const auto& words = features->words;
    for (std::size_t w = 0; w < words.index.size(); ++w) {
      const auto at = std::lower_bound(all.begin(), all.end(), words.index[w]) - all.begin();
      out.place.push_back(static_cast<std::uint32_t>(at));
      out.value.push_back(words.value[w]);
    }
    out.begin.push_back(out.place.size());
  }
  return out;
}

/// Weights [k] and offset of a logistic regression with soft targets, by accelerated gradient steps
/// (Nesterov 1983) of the length that the largest eigenvalue allows.
struct WordLogistic {
  std::vector<double> weights;
  double offset = 0;
};
WordLogistic fit_words(const WordRows& rows, const std::vector<std::uint32_t>& in,
                       const std::vector<float>& target, double ridge) {
  constexpr int kStepsMax = 400;
  constexpr double kTolerance = 1e-4;  // of the gradient, per request
  constexpr double kOffset = .3;       // a smaller column for the offset allows longer steps
  const std::size_t width = rows.index.size() + 1;
  const std::size_t last = width - 1;
  const auto score = [&](const std::vector<double>& w, std::uint32_t i) {
    double sum = kOffset * w[last];
    for (auto e = rows.begin[i]; e < rows.begin[i + 1]; ++e) sum += rows.value[e] * w[rows.place[e]];
    return sum;
  };
  const auto add = [&](std::vector<double>& to, std::uint32_t i, double scale) {
    to[last] += scale * kOffset;
    for (auto e = rows.begin[i]; e < rows.begin[i + 1]; ++e) to[rows.place[e]] += scale * rows.value[e];
  };
  std::vector<double> gradient(width), at(width, 1 / std::sqrt(static_cast<double>(width)));
  double largest = 1;
  for (int round = 0; round < 15; ++round) {
    std::fill(gradient.begin(), gradient.end(), 0.0);
    for (const auto i : in) add(gradient, i, score(at, i));
    largest = std::sqrt(dot(gradient.data(), gradient.data(), width));
    for (std::size_t j = 0; j < width; ++j) at[j] = gradient[j] / largest;
  }
  // Power iteration stays below the eigenvalue.
  const double step = 1 / (1.2 * .25 * largest + ridge);
  std::vector<double> w(width, 0), ahead(width, 0), next(width);
  double momentum = 1;
  for (int k = 0; k < kStepsMax; ++k) {
    for (std::size_t j = 0; j < last; ++j) gradient[j] = ridge * ahead[j];
    gradient[last] = 0;
    for (const auto i : in) add(gradient, i, sigmoid(score(ahead, i)) - target[i]);
    double steepest = 0, uphill = 0;
    for (const double g : gradient) steepest = std::max(steepest, std::abs(g));
    for (std::size_t j = 0; j < width; ++j) {
      next[j] = ahead[j] - step * gradient[j];
      uphill += gradient[j] * (next[j] - w[j]);
    }
    // Momentum that leads uphill is dropped (O'Donoghue and Candes 2015).
    if (uphill > 0) momentum = 1;
    const double then = (1 + std::sqrt(1 + 4 * momentum * momentum)) / 2;
    for (std::size_t j = 0; j < width; ++j) ahead[j] = next[j] + (momentum - 1) / then * (next[j] - w[j]);
    momentum = then;
    w.swap(next);
    if (steepest <= kTolerance * static_cast<double>(in.size())) break;
  }
  WordLogistic out;
  out.offset = kOffset * w[last];
  w.pop_back();
  out.weights = std::move(w);
  return out;
}

/// Both regressions of both members; 0 weak, 1 strong.
struct Members {
  Matrix embedding;  ///< [2, d+1]
  WordLogistic words[2];
};

class Average3 {
 public:
  Average3(const Training& data, const FitOrder& order)
      : data_(data), order_(order), words_(word_rows(data)) {
    for (const std::size_t c : {std::size_t{0}, data.configurations - 1}) {
      auto& target = target_[c == 0 ? 0 : 1];
      for (const float q : data.quality[c]) target.push_back(std::isnan(q) ? 0 : q);
    }
    for (std::uint32_t i = 0; i < data.size(); ++i) {
      if (!std::isnan(data.quality.front()[i]) && !std::isnan(data.quality.back()[i])) whole_.push_back(i);
    }
  }

  const std::vector<std::uint32_t>& whole() const { return whole_; }
  const WordRows& words() const { return words_; }
  float gain(std::uint32_t i) const { return target_[1][i] - target_[0][i]; }

  std::optional<Members> fit(const std::vector<std::uint32_t>& in) const {
    Members out;
    const Matrix x = rows_of(data_.x, in);
    out.embedding = Matrix(2, data_.x.cols + 1);
    const std::vector<float> ones(in.size(), 1);
    for (std::size_t c = 0; c < 2; ++c) {
      Matrix classes(in.size(), 2);
      for (std::size_t k = 0; k < in.size(); ++k) {
        classes.at(k, 1) = target_[c][in[k]];
        classes.at(k, 0) = 1 - target_[c][in[k]];
      }
      // Two opposite vectors share one regression's penalty, half of its weight each.
      const auto made =
          fit_softmax(x, classes, ones, {.ridge = 2 / number_of(order_, "c_embedding")}, order_.stop);
      if (!made) return std::nullopt;
      for (std::size_t j = 0; j <= data_.x.cols; ++j)
        out.embedding.at(c, j) = made->at(1, j) - made->at(0, j);
      out.words[c] = fit_words(words_, in, target_[c], 1 / number_of(order_, "c_words"));
      if (order_.stopped()) return std::nullopt;
    }
    return out;
  }

  /// Scores of requests that are not among those that taught.
  void score(const Members& members, const std::vector<std::uint32_t>& taught,
             const std::vector<std::uint32_t>& asked, std::vector<float> (&into)[kMembers]) const {
    const auto k = std::min(static_cast<std::size_t>(count_of(order_, "k")), taught.size());
    std::vector<std::pair<float, std::uint32_t>> near(taught.size());
    const std::size_t d = data_.x.cols;
    for (const auto i : asked) {
      for (std::size_t t = 0; t < taught.size(); ++t)
        near[t] = {-dot(data_.x.row(i), data_.x.row(taught[t]), d), taught[t]};
      std::nth_element(near.begin(), near.begin() + static_cast<std::ptrdiff_t>(k - 1), near.end());
      double sum = 0;
      for (std::size_t t = 0; t < k; ++t) sum += gain(near[t].second);
      into[0].push_back(static_cast<float>(sum / static_cast<double>(k)));
      double by_embedding[2], by_words[2];
      for (std::size_t c = 0; c < 2; ++c) {
        by_embedding[c] =
            sigmoid(dot(members.embedding.row(c), data_.x.row(i), d) + members.embedding.at(c, d));
        double sum_words = members.words[c].offset;
        for (auto e = words_.begin[i]; e < words_.begin[i + 1]; ++e)
          sum_words += words_.value[e] * members.words[c].weights[words_.place[e]];
        by_words[c] = sigmoid(sum_words);
      }
      into[1].push_back(static_cast<float>(by_embedding[1] - by_embedding[0]));
      into[2].push_back(static_cast<float>(by_words[1] - by_words[0]));
    }
  }

 private:
  const Training& data_;
  const FitOrder& order_;
  WordRows words_;
  std::vector<float> target_[2];
  std::vector<std::uint32_t> whole_;
};

Result<Fitted> fit_average3(const Training& data, const FitOrder& order) {
  constexpr int kHalves = 2;
  const Average3 average(data, order);
  const auto& rows = average.whole();
  if (rows.size() < 4) {
    return fail(ErrorKind::kCallerInvalid, "too_few_labels",
                "average3 learns from requests that both models answered, and there are fewer than 4. Record "
                "the missing outcomes.");
  }
  std::vector<std::uint32_t> cluster;
  for (const auto i : rows) cluster.push_back(data.cluster[i]);
  const auto fold = fold_by_cluster(cluster, kHalves, order.seed);
  std::vector<float> scores[kMembers];
  for (std::uint32_t f = 0; f < kHalves; ++f) {
    std::vector<std::uint32_t> taught, asked;
    for (std::size_t k = 0; k < rows.size(); ++k) (fold[k] == f ? asked : taught).push_back(rows[k]);
    if (taught.empty() || asked.empty()) continue;
    const auto members = average.fit(taught);
    if (!members) return fit_interrupted();
    average.score(*members, taught, asked, scores);
  }
  if (scores[0].size() < 2) {
    return fail(ErrorKind::kCallerInvalid, "too_few_labels",
                "All labelled requests are near-duplicates of one: there is nothing to rank.");
  }
  const auto members = average.fit(rows);
  if (!members) return fit_interrupted();
  Fitted out;
  Tensor ranks{{kMembers, static_cast<std::uint32_t>(scores[0].size())}, {}};
  for (auto& member : scores) {
    std::sort(member.begin(), member.end());
    ranks.values.insert(ranks.values.end(), member.begin(), member.end());
  }
  std::vector<float> gain;
  for (const auto i : rows) gain.push_back(average.gain(i));
  const std::size_t known = average.words().index.size();
  Tensor words{{static_cast<std::uint32_t>(known), 2}, {}};
  for (std::size_t w = 0; w < known; ++w) {
    for (std::size_t c = 0; c < 2; ++c)
      words.values.push_back(static_cast<float>(members->words[c].weights[w]));
  }
  out.tensors["rows"] = tensor_of(rows_of(data.x, rows));
  out.tensors["gain"] = tensor_of(std::move(gain));
  out.tensors["k"] = tensor_of({static_cast<float>(count_of(order, "k"))});
  out.tensors["embedding"] = tensor_of(members->embedding);
  out.tensors["words.index"] = tensor_of(average.words().index);
  out.tensors["words"] = std::move(words);
  out.tensors["words.offset"] = tensor_of(std::vector<float>{static_cast<float>(members->words[0].offset),
                                                             static_cast<float>(members->words[1].offset)});
  out.tensors["ranks"] = std::move(ranks);
  return out;
}

}  // namespace

KindRow average3_row() {
  KindRow row;
  row.kind.name = "average3";
  row.kind.summary = "mean rank of nearest requests and of two logistic regressions, on embedding and words";
  row.kind.options = {
      {"k", std::int64_t{40}, 1.0, 1000.0, "neighbours: more are steadier, fewer are more local"},
      {"c_embedding", .1, 1e-4, 1e4, "inverse penalty of the embedding's regression: less is smoother"},
      {"c_words", 1.0, 1e-4, 1e4, "inverse penalty of the words' regression"}};
  row.kind.requests_min = 50;
  row.fit = fit_average3;
  row.reads_quality = true;
  row.reads_words = true;
  return row;
}

}  // namespace brevet
