// Names shared by the HTTP server and client. Plain values.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace brevet::net {

struct HttpHeader {
  std::string name;
  std::string value;
};
using HttpHeaders = std::vector<HttpHeader>;

/// First value of a header, case-insensitive; empty when absent.
std::string_view find_header(const HttpHeaders& headers, std::string_view name);

/// ASCII letters compared without case.
bool equal_ignoring_case(std::string_view a, std::string_view b);

/// Free of CR, LF and NUL, which would end a header line or start another.
bool single_line(std::string_view text);

}  // namespace brevet::net
