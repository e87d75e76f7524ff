// Fits the selector of `more`: a forest that says which of several experts' answers is right.
//
// Called by `brevet train more` and by the measurement in bench/ensemble. Not thread-safe; deterministic for
// a seed. A question teaches as many rows as it has experts: the features of each answer beside the others
// (router/expert_model.h), and whether it was right. Questions are split, not rows: the figures are of
// questions that taught nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "dataset/outcome_file.h"
#include "router/expert_model.h"

namespace brevet {

struct MoreOptions {
  std::vector<std::string> experts;  ///< configurations, 2 to kExpertsMax
  double test_share = .3;            ///< of the questions; they measure and teach nothing
  std::uint64_t seed = 1;
  std::size_t trees = 300;
  std::size_t leaf_min = 5;
  std::string command, created;  ///< for RouterInfo
  std::function<bool()> stop;
};

/// Of the held-out questions at one abstention threshold.
struct MoreCoverage {
  double threshold = 0;
  double covered = 0;   ///< share answered
  double accuracy = 0;  ///< of those
};

struct MoreFit {
  Artefact artefact;
  std::size_t fitted = 0, tested = 0;  ///< questions
  std::vector<double> single;          ///< accuracy of each expert, held out
  // Per held-out question: score of the answer chosen by the forest, by agreement (the first of the largest
  // group), of the best expert by the fitting questions, and of the best answer there was.
  std::vector<double> chosen, agreed, best_single, oracle;
  std::vector<std::string> held_out;  ///< ids of those questions
  std::vector<MoreCoverage> coverage;
};

/// Records without an answer of every expert are left out. Errors: too_few_labels, bad_option (experts).
Result<MoreFit> fit_more(const std::vector<OutcomeRecord>& records, const MoreOptions& options);

}  // namespace brevet
