// ensemble: a forest over the shape of the text, components of its embedding, and what three cheap linear
// routers say (embedding, shape, words). Fitted by train/fit_ensemble.cc, where the evidence is told. Tens of
// microseconds.
#include <cmath>
#include <vector>

#include "memory/simd.h"
#include "router/ensemble_features.h"
#include "router/kinds.h"

namespace brevet {
namespace {

/// The tensors, checked: every step of a walk through a tree goes forward and ends in a leaf that exists.
struct Parts {
  const Tensor* components = nullptr;  ///< [p, d+1], offset last
  const Tensor* embedding = nullptr;   ///< [m, d+1]
  const Tensor* shape = nullptr;       ///< [m, 58+1]
  const Tensor* words = nullptr;       ///< [k, m]
  const Tensor* words_mean = nullptr;  ///< [m]
  const Tensor* index = nullptr;       ///< [k]
  const Tensor* idf = nullptr;         ///< [k]
  const Tensor* nodes = nullptr;       ///< [nodes, 3]: feature, threshold, next
  const Tensor* roots = nullptr;       ///< [trees]
  const Tensor* values = nullptr;      ///< [leaves, m]
};

class EnsemblePredictor final : public Predictor {
 public:
  EnsemblePredictor(ArtefactPtr artefact, const Parts& parts) : artefact_(std::move(artefact)), p_(parts) {
    const auto& nodes = p_.nodes->values;
    for (std::size_t k = 0; k < p_.nodes->shape[0]; ++k) {
      nodes_.push_back({static_cast<std::int32_t>(nodes[3 * k]), nodes[3 * k + 1],
                        static_cast<std::uint32_t>(nodes[3 * k + 2])});
    }
    for (const float root : p_.roots->values) roots_.push_back(static_cast<std::uint32_t>(root));
  }

  Predicts predicts() const override { return Predicts::kQuality; }
  void predict(const RequestFeatures& features, std::span<float> out) const override {
    const std::size_t m = out.size();
    const std::size_t components = p_.components->shape[0];
    thread_local std::vector<float> x, quality;
    x.resize(ensemble_width(m, components));
    quality.resize(m);
    float* at = std::copy(features.statistics.shape.begin(), features.statistics.shape.end(), x.data());
    const auto& e = *features.embedding;
    for (std::size_t k = 0; k < components; ++k) *at++ = affine(*p_.components, k, e.data(), e.size());
    for (std::size_t c = 0; c < m; ++c) quality[c] = affine(*p_.embedding, c, e.data(), e.size());
    write_member(quality, at);
    at += member_width(m);
    const auto& shape = features.statistics.shape;
    for (std::size_t c = 0; c < m; ++c) quality[c] = affine(*p_.shape, c, shape.data(), shape.size());
    write_member(quality, at);
    at += member_width(m);
    for (std::size_t c = 0; c < m; ++c) quality[c] = p_.words_mean->values[c];
    for_known_words(features.words, {p_.index->values, p_.idf->values}, [&](std::size_t place, float value) {
      const float* weight = p_.words->values.data() + place * m;
      for (std::size_t c = 0; c < m; ++c) quality[c] += value * weight[c];
    });
    write_member(quality, at);

    std::fill(out.begin(), out.end(), 0.0F);
    for (auto node : roots_) {
      while (nodes_[node].feature >= 0) {
        const auto& split = nodes_[node];
        node = split.next + (x[static_cast<std::size_t>(split.feature)] <= split.threshold ? 0 : 1);
      }
      const float* values = p_.values->values.data() + std::size_t{nodes_[node].next} * m;
      for (std::size_t c = 0; c < m; ++c) out[c] += values[c];
    }
    for (auto& q : out) q /= static_cast<float>(roots_.size());
  }

 private:
  struct Node {
    std::int32_t feature;
    float threshold;
    std::uint32_t next;
  };

  static float affine(const Tensor& weights, std::size_t row, const float* x, std::size_t count) {
    const std::size_t width = weights.shape[1];
    const float* w = weights.values.data() + row * width;
    return dot(w, x, std::min(count, width - 1)) + w[width - 1];
  }

  ArtefactPtr artefact_;
  Parts p_;
  std::vector<Node> nodes_;
  std::vector<std::uint32_t> roots_;
};

}  // namespace

Result<PredictorPtr> make_ensemble_predictor(const ArtefactPtr& artefact) {
  const auto m = static_cast<std::uint32_t>(artefact->info.configurations.size());
  Parts parts;
  const auto take = [&](const char* name, const std::vector<std::uint32_t>& shape,
                        const Tensor*& into) -> Result<> {
    const auto tensor = artefact->tensor(name, shape);
    if (!tensor) return fail(tensor.error());
    into = *tensor;
    return {};
  };
  constexpr auto kShapeWidth = static_cast<std::uint32_t>(kTextShapeNumbers + 1);
  for (const auto& got :
       {take("components", {0, 0}, parts.components), take("embedding", {m, 0}, parts.embedding),
        take("shape", {m, kShapeWidth}, parts.shape), take("words", {0, m}, parts.words),
        take("words.mean", {m}, parts.words_mean), take("words.index", {0}, parts.index),
        take("words.idf", {0}, parts.idf), take("forest.nodes", {0, 3}, parts.nodes),
        take("forest.roots", {0}, parts.roots), take("forest.values", {0, m}, parts.values)}) {
    if (!got) return fail(got.error());
  }
  const std::size_t known = parts.index->shape[0];
  if (parts.components->shape[1] < 2 || parts.components->shape[1] != parts.embedding->shape[1]) {
    return corrupt_router(*artefact, "components");
  }
  if (parts.idf->shape[0] != known || parts.words->shape[0] != known) {
    return corrupt_router(*artefact, "words");
  }
  const auto& index = parts.index->values;
  if (std::adjacent_find(index.begin(), index.end(), [](float a, float b) { return !(a < b); }) !=
      index.end()) {
    return corrupt_router(*artefact, "words.index");
  }
  const auto nodes = static_cast<float>(parts.nodes->shape[0]);
  const auto leaves = static_cast<float>(parts.values->shape[0]);
  const auto width = static_cast<float>(ensemble_width(m, parts.components->shape[0]));
  for (std::size_t k = 0; k < parts.nodes->shape[0]; ++k) {
    const float feature = parts.nodes->values[3 * k];
    const float next = parts.nodes->values[3 * k + 2];
    // Children lie behind their parent, so that every walk ends.
    const bool whole = feature == std::floor(feature) && next == std::floor(next);
    const bool sound =
        whole && (feature < 0 ? feature == -1 && next >= 0 && next < leaves
                              : feature < width && next > static_cast<float>(k) && next + 1 < nodes);
    if (!sound) return corrupt_router(*artefact, "forest.nodes");
  }
  if (parts.roots->shape[0] < 1) return corrupt_router(*artefact, "forest.roots");
  for (const float root : parts.roots->values) {
    if (!(root >= 0 && root < nodes && root == std::floor(root)))
      return corrupt_router(*artefact, "forest.roots");
  }
  return std::make_unique<EnsemblePredictor>(artefact, parts);
}

}  // namespace brevet
