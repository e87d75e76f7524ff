// Names shared by the HTTP server and client. Plain values.
#pragma once

#include <string>
#include <string_view>
#include <utility>
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

/// Header lines as they go over the wire, put together at once: a list of strings between would cost a
/// proxied request more than all the rest of its answer's header.
class HeaderLines {
 public:
  HeaderLines() { text_.reserve(kUsual); }
  /// Control bytes of `value` become spaces, so that it cannot start another header. `name` is a literal of
  /// ours, and none of those that the server writes itself.
  void add(std::string_view name, std::string_view value);
  const std::string& text() const { return text_; }
  std::string take() && { return std::move(text_); }

 private:
  static constexpr std::size_t kUsual = 512;
  std::string text_;
};

/// Free of CR, LF and NUL, which would end a header line or start another.
bool single_line(std::string_view text);

}  // namespace brevet::net
