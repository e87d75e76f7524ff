// Goal: the JSON says what the decision holds; unknown is null, content stays out unless the route stores
// text, and it is valid whatever bytes came in. Method: parse it back.
#include "store/decision_json.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace brevet {
namespace {

Decision example() {
  Decision d;
  d.id = "dec_1";
  d.time = Instant{std::chrono::seconds(1'795'500'000)} + Microseconds{1};
  d.route = "auto";
  d.reason = {"skill_hit", "Served by llama because ..."};
  d.request_text = "the secret question";
  Attempt attempt;
  attempt.configuration.model = "llama";
  attempt.state = AttemptState::kDone;
  attempt.answer.emplace();
  attempt.answer->text = "the secret answer";
  attempt.answer->usage.input_tokens = 12;
  attempt.cost = {Money::from_pico(1'230'000), CostBasis::kPriced};
  d.attempts.push_back(attempt);
  d.accepted = 0;
  d.cost = attempt.cost;
  Neighbour neighbour;
  neighbour.skill.id = 4;
  neighbour.skill.text = "a neighbour's secret";
  neighbour.similarity = 0.5F;
  d.neighbours.push_back(neighbour);
  d.embedding = std::make_shared<Embedding>(384);
  d.draws.push_back({"spot_check", 0.98, 0});
  return d;
}

TEST(DecisionJson, MoneyIsExactAndUnknownIsNull) {
  const auto json = boost::json::parse(decision_json(example()));
  EXPECT_EQ(json.at("schema"), kDecisionSchema);
  EXPECT_EQ(json.at("time"), "2026-11-24T06:00:00.000001Z");
  EXPECT_EQ(json.at("model"), "llama");
  EXPECT_EQ(json.at("cost").at("usd"), "0.00000123");
  EXPECT_NEAR(json.at("cost").at("usd_number").as_double(), 1.23e-6, 1e-18);
  EXPECT_TRUE(json.at("baseline").at("usd").is_null());
  EXPECT_EQ(json.at("baseline").at("basis"), "unknown");
  EXPECT_EQ(json.at("baseline").at("estimate"), true);
  const auto& attempt = json.at("attempts").as_array()[0];
  EXPECT_EQ(attempt.at("usage").at("input_tokens"), 12);
  EXPECT_TRUE(attempt.at("usage").at("output_tokens").is_null());
  EXPECT_TRUE(attempt.at("mean_logprob").is_null());
  EXPECT_TRUE(attempt.at("first_token_us").is_null());
  EXPECT_TRUE(json.at("estimate").is_null());
  EXPECT_EQ(json.at("embedding_dimension"), 384);
  EXPECT_EQ(json.at("draws").as_array()[0].at("what"), "spot_check");
}

TEST(DecisionJson, ABaselineIsAnEstimateUnlessTheReferenceServed) {
  Decision d = example();
  d.baseline_note = "estimate: mean cost";
  EXPECT_EQ(boost::json::parse(decision_json(d)).at("baseline").at("estimate"), true);
  d.baseline_note = "exact: the reference served";
  EXPECT_EQ(boost::json::parse(decision_json(d)).at("baseline").at("estimate"), false);
}

TEST(DecisionJson, AnEstimateFromNothingHasNoNumbers) {
  Decision d = example();
  d.estimate.emplace();
  EXPECT_TRUE(boost::json::parse(decision_json(d)).at("estimate").at("p_agree").is_null());
  d.estimate->outcomes = 10;
  d.estimate->p_agree = 0.75;
  EXPECT_EQ(boost::json::parse(decision_json(d)).at("estimate").at("p_agree"), 0.75);
}

TEST(DecisionJson, ContentOnlyWhereTheRouteStoresText) {
  Decision d = example();
  EXPECT_EQ(decision_json(d).find("secret"), std::string::npos);
  d.store_text = true;
  const std::string with = decision_json(d);
  EXPECT_NE(with.find("the secret question"), std::string::npos);
  EXPECT_EQ(with.find("the secret answer"), std::string::npos);
}

TEST(DecisionJson, ValidJsonWhateverBytesCome) {
  Decision d = example();
  d.tags = "\xff\xfe\"\\\x01";
  Error error;
  error.message = "bad \xc3";
  d.error = error;
  d.estimate.emplace();
  d.estimate->outcomes = 1;
  d.estimate->p_agree = std::numeric_limits<double>::quiet_NaN();
  boost::json::error_code code;
  const auto json = boost::json::parse(decision_json(d), code);
  ASSERT_FALSE(code) << code.message();
  EXPECT_TRUE(json.at("estimate").at("p_agree").is_null());
  EXPECT_EQ(json.at("error").at("message"), "bad ?");
}

TEST(DecisionJson, TimesBeforeAndAfterTheEpoch) {
  EXPECT_EQ(rfc3339(Instant{}), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(rfc3339(Instant{Microseconds{-1}}), "1969-12-31T23:59:59.999999Z");
}

}  // namespace
}  // namespace brevet
