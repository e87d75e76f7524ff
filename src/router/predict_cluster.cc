// Routers that know topics: the quality of each model per cluster of requests.
//
// cluster: the mean over the nearest p clusters (Avengers, Zhang et al. 2025, arXiv 2505.19797, section 3).
// uniroute: a model is the vector of its mean errors on the K clusters' probe prompts, a request the vector
// of its cluster assignment, and their product the expected error (UniRoute, Jitkrittum et al. 2025, arXiv
// 2502.08773, section 4); a model is added later by its vector alone (train/add_model.h). K dot products.
#include <algorithm>
#include <vector>

#include "memory/simd.h"
#include "router/kinds.h"

namespace brevet {
namespace {

class ClusterPredictor final : public Predictor {
 public:
  /// What `per_model` holds.
  enum class Holds { kQuality, kErrors };
  ClusterPredictor(ArtefactPtr artefact, const Tensor& centroids, const Tensor& per_model, Holds holds,
                   std::size_t nearest)
      : artefact_(std::move(artefact)),
        centroids_(centroids),
        per_model_(per_model),
        holds_(holds),
        nearest_(nearest) {}

  Predicts predicts() const override { return Predicts::kQuality; }
  void predict(const RequestFeatures& features, std::span<float> out) const override {
    const Embedding& e = *features.embedding;
    const std::size_t count = centroids_.shape[0];
    const std::size_t d = centroids_.shape[1];
    thread_local std::vector<std::pair<float, std::uint32_t>> near;
    near.clear();
    for (std::uint32_t c = 0; c < count; ++c) {
      // The sign puts the nearest first, and of equal ones the lower number.
      near.emplace_back(-dot(e.data(), centroids_.values.data() + c * d, std::min(e.size(), d)), c);
    }
    std::partial_sort(near.begin(), near.begin() + static_cast<std::ptrdiff_t>(nearest_), near.end());
    for (std::size_t m = 0; m < out.size(); ++m) {
      float sum = 0;
      for (std::size_t k = 0; k < nearest_; ++k) sum += per_model_.values[m * count + near[k].second];
      const float mean = sum / static_cast<float>(nearest_);
      out[m] = holds_ == Holds::kErrors ? 1 - mean : mean;
    }
  }

 private:
  ArtefactPtr artefact_;
  const Tensor& centroids_;
  const Tensor& per_model_;  ///< [m, clusters]
  Holds holds_;
  std::size_t nearest_;
};

}  // namespace

Result<PredictorPtr> make_cluster_predictor(const ArtefactPtr& artefact) {
  const bool uniroute = artefact->info.kind == "uniroute";
  const auto m = static_cast<std::uint32_t>(artefact->info.configurations.size());
  const auto centroids = artefact->tensor("centroids", {0, 0});
  if (!centroids) return fail(centroids.error());
  const std::uint32_t count = (*centroids)->shape[0];
  if (count < 1) return corrupt_router(*artefact, "centroids");
  const auto per_model = artefact->tensor(uniroute ? "errors" : "quality", {m, count});
  if (!per_model) return fail(per_model.error());
  const auto nearest = artefact->tensor("nearest", {1});
  if (!nearest) return fail(nearest.error());
  const float p = (*nearest)->values[0];
  if (!(p >= 1 && p <= static_cast<float>(count))) return corrupt_router(*artefact, "nearest");
  return std::make_unique<ClusterPredictor>(
      artefact, **centroids, **per_model,
      uniroute ? ClusterPredictor::Holds::kErrors : ClusterPredictor::Holds::kQuality,
      static_cast<std::size_t>(p));
}

}  // namespace brevet
