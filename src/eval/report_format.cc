#include "eval/report_format.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace brevet {
namespace {

/// Bytes of the well-formed UTF-8 sequence at `at`, 0 when there is none.
std::size_t sequence_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const unsigned first = byte(at), second = byte(at + 1);
  const auto follows = [&](std::size_t i) { return (byte(i) & 0xC0u) == 0x80u; };
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return follows(at + 1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    if (!follows(at + 1) || !follows(at + 2)) return 0;
    if (first == 0xE0 && second < 0xA0) return 0;
    if (first == 0xED && second > 0x9F) return 0;
    return 3;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    if (!follows(at + 1) || !follows(at + 2) || !follows(at + 3)) return 0;
    if (first == 0xF0 && second < 0x90) return 0;
    if (first == 0xF4 && second > 0x8F) return 0;
    return 4;
  }
  return 0;
}

/// Byte offset after so many code points of well-formed text.
std::size_t offset_of(std::string_view text, std::size_t code_points) {
  std::size_t at = 0;
  for (; code_points > 0 && at < text.size(); --code_points)
    at += std::max<std::size_t>(1, sequence_length(text, at));
  return std::min(at, text.size());
}

constexpr const char* kReplacement = "\xEF\xBF\xBD";
constexpr const char* kEllipsis = "\xE2\x80\xA6";

}  // namespace

std::string valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    if (const auto length = sequence_length(text, at)) {
      out += text.substr(at, length);
      at += length;
    } else {
      out += kReplacement;
      ++at;
    }
  }
  return out;
}

std::string json_quoted(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : valid_utf8(text)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7F) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string json_number(double value) {
  if (!std::isfinite(value)) return "null";
  if (value == 0) return "0";
  std::array<char, 40> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

std::string html_text(std::string_view text) {
  std::string out;
  for (const char c : valid_utf8(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default: {
        const auto byte = static_cast<unsigned char>(c);
        out += (byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7F ? ' ' : c;
      }
    }
  }
  return out;
}

std::size_t text_width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string shortened_middle(std::string_view text, std::size_t width) {
  const auto valid = valid_utf8(text);
  const auto length = text_width(valid);
  if (length <= width || width < 3) return valid;
  const auto tail = (width - 1) / 2, head = width - 1 - tail;
  return valid.substr(0, offset_of(valid, head)) + kEllipsis + valid.substr(offset_of(valid, length - tail));
}

std::string shortened_end(std::string_view text, std::size_t width) {
  auto valid = valid_utf8(text);
  for (auto& c : valid) {
    if (c == '\n' || c == '\r' || c == '\t') c = ' ';
  }
  if (text_width(valid) <= width || width < 1) return valid;
  return valid.substr(0, offset_of(valid, width - 1)) + kEllipsis;
}

std::string padded_right(std::string_view text, std::size_t width) {
  const auto length = text_width(text);
  return std::string(text) + std::string(length < width ? width - length : 0, ' ');
}

std::string padded_left(std::string_view text, std::size_t width) {
  const auto length = text_width(text);
  return std::string(length < width ? width - length : 0, ' ') + std::string(text);
}

std::string grouped(std::uint64_t value) {
  std::string out = std::to_string(value);
  for (auto at = static_cast<std::ptrdiff_t>(out.size()) - 3; at > 0; at -= 3)
    out.insert(static_cast<std::size_t>(at), ",");
  return out;
}

std::string fixed(double value, int digits) {
  std::array<char, 400> text{};
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed, digits).ptr;
  std::string out(text.data(), end);
  if (out.starts_with('-') && out.find_first_not_of("-0.") == std::string::npos) out.erase(0, 1);
  return out;
}

std::string percent(double value, int digits) {
  return fixed(value * 100, digits);
}

std::string points(double value, int digits) {
  const auto out = fixed(value * 100, digits);
  return out.starts_with('-') ? out : "+" + out;
}

std::string money_text(double usd) {
  if (usd == 0 || !std::isfinite(usd)) return fixed(usd, 2);
  const int digits = std::clamp(2 - static_cast<int>(std::floor(std::log10(std::abs(usd)))), 2, 12);
  return fixed(usd, digits);
}

}  // namespace brevet
