// Goal: every rule of promotion and demotion, and that what cannot be told teaches nothing. Method: each row
// is a shadow's result against a memory with one entry; the pending changes are read, nothing is committed.
#include "learning/skill_rules.h"

#include <gtest/gtest.h>

namespace brevet {
namespace {

const Partition kPartition{"t", "enc", "weak", "strong", ""};

class SkillRules : public ::testing::Test {
 protected:
  SkillRules() {
    decision_.id = "dec_shadow";
    decision_.parent_id = "dec_parent";
    decision_.time = Instant{std::chrono::hours(5)};
    result_.partition = kPartition;
    result_.request_hash = "q";
    result_.embedding = std::make_shared<Embedding>(Embedding{1, 0});
    result_.weak_model_id = "w-1";
  }

  Skill& known(SkillStatus status, std::uint64_t guide = 0, const std::string& hash = "q") {
    skill_.id = 10;
    skill_.request_hash = hash;
    skill_.status = status;
    skill_.guide_id = guide;
    skill_.tries = 1;
    memory_.put_skill(kPartition, skill_);
    return skill_;
  }
  void known_guide(std::uint64_t id) {
    Guide guide;
    guide.id = id;
    guide.text = "Think.";
    guide.wins = 1;
    memory_.put_guide(kPartition, guide);
  }
  void weak_alone(Verdict verdict) {
    result_.weak_alone_known = true;
    result_.weak_alone = verdict;
  }
  PendingChanges& learn() {
    changes_.emplace(memory_, NextIds{100, 200, 300, 1});
    learn_from_shadow(result_, decision_, *changes_, counts_);
    return *changes_;
  }
  std::vector<StoredOutcome> outcomes() const {
    WriteBatch batch;
    changes_->write_to(batch);
    return batch.outcomes;
  }

  Memory memory_;
  Skill skill_;
  Decision decision_;
  ShadowResult result_;
  LearnerFigures counts_;
  std::optional<PendingChanges> changes_;
};

TEST_F(SkillRules, WeakAloneTheSameIsWeakOk) {
  weak_alone(Verdict::kSame);
  result_.weak_logprob = -0.5;
  const auto skill = learn().skill(kPartition, "q");
  ASSERT_TRUE(skill);
  EXPECT_EQ(skill->id, 100U);
  EXPECT_EQ(skill->status, SkillStatus::kWeakOk);
  EXPECT_EQ(skill->weak_model_id, "w-1");
  EXPECT_EQ(skill->created, decision_.time);
  EXPECT_EQ(skill->last_tried, decision_.time);
  EXPECT_EQ(skill->tries, 1U);
  ASSERT_EQ(outcomes().size(), 1U);
  EXPECT_TRUE(outcomes()[0].agrees);
  EXPECT_EQ(outcomes()[0].weak_logprob, -0.5);
  EXPECT_EQ(outcomes()[0].id, 300U);
}

TEST_F(SkillRules, AKnownGuideThatHelpsWinsAndOthersLose) {
  known_guide(1);
  known_guide(2);
  weak_alone(Verdict::kDifferent);
  result_.guides_tried = {{1, Verdict::kDifferent}, {2, Verdict::kSame}, {77, Verdict::kSame}};
  auto& changes = learn();
  EXPECT_EQ(changes.skill(kPartition, "q")->status, SkillStatus::kWeakWithGuide);
  EXPECT_EQ(changes.skill(kPartition, "q")->guide_id, 2U);
  EXPECT_EQ(changes.guide(kPartition, 1)->losses, 1U);
  EXPECT_EQ(changes.guide(kPartition, 1)->wins, 1U);
  EXPECT_EQ(changes.guide(kPartition, 2)->wins, 2U);
  EXPECT_FALSE(changes.guide(kPartition, 77)) << "a forgotten guide came back";
  ASSERT_EQ(outcomes().size(), 1U);
  EXPECT_FALSE(outcomes()[0].agrees) << "the outcome is of weak alone";
}

TEST_F(SkillRules, OnlyAForgottenGuideHelpedIsStrongOnly) {
  weak_alone(Verdict::kDifferent);
  result_.guides_tried = {{77, Verdict::kSame}};
  EXPECT_EQ(learn().skill(kPartition, "q")->status, SkillStatus::kStrongOnly);
}

TEST_F(SkillRules, ANewGuideIsSavedOnlyWhenItHelped) {
  weak_alone(Verdict::kDifferent);
  result_.new_guide.emplace();
  result_.new_guide->text = "Count twice.";
  result_.new_guide->author = "strong";
  result_.new_guide_verdict = Verdict::kSame;
  auto& helped = learn();
  EXPECT_EQ(helped.skill(kPartition, "q")->guide_id, 200U);
  const auto guide = helped.guide(kPartition, 200);
  ASSERT_TRUE(guide);
  EXPECT_EQ(guide->text, "Count twice.");
  EXPECT_EQ(guide->decision_id, "dec_parent");
  EXPECT_EQ(guide->source_request_hash, "q");
  EXPECT_EQ(guide->wins, 1U);
  EXPECT_EQ(counts_.guides_written, 1U);

  result_.new_guide_verdict = Verdict::kDifferent;
  auto& useless = learn();
  EXPECT_EQ(useless.skill(kPartition, "q")->status, SkillStatus::kStrongOnly);
  EXPECT_FALSE(useless.guide(kPartition, 200));
  EXPECT_EQ(counts_.guides_useless, 1U);
}

TEST_F(SkillRules, NothingHelpedIsStrongOnlyUntilRetried) {
  weak_alone(Verdict::kDifferent);
  result_.guide_leaked = true;
  const auto skill = learn().skill(kPartition, "q");
  EXPECT_EQ(skill->status, SkillStatus::kStrongOnly);
  EXPECT_EQ(skill->last_tried, decision_.time);
  EXPECT_EQ(counts_.guides_leaked, 1U);
}

TEST_F(SkillRules, ARetryThatSucceedsStartsItsEvidenceAnew) {
  auto& before = known(SkillStatus::kStrongOnly);
  before.refuted = 4;
  before.hits = 6;
  memory_.put_skill(kPartition, before);
  weak_alone(Verdict::kSame);
  const auto skill = learn().skill(kPartition, "q");
  EXPECT_EQ(skill->id, 10U) << "the same request is one entry";
  EXPECT_EQ(skill->status, SkillStatus::kWeakOk);
  EXPECT_EQ(skill->refuted, 0U);
  EXPECT_EQ(skill->hits, 6U);
  EXPECT_EQ(skill->tries, 2U);
}

TEST_F(SkillRules, CannotTellTeachesNothing) {
  weak_alone(Verdict::kCannotTell);
  learn();
  EXPECT_FALSE(changes_->skill(kPartition, "q"));
  EXPECT_TRUE(outcomes().empty());
  EXPECT_EQ(counts_.cannot_tell, 1U);
  EXPECT_EQ(counts_.outcomes_learned, 0U);

  known(SkillStatus::kStrongOnly);
  const auto skill = learn().skill(kPartition, "q");
  EXPECT_EQ(skill->status, SkillStatus::kStrongOnly);
  EXPECT_EQ(skill->last_tried, decision_.time) << "it would be tried again at once";
  EXPECT_EQ(skill->tries, 2U);
}

TEST_F(SkillRules, WithoutAPartitionNothingIsLearned) {
  result_.partition = {};
  weak_alone(Verdict::kSame);
  learn();
  EXPECT_TRUE(outcomes().empty());
}

TEST_F(SkillRules, ASpotCheckThatAgreesConfirms) {
  known(SkillStatus::kWeakOk, 0, "similar");
  result_.spot_check = true;
  result_.skill_id = 10;
  weak_alone(Verdict::kSame);
  auto& changes = learn();
  EXPECT_EQ(changes.skill(10)->skill.confirmed, 1U);
  EXPECT_EQ(changes.skill(kPartition, "q")->status, SkillStatus::kWeakOk) << "q itself is known now";
  EXPECT_EQ(counts_.spot_checks_agreed, 1U);
  EXPECT_EQ(outcomes().size(), 1U);
}

TEST_F(SkillRules, ASpotCheckThatDiffersDemotesItsOwnEntryAtOnce) {
  auto& before = known(SkillStatus::kWeakOk);
  before.confirmed = 9;
  memory_.put_skill(kPartition, before);
  result_.spot_check = true;
  result_.skill_id = 10;
  weak_alone(Verdict::kDifferent);
  const auto skill = learn().skill(kPartition, "q");
  EXPECT_EQ(skill->status, SkillStatus::kStrongOnly);
  EXPECT_EQ(skill->refuted, 1U);
  EXPECT_EQ(skill->last_tried, decision_.time);
  EXPECT_EQ(counts_.demoted, 1U);
  EXPECT_FALSE(outcomes()[0].agrees);
}

TEST_F(SkillRules, ASimilarSkillGoesWhenRefutationsOutnumberConfirmations) {
  auto& before = known(SkillStatus::kWeakOk, 0, "similar");
  before.confirmed = 1;
  memory_.put_skill(kPartition, before);
  result_.spot_check = true;
  result_.skill_id = 10;
  weak_alone(Verdict::kDifferent);
  auto& once = learn();
  EXPECT_EQ(once.skill(10)->skill.status, SkillStatus::kWeakOk);
  EXPECT_EQ(once.skill(kPartition, "q")->status, SkillStatus::kStrongOnly)
      << "q itself must not be served by it again";
  before.refuted = 1;
  memory_.put_skill(kPartition, before);
  EXPECT_EQ(learn().skill(10)->skill.status, SkillStatus::kStrongOnly);
}

TEST_F(SkillRules, ASpotCheckOfAGuidedAnswerIsNoOutcomeOfWeakAlone) {
  known_guide(3);
  known(SkillStatus::kWeakWithGuide, 3);
  result_.spot_check = true;
  result_.skill_id = 10;
  result_.guides_tried = {{3, Verdict::kDifferent}};
  auto& changes = learn();
  EXPECT_EQ(changes.skill(kPartition, "q")->status, SkillStatus::kStrongOnly);
  EXPECT_EQ(changes.skill(kPartition, "q")->guide_id, 0U);
  EXPECT_EQ(changes.guide(kPartition, 3)->losses, 1U);
  EXPECT_TRUE(outcomes().empty());
  result_.guides_tried = {{3, Verdict::kSame}};
  EXPECT_EQ(learn().skill(kPartition, "q")->status, SkillStatus::kWeakWithGuide);
  EXPECT_EQ(changes_->skill(10)->skill.confirmed, 1U);
}

TEST_F(SkillRules, ASkillOfAnotherTenantIsNotTouched) {
  skill_.id = 10;
  skill_.request_hash = "q";
  skill_.status = SkillStatus::kWeakOk;
  memory_.put_skill({"other", "enc", "weak", "strong", ""}, skill_);
  result_.spot_check = true;
  result_.skill_id = 10;
  weak_alone(Verdict::kDifferent);
  EXPECT_EQ(learn().skill(10)->skill.status, SkillStatus::kWeakOk);
  EXPECT_EQ(changes_->skill(10)->skill.refuted, 0U);
}

TEST_F(SkillRules, DecisionsCountHitsAndModelIds) {
  known(SkillStatus::kWeakOk);
  Decision served;
  served.number = 41;
  served.partition = kPartition;
  served.skill_id = 10;
  Attempt attempt;
  attempt.configuration.model = "weak";
  attempt.state = AttemptState::kDone;
  attempt.answer.emplace();
  attempt.answer->returned_model = "w-1";
  served.attempts = {attempt};
  changes_.emplace(memory_, NextIds{});
  learn_from_decision(served, *changes_, counts_);
  EXPECT_EQ(changes_->skill(10)->skill.hits, 1U);
  EXPECT_EQ(changes_->ids().decision_number, 42U);
  EXPECT_EQ(counts_.model_id_changes, 0U) << "the first id is no change";
  served.attempts[0].answer->returned_model = "w-2";
  learn_from_decision(served, *changes_, counts_);
  EXPECT_EQ(counts_.model_id_changes, 1U);
  EXPECT_EQ(changes_->skill(10)->skill.hits, 2U);
  served.learn = false;
  learn_from_decision(served, *changes_, counts_);
  EXPECT_EQ(changes_->skill(10)->skill.hits, 2U);
}

TEST_F(SkillRules, AClientsWordJudgesTheSkillThatDecidedAndIsNoSpotCheck) {
  known(SkillStatus::kWeakOk, 0, "near q").confirmed = 0;
  result_.skill_id = 10;
  weak_alone(Verdict::kDifferent);
  changes_.emplace(memory_, NextIds{100, 200, 300, 1});
  learn_from_feedback(result_, {"dec_parent", "t", 0.0, "", decision_.time}, *changes_, counts_);
  EXPECT_EQ(changes_->skill(10)->skill.status, SkillStatus::kStrongOnly);
  EXPECT_EQ(changes_->skill(kPartition, "q")->status, SkillStatus::kStrongOnly);
  ASSERT_EQ(outcomes().size(), 1U);
  EXPECT_FALSE(outcomes()[0].agrees);
  EXPECT_FALSE(outcomes()[0].spot_check);
  EXPECT_EQ(counts_.spot_checks_differed, 0U);
  EXPECT_EQ(counts_.shadows_absorbed, 0U);
  EXPECT_EQ(counts_.feedback_learned, 1U);
  EXPECT_EQ(counts_.demoted, 1U);
}

}  // namespace
}  // namespace brevet
