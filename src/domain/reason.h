// Why something was done. Plain value.
#pragma once

#include <string>

namespace brevet {

/// Why a step was taken: a stable code for metrics and a sentence for a person.
struct Reason {
  std::string code;      ///< snake_case, bounded set per strategy, e.g. "skill_hit"
  std::string sentence;  ///< "Served by llama-8b because 17 of 18 similar requests ..."
};

}  // namespace brevet
