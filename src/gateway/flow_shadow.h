// A shadow: the route's shadow plan driven for a finished decision, and what it found out. Used inside
// src/gateway only.
#pragma once

#include <memory>

#include "gateway/flow_run.h"

namespace brevet::flow {

/// Uses the place of the OutcomeSink that the caller holds. See RequestFlow::shadow.
Task<std::shared_ptr<const ShadowResult>> run_shadow(Run& run, std::shared_ptr<const Decision> parent,
                                                     ShadowTerms& terms);

}  // namespace brevet::flow
