// Reading the gateway's JSON for a person: what is missing is null, and null is no number. Used by the texts
// of this folder. Thread-safe.
#pragma once

#include <boost/json.hpp>
#include <initializer_list>
#include <optional>
#include <string_view>

namespace brevet {

inline constexpr const char* kUnknown = "not yet known";

/// A value by its path; null for whatever is missing.
inline const boost::json::value& at(const boost::json::value& from,
                                    std::initializer_list<std::string_view> path) {
  static const boost::json::value kNull;
  const auto* held = &from;
  for (const auto name : path) {
    const auto* object = held->if_object();
    held = object != nullptr ? object->if_contains(name) : nullptr;
    if (held == nullptr) return kNull;
  }
  return *held;
}

inline std::optional<double> number(const boost::json::value& value) {
  return value.is_number() ? std::optional(value.to_number<double>()) : std::nullopt;
}

}  // namespace brevet
