// Goal: outcome files are read as the schema says, every fault names file, line and field, and the real files
// give their published check figures. Method: small files written by the tests, then BREVET_DATA.
#include "dataset/outcome_file.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "base/test_folder.h"
#include "dataset/prompt_text.h"

namespace brevet {
namespace {

std::string temp_file(const std::string& name, const std::string& content) {
  const auto path = std::filesystem::path(test_folder()) /
                    (std::string(testing::UnitTest::GetInstance()->current_test_info()->name()) + name);
  std::ofstream(path, std::ios::binary) << content;
  return path.string();
}

constexpr const char* kGood =
    R"({"id":"a","dataset":"d","prompt":"Which?","choices":["x","y"],"answer":"B","extra":[1,{"z":2}],)"
    R"("models":{"weak":{"score":0,"pred":null},"strong":{"score":1,"pred":"B","cost_usd":1.5e-4,)"
    R"("input_tokens":12,"output_tokens":3,"latency_ms":8.5,"logprob_conf":-0.25,"response":"B.","new":true}}})";

TEST(OutcomeFile, ReadsEveryFieldOfTheSchema) {
  const auto path =
      temp_file(".jsonl", std::string(kGood) + "\n\n" +
                              R"({"id":"b","dataset":"d","prompt":"p","contaminated":true,)"
                              R"("source_split":"train","subject":"s","system_prompt":"be brief",)"
                              R"("choices":{"A":"one","B":"two"},"models":{"weak":{"score":0.5,)"
                              R"("samples":["1","2"],"sample_scores":[0,1],"vote_fraction":0.5}}})");
  const auto records = read_outcome_file(path);
  ASSERT_TRUE(records) << records.error().message;
  ASSERT_EQ(records->size(), 2u);
  const auto& first = (*records)[0];
  ASSERT_EQ(first.choices.size(), 2u);
  EXPECT_EQ(first.choices[1].label, "B");
  const auto* weak = first.outcome("weak");
  const auto* strong = first.outcome("strong");
  ASSERT_TRUE(weak && strong);
  EXPECT_TRUE(weak->has_pred);
  EXPECT_FALSE(weak->pred);
  EXPECT_FALSE(weak->cost) << "a cost that was not recorded must stay unknown";
  EXPECT_EQ(strong->cost, Money::from_pico(150'000'000));
  EXPECT_EQ(strong->output_tokens, 3);
  EXPECT_EQ(strong->response, "B.");
  EXPECT_DOUBLE_EQ(*strong->logprob_conf, -0.25);
  const auto& second = (*records)[1];
  EXPECT_TRUE(second.contaminated);
  EXPECT_EQ(second.system_prompt, "be brief");
  EXPECT_EQ(second.choices[1].text, "two");
  EXPECT_EQ(second.outcome("weak")->samples.size(), 2u);
  EXPECT_EQ(second.outcome("missing"), nullptr);
}

TEST(OutcomeFile, KeepsOnlyTheModelsAskedFor) {
  OutcomeReadOptions options;
  options.models = {"strong"};
  const auto record = parse_outcome_record(kGood, "f:1", options);
  ASSERT_TRUE(record);
  ASSERT_EQ(record->models.size(), 1u);
  EXPECT_EQ(record->models[0].first, "strong");
}

TEST(OutcomeFile, ChoicesInEveryShape) {
  auto choices = [](const std::string& json) {
    const auto record = parse_outcome_record(
        R"({"id":"a","dataset":"d","prompt":"p","answer":"['t']","models":{},"choices":)" + json + "}",
        "f:1");
    EXPECT_TRUE(record) << json;
    std::string out;
    if (record) {
      for (const auto& choice : record->choices) out += choice.label + "=" + choice.text + ";";
    }
    return out;
  };
  EXPECT_EQ(choices(R"(["x","y"])"), "A=x;B=y;");
  EXPECT_EQ(choices(R"({"A":"x","C":"y"})"), "A=x;C=y;");
  EXPECT_EQ(choices(R"({"label":["1","2"],"text":["x","y"]})"), "1=x;2=y;");
  EXPECT_EQ(choices(R"("{'text': ['it\\'s', \"y\"], 'labels': ['A', 'B']}")"), "A=it's;B=y;");
  EXPECT_EQ(choices(R"("['x', 'y']")"), "A=x;B=y;");
  EXPECT_EQ(choices(R"("['t']")"), "") << "what equals the answer is no choice";
  EXPECT_EQ(choices(R"("['unfinished")"), "");
  EXPECT_EQ(choices("null"), "");
}

TEST(OutcomeFile, BrokenFilesAreRefusedWithFileLineAndField) {
  const struct {
    const char* line;
    const char* field;
  } cases[] = {
      {R"({"id":)", "(line)"},
      {R"([1,2])", "(line)"},
      {R"({"dataset":"d","prompt":"p","models":{}})", "id"},
      {R"({"id":"b","prompt":"p","models":{}})", "dataset"},
      {R"({"id":"b","dataset":"d","models":{}})", "prompt"},
      {R"({"id":"b","dataset":"d","prompt":"p"})", "models"},
      {R"({"id":"b","dataset":"d","prompt":"p","models":[]})", "models"},
      {R"({"id":"b","dataset":"d","prompt":["p"],"models":{}})", "prompt"},
      {R"({"id":"b","dataset":"d","prompt":"p","models":{"m":{}}})", "models.m.score"},
      {R"({"id":"b","dataset":"d","prompt":"p","models":{"m":{"score":2}}})", "models.m.score"},
      {R"({"id":"b","dataset":"d","prompt":"p","models":{"m":{"score":"1"}}})", "models.m.score"},
      {R"({"id":"b","dataset":"d","prompt":"p","models":{"m":7}})", "models.m"},
      {R"({"id":"b","dataset":"d","prompt":"p","models":{"m":{"score":1,"cost_usd":-1}}})",
       "models.m.cost_usd"},
      {R"({"id":"b","dataset":"d","prompt":"p","models":{"m":{"score":1,"input_tokens":1.5}}})",
       "models.m.input_tokens"},
      {R"({"id":"b","dataset":"d","prompt":"p","models":{"m":{"score":1},"m":{"score":0}}})", "models.m"},
      {R"({"id":"b","dataset":"d","prompt":"p","choices":3,"models":{}})", "choices"},
      {R"({"id":"b","dataset":"d","prompt":"p","contaminated":"yes","models":{}})", "contaminated"},
      {R"({"schema":2,"id":"b","dataset":"d","prompt":"p","models":{}})", "schema"},
      {R"({"id":"a","dataset":"d","prompt":"p","models":{}})", "id"},
  };
  for (const auto& item : cases) {
    const auto path = temp_file(".jsonl", std::string(kGood) + "\n" + item.line + "\n");
    const auto records = read_outcome_file(path);
    ASSERT_FALSE(records) << item.line;
    EXPECT_EQ(records.error().code, "broken_data_file");
    EXPECT_EQ(records.error().param, item.field) << item.line;
    EXPECT_NE(records.error().message.find(path + ":2: field " + item.field), std::string::npos)
        << records.error().message;
  }
}

TEST(OutcomeFile, MissingEmptyAndTooLongFilesAreErrors) {
  EXPECT_EQ(read_outcome_file("/nonexistent/x.jsonl").error().code, "data_file_unreadable");
  EXPECT_EQ(read_outcome_file(temp_file(".e", "\n\n")).error().code, "broken_data_file");
  OutcomeReadOptions options;
  options.line_bytes_max = 100;
  EXPECT_EQ(read_outcome_file(temp_file(".l", std::string(600'000, 'x')), options).error().code,
            "broken_data_file");
}

TEST(OutcomeFile, WhatIsWrittenIsReadBackPlainAndCompressed) {
  const auto record = parse_outcome_record(kGood, "f:1");
  ASSERT_TRUE(record);
  auto labelled = *record;
  labelled.id = "l";
  labelled.choices = {{"1", "x"}, {"2", "y\nz"}};
  for (const char* suffix : {".jsonl", ".jsonl.gz"}) {
    const auto path = temp_file(suffix, "");
    auto writer = OutcomeWriter::create(path);
    ASSERT_TRUE(writer);
    ASSERT_TRUE((*writer)->write(*record));
    ASSERT_TRUE((*writer)->write(labelled));
    ASSERT_TRUE((*writer)->close());
    const auto back = read_outcome_file(path);
    ASSERT_TRUE(back) << back.error().message;
    ASSERT_EQ(back->size(), 2u);
    EXPECT_EQ(outcome_record_json((*back)[0]), outcome_record_json(*record));
    EXPECT_EQ(outcome_record_json((*back)[1]), outcome_record_json(labelled));
    EXPECT_EQ((*back)[1].choices[1].text, "y\nz");
    std::ifstream raw(path, std::ios::binary);
    EXPECT_EQ(raw.get() == 0x1f, std::string(suffix) == ".jsonl.gz");
  }
  EXPECT_EQ(OutcomeWriter::create("/nonexistent/x.jsonl").error().code, "data_file_unwritable");
}

TEST(OutcomeFile, ACutGzipFileIsBrokenNotShort) {
  const auto path = temp_file(".jsonl.gz", "");
  auto writer = OutcomeWriter::create(path);
  auto record = *parse_outcome_record(kGood, "f:1");
  for (int i = 0; i < 200; ++i) {
    record.id = "r" + std::to_string(i);
    ASSERT_TRUE((*writer)->write(record));
  }
  ASSERT_TRUE((*writer)->close());
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  EXPECT_EQ(read_outcome_file(path).error().code, "broken_data_file");
}

TEST(OutcomeFile, JoinAddsResponsesAndRefusesAnotherRun) {
  std::vector<OutcomeRecord> records = {*parse_outcome_record(kGood, "f:1")};
  const auto path =
      temp_file(".jsonl", R"({"id":"a","dataset":"d","models":{"weak":{"score":0,"response":"no idea"}}})"
                          "\n"
                          R"({"id":"zzz","dataset":"d","models":{"weak":{"score":1,"response":"x"}}})");
  const auto count = join_responses(records, path);
  ASSERT_TRUE(count) << count.error().message;
  EXPECT_EQ(count->joined, 1u);
  EXPECT_EQ(count->unmatched, 1u);
  EXPECT_EQ(count->unanswered, 0u);
  EXPECT_EQ(records[0].outcome("weak")->response, "no idea");
  EXPECT_EQ(records[0].outcome("strong")->response, "B.");
  const auto other = temp_file(".other", R"({"id":"a","dataset":"d","models":{"weak":{"score":1}}})");
  EXPECT_EQ(join_responses(records, other).error().param, "models.weak.score");
}

TEST(PromptText, AppendsChoicesOnlyWhereThePromptLacksThem) {
  OutcomeRecord record;
  record.prompt = "Which?";
  EXPECT_EQ(render_prompt(record), "Which?");
  record.choices = {{"A", "x "}, {"B", "y"}};
  EXPECT_EQ(render_prompt(record), "Which?\nA. x\nB. y\nAnswer with the letter of the right choice.");
  for (const char* listed : {"Which?\nA. x\nB. y\nAnswer:", "Which? A) x B) y", "Which?\nA: x\nB: y\n"}) {
    record.prompt = listed;
    EXPECT_EQ(render_prompt(record), listed);
  }
  EXPECT_EQ(prompt_key("Which? "), prompt_key("\nWhich?"));
  EXPECT_NE(prompt_key("Which?"), prompt_key("Which"));
}

std::string data_file(const std::string& name) {
  const char* folder = std::getenv("BREVET_DATA");
  if (!folder || !std::filesystem::exists(std::string(folder) + "/" + name)) return {};
  return std::string(folder) + "/" + name;
}

struct PairFigures {
  std::size_t n = 0;
  double weak = 0, strong = 0, oracle = 0;
};
PairFigures pair_figures(const std::vector<OutcomeRecord>& records, const char* weak, const char* strong) {
  PairFigures out;
  for (const auto& record : records) {
    const auto *w = record.outcome(weak), *s = record.outcome(strong);
    if (!w || !s) continue;
    ++out.n;
    out.weak += w->score;
    out.strong += s->score;
    out.oracle += std::max(w->score, s->score);
  }
  for (double* value : {&out.weak, &out.strong, &out.oracle}) *value /= static_cast<double>(out.n);
  return out;
}

TEST(RealData, CheckFiguresOfThePairs) {
  const struct {
    const char *file, *weak, *strong;
    std::size_t n;
    double figures[3];
  } cases[] = {
      {"routellm_mmlu.jsonl.gz",
       "mistralai/Mixtral-8x7B-Instruct-v0.1",
       "gpt-4-1106-preview",
       11'291,
       {.6788, .8028, .8566}},
      {"routellm_gsm8k.jsonl.gz",
       "mistralai/Mixtral-8x7B-Instruct-v0.1",
       "gpt-4-1106-preview",
       1'319,
       {.6384, .8567, .9287}},
      {"mmlu_pro.jsonl.gz", "Meta-Llama-3_1-8B-Instruct", "gemini-1.5-pro-002", 9'615, {.4417, .6993, .7630}},
      {"cascade_logprob_mmlu.jsonl.gz", "gpt-4o-mini", "gpt-4o", 1'816, {.7467, .8287, .8739}},
  };
  for (const auto& item : cases) {
    const auto path = data_file(item.file);
    if (path.empty())
      GTEST_SKIP() << "BREVET_DATA names no folder with " << item.file << ": real data not read.";
    OutcomeReadOptions options;
    options.models = {item.weak, item.strong};
    const auto records = read_outcome_file(path, options);
    ASSERT_TRUE(records) << records.error().message;
    const auto figures = pair_figures(*records, item.weak, item.strong);
    EXPECT_EQ(figures.n, item.n);
    EXPECT_NEAR(figures.weak, item.figures[0], 5e-5) << item.file;
    EXPECT_NEAR(figures.strong, item.figures[1], 5e-5) << item.file;
    EXPECT_NEAR(figures.oracle, item.figures[2], 5e-5) << item.file;
  }
}

TEST(RealData, EveryFileIsReadWhole) {
  const struct {
    const char* file;
    std::size_t records;
  } cases[] = {{"llmrouter_uiuc.jsonl.gz", 6'108},      {"routerbench_sample.jsonl.gz", 365},
               {"routellm_mt_bench.jsonl.gz", 160},     {"self_consistency_date.jsonl.gz", 369},
               {"cascade_logprob_gsm8k.jsonl.gz", 300}, {"zeroeval_math_l5.jsonl.gz", 721}};
  for (const auto& item : cases) {
    const auto path = data_file(item.file);
    if (path.empty())
      GTEST_SKIP() << "BREVET_DATA names no folder with " << item.file << ": real data not read.";
    const auto records = read_outcome_file(path);
    ASSERT_TRUE(records) << records.error().message;
    EXPECT_EQ(records->size(), item.records) << item.file;
  }
}

TEST(RealData, ResponsesOfMmluProJoinAndPromptsAreToldApartByChoices) {
  const auto path = data_file("mmlu_pro.jsonl.gz"), second = data_file("mmlu_pro_responses.jsonl.gz");
  if (path.empty() || second.empty())
    GTEST_SKIP() << "BREVET_DATA names no folder with mmlu_pro: not joined.";
  OutcomeReadOptions options;
  options.models = {"Meta-Llama-3_1-8B-Instruct", "gemini-1.5-pro-002"};
  auto records = read_outcome_file(path, options);
  ASSERT_TRUE(records) << records.error().message;
  const auto count = join_responses(*records, second, options);
  ASSERT_TRUE(count) << count.error().message;
  EXPECT_EQ(count->joined, 9'626u);
  EXPECT_EQ(count->unmatched + count->unanswered, 0u);
  std::set<std::uint64_t> prompts, rendered;
  std::size_t responses = 0;
  for (const auto& record : *records) {
    prompts.insert(prompt_key(record.prompt));
    rendered.insert(prompt_key(render_prompt(record)));
    responses += record.outcome("Meta-Llama-3_1-8B-Instruct")->response ? 1 : 0;
  }
  EXPECT_EQ(responses, 9'626u);
  EXPECT_EQ(records->size() - rendered.size(), 127u) << "duplicates with choices, as the data's notes say";
  EXPECT_GT(records->size() - prompts.size(), 300u);
}

}  // namespace
}  // namespace brevet
