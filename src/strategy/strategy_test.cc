// Goal: every strategy in the list keeps the contract, and each decides what its file says.
// Method: one seeded random flow (evidence, failures, completions in any order) drives every strategy, beside
// a reference so dumb that it is surely right; then single turns with hand-made evidence.
#include "strategy/strategy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "strategy/test_router.h"

namespace brevet {
namespace {

using ::testing::HasSubstr;

class FakeSnapshot : public Snapshot {
 public:
  std::uint64_t version() const override { return 7; }
  std::optional<Skill> find_exact(const Partition&, std::string_view) const override { return std::nullopt; }
  std::vector<Neighbour> nearest(const Partition&, const Embedding&, std::size_t) const override {
    return {};
  }
  std::vector<GuideNeighbour> guides(const Partition&, const Embedding&, std::size_t, float) const override {
    return {};
  }
  std::optional<Guide> guide(const Partition&, std::uint64_t id) const override {
    if (guide_gone) return std::nullopt;
    Guide out;
    out.id = id;
    out.text = "Write down what is asked first.";
    return out;
  }
  Estimate estimate(const Partition&, const RequestFeatures&) const override { return {}; }
  std::optional<double> after_answer(const Partition&, const Estimate&, double) const override {
    return after;
  }
  bool guide_gone = false;
  std::optional<double> after;
};

/// Everything a turn points to, with sensible contents.
struct Scene {
  ChatRequest request;
  RequestFeatures features;
  Partition partition;
  Configuration weak{"weak"};
  Configuration reference{"strong"};
  std::vector<Configuration> candidates{weak, reference};
  Answer served;
  RequestView view{request, features, partition, weak, reference, candidates};
  Evidence evidence;
  std::vector<Attempt> attempts;
  FakeSnapshot snapshot;

  Scene() {
    request.messages.push_back({"user", "What is 6 times 7?", true, {}, {}});
    request.hash = "abc";
    served.text = "The answer is 42.";
  }
  Scene(const Scene&) = delete;
  Turn turn() const { return {view, evidence, attempts, snapshot}; }
  Step next(const Strategy& strategy, std::uint64_t seed = 1) {
    Draws draws(seed, 1);
    return strategy.next(turn(), draws);
  }
  Attempt& attempt(Configuration configuration, AttemptState state, Purpose purpose = Purpose::kServe) {
    Attempt out;
    out.id = static_cast<int>(attempts.size());
    out.configuration = std::move(configuration);
    out.state = state;
    out.purpose = purpose;
    if (state == AttemptState::kDone) out.answer = Answer{};
    if (state == AttemptState::kFailed) {
      out.error = Error{ErrorKind::kProviderTimeout, "first_token_timeout", "No token came."};
    }
    attempts.push_back(out);
    return attempts.back();
  }
};

/// What reads a router and cannot do without is given one.
RouterPtr router_for(std::string_view name) {
  if (name == kMore) return expert_router();
  for (const auto& kind : strategies()) {
    if (kind.name == name && !kind.make) return std::make_shared<const FakeRouter>(kind.name);
  }
  return {};
}

StrategyPtr make(std::string_view name, OptionValues options = {}) {
  auto made = make_strategy(name, options, router_for(name));
  EXPECT_TRUE(made) << (made ? "" : made.error().message);
  return made ? *made : nullptr;
}

const Call* first_call(const Step& step) {
  const auto* calls = std::get_if<Calls>(&step.what);
  return calls && !calls->calls.empty() ? &calls->calls.front() : nullptr;
}
std::string model_called(const Step& step) {
  const auto* call = first_call(step);
  return call ? call->configuration.model : "-";
}

/// Two steps as text, for comparing.
std::string show(const Step& step) {
  std::string out = step.reason.code + "/" + step.reason.sentence + "/" + std::to_string(step.what.index());
  if (const auto* calls = std::get_if<Calls>(&step.what)) {
    for (const auto& call : calls->calls) {
      out += "/" + call.configuration.key() + name_of(call.purpose) + call.edits.last_user_prefix + call.tag;
      for (const auto& message : call.messages) out += message.text;
    }
  }
  if (const auto* accept = std::get_if<Accept>(&step.what))
    out += "/" + std::to_string(accept->attempt) + accept->text.value_or("");
  return out;
}

Skill random_skill(Draws& dice) {
  Skill skill;
  skill.id = 1 + dice.choose("id", 100);
  skill.status = static_cast<SkillStatus>(dice.choose("status", 3));
  skill.guide_id = skill.status == SkillStatus::kWeakWithGuide ? 5 : 0;
  skill.tries = dice.choose("tries", 4);
  skill.confirmed = dice.choose("confirmed", 3);
  return skill;
}

void answer_need(Scene& scene, const Need& need, Draws& dice) {
  auto& evidence = scene.evidence;
  if (std::holds_alternative<NeedFeatures>(need)) {
    evidence.features = true;
    if (dice.coin("nothing_known", 0.2)) scene.features.statistics.words = FakeRouter::kUnknownWords;
  } else if (std::holds_alternative<NeedExact>(need)) {
    evidence.exact.emplace();
    if (dice.coin("found", 0.4)) *evidence.exact = random_skill(dice);
  } else if (const auto* near = std::get_if<NeedNeighbours>(&need)) {
    evidence.neighbours.emplace();
    const auto count = dice.choose("count", static_cast<std::uint32_t>(near->k) + 1);
    for (std::uint32_t i = 0; i < count; ++i) {
      evidence.neighbours->push_back({random_skill(dice), 1.0f - 0.01f * static_cast<float>(i)});
    }
  } else if (const auto* guides = std::get_if<NeedGuides>(&need)) {
    evidence.guides.emplace();
    const auto count = dice.choose("count", static_cast<std::uint32_t>(guides->k) + 1);
    for (std::uint32_t i = 0; i < count; ++i) {
      Guide guide;
      guide.id = 20 + i;
      guide.text = "Multiply step by step.";
      guide.wins = dice.choose("wins", 20);
      guide.losses = dice.choose("losses", 3);
      evidence.guides->push_back({guide, 0.9f});
    }
  } else if (std::holds_alternative<NeedEstimate>(need)) {
    Estimate estimate;
    estimate.p_agree = dice.uniform();
    estimate.lower = estimate.p_agree * 0.9;
    estimate.outcomes = dice.choose("outcomes", 1000);
    if (dice.coin("rank", 0.8)) estimate.score_rank = dice.uniform();
    evidence.estimate = estimate;
  } else if (const auto* after = std::get_if<NeedAfterAnswer>(&need)) {
    std::optional<double> value;
    if (dice.coin("known", 0.8)) value = dice.uniform();
    evidence.after_answer[after->attempt] = value;
  } else if (const auto* compare = std::get_if<NeedCompare>(&need)) {
    Comparison comparison;
    comparison.first = compare->first;
    comparison.second = compare->second;
    comparison.verdict = static_cast<Verdict>(dice.choose("verdict", 3));
    comparison.method = compare->judge_forward >= 0 ? "judge" : "number";
    evidence.comparisons.push_back(comparison);
  }
}

/// Answers of every kind that a strategy may meet: numbers that agree and do not, verdicts, ratings, lists,
/// nothing that it can read.
constexpr const char* kTexts[] = {"Compare the factors one by one.",
                                  "42",
                                  "The answer is 42.",
                                  "41",
                                  "Verdict: [[A]]",
                                  "Verdict: [[B]]",
                                  "[[C]]",
                                  "sure",
                                  "likely",
                                  "impossible",
                                  "1. Take 6.\n2. Multiply it by 7.\n3. Write 42.",
                                  "7",
                                  ""};

void end_call(Attempt& attempt, Draws& dice) {
  if (dice.coin("fails", 0.2)) {
    attempt.state = AttemptState::kFailed;
    attempt.error = Error{ErrorKind::kProviderUnavailable, "upstream_down", "Down."};
    return;
  }
  attempt.state = AttemptState::kDone;
  attempt.answer = Answer{};
  attempt.answer->text = kTexts[dice.choose("text", std::size(kTexts))];
  attempt.answer->finish_reason = "stop";
}

/// Drives one strategy to its end. Every property that holds for all strategies is checked here.
void drive(const Strategy& strategy, bool shadow, std::uint64_t seed) {
  Scene scene;
  Draws dice(99, seed);
  scene.view.calls_left =
      !shadow && dice.coin("few_calls", 0.3) ? 3 + static_cast<int>(dice.choose("calls", 10)) : 200;
  if (dice.coin("after", 0.5)) scene.snapshot.after = 0.5;
  scene.snapshot.guide_gone = dice.coin("gone", 0.3);
  scene.view.weak_has_logprobs = dice.coin("logprobs", 0.5);
  scene.request.has_tools = dice.coin("tools", 0.1);
  Answer weak_answer;
  if (shadow) {
    scene.view.served_answer = &scene.served;
    scene.view.spot_check = dice.coin("spot", 0.3);
    scene.view.served_by = scene.view.spot_check ? &scene.weak : &scene.reference;
    if (!scene.view.spot_check && dice.coin("weak_answer", 0.3)) scene.view.weak_answer = &weak_answer;
  }
  Draws draws(5, seed);
  constexpr int kStepsMax = 400;
  for (int i = 0; i < kStepsMax; ++i) {
    // Time may be up at any step; then nothing is pending, and who still calls gets nothing.
    if (!shadow && dice.coin("late", 0.02)) {
      scene.view.out_of_time = true;
      for (auto& attempt : scene.attempts) {
        if (attempt.state != AttemptState::kPending) continue;
        attempt.state = AttemptState::kFailed;
        attempt.error = Error{ErrorKind::kProviderTimeout, "deadline_exceeded", "Late."};
      }
    }
    const Draws before = draws;
    const Step step = strategy.next(scene.turn(), draws);
    Draws again = before;
    ASSERT_EQ(show(step), show(strategy.next(scene.turn(), again))) << "not pure";
    ASSERT_FALSE(step.reason.code.empty());
    ASSERT_FALSE(step.reason.sentence.empty());
    if (const auto* accept = std::get_if<Accept>(&step.what)) {
      ASSERT_FALSE(shadow) << "a shadow serves nobody";
      ASSERT_GE(accept->attempt, 0);
      ASSERT_LT(accept->attempt, static_cast<int>(scene.attempts.size()));
      ASSERT_EQ(scene.attempts[static_cast<std::size_t>(accept->attempt)].state, AttemptState::kDone)
          << "accepted a failed attempt";
      ASSERT_NE(scene.attempts[static_cast<std::size_t>(accept->attempt)].purpose, Purpose::kJudge)
          << "accepted what was no answer";
      return;
    }
    if (const auto* give_up = std::get_if<GiveUp>(&step.what)) {
      if (shadow) {
        ASSERT_FALSE(give_up->error);
        return;
      }
      // Gives up only when the reference has failed too, or may not be called any more.
      bool reference_failed = scene.view.out_of_time || scene.view.calls_left == 0;
      for (const auto& attempt : scene.attempts) {
        reference_failed |=
            attempt.configuration.model == scene.reference.model && attempt.state == AttemptState::kFailed;
      }
      ASSERT_TRUE(reference_failed);
      ASSERT_TRUE(give_up->error);
      return;
    }
    if (std::holds_alternative<Wait>(step.what)) {
      std::vector<Attempt*> pending;
      for (auto& attempt : scene.attempts) {
        if (attempt.state == AttemptState::kPending) pending.push_back(&attempt);
      }
      ASSERT_FALSE(pending.empty()) << "waits for nothing";
      // In any order.
      end_call(*pending[dice.choose("which", static_cast<std::uint32_t>(pending.size()))], dice);
      continue;
    }
    if (const auto* need = std::get_if<Need>(&step.what)) {
      answer_need(scene, *need, dice);
      continue;
    }
    if (scene.view.out_of_time) return;
    for (const auto& call : std::get<Calls>(step.what).calls) {
      ASSERT_TRUE(call.configuration.model == "weak" || call.configuration.model == "strong");
      ASSERT_EQ(call.purpose == Purpose::kServe || call.purpose == Purpose::kFuse ||
                    (call.purpose == Purpose::kJudge && !call.messages.empty()),
                !shadow || call.purpose == Purpose::kJudge);
      auto& attempt = scene.attempt(call.configuration, AttemptState::kPending, call.purpose);
      attempt.tag = call.tag;
      --scene.view.calls_left;
      if (dice.coin("ends_at_once", 0.7)) end_call(attempt, dice);
      if (call.top_logprobs > 0 && attempt.answer && dice.coin("labels", 0.7)) {
        attempt.answer->first_token = {{"4", -dice.uniform()}, {"1", -dice.uniform()}};
        if (dice.coin("none", 0.2)) attempt.answer->first_token = {{"The", -.1}};
      }
    }
    ASSERT_GE(scene.view.calls_left, 0) << "more calls than it may make";
  }
  FAIL() << strategy.name() << " does not end within " << kStepsMax << " steps";
}

TEST(EveryStrategy, KeepsTheContractWhateverHappens) {
  for (const auto& kind : strategies()) {
    SCOPED_TRACE(kind.name);
    auto strategy = make(kind.name);
    ASSERT_TRUE(strategy);
    EXPECT_EQ(strategy->name(), kind.name);
    for (std::uint64_t seed = 0; seed < 2000; ++seed) {
      SCOPED_TRACE(seed);
      drive(*strategy, kind.shadow_plan, seed);
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(EveryStrategy, KeepsTheContractWithOtherOptions) {
  for (const auto& [name, options] : std::vector<std::pair<std::string, OptionValues>>{
           {"adaptive", {{"strong_share", 0.5}, {"outcomes_min", std::int64_t{0}}}},
           {"adaptive",
            {{"weak_on_reference_failure", false}, {"try_from", 0.0}, {"outcomes_min", std::int64_t{0}}}},
           {"rar", {{"static_router", std::string("knn")}}},
           {"self_consistency", {{"agreement_min", 0.7}, {"weak_on_reference_failure", true}}},
           {"self_consistency", {{"samples", std::int64_t{9}}, {"at_once", std::int64_t{9}}}},
           {"blended", {{"sticky", true}, {"weights", std::string("weak=3, strong=0")}}},
           {"blender", {{"rank", std::string("agreement")}, {"fuse", std::int64_t{2}}}},
           {"more", {{"abstain_below", 0.5}}},
           {"blender", {{"aggregate", std::string("bubble")}, {"fuse", std::int64_t{2}}}},
           {"blender", {{"aggregate", std::string("max_wins")}, {"judge", std::string("weak")}}},
           {"tree_of_thoughts", {{"search", std::string("dfs")}, {"evaluations", std::int64_t{2}}}},
           {"tree_of_thoughts", {{"generate", std::string("sample")}, {"evaluate", std::string("vote")}}},
           {"rar_shadow", {{"judge", std::string("reference")}, {"guides_max", std::int64_t{8}}}}}) {
    SCOPED_TRACE(name);
    auto strategy = make(name, options);
    ASSERT_TRUE(strategy);
    for (std::uint64_t seed = 0; seed < 2000; ++seed) {
      drive(*strategy, name == "rar_shadow", seed);
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(EveryStrategy, OptionsHaveHelpAndTheirDefaultsAreInBounds) {
  std::set<std::string> names;
  for (const auto& kind : strategies()) {
    EXPECT_TRUE(names.insert(kind.name).second);
    EXPECT_FALSE(kind.summary.empty());
    EXPECT_EQ(kind.name.find('-'), std::string::npos);
    for (const auto& spec : kind.options) {
      EXPECT_FALSE(spec.help.empty()) << kind.name << "." << spec.name;
      EXPECT_TRUE(make(kind.name, {{spec.name, spec.fallback}}));
      if (spec.high) {
        OptionValue over = *spec.high + 1;
        if (std::holds_alternative<std::int64_t>(spec.fallback))
          over = static_cast<std::int64_t>(*spec.high + 1);
        auto made = make_strategy(kind.name, {{spec.name, over}}, router_for(kind.name));
        ASSERT_FALSE(made) << kind.name << "." << spec.name;
        EXPECT_EQ(made.error().code, "bad_option");
      }
    }
  }
}

struct Labelled {
  Scene scene;
  Attempt& grade_of(const Configuration& model, std::vector<TokenAlternative> first_token) {
    auto& attempt = scene.attempt(model, AttemptState::kDone, Purpose::kJudge);
    attempt.tag = "label";
    attempt.answer->first_token = std::move(first_token);
    return attempt;
  }
  /// What serves after this word of the model that was asked, and the step's reason.
  Step after(const Strategy& strategy, std::vector<TokenAlternative> first_token) {
    scene.attempts.clear();
    grade_of(scene.weak, std::move(first_token));
    return scene.next(strategy);
  }
};

TEST(CausalLlm, AsksForOneTokenAndDecidesByItsLabels) {
  const auto strategy = make("causal_llm", {{"threshold", .5}});
  Labelled world;
  const auto ask = world.scene.next(*strategy);
  const auto* call = first_call(ask);
  ASSERT_TRUE(call);
  EXPECT_EQ(call->configuration.model, "weak");
  EXPECT_EQ(call->purpose, Purpose::kJudge);
  EXPECT_EQ(call->max_tokens, 1);
  EXPECT_EQ(call->temperature, 0);
  EXPECT_TRUE(call->want_logprobs);
  EXPECT_GT(call->top_logprobs, 4);
  ASSERT_EQ(call->messages.size(), 2U);
  EXPECT_THAT(call->messages[1].text, HasSubstr("What is 6 times 7?"));
  // P(strong) = .3 / .9: the share of labels 1 to 3 among the labels.
  auto step = world.after(*strategy, {{"5", std::log(.6)}, {"2", std::log(.3)}, {"It", std::log(.1)}});
  EXPECT_EQ(model_called(step), "weak");
  EXPECT_EQ(step.reason.code, "label_weak");
  EXPECT_THAT(step.reason.sentence, HasSubstr("0.33, under 0.50"));
  EXPECT_NEAR(*step.score, 1 - .3 / .9, 1e-9);
  EXPECT_EQ(first_call(step)->purpose, Purpose::kServe);
  step = world.after(*strategy, {{"5", std::log(.3)}, {"3", std::log(.6)}});
  EXPECT_EQ(model_called(step), "strong");
  EXPECT_EQ(step.reason.code, "label_strong");
}

TEST(CausalLlm, WhateverGoesWrongMeansStrongWithTheReason) {
  const auto strategy = make("causal_llm", {{"model", std::string("asked")}});
  Labelled world;
  EXPECT_EQ(model_called(world.scene.next(*strategy)), "asked");
  auto step = world.after(*strategy, {{"The", -.1}, {"I", -3}});
  EXPECT_EQ(model_called(step), "strong");
  EXPECT_EQ(step.reason.code, "no_label");
  step = world.after(*strategy, {});
  EXPECT_EQ(model_called(step), "strong");
  EXPECT_EQ(step.reason.code, "no_logprobs");
  EXPECT_THAT(step.reason.sentence, HasSubstr("asked gave no log-probabilities"));
  world.scene.attempts.clear();
  world.scene.attempt(Configuration{"asked"}, AttemptState::kFailed, Purpose::kJudge).tag = "label";
  step = world.scene.next(*strategy);
  EXPECT_EQ(model_called(step), "strong");
  EXPECT_EQ(step.reason.code, "label_failed");
  EXPECT_THAT(step.reason.sentence, HasSubstr("first_token_timeout"));
  world.scene.attempts.clear();
  world.scene.view.calls_left = 1;
  step = world.scene.next(*strategy);
  EXPECT_EQ(model_called(step), "strong");
  EXPECT_EQ(step.reason.code, "label_not_asked");
  world.scene.attempt(world.scene.reference, AttemptState::kDone);
  EXPECT_TRUE(std::holds_alternative<Accept>(world.scene.next(*strategy).what)) << "what serves is no grade";
}

TEST(CausalLlm, TheWordIsNeverServedAndFailuresOfWhatServesGoOn) {
  const auto strategy = make("causal_llm", {{"weak_on_reference_failure", true}});
  Labelled world;
  auto& scene = world.scene;
  world.grade_of(scene.weak, {{"5", -.1}});
  scene.attempt(scene.weak, AttemptState::kDone);
  auto step = scene.next(*strategy);
  ASSERT_TRUE(std::holds_alternative<Accept>(step.what));
  EXPECT_EQ(std::get<Accept>(step.what).attempt, 1);
  scene.attempts.back().state = AttemptState::kFailed;
  EXPECT_EQ(model_called(scene.next(*strategy)), "strong");
  scene.attempts.pop_back();
  scene.attempt(scene.reference, AttemptState::kFailed);
  step = scene.next(*strategy);
  EXPECT_EQ(model_called(step), "weak") << "its grade is no answer that could be served";
}

TEST(CausalLlm, ARouterTurnsTheWordIntoAProbability) {
  auto router = std::make_shared<FakeRouter>("causal_llm");
  router->prediction = RouterPrediction{{}, .9, 1};
  const auto sound = router->info_.model_hash;
  router->info_.model_hash = "of other words";
  EXPECT_EQ(make_strategy("causal_llm", {}, router).error().code, "router_classifier_mismatch");
  router->info_.model_hash = sound;
  EXPECT_EQ(make_strategy("causal_llm", {{"model", std::string("weak")}}, router).error().code,
            "router_classifier_mismatch");
  const auto strategy = make_strategy("causal_llm", {}, router);
  ASSERT_TRUE(strategy) << strategy.error().message;
  Labelled world;
  const auto step = world.after(**strategy, {{"5", -.01}});
  EXPECT_EQ(model_called(step), "strong");
  EXPECT_THAT(step.reason.sentence, HasSubstr("0.90"));
}

TEST(MakeStrategy, NamesTheNearest) {
  auto made = make_strategy("adaptiv", {});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, "unknown_strategy");
  EXPECT_THAT(made.error().message, HasSubstr("'adaptive'"));
  made = make_strategy("adaptive", {{"strong_shar", 0.5}});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, "unknown_option");
  EXPECT_THAT(made.error().message, HasSubstr("'strong_share'"));
  made = make_strategy("adaptive", {{"strong_share", std::string("half")}});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, "bad_option");
  EXPECT_TRUE(make_strategy("adaptive", {{"strong_share", std::int64_t{1}}})) << "1 reads as 1.0";
  EXPECT_EQ(make_strategy("rar", {{"static_router", std::string("rar")}}).error().code, "bad_option");
}

TEST(Serving, AFailedWeakGoesToTheReferenceAndAFailedReferenceFails) {
  auto strategy = make("always_weak");
  Scene scene;
  EXPECT_EQ(model_called(scene.next(*strategy)), "weak");
  scene.attempt(scene.weak, AttemptState::kFailed);
  auto step = scene.next(*strategy);
  EXPECT_EQ(model_called(step), "strong");
  EXPECT_EQ(step.reason.code, "weak_failed");
  EXPECT_THAT(step.reason.sentence, HasSubstr("first_token_timeout"));
  scene.attempt(scene.reference, AttemptState::kFailed);
  step = scene.next(*strategy);
  ASSERT_TRUE(std::holds_alternative<GiveUp>(step.what));
  EXPECT_EQ(std::get<GiveUp>(step.what).error->code, "first_token_timeout");
}

TEST(Serving, WeakStandsInForAFailedReferenceOnlyWhereAskedFor) {
  for (const bool allowed : {false, true}) {
    auto strategy = make("exact_lookup", {{"weak_on_reference_failure", allowed}});
    Scene scene;
    scene.attempt(scene.reference, AttemptState::kFailed);
    EXPECT_EQ(model_called(scene.next(*strategy)), allowed ? "weak" : "-");
  }
}

TEST(RandomMixture, SharesAsTold) {
  auto strategy = make("random_mixture", {{"strong_share", 0.3}});
  int strong = 0;
  for (std::uint64_t seed = 0; seed < 10'000; ++seed) {
    Scene scene;
    strong += model_called(scene.next(*strategy, seed)) == "strong";
  }
  // Five standard errors of a binomial: a wrong coin fails, a right one in less than one in a million.
  EXPECT_NEAR(strong, 3000, 5 * std::sqrt(10'000 * .3 * .7));
}

TEST(Knn, WeighsNeighboursByTheirSimilarity) {
  auto strategy =
      make("knn", {{"threshold", 0.6}, {"prior_weight", 0.0}, {"neighbours_min", std::int64_t{1}}});
  Scene scene;
  EXPECT_TRUE(std::holds_alternative<Need>(scene.next(*strategy).what));
  Skill good, bad;
  good.status = SkillStatus::kWeakOk;
  scene.evidence.neighbours = {{good, 0.9f}, {bad, 0.3f}};
  EXPECT_EQ(model_called(scene.next(*strategy)), "weak") << ".9 / 1.2 = .75";
  scene.evidence.neighbours = {{bad, 0.9f}, {good, 0.3f}};
  EXPECT_EQ(model_called(scene.next(*strategy)), "strong");
  scene.evidence.neighbours = std::vector<Neighbour>{};
  EXPECT_EQ(scene.next(*strategy).reason.code, "too_few_neighbours");
}

TEST(Rar, FollowsTheNearestRememberedRequest) {
  auto strategy = make("rar", {{"tau_skill", 0.9}});
  Scene scene;
  scene.evidence.exact.emplace();
  Skill skill;
  skill.id = 12;
  skill.status = SkillStatus::kWeakOk;
  scene.evidence.neighbours = {{skill, 0.91f}};
  auto step = scene.next(*strategy);
  EXPECT_EQ(model_called(step), "weak");
  EXPECT_EQ(step.reason.code, "skill_weak_ok");
  EXPECT_THAT(step.reason.sentence, HasSubstr("0.91"));
  EXPECT_THAT(step.reason.sentence, HasSubstr("skill 12"));

  scene.evidence.neighbours = {{skill, 0.89f}};
  EXPECT_EQ(scene.next(*strategy).reason.code, "no_skill_near");

  skill.status = SkillStatus::kWeakWithGuide;
  skill.guide_id = 5;
  scene.evidence.neighbours = {{skill, 0.95f}};
  step = scene.next(*strategy);
  ASSERT_TRUE(first_call(step));
  EXPECT_EQ(first_call(step)->configuration.key(), "weak|g=5");
  EXPECT_THAT(first_call(step)->edits.last_user_prefix + first_call(step)->edits.system_prefix,
              HasSubstr("Write down what is asked first."));
  scene.snapshot.guide_gone = true;
  EXPECT_EQ(scene.next(*strategy).reason.code, "skill_guide_gone");

  skill.status = SkillStatus::kStrongOnly;
  scene.evidence.neighbours = {{skill, 0.95f}};
  EXPECT_EQ(scene.next(*strategy).reason.code, "skill_strong_only");
}

TEST(Adaptive, ServesByEachDial) {
  Scene scene;
  scene.evidence.exact.emplace();
  Estimate estimate;
  estimate.p_agree = 0.8;
  estimate.lower = 0.6;
  estimate.outcomes = 500;
  estimate.score_rank = 0.7;
  scene.evidence.estimate = estimate;
  scene.evidence.guides.emplace();
  EXPECT_EQ(model_called(scene.next(*make("adaptive", {{"min_agreement", 0.75}}))), "weak");
  EXPECT_EQ(model_called(scene.next(*make("adaptive", {{"min_agreement", 0.75}, {"use_lower_bound", true}}))),
            "strong");
  EXPECT_EQ(model_called(scene.next(*make("adaptive", {{"strong_share", 0.7}}))), "weak");
  EXPECT_EQ(model_called(scene.next(*make("adaptive", {{"strong_share", 0.71}}))), "strong");
  scene.evidence.estimate->score_rank.reset();
  EXPECT_EQ(scene.next(*make("adaptive", {{"strong_share", 0.1}})).reason.code, "learning_scores");
  scene.evidence.estimate->outcomes = 3;
  EXPECT_EQ(scene.next(*make("adaptive", {{"min_agreement", 0.5}})).reason.code, "learning");
}

TEST(Adaptive, LooksAtTheAnswerBeforeItAccepts) {
  auto strategy = make("adaptive", {{"min_agreement", 0.9}});
  Scene scene;
  scene.view.weak_has_logprobs = true;
  scene.snapshot.after = 0.5;
  scene.evidence.exact.emplace();
  scene.evidence.guides.emplace();
  Estimate estimate;
  estimate.p_agree = 0.5;
  estimate.outcomes = 500;
  scene.evidence.estimate = estimate;
  auto step = scene.next(*strategy);
  ASSERT_TRUE(first_call(step));
  EXPECT_EQ(first_call(step)->configuration.model, "weak");
  EXPECT_EQ(first_call(step)->delivery, Delivery::kHold);
  EXPECT_TRUE(first_call(step)->want_logprobs);

  scene.request.stream = true;
  EXPECT_EQ(model_called(scene.next(*strategy)), "strong") << "a stream is not held";
  scene.request.stream = false;

  scene.attempt(scene.weak, AttemptState::kDone).answer->mean_logprob = -0.05;
  step = scene.next(*strategy);
  ASSERT_TRUE(std::holds_alternative<Need>(step.what));
  scene.evidence.after_answer[0] = 0.95;
  step = scene.next(*strategy);
  ASSERT_TRUE(std::holds_alternative<Accept>(step.what));
  EXPECT_EQ(step.reason.code, "answer_sure");
  scene.evidence.after_answer[0] = 0.6;
  step = scene.next(*strategy);
  EXPECT_EQ(model_called(step), "strong");
  EXPECT_EQ(step.reason.code, "answer_unsure");
  scene.attempt(scene.reference, AttemptState::kFailed);
  EXPECT_TRUE(std::holds_alternative<GiveUp>(scene.next(*strategy).what))
      << "an unsure answer is not a fallback";
}

TEST(Adaptive, TriesAGuideThatHasEarnedIt) {
  auto strategy = make("adaptive", {{"min_agreement", 0.8}});
  Scene scene;
  scene.evidence.exact.emplace();
  Estimate estimate;
  estimate.p_agree = 0.2;
  estimate.outcomes = 500;
  scene.evidence.estimate = estimate;
  Guide guide;
  guide.id = 9;
  guide.text = "Factor first.";
  guide.wins = 5;
  scene.evidence.guides = {{guide, 0.9f}};
  EXPECT_EQ(first_call(scene.next(*strategy))->configuration.key(), "weak|g=9");
  scene.evidence.guides->front().guide.losses = 4;
  EXPECT_EQ(model_called(scene.next(*strategy)), "strong");
}

TEST(Adaptive, LeavesToolsToTheReferenceUnlessTheyRepeat) {
  auto strategy = make("adaptive");
  Scene scene;
  scene.request.has_tools = true;
  EXPECT_FALSE(strategy->not_applicable(scene.view));
  scene.evidence.exact.emplace();
  EXPECT_EQ(scene.next(*strategy).reason.code, "not_applicable_tools");
  scene.evidence.exact->emplace();
  (*scene.evidence.exact)->status = SkillStatus::kWeakOk;
  EXPECT_EQ(model_called(scene.next(*strategy)), "weak");
  scene.request.n = 2;
  EXPECT_EQ(strategy->not_applicable(scene.view)->code, "not_applicable_n");
  EXPECT_EQ(make("rar")->not_applicable(scene.view)->code, "not_applicable_n");
}

Comparison compared(int first, int second, Verdict verdict) {
  return {first, second, verdict, "number", 0};
}

struct ShadowScene : Scene {
  ShadowScene() {
    view.served_answer = &served;
    view.served_by = &reference;
  }
};

TEST(RarShadow, TriesAloneThenGuidesThenANewOne) {
  auto plan = make("rar_shadow");
  ShadowScene scene;
  auto step = scene.next(*plan);
  EXPECT_EQ(step.reason.code, "try_weak");
  EXPECT_EQ(first_call(step)->purpose, Purpose::kLearn);
  scene.attempt(scene.weak, AttemptState::kDone, Purpose::kLearn);
  EXPECT_EQ(scene.next(*plan).reason.code, "compare");
  scene.evidence.comparisons.push_back(compared(kServedAnswer, 0, Verdict::kDifferent));
  EXPECT_EQ(scene.next(*plan).reason.code, "look_up_guides");
  Guide guide;
  guide.id = 3;
  guide.text = "Use tables.";
  scene.evidence.guides = {{guide, 0.9f}};
  step = scene.next(*plan);
  EXPECT_EQ(first_call(step)->configuration.key(), "weak|g=3");
  scene.attempt(first_call(step)->configuration, AttemptState::kDone, Purpose::kLearn);
  scene.evidence.comparisons.push_back(compared(kServedAnswer, 1, Verdict::kDifferent));
  step = scene.next(*plan);
  EXPECT_EQ(step.reason.code, "write_guide");
  EXPECT_EQ(first_call(step)->purpose, Purpose::kGuide);
  EXPECT_FALSE(first_call(step)->messages.empty());
  scene.attempt(scene.reference, AttemptState::kDone, Purpose::kGuide).answer->text =
      "Split one factor into tens and ones, multiply each part, and add the parts.";
  step = scene.next(*plan);
  EXPECT_EQ(step.reason.code, "try_new_guide");
  EXPECT_THAT(first_call(step)->edits.last_user_prefix + first_call(step)->edits.system_prefix,
              HasSubstr("tens and ones"));
  scene.attempt(first_call(step)->configuration, AttemptState::kDone, Purpose::kLearn);
  scene.evidence.comparisons.push_back(compared(kServedAnswer, 3, Verdict::kSame));
  EXPECT_EQ(scene.next(*plan).reason.code, "new_guide_helps");
}

TEST(RarShadow, ThrowsAwayAGuideThatGivesTheAnswer) {
  auto plan = make("rar_shadow", {{"guides_max", std::int64_t{0}}});
  ShadowScene scene;
  scene.attempt(scene.weak, AttemptState::kDone, Purpose::kLearn);
  scene.evidence.comparisons.push_back(compared(kServedAnswer, 0, Verdict::kDifferent));
  scene.attempt(scene.reference, AttemptState::kDone, Purpose::kGuide).answer->text =
      "Multiply six by seven; the answer is 42.";
  EXPECT_EQ(scene.next(*plan).reason.code, "guide_leaked");
}

TEST(RarShadow, UsesTheWeakAnswerThatServingHadAskedFor) {
  auto plan = make("rar_shadow");
  ShadowScene scene;
  Answer weak;
  weak.text = "42";
  scene.view.weak_answer = &weak;
  EXPECT_EQ(scene.next(*plan).reason.code, "compare");
  scene.evidence.comparisons.push_back(compared(kServedAnswer, kWeakAnswer, Verdict::kSame));
  EXPECT_EQ(scene.next(*plan).reason.code, "weak_agrees");
}

TEST(RarShadow, SpotCheckAsksTheReferenceOnly) {
  auto plan = make("rar_shadow");
  ShadowScene scene;
  scene.view.served_by = &scene.weak;
  scene.view.spot_check = true;
  EXPECT_EQ(model_called(scene.next(*plan)), "strong");
  scene.attempt(scene.reference, AttemptState::kDone, Purpose::kLearn);
  scene.evidence.comparisons.push_back(compared(kServedAnswer, 0, Verdict::kDifferent));
  EXPECT_EQ(scene.next(*plan).reason.code, "spot_check_differs");
}

TEST(RarShadow, AsksTheJudgeInBothOrdersWhereNothingElseCanTell) {
  auto plan = make("rar_shadow", {{"judge", std::string("reference")}});
  ShadowScene scene;
  scene.attempt(scene.weak, AttemptState::kDone, Purpose::kLearn).answer->text = "Six sevens.";
  scene.evidence.comparisons.push_back(compared(kServedAnswer, 0, Verdict::kCannotTell));
  auto step = scene.next(*plan);
  ASSERT_TRUE(std::holds_alternative<Calls>(step.what));
  const auto calls = std::get<Calls>(step.what).calls;
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[0].purpose, Purpose::kJudge);
  EXPECT_NE(calls[0].messages.back().text, calls[1].messages.back().text);
  for (const auto& call : calls) scene.attempt(call.configuration, AttemptState::kDone, Purpose::kJudge);
  step = scene.next(*plan);
  EXPECT_EQ(step.reason.code, "read_judge");
  const auto need = std::get<NeedCompare>(std::get<Need>(step.what));
  EXPECT_EQ(need.judge_forward, 1);
  EXPECT_EQ(need.judge_swapped, 2);
  scene.evidence.comparisons.push_back({kServedAnswer, 0, Verdict::kSame, "judge", 0});
  EXPECT_EQ(scene.next(*plan).reason.code, "weak_agrees");
}

TEST(Strategies, AShadowPlanIsRefusedForServingAndTheRestIsNot) {
  std::size_t refused = 0;
  for (const auto& kind : strategies()) {
    const auto made = make_serving_strategy(kind.name, {}, router_for(kind.name));
    EXPECT_EQ(made.has_value(), !kind.shadow_plan) << kind.name;
    if (made) continue;
    ++refused;
    EXPECT_EQ(made.error().code, "shadow_plan_cannot_serve");
  }
  EXPECT_GT(refused, 0U);
  EXPECT_EQ(make_serving_strategy("nothing", {}).error().code, "unknown_strategy");
}

}  // namespace
}  // namespace brevet
