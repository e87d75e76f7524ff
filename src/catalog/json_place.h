// Reads a JSON text, and says where in it something stands, so that an error can name the line. Only for
// src/catalog.
//
// Pure. Finding a line reads the text once more, and happens only when something is wrong.
#pragma once

#include <boost/json/value.hpp>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace brevet::catalog {

/// The whole text as one value. Errors (kCallerInvalid): bad_model_file, with the line.
Result<boost::json::value> parse_text(std::string_view text, const std::string& name_for_errors);
/// Line, from 1, of the byte at `at`.
std::size_t line_at(std::string_view text, std::size_t at);
/// Line of the key at the end of `path` in a valid JSON object text; of the deepest part of the path that is
/// there. Keys are compared as written, so an escaped key is not found and the line of its parent is given.
std::size_t line_of(std::string_view json, const std::vector<std::string>& path);

}  // namespace brevet::catalog
