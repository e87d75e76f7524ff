// An evaluation as tables for a terminal of at least 120 columns. Called by the command `eval`. Pure.
#pragma once

#include <string>

#include "eval/report_model.h"

namespace brevet {

/// Lines of at most 120 columns, each ended by a line break; UTF-8, no colour. Long names are cut in the
/// middle.
std::string report_table(const EvalReport& report);

}  // namespace brevet
