// The makers behind make_predictor (predictor.cc), one per file predict_*.cc, and what they share.
// Used inside src/router only.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "router/predictor.h"

namespace brevet {

using ArtefactPtr = std::shared_ptr<const Artefact>;
using PredictorPtr = std::unique_ptr<const Predictor>;

/// bert_head, hybrid_det, hybrid_prob, hybrid_trans, mf, svm, zooter: what ends in dot products.
Result<PredictorPtr> make_linear_predictor(const ArtefactPtr& artefact);
Result<PredictorPtr> make_knn_predictor(const ArtefactPtr& artefact);
Result<PredictorPtr> make_mlp_predictor(const ArtefactPtr& artefact);
Result<PredictorPtr> make_sw_ranking_predictor(const ArtefactPtr& artefact);
/// cluster and uniroute: what knows topics.
Result<PredictorPtr> make_cluster_predictor(const ArtefactPtr& artefact);
Result<PredictorPtr> make_ensemble_predictor(const ArtefactPtr& artefact);
Result<PredictorPtr> make_average3_predictor(const ArtefactPtr& artefact);
/// bert and causal_llm.
Result<PredictorPtr> make_classified_predictor(const ArtefactPtr& artefact);

/// A tensor of the right shape with numbers that this kind cannot have.
tl::unexpected<Error> corrupt_router(const Artefact& artefact, const std::string& tensor);

}  // namespace brevet
