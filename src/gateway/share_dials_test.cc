// Goal: a dial that is a share is met over a few hundred requests, whatever the learner's lag and the drift
// of scores, and stands where it stood after a restart. Method: seeded simulation: the real flow, strategy
// and dials serve requests whose scores drift and are ranked among those that a learner saw `lag` requests
// ago.
#include "gateway/share_dials.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "gateway/baseline.h"
#include "gateway/test_fakes.h"

namespace brevet {
namespace {

using testing_fakes::World;

constexpr std::size_t kWindow = 500;  // as many scores as memory keeps
constexpr std::size_t kWarmUp = 100;  // fewer are no rank
constexpr std::size_t kBlock = 300;

/// How the scores of request number t are distributed.
struct Traffic {
  const char* name;
  double (*score)(double normal, std::size_t t);
};
constexpr Traffic kSteady{"steady", [](double z, std::size_t) { return z; }};
constexpr Traffic kRamp{"ramp", [](double z, std::size_t t) { return z + static_cast<double>(t) / 300; }};
constexpr Traffic kFall{"fall", [](double z, std::size_t t) { return z - static_cast<double>(t) / 300; }};
constexpr Traffic kJump{"jump", [](double z, std::size_t t) { return t < 1'500 ? z : z + 3; }};
constexpr Traffic kWaves{
    "waves", [](double z, std::size_t t) { return z + 2 * std::sin(static_cast<double>(t) / 120); }};
constexpr Traffic kTies{"ties", [](double z, std::size_t) { return z > 0 ? 1.0 : 0.0; }};

double normal(std::uint64_t seed, std::uint64_t t) {
  const auto uniform = [&](std::uint64_t n) {
    return (static_cast<double>(mix_bits(seed, 2 * t + n) >> 11) + 0.5) * 0x1.0p-53;
  };
  return std::sqrt(-2 * std::log(uniform(0))) * std::cos(2 * M_PI * uniform(1));
}

/// Rank of scores[t] among the newest that a learner `lag` requests behind has seen.
std::optional<double> rank(const std::vector<double>& scores, std::size_t t, std::size_t lag) {
  const std::size_t end = t > lag ? t - lag : 0;
  const std::size_t begin = end > kWindow ? end - kWindow : 0;
  if (end - begin < kWarmUp) return std::nullopt;
  double below = 0;
  for (std::size_t i = begin; i < end; ++i)
    below += scores[i] < scores[t] ? 1 : scores[i] == scores[t] ? 0.5 : 0;
  return below / static_cast<double>(end - begin);
}

struct Realised {
  double whole = 0;        ///< share of the reference
  double worst_block = 0;  ///< largest error of kBlock requests in a row
  double worst_by_rank_alone = 0;
};

double worst_block(const std::vector<bool>& reference, double share) {
  double worst = 0;
  for (std::size_t begin = 0; begin + kBlock <= reference.size(); begin += 50) {
    const auto first = reference.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto n = std::count(first, first + kBlock, true);
    worst = std::max(worst, std::abs(static_cast<double>(n) / kBlock - share));
  }
  return worst;
}

Realised simulate(const Traffic& traffic, double share, std::size_t lag, std::uint64_t seed) {
  World world;
  world.use("adaptive", {{"strong_share", share}, {"outcomes_min", std::int64_t{0}}, {"exact", false}});
  world.snapshot->expected.outcomes = 1'000;
  std::vector<double> scores;
  std::vector<bool> reference, by_rank_alone;
  const auto request = World::request();
  for (std::size_t t = 0; t < 3'000; ++t) {
    scores.push_back(traffic.score(normal(seed, t), t));
    world.snapshot->expected.score_rank = rank(scores, t, lag);
    const auto decision = world.serve(request);
    if (!world.snapshot->expected.score_rank) continue;  // nobody can rank it yet
    reference.push_back(decision->served()->configuration.model == "strong");
    by_rank_alone.push_back(*world.snapshot->expected.score_rank < share);
  }
  Realised out;
  out.whole = static_cast<double>(std::count(reference.begin(), reference.end(), true)) /
              static_cast<double>(reference.size());
  out.worst_block = worst_block(reference, share);
  out.worst_by_rank_alone = worst_block(by_rank_alone, share);
  return out;
}

TEST(ShareDial, IsMetOverEvery300RequestsWhateverLagAndDrift) {
  for (const auto& traffic : {kSteady, kRamp, kFall, kJump, kWaves, kTies}) {
    for (const std::size_t lag : {0, 100, 500}) {
      for (const double share : {0.8, 0.3}) {
        const auto realised = simulate(traffic, share, lag, 7 + lag);
        SCOPED_TRACE(std::string(traffic.name) + ", lag " + std::to_string(lag) + ", dial " +
                     std::to_string(share));
        // Five points where scores stay as they are; the bound of share_dial.h where drift takes the
        // threshold from end to end; and it evens out.
        const bool drifts = traffic.score(0, 0) != traffic.score(0, 2'000);
        EXPECT_NEAR(realised.whole, share, 0.015);
        EXPECT_LE(realised.worst_block, drifts ? (1 + 2 * kShareGain) / (kShareGain * kBlock) : 0.05);
        RecordProperty(std::string(traffic.name) + std::to_string(lag) + (share > 0.5 ? "high" : "low"),
                       std::to_string(realised.worst_block) + " by rank alone " +
                           std::to_string(realised.worst_by_rank_alone));
        if (traffic.name == std::string("jump") && lag == 500 && share > 0.5) {
          EXPECT_GT(realised.worst_by_rank_alone, 0.15) << "else this traffic tests nothing";
        }
      }
    }
  }
}

TEST(ShareDial, TheEndsAreKept) {
  EXPECT_EQ(simulate(kWaves, 1, 100, 3).whole, 1);
  EXPECT_EQ(simulate(kWaves, 0, 100, 3).whole, 0);
}

TEST(ShareDial, WhatCannotBeMetIsNotOwedLater) {
  ShareDial dial;
  // Guides serve everything: the reference gets nothing for a thousand requests.
  for (int i = 0; i < 1'000; ++i) dial = after_vote(dial, {0.8, ShareChoice::kWeak});
  EXPECT_LE(share_threshold(dial), 1 + kShareGain);
  // Then ranks are uniform again: within fifteen choices of the reference the threshold is back.
  int choices = 0;
  while (share_threshold(dial) > 0.9) {
    dial = after_vote(dial, {0.8, ShareChoice::kReference});
    ++choices;
  }
  EXPECT_LE(choices, 40);
}

TEST(ShareDial, AnotherShareStartsAnew) {
  ShareDial dial;
  for (int i = 0; i < 50; ++i) dial = after_vote(dial, {0.8, ShareChoice::kReference});
  EXPECT_LT(dial.offset, 0);
  dial = after_vote(dial, {0.5, ShareChoice::kReference});
  EXPECT_DOUBLE_EQ(dial.offset, -kShareGain * 0.5);
}

TEST(ShareDial, SurvivesARestartBitByBit) {
  ShareDials dials;
  for (int i = 0; i < 37; ++i)
    dials.count("team \"a\"", "auto", {0.8, i % 7 == 0 ? ShareChoice::kWeak : ShareChoice::kReference});
  dials.count("other", "auto", {0.3, ShareChoice::kWeak});
  ShareDials again;
  ASSERT_TRUE(again.restore(dials.save()));
  EXPECT_EQ(again.of("team \"a\"", "auto").offset, dials.of("team \"a\"", "auto").offset);
  EXPECT_EQ(again.of("other", "auto").share, 0.3);
  EXPECT_FALSE(again.restore("{}"));
  EXPECT_FALSE(again.restore(R"([["a","b",0.5]])"));
  EXPECT_EQ(again.of("other", "auto").share, 0.3) << "what cannot be read changes nothing";
  again.forget_tenant("other");
  EXPECT_EQ(again.of("other", "auto").share, 0);
}

TEST(ShareDial, ADryRunMovesNothingAndFailuresAreNoChoice) {
  World world;
  ShareDials dials;
  FlowParts parts{world.features, world.outcomes, world.clock, [&] { return SnapshotPtr(world.snapshot); }};
  parts.new_decision_id = [] { return "dec_x"; };
  parts.next_number = [] { return std::uint64_t{1}; };
  parts.dials = &dials;
  world.flow = make_request_flow(std::move(parts));
  world.use("adaptive", {{"strong_share", 0.8}, {"outcomes_min", std::int64_t{0}}});
  world.snapshot->expected.outcomes = 1'000;
  world.snapshot->expected.score_rank = 0.9;
  ASSERT_TRUE(world.sync(world.flow->dry_run(world.runtime(), World::request(), {})));
  EXPECT_EQ(dials.of("default", "auto").offset, 0);
  world.weak->fallback.fails = ErrorKind::kProviderUnavailable;
  EXPECT_EQ(world.serve(World::request())->served()->configuration.model, "strong");
  EXPECT_DOUBLE_EQ(dials.of("default", "auto").offset, kShareGain * 0.8) << "weak was chosen";
}

TEST(Baseline, MeansSurviveARestart) {
  BaselineEstimator means;
  Usage usage;
  usage.output_tokens = 30;
  means.observe("auto", "strong", usage, testing_fakes::usd(500));
  usage.output_tokens = 31;
  means.observe("auto", "strong", usage, testing_fakes::usd(800));
  BaselineEstimator again;
  ASSERT_TRUE(again.restore(means.save()));
  EXPECT_EQ(again.save(), means.save());
  const auto estimate = again.estimate("auto", "strong", nullptr, {}, 100);
  EXPECT_EQ(estimate.cost.amount, Money::from_pico(650));
  EXPECT_NE(estimate.note.find("2 answers"), std::string::npos) << estimate.note;
  EXPECT_FALSE(again.estimate("auto", "another", nullptr, {}, 100).cost.amount)
      << "what one reference cost says nothing about another";
  EXPECT_FALSE(again.restore(R"([["auto","strong",1,-5,1,1]])"));
  EXPECT_EQ(again.save(), means.save());
}

}  // namespace
}  // namespace brevet
