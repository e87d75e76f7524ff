// How numbers and texts are written in the outputs of an evaluation. Used by report_json, report_table and
// report_html only. Pure; the same on every machine (no locale).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace brevet {

/// Bytes that are not UTF-8 become U+FFFD, one for each.
std::string valid_utf8(std::string_view text);
/// A JSON string with its quotes.
std::string json_quoted(std::string_view text);
/// Shortest form that reads back equal; "null" when not finite.
std::string json_number(double value);
/// For element content and quoted attributes. Control characters other than line break and tab become blanks.
std::string html_text(std::string_view text);
/// Code points, which is what a terminal shows for the texts we meet.
std::size_t text_width(std::string_view text);
/// At most `width` code points; a longer text loses its middle ("gpt-4…preview").
std::string shortened_middle(std::string_view text, std::size_t width);
/// At most `width` code points on one line; a longer text loses its end.
std::string shortened_end(std::string_view text, std::size_t width);
/// Left- or right-aligned in `width` columns; longer texts stay as they are.
std::string padded_right(std::string_view text, std::size_t width);
std::string padded_left(std::string_view text, std::size_t width);

std::string grouped(std::uint64_t value);           ///< 11291 -> "11,291"
std::string fixed(double value, int digits);        ///< never "-0.0"
std::string percent(double value, int digits = 1);  ///< .8028 -> "80.3"; without the sign
std::string points(double value, int digits = 2);   ///< .0123 -> "+1.23": percentage points with their sign
/// Three significant digits for small amounts of money, such as "0.000123".
std::string money_text(double usd);

}  // namespace brevet
