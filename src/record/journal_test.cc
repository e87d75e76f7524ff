// Goal: whatever a crash leaves of a journal is read as what it means, and damage is refused. Method: a
// journal written event by event is cut at every byte and replayed; single bytes are turned; the file is
// opened twice, and after a torn end.
#include "record/journal.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace brevet::record {
namespace {

CallIntent intent(std::uint64_t number, std::string key) {
  return {number, std::move(key), "answer", "q1", "weak", Money::parse_usd("0.00125")};
}
CallResult answered(std::uint64_t number, std::string response) {
  CallResult out;
  out.number = number;
  out.answered = true;
  out.charged = out.cost = Money::parse_usd("0.000000000123");
  out.response = std::move(response);
  out.input_tokens = 12;
  out.output_tokens = 3;
  out.latency_ms = 12.5;
  out.logprob = -.25;
  out.finish_reason = "stop";
  return out;
}

std::string three_calls() {
  CallResult failed;
  failed.number = 2;
  failed.charged = Money::parse_usd("0.00125");
  failed.code = "upstream_answer_cut";
  failed.message = "cut";
  return journal_line(intent(1, "a")) + journal_line(intent(2, "b")) +
         journal_line(answered(1, "line\nfeed \xff")) + journal_line(failed) +
         journal_line(ScoreNote{"s", .5, ""}) + journal_line(intent(3, "c"));
}

TEST(Journal, EventsSurviveTheirLine) {
  const auto replay = replay_journal(three_calls(), "j");
  ASSERT_TRUE(replay) << replay.error().message;
  EXPECT_FALSE(replay->torn);
  const auto& state = replay->state;
  EXPECT_EQ(state.next_number(), 4U);
  const auto* answer = state.answer("a");
  ASSERT_NE(answer, nullptr);
  EXPECT_EQ(answer->response, "line\nfeed ?") << "bytes that are no UTF-8 are replaced";
  EXPECT_EQ(answer->charged, Money{123});
  EXPECT_EQ(answer->input_tokens, 12);
  EXPECT_EQ(answer->logprob, -.25);
  EXPECT_EQ(state.answer("b"), nullptr);
  EXPECT_EQ(state.last_call("b")->result->code, "upstream_answer_cut");
  EXPECT_EQ(state.last_call("b")->result->charged, Money{1'250'000'000});
  ASSERT_NE(state.last_call("c"), nullptr);
  EXPECT_FALSE(state.last_call("c")->result) << "an intent without a result: nobody knows";
  EXPECT_EQ(state.score("s")->score, .5);
  EXPECT_EQ(state.score("t"), nullptr);
}

TEST(Journal, CutAtEveryByteItKeepsTheWholeLines) {
  const auto whole = three_calls();
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    const auto replay = replay_journal(std::string_view(whole).substr(0, cut), "j");
    ASSERT_TRUE(replay) << cut << ": " << replay.error().message;
    const auto last = cut == 0 ? std::string::npos : whole.rfind('\n', cut - 1);
    EXPECT_EQ(replay->good_bytes, last == std::string::npos ? 0 : last + 1);
    EXPECT_EQ(replay->torn, replay->good_bytes != cut);
  }
}

TEST(Journal, ATurnedByteIsDamageUnlessItIsInTheLastLine) {
  const auto whole = three_calls();
  const auto last_line = whole.rfind('\n', whole.size() - 2) + 1;
  for (std::size_t at = 0; at < whole.size(); at += 7) {
    auto damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x15);
    const auto replay = replay_journal(damaged, "j");
    if (at >= last_line) {
      ASSERT_TRUE(replay);
      EXPECT_TRUE(replay->torn);
      EXPECT_EQ(replay->good_bytes, last_line);
    } else {
      ASSERT_FALSE(replay) << "byte " << at;
      EXPECT_EQ(replay.error().code, "broken_journal");
      EXPECT_TRUE(replay.error().message.starts_with("j:"));
    }
  }
}

TEST(Journal, AResultNeedsItsCall) {
  const auto orphan = journal_line(answered(7, "x")) + journal_line(intent(8, "a"));
  EXPECT_EQ(replay_journal(orphan, "j").error().code, "broken_journal");
  const auto twice =
      journal_line(intent(1, "a")) + journal_line(answered(1, "x")) + journal_line(answered(1, "y"));
  EXPECT_EQ(replay_journal(twice + journal_line(intent(2, "a")), "j").error().code, "broken_journal");
}

TEST(Journal, AnUnknownPriceStaysUnknown) {
  auto call = intent(1, "a");
  call.booked.reset();
  auto result = answered(1, "x");
  result.charged.reset();
  result.cost.reset();
  const auto replay = replay_journal(journal_line(call) + journal_line(result), "j");
  ASSERT_TRUE(replay);
  EXPECT_FALSE(replay->state.last_call("a")->intent.booked);
  EXPECT_FALSE(replay->state.answer("a")->charged);
  EXPECT_FALSE(replay->state.answer("a")->free()) << "unknown is not free";
}

class JournalFile : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::remove(path_); }
  void TearDown() override { std::filesystem::remove(path_); }
  std::string content() const {
    std::ostringstream out;
    out << std::ifstream(path_).rdbuf();
    return out.str();
  }
  const std::string path_ = testing::TempDir() + "brevet-journal-test-" + std::to_string(::getpid());
};

TEST_F(JournalFile, GoesOnAfterATornEnd) {
  {
    auto journal = Journal::open(path_);
    ASSERT_TRUE(journal) << journal.error().message;
    ASSERT_TRUE((*journal)->append(intent(1, "a")));
    ASSERT_TRUE((*journal)->append(answered(1, "x")));
  }
  std::ofstream(path_, std::ios::app) << journal_line(intent(2, "b")).substr(0, 20);
  {
    auto journal = Journal::open(path_);
    ASSERT_TRUE(journal) << journal.error().message;
    EXPECT_TRUE((*journal)->was_torn());
    EXPECT_EQ((*journal)->state().next_number(), 2U);
    ASSERT_TRUE((*journal)->append(intent(2, "c")));
  }
  const auto replay = replay_journal(content(), "j");
  ASSERT_TRUE(replay) << replay.error().message;
  EXPECT_FALSE(replay->torn);
  EXPECT_NE(replay->state.last_call("c"), nullptr);
}

TEST_F(JournalFile, HasOneOwner) {
  auto first = Journal::open(path_);
  ASSERT_TRUE(first);
  const auto second = Journal::open(path_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, "journal_in_use");
}

TEST_F(JournalFile, SaysWhenItCannotBeOpened) {
  EXPECT_EQ(Journal::open("/nonexistent-folder/journal").error().code, "journal_unusable");
}

}  // namespace
}  // namespace brevet::record
