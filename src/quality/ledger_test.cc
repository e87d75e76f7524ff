// Goal: the ledger's bound is right, and tight. Method: exact enumeration (every coin of short adaptive
// histories is summed, so expectations are exact), an independent model of the same formulas with mutants
// that must fail, and seeded simulations whose error rate is known.
#include "quality/ledger.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numeric>

#include "base/random.h"
#include "quality/contract_worlds.h"
#include "quality/state_bytes.h"

namespace brevet {
namespace {

constexpr double kRho = .95;

/// Every way to be wrong that the tests must notice.
enum class Mutant {
  kNone,
  kSitOutAtRho,        // an expert that cannot afford m books its own prediction only where the coin falls
  kLambdaScaledByP,    // bets lambda p instead of lambda
  kMissingDropped,     // what never comes counts as a coin that did not fall
  kCoinChangesServed,  // where the coin falls the better answer is served
  kPendingAtRho,       // open comparisons are reserved at rho each instead of being booked at their worst
  kUnclippedM,         // m outside [-rho, 1 - rho] is believed
};

struct Step {
  bool reference = false;
  double p = 1, m = 0, audit = 1;
  bool judged = false;
  double z = 0, judged_z = 0;
  int arrival = 0;  ///< settled after so many further steps; -1 = never
};

/// The same formulas, written again with plain doubles and none of the product's code.
class Model {
 public:
  explicit Model(Mutant mutant) : mutant_(mutant) {
    double lambda = 2;
    for (double& each : lambda_) {
      each = lambda;
      lambda *= .55;
    }
  }
  void admit(const Step& s, bool fired, bool audited) {
    if (s.p == 1 && !s.judged) {
      known_ -= kRho;
      return;
    }
    predicted_ += s.m;
    const bool pending = mutant_ == Mutant::kPendingAtRho;
    if (pending && fired) ++reserved_;
    for (std::size_t i = 0; i < kExperts; ++i)
      if (!(pending && fired)) j_[i] += log_factor(i, s, fired, audited, -kRho, audited ? 1 : -kRho);
  }
  void settle(const Step& s, bool fired, bool audited) {
    if (s.p == 1 && !s.judged) {
      known_ += kRho + s.z;
      return;
    }
    if (!fired) return;
    const bool pending = mutant_ == Mutant::kPendingAtRho;
    if (pending) --reserved_;
    for (std::size_t i = 0; i < kExperts; ++i)
      j_[i] += log_factor(i, s, fired, audited, s.z, s.judged_z) -
               (pending ? 0 : log_factor(i, s, fired, audited, -kRho, audited ? 1 : -kRho));
  }
  void drop(const Step& s, bool fired, bool audited) {
    if (mutant_ != Mutant::kMissingDropped || !fired) return;
    if (s.p == 1 && !s.judged) {
      known_ += kRho;
      return;
    }
    for (std::size_t i = 0; i < kExperts; ++i)
      j_[i] -= log_factor(i, s, fired, audited, -kRho, audited ? 1 : -kRho);
  }
  void reference(double z) { known_ += z; }
  double wealth_at(double surplus) const {
    double sum = 0;
    for (std::size_t i = 0; i < kExperts; ++i)
      sum += std::exp(j_[i] + lambda_[i] * (known_ + predicted_ - kRho * reserved_ - surplus)) / kExperts;
    return sum;
  }

 private:
  static constexpr std::size_t kExperts = 12;
  double log_factor(std::size_t i, const Step& s, bool fired, bool audited, double z, double judged_z) const {
    const double lambda = mutant_ == Mutant::kLambdaScaledByP ? lambda_[i] * s.p : lambda_[i];
    double own = std::min(s.m, -kRho - std::log(1 - .9 * s.p) / lambda);
    if (mutant_ == Mutant::kUnclippedM) own = s.m;
    const double base = lambda_[i] * s.m;
    if (!fired) return mutant_ == Mutant::kSitOutAtRho ? 0 : lambda * own - base;
    const auto h = [&](double x) {
      return (std::exp(lambda * x) - (1 - s.p) * std::exp(lambda * own)) / s.p;
    };
    double factor = std::max(h(z), 1e-300);
    if (s.judged) {
      double guess = h(judged_z);
      if (s.audit < 1)
        guess = std::min(guess, (h(-kRho) - .1 * s.audit * std::exp(lambda * own)) / (1 - s.audit));
      factor = audited ? guess + (h(z) - guess) / s.audit : guess;
    }
    return std::log(factor) - base;
  }
  Mutant mutant_;
  double known_ = 0, predicted_ = 0, reserved_ = 0;
  std::array<double, kExperts> lambda_{}, j_{};
};

LedgerStep step_of(const Step& s, bool fired, bool audited) {
  return {probability_of(s.p), fixed_near(s.m), fired, s.judged, probability_of(s.audit), audited};
}

struct Both {
  Ledger product{LedgerOptions{.retain = kRho, .delta = .025, .surplus_max = 1}};
  Model model;
  double surplus = 0;
};
struct Waiting {
  Step step;
  bool fired, audited;
  std::size_t due;  ///< step at which it is settled
};

constexpr std::size_t kSettled = 1'000'000;

struct World {
  std::uint64_t seed;
  std::size_t length;
  bool all_arrive;  ///< every outcome comes in the end and every reference is measured
  bool judges;
  Mutant mutant;
};

/// The adversary: what happens next may depend on everything that happened, coins and bound included.
Step choose(const World& world, std::size_t t, std::uint64_t history) {
  Draws draws(world.seed, mix_bits(history, t));
  static constexpr std::array<double, 6> kP = {1, .7, .5, .2, .05, .9};
  static constexpr std::array<double, 8> kZ = {-.95, -.95, -.4, 0, .05, .05, .6, 1};
  Step s;
  s.reference = draws.uniform() < .2;
  s.p = kP[static_cast<std::size_t>(draws.uniform() * 6)];
  s.m = draws.uniform() < .4 ? 0 : -kRho + draws.uniform();
  if (world.mutant == Mutant::kUnclippedM) s.m = draws.uniform() * 3;
  s.z = kZ[static_cast<std::size_t>(draws.uniform() * 8)];
  if (s.reference) s.z = .05 * draws.uniform();
  s.judged = world.judges && draws.uniform() < .6;
  if (s.judged) s.audit = draws.uniform() < .5 ? .2 : .6;
  s.judged_z = std::min(.05, kZ[static_cast<std::size_t>(draws.uniform() * 8)]);
  const double late = draws.uniform();
  s.arrival = late < .4 ? 0 : late < .7 ? static_cast<int>(draws.uniform() * 5) : -1;
  if (world.all_arrive && s.arrival < 0) s.arrival = 9;
  return s;
}

struct Sums {
  double product = 0, model = 0, disagreement = 0;
};

/// Adds the wealth of every coin outcome, weighted with its probability.
void enumerate(const World& world, std::size_t t, std::uint64_t history, double weight, Both both,
               std::vector<Waiting> waiting, Sums& sums) {
  for (auto& each : waiting) {
    const bool at_the_end = t == world.length && world.all_arrive && each.due != kSettled;
    if (each.due != t && !at_the_end) continue;
    const LedgerStep step = step_of(each.step, each.fired, each.audited);
    if (each.step.arrival < 0) continue;
    both.product.settle(step, {fixed_floor(each.step.z), fixed_floor(each.step.judged_z)});
    both.model.settle(each.step, each.fired, each.audited);
    each.due = kSettled;
  }
  if (t == world.length) {
    for (auto& each : waiting)
      if (each.due != kSettled) both.model.drop(each.step, each.fired, each.audited);
    const double product = std::exp(both.product.log_wealth_at(both.surplus));
    const double model = both.model.wealth_at(both.surplus);
    sums.product += weight * product;
    sums.model += weight * model;
    sums.disagreement = std::max(sums.disagreement, std::abs(product - model) / std::max(1.0, model));
    return;
  }
  const Step s = choose(world, t, history);
  if (s.reference) {
    both.surplus += s.z;
    if (world.all_arrive || s.arrival >= 0) {
      both.product.reference_measured(fixed_floor(s.z));
      both.model.reference(s.z);
    }
    enumerate(world, t + 1, mix_bits(history, 7), weight, both, waiting, sums);
    return;
  }
  for (const bool fired : {false, true}) {
    const double coin = fired ? s.p : 1 - s.p;
    if (coin == 0) continue;
    for (const bool audited : {false, true}) {
      const double audit = !s.judged || !fired ? (audited ? 0 : 1) : (audited ? s.audit : 1 - s.audit);
      if (audit == 0) continue;
      Both next = both;
      Step served = s;
      if (world.mutant == Mutant::kCoinChangesServed && fired) served.z = .05;
      next.product.admit(step_of(s, fired, audited));
      next.model.admit(s, fired, audited);
      next.surplus += served.z;
      auto later = waiting;
      later.push_back({served, fired, audited, t + 1 + static_cast<std::size_t>(std::max(0, s.arrival))});
      if (s.arrival < 0) later.back().due = kSettled - 1;
      enumerate(world, t + 1, mix_bits(history, (fired ? 11 : 5) + (audited ? 64 : 0)), weight * coin * audit,
                std::move(next), std::move(later), sums);
    }
  }
}

Sums expectation(const World& world) {
  Sums sums;
  enumerate(world, 0, 1, 1, Both{.model = Model(world.mutant)}, {}, sums);
  return sums;
}

TEST(LedgerEnumeration, ExpectedWealthIsAtMostOneUnderEveryAdversary) {
  double largest = 0;
  for (std::uint64_t seed = 1; seed <= 1'200; ++seed) {
    const Sums sums = expectation({seed, 3 + seed % 4, false, seed % 3 == 0, Mutant::kNone});
    ASSERT_LE(sums.product, 1 + 1e-12) << seed;
    ASSERT_LT(sums.disagreement, 1e-6) << seed;
    largest = std::max(largest, sums.product);
  }
  EXPECT_GT(largest, .999);
  // A few long ones: 2^9 coins and more.
  for (std::uint64_t seed = 1; seed <= 12; ++seed)
    EXPECT_LE(expectation({seed, 9, false, false, Mutant::kNone}).product, 1 + 1e-12) << seed;
}

TEST(LedgerEnumeration, ExpectedWealthIsExactlyOneWhenEverythingArrives) {
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    const Sums sums = expectation({seed, 3 + seed % 4, true, seed % 2 == 0, Mutant::kNone});
    EXPECT_NEAR(sums.product, 1, 1e-6) << seed;
    EXPECT_LE(sums.product, 1 + 1e-12) << seed;
  }
}

TEST(LedgerEnumeration, EveryMutantIsCaught) {
  for (const Mutant mutant : {Mutant::kSitOutAtRho, Mutant::kLambdaScaledByP, Mutant::kMissingDropped,
                              Mutant::kCoinChangesServed, Mutant::kPendingAtRho, Mutant::kUnclippedM}) {
    double largest = 0;
    for (std::uint64_t seed = 1; seed <= 300; ++seed)
      largest = std::max(largest, expectation({seed, 3 + seed % 3, false, false, mutant}).model);
    EXPECT_GT(largest, 1.01) << "mutant " << static_cast<int>(mutant) << " passes";
  }
}

TEST(Ledger, ItsBoundIsWrongNearlyAsOftenAsDeltaAllowsAndADoubledDeltaIsSeen) {
  constexpr int kRuns = 400;
  const auto wrong = [](double delta) {
    int count = 0;
    for (std::uint64_t seed = 0; seed < kRuns; ++seed)
      count += contract_worlds::bound_ever_wrong(delta, seed, 800);
    return count;
  };
  constexpr int kLimit = 105;  // 80 expected at most; P(> 105) = .001
  const int honest = wrong(.2);
  EXPECT_LE(honest, kLimit);
  EXPECT_GE(honest, 30) << "the bound is looser than it need be";
  EXPECT_GT(wrong(.4), kLimit);
}

TEST(Ledger, NewsOnlyRaisesTheBoundAndStateIsTheSameBytes) {
  Draws draws(8, 8);
  Ledger ledger({.retain = kRho, .delta = .025, .surplus_max = 1});
  for (int t = 0; t < 500; ++t) {
    LedgerStep step;
    step.p = probability_of(.05 + draws.uniform());
    step.prediction = fixed_near(draws.uniform() - .9);
    step.fired = step.p.certain() || draws.uniform() < step.p.value();
    step.judged = draws.uniform() < .3;
    step.audit = probability_of(.1 + .9 * draws.uniform());
    step.audited = step.judged && draws.uniform() < step.audit.value();
    ledger.admit(step);
    if (!step.fired || draws.uniform() < .2) continue;
    const Fixed before = ledger.bound();
    ledger.settle(step, {fixed_near(2 * draws.uniform() - .95), fixed_near(draws.uniform() - .95)});
    ASSERT_GE(ledger.bound() + Fixed{64}, before) << t;  // the root is found to within 1e-8
  }
  std::string bytes, again_bytes;
  ledger.append_state(bytes);
  Ledger again({.retain = kRho, .delta = .025, .surplus_max = 1});
  std::string_view view = bytes;
  ASSERT_TRUE(again.restore_state(view));
  again.append_state(again_bytes);
  EXPECT_EQ(bytes, again_bytes);
  EXPECT_EQ(again.bound(), ledger.bound());
  view = std::string_view(bytes).substr(0, 30);
  EXPECT_EQ(again.restore_state(view).error().code, "contract_state_broken");
}

TEST(Ledger, WhatIsTooLowToBeKnownNeverComesBackAsCredit) {
  // A state as after more than 2^31 of evidence against each expert and 2^33 outcomes that never came.
  Ledger ledger({});
  std::string bytes;
  const Fixed low{Fixed::lowest().raw + 1};
  for (int i = 0; i < 4; ++i) put_bytes(bytes, Fixed{});
  put_bytes(bytes, std::uint64_t{1} << 33);
  for (std::size_t i = 0; i < ledger.lambdas().size(); ++i) put_bytes(bytes, low);
  std::string_view view = bytes;
  ASSERT_TRUE(ledger.restore_state(view));
  for (int i = 0; i < 10; ++i) {
    ledger.admit({probability_of(.05)});
    EXPECT_LT(ledger.bound().value(), -1e8) << i;
    EXPECT_EQ(ledger.certain_bound(), Fixed::lowest()) << i;
    EXPECT_FALSE(ledger.affords()) << i;
  }
}

}  // namespace
}  // namespace brevet
