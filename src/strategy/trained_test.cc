// Goal: a trained router's predictions become the choice that its rule says, with a sentence a person
// understands, and a router that does not fit a route is refused. Method: hand-made predictions.
#include "strategy/trained.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "strategy/test_router.h"
#include "strategy/test_snapshot.h"

namespace brevet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Scene {
  ChatRequest request;
  RequestFeatures features;
  Partition partition;
  std::vector<Configuration> candidates{{"weak"}, {"strong"}};
  Evidence evidence;
  std::vector<Attempt> attempts;
  NothingRemembered snapshot;
  std::shared_ptr<FakeRouter> router = std::make_shared<FakeRouter>("bert_head");

  Scene() { evidence.features = true; }
  Step next(const OptionValues& options) {
    const RequestView view{request, features, partition, candidates.front(), candidates.back(), candidates};
    const auto made = make_strategy(router->info().kind, options, router);
    EXPECT_TRUE(made) << (made ? "" : made.error().message);
    if (!made) return {};
    Draws draws(1, 1);
    return (*made)->next({view, evidence, attempts, snapshot}, draws);
  }
};

std::string called(const Step& step) {
  const auto* calls = std::get_if<Calls>(&step.what);
  return calls && calls->calls.size() == 1 ? calls->calls[0].configuration.key() : "-";
}

TEST(Trained, StandsInFrontOfRarWhateverItsKind) {
  Scene scene;
  const auto rar = make_strategy("rar", {{"router_threshold", .3}}, scene.router);
  ASSERT_TRUE(rar) << rar.error().message;
  const RequestView view{scene.request,           scene.features,  scene.partition, scene.candidates.front(),
                         scene.candidates.back(), scene.candidates};
  const auto next = [&] {
    Draws draws(1, 1);
    return (*rar)->next({view, scene.evidence, scene.attempts, scene.snapshot}, draws);
  };
  scene.router->prediction->need_strong = .12;
  EXPECT_EQ(called(next()), "weak");
  EXPECT_EQ(next().reason.code, "static_router");
  scene.router->prediction->need_strong = .35;
  EXPECT_TRUE(std::holds_alternative<Need>(next().what)) << "then memory is asked";
  scene.evidence.exact.emplace();
  scene.evidence.neighbours.emplace();
  EXPECT_EQ(next().reason.code, "nothing_remembered");
  EXPECT_EQ(make_strategy("rar", {{"static_router", std::string("knn")}}, scene.router).error().code,
            "unknown_option")
      << "one router in front is enough";
}

TEST(Trained, StrongFromTheThresholdOn) {
  Scene scene;
  scene.router->prediction->need_strong = .12;
  auto step = scene.next({{"threshold", .35}});
  EXPECT_EQ(called(step), "weak");
  EXPECT_EQ(step.reason.code, "router_weak");
  EXPECT_EQ(
      step.reason.sentence,
      "Served by weak because bert_head expects the answer of strong to be better with probability 0.12, "
      "needed 0.35.");
  EXPECT_DOUBLE_EQ(*step.score, .88);
  EXPECT_THAT(step.qualities, ElementsAre(.6F, .8F));
  scene.router->prediction->need_strong = .35;
  step = scene.next({{"threshold", .35}});
  EXPECT_EQ(called(step), "strong") << "the threshold itself is strong";
  EXPECT_EQ(step.reason.code, "router_strong");
  scene.router->prediction->need_strong = 0;
  EXPECT_EQ(called(scene.next({{"threshold", 0.0}})), "strong") << "0 is always strong";
}

TEST(Trained, LooksAtTheRequestFirst) {
  Scene scene;
  scene.evidence.features = false;
  const auto step = scene.next({});
  const auto* need = std::get_if<Need>(&step.what);
  ASSERT_TRUE(need);
  EXPECT_TRUE(std::holds_alternative<NeedFeatures>(*need));
}

TEST(Trained, WhatIsUnlikeTheTrainingDataGoesToTheReference) {
  Scene scene;
  scene.router->prediction->need_strong = 0;
  scene.router->prediction->familiarity = .004;
  const auto step = scene.next({});
  EXPECT_EQ(called(step), "strong");
  EXPECT_EQ(step.reason.code, "unfamiliar_request");
  EXPECT_THAT(step.reason.sentence, HasSubstr("unlike those that bert_head was trained on: 0.4%"));
  EXPECT_THAT(step.reason.sentence, HasSubstr("1% are needed"));
  EXPECT_FALSE(step.score) << "nothing was compared with the threshold";
  EXPECT_EQ(called(scene.next({{"familiarity_min", 0.0}})), "weak");
  scene.router->prediction->familiarity = .01;
  EXPECT_EQ(called(scene.next({})), "weak");
}

TEST(Trained, NothingKnownIsTheReference) {
  Scene scene;
  scene.router->prediction.reset();
  const auto step = scene.next({{"threshold", 1.0}});
  EXPECT_EQ(called(step), "strong");
  EXPECT_EQ(step.reason.code, "no_prediction");
}

TEST(Trained, WeighsQualityAgainstCostOverManyModels) {
  Scene scene;
  scene.candidates = {{"weak"}, {"middle"}, {"strong"}};
  scene.router->info_.configurations = {"weak", "middle", "strong"};
  scene.router->info_.mean_cost_usd = {.0001, .001, .01};
  scene.router->prediction->quality = {.7F, .8F, .9F};
  auto step = scene.next({{"value_usd", .05}});
  EXPECT_EQ(called(step), "middle");
  EXPECT_EQ(step.reason.code, "router_value");
  EXPECT_THAT(step.reason.sentence, HasSubstr("expects quality 0.80 of it for about 0.001 USD"));
  EXPECT_THAT(step.reason.sentence, HasSubstr("before strong"));
  EXPECT_THAT(step.qualities, ElementsAre(.7F, .8F, .9F));
  EXPECT_EQ(called(scene.next({{"value_usd", 1.0}})), "strong");
  EXPECT_EQ(called(scene.next({{"value_usd", 1e-6}})), "weak");
  // A route may have fewer than the router knows, and in its own order.
  scene.candidates = {{"middle"}, {"strong"}};
  step = scene.next({{"value_usd", 1e-6}});
  EXPECT_EQ(called(step), "middle");
  EXPECT_THAT(step.qualities, ElementsAre(.8F, .9F));
}

TEST(Trained, AMiddleModelThatFailsIsNamed) {
  Scene scene;
  scene.candidates = {{"weak"}, {"middle"}, {"strong"}};
  Attempt failed;
  failed.configuration = {"middle"};
  failed.state = AttemptState::kFailed;
  failed.error = Error{ErrorKind::kProviderTimeout, "total_timeout", "Too slow."};
  scene.attempts.push_back(failed);
  const auto step = scene.next({{"value_usd", .05}});
  EXPECT_EQ(called(step), "strong");
  EXPECT_THAT(step.reason.sentence, HasSubstr("because middle failed"));
}

TEST(Trained, KnnWithARouterIsTheTrainedOne) {
  bool there = false;
  for (const auto& kind : router_kinds()) there |= kind.name == "knn";
  if (!there) GTEST_SKIP() << "this build has no trained knn";
  const OptionValues trained{{"familiarity_min", .02}};
  EXPECT_TRUE(make_strategy("knn", trained, std::make_shared<const FakeRouter>("knn")));
  EXPECT_FALSE(make_strategy("knn", trained));
  const OptionValues remembered{{"neighbours", std::int64_t{5}}};
  EXPECT_TRUE(make_strategy("knn", remembered));
  EXPECT_FALSE(make_strategy("knn", remembered, std::make_shared<const FakeRouter>("knn")));
}

TEST(Trained, EveryKindOfRouterIsAStrategyThatWantsOne) {
  for (const auto& router : router_kinds()) {
    SCOPED_TRACE(router.name);
    EXPECT_TRUE(make_strategy(router.name, {}, std::make_shared<const FakeRouter>(router.name)));
    const auto other = make_strategy(router.name, {}, std::make_shared<const FakeRouter>("nonsense"));
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code, "router_kind_mismatch");
    if (router.name == "knn" || router.name == "causal_llm") continue;  // these know what to do without
    const auto none = make_strategy(router.name, {});
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, "router_missing");
  }
  const auto unread = make_strategy("exact_lookup", {}, std::make_shared<const FakeRouter>("mf"));
  ASSERT_FALSE(unread);
  EXPECT_EQ(unread.error().code, "router_not_read");
}

TEST(RouterPlace, RefusesWhatDoesNotFit) {
  RouterInfo router;
  router.kind = "mf";
  router.configurations = {"weak", "middle", "strong"};
  router.encoder_hash = "abcdef";
  router.lexical_version = 1;
  router.mean_cost_usd = {.1, std::nan(""), .3};
  const RouterPlace two{{{"weak"}, {"strong"}}, {"strong"}, "abcdef", 1};
  EXPECT_TRUE(check_router_place(router, {}, two));
  EXPECT_TRUE(check_router_place(router, {{"value_usd", .5}}, two));
  const auto code = [&](const OptionValues& options, const RouterPlace& place) {
    const auto checked = check_router_place(router, options, place);
    return checked ? std::string() : checked.error().code;
  };
  auto place = two;
  place.encoder_hash = "another";
  EXPECT_EQ(code({}, place), "router_encoder_mismatch");
  place = two;
  place.lexical_version = 2;
  EXPECT_EQ(code({}, place), "router_encoder_mismatch");
  place = two;
  place.candidates = {{"weak"}, {"unknown"}, {"strong"}};
  EXPECT_EQ(code({{"value_usd", .5}}, place), "router_models_mismatch");
  EXPECT_THAT(check_router_place(router, {}, place).error().message, HasSubstr("nothing of unknown;"));
  place.candidates = {{"weak"}, {"middle"}, {"strong"}};
  EXPECT_EQ(code({}, place), "router_needs_value");
  EXPECT_EQ(code({{"value_usd", std::int64_t{1}}}, place), "router_costs_unknown");
  // Its need is of the first and the last; of another pair it knows qualities alone.
  place.candidates = {{"middle"}, {"strong"}};
  EXPECT_EQ(code({}, place), "router_models_mismatch");
  router.mean_cost_usd[1] = .2;
  EXPECT_EQ(code({{"value_usd", .5}}, place), "");
}

}  // namespace
}  // namespace brevet
