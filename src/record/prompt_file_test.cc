// Goal: every good line becomes the question that it is, every bad one is refused with its line and field,
// and nothing that a line holds is lost. Method: hand-made lines and files, read, asked and written again.
#include "record/prompt_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "dataset/prompt_text.h"
#include "wire/openai_chat.h"

namespace brevet::record {
namespace {

QuestionReadOptions named() {
  QuestionReadOptions out;
  out.dataset = "mine";
  return out;
}
Question good(std::string_view line) {
  auto question = parse_question(line, "f:1", named());
  EXPECT_TRUE(question) << line << ": " << (question ? "" : question.error().message);
  return question ? *question : Question{};
}
std::string fault(std::string_view line) {
  const auto question = parse_question(line, "f:7", named());
  if (question) return "accepted";
  EXPECT_EQ(question.error().code, "bad_prompt_line");
  EXPECT_TRUE(question.error().message.starts_with("f:7: field ")) << question.error().message;
  return question.error().param;
}
ChatRequest asked(const Question& question, const AskOptions& how = {}) {
  auto request = wire::parse_chat_request(ask_body(question, how));
  EXPECT_TRUE(request) << ask_body(question, how);
  return request ? *request : ChatRequest{};
}

TEST(PromptFile, AFullLine) {
  const auto question = good(
      R"({"id":7,"prompt":"Which is prime?","system_prompt":"Be brief.","choices":["4","5"],"answer":"B","subject":"maths","src":"x-9"})");
  EXPECT_EQ(question.record.id, "7");
  EXPECT_EQ(question.record.dataset, "mine");
  EXPECT_EQ(question.record.choices.size(), 2U);
  const auto request = asked(question);
  ASSERT_EQ(request.messages.size(), 2U);
  EXPECT_EQ(request.messages[0].text, "Be brief.");
  EXPECT_EQ(request.messages[1].text, render_prompt(question.record));
  EXPECT_NE(request.messages[1].text.find("B. 5"), std::string::npos);
  for (const char* hidden : {"maths", "x-9"})
    EXPECT_EQ(ask_body(question, {}).find(hidden), std::string::npos) << "never shown to a model";
}

TEST(PromptFile, WithoutAnIdTheContentNamesIt) {
  const auto a = good(R"({"prompt":"one"})");
  const auto b = good(R"({"dataset":"other","prompt":"one"})");
  const auto c = good(R"({"prompt":"one","choices":["x","y"]})");
  EXPECT_EQ(a.record.id.substr(0, 2), "q-");
  EXPECT_EQ(a.record.id, b.record.id);
  EXPECT_NE(a.record.id, c.record.id);
}

TEST(PromptFile, MessagesAreAskedAsTheyAre) {
  const auto one =
      good(R"({"messages":[{"role":"system","content":"S"},{"role":"user","content":"Q","name":"n"}]})");
  EXPECT_EQ(one.record.prompt, "Q");
  EXPECT_EQ(one.record.system_prompt, "S");
  EXPECT_FALSE(one.system_apart);
  EXPECT_NE(ask_body(one, {}).find(R"("name":"n")"), std::string::npos);
  EXPECT_EQ(asked(one).messages.size(), 2U) << "the system message is not doubled";
  const auto turns = good(
      R"({"messages":[{"role":"user","content":"A"},{"role":"assistant","content":"B"},{"role":"user","content":"C"}],"system_prompt":"S"})");
  EXPECT_EQ(turns.record.prompt, "user: A\nassistant: B\nuser: C");
  EXPECT_EQ(asked(turns).messages.size(), 4U) << "a system prompt beside them goes in front";
  // What was written can be read again and asks the same.
  const auto again = good(outcome_line(one, {{"m", R"({"score":1})"}}));
  EXPECT_EQ(ask_body(again, {}), ask_body(one, {}));
  EXPECT_EQ(again.record.id, one.record.id);
}

TEST(PromptFile, BadLinesNameTheirField) {
  EXPECT_EQ(fault("{"), "(line)");
  EXPECT_EQ(fault("[1]"), "(line)");
  EXPECT_EQ(fault(R"({"id":"a"})"), "prompt");
  EXPECT_EQ(fault(R"({"prompt":""})"), "prompt");
  EXPECT_EQ(fault(R"({"prompt":5})"), "prompt");
  EXPECT_EQ(fault(R"({"prompt":"a","prompt":"b"})"), "prompt");
  EXPECT_EQ(fault(R"({"prompt":"a","messages":[{"role":"user","content":"b"}]})"), "prompt");
  EXPECT_EQ(fault(R"({"messages":"a"})"), "messages");
  EXPECT_EQ(fault(R"({"messages":[]})"), "messages");
  EXPECT_EQ(fault(R"({"messages":[{"role":"assistant","content":"b"}]})"), "messages");
  EXPECT_EQ(
      fault(R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}]})"),
      "messages");
  EXPECT_EQ(fault(R"({"prompt":"a","id":""})"), "id");
  EXPECT_EQ(fault(R"({"prompt":"a","id":{}})"), "id");
  EXPECT_EQ(fault(R"({"prompt":"a","choices":"B"})"), "accepted")
      << "text in Python's notation, or no list at all";
  EXPECT_EQ(fault(R"({"prompt":"a","choices":7})"), "choices");
  EXPECT_EQ(fault(R"({"prompt":"a","answer":["x"]})"), "answer");
  EXPECT_EQ(fault(R"({"prompt":"a","contaminated":"no"})"), "contaminated");
  EXPECT_EQ(fault(R"({"prompt":"a","models":{"m":{"score":2}}})"), "models.m.score");
}

TEST(PromptFile, AnOutcomeFileKeepsEverything) {
  const auto line =
      R"({"schema":1,"id":"a","dataset":"d","prompt":"p","cluster_id":3,"metric":"em","models":{"old":{"score":0.25,"cost_usd":0.000123,"odd":[1,2]}}})";
  const auto question = good(line);
  const auto written = outcome_line(question, {{"new", R"({"score":1,"cost_usd":0.000000000001})"}});
  EXPECT_EQ(
      written,
      R"({"schema":1,"id":"a","dataset":"d","prompt":"p","cluster_id":3,"metric":"em","models":{"old":{"score":0.25,"cost_usd":0.000123,"odd":[1,2]},"new":{"score":1,"cost_usd":0.000000000001}}})");
  const auto record = parse_outcome_record(written, "f:1");
  ASSERT_TRUE(record);
  EXPECT_EQ(record->outcome("new")->cost, Money{1});
}

TEST(PromptFile, HowItIsAsked) {
  AskOptions how;
  how.tokens_max = 50;
  how.limit_field = "max_completion_tokens";
  how.temperature = .7;
  how.effort = "low";
  how.name_record = true;
  const auto body = ask_body(good(R"({"id":"x","prompt":"p"})"), how);
  EXPECT_EQ(
      body,
      R"({"model":"-","messages":[{"role":"user","content":"p"}],"max_completion_tokens":50,"temperature":0.7,"reasoning_effort":"low","metadata":{"brevet_record_id":"x"}})");
  EXPECT_EQ(wire::parse_chat_request(body)->max_tokens, 50);
}

class PromptFileOnDisk : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }
  Result<std::vector<Question>> read(const std::string& text, QuestionReadOptions options = {}) {
    std::ofstream(path_, std::ios::trunc) << text;
    return read_questions(path_, std::move(options));
  }
  const std::string path_ = testing::TempDir() + "prompts-" + std::to_string(::getpid()) + ".jsonl";
};

TEST_F(PromptFileOnDisk, IsReadWithLineNumbers) {
  const auto two = read("{\"prompt\":\"a\"}\n\n{\"prompt\":\"b\"}");
  ASSERT_TRUE(two) << two.error().message;
  EXPECT_EQ(two->size(), 2U);
  EXPECT_EQ((*two)[0].record.dataset, "prompts-" + std::to_string(::getpid()));
  const auto twice = read("{\"prompt\":\"a\"}\n\n{\"prompt\":\"a\"}\n");
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().param, "id");
  EXPECT_NE(twice.error().message.find(".jsonl:3: "), std::string::npos);
  EXPECT_EQ(read("\n\n").error().code, "bad_prompt_line");
  EXPECT_EQ(read_questions("/nonexistent", {}).error().code, "data_file_unreadable");
  QuestionReadOptions few;
  few.questions_max = 1;
  EXPECT_EQ(read("{\"prompt\":\"a\"}\n{\"prompt\":\"b\"}\n", few).error().param, "(line)");
}

}  // namespace
}  // namespace brevet::record
