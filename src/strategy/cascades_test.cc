// Goal: the cascades decide what their files say. Method: single turns with hand-made attempts, and the
// learned ones with a model small enough to reckon by hand (test_router.h: P(accept) = .5 + (rank - .8) / 2,
// threshold .5).
#include <gtest/gtest.h>

#include "strategy/strategy.h"
#include "strategy/test_router.h"
#include "strategy/test_snapshot.h"

namespace brevet {
namespace {

struct Scene {
  ChatRequest request;
  RequestFeatures features;
  Partition partition;
  Configuration weak{"weak"}, strong{"strong"};
  std::vector<Configuration> candidates{weak, strong};
  RequestView view{request, features, partition, weak, strong, candidates};
  Evidence evidence;
  std::vector<Attempt> attempts;
  NothingRemembered snapshot;
  StrategyPtr strategy;

  explicit Scene(std::string_view name, OptionValues options = {}, bool learned = false) {
    request.messages.push_back({"user", "What is 6 times 7?", true, {}, {}});
    auto made = make_strategy(name, options,
                              learned ? std::make_shared<const FakeRouter>(std::string(name)) : RouterPtr{});
    EXPECT_TRUE(made) << (made ? "" : made.error().message);
    if (made) strategy = *made;
  }
  Scene(const Scene&) = delete;
  Step next() {
    Draws draws(1, 1);
    return strategy->next({view, evidence, attempts, snapshot}, draws);
  }
  /// Makes the calls of a step; each is answered by `text`.
  void answer(const Step& step, const std::vector<std::string>& texts,
              std::optional<double> logprob = std::nullopt) {
    const auto* calls = std::get_if<Calls>(&step.what);
    ASSERT_TRUE(calls) << step.reason.sentence;
    for (std::size_t i = 0; i < calls->calls.size(); ++i) {
      const auto& call = calls->calls[i];
      Attempt attempt;
      attempt.id = static_cast<int>(attempts.size());
      attempt.configuration = call.configuration;
      attempt.purpose = call.purpose;
      attempt.tag = call.tag;
      attempt.state = AttemptState::kDone;
      attempt.answer = Answer{};
      attempt.answer->text = texts[i % texts.size()];
      attempt.answer->finish_reason = "stop";
      attempt.answer->mean_logprob = logprob;
      attempts.push_back(std::move(attempt));
    }
  }
  std::size_t calls_of(const Step& step) const {
    const auto* calls = std::get_if<Calls>(&step.what);
    return calls ? calls->calls.size() : 0;
  }
  std::string called(const Step& step) const {
    const auto* calls = std::get_if<Calls>(&step.what);
    return calls && !calls->calls.empty() ? calls->calls.front().configuration.key() : "-";
  }
  int accepted(const Step& step) const {
    const auto* accept = std::get_if<Accept>(&step.what);
    return accept ? accept->attempt : -1;
  }
};

TEST(Cascade, KeepsWhatIsSureEnoughAndAsksOnOtherwise) {
  for (const auto& [logprob, kept] :
       {std::pair<std::optional<double>, bool>{-.05, true}, {-.9, false}, {std::nullopt, false}}) {
    Scene scene("cascade", {{"threshold", -.2}});
    auto step = scene.next();
    EXPECT_EQ(scene.called(step), "weak");
    EXPECT_TRUE(std::get<Calls>(step.what).calls.front().want_logprobs);
    EXPECT_EQ(std::get<Calls>(step.what).calls.front().delivery, Delivery::kHold);
    scene.answer(step, {"42"}, logprob);
    step = scene.next();
    if (kept) {
      EXPECT_EQ(scene.accepted(step), 0);
      continue;
    }
    EXPECT_EQ(scene.called(step), "strong") << step.reason.sentence;
    scene.answer(step, {"42"});
    EXPECT_EQ(scene.accepted(scene.next()), 1);
  }
}

TEST(Cascade, AgreementServesTheLargestGroup) {
  Scene scene("cascade",
              {{"signal", std::string("agreement")}, {"threshold", .6}, {"samples", std::int64_t{3}}});
  auto step = scene.next();
  EXPECT_EQ(scene.calls_of(step), 3U);
  scene.answer(step, {"The answer is 41.", "The answer is 42.", "42"});
  step = scene.next();
  EXPECT_EQ(scene.accepted(step), 1) << step.reason.sentence;
  Scene split("cascade",
              {{"signal", std::string("entropy")}, {"threshold", -.7}, {"samples", std::int64_t{3}}});
  split.answer(split.next(), {"41", "42", "43"});
  EXPECT_EQ(split.called(split.next()), "strong");
}

TEST(Cascade, SelfCheckAsksTheVerifier) {
  Scene scene("cascade", {{"signal", std::string("self_check")},
                          {"threshold", .6},
                          {"checks", std::int64_t{3}},
                          {"verifier", std::string("strong")}});
  scene.answer(scene.next(), {"42"});
  auto step = scene.next();
  EXPECT_EQ(scene.called(step), "strong");
  EXPECT_EQ(scene.calls_of(step), 3U);
  EXPECT_EQ(std::get<Calls>(step.what).calls.front().purpose, Purpose::kJudge);
  scene.answer(step, {"[[RIGHT]]", "[[RIGHT]]", "well, who knows"});
  EXPECT_EQ(scene.accepted(scene.next()), 0) << "two of two that said anything";
  Scene wrong("cascade",
              {{"signal", std::string("self_check")}, {"threshold", .6}, {"checks", std::int64_t{2}}});
  wrong.answer(wrong.next(), {"42"});
  wrong.answer(wrong.next(), {"[[WRONG]]", "[[RIGHT]]"});
  step = wrong.next();
  EXPECT_EQ(wrong.called(step), "strong");
  EXPECT_EQ(std::get<Calls>(step.what).calls.front().purpose, Purpose::kServe);
}

TEST(Cascade, ChecksOfTheUserComeFirstAndALimitIsKept) {
  Scene scene("cascade", {{"threshold", -5.0}, {"answer_checks", std::string("number")}});
  scene.answer(scene.next(), {"I would say many."}, -.01);
  const auto step = scene.next();
  EXPECT_EQ(scene.called(step), "strong");
  EXPECT_NE(step.reason.sentence.find("states no number"), std::string::npos);
  Scene poor("cascade");
  poor.view.calls_left = 1;
  EXPECT_EQ(poor.called(poor.next()), "strong") << "one call is kept for the reference";
  Scene late("cascade");
  late.answer(late.next(), {"42"});
  late.view.out_of_time = true;
  EXPECT_EQ(late.accepted(late.next()), 0);
  EXPECT_FALSE(make_strategy("cascade", {{"signal", std::string("none")}}));
  EXPECT_FALSE(make_strategy("cascade", {{"signal", std::string("smell")}}));
}

TEST(LearnedCascade, DecidesByTheLearnedWorth) {
  for (const auto* name : {"frugal_cascade", "cascade_routing"}) {
    for (const auto& [logprob, kept] : {std::pair{-.05, true}, {-.9, false}}) {
      Scene scene(name, {}, true);
      auto step = scene.next();
      EXPECT_EQ(scene.called(step), "weak") << name;
      scene.answer(step, {"42"}, logprob);
      step = scene.next();
      if (kept) {
        EXPECT_EQ(scene.accepted(step), 0) << name << ": " << step.reason.sentence;
      } else {
        EXPECT_EQ(scene.called(step), "strong") << name << ": " << step.reason.sentence;
        scene.answer(step, {"41"});
        EXPECT_EQ(scene.accepted(scene.next()), 1) << name;
      }
    }
    Scene missing(name, {}, true);
    missing.answer(missing.next(), {"42"});
    EXPECT_EQ(missing.called(missing.next()), "strong") << "no log-probability came";
    Scene promised(name, {{"keep", .999}}, true);
    const auto step = promised.next();
    EXPECT_EQ(promised.called(step), "strong") << "nothing kept so much";
    EXPECT_NE(step.reason.sentence.find("kept the promise"), std::string::npos);
    const auto poor = make_strategy(name, {{"budget_usd", 1e-9}}, std::make_shared<const FakeRouter>(name));
    ASSERT_FALSE(poor);
    EXPECT_EQ(poor.error().code, "budget_too_small");
  }
}

}  // namespace
}  // namespace brevet
