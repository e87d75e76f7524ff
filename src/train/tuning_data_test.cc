// Fine-tuning data from hand-written records: the three formats byte by byte, and everything that must not
// teach is left out and counted.
#include "train/tuning_data.h"

#include <gtest/gtest.h>

namespace brevet {
namespace {

OutcomeRecord record(std::string id, std::string prompt, double strong, std::string strong_says, double weak,
                     std::string weak_says) {
  OutcomeRecord out;
  out.id = std::move(id);
  out.prompt = std::move(prompt);
  out.system_prompt = "Be brief.";
  RecordedOutcome s, w;
  s.score = strong;
  if (!strong_says.empty()) s.response = std::move(strong_says);
  w.score = weak;
  if (!weak_says.empty()) w.response = std::move(weak_says);
  out.models = {{"weak", w}, {"strong", s}};
  return out;
}

TEST(TuningData, WritesWhatTrainersRead) {
  const std::vector<OutcomeRecord> records = {
      record("1", "What is \"6\" times 7?", 1, "The answer is 42.", 0, "The answer is 41.")};
  TuningOptions options;
  options.strong = "strong";
  options.weak = "weak";
  const auto sft = tuning_data(records, options);
  ASSERT_EQ(sft.lines.size(), 1U);
  EXPECT_EQ(
      sft.lines[0],
      R"({"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"What is \"6\" times )"
      R"(7?"},{"role":"assistant","content":"The answer is 42."}]})");
  options.format = TuningFormat::kDpo;
  EXPECT_EQ(
      tuning_data(records, options).lines.at(0),
      R"({"prompt":[{"role":"system","content":"Be brief."},{"role":"user","content":"What is \"6\" times )"
      R"(7?"}],"chosen":[{"role":"assistant","content":"The answer is 42."}],)"
      R"("rejected":[{"role":"assistant","content":"The answer is 41."}]})");
  options.format = TuningFormat::kOpenAiDpo;
  EXPECT_EQ(tuning_data(records, options).lines.at(0).rfind(R"({"input":{"messages":[)", 0), 0U);
  EXPECT_FALSE(parse_tuning_format("csv").has_value());
}

TEST(TuningData, LeavesOutWhatMustNotTeach) {
  const std::vector<OutcomeRecord> records = {
      record("1", "What is 6 times 7?", 1, "The answer is 42.", 0, "The answer is 41."),
      record("2", "What is 6 times 8?", 0, "The answer is 42.", 0, "The answer is 41."),
      record("3", "What is 6 times 9?", 1, "", 0, "The answer is 41."),
      record("4", "What is 6 times 5?", 1, "I'm sorry, but I can't help with that.", 0, "30"),
      record("5", "What is 6 times 4?", 1, "The answer is 24.", 0, "It is 24, the answer is 24."),
      record("6", "What is 6 times 3?", 1, "The answer is 18.", 1, "18"),
      record("7", "What is 6 times 2?", 1, std::string(40000, 'x'), 0, "12"),
      record("8", "What is 6 times 1?", 1, "The answer is 6.", 0, "The answer is 7.")};
  TuningOptions options;
  options.strong = "strong";
  options.weak = "weak";
  options.format = TuningFormat::kDpo;
  const auto made = tuning_data(records, options, {text_key_of(records[7])});
  EXPECT_EQ(made.lines.size(), 1U);
  EXPECT_EQ(made.too_wrong, 2U);
  EXPECT_EQ(made.without_answer, 1U);
  EXPECT_EQ(made.declined, 1U);
  EXPECT_EQ(made.same, 1U);
  EXPECT_EQ(made.too_long, 1U);
  EXPECT_EQ(made.held_out, 1U);
}

}  // namespace
}  // namespace brevet
