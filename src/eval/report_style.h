// The style sheet of the HTML report: light and dark, narrow screens and paper. Used by report_html only.
#pragma once

#include <string_view>

namespace brevet {

std::string_view report_style();

}  // namespace brevet
