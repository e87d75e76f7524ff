// The bilinear model of RouteLLM's matrix factorisation, and its collapse for a fixed pair.
// Used by fit_mf.cc and for models added to it later. Pure.
#pragma once

#include <cstddef>
#include <vector>

#include "train/matrix.h"

namespace brevet {

struct MfModel {
  Matrix vectors;           ///< [models, rank] v
  Matrix projection;        ///< [d, rank] W, transposed
  std::vector<float> head;  ///< [rank] c
};

/// c' (v_which * W e), v as it lies.
double mf_score(const MfModel& model, std::size_t which, const std::vector<float>& embedding);
/// W' (c * (v_strong - v_weak)): its product with e is the difference of both scores.
std::vector<float> pair_vector(const MfModel& model, std::size_t strong, std::size_t weak);

}  // namespace brevet
