// Goal: battles say what the scores say, and no battle survives on a prompt that is measured on.
// Method: small records by hand, compared with counts by hand.
#include "train/preference_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace brevet {
namespace {

OutcomeRecord record(const std::string& id, const std::string& prompt,
                     std::vector<std::pair<std::string, double>> scores) {
  OutcomeRecord out;
  out.id = id;
  out.dataset = "d";
  out.prompt = prompt;
  for (const auto& [name, score] : scores) {
    RecordedOutcome outcome;
    outcome.score = score;
    out.models.emplace_back(name, outcome);
  }
  return out;
}

TEST(PreferenceData, EveryPairOfScoresIsABattle) {
  const std::vector<OutcomeRecord> records = {record("1", "one", {{"w", 0}, {"m", 1}, {"s", 1}}),
                                              record("2", "two", {{"w", .95}, {"s", 1}}),
                                              record("3", "three", {{"w", 1}})};
  BattlesFromOutcomes options;
  options.source = "recorded";
  auto battles = battles_from_outcomes(records, options);
  ASSERT_TRUE(battles);
  ASSERT_EQ(battles->size(), 4u);
  EXPECT_EQ((*battles)[0].winner, Winner::kB);    // w 0, m 1
  EXPECT_EQ((*battles)[2].winner, Winner::kTie);  // m 1, s 1
  EXPECT_EQ((*battles)[3].winner, Winner::kB);    // .95 against 1
  EXPECT_EQ((*battles)[3].source, "recorded");
  options.tie_margin = .1;
  options.configurations = {"w", "s"};
  battles = battles_from_outcomes(records, options);
  ASSERT_TRUE(battles);
  ASSERT_EQ(battles->size(), 2u);
  EXPECT_EQ((*battles)[1].winner, Winner::kTie);
  options.ties = false;
  EXPECT_EQ(battles_from_outcomes(records, options)->size(), 1u);
  const auto counts = count_battles(*battles);
  ASSERT_EQ(counts.size(), 1u);
  EXPECT_EQ(counts[0].a, "s");
  EXPECT_EQ(counts[0].a_wins, 1u);
  EXPECT_EQ(counts[0].b_wins, 0u);
  EXPECT_EQ(counts[0].ties, 1u);
}

TEST(PreferenceData, WhatIsNotThereIsRefused) {
  const std::vector<OutcomeRecord> records = {record("1", "one", {{"w", 1}, {"s", 1}})};
  BattlesFromOutcomes options;
  options.configurations = {"w", "x"};
  EXPECT_EQ(battles_from_outcomes(records, options).error().code, "unknown_model");
  options.configurations = {"w"};
  EXPECT_EQ(battles_from_outcomes(records, options).error().code, "no_battles");
  options.configurations = {};
  options.ties = false;
  EXPECT_EQ(battles_from_outcomes(records, options).error().code, "no_battles");
}

TEST(PreferenceData, PromptsNearEvaluationPromptsAreRemoved) {
  const std::string measured =
      "A train leaves the station at nine in the morning and travels at sixty miles an hour towards the "
      "coast; "
      "when does it arrive if the coast is ninety miles away?";
  const std::vector<OutcomeRecord> records = {
      record("1", measured + " Explain.", {{"w", 0}, {"m", 1}, {"s", 1}}),  // near
      record("2", "WHAT  is the capital of France", {{"w", 1}, {"s", 1}}),  // equal but for case
      record("3", "Name three prime numbers.", {{"w", 1}, {"s", 0}})};      // far
  auto battles = *battles_from_outcomes(records, {});
  ASSERT_EQ(battles.size(), 5u);
  const auto count = remove_near_duplicates(
      battles, {record("a", measured, {}), record("b", "What is the capital of France?", {})});
  EXPECT_EQ(count.removed, 4u);
  EXPECT_EQ(count.removed_prompts, 2u);
  EXPECT_EQ(count.evaluation_prompts, 2u);
  ASSERT_EQ(battles.size(), 1u);
  EXPECT_EQ(battles[0].prompt, "Name three prime numbers.");
}

}  // namespace
}  // namespace brevet
