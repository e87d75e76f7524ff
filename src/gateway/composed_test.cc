// Goal: a candidate that is a strategy is called like a model, and its calls are bounded, stopped, timed and
// accounted as the request's own; transforms reason without the client seeing it.
// Method: scripted models behind a route whose candidates are composed by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "gateway/call_times.h"
#include "gateway/test_fakes.h"

namespace brevet {
namespace {

using namespace testing_fakes;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Configuration configuration(const std::string& key) {
  return *Configuration::parse(key);
}

/// Puts a composed candidate under `name` into the world's route.
void compose(World& world, const std::string& name, std::string_view strategy, OptionValues options,
             const std::vector<std::string>& candidates) {
  auto composed = std::make_shared<Composed>();
  composed->name = name;
  composed->strategy = *make_strategy(strategy, options);
  for (const auto& key : candidates) composed->candidates.push_back(configuration(key));
  composed->reference = composed->candidates.back();
  world.route.composed[name] = std::move(composed);
}

void use_candidates(World& world, const std::string& weak, const std::string& reference) {
  world.route.weak = configuration(weak);
  world.route.reference = configuration(reference);
  world.route.candidates = {world.route.weak, world.route.reference};
}

Script says(std::string text) {
  Script script;
  script.text = std::move(text);
  return script;
}

/// A weak side of three votes in front of the strong model.
struct Voters : World {
  Voters() {
    compose(*this, "voters", "self_consistency", {{"samples", std::int64_t{3}}, {"at_once", std::int64_t{3}}},
            {"weak"});
    use_candidates(*this, "voters", "strong");
    use("always_weak");
    weak->scripts = {says("41"), says("The answer is 42."), says("42")};
  }
};

TEST(Composed, IsCalledLikeAModelAndItsCallsAreParts) {
  Voters world;
  const auto decision = world.serve(World::request());
  ASSERT_EQ(decision->state, DecisionState::kServed);
  EXPECT_THAT(world.sink.log, ElementsAre("whole voters The answer is 42."));
  ASSERT_EQ(decision->attempts.size(), 1U);
  const auto& attempt = decision->attempts[0];
  EXPECT_EQ(attempt.configuration.key(), "voters");
  ASSERT_EQ(attempt.parts.size(), 3U);
  EXPECT_EQ(attempt.parts[2].configuration.key(), "weak");
  EXPECT_EQ(attempt.cost.amount->pico_usd, 3'000);
  EXPECT_EQ(decision->cost.amount->pico_usd, 3'000) << "each call is paid once";
  EXPECT_EQ(world.figures().serve.known.pico_usd, 3'000);
  EXPECT_EQ(attempt.steps.back().code, "voted");
  // Sampled, each its own way.
  ASSERT_EQ(world.weak->calls.size(), 3U);
  EXPECT_EQ(world.weak->calls[1].temperature, 0.7);
  EXPECT_EQ(world.weak->calls[1].sample, 1);
}

TEST(Composed, AFailingMemberIsLeftOutAndAFailedOneGoesToTheReference) {
  Voters world;
  Script down;
  down.fails = ErrorKind::kProviderUnavailable;
  world.weak->scripts = {down, says("42"), says("42")};
  auto decision = world.serve(World::request());
  EXPECT_EQ(decision->served()->configuration.key(), "voters");
  EXPECT_THAT(decision->attempts[0].steps.back().sentence, HasSubstr("1 sample failed (upstream_down)"));
  world.weak->scripts = {down, down, down};
  decision = world.serve(World::request());
  ASSERT_EQ(decision->state, DecisionState::kServed);
  EXPECT_EQ(decision->served()->configuration.key(), "strong");
  EXPECT_EQ(decision->reason.code, "weak_failed");
}

TEST(Composed, NestsAndHidesWhatIsInside) {
  Voters world;
  // Two members vote, one of them a blend of itself.
  compose(world, "either", "blended", {}, {"weak", "strong"});
  compose(world, "voters", "self_consistency", {{"samples", std::int64_t{3}}, {"at_once", std::int64_t{3}}},
          {"either"});
  world.weak->scripts.clear();
  const auto decision = world.serve(World::request());
  ASSERT_EQ(decision->state, DecisionState::kServed);
  const auto& parts = decision->attempts[0].parts;
  ASSERT_EQ(parts.size(), 3U);
  std::int64_t sum = 0;
  for (const auto& part : parts) {
    ASSERT_EQ(part.parts.size(), 1U);
    sum += part.parts[0].cost.amount->pico_usd;
    EXPECT_TRUE(part.parts[0].answer->text.empty()) << "what was said inside is not kept";
  }
  EXPECT_EQ(decision->cost.amount->pico_usd, sum);
  EXPECT_EQ(decision->draws.size(), 3U) << "coins inside are logged";
}

TEST(Composed, DrawsDependOnThePlaceAlone) {
  // The same coins whatever else the request does: with and without a gate that changes who ends first.
  std::vector<std::string> drawn[2];
  for (const int round : {0, 1}) {
    Voters world;
    compose(world, "either", "blended", {}, {"weak", "strong"});
    compose(world, "voters", "self_consistency", {{"samples", std::int64_t{7}}, {"at_once", std::int64_t{7}}},
            {"either"});
    world.weak->scripts.clear();
    auto gate = std::make_shared<Gate>(world.context);
    if (round == 1) world.weak->fallback.gate = gate;
    FakeSink sink(world.outcomes);
    const auto started = world.start(World::request(), sink);
    gate->open();
    world.poll();
    ASSERT_TRUE(started->decision);
    for (const auto& part : started->decision->attempts[0].parts)
      drawn[round].push_back(part.parts.empty() ? "-" : part.parts[0].configuration.key());
  }
  EXPECT_EQ(drawn[0].size(), 7U);
  EXPECT_EQ(drawn[0], drawn[1]);
}

TEST(Composed, AClientThatHangsUpStopsEveryCallAndPaysForWhatItHad) {
  Voters world;
  world.weak->scripts.clear();
  world.weak->fallback.gate = std::make_shared<Gate>(world.context);
  FakeSink sink(world.outcomes);
  const auto started = world.start(World::request(), sink);
  EXPECT_EQ(world.weak->calls.size(), 3U);
  started->stop.emit(asio::cancellation_type::terminal);
  world.poll();
  ASSERT_TRUE(started->decision);
  EXPECT_EQ(started->decision->state, DecisionState::kCancelled);
  EXPECT_EQ(world.weak->stopped_calls, 3);
  EXPECT_EQ(started->decision->cost.amount->pico_usd, 3 * 500);
}

/// Under a deadline calls run beside the flow: the one that streams must have stopped before the request
/// ends, or it goes on in memory that is gone.
void hang_up_within_a_stream(World& world) {
  world.route.deadline = std::chrono::seconds(60);
  auto gate = std::make_shared<Gate>(world.context);
  world.weak->fallback.gate = gate;
  world.weak->fallback.gate_after = 1;
  auto request = World::request();
  request->stream = true;
  FakeSink sink(world.outcomes);
  const auto started = world.start(request, sink);
  ASSERT_EQ(sink.log.size(), 2U) << "begun, and one event";
  ASSERT_FALSE(started->decision);
  started->stop.emit(asio::cancellation_type::terminal);
  world.poll();
  ASSERT_TRUE(started->decision);
  const auto& decision = *started->decision;
  EXPECT_EQ(decision.state, DecisionState::kCancelled);
  EXPECT_EQ(decision.error->code, "client_gone");
  EXPECT_EQ(world.weak->stopped_calls, 1);
  ASSERT_EQ(decision.attempts.size(), 1U);
  EXPECT_EQ(decision.attempts[0].state, AttemptState::kCancelled);
  EXPECT_EQ(decision.cost.amount->pico_usd, 500) << "what it had cost is accounted";
  gate->open();
  world.poll();
  EXPECT_EQ(sink.log.size(), 2U);
}

TEST(Composed, AClientThatHangsUpWithinAStreamUnderADeadlineStopsTheCall) {
  World world;
  world.use("always_weak");
  hang_up_within_a_stream(world);
}

TEST(Composed, AClientThatHangsUpWithinAStreamFromInsideStopsTheCall) {
  World world;
  compose(world, "either", "blended", {}, {"weak"});
  use_candidates(world, "either", "strong");
  world.use("always_weak");
  hang_up_within_a_stream(world);
}

TEST(Composed, AStrategyInsideItselfComesToAnEnd) {
  // A configuration cannot say this; whoever builds a route by hand can.
  Voters world;
  compose(world, "voters", "self_consistency", {{"samples", std::int64_t{2}}, {"at_once", std::int64_t{2}}},
          {"voters"});
  auto decision = world.serve(World::request());
  ASSERT_EQ(decision->state, DecisionState::kServed);
  EXPECT_EQ(decision->served()->configuration.key(), "strong");
  EXPECT_EQ(decision->attempts[0].error->code, "composed_too_deep");
  EXPECT_EQ(world.weak->calls.size(), 0U);
  RequestOptions options;
  options.local_only = true;
  decision = world.serve(World::request(), options);
  EXPECT_EQ(decision->error->code, "no_local_model");
}

TEST(Composed, LosersAreStoppedAndAccounted) {
  Voters world;
  auto slow = says("40");
  slow.gate = std::make_shared<Gate>(world.context);
  world.weak->scripts = {says("42"), slow, says("42")};
  const auto decision = world.serve(World::request());
  ASSERT_EQ(decision->state, DecisionState::kServed);
  EXPECT_EQ(world.weak->stopped_calls, 1);
  EXPECT_EQ(decision->attempts[0].parts[1].state, AttemptState::kCancelled);
  EXPECT_EQ(decision->cost.amount->pico_usd, 2'500);
}

TEST(Composed, TheDeadlineHoldsForTheWholeAndWhatHasComeMustDo) {
  Voters world;
  world.route.deadline = std::chrono::milliseconds(100);
  auto hanging = says("40");
  hanging.gate = std::make_shared<Gate>(world.context);
  world.weak->scripts = {says("41"), hanging, hanging};
  int calls = 0;
  world.weak->on_call = [&](const ModelCall&, Script script) {
    if (++calls == 3) world.clock.advance(std::chrono::milliseconds(101));
    return script;
  };
  const auto decision = world.serve(World::request());
  ASSERT_EQ(decision->state, DecisionState::kServed);
  EXPECT_THAT(world.sink.log, ElementsAre("whole voters 41"));
  EXPECT_THAT(decision->attempts[0].steps.back().sentence, HasSubstr("time was up"));
  EXPECT_EQ(decision->attempts[0].parts[1].error->code, "deadline_exceeded");
}

TEST(Composed, NothingInTimeIsAnErrorThatSaysSo) {
  World world;
  world.route.deadline = std::chrono::milliseconds(100);
  world.strong->fallback.gate = std::make_shared<Gate>(world.context);
  world.strong->on_call = [&](const ModelCall&, Script script) {
    world.clock.advance(std::chrono::milliseconds(101));
    return script;
  };
  const auto decision = world.serve(World::request());
  EXPECT_EQ(decision->state, DecisionState::kFailed);
  EXPECT_THAT(world.sink.log, ElementsAre("fail deadline_exceeded"));
  EXPECT_EQ(world.strong->stopped_calls, 1);
}

TEST(Composed, CallsAreBoundedOverTheWholeRequest) {
  Voters world;
  world.route.calls_max = 2;
  auto decision = world.serve(World::request());
  ASSERT_EQ(decision->state, DecisionState::kServed);
  EXPECT_EQ(world.weak->calls.size(), 2U) << "the vote makes do with what the route allows";
  world.route.calls_max = 1;
  use_candidates(world, "weak", "strong");
  Script down;
  down.fails = ErrorKind::kProviderUnavailable;
  world.weak->scripts = {down};
  decision = world.serve(World::request());
  EXPECT_EQ(decision->state, DecisionState::kFailed);
  EXPECT_EQ(decision->error->code, "calls_exhausted");
}

TEST(Composed, NoFurtherCallIsBegunThatWouldMissTheAim) {
  Voters world;
  compose(world, "voters", "self_consistency", {{"samples", std::int64_t{9}}, {"at_once", std::int64_t{1}}},
          {"weak"});
  world.weak->scripts.clear();
  int calls = 0;
  world.weak->on_call = [&](const ModelCall&, Script script) {
    world.clock.advance(std::chrono::milliseconds(100));
    script.text = ++calls % 2 == 0 ? "42" : "41";  // nobody leads for long
    return script;
  };
  // Calls report their own time; the fake ones say nothing, so it is told.
  CallTimes times;
  for (int i = 0; i < 20; ++i) times.add("auto", std::chrono::milliseconds(100));
  FlowParts parts{world.features, world.outcomes, world.clock, [&] { return SnapshotPtr(world.snapshot); }};
  parts.new_decision_id = [] { return std::string("d"); };
  parts.next_number = [] { return 1; };
  parts.call_times = &times;
  const auto flow = make_request_flow(std::move(parts));
  const auto ask = [&] { return world.sync(flow->run(world.runtime(), World::request(), {}, world.sink)); };
  auto decision = ask();
  EXPECT_GE(calls, 8) << "without an aim it goes on";
  world.route.latency_p95 = std::chrono::milliseconds(350);
  calls = 0;
  decision = ask();
  ASSERT_EQ(decision->state, DecisionState::kServed);
  EXPECT_EQ(calls, 3) << "a fourth would end after 400 ms";
}

TEST(Composed, StreamsWhereItsLastCallIsItsOnly) {
  World world;
  compose(world, "either", "blended", {}, {"weak"});
  use_candidates(world, "either", "strong");
  world.use("always_weak");
  auto request = World::request();
  request->stream = true;
  const auto decision = world.serve(request);
  EXPECT_THAT(world.sink.log, ElementsAre("begin either always_weak", "one", "two", "end"));
  EXPECT_TRUE(decision->streamed);
  EXPECT_EQ(decision->attempts[0].parts.size(), 1U);
}

TEST(Composed, TheReferenceMayBeOneAndMayBeForced) {
  Voters world;
  use_candidates(world, "strong", "voters");
  RequestOptions options;
  options.force_reference = true;
  const auto decision = world.serve(World::request(), options);
  EXPECT_THAT(world.sink.log, ElementsAre("whole voters The answer is 42."));
  EXPECT_EQ(decision->reason.code, "forced_reference");
}

TEST(Composed, LearningTreatsItAsTheWeakModel) {
  Voters world;
  world.use("rar", {{"tau_skill", 0.9}});
  world.learn();
  world.strong->fallback.text = "42";
  const auto decision = world.serve(World::request());
  EXPECT_EQ(decision->served()->configuration.key(), "strong");
  world.poll();
  ASSERT_EQ(world.outcomes.shadows.size(), 1U);
  const auto& found = *world.outcomes.shadows[0];
  EXPECT_TRUE(found.weak_alone_known);
  EXPECT_EQ(found.weak_alone, Verdict::kSame) << "three votes agree with the reference";
  EXPECT_EQ(found.weak_model_id, "voters");
  EXPECT_EQ(found.partition.weak, "voters");
  for (const auto& call : world.weak->calls) EXPECT_EQ(call.purpose, Purpose::kLearn);
}

TEST(Composed, ALocalOnlyRequestReachesOnlyLocalModelsInside) {
  Voters world;
  RequestOptions options;
  options.local_only = true;
  compose(world, "voters", "blended", {}, {"strong", "weak"});
  const auto decision =
      world.sync(world.flow->run(world.runtime(true), World::request(), options, world.sink));
  ASSERT_EQ(decision->state, DecisionState::kServed);
  EXPECT_EQ(world.strong->calls.size(), 0U);
  EXPECT_EQ(world.weak->calls.size(), 1U);
}

TEST(Composed, AShadowOfALocalOnlyRequestStaysHereToo) {
  Voters world;
  world.middle = std::make_shared<FakeModel>("middle-2026");
  // Both sides are local in part: what is called inside depends on the request.
  compose(world, "side", "blended", {}, {"weak", "middle"});
  compose(world, "panel", "blended", {}, {"weak", "strong"});
  use_candidates(world, "side", "panel");
  world.use("always_strong");
  world.learn();
  world.weak->scripts.clear();
  RequestOptions options;
  options.local_only = true;
  const auto decision =
      world.sync(world.flow->run(world.runtime(true), World::request(), options, world.sink));
  ASSERT_EQ(decision->state, DecisionState::kServed);
  world.poll();
  EXPECT_EQ(world.middle->calls.size(), 0U);
  EXPECT_EQ(world.strong->calls.size(), 0U);
  EXPECT_TRUE(world.outcomes.shadows.empty()) << "the local part says nothing of the whole";
}

TEST(Composed, AShadowThatIsToldToStayHereDoes) {
  World world;
  world.learn();
  const auto runtime = world.runtime();
  const auto parent = world.serve(World::request());
  world.poll();
  ASSERT_EQ(world.weak->calls.size(), 1U) << "its shadow asked weak";
  auto told = std::make_shared<Decision>(*parent);
  told->attempts[0].answer->text = "42";
  ShadowTerms terms;
  terms.local_only = true;
  (void)world.sync(world.flow->shadow(runtime, World::request(), told, terms));
  EXPECT_EQ(world.weak->calls.size(), 1U) << "weak is elsewhere";
}

/// A search whose first call was answered, and whose reference cannot be reached.
TEST(ServeWeak, NeverServesWhatAStrategyAskedForItself) {
  World world;
  world.route.when_reference_unreachable = WhenUnreachable::kServeWeak;
  world.use("tree_of_thoughts");
  world.strong->fallback.fails = ErrorKind::kProviderUnavailable;
  world.weak->fallback.text = "The answer is 42.";
  world.weak->scripts = {says("```")};  // nothing that could be read as a step
  const auto decision = world.serve(World::request());
  ASSERT_EQ(decision->state, DecisionState::kServed);
  EXPECT_EQ(decision->reason.code, "reference_unreachable");
  EXPECT_THAT(world.sink.log, ElementsAre("whole weak The answer is 42."));
  EXPECT_TRUE(world.weak->calls.back().messages.empty()) << "asked what the client asked";
}

TEST(ServeWeak, IsHeldByTheDeadlineAndByTheCallsOfTheRoute) {
  World world;
  world.route.when_reference_unreachable = WhenUnreachable::kServeWeak;
  world.strong->fallback.fails = ErrorKind::kProviderUnavailable;
  world.route.calls_max = 1;
  EXPECT_EQ(world.serve(World::request())->state, DecisionState::kFailed);
  EXPECT_EQ(world.weak->calls.size(), 0U);
  world.route.calls_max = 2;
  EXPECT_EQ(world.serve(World::request())->reason.code, "reference_unreachable");
  EXPECT_EQ(world.weak->calls.size(), 1U);
  world.route.deadline = std::chrono::milliseconds(100);
  world.strong->on_call = [&](const ModelCall&, Script script) {
    world.clock.advance(std::chrono::milliseconds(101));
    return script;
  };
  EXPECT_EQ(world.serve(World::request())->state, DecisionState::kFailed);
  EXPECT_EQ(world.weak->calls.size(), 1U) << "time was up";
}

TEST(ServeWeak, TheRoutesOwnDeadlineIsNoUnreachableReference) {
  World world;
  world.route.when_reference_unreachable = WhenUnreachable::kServeWeak;
  world.route.deadline = std::chrono::milliseconds(100);
  world.strong->fallback.gate = std::make_shared<Gate>(world.context);
  world.strong->on_call = [&](const ModelCall&, Script script) {
    world.clock.advance(std::chrono::milliseconds(101));
    return script;
  };
  const auto decision = world.serve(World::request());
  EXPECT_EQ(decision->error->code, "deadline_exceeded");
  EXPECT_EQ(world.weak->calls.size(), 0U);
}

TEST(Deadline, ServesTheAnswerThatThereIs) {
  World world;
  world.route.deadline = std::chrono::milliseconds(100);
  // The held answer is doubtful, and there is no time to ask the reference as well.
  world.use("adaptive", {{"min_agreement", 0.75}, {"outcomes_min", std::int64_t{1}}});
  world.snapshot->expected.p_agree = 0.5;
  world.snapshot->expected.outcomes = 50;
  world.snapshot->knows_after = true;
  world.weak->fallback.logprob = -0.9;
  world.weak->on_call = [&](const ModelCall&, Script script) {
    world.clock.advance(std::chrono::milliseconds(101));
    return script;
  };
  const auto decision = world.serve(World::request());
  ASSERT_EQ(decision->state, DecisionState::kServed);
  EXPECT_EQ(decision->reason.code, "deadline_served");
  EXPECT_THAT(world.sink.log, ElementsAre("whole weak The answer is 42."));
  EXPECT_EQ(world.strong->calls.size(), 0U);
}

TEST(Learning, ASampleIsNotWhatWeakAnswersAlone) {
  World world;
  world.use("self_consistency",
            {{"samples", std::int64_t{2}}, {"at_once", std::int64_t{2}}, {"agreement_min", 1.0}});
  world.learn();
  world.weak->scripts = {says("41"), says("40")};
  world.weak->fallback.text = world.strong->fallback.text = "42";
  const auto decision = world.serve(World::request());
  EXPECT_EQ(decision->served()->configuration.key(), "strong");
  world.poll();
  ASSERT_EQ(world.outcomes.shadows.size(), 1U);
  EXPECT_EQ(world.outcomes.shadows[0]->weak_alone, Verdict::kSame);
  ASSERT_EQ(world.weak->calls.size(), 3U) << "asked again, alone";
  EXPECT_EQ(world.weak->calls[2].purpose, Purpose::kLearn);
  EXPECT_FALSE(world.weak->calls[2].temperature);
}

TEST(Learning, AVotedAnswerTeachesNothingOfWeak) {
  World world;
  world.use("self_consistency", {{"samples", std::int64_t{2}}, {"at_once", std::int64_t{2}}});
  world.learn();
  world.route.learning.spot_check_share = 1;
  const auto decision = world.serve(World::request());
  EXPECT_EQ(decision->served()->configuration.key(), "weak");
  world.poll();
  EXPECT_EQ(world.strong->calls.size(), 0U) << "no spot check of what several answers elected";
}

TEST(Learning, AShadowHasTimeAndCallsOfItsOwn) {
  World world;
  world.route.deadline = std::chrono::milliseconds(100);
  world.route.calls_max = 1;
  world.learn({{"write_guides", true}});
  world.strong->fallback.text = "42";
  int calls = 0;
  world.weak->on_call = [&](const ModelCall&, Script script) {
    world.clock.advance(std::chrono::milliseconds(101));
    script.text = ++calls == 1 ? "41" : "42";
    return script;
  };
  (void)world.serve(World::request());
  world.poll();
  ASSERT_EQ(world.outcomes.shadows.size(), 1U);
  EXPECT_TRUE(world.outcomes.shadows[0]->weak_alone_known);
  EXPECT_EQ(world.outcomes.shadows[0]->weak_alone, Verdict::kDifferent);
  EXPECT_EQ(world.strong->calls.size(), 2U) << "it came to the guide";
}

TEST(Baseline, APromptOfOurOwnSaysNothingOfTheClients) {
  // Fused from two drafts: the fuser read them too, and the reference would not have.
  Voters world;
  compose(world, "panel", "blender", {{"rank", std::string("agreement")}, {"fuse", std::int64_t{2}}},
          {"weak", "strong"});
  use_candidates(world, "panel", "strong");
  world.weak->scripts.clear();
  world.strong->on_call = [](const ModelCall& call, Script script) {
    if (!call.messages.empty()) script.input_tokens = 5'000;
    return script;
  };
  const auto decision = world.serve(World::request());
  EXPECT_EQ(decision->served()->configuration.key(), "panel");
  ASSERT_TRUE(decision->baseline.amount);
  EXPECT_LT(decision->baseline.amount->pico_usd, 5'000 * world.strong->price_in);
}

TEST(Transform, AddsItsBytesOnceThroughAComposedCandidate) {
  World alone;
  use_candidates(alone, "weak|t=cot", "strong");
  alone.use("always_weak");
  const auto added = alone.serve(World::request())->served()->prompt_bytes_added;
  ASSERT_GT(added, 0U);
  World world;
  compose(world, "either", "blended", {}, {"weak"});
  use_candidates(world, "either|t=cot", "strong");
  world.use("always_weak");
  EXPECT_EQ(world.serve(World::request())->served()->prompt_bytes_added, added);
}

TEST(Transform, ReasonsAndServesTheAnswerAlone) {
  World world;
  use_candidates(world, "weak|t=cot", "strong");
  world.use("always_weak");
  world.weak->fallback.text = "6 sevens: 7, 14, 21, 28, 35, 42.\n**Final answer:** 42";
  auto decision = world.serve(World::request());
  EXPECT_THAT(world.sink.log, ElementsAre("whole weak|t=cot 42"));
  EXPECT_THAT(world.weak->calls[0].edits.last_user_suffix, HasSubstr("step by step"));
  EXPECT_GT(world.weak->calls[0].more_tokens, 0);
  EXPECT_GT(decision->served()->prompt_bytes_added, 100U);

  world.sink.log.clear();
  RequestOptions options;
  options.show_reasoning = true;
  decision = world.serve(World::request(), options);
  EXPECT_THAT(world.sink.log[0], HasSubstr("7, 14, 21"));
}

TEST(Transform, IsNotStreamedUnlessTheClientAsksForTheReasoning) {
  World world;
  use_candidates(world, "weak|t=cot", "strong");
  world.use("always_weak");
  auto request = World::request();
  request->stream = true;
  world.weak->fallback.text = "Steps.\nFinal answer: 42";
  (void)world.serve(request);
  EXPECT_THAT(world.sink.log, ElementsAre("whole weak|t=cot 42"));
  world.sink.log.clear();
  RequestOptions options;
  options.show_reasoning = true;
  (void)world.serve(request, options);
  EXPECT_EQ(world.sink.log.front(), "begin weak|t=cot always_weak");
}

TEST(Transform, LeavesToolsAlone) {
  World world;
  use_candidates(world, "weak|t=cot", "strong");
  world.use("always_weak");
  auto request = World::request();
  request->has_tools = true;
  const auto decision = world.serve(request);
  EXPECT_TRUE(world.weak->calls[0].edits.empty());
  EXPECT_TRUE(std::any_of(decision->steps.begin(), decision->steps.end(),
                          [](const Reason& step) { return step.code == "transform_left_out"; }));
}

}  // namespace
}  // namespace brevet
