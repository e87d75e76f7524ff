// The request as it goes upstream: the client's bytes with a few spans replaced, or a prompt of our own.
#include <algorithm>
#include <charconv>

#include "wire/json_text.h"
#include "wire/openai_chat.h"

namespace brevet::wire {
namespace {

bool is_system(const ChatMessage& message) {
  return message.role == "system" || message.role == "developer";
}

std::string number_text(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof(text), value).ptr};
}

enum class Where { kBefore, kAfter };

/// Puts text before or after the text of a message.
void edit_text(const ChatRequest& request, const ChatMessage& message, Where where, std::string_view text,
               std::vector<ByteEdit>& edits) {
  if (text.empty()) return;
  const bool before = where == Where::kBefore;
  Span string = message.content;
  if (string.empty()) string = before ? message.first_text : message.last_text;
  std::string bytes;
  std::size_t at = 0;
  if (!string.empty()) {
    append_json_escaped(bytes, text);
    at = before ? string.begin + 1 : string.end - 1;
  } else if (!message.parts.empty()) {
    // A list without text: a part of its own, with the comma that the place needs.
    const std::string_view raw = *request.raw;
    const auto first = raw.find_first_not_of(" \n\r\t", message.parts.begin + 1);
    const bool bare = first == message.parts.end - 1;
    if (!before && !bare) bytes += ',';
    bytes += R"({"type":"text","text":)";
    append_json_string(bytes, text);
    bytes += before && !bare ? "}," : "}";
    at = before ? message.parts.begin + 1 : message.parts.end - 1;
  } else {
    return;
  }
  edits.push_back({{at, at}, std::move(bytes)});
}

void edit_messages(const ChatRequest& request, const MessageEdits& wanted, std::vector<ByteEdit>& edits) {
  if (!wanted.system_prefix.empty()) {
    const auto system = std::find_if(request.messages.begin(), request.messages.end(), is_system);
    if (system != request.messages.end()) {
      edit_text(request, *system, Where::kBefore, wanted.system_prefix, edits);
    } else {
      std::string bytes = R"({"role":"system","content":)";
      append_json_string(bytes, wanted.system_prefix);
      bytes += "},";  // messages is never empty
      const auto at = request.messages_value.begin + 1;
      edits.push_back({{at, at}, std::move(bytes)});
    }
  }
  const auto user = std::find_if(request.messages.rbegin(), request.messages.rend(),
                                 [](const ChatMessage& message) { return message.role == "user"; });
  if (user == request.messages.rend()) return;
  if (user->content.empty() && user->first_text.empty() && !user->parts.empty()) {
    // Both would need a part and a comma of their own in the same list: one after the other needs care when
    // the list is empty.
    const std::string_view raw = *request.raw;
    const bool bare = raw.find_first_not_of(" \n\r\t", user->parts.begin + 1) == user->parts.end - 1;
    if (bare) {
      edit_text(request, *user, Where::kBefore, wanted.last_user_prefix + wanted.last_user_suffix, edits);
      return;
    }
  }
  edit_text(request, *user, Where::kBefore, wanted.last_user_prefix, edits);
  edit_text(request, *user, Where::kAfter, wanted.last_user_suffix, edits);
}

}  // namespace

std::optional<std::string> edited_chat_request(const ChatRequest& request, const RenderOptions& options) {
  const std::string_view raw = *request.raw;
  std::vector<ByteEdit> edits;
  std::string added;  // members at the end of the object
  const auto set = [&](Span value, std::string_view key, std::string_view bytes) {
    if (value.empty()) {
      added.append(",\"").append(key).append("\":").append(bytes);
    } else {
      edits.push_back({value, std::string(bytes)});
    }
  };

  if (!options.model_id.empty() && options.model_id != request.model) {
    edits.push_back({request.model_value, json_string(options.model_id)});
  }
  if (options.stream != request.stream)
    set(request.stream_value, "stream", options.stream ? "true" : "false");
  if (!options.stream) {
    if (request.stream && !request.stream_options_member.empty()) {
      edits.push_back(remove_member(raw, request.stream_options_member));
    }
  } else if (options.add_usage && !request.include_usage) {
    const Span value = request.stream_options_value;
    if (!request.include_usage_value.empty()) {
      edits.push_back({request.include_usage_value, "true"});
    } else if (value.empty() || raw[value.begin] != '{') {
      set(value, "stream_options", R"({"include_usage":true})");
    } else {
      const bool bare = raw[raw.find_first_not_of(" \n\r\t", value.begin + 1)] == '}';
      edits.push_back({{value.begin + 1, value.begin + 1},
                       bare ? R"("include_usage":true)" : R"("include_usage":true,)"});
    }
  }
  if (options.add_logprobs && !request.wants_logprobs) set(request.logprobs_value, "logprobs", "true");
  if (options.temperature) set(request.temperature_value, "temperature", number_text(*options.temperature));
  if (options.seed) set(request.seed_value, "seed", std::to_string(*options.seed));
  if (options.more_tokens > 0 && request.max_tokens) {
    set(request.max_tokens_value, "", std::to_string(*request.max_tokens + options.more_tokens));
  }
  if (!options.edits.empty()) edit_messages(request, options.edits, edits);
  if (!added.empty()) edits.push_back({{request.object_end, request.object_end}, std::move(added)});
  if (edits.empty()) return std::nullopt;
  return apply_edits(raw, std::move(edits));
}

std::string render_chat_request(const ChatRequest& request, const RenderOptions& options) {
  auto edited = edited_chat_request(request, options);
  return edited ? *std::move(edited) : *request.raw;
}

std::string render_plain_request(const std::vector<PlainMessage>& messages, const RenderOptions& options,
                                 std::optional<int> max_tokens, const ChatRequest* metadata_from) {
  std::string out = R"({"model":)";
  append_json_string(out, options.model_id);
  out += R"(,"messages":[)";
  for (std::size_t i = 0; i < messages.size(); ++i) {
    out += i == 0 ? R"({"role":)" : R"(,{"role":)";
    append_json_string(out, messages[i].role);
    out += R"(,"content":)";
    append_json_string(out, messages[i].text);
    out += '}';
  }
  out += ']';
  if (max_tokens) out += ",\"max_tokens\":" + std::to_string(*max_tokens);
  if (options.temperature) out += ",\"temperature\":" + number_text(*options.temperature);
  if (options.seed) out += ",\"seed\":" + std::to_string(*options.seed);
  if (options.stream) out += R"(,"stream":true)";
  if (options.stream && options.add_usage) out += R"(,"stream_options":{"include_usage":true})";
  if (options.add_logprobs) out += R"(,"logprobs":true)";
  if (options.add_logprobs && options.top_logprobs > 0)
    out += ",\"top_logprobs\":" + std::to_string(options.top_logprobs);
  if (metadata_from && !metadata_from->metadata_value.empty()) {
    const auto at = metadata_from->metadata_value;
    out += R"(,"metadata":)";
    out.append(*metadata_from->raw, at.begin, at.end - at.begin);
  }
  out += '}';
  return out;
}

}  // namespace brevet::wire
