#include "catalog/model_facts.h"

namespace brevet {

__extension__ typedef __int128 Wide;

const char* name_of(Capability capability) {
  switch (capability) {
    case Capability::kInstruct:
      return "instruct";
    case Capability::kCompletion:
      return "completion";
    case Capability::kReasoning:
      return "reasoning";
    case Capability::kTools:
      return "tools";
    case Capability::kFillInMiddle:
      return "fill_in_middle";
    case Capability::kVision:
      return "vision";
    case Capability::kStructuredOutput:
      return "structured_output";
  }
  return "instruct";
}

std::optional<Capability> parse_capability(std::string_view name) {
  for (const auto capability : kCapabilities) {
    if (name == name_of(capability)) return capability;
  }
  return std::nullopt;
}

const char* name_of(LicenceClass kind) {
  switch (kind) {
    case LicenceClass::kPermissive:
      return "permissive";
    case LicenceClass::kCommunity:
      return "community";
    case LicenceClass::kNonCommercial:
      return "non_commercial";
    case LicenceClass::kProprietary:
      return "proprietary";
  }
  return "proprietary";
}

std::optional<LicenceClass> parse_licence_class(std::string_view name) {
  for (const auto kind : {LicenceClass::kPermissive, LicenceClass::kCommunity, LicenceClass::kNonCommercial,
                          LicenceClass::kProprietary}) {
    if (name == name_of(kind)) return kind;
  }
  return std::nullopt;
}

Money blended_price(const ModelPrice& price, int input_parts, int output_parts) {
  const Wide parts = Wide{input_parts} + output_parts;
  const Wide sum = Wide{price.input_per_million.pico_usd} * input_parts +
                   Wide{price.output_per_million.pico_usd} * output_parts;
  return Money::from_pico(static_cast<std::int64_t>((sum + parts / 2) / parts));
}

}  // namespace brevet
