// mlp: one small network per model from the embedding to its quality (RouterBench, Hu et al. 2024, arXiv
// 2403.12031, section 4.2): 100 rectified units, one linear output. Microseconds.
#include <algorithm>

#include "memory/simd.h"
#include "router/kinds.h"

namespace brevet {
namespace {

class MlpPredictor final : public Predictor {
 public:
  MlpPredictor(ArtefactPtr artefact, const Tensor& hidden, const Tensor& output)
      : artefact_(std::move(artefact)), hidden_(hidden), output_(output) {}

  Predicts predicts() const override { return Predicts::kQuality; }
  void predict(const RequestFeatures& features, std::span<float> out) const override {
    const Embedding& e = *features.embedding;
    const std::size_t units = hidden_.shape[1];
    const std::size_t width = hidden_.shape[2];
    const float* unit = hidden_.values.data();
    const float* top = output_.values.data();
    for (auto& quality : out) {
      quality = top[units];
      for (std::size_t u = 0; u < units; ++u, unit += width) {
        const float z = dot(unit, e.data(), std::min(e.size(), width - 1)) + unit[width - 1];
        quality += top[u] * std::max(0.0F, z);
      }
      top += units + 1;
    }
  }

 private:
  ArtefactPtr artefact_;
  const Tensor& hidden_;  ///< [m, units, d+1]
  const Tensor& output_;  ///< [m, units+1]
};

}  // namespace

Result<PredictorPtr> make_mlp_predictor(const ArtefactPtr& artefact) {
  const auto m = static_cast<std::uint32_t>(artefact->info.configurations.size());
  const auto hidden = artefact->tensor("hidden", {m, 0, 0});
  if (!hidden) return fail(hidden.error());
  if ((*hidden)->shape[1] < 1 || (*hidden)->shape[2] < 2) return corrupt_router(*artefact, "hidden");
  const auto output = artefact->tensor("output", {m, (*hidden)->shape[1] + 1});
  if (!output) return fail(output.error());
  return std::make_unique<MlpPredictor>(artefact, **hidden, **output);
}

}  // namespace brevet
