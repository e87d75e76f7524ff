// Worlds that a contract is tested in: request streams whose models drift, fail at once or wait until they
// are trusted, with outcomes that come late, twice or never. For tests and bench/contract only; seeded.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

#include "base/random.h"
#include "quality/contract.h"

namespace brevet::contract_worlds {

enum class Drift { kNone, kStep, kRamp, kPeriodic, kAllWrong, kFlipsWhenTrusted };
inline constexpr Drift kEveryDrift[] = {Drift::kStep, Drift::kRamp, Drift::kPeriodic, Drift::kAllWrong,
                                        Drift::kFlipsWhenTrusted};

/// When outcomes come. Bad ones (the risky answer lost) may be the late ones.
enum class Arrival { kAtOnce, kBadLate200, kBadLate1000, kBadNever };

struct World {
  Drift drift = Drift::kNone;
  Arrival arrival = Arrival::kAtOnce;
  std::size_t steps = 4'000;
  double p_risky = .2;
  double reference_quality = .9;
  double loss_easy = 0;   ///< P(risky wrong where the reference is right) at score 0
  double loss_hard = .5;  ///< at score 1; quadratic between
  double win = .01;       ///< P(risky right where the reference is wrong)
  std::size_t change_at = 2'000;
  double judge_misses = 0;  ///< share of lost answers that the judge praises
  bool judged = false;      ///< a judge compares; `audit` of its comparisons are checked
  double audit = .2;
  bool believe_judge = false;  ///< mutant: its verdicts are booked as the truth
};

struct Played {
  bool broken = false;       ///< the sum of surplus was below 0 at some time
  bool bound_wrong = false;  ///< or below the ledger's bound
  double lowest = 0;         ///< smallest sum of surplus
  double surplus = 0;        ///< at the end
  std::uint64_t risky = 0;
  std::uint64_t risky_before_change = 0;
  std::uint64_t strong_shadows = 0;
  std::uint64_t first_risky = 0;  ///< request of the first risky answer, 0 = none
  std::uint64_t alarms = 0;
  std::uint64_t first_alarm = 0;
  std::uint32_t certified = 0;
  std::string state;
};

inline double loss_at(const World& world, double score, std::size_t t, double trust) {
  const double usual = world.loss_easy + (world.loss_hard - world.loss_easy) * score * score;
  const double late = t < world.change_at ? 0 : 1;
  switch (world.drift) {
    case Drift::kNone:
      return usual;
    case Drift::kStep:
      return std::min(1.0, usual + .4 * late);
    case Drift::kRamp:
      return std::min(1.0, usual + .8 * static_cast<double>(t) / static_cast<double>(world.steps));
    case Drift::kPeriodic:
      return (t / 500) % 2 == 0 ? usual : std::min(1.0, usual + .5);
    case Drift::kAllWrong:
      return late > 0 ? 1 : usual;
    case Drift::kFlipsWhenTrusted:
      return trust > 30 ? 1 : usual;  // as soon as there is credit to burn
  }
  return usual;
}

/// One stream through a contract with `positions` thresholds evenly spaced on the score.
inline Played run_world(const World& world, ContractOptions options, std::uint64_t seed) {
  options.key = {seed * 77 + 1, seed ^ 0x9e37};
  auto contract = std::move(*Contract::create(options));
  struct News {
    std::size_t due;
    std::uint64_t order;
    SettleEvent event;
    bool operator<(const News& other) const {
      return due != other.due ? due > other.due : order > other.order;
    }
  };
  std::priority_queue<News> news;
  Played run;
  Draws draws(seed, 17);
  double credit = 0;
  for (std::size_t t = 0; t < world.steps; ++t) {
    const double score = draws.uniform();
    const double loss = loss_at(world, score, t, credit);
    Qualities truth;
    // Under agreement the reference is right by definition.
    const bool right =
        draws.uniform() < world.reference_quality || options.surplus == SurplusKind::kAgreement;
    truth.reference = right ? 1 : 0;
    const double coin = draws.uniform();
    truth.risky = truth.reference > 0 ? (coin < loss ? 0 : 1) : (coin < world.win ? 1 : 0);
    const bool praised = draws.uniform() < world.judge_misses;
    Qualities judged = truth;
    if (truth.reference > truth.risky && praised) judged.risky = truth.reference;

    AdmitEvent event;
    event.number = contract->next_number();
    event.wish = Wish::kRisky;
    event.position = 1 + static_cast<std::uint32_t>(score * options.positions);
    event.shadow_if_risky = probability_of(world.p_risky);
    event.shadow_if_reference = {Probability::kOne};
    event.judged = world.judged && !world.believe_judge;
    event.audit = probability_of(world.audit);
    const Admission admission = contract->admit(event);
    credit = admission.credit.value();
    const bool risky = admission.served == Served::kRisky;
    run.surplus += risky ? risky_surplus(options.surplus, options.retain, truth)
                         : reference_surplus(options.surplus, options.retain, truth.reference);
    run.lowest = std::min(run.lowest, run.surplus);
    run.broken |= run.surplus < -1e-6;  // fixed-point rounding of the sum itself
    if (risky) {
      ++run.risky;
      run.strong_shadows += admission.shadow ? 1 : 0;
      if (run.first_risky == 0) run.first_risky = t + 1;
      if (t < world.change_at) ++run.risky_before_change;
    }
    if (admission.shadow) {
      SettleEvent settle;
      settle.number = admission.number;
      if (world.believe_judge) {
        settle.truth = judged;
      } else {
        if (event.judged) settle.judged = judged;
        if (!event.judged || admission.audit) settle.truth = truth;
      }
      const bool bad = truth.risky < truth.reference;
      std::size_t due = t;
      if (bad && world.arrival == Arrival::kBadLate200) due = t + 200;
      if (bad && world.arrival == Arrival::kBadLate1000) due = t + 1'000;
      if (!bad || world.arrival != Arrival::kBadNever) news.push({due, t, settle});
    } else if (!risky) {
      SettleEvent settle;
      settle.number = admission.number;
      settle.reference = truth.reference;
      news.push({t, t, settle});
    }
    while (!news.empty() && news.top().due <= t) {
      const SettleAnswer answer = contract->settle(news.top().event);
      if (answer.alarm && run.alarms++ == 0) run.first_alarm = t + 1;
      news.pop();
    }
    if (world.arrival == Arrival::kBadNever && t >= 1'500) {
      ExpireEvent expire;
      expire.number = event.number - 1'500;
      expire.all_before = true;
      if (contract->expire(expire).alarm && run.alarms++ == 0) run.first_alarm = t + 1;
    }
    if (t % 64 == 0) run.bound_wrong |= contract->report(0).bound > run.surplus + 1e-6;
  }
  run.certified = contract->report(0).certified;
  run.state = contract->state();
  return run;
}

/// Does the ledger's bound ever exceed the truth, if everything asked is admitted and settled at once? Its
/// wealth is then a martingale with small steps, so this happens nearly as often as delta allows: the test
/// that sees a doubled delta.
inline bool bound_ever_wrong(double delta, std::uint64_t seed, int steps) {
  // One expert, whose wealth is decided one way or the other within these steps.
  Ledger ledger({.retain = .95, .delta = delta, .surplus_max = 1, .experts = 1, .lambda_max = .3});
  Draws draws(seed, 41);
  double surplus = 0;
  for (int t = 0; t < steps; ++t) {
    const double z = draws.uniform() < .1 ? -.95 : .05;
    LedgerStep step{probability_of(.3)};
    step.fired = draws.uniform() < .3;
    ledger.admit(step);
    if (step.fired) ledger.settle(step, {fixed_near(z), fixed_near(z)});
    surplus += z;
    if (ledger.bound().value() > surplus + 1e-6) return true;
  }
  return false;
}

}  // namespace brevet::contract_worlds
