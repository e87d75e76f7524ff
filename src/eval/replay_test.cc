// Goal: a replay is production's flow, sees only what it paid for, and is the same for the same seed. Method:
// a small recorded file with known outcomes; strategies whose figures can be told by hand.
#include "eval/replay.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include "base/test_folder.h"

namespace brevet {
namespace {

/// 300 questions of two kinds: the weak model is right on sums and wrong on capitals, strong always right.
std::string write_file(const std::string& name) {
  const auto path = (std::filesystem::path(test_folder()) / name).string();
  auto writer = OutcomeWriter::create(path).value();
  for (int i = 0; i < 300; ++i) {
    OutcomeRecord record;
    const bool easy = i % 2 == 0;
    record.id = std::string(easy ? "sums/" : "capitals/") + std::to_string(i);
    record.dataset = "made";
    record.subject = easy ? "sums" : "capitals";
    record.prompt = easy ? "What is the sum of " + std::to_string(i) + " and " + std::to_string(3 * i) + "?"
                         : "Which town is the capital of country number " + std::to_string(i) + "?";
    RecordedOutcome weak;
    weak.score = easy ? 1 : 0;
    weak.has_pred = true;
    weak.pred = easy ? "7" : "Atlantis " + std::to_string(i);
    weak.cost = Money::from_pico(1'000);
    RecordedOutcome strong = weak;
    strong.score = 1;
    strong.pred = easy ? "7" : "Rome";
    strong.cost = Money::from_pico(10'000);
    record.models = {{"weak", weak}, {"strong", strong}};
    EXPECT_TRUE(writer->write(record));
  }
  EXPECT_TRUE(writer->close());
  return path;
}

struct Prepared {
  std::shared_ptr<QuestionSet> set;
  std::vector<OrderedRequest> order;
};
Prepared prepare(const std::string& name, bool truth = false) {
  QuestionSetOptions options;
  options.file = write_file(name);
  options.models = {"weak", "strong"};
  options.fit_labels = 60;
  options.calibration_labels = 0;
  options.truth_signal = truth;
  Prepared out;
  out.set = QuestionSet::load(options).value();
  for (const auto question : out.set->split().test) out.order.push_back({question, 0, 0});
  EXPECT_TRUE(out.set->prepare(nullptr, out.order, 1, ""));
  return out;
}

ReplayPlan plan_for(const Prepared& data, const std::string& strategy, const OptionValues& options = {}) {
  ReplayPlan plan;
  plan.strategy = make_strategy(strategy, options).value();
  plan.requests = data.order;
  plan.learning.budget_share = 10;
  return plan;
}

TEST(Replay, ServesScoresAndChargesWhatTheFileSays) {
  const auto data = prepare("replay_basic.jsonl");
  for (const bool strong : {false, true}) {
    auto plan = plan_for(data, strong ? "always_strong" : "always_weak");
    plan.learn = false;
    const auto result = replay(*data.set, plan).value();
    ASSERT_EQ(result.requests.size(), data.order.size());
    EXPECT_EQ(result.failed, 0U);
    EXPECT_EQ(result.shadows, 0U);
    for (const auto& request : result.requests) {
      EXPECT_EQ(request.served, strong ? ServedBy::kStrong : ServedBy::kWeak);
      EXPECT_EQ(request.quality, data.set->score(request.question, strong ? 1 : 0));
      EXPECT_DOUBLE_EQ(request.cost_usd.value(), strong ? 1e-8 : 1e-9);
      EXPECT_EQ(request.learning_usd, 0);
    }
  }
}

TEST(Replay, LearningIsChargedToTheRequestThatCausedIt) {
  const auto data = prepare("replay_learn.jsonl");
  auto plan = plan_for(data, "always_strong");
  plan.learning.guides = false;
  const auto result = replay(*data.set, plan).value();
  EXPECT_EQ(result.shadows, data.order.size());  // every request is new and strong served it
  for (const auto& request : result.requests) EXPECT_DOUBLE_EQ(request.learning_usd.value(), 1e-9);
  EXPECT_EQ(result.skills, data.order.size());
}

TEST(Replay, WhatIsLearnedIsVisibleAfterTheLagAndNotBefore) {
  const auto data = prepare("replay_lag.jsonl");
  // One easy question asked again and again: weak serves it from the moment it is known.
  std::vector<OrderedRequest> again;
  for (const auto& request : data.order) {
    if (data.set->score(request.question, 0) == 1) {
      again.assign(20, request);
      break;
    }
  }
  for (const std::size_t lag : {0, 1, 5, 50}) {
    auto plan = plan_for(data, "exact_lookup");
    plan.requests = again;
    plan.lag = lag;
    plan.learning.spot_check_share = 0;
    const auto result = replay(*data.set, plan).value();
    std::size_t first_weak = 0;
    while (first_weak < again.size() && result.requests[first_weak].served == ServedBy::kStrong) ++first_weak;
    EXPECT_EQ(first_weak, std::min(std::max<std::size_t>(lag, 1), again.size())) << "lag " << lag;
  }
}

TEST(Replay, SameSeedSameStream) {
  const auto data = prepare("replay_seed.jsonl");
  const auto run = [&](std::uint64_t seed) {
    auto plan = plan_for(data, "random_mixture", {{"strong_share", .5}});
    plan.seed = seed;
    std::vector<ServedBy> served;
    const auto result = replay(*data.set, plan).value();
    for (const auto& request : result.requests) served.push_back(request.served);
    return served;
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

TEST(Replay, AStrategyThatLearnsFindsTheEasyKind) {
  const auto data = prepare("replay_adaptive.jsonl");
  auto plan = plan_for(data, "adaptive", {{"min_agreement", .7}, {"outcomes_min", std::int64_t{20}}});
  plan.keep_reasons = true;
  const auto result = replay(*data.set, plan).value();
  std::size_t right = 0;
  std::size_t late = 0;
  for (std::size_t i = 100; i < result.requests.size(); ++i) {
    const bool easy = data.set->score(result.requests[i].question, 0) == 1;
    right += (result.requests[i].served == ServedBy::kWeak) == easy ? 1 : 0;
    ++late;
    EXPECT_FALSE(result.reasons[i].empty());
  }
  EXPECT_GT(static_cast<double>(right) / static_cast<double>(late), .9);
}

TEST(Replay, FrozenMemoryIsReadAndNeverChanged) {
  const auto data = prepare("replay_frozen.jsonl");
  std::vector<OrderedRequest> fitting;
  for (const auto question : data.set->split().fitting) fitting.push_back({question, 0, 0});
  auto teach = plan_for(data, "always_strong");
  teach.requests = fitting;
  teach.keep_memory = true;
  const auto taught = replay(*data.set, teach).value();
  EXPECT_EQ(taught.skills, fitting.size());

  auto plan = plan_for(data, "exact_lookup");
  plan.learn = false;
  plan.memory = taught.memory;
  const auto fresh = replay(*data.set, plan).value();
  for (const auto& request : fresh.requests) {
    EXPECT_EQ(request.served, ServedBy::kStrong) << "a test question was in the fitted memory";
  }
  plan.requests = fitting;
  const auto again = replay(*data.set, plan).value();
  for (const auto& request : again.requests) {
    EXPECT_EQ(request.served == ServedBy::kWeak, data.set->score(request.question, 0) == 1);
  }
}

TEST(Replay, TheTruthReachesTheLearnerOnlyWhenAskedFor) {
  // Weak and strong give the same letter to a question that both get wrong: they agree, and neither is right.
  const auto path = (std::filesystem::path(test_folder()) / "replay_truth.jsonl").string();
  {
    auto writer = OutcomeWriter::create(path).value();
    for (int i = 0; i < 40; ++i) {
      OutcomeRecord record;
      record.id = "r" + std::to_string(i);
      record.dataset = "made";
      record.prompt = "Question number " + std::to_string(i * 7919) + " about letters?";
      record.choices = {{"A", "one"}, {"B", "two"}};
      RecordedOutcome both;
      both.has_pred = true;
      both.pred = "B";
      both.score = 0;
      record.models = {{"weak", both}, {"strong", both}};
      ASSERT_TRUE(writer->write(record));
    }
    ASSERT_TRUE(writer->close());
  }
  for (const bool truth : {false, true}) {
    QuestionSetOptions options;
    options.file = path;
    options.models = {"weak", "strong"};
    options.fit_labels = options.calibration_labels = 0;
    options.truth_signal = truth;
    Prepared data{QuestionSet::load(options).value(), {}};
    for (const auto question : data.set->split().test) data.order.push_back({question, 0, 0});
    ASSERT_TRUE(data.set->prepare(nullptr, data.order, 1, ""));
    auto plan = plan_for(data, "always_strong");
    plan.learning.guides = false;
    const auto result = replay(*data.set, plan).value();
    EXPECT_EQ(result.cannot_tell, truth ? data.order.size() : 0U);  // both wrong says nothing
  }
}

TEST(Replay, NothingThatNamesTheSubjectReachesARouter) {
  const auto data = prepare("replay_secret.jsonl");
  std::set<std::string> hashes;
  for (const auto& request : data.order) {
    const auto& chat = *data.set->prepared(request.question, 0).request;
    EXPECT_EQ(chat.raw->find("sums/"), std::string::npos);
    EXPECT_EQ(chat.raw->find("capitals/"), std::string::npos);
    EXPECT_EQ(chat.raw->find("made"), std::string::npos);
    hashes.insert(chat.hash);
  }
  EXPECT_EQ(hashes.size(), data.order.size());
}

}  // namespace
}  // namespace brevet
