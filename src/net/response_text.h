// The text of a response's head: reasons of status codes, numbers, header values that cannot start a header.
// Used by the HTTP server alone, on every response. Pure.
#pragma once

#include <array>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include "net/http_message.h"

namespace brevet::net {

struct StatusReason {
  int status;
  const char* text;
};
inline constexpr StatusReason kStatusReasons[] = {{200, "OK"},
                                                  {201, "Created"},
                                                  {202, "Accepted"},
                                                  {204, "No Content"},
                                                  {304, "Not Modified"},
                                                  {400, "Bad Request"},
                                                  {401, "Unauthorized"},
                                                  {402, "Payment Required"},
                                                  {403, "Forbidden"},
                                                  {404, "Not Found"},
                                                  {405, "Method Not Allowed"},
                                                  {408, "Request Timeout"},
                                                  {409, "Conflict"},
                                                  {413, "Payload Too Large"},
                                                  {415, "Unsupported Media Type"},
                                                  {422, "Unprocessable Entity"},
                                                  {429, "Too Many Requests"},
                                                  {431, "Request Header Fields Too Large"},
                                                  {500, "Internal Server Error"},
                                                  {501, "Not Implemented"},
                                                  {502, "Bad Gateway"},
                                                  {503, "Service Unavailable"},
                                                  {504, "Gateway Timeout"},
                                                  {529, "Overloaded"}};
inline const char* reason_of(int status) {
  for (const auto& reason : kStatusReasons) {
    if (reason.status == status) return reason.text;
  }
  return "Status";
}

inline void append_number(std::string& out, std::uint64_t value, int base = 10) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, base).ptr;
  out.append(digits.data(), end);
}

/// Header text of a handler must not be able to start another header.
inline void append_header_text(std::string& out, std::string_view text) {
  if (single_line(text)) {
    out.append(text);
    return;
  }
  for (const char c : text) out += c == '\r' || c == '\n' || c == '\0' ? ' ' : c;
}

/// Headers that the server writes itself.
inline bool is_ours(std::string_view name) {
  return equal_ignoring_case(name, "content-length") || equal_ignoring_case(name, "connection") ||
         equal_ignoring_case(name, "transfer-encoding") || equal_ignoring_case(name, "date");
}

/// As lines, without those.
inline void append_headers(std::string& out, const HttpHeaders& headers) {
  for (const auto& header : headers) {
    if (is_ours(header.name)) continue;
    append_header_text(out, header.name);
    out += ": ";
    append_header_text(out, header.value);
    out += "\r\n";
  }
}

}  // namespace brevet::net
