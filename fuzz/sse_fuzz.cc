// Goal: any bytes, cut anywhere, give the same events. Method: libFuzzer; the first byte chooses the cuts.
#include <algorithm>
#include <cstdlib>
#include <string>

#include "wire/sse.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace brevet;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  wire::SseReader whole(4096), split(4096);
  const auto expected = whole.feed(bytes);
  std::vector<wire::SseEvent> got;
  bool failed = false;
  std::size_t step = data[0] % 7 + 1;
  for (std::size_t at = 0; at < bytes.size() && !failed; at += step) {
    const auto some = split.feed(bytes.substr(at, step));
    failed = !some;
    if (some) got.insert(got.end(), some->begin(), some->end());
  }
  if (failed == expected.has_value()) std::abort();
  if (!expected) return 0;
  const auto same = [](const auto& a, const auto& b) { return a.event == b.event && a.data == b.data; };
  if (!std::equal(got.begin(), got.end(), expected->begin(), expected->end(), same)) std::abort();
  if (whole.in_event() != split.in_event()) std::abort();
  for (const auto& event : *expected) {
    wire::SseReader again(1 << 20);
    const auto read = again.feed(wire::sse_data(event.data));
    if (!read || read->size() != 1 || (*read)[0].data != event.data) std::abort();
  }
  return 0;
}
