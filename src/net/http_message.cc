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

void HeaderLines::add(std::string_view name, std::string_view value) {
  text_.append(name);
  text_.append(std::string_view(": "));
  const auto begin = text_.size();
  text_.append(value);
  bool clean = true;
  for (const char c : value) clean &= (static_cast<unsigned char>(c) >= 0x20) & (c != 0x7f);
  if (!clean) {
    for (auto i = begin; i < text_.size(); ++i) {
      if (static_cast<unsigned char>(text_[i]) < 0x20 || text_[i] == 0x7f) text_[i] = ' ';
    }
  }
  text_.append(std::string_view("\r\n"));
}

bool single_line(std::string_view text) {
  // All bytes are looked at, without a branch each: the compiler makes vectors of it, and find_first_of calls
  // a function for every byte.
  bool clean = true;
  for (const char c : text) clean &= (c != '\r') & (c != '\n') & (c != '\0');
  return clean;
}

}  // namespace brevet::net
