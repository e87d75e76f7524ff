// Routers that end in a few dot products with the embedding: what differs is the link behind them.
//
// bert_head: softmax over strong wins, tie, weak wins; need = 1 - (P_tie + P_weak) (RouteLLM, Ong et al.
// 2024, arXiv 2406.18665, section 4.2). hybrid_*: softmax over weak suffices, strong needed (Hybrid LLM, Ding
// et al. 2024, arXiv 2404.14618, section 3). mf: sigmoid of one vector, the bilinear score of RouteLLM for a
// fixed pair. svm: one linear regressor per model (RouterBench, Hu et al. 2024, arXiv 2403.12031, section
// 4.2). zooter: softmax over models, its distilled rewards (Lu et al. 2023, arXiv 2311.08692, section 3).
// Microseconds, no allocation.
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

enum class Link {
  kOutputs,      ///< quality = the dot products
  kShares,       ///< quality = softmax over them
  kFirstClass,   ///< need = P(class 0) of three
  kSecondClass,  ///< need = P(class 1) of two
  kSigmoid,      ///< need = sigmoid of one
};

class LinearPredictor final : public Predictor {
 public:
  LinearPredictor(ArtefactPtr artefact, const Tensor& weights, Link link)
      : artefact_(std::move(artefact)), weights_(weights), width_(weights.shape[1]), link_(link) {}

  Predicts predicts() const override {
    return link_ == Link::kOutputs || link_ == Link::kShares ? Predicts::kQuality : Predicts::kNeed;
  }

  void predict(const RequestFeatures& features, std::span<float> out) const override {
    const Embedding& embedding = *features.embedding;
    if (predicts() == Predicts::kQuality) {
      for (std::size_t c = 0; c < out.size(); ++c) out[c] = score(embedding, c);
      if (link_ == Link::kShares) softmax(out);
      return;
    }
    std::array<float, 3> classes{};
    const std::size_t count = weights_.shape[0];
    for (std::size_t c = 0; c < count; ++c) classes[c] = score(embedding, c);
    if (link_ == Link::kSigmoid) {
      out[0] = 1 / (1 + std::exp(-classes[0]));
      return;
    }
    softmax(std::span(classes).first(count));
    out[0] = classes[link_ == Link::kFirstClass ? 0 : 1];
  }

 private:
  /// Row `output` of the weights times (embedding, 1).
  float score(const Embedding& embedding, std::size_t output) const {
    const float* row = weights_.values.data() + output * width_;
    return dot(row, embedding.data(), std::min(embedding.size(), width_ - 1)) + row[width_ - 1];
  }

  ArtefactPtr artefact_;
  const Tensor& weights_;
  std::size_t width_;
  Link link_;
};

}  // namespace

Result<PredictorPtr> make_linear_predictor(const ArtefactPtr& artefact) {
  const auto& kind = artefact->info.kind;
  Link link = Link::kSecondClass;  // the three of Hybrid LLM
  auto outputs = std::uint32_t{2};
  if (kind == "svm" || kind == "zooter") {
    link = kind == "svm" ? Link::kOutputs : Link::kShares;
    outputs = static_cast<std::uint32_t>(artefact->info.configurations.size());
  } else if (kind == "bert_head") {
    link = Link::kFirstClass;
    outputs = 3;
  } else if (kind == "mf") {
    link = Link::kSigmoid;
    outputs = 1;
  }
  const auto weights = artefact->tensor("weights", {outputs, 0});
  if (!weights) return fail(weights.error());
  if ((*weights)->shape[1] < 2) return corrupt_router(*artefact, "weights");
  return std::make_unique<LinearPredictor>(artefact, **weights, link);
}

}  // namespace brevet
