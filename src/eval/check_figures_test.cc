// Goal: our metrics give the published check figures of every recorded file, and go on giving the ones added
// here. Method: each file through OutcomeTable; skipped without BREVET_DATA. Published: RouteLLM's GSM8K and
// MT-Bench without contaminated questions (arXiv 2406.18665, its repository), RouterBench's oracle, the
// figures that came with the files. The rest was added from tools/reference_metrics.py, which shares no code
// with ours.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "dataset/outcome_file.h"
#include "eval/metrics.h"

namespace brevet {
namespace {

enum class Which { kAll, kWithoutHighSchoolMathematics, kWithoutContaminated };

struct CheckFigures {
  const char *name, *file, *weak, *strong;
  Which which;
  std::size_t n;
  double weak_quality, strong_quality, pair_oracle, all_oracle;
  const char* best_single;
  double cost_of_weak;  // strong = 1; 0 where costs are unknown
};

constexpr const char* kMixtral = "mistralai/Mixtral-8x7B-Instruct-v0.1";
constexpr const char* kGpt4 = "gpt-4-1106-preview";

const CheckFigures kFigures[] = {
    {"routellm_mmlu", "routellm_mmlu", kMixtral, kGpt4, Which::kAll, 11291, .6788, .8028, .8566, .8566, kGpt4,
     0},
    {"routellm_mmlu_without_hsm", "routellm_mmlu", kMixtral, kGpt4, Which::kWithoutHighSchoolMathematics,
     11059, .6864, .8190, .8676, .8676, kGpt4, 0},
    {"routellm_gsm8k", "routellm_gsm8k", kMixtral, kGpt4, Which::kAll, 1319, .6384, .8567, .9287, .9287,
     kGpt4, 0},
    {"routellm_gsm8k_clean", "routellm_gsm8k", kMixtral, kGpt4, Which::kWithoutContaminated, 1307, .6373,
     .8577, .9296, .9296, kGpt4, 0},
    {"routellm_mt_bench", "routellm_mt_bench", kMixtral, kGpt4, Which::kAll, 160, .8341, .9228, .9347, .9734,
     kGpt4, 0},
    {"routellm_mt_bench_clean", "routellm_mt_bench", kMixtral, kGpt4, Which::kWithoutContaminated, 144, .8281,
     .9212, .9323, .9747, kGpt4, 0},
    {"mmlu_pro_gemini", "mmlu_pro", "Meta-Llama-3_1-8B-Instruct", "gemini-1.5-pro-002", Which::kAll, 9615,
     .4417, .6993, .7630, .9466, "gemini-1.5-pro-002", 0},
    {"mmlu_pro_70b", "mmlu_pro", "Meta-Llama-3_1-8B-Instruct", "Meta-Llama-3_1-70B-Instruct", Which::kAll,
     9626, .4416, .6285, .6974, .9466, "Meta-Llama-3_1-70B-Instruct", 0},
    {"zeroeval_gsm", "zeroeval_gsm", "Meta-Llama-3-8B-Instruct", "gpt-4o-2024-08-06", Which::kAll, 1319,
     .7847, .9621, .9765, .9962, "claude-3-5-sonnet-20241022", 0},
    {"zeroeval_math_l5", "zeroeval_math_l5", "gpt-4o-mini-2024-07-18", "o1-mini-2024-09-12", Which::kAll, 721,
     .5215, .8932, .9043, .9750, "o1-mini-2024-09-12", 0},
    {"llmrouter_uiuc", "llmrouter_uiuc", "qwen2.5-7b-instruct", "llama-3.1-nemotron-51b-instruct",
     Which::kAll, 6108, .5124, .6165, .6797, .7969, "llama-3.1-nemotron-51b-instruct", 0},
    {"routerbench_sample", "routerbench_sample", "mistralai/mixtral-8x7b-chat", kGpt4, Which::kAll, 365,
     .5596, .7815, .8178, .8993, kGpt4, .0383},
    {"cascade_logprob_mmlu", "cascade_logprob_mmlu", "gpt-4o-mini", "gpt-4o", Which::kAll, 1816, .7467, .8287,
     .8739, .9714, "llama3.1-405b", .0600},
    {"cascade_logprob_mmlu_llama", "cascade_logprob_mmlu", "llama3.1-8b", "llama3.1-405b", Which::kAll, 1816,
     .6322, .8458, .8877, .9714, "llama3.1-405b", .0670},
    {"cascade_logprob_gsm8k", "cascade_logprob_gsm8k", "gpt-4o-mini", "gpt-4o", Which::kAll, 300, .9033,
     .9500, .9633, .9900, "llama3.1-70b", .0603},
    {"self_consistency_date", "self_consistency_date", "gpt-3.5-turbo:cot1", "gpt-4:cot1", Which::kAll, 369,
     .6450, .8862, .9079, .9295, "gpt-4:pot1", 0},
};

bool selected(const OutcomeRecord& record, const CheckFigures& item) {
  if (item.which == Which::kWithoutHighSchoolMathematics && record.subject == "high_school_mathematics")
    return false;
  if (item.which == Which::kWithoutContaminated && record.contaminated) return false;
  return record.outcome(item.weak) && record.outcome(item.strong);
}

OutcomeTable table_of(const std::vector<OutcomeRecord>& records, const CheckFigures& item) {
  std::vector<const OutcomeRecord*> kept;
  OutcomeTable table;
  for (const auto& record : records) {
    if (!selected(record, item)) continue;
    kept.push_back(&record);
    for (const auto& [model, outcome] : record.models) {
      if (std::find(table.models.begin(), table.models.end(), model) == table.models.end())
        table.models.push_back(model);
    }
  }
  table.questions = kept.size();
  table.cells.resize(table.models.size() * table.questions);
  for (std::size_t m = 0; m < table.models.size(); ++m) {
    for (std::size_t q = 0; q < table.questions; ++q) {
      const auto* outcome = kept[q]->outcome(table.models[m]);
      if (!outcome) continue;
      table.at(m, q).quality = outcome->score;
      if (outcome->cost) table.at(m, q).cost = outcome->cost->usd();
    }
  }
  return table;
}

class CheckFiguresTest : public testing::TestWithParam<CheckFigures> {};

TEST_P(CheckFiguresTest, AreReproduced) {
  const auto& item = GetParam();
  const char* folder = std::getenv("BREVET_DATA");
  const auto path = std::string(folder ? folder : "") + "/" + item.file + ".jsonl.gz";
  if (!folder || !std::filesystem::exists(path))
    GTEST_SKIP() << "BREVET_DATA names no folder with " << item.file
                 << ": its check figures were not verified.";
  const auto records = read_outcome_file(path);
  ASSERT_TRUE(records) << records.error().message;
  const auto table = table_of(*records, item);
  const auto index = [&](std::string_view name) {
    return static_cast<std::size_t>(std::find(table.models.begin(), table.models.end(), name) -
                                    table.models.begin());
  };
  const auto singles = single_models(table);
  const auto weak = index(item.weak), strong = index(item.strong);
  EXPECT_EQ(table.questions, item.n);
  EXPECT_NEAR(singles[weak].quality, item.weak_quality, 5.1e-5);
  EXPECT_NEAR(singles[strong].quality, item.strong_quality, 5.1e-5);
  EXPECT_NEAR(oracle(table, {weak, strong}).quality, item.pair_oracle, 5.1e-5);
  EXPECT_NEAR(oracle(table).quality, item.all_oracle, 5.1e-5);
  ASSERT_TRUE(best_single(table));
  EXPECT_EQ(table.models[best_single(table)->model], item.best_single);
  EXPECT_EQ(singles[weak].cost.has_value(), item.cost_of_weak > 0);
  if (singles[weak].cost && singles[strong].cost) {
    EXPECT_NEAR(*singles[weak].cost / *singles[strong].cost, item.cost_of_weak, 5.1e-5);
  }
}

INSTANTIATE_TEST_SUITE_P(RealData, CheckFiguresTest, testing::ValuesIn(kFigures),
                         [](const auto& at) { return std::string(at.param.name); });

}  // namespace
}  // namespace brevet
