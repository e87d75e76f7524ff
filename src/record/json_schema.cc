#include "record/json_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cmath>

namespace brevet::record {
namespace {

namespace json = boost::json;

/// What the value of a keyword must be for it to mean anything.
enum class Shape {
  kAny,
  kSchema,
  kSchemas,
  kSchemaMap,
  kCount,
  kNumber,
  kFlag,
  kTexts,
  kTextsMap,
  kList,
  kType,
  kReference
};
struct Keyword {
  std::string_view name;
  Shape shape;
};
constexpr Keyword kKeywords[] = {{"type", Shape::kType},
                                 {"enum", Shape::kList},
                                 {"const", Shape::kAny},
                                 {"properties", Shape::kSchemaMap},
                                 {"required", Shape::kTexts},
                                 {"additionalProperties", Shape::kSchema},
                                 {"propertyNames", Shape::kSchema},
                                 {"minProperties", Shape::kCount},
                                 {"maxProperties", Shape::kCount},
                                 {"prefixItems", Shape::kSchemas},
                                 {"items", Shape::kSchema},
                                 {"contains", Shape::kSchema},
                                 {"minContains", Shape::kCount},
                                 {"maxContains", Shape::kCount},
                                 {"minItems", Shape::kCount},
                                 {"maxItems", Shape::kCount},
                                 {"uniqueItems", Shape::kFlag},
                                 {"minLength", Shape::kCount},
                                 {"maxLength", Shape::kCount},
                                 {"minimum", Shape::kNumber},
                                 {"maximum", Shape::kNumber},
                                 {"exclusiveMinimum", Shape::kNumber},
                                 {"exclusiveMaximum", Shape::kNumber},
                                 {"multipleOf", Shape::kNumber},
                                 {"allOf", Shape::kSchemas},
                                 {"anyOf", Shape::kSchemas},
                                 {"oneOf", Shape::kSchemas},
                                 {"not", Shape::kSchema},
                                 {"if", Shape::kSchema},
                                 {"then", Shape::kSchema},
                                 {"else", Shape::kSchema},
                                 {"dependentRequired", Shape::kTextsMap},
                                 {"dependentSchemas", Shape::kSchemaMap},
                                 {"$defs", Shape::kSchemaMap},
                                 {"definitions", Shape::kSchemaMap},
                                 {"$ref", Shape::kReference},
                                 {"title", Shape::kAny},
                                 {"description", Shape::kAny},
                                 {"default", Shape::kAny},
                                 {"examples", Shape::kAny},
                                 {"$schema", Shape::kAny},
                                 {"$comment", Shape::kAny},
                                 {"format", Shape::kAny},
                                 {"deprecated", Shape::kAny},
                                 {"readOnly", Shape::kAny},
                                 {"writeOnly", Shape::kAny}};
constexpr std::array<std::string_view, 7> kTypes = {"null",   "boolean", "object", "array",
                                                    "number", "string",  "integer"};

std::optional<double> number_of(const json::value& value) {
  if (value.is_int64()) return static_cast<double>(value.get_int64());
  if (value.is_uint64()) return static_cast<double>(value.get_uint64());
  if (value.is_double()) return value.get_double();
  return std::nullopt;
}

/// Numbers by value, 1 equals 1.0; objects without order.
bool equal(const json::value& a, const json::value& b) {
  const auto x = number_of(a);
  const auto y = number_of(b);
  if (x && y) return *x == *y;
  if (a.kind() != b.kind()) return false;
  if (a.is_array()) {
    return std::equal(a.get_array().begin(), a.get_array().end(), b.get_array().begin(), b.get_array().end(),
                      equal);
  }
  if (a.is_object()) {
    if (a.get_object().size() != b.get_object().size()) return false;
    return std::all_of(a.get_object().begin(), a.get_object().end(), [&](const auto& member) {
      const auto* other = b.get_object().if_contains(member.key());
      return other != nullptr && equal(member.value(), *other);
    });
  }
  return a == b;
}

std::size_t code_points(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

/// The schema that "#", "#/$defs/NAME" or "#/definitions/NAME" names; null when there is none.
const json::value* target_of(const json::value& root, std::string_view reference) {
  if (reference == "#") return &root;
  for (const std::string_view place : {"$defs", "definitions"}) {
    const auto prefix = "#/" + std::string(place) + "/";
    if (!reference.starts_with(prefix) || !root.is_object()) continue;
    const auto* list = root.get_object().if_contains(place);
    return list != nullptr && list->is_object()
               ? list->get_object().if_contains(reference.substr(prefix.size()))
               : nullptr;
  }
  return nullptr;
}

class Checker {
 public:
  Checker(const json::value& root, std::string name) : root_(root), name_(std::move(name)) {}

  Result<> check(const json::value& schema, const std::string& at, int depth) {
    if (depth > JsonSchema::kDepthMax) return bad(at, "is nested too deeply");
    if (schema.is_bool()) return {};
    if (!schema.is_object()) return bad(at, "must be an object, true or false");
    for (const auto& [key, value] : schema.get_object()) {
      const auto place = at + "/" + std::string(key);
      if (key == "$id" && at.empty()) continue;
      const auto* known =
          std::find_if(std::begin(kKeywords), std::end(kKeywords),
                       [&, name = std::string_view(key)](const Keyword& k) { return k.name == name; });
      if (known == std::end(kKeywords)) {
        return bad(place,
                   "is a keyword that is not supported here; take it out, or score with --scorer command");
      }
      if (auto done = check_value(known->shape, value, place, depth); !done) return done;
    }
    return {};
  }

 private:
  tl::unexpected<Error> bad(const std::string& at, const std::string& what) const {
    return fail(ErrorKind::kCallerInvalid, "bad_schema",
                fmt::format("{}: {} {}.", name_, at.empty() ? "the schema" : at, what), at);
  }
  Result<> check_value(Shape shape, const json::value& value, const std::string& at, int depth) {
    switch (shape) {
      case Shape::kAny:
        return {};
      case Shape::kSchema:
        return check(value, at, depth + 1);
      case Shape::kSchemas:
        if (!value.is_array() || value.get_array().empty()) return bad(at, "must be a list of schemas");
        for (std::size_t i = 0; i < value.get_array().size(); ++i) {
          if (auto done = check(value.get_array()[i], at + "/" + std::to_string(i), depth + 1); !done)
            return done;
        }
        return {};
      case Shape::kSchemaMap:
        if (!value.is_object()) return bad(at, "must be an object of schemas");
        for (const auto& [key, member] : value.get_object()) {
          if (auto done = check(member, at + "/" + std::string(key), depth + 1); !done) return done;
        }
        return {};
      case Shape::kCount: {
        const auto count = number_of(value);
        if (!count || *count < 0 || *count != std::floor(*count))
          return bad(at, "must be a whole number from 0");
        return {};
      }
      case Shape::kNumber: {
        const auto number = number_of(value);
        if (!number || (at.ends_with("/multipleOf") && *number <= 0))
          return bad(at, "must be a number (multipleOf: above 0)");
        return {};
      }
      case Shape::kFlag:
        if (!value.is_bool()) return bad(at, "must be true or false");
        return {};
      case Shape::kTexts:
        return check_texts(value, at);
      case Shape::kTextsMap:
        if (!value.is_object()) return bad(at, "must be an object of lists");
        for (const auto& [key, member] : value.get_object()) {
          if (auto done = check_texts(member, at + "/" + std::string(key)); !done) return done;
        }
        return {};
      case Shape::kList:
        if (!value.is_array()) return bad(at, "must be a list");
        return {};
      case Shape::kType: {
        const auto known = [](const json::value& name) {
          return name.is_string() &&
                 std::find(kTypes.begin(), kTypes.end(), std::string_view(name.get_string())) != kTypes.end();
        };
        const bool list = value.is_array() && !value.get_array().empty() &&
                          std::all_of(value.get_array().begin(), value.get_array().end(), known);
        if (!list && !known(value)) return bad(at, "names no type of JSON Schema");
        return {};
      }
      case Shape::kReference:
        if (!value.is_string() || target_of(root_, value.get_string()) == nullptr)
          return bad(at, "must name the root or a member of $defs of the same file");
        return {};
    }
    return {};
  }
  Result<> check_texts(const json::value& value, const std::string& at) {
    const bool good =
        value.is_array() && std::all_of(value.get_array().begin(), value.get_array().end(),
                                        [](const json::value& item) { return item.is_string(); });
    if (!good) return bad(at, "must be a list of names");
    return {};
  }

  const json::value& root_;
  const std::string name_;
};

/// Whether a value keeps to a checked schema.
class Validator {
 public:
  explicit Validator(const json::value& root) : root_(root) {}

  // Every keyword is one step of the same kind; split up they would be harder to compare with the standard.
  bool valid(const json::value& schema, const json::value& value, int depth) const {
    if (depth > JsonSchema::kDepthMax || ++steps_ > kStepsMax) return false;
    if (schema.is_bool()) return schema.get_bool();
    const auto& rules = schema.get_object();
    if (const auto* type = rules.if_contains("type"); type && !has_type(*type, value)) return false;
    if (const auto* wanted = rules.if_contains("const"); wanted && !equal(*wanted, value)) return false;
    if (const auto* list = rules.if_contains("enum")) {
      const auto& all = list->get_array();
      if (std::none_of(all.begin(), all.end(), [&](const json::value& one) { return equal(one, value); }))
        return false;
    }
    if (const auto* reference = rules.if_contains("$ref")) {
      const auto* target = target_of(root_, reference->get_string());
      if (target == nullptr || !valid(*target, value, depth + 1)) return false;
    }
    if (!combined(rules, value, depth)) return false;
    if (const auto number = number_of(value); number && !number_fits(rules, *number)) return false;
    if (value.is_string()) {
      const auto size = static_cast<double>(code_points(value.get_string()));
      if (below(rules, "minLength", size) || above(rules, "maxLength", size)) return false;
    }
    if (value.is_array()) return array_fits(rules, value.get_array(), depth);
    if (value.is_object()) return object_fits(rules, value.get_object(), depth);
    return true;
  }

 private:
  static bool below(const json::object& rules, std::string_view name, double value) {
    const auto* limit = rules.if_contains(name);
    return limit != nullptr && value < *number_of(*limit);
  }
  static bool above(const json::object& rules, std::string_view name, double value) {
    const auto* limit = rules.if_contains(name);
    return limit != nullptr && value > *number_of(*limit);
  }
  static bool is(std::string_view type, const json::value& value) {
    const auto number = number_of(value);
    if (type == "integer") return number && *number == std::floor(*number);
    if (type == "number") return number.has_value();
    if (type == "null") return value.is_null();
    if (type == "boolean") return value.is_bool();
    if (type == "object") return value.is_object();
    if (type == "array") return value.is_array();
    return value.is_string();
  }
  static bool has_type(const json::value& type, const json::value& value) {
    if (type.is_string()) return is(type.get_string(), value);
    const auto& all = type.get_array();
    return std::any_of(all.begin(), all.end(),
                       [&](const json::value& one) { return is(one.get_string(), value); });
  }
  bool combined(const json::object& rules, const json::value& value, int depth) const {
    const auto passes = [&](const json::value& one) { return valid(one, value, depth + 1); };
    if (const auto* all = rules.if_contains("allOf")) {
      if (!std::all_of(all->get_array().begin(), all->get_array().end(), passes)) return false;
    }
    if (const auto* any = rules.if_contains("anyOf")) {
      if (std::none_of(any->get_array().begin(), any->get_array().end(), passes)) return false;
    }
    if (const auto* one = rules.if_contains("oneOf")) {
      if (std::count_if(one->get_array().begin(), one->get_array().end(), passes) != 1) return false;
    }
    if (const auto* no = rules.if_contains("not"); no && passes(*no)) return false;
    if (const auto* condition = rules.if_contains("if")) {
      const auto* branch = rules.if_contains(passes(*condition) ? "then" : "else");
      if (branch != nullptr && !passes(*branch)) return false;
    }
    return true;
  }
  static bool number_fits(const json::object& rules, double value) {
    if (below(rules, "minimum", value) || above(rules, "maximum", value)) return false;
    const auto* low = rules.if_contains("exclusiveMinimum");
    const auto* high = rules.if_contains("exclusiveMaximum");
    if ((low && value <= *number_of(*low)) || (high && value >= *number_of(*high))) return false;
    if (const auto* step = rules.if_contains("multipleOf")) {
      const double ratio = value / *number_of(*step);
      // Decimal steps such as .01 are not exact in binary.
      if (std::abs(ratio - std::round(ratio)) > 1e-9 * std::max(1.0, std::abs(ratio))) return false;
    }
    return true;
  }
  bool array_fits(const json::object& rules, const json::array& value, int depth) const {
    const auto size = static_cast<double>(value.size());
    if (below(rules, "minItems", size) || above(rules, "maxItems", size)) return false;
    const auto* unique = rules.if_contains("uniqueItems");
    if (unique && unique->get_bool()) {
      for (std::size_t i = 0; i < value.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
          if (equal(value[i], value[j])) return false;
        }
      }
    }
    std::size_t next = 0;
    if (const auto* prefix = rules.if_contains("prefixItems")) {
      for (; next < value.size() && next < prefix->get_array().size(); ++next) {
        if (!valid(prefix->get_array()[next], value[next], depth + 1)) return false;
      }
    }
    if (const auto* items = rules.if_contains("items")) {
      for (; next < value.size(); ++next) {
        if (!valid(*items, value[next], depth + 1)) return false;
      }
    }
    if (const auto* wanted = rules.if_contains("contains")) {
      const auto found =
          static_cast<double>(std::count_if(value.begin(), value.end(), [&](const json::value& one) {
            return valid(*wanted, one, depth + 1);
          }));
      if (rules.if_contains("minContains") ? below(rules, "minContains", found) : found < 1) return false;
      if (above(rules, "maxContains", found)) return false;
    }
    return true;
  }
  static bool has_all(const json::array& names, const json::object& value) {
    return std::all_of(names.begin(), names.end(),
                       [&](const json::value& name) { return value.contains(name.get_string()); });
  }
  bool object_fits(const json::object& rules, const json::object& value, int depth) const {
    const auto size = static_cast<double>(value.size());
    if (below(rules, "minProperties", size) || above(rules, "maxProperties", size)) return false;
    if (const auto* required = rules.if_contains("required");
        required && !has_all(required->get_array(), value))
      return false;
    const auto* properties = rules.if_contains("properties");
    const auto* others = rules.if_contains("additionalProperties");
    const auto* names = rules.if_contains("propertyNames");
    for (const auto& [key, member] : value) {
      const auto* own = properties ? properties->get_object().if_contains(key) : nullptr;
      const auto* rule = own ? own : others;
      if (rule && !valid(*rule, member, depth + 1)) return false;
      if (names && !valid(*names, json::value(key), depth + 1)) return false;
    }
    if (const auto* needs = rules.if_contains("dependentRequired")) {
      for (const auto& [key, wanted] : needs->get_object()) {
        if (value.contains(key) && !has_all(wanted.get_array(), value)) return false;
      }
    }
    if (const auto* needs = rules.if_contains("dependentSchemas")) {
      for (const auto& [key, wanted] : needs->get_object()) {
        if (value.contains(key) && !valid(wanted, json::value(value), depth + 1)) return false;
      }
    }
    return true;
  }

  /// References may branch at every level; a schema that needs more steps than this is not told apart from a
  /// wrong answer.
  static constexpr std::uint64_t kStepsMax = 1'000'000;
  const json::value& root_;
  mutable std::uint64_t steps_ = 0;
};

}  // namespace

Result<JsonSchema> JsonSchema::compile(std::string_view text, const std::string& name_for_errors) {
  json::error_code error;
  auto root = json::parse(text, error);
  if (error) {
    return fail(ErrorKind::kCallerInvalid, "bad_schema",
                name_for_errors + ": is not JSON: " + error.message() + ".");
  }
  if (auto done = Checker(root, name_for_errors).check(root, "", 0); !done) return fail(done.error());
  return JsonSchema(std::move(root));
}

bool JsonSchema::valid(const json::value& value) const {
  return Validator(root_).valid(root_, value, 0);
}

}  // namespace brevet::record
