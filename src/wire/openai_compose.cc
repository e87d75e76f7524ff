// Answers in the OpenAI shape made by us: whole, and as chunks.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "wire/openai_chat.h"
#include "wire/openai_fields.h"

namespace brevet::wire {
namespace {

namespace dom = simdjson::dom;

constexpr int kLogprobEntriesMax = 1000;
/// Pieces of a held answer: it is all there already, so few and large ones.
constexpr std::size_t kHeldPieceBytes = 256;

void append_number(std::string& out, double value) {
  char text[32];
  out.append(text, std::to_chars(text, text + sizeof(text), value).ptr);
}

/// One entry per token would need the tokens; mean and minimum need at most: one at the minimum and k - 1
/// equal ones that bring the mean back, with the smallest k that keeps them at or under 0.
std::string logprobs_json(const Answer& answer) {
  if (!answer.mean_logprob) return "null";
  const double mean = std::min(*answer.mean_logprob, 0.0);
  const double min = answer.min_logprob ? std::min(*answer.min_logprob, mean) : mean;
  int entries = 1;
  if (min < mean) {
    entries = mean < 0 ? static_cast<int>(std::min<double>(std::ceil(min / mean), kLogprobEntriesMax))
                       : kLogprobEntriesMax;
    entries = std::max(entries, 2);
  }
  const double rest = entries == 1 ? mean : std::min((entries * mean - min) / (entries - 1), 0.0);
  std::string out = R"({"content":[)";
  for (int i = 0; i < entries; ++i) {
    out += i == 0 ? R"({"token":)" : R"(,{"token":)";
    append_json_string(out, i == 0 ? std::string_view(answer.text) : std::string_view());
    out += R"(,"logprob":)";
    append_number(out, i == 0 ? min : rest);
    out += R"(,"bytes":null,"top_logprobs":[)";
    for (std::size_t k = 0; i == 0 && k < answer.first_token.size(); ++k) {
      out += k == 0 ? R"({"token":)" : R"(,{"token":)";
      append_json_string(out, answer.first_token[k].token);
      out += R"(,"logprob":)";
      append_number(out, std::min(answer.first_token[k].logprob, 0.0));
      out += R"(,"bytes":null})";
    }
    out += "]}";
  }
  out += R"(],"refusal":null})";
  return out;
}

std::string usage_json(const Usage& usage) {
  std::string out = "{";
  const auto add = [&out](const char* key, const std::optional<std::int64_t>& value) {
    if (!value) return;
    if (out.back() != '{') out += ',';
    out.append("\"").append(key).append("\":").append(std::to_string(*value));
  };
  add("prompt_tokens", usage.input_tokens);
  add("completion_tokens", usage.output_tokens);
  if (usage.input_tokens && usage.output_tokens)
    add("total_tokens", *usage.input_tokens + *usage.output_tokens);
  if (usage.cached_input_tokens || usage.cache_creation_tokens) {
    out += out.back() == '{' ? R"("prompt_tokens_details":{)" : R"(,"prompt_tokens_details":{)";
    add("cached_tokens", usage.cached_input_tokens);
    add("cache_creation_tokens", usage.cache_creation_tokens);
    out += '}';
  }
  if (usage.reasoning_tokens) {
    out += out.back() == '{' ? R"("completion_tokens_details":{)" : R"(,"completion_tokens_details":{)";
    add("reasoning_tokens", usage.reasoning_tokens);
    out += '}';
  }
  return out + '}';
}

/// {"id":...,"type":"function","function":{...}} without the opening brace.
std::string call_json(const ToolCall& call, std::string_view id, std::size_t number) {
  std::string out = R"("id":)";
  append_json_string(out,
                     call.id.empty() ? "call_" + std::string(id) + "_" + std::to_string(number) : call.id);
  out += R"(,"type":"function","function":{"name":)";
  append_json_string(out, call.name);
  out += R"(,"arguments":)";
  append_json_string(out, call.arguments);
  out += "}}";
  return out;
}

std::string finish_json(const std::string& finish_reason) {
  return finish_reason.empty() ? "null" : json_string(finish_reason);
}

std::string envelope(std::string_view id, std::string_view object, std::string_view model,
                     std::int64_t created_s) {
  std::string out = R"({"id":)";
  append_json_string(out, id);
  out.append(R"(,"object":")").append(object).append(R"(","created":)").append(std::to_string(created_s));
  out += R"(,"model":)";
  append_json_string(out, model);
  return out;
}

/// `head` + one choice.
std::string chunk(std::string_view head, std::int64_t index, std::string_view delta, std::string_view finish,
                  std::string_view logprobs = {}) {
  std::string out(head);
  out += R"(,"choices":[{"index":)" + std::to_string(index);
  out.append(R"(,"delta":)").append(delta);
  if (!logprobs.empty()) out.append(R"(,"logprobs":)").append(logprobs);
  out.append(R"(,"finish_reason":)").append(finish).append("}]}");
  return out;
}

void add_content(std::vector<std::string>& out, std::string_view head, std::int64_t index,
                 std::string_view text, std::size_t piece_bytes) {
  for (const auto piece : utf8_pieces(text, piece_bytes)) {
    std::string delta = R"({"content":)";
    append_json_string(delta, piece);
    out.push_back(chunk(head, index, delta += '}', "null"));
  }
}

std::string_view slice(const std::string& text, Span span) {
  return std::string_view(text).substr(span.begin, span.end - span.begin);
}

/// Turns one choice of a whole body into chunks.
void choice_chunks(const std::string& body, JsonCursor& cursor, dom::object choice, std::int64_t index,
                   std::string_view head, std::vector<std::string>& out) {
  std::string first = R"({"role":"assistant")", finish = "null", logprobs;
  std::string_view text, other_content;
  std::vector<std::string> call_deltas;
  walk_object(cursor, choice, [&](std::string_view key, dom::element value, Span) {
    dom::object message;
    if (key == "message" && !value.get(message)) {
      walk_object(cursor, message, [&](std::string_view name, dom::element member, Span name_span) {
        dom::array list;
        if (name == "tool_calls" && !member.get(list)) {
          walk_array(cursor, list, [&](dom::element call) {
            const auto raw = slice(body, cursor.value());
            dom::object fields;
            std::string delta = R"({"tool_calls":[)";
            if (!call.get(fields) && fields.at_key("index").error()) {
              delta += R"({"index":)" + std::to_string(call_deltas.size());
              delta.append(fields.size() == 0 ? "" : ",").append(raw.substr(1));
            } else {
              delta.append(raw);
            }
            call_deltas.push_back(delta += "]}");
          });
          return;
        }
        const auto raw = slice(body, cursor.value());
        if (name == "role") return;
        if (name == "content") {
          if (member.get(text) && !member.is_null()) other_content = raw;
          first += member.is_null() ? R"(,"content":null)" : R"(,"content":"")";
          return;
        }
        first.append(",").append(slice(body, name_span)).append(":").append(raw);
      });
      return;
    }
    const auto raw = slice(body, cursor.value());
    if (key == "finish_reason") finish.assign(raw);
    if (key == "logprobs" && !value.is_null()) logprobs.assign(raw);
  });
  out.push_back(chunk(head, index, first += '}', "null"));
  add_content(out, head, index, text, kHeldPieceBytes);
  if (!other_content.empty()) {
    out.push_back(chunk(head, index, R"({"content":)" + std::string(other_content) + "}", "null"));
  }
  for (const auto& delta : call_deltas) out.push_back(chunk(head, index, delta, "null"));
  out.push_back(chunk(head, index, "{}", finish, logprobs));
}

}  // namespace

std::string completion_json(const Answer& answer, std::string_view id, std::string_view model,
                            std::int64_t created_s) {
  std::string out = envelope(id, "chat.completion", model, created_s);
  out += R"(,"choices":[{"index":0,"message":{"role":"assistant","content":)";
  if (answer.text.empty() && !answer.tool_calls.empty()) {
    out += "null";
  } else {
    append_json_string(out, answer.text);
  }
  for (std::size_t i = 0; i < answer.tool_calls.size(); ++i) {
    out += i == 0 ? R"(,"tool_calls":[{)" : ",{";
    out += call_json(answer.tool_calls[i], id, i);
  }
  if (!answer.tool_calls.empty()) out += ']';
  out += R"(},"logprobs":)" + logprobs_json(answer);
  out += R"(,"finish_reason":)" + finish_json(answer.finish_reason);
  out += R"(}],"usage":)" + usage_json(answer.usage) + '}';
  return out;
}

std::vector<std::string> completion_chunks(const Answer& answer, std::string_view id, std::string_view model,
                                           std::int64_t created_s, bool include_usage,
                                           std::size_t piece_bytes) {
  const std::string head = envelope(id, "chat.completion.chunk", model, created_s);
  std::vector<std::string> out;
  out.push_back(chunk(head, 0, R"({"role":"assistant","content":""})", "null"));
  add_content(out, head, 0, answer.text, piece_bytes);
  for (std::size_t i = 0; i < answer.tool_calls.size(); ++i) {
    out.push_back(chunk(head, 0,
                        R"({"tool_calls":[{"index":)" + std::to_string(i) + ',' +
                            call_json(answer.tool_calls[i], id, i) + "]}",
                        "null"));
  }
  out.push_back(chunk(head, 0, "{}", finish_json(answer.finish_reason),
                      answer.mean_logprob ? logprobs_json(answer) : std::string()));
  if (include_usage) out.push_back(head + R"(,"choices":[],"usage":)" + usage_json(answer.usage) + '}');
  return out;
}

std::vector<std::string> body_to_chunks(const Answer& answer, bool include_usage) {
  std::string body = answer.body;
  JsonDocument document;
  const auto element = document.read(body);
  dom::object root;
  if (!element || element->get(root) || !array_member(root, "choices")) {
    return completion_chunks(answer, "chatcmpl-held", answer.returned_model, 0, include_usage,
                             kHeldPieceBytes);
  }
  // Every field of the body but these belongs to the head of each chunk.
  std::string head = R"({"object":"chat.completion.chunk")";
  std::size_t choices_at = 0;
  std::string usage = "null";
  JsonCursor cursor(body);
  walk_object(cursor, root, [&](std::string_view key, dom::element, Span key_span) {
    const Span at = cursor.value();
    if (key == "object") return;
    if (key == "choices") {
      choices_at = at.begin;
    } else if (key == "usage") {
      usage.assign(slice(body, at));
    } else {
      head.append(",").append(slice(body, key_span)).append(":").append(slice(body, at));
    }
  });
  std::vector<std::string> out;
  JsonCursor inside(body, choices_at);
  std::int64_t position = 0;
  walk_array(inside, *array_member(root, "choices"), [&](dom::element value) {
    dom::object choice;
    if (value.get(choice)) {
      inside.value();
      return;
    }
    choice_chunks(body, inside, choice, count_member(choice, "index").value_or(position++), head, out);
  });
  if (include_usage) out.push_back(head + R"(,"choices":[],"usage":)" + usage + '}');
  return out;
}

}  // namespace brevet::wire
