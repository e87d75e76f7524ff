// Grades of a model for many texts, for calibrating causal_llm: the calls that its strategy would make.
// Used by `brevet train` and `brevet calibrate`. Pays for its calls.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/result.h"
#include "domain/features.h"
#include "domain/money.h"

namespace brevet {

struct GradeCount {
  std::size_t graded = 0;
  std::size_t without = 0;  ///< no label, no log-probabilities, or the call failed; `first_failure` says how
  std::string first_failure;
  Money cost;  ///< of the calls whose cost is known
  std::size_t cost_unknown = 0;
};

/// Asks `model` of the configuration file about each text, a few at a time, and puts what it says into
/// RequestFeatures::classified; what it does not grade stays null. Errors: those of load_config and
/// build_runtime, unknown_model, interrupted.
Result<GradeCount> ask_grades(const std::string& config, const std::string& model,
                              const std::vector<std::string>& texts, std::vector<RequestFeatures>& into);

}  // namespace brevet
