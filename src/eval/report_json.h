// An evaluation as JSON. Called by the command `eval`. Pure; same report, same bytes.
//
// Keys come in a fixed order; numbers are written in the shortest form that reads back equal; a figure that
// is empty or not finite is null. All that may differ between two equal runs is the object `timing` at the
// end.
#pragma once

#include <string>

#include "eval/report_model.h"

namespace brevet {

/// {"schema":1,"run":{..},"rows":[..],"datasets":[..],"transfer":[..],"notes":[..],"timing":{..}}. `rows`
/// holds the rows of all data sets: dataset, n, strategy, seeds and each figure as
/// {"mean":..,"ci95":[low,high]} (ci95 null where there is no interval) or null.
std::string report_json(const EvalReport& report);

}  // namespace brevet
