// average3: mean rank of three scores of the gain from the strong model: mean gain of the nearest labelled
// requests, difference of two logistic regressions on the embedding, the same on hashed words. Fitted by
// train/fit_average3.cc. A rank is the place among scores of requests that did not teach the member.
// Remembers every request (1.5 KB each).
#include <algorithm>
#include <cmath>

#include "memory/simd.h"
#include "router/kinds.h"
#include "router/reference_rows.h"

namespace brevet {
namespace {

struct Parts {
  const Tensor* rows = nullptr;       ///< [n, d]
  const Tensor* gain = nullptr;       ///< [n]
  const Tensor* embedding = nullptr;  ///< [2, d+1]: weak right, strong right; offset last
  const Tensor* index = nullptr;      ///< [k] words, increasing
  const Tensor* words = nullptr;      ///< [k, 2]
  const Tensor* offset = nullptr;     ///< [2] of the words
  const Tensor* ranks = nullptr;      ///< [3, q] increasing scores of each member
};

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

class Average3Predictor final : public Predictor {
 public:
  Average3Predictor(ArtefactPtr artefact, const Parts& parts, std::size_t k)
      : artefact_(std::move(artefact)), p_(parts), rows_(*parts.rows), k_(k) {}

  Predicts predicts() const override { return Predicts::kNeed; }
  void predict(const RequestFeatures& features, std::span<float> out) const override {
    const auto& embedding = *features.embedding;
    double near = 0;
    const auto hits = rows_.nearest(embedding, k_);
    for (const auto& hit : hits) near += p_.gain->values[hit.row] / static_cast<double>(hits.size());
    const std::size_t width = p_.embedding->shape[1];
    double by_embedding[2];
    for (std::size_t c = 0; c < 2; ++c) {
      const float* w = p_.embedding->values.data() + c * width;
      by_embedding[c] =
          sigmoid(dot(w, embedding.data(), std::min(embedding.size(), width - 1)) + w[width - 1]);
    }
    double by_words[2] = {p_.offset->values[0], p_.offset->values[1]};
    const auto& index = p_.index->values;
    auto from = index.begin();
    for (std::size_t i = 0; i < features.words.index.size(); ++i) {
      const auto wanted = static_cast<float>(features.words.index[i]);
      from = std::lower_bound(from, index.end(), wanted);
      if (from == index.end()) break;
      if (*from != wanted) continue;
      const float* w = p_.words->values.data() + 2 * (from - index.begin());
      for (std::size_t c = 0; c < 2; ++c) by_words[c] += features.words.value[i] * w[c];
    }
    out[0] = static_cast<float>((rank(0, near) + rank(1, by_embedding[1] - by_embedding[0]) +
                                 rank(2, sigmoid(by_words[1]) - sigmoid(by_words[0]))) /
                                3);
  }

 private:
  /// Place of a score among those of a member, 0..1; the middle of equal ones.
  double rank(std::size_t member, double score) const {
    const std::size_t count = p_.ranks->shape[1];
    const float* begin = p_.ranks->values.data() + member * count;
    const auto value = static_cast<float>(score);
    const auto low = static_cast<std::size_t>(std::lower_bound(begin, begin + count, value) - begin);
    const auto high = static_cast<std::size_t>(std::upper_bound(begin, begin + count, value) - begin);
    const auto last = static_cast<double>(count - 1);
    if (high > low) return (static_cast<double>(low) + static_cast<double>(high - 1)) / 2 / last;
    if (low == 0) return 0;
    if (low == count) return 1;
    const double below = begin[low - 1];
    return (static_cast<double>(low - 1) + (score - below) / (begin[low] - below)) / last;
  }

  ArtefactPtr artefact_;
  Parts p_;
  ReferenceRows rows_;
  std::size_t k_;
};

}  // namespace

Result<PredictorPtr> make_average3_predictor(const ArtefactPtr& artefact) {
  Parts parts;
  const Tensor* k = nullptr;
  const auto take = [&](const char* name, const std::vector<std::uint32_t>& shape,
                        const Tensor*& into) -> Result<> {
    const auto tensor = artefact->tensor(name, shape);
    if (!tensor) return fail(tensor.error());
    into = *tensor;
    return {};
  };
  for (const auto& got : {take("rows", {0, 0}, parts.rows), take("gain", {0}, parts.gain), take("k", {1}, k),
                          take("embedding", {2, 0}, parts.embedding), take("words.index", {0}, parts.index),
                          take("words", {0, 2}, parts.words), take("words.offset", {2}, parts.offset),
                          take("ranks", {3, 0}, parts.ranks)}) {
    if (!got) return fail(got.error());
  }
  if (parts.gain->shape[0] != parts.rows->shape[0]) return corrupt_router(*artefact, "gain");
  if (parts.embedding->shape[1] != parts.rows->shape[1] + 1) return corrupt_router(*artefact, "embedding");
  if (parts.words->shape[0] != parts.index->shape[0]) return corrupt_router(*artefact, "words");
  const auto& index = parts.index->values;
  if (std::adjacent_find(index.begin(), index.end(), [](float a, float b) { return !(a < b); }) !=
      index.end()) {
    return corrupt_router(*artefact, "words.index");
  }
  const std::size_t count = parts.ranks->shape[1];
  if (count < 2) return corrupt_router(*artefact, "ranks");
  for (std::size_t member = 0; member < 3; ++member) {
    const float* begin = parts.ranks->values.data() + member * count;
    if (!std::is_sorted(begin, begin + count)) return corrupt_router(*artefact, "ranks");
  }
  const float wanted = k->values[0];
  if (!(wanted >= 1 && wanted <= static_cast<float>(ReferenceRows::kCandidates)))
    return corrupt_router(*artefact, "k");
  return std::make_unique<Average3Predictor>(artefact, parts, static_cast<std::size_t>(wanted));
}

}  // namespace brevet
