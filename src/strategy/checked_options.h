// Options against a table of them: what make_strategy() does first, for those who have a table of their own.
//
// Used by train for the options of a fit, and by eval, whose strategies also take those. Pure.
#pragma once

#include <string_view>
#include <vector>

#include "strategy/strategy.h"

namespace brevet {

/// The table's defaults with `given` in their place. `name` is the strategy's, for messages. Errors:
/// unknown_option (with the nearest name), bad_option.
Result<OptionValues> checked_options(std::string_view name, const std::vector<OptionSpec>& options,
                                     const OptionValues& given);

}  // namespace brevet
