// Reading a chat request, and the hash by which two requests are the same.
#include <algorithm>
#include <array>
#include <cmath>

#include "base/random.h"
#include "wire/json_text.h"
#include "wire/openai_chat.h"

namespace brevet::wire {
namespace {

namespace dom = simdjson::dom;

tl::unexpected<Error> wrong_type(std::string param, std::string_view wanted) {
  std::string message = "`" + param + "` must be " + std::string(wanted) + ".";
  return fail(ErrorKind::kCallerInvalid, "wrong_type", std::move(message), std::move(param));
}

/// One pass over the body: the DOM gives values, the cursor their places.
class RequestReader {
 public:
  RequestReader(const std::string& raw, const ChatLimits& limits) : limits_(limits), cursor_(raw) {}

  Result<ChatRequest> read(dom::element root) {
    dom::object body;
    if (root.get(body)) {
      return fail(ErrorKind::kCallerInvalid, "wrong_type", "The request body must be a JSON object.");
    }
    check_duplicates(body, "");
    walk_object(cursor_, body, [&](std::string_view key, dom::element value, Span key_span) {
      if (error_) {
        cursor_.value();
      } else {
        field(key, value, key_span);
      }
    });
    request_.object_end = cursor_.at() - 1;
    if (!error_ && request_.model_value.empty()) missing("model", "the name of a route or a model");
    if (!error_ && request_.messages_value.empty()) missing("messages", "a list of messages");
    if (error_) return tl::unexpected(std::move(*error_));
    return std::move(request_);
  }

 private:
  void set_error(tl::unexpected<Error> error) {
    if (!error_) error_ = std::move(error.value());
  }
  void missing(std::string param, std::string_view what) {
    std::string message = "`" + param + "` is missing: it must be " + std::string(what) + ".";
    set_error(fail(ErrorKind::kCallerInvalid, "missing_field", std::move(message), std::move(param)));
  }
  void bad_value(std::string param, std::string_view rule) {
    std::string message = "`" + param + "` " + std::string(rule) + ".";
    set_error(fail(ErrorKind::kCallerInvalid, "bad_value", std::move(message), std::move(param)));
  }
  void check_duplicates(dom::object object, std::string_view where) {
    const auto key = duplicate_key(object);
    if (!key) return;
    std::string param(where);
    if (!param.empty()) param += '.';
    param.append(key->substr(0, 200));
    set_error(fail(ErrorKind::kCallerInvalid, "bad_json",
                   "The request body has the key `" + param + "` twice; send it once.", param));
  }

  void field(std::string_view key, dom::element value, Span key_span) {
    if (key == "messages") return messages(value);
    if (key == "stream_options") return stream_options(value, key_span);
    const Span at = cursor_.value();
    if (key == "model") {
      std::string_view name;
      if (value.get(name)) return set_error(wrong_type("model", "a string"));
      if (name.empty()) return bad_value("model", "must name a route or a model");
      request_.model.assign(name);
      request_.model_value = at;
    } else if (key == "stream") {
      request_.stream = flag(key, value);
      request_.stream_value = at;
    } else if (key == "logprobs") {
      request_.wants_logprobs = flag(key, value);
      request_.logprobs_value = at;
    } else if (key == "n") {
      if (value.is_null()) return;
      std::int64_t n = 0;
      if (value.get(n)) return set_error(wrong_type("n", "a whole number"));
      if (n < 1 || n > 128) return bad_value("n", "must be between 1 and 128");
      request_.n = static_cast<int>(n);
    } else if (key == "max_tokens" || key == "max_completion_tokens") {
      if (value.is_null()) return;
      std::int64_t tokens = 0;
      if (value.get(tokens)) return set_error(wrong_type(std::string(key), "a whole number"));
      // Some servers read zero or less as "no limit": that is theirs to judge, and no limit to us.
      if (tokens > 0 && (key == "max_completion_tokens" || !request_.max_tokens)) {
        request_.max_tokens = tokens;
        request_.max_tokens_value = at;
      }
    } else if (key == "seed") {
      request_.seed_value = at;
      std::int64_t seed = 0;
      // Whether a seed is one is the provider's to judge: we only set our own.
      if (!value.get(seed)) request_.seed = seed;
    } else if (key == "temperature") {
      request_.temperature_value = at;
      if (value.is_null()) return;
      double temperature = 0;
      if (value.get(temperature)) return set_error(wrong_type("temperature", "a number"));
      request_.temperature = temperature;
    } else if (key == "tools" || key == "functions") {
      if (value.is_null()) return;
      dom::array tools;
      if (value.get(tools)) return set_error(wrong_type(std::string(key), "a list"));
      if (tools.begin() != tools.end()) request_.has_tools = true;
    } else if (key == "response_format") {
      if (value.is_null()) return;
      dom::object format;
      if (value.get(format)) return set_error(wrong_type("response_format", "an object"));
      request_.has_response_format = string_member(format, "type") != "text";
    } else if (key == "metadata") {
      if (value.is_null()) return;
      if (!value.is_object()) return set_error(wrong_type("metadata", "an object"));
      request_.metadata_value = at;
      request_.local_only = local_only(value);
    }
  }

  /// metadata.brevet_local_only. Values of metadata are strings for some clients. What cannot be read is
  /// refused: a request that was meant to stay here must not leave because of a spelling.
  bool local_only(dom::element metadata) {
    dom::object object;
    dom::element value;
    if (metadata.get(object) || object.at_key("brevet_local_only").get(value) || value.is_null())
      return false;
    check_duplicates(object, "metadata");
    bool on = false;
    if (!value.get(on)) return on;
    std::string_view word;
    if (!value.get(word)) {
      if (word == "true" || word == "on") return true;
      if (word == "false" || word == "off") return false;
    }
    bad_value("metadata.brevet_local_only", "must be true or false");
    return false;
  }

  bool flag(std::string_view key, dom::element value) {
    bool on = false;
    if (!value.is_null() && value.get(on)) set_error(wrong_type(std::string(key), "true or false"));
    return on;
  }

  void stream_options(dom::element value, Span key_span) {
    dom::object options;
    if (value.get(options)) {
      request_.stream_options_value = cursor_.value();
      if (!value.is_null()) set_error(wrong_type("stream_options", "an object"));
    } else {
      check_duplicates(options, "stream_options");
      JsonCursor inside = cursor_;
      request_.stream_options_value = cursor_.value();
      walk_object(inside, options, [&](std::string_view key, dom::element member, Span) {
        const Span at = inside.value();
        if (key != "include_usage") return;
        bool on = false;
        if (!member.is_null() && member.get(on)) {
          set_error(wrong_type("stream_options.include_usage", "true or false"));
        }
        request_.include_usage = on;
        request_.include_usage_value = at;
      });
    }
    request_.stream_options_member = {key_span.begin, request_.stream_options_value.end};
  }

  void messages(dom::element value) {
    dom::array list;
    if (value.get(list)) {
      cursor_.value();
      return set_error(wrong_type("messages", "a list of messages"));
    }
    if (list.begin() == list.end()) bad_value("messages", "must hold at least one message");
    if (list.size() > limits_.messages_max) {
      set_error(fail(ErrorKind::kCallerInvalid, "too_many_messages",
                     "The request holds " + std::to_string(list.size()) + " messages; at most " +
                         std::to_string(limits_.messages_max) + " are accepted.",
                     "messages"));
    }
    if (error_) {
      cursor_.value();
      return;
    }
    request_.messages.reserve(list.size());
    // enter() skips white space first, so the begin of the array is known only afterwards.
    JsonCursor start = cursor_;
    const auto begin = start.enter();
    walk_array(cursor_, list, [&](dom::element element) { message(element); });
    request_.messages_value = {begin, cursor_.at()};
  }

  void message(dom::element element) {
    dom::object object;
    const auto number = request_.messages.size();
    const auto name = [number](std::string_view field) {
      std::string out = "messages[" + std::to_string(number) + "]";
      return field.empty() ? out : out.append(1, '.').append(field);
    };
    auto& out = request_.messages.emplace_back();
    if (error_ || element.get(object)) {
      cursor_.value();
      return set_error(wrong_type(name(""), "an object"));
    }
    if (const auto twice = duplicate_key(object)) check_duplicates(object, name(""));
    bool has_role = false, has_content = false;
    JsonCursor start = cursor_;
    out.value.begin = start.enter();
    walk_object(cursor_, object, [&](std::string_view key, dom::element value, Span) {
      if (key == "content") {
        has_content = !value.is_null();
        content(value, out, name);
        return;
      }
      cursor_.value();
      if (key == "role") {
        std::string_view role;
        if (value.get(role)) return set_error(wrong_type(name("role"), "a string"));
        has_role = true;
        out.role.assign(role);
      } else if (key == "tool_calls" || key == "function_call" || key == "audio") {
        dom::array calls;
        if (!value.is_null() && (value.get(calls) || calls.begin() != calls.end())) out.text_only = false;
      }
    });
    out.value.end = cursor_.at();
    if (!has_role) missing(name("role"), "system, developer, user, assistant or tool");
    if (!has_content && (out.role == "user" || out.role == "system" || out.role == "developer")) {
      missing(name("content"), "a string or a list of content parts");
    }
  }

  template <class Name>
  void content(dom::element value, ChatMessage& out, const Name& name) {
    std::string_view text;
    if (!value.get(text)) {
      out.text.assign(text);
      out.content = cursor_.value();
      return;
    }
    dom::array parts;
    if (value.get(parts)) {
      cursor_.value();
      if (!value.is_null()) set_error(wrong_type(name("content"), "a string or a list of content parts"));
      return;
    }
    JsonCursor start = cursor_;
    const auto begin = start.enter();
    std::size_t number = 0;
    walk_array(cursor_, parts, [&](dom::element part) {
      const auto part_name = [&](std::string_view field) {
        auto path = name("content") + "[" + std::to_string(number) + "]";
        return field.empty() ? path : path.append(1, '.').append(field);
      };
      content_part(part, out, part_name);
      ++number;
    });
    out.parts = {begin, cursor_.at()};
  }

  template <class Name>
  void content_part(dom::element part, ChatMessage& out, const Name& name) {
    dom::object object;
    if (part.get(object)) {
      cursor_.value();
      return set_error(wrong_type(name(""), "an object"));
    }
    if (duplicate_key(object)) check_duplicates(object, name(""));
    std::optional<std::string_view> type, text;
    Span text_at;
    walk_object(cursor_, object, [&](std::string_view key, dom::element value, Span) {
      const Span at = cursor_.value();
      std::string_view string;
      if (key == "type") {
        if (value.get(string)) return set_error(wrong_type(name("type"), "a string"));
        type = string;
      } else if (key == "text" && !value.get(string)) {
        text = string;
        text_at = at;
      }
    });
    if (!type) return missing(name("type"), "a string such as \"text\"");
    if (*type != "text") {
      out.text_only = false;
      request_.has_images = true;
      return;
    }
    if (!text) return missing(name("text"), "a string");
    if (out.first_text.empty()) {
      out.first_text = text_at;
    } else {
      out.text += '\n';
    }
    out.text.append(*text);
    out.last_text = text_at;
  }

  const ChatLimits& limits_;
  JsonCursor cursor_;
  ChatRequest request_;
  std::optional<Error> error_;
};

constexpr std::array<std::string_view, 9> kNotAsked = {
    "model",    "stream", "stream_options", "user", "safety_identifier", "prompt_cache_key",
    "metadata", "store",  "service_tier"};

std::string canonical_body(dom::element root, std::size_t size) {
  std::vector<dom::key_value_pair> members;
  for (const auto field : dom::object(root)) {
    if (std::find(kNotAsked.begin(), kNotAsked.end(), field.key) == kNotAsked.end()) members.push_back(field);
  }
  std::sort(members.begin(), members.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
  std::string out;
  out.reserve(size);
  out += '{';
  for (const auto& field : members) {
    if (out.size() > 1) out += ',';
    append_json_string(out, field.key);
    out += ':';
    append_canonical(out, field.value);
  }
  out += '}';
  return out;
}

std::string hash_of_system(const ChatRequest& request) {
  const auto is_system = [](const ChatMessage& m) { return m.role == "system" || m.role == "developer"; };
  if (std::none_of(request.messages.begin(), request.messages.end(), is_system)) return {};
  return sha256_hex(request.system_text());
}

}  // namespace

Result<ChatRequest> parse_chat_request(std::string body, const ChatLimits& limits) {
  JsonDocument document;
  const auto root = document.read(body, limits.depth_max);
  if (!root) {
    const auto& fault = root.error();
    return fail(ErrorKind::kCallerInvalid, fault.too_deep ? "json_too_deep" : "bad_json",
                "The request body is not usable JSON: " + fault.reason + ".");
  }
  auto request = RequestReader(body, limits).read(*root);
  if (!request) return request;
  if (limits.hash == HashWhen::kNow) {
    request->hash = sha256_hex(canonical_body(*root, body.size()));
    request->system_hash = hash_of_system(*request);
  }
  request->raw = std::make_shared<const std::string>(std::move(body));
  return request;
}

std::string canonical_request(const ChatRequest& request) {
  if (!request.raw) return {};
  std::string body = *request.raw;
  // The depth that is usual first, since another one makes the thread's parser allocate anew.
  for (const std::size_t depth : {ChatLimits{}.depth_max, body.size() / 2}) {
    JsonDocument document;
    const auto root = document.read(body, depth);
    if (root && root->is_object()) return canonical_body(*root, body.size());
    if (root || !root.error().too_deep) break;
  }
  return {};
}

std::string request_hash(const ChatRequest& request) {
  const auto canonical = canonical_request(request);
  return canonical.empty() ? std::string() : sha256_hex(canonical);
}

void add_request_hash(ChatRequest& request) {
  if (request.hash.empty()) request.hash = request_hash(request);
  if (request.system_hash.empty()) request.system_hash = hash_of_system(request);
}

}  // namespace brevet::wire
