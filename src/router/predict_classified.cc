// Routers whose work is done by a model beside the encoder; what is left here is calibration.
//
// bert: the first of the classes of a fine-tuned text classifier, strong wins, tie, weak wins: need = 1 -
// (P_tie + P_weak) (RouteLLM, Ong et al. 2024, arXiv 2406.18665, section 4.2). causal_llm: 1 - P(labels 4 and
// 5) of a model that was asked (section 4.3 there; strategy/causal_llm.cc asks).
#include "router/kinds.h"

namespace brevet {
namespace {

class ClassifiedPredictor final : public Predictor {
 public:
  Predicts predicts() const override { return Predicts::kNeed; }
  bool reads_embedding() const override { return false; }
  bool reads_classified() const override { return true; }
  void predict(const RequestFeatures& features, std::span<float> out) const override {
    out[0] = features.classified->front();
  }
};

}  // namespace

Result<PredictorPtr> make_classified_predictor(const ArtefactPtr&) {
  return std::make_unique<ClassifiedPredictor>();
}

}  // namespace brevet
