// Who may be wrong how often: the shares of 1 - confidence.
//
// Half for the ledgers, half for the certificates; each half in equal parts over the groups; a group's
// certificate part over its versions as 6 / (pi^2 v^2), which sums to 1 however many there will be. Union
// bound; pure.
#pragma once

#include <cstdint>

namespace brevet {

struct DeltaPlan {
  double confidence = .95;
  std::uint32_t groups = 1;

  double ledger() const;
  /// Versions count from 1.
  double certificate(std::uint32_t version) const;
};

}  // namespace brevet
