// Paired percentile bootstrap over questions (or clusters of near-duplicate questions) and over seeds
// (orders).
//
// Called by the evaluation engine. Pure and deterministic: round r draws from a stream keyed by (seed, r), so
// the result does not depend on the number of threads. What is compared is resampled together (paired): put
// the strategy and the baseline into one table. Efron and Tibshirani, An Introduction to the Bootstrap, 1993,
// chapter 13; clusters after Field and Welsh, JRSS B 2007.
//
// What an interval covers: other questions of the same kind, and other orders of them. Not other data sets,
// models or prices.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "eval/measured.h"
#include "eval/play_stats.h"

namespace brevet {

struct BootstrapOptions {
  int rounds = 1000;
  std::uint64_t seed = 1;
  unsigned threads = 1;  ///< same result for any count
  /// kQuestions averages the seeds first (cost independent of their number); kQuestionsAndOrders draws seeds
  /// with replacement too.
  Resample what = Resample::kQuestionsAndOrders;
  /// Cluster number of each question: clusters are drawn whole. Empty = each question by itself.
  std::vector<std::uint32_t> cluster;
};

/// Values to resample. `values` are per question, seed and column ([question][seed][column]), such as
/// quality, strong served or not, cost; `shared_values` are per question and column, the same for every seed,
/// such as the quality of always-strong.
struct PairedTable {
  std::size_t questions = 0, seeds = 1, columns = 0, shared = 0;
  std::vector<double> values;
  std::vector<double> shared_values;

  /// Sizes both vectors for the counts above, all zero.
  void allocate() {
    values.assign(questions * seeds * columns, 0);
    shared_values.assign(questions * shared, 0);
  }
  double& value(std::size_t question, std::size_t seed, std::size_t column) {
    return values[(question * seeds + seed) * columns + column];
  }
  double& shared_value(std::size_t question, std::size_t column) {
    return shared_values[question * shared + column];
  }
};

/// A statistic of means: columns[c] is the mean over questions and seeds, shared[c] over questions. Returns
/// empty where it is not defined. Called concurrently when threads > 1.
using Statistic =
    std::function<std::optional<double>(std::span<const double> columns, std::span<const double> shared)>;

/// One entry per statistic: its value on all data (`mean`) and the 95% percentile interval of its value on
/// the resamples. Empty where it is undefined on all data; no interval where it is undefined in more than one
/// round in twenty, or with fewer than two clusters.
///
///     table.columns = 1; table.shared = 1;                    // quality served; quality of always-strong
///     bootstrap(table, {[](auto own, auto strong) -> std::optional<double> { return own[0] - strong[0]; }})
std::vector<std::optional<Measured>> bootstrap(const PairedTable& table,
                                               const std::vector<Statistic>& statistics,
                                               const BootstrapOptions& options = {});

/// A statistic that needs the whole resample, such as one of a swept curve. `weights[q]` is how often
/// question q was drawn (all 1 for the value on all data); `seeds` are the drawn seeds, `seed_count` of them
/// with repetition (0, 1, .. for the value on all data and with kQuestions). Writes one value per statistic
/// into `out`, which arrives empty. Called concurrently when threads > 1: keep scratch space thread_local or
/// inside.
using ResampleFunction =
    std::function<void(std::span<const std::uint32_t> weights, std::span<const std::uint32_t> seeds,
                       std::span<std::optional<double>> out)>;
std::vector<std::optional<Measured>> bootstrap_weighted(std::size_t questions, std::size_t seed_count,
                                                        std::size_t statistics,
                                                        const ResampleFunction& function,
                                                        const BootstrapOptions& options = {});

/// Mean of values [seed][question], and the paired forms: difference of means a - b, ratio of means a / b.
/// `b` may have one seed only (a baseline without an order); otherwise both have the same seeds.
using SeedValues = std::vector<std::vector<double>>;
std::optional<Measured> bootstrap_mean(const SeedValues& a, const BootstrapOptions& options = {});
std::optional<Measured> bootstrap_difference(const SeedValues& a, const SeedValues& b,
                                             const BootstrapOptions& options = {});
std::optional<Measured> bootstrap_ratio(const SeedValues& a, const SeedValues& b,
                                        const BootstrapOptions& options = {});

}  // namespace brevet
