#include "net/http_message.h"

namespace brevet::net {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

}  // namespace

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

std::string_view find_header(const HttpHeaders& headers, std::string_view name) {
  for (const auto& header : headers) {
    if (equal_ignoring_case(header.name, name)) return header.value;
  }
  return {};
}

bool single_line(std::string_view text) {
  // All bytes are looked at, without a branch each: the compiler makes vectors of it, and find_first_of calls
  // a function for every byte.
  bool clean = true;
  for (const char c : text) clean &= (c != '\r') & (c != '\n') & (c != '\0');
  return clean;
}

}  // namespace brevet::net
