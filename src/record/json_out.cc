#include "record/json_out.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <boost/json.hpp>

namespace brevet::record {

std::string json_string(std::string_view text) {
  return boost::json::serialize(boost::json::value(text));
}

std::string clean_text(std::string_view bytes) {
  std::string out(bytes);
  if (!simdjson::validate_utf8(bytes.data(), bytes.size())) {
    for (char& c : out) {
      if (static_cast<unsigned char>(c) >= 0x80) c = '?';
    }
  }
  return out;
}

std::string json_number(double value) {
  return fmt::format("{}", value);
}

}  // namespace brevet::record
