// Goal: any request target is read within its bounds. Method: libFuzzer.
#include <cstdlib>
#include <string>

#include "net/http_target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace brevet::net;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (percent_decoded(bytes).size() > bytes.size() || normal_path(bytes).empty()) std::abort();
  const auto value = query_value(bytes, "limit");
  if (value && bytes.find('?') == std::string_view::npos) std::abort();
  if (const auto number = whole_number(value.value_or("")); number && *number > 999'999'999) std::abort();
  json_type(bytes);
  return 0;
}
