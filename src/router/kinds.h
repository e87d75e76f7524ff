// The makers behind make_predictor (predictor.cc), one per file predict_*.cc, and what they share.
// Used inside src/router only.
#pragma once

#include <memory>

#include "base/result.h"
#include "router/predictor.h"

namespace brevet {

using ArtefactPtr = std::shared_ptr<const Artefact>;
using PredictorPtr = std::unique_ptr<const Predictor>;

/// bert_head, hybrid_det, hybrid_prob, hybrid_trans, mf, svm, zooter: what ends in dot products.
Result<PredictorPtr> make_linear_predictor(const ArtefactPtr& artefact);

}  // namespace brevet
