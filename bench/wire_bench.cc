// What reading and writing JSON adds to a request: parse with spans, hash, render with another model id, read
// an answer, collect one chunk of a stream. Bodies of about 1 kB and 100 kB. Run: wire_bench
// --benchmark_repetitions=5
#include <benchmark/benchmark.h>

#include <string>

#include "wire/openai_chat.h"
#include "wire/sse.h"

namespace {

using namespace brevet;

std::string chat_body(std::size_t bytes) {
  std::string body =
      R"({"model":"auto","temperature":0.2,"messages":[{"role":"system","content":"You answer briefly.\n"},)"
      R"({"role":"user","content":")";
  while (body.size() + 200 < bytes) body += "Which of these is a prime number, and why?\\n";
  return body + R"("}],"max_tokens":256,"stream":false,"metadata":{"session":"12345678"}})";
}

void parse_and_render(benchmark::State& state, wire::HashWhen hash) {
  const auto body = chat_body(static_cast<std::size_t>(state.range(0)));
  wire::ChatLimits limits;
  limits.hash = hash;
  wire::RenderOptions options;
  options.model_id = "provider/model-1";
  for (auto _ : state) {
    const auto request = wire::parse_chat_request(body, limits);
    benchmark::DoNotOptimize(wire::render_chat_request(*request, options));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(body.size()));
}
void pass_through(benchmark::State& state) {
  parse_and_render(state, wire::HashWhen::kLater);
}
void with_hash(benchmark::State& state) {
  parse_and_render(state, wire::HashWhen::kNow);
}
BENCHMARK(pass_through)->Arg(1'000)->Arg(100'000);
BENCHMARK(with_hash)->Arg(1'000)->Arg(100'000);

/// As the server does it for a routed request.
void hash_when_routed(benchmark::State& state) {
  const auto body = chat_body(static_cast<std::size_t>(state.range(0)));
  wire::ChatLimits limits;
  limits.hash = wire::HashWhen::kLater;
  for (auto _ : state) {
    auto request = wire::parse_chat_request(body, limits);
    wire::add_request_hash(*request);
    benchmark::DoNotOptimize(request);
  }
}
BENCHMARK(hash_when_routed)->Arg(1'000)->Arg(100'000);

void read_answer(benchmark::State& state) {
  Answer answer;
  while (answer.text.size() < static_cast<std::size_t>(state.range(0)))
    answer.text += "A prime number is 7.\n";
  answer.finish_reason = "stop";
  answer.usage.input_tokens = answer.usage.output_tokens = 100;
  const auto body = wire::completion_json(answer, "id", "model", 1);
  for (auto _ : state) benchmark::DoNotOptimize(wire::parse_chat_completion(body, {}));
}
BENCHMARK(read_answer)->Arg(1'000)->Arg(100'000);

/// One event of a stream: SSE in, collected, SSE out.
void stream_event(benchmark::State& state) {
  const std::string event =
      "data: "
      "{\"id\":\"chatcmpl-123\",\"object\":\"chat.completion.chunk\",\"created\":1694268190,\"model\":\"m\","
      "\"system_fingerprint\":\"fp\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" "
      "prime\"},\"logprobs\":null,"
      "\"finish_reason\":null}]}\n\n";
  wire::SseReader reader;
  auto collector = std::make_unique<wire::ChunkCollector>(wire::Hide{.logprobs = true, .usage = true});
  int taken = 0;
  for (auto _ : state) {
    auto events = reader.feed(event);
    auto shown = collector->take(std::move(events->front().data));
    benchmark::DoNotOptimize(wire::sse_data(**shown));
    if (++taken % 100'000 == 0) {
      collector = std::make_unique<wire::ChunkCollector>(wire::Hide{.logprobs = true, .usage = true});
    }
  }
}
BENCHMARK(stream_event);

}  // namespace

BENCHMARK_MAIN();
