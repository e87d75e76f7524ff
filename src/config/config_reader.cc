#include "config/config_reader.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <set>

namespace brevet::config {
namespace {

bool is_environment_name(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !name.empty() && letter(name[0]) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

/// A name as people write it for variables; anything else could be the secret itself, put in the wrong place.
std::string shown_name(const std::string& name) {
  const bool plain = std::none_of(name.begin(), name.end(), [](char c) { return c >= 'a' && c <= 'z'; });
  return plain && name.size() <= 64 ? "the environment variable " + name
                                    : "the environment variable that it names";
}

std::string shown(const YAML::Node& node) {
  auto text = node.IsScalar() ? node.Scalar() : std::string("a list or map");
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return "'" + text + "'";
}

}  // namespace

void Reader::set_error(const YAML::Mark& mark, const char* code, const std::string& message,
                       const std::string& key) {
  if (error_) return;
  Error error;
  error.kind = ErrorKind::kCallerInvalid;
  error.code = code;
  error.message = file_ + (mark.line >= 0 ? ":" + std::to_string(mark.line + 1) : "") + ": " + message +
                  (message.ends_with('?') ? "" : ".");
  error.param = key;
  error_ = std::move(error);
}

std::optional<std::string> Reader::substitute(const YAML::Node& node, const std::string& text,
                                              const std::string& key) {
  std::string out;
  std::size_t at = 0;
  while (true) {
    const auto begin = text.find("${", at);
    out.append(text, at, begin - at);
    if (begin == std::string::npos) return out;
    const auto end = text.find('}', begin);
    const auto inside = end == std::string::npos ? std::string() : text.substr(begin + 2, end - begin - 2);
    const auto split = inside.find(":-");
    const auto name = inside.substr(0, split);
    if (!is_environment_name(name)) {
      set_error(node.Mark(), "bad_value",
                "`" + key +
                    "` holds a ${ that is not followed by a variable's name and }; write ${NAME} or "
                    "${NAME:-fallback}",
                key);
      return std::nullopt;
    }
    const char* value = std::getenv(name.c_str());
    if (value && *value) {
      out += value;
    } else if (split != std::string::npos) {
      out += inside.substr(split + 2);
    } else {
      set_error(node.Mark(), "missing_env",
                "`" + key + "` needs " + shown_name(name) +
                    ", which is not set; set it, or write ${NAME:-fallback}",
                key);
      return std::nullopt;
    }
    at = end + 1;
  }
}

std::optional<std::string> Reader::scalar(const YAML::Node& node, const std::string& key) {
  if (!node.IsScalar()) {
    set_error(node.Mark(), "wrong_type", "`" + key + "` must be a single value", key);
    return std::nullopt;
  }
  return substitute(node, node.Scalar(), key);
}

std::optional<std::string> Reader::secret(const YAML::Node& node, const std::string& key, std::string& name) {
  if (!node.IsScalar() || !is_environment_name(node.Scalar())) {
    set_error(
        node.Mark(), node.IsScalar() ? "bad_value" : "wrong_type",
        "`" + key +
            "` must be the name of an environment variable, such as OPENAI_API_KEY, and never the key itself",
        key);
    return std::nullopt;
  }
  name = node.Scalar();
  const char* found = std::getenv(name.c_str());
  std::string value = found ? found : "";
  while (!value.empty() && (value.back() == '\n' || value.back() == '\r' || value.back() == ' '))
    value.pop_back();
  if (value.empty()) {
    set_error(node.Mark(), "missing_env",
              "`" + key + "` needs " + shown_name(name) + ", which is " + (found ? "empty" : "not set"), key);
    return std::nullopt;
  }
  if (std::any_of(value.begin(), value.end(), [](char c) { return c <= 0x20 || c == 0x7f; })) {
    set_error(node.Mark(), "bad_value",
              shown_name(name).substr(4) + " for `" + key + "` holds blanks or characters that no key has",
              key);
    return std::nullopt;
  }
  return value;
}

std::optional<std::int64_t> Reader::integer(const YAML::Node& node, const std::string& key, std::int64_t low,
                                            std::int64_t high) {
  const auto text = scalar(node, key);
  if (!text) return std::nullopt;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size()) {
    set_error(node.Mark(), "wrong_type", "`" + key + "` must be a whole number, not " + shown(node), key);
    return std::nullopt;
  }
  if (value < low || value > high) {
    set_error(node.Mark(), "bad_value",
              "`" + key + "` must be between " + std::to_string(low) + " and " + std::to_string(high) +
                  ", not " + shown(node),
              key);
    return std::nullopt;
  }
  return value;
}

std::optional<double> Reader::number(const YAML::Node& node, const std::string& key, double low,
                                     double high) {
  const auto text = scalar(node, key);
  if (!text) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size() || !std::isfinite(value)) {
    set_error(node.Mark(), "wrong_type", "`" + key + "` must be a number, not " + shown(node), key);
    return std::nullopt;
  }
  if (value < low || value > high) {
    set_error(node.Mark(), "bad_value",
              "`" + key + "` must be between " + YAML::Dump(YAML::Node(low)) + " and " +
                  YAML::Dump(YAML::Node(high)) + ", not " + shown(node),
              key);
    return std::nullopt;
  }
  return value;
}

std::optional<bool> Reader::boolean(const YAML::Node& node, const std::string& key) {
  const auto text = scalar(node, key);
  if (!text) return std::nullopt;
  if (*text == "true" || *text == "yes" || *text == "on") return true;
  if (*text == "false" || *text == "no" || *text == "off") return false;
  set_error(node.Mark(), "wrong_type", "`" + key + "` must be true or false, not " + shown(node), key);
  return std::nullopt;
}

std::optional<Money> Reader::money(const YAML::Node& node, const std::string& key) {
  const auto text = scalar(node, key);
  if (!text) return std::nullopt;
  const auto value = Money::parse_usd(*text);
  if (!value) {
    set_error(node.Mark(), "wrong_type",
              "`" + key + "` must be an amount in USD such as 0.15, not " + shown(node), key);
    return std::nullopt;
  }
  if (*value < Money{}) {
    set_error(node.Mark(), "bad_value", "`" + key + "` must not be negative", key);
    return std::nullopt;
  }
  return value;
}

std::optional<std::string> Reader::choice(const YAML::Node& node, const std::string& key,
                                          const std::vector<std::string>& known) {
  const auto text = scalar(node, key);
  if (!text) return std::nullopt;
  if (std::find(known.begin(), known.end(), *text) == known.end()) {
    set_error(node.Mark(), "bad_value", "`" + key + "` cannot be " + shown(node) + known_names(*text, known),
              key);
    return std::nullopt;
  }
  return text;
}

std::vector<std::string> Reader::names(const YAML::Node& node, const std::string& key) {
  std::vector<std::string> out;
  if (!expect_list(node, key)) return out;
  for (const auto& item : node) {
    auto text = scalar(item, key);
    if (!text) break;
    if (text->empty()) set_error(item.Mark(), "bad_value", "`" + key + "` holds an empty name", key);
    if (std::find(out.begin(), out.end(), *text) != out.end()) {
      set_error(item.Mark(), "contradictory", "`" + key + "` names " + shown(item) + " twice", key);
    }
    out.push_back(std::move(*text));
  }
  return out;
}

bool Reader::expect_map(const YAML::Node& node, const std::string& key) {
  if (node.IsMap() || node.IsNull()) return !failed();
  set_error(node.Mark(), "wrong_type",
            (key.empty() ? "the file" : "`" + key + "`") + std::string(" must be a map of keys and values"),
            key);
  return false;
}

bool Reader::expect_list(const YAML::Node& node, const std::string& key) {
  if (node.IsSequence()) return !failed();
  set_error(node.Mark(), "wrong_type", "`" + key + "` must be a list, such as [a, b]", key);
  return false;
}

void Reader::members(
    const YAML::Node& map, const std::string& where,
    const std::function<void(const std::string&, const YAML::Node&, const YAML::Node&)>& each) {
  std::set<std::string> seen;
  for (const auto& member : map) {
    if (failed()) return;
    if (!member.first.IsScalar()) {
      set_error(member.first.Mark(), "wrong_type", "a key must be a single word", where);
      return;
    }
    const auto& name = member.first.Scalar();
    if (!seen.insert(name).second) {
      set_error(member.first.Mark(), "config_syntax", "`" + join_key(where, name) + "` is there twice",
                join_key(where, name));
      return;
    }
    each(name, member.first, member.second);
  }
}

std::string join_key(const std::string& where, const std::string& name) {
  return where.empty() ? name : where + "." + name;
}

std::string known_names(const std::string& name, const std::vector<std::string>& known) {
  if (known.empty()) return {};
  if (const auto nearest = nearest_name(name, known); !nearest.empty())
    return "; did you mean `" + nearest + "`?";
  std::string out = "; known are ";
  for (std::size_t i = 0; i < known.size(); ++i)
    out += (i == 0 ? "" : i + 1 == known.size() ? " and " : ", ") + known[i];
  return out;
}

}  // namespace brevet::config
