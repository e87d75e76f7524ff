// Asking one configuration of a cascade and finding out what its answer is worth: samples, signals, a check.
//
// Used by the cascade strategies of this folder. Pure. Its own attempts are told from others by their tag, so
// a strategy may probe several configurations one after another.
#pragma once

#include <optional>
#include <string>

#include "router/answer_signals.h"
#include "strategy/strategy.h"

namespace brevet {

struct ProbeNeeds {
  int samples = 1;  ///< answers drawn at once, in parallel; signals of agreement need three or more
  bool logprobs = false;
  int checks = 0;  ///< times that `verifier` is asked whether the answer is right
  Configuration verifier = {};
  double temperature = .7;  ///< of samples, where there are several
  Delivery delivery = Delivery::kHold;
};

struct Probed {
  std::optional<Step> step;         ///< what to do first; empty = the probe is over
  const Attempt* answer = nullptr;  ///< the answer (of the largest group of samples); null = all failed
  AnswerSignals signals = unknown_signals();
  std::optional<Error> error;  ///< of the last failure, where there is no answer
};

/// An answer, one of several samples or the only one, of the stage at `place`.
bool of_stage(const Attempt& attempt, std::size_t place);

/// `place` names the stage in tags, `reason` is of the step that calls it first.
Probed probe(const Turn& turn, const Configuration& configuration, std::size_t place, const ProbeNeeds& needs,
             Reason reason);

/// `step`, unless it calls or waits beyond the route's time or its calls: then the newest good answer is
/// served, or the request ends with the last error.
Step within_limits(const Turn& turn, Step step);

}  // namespace brevet
