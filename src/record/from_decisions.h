// Stored decisions of a gateway as an outcome file.
//
// Called by `brevet record --from-decisions`. Reads a store, changes nothing. Only what is known becomes an
// outcome: a decision gives one when its route stored the request's text, an answer was served, and a client
// gave feedback with a score. The score is the mean of all such feedback for this model on this text; cost,
// tokens and latency are those of the newest decision. That two models agreed is no score, so outcomes of
// shadows stay out. Answers' texts are in no store, and of system prompts only the hash is known, which keeps
// texts under different system prompts apart.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "store/store.h"

namespace brevet::record {

struct DecisionOptions {
  std::string tenant;  ///< empty = all
  std::string route;   ///< empty = all
  std::string dataset = "decisions";
  std::size_t decisions_max = 10'000;  ///< the newest; the store lists no more at a time
};

struct DecisionOutcomes {
  std::vector<std::string> lines;  ///< of an outcome file, by text, oldest decision first
  std::size_t decisions = 0;       ///< read
  std::size_t without_text = 0, without_answer = 0, without_score = 0,
              shadows = 0;                            ///< left out, first reason
  std::size_t used = 0, outcomes = 0, simulated = 0;  ///< decisions used; model outcomes; used and simulated
};

/// Errors: those of the store.
Result<DecisionOutcomes> outcomes_of_decisions(const Store& store, const DecisionOptions& options);

}  // namespace brevet::record
