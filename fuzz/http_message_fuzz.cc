// Goal: no bytes of a client or a provider crash the HTTP parsers, and any cut of the bytes gives the same
// messages. Method: libFuzzer; the first byte chooses the direction and the cuts, a bounded body keeps inputs
// small.
#include <cstdlib>
#include <string>
#include <string_view>

#include "net/http_parser.h"
#include "net/http_server.h"

namespace {

using namespace brevet::net;

/// The whole messages in `bytes` as one text, fed in pieces of `step`; stops at the first failure. When bytes
/// end early, whether that is already a failure or still a wait for more may depend on the cuts; what gets
/// through may not.
std::string requests(std::string_view bytes, std::size_t step) {
  RequestParser parser({2048, 4096});
  std::string out, waiting;
  HttpRequest request;
  parser.start(request);
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    waiting.append(bytes.substr(at, step));
    while (true) {
      std::size_t used = 0;
      const auto progress = parser.feed(waiting, used);
      if (used > waiting.size()) std::abort();
      waiting.erase(0, used);
      if (progress == ParseProgress::kFailed) return out;
      if (progress == ParseProgress::kNeedMore) break;
      out += request.method + " " + request.target + "\n" + request.body + "\n";
      if (!parser.keep_alive()) return out;
      request = {};
      parser.start(request);
    }
  }
  return out;
}

std::string response(std::string_view bytes, std::size_t step) {
  ResponseParser parser(2048);
  parser.start(false, 4096);
  std::string out, waiting, body;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    waiting.append(bytes.substr(at, step));
    std::size_t used = 0;
    const auto progress = parser.feed(waiting, used);
    if (used > waiting.size()) std::abort();
    waiting.erase(0, used);
    body += parser.body();
    parser.body().clear();
    if (progress == ParseProgress::kFailed) return "cut";
    if (progress == ParseProgress::kDone) return std::to_string(parser.status()) + "\n" + body;
  }
  return parser.finish_at_eof() == ParseProgress::kDone ? "eof\n" + body : "cut";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto read = data[0] & 1 ? requests : response;
  if (read(bytes, bytes.size() + 1) != read(bytes, (data[0] >> 1) % 9 + 1)) std::abort();
  return 0;
}
