// What a contract can ever bring, said before money is spent on it.
//
// "With these two models and this score at most 38% can ever go to the cheap one": the largest share of
// requests, taken in the order of the score, whose mean surplus with the rest on the reference is not
// negative. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "quality/surplus.h"

namespace brevet {

/// One compared request.
struct ScoredPair {
  double score = 0;  ///< the higher, the rather it needs the reference
  Qualities qualities;
  double weight = 1;  ///< 1/p where it was compared with probability p
};

struct FeasibleShare {
  double share = 0;       ///< of requests, best threshold in hindsight on these pairs
  double share_high = 1;  ///< 95% upper bound (bootstrap over pairs, seeded)
  double score =
      0;  ///< that threshold: scores <= it go to the risky side; -infinity where no share is feasible
  double surplus = 0;            ///< mean surplus there
  double all_risky_surplus = 0;  ///< mean surplus of sending everything
  std::size_t n = 0;
};

FeasibleShare feasible_share(std::span<const ScoredPair> pairs, SurplusKind kind, double retain,
                             std::size_t resamples = 200, unsigned seed = 1);

/// Requests until a position with this mean and second moment of estimates is certified at delta: about
/// 2 E[Zhat^2] log(experts / delta) / E[Zhat]^2. Empty where the mean is not above 0.
std::optional<double> requests_to_certify(double mean, double second_moment, double delta,
                                          std::size_t experts = 10);

/// What a cold ledger must be shown first.
struct EntryFee {
  double retain = .95;
  double delta = .025;  ///< the ledger's
  double reference_quality = .8;
  double shadow_probability = 1;    ///< while risky answers are served
  double risky_share = .4;          ///< of requests, once they are served
  double loss_second_moment = .06;  ///< E[Z^2] of what is served
};
/// Requests until the risky share can be served without pause: the price of confidence, from the first two
/// moments. A guide for people, not a promise: a share that is served in simulation begins after fewer
/// requests, down to a quarter of this at p = 1 and a sixth below.
double entry_fee_requests(const EntryFee& fee);

}  // namespace brevet
