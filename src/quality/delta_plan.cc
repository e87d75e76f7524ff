#include "quality/delta_plan.h"

namespace brevet {

double DeltaPlan::ledger() const {
  return (1 - confidence) / 2 / groups;
}

double DeltaPlan::certificate(std::uint32_t version) const {
  constexpr double kSixOverPiSquared = .6079271018540267;
  const double v = version;
  return (1 - confidence) / 2 / groups * kSixOverPiSquared / (v * v);
}

}  // namespace brevet
