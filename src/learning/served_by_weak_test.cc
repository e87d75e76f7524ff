// Goal: a client's word teaches exactly where weak served, once, and only its own tenant's; the memory it
// needs is bounded. Method: decisions of every kind, words on them, and what is read from each.
#include "learning/served_by_weak.h"

#include <gtest/gtest.h>

namespace brevet {
namespace {

Decision served(const std::string& id, const std::string& configuration) {
  Decision out;
  out.id = id;
  out.tenant = "t";
  out.request_hash = "q" + id;
  out.partition = {"t", "enc", "weak", "strong", ""};
  out.embedding = std::make_shared<Embedding>(Embedding{1, 0});
  out.words = std::make_shared<SparseVector>(SparseVector{{3}, {1.0F}});
  out.skill_id = 7;
  Attempt attempt;
  attempt.configuration = Configuration::parse(configuration).value();
  attempt.state = AttemptState::kDone;
  attempt.answer.emplace();
  attempt.answer->mean_logprob = -0.25;
  attempt.answer->returned_model = "w-1";
  out.attempts.push_back(attempt);
  out.accepted = 0;
  return out;
}

TEST(ServedByWeak, AWordOnWeakAloneIsItsVerdict) {
  ServedByWeak window(8);
  window.add(served("a", "weak"));
  const auto bad = window.hear({"a", "t", 0.49, "", {}});
  ASSERT_TRUE(bad);
  EXPECT_EQ(bad->weak_alone, Verdict::kDifferent);
  EXPECT_TRUE(bad->weak_alone_known);
  EXPECT_FALSE(bad->spot_check) << "clients do not choose at random what they speak of";
  EXPECT_EQ(bad->skill_id, 7U);
  EXPECT_EQ(bad->request_hash, "qa");
  EXPECT_EQ(bad->weak_logprob, -0.25);
  EXPECT_TRUE(bad->embedding);
}

TEST(ServedByWeak, AWordOnAGuidedAnswerSpeaksOfTheGuide) {
  ServedByWeak window(8);
  window.add(served("a", "weak|g=12"));
  const auto good = window.hear({"a", "t", 0.5, "", {}});
  ASSERT_TRUE(good);
  EXPECT_FALSE(good->weak_alone_known);
  EXPECT_FALSE(good->weak_logprob);
  ASSERT_EQ(good->guides_tried.size(), 1U);
  EXPECT_EQ(good->guides_tried[0], (std::pair<std::uint64_t, Verdict>{12, Verdict::kSame}));
}

TEST(ServedByWeak, TheNewestWordCountsAndTheSameAgainSaysNothing) {
  ServedByWeak window(8);
  window.add(served("a", "weak"));
  EXPECT_TRUE(window.hear({"a", "t", 1.0, "", {}}));
  EXPECT_FALSE(window.hear({"a", "t", 0.9, "", {}}));
  const auto changed = window.hear({"a", "t", 0.0, "", {}});
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->weak_alone, Verdict::kDifferent);
}

TEST(ServedByWeak, WhatTeachesNothing) {
  ServedByWeak window(8);
  window.add(served("strong", "strong"));
  window.add(served("other", "middle"));
  window.add(served("guide of a name", "weak|g=abc"));
  auto shadow = served("shadow", "weak");
  shadow.parent_id = "a";
  window.add(shadow);
  auto silent = served("silent", "weak");
  silent.learn = false;
  window.add(silent);
  auto voted = served("voted", "weak");
  voted.attempts[0].tag = "sample 0";
  window.add(voted);
  auto fused = served("fused", "weak");
  fused.attempts[0].purpose = Purpose::kFuse;
  window.add(fused);
  auto failed = served("failed", "weak");
  failed.state = DecisionState::kFailed;
  window.add(failed);
  auto cancelled = served("cancelled", "weak");
  cancelled.accepted = -1;
  window.add(cancelled);
  EXPECT_EQ(window.size(), 0U);

  window.add(served("a", "weak"));
  EXPECT_FALSE(window.hear({"a", "t", std::nullopt, "only a comment", {}}));
  EXPECT_FALSE(window.hear({"a", "another tenant", 0.0, "", {}}));
  EXPECT_FALSE(window.hear({"b", "t", 0.0, "", {}}));
  EXPECT_TRUE(window.hear({"a", "t", 0.0, "", {}})) << "none of these used it up";
}

TEST(ServedByWeak, RequestsThatResembleEachOtherAreKnownByTheirHashAlone) {
  ServedByWeak window(8);
  auto with_tools = served("a", "weak");
  with_tools.hash_only = true;
  window.add(with_tools);
  const auto said = window.hear({"a", "t", 0.0, "", {}});
  ASSERT_TRUE(said);
  EXPECT_FALSE(said->embedding);
  EXPECT_FALSE(said->words);
}

TEST(ServedByWeak, TheOldestGoFirst) {
  ServedByWeak window(2);
  for (const char* id : {"a", "b", "b", "c"}) window.add(served(id, "weak"));
  EXPECT_EQ(window.size(), 2U);
  EXPECT_FALSE(window.hear({"a", "t", 0.0, "", {}}));
  EXPECT_TRUE(window.hear({"b", "t", 0.0, "", {}}));
  EXPECT_TRUE(window.hear({"c", "t", 0.0, "", {}}));
}

}  // namespace
}  // namespace brevet
