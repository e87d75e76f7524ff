#include "wire/openai_fields.h"

#include <algorithm>

namespace brevet::wire {

namespace dom = simdjson::dom;

Usage read_usage(dom::object usage) {
  Usage out;
  out.input_tokens = count_member(usage, "prompt_tokens");
  out.output_tokens = count_member(usage, "completion_tokens");
  if (const auto details = object_member(usage, "prompt_tokens_details")) {
    out.cached_input_tokens = count_member(*details, "cached_tokens");
    out.cache_creation_tokens = count_member(*details, "cache_creation_tokens");
  }
  if (const auto details = object_member(usage, "completion_tokens_details")) {
    out.reasoning_tokens = count_member(*details, "reasoning_tokens");
  }
  if (!out.cached_input_tokens) out.cached_input_tokens = count_member(usage, "prompt_cache_hit_tokens");
  if (!out.cached_input_tokens) out.cached_input_tokens = count_member(usage, "cache_read_input_tokens");
  if (!out.cache_creation_tokens)
    out.cache_creation_tokens = count_member(usage, "cache_creation_input_tokens");
  return out;
}

std::string content_text(dom::element content) {
  std::string_view text;
  if (!content.get(text)) return std::string(text);
  std::string out;
  dom::array parts;
  if (content.get(parts)) return out;
  for (const auto part : parts) {
    dom::object object;
    if (part.get(object) || string_member(object, "type") != "text") continue;
    if (const auto piece = string_member(object, "text")) out.append(*piece);
  }
  return out;
}

std::string text_or_json(dom::element value) {
  std::string_view text;
  if (!value.get(text)) return std::string(text);
  return value.is_null() ? std::string() : simdjson::minify(value);
}

bool has_value(dom::object object, std::string_view key) {
  dom::element value;
  return !object.at_key(key).get(value) && !value.is_null();
}

void LogprobStats::add(dom::object choice) {
  const auto logprobs = object_member(choice, "logprobs");
  const auto tokens = logprobs ? array_member(*logprobs, "content") : std::nullopt;
  if (!tokens) return;
  for (const auto token : *tokens) {
    dom::object object;
    double value = 0;
    if (token.get(object) || object.at_key("logprob").get(value)) continue;
    value = std::min(value, 0.0);
    min = count == 0 ? value : std::min(min, value);
    sum += value;
    ++count;
  }
}

std::vector<TokenAlternative> first_token_alternatives(dom::object choice) {
  std::vector<TokenAlternative> out;
  const auto logprobs = object_member(choice, "logprobs");
  const auto tokens = logprobs ? array_member(*logprobs, "content") : std::nullopt;
  dom::object first;
  if (!tokens || tokens->size() == 0 || tokens->at(0).get(first)) return out;
  const auto listed = array_member(first, "top_logprobs");
  if (!listed || listed->size() == 0) return out;
  const auto add = [&](dom::object entry) {
    const auto token = string_member(entry, "token");
    double value = 0;
    if (!token || entry.at_key("logprob").get(value) || out.size() >= kAlternativesMax) return;
    for (const auto& known : out) {
      if (known.token == *token) return;
    }
    out.push_back({std::string(*token), std::min(value, 0.0)});
  };
  for (const auto entry : *listed) {
    dom::object object;
    if (!entry.get(object)) add(object);
  }
  add(first);  // some servers list only the others
  return out;
}

ErrorFields read_error(dom::element error) {
  ErrorFields out;
  dom::object object;
  if (error.get(object)) {
    out.message = text_or_json(error);
    return out;
  }
  const auto field = [&](std::string_view key) {
    dom::element value;
    return object.at_key(key).get(value) ? std::string() : text_or_json(value);
  };
  out.code = field("code");
  out.type = field("type");
  out.message = field("message");
  return out;
}

std::vector<std::string_view> utf8_pieces(std::string_view text, std::size_t bytes) {
  bytes = std::max<std::size_t>(bytes, 1);
  std::vector<std::string_view> out;
  while (!text.empty()) {
    auto end = std::min(bytes, text.size());
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) ++end;
    out.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return out;
}

}  // namespace brevet::wire
