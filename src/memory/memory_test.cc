// Goal: a snapshot shows its partition's entries, never another's, and never changes; bounds hold; skills
// earned by another model or a guide that is gone do not serve. Method: direct use, a naive scan, and readers
// beside a writer (run under ThreadSanitizer too).
#include "memory/memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "memory/score_window.h"

namespace brevet {
namespace {

Partition partition(const std::string& tenant) {
  return {tenant, "enc", "weak|t=cot", "strong", ""};
}

std::shared_ptr<const Embedding> direction(std::mt19937& random, std::size_t dimension = 32) {
  std::normal_distribution<float> normal;
  Embedding out(dimension);
  double norm = 0;
  for (float& x : out) {
    x = normal(random);
    norm += static_cast<double>(x) * x;
  }
  for (float& x : out) x = static_cast<float>(x / std::sqrt(norm));
  return std::make_shared<Embedding>(std::move(out));
}

Skill skill(std::uint64_t id, const std::string& hash, std::shared_ptr<const Embedding> embedding) {
  Skill out;
  out.id = id;
  out.request_hash = hash;
  out.embedding = std::move(embedding);
  out.status = SkillStatus::kWeakOk;
  out.weak_model_id = "w-1";
  return out;
}

Guide guide(std::uint64_t id, std::shared_ptr<const Embedding> embedding) {
  Guide out;
  out.id = id;
  out.text = "guide " + std::to_string(id);
  out.embedding = std::move(embedding);
  return out;
}

TEST(Memory, TenantsNeverSeeEachOther) {
  std::mt19937 random(1);
  Memory memory;
  const auto shared_direction = direction(random);
  for (int t = 0; t < 50; ++t) {
    const auto p = partition("tenant" + std::to_string(t));
    const auto id = static_cast<std::uint64_t>(t + 1);
    memory.put_skill(p, skill(id, "the same request", shared_direction));
    memory.put_guide(p, guide(id, shared_direction));
    memory.absorb(p, {id, "the same request", shared_direction, nullptr, true, std::nullopt, false});
    memory.observe_score(p, 0.5);
  }
  const auto snapshot = memory.publish();
  for (int t = 0; t < 50; ++t) {
    const auto p = partition("tenant" + std::to_string(t));
    const auto id = static_cast<std::uint64_t>(t + 1);
    EXPECT_EQ(snapshot->find_exact(p, "the same request")->id, id);
    const auto near = snapshot->nearest(p, *shared_direction, 10);
    ASSERT_EQ(near.size(), 1U);
    EXPECT_EQ(near[0].skill.id, id);
    const auto guides = snapshot->guides(p, *shared_direction, 10, 0.5F);
    ASSERT_EQ(guides.size(), 1U);
    EXPECT_EQ(guides[0].guide.id, id);
    EXPECT_FALSE(snapshot->guide(p, id == 1 ? 2 : 1)) << "a guide was read through another tenant";
  }
  // Each field of a partition keeps apart, not only the tenant.
  for (auto member : {&Partition::tenant, &Partition::encoder_hash, &Partition::weak, &Partition::reference,
                      &Partition::system_hash}) {
    auto other = partition("tenant0");
    other.*member = "other";
    EXPECT_FALSE(snapshot->find_exact(other, "the same request"));
    EXPECT_TRUE(snapshot->nearest(other, *shared_direction, 10).empty());
    EXPECT_TRUE(snapshot->guides(other, *shared_direction, 10, -1).empty());
    RequestFeatures features;
    features.embedding = shared_direction;
    EXPECT_EQ(snapshot->estimate(other, features).outcomes, 0U);
  }
}

TEST(Memory, NearestEqualsANaiveScanWhateverCameAndWent) {
  std::mt19937 random(2);
  Memory memory;
  const auto p = partition("t");
  std::map<std::uint64_t, std::shared_ptr<const Embedding>> alive;
  std::uint64_t next = 1;
  for (int step = 0; step < 6'000; ++step) {
    if (!alive.empty() && random() % 5 < 2) {
      const auto it = std::next(alive.begin(), static_cast<std::ptrdiff_t>(random() % alive.size()));
      memory.remove_skill(it->first);
      alive.erase(it);
    } else {
      alive[next] = direction(random);
      memory.put_skill(p, skill(next, std::to_string(next), alive[next]));
      ++next;
    }
    if (step % 750 != 749) continue;
    const auto snapshot = memory.publish();
    EXPECT_EQ(memory.figures().skills, alive.size());
    for (int q = 0; q < 5; ++q) {
      const auto query = direction(random);
      std::vector<std::pair<double, std::uint64_t>> order;
      for (const auto& [id, v] : alive) {
        double sum = 0;
        for (std::size_t d = 0; d < v->size(); ++d) sum += static_cast<double>((*v)[d]) * (*query)[d];
        order.emplace_back(-sum, id);
      }
      std::sort(order.begin(), order.end());
      const auto near = snapshot->nearest(p, *query, 7);
      ASSERT_EQ(near.size(), 7U);
      for (std::size_t i = 0; i < near.size(); ++i) {
        EXPECT_EQ(near[i].skill.id, order[i].second);
        EXPECT_NEAR(near[i].similarity, -order[i].first, 1e-5);
      }
    }
  }
}

TEST(Memory, ReplacingKeepsOneEntryPerRequest) {
  std::mt19937 random(3);
  Memory memory;
  const auto p = partition("t");
  const auto e = direction(random);
  memory.put_skill(p, skill(1, "q", e));
  const auto before = memory.publish();
  auto changed = skill(1, "q", e);
  changed.status = SkillStatus::kStrongOnly;
  changed.hits = 5;
  memory.put_skill(p, changed);
  memory.put_skill(p, skill(2, "without embedding", nullptr));
  const auto after = memory.publish();
  EXPECT_EQ(before->find_exact(p, "q")->status, SkillStatus::kWeakOk) << "a snapshot changed";
  EXPECT_FALSE(before->find_exact(p, "without embedding"));
  EXPECT_EQ(after->find_exact(p, "q")->hits, 5U);
  EXPECT_EQ(after->nearest(p, *e, 10).size(), 1U);
  EXPECT_TRUE(after->find_exact(p, "without embedding"));
  // Another id and another embedding for the same request: still one entry, found at its new place.
  const auto moved = direction(random);
  memory.put_skill(p, skill(9, "q", moved));
  const auto last = memory.publish();
  const auto near = last->nearest(p, *moved, 10);
  ASSERT_EQ(near.size(), 1U);
  EXPECT_EQ(near[0].skill.id, 9U);
  EXPECT_NEAR(near[0].similarity, 1.0, 1e-5);
  EXPECT_EQ(memory.skill_by_id(1, nullptr), nullptr);
  memory.remove_skill(9);
  EXPECT_FALSE(memory.publish()->find_exact(p, "q"));
}

TEST(Memory, UnusableEmbeddingsAreRememberedByHashOnly) {
  Memory memory;
  const auto p = partition("t");
  memory.put_skill(p, skill(1, "a", std::make_shared<Embedding>(Embedding{1, 0})));
  memory.put_skill(p, skill(2, "b", std::make_shared<Embedding>(Embedding{1, 0, 0})));
  memory.put_skill(p, skill(3, "c", std::make_shared<Embedding>(Embedding{1, std::nanf("")})));
  memory.put_skill(p, skill(4, "d", std::make_shared<Embedding>()));
  const auto snapshot = memory.publish();
  EXPECT_EQ(snapshot->nearest(p, {1, 0}, 10).size(), 1U);
  EXPECT_TRUE(snapshot->nearest(p, {1, 0, 0}, 10).empty());
  EXPECT_TRUE(snapshot->nearest(p, {}, 10).empty());
  for (const char* hash : {"a", "b", "c", "d"}) EXPECT_TRUE(snapshot->find_exact(p, hash)) << hash;
}

TEST(Memory, SkillsOfAnotherModelOrWithoutTheirGuideReadAsStrongOnlyAndDue) {
  std::mt19937 random(4);
  Memory memory;
  const auto p = partition("t");
  const auto e = direction(random);
  auto ok = skill(1, "ok", e);
  ok.last_tried = Instant{std::chrono::hours(1000)};
  memory.put_skill(p, ok);
  auto guided = skill(2, "guided", e);
  guided.status = SkillStatus::kWeakWithGuide;
  guided.guide_id = 7;
  memory.put_skill(p, guided);
  memory.put_guide(p, guide(7, e));
  memory.set_model_id("weak", "w-1");
  const auto fresh = memory.publish();
  EXPECT_EQ(fresh->find_exact(p, "ok")->status, SkillStatus::kWeakOk);
  EXPECT_EQ(fresh->find_exact(p, "guided")->status, SkillStatus::kWeakWithGuide);

  memory.set_model_id("weak", "w-2");
  const auto changed = memory.publish();
  EXPECT_GT(changed->version(), fresh->version());
  for (const auto& near : changed->nearest(p, *e, 10)) {
    EXPECT_EQ(near.skill.status, SkillStatus::kStrongOnly);
    EXPECT_EQ(near.skill.last_tried, Instant{}) << "not due at once";
  }
  ok.weak_model_id = "w-2";
  memory.put_skill(p, ok);
  EXPECT_EQ(memory.publish()->find_exact(p, "ok")->status, SkillStatus::kWeakOk)
      << "confirmed by a new trial";

  memory.set_model_id("weak", "w-1");
  memory.remove_guide(7);
  const auto gone = memory.publish();
  EXPECT_EQ(gone->find_exact(p, "guided")->status, SkillStatus::kStrongOnly);
  EXPECT_EQ(gone->find_exact(p, "guided")->guide_id, 0U);
  memory.set_model_id("weak", "");
  EXPECT_EQ(memory.model_id("weak"), "w-1") << "a provider that names no id says nothing";
}

TEST(Memory, ANewModelStartsEstimatesAnewAndOneThatReturnsDoesNot) {
  std::mt19937 random(6);
  Memory memory;
  const auto p = partition("t");
  auto other = p;
  other.weak = "weak2";
  RequestFeatures features;
  features.embedding = direction(random);
  for (std::uint64_t id = 1; id <= 10; ++id) {
    memory.absorb(p, {id, std::to_string(id), direction(random), nullptr, true, std::nullopt, false});
  }
  memory.absorb(other, {11, "q", direction(random), nullptr, true, std::nullopt, false});
  const auto outcomes = [&](const Partition& of) {
    return memory.publish()->estimate(of, features).outcomes;
  };
  memory.set_model_id("weak", "w-1");
  EXPECT_EQ(outcomes(p), 10U) << "the first id is no change";
  EXPECT_TRUE(memory.starts_anew("weak", "w-2"));
  EXPECT_EQ(memory.outcomes_of("weak").size(), 10U);
  const std::string saved = memory.save_model_ids("weak", "w-2");
  memory.set_model_id("weak", "w-2");
  EXPECT_EQ(outcomes(p), 0U);
  EXPECT_EQ(outcomes(other), 1U) << "another model's estimates were dropped";
  EXPECT_TRUE(memory.outcomes_of("weak").empty());
  memory.absorb(p, {12, "new", direction(random), nullptr, true, std::nullopt, false});
  EXPECT_FALSE(memory.starts_anew("weak", "w-1"));
  memory.set_model_id("weak", "w-1");
  EXPECT_EQ(outcomes(p), 1U) << "a provider that goes back and forth must not wipe what is learned";

  Memory again;
  again.load_model_ids("weak", saved);
  EXPECT_EQ(again.model_id("weak"), "w-2");
  EXPECT_FALSE(again.starts_anew("weak", "w-1"));
  EXPECT_TRUE(again.starts_anew("weak", "w-3"));
}

TEST(Memory, BoundsHoldAndTheLeastUsedGo) {
  std::mt19937 random(5);
  MemoryOptions options;
  options.skills_max = 300;
  options.guides_max = 10;
  options.outcomes_max = 50;
  Memory memory(options);
  const auto p = partition("t");
  std::set<std::uint64_t> used;
  for (std::uint64_t id = 1; id <= 2'000; ++id) {
    for (const auto old : memory.skills_to_evict(p, 1)) {
      EXPECT_FALSE(used.contains(old)) << "a used skill went before unused ones";
      memory.remove_skill(old);
    }
    auto entry = skill(id, std::to_string(id), direction(random));
    entry.last_tried = Instant{Microseconds{static_cast<std::int64_t>(id)}};
    if (id % 10 == 0) {
      entry.hits = 3;
      used.insert(id);
    }
    memory.put_skill(p, entry);
    EXPECT_LE(memory.figures().skills, 300U);
    for (const auto old : memory.guides_to_evict(p, 1)) memory.remove_guide(old);
    auto g = guide(id, direction(random));
    g.wins = id == 5 ? 100 : 0;
    memory.put_guide(p, g);
    EXPECT_LE(memory.figures().guides, 10U);
    memory.absorb(p, {id, std::to_string(id), nullptr, nullptr, true, std::nullopt, false});
    const auto over = memory.take_outcomes_over_bound();
    EXPECT_EQ(over.size(), id > 50 ? 1U : 0U);
    if (id > 50) {
      EXPECT_EQ(over[0], id - 50);
    }
  }
  EXPECT_TRUE(memory.skills_to_evict(partition("other"), 1).empty());
  const auto snapshot = memory.publish();
  EXPECT_TRUE(snapshot->guide(p, 5)) << "the guide that wins went";
  for (const auto id : used) EXPECT_TRUE(snapshot->find_exact(p, std::to_string(id)));
}

/// Feeds an estimate with `count` outcomes; ids are counted on.
void learn(Memory& memory, const Partition& p, int count, std::uint64_t& id, std::mt19937& random) {
  for (int i = 0; i < count; ++i, ++id) {
    memory.absorb(p, {id, std::to_string(id), direction(random), nullptr, id % 3 != 0, std::nullopt, false});
  }
}

TEST(Memory, APartitionForEachUserStaysWithinTheBoundAndTheLeastRecentlyUsedGoWhole) {
  std::mt19937 random(7);
  MemoryOptions options;
  options.partitions_max = 20;
  Memory memory(options);
  const auto everyday = partition("everyday");
  RequestFeatures features;
  features.embedding = direction(random);
  std::uint64_t id = 1;
  std::vector<SnapshotPtr> held;
  for (int user = 0; user < 500; ++user) {
    auto p = partition("t");
    p.system_hash = "user " + std::to_string(user);
    memory.put_skill(p, skill(id, "hello", features.embedding));
    memory.put_guide(p, guide(id, features.embedding));
    memory.observe_score(p, 0.5);
    learn(memory, p, 1, id, random);
    memory.put_skill(everyday, skill(1'000'000, "daily", features.embedding));
    const auto evicted = memory.evict_over_bounds();
    ASSERT_EQ(evicted.partitions.size(), user < 19 ? 0U : 1U);
    if (user >= 19) {
      auto oldest = p;
      oldest.system_hash = "user " + std::to_string(user - 19);
      ASSERT_EQ(evicted.partitions[0], oldest);
      ASSERT_EQ(memory.find_skill(oldest, "hello"), nullptr);
      ASSERT_EQ(memory.guide_by_id(static_cast<std::uint64_t>(user - 18), nullptr), nullptr);
    }
    EXPECT_LE(memory.figures().partitions, 20U);
    EXPECT_LE(memory.figures().skills, 20U);
    EXPECT_LE(memory.figures().guides, 20U);
    if (user % 100 == 0) held.push_back(memory.publish());
  }
  EXPECT_EQ(memory.figures().partitions_evicted, 481U);
  const auto snapshot = memory.publish();
  auto p = partition("t");
  int alive = 0;
  for (int user = 0; user < 500; ++user) {
    p.system_hash = "user " + std::to_string(user);
    const bool there = snapshot->find_exact(p, "hello").has_value();
    EXPECT_EQ(there, user >= 481) << user;
    EXPECT_EQ(snapshot->estimate(p, features).outcomes, there ? 1U : 0U);
    EXPECT_EQ(snapshot->guides(p, *features.embedding, 5, -1).size(), there ? 1U : 0U);
    alive += there ? 1 : 0;
  }
  EXPECT_EQ(alive, 19);
  EXPECT_TRUE(snapshot->find_exact(everyday, "daily"));
  p.system_hash = "user 100";
  EXPECT_TRUE(held[1]->find_exact(p, "hello")) << "a snapshot that somebody holds changed";
  // Who comes back starts with nothing and is remembered again.
  memory.put_skill(p, skill(2'000'000, "again", features.embedding));
  memory.evict_over_bounds();
  EXPECT_FALSE(memory.publish()->find_exact(p, "hello"));
  EXPECT_TRUE(memory.publish()->find_exact(p, "again"));
}

TEST(Memory, EvictingAloneIsANewSnapshot) {
  MemoryOptions options;
  options.partitions_max = 1;
  Memory memory(options);
  memory.put_skill(partition("a"), skill(1, "q", nullptr));
  memory.put_skill(partition("b"), skill(2, "q", nullptr));
  const auto before = memory.publish();
  EXPECT_EQ(memory.evict_over_bounds().partitions.size(), 1U);
  const auto after = memory.publish();
  EXPECT_GT(after->version(), before->version());
  EXPECT_FALSE(after->find_exact(partition("a"), "q"));
  EXPECT_TRUE(after->find_exact(partition("b"), "q"));
}

TEST(Memory, FullEstimatesAreBoundedAndStartAnewAsIfTheyHadNeverLearned) {
  std::mt19937 random(8);
  MemoryOptions options;
  options.estimators_max = 3;
  Memory memory(options);
  std::uint64_t id = 1;
  learn(memory, partition("small"), 63, id, random);
  const std::uint64_t first = id;
  for (int t = 0; t < 3; ++t) learn(memory, partition(std::to_string(t)), 64, id, random);
  EXPECT_TRUE(memory.evict_over_bounds().outcomes.empty());
  EXPECT_EQ(memory.figures().estimators, 3U);
  learn(memory, partition("0"), 1, id, random);  // used again, so "1" is the oldest
  learn(memory, partition("3"), 64, id, random);
  memory.put_skill(partition("1"), skill(1, "kept", nullptr));
  learn(memory, partition("0"), 1, id, random);
  learn(memory, partition("3"), 1, id, random);
  memory.put_skill(partition("2"), skill(2, "q", nullptr));  // learning of any kind is use
  memory.put_skill(partition("0"), skill(3, "q", nullptr));
  memory.put_skill(partition("3"), skill(4, "q", nullptr));
  const auto evicted = memory.evict_over_bounds();
  EXPECT_TRUE(evicted.partitions.empty());
  ASSERT_EQ(evicted.outcomes.size(), 64U);
  EXPECT_EQ(evicted.outcomes.front(), first + 64);
  EXPECT_EQ(evicted.outcomes.back(), first + 127);
  EXPECT_EQ(memory.figures().estimators, 3U);
  EXPECT_EQ(memory.figures().estimators_evicted, 1U);
  RequestFeatures features;
  features.embedding = direction(random);
  auto snapshot = memory.publish();
  EXPECT_EQ(snapshot->estimate(partition("1"), features).outcomes, 0U);
  EXPECT_TRUE(snapshot->find_exact(partition("1"), "kept")) << "more than the estimate was dropped";
  EXPECT_EQ(snapshot->estimate(partition("small"), features).outcomes, 63U) << "a small estimate was dropped";

  // The same outcomes after a drop and in a memory that is new give the same bits.
  Memory anew;
  std::uint64_t other = id;
  std::mt19937 equal = random;
  learn(memory, partition("1"), 80, id, random);
  learn(anew, partition("1"), 80, other, equal);
  memory.evict_over_bounds();
  const auto a = memory.publish()->estimate(partition("1"), features);
  const auto b = anew.publish()->estimate(partition("1"), features);
  EXPECT_EQ(a.outcomes, 80U);
  EXPECT_EQ(a.p_agree, b.p_agree);
  EXPECT_EQ(a.score, b.score);
  EXPECT_EQ(a.lower, b.lower);
}

TEST(Memory, BytesAreBoundedAndTheOneInUseStays) {
  std::mt19937 random(9);
  MemoryOptions options;
  options.bytes_max = std::size_t{4} << 20;
  Memory memory(options);
  std::uint64_t id = 1;
  std::uint64_t most = 0;
  for (int t = 0; t < 200; ++t) {
    auto entry = skill(id++, "q", direction(random));
    entry.text = std::string(100'000, 'x');
    memory.put_skill(partition(std::to_string(t)), entry);
    memory.evict_over_bounds();
    ASSERT_LE(memory.figures().bytes, options.bytes_max);
    most = std::max(most, memory.figures().bytes);
  }
  EXPECT_GT(most, options.bytes_max * 9 / 10);
  EXPECT_GT(memory.figures().partitions, 30U);
  // What is removed one by one counts no more.
  const auto before = memory.figures().bytes;
  memory.remove_skill(id - 1);
  memory.evict_over_bounds();
  EXPECT_LT(memory.figures().bytes, before - 100'000);
  // One that alone is over the bound stays: its own bounds are another matter.
  for (int i = 0; i < 60; ++i) {
    auto entry = skill(id++, "q" + std::to_string(i), direction(random));
    entry.text = std::string(100'000, 'x');
    memory.put_skill(partition("large"), entry);
  }
  memory.evict_over_bounds();
  EXPECT_EQ(memory.figures().partitions, 1U);
  EXPECT_EQ(memory.figures().skills, 60U);
}

TEST(Memory, NothingNewIsTheSameSnapshot) {
  Memory memory;
  const auto empty = memory.publish();
  EXPECT_EQ(empty->version(), 0U);
  memory.put_skill(partition("t"), skill(1, "q", nullptr));
  const auto first = memory.publish();
  EXPECT_EQ(first->version(), 1U);
  EXPECT_EQ(memory.publish(), first);
}

struct Seen {
  std::uint64_t version = 0;
  std::vector<std::uint64_t> skills, guides;
  std::vector<double> estimates;
  bool operator==(const Seen&) const = default;
};

Seen look(const Snapshot& snapshot, const std::vector<std::shared_ptr<const Embedding>>& queries) {
  Seen out;
  out.version = snapshot.version();
  for (const char* tenant : {"a", "b"}) {
    const auto p = partition(tenant);
    for (const auto& query : queries) {
      for (const auto& near : snapshot.nearest(p, *query, 3)) {
        out.skills.push_back(near.skill.id);
        out.skills.push_back(static_cast<std::uint64_t>(near.skill.status));
      }
      for (const auto& near : snapshot.guides(p, *query, 3, -1)) out.guides.push_back(near.guide.id);
      RequestFeatures features;
      features.embedding = query;
      features.words = {{1, 2}, {0.6F, 0.8F}};
      const auto estimate = snapshot.estimate(p, features);
      out.estimates.insert(out.estimates.end(),
                           {estimate.p_agree, estimate.score, static_cast<double>(estimate.outcomes),
                            estimate.score_rank.value_or(-1), static_cast<double>(estimate.nearest.size()),
                            snapshot.after_answer(p, estimate, -0.2).value_or(-1)});
    }
    for (const char* hash : {"q1", "q2", "q3"}) {
      const auto found = snapshot.find_exact(p, hash);
      out.skills.push_back(found ? found->id : 0);
    }
  }
  return out;
}

// One memory is read by any thread, the other by its owner's alone; every snapshot of both answers the same,
// the newest one, those that are held while more is learned, and those that outlive the memory.
TEST(Memory, ReadOnTheOwnersThreadAnswersAsReadOnAny) {
  std::mt19937 random(11);
  std::vector<std::shared_ptr<const Embedding>> queries;
  for (int i = 0; i < 4; ++i) queries.push_back(direction(random));
  MemoryOptions views;
  views.skills_max = 60;
  views.outcomes_max = 150;
  views.partitions_max = 2;
  MemoryOptions windows = views;
  windows.readers = Readers::kOwnersThread;
  auto one = std::make_unique<Memory>(views);
  auto other = std::make_unique<Memory>(windows);
  std::vector<std::pair<SnapshotPtr, Seen>> held;
  std::uint64_t id = 0;
  for (int step = 0; step < 500; ++step) {
    const auto p = partition(step % 5 == 0 ? "b" : "a");
    const auto embedding = direction(random);
    const auto hash = "q" + std::to_string(random() % 200);
    auto words = std::make_shared<SparseVector>();
    words->index = {1, 10 + static_cast<std::uint32_t>(random() % 30)};
    words->value = {0.6F, 0.8F};
    const bool agrees = random() % 3 != 0;
    const auto kind = random() % 12;
    ++id;
    for (Memory* memory : {one.get(), other.get()}) {
      memory->absorb(p, {id, hash, embedding, words, agrees, -0.5 - (agrees ? 0 : 1), false});
      auto learned = skill(id, hash, embedding);
      if (kind == 1) learned.status = SkillStatus::kStrongOnly;
      memory->put_skill(p, learned);
      memory->observe_score(p, static_cast<double>(step % 17));
      if (kind == 2) memory->put_guide(p, guide(id, embedding));
      if (kind == 3) memory->remove_skill(id / 2);
      if (kind == 4) memory->remove_guide(id / 2);
      if (kind == 5 && step % 7 == 0) memory->set_model_id("weak", "w-" + std::to_string(step));
      if (kind == 6 && step > 400) memory->observe_score(partition("passing"), 1);
      for (const auto gone : memory->skills_to_evict(p, 0)) memory->remove_skill(gone);
      (void)memory->take_outcomes_over_bound();
      (void)memory->evict_over_bounds();
    }
    auto expected = one->publish();
    auto found = other->publish();
    EXPECT_EQ(other->publish(), found) << "nothing new is the same snapshot";
    if (step % 4 == 0) held.emplace_back(found, look(*expected, queries));
    if (step % 3 == 0) {
      ASSERT_EQ(look(*found, queries), look(*expected, queries)) << step;
    }
    if (step % 50 == 0) held.emplace_back(other->publish_view(), look(*expected, queries));
    EXPECT_EQ(one->figures().version, other->figures().version);
    EXPECT_EQ(one->figures().skills, other->figures().skills);
  }
  for (const auto& [snapshot, seen] : held) ASSERT_EQ(look(*snapshot, queries), seen);
  other.reset();
  for (const auto& [snapshot, seen] : held) ASSERT_EQ(look(*snapshot, queries), seen);
}

TEST(Memory, SnapshotsStayAsTheyWereWhileTheOwnerWrites) {
  MemoryOptions options;
  options.skills_max = 3'000;
  Memory memory(options);
  const auto p = partition("t");
  std::mutex mutex;
  SnapshotPtr current = memory.publish();
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> reads{0};
  std::vector<std::thread> readers;
  for (unsigned r = 0; r < 3; ++r) {
    readers.emplace_back([&, r] {
      std::mt19937 random(r);
      while (!stop) {
        SnapshotPtr snapshot;
        {
          std::lock_guard lock(mutex);
          snapshot = current;
        }
        const auto query = direction(random);
        const auto first = snapshot->nearest(p, *query, 5);
        for (const auto& near : first) {
          // What a snapshot shows belongs together: the hits of an entry were written with its tries.
          EXPECT_EQ(near.skill.hits, near.skill.tries);
          const auto exact = snapshot->find_exact(p, near.skill.request_hash);
          ASSERT_TRUE(exact);
          EXPECT_EQ(exact->hits, near.skill.hits);
        }
        const auto second = snapshot->nearest(p, *query, 5);
        ASSERT_EQ(first.size(), second.size());
        for (std::size_t i = 0; i < first.size(); ++i) {
          EXPECT_EQ(first[i].skill.id, second[i].skill.id);
          EXPECT_EQ(first[i].skill.hits, second[i].skill.hits);
        }
        ++reads;
      }
    });
  }
  std::mt19937 random(99);
  for (std::uint64_t id = 1; id <= 4'000; ++id) {
    for (const auto old : memory.skills_to_evict(p, 1)) memory.remove_skill(old);
    memory.put_skill(p, skill(id, std::to_string(id), direction(random)));
    if (const auto known = memory.find_skill(p, std::to_string(1 + random() % id))) {
      Skill next = *known;
      ++next.hits;
      ++next.tries;
      memory.put_skill(p, next);
    }
    if (id % 3 == 0) {
      auto next = memory.publish();
      std::lock_guard lock(mutex);
      current = std::move(next);
    }
  }
  while (reads < 3) std::this_thread::yield();
  stop = true;
  for (auto& reader : readers) reader.join();
}

TEST(ScoreWindow, RanksAmongTheNewest) {
  ScoreWindow window;
  for (int i = 0; i < 99; ++i) window.add(i);
  EXPECT_EQ(ScoreWindow::rank(window.sorted(), 5), std::nullopt) << "too few";
  window.add(99);
  window.add(std::nan(""));
  EXPECT_DOUBLE_EQ(ScoreWindow::rank(window.sorted(), 50).value(), 0.505);
  EXPECT_DOUBLE_EQ(ScoreWindow::rank(window.sorted(), -1).value(), 0);
  EXPECT_DOUBLE_EQ(ScoreWindow::rank(window.sorted(), 1000).value(), 1);
  for (std::size_t i = 0; i < ScoreWindow::kMost; ++i) window.add(1000.0 + static_cast<double>(i));
  EXPECT_DOUBLE_EQ(ScoreWindow::rank(window.sorted(), 500).value(), 0) << "old scores still count";
  window.add(0);
  ScoreWindow copy;
  ASSERT_TRUE(copy.load(window.save()));
  EXPECT_EQ(*copy.sorted(), *window.sorted());
  copy.add(5000);
  window.add(5000);
  EXPECT_EQ(*copy.sorted(), *window.sorted()) << "the order of age was lost";
  EXPECT_FALSE(copy.load("abc"));
  EXPECT_EQ(*copy.sorted(), *window.sorted());
}

}  // namespace
}  // namespace brevet
