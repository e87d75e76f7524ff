// Goal: what a client sends is understood or refused with a stable code, and leaves byte for byte but for the
// edits asked for. Method: cases by hand, and seeded random JSON for the properties.
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "base/random.h"
#include "wire/openai_chat.h"

namespace brevet::wire {
namespace {

namespace json = boost::json;

ChatRequest parsed(const std::string& body) {
  auto request = parse_chat_request(body);
  EXPECT_TRUE(request) << (request ? "" : request.error().message) << "\n" << body;
  return request ? *request : ChatRequest{};
}
std::string span_text(const ChatRequest& request, Span span) {
  return request.raw->substr(span.begin, span.end - span.begin);
}
void expect_refused(const std::string& body, const std::string& code, const std::string& param = {}) {
  const auto request = parse_chat_request(body);
  ASSERT_FALSE(request) << body;
  EXPECT_EQ(request.error().code, code) << body << "\n" << request.error().message;
  EXPECT_EQ(request.error().param, param) << body;
  EXPECT_EQ(request.error().kind, ErrorKind::kCallerInvalid);
  EXPECT_EQ(request.error().message.back(), '.');
}

constexpr const char* kFull = R"(  {"model" : "auto", "messages": [
   {"role":"system","content":"Be \"brief\".\n"},
   {"role":"user","content":"Hello"},
   {"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},
   {"role":"tool","tool_call_id":"c","content":"42"},
   {"role":"user","content":[{"type":"text","text":"What is in","cache_control":{"type":"ephemeral"}},
      {"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}},{"type":"text","text":"this é?"}]}
  ], "stream":true, "stream_options":{"include_usage":true}, "tools":[{"type":"function"}], "n":2,
  "temperature":0.5, "max_tokens":7, "max_completion_tokens":9, "logprobs":null, "x_unknown":[1,{"a":"}]"}],
  "response_format":{"type":"json_object"}, "metadata":{"record":"r-1"} } )";

TEST(ChatRequest, ReadsEveryField) {
  const auto request = parsed(kFull);
  EXPECT_EQ(request.model, "auto");
  EXPECT_EQ(span_text(request, request.model_value), "\"auto\"");
  EXPECT_EQ(span_text(request, request.messages_value).front(), '[');
  EXPECT_EQ(span_text(request, request.messages_value).back(), ']');
  EXPECT_EQ((*request.raw)[request.object_end], '}');
  ASSERT_EQ(request.messages.size(), 5u);
  EXPECT_EQ(request.messages[0].text, "Be \"brief\".\n");
  EXPECT_EQ(span_text(request, request.messages[0].content), R"("Be \"brief\".\n")");
  EXPECT_EQ(span_text(request, request.messages[1].value), R"({"role":"user","content":"Hello"})");
  EXPECT_FALSE(request.messages[2].text_only);
  EXPECT_TRUE(request.messages[2].content.empty());
  EXPECT_EQ(request.messages[4].text, "What is in\nthis é?");
  EXPECT_FALSE(request.messages[4].text_only);
  EXPECT_EQ(span_text(request, request.messages[4].first_text), "\"What is in\"");
  EXPECT_EQ(span_text(request, request.messages[4].last_text), "\"this é?\"");
  EXPECT_TRUE(request.stream);
  EXPECT_TRUE(request.include_usage);
  EXPECT_TRUE(request.has_tools);
  EXPECT_TRUE(request.has_images);
  EXPECT_TRUE(request.has_response_format);
  EXPECT_FALSE(request.wants_logprobs);
  EXPECT_EQ(request.n, 2);
  EXPECT_EQ(request.max_tokens, 9);
  EXPECT_EQ(request.temperature, 0.5);
  EXPECT_EQ(span_text(request, request.metadata_value), R"({"record":"r-1"})");
  EXPECT_EQ(request.last_user_text(), "What is in\nthis é?");
  EXPECT_EQ(request.previous_user_text(), "Hello");
  EXPECT_EQ(request.hash.size(), 64u);
  EXPECT_EQ(request.system_hash.size(), 64u);
}

TEST(ChatRequest, LocalOnlyIsReadFromMetadataAndNeverMisread) {
  const auto with = [](const std::string& value) {
    return R"({"model":"a","messages":[{"role":"user","content":"x"}],"metadata":{"k":"v","brevet_local_only":)" +
           value + "}}";
  };
  for (const char* on : {"true", R"("true")", R"("on")"}) EXPECT_TRUE(parsed(with(on)).local_only) << on;
  for (const char* off : {"false", R"("false")", R"("off")", "null"})
    EXPECT_FALSE(parsed(with(off)).local_only) << off;
  EXPECT_FALSE(
      parsed(R"({"model":"a","messages":[{"role":"user","content":"x"}],"metadata":{"k":"v"}})").local_only);
  for (const char* odd : {"1", R"("yes")", R"("True")", "[]", R"({"on":true})"})
    expect_refused(with(odd), "bad_value", "metadata.brevet_local_only");
  expect_refused(with(R"(false,"brevet_local_only":true)"), "bad_json", "metadata.brevet_local_only");
}

TEST(ChatRequest, KeysMayBeEscaped) {
  const auto request = parsed(R"({"\u006dodel":"a","messages":[{"role":"user","c\u006fntent":"hi"}]})");
  EXPECT_EQ(request.model, "a");
  EXPECT_EQ(request.last_user_text(), "hi");
}

TEST(ChatRequest, RefusesWithAStableCode) {
  const std::string ok = R"("messages":[{"role":"user","content":"x"}])";
  expect_refused("", "bad_json");
  expect_refused("   ", "bad_json");
  expect_refused("{", "bad_json");
  expect_refused("[]", "wrong_type");
  expect_refused("{" + ok + "}", "missing_field", "model");
  expect_refused(R"({"model":"a"})", "missing_field", "messages");
  expect_refused(R"({"model":"","messages":[]})", "bad_value", "model");
  expect_refused(R"({"model":3,)" + ok + "}", "wrong_type", "model");
  expect_refused(R"({"model":"a","messages":{}})", "wrong_type", "messages");
  expect_refused(R"({"model":"a","messages":[]})", "bad_value", "messages");
  expect_refused(R"({"model":"a","messages":["x"]})", "wrong_type", "messages[0]");
  expect_refused(R"({"model":"a","messages":[{"content":"x"}]})", "missing_field", "messages[0].role");
  expect_refused(R"({"model":"a","messages":[{"role":1}]})", "wrong_type", "messages[0].role");
  expect_refused(R"({"model":"a","messages":[{"role":"user"}]})", "missing_field", "messages[0].content");
  expect_refused(R"({"model":"a","messages":[{"role":"user","content":7}]})", "wrong_type",
                 "messages[0].content");
  expect_refused(R"({"model":"a","messages":[{"role":"user","content":[{"text":"x"}]}]})", "missing_field",
                 "messages[0].content[0].type");
  expect_refused(R"({"model":"a","messages":[{"role":"user","content":[{"type":"text","text":1}]}]})",
                 "missing_field", "messages[0].content[0].text");
  expect_refused(R"({"model":"a","stream":"yes",)" + ok + "}", "wrong_type", "stream");
  expect_refused(R"({"model":"a","stream_options":1,)" + ok + "}", "wrong_type", "stream_options");
  expect_refused(R"({"model":"a","n":0,)" + ok + "}", "bad_value", "n");
  expect_refused(R"({"model":"a","n":1.5,)" + ok + "}", "wrong_type", "n");
  expect_refused(R"({"model":"a","temperature":"hot",)" + ok + "}", "wrong_type", "temperature");
  expect_refused(R"({"model":"a","model":"b",)" + ok + "}", "bad_json", "model");
  expect_refused(R"({"model":"a","m\u006fdel":"b",)" + ok + "}", "bad_json", "model");
  expect_refused(R"({"model":"a","messages":[{"role":"user","content":"x","content":"y"}]})", "bad_json",
                 "messages[0].content");
  expect_refused("{\"model\":\"\xff\"," + ok + "}", "bad_json");
  expect_refused(R"({"model":"\ud800",)" + ok + "}", "bad_json");
  expect_refused(R"({"model":"a",)" + ok + "} x", "bad_json");
  expect_refused(R"({"model":"a",)" + ok + R"(,"seed":123456789012345678901234567890})", "bad_json");
  // Parts that nobody reads must be well-formed too.
  expect_refused(R"({"model":"a",)" + ok + R"(,"x":[1,2,{"y":tru}]})", "bad_json");
  expect_refused(R"({"model":"a",)" + ok + R"(,"x":[1,,2]})", "bad_json");
}

TEST(ChatRequest, NamesTheByteOfASyntaxError) {
  const auto request = parse_chat_request(R"({"model":"a",x})");
  ASSERT_FALSE(request);
  EXPECT_NE(request.error().message.find("at byte 13"), std::string::npos) << request.error().message;
}

TEST(ChatRequest, BoundsAreNamed) {
  const auto nested = [](int depth) {
    return R"({"model":"a","messages":[{"role":"user","content":"x"}],"deep":)" +
           std::string(static_cast<std::size_t>(depth), '[') + "0" +
           std::string(static_cast<std::size_t>(depth), ']') + "}";
  };
  parsed(nested(127));
  expect_refused(nested(128), "json_too_deep");
  expect_refused(nested(100'000), "json_too_deep");

  std::string many = R"({"model":"a","messages":[)";
  for (int i = 0; i < 5; ++i) many += R"({"role":"user","content":"x"},)";
  many.back() = ']';
  many += '}';
  ChatLimits limits;
  limits.messages_max = 4;
  const auto request = parse_chat_request(many, limits);
  ASSERT_FALSE(request);
  EXPECT_EQ(request.error().code, "too_many_messages");
}

TEST(ChatRequest, ManyKeysAndLargeBodies) {
  std::string body =
      R"({"model":"a","messages":[{"role":"user","content":")" + std::string(3'000'000, 'x') + R"("}])";
  for (int i = 0; i < 5000; ++i) body += ",\"k" + std::to_string(i) + "\":0";
  EXPECT_EQ(parsed(body + "}").last_user_text().size(), 3'000'000u);
  expect_refused(body + R"(,"k77":1})", "bad_json", "k77");
}

// --- rendering

std::string rendered(const ChatRequest& request, MessageEdits edits = {}) {
  RenderOptions options;
  options.stream = request.stream;
  options.edits = std::move(edits);
  return render_chat_request(request, options);
}

TEST(RenderChatRequest, WithoutEditsTheBytesAreTheClients) {
  EXPECT_EQ(rendered(parsed(kFull)), kFull);
}

TEST(RenderChatRequest, ChangesOnlyTheModel) {
  RenderOptions options;
  options.stream = true;
  options.model_id = "real/\"one\"";
  std::string expected = kFull;
  expected.replace(expected.find("\"auto\""), 6, R"("real/\"one\"")");
  EXPECT_EQ(render_chat_request(parsed(kFull), options), expected);
}

TEST(RenderChatRequest, EditsStringAndListContent) {
  const auto request = parsed(kFull);
  const auto edited = parsed(rendered(request, {"Guide \"1\"\n", "<<", ">>"}));
  EXPECT_EQ(edited.messages[0].text, "Guide \"1\"\nBe \"brief\".\n");
  EXPECT_EQ(edited.last_user_text(), "<<What is in\nthis é?>>");
  EXPECT_EQ(edited.previous_user_text(), "Hello");
  EXPECT_NE(edited.raw->find("cache_control"), std::string::npos);

  const auto plain = parsed(R"({"model":"a","messages":[{"content":"","role":"user"}]})");
  EXPECT_EQ(rendered(plain, {"S", "<", ">"}),
            R"({"model":"a","messages":[{"role":"system","content":"S"},{"content":"<>","role":"user"}]})");
  const auto developer = parsed(
      R"({"model":"a","messages":[{"role":"developer","content":[{"type":"text","text":"D"}]},{"role":"user","content":"u"}]})");
  EXPECT_EQ(parsed(rendered(developer, {"S ", "", ""})).messages[0].text, "S D");
}

TEST(RenderChatRequest, ListsWithoutTextGetAPart) {
  const std::string image = R"({"type":"image_url","image_url":{"url":"u"}})";
  const auto with_image =
      parsed(R"({"model":"a","messages":[{"role":"user","content":[ )" + image + R"( ]}]})");
  EXPECT_EQ(parsed(rendered(with_image, {"", "<", ">"})).last_user_text(), "<\n>");
  EXPECT_EQ(parsed(rendered(with_image, {"", "<", ""})).last_user_text(), "<");
  EXPECT_EQ(parsed(rendered(with_image, {"", "", ">"})).last_user_text(), ">");
  const auto empty = parsed(R"({"model":"a","messages":[{"role":"user","content":[ ]}]})");
  EXPECT_EQ(parsed(rendered(empty, {"", "<", ">"})).last_user_text(), "<>");
  EXPECT_EQ(parsed(rendered(empty, {"", "", ">"})).last_user_text(), ">");
}

TEST(RenderChatRequest, StreamUsageAndLogprobs) {
  const std::string messages = R"("messages":[{"role":"user","content":"x"}])";
  struct Case {
    const char* members;
    bool stream;
    const char* expected;
  };
  const Case cases[] = {
      {"", true, R"({"model":"a",M,"stream":true,"stream_options":{"include_usage":true},"logprobs":true})"},
      {R"(,"stream":false,"logprobs":false)", true,
       R"({"model":"a",M,"stream":true,"logprobs":true,"stream_options":{"include_usage":true}})"},
      {R"(,"stream":true,"stream_options":{})", true,
       R"({"model":"a",M,"stream":true,"stream_options":{"include_usage":true},"logprobs":true})"},
      {R"(,"stream":true,"stream_options":null)", true,
       R"({"model":"a",M,"stream":true,"stream_options":{"include_usage":true},"logprobs":true})"},
      {R"(,"stream":true,"stream_options":{"x":1})", true,
       R"({"model":"a",M,"stream":true,"stream_options":{"include_usage":true,"x":1},"logprobs":true})"},
      {R"(,"stream":true,"stream_options":{"include_usage":false,"x":1})", true,
       R"({"model":"a",M,"stream":true,"stream_options":{"include_usage":true,"x":1},"logprobs":true})"},
      {R"(,"stream":true,"stream_options" : {"include_usage":true}, "z":1)", false,
       R"({"model":"a",M,"stream":false, "z":1,"logprobs":true})"},
      {R"(,"logprobs":true,"top_logprobs":2)", false, R"({"model":"a",M,"logprobs":true,"top_logprobs":2})"},
  };
  for (const auto& each : cases) {
    RenderOptions options;
    options.stream = each.stream;
    options.add_usage = options.add_logprobs = true;
    std::string expected = each.expected;
    expected.replace(expected.find('M'), 1, messages);
    EXPECT_EQ(render_chat_request(parsed(R"({"model":"a",)" + messages + each.members + "}"), options),
              expected);
  }
  const auto first =
      parsed(R"({ "stream_options":{"include_usage":true}, "stream":true, "model":"a", )" + messages + "}");
  EXPECT_EQ(render_chat_request(first, {}), R"({  "stream":false, "model":"a", )" + messages + "}");
}

TEST(RenderPlainRequest, CarriesMetadataAndEscapes) {
  const auto client = parsed(kFull);
  RenderOptions options;
  options.model_id = "strong";
  EXPECT_EQ(
      render_plain_request({{"system", "a\"b"}, {"user", "c\xff"}}, options, 5, &client),
      "{\"model\":\"strong\",\"messages\":[{\"role\":\"system\",\"content\":\"a\\\"b\"},{\"role\":\"user\","
      "\"content\":\"c\xEF\xBF\xBD\"}],\"max_tokens\":5,\"metadata\":{\"record\":\"r-1\"}}");
}

// --- the hash

std::string hash_of(const std::string& body) {
  return parsed(body).hash;
}

TEST(RenderPlainRequest, AsksForAlternativesWithLogprobsOnly) {
  RenderOptions options;
  options.model_id = "m";
  options.top_logprobs = 20;
  EXPECT_EQ(render_plain_request({{"user", "q"}}, options, 1, nullptr).find("logprobs"), std::string::npos);
  options.add_logprobs = true;
  EXPECT_NE(
      render_plain_request({{"user", "q"}}, options, 1, nullptr).find(R"("logprobs":true,"top_logprobs":20)"),
      std::string::npos);
}

TEST(RequestHash, IgnoresSpellingAndKeepsMeaning) {
  const std::string base = R"({"model":"a","messages":[{"role":"user","content":"é x"}],"temperature":1})";
  for (
      const char* same :
      {R"({ "temperature":1.0,"messages":[ {"content":"\u00e9 x","role":"user"}],"model":"b","stream":true})",
       R"({"model":"a","messages":[{"role":"user","content":"é x"}],"temperature":1e0,"user":"u","store":true,
            "metadata":{"k":"v"},"service_tier":"flex","stream_options":null,"prompt_cache_key":"p"})"}) {
    EXPECT_EQ(hash_of(same), hash_of(base)) << same;
  }
  for (
      const char* other :
      {R"({"model":"a","messages":[{"role":"user","content":"é y"}],"temperature":1})",
       R"({"model":"a","messages":[{"role":"system","content":"é x"}],"temperature":1})",
       R"({"model":"a","messages":[{"role":"user","content":"é x"}],"temperature":1.1})",
       R"({"model":"a","messages":[{"role":"user","content":"é x"}],"temperature":1,"seed":1})",
       R"({"model":"a","messages":[{"role":"user","content":"é x"},{"role":"user","content":"é x"}],"temperature":1})"}) {
    EXPECT_NE(hash_of(other), hash_of(base)) << other;
  }
}

TEST(RequestHash, LaterGivesTheSame) {
  ChatLimits limits;
  limits.hash = HashWhen::kLater;
  auto later = parse_chat_request(kFull, limits);
  ASSERT_TRUE(later);
  EXPECT_TRUE(later->hash.empty() && later->system_hash.empty());
  add_request_hash(*later);
  const auto now = parsed(kFull);
  EXPECT_EQ(later->hash, now.hash);
  EXPECT_EQ(later->system_hash, now.system_hash);
  EXPECT_EQ(request_hash(now), now.hash);

  limits.depth_max = 1000;  // deeper than usual
  const std::string deep = R"({"model":"a","messages":[{"role":"user","content":"x"}],"d":)" +
                           std::string(500, '[') + "1" + std::string(500, ']') + "}";
  auto nested = parse_chat_request(deep, limits);
  ASSERT_TRUE(nested);
  add_request_hash(*nested);
  limits.hash = HashWhen::kNow;
  EXPECT_EQ(nested->hash, parse_chat_request(deep, limits)->hash);
}

// --- properties over random requests

class RandomJson {
 public:
  explicit RandomJson(std::uint64_t seed) : draws_(seed, 0) {}
  std::uint32_t pick(std::uint32_t count) { return draws_.choose("r", count); }

  std::string text() {
    static constexpr const char* kPieces[] = {"a", "}",    "\"", "\\", "\n",    "ä", "😀",
                                              "[", "\x01", "/",  " ",  "model", ","};
    std::string out;
    for (auto n = pick(8); n-- > 0;) out += kPieces[pick(std::size(kPieces))];
    return out;
  }
  json::value value(int depth) {
    switch (pick(depth > 0 ? 8 : 6)) {
      case 0:
        return nullptr;
      case 1:
        return pick(2) == 0;
      case 2:
        return static_cast<std::int64_t>(pick(1000)) - 500;
      case 3:
        return pick(1000) / 8.0;
      case 4:
      case 5:
        return json::value(text());
      case 6: {
        json::array out;
        for (auto n = pick(4); n-- > 0;) out.push_back(value(depth - 1));
        return out;
      }
      default: {
        json::object out;
        for (auto n = pick(4); n-- > 0;) out[text()] = value(depth - 1);
        return out;
      }
    }
  }
  json::object part() {
    if (pick(3) == 0) return {{"type", "image_url"}, {"image_url", value(2)}};
    json::object out{{"type", "text"}, {"text", text()}};
    if (pick(3) == 0) out["cache_control"] = value(1);
    return out;
  }
  json::object message() {
    static constexpr const char* kRoles[] = {"system", "developer", "user", "assistant", "tool"};
    json::object out{{"role", kRoles[pick(5)]}};
    if (pick(3) == 0) out["x" + text()] = value(2);
    if (pick(2) == 0) {
      out["content"] = text();
    } else {
      json::array parts;
      for (auto n = pick(4); n-- > 0;) parts.push_back(part());
      out["content"] = parts;
    }
    return out;
  }
  json::object request() {
    json::object out{{"model", "m" + text()}};
    json::array messages;
    for (auto n = 1 + pick(5); n-- > 0;) messages.push_back(message());
    out["messages"] = messages;
    if (pick(2) == 0) out["stream"] = pick(2) == 0;
    if (pick(3) == 0) out["stream_options"] = json::object{{"include_usage", pick(2) == 0}, {"z", value(1)}};
    if (pick(3) == 0) out["logprobs"] = pick(2) == 0;
    for (auto n = pick(4); n-- > 0;) out["x" + text()] = value(3);
    return out;
  }
  /// Writes the value with random white space, key order and string spelling.
  std::string print(const json::value& value) {
    if (const auto* object = value.if_object()) {
      std::vector<const json::key_value_pair*> members;
      for (const auto& member : *object) members.push_back(&member);
      for (std::size_t i = members.size(); i > 1; --i)
        std::swap(members[i - 1], members[pick(static_cast<std::uint32_t>(i))]);
      std::string out = "{" + space();
      for (std::size_t i = 0; i < members.size(); ++i) {
        out += (i ? "," + space() : "") + print(json::string(members[i]->key())) + space() + ":" + space() +
               print(members[i]->value()) + space();
      }
      return out + "}";
    }
    if (const auto* array = value.if_array()) {
      std::string out = "[" + space();
      for (std::size_t i = 0; i < array->size(); ++i)
        out += (i ? "," + space() : "") + print((*array)[i]) + space();
      return out + "]";
    }
    if (const auto* string = value.if_string()) {
      std::string out = "\"";
      for (const char c : *string) {
        char escaped[8];
        if (static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\' || (c > 0 && pick(6) == 0)) {
          std::snprintf(escaped, sizeof(escaped), pick(2) ? "\\u%04x" : "\\u%04X", c);
          out += escaped;
        } else {
          out += c;
        }
      }
      return out + "\"";
    }
    return json::serialize(value);
  }

 private:
  std::string space() {
    static constexpr const char* kSpaces[] = {"", "", "", " ", "\n", "\r\n\t"};
    return kSpaces[pick(std::size(kSpaces))];
  }
  Draws draws_;
};

TEST(RequestProperties, RandomRequestsStayThemselves) {
  RandomJson random(11);
  for (int round = 0; round < 1500; ++round) {
    const json::value value = random.request();
    const auto body = random.print(value);
    const auto request = parsed(body);
    // No edit: byte for byte.
    ASSERT_EQ(rendered(request), body);
    // Hash: neither white space nor key order nor escapes count.
    const auto other = parsed(random.print(value));
    ASSERT_EQ(request.hash, other.hash) << *request.raw << "\n" << *other.raw;
    // ... and any change of a message does.
    auto changed = value;
    auto& message = changed.as_object()["messages"].as_array()[0].as_object();
    message["content"] = json::value(std::string("changed ") + json::serialize(message["content"]));
    ASSERT_NE(parsed(random.print(changed)).hash, request.hash);

    // Edits: the result is valid JSON which differs from the original only where asked.
    RenderOptions options;
    options.model_id = random.text();
    options.stream = random.pick(2) == 0;
    options.add_usage = random.pick(2) == 0;
    options.add_logprobs = random.pick(2) == 0;
    options.edits = {random.text(), random.text(), random.text()};
    const auto edited_bytes = render_chat_request(request, options);
    const auto edited = parsed(edited_bytes);
    ASSERT_EQ(edited.model, options.model_id.empty() ? request.model : options.model_id);
    ASSERT_EQ(edited.stream, options.stream);
    ASSERT_TRUE(edited.include_usage || !options.stream || !options.add_usage);
    ASSERT_TRUE(edited.wants_logprobs || !options.add_logprobs);
    const auto first_user = request.last_user_text();
    ASSERT_NE(edited.last_user_text().find(first_user), std::string_view::npos);
    const auto has_user = [&] {
      for (const auto& m : request.messages) {
        if (m.role == "user") return true;
      }
      return false;
    }();
    if (has_user) {
      ASSERT_TRUE(edited.last_user_text().starts_with(options.edits.last_user_prefix)) << edited_bytes;
      ASSERT_TRUE(edited.last_user_text().ends_with(options.edits.last_user_suffix)) << edited_bytes;
    }
    if (!options.edits.system_prefix.empty()) {
      ASSERT_TRUE(edited.system_text().starts_with(options.edits.system_prefix)) << edited_bytes;
    }
    auto before = json::parse(body).as_object(), after = json::parse(edited_bytes).as_object();
    for (const char* key : {"model", "messages", "stream", "stream_options", "logprobs"}) {
      before.erase(key);
      after.erase(key);
    }
    ASSERT_EQ(before, after);
  }
}

TEST(RequestProperties, DamagedBytesNeverCrashAndNeverChangeSilently) {
  RandomJson random(12);
  int accepted = 0, refused = 0;
  for (int round = 0; round < 3000; ++round) {
    auto body = random.print(random.request());
    for (auto n = 1 + random.pick(3); n-- > 0;) {
      const auto at = random.pick(static_cast<std::uint32_t>(body.size()));
      if (random.pick(2) == 0) {
        body[at] = static_cast<char>(random.pick(256));
      } else {
        body.erase(at, 1 + random.pick(3));
      }
    }
    const auto request = parse_chat_request(body);
    if (!request) {
      ++refused;
      ASSERT_FALSE(request.error().code.empty());
      continue;
    }
    ++accepted;
    ASSERT_EQ(rendered(*request), body);
  }
  EXPECT_GT(accepted, 100);
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace brevet::wire
