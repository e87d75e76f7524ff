// Signals of answers by hand-written answers, and the cascade model by an artefact small enough to reckon by
// hand; broken artefacts are refused.
#include "router/cascade_model.h"

#include <gtest/gtest.h>

#include <cmath>

namespace brevet {
namespace {

Answer said(std::string text) {
  Answer out;
  out.text = std::move(text);
  out.finish_reason = "stop";
  return out;
}
float signal(const AnswerSignals& signals, Signal which) {
  return signals[static_cast<std::size_t>(which)];
}

constexpr const char* kQuestion =
    "Which is a prime?\nA. 4\nB. 5\nAnswer with the letter of the right choice.";

TEST(AnswerSignals, SayWhatAnAnswerShows) {
  const auto good = signals_of(said("The answer is (B)."), kQuestion, false);
  EXPECT_EQ(signal(good, Signal::kStated), 1);
  EXPECT_EQ(signal(good, Signal::kFinished), 1);
  EXPECT_EQ(signal(good, Signal::kDeclines), 1);
  EXPECT_TRUE(std::isnan(signal(good, Signal::kMeanLogprob)));
  auto cut = said("Maybe it might be, perhaps, well");
  cut.finish_reason = "length";
  cut.mean_logprob = -.5;
  const auto bad = signals_of(cut, kQuestion, false);
  EXPECT_EQ(signal(bad, Signal::kFinished), 0);
  EXPECT_EQ(signal(bad, Signal::kStated), 0);
  EXPECT_FLOAT_EQ(signal(bad, Signal::kHedges), -50);
  EXPECT_FLOAT_EQ(signal(bad, Signal::kMeanLogprob), -.5F);
  EXPECT_EQ(signal(signals_of(said("{\"a\":1}"), "x", true), Signal::kStated), 1);
  EXPECT_EQ(signal(signals_of(said("a is 1"), "x", true), Signal::kStated), 0);
}

TEST(AnswerSignals, SamplesAreGroupedByMeaning) {
  const Answer samples[] = {said("The answer is (B)."), said("B"), said("The answer is (A)."), said("(B)")};
  const auto groups = meanings_of(samples, kQuestion, false);
  EXPECT_EQ(groups, (std::vector<std::size_t>{0, 0, 1, 0}));
  const auto found = sample_signals(groups);
  ASSERT_TRUE(found.has_value());
  EXPECT_FLOAT_EQ(found->agreement, .75F);
  EXPECT_NEAR(found->entropy, .75 * std::log(.75) + .25 * std::log(.25), 1e-6);
  EXPECT_EQ(found->leader, 0U);
  EXPECT_FALSE(sample_signals({}).has_value());
}

TEST(AnswerChecks, FailWithAReason) {
  const auto checks = AnswerChecks::parse("json; keys=name,age; max_chars=30; lacks=sorry");
  ASSERT_TRUE(checks.has_value());
  EXPECT_FALSE(checks->failed_by(said(R"({"name":"a","age":3})"), "").has_value());
  EXPECT_EQ(checks->failed_by(said("no"), ""), "it is not JSON");
  EXPECT_EQ(checks->failed_by(said(R"({"name":"a"})"), ""), "it has no 'age'");
  EXPECT_TRUE(checks->failed_by(said(R"({"name":"sorry","age":3})"), "").has_value());
  EXPECT_TRUE(checks->failed_by(said(R"({"name":"a very long name indeed","age":3})"), "").has_value());
  for (const char* wrong : {"yaml", "json=1", "keys", "max_chars=many", "contains="})
    EXPECT_EQ(AnswerChecks::parse(wrong).error().code, "bad_option") << wrong;
  EXPECT_TRUE(AnswerChecks::parse("")->empty());
}

/// Two models; the log-probability of the first is uniform over -1..0, quality of the weak answer is its
/// rank, of the strong .8 whatever happens; .5 quality a USD.
std::shared_ptr<Artefact> small_artefact() {
  auto out = std::make_shared<Artefact>();
  out->info.kind = kCascadeRouting;
  out->info.configurations = {"weak", "strong"};
  CascadeShape shape;
  shape.models = 2;
  shape.used.resize(2);
  shape.ranks.resize(2);
  shape.used[0] = {};
  shape.used[1] = {};
  shape.used[0][0] = true;
  for (std::size_t q = 0; q < kCascadeRanks; ++q)
    shape.ranks[0][0].push_back(static_cast<float>(q) / 100 - 1);
  shape.write(*out);
  out->tensors["cascade.cost"] = {{2}, {.1F, .4F}};
  out->tensors["cascade.points"] = {{1, 5}, {.5F, .2F, .2F, .8F, .9F}};
  out->tensors["quality.0"] = {{2, 1}, {.5F, .8F}};
  out->tensors["worth.0"] = {{1, 2, 1}, {.75F, .8F}};
  // rank, three hinges, offset
  out->tensors["quality.1"] = {{2, 5}, {1, 0, 0, 0, 0, 0, 0, 0, 0, .8F}};
  out->tensors["worth.1"] = {{1, 2, 5}, {0, 0, 0, 0, 0, 0, 0, 0, 0, .8F}};
  out->tensors["quality.3"] = {{2, 5}, {1, 0, 0, 0, 0, 0, 0, 0, 0, .8F}};
  out->tensors["accept.1.1"] = {{2, 2}, {-1, 1, 0, 1}};
  return out;
}

TEST(CascadeModel, AsksWhileGoingOnIsWorthMoreThanItCosts) {
  const auto model = CascadeModel::create(small_artefact());
  ASSERT_TRUE(model.has_value()) << model.error().message;
  CascadeState state;
  auto choice = (*model)->next(state, 0);
  ASSERT_TRUE(choice.has_value());
  EXPECT_FALSE(choice->accept);
  EXPECT_EQ(choice->model, 0U);  // .75 - .05 beats .8 - .2
  EXPECT_NEAR(choice->worth, .7, 1e-6);
  // Going on is worth .8 - .2 = .6: accepted from rank .6 on.
  state.asked = 1;
  for (const auto& [logprob, accepted] :
       {std::pair{-.3F, true}, {-.39F, true}, {-.41F, false}, {-.9F, false}}) {
    state.answers[0][0] = logprob;
    choice = (*model)->next(state, 0);
    ASSERT_TRUE(choice.has_value());
    EXPECT_EQ(choice->accept, accepted) << logprob;
    EXPECT_EQ(choice->model, accepted ? 0U : 1U);
  }
  // Both asked: the better of the two is accepted, which may be the first.
  state.asked = 3;
  state.answers[0][0] = -.1F;
  choice = (*model)->next(state, 0);
  ASSERT_TRUE(choice.has_value());
  EXPECT_TRUE(choice->accept);
  EXPECT_EQ(choice->model, 0U);
  state.asked = 1;
  EXPECT_NEAR(*(*model)->accept_probability(state, 0, 1), .55, 1e-3);
  // A missing signal says nothing.
  state.answers[0][0] = std::nanf("");
  EXPECT_FALSE((*model)->next(state, 0).has_value());
  EXPECT_FALSE((*model)->next(state, 1).has_value());
}

TEST(CascadeModel, RefusesWhatDoesNotFit) {
  for (const char* missing : {"cascade.cost", "cascade.signals", "cascade.ranks", "cascade.points"}) {
    auto broken = small_artefact();
    broken->tensors.erase(missing);
    EXPECT_EQ(CascadeModel::create(broken).error().code, "router_corrupt") << missing;
  }
  auto broken = small_artefact();
  broken->tensors["quality.1"] = {{2, 4}, {1, 0, 0, 0, 0, 0, 0, 0}};
  EXPECT_EQ(CascadeModel::create(broken).error().code, "router_corrupt");
  broken = small_artefact();
  broken->tensors["worth.1"] = {{2, 2, 5}, std::vector<float>(20, 0)};
  EXPECT_EQ(CascadeModel::create(broken).error().code, "router_corrupt");
  broken = small_artefact();
  broken->tensors["cascade.lists"] = {{1, 9}, {1, 0, -1, .5F, 0, 0, 0, 0, 0}};
  EXPECT_EQ(CascadeModel::create(broken).error().code, "router_corrupt");
}

}  // namespace
}  // namespace brevet
