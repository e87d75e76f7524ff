// Goal: nothing enters a snapshot before its commit, nothing taken is lost while the disk fails, a full queue
// refuses and counts, feedback is answered after its commit, and a restart remembers the same. Method: a
// store that can be told to fail or wait (in front of a real one), and the real learner.
#include "learning/learner.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "learning/pending_changes.h"

namespace brevet {
namespace {

const Partition kPartition{"t", "enc", "weak", "strong", ""};

/// A real store whose commits can be made to fail or to wait.
class GatedStore : public Store {
 public:
  Result<> commit(const WriteBatch& batch) override {
    std::unique_lock lock(mutex_);
    ++tries_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_; });
    if (failures_ != 0) {
      if (failures_ > 0) --failures_;
      return fail(ErrorKind::kInternal, "store_full", "The disk is full.");
    }
    return real_->commit(batch);
  }
  Result<> load(const LoadVisitor& visitor) const override { return real_->load(visitor); }
  Result<std::optional<std::string>> decision(const std::string& tenant,
                                              const std::string& id) const override {
    return real_->decision(tenant, id);
  }
  Result<std::vector<std::string>> decisions(const DecisionFilter& filter) const override {
    return real_->decisions(filter);
  }
  Result<std::optional<std::string>> setting(const std::string& name) const override {
    return real_->setting(name);
  }
  Result<ErasedRows> erase_tenant(const std::string& tenant) override { return real_->erase_tenant(tenant); }

  void close() {
    std::lock_guard lock(mutex_);
    open_ = false;
  }
  void open() {
    std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void fail_next(int commits) {  // -1: until told otherwise
    std::lock_guard lock(mutex_);
    failures_ = commits;
  }
  void wait_for_tries(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return tries_ >= count; });
  }
  int tries() {
    std::lock_guard lock(mutex_);
    return tries_;
  }

 private:
  std::unique_ptr<Store> real_ = open_store({":memory:", Microseconds{0}}).value();
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
  int failures_ = 0;
  int tries_ = 0;
};

struct Shadowed {
  std::shared_ptr<Decision> decision;
  std::shared_ptr<ShadowResult> result;
};

Shadowed shadowed(int number, bool agrees) {
  Shadowed out;
  out.decision = std::make_shared<Decision>();
  out.decision->id = "dec_" + std::to_string(number);
  out.decision->number = static_cast<std::uint64_t>(number);
  out.decision->parent_id = "dec_p" + std::to_string(number);
  out.decision->time = Instant{std::chrono::seconds(number)};
  out.result = std::make_shared<ShadowResult>();
  out.result->partition = kPartition;
  out.result->request_hash = "q" + std::to_string(number);
  Embedding embedding(16);
  embedding[static_cast<std::size_t>(number) % 16] = 1;
  out.result->embedding = std::make_shared<Embedding>(embedding);
  out.result->words =
      std::make_shared<SparseVector>(SparseVector{{static_cast<std::uint32_t>(number)}, {1.0F}});
  out.result->weak_alone_known = true;
  out.result->weak_alone = agrees ? Verdict::kSame : Verdict::kDifferent;
  out.result->weak_logprob = agrees ? -0.1 : -1.0;
  out.result->weak_model_id = "w-1";
  return out;
}

LearnerOptions quick() {
  LearnerOptions options;
  options.retry_first = Milliseconds{1};
  options.retry_max = Milliseconds{2};
  return options;
}

Result<> give_feedback(Learner& learner, Feedback feedback) {
  asio::io_context io;
  Result<> out = fail(ErrorKind::kInternal, "not_run", "");
  asio::co_spawn(io, learner.feedback(std::move(feedback)), [&](std::exception_ptr error, Result<> result) {
    EXPECT_FALSE(error);
    out = std::move(result);
  });
  io.run();
  return out;
}

TEST(Learner, ASnapshotHoldsNothingBeforeItsCommit) {
  GatedStore store;
  auto learner = make_learner(store, system_clock(), quick()).value();
  store.close();
  auto item = shadowed(1, true);
  ASSERT_TRUE(learner->reserve());
  learner->decided(item.decision, item.result);
  store.wait_for_tries(1);  // the writer is inside commit()
  EXPECT_EQ(learner->snapshot()->version(), 0U);
  EXPECT_FALSE(learner->snapshot()->find_exact(kPartition, "q1"));
  store.open();
  ASSERT_TRUE(learner->flush());
  EXPECT_EQ(learner->snapshot()->find_exact(kPartition, "q1")->status, SkillStatus::kWeakOk);
  EXPECT_TRUE(store.decision("default", "dec_1").value());
  EXPECT_EQ(learner->figures().shadows_absorbed, 1U);
  EXPECT_EQ(learner->figures().memory.skills, 1U);
}

TEST(Learner, AFailingDiskLosesNothingAndIsCounted) {
  GatedStore store;
  auto learner = make_learner(store, system_clock(), quick()).value();
  store.fail_next(5);
  for (int i = 1; i <= 20; ++i) {
    auto item = shadowed(i, i % 2 == 0);
    ASSERT_TRUE(learner->reserve());
    learner->decided(item.decision, item.result);
  }
  store.wait_for_tries(6);
  while (!learner->flush()) std::this_thread::yield();  // false for as long as the disk fails
  for (int i = 1; i <= 20; ++i) {
    EXPECT_TRUE(learner->snapshot()->find_exact(kPartition, "q" + std::to_string(i))) << i;
    EXPECT_TRUE(store.decision("default", "dec_" + std::to_string(i)).value()) << i;
  }
  const auto figures = learner->figures();
  EXPECT_EQ(figures.commit_failures, 5U);
  EXPECT_EQ(figures.decisions_committed, 20U) << "tried again is not counted again";
  EXPECT_EQ(figures.shadows_absorbed, 20U);
  EXPECT_EQ(figures.dropped, 0U);
}

TEST(Learner, AFullQueueRefusesAndCounts) {
  GatedStore store;
  auto options = quick();
  options.queue_max = 4;
  auto learner = make_learner(store, system_clock(), options).value();
  store.close();
  for (int i = 1; i <= 4; ++i) ASSERT_TRUE(learner->reserve());
  EXPECT_FALSE(learner->reserve());
  learner->release();
  ASSERT_TRUE(learner->reserve());
  for (int i = 1; i <= 4; ++i) learner->decided(shadowed(i, true).decision, nullptr);
  EXPECT_FALSE(learner->reserve()) << "what waits for its commit takes places too";
  EXPECT_EQ(learner->figures().refused, 2U);
  EXPECT_EQ(learner->figures().queue_length, 4U);
  store.open();
  ASSERT_TRUE(learner->flush());
  EXPECT_TRUE(learner->reserve());
  EXPECT_EQ(learner->figures().queue_length, 0U);
}

TEST(Learner, WithoutPlacesTheHardBoundDropsAndCounts) {
  GatedStore store;
  auto options = quick();
  options.queue_max = 1;
  options.feedback_max = 1;
  auto learner = make_learner(store, system_clock(), options).value();
  store.close();
  for (int i = 1; i <= 500; ++i) learner->decided(shadowed(i, true).decision, nullptr);
  const auto dropped = learner->figures().dropped;
  EXPECT_GT(dropped, 0U);
  store.open();
  ASSERT_TRUE(learner->flush());
  EXPECT_EQ(learner->figures().decisions_committed + dropped, 500U);
}

TEST(Learner, FeedbackIsAnsweredAfterItsCommit) {
  GatedStore store;
  auto learner = make_learner(store, system_clock(), quick()).value();
  learner->decided(shadowed(1, true).decision, nullptr);
  // Right behind its decision, perhaps in the same batch.
  EXPECT_TRUE(give_feedback(*learner, {"dec_1", "default", 0.75, "fine", {}}));
  EXPECT_NE(store.decision("default", "dec_1").value()->find("7.5E-1"), std::string::npos);

  const auto unknown = give_feedback(*learner, {"dec_9", "default", 1, "", {}});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, "unknown_decision");
  const auto other_tenant = give_feedback(*learner, {"dec_1", "other", 1, "", {}});
  ASSERT_FALSE(other_tenant);
  EXPECT_EQ(other_tenant.error().code, "unknown_decision");

  store.fail_next(1);
  const auto failed = give_feedback(*learner, {"dec_1", "default", 0.125, "", {}});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, "store_full");
  while (!learner->flush()) std::this_thread::yield();
  EXPECT_EQ(store.decision("default", "dec_1").value()->find("1.25E-1"), std::string::npos)
      << "an error was answered and yet it was written";
  EXPECT_EQ(learner->figures().feedback_committed, 1U);
}

/// A decision in which weak served, on what request `number` asks.
std::shared_ptr<Decision> served_by_weak(int number) {
  auto out = std::make_shared<Decision>();
  out->id = "dec_" + std::to_string(number);
  out->number = static_cast<std::uint64_t>(number);
  out->request_hash = "q" + std::to_string(number);
  out->partition = kPartition;
  out->tenant = kPartition.tenant;
  out->embedding = std::make_shared<Embedding>(Embedding(16, 0.25F));
  out->words = std::make_shared<SparseVector>(SparseVector{{1}, {1.0F}});
  Attempt attempt;
  attempt.configuration.model = kPartition.weak;
  attempt.state = AttemptState::kDone;
  attempt.answer.emplace();
  out->attempts.push_back(attempt);
  out->accepted = 0;
  return out;
}

TEST(Learner, AClientsWordTeachesOnceItIsKept) {
  GatedStore store;
  auto learner = make_learner(store, system_clock(), quick()).value();
  learner->decided(served_by_weak(1), nullptr);
  learner->decided(served_by_weak(2), nullptr);
  ASSERT_TRUE(learner->flush());
  EXPECT_FALSE(learner->snapshot()->find_exact(kPartition, "q1"));

  store.fail_next(1);
  EXPECT_FALSE(give_feedback(*learner, {"dec_1", "t", 0.0, "wrong", {}}));
  while (!learner->flush()) std::this_thread::yield();
  EXPECT_EQ(learner->figures().feedback_learned, 0U) << "a word that was not kept has taught";

  EXPECT_TRUE(give_feedback(*learner, {"dec_1", "t", 0.0, "wrong", {}}));
  EXPECT_TRUE(give_feedback(*learner, {"dec_2", "t", 1.0, "", {}}));
  EXPECT_TRUE(give_feedback(*learner, {"dec_2", "t", std::nullopt, "thanks", {}}));
  EXPECT_TRUE(give_feedback(*learner, {"dec_2", "t", 0.75, "", {}}));
  ASSERT_TRUE(learner->flush());
  const auto first = learner->snapshot()->find_exact(kPartition, "q1");
  ASSERT_TRUE(first);
  EXPECT_EQ(first->status, SkillStatus::kStrongOnly);
  const auto second = learner->snapshot()->find_exact(kPartition, "q2");
  ASSERT_TRUE(second);
  EXPECT_EQ(second->status, SkillStatus::kWeakOk);
  EXPECT_EQ(learner->figures().feedback_learned, 2U);
  EXPECT_EQ(learner->figures().feedback_unused, 1U);
  EXPECT_EQ(learner->figures().outcomes_learned, 2U);

  // What was learned so survives like everything else.
  learner->stop();
  auto again = make_learner(store, system_clock(), quick()).value();
  ASSERT_TRUE(again->snapshot()->find_exact(kPartition, "q1"));
  EXPECT_EQ(again->snapshot()->find_exact(kPartition, "q1")->status, SkillStatus::kStrongOnly);
  EXPECT_TRUE(give_feedback(*again, {"dec_1", "t", 1.0, "", {}})) << "kept, though it teaches nothing now";
  EXPECT_EQ(again->figures().feedback_unused, 1U);
}

TEST(Learner, StoppingWritesWhatIsQueuedOrCountsWhatItCould) {
  GatedStore store;
  auto learner = make_learner(store, system_clock(), quick()).value();
  for (int i = 1; i <= 50; ++i) learner->decided(shadowed(i, true).decision, nullptr);
  learner->stop();
  EXPECT_EQ(learner->figures().decisions_committed, 50U);
  EXPECT_FALSE(learner->reserve());
  EXPECT_FALSE(give_feedback(*learner, {"dec_1", "default", 1, "", {}}));

  GatedStore broken;
  auto second = make_learner(broken, system_clock(), quick()).value();
  broken.fail_next(-1);
  for (int i = 1; i <= 50; ++i) second->decided(shadowed(i, true).decision, nullptr);
  broken.wait_for_tries(2);
  second->stop();
  EXPECT_EQ(second->figures().dropped, 50U);
  EXPECT_EQ(second->snapshot()->version(), 0U);
}

TEST(Learner, InlineModeCommitsBeforeItReturns) {
  GatedStore store;
  auto options = quick();
  options.mode = LearnerMode::kInline;
  auto learner = make_learner(store, system_clock(), options).value();
  auto item = shadowed(1, true);
  learner->decided(item.decision, item.result);
  EXPECT_TRUE(learner->snapshot()->find_exact(kPartition, "q1"));
  store.fail_next(1);
  item = shadowed(2, true);
  learner->decided(item.decision, item.result);
  EXPECT_FALSE(learner->snapshot()->find_exact(kPartition, "q2"));
  EXPECT_EQ(learner->figures().dropped, 1U);
}

TEST(Learner, ReadOnTheOwnersThreadAFlushedSnapshotStaysForAnyThread) {
  GatedStore store;
  auto options = quick();
  options.mode = LearnerMode::kInline;
  options.memory.readers = Readers::kOwnersThread;
  auto learner = make_learner(store, system_clock(), options).value();
  auto item = shadowed(1, true);
  learner->decided(item.decision, item.result);
  const auto window = learner->snapshot();
  EXPECT_TRUE(window->find_exact(kPartition, "q1"));
  ASSERT_TRUE(learner->flush());
  const auto view = learner->snapshot();
  item = shadowed(2, true);
  learner->decided(item.decision, item.result);
  EXPECT_TRUE(learner->snapshot()->find_exact(kPartition, "q2"));
  for (const auto& before : {window, view}) {
    EXPECT_EQ(before->version(), 1U);
    EXPECT_TRUE(before->find_exact(kPartition, "q1"));
    EXPECT_FALSE(before->find_exact(kPartition, "q2")) << "a snapshot changed";
  }
  // A commit that fails leaves the newest snapshot as it was.
  store.fail_next(1);
  item = shadowed(3, true);
  learner->decided(item.decision, item.result);
  EXPECT_EQ(learner->snapshot()->version(), 2U);
  std::thread elsewhere([&] { EXPECT_TRUE(view->find_exact(kPartition, "q1")); });
  learner.reset();
  elsewhere.join();
  EXPECT_TRUE(window->find_exact(kPartition, "q1"));
}

TEST(Learner, ARestartRemembersTheSame) {
  GatedStore store;
  auto options = quick();
  options.mode = LearnerMode::kInline;
  RequestFeatures features;
  std::vector<Neighbour> near;
  std::vector<Estimate> estimates;
  const auto ask = [&](Learner& learner) {
    std::vector<Estimate> out;
    for (int i = 0; i < 40; ++i) {
      features.embedding = shadowed(i, true).result->embedding;
      features.words = *shadowed(i * 7, true).result->words;
      out.push_back(learner.snapshot()->estimate(kPartition, features));
    }
    return out;
  };
  SnapshotPtr before;
  {
    auto learner = make_learner(store, system_clock(), options).value();
    for (int i = 1; i <= 400; ++i) {
      auto item = shadowed(i, i % 3 != 0);
      learner->decided(item.decision, item.result);
      auto parent = std::make_shared<Decision>();
      parent->id = item.decision->parent_id;
      parent->number = 1000 + static_cast<std::uint64_t>(i);
      parent->partition = kPartition;
      parent->estimate.emplace();
      parent->estimate->outcomes = 1;
      parent->estimate->score = i;
      Attempt attempt;
      attempt.configuration.model = "weak";
      attempt.state = AttemptState::kDone;
      attempt.answer.emplace();
      attempt.answer->returned_model = i < 300 ? "w-1" : "w-2";
      parent->attempts.push_back(attempt);
      learner->decided(parent, nullptr);
    }
    // The last scores are written with the batch after theirs.
    learner->decided(shadowed(5000, true).decision, nullptr);
    before = learner->snapshot();
    estimates = ask(*learner);
  }
  auto learner = make_learner(store, system_clock(), options).value();
  EXPECT_EQ(ask(*learner).front().outcomes, 100U)
      << "labels of the old model still count, or of the new do not";
  EXPECT_EQ(learner->first_number(), 5001U) << "a number would be used twice";
  for (int i = 1; i <= 400; ++i) {
    const auto hash = "q" + std::to_string(i);
    const auto then = before->find_exact(kPartition, hash);
    const auto now = learner->snapshot()->find_exact(kPartition, hash);
    ASSERT_TRUE(now);
    EXPECT_EQ(now->id, then->id);
    EXPECT_EQ(now->status, then->status);
    EXPECT_EQ(now->status, SkillStatus::kStrongOnly) << "the model's id changed and that was forgotten";
    EXPECT_EQ(*now->embedding, *then->embedding);
  }
  const auto again = ask(*learner);
  for (std::size_t i = 0; i < again.size(); ++i) {
    EXPECT_EQ(again[i].p_agree, estimates[i].p_agree) << i;
    EXPECT_EQ(again[i].score, estimates[i].score);
    EXPECT_EQ(again[i].lower, estimates[i].lower);
    EXPECT_EQ(again[i].effective_n, estimates[i].effective_n);
    EXPECT_EQ(again[i].score_rank, estimates[i].score_rank);
    EXPECT_EQ(again[i].outcomes, estimates[i].outcomes);
  }
  auto item = shadowed(401, true);
  learner->decided(item.decision, item.result);
  EXPECT_EQ(learner->snapshot()->find_exact(kPartition, "q401")->id, 401U) << "an id was used twice";
}

TEST(Learner, TextsOfRequestsGoByRetentionAndTheirSkillsStay) {
  GatedStore store;
  ManualClock clock{Instant{std::chrono::hours(1'000)}};
  LearnerOptions options;
  options.mode = LearnerMode::kInline;
  options.retention = std::chrono::hours(10);
  auto learner = make_learner(store, clock, options).value();
  const auto see = [&](int i) {
    auto item = shadowed(i, true);
    item.result->text = "Text of " + std::to_string(i);
    auto decision = std::make_shared<Decision>(*item.decision);
    decision->time = clock.now();
    learner->decided(decision, item.result);
  };
  const auto text_of = [&](int i) {
    return learner->snapshot()->find_exact(kPartition, "q" + std::to_string(i))->text;
  };
  for (int i = 1; i <= 600; ++i) see(i);
  EXPECT_EQ(text_of(1), "Text of 1");
  clock.advance(std::chrono::hours(9));
  see(601);
  clock.advance(std::chrono::hours(2));
  see(1);                                   // seen again in time, in the batch that would have forgotten it
  for (int i = 602; i <= 604; ++i) see(i);  // 256 texts a batch
  EXPECT_EQ(text_of(1), "Text of 1");
  for (int i = 2; i <= 600; ++i) ASSERT_EQ(text_of(i), "") << i;
  EXPECT_EQ(text_of(601), "Text of 601");
  EXPECT_EQ(learner->figures().texts_forgotten, 599U);
  EXPECT_EQ(learner->figures().memory.skills, 604U);
  std::size_t with_text = 0;
  ASSERT_TRUE(store.load({[&](StoredSkill stored) { with_text += stored.skill.text.empty() ? 0 : 1; }}));
  EXPECT_EQ(with_text, 5U) << "on disk too";
}

TEST(Learner, EvictionReachesTheStore) {
  GatedStore store;
  auto options = quick();
  options.mode = LearnerMode::kInline;
  options.memory.skills_max = 20;
  options.memory.outcomes_max = 30;
  auto learner = make_learner(store, system_clock(), options).value();
  for (int i = 1; i <= 200; ++i) {
    auto item = shadowed(i, true);
    learner->decided(item.decision, item.result);
  }
  std::size_t skills = 0;
  std::size_t outcomes = 0;
  ASSERT_TRUE(store.load({[&](StoredSkill) { ++skills; }, nullptr, [&](StoredOutcome) { ++outcomes; }}));
  EXPECT_EQ(skills, 20U);
  EXPECT_LE(outcomes, 31U) << "those over the bound go with the next batch";
  EXPECT_EQ(learner->figures().evicted_skills, 180U);
  EXPECT_EQ(learner->figures().memory.skills, 20U);
}

TEST(Learner, APartitionForEachUserStaysBoundedHereInTheStoreAndAfterARestart) {
  GatedStore store;
  auto options = quick();
  options.mode = LearnerMode::kInline;
  options.memory.partitions_max = 10;
  options.memory.estimators_max = 3;
  const auto user = [](int number) {
    auto partition = kPartition;
    partition.system_hash = "user " + std::to_string(number);
    return partition;
  };
  int number = 0;
  const auto learn = [&](Learner& learner, const Partition& partition) {
    ++number;
    auto item = shadowed(number, number % 3 != 0);
    item.result->partition = partition;
    learner.decided(item.decision, item.result);
    auto parent = std::make_shared<Decision>();
    parent->id = "dec_p" + std::to_string(number);
    parent->partition = partition;
    parent->estimate.emplace();
    parent->estimate->outcomes = 1;
    parent->estimate->score = number;
    learner.decided(parent, nullptr);
  };
  const auto stored = [&] {
    std::map<std::string, std::size_t> rows;
    EXPECT_TRUE(store.load({[&](StoredSkill skill) { ++rows[skill.partition.key()]; }, nullptr,
                            [&](StoredOutcome outcome) { ++rows[outcome.partition.key()]; }}));
    return rows;
  };
  const auto ask = [&](const Learner& learner) {
    RequestFeatures features;
    features.embedding = shadowed(3, true).result->embedding;
    features.words = *shadowed(3, true).result->words;
    std::vector<Estimate> out;
    for (int u = 0; u < 60; ++u) out.push_back(learner.snapshot()->estimate(user(u), features));
    return out;
  };
  std::vector<Estimate> before;
  {
    auto learner = make_learner(store, system_clock(), options).value();
    for (int u = 0; u < 60; ++u) {
      for (int i = 0; i < (u >= 50 ? 110 : 3); ++i) learn(*learner, user(u));
      ASSERT_LE(learner->figures().memory.partitions, 10U);
      ASSERT_LE(learner->figures().memory.estimators, 3U);
      if (u < 50) {
        ASSERT_LE(stored().size(), 11U) << "those over the bound go with the next batch";
      }
    }
    EXPECT_EQ(learner->figures().memory.partitions_evicted, 50U);
    EXPECT_EQ(learner->figures().memory.estimators_evicted, 7U);
    learn(*learner, user(55));  // whose estimate was dropped
    // Who was evicted and is back in the very next batch keeps what is new, and only that.
    learn(*learner, user(4));
    EXPECT_EQ(learner->figures().memory.partitions_evicted, 51U);
    learn(*learner, user(50));
    EXPECT_EQ(stored()[user(50).key()], 2U);
    learner->decided(shadowed(50'000, true).decision, nullptr);
    before = ask(*learner);
  }
  EXPECT_EQ(store.setting(scores_setting(user(0))).value(), std::nullopt)
      << "a setting for each user for ever";
  EXPECT_TRUE(store.setting(scores_setting(user(59))).value());
  auto learner = make_learner(store, system_clock(), options).value();
  EXPECT_EQ(learner->figures().memory.partitions, 10U);
  EXPECT_EQ(learner->figures().memory.estimators, 3U);
  EXPECT_EQ(learner->figures().memory.partitions_evicted, 0U) << "a restart brought more back than the bound";
  EXPECT_EQ(learner->figures().memory.estimators_evicted, 0U);
  EXPECT_EQ(before[55].outcomes, 1U);
  const auto after = ask(*learner);
  for (std::size_t u = 0; u < after.size(); ++u) {
    EXPECT_EQ(after[u].outcomes, before[u].outcomes) << u;
    EXPECT_EQ(after[u].p_agree, before[u].p_agree) << u;
    EXPECT_EQ(after[u].score, before[u].score) << u;
    EXPECT_EQ(after[u].score_rank, before[u].score_rank) << u;
  }
  EXPECT_EQ(after[59].outcomes, 110U);
  EXPECT_TRUE(after[59].score_rank);

  // Lower bounds hold from the start on; the newest stay, here and in the store.
  learner.reset();
  options.memory.partitions_max = 5;
  learner = make_learner(store, system_clock(), options).value();
  EXPECT_EQ(learner->figures().memory.partitions, 5U);
  EXPECT_EQ(learner->figures().memory.partitions_evicted, 5U);
  const auto lower = ask(*learner);
  EXPECT_EQ(lower[50].outcomes, 1U);
  EXPECT_EQ(lower[55].outcomes, 1U);
  EXPECT_EQ(lower[59].outcomes, 110U);
  EXPECT_EQ(lower[58].outcomes, 110U);
  EXPECT_EQ(lower[57].outcomes, 0U);
  learner->decided(shadowed(50'001, true).decision, nullptr);
  EXPECT_EQ(stored().size(), 5U);
}

TEST(Learner, ManyThreadsHandOverWhileSnapshotsAreRead) {
  GatedStore store;
  auto learner = make_learner(store, system_clock(), quick()).value();
  std::vector<std::thread> threads;
  std::atomic<int> handed{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) {
        if (!learner->reserve()) continue;
        auto item = shadowed(1 + t * 1000 + i, i % 2 == 0);
        learner->decided(item.decision, item.result);
        ++handed;
        (void)learner->snapshot()->nearest(kPartition, *item.result->embedding, 3);
        (void)learner->figures();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  ASSERT_TRUE(learner->flush());
  EXPECT_EQ(learner->figures().memory.skills, static_cast<std::uint64_t>(handed.load()));
  EXPECT_EQ(learner->figures().queue_length, 0U);
}

}  // namespace
}  // namespace brevet
