// Goal: what is charged is never less than what may have been paid, the budget holds at every moment, nothing
// is asked twice, and what ends a run says so. Method: a model client that answers, fails and counts as told,
// recordings stopped and resumed on one journal, and journals that a crash left in the middle.
#include "record/recorder.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <filesystem>
#include <functional>

#include "record/plan.h"

namespace brevet::record {
namespace {

/// 1 USD per million tokens either way; answers what it is told to.
class ToldModel final : public ModelClient {
 public:
  using Reply = std::function<ModelOutcome(const ModelCall&)>;
  explicit ToldModel(Reply reply, bool priced = true) : reply_(std::move(reply)), priced_(priced) {}
  Task<ModelOutcome> call(ModelCall call, StreamSink*) override {
    ++calls;
    ++in_flight_;
    most_in_flight = std::max(most_in_flight, in_flight_);
    asio::steady_timer yield(co_await asio::this_coro::executor, std::chrono::milliseconds(0));
    co_await yield.async_wait(kNoThrow);
    --in_flight_;
    co_return reply_(call);
  }
  ModelStatus status() const override { return {}; }
  Cost price(const Usage& usage) const override {
    if (!priced_ || !usage.input_tokens || !usage.output_tokens) return {};
    return {Money{1'000'000} * (*usage.input_tokens + *usage.output_tokens), CostBasis::kPriced};
  }
  int calls = 0, most_in_flight = 0;

 private:
  Reply reply_;
  bool priced_;
  int in_flight_ = 0;
};

ModelResult answer(std::string text, std::int64_t input = 10, std::int64_t output = 5) {
  ModelResult out;
  out.answer.text = std::move(text);
  out.answer.finish_reason = "stop";
  out.answer.usage.input_tokens = input;
  out.answer.usage.output_tokens = output;
  out.cost = {Money{1'000'000} * (input + output), CostBasis::kPriced};
  return out;
}
ModelOutcome failure(ErrorKind kind, const char* what, Cost cost) {
  ModelFailure out;
  out.error.kind = kind;
  out.error.code = what;
  out.error.message = "told to";
  out.cost = cost;
  return tl::unexpected<ModelFailure>(std::move(out));
}
const Cost kUnpaid{Money{}, CostBasis::kRecorded};
const Cost kGuessed{Money{1}, CostBasis::kAssumed};

class RecorderTest : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove(path_);
    for (int i = 0; i < 10; ++i) {
      const auto line =
          R"({"id":"q)" + std::to_string(i) + R"(","dataset":"d","prompt":"What is it?","answer":"7"})";
      questions_.push_back(*parse_question(line, "f", {}));
    }
    options_.scorer = ScorerKind::kNumber;
    options_.configurations = {*Configuration::parse("m")};
    options_.limits.usd = *Money::parse_usd("1");
    options_.tokens_max = 100;
    options_.concurrency = 3;
  }
  void TearDown() override { std::filesystem::remove(path_); }
  std::shared_ptr<ToldModel> add(const std::string& name, ToldModel::Reply reply, bool priced = true) {
    auto client = std::make_shared<ToldModel>(std::move(reply), priced);
    options_.models[name].client = client;
    return client;
  }
  Result<RecordSummary> run() {
    auto journal = Journal::open(path_);
    EXPECT_TRUE(journal) << journal.error().message;
    return record(questions_, **journal, options_);
  }
  RecordSummary good() {
    auto sum = run();
    EXPECT_TRUE(sum) << sum.error().message;
    return sum ? *sum : RecordSummary{};
  }
  /// Worst case of the only question there is.
  Money booking() {
    const auto ask = answer_ask(questions_[0], options_.configurations[0], 0, options_);
    return *prepare_call(ask, options_.models.at("m"))->worst;
  }
  const std::string path_ = testing::TempDir() + "brevet-recorder-" + std::to_string(::getpid());
  std::vector<Question> questions_;
  RecordOptions options_;
};

TEST_F(RecorderTest, RecordsAndAsksNothingTwice) {
  const auto model = add("m", [](const ModelCall&) { return answer("The answer is 7."); });
  const auto first = good();
  EXPECT_EQ(first.end, RecordEnd::kComplete);
  EXPECT_EQ(first.cells, 10U);
  EXPECT_EQ(model->calls, 10);
  EXPECT_LE(model->most_in_flight, 3);
  EXPECT_EQ(first.spent, Money{150'000'000});
  const auto cell = boost::json::parse(first.outcomes[3].at(0).second);
  EXPECT_EQ(cell.at("score").to_number<double>(), 1);
  EXPECT_EQ(cell.at("input_tokens"), 10);
  const auto again = good();
  EXPECT_EQ(model->calls, 10);
  EXPECT_EQ(again.reused, 10U);
  EXPECT_EQ(again.spent, first.spent);
  EXPECT_EQ(again.outcomes, first.outcomes);
}

TEST_F(RecorderTest, TheBudgetIsNotPassedAndGoesOnWhenRaised) {
  const auto model = add("m", [](const ModelCall&) { return answer("The answer is 7.", 10, 100); });
  const auto one = Money{110'000'000};
  // Four calls fit, and the fifth would as it comes out, but not at its worst.
  options_.limits.usd = one * 4 + booking() - Money{1};
  const auto sum = good();
  EXPECT_EQ(sum.end, RecordEnd::kBudget);
  EXPECT_LE(sum.spent, options_.limits.usd);
  EXPECT_EQ(model->calls, 4);
  EXPECT_NE(sum.message.find("--budget-usd"), std::string::npos);
  EXPECT_EQ(good().calls, 0U) << "the same budget is spent";
  options_.limits.usd = *Money::parse_usd("1");
  const auto rest = good();
  EXPECT_EQ(rest.end, RecordEnd::kComplete);
  EXPECT_EQ(model->calls, 10);
}

TEST_F(RecorderTest, AFailureIsChargedAsItMayHaveBeenPaid) {
  int turn = 0;
  add("m", [&](const ModelCall&) -> ModelOutcome {
    if (++turn == 1) return failure(ErrorKind::kProviderUnavailable, "upstream_answer_cut", kGuessed);
    if (turn == 2) return failure(ErrorKind::kProviderRateLimited, "upstream_rate_limited", kUnpaid);
    return answer("The answer is 7.");
  });
  questions_.resize(2);
  options_.concurrency = 1;
  const auto sum = good();
  EXPECT_EQ(sum.end, RecordEnd::kIncomplete);
  EXPECT_EQ(sum.spent, booking()) << "the cut one at its whole booking, the refused one not at all";
  EXPECT_EQ(sum.failures.at("upstream_answer_cut"), 1U);
  const auto second = good();
  EXPECT_EQ(second.calls, 1U) << "only what was not paid is asked again";
  EXPECT_EQ(second.unknown_left, 1U);
  options_.retry_unknown = true;
  const auto third = good();
  EXPECT_EQ(third.calls, 1U);
  EXPECT_EQ(third.end, RecordEnd::kComplete);
  EXPECT_EQ(third.spent, booking() + Money{30'000'000});
}

TEST_F(RecorderTest, AnIntentWithoutAResultIsChargedAndLeft) {
  const auto model = add("m", [](const ModelCall&) { return answer("The answer is 7."); });
  questions_.resize(1);
  {
    auto journal = Journal::open(path_);
    ASSERT_TRUE(journal);
    const auto ask = answer_ask(questions_[0], options_.configurations[0], 0, options_);
    ASSERT_TRUE((*journal)->append(CallIntent{1, ask.key, "answer", "q0", "m", booking()}));
  }
  const auto sum = good();
  EXPECT_EQ(model->calls, 0);
  EXPECT_EQ(sum.lost, 1U);
  EXPECT_EQ(sum.spent, booking());
  EXPECT_EQ(sum.end, RecordEnd::kIncomplete);
  options_.limits.usd = booking() * 2 - Money{1};
  options_.retry_unknown = true;
  EXPECT_EQ(good().end, RecordEnd::kBudget) << "the lost call is spent money";
  options_.limits.usd = booking() * 2;
  EXPECT_EQ(good().end, RecordEnd::kComplete);
  EXPECT_EQ(model->calls, 1);
}

TEST_F(RecorderTest, EarlierTriesThatMayBePaidAreChargedWhole) {
  add("m", [](const ModelCall&) {
    auto out = answer("The answer is 7.");
    out.tries = 2;
    out.cost = {*out.cost.amount + Money{3}, CostBasis::kAssumed};
    return out;
  });
  questions_.resize(1);
  options_.models["m"].tries_max = 3;
  const auto sum = good();
  EXPECT_EQ(sum.spent, Money{booking().pico_usd / 3} + Money{15'000'000});
  EXPECT_EQ(boost::json::parse(sum.outcomes[0].at(0).second).at("cost_usd").to_number<double>(), 15e-6)
      << "the outcome has the answer's own cost";
}

TEST_F(RecorderTest, AnswersWithoutCountsAreChargedWhole) {
  add("m", [](const ModelCall&) {
    auto out = answer("The answer is 7.");
    out.answer.usage = {};
    out.cost = {};
    return out;
  });
  questions_.resize(1);
  const auto sum = good();
  EXPECT_EQ(sum.spent, booking());
  EXPECT_EQ(sum.outcomes[0].at(0).second.find("cost_usd"), std::string::npos);
}

TEST_F(RecorderTest, AModelThatDoesNotKeepItsLimitEndsTheRun) {
  const auto model = add("m", [](const ModelCall&) { return answer("The answer is 7.", 10, 100'000); });
  options_.concurrency = 1;
  const auto sum = run();
  ASSERT_FALSE(sum);
  EXPECT_EQ(sum.error().code, "cost_above_booking");
  EXPECT_EQ(model->calls, 1);
}

TEST_F(RecorderTest, FailuresInARowEndTheRun) {
  const auto model = add("m", [](const ModelCall&) {
    return failure(ErrorKind::kProviderUnavailable, "upstream_unreachable", kUnpaid);
  });
  options_.failures_max = 4;
  options_.concurrency = 1;
  const auto sum = good();
  EXPECT_EQ(sum.end, RecordEnd::kFailures);
  EXPECT_EQ(model->calls, 4);
  EXPECT_EQ(sum.spent, Money{});
}

TEST_F(RecorderTest, UnknownPricesNeedABoundOnCalls) {
  const auto model = add(
      "m",
      [](const ModelCall&) {
        auto out = answer("The answer is 7.");
        out.cost = {};
        return out;
      },
      false);
  EXPECT_EQ(run().error().code, "unknown_price");
  EXPECT_EQ(model->calls, 0);
  options_.limits.unpriced_max = 4;
  const auto sum = good();
  EXPECT_EQ(sum.end, RecordEnd::kBudget);
  EXPECT_EQ(model->calls, 4);
  EXPECT_EQ(sum.unpriced, 4U);
  EXPECT_EQ(good().calls, 0U);
}

TEST_F(RecorderTest, InterruptedItKeepsWhatWasPaid) {
  const auto model = add("m", [](const ModelCall&) { return answer("The answer is 7."); });
  options_.stop = [&] { return model->calls >= 5; };
  const auto sum = good();
  EXPECT_EQ(sum.end, RecordEnd::kInterrupted);
  const auto paid = model->calls;
  EXPECT_EQ(sum.answered, static_cast<std::uint64_t>(paid));
  options_.stop = {};
  EXPECT_EQ(good().end, RecordEnd::kComplete);
  EXPECT_EQ(model->calls, 10);
}

TEST_F(RecorderTest, SamplesAndGuidesAreAskedForWithTheirText) {
  std::vector<std::string> prefixes;
  add("m", [&](const ModelCall& call) {
    prefixes.push_back(call.edits.last_user_prefix);
    return answer(prefixes.size() % 2 == 1 ? "The answer is 7." : "The answer is 8.");
  });
  questions_.resize(1);
  options_.guides["hints"] = "Think of sevens.";
  options_.configurations = {*Configuration::parse("m|g=hints|s=2")};
  const auto sum = good();
  ASSERT_EQ(prefixes.size(), 2U);
  EXPECT_NE(prefixes[0].find("Think of sevens."), std::string::npos);
  ASSERT_EQ(sum.outcomes[0].at(0).first, "m|g=hints|s=2");
  EXPECT_EQ(boost::json::parse(sum.outcomes[0].at(0).second).at("score").to_number<double>(), .5);
}

TEST_F(RecorderTest, MistakesAreFoundBeforeAnythingIsPaid) {
  const auto model = add("m", [](const ModelCall&) { return answer("7"); });
  const auto code = [&](const char* configuration) {
    options_.configurations = {*Configuration::parse(configuration)};
    return run().error().code;
  };
  EXPECT_EQ(code("other"), "unknown_model");
  EXPECT_EQ(code("m|t=cot"), "unknown_transform");
  EXPECT_EQ(code("m|g=none"), "unknown_guide");
  options_.limits.usd = Money{};
  EXPECT_EQ(code("m"), "missing_budget");
  options_.limits.usd = Money{1};
  options_.scorer = ScorerKind::kJudge;
  EXPECT_EQ(code("m"), "missing_scorer_option");
  options_.judge = *Configuration::parse("m");
  options_.against = *Configuration::parse("n");
  EXPECT_EQ(code("m"), "missing_answer");
  EXPECT_EQ(model->calls, 0);
}

TEST_F(RecorderTest, TheJudgeIsAskedInBothOrdersAndPaid) {
  add("m", [](const ModelCall&) { return answer("long answer"); });
  add("best", [](const ModelCall&) { return answer("reference"); });
  // Prefers what stands first, but for one question where it likes m's.
  const auto judge = add("judge", [](const ModelCall& call) {
    const auto& text = *call.request->raw;
    if (text.find("picky") == std::string::npos) return answer("[[A]]");
    return answer(text.find("long answer") < text.find("reference") ? "[[A]]" : "[[B]]");
  });
  questions_.resize(2);
  questions_[1] = *parse_question(R"({"id":"p","dataset":"d","prompt":"picky"})", "f", {});
  options_.scorer = ScorerKind::kJudge;
  options_.judge = *Configuration::parse("judge");
  options_.against = *Configuration::parse("best");
  options_.configurations = {*Configuration::parse("m"), *Configuration::parse("best")};
  const auto sum = good();
  EXPECT_EQ(judge->calls, 4);
  EXPECT_EQ(sum.judged, 2U);
  EXPECT_EQ(sum.orders_differ, 1U);
  EXPECT_EQ(sum.judge_spent, Money{60'000'000});
  EXPECT_EQ(sum.spent, Money{120'000'000});
  const auto score = [&](std::size_t question, std::size_t cell) {
    return boost::json::parse(sum.outcomes[question].at(cell).second).at("score").to_number<double>();
  };
  EXPECT_EQ(score(0, 0), .5);
  EXPECT_EQ(score(1, 0), 1);
  EXPECT_EQ(score(1, 1), .5) << "the one compared against";
}

TEST_F(RecorderTest, BehindAGatewayAServerErrorMayBePaid) {
  add("m", [](const ModelCall&) {
    auto out = failure(ErrorKind::kProviderUnavailable, "upstream_error", kUnpaid);
    out.error().error.upstream_status = 502;
    return out;
  });
  questions_.resize(1);
  EXPECT_EQ(good().spent, Money{});
  std::filesystem::remove(path_);
  options_.models["m"].is_gateway = true;
  EXPECT_EQ(good().spent, booking());
}

}  // namespace
}  // namespace brevet::record
