// Goal: a message is the same however its bytes are cut. Method: every message is fed whole and byte by byte.
#include "net/http_parser.h"

#include <gtest/gtest.h>

#include "net/http_server.h"

namespace brevet::net {
namespace {

/// Method, target and body, or how far it came.
std::string read_request(std::string_view bytes, std::size_t step) {
  RequestParser parser({2048, 4096});
  HttpRequest request;
  parser.start(request);
  std::string waiting;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    waiting.append(bytes.substr(at, step));
    std::size_t used = 0;
    const auto progress = parser.feed(waiting, used);
    waiting.erase(0, used);
    if (progress == ParseProgress::kFailed) return parser.failure().code;
    if (progress == ParseProgress::kDone) return request.method + " " + request.target + " " + request.body;
  }
  return "cut";
}

TEST(HttpParser, EveryCutGivesTheSameMessage) {
  const std::string head = "POST /x HTTP/1.1\r\nHost: a\r\n";
  const std::pair<std::string, std::string> cases[] = {
      {head + "Content-Length: 3\r\n\r\nabc", "POST /x abc"},
      {head + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "POST /x abc"},
      // The first chunk is the last one, and a trailer follows slowly.
      {head + "Transfer-Encoding: chunked\r\n\r\n0\r\nx-trailer: 1\r\n\r\n", "POST /x "},
      {head + "Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n", "malformed_http"},
      {head + "Transfer-Encoding: chunked\r\n\r\n0\r\nx-tr", "cut"},
  };
  for (const auto& [bytes, expected] : cases) {
    for (const std::size_t step :
         {bytes.size(), std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{7}}) {
      EXPECT_EQ(read_request(bytes, step), expected) << bytes << " in pieces of " << step;
    }
  }
}

}  // namespace
}  // namespace brevet::net
