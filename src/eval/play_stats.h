// What a played stream of questions cost and how good it was, against what else, and how sure we are.
//
// Used by the demo, by replay and by the benches. Pure. Each played request carries the scores that the other
// model would have had: the player knows them, a strategy never does.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "domain/money.h"
#include "quality/proportion.h"

namespace brevet {

/// One served request of a played stream.
struct PlayedRequest {
  std::uint32_t question = 0;  ///< index of the question in the data; repeats share it
  bool strong = false;         ///< the reference's answer was served
  double score = 0;            ///< of the served answer, 0..1
  double weak_score = 0;       ///< of the weak model's answer to it, 0..1
  double strong_score = 0;
  Cost cost;            ///< of serving it
  Cost strong_cost;     ///< of the reference on it
  bool failed = false;  ///< an error was served; scores count as 0
};

/// A mean with its 95% interval and the number of observations behind it.
using Figure = Interval;

struct PlaySummary {
  std::uint64_t n = 0;
  std::uint64_t failed = 0;
  std::uint64_t strong = 0;  ///< requests served by the reference
  double strong_share = 0;
  double quality = 0;        ///< mean score served
  double always_strong = 0;  ///< mean score of the reference
  double always_weak = 0;
  double ideal_static = 0;         ///< quality of the ideal static router: weak exactly where weak is right
  double ideal_static_strong = 0;  ///< its strong share
  double mixture = 0;              ///< random mixture at the same strong share
  double gain = 0;                 ///< quality - mixture
  double retention = 0;            ///< quality / always_strong
  double relative_to_ideal = 0;    ///< quality / ideal_static
  CostTotal cost;
  CostTotal strong_cost;
};
PlaySummary summarise(const std::vector<PlayedRequest>& played);

/// Quality of the stream's own decisions shuffled among its requests (same number of strong calls), mean and
/// 95% range over `shuffles` seeded permutations; cost_usd is the mean cost of the shuffled stream, unknown
/// if any cost is.
struct Shuffle {
  Figure quality;
  std::optional<double> cost_usd;
};
Shuffle shuffle_decisions(const std::vector<PlayedRequest>& played, int shuffles, std::uint64_t seed);

/// Gain over the random mixture at each order's own strong share, averaged over orders. `questions_only`
/// resamples questions with the orders as they are; else orders and questions are both resampled (percentile
/// bootstrap, 95%). n is the number of questions. All orders must hold the same questions once each.
enum class Resample { kQuestions, kQuestionsAndOrders };
Figure bootstrap_gain(const std::vector<std::vector<PlayedRequest>>& orders, Resample what, int rounds,
                      std::uint64_t seed);

/// Wilcoxon-Mann-Whitney area under the ROC curve, ties count one half; empty without both classes.
std::optional<double> auroc(const std::vector<double>& score, const std::vector<bool>& label);

}  // namespace brevet
