#include "domain/configuration.h"

#include <charconv>

namespace brevet {

std::string Configuration::key() const {
  std::string out = model;
  if (!transform.empty()) out += "|t=" + transform;
  if (!guide.empty()) out += "|g=" + guide;
  if (samples != 1) out += "|s=" + std::to_string(samples);
  if (!effort.empty()) out += "|e=" + effort;
  return out;
}

Result<Configuration> Configuration::parse(std::string_view text) {
  Configuration out;
  const auto bar = text.find('|');
  out.model = text.substr(0, bar);
  if (out.model.empty()) {
    return fail(ErrorKind::kCallerInvalid, "bad_configuration",
                "A configuration starts with the name of a model.");
  }
  auto rest = bar == std::string_view::npos ? std::string_view{} : text.substr(bar + 1);
  while (!rest.empty()) {
    const auto next = rest.find('|');
    const auto part = rest.substr(0, next);
    rest = next == std::string_view::npos ? std::string_view{} : rest.substr(next + 1);
    const auto value = part.size() > 2 ? part.substr(2) : std::string_view{};
    bool good = part.size() > 2 && part[1] == '=';
    if (good && part[0] == 't') {
      out.transform = value;
    } else if (good && part[0] == 'g') {
      out.guide = value;
    } else if (good && part[0] == 'e') {
      out.effort = value;
    } else if (good && part[0] == 's') {
      const auto parsed = std::from_chars(value.data(), value.data() + value.size(), out.samples);
      good = parsed.ec == std::errc{} && parsed.ptr == value.data() + value.size() && out.samples >= 1 &&
             out.samples <= 64;
    } else {
      good = false;
    }
    if (!good) {
      return fail(ErrorKind::kCallerInvalid, "bad_configuration",
                  "'" + std::string(part) + "' in configuration '" + std::string(text) +
                      "' is not one of t=TRANSFORM, g=GUIDE, s=SAMPLES (1..64), e=EFFORT.");
    }
  }
  return out;
}

}  // namespace brevet
