// JSON Schema (draft 2020-12), the part of it that can be checked without surprises.
//
// Used by the scorer json_schema. Immutable after compiling, thread-safe. Checked: type, enum, const,
// properties, required, additionalProperties, propertyNames, minProperties, maxProperties, prefixItems,
// items, contains, minContains, maxContains, minItems, maxItems, uniqueItems, minLength, maxLength, minimum,
// maximum, exclusiveMinimum, exclusiveMaximum, multipleOf, allOf, anyOf, oneOf, not, if/then/else,
// dependentRequired, dependentSchemas, and $ref to a place of the same file (#, #/$defs/NAME,
// #/definitions/NAME). Titles, descriptions, examples, defaults, $schema, $comment, $id of the root, format
// and the read and write hints are no constraints (as the standard has it). Every other keyword, such as
// pattern, is refused when the schema is compiled: a constraint that is passed over would score wrong answers
// as right.
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace brevet::record {

class JsonSchema {
 public:
  /// Errors (kCallerInvalid): bad_schema (`param` is the place as a JSON pointer).
  static Result<JsonSchema> compile(std::string_view text, const std::string& name_for_errors);
  /// A nesting or a chain of references beyond kDepthMax, or a check of over a million steps, is invalid.
  bool valid(const boost::json::value& value) const;

  static constexpr int kDepthMax = 64;

 private:
  explicit JsonSchema(boost::json::value root) : root_(std::move(root)) {}
  boost::json::value root_;
};

}  // namespace brevet::record
