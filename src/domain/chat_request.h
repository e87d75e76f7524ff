// A chat request: the immutable bytes the client sent, the spans we understood, and edits to make on the way
// out.
//
// wire parses it, gateway and strategies read it, upstream renders it. Bytes outside an edit leave as they
// came, so unknown fields, cache_control and signatures survive. Immutable after parsing; safe to share
// between threads. Does not know JSON.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace brevet {

/// Half-open byte range of the raw body.
struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool empty() const { return begin == end; }
};

/// Replace the bytes of `at` (an insertion when empty) by `bytes`.
struct ByteEdit {
  Span at;
  std::string bytes;
};

/// Applies edits that do not overlap, in order of position. Overlap is our own bug (assert).
std::string apply_edits(std::string_view raw, std::vector<ByteEdit> edits);

struct ChatMessage {
  std::string role;       ///< system, developer, user, assistant, tool
  std::string text;       ///< all text parts joined by '\n'; empty when there is none
  bool text_only = true;  ///< false when it holds images, audio, files, tool calls
  Span value;             ///< the message object in the raw body
  /// JSON string of the content in the raw body when content is a plain string; empty when it is a list or
  /// absent.
  Span content;
  Span parts;       ///< JSON array of the content when content is a list; empty otherwise
  Span first_text;  ///< JSON string of the first and last text part of such a list; empty without any
  Span last_text;
};

struct ChatRequest {
  std::shared_ptr<const std::string> raw;  ///< the body as it came, a JSON object; never null after parsing
  std::string model;                       ///< as the client wrote it: a route name or a model name
  Span model_value;                        ///< the JSON string of `model`
  Span messages_value;                     ///< the JSON array of `messages`
  std::size_t object_end = 0;              ///< offset of the closing '}' of the body: where fields are added
  std::vector<ChatMessage> messages;

  bool stream = false;
  bool include_usage = false;  ///< stream_options.include_usage
  Span stream_options_value;   ///< empty when absent; the span of `null` when null
  Span stream_options_member;  ///< key and value, without commas; empty when absent
  Span include_usage_value;    ///< inside stream_options; empty when absent
  Span stream_value;           ///< empty when absent
  Span logprobs_value;         ///< empty when absent
  Span metadata_value;         ///< the JSON object of `metadata`; empty when absent or null
  bool local_only = false;     ///< metadata.brevet_local_only: the request may not leave this machine
  bool wants_logprobs = false;
  int n = 1;
  bool has_tools = false;
  bool has_images = false;  ///< any part that is not text
  bool has_response_format = false;
  std::optional<std::int64_t> max_tokens;  ///< max_completion_tokens or max_tokens
  Span max_tokens_value;                   ///< of the one that `max_tokens` holds; empty when absent
  std::optional<double> temperature;
  Span temperature_value;  ///< empty when absent; the span of `null` when null
  std::optional<std::int64_t> seed;
  Span seed_value;  ///< likewise

  /// SHA-256 hex of canonical messages, tools and parameters: "the same request" (wire::request_hash says
  /// what counts). Equal for bodies that differ in white space, key order or spelling of equal values only.
  /// Empty when parsing was asked to leave it out.
  std::string hash;
  /// SHA-256 hex of the system messages, for partitioning; empty without any.
  std::string system_hash;

  /// Text of the last user message, empty if none. Valid as long as this object.
  std::string_view last_user_text() const;
  /// Text of the user message before it, empty if none.
  std::string_view previous_user_text() const;
  /// All system and developer messages joined by '\n'.
  std::string system_text() const;
};

/// Changes to messages that a prompt transform asks for; wire turns them into byte edits.
struct MessageEdits {
  std::string system_prefix;     ///< put before the system prompt, or as a system message of its own
  std::string last_user_prefix;  ///< put before the text of the last user message
  std::string last_user_suffix;  ///< put after it
  bool empty() const { return system_prefix.empty() && last_user_prefix.empty() && last_user_suffix.empty(); }
};

/// A prompt of our own (guide writing, judging), rendered from nothing.
struct PlainMessage {
  std::string role;
  std::string text;
};

}  // namespace brevet
