// Goal: what is left out is what was asked for, and is counted. Method: hand-made records, then the real
// files through BREVET_DATA.
#include "dataset/drop.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

namespace brevet {
namespace {

OutcomeRecord record(const std::string& prompt, const std::string& answer,
                     std::vector<std::string> choices = {}) {
  OutcomeRecord out;
  out.prompt = prompt;
  out.answer = answer;
  for (auto& text : choices)
    out.choices.push_back({std::string(1, static_cast<char>('A' + out.choices.size())), text});
  return out;
}

TEST(Drop, NothingByDefault) {
  auto twice = record("p", "A");
  twice.contaminated = true;
  const auto out = drop_records({twice, twice}, {});
  EXPECT_EQ(out.kept, (std::vector<std::uint32_t>{0, 1}));
}

TEST(Drop, DuplicatesShareAllThatIsAsked) {
  auto other_system = record("p", "A", {"x", "y"});
  other_system.system_prompt = "be brief";
  const auto out = drop_records({record("p", "A", {"x", "y"}), record(" p\n", "A", {"x", "y"}),
                                 record("p", "A", {"y", "x"}), other_system, record("p", "A", {"xy"})},
                                {.duplicates = true});
  EXPECT_EQ(out.kept, (std::vector<std::uint32_t>{0, 2, 3, 4}));
  EXPECT_EQ(out.duplicates, 1u);
  EXPECT_EQ(out.conflicting, 0u);
}

TEST(Drop, ConflictingGroupsGoAsAWhole) {
  auto right = record("q", ""), wrong = record("q", "");
  right.models.push_back({"m", {.score = 1}});
  wrong.models.push_back({"m", {.score = 0}});
  const std::vector<OutcomeRecord> records = {
      record("p", "A"), record("p", "B"), record("p", ""), right, wrong, record("r", "A")};
  auto out = drop_records(records, {.duplicates = true});
  EXPECT_EQ(out.kept, (std::vector<std::uint32_t>{5}));
  EXPECT_EQ(out.conflicting_groups, 2u);
  EXPECT_EQ(out.conflicting, 5u);
  out = drop_records(records, {.duplicates = true, .models = {"another"}});
  EXPECT_EQ(out.kept, (std::vector<std::uint32_t>{3, 5})) << "scores of other models do not matter";
  EXPECT_EQ(out.duplicates, 1u);
}

TEST(Drop, ContaminatedGoesFirst) {
  auto marked = record("p", "B");
  marked.contaminated = true;
  const auto out = drop_records({marked, record("p", "A")}, {.contaminated = true, .duplicates = true});
  EXPECT_EQ(out.kept, (std::vector<std::uint32_t>{1}));
  EXPECT_EQ(out.contaminated, 1u);
  EXPECT_EQ(out.conflicting, 0u);
}

TEST(RealData, RepeatsOfMmluPro) {
  const char* folder = std::getenv("BREVET_DATA");
  const std::string path = std::string(folder ? folder : "") + "/mmlu_pro.jsonl.gz";
  if (!folder || !std::filesystem::exists(path))
    GTEST_SKIP() << "BREVET_DATA names no folder with mmlu_pro: its repeats were not counted.";
  const std::vector<std::string> pair = {"Meta-Llama-3_1-8B-Instruct", "gemini-1.5-pro-002"};
  const auto records = read_outcome_file(path, {.models = pair});
  ASSERT_TRUE(records) << records.error().message;
  const auto out = drop_records(*records, {.duplicates = true});
  EXPECT_EQ(out.kept.size() + out.duplicates + out.conflicting, records->size());
  EXPECT_EQ(out.duplicates + out.conflicting - out.conflicting_groups, 127u);
  EXPECT_EQ(out.conflicting_groups, 5u);
}

}  // namespace
}  // namespace brevet
