// Goal: a bad position is certified no more often than delta allows, a good one soon, and the alarm keeps its
// mean run length. Method: seeded simulations at the boundary (mean surplus exactly 0) with peeking at every
// step, counts against binomial limits; mutants of the feeding that must be caught. bench/contract repeats
// the counts at full size.
#include "quality/certificate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/random.h"
#include "quality/drift_detector.h"

namespace brevet {
namespace {

constexpr double kRho = .95;

/// Z = -.95 with probability q, else +.05: mean 0 at q = .05.
double draw_surplus(Draws& draws, double loss) {
  return draws.uniform() < loss ? -kRho : 1 - kRho;
}

bool certifies(double loss, double p, int steps, double delta, std::uint64_t seed, int* when = nullptr) {
  Certificate certificate({kRho, delta, 1});
  Draws draws(seed, 2);
  for (int t = 1; t <= steps; ++t) {
    const double z = draw_surplus(draws, loss);
    const bool fired = draws.uniform() < p;
    certificate.observe({1, fired ? z / p : 0, 0, .9 * p});
    if (certificate.certified() > 0) {
      if (when != nullptr) *when = t;
      return true;
    }
  }
  return false;
}

TEST(Certificate, AtTheBoundaryItIsWrongNoMoreOftenThanDelta) {
  for (const double p : {1.0, .2, .05}) {
    int wrong = 0;
    for (std::uint64_t seed = 0; seed < 300; ++seed) wrong += certifies(.05, p, 2'000, .05, seed);
    EXPECT_LE(wrong, 27) << p;  // 15 expected at most; P(> 27) = .001
  }
}

TEST(Certificate, CertifiesAnEasyCaseWithinFourTimesItsSize) {
  // Mean .05 - .02 = .03, E[Zhat^2] = (.02 * .9025 + .98 * .0025) / p.
  for (const double p : {1.0, .2}) {
    const double second = (.02 * kRho * kRho + .98 * .0025) / p;
    const int n = static_cast<int>(2 * second * std::log(10 / .05) / (.03 * .03));
    int found = 0;
    for (std::uint64_t seed = 0; seed < 200; ++seed) found += certifies(.02, p, 4 * n, .05, seed);
    EXPECT_GE(found, 190) << p << " n " << n;
  }
}

TEST(Certificate, PositionsAreCertifiedInOrderAndOnlyWhatTheyServeCounts) {
  Certificate certificate({kRho, .05, 4});
  Draws draws(3, 3);
  // Position 3 and 4 lose; 1 and 2 do not.
  for (int t = 0; t < 6'000; ++t) {
    const auto position = 1 + static_cast<std::uint32_t>(draws.uniform() * 4);
    const double z = draw_surplus(draws, position <= 2 ? .005 : .4);
    certificate.observe({position, z, 1 - kRho, .9});
  }
  EXPECT_EQ(certificate.certified(), 2u);
  EXPECT_GT(certificate.log_wealth(1), certificate.log_needed());
  EXPECT_LT(certificate.log_wealth(3), 0);
  EXPECT_FALSE(certificate.until_next().growing);
  std::string bytes, again_bytes;
  certificate.append_state(bytes);
  Certificate again({kRho, .05, 4});
  std::string_view view = bytes;
  ASSERT_TRUE(again.restore_state(view));
  again.append_state(again_bytes);
  EXPECT_EQ(bytes, again_bytes);
  view = std::string_view(bytes).substr(0, 20);
  EXPECT_EQ(again.restore_state(view).error().code, "contract_state_broken");
}

/// How often a wrong feeding certifies what is exactly at, or below, the boundary.
template <class Feed>
int falsely_certified(int runs, const Feed& feed) {
  int wrong = 0;
  for (std::uint64_t seed = 0; seed < static_cast<std::uint64_t>(runs); ++seed) {
    Certificate certificate({kRho, .05, 1});
    Draws draws(seed, 8);
    wrong += feed(certificate, draws);
  }
  return wrong;
}

TEST(CertificateMutants, BetsThatDependOnTheRequestAreCaught) {
  // Two kinds of request, mean surplus 0 over both: one never loses and is compared always, the other loses
  // 10% and is compared rarely. A bet of .9 p(x) instead of .9 p_min backs the first kind alone.
  const auto run = [](double cap_good, double cap_bad) {
    return falsely_certified(60, [=](Certificate& certificate, Draws& draws) {
      for (int t = 0; t < 2'000 && certificate.certified() == 0; ++t) {
        const bool good = draws.uniform() < .5;
        const double p = good ? 1 : .1, z = draw_surplus(draws, good ? 0 : .1);
        const bool fired = draws.uniform() < p;
        certificate.observe({1, fired ? z / p : 0, 0, good ? cap_good : cap_bad});
      }
      return certificate.certified() > 0;
    });
  };
  EXPECT_LE(run(.09, .09), 9);  // 3 expected at most
  EXPECT_GE(run(.9, .09), 55);
}

TEST(CertificateMutants, ArrivalOrderIsCaught) {
  // 20% lose; news of a loss comes 1,000 requests later. Fed as it arrives, good news alone is seen first.
  const int wrong = falsely_certified(40, [](Certificate& certificate, Draws& draws) {
    std::vector<int> late;
    std::size_t next = 0;
    for (int t = 0; t < 3'000; ++t) {
      const double z = draw_surplus(draws, .2);
      if (z < 0)
        late.push_back(t + 1'000);
      else
        certificate.observe({1, z, 0, .9});
      for (; next < late.size() && late[next] <= t; ++next) certificate.observe({1, -kRho, 0, .9});
    }
    return certificate.certified() > 0;
  });
  EXPECT_EQ(wrong, 40);
}

TEST(CertificateMutants, DroppingWhatNeverComesIsCaught) {
  const int wrong = falsely_certified(40, [](Certificate& certificate, Draws& draws) {
    for (int t = 0; t < 2'000; ++t) {
      const double z = draw_surplus(draws, .2);
      certificate.observe(
          {1, z > 0 ? z : 0, 0, .9});  // a loss times out, and counts as a coin that did not fall
    }
    return certificate.certified() > 0;
  });
  EXPECT_EQ(wrong, 40);
}

TEST(CertificateMutants, ACoinThatChangesWhatIsServedIsCaught) {
  const int wrong = falsely_certified(40, [](Certificate& certificate, Draws& draws) {
    for (int t = 0; t < 3'000; ++t) {
      const bool fired = draws.uniform() < .3;
      const double z = draw_surplus(draws, fired ? .01 : .3);  // the watched answers are the careful ones
      certificate.observe({1, fired ? z / .3 : 0, 0, .27});
    }
    return certificate.certified() > 0;
  });
  EXPECT_GE(wrong, 38);
}

TEST(DriftDetector, MeanRunLengthAtTheBoundaryIsAtLeastWhatItSays) {
  constexpr double kRunLength = 400;
  for (const double p : {1.0, .2}) {
    double sum = 0, squares = 0;
    constexpr int kRuns = 300;
    for (std::uint64_t seed = 0; seed < kRuns; ++seed) {
      DriftDetector detector({kRunLength});
      Draws draws(seed, 4);
      double t = 0;
      constexpr double kLimit = 20'000;
      for (bool alarm = false; !alarm && t < kLimit; ++t) {
        const double z = draw_surplus(draws, .05);
        alarm = detector.observe(draws.uniform() < p ? z / p : 0, .05 / p);
      }
      sum += t;
      squares += t * t;
    }
    const double mean = sum / kRuns, error = std::sqrt((squares / kRuns - mean * mean) / kRuns);
    EXPECT_GE(mean, kRunLength - 3 * error) << p;
  }
}

TEST(DriftDetector, SeesAModelThatFell) {
  double total = 0;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    DriftDetector detector({100'000});
    Draws draws(seed, 4);
    for (int t = 0; t < 5'000; ++t) ASSERT_FALSE(detector.observe(draw_surplus(draws, .02), .05)) << seed;
    int delay = 0;
    for (bool alarm = false; !alarm && delay < 2'000; ++delay)
      alarm = detector.observe(draw_surplus(draws, .4), .05);
    ASSERT_LT(delay, 2'000);
    total += delay;
  }
  EXPECT_LT(total / 50, 100);
}

}  // namespace
}  // namespace brevet
