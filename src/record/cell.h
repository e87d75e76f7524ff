// One model's outcome on one question, from the calls that were made for it, as the JSON of an outcome file.
//
// Used by the recorder. Pure. What is not known is left out, never zero. With several samples the score is
// the mean of their scores, cost and tokens are their sums, the latency is the longest (they may be asked at
// once), `pred` is the commonest one and `vote_fraction` its share; `response` is the first sample.
#pragma once

#include <string>
#include <vector>

#include "record/journal.h"
#include "record/scorer.h"

namespace brevet::record {

struct ScoredCall {
  const CallResult* call = nullptr;
  Score score;  ///< with a value
};

/// At least one call.
std::string cell_json(const std::vector<ScoredCall>& calls);

}  // namespace brevet::record
