// Several answers to one request, grouped by what they come to: the vote of self-consistency, and how far
// samples agree.
//
// Used by strategies that ask several times, and by training for the agreement of samples. Pure, thread-safe.
// Two answers are in one group when compare_answers() calls them the same; an answer that it cannot even call
// the same as itself (empty, refused, cut, without the choice that was asked for) has no vote.
#pragma once

#include <cstddef>
#include <vector>

#include "compare/compare.h"

namespace brevet {

struct Vote {
  std::vector<int> group;           ///< of each answer, -1 = it has no vote
  std::vector<std::size_t> counts;  ///< of each group, in order of first appearance
  int leader = -1;                  ///< the largest group, of equal ones the first; -1 without votes
  std::size_t second = 0;           ///< votes of the next largest group
  std::size_t votes() const;
  std::size_t leading() const { return leader < 0 ? 0 : counts[static_cast<std::size_t>(leader)]; }
  /// The first answer of the leading group; only with a leader.
  std::size_t first_of_leader() const;
  /// Entropy of the groups in nats, over answers with a vote: 0 when all agree (Farquhar et al. 2024, Nature
  /// 630, "entropy over meanings", by counts of samples).
  double entropy() const;
};

/// `answers` must not hold null. At most answers * groups comparisons.
Vote count_votes(const std::vector<const Answer*>& answers, const CompareContext& context,
                 const CompareOptions& options = {});

}  // namespace brevet
