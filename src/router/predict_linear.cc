// Routers that end in a few dot products with the embedding: what differs is the link behind them.
//
// bert_head: softmax over strong wins, tie, weak wins; need = 1 - (P_tie + P_weak) (RouteLLM, Ong et al.
// 2024, arXiv 2406.18665, section 4.2). Microseconds, no allocation.
#include <algorithm>
#include <array>
#include <cmath>

#include "memory/simd.h"
#include "router/kinds.h"

namespace brevet {
namespace {

/// In place; the largest is subtracted first, so nothing overflows.
void softmax(std::span<float> scores) {
  const float top = *std::max_element(scores.begin(), scores.end());
  float sum = 0;
  for (auto& score : scores) sum += score = std::exp(score - top);
  for (auto& score : scores) score /= sum;
}

class LinearPredictor final : public Predictor {
 public:
  LinearPredictor(ArtefactPtr artefact, const Tensor& weights)
      : artefact_(std::move(artefact)), weights_(weights), width_(weights.shape[1]) {}

 protected:
  std::size_t outputs() const { return weights_.shape[0]; }
  /// Row `output` of the weights times (embedding, 1).
  float score(const Embedding& embedding, std::size_t output) const {
    const float* row = weights_.values.data() + output * width_;
    return dot(row, embedding.data(), std::min(embedding.size(), width_ - 1)) + row[width_ - 1];
  }

 private:
  ArtefactPtr artefact_;
  const Tensor& weights_;
  std::size_t width_;

 public:
  Predicts predicts() const override { return Predicts::kNeed; }
  void predict(const RequestFeatures& features, std::span<float> out) const override {
    std::array<float, 3> p{};
    for (std::size_t c = 0; c < 3; ++c) p[c] = score(*features.embedding, c);
    softmax(p);
    out[0] = 1 - (p[1] + p[2]);
  }
};

}  // namespace

Result<PredictorPtr> make_linear_predictor(const ArtefactPtr& artefact) {
  const auto weights = artefact->tensor("weights", {3, 0});
  if (!weights) return fail(weights.error());
  return std::make_unique<LinearPredictor>(artefact, **weights);
}

}  // namespace brevet
