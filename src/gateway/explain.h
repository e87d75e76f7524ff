// A decision in words: one sentence a person understands, then what it stands on and what it cost.
//
// Called by the command line (`brevet route`) and the log. Pure. The JSON form is store/decision_json.h.
#pragma once

#include <string>

#include "domain/decision.h"

namespace brevet {

/// Several lines, each ended by '\n'; the first is the sentence.
std::string explain(const Decision& decision);

}  // namespace brevet
