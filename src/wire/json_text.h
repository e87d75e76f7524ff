// Reading JSON that came from outside: one validating parse (simdjson DOM) for values, and a cursor over the
// same bytes for where they stand. Walked side by side they give value and span in one pass, so edits leave
// every other byte alone.
//
// Only for src/wire. JsonDocument keeps one parser per thread; the elements it gives live as long as it does.
#pragma once

#include <simdjson.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "domain/chat_request.h"

namespace brevet::wire {

/// Why a text is not usable JSON.
struct JsonFault {
  bool too_deep = false;
  std::string reason;  ///< half a sentence, such as "an unfinished string at byte 17"
};

class JsonDocument {
 public:
  JsonDocument();
  ~JsonDocument();
  JsonDocument(const JsonDocument&) = delete;
  JsonDocument& operator=(const JsonDocument&) = delete;
  /// Validates all of `text` (which gets spare capacity, no other change). One read per document.
  tl::expected<simdjson::dom::element, JsonFault> read(std::string& text, std::size_t depth_max = 128);

 private:
  bool leased_ = false;
  std::unique_ptr<simdjson::dom::parser> own_;
};

/// Walks bytes that a JsonDocument has found to be valid; undefined on others.
class JsonCursor {
 public:
  explicit JsonCursor(std::string_view json, std::size_t at = 0) : json_(json), at_(at) {}
  std::size_t at() const { return at_; }
  /// Steps over the opening '{' or '[' of the value ahead; returns its offset.
  std::size_t enter();
  /// True when a member or element is ahead; otherwise steps over the closing bracket.
  bool next();
  /// Reads a key and its colon; the span includes the quotes.
  Span key();
  /// Steps over one value of any kind.
  Span value();

 private:
  void skip_space();
  void skip_string();
  std::string_view json_;
  std::size_t at_;
};

/// Calls f(key, value, key_span) for each member; f must step `cursor` over the value exactly once.
template <class F>
void walk_object(JsonCursor& cursor, simdjson::dom::object object, F&& f) {
  cursor.enter();
  for (const auto field : object) {
    cursor.next();
    const Span key = cursor.key();
    f(field.key, field.value, key);
  }
  cursor.next();
}
/// Calls f(value) for each element, likewise.
template <class F>
void walk_array(JsonCursor& cursor, simdjson::dom::array array, F&& f) {
  cursor.enter();
  for (const auto value : array) {
    cursor.next();
    f(value);
  }
  cursor.next();
}

/// A key that occurs twice in the object.
std::optional<std::string_view> duplicate_key(simdjson::dom::object object);

/// Appends `text` as a JSON string. Bytes that are not UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view text);
/// The inside of that string, without quotes.
void append_json_escaped(std::string& out, std::string_view text);
std::string json_string(std::string_view text);
/// Appends the element in canonical form: keys sorted, no white space, numbers by value.
void append_canonical(std::string& out, simdjson::dom::element element);

/// Member of an object, or nothing when absent, null or of another type.
std::optional<std::string_view> string_member(simdjson::dom::object object, std::string_view key);
std::optional<std::int64_t> count_member(simdjson::dom::object object, std::string_view key);
std::optional<simdjson::dom::object> object_member(simdjson::dom::object object, std::string_view key);
std::optional<simdjson::dom::array> array_member(simdjson::dom::object object, std::string_view key);

/// The edit that takes a member (key and value span) out together with one comma.
ByteEdit remove_member(std::string_view json, Span member);

}  // namespace brevet::wire
