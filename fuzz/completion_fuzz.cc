// Goal: no answer of a provider crashes the reader; an accepted one becomes chunks that say the same. Method:
// libFuzzer.
#include <cstdlib>
#include <string>

#include "wire/openai_chat.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace brevet;
  const std::string body(reinterpret_cast<const char*>(data), size);
  const auto answer = wire::parse_chat_completion(body, {});
  const auto hidden = wire::parse_chat_completion(body, {.logprobs = true, .usage = true});
  if (answer.has_value() != hidden.has_value()) std::abort();
  if (!answer) return 0;
  if (answer->body != body || answer->text != hidden->text) std::abort();
  const auto shown = wire::parse_chat_completion(hidden->body, {});
  if (!shown || shown->text != answer->text || shown->mean_logprob) std::abort();

  for (const bool include_usage : {false, true}) {
    wire::ChunkCollector collector({});
    for (auto& chunk : wire::body_to_chunks(*answer, include_usage)) {
      if (!collector.take(chunk)) return 0;  // the body holds an error beside its choices
    }
    if (collector.bad_events() != 0) std::abort();
  }
  Answer bare = *answer;
  bare.body.clear();
  wire::ChunkCollector collector({});
  for (auto& chunk : wire::body_to_chunks(bare, true)) {
    if (!collector.take(chunk)) std::abort();
  }
  const auto collected = collector.answer();
  if (collected.text != answer->text || collected.tool_calls.size() != answer->tool_calls.size())
    std::abort();
  const auto whole = wire::parse_chat_completion(wire::completion_json(bare, "i", "m", 1), {});
  if (!whole || whole->text != answer->text) std::abort();
  return 0;
}
