// A model that a uniroute router has never seen joins it by the outcomes of a few probe prompts alone
// (UniRoute, Jitkrittum et al. 2025, arXiv 2502.08773, section 4): its vector is its mean errors per topic.
//
// Pure. The router's other numbers stay as they are; nothing is fitted again.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "domain/features.h"
#include "router/artefact.h"

namespace brevet {

struct ProbeOutcomes {
  std::string configuration;              ///< key of the model that joins
  std::vector<RequestFeatures> features;  ///< [n] embeddings of the router's encoder
  std::vector<float> quality;             ///< [n] in 0..1
  double mean_cost_usd = 0;               ///< per request; NaN where it is not known
};

/// The model takes `place` among the configurations, between the first and the last: what those two stand
/// for, weak and strong, is what the router was calibrated on. Its own curve is fitted on the probes from 50
/// on (predictions for a probe leave its own outcome out), and is the identity under that. Errors
/// (kCallerInvalid): wrong_candidates (another kind of router, a key that it speaks of already, or a place at
/// an end), too_few_labels (under 10 probes), bad_labels, no_embeddings, router_corrupt.
Result<std::shared_ptr<const Artefact>> add_model(const Artefact& router, const ProbeOutcomes& probes,
                                                  std::size_t place);

}  // namespace brevet
