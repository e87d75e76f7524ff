// Goal: who cannot take a request falls out before any strategy chooses, and the decision says why; a request
// may name the threshold of a route's router. Method: the whole flow over fakes with limits by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/router_names.h"
#include "gateway/test_fakes.h"
#include "strategy/test_router.h"

namespace brevet {
namespace {

using ::testing::HasSubstr;
using testing_fakes::World;

struct Limited : World {
  ModelLimits weak_limits, strong_limits;

  std::shared_ptr<const Decision> ask(const std::shared_ptr<ChatRequest>& request,
                                      RequestOptions options = {}, bool local_weak = false) {
    return sync(flow->run(limited(local_weak), request, std::move(options), sink));
  }
  RuntimePtr limited(bool local_weak = false) const {
    auto out = std::make_shared<Runtime>(*runtime(local_weak));
    out->models["weak"].limits = weak_limits;
    out->models["strong"].limits = strong_limits;
    return out;
  }
};

bool has_step(const Decision& decision, const std::string& code) {
  for (const auto& step : decision.steps) {
    if (step.code == code) return true;
  }
  return false;
}

TEST(AbleCandidates, TheReferenceServesWhatTheWeakCannotTake) {
  Limited world;
  world.use("always_weak");
  world.learn();
  world.weak_limits.tools = false;
  auto request = World::request();
  request->has_tools = true;
  const auto decision = world.ask(request);
  EXPECT_EQ(decision->served()->configuration.model, "strong");
  EXPECT_EQ(decision->reason.code, "only_capable");
  EXPECT_EQ(decision->reason.sentence, "strong answers: weak takes no tools, and the request offers some.");
  EXPECT_FALSE(decision->learn) << "a shadow would send it to weak";
  EXPECT_TRUE(world.weak->calls.empty());
  EXPECT_EQ(world.ask(World::request())->served()->configuration.model, "weak") << "without tools";
}

TEST(AbleCandidates, TheWeakServesWhatTheReferenceCannotTake) {
  Limited world;
  world.use("always_strong");
  world.strong_limits.context_tokens = 100;
  const auto decision = world.ask(World::request("auto", std::string(4000, 'a')));
  EXPECT_EQ(decision->served()->configuration.model, "weak");
  EXPECT_EQ(decision->reason.code, "only_capable");
  EXPECT_THAT(decision->reason.sentence, HasSubstr("strong has a context of 100 tokens"));
}

TEST(AbleCandidates, NobodyLeftIsAnErrorThatSaysWhy) {
  Limited world;
  world.weak_limits.other_parts = false;
  world.strong_limits.other_parts = false;
  auto request = World::request();
  request->has_images = true;
  const auto decision = world.ask(request);
  EXPECT_EQ(decision->state, DecisionState::kFailed);
  EXPECT_EQ(decision->error->kind, ErrorKind::kCallerInvalid);
  EXPECT_EQ(decision->error->code, "no_capable_model");
  EXPECT_THAT(decision->error->message, HasSubstr("weak takes text only"));
  EXPECT_THAT(decision->error->message, HasSubstr("strong takes text only"));
  EXPECT_TRUE(world.weak->calls.empty() && world.strong->calls.empty());
  const auto dry = world.sync(world.flow->dry_run(world.limited(), request, {}));
  ASSERT_FALSE(dry);
  EXPECT_EQ(dry.error().code, "no_capable_model");
}

TEST(AbleCandidates, WhatIsNotKnownIsSaidAndKeepsNobodyOut) {
  Limited world;
  world.use("always_weak");
  auto request = World::request();
  request->has_tools = true;
  const auto decision = world.ask(request);
  EXPECT_EQ(decision->served()->configuration.model, "weak");
  EXPECT_TRUE(has_step(*decision, "not_known"));
  EXPECT_FALSE(has_step(*world.ask(World::request()), "not_known"));
}

TEST(AbleCandidates, StayingOnThisMachineNeedsAModelHereThatCan) {
  Limited world;
  world.weak_limits.tools = false;
  auto request = World::request();
  request->has_tools = true;
  RequestOptions local;
  local.local_only = true;
  const auto decision = world.ask(request, local, true);
  EXPECT_EQ(decision->state, DecisionState::kFailed);
  EXPECT_EQ(decision->error->code, "no_local_model");
  EXPECT_THAT(decision->error->message, HasSubstr("weak takes no tools"));
}

TEST(AbleCandidates, AnUnreachableReferenceDoesNotPassItToWhoCannot) {
  Limited world;
  world.route.when_reference_unreachable = WhenUnreachable::kServeWeak;
  world.strong->fallback.fails = ErrorKind::kProviderUnavailable;
  world.weak_limits.tools = false;
  auto request = World::request();
  request->has_tools = true;
  EXPECT_EQ(world.ask(request)->state, DecisionState::kFailed);
  EXPECT_TRUE(world.weak->calls.empty());
  EXPECT_EQ(world.ask(World::request())->state, DecisionState::kServed);
}

TEST(AbleCandidates, AMiddleModelStandsInForAWeakOneThatCannot) {
  Limited world;
  auto router = std::make_shared<FakeRouter>(router_kinds().front().name);
  router->info_.configurations = {"weak", "middle", "strong"};
  router->info_.mean_cost_usd = {.0001, .001, .01};
  router->prediction->quality = {.9F, .8F, .85F};
  world.route.strategy = *make_strategy(router->info().kind, {{"value_usd", .01}}, router);
  world.route.candidates = {{"weak"}, {"middle"}, {"strong"}};
  auto runtime = std::make_shared<Runtime>(*world.runtime());
  runtime->models["middle"] = runtime->models["weak"];
  runtime->models["middle"].name = "middle";
  EXPECT_EQ(
      world.sync(world.flow->run(runtime, World::request(), {}, world.sink))->served()->configuration.model,
      "weak");
  runtime->models["weak"].limits.context_tokens = 2;
  const auto decision = world.sync(world.flow->run(runtime, World::request(), {}, world.sink));
  EXPECT_EQ(decision->served()->configuration.model, "middle");
  EXPECT_TRUE(has_step(*decision, "left_out"));
  ASSERT_EQ(decision->qualities.size(), 2u) << "of those that could take it";
  EXPECT_FLOAT_EQ(decision->qualities[0], .8F);
}

struct Routed : World {
  std::shared_ptr<FakeRouter> router = std::make_shared<FakeRouter>(router_kinds().front().name);
  Routed() {
    router->prediction->need_strong = .3;
    route.strategy = *make_strategy(router->info().kind, {{"threshold", .5}}, router);
    route.at_threshold = [this](double threshold) {
      return make_strategy(router->info().kind, {{"threshold", threshold}}, router);
    };
  }
};

TEST(RequestThreshold, IsOfThisRequestAlone) {
  Routed world;
  EXPECT_EQ(world.serve(World::request())->served()->configuration.model, "weak");
  RequestOptions strict;
  strict.threshold = .2;
  const auto decision = world.serve(World::request(), strict);
  EXPECT_EQ(decision->served()->configuration.model, "strong");
  EXPECT_THAT(decision->reason.sentence, HasSubstr("needed 0.20"));
  EXPECT_DOUBLE_EQ(*decision->score, .7);
  EXPECT_EQ(world.serve(World::request())->served()->configuration.model, "weak");
  const auto dry = world.sync(world.flow->dry_run(world.runtime(), World::request(), strict));
  ASSERT_TRUE(dry);
  EXPECT_EQ((*dry)->would_have, "strong");
}

TEST(RouterNames, MeanTheOneRouteWithThatRouter) {
  Routed world;
  const auto kind = world.router->info().kind;
  auto runtime = std::make_shared<Runtime>(*world.runtime());
  const auto all = [](const std::string&) { return true; };
  const auto found = resolve_router_name(*runtime, "router-" + kind + "-0.11593", all);
  ASSERT_TRUE(found && *found) << found.error().message;
  EXPECT_EQ((*found)->route, "auto");
  EXPECT_DOUBLE_EQ((*found)->threshold, .11593);
  for (const char* edge : {"0", "1", "1e-3"}) {
    EXPECT_TRUE(resolve_router_name(*runtime, "router-" + kind + "-" + edge, all)) << edge;
  }
  const auto other = resolve_router_name(*runtime, "gpt-4", all);
  ASSERT_TRUE(other);
  EXPECT_FALSE(*other);
  const auto code = [&](const std::string& name, const auto& may_use) {
    const auto refused = resolve_router_name(*runtime, name, may_use);
    if (refused) return std::string();
    EXPECT_EQ(refused.error().kind, ErrorKind::kCallerInvalid);
    return refused.error().code;
  };
  for (const char* text : {"-1.5", "--0.1", "-nan", "-inf", "-0.5x", "-0,5", "-", "", "-0.1-2", "- 0.1"}) {
    EXPECT_EQ(code("router-" + kind + text, all), "bad_threshold") << text;
  }
  EXPECT_EQ(code("router-nonsense-0.5", all), "unknown_router");
  EXPECT_EQ(code("router-", all), "unknown_router");
  EXPECT_EQ(code("router-" + kind + "-0.5", [](const std::string&) { return false; }), "unknown_router");
  runtime->routes["second"] = runtime->routes["auto"];
  EXPECT_EQ(code("router-" + kind + "-0.5", all), "ambiguous_router");
  EXPECT_THAT(resolve_router_name(*runtime, "router-" + kind + "-0.5", all).error().message,
              HasSubstr("auto, second"));
}

}  // namespace
}  // namespace brevet
