#include "wire/json_text.h"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <charconv>
#include <cmath>
#include <cstring>

namespace brevet::wire {
namespace {

namespace dom = simdjson::dom;

/// A parser that has grown over this is not kept: its buffers are about ten times the text.
constexpr std::size_t kKeptTextBytesMax = 1024 * 1024;

struct ThreadParser {
  dom::parser parser;
  bool leased = false;
};
ThreadParser& thread_parser() {
  static thread_local ThreadParser parser;
  return parser;
}

/// Accepts everything; only the position of the first error is of interest.
struct NullHandler {
  static constexpr std::size_t max_array_size = -1, max_object_size = -1, max_string_size = -1,
                               max_key_size = -1;
  using code = boost::json::error_code;
  bool on_document_begin(code&) { return true; }
  bool on_document_end(code&) { return true; }
  bool on_object_begin(code&) { return true; }
  bool on_object_end(std::size_t, code&) { return true; }
  bool on_array_begin(code&) { return true; }
  bool on_array_end(std::size_t, code&) { return true; }
  bool on_key_part(boost::json::string_view, std::size_t, code&) { return true; }
  bool on_key(boost::json::string_view, std::size_t, code&) { return true; }
  bool on_string_part(boost::json::string_view, std::size_t, code&) { return true; }
  bool on_string(boost::json::string_view, std::size_t, code&) { return true; }
  bool on_number_part(boost::json::string_view, code&) { return true; }
  bool on_int64(std::int64_t, boost::json::string_view, code&) { return true; }
  bool on_uint64(std::uint64_t, boost::json::string_view, code&) { return true; }
  bool on_double(double, boost::json::string_view, code&) { return true; }
  bool on_bool(bool, code&) { return true; }
  bool on_null(code&) { return true; }
  bool on_comment_part(boost::json::string_view, code&) { return true; }
  bool on_comment(boost::json::string_view, code&) { return true; }
};

/// Where a slower parser, which keeps count, gives up; simdjson's DOM does not say.
std::optional<std::size_t> fault_offset(std::string_view text, std::size_t depth_max) {
  boost::json::parse_options options;
  options.max_depth = depth_max + 1;
  boost::json::basic_parser<NullHandler> parser(options);
  boost::json::error_code error;
  const auto used = parser.write_some(false, text.data(), text.size(), error);
  if (error) return error == boost::json::error::incomplete ? text.size() : used;
  for (auto at = used; at < text.size(); ++at) {
    if (!std::strchr(" \t\r\n", text[at]) || text[at] == '\0') return at;
  }
  return std::nullopt;
}

JsonFault describe(simdjson::error_code error, std::string_view text, std::size_t depth_max) {
  if (error == simdjson::DEPTH_ERROR) {
    return {true, "JSON nested deeper than " + std::to_string(depth_max) + " levels"};
  }
  std::string reason;
  switch (error) {
    case simdjson::EMPTY:
      return {false, "an empty body"};
    case simdjson::UTF8_ERROR:
      reason = "bytes that are not UTF-8";
      break;
    case simdjson::UNCLOSED_STRING:
      reason = "an unfinished string";
      break;
    case simdjson::UNESCAPED_CHARS:
      reason = "an unescaped control character in a string";
      break;
    case simdjson::STRING_ERROR:
      reason = "a bad escape in a string";
      break;
    case simdjson::NUMBER_ERROR:
      reason = "a number that is malformed or does not fit 64 bits";
      break;
    case simdjson::CAPACITY:
      reason = "more bytes than can be parsed";
      break;
    case simdjson::MEMALLOC:
      reason = "more bytes than there is memory for";
      break;
    default:
      reason = "a syntax error";
      break;
  }
  if (const auto offset = fault_offset(text, depth_max)) {
    reason += *offset >= text.size() ? " at the end of the body, byte " : " at byte ";
    reason += std::to_string(*offset);
  }
  return {false, reason};
}

}  // namespace

JsonDocument::JsonDocument() = default;
JsonDocument::~JsonDocument() {
  if (leased_) thread_parser().leased = false;
}

tl::expected<dom::element, JsonFault> JsonDocument::read(std::string& text, std::size_t depth_max) {
  text.reserve(text.size() + simdjson::SIMDJSON_PADDING);
  dom::parser* parser = nullptr;
  auto& shared = thread_parser();
  if (!shared.leased && text.size() <= kKeptTextBytesMax) {
    shared.leased = leased_ = true;
    parser = &shared.parser;
  } else {
    own_ = std::make_unique<dom::parser>();
    parser = own_.get();
  }
  // simdjson counts the document itself as a level.
  if (parser->max_depth() != depth_max + 1 || parser->capacity() < text.size()) {
    const auto capacity = std::max<std::size_t>(std::max(parser->capacity(), text.size()), 4096);
    if (const auto error = parser->allocate(capacity, depth_max + 1))
      return tl::unexpected(describe(error, text, depth_max));
  }
  dom::element root;
  const auto error = parser->parse(text.data(), text.size(), false).get(root);
  if (error) return tl::unexpected(describe(error, text, depth_max));
  return root;
}

void JsonCursor::skip_space() {
  while (json_[at_] == ' ' || json_[at_] == '\n' || json_[at_] == '\r' || json_[at_] == '\t') ++at_;
}

void JsonCursor::skip_string() {
  ++at_;  // the opening quote
  while (true) {
    const auto* quote = static_cast<const char*>(std::memchr(json_.data() + at_, '"', json_.size() - at_));
    const auto found = static_cast<std::size_t>(quote - json_.data());
    std::size_t slashes = 0;
    while (found - slashes > at_ && json_[found - slashes - 1] == '\\') ++slashes;
    at_ = found + 1;
    if (slashes % 2 == 0) return;
  }
}

std::size_t JsonCursor::enter() {
  skip_space();
  return at_++;
}

bool JsonCursor::next() {
  skip_space();
  if (json_[at_] == ',') {
    ++at_;
    skip_space();
  }
  if (json_[at_] != '}' && json_[at_] != ']') return true;
  ++at_;
  return false;
}

Span JsonCursor::key() {
  const auto begin = at_;
  skip_string();
  const Span span{begin, at_};
  skip_space();
  ++at_;  // the colon
  return span;
}

Span JsonCursor::value() {
  skip_space();
  const auto begin = at_;
  const char first = json_[at_];
  if (first == '"') {
    skip_string();
  } else if (first == '{' || first == '[') {
    int depth = 0;
    do {
      switch (json_[at_]) {
        case '"':
          skip_string();
          continue;
        case '{':
        case '[':
          ++depth;
          break;
        case '}':
        case ']':
          --depth;
          break;
        default:
          break;
      }
      ++at_;
    } while (depth > 0);
  } else {
    while (at_ < json_.size() && !std::memchr(",]} \n\r\t", json_[at_], 7)) ++at_;
  }
  return {begin, at_};
}

std::optional<std::string_view> duplicate_key(dom::object object) {
  std::string_view few[16];
  std::size_t count = 0;
  for (const auto field : object) {
    if (count == std::size(few)) {
      std::vector<std::string_view> keys;
      for (const auto each : object) keys.push_back(each.key);
      std::sort(keys.begin(), keys.end());
      const auto twice = std::adjacent_find(keys.begin(), keys.end());
      return twice == keys.end() ? std::nullopt : std::optional(*twice);
    }
    for (std::size_t i = 0; i < count; ++i) {
      if (few[i] == field.key) return field.key;
    }
    few[count++] = field.key;
  }
  return std::nullopt;
}

namespace {

/// Length of the UTF-8 sequence at the start of `text`, 0 when it is not one.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  const std::size_t length = lead < 0x80   ? 1
                             : lead < 0xC2 ? 0
                             : lead < 0xE0 ? 2
                             : lead < 0xF0 ? 3
                             : lead < 0xF5 ? 4
                                           : 0;
  if (length == 0 || text.size() < length || !simdjson::validate_utf8(text.data(), length)) return 0;
  return length;
}

}  // namespace

void append_json_escaped(std::string& out, std::string_view text) {
  std::string repaired;
  if (!simdjson::validate_utf8(text.data(), text.size())) {
    for (std::size_t at = 0; at < text.size();) {
      const auto length = utf8_length(text.substr(at));
      if (length == 0) repaired += "\xEF\xBF\xBD";
      repaired.append(text, at, length);
      at += std::max<std::size_t>(length, 1);
    }
    text = repaired;
  }
  static constexpr char kHex[] = "0123456789abcdef";
  std::size_t from = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out.append(text, from, i - from);
    from = i + 1;
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        out += "\\u00";
        out += kHex[c >> 4];
        out += kHex[c & 15];
    }
  }
  out.append(text, from, std::string_view::npos);
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  append_json_escaped(out, text);
  out += '"';
}

std::string json_string(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 8);
  append_json_string(out, text);
  return out;
}

void append_canonical(std::string& out, dom::element element) {
  char number[32];
  const auto append_number = [&](auto value) {
    out.append(number, std::to_chars(number, number + sizeof(number), value).ptr);
  };
  switch (element.type()) {
    case dom::element_type::ARRAY: {
      char before = '[';
      for (const auto value : dom::array(element)) {
        out += before;
        append_canonical(out, value);
        before = ',';
      }
      out += before == '[' ? "[]" : "]";
      break;
    }
    case dom::element_type::OBJECT: {
      std::vector<dom::key_value_pair> members;
      for (const auto field : dom::object(element)) members.push_back(field);
      std::stable_sort(members.begin(), members.end(),
                       [](const auto& a, const auto& b) { return a.key < b.key; });
      char before = '{';
      for (const auto& field : members) {
        out += before;
        append_json_string(out, field.key);
        out += ':';
        append_canonical(out, field.value);
        before = ',';
      }
      out += before == '{' ? "{}" : "}";
      break;
    }
    case dom::element_type::INT64:
      append_number(std::int64_t(element));
      break;
    case dom::element_type::UINT64:
      append_number(std::uint64_t(element));
      break;
    case dom::element_type::DOUBLE: {
      const double value = double(element);
      // A whole number in the range where doubles are exact is the same number however it is written.
      if (std::abs(value) <= 9007199254740992.0 && value == std::floor(value)) {
        append_number(static_cast<std::int64_t>(value));
      } else {
        append_number(value);
      }
      break;
    }
    case dom::element_type::STRING:
      append_json_string(out, std::string_view(element));
      break;
    case dom::element_type::BOOL:
      out += bool(element) ? "true" : "false";
      break;
    case dom::element_type::NULL_VALUE:
      out += "null";
      break;
  }
}

std::optional<std::string_view> string_member(dom::object object, std::string_view key) {
  std::string_view value;
  if (object.at_key(key).get(value)) return std::nullopt;
  return value;
}
std::optional<std::int64_t> count_member(dom::object object, std::string_view key) {
  std::int64_t value = 0;
  if (object.at_key(key).get(value) || value < 0) return std::nullopt;
  return value;
}
std::optional<dom::object> object_member(dom::object object, std::string_view key) {
  dom::object value;
  if (object.at_key(key).get(value)) return std::nullopt;
  return value;
}
std::optional<dom::array> array_member(dom::object object, std::string_view key) {
  dom::array value;
  if (object.at_key(key).get(value)) return std::nullopt;
  return value;
}

ByteEdit remove_member(std::string_view json, Span member) {
  const auto space = [&](std::size_t at) { return std::memchr(" \n\r\t", json[at], 4) != nullptr; };
  auto begin = member.begin;
  while (begin > 0 && space(begin - 1)) --begin;
  if (begin > 0 && json[begin - 1] == ',') return {{begin - 1, member.end}, {}};
  auto end = member.end;
  while (end < json.size() && space(end)) ++end;
  if (end < json.size() && json[end] == ',') return {{member.begin, end + 1}, {}};
  return {member, {}};
}

}  // namespace brevet::wire
