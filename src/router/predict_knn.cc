// knn: mean quality of each model over the k nearest labelled requests by cosine (RouterBench, Hu et al.
// 2024, arXiv 2403.12031, section 4.2), any number of models.
//
// With a bandwidth h the neighbours count by exp((cosine - 1) / h) instead of equally (Nadaraya 1964, Watson
// 1964). A model without a label among them has its mean over all rows. Known weakness: remembers every
// request (1.5 KB each).
#include <cmath>

#include "router/kinds.h"
#include "router/reference_rows.h"

namespace brevet {
namespace {

class KnnPredictor final : public Predictor {
 public:
  KnnPredictor(ArtefactPtr artefact, const Tensor& rows, const Tensor& quality, const Tensor& mean,
               std::size_t k, double bandwidth)
      : artefact_(std::move(artefact)),
        rows_(rows),
        quality_(quality),
        mean_(mean),
        k_(k),
        bandwidth_(bandwidth) {}

  Predicts predicts() const override { return Predicts::kQuality; }
  void predict(const RequestFeatures& features, std::span<float> out) const override {
    const auto hits = rows_.nearest(*features.embedding, k_);
    for (std::size_t c = 0; c < out.size(); ++c) {
      const float* quality = quality_.values.data() + c * rows_.size();
      double sum = 0, total = 0;
      for (const auto& hit : hits) {
        if (quality[hit.row] < 0) continue;  // not labelled
        const double w = bandwidth_ > 0 ? std::exp((hit.similarity - 1) / bandwidth_) : 1;
        sum += w * quality[hit.row];
        total += w;
      }
      out[c] = total > 0 ? static_cast<float>(sum / total) : mean_.values[c];
    }
  }

 private:
  ArtefactPtr artefact_;
  ReferenceRows rows_;
  const Tensor& quality_;
  const Tensor& mean_;
  std::size_t k_;
  double bandwidth_;
};

}  // namespace

Result<PredictorPtr> make_knn_predictor(const ArtefactPtr& artefact) {
  const auto m = static_cast<std::uint32_t>(artefact->info.configurations.size());
  const auto rows = artefact->tensor("rows", {0, 0});
  if (!rows) return fail(rows.error());
  const auto quality = artefact->tensor("quality", {m, (*rows)->shape[0]});
  if (!quality) return fail(quality.error());
  const auto mean = artefact->tensor("mean", {m});
  if (!mean) return fail(mean.error());
  const auto k = artefact->tensor("k", {1});
  if (!k) return fail(k.error());
  const auto bandwidth = artefact->tensor("bandwidth", {1});
  if (!bandwidth) return fail(bandwidth.error());
  const float wanted = (*k)->values[0];
  if (!(wanted >= 1 && wanted <= static_cast<float>(ReferenceRows::kCandidates))) {
    return corrupt_router(*artefact, "k");
  }
  return std::make_unique<KnnPredictor>(artefact, **rows, **quality, **mean, static_cast<std::size_t>(wanted),
                                        (*bandwidth)->values[0]);
}

}  // namespace brevet
