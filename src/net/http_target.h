// Reading a request target (path, percent escapes, query) and media types. Used by server. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace brevet::net {

/// The path below /v1: with or without that prefix (clients differ in their base_url), without slashes at the
/// end.
/// "/v1" itself is "/".
std::string_view normal_path(std::string_view path);

/// %XX decoded; a broken escape stays as it is.
std::string percent_decoded(std::string_view text);

/// First value of a query parameter, decoded ('+' is a space); nullopt when it is not there.
std::optional<std::string> query_value(std::string_view target, std::string_view name);

/// Digits only, at most nine of them.
std::optional<std::uint64_t> whole_number(std::string_view text);

/// application/json and application/*+json, with or without parameters.
bool json_type(std::string_view content_type);

}  // namespace brevet::net
