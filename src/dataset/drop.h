// Leaving out contaminated and repeated questions, with counts. Called by the evaluation engine on `--drop`.
// Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "dataset/outcome_file.h"

namespace brevet {

struct DropOptions {
  bool contaminated = false;  ///< records marked so by the file
  bool duplicates = false;    ///< all but the first of those that share prompt and choices
  /// Models whose scores must agree within a group of duplicates; empty = all that the records hold.
  std::vector<std::string> models;
};

struct Dropped {
  std::vector<std::uint32_t> kept;  ///< record numbers, ascending
  std::size_t contaminated = 0;
  std::size_t duplicates = 0;  ///< records dropped as repeats of a kept one
  /// Groups with the same prompt and choices whose records state different answers, or different scores of
  /// one model: nobody can tell which is right, so all of their records are dropped with `duplicates`.
  std::size_t conflicting_groups = 0;
  std::size_t conflicting = 0;  ///< records in them
};

/// Prompts are compared by their bytes without white space at both ends, choices with label and text, and the
/// system prompt too.
Dropped drop_records(const std::vector<OutcomeRecord>& records, const DropOptions& options);

}  // namespace brevet
