// Goal: shadows learn what RAR says, off the request path, within bounds and budget, and cost what is booked.
// Method: the real flow, runner, ledger and shadow plan with scripted models on one io_context.
#include "gateway/shadow_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "gateway/test_fakes.h"

namespace brevet {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing_fakes::Gate;
using testing_fakes::Script;
using testing_fakes::World;

std::uint64_t refused(const World& world, ShadowRefusal why) {
  return world.shadows->counters().refused[static_cast<std::size_t>(why)];
}

TEST(Shadow, LearnsThatWeakAgrees) {
  World world;
  world.learn();
  const auto decision = world.serve(World::request());
  ASSERT_EQ(world.outcomes.shadows.size(), 1u);
  const auto& result = *world.outcomes.shadows.front();
  EXPECT_TRUE(result.weak_alone_known);
  EXPECT_EQ(result.weak_alone, Verdict::kSame);
  EXPECT_EQ(result.weak_model_id, "weak-2026");
  EXPECT_EQ(result.request_hash, decision->request_hash);
  EXPECT_TRUE(result.embedding);
  EXPECT_FALSE(result.spot_check);
  const auto& shadow = *world.outcomes.decisions.back();
  EXPECT_EQ(shadow.parent_id, decision->id);
  EXPECT_EQ(shadow.reason.code, "weak_agrees");
  EXPECT_EQ(shadow.cost.amount, Money::from_pico(1'000));
  EXPECT_EQ(world.weak->calls.front().purpose, Purpose::kLearn);
  const auto figures = world.figures();
  EXPECT_EQ(figures.learn.known, Money::from_pico(1'000));
  EXPECT_EQ(figures.serve.known, Money::from_pico(20'000)) << "learning is not serving";
  EXPECT_EQ(figures.learn_charged, Money::from_pico(1'000));
  EXPECT_EQ(figures.booked, Money{});
  EXPECT_EQ(figures.weak_alone.same, 1u);
  EXPECT_EQ(world.outcomes.places, 1000);
}

TEST(Shadow, WritesAGuideThatHelps) {
  World world;
  world.learn();
  world.weak->on_call = [](const ModelCall& call, Script script) {
    script.text = call.edits.empty() ? "The answer is 41." : "The answer is 42.";
    return script;
  };
  world.strong->on_call = [](const ModelCall& call, Script script) {
    if (call.purpose == Purpose::kGuide) {
      script.text =
          "Split one factor into tens and ones, multiply each part by the other factor, then add up the "
          "parts.";
      script.cost = testing_fakes::usd(7'000);
    }
    return script;
  };
  const auto decision = world.serve(World::request());
  ASSERT_EQ(world.outcomes.shadows.size(), 1u);
  const auto& result = *world.outcomes.shadows.front();
  EXPECT_EQ(result.weak_alone, Verdict::kDifferent);
  ASSERT_TRUE(result.new_guide);
  EXPECT_EQ(result.new_guide->author_model_id, "strong-2026");
  EXPECT_EQ(result.new_guide->decision_id, decision->id);
  EXPECT_EQ(result.new_guide_verdict, Verdict::kSame);
  const auto figures = world.figures();
  EXPECT_EQ(figures.guide.known, Money::from_pico(7'000));
  EXPECT_EQ(figures.learn.known, Money::from_pico(2'000));
  EXPECT_EQ(figures.guides_written, 1u);
  EXPECT_EQ(figures.with_guide.same, 1u);
}

TEST(Shadow, ALeakingGuideIsThrownAway) {
  World world;
  world.learn();
  world.weak->fallback.text = "The answer is 41.";
  world.strong->fallback.text = "The answer is 42.";
  world.serve(World::request());
  ASSERT_EQ(world.outcomes.shadows.size(), 1u);
  EXPECT_TRUE(world.outcomes.shadows.front()->guide_leaked);
  EXPECT_FALSE(world.outcomes.shadows.front()->new_guide);
  EXPECT_EQ(world.figures().guides_leaked, 1u);
}

TEST(Shadow, UsesTheWeakAnswerOfAnEscalation) {
  World world;
  world.learn();
  world.use("adaptive", {{"min_agreement", 0.9}});
  world.snapshot->knows_after = true;
  world.snapshot->expected.p_agree = 0.5;
  world.snapshot->expected.outcomes = 1000;
  world.weak->fallback.logprob = -0.9;
  world.serve(World::request());
  EXPECT_EQ(world.weak->calls.size(), 1u) << "the shadow asked again";
  ASSERT_EQ(world.outcomes.shadows.size(), 1u);
  EXPECT_EQ(world.outcomes.shadows.front()->weak_alone, Verdict::kSame);
  EXPECT_EQ(world.outcomes.shadows.front()->weak_logprob, -0.9);
  EXPECT_EQ(world.features.asked, 1);
  EXPECT_EQ(world.outcomes.decisions.back()->cost.amount, Money{});
}

TEST(Shadow, KnownRequestsAreLeftAloneUntilTheyAreDue) {
  World world;
  world.learn();
  auto request = World::request();
  Skill skill;
  skill.status = SkillStatus::kStrongOnly;
  skill.last_tried = world.clock.now();
  world.snapshot->skills[request->hash] = skill;
  world.serve(request);
  EXPECT_EQ(refused(world, ShadowRefusal::kKnown), 1u);
  EXPECT_THAT(world.outcomes.shadows, IsEmpty());
  world.clock.advance(std::chrono::hours(25));
  world.serve(request);
  EXPECT_EQ(world.outcomes.shadows.size(), 1u);
}

TEST(Shadow, SpotChecksAskTheReferenceAndLogTheCoin) {
  World world;
  world.learn();
  world.use("exact_lookup");
  world.route.learning.spot_check_share = 0.5;
  auto request = World::request();
  Skill skill;
  skill.id = 77;
  skill.status = SkillStatus::kWeakOk;
  world.snapshot->skills[request->hash] = skill;
  world.weak->fallback.text = "The answer is 41.";
  for (int i = 0; i < 40; ++i) world.serve(request);
  const auto checks = world.outcomes.shadows.size();
  EXPECT_GT(checks, 5u);
  EXPECT_LT(checks, 35u);
  EXPECT_EQ(refused(world, ShadowRefusal::kCoin), 40 - checks);
  EXPECT_TRUE(world.outcomes.shadows.front()->spot_check);
  EXPECT_EQ(world.outcomes.shadows.front()->skill_id, 77u);
  EXPECT_EQ(world.outcomes.shadows.front()->weak_alone, Verdict::kDifferent);
  EXPECT_EQ(world.figures().spot_checks.different, checks);
  EXPECT_EQ(world.figures().learn.known, Money::from_pico(static_cast<std::int64_t>(checks) * 20'000));
  ASSERT_EQ(world.outcomes.decisions.front()->draws.size(), 1u);
  EXPECT_STREQ(world.outcomes.decisions.front()->draws[0].what, "spot_check");
}

/// Calls the second of three candidates, as a router over many models may.
class CallsTheMiddle final : public Strategy {
 public:
  const std::string& name() const override { return name_; }
  std::optional<Reason> not_applicable(const RequestView&) const override { return std::nullopt; }
  Step next(const Turn& turn, Draws&) const override {
    Step step;
    step.reason = {"middle", "The middle one."};
    if (turn.attempts.empty()) {
      Call call;
      call.configuration = turn.view.candidates[1];
      call.delivery = Delivery::kStream;
      Calls calls;
      calls.calls.push_back(std::move(call));
      step.what = std::move(calls);
    } else {
      step.what = Accept{0};
    }
    return step;
  }

 private:
  const std::string name_ = "calls_the_middle";
};

TEST(Shadow, AnAnswerOfAnotherCandidateTeachesNothingOfTheWeakOne) {
  World world;
  world.middle = std::make_shared<testing_fakes::FakeModel>("middle-2026");
  world.middle->fallback.text = "The answer is 41.";
  world.learn();
  world.route.learning.spot_check_share = 1;
  Configuration middle;
  middle.model = "middle";
  world.route.candidates = {world.route.weak, middle, world.route.reference};
  world.route.strategy = std::make_shared<CallsTheMiddle>();
  const auto decision = world.serve(World::request());
  ASSERT_TRUE(decision->served());
  EXPECT_EQ(decision->served()->configuration.model, "middle");
  EXPECT_THAT(world.outcomes.shadows, IsEmpty());
  EXPECT_EQ(world.strong->calls.size(), 0u) << "no spot check of what the weak model did not say";
}

TEST(Shadow, AFullQueueASpentBudgetAndAMissingPlaceDrawNoCoin) {
  for (const auto why : {ShadowRefusal::kQueueFull, ShadowRefusal::kBudget, ShadowRefusal::kNoPlace}) {
    World world;
    world.learn();
    world.use("exact_lookup");
    world.route.learning.spot_check_share = 1;
    auto request = World::request();
    Skill skill;
    skill.status = SkillStatus::kWeakOk;
    world.snapshot->skills[request->hash] = skill;
    if (why == ShadowRefusal::kQueueFull) world.route.learning.queue_max = 0;
    if (why == ShadowRefusal::kBudget) world.route.learning.allowance = Money::from_pico(10);
    if (why == ShadowRefusal::kNoPlace) world.outcomes.places = 1;
    const auto decision = world.serve(request);
    EXPECT_EQ(refused(world, why), 1u) << name_of(why);
    EXPECT_THAT(decision->draws, IsEmpty()) << name_of(why);
    EXPECT_THAT(world.outcomes.shadows, IsEmpty());
    EXPECT_EQ(world.figures().booked, Money{});
  }
}

TEST(Shadow, OneAtATimePerDistinctRequest) {
  World world;
  world.learn();
  auto gate = std::make_shared<Gate>(world.context);
  world.weak->fallback.gate = gate;
  testing_fakes::FakeSink one(world.outcomes), two(world.outcomes), three(world.outcomes);
  world.start(World::request(), one);
  world.start(World::request(), two);
  world.start(World::request("auto", "Another?"), three);
  EXPECT_THAT(two.log, ElementsAre("whole strong The answer is 42.")) << "the user never waits for a shadow";
  EXPECT_EQ(world.shadows->counters().running, 2u);
  EXPECT_EQ(refused(world, ShadowRefusal::kSingleFlight), 1u);
  // Four weak calls of 100 + 300 tokens in and 20 out, and a guide of 320 tokens.
  const std::int64_t worst = 4 * (400 * 10 + 20 * 100) + (400 * 100 + 320 * 1'000);
  EXPECT_EQ(world.figures().booked, Money::from_pico(2 * worst))
      << "the worst case is booked before the call";
  gate->open();
  world.poll();
  EXPECT_EQ(world.outcomes.shadows.size(), 2u);
  EXPECT_EQ(world.figures().booked, Money{});
  EXPECT_EQ(world.shadows->counters().finished, 2u);
}

TEST(Shadow, BooksTheJudgeAndEveryGuideThatMayBeTried) {
  World world;
  world.learn({{"judge", std::string("reference")}, {"guides_max", std::int64_t{3}}});
  world.route.learning.judge = true;
  world.route.learning.guides_tried_max = 3;
  auto gate = std::make_shared<Gate>(world.context);
  world.weak->fallback.gate = gate;
  testing_fakes::FakeSink sink(world.outcomes);
  world.start(World::request(), sink);
  // Five weak calls and a guide as above; per weak answer two judge calls, which read the request, 300 tokens
  // and answers of 10 and 20, and write 400.
  const std::int64_t worst =
      5 * (400 * 10 + 20 * 100) + (400 * 100 + 320 * 1'000) + 5 * 2 * ((100 + 300 + 30) * 100 + 400 * 1'000);
  EXPECT_EQ(world.figures().booked, Money::from_pico(worst));
  gate->open();
  world.poll();
  EXPECT_EQ(world.figures().booked, Money{});
}

TEST(Shadow, WhatIsTooLargeToKeepIsNotShadowed) {
  World world;
  world.learn();
  world.route.learning.request_bytes_max = 200 + 17;  // the request and its answer
  world.serve(World::request("auto", "fits"));
  EXPECT_EQ(world.shadows->counters().admitted, 1u);
  world.strong->fallback.text += '!';
  world.serve(World::request("auto", "an answer one byte too long"));
  EXPECT_EQ(refused(world, ShadowRefusal::kTooLarge), 1u);
  EXPECT_EQ(world.shadows->counters().admitted, 1u);
  EXPECT_EQ(world.outcomes.places, 1000);
  EXPECT_EQ(world.figures().booked, Money{});
}

TEST(Shadow, RunsAtMostParallelMaxAtOnce) {
  World world;
  world.learn();
  world.route.learning.parallel_max = 2;
  auto gate = std::make_shared<Gate>(world.context);
  world.weak->fallback.gate = gate;
  std::vector<std::unique_ptr<testing_fakes::FakeSink>> sinks;
  for (int i = 0; i < 5; ++i) {
    sinks.push_back(std::make_unique<testing_fakes::FakeSink>(world.outcomes));
    world.start(World::request("auto", "Question " + std::to_string(i)), *sinks.back());
  }
  EXPECT_EQ(world.shadows->counters().running, 2u);
  EXPECT_EQ(world.shadows->counters().queued, 3u);
  bool idle = false;
  asio::co_spawn(world.context, world.shadows->wait_idle(), [&](std::exception_ptr) { idle = true; });
  world.poll();
  EXPECT_FALSE(idle);
  gate->open();
  world.poll();
  EXPECT_TRUE(idle);
  EXPECT_EQ(world.outcomes.shadows.size(), 5u);
}

TEST(Shadow, WithoutPricesTheirNumberIsBounded) {
  World world;
  world.learn();
  world.weak->fallback.cost = {};
  world.strong->fallback.cost = {};
  world.strong->priced = false;
  world.route.learning.budget_share = 0;
  for (int i = 0; i < 30; ++i) world.serve(World::request("auto", "Question " + std::to_string(i)));
  EXPECT_EQ(world.outcomes.shadows.size(), 20u);
  EXPECT_EQ(world.figures().learn.unknown_count, 20u);
  EXPECT_EQ(refused(world, ShadowRefusal::kBudget), 10u);
}

TEST(Shadow, TheBudgetIsAShareOfServing) {
  World world;
  world.learn();
  world.route.learning.allowance = Money{};
  world.route.learning.budget_share = 0.5;
  // Each shadow books at least 24000 (four weak calls) and spends 1000; half of serving is 10000 a request.
  for (int i = 0; i < 100; ++i) world.serve(World::request("auto", "Question " + std::to_string(i)));
  const auto figures = world.figures();
  EXPECT_GT(figures.shadows, 50u);
  EXPECT_EQ(refused(world, ShadowRefusal::kBudget), 3u) << "the first requests cannot pay for a worst case";
  EXPECT_LE(figures.learn_charged.pico_usd, figures.serve.known.pico_usd / 2);
}

TEST(Shadow, WithoutMoneyForAGuideItStillLearnsOutcomes) {
  World world;
  world.learn();
  world.weak->fallback.text = "The answer is 41.";
  // Enough for four weak calls (24000), not for a guide (360000).
  world.route.learning.allowance = Money::from_pico(30'000);
  world.route.learning.budget_share = 0;
  world.serve(World::request());
  ASSERT_EQ(world.outcomes.shadows.size(), 1u);
  EXPECT_EQ(world.outcomes.shadows.front()->weak_alone, Verdict::kDifferent);
  EXPECT_EQ(world.strong->calls.size(), 1u) << "it wrote a guide";
  EXPECT_EQ(world.shadows->counters().without_guide, 1u);
}

TEST(Shadow, DrainDropsTheQueueAndCancelsWhatRuns) {
  World world;
  world.learn();
  world.route.learning.parallel_max = 1;
  world.weak->fallback.gate = std::make_shared<Gate>(world.context);
  testing_fakes::FakeSink one(world.outcomes), two(world.outcomes);
  world.start(World::request("auto", "One"), one);
  world.start(World::request("auto", "Two"), two);
  std::thread drainer([&] { world.shadows->drain(Milliseconds(0)); });
  // The executor runs until the cancelled shadow has ended.
  while (world.shadows->counters().running > 0) world.poll();
  drainer.join();
  EXPECT_EQ(world.shadows->counters().cancelled, 1u);
  EXPECT_EQ(world.outcomes.places, 1000);
  EXPECT_EQ(world.weak->stopped_calls, 1);
  EXPECT_EQ(world.figures().booked, Money{});
  testing_fakes::FakeSink three(world.outcomes);
  world.start(World::request("auto", "Three"), three);
  EXPECT_EQ(refused(world, ShadowRefusal::kStopping), 1u);
}

TEST(Shadow, ToolRequestsAreRememberedByTheirHashAlone) {
  World world;
  world.learn();
  world.use("adaptive");
  auto request = World::request();
  request->has_tools = true;
  world.serve(request);
  ASSERT_EQ(world.outcomes.shadows.size(), 1u);
  EXPECT_FALSE(world.outcomes.shadows.front()->embedding);
}

TEST(Shadow, NothingIsLearnedFromWhoDoesNotWantIt) {
  World world;
  world.learn();
  RequestOptions options;
  options.learn = false;
  world.serve(World::request(), options);
  options.learn = true;
  options.store = false;
  world.serve(World::request(), options);
  EXPECT_EQ(world.shadows->counters().admitted, 0u);
}

TEST(Shadow, ObserveModeMeasuresWhatItWouldHaveServed) {
  World world;
  world.learn();
  world.use("always_weak");
  world.route.mode = RouteMode::kObserve;
  for (int i = 0; i < 4; ++i) world.serve(World::request("auto", "Question " + std::to_string(i)));
  const auto figures = world.figures();
  EXPECT_EQ(figures.would_be_weak, 4u);
  EXPECT_EQ(figures.would_be_agreement.same, 4u);
  EXPECT_EQ(figures.would_be_weak_cost.known, Money::from_pico(4'000));
}

TEST(MoneyLedger, SurvivesARestartAndChargesWhatWasBooked) {
  World world;
  world.learn();
  world.serve(World::request());
  LearningBudget budget;
  budget.allowance = Money::from_pico(1'000'000'000);
  ASSERT_TRUE(world.ledger.book("default", "auto", budget, Money::from_pico(555)));
  MoneyLedger next;
  ASSERT_TRUE(next.restore(world.ledger.save()));
  ASSERT_EQ(next.snapshot().size(), 1u);
  const auto figures = next.snapshot().front();
  EXPECT_EQ(figures.serve.known, Money::from_pico(20'000));
  EXPECT_EQ(figures.learn_charged, Money::from_pico(1'000 + 555)) << "an unsettled credit is the worst case";
  EXPECT_EQ(figures.booked, Money{});
  EXPECT_FALSE(next.restore("brevet-ledger-1\n7:def"));
  EXPECT_FALSE(next.restore("something else"));
  EXPECT_EQ(next.snapshot().size(), 1u);
  const auto text = world.ledger.save();
  for (std::size_t cut = 17; cut < text.size(); ++cut)
    EXPECT_FALSE(MoneyLedger().restore(text.substr(0, cut)));
}

}  // namespace
}  // namespace brevet
