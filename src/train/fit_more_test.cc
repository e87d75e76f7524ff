// Goal: the selector learns which expert to believe for which question, measures that on questions that did
// not teach it, and is served as it was measured. Method: a made-up world where each of three experts is
// right on its own kind of question and on half of the rest; its best choice is known.
#include "train/fit_more.h"

#include <gtest/gtest.h>

#include <numeric>

#include "base/random.h"

namespace brevet {
namespace {

std::vector<OutcomeRecord> made_up(std::size_t n) {
  static const char* kWords[] = {"How many", "Who", "When"};
  std::vector<OutcomeRecord> out;
  Draws dice(4, 4);
  for (std::size_t q = 0; q < n; ++q) {
    OutcomeRecord record;
    record.id = "q/" + std::to_string(q);
    const auto kind = dice.choose("kind", 3);
    record.prompt = std::string(kWords[kind]) + " is thing number " + std::to_string(q) + "?";
    for (std::uint32_t e = 0; e < 3; ++e) {
      RecordedOutcome outcome;
      const bool right = e == kind || dice.coin("right", 0.4);
      outcome.score = right;
      // Wrong answers differ from each other.
      outcome.response = right ? "The answer is " + std::to_string(7 * q + 3) + "."
                               : "The answer is " + std::to_string(100'000 + 10 * q + e) + ".";
      record.models.emplace_back("m|t=e" + std::to_string(e), outcome);
    }
    out.push_back(std::move(record));
  }
  return out;
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

TEST(FitMore, BeatsEachExpertAndAgreementWhereTheQuestionTells) {
  MoreOptions options;
  options.experts = {"m|t=e0", "m|t=e1", "m|t=e2"};
  options.trees = 100;
  const auto fit = fit_more(made_up(900), options);
  ASSERT_TRUE(fit) << fit.error().message;
  EXPECT_EQ(fit->fitted + fit->tested, 900U);
  EXPECT_GT(fit->tested, 200U);
  EXPECT_NEAR(mean(fit->best_single), .6, .12);
  EXPECT_GT(mean(fit->chosen), mean(fit->best_single) + .15);
  EXPECT_GT(mean(fit->chosen), mean(fit->agreed) + .05);
  EXPECT_LE(mean(fit->chosen), mean(fit->oracle));
  ASSERT_EQ(fit->coverage.size(), 10U);
  EXPECT_GE(fit->coverage.front().accuracy, fit->coverage.back().accuracy);

  // As a file, and back.
  const auto bytes = artefact_bytes(fit->artefact);
  const auto read = parse_artefact(bytes, "more.router");
  ASSERT_TRUE(read);
  const auto router = make_router(*read);
  ASSERT_TRUE(router) << router.error().message;
  ASSERT_TRUE(experts_of(**router));
  std::vector<ExpertAnswer> answers(3);
  answers[0] = {true, "The answer is 7.", "", std::nullopt, 0};
  answers[1] = {true, "The answer is 8.", "", std::nullopt, 1};
  answers[2] = {true, "The answer is 9.", "", std::nullopt, 2};
  const auto& served = *experts_of(**router);
  const auto measured = *ExpertModel::create(std::make_shared<const Artefact>(fit->artefact));
  for (const char* question : {"How many is thing number 5?", "Who is thing number 5?"}) {
    for (std::size_t expert = 0; expert < 3; ++expert) {
      const auto features = expert_features(question, answers, expert);
      EXPECT_EQ(served.p_right(features), measured->p_right(features));
    }
  }
}

TEST(FitMore, RefusesWhatCannotTeach) {
  MoreOptions options;
  options.experts = {"m|t=e0", "m|t=e1", "m|t=e2"};
  EXPECT_EQ(fit_more(made_up(40), options).error().code, "too_few_labels");
  options.experts = {"m|t=e0"};
  EXPECT_EQ(fit_more(made_up(100), options).error().code, "bad_option");
  options.experts = {"m|t=e0", "nobody"};
  EXPECT_EQ(fit_more(made_up(100), options).error().code, "too_few_labels") << "nobody answered";
}

}  // namespace
}  // namespace brevet
