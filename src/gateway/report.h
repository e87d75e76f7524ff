// The report: what routing saved, what learning cost, and how well the weak model's answers hold, with exact
// intervals and n; in observe mode, what would have been saved.
//
// Called by the admin view. Pure.
#pragma once

#include <string>
#include <vector>

#include "gateway/money_ledger.h"

namespace brevet {

/// JSON: {"schema", "routes": [...]}. Rates are null where n is 0; money is null where nothing is known.
std::string report_json(const std::vector<RouteFigures>& rows);

}  // namespace brevet
