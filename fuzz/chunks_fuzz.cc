// Goal: no stream of a provider crashes the collector; what it lets through is what came, or JSON again.
// Method: libFuzzer; the input is a stream of events as it comes from the network, with what to hide in its
// first byte.
#include <cstdlib>
#include <string>

#include "wire/openai_chat.h"
#include "wire/sse.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace brevet;
  if (size == 0) return 0;
  wire::SseReader reader(1 << 16);
  auto events = reader.feed({reinterpret_cast<const char*>(data) + 1, size - 1});
  if (!events) return 0;
  wire::ChunkCollector collector({.logprobs = (data[0] & 1) != 0, .usage = (data[0] & 2) != 0});
  wire::ChunkCollector behind({});  // reads what the client is shown
  for (const auto& event : *events) {
    const int bad = collector.bad_events();
    const auto out = collector.take(event.data);
    if (!out) break;
    if (collector.bad_events() > bad && (!*out || **out != event.data)) std::abort();
    if (!*out) continue;
    const auto shown = behind.take(**out);
    if (!shown || behind.bad_events() != collector.bad_events()) std::abort();
    if (!*shown || **shown != **out) std::abort();  // what was repaired needs no second repair
  }
  const auto answer = collector.answer(), seen = behind.answer();
  if (answer.text != seen.text || answer.tool_calls.size() != seen.tool_calls.size()) std::abort();
  if (answer.finish_reason != seen.finish_reason) std::abort();
  return 0;
}
