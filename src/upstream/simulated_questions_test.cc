// Goal: thousands of different questions whose recorded answers are right, found again inside other text, and
// graded as a person would. Method: whole sets of two seeds, known questions recomputed here by other means.
#include "upstream/simulated_questions.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>

namespace brevet {
namespace {

std::shared_ptr<const SimulatedQuestions> set_of(std::uint64_t seed, std::size_t requests) {
  QuestionOptions options;
  options.seed = seed;
  options.requests = requests;
  return SimulatedQuestions::generate(options);
}

TEST(SimulatedQuestions, ManyFamiliesFormsAndTexts) {
  const auto set = set_of(1, 8'000);
  std::set<std::string> texts;
  std::set<int> families;
  std::map<AnswerKind, int> kinds;
  for (const auto& question : set->questions()) {
    EXPECT_NE(question.text, question.reworded);
    EXPECT_NE(question.answer, question.wrong) << question.text;
    EXPECT_NE(question.answer, question.wrong2) << question.text;
    EXPECT_FALSE(question.wrong.empty());
    texts.insert(question.text);
    families.insert(question.family);
    ++kinds[question.kind];
  }
  EXPECT_GE(question_families().size(), 40u);
  EXPECT_EQ(families.size(), question_families().size());
  EXPECT_GT(texts.size(), set->questions().size() * 99 / 100);
  for (const auto kind : {AnswerKind::kNumber, AnswerKind::kChoice, AnswerKind::kText, AnswerKind::kJson}) {
    EXPECT_GT(kinds[kind], 500) << name_of(kind);
  }
}

TEST(SimulatedQuestions, TheStreamRepeatsAndRewordsAsDeclared) {
  const auto set = set_of(2, 20'000);
  double repeats = 0, fresh = 0;
  std::set<std::string_view> seen;
  for (std::size_t i = 0; i < set->stream().size(); ++i) {
    EXPECT_EQ(set->stream()[i].repeat, !seen.insert(set->text(i)).second);
    repeats += set->stream()[i].repeat;
  }
  fresh = static_cast<double>(set->questions().size());
  EXPECT_NEAR(fresh / 20'000, 0.75, 0.01);
  EXPECT_GT(repeats / 20'000, 0.15);
  EXPECT_LT(repeats / 20'000, 0.22);
}

TEST(SimulatedQuestions, AShorterStreamIsAPrefixOfALongerOne) {
  const auto small = set_of(5, 300), large = set_of(5, 900), other = set_of(6, 300);
  for (std::size_t i = 0; i < 300; ++i) EXPECT_EQ(small->text(i), large->text(i));
  EXPECT_NE(small->text(0), other->text(0));
}

TEST(SimulatedQuestions, SumsAreRight) {
  const auto set = set_of(3, 8'000);
  int checked = 0;
  for (const auto& question : set->questions()) {
    if (question.family != 0 || question.kind != AnswerKind::kNumber) continue;
    std::istringstream in(question.text);
    long long sum = 0;
    for (std::string word; in >> word;) {
      if (word[0] >= '0' && word[0] <= '9') sum += std::stoll(word);
    }
    EXPECT_EQ(std::to_string(sum), question.answer) << question.text;
    ++checked;
  }
  EXPECT_GT(checked, 30);
}

TEST(SimulatedQuestions, KnownAnswersOfSeveralFamilies) {
  // Each of these is recomputed from the text by a rule written here, not by the generator's code.
  const auto set = set_of(4, 12'000);
  std::map<std::string, int> checked;
  for (const auto& question : set->questions()) {
    const auto& name = question_families()[static_cast<std::size_t>(question.family)].name;
    if (question.kind == AnswerKind::kChoice || question.kind == AnswerKind::kJson) continue;
    const auto quoted = [&] {
      const auto from = question.text.find('"');
      return question.text.substr(from + 1, question.text.find('"', from + 1) - from - 1);
    };
    if (name == "reversing a word") {
      const auto word = quoted();
      EXPECT_EQ(std::string(word.rbegin(), word.rend()), question.answer);
      ++checked[name];
    }
    if (name == "binary numbers") {
      const auto at = question.text.find_first_of("01");
      EXPECT_EQ(std::to_string(std::stoll(question.text.substr(at), nullptr, 2)), question.answer)
          << question.text;
      ++checked[name];
    }
    if (name == "hexadecimal numbers") {
      const auto at = question.text.find_first_of("0123456789");
      EXPECT_EQ(std::stoll(question.text.substr(at)), std::stoll(question.answer, nullptr, 16))
          << question.text;
      ++checked[name];
    }
    if (name == "days between dates") {
      std::vector<std::tm> dates;
      for (std::size_t at = 0; (at = question.text.find_first_of("12", at)) != std::string::npos;) {
        std::tm date{};
        if (question.text.size() >= at + 10 && question.text[at + 4] == '-') {
          date.tm_year = std::stoi(question.text.substr(at, 4)) - 1900;
          date.tm_mon = std::stoi(question.text.substr(at + 5, 2)) - 1;
          date.tm_mday = std::stoi(question.text.substr(at + 8, 2));
          dates.push_back(date);
          at += 10;
        } else {
          ++at;
        }
      }
      ASSERT_EQ(dates.size(), 2u) << question.text;
      EXPECT_EQ(std::to_string((timegm(&dates[1]) - timegm(&dates[0])) / 86'400), question.answer)
          << question.text;
      ++checked[name];
    }
  }
  for (const char* name :
       {"reversing a word", "binary numbers", "hexadecimal numbers", "days between dates"}) {
    EXPECT_GT(checked[name], 20) << name;
  }
}

TEST(SimulatedQuestions, EveryAnswerIsGradedRightAndEveryWrongOneWrong) {
  const auto set = set_of(7, 6'000);
  for (const auto& question : set->questions()) {
    for (const char* frame : {"%", "The answer is %.", "Let us see. Answer: %"}) {
      const std::string before(frame, std::string_view(frame).find('%'));
      const std::string after(frame + before.size() + 1);
      if (question.kind == AnswerKind::kJson && !before.empty()) continue;
      EXPECT_TRUE(answer_is_right(question, before + question.answer + after))
          << question.text << question.answer;
      EXPECT_FALSE(answer_is_right(question, before + question.wrong + after))
          << question.text << question.wrong;
      EXPECT_FALSE(answer_is_right(question, before + question.wrong2 + after))
          << question.text << question.wrong2;
    }
    EXPECT_FALSE(answer_is_right(question, "I cannot help with that."));
    EXPECT_FALSE(answer_is_right(question, ""));
  }
}

TEST(SimulatedQuestions, FoundInsideOtherText) {
  const auto set = set_of(8, 2'000);
  std::string rest;
  for (std::size_t i = 0; i < set->stream().size(); i += 7) {
    const auto& question = set->questions()[set->stream()[i].question];
    EXPECT_EQ(set->find(set->text(i)), &question);
    const auto* found =
        set->find("A guide.\nSecond line.\n\n" + std::string(set->text(i)) + "\nThink first.", &rest);
    EXPECT_EQ(found, &question) << set->text(i);
    EXPECT_TRUE(rest.starts_with("A guide.\nSecond line.\n") && rest.ends_with("\nThink first.")) << rest;
    EXPECT_LT(rest.size(), 40u) << "nothing of the question is left over";
  }
  EXPECT_EQ(set->find("What is love?"), nullptr);
  EXPECT_EQ(set->find(""), nullptr);
  EXPECT_EQ(set->find(std::string(5'000, '\n') + "x"), nullptr);
  const std::string many(10'000, '\n');
  EXPECT_EQ(set->find("a" + many + "b"), nullptr) << "bounded by lines";
}

}  // namespace
}  // namespace brevet
