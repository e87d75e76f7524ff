// Goal: under a contract nothing but the reference's answer reaches a client without a seat; refusals serve
// the reference with their reason, and shadows tell the gate what they found. Method: the real flow, gate,
// runner and strategies with scripted models on one io_context.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/test_fakes.h"

namespace brevet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing_fakes::Script;
using testing_fakes::World;

struct ContractWorld : World {
  ContractWorld() {
    use("always_weak");
    learn({{"write_guides", false}, {"guides_max", std::int64_t{0}}});
    route.learning.guides = false;
    ContractTerms terms;
    terms.key = "k";
    terms.retain = .9;
    terms.check_share_min = .2;
    route.contract = terms;
  }
  std::shared_ptr<const Decision> ask(bool stream = false) {
    auto asked = request("auto", "What is 6 times 7? " + std::to_string(++sent));
    asked->stream = stream;
    return serve(asked);
  }
  ContractGroupState group() {
    const auto states = contracts->states();
    EXPECT_EQ(states.size(), 1u);
    return states.at(0).groups.at(0);
  }
  /// Until weak serves; false when it never does.
  bool until_weak(int most = 1'500) {
    for (int i = 0; i < most; ++i) {
      if (ask()->served()->configuration == route.weak) return true;
    }
    return false;
  }
  int sent = 0;
};

TEST(FlowContract, TheReferenceServesAndWeakIsComparedInTheShadow) {
  ContractWorld world;
  const auto decision = world.ask();
  EXPECT_EQ(decision->served()->configuration.key(), "strong");
  EXPECT_EQ(decision->reason.code, "contract_not_certified");
  EXPECT_THAT(decision->reason.sentence, HasSubstr("Served by strong."));
  EXPECT_EQ(decision->attempts.size(), 1u) << "weak is not called where its answer could not be served";
  ASSERT_EQ(world.weak->calls.size(), 1u);
  EXPECT_EQ(world.weak->calls.front().purpose, Purpose::kLearn);
  EXPECT_EQ(world.group().compared, 1u);
  EXPECT_EQ(world.group().agreed, 1u);
  EXPECT_EQ(world.group().report.refused_certificate, 1u);
  EXPECT_EQ(world.outcomes.shadows.size(), 1u) << "memory learns from it as well";
  EXPECT_EQ(world.outcomes.places, 1000);
}

TEST(FlowContract, WeakServesAfterProofAndIsCheckedByACoin) {
  ContractWorld world;
  ASSERT_TRUE(world.until_weak());
  const auto strong_before = world.strong->calls.size();
  int weak = 0;
  for (int i = 0; i < 200; ++i) weak += world.ask()->served()->configuration == world.route.weak ? 1 : 0;
  EXPECT_GT(weak, 150);
  const auto checks = world.strong->calls.size() - strong_before;
  EXPECT_GT(checks, 20u);
  EXPECT_EQ(world.group().report.open, 0u);
  EXPECT_EQ(world.outcomes.places, 1000);
}

TEST(FlowContract, AStreamIsBookedBeforeItsFirstByte) {
  ContractWorld world;
  auto decision = world.ask(true);
  EXPECT_THAT(world.sink.log, ElementsAre("begin strong contract_not_certified", "one", "two", "end"));
  ASSERT_TRUE(world.until_weak());
  const auto booked = world.group().report.risky;
  bool seen = false;
  world.weak->on_call = [&](const ModelCall& call, Script script) {
    if (call.stream) {
      seen = true;
      EXPECT_EQ(world.group().report.risky, booked + 1) << "before the call";
    }
    return script;
  };
  world.sink.log.clear();
  decision = world.ask(true);
  ASSERT_TRUE(seen);
  EXPECT_EQ(decision->served()->configuration.key(), "weak");
}

TEST(FlowContract, ARefusedAnswerThatWasHeldIsComparedForNothing) {
  ContractWorld world;
  // Asks weak first and lets its log-probability decide.
  world.use("adaptive", {{"outcomes_min", std::int64_t{1}}, {"min_agreement", .9}, {"try_from", .1}});
  world.snapshot->knows_after = true;
  world.snapshot->expected.p_agree = .5;
  world.snapshot->expected.outcomes = 300;
  world.weak->fallback.logprob = -.01;
  const auto decision = world.ask();
  EXPECT_EQ(decision->served()->configuration.key(), "strong");
  EXPECT_EQ(decision->reason.code, "contract_not_certified");
  EXPECT_EQ(decision->attempts.size(), 2u);
  EXPECT_EQ(world.weak->calls.size(), 1u) << "the held answer is the shadow's";
  EXPECT_EQ(world.group().compared, 1u);
}

TEST(FlowContract, AFailedWeakCallServesTheReference) {
  ContractWorld world;
  ASSERT_TRUE(world.until_weak());
  Script broken;
  broken.fails = ErrorKind::kProviderUnavailable;
  world.weak->scripts = {broken};
  const auto risky = world.group().report.risky;
  const auto decision = world.ask();
  EXPECT_EQ(decision->served()->configuration.key(), "strong");
  EXPECT_EQ(world.group().report.risky, risky) << "nothing risky was served";
}

TEST(FlowContract, WhatIsNotToBeLearnedFromGetsTheReference) {
  ContractWorld world;
  ASSERT_TRUE(world.until_weak());
  RequestOptions options;
  options.learn = false;
  auto decision = world.serve(World::request("auto", "Not to be learned from."), options);
  EXPECT_EQ(decision->served()->configuration.key(), "strong");
  EXPECT_EQ(decision->reason.code, "contract_not_checkable");
  world.outcomes.places = 1;  // for the decision alone: the learner's queue is full
  decision = world.ask();
  EXPECT_EQ(decision->reason.code, "contract_not_checkable");
  EXPECT_EQ(world.outcomes.places, 1);
}

TEST(FlowContract, AForcedReferenceEarnsCreditAndNeedsNoShadow) {
  ContractWorld world;
  RequestOptions options;
  options.force_reference = true;
  const auto decision = world.serve(World::request(), options);
  EXPECT_EQ(decision->reason.code, "forced_reference");
  EXPECT_EQ(world.group().report.requests, 1u);
  EXPECT_NEAR(world.group().report.bound, .1, .001);
}

TEST(FlowContract, AReferenceThatFailsEarnsNothing) {
  ContractWorld world;
  world.strong->fallback.fails = ErrorKind::kProviderUnavailable;
  const auto decision = world.ask();
  EXPECT_EQ(decision->state, DecisionState::kFailed);
  EXPECT_EQ(world.outcomes.places, 1000);
  EXPECT_EQ(world.shadows->counters().queued, 0u);
  for (const auto& state : world.contracts->states()) EXPECT_EQ(state.groups.at(0).report.requests, 0u);
}

TEST(FlowContract, ServingWeakWhileTheReferenceIsAwayIsOutside) {
  ContractWorld world;
  world.route.when_reference_unreachable = WhenUnreachable::kServeWeak;
  world.strong->fallback.fails = ErrorKind::kProviderUnavailable;
  const auto decision = world.ask();
  EXPECT_EQ(decision->served()->configuration.key(), "weak");
  EXPECT_EQ(world.contracts->states().at(0).outside, 1u);
  EXPECT_EQ(world.group().report.risky, 0u);
}

TEST(FlowContract, ADryRunSaysWhatTheContractWouldDoAndHoldsNothing) {
  ContractWorld world;
  const auto decision = world.sync(world.flow->dry_run(world.runtime(), World::request(), {}));
  ASSERT_TRUE(decision);
  EXPECT_EQ((*decision)->would_have, "strong");
  EXPECT_EQ((*decision)->reason.code, "contract_not_certified");
  EXPECT_EQ(world.outcomes.places, 1000);
  EXPECT_EQ(world.shadows->counters().queued, 0u);
}

TEST(FlowContract, AWeakModelThatTurnsBadIsFoundOut) {
  ContractWorld world;
  ASSERT_TRUE(world.until_weak());
  for (int i = 0; i < 300; ++i) world.ask();
  world.weak->fallback.text = "The answer is 41.";
  int wrong = 0;
  bool last_weak = true;
  for (int i = 0; i < 600; ++i) {
    last_weak = world.ask()->served()->configuration == world.route.weak;
    wrong += last_weak ? 1 : 0;
  }
  EXPECT_FALSE(last_weak);
  EXPECT_LE(wrong, world.sent / 10) << "nine of ten are kept, of all that was served";
}

TEST(FlowContract, AnswersThatCannotBeComparedEarnNothingWithoutAJudge) {
  ContractWorld world;
  world.weak->fallback.text = "";
  world.strong->fallback.text = "";
  for (int i = 0; i < 50; ++i) world.ask();
  EXPECT_EQ(world.group().compared, 50u);
  EXPECT_EQ(world.group().agreed, 0u);
  EXPECT_EQ(world.group().cannot_tell, 50u);
}

}  // namespace
}  // namespace brevet
