// Goal: no configuration file crashes the gateway or goes through with a contradiction; a refusal always says
// why. Method: libFuzzer on the text.
#include <cstdlib>
#include <string>

#include "config/options.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto config =
      brevet::parse_config(std::string(reinterpret_cast<const char*>(data), size), "fuzz.yaml");
  if (!config) {
    if (config.error().code.empty() || config.error().message.find("fuzz.yaml") != 0) std::abort();
    return 0;
  }
  if (config->models.empty()) std::abort();
  for (const auto& [name, route] : config->routes) {
    if (route.candidates.size() < 2 || route.reference.empty()) std::abort();
  }
  return 0;
}
