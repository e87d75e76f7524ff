// compare_answers() behind an interface, so that a replay, which compares the same recorded answers in every
// order and strategy, need not do it again each time.
//
// Gateway compares through it. Both kinds answer what the functions of compare.h answer; thread-safe.
#pragma once

#include <cstddef>
#include <memory>

#include "compare/compare.h"

namespace brevet {

class Comparer {
 public:
  virtual ~Comparer() = default;
  struct Found {
    AnswerComparison comparison;
    bool wants_embedding = false;  ///< asked only where the comparison cannot tell
  };
  virtual Found compare(const Answer& first, const Answer& second, const CompareContext& context) = 0;
};

/// Compares each time; what servers use. Lives as long as the program.
Comparer& plain_comparer();

/// Keeps what it found for up to `pairs_max` pairs of answers and compares the rest each time. A pair is
/// known by a 128-bit hash of all that is compared; answers with tool calls are not kept.
std::unique_ptr<Comparer> make_remembering_comparer(std::size_t pairs_max);

}  // namespace brevet
