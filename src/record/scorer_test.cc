// Goal: each scorer says right, wrong or nothing as its contract has it. Method: hand-made questions and
// answers; JSON Schema by cases of each keyword; a command by small shell programs.
#include "record/scorer.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <filesystem>

#include "base/test_folder.h"
#include "record/cell.h"
#include "record/command_scorer.h"

namespace brevet::record {
namespace {

Question question(const std::string& answer, std::vector<Choice> choices = {}) {
  Question out;
  out.record.id = "q1";
  out.record.prompt = "Which of these is a prime?";
  out.record.answer = answer;
  out.record.choices = std::move(choices);
  return out;
}
std::optional<double> value(ScorerKind kind, const Question& of, std::string_view answer) {
  return score_text(kind, of, answer, nullptr).value;
}

TEST(Scorer, ExactIgnoresDressOnly) {
  const auto paris = question("Paris");
  EXPECT_EQ(value(ScorerKind::kExact, paris, " **paris** \n"), 1);
  EXPECT_EQ(value(ScorerKind::kExact, paris, "Paris, France"), 0);
  EXPECT_EQ(value(ScorerKind::kExact, paris, ""), 0);
}

TEST(Scorer, ChoiceReadsTheLetter) {
  const auto prime = question("B", {{"A", "4"}, {"B", "5"}, {"C", "6"}});
  EXPECT_EQ(value(ScorerKind::kChoice, prime, "The answer is (B)."), 1);
  EXPECT_EQ(value(ScorerKind::kChoice, prime, "B"), 1);
  EXPECT_EQ(value(ScorerKind::kChoice, prime, "The answer is C."), 0);
  EXPECT_EQ(value(ScorerKind::kChoice, prime, "I cannot say."), 0) << "an answer without a choice is wrong";
  const auto score = score_text(ScorerKind::kChoice, prime, "The answer is (C).", nullptr);
  EXPECT_EQ(score.pred, "C");
  EXPECT_TRUE(score_text(ScorerKind::kChoice, prime, "I cannot say.", nullptr).has_pred) << "as null";
}

TEST(Scorer, TheKeyMayBeTheTextOfAChoice) {
  const auto prime = question("5", {{"A", "4"}, {"B", "5"}});
  EXPECT_TRUE(check_question(ScorerKind::kChoice, prime));
  EXPECT_EQ(value(ScorerKind::kChoice, prime, "The answer is (B)."), 1);
}

TEST(Scorer, NumbersByValue) {
  const auto half = question("1,250.50");
  EXPECT_EQ(value(ScorerKind::kNumber, half, "So the answer is 1250.5."), 1);
  EXPECT_EQ(value(ScorerKind::kNumber, half, "The answer is 1250.6"), 0);
  EXPECT_EQ(value(ScorerKind::kNumber, half, "No idea."), 0);
  EXPECT_EQ(value(ScorerKind::kNumber, question("0.5"), "The answer is 50%."), 1);
}

TEST(Scorer, WhatItNeedsIsCheckedBeforeAnythingIsPaid) {
  EXPECT_EQ(check_question(ScorerKind::kExact, question(" ")).error().code, "missing_answer");
  EXPECT_EQ(check_question(ScorerKind::kChoice, question("D", {{"A", "4"}, {"B", "5"}})).error().code,
            "bad_answer_key");
  EXPECT_EQ(check_question(ScorerKind::kChoice, question("B")).error().code, "bad_answer_key");
  EXPECT_EQ(check_question(ScorerKind::kNumber, question("none")).error().code, "bad_answer_key");
  EXPECT_TRUE(check_question(ScorerKind::kJsonSchema, question("")));
  EXPECT_EQ(parse_scorer("exakt").error().code, "unknown_scorer");
  EXPECT_EQ(*parse_scorer("judge"), ScorerKind::kJudge);
}

TEST(Scorer, AJudgeCountsOnlyWhenBothOrdersAgree) {
  using enum JudgeWord;
  EXPECT_EQ(judge_score(kFirst, kSecond).value, 1);
  EXPECT_EQ(judge_score(kSecond, kFirst).value, 0);
  EXPECT_EQ(judge_score(kTie, kTie).value, .5);
  EXPECT_FALSE(judge_score(kTie, kTie).orders_differ);
  for (const auto& [forward, swapped] :
       {std::pair{kFirst, kFirst}, std::pair{kSecond, kSecond}, std::pair{kTie, kFirst}}) {
    EXPECT_EQ(judge_score(forward, swapped).value, .5);
    EXPECT_TRUE(judge_score(forward, swapped).orders_differ);
  }
  EXPECT_FALSE(judge_score(std::nullopt, kFirst).value);
  EXPECT_FALSE(judge_score(kFirst, std::nullopt).value);
}

JsonSchema schema(std::string_view text) {
  auto compiled = JsonSchema::compile(text, "s");
  EXPECT_TRUE(compiled) << text << ": " << (compiled ? "" : compiled.error().message);
  return compiled ? *compiled : *JsonSchema::compile("false", "s");
}
bool valid(std::string_view rules, std::string_view value) {
  return schema(rules).valid(boost::json::parse(value));
}

TEST(JsonSchema, EachKeywordAllowsAndRefuses) {
  struct Case {
    const char* rules;
    const char* good;
    const char* bad;
  };
  const Case cases[] = {
      {R"({"type":"integer"})", "3.0", "3.5"},
      {R"({"type":["string","null"]})", "null", "1"},
      {R"({"enum":[1,"a"]})", "1.0", "2"},
      {R"({"const":{"a":[1]}})", R"({"a":[1.0]})", R"({"a":[2]})"},
      {R"({"properties":{"a":{"type":"number"}},"required":["a"]})", R"({"a":1,"b":2})", R"({"b":2})"},
      {R"({"properties":{"a":{"type":"number"}}})", R"({})", R"({"a":"x"})"},
      {R"({"properties":{"a":true},"additionalProperties":false})", R"({"a":1})", R"({"b":1})"},
      {R"({"additionalProperties":{"type":"string"}})", R"({"b":"x"})", R"({"b":1})"},
      {R"({"propertyNames":{"maxLength":2}})", R"({"ab":1})", R"({"abc":1})"},
      {R"({"minProperties":1,"maxProperties":1})", R"({"a":1})", R"({})"},
      {R"({"prefixItems":[{"type":"string"}],"items":{"type":"number"}})", R"(["a",1])", R"(["a","b"])"},
      {R"({"contains":{"const":1},"maxContains":1})", "[1,2]", "[1,1]"},
      {R"({"contains":{"const":1},"minContains":0})", "[2]", "7e999"},
      {R"({"minItems":1,"maxItems":2})", "[1]", "[]"},
      {R"({"uniqueItems":true})", "[1,2]", "[1,1.0]"},
      {R"({"minLength":2,"maxLength":2})", R"("äö")", R"("a")"},
      {R"({"minimum":1,"maximum":2})", "2", "2.1"},
      {R"({"exclusiveMinimum":1,"exclusiveMaximum":2})", "1.5", "1"},
      {R"({"multipleOf":0.01})", "19.99", "19.995"},
      {R"({"allOf":[{"minimum":1},{"maximum":2}]})", "1", "3"},
      {R"({"anyOf":[{"const":1},{"const":2}]})", "2", "3"},
      {R"({"oneOf":[{"minimum":1},{"minimum":2}]})", "1", "2"},
      {R"({"not":{"type":"string"}})", "1", R"("a")"},
      {R"({"if":{"properties":{"k":{"const":1}}},"then":{"required":["v"]},"else":{"required":["w"]}})",
       R"({"k":1,"v":2})", R"({"k":2,"v":2})"},
      {R"({"dependentRequired":{"a":["b"]}})", R"({"b":1})", R"({"a":1})"},
      {R"({"dependentSchemas":{"a":{"required":["b"]}}})", R"({"a":1,"b":1})", R"({"a":1})"},
      {R"({"$defs":{"n":{"type":"number"}},"items":{"$ref":"#/$defs/n"}})", "[1]", R"(["x"])"},
      {R"({"properties":{"child":{"$ref":"#"}},"additionalProperties":false})", R"({"child":{"child":{}}})",
       R"({"child":{"x":1}})"},
  };
  for (const auto& one : cases) {
    EXPECT_TRUE(valid(one.rules, one.good)) << one.rules << " " << one.good;
    if (std::string_view(one.bad) != "7e999") {
      EXPECT_FALSE(valid(one.rules, one.bad)) << one.rules << " " << one.bad;
    }
  }
}

TEST(JsonSchema, WhatItCannotCheckIsRefused) {
  for (const char* rules :
       {R"({"pattern":"^a"})", R"({"properties":{"a":{"unevaluatedProperties":false}}})",
        R"({"type":"text"})", R"({"required":"a"})", R"({"minLength":-1})", R"({"multipleOf":0})",
        R"({"$ref":"other.json"})", R"({"$ref":"#/$defs/none"})", R"({"anyOf":[]})", "[]", "{"}) {
    const auto compiled = JsonSchema::compile(rules, "s");
    ASSERT_FALSE(compiled) << rules;
    EXPECT_EQ(compiled.error().code, "bad_schema");
  }
  EXPECT_EQ(JsonSchema::compile(R"({"properties":{"a":{"pattern":"x"}}})", "s").error().param,
            "/properties/a/pattern");
}

TEST(JsonSchema, EndsOnReferencesThatGoRound) {
  EXPECT_FALSE(valid(R"({"$ref":"#"})", "1"));
  EXPECT_FALSE(valid(R"({"not":{"anyOf":[{"$ref":"#"},{"$ref":"#"},{"$ref":"#"}]}})", "1") &&
               valid(R"({"anyOf":[{"$ref":"#"},{"$ref":"#"}]})", "1"));
}

TEST(JsonSchema, ScoresTheJsonOfAnAnswer) {
  const auto rules = schema(R"({"type":"object","required":["city"]})");
  const auto score = [&](std::string_view answer) {
    return score_text(ScorerKind::kJsonSchema, question(""), answer, &rules).value;
  };
  EXPECT_EQ(score("```json\n{\"city\": \"Rome\"}\n```"), 1);
  EXPECT_EQ(score(R"({"town": "Rome"})"), 0);
  EXPECT_EQ(score("Rome"), 0);
}

Score by_command(const std::string& command, std::string answer = "42", int timeout_ms = 20'000) {
  CommandOptions options;
  options.command = command;
  options.timeout = std::chrono::milliseconds(timeout_ms);
  options.folder = test_folder();
  ScoredAnswer scored{"q1", "m|s=2", "What?", std::move(answer), "right"};
  Result<Score> out = fail(ErrorKind::kInternal, "none", "The command did not run.");
  asio::io_context context(1);
  asio::co_spawn(context, score_by_command(std::move(options), std::move(scored)),
                 [&](std::exception_ptr, Result<Score> result) { out = std::move(result); });
  context.run();
  EXPECT_TRUE(out) << out.error().message;
  return out ? *out : Score{};
}

TEST(CommandScorer, ItsExitCodeIsTheScore) {
  EXPECT_EQ(by_command("exit 0").value, 1);
  EXPECT_EQ(by_command("exit 1").value, 0);
  EXPECT_EQ(by_command("echo .25").value, .25);
  EXPECT_EQ(by_command("echo some words").value, 1) << "only a number alone is a score";
  EXPECT_EQ(by_command("echo .25 >&2").value, 1) << "stderr is not read";
  EXPECT_EQ(by_command("echo 7").why, "command_score_out_of_range");
  EXPECT_EQ(by_command("exit 3").why, "command_exit_3");
  EXPECT_EQ(by_command("kill -9 $$").why, "command_exit_137");
  EXPECT_FALSE(by_command("exit 3").value) << "an error is no score";
}

TEST(CommandScorer, ItSeesWhatIsToBeScored) {
  EXPECT_EQ(by_command("test \"$BREVET_ID/$BREVET_MODEL/$BREVET_PROMPT/$BREVET_ANSWER/$BREVET_REFERENCE\" = "
                       "'q1/m|s=2/What?/a\"b/right'",
                       "a\"b")
                .value,
            1);
  const std::string line =
      R"({"id":"q1","model":"m|s=2","prompt":"What?","answer":"a\"b","reference":"right"})";
  EXPECT_EQ(by_command("read -r x; test \"$x\" = '" + line + "'", "a\"b").value, 1);
  // Too long for a variable, whole on stdin.
  const std::string longer(300'000, 'x');
  EXPECT_EQ(by_command("test -z \"$BREVET_ANSWER\" && test $(wc -c) -gt 300000", longer).value, 1);
}

TEST(CommandScorer, ItsTimeIsBounded) {
  EXPECT_EQ(by_command("sleep 1000", "42", 50).why, "command_timeout");
}

TEST(Cell, SamplesBecomeOneOutcome) {
  const auto call = [](std::string response, double latency, std::optional<Money> cost) {
    CallResult out;
    out.answered = true;
    out.response = std::move(response);
    out.latency_ms = latency;
    out.cost = cost;
    out.input_tokens = 10;
    out.output_tokens = 2;
    out.logprob = -.5;
    return out;
  };
  const auto scored = [](const CallResult& of, double score, std::string pred) {
    ScoredCall out;
    out.call = &of;
    out.score.value = score;
    out.score.pred = std::move(pred);
    out.score.has_pred = true;
    return out;
  };
  const auto a = call("it is A", 5, Money{1});
  const auto b = call("it is B", 9, Money{2});
  EXPECT_EQ(
      cell_json({scored(a, 1, "A")}),
      R"({"score":1,"cost_usd":0.000000000001,"input_tokens":10,"output_tokens":2,"latency_ms":5,"logprob_conf":-0.5,"pred":"A","response":"it is A"})");
  EXPECT_EQ(
      cell_json({scored(b, 0, "B"), scored(a, 1, "A"), scored(a, 1, "A")}),
      R"({"score":0.6666666666666666,"cost_usd":0.000000000004,"input_tokens":30,"output_tokens":6,"latency_ms":9,"pred":"A","vote_fraction":0.6666666666666666,"response":"it is B","samples":["it is B","it is A","it is A"],"sample_scores":[0,1,1]})");
  const auto unknown = call("x", 1, std::nullopt);
  EXPECT_EQ(cell_json({scored(a, 1, "A"), scored(unknown, 1, "A")}).find("cost_usd"), std::string::npos)
      << "unknown is not zero";
}

}  // namespace
}  // namespace brevet::record
