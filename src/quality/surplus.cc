#include "quality/surplus.h"

#include <algorithm>
#include <cmath>

namespace brevet {

namespace {

/// What is not a number counts as `unknown`, the worse side of where it is used.
double share(double quality, double unknown) {
  return std::isnan(quality) ? unknown : std::clamp(quality, 0.0, 1.0);
}

}  // namespace

double risky_surplus(SurplusKind kind, double retain, Qualities qualities) {
  const double risky = share(qualities.risky, 0);
  const double reference = kind == SurplusKind::kAgreement ? 1 : share(qualities.reference, 1);
  if (kind == SurplusKind::kTruth) return risky - retain * reference;
  return (1 - retain) * reference - std::max(0.0, reference - risky);
}

double reference_surplus(SurplusKind kind, double retain, double reference_quality) {
  return (1 - retain) * (kind == SurplusKind::kAgreement ? 1 : share(reference_quality, 0));
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
