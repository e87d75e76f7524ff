// Goal: a decision kept in the short form reads exactly like the one that was kept, and what the form has no
// place for is never put into it. Method: one decision, changed field by field; the JSON before and after.
#include "store/passed_record.h"

#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "store/decision_json.h"

namespace brevet {
namespace {

Decision passed() {
  Decision d;
  d.id = "dec_1";
  d.number = 300;
  d.time = Instant{std::chrono::seconds(1'795'500'000)};
  d.tenant = "team";
  d.session = "s-1";
  d.tags = "a=b";
  d.learn = false;
  d.reason = {"named_model", "The request names this model."};
  d.steps = {d.reason};
  d.cost = {Money::from_pico(108'000'000), CostBasis::kPriced};
  d.latency = Microseconds{1'300};
  d.overhead = Microseconds{66};
  d.accepted = 0;
  Attempt attempt;
  attempt.configuration.model = "small";
  attempt.state = AttemptState::kDone;
  attempt.answer.emplace();
  attempt.answer->returned_model = "small-2026";
  attempt.answer->finish_reason = "stop";
  attempt.answer->usage.input_tokens = 200;
  attempt.answer->usage.output_tokens = 0;
  attempt.cost = d.cost;
  attempt.latency = Microseconds{1'234};
  attempt.tries = 2;
  d.attempts.push_back(attempt);
  return d;
}

std::optional<Decision> there_and_back(const Decision& d) {
  PassedRow row;
  row.record = "left over";
  if (!passed_row(d, row)) return std::nullopt;
  EXPECT_TRUE(is_passed_record(row.record));
  return decision_of(row);
}

using Change = std::function<void(Decision&)>;

TEST(PassedRecord, ReadsLikeTheDecisionThatWasKept) {
  const std::vector<Change> changes = {
      [](Decision&) {},
      [](Decision& d) { d.simulated = true; },
      [](Decision& d) { d.streamed = true; },
      [](Decision& d) { d.cost = {}; },
      [](Decision& d) { d.number = ~std::uint64_t{0}; },
      [](Decision& d) { d.session = std::string("\xff\0 not text", 11); },
      [](Decision& d) { d.tags = std::string(256, 't'); },
      [](Decision& d) { d.session.clear(), d.tags.clear(); },
      [](Decision& d) { d.latency = Microseconds{-5}; },
      [](Decision& d) { d.attempts[0].first_token = Microseconds{0}; },
      [](Decision& d) {
        d.attempts[0].cost = {Money::from_pico(-1), CostBasis::kAssumed};
      },
      [](Decision& d) { d.attempts[0].answer->usage = {}; },
      [](Decision& d) {
        d.attempts[0].answer->usage = {1, 2, 3, 4, std::numeric_limits<std::int64_t>::max(), true};
      },
      [](Decision& d) { d.attempts[0].answer->returned_model.clear(); },
      [](Decision& d) { d.attempts[0].answer->finish_reason = "length"; },
      [](Decision& d) { d.attempts[0].configuration.model = "org/model:free"; },
  };
  for (std::size_t i = 0; i < changes.size(); ++i) {
    Decision d = passed();
    changes[i](d);
    const auto back = there_and_back(d);
    ASSERT_TRUE(back) << "change " << i;
    EXPECT_EQ(decision_json(*back), decision_json(d)) << "change " << i;
  }
}

TEST(PassedRecord, WhatItHasNoPlaceForIsKeptAsJson) {
  const std::vector<Change> changes = {
      [](Decision& d) { d.route = "auto"; },
      [](Decision& d) { d.strategy = "rar"; },
      [](Decision& d) { d.parent_id = "dec_0"; },
      [](Decision& d) { d.state = DecisionState::kFailed; },
      [](Decision& d) { d.error = Error{}; },
      [](Decision& d) { d.learn = true; },
      [](Decision& d) { d.accepted = -1; },
      [](Decision& d) { d.reason.sentence = "Another."; },
      [](Decision& d) { d.steps.push_back(d.reason); },
      [](Decision& d) { d.attempts.push_back(d.attempts[0]); },
      [](Decision& d) { d.attempts.clear(); },
      [](Decision& d) { d.comparisons.emplace_back(); },
      [](Decision& d) {
        d.draws.push_back({"spot_check", 0.5, 0});
      },
      [](Decision& d) { d.neighbours.emplace_back(); },
      [](Decision& d) { d.snapshot_version = 1; },
      [](Decision& d) { d.embedding = std::make_shared<Embedding>(2); },
      [](Decision& d) { d.estimate.emplace(); },
      [](Decision& d) { d.exact_repeat = true; },
      [](Decision& d) { d.skill_id = 1; },
      [](Decision& d) { d.degraded = "encoder_busy"; },
      [](Decision& d) { d.would_have = "small"; },
      [](Decision& d) { d.baseline = d.cost; },
      [](Decision& d) { d.baseline_note = "exact"; },
      [](Decision& d) { d.store_text = true; },
      [](Decision& d) { d.request_hash = "h"; },
      [](Decision& d) { d.partition.system_hash = "h"; },
      [](Decision& d) { d.attempts[0].id = 1; },
      [](Decision& d) { d.attempts[0].error = Error{}; },
      [](Decision& d) { d.attempts[0].answer.reset(); },
      [](Decision& d) { d.attempts[0].state = AttemptState::kFailed; },
      [](Decision& d) { d.attempts[0].purpose = Purpose::kLearn; },
      [](Decision& d) { d.attempts[0].configuration.guide = "7"; },
      [](Decision& d) { d.attempts[0].answer->mean_logprob = -0.1; },
  };
  for (std::size_t i = 0; i < changes.size(); ++i) {
    Decision d = passed();
    changes[i](d);
    std::string record;
    EXPECT_FALSE(passed_record(d, record)) << "change " << i;
  }
}

TEST(PassedRecord, BytesThatAreNotWholeAreNoDecision) {
  std::string record;
  ASSERT_TRUE(passed_record(passed(), record));
  const auto models = passed_models(record);
  ASSERT_TRUE(models);
  EXPECT_EQ(models->number, passed().number);
  EXPECT_EQ(models->model, passed().attempts[0].configuration.model);
  EXPECT_EQ(models->returned_model, passed().attempts[0].answer->returned_model);
  for (std::size_t size = 0; size < record.size(); ++size)
    EXPECT_FALSE(from_passed_record(std::string_view(record).substr(0, size))) << size;
  EXPECT_FALSE(from_passed_record(record + "x"));
  EXPECT_FALSE(is_passed_record(R"({"schema":1})"));
}

}  // namespace
}  // namespace brevet
