#include "quality/surplus.h"

#include <algorithm>

namespace brevet {

double risky_surplus(SurplusKind kind, double retain, Qualities qualities) {
  const double risky = std::clamp(qualities.risky, 0.0, 1.0);
  const double reference = kind == SurplusKind::kAgreement ? 1 : std::clamp(qualities.reference, 0.0, 1.0);
  if (kind == SurplusKind::kTruth) return risky - retain * reference;
  return (1 - retain) * reference - std::max(0.0, reference - risky);
}

double reference_surplus(SurplusKind kind, double retain, double reference_quality) {
  return (1 - retain) * (kind == SurplusKind::kAgreement ? 1 : std::clamp(reference_quality, 0.0, 1.0));
}

double surplus_max(SurplusKind kind, double retain) {
  return kind == SurplusKind::kTruth ? 1 : 1 - retain;
}

std::string_view name_of(SurplusKind kind) {
  switch (kind) {
    case SurplusKind::kTruth:
      return "truth";
    case SurplusKind::kOneSided:
      return "one_sided";
    case SurplusKind::kAgreement:
      return "agreement";
  }
  return "";
}

}  // namespace brevet
