// Preference data for routers: battles from recorded outcomes, and battles cleaned of what a router will be
// measured on.
//
// Called by `brevet battles` and `brevet train`. Pure: reads no files, asks no model. A judge's verdicts come
// as recorded outcomes too (`brevet record --scorer judge` asks in both orders and scores 1, .5, 0).
// Source of the recipe: RouteLLM (arXiv 2406.18665), sections 3.2 and 4.1: preference data, augmented with
// labels of a benchmark (D_gold) or of a judge (D_judge), training prompts near evaluation prompts dropped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "dataset/battle_file.h"
#include "dataset/clusters.h"

namespace brevet {

struct BattlesFromOutcomes {
  /// Configurations to compare, every pair of them; empty: all models of the file.
  std::vector<std::string> configurations;
  double tie_margin = 0;  ///< scores that differ by no more are a tie (MT-Bench: .1 of a scale of 10)
  std::string source;     ///< of every battle made
  bool ties = true;       ///< keep ties
};
/// A battle for every pair of configurations that a record has scores of. Errors (kCallerInvalid):
/// unknown_model (a configuration that no record has), no_battles.
Result<std::vector<Battle>> battles_from_outcomes(const std::vector<OutcomeRecord>& records,
                                                  const BattlesFromOutcomes& options);

struct NearDuplicates {
  std::size_t removed = 0;          ///< battles
  std::size_t removed_prompts = 0;  ///< distinct prompts of them
  std::size_t evaluation_prompts = 0;
};
/// Takes out every battle whose prompt is in one cluster of near-duplicates with an evaluation question
/// (clusters.h: equal normalised text, or word shingles of Jaccard similarity .8 and more).
NearDuplicates remove_near_duplicates(std::vector<Battle>& battles,
                                      const std::vector<OutcomeRecord>& evaluation,
                                      const ClusterOptions& options = {});

struct BattleCounts {
  std::string a, b;  ///< in alphabetical order
  std::size_t a_wins = 0, b_wins = 0, ties = 0;
};
/// One row per pair of configurations, most battles first.
std::vector<BattleCounts> count_battles(const std::vector<Battle>& battles);

}  // namespace brevet
