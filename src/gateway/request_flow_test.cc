// Goal: a request is served, streamed, failed over, accounted and recorded as the contract says.
// Method: the real flow and strategies on one io_context with scripted models, a manual clock and fake
// surroundings; time passes only where a test says so.
#include "gateway/request_flow.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/explain.h"
#include "gateway/test_fakes.h"

namespace brevet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing_fakes::FakeSink;
using testing_fakes::Gate;
using testing_fakes::Script;
using testing_fakes::usd;
using testing_fakes::World;

Skill skill_of(SkillStatus status) {
  Skill skill;
  skill.id = 12;
  skill.status = status;
  return skill;
}

TEST(Flow, ServesAWholeAnswerAndHandsTheDecisionOverFirst) {
  World world;
  const auto decision = world.serve(World::request());
  EXPECT_THAT(world.sink.log, ElementsAre("whole strong The answer is 42."));
  EXPECT_TRUE(world.sink.handed_over_before_end);
  EXPECT_EQ(decision->state, DecisionState::kServed);
  EXPECT_EQ(decision->reason.code, "always_strong");
  EXPECT_EQ(decision->cost.amount, Money::from_pico(20'000));
  EXPECT_EQ(decision->baseline.amount, Money::from_pico(20'000));
  EXPECT_THAT(decision->baseline_note, HasSubstr("exact"));
  EXPECT_EQ(world.features.asked, 0) << "nothing needed the encoder";
  EXPECT_EQ(world.recent.find(decision->id), decision);
  EXPECT_EQ(decision->served()->answer->text, "") << "what was said is not kept with the decision";
  EXPECT_EQ(decision->served()->answer->usage.input_tokens, 100);
  EXPECT_EQ(world.outcomes.places, 1000);
  EXPECT_EQ(decision->session.substr(0, 4), "ses_");
}

TEST(Flow, ADecisionByEstimateShowsTheNearestSkills) {
  World world;
  world.use("adaptive", {{"min_agreement", 0.75}, {"outcomes_min", std::int64_t{1}}});
  auto& expected = world.snapshot->expected;
  expected.p_agree = 0.9;
  expected.outcomes = 300;
  Skill skill = skill_of(SkillStatus::kWeakOk);
  skill.confirmed = 3;
  expected.nearest = {{skill, 0.91f}};
  const auto decision = world.serve(World::request());
  EXPECT_EQ(decision->reason.code, "estimate_weak");
  EXPECT_THAT(decision->reason.sentence, HasSubstr("from 300 outcomes, none near"));
  ASSERT_EQ(decision->neighbours.size(), 1u);
  EXPECT_EQ(decision->neighbours.front().skill.id, 12u);
  EXPECT_EQ(decision->skill_id, 0u) << "the estimate decided, not one skill";
  const auto text = explain(*decision);
  EXPECT_THAT(text, HasSubstr("none near"));
  EXPECT_THAT(text, HasSubstr("near      similarity 0.91: skill 12"));
  EXPECT_THAT(text, HasSubstr("3 of 3 spot checks agreed"));
}

TEST(Flow, AWeakAnswerIsComparedWithWhatTheReferenceWouldHaveCost) {
  World world;
  world.strong->fallback.output_tokens = 30;
  world.serve(World::request());
  world.use("always_weak");
  const auto decision = world.serve(World::request());
  EXPECT_EQ(decision->cost.amount, Money::from_pico(1'000));
  // 100 input tokens of the request at 100, the reference's mean of 30 output tokens at 1000.
  EXPECT_EQ(decision->baseline.amount, Money::from_pico(100 * 100 + 30 * 1'000));
  EXPECT_EQ(decision->baseline.basis, CostBasis::kAssumed);
  EXPECT_THAT(decision->baseline_note, HasSubstr("over 1 answers"));
  const auto figures = world.figures();
  EXPECT_EQ(figures.requests, 2u);
  EXPECT_EQ(figures.weak_served, 1u);
  EXPECT_EQ(figures.serve.known, Money::from_pico(21'000));
  EXPECT_EQ(figures.baseline.known, Money::from_pico(60'000));
}

TEST(Flow, AnUnknownPriceStaysUnknown) {
  World world;
  world.strong->priced = false;
  world.use("always_weak");
  world.weak->fallback.cost = {};
  const auto decision = world.serve(World::request());
  EXPECT_FALSE(decision->cost.amount);
  EXPECT_FALSE(decision->baseline.amount);
  EXPECT_EQ(world.figures().serve.unknown_count, 1u);
  EXPECT_EQ(world.figures().baseline.unknown_count, 1u);
}

TEST(Flow, EventsReachTheClientBeforeTheUpstreamHasEnded) {
  World world;
  auto gate = std::make_shared<Gate>(world.context);
  world.strong->fallback.gate = gate;
  world.strong->fallback.gate_after = 1;
  auto request = World::request();
  request->stream = true;
  auto started = world.start(request, world.sink);
  EXPECT_THAT(world.sink.log, ElementsAre("begin strong always_strong", "one"));
  EXPECT_FALSE(started->decision);
  gate->open();
  world.poll();
  EXPECT_THAT(world.sink.log, ElementsAre("begin strong always_strong", "one", "two", "end"));
  ASSERT_TRUE(started->decision);
  EXPECT_TRUE(started->decision->streamed);
  EXPECT_EQ(started->decision->accepted, 0);
  EXPECT_TRUE(world.sink.handed_over_before_end);
}

TEST(Flow, AHangUpStopsTheUpstreamAndIsAccounted) {
  for (const bool stream : {true, false}) {
    World world;
    world.strong->fallback.gate = std::make_shared<Gate>(world.context);
    world.strong->fallback.gate_after = 1;
    auto request = World::request();
    request->stream = stream;
    auto started = world.start(request, world.sink);
    ASSERT_FALSE(started->decision);
    started->stop.emit(asio::cancellation_type::terminal);
    world.poll();
    ASSERT_TRUE(started->decision);
    EXPECT_EQ(world.strong->stopped_calls, 1);
    EXPECT_EQ(started->decision->state, DecisionState::kCancelled);
    EXPECT_EQ(started->decision->cost.amount, Money::from_pico(10'000)) << "half was received";
    EXPECT_EQ(world.figures().cancelled, 1u);
    EXPECT_EQ(world.figures().serve.known, Money::from_pico(10'000));
    EXPECT_EQ(world.outcomes.decisions.size(), 1u);
  }
}

TEST(Flow, AClientThatCannotBeWrittenToStopsTheUpstream) {
  World world;
  world.sink.gone_after = 1;
  auto request = World::request();
  request->stream = true;
  const auto decision = world.serve(request);
  EXPECT_EQ(world.strong->stopped_calls, 1);
  EXPECT_EQ(decision->state, DecisionState::kCancelled);
  EXPECT_THAT(world.sink.log, ElementsAre("begin strong always_strong", "one"));
}

TEST(Flow, AFailedWeakGoesToTheReference) {
  for (const bool stream : {true, false}) {
    World world;
    world.use("always_weak");
    world.weak->fallback.fails = ErrorKind::kProviderTimeout;
    auto request = World::request();
    request->stream = stream;
    const auto decision = world.serve(request);
    EXPECT_EQ(decision->state, DecisionState::kServed);
    EXPECT_EQ(decision->served()->configuration.model, "strong");
    EXPECT_EQ(decision->reason.code, "weak_failed");
    EXPECT_EQ(decision->attempts.size(), 2u);
    EXPECT_EQ(world.figures().fallbacks, 1u);
    EXPECT_EQ(world.sink.log.back(), stream ? "end" : "whole strong The answer is 42.");
  }
}

TEST(Flow, AFailedReferenceFailsWithItsError) {
  World world;
  world.strong->fallback.fails = ErrorKind::kProviderRateLimited;
  const auto decision = world.serve(World::request());
  EXPECT_THAT(world.sink.log, ElementsAre("fail upstream_down"));
  EXPECT_EQ(decision->state, DecisionState::kFailed);
  EXPECT_EQ(decision->error->kind, ErrorKind::kProviderRateLimited);
  EXPECT_EQ(world.figures().failed, 1u);
}

TEST(Flow, AStreamCutAfterItsFirstByteEndsInBandAndIsNotTriedAgain) {
  World world;
  world.use("always_weak");
  world.weak->fallback.fails = ErrorKind::kProviderGarbage;
  world.weak->fallback.gate_after = 1;
  auto request = World::request();
  request->stream = true;
  const auto decision = world.serve(request);
  EXPECT_THAT(world.sink.log, ElementsAre("begin weak always_weak", "one", "end upstream_down"));
  EXPECT_EQ(decision->state, DecisionState::kFailed);
  EXPECT_THAT(world.strong->calls, IsEmpty());
}

TEST(Flow, ANamedModelIsPassedThrough) {
  World world;
  auto request = World::request("weak");
  request->hash.clear();
  const auto decision = world.serve(request);
  EXPECT_THAT(world.sink.log, ElementsAre("whole weak The answer is 42."));
  EXPECT_EQ(decision->route, "");
  EXPECT_EQ(decision->reason.code, "named_model");
  EXPECT_EQ(decision->cost.amount, Money::from_pico(1'000));
  EXPECT_EQ(world.features.asked, 0);
  EXPECT_EQ(world.outcomes.decisions.size(), 1u);
  EXPECT_TRUE(world.weak->calls.front().edits.empty());
}

TEST(Flow, UnknownNamesAreTheCallersFault) {
  World world;
  const auto decision = world.serve(World::request("gpt-9"));
  EXPECT_THAT(world.sink.log, ElementsAre("fail unknown_model"));
  EXPECT_EQ(decision->error->kind, ErrorKind::kCallerNotFound);
  EXPECT_THAT(decision->error->message, HasSubstr("auto"));
  EXPECT_THAT(world.outcomes.decisions, IsEmpty());
}

TEST(Flow, ForceReferenceAndLocalOnly) {
  World world;
  world.use("always_weak");
  RequestOptions options;
  options.force_reference = true;
  EXPECT_EQ(world.serve(World::request(), options)->reason.code, "forced_reference");
  options.force_reference = false;
  options.local_only = true;
  const auto refused = world.serve(World::request(), options);
  EXPECT_EQ(refused->error->code, "no_local_model");
  EXPECT_EQ(refused->error->kind, ErrorKind::kPolicyRefused);
  const auto local = world.sync(world.flow->run(world.runtime(true), World::request(), options, world.sink));
  EXPECT_EQ(local->served()->configuration.model, "weak");
  EXPECT_EQ(local->reason.code, "local_only");
  const auto named =
      world.sync(world.flow->run(world.runtime(true), World::request("strong"), options, world.sink));
  EXPECT_EQ(named->error->code, "model_not_local");
}

TEST(Flow, WhatAStrategyDoesNotTreatGoesToTheReference) {
  World world;
  world.use("rar");
  auto request = World::request();
  request->has_tools = true;
  const auto decision = world.serve(request);
  EXPECT_EQ(decision->reason.code, "not_applicable_tools");
  EXPECT_EQ(decision->served()->configuration.model, "strong");
}

TEST(Flow, RepeatsNeedNoEncoder) {
  World world;
  world.use("adaptive");
  auto request = World::request();
  world.snapshot->skills[request->hash] = skill_of(SkillStatus::kWeakOk);
  const auto decision = world.serve(request);
  EXPECT_EQ(decision->reason.code, "exact_weak_ok");
  EXPECT_EQ(decision->skill_id, 12u);
  EXPECT_TRUE(decision->exact_repeat);
  EXPECT_EQ(world.features.asked, 0);
  EXPECT_FALSE(decision->embedding);
  world.serve(World::request("auto", "Something new?"));
  EXPECT_EQ(world.features.asked, 1);
}

TEST(Flow, LooksAtTheWeakAnswerAndPaysForBothWhenItEscalates) {
  World world;
  world.use("adaptive", {{"min_agreement", 0.9}});
  world.snapshot->knows_after = true;
  world.snapshot->expected.p_agree = 0.5;
  world.snapshot->expected.outcomes = 1000;
  world.weak->scripts.push_back(Script{.logprob = -0.05});
  auto decision = world.serve(World::request());
  EXPECT_EQ(decision->reason.code, "answer_sure");
  EXPECT_TRUE(world.weak->calls.front().want_logprobs);
  EXPECT_EQ(decision->served()->configuration.model, "weak");
  world.weak->scripts.push_back(Script{.logprob = -0.9});
  decision = world.serve(World::request());
  EXPECT_EQ(decision->reason.code, "answer_unsure");
  EXPECT_EQ(decision->served()->configuration.model, "strong");
  EXPECT_EQ(decision->cost.amount, Money::from_pico(21'000));
  EXPECT_EQ(decision->baseline.amount, Money::from_pico(20'000)) << "always-strong pays the reference alone";
}

TEST(Flow, ObserveModeServesTheReferenceAndSaysWhatItWouldHaveDone) {
  World world;
  world.use("always_weak");
  world.route.mode = RouteMode::kObserve;
  const auto decision = world.serve(World::request());
  EXPECT_EQ(decision->served()->configuration.model, "strong");
  EXPECT_EQ(decision->would_have, "weak");
  EXPECT_EQ(decision->reason.code, "observe");
  EXPECT_THAT(decision->reason.sentence, HasSubstr("would have called weak"));
  EXPECT_THAT(world.weak->calls, IsEmpty());
  EXPECT_EQ(world.figures().would_be_weak, 1u);
  EXPECT_EQ(world.figures().would_be_weak_baseline.known, Money::from_pico(20'000));
}

TEST(Flow, ADryRunCallsNoModel) {
  World world;
  world.use("rar");
  const auto decision = world.sync(world.flow->dry_run(world.runtime(), World::request(), {}));
  ASSERT_TRUE(decision);
  EXPECT_EQ((*decision)->would_have, "strong");
  EXPECT_EQ((*decision)->reason.code, "nothing_remembered");
  EXPECT_THAT(world.weak->calls, IsEmpty());
  EXPECT_THAT(world.strong->calls, IsEmpty());
  EXPECT_THAT(world.outcomes.decisions, IsEmpty());
  EXPECT_EQ(world.sync(world.flow->dry_run(world.runtime(), World::request("nope"), {})).error().code,
            "unknown_model");
}

TEST(Flow, ADryRunShowsTheNearestSkillsWhateverTheStrategyAsked) {
  World world;
  world.use("adaptive");
  world.snapshot->near = {{skill_of(SkillStatus::kWeakOk), 0.3f}};
  const auto decision = world.sync(world.flow->dry_run(world.runtime(), World::request(), {}));
  ASSERT_TRUE(decision);
  ASSERT_EQ((*decision)->neighbours.size(), 1u);
  EXPECT_EQ((*decision)->neighbours[0].skill.id, 12u);
}

TEST(Flow, WhatIsNotToBeStoredIsNotKept) {
  World world;
  world.use("adaptive");
  world.route.store = StoreContent::kText;
  EXPECT_EQ(world.serve(World::request())->request_text, "What is 6 times 7?");
  RequestOptions options;
  options.store = false;
  const auto decision = world.serve(World::request(), options);
  EXPECT_EQ(decision->request_text, "");
  EXPECT_EQ(decision->request_hash, "");
  EXPECT_EQ(decision->session, "") << "a session of our own is a hash of content";
  EXPECT_FALSE(decision->embedding);
  EXPECT_FALSE(decision->learn);
}

TEST(Flow, AStrategyThatGivesNoAnswerIsAnErrorOfOurs) {
  World world;
  world.use("rar_shadow");
  const auto decision = world.serve(World::request());
  EXPECT_EQ(decision->state, DecisionState::kFailed);
  ASSERT_TRUE(decision->error);
  EXPECT_EQ(decision->error->kind, ErrorKind::kInternal);
  EXPECT_EQ(decision->error->code, "strategy_unbounded");
}

/// Asks both models at once and takes whichever answers first.
class Race : public Strategy {
 public:
  const std::string& name() const override { return name_; }
  std::optional<Reason> not_applicable(const RequestView&) const override { return std::nullopt; }
  Step next(const Turn& turn, Draws&) const override {
    if (turn.attempts.empty()) {
      Calls calls;
      calls.calls.resize(2);
      calls.calls[0].configuration = turn.view.weak;
      calls.calls[1].configuration = turn.view.reference;
      return {calls, {"race", "Both are asked."}};
    }
    for (const auto& attempt : turn.attempts) {
      if (attempt.state == AttemptState::kDone) return {Accept{attempt.id}, {"first", "It was first."}};
    }
    return {Wait{}, {"wait", "None has answered."}};
  }

 private:
  const std::string name_ = "race";
};

TEST(Flow, AcceptingStopsWhatIsPendingAndCountsItsCost) {
  World world;
  world.route.strategy = std::make_shared<Race>();
  world.strong->fallback.gate = std::make_shared<Gate>(world.context);
  const auto decision = world.serve(World::request());
  EXPECT_THAT(world.sink.log, ElementsAre("whole weak The answer is 42."));
  EXPECT_EQ(world.strong->stopped_calls, 1);
  EXPECT_EQ(decision->attempts[1].state, AttemptState::kCancelled);
  EXPECT_EQ(decision->cost.amount, Money::from_pico(1'000 + 10'000));
}

TEST(Flow, AHangUpStopsParallelCalls) {
  World world;
  world.route.strategy = std::make_shared<Race>();
  world.strong->fallback.gate = std::make_shared<Gate>(world.context);
  world.weak->fallback.gate = std::make_shared<Gate>(world.context);
  auto started = world.start(World::request(), world.sink);
  ASSERT_FALSE(started->decision);
  started->stop.emit(asio::cancellation_type::terminal);
  world.poll();
  ASSERT_TRUE(started->decision);
  EXPECT_EQ(started->decision->state, DecisionState::kCancelled);
  EXPECT_EQ(world.strong->stopped_calls + world.weak->stopped_calls, 2);
  EXPECT_EQ(started->decision->cost.amount, Money::from_pico(500 + 10'000));
}

class Stuck : public Race {
 public:
  Step next(const Turn&, Draws&) const override { return {NeedExact{}, {"again", "Once more."}}; }
};

TEST(Flow, AStrategyWithoutAnEndFailsTheRequest) {
  World world;
  world.route.strategy = std::make_shared<Stuck>();
  EXPECT_EQ(world.serve(World::request())->error->code, "strategy_unbounded");
  EXPECT_THAT(world.sink.log, ElementsAre("fail strategy_unbounded"));
}

TEST(Flow, SameSeedSameCoins) {
  std::string first;
  for (int round = 0; round < 2; ++round) {
    World world;
    world.use("random_mixture", {{"strong_share", 0.5}});
    std::string served;
    for (int i = 0; i < 50; ++i) served += world.serve(World::request())->served()->configuration.model[0];
    if (round == 0) first = served;
    EXPECT_EQ(served, first);
    EXPECT_NE(served.find('w'), std::string::npos);
    EXPECT_NE(served.find('s'), std::string::npos);
    EXPECT_EQ(world.outcomes.decisions.back()->draws.size(), 1u);
  }
}

TEST(Flow, ARequestStaysHereWhoeverSaysSo) {
  // Header, metadata and route say the same; the first is tested above.
  for (const bool by_route : {true, false}) {
    World world;
    world.route.local_only = by_route;
    auto request = World::request();
    request->local_only = !by_route;
    const auto refused = world.serve(request);
    EXPECT_EQ(refused->error->code, "no_local_model");
    EXPECT_TRUE(world.strong->calls.empty());
    EXPECT_TRUE(world.weak->calls.empty());
    const auto served =
        world.sync(world.flow->run(world.runtime(true), request, RequestOptions{}, world.sink));
    EXPECT_EQ(served->reason.code, "local_only");
    EXPECT_FALSE(served->learn) << "a shadow would ask the reference, which is elsewhere";
    EXPECT_TRUE(world.strong->calls.empty());
    const auto dry = world.sync(world.flow->dry_run(world.runtime(true), request, RequestOptions{}));
    ASSERT_TRUE(dry);
    EXPECT_EQ((*dry)->would_have, "weak");
  }
  World world;
  auto named = World::request("strong");
  named->local_only = true;
  EXPECT_EQ(world.serve(named)->error->code, "model_not_local");
  const auto dry = world.sync(world.flow->dry_run(world.runtime(), named, RequestOptions{}));
  ASSERT_FALSE(dry);
  EXPECT_EQ(dry.error().code, "model_not_local");
  EXPECT_TRUE(world.strong->calls.empty());
}

TEST(Flow, ALocalRequestNeverLeavesThoughTheLocalReferenceIsDown) {
  World world;
  world.route.when_reference_unreachable = WhenUnreachable::kServeWeak;
  world.strong->fallback.fails = ErrorKind::kProviderUnavailable;
  auto models = std::make_shared<Runtime>(*world.runtime());
  models->models["strong"].local = true;
  RequestOptions options;
  options.local_only = true;
  const auto decision = world.sync(world.flow->run(models, World::request(), options, world.sink));
  EXPECT_EQ(decision->error->code, "upstream_down");
  EXPECT_TRUE(world.weak->calls.empty());
}

TEST(Flow, AnUnreachableReferenceFailsOrWeakServesAsTheRouteSays) {
  for (const auto kind : {ErrorKind::kProviderUnavailable, ErrorKind::kProviderTimeout}) {
    World world;
    world.strong->fallback.fails = kind;
    const auto failed = world.serve(World::request());
    EXPECT_EQ(failed->state, DecisionState::kFailed);
    EXPECT_EQ(failed->error->code, "upstream_down");
    EXPECT_TRUE(world.weak->calls.empty()) << "fail is the default";
    world.route.when_reference_unreachable = WhenUnreachable::kServeWeak;
    world.sink.log.clear();
    const auto served = world.serve(World::request());
    EXPECT_EQ(served->state, DecisionState::kServed);
    EXPECT_EQ(served->reason.code, "reference_unreachable");
    EXPECT_THAT(served->reason.sentence, HasSubstr("Served by weak because strong cannot be reached"));
    EXPECT_THAT(world.sink.log, ElementsAre("whole weak The answer is 42."));
    EXPECT_FALSE(served->learn);
    EXPECT_EQ(served->attempts.size(), 2u);
    auto stream = World::request();
    stream->stream = true;
    world.sink.log.clear();
    EXPECT_EQ(world.serve(stream)->reason.code, "reference_unreachable");
    EXPECT_THAT(world.sink.log, ElementsAre("begin weak reference_unreachable", "one", "two", "end"));
  }
}

TEST(Flow, WeakDoesNotStandInWhereItMayNot) {
  World world;
  world.route.when_reference_unreachable = WhenUnreachable::kServeWeak;
  // A refusal and a rate limit are answers of a provider that was reached.
  for (const auto kind : {ErrorKind::kProviderRejected, ErrorKind::kProviderRateLimited}) {
    world.strong->fallback.fails = kind;
    EXPECT_EQ(world.serve(World::request())->state, DecisionState::kFailed);
  }
  world.strong->fallback.fails = ErrorKind::kProviderUnavailable;
  RequestOptions insists;
  insists.force_reference = true;
  EXPECT_EQ(world.serve(World::request(), insists)->state, DecisionState::kFailed);
  // Cut after its first event: the client has bytes of another answer.
  auto stream = World::request();
  stream->stream = true;
  world.strong->fallback.gate_after = 1;
  EXPECT_EQ(world.serve(stream)->state, DecisionState::kFailed);
  EXPECT_TRUE(world.weak->calls.empty());
  // Both away: the client hears of the reference.
  world.weak->fallback.fails = ErrorKind::kProviderTimeout;
  world.weak->fallback.code = "weak_down";
  const auto both = world.serve(World::request());
  EXPECT_EQ(both->error->code, "upstream_down");
  EXPECT_EQ(both->reason.code, "all_failed");
  EXPECT_EQ(both->attempts.size(), 2u);
}

TEST(Flow, AnAnswerThatWasTooUnsureStandsInForAnUnreachableReference) {
  World world;
  world.route.when_reference_unreachable = WhenUnreachable::kServeWeak;
  world.use("adaptive", {{"min_agreement", 0.9}, {"outcomes_min", std::int64_t{1}}});
  world.snapshot->expected.p_agree = 0.6;
  world.snapshot->expected.outcomes = 300;
  world.snapshot->knows_after = true;
  world.weak->fallback.logprob = -3;
  world.strong->fallback.fails = ErrorKind::kProviderUnavailable;
  const auto decision = world.serve(World::request());
  EXPECT_EQ(decision->state, DecisionState::kServed);
  EXPECT_EQ(decision->reason.code, "reference_unreachable");
  EXPECT_EQ(decision->served()->configuration.model, "weak");
  EXPECT_EQ(world.weak->calls.size(), 1u) << "its answer was already there";
}

}  // namespace
}  // namespace brevet
