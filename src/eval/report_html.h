// An evaluation as one HTML file for a browser: no script, no outside resource, plots as inline SVG, light
// and dark by the reader's preference, printable. Called by the command `eval`. Pure; same report, same bytes
// but for what is taken from `timing`.
#pragma once

#include <string>

#include "eval/report_model.h"

namespace brevet {

std::string report_html(const EvalReport& report);

}  // namespace brevet
