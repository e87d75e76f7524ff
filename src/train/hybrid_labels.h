// The labels of Hybrid LLM (Ding et al. 2024, arXiv 2404.14618, section 3): is the weak answer good enough?
// Used by fit_hybrid.cc. Pure.
#pragma once

#include <vector>

namespace brevet {

/// Qualities of the answers that were sampled for one request; neither is empty.
struct HybridSamples {
  std::vector<float> weak, strong;
};

/// 1[q_S >= q_L] on the first sample of each.
std::vector<float> deterministic_labels(const std::vector<HybridSamples>& samples);
/// Share of all pairs of samples with s_i >= l_j - relaxation.
std::vector<float> match_labels(const std::vector<HybridSamples>& samples, double relaxation);
/// (1/N^2) sum over i, j of |y_i - y_j| = (2/N^2) sum over k of (2k - N + 1) y_(k), k = 0..N-1.
double mean_absolute_difference(std::vector<float> values);
/// t* on a grid of 101 steps from 0 to the largest gap; of equal ones the smallest.
double best_relaxation(const std::vector<HybridSamples>& samples);

}  // namespace brevet
