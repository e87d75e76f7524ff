// Goal: answers whole and streamed are read alike, what we asked for is hidden, everything else keeps its
// bytes. Method: cases by hand from what providers really send, and random answers there and back.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cmath>

#include "base/random.h"
#include "wire/openai_chat.h"

namespace brevet::wire {
namespace {

constexpr const char* kBody = R"({ "id":"c-1","object":"chat.completion","created":17,"model":"m-2024",
 "choices":[{"index":0,"message":{"role":"assistant","content":"Hi \u00e9","x":[1]},
   "logprobs":{"content":[{"token":"Hi","logprob":-0.5,"top_logprobs":[]},{"token":"é","logprob":-1.5}]},"finish_reason":"stop"}],
 "usage":{"prompt_tokens":10,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":4},
   "completion_tokens_details":{"reasoning_tokens":1}},"system_fingerprint":"fp" })";

TEST(Completion, ReadsAnswerUsageAndLogprobs) {
  const auto answer = parse_chat_completion(kBody, {});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, kBody);
  EXPECT_EQ(answer->text, "Hi é");
  EXPECT_EQ(answer->finish_reason, "stop");
  EXPECT_EQ(answer->returned_model, "m-2024");
  EXPECT_EQ(answer->usage.input_tokens, 10);
  EXPECT_EQ(answer->usage.output_tokens, 2);
  EXPECT_EQ(answer->usage.cached_input_tokens, 4);
  EXPECT_EQ(answer->usage.reasoning_tokens, 1);
  EXPECT_FALSE(answer->usage.cache_creation_tokens);
  EXPECT_DOUBLE_EQ(*answer->mean_logprob, -1.0);
  EXPECT_DOUBLE_EQ(*answer->min_logprob, -1.5);
}

TEST(Completion, ReadsAlternativesOfTheFirstToken) {
  const auto read = [](const std::string& logprobs) {
    return parse_chat_completion(R"({"choices":[{"message":{"content":"4"},"logprobs":)" + logprobs + "}]}",
                                 {})
        ->first_token;
  };
  const auto both =
      read(R"({"content":[{"token":"4","logprob":-0.5,"top_logprobs":[{"token":"4","logprob":-0.5},)"
           R"({"token":" 5","logprob":-1.5},{"token":"x"},3,{"token":"1","logprob":0.25}]},)"
           R"({"token":"!","logprob":-9,"top_logprobs":[{"token":"?","logprob":-1}]}]})");
  ASSERT_EQ(both.size(), 3U);
  EXPECT_EQ(both[1].token, " 5");
  EXPECT_DOUBLE_EQ(both[1].logprob, -1.5);
  EXPECT_DOUBLE_EQ(both[2].logprob, 0) << "rounding of the provider";
  const auto others =
      read(R"({"content":[{"token":"4","logprob":-0.5,"top_logprobs":[{"token":"5","logprob":-1.5}]}]})");
  ASSERT_EQ(others.size(), 2U) << "the token itself counts where only the others are listed";
  EXPECT_EQ(others[1].token, "4");
  EXPECT_TRUE(read(R"({"content":[{"token":"4","logprob":-0.5,"top_logprobs":[]}]})").empty());
  EXPECT_TRUE(read(R"({"content":[{"token":"4","logprob":-0.5}]})").empty());
  EXPECT_TRUE(read(R"({"content":[]})").empty());
  EXPECT_TRUE(read("null").empty());
}

TEST(Completion, HidesLogprobsAndNothingElse) {
  const auto answer = parse_chat_completion(kBody, {.logprobs = true});
  ASSERT_TRUE(answer);
  std::string expected = kBody;
  const auto begin = expected.find("{\"content\":[{\"token\"");
  const auto end = expected.find(",\"finish_reason\"");
  expected.replace(begin, end - begin, "null");
  EXPECT_EQ(answer->body, expected);
  EXPECT_TRUE(answer->mean_logprob);
}

TEST(Completion, ReadsToolCallsInEverySpelling) {
  const auto answer = parse_chat_completion(
      R"({"choices":[{"message":{"content":null,"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}},
         {"function":{"name":"g","arguments":{"y": 2}}}]},"finish_reason":"tool_calls"}]})",
      {});
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->tool_calls.size(), 2u);
  EXPECT_EQ(answer->tool_calls[0].id, "a");
  EXPECT_EQ(answer->tool_calls[0].arguments, R"({"x":1})");
  EXPECT_EQ(answer->tool_calls[1].name, "g");
  EXPECT_EQ(answer->tool_calls[1].arguments, R"({"y":2})");
  EXPECT_TRUE(answer->text.empty());
  EXPECT_FALSE(answer->usage.output_tokens);  // unknown, not zero
  EXPECT_FALSE(answer->mean_logprob);
  const auto legacy = parse_chat_completion(
      R"({"choices":[{"message":{"content":null,"function_call":{"name":"f","arguments":"{}"}}}]})", {});
  ASSERT_TRUE(legacy);
  EXPECT_EQ(legacy->tool_calls.at(0).name, "f");
  const auto listed = parse_chat_completion(
      R"({"choices":[{"index":1,"message":{"content":"one"}},{"index":0,"message":{"content":[{"type":"thinking","thinking":"t"},{"type":"text","text":"zero"}]}}]})",
      {});
  ASSERT_TRUE(listed);
  EXPECT_EQ(listed->text, "zero");
}

TEST(Completion, RefusesWhatIsNoAnswer) {
  const std::pair<const char*, const char*> cases[] = {
      {"<html>", "upstream_bad_json"},
      {"", "upstream_bad_json"},
      {"[]", "upstream_bad_answer"},
      {"{}", "upstream_bad_answer"},
      {R"({"choices":[]})", "upstream_bad_answer"},
      {R"({"choices":[{"index":0}]})", "upstream_bad_answer"},
      {R"({"choices":7})", "upstream_bad_answer"},
      {R"({"error":{"message":"no credit"}})", "upstream_bad_answer"}};
  for (const auto& [body, code] : cases) {
    const auto answer = parse_chat_completion(body, {});
    ASSERT_FALSE(answer) << body;
    EXPECT_EQ(answer.error().code, code) << body;
    EXPECT_EQ(answer.error().kind, ErrorKind::kProviderGarbage);
  }
  EXPECT_NE(
      parse_chat_completion(R"({"error":{"message":"no credit"}})", {}).error().message.find("no credit"),
      std::string::npos);
}

// --- streams

std::string shown(ChunkCollector& collector, const std::string& data) {
  auto out = collector.take(data);
  if (!out) return "error " + out.error().code;
  return *out ? **out : "nothing";
}
std::string delta(const std::string& members, const std::string& more = R"("finish_reason":null)") {
  return R"({"id":"c","model":"m","choices":[{"index":0,"delta":{)" + members + "}," + more + "}]}";
}

TEST(Chunks, PassThroughIsByteStable) {
  ChunkCollector collector({.logprobs = true, .usage = true});
  for (const auto& data :
       {delta(R"("role":"assistant","content":"")"), delta(R"("content" : "H\u00e9")"),
        delta(R"("content":"y","reasoning_content":"r")"), delta("", R"("finish_reason":"stop")"),
        std::string(R"({"choices":[],"prompt_filter_results":[]})")}) {
    EXPECT_EQ(shown(collector, data), data);
  }
  const auto answer = collector.answer();
  EXPECT_EQ(answer.text, "Héy");
  EXPECT_EQ(answer.finish_reason, "stop");
  EXPECT_EQ(answer.returned_model, "m");
  EXPECT_TRUE(collector.finished());
  EXPECT_FALSE(collector.has_usage());
}

TEST(Chunks, HidesUsageWhereverItComes) {
  const std::string usage = R"({"prompt_tokens":5,"completion_tokens":3})";
  ChunkCollector hiding({.usage = true});
  EXPECT_EQ(shown(hiding, R"({"choices":[],"usage":)" + usage + "}"), "nothing");
  EXPECT_TRUE(hiding.has_usage());
  EXPECT_EQ(hiding.answer().usage.input_tokens, 5);
  EXPECT_EQ(shown(hiding, R"({"usage":null, "choices":[{"index":0,"delta":{}}]})"),
            R"({ "choices":[{"index":0,"delta":{}}]})");
  EXPECT_EQ(
      shown(hiding, R"({"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}],"usage":)" +
                        usage + "}"),
      R"({"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]})");
  ChunkCollector open({});
  const std::string last = R"({"choices":[],"usage":)" + usage + "}";
  EXPECT_EQ(shown(open, last), last);
  EXPECT_EQ(open.answer().usage.output_tokens, 3);
}

TEST(Chunks, KeysThatComeTwiceDoNoHarm) {
  ChunkCollector hiding({.logprobs = true, .usage = true});
  EXPECT_EQ(shown(hiding, R"({"usage":1,"usage":2,"x":3,"choices":[{"delta":{}}],"choices":[{},{}]})"),
            R"({"usage":null,"x":3,"choices":[{"delta":{}}],"choices":[{},{}]})");
}

TEST(Chunks, ReadsAndHidesLogprobs) {
  ChunkCollector collector({.logprobs = true});
  EXPECT_EQ(shown(collector, delta(R"("content":"a")",
                                   R"("logprobs":{"content":[{"logprob":-1}]},"finish_reason":null)")),
            delta(R"("content":"a")", R"("logprobs":null,"finish_reason":null)"));
  shown(collector,
        delta(R"("content":"b")", R"("logprobs":{"content":[{"logprob":-3},{"logprob":0.0001}]})"));
  EXPECT_NEAR(*collector.answer().mean_logprob, -4.0 / 3, 1e-12);
  EXPECT_DOUBLE_EQ(*collector.answer().min_logprob, -3);
}

TEST(Chunks, OneFinishReason) {
  ChunkCollector collector({});
  const auto last = delta("", R"("finish_reason":"length")");
  EXPECT_EQ(shown(collector, last), last);
  EXPECT_EQ(shown(collector, delta("", R"("finish_reason":"stop")")), delta("", R"("finish_reason":null)"));
  EXPECT_EQ(collector.answer().finish_reason, "length");
}

TEST(Chunks, OtherChoicesDoNotMix) {
  ChunkCollector collector({});
  shown(
      collector,
      R"({"choices":[{"index":1,"delta":{"content":"no"},"finish_reason":"stop"},{"index":0,"delta":{"content":"yes"}}]})");
  EXPECT_EQ(collector.answer().text, "yes");
  EXPECT_FALSE(collector.finished());
}

std::string call(const std::string& members, const std::string& function) {
  return delta(R"("tool_calls":[{)" + members + R"("function":{)" + function + "}}]");
}

TEST(Chunks, ToolCallsOfARegularProviderKeepTheirBytes) {
  ChunkCollector collector({});
  for (const auto& data :
       {call(R"("index":0,"id":"a","type":"function",)", R"("name":"f","arguments":"")"),
        call(R"("index":0,)", R"("arguments":"{\"x\"")"), call(R"("index":0,)", R"("arguments":":1}")"),
        call(R"("index":1,"id":"b",)", R"("name":"g","arguments":"{}")")}) {
    EXPECT_EQ(shown(collector, data), data);
  }
  const auto answer = collector.answer();
  ASSERT_EQ(answer.tool_calls.size(), 2u);
  EXPECT_EQ(answer.tool_calls[0].name, "f");
  EXPECT_EQ(answer.tool_calls[0].arguments, R"({"x":1})");
  EXPECT_EQ(answer.tool_calls[1].id, "b");
}

TEST(Chunks, RepairsMissingAndReusedIndices) {
  ChunkCollector missing({});
  EXPECT_EQ(shown(missing, call(R"("id":"a",)", R"("name":"f","arguments":"{")")),
            call(R"("index":0,"id":"a",)", R"("name":"f","arguments":"{")"));
  EXPECT_EQ(shown(missing, call("", R"("arguments":"}")")), call(R"("index":0,)", R"("arguments":"}")"));
  EXPECT_EQ(shown(missing, call(R"("id":"b",)", R"("name":"g","arguments":"{}")")),
            call(R"("index":1,"id":"b",)", R"("name":"g","arguments":"{}")"));
  ASSERT_EQ(missing.answer().tool_calls.size(), 2u);
  EXPECT_EQ(missing.answer().tool_calls[0].arguments, "{}");

  ChunkCollector reused({});  // whole calls, each numbered 0
  shown(reused, call(R"("index":0,"id":"a",)", R"("name":"f","arguments":"1")"));
  EXPECT_EQ(shown(reused, call(R"("index":0,"id":"b",)", R"("name":"f","arguments":"2")")),
            call(R"("index":1,"id":"b",)", R"("name":"f","arguments":"2")"));
  EXPECT_EQ(shown(reused, call(R"("index":0,)", R"("arguments":"3")")),
            call(R"("index":1,)", R"("arguments":"3")"));
  ASSERT_EQ(reused.answer().tool_calls.size(), 2u);
  EXPECT_EQ(reused.answer().tool_calls[1].arguments, "23");

  ChunkCollector sparse({});  // unusual and yet unambiguous numbers stay
  const auto one = call(R"("index":1,"id":"a",)", R"("name":"f","arguments":"{}")");
  EXPECT_EQ(shown(sparse, one), one);
  EXPECT_EQ(sparse.answer().tool_calls.size(), 1u);
}

TEST(Chunks, BadEventsPassAndErrorsEndTheStream) {
  ChunkCollector collector({.usage = true});
  EXPECT_EQ(shown(collector, "{\"choices\":[oops"), "{\"choices\":[oops");
  EXPECT_EQ(shown(collector, "[1]"), "[1]");
  EXPECT_EQ(collector.bad_events(), 2);
  EXPECT_EQ(shown(collector, R"({"error":null,"choices":[]})"), R"({"error":null,"choices":[]})");
  for (const char* body : {R"({"error":{"message":"overloaded","code":529}})", R"({"error":"overloaded"})"}) {
    const auto result = collector.take(body);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, "upstream_stream_error");
    EXPECT_EQ(result.error().kind, ErrorKind::kProviderUnavailable);
    EXPECT_NE(result.error().message.find("overloaded"), std::string::npos);
    EXPECT_EQ(result.error().upstream_body, body);
  }
}

TEST(Chunks, CollectedBytesAreBounded) {
  ChunkCollector collector({});
  const auto piece = delta("\"content\":\"" + std::string(4 * 1024 * 1024, 'x') + "\"");
  std::string last;
  for (int i = 0; i < 9; ++i) last = shown(collector, piece).substr(0, 60);
  EXPECT_EQ(last, "error upstream_answer_too_large");
}

// --- answers of our own

Answer sample() {
  Answer answer;
  answer.text = "Grüße, \"you\" 😀\n";
  answer.finish_reason = "stop";
  answer.usage.input_tokens = 12;
  answer.usage.output_tokens = 5;
  answer.usage.cached_input_tokens = 3;
  answer.usage.reasoning_tokens = 2;
  answer.mean_logprob = -0.25;
  answer.min_logprob = -2.0;
  return answer;
}

void expect_same(const Answer& got, const Answer& wanted) {
  EXPECT_EQ(got.text, wanted.text);
  EXPECT_EQ(got.finish_reason, wanted.finish_reason);
  EXPECT_EQ(got.usage.input_tokens, wanted.usage.input_tokens);
  EXPECT_EQ(got.usage.output_tokens, wanted.usage.output_tokens);
  EXPECT_EQ(got.usage.cached_input_tokens, wanted.usage.cached_input_tokens);
  EXPECT_EQ(got.usage.reasoning_tokens, wanted.usage.reasoning_tokens);
  ASSERT_EQ(got.tool_calls.size(), wanted.tool_calls.size());
  for (std::size_t i = 0; i < got.tool_calls.size(); ++i) {
    EXPECT_EQ(got.tool_calls[i].name, wanted.tool_calls[i].name);
    EXPECT_EQ(got.tool_calls[i].arguments, wanted.tool_calls[i].arguments);
    EXPECT_FALSE(got.tool_calls[i].id.empty());
  }
  ASSERT_EQ(got.mean_logprob.has_value(), wanted.mean_logprob.has_value());
  if (wanted.mean_logprob) {
    EXPECT_NEAR(*got.mean_logprob, *wanted.mean_logprob, 1e-9);
    EXPECT_NEAR(*got.min_logprob, wanted.min_logprob.value_or(*wanted.mean_logprob), 1e-9);
  }
}

Answer collected(const std::vector<std::string>& chunks) {
  ChunkCollector collector({});
  int finishes = 0;
  for (const auto& each : chunks) {
    const auto out = collector.take(each);
    EXPECT_TRUE(out && *out && **out == each) << each;
    const auto value = boost::json::parse(each).as_object();
    EXPECT_EQ(value.at("object").as_string(), "chat.completion.chunk");
    for (const auto& choice : value.at("choices").as_array())
      finishes += !choice.at("finish_reason").is_null();
  }
  EXPECT_EQ(finishes, 1);
  EXPECT_EQ(collector.bad_events(), 0);
  return collector.answer();
}

TEST(Compose, WholeAndStreamedReadBackAlike) {
  Answer tools = sample();
  tools.text.clear();
  tools.finish_reason = "tool_calls";
  tools.tool_calls = {{"f", R"({"a":"ä\n"})", "id-1"}, {"g", "{}"}};
  tools.mean_logprob.reset();
  tools.min_logprob.reset();
  tools.usage = {};
  for (const auto& answer : {sample(), tools}) {
    const auto whole = parse_chat_completion(completion_json(answer, "x", "m", 5), {});
    ASSERT_TRUE(whole) << whole.error().message;
    expect_same(*whole, answer);
    expect_same(collected(completion_chunks(answer, "x", "m", 5, true, 3)), answer);
    expect_same(collected(body_to_chunks(*whole, true)), answer);
    Answer bare = answer;  // a held answer that was streamed to us has no body
    expect_same(collected(body_to_chunks(bare, true)), answer);
  }
}

TEST(Compose, RandomAnswersReadBack) {
  Draws draws(3, 3);
  static constexpr const char* kPieces[] = {"a", "\"", "\\", "\n", "ä", "😀", "\x02", "word ", "€"};
  for (int round = 0; round < 500; ++round) {
    Answer answer;
    answer.finish_reason = "stop";
    for (auto n = draws.choose("n", 30); n-- > 0;)
      answer.text += kPieces[draws.choose("p", std::size(kPieces))];
    answer.mean_logprob = -draws.uniform() * 2 - 0.01;
    answer.min_logprob = *answer.mean_logprob * (1 + 20 * draws.uniform());
    for (auto n = draws.choose("calls", 3); n-- > 0;)
      answer.tool_calls.push_back({"f", answer.text.substr(0, 0) + "{\"k\":1}"});
    const auto whole = parse_chat_completion(completion_json(answer, "x", "m", 5), {});
    ASSERT_TRUE(whole);
    expect_same(*whole, answer);
    expect_same(collected(completion_chunks(answer, "x", "m", 5, false, 1 + draws.choose("size", 9))),
                answer);
    expect_same(collected(body_to_chunks(*whole, false)), answer);
  }
}

TEST(Compose, HeldBodiesKeepWhatWeDoNotKnow) {
  const auto answer = parse_chat_completion(
      R"({"id":"c","created":3,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"ab","reasoning_content":"r"},"finish_reason":"stop"},
         {"index":1,"message":{"role":"assistant","content":null,"refusal":"no"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"z":3},"system_fingerprint":"fp"})",
      {});
  ASSERT_TRUE(answer);
  const auto chunks = body_to_chunks(*answer, true);
  const std::string head =
      R"({"object":"chat.completion.chunk","id":"c","created":3,"model":"m","system_fingerprint":"fp","choices":)";
  const std::vector<std::string> expected = {
      head +
          R"([{"index":0,"delta":{"role":"assistant","content":"","reasoning_content":"r"},"finish_reason":null}]})",
      head + R"([{"index":0,"delta":{"content":"ab"},"finish_reason":null}]})",
      head + R"([{"index":0,"delta":{},"finish_reason":"stop"}]})",
      head +
          R"([{"index":1,"delta":{"role":"assistant","content":null,"refusal":"no"},"finish_reason":null}]})",
      head + R"([{"index":1,"delta":{},"finish_reason":"stop"}]})",
      head + R"([],"usage":{"prompt_tokens":1,"completion_tokens":2,"z":3}})"};
  EXPECT_EQ(chunks, expected);
}

// --- errors, listings, feedback

TEST(Errors, ShapeAndTypes) {
  Error error;
  error.kind = ErrorKind::kCallerNotFound;
  error.code = "unknown_model";
  error.message = "No \"x\"\xff.";
  EXPECT_EQ(
      error_json(error),
      "{\"error\":{\"message\":\"No \\\"x\\\"\xEF\xBF\xBD.\",\"type\":\"not_found_error\",\"param\":null,"
      "\"code\":\"unknown_model\"}}");
  error.param = "model";
  error.kind = ErrorKind::kPolicyBudget;
  EXPECT_NE(error_json(error).find(R"("type":"insufficient_quota","param":"model")"), std::string::npos);
}

TEST(Errors, ReadsProviderBodies) {
  const auto openai = parse_error_body(
      R"({"error":{"message":"bad key","type":"invalid_request_error","param":null,"code":"invalid_api_key"}})");
  EXPECT_EQ(openai.code, "invalid_api_key");
  EXPECT_EQ(openai.type, "invalid_request_error");
  EXPECT_EQ(openai.message, "bad key");
  EXPECT_EQ(parse_error_body(R"({"error":{"code":503,"message":"Loading model"}})").code, "503");
  EXPECT_EQ(parse_error_body(R"({"error":"plain"})").message, "plain");
  EXPECT_EQ(parse_error_body(R"({"object":"error","message":"top","code":400})").message, "top");
  EXPECT_EQ(parse_error_body(R"({"detail":"Not Found"})").message, "Not Found");
  EXPECT_EQ(parse_error_body("<html>").message, "");
  EXPECT_EQ(parse_error_body("").message, "");
  EXPECT_EQ(parse_error_body("{}").message, "");
}

TEST(Models, Listing) {
  EXPECT_EQ(models_json({}), R"({"object":"list","data":[]})");
  EXPECT_EQ(
      models_json({{"a", "o", 1}, {"b", "p", 2}}),
      R"({"object":"list","data":[{"id":"a","object":"model","created":1,"owned_by":"o"},{"id":"b","object":"model","created":2,"owned_by":"p"}]})");
}

TEST(Feedback, ReadsOrRefuses) {
  const auto good = parse_feedback(R"({"decision_id":"d1","score":1,"comment":"fine"})");
  ASSERT_TRUE(good);
  EXPECT_EQ(good->decision_id, "d1");
  EXPECT_EQ(good->score, 1.0);
  EXPECT_EQ(good->comment, "fine");
  const std::pair<const char*, const char*> cases[] = {
      {"", "bad_json"},
      {"[]", "wrong_type"},
      {R"({"score":1})", "missing_field"},
      {R"({"decision_id":"d"})", "missing_field"},
      {R"({"decision_id":"d","score":2})", "bad_value"},
      {R"({"decision_id":"d","score":"1"})", "wrong_type"},
      {R"({"decision_id":5,"score":1})", "wrong_type"},
      {R"({"decision_id":"d","scor":1})", "unknown_field"},
      {R"({"decision_id":"d","score":1,"score":0})", "bad_json"},
  };
  for (const auto& [body, code] : cases) {
    const auto result = parse_feedback(body);
    ASSERT_FALSE(result) << body;
    EXPECT_EQ(result.error().code, code) << body;
  }
}

TEST(ContractSwitch, NamesARouteAndSaysOnOrOff) {
  const auto good = parse_contract_switch(R"({"route":"auto","on":false})");
  ASSERT_TRUE(good);
  EXPECT_EQ(good->route, "auto");
  EXPECT_FALSE(good->on);
  const std::pair<const char*, const char*> cases[] = {
      {"", "bad_json"},
      {"[]", "wrong_type"},
      {R"({"on":true})", "missing_field"},
      {R"({"route":"auto"})", "missing_field"},
      {R"({"route":"auto","on":"no"})", "wrong_type"},
      {R"({"route":7,"on":true})", "wrong_type"},
      {R"({"route":"auto","on":true,"off":1})", "unknown_field"},
      {R"({"route":"auto","on":true,"on":false})", "bad_json"},
  };
  for (const auto& [body, code] : cases) {
    const auto result = parse_contract_switch(body);
    ASSERT_FALSE(result) << body;
    EXPECT_EQ(result.error().code, code) << body;
  }
}

}  // namespace
}  // namespace brevet::wire
