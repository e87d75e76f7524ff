// How a strategy with its options is written on a command line: `name` or `name{key=value;...}`.
//
// Used by every command that names strategies. Pure. Knows no strategy: names and options are checked by
// make_strategy().
#pragma once

#include <string>

#include "base/result.h"
#include "strategy/strategy.h"

namespace brevet {

struct StrategyText {
  std::string name;
  OptionValues options;  ///< true and false, whole numbers, numbers, else text
};
/// Errors: bad_option.
Result<StrategyText> parse_strategy_text(const std::string& text);

}  // namespace brevet
