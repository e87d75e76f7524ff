// Swept strategies on many splits of one set of questions: means over splits, and every strategy against
// every other, paired.
//
// Used inside src/eval by SetEvaluation. Pure; uses threads. What is resampled: questions (clusters of near
// duplicates over the whole set, so that a question drawn counts in every split that tests it) and splits.
// Does not fit and does not play.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "eval/rows.h"

namespace brevet {

/// One strategy on one split.
struct SplitScores {
  std::vector<double> score;  ///< by test question of the split; higher = more need for strong
  /// P(strong better) as a trained router says it, by test question, NaN where it said none; empty otherwise.
  std::vector<double> need;
  double threshold = 0;              ///< strong from here on
  std::optional<double> labels_usd;  ///< what its labels cost; empty = unknown
};

/// What a router for any number of models chose on one split.
struct ManyOnSplit {
  std::vector<std::uint32_t> questions;            ///< of the test
  std::vector<std::vector<double>> quality, cost;  ///< [candidate][question]
  std::vector<double> values;  ///< of a right answer, in rising order; the last one is infinite
  std::vector<std::vector<std::uint8_t>> chosen;  ///< [value][question] candidate
  std::size_t at = 0;                             ///< the value of the operating point
  bool costs = false;                             ///< all costs are known
};

struct Study {
  std::vector<std::vector<std::uint32_t>> test;  ///< [split] places in `all`
  std::vector<std::string> strategies;
  std::vector<std::vector<SplitScores>> scores;  ///< [strategy][split]
  std::vector<std::vector<ManyOnSplit>> many;    ///< [strategy][split]; empty for kinds that speak of two
};

/// The figures that a study gives, in the order of StudyFigures::of.
const std::vector<std::optional<Measured> StrategyRow::*>& study_figures();

struct StudyFigures {
  std::vector<std::vector<std::optional<Measured>>> of;  ///< [strategy][figure]
  std::vector<PairwiseRow> pairwise;                     ///< a before b in the order of the strategies
};
/// `all` are the columns of every question of the set. A figure that one split has not is not there.
StudyFigures study(const TestColumns& all, const Study& made, const RowOptions& options);

}  // namespace brevet
