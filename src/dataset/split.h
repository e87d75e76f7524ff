// Splitting questions into fitting, calibration and test, disjoint by cluster. Called by the evaluation
// engine. Pure; the same arguments give the same split.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace brevet {

struct SplitOptions {
  std::size_t fitting_max = 0;      ///< questions for fitting, at most (labels are paid for)
  std::size_t calibration_max = 0;  ///< questions for calibrating, at most
  double test_share_min = .3;       ///< at least this share of the questions stays for the test
  std::uint64_t seed = 1;
  /// Hash of each question's normalised text: then where a cluster goes depends on what it asks and not on
  /// its place in the file, so that files which share questions are split alike. Empty = by question number.
  std::vector<std::uint64_t> key = {};
};

struct Split {
  std::vector<std::uint32_t> fitting, calibration, test;  ///< question numbers, ascending
  std::size_t fitting_clusters = 0, calibration_clusters = 0, test_clusters = 0;
  bool shortened = false;  ///< test_share_min left less for fitting or calibration than was asked for
};

/// Whole clusters are given away, in seeded order, spread over the groups in proportion to their size
/// (largest remainder), so that no group is missing from one side by chance. A cluster belongs to the group
/// of its first question. A cluster that no longer fits under a maximum goes to the test. `group` is for
/// reports and splits only, or empty.
Split split_by_cluster(const std::vector<std::uint32_t>& cluster, const std::vector<std::uint32_t>& group,
                       const SplitOptions& options);

}  // namespace brevet
