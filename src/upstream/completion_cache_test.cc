// Goal: a repeat of a tenant's own call is answered without the model, costs nothing, and nothing else is.
// Method: a model that counts its calls and numbers its answers, a clock moved by hand.
#include "upstream/completion_cache.h"

#include <gtest/gtest.h>

#include "base/async.h"
#include "wire/openai_chat.h"

namespace brevet {
namespace {

class Counting final : public ModelClient {
 public:
  Task<ModelOutcome> call(ModelCall, StreamSink*) override {
    ++calls;
    ModelResult out;
    out.answer.text = "answer " + std::to_string(calls);
    out.answer.finish_reason = finish;
    out.answer.returned_model = "m";
    if (tool) out.answer.tool_calls.push_back({"f", "{}"});
    out.cost = {Money::from_pico(7), CostBasis::kPriced};
    co_return out;
  }
  ModelStatus status() const override { return {}; }
  Cost price(const Usage&) const override { return {}; }
  int calls = 0;
  std::string finish = "stop";
  bool tool = false;
};

struct World {
  std::shared_ptr<Counting> model = std::make_shared<Counting>();
  ManualClock clock;
  ModelClientPtr cached;

  explicit World(CompletionCacheOptions options = {}) { cached = make_caching_client(model, options, clock); }
  static ModelCall call_of(const std::string& text, const std::string& more = R"(,"temperature":0)") {
    ModelCall out;
    out.configuration.model = "m";
    out.tenant = "a";
    out.may_store = true;
    auto request = wire::parse_chat_request(R"({"model":"m","messages":[{"role":"user","content":")" + text +
                                            "\"}]" + more + "}");
    EXPECT_TRUE(request.has_value());
    out.request = std::make_shared<const ChatRequest>(std::move(*request));
    return out;
  }
  ModelResult ask(ModelCall call, StreamSink* sink = nullptr) {
    asio::io_context context;
    std::optional<ModelOutcome> outcome;
    asio::co_spawn(
        context,
        [](ModelClient* client, ModelCall one, StreamSink* to,
           std::optional<ModelOutcome>* out) -> Task<void> {
          auto got = co_await client->call(std::move(one), to);
          *out = std::move(got);
        }(cached.get(), std::move(call), sink, &outcome),
        asio::detached);
    context.run();
    EXPECT_TRUE(outcome && *outcome);
    return std::move(**outcome);
  }
};

class Collect final : public StreamSink {
 public:
  Task<Result<>> on_event(std::string data) override {
    events.push_back(std::move(data));
    co_return Result<>{};
  }
  std::vector<std::string> events;
};

TEST(CompletionCache, AnswersARepeatForNothing) {
  World world;
  const auto first = world.ask(World::call_of("hello"));
  EXPECT_FALSE(first.from_cache);
  const auto second = world.ask(World::call_of("hello"));
  EXPECT_TRUE(second.from_cache);
  EXPECT_EQ(second.answer.text, "answer 1");
  EXPECT_EQ(second.cost.amount->pico_usd, 0);
  EXPECT_NE(second.answer.body.find("answer 1"), std::string::npos);
  EXPECT_EQ(world.model->calls, 1);
  // A stream of it is written anew.
  Collect sink;
  auto streamed = World::call_of("hello");
  streamed.stream = true;
  EXPECT_TRUE(world.ask(std::move(streamed), &sink).from_cache);
  EXPECT_FALSE(sink.events.empty());
  EXPECT_EQ(world.cached->status().cache_hits, 2U);
  EXPECT_EQ(world.cached->status().cache_entries, 1U);
}

TEST(CompletionCache, AnswersNobodyElseAndNothingElse) {
  World world;
  (void)world.ask(World::call_of("hello"));
  std::vector<ModelCall> others;
  others.push_back(World::call_of("hello"));
  others.back().tenant = "b";
  others.push_back(World::call_of("Hello"));
  others.push_back(World::call_of("hello"));
  others.back().edits.system_prefix = "Think.";
  others.push_back(World::call_of("hello"));
  others.back().sample = 1;
  others.push_back(World::call_of("hello"));
  others.back().want_logprobs = true;
  others.push_back(World::call_of("hello", R"(,"temperature":0,"max_tokens":5)"));
  int calls = 1;
  for (auto& other : others) {
    EXPECT_FALSE(world.ask(std::move(other)).from_cache) << calls;
    EXPECT_EQ(world.model->calls, ++calls);
  }
}

TEST(CompletionCache, KeepsOnlyWhatMayBeKept) {
  World world;
  const auto twice = [&](const std::string& text, const std::string& more, auto change) {
    bool hit = false;
    for (int i = 0; i < 2; ++i) {
      auto call = World::call_of(text, more);
      change(call);
      hit = world.ask(std::move(call)).from_cache;
    }
    return hit;
  };
  const auto as_it_is = [](ModelCall&) {};
  EXPECT_FALSE(twice("sampled", R"(,"temperature":0.7)", as_it_is));
  EXPECT_FALSE(twice("default", "", as_it_is));
  EXPECT_FALSE(twice("private", R"(,"temperature":0)", [](ModelCall& call) { call.may_store = false; }));
  EXPECT_FALSE(twice("nobody", R"(,"temperature":0)", [](ModelCall& call) { call.tenant.clear(); }));
  EXPECT_FALSE(twice("logprobs", R"(,"temperature":0,"logprobs":true)", as_it_is));
  world.model->finish = "length";
  EXPECT_FALSE(twice("cut", R"(,"temperature":0)", as_it_is));
  world.model->finish = "stop";
  world.model->tool = true;
  EXPECT_FALSE(twice("tool", R"(,"temperature":0)", as_it_is));
  World all({.sampled = true});
  (void)all.ask(World::call_of("sampled", R"(,"temperature":0.7)"));
  EXPECT_TRUE(all.ask(World::call_of("sampled", R"(,"temperature":0.7)")).from_cache);
}

TEST(CompletionCache, IsBoundedAndForgets) {
  World world({.entries_max = 2, .lifetime = std::chrono::seconds(60)});
  (void)world.ask(World::call_of("one"));
  (void)world.ask(World::call_of("two"));
  EXPECT_TRUE(world.ask(World::call_of("one")).from_cache);
  (void)world.ask(World::call_of("three"));
  EXPECT_FALSE(world.ask(World::call_of("two")).from_cache) << "least recently used";
  EXPECT_EQ(world.cached->status().cache_entries, 2U);
  EXPECT_GE(world.cached->status().cache_evicted, 1U);
  world.clock.advance(std::chrono::seconds(61));
  EXPECT_FALSE(world.ask(World::call_of("two")).from_cache);
}

}  // namespace
}  // namespace brevet
