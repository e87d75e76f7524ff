// Goal: the same answers in other words are "same", other answers are "different", and what cannot be checked
// is "cannot tell". Method: a labelled set of our own (tests/data/compare_cases.jsonl), both error rates
// counted and bounded; every pair also with its sides exchanged; properties on hostile and generated text.
#include "compare/compare.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstdio>
#include <fstream>
#include <map>

#include "base/random.h"
#include "compare/answer_core.h"
#include "compare/judge.h"

namespace brevet {
namespace {

namespace json = boost::json;

struct Case {
  std::string group, question;
  Answer first, second;
  bool response_format = false;
  std::optional<double> embedding;
  std::string want;
};

std::string text_of(const json::object& row, const char* key) {
  const auto* value = row.if_contains(key);
  return value != nullptr ? std::string(value->as_string()) : std::string{};
}

Answer answer_of(const json::object& row, const std::string& side) {
  Answer answer;
  answer.text = text_of(row, side.c_str());
  answer.finish_reason = text_of(row, (side + "_finish").c_str());
  if (answer.finish_reason.empty()) answer.finish_reason = "stop";
  if (const auto* tools = row.if_contains(side + "_tools")) {
    for (const auto& tool : tools->as_array()) {
      answer.tool_calls.push_back(
          {text_of(tool.as_object(), "name"), text_of(tool.as_object(), "arguments")});
    }
  }
  return answer;
}

std::vector<Case> load_cases() {
  std::ifstream file(std::string(BREVET_SOURCE_DIR) + "/tests/data/compare_cases.jsonl");
  std::vector<Case> out;
  for (std::string line; std::getline(file, line);) {
    const auto row = json::parse(line).as_object();
    Case c;
    c.group = text_of(row, "group");
    c.question = text_of(row, "question");
    c.want = text_of(row, "want");
    c.first = answer_of(row, "first");
    c.second = answer_of(row, "second");
    c.response_format = row.contains("response_format");
    if (const auto* value = row.if_contains("embedding")) c.embedding = value->to_number<double>();
    out.push_back(std::move(c));
  }
  return out;
}

AnswerComparison compare(const Case& c, bool swapped) {
  CompareContext context;
  context.question = c.question;
  context.has_response_format = c.response_format;
  context.embedding_similarity = c.embedding;
  return swapped ? compare_answers(c.second, c.first, context) : compare_answers(c.first, c.second, context);
}

TEST(Compare, LabelledSetBothErrorRates) {
  const auto cases = load_cases();
  ASSERT_GE(cases.size(), 200u);
  // Rows: what is true. A pair that "cannot be told" and is told counts as an error of the kind it was told.
  std::map<std::string, std::map<std::string, int>> table;
  int wrong_same = 0, wrong_different = 0, not_same = 0, not_different = 0, missed = 0, decidable = 0;
  for (const auto& c : cases) {
    for (const bool swapped : {false, true}) {
      const auto got = compare(c, swapped);
      const std::string name = name_of(got.verdict);
      ++table[c.want][name];
      if (c.want != "same") ++not_same, wrong_same += name == "same";
      if (c.want != "different") ++not_different, wrong_different += name == "different";
      if (c.want != "cannot_tell") ++decidable, missed += name == "cannot_tell";
      if (name != c.want) {
        std::printf("  want %s got %s (%s, %s)%s: [%s] | [%s]\n", c.want.c_str(), name.c_str(),
                    got.method.c_str(), got.why, swapped ? " swapped" : "",
                    c.first.text.substr(0, 80).c_str(), c.second.text.substr(0, 80).c_str());
      }
    }
  }
  std::printf("pairs %zu (both orders counted)\n", cases.size());
  for (const auto& [want, row] : table) {
    std::printf("  truly %-12s", want.c_str());
    for (const auto& [got, count] : row) std::printf(" %s %d", got.c_str(), count);
    std::printf("\n");
  }
  std::printf("wrongly same %d/%d, wrongly different %d/%d, undecided though decidable %d/%d\n", wrong_same,
              not_same, wrong_different, not_different, missed, decidable);
  EXPECT_LE(wrong_same, not_same / 100);
  EXPECT_LE(wrong_different, not_different / 50);
  EXPECT_LE(missed, decidable / 20);
}

TEST(Compare, IsSymmetric) {
  for (const auto& c : load_cases()) {
    EXPECT_EQ(compare(c, false).verdict, compare(c, true).verdict) << c.first.text << " | " << c.second.text;
  }
}

TEST(Compare, MethodIsTheOneOfTheGroup) {
  int other = 0, total = 0;
  for (const auto& c : load_cases()) {
    if (c.want == "cannot_tell" || c.group == "embedding") continue;
    ++total;
    other += compare(c, false).method != c.group;
  }
  // Plain texts that are equal may be settled by "text" before the method of the question.
  EXPECT_LE(other, total / 10) << "of " << total;
}

TEST(Compare, AMissingChoiceIsNeverTheSame) {
  CompareContext context;
  const std::string question = "Which?\nA. one\nB. two\nC. three";
  context.question = question;
  context.embedding_similarity = 1.0;
  const std::vector<std::string> letterless = {"",          " ", "null", "None", "I could not decide.",
                                               "no answer", "?", "..."};
  for (const auto& text : letterless) {
    for (const auto& other : {std::string("A"), std::string("The answer is (C)."), text}) {
      Answer a, b;
      a.text = text;
      b.text = other;
      a.finish_reason = b.finish_reason = "stop";
      EXPECT_NE(compare_answers(a, b, context).verdict, Verdict::kSame) << text << " | " << other;
    }
  }
}

TEST(Compare, EmbeddingIsAskedForOnlyWhereItCanHelp) {
  Answer a, b;
  a.finish_reason = b.finish_reason = "stop";
  a.text = "The town grew because ships could land there, and later because the railway came to it.";
  b.text = "Trade by ship, and afterwards the arrival of trains, made the place bigger over the years.";
  CompareContext context;
  EXPECT_TRUE(wants_embedding(a, b, context));
  b.finish_reason = "length";
  EXPECT_FALSE(wants_embedding(a, b, context));
  b.finish_reason = "stop";
  context.question = "Which?\nA. one\nB. two";
  EXPECT_FALSE(wants_embedding(a, b, context));
}

TEST(Compare, FindsOptionLists) {
  EXPECT_EQ(find_options("Q\nA. x\nB. y\nC. z").size(), 3u);
  EXPECT_EQ(find_options("Q\n(A) x\n(B) y").size(), 2u);
  EXPECT_EQ(find_options("Q (a) x, (b) y, (c) z?").size(), 3u);
  EXPECT_EQ(find_options("Q\nA) x\nB) y\n\nQ2\nA) p\nB) q\nC) r").size(), 3u);
  EXPECT_EQ(find_options("A man and B. Smith met.").size(), 0u);
  EXPECT_EQ(find_options("A. only one").size(), 0u);
  EXPECT_EQ(find_options("").size(), 0u);
  std::string many = "Q";
  for (char letter = 'A'; letter <= 'P'; ++letter) many += std::string("\n") + letter + ". option " + letter;
  const auto options = find_options(many);
  ASSERT_EQ(options.size(), 16u);
  EXPECT_EQ(options[15].text, "option P");
  EXPECT_EQ(extract_choice("The answer is (P).", options).letters, "P");
}

TEST(Compare, JudgeWordsCombine) {
  using enum JudgeWord;
  EXPECT_EQ(combine_judge_words(kTie, kTie), Verdict::kSame);
  EXPECT_EQ(combine_judge_words(kFirst, kSecond), Verdict::kDifferent);
  EXPECT_EQ(combine_judge_words(kSecond, kFirst), Verdict::kDifferent);
  EXPECT_EQ(combine_judge_words(kFirst, kFirst), Verdict::kCannotTell);  // prefers a position
  EXPECT_EQ(combine_judge_words(kSecond, kSecond), Verdict::kCannotTell);
  EXPECT_EQ(combine_judge_words(kTie, kFirst), Verdict::kCannotTell);
  EXPECT_EQ(combine_judge_words(std::nullopt, kTie), Verdict::kCannotTell);
}

// Deep nesting, unbalanced braces, cut UTF-8 and random bytes end in a verdict, and text compared with itself
// is never "different".
TEST(Compare, HostileTextIsHarmless) {
  std::vector<std::string> texts = {std::string(100'000, '['),
                                    std::string(100'000, '{') + std::string(100'000, '}'),
                                    std::string(12'000, '\\'),
                                    "\\boxed{" + std::string(10'000, '{'),
                                    "\\frac{\\frac{\\frac{1}{2}}{3}}{4}",
                                    "\xE2\x80",
                                    "\xFF\xFE(A)",
                                    "1e999999999999",
                                    "-",
                                    ".",
                                    "1/0",
                                    "10^",
                                    "10^-",
                                    "```",
                                    "```json\n",
                                    "answer is",
                                    "answer is (",
                                    "(",
                                    "The answer is " + std::string(12'000, '(') + "A",
                                    std::string(12'000, '9')};
  // Repetitions that would be quadratic for a careless scan.
  for (const char* part :
       {"\\boxed{", "\\frac{", "\\frac{1}{", "answer is ", "A is ", "(A) ", "10^", "1/", "1,234", "not "}) {
    std::string text;
    while (text.size() < 12'000) text += part;
    texts.push_back(text);
  }
  const std::string alphabet = "AaBbIi19.,/*^%$()[]{}\"'\\:=-+ \n`#_eEx\xE2\x80\x99";
  for (std::uint64_t i = 0; i < 2000; ++i) {
    std::string text;
    for (std::uint64_t k = 0; k < 3 + i % 60; ++k) text += alphabet[mix_bits(i, k) % alphabet.size()];
    texts.push_back(text);
  }
  const std::vector<std::string> questions = {"", "Q\nA. x\nB. 19\nC. a", "How many?", "Is it?", "1 + 1"};
  for (std::size_t i = 0; i < texts.size(); ++i) {
    for (const auto& question : questions) {
      Answer a, b;
      a.text = texts[i];
      b.text = texts[(i * 7 + 3) % texts.size()];
      a.finish_reason = b.finish_reason = "stop";
      CompareContext context;
      context.question = question;
      EXPECT_NE(compare_answers(a, a, context).verdict, Verdict::kDifferent)
          << question << " | " << a.text.substr(0, 80);
      EXPECT_EQ(compare_answers(a, b, context).verdict, compare_answers(b, a, context).verdict)
          << question << " | " << a.text.substr(0, 80) << " | " << b.text.substr(0, 80);
    }
  }
}

}  // namespace
}  // namespace brevet
