// Writing JSON by hand where numbers must stay as they are (exact decimals): strings and clean text.
//
// Inside record only. Pure.
#pragma once

#include <string>
#include <string_view>

namespace brevet::record {

/// As a JSON string, quotes included. `text` is UTF-8.
std::string json_string(std::string_view text);
/// Bytes that are no UTF-8 become '?', all of the text's high bytes with them.
std::string clean_text(std::string_view bytes);
/// Shortest text that reads back to the same number.
std::string json_number(double value);

}  // namespace brevet::record
