// Goal: the gate books before it serves, certifies what agrees and nothing else, chooses thresholds along the
// path, takes back what was certified when a model changes, and is the same to the byte after kill -9.
// Method: the real gate over real journals, fed with requests whose outcomes the test knows; a manual clock.
#include "gateway/contract_gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "base/random.h"
#include "base/test_folder.h"
#include "gateway/contract_report.h"

namespace brevet {
namespace {

using ::testing::HasSubstr;

Route route_with(ContractTerms terms = {}) {
  Route out;
  out.name = "auto";
  out.weak.model = "weak";
  out.reference.model = "strong";
  out.candidates = {out.weak, out.reference};
  terms.key = terms.key.empty() ? "k" : terms.key;
  out.contract = std::move(terms);
  return out;
}

std::unique_ptr<ContractGate> gate_on(Clock& clock, const std::string& journal = {},
                                      std::uint64_t bytes_max = std::uint64_t{1} << 30) {
  ContractGateOptions options;
  options.journal = journal;
  options.new_key = [] { return CoinKey{21, 22}; };
  options.journal_bytes_max = bytes_max;
  auto made = make_contract_gate(std::move(options), clock);
  EXPECT_TRUE(made) << made.error().message;
  return made ? std::move(*made) : nullptr;
}

/// Requests one after another; `agrees` says whether weak's answer to the n-th would match.
struct Traffic {
  ContractGate& gate;
  const Route& route;
  std::function<bool(int)> agrees;
  std::function<std::optional<double>(int)> score = [](int) { return std::nullopt; };
  std::string tags = {};
  int sent = 0;
  int weak = 0;
  int wrong = 0;
  ContractSeat last = {};

  void send(int n) {
    for (int i = 0; i < n; ++i, ++sent) {
      ContractQuestion question;
      question.tenant = "default";
      question.tags = tags;
      question.risky = true;
      question.score = score(sent);
      question.checkable = true;
      last = gate.admit(route, question);
      const bool same = agrees(sent);
      if (last.risky) {
        ++weak;
        wrong += same ? 0 : 1;
      }
      if (last.shadow) {
        ContractFinding finding;
        finding.checked = same;
        finding.judged = same;
        gate.settle(last, finding);
      }
    }
  }
  /// The promise on what was served: agreement of all answers, the reference's own among them.
  double kept() const { return 1 - static_cast<double>(wrong) / std::max(1, sent); }
};

bool always(int) {
  return true;
}
bool never(int) {
  return false;
}
ContractGroupState group(const ContractGate& gate, std::size_t place = 0) {
  const auto states = gate.states();
  EXPECT_EQ(states.size(), 1u);
  return states.at(0).groups.at(place);
}

TEST(ContractGate, ServesTheReferenceUntilWeakIsProved) {
  ManualClock clock;
  const auto gate = gate_on(clock);
  const auto route = route_with();
  Traffic traffic{*gate, route, always};
  traffic.send(1);
  EXPECT_FALSE(traffic.last.risky);
  EXPECT_TRUE(traffic.last.shadow) << "while the reference serves, weak is compared each time";
  EXPECT_EQ(traffic.last.reason, "contract_not_certified");
  EXPECT_FALSE(traffic.last.sentence.empty());
  traffic.send(1'500);
  EXPECT_TRUE(traffic.last.risky);
  EXPECT_GT(traffic.weak, 500);
  EXPECT_EQ(group(*gate).report.risky, static_cast<std::uint64_t>(traffic.weak));
  EXPECT_EQ(traffic.kept(), 1);
}

TEST(ContractGate, WhatDoesNotAgreeIsNeverServed) {
  ManualClock clock;
  const auto gate = gate_on(clock);
  const auto route = route_with();
  Traffic traffic{*gate, route, never};
  traffic.send(2'000);
  EXPECT_EQ(traffic.weak, 0);
  EXPECT_EQ(group(*gate).report.certified, 0u);
}

TEST(ContractGate, KeepsThePromiseWhenWeakTurnsBad) {
  ManualClock clock;
  const auto gate = gate_on(clock);
  const auto route = route_with();
  Traffic traffic{*gate, route, [](int n) { return n < 4'000; }};
  for (int i = 0; i < 80; ++i) {
    traffic.send(100);
    EXPECT_GE(traffic.kept(), .95) << "after " << traffic.sent;
  }
  EXPECT_GT(traffic.weak, 1'000);
  EXPECT_GE(group(*gate).report.alarms + group(*gate).report.refused_credit, 1u);
  EXPECT_FALSE(traffic.last.risky);
}

TEST(ContractGate, OutcomesThatNeverComeCountAsTheWorst) {
  ManualClock clock;
  const auto gate = gate_on(clock);
  const auto route = route_with();
  for (int i = 0; i < 1'000; ++i) {
    ContractQuestion question;
    question.tenant = "default";
    question.risky = true;
    question.checkable = true;
    const auto seat = gate->admit(route, question);
    EXPECT_FALSE(seat.risky);
    clock.advance(std::chrono::minutes(1));
  }
  const auto state = group(*gate);
  EXPECT_GT(state.report.expired, 900u);
  EXPECT_EQ(state.report.certified, 0u);
}

TEST(ContractGate, ChoosesTheThresholdOfAScore) {
  ManualClock clock;
  const auto gate = gate_on(clock);
  auto terms = ContractTerms{};
  terms.thresholds = 4;
  const auto route = route_with(terms);
  // Scores 0..1; weak is right where they are over .5.
  const auto score_of = [](int n) {
    return static_cast<double>(mix_bits(5, static_cast<std::uint64_t>(n)) >> 11) / 9007199254740992.0;
  };
  Traffic traffic{*gate, route, [&](int n) { return score_of(n) > .5; },
                  [&](int n) { return std::optional<double>(score_of(n)); }};
  traffic.send(4'000);
  const auto state = group(*gate);
  ASSERT_EQ(state.thresholds.size(), 4u);
  EXPECT_NEAR(state.thresholds[0], .75, .1);
  EXPECT_EQ(state.report.certified, 2u) << "the third would serve wrong answers to a quarter of the requests";
  ContractQuestion question;
  question.tenant = "default";
  question.checkable = true;
  question.score = .99;
  EXPECT_TRUE(gate->ask(route, question).risky) << "even where the strategy would have called the reference";
  question.score = .1;
  question.risky = true;
  const auto refused = gate->ask(route, question);
  EXPECT_FALSE(refused.risky);
  EXPECT_EQ(refused.reason, "contract_not_certified");
  EXPECT_GE(traffic.kept(), .95);
  ASSERT_TRUE(state.feasible);
  EXPECT_LT(state.feasible->share_high, .75);
}

TEST(ContractGate, WhatCannotBeComparedIsServedByTheReference) {
  ManualClock clock;
  const auto gate = gate_on(clock);
  const auto route = route_with();
  Traffic traffic{*gate, route, always};
  traffic.send(1'500);
  ContractQuestion question;
  question.tenant = "default";
  question.risky = true;
  const auto seat = gate->admit(route, question);
  EXPECT_FALSE(seat.risky);
  EXPECT_FALSE(seat.shadow);
  EXPECT_EQ(seat.reason, "contract_not_checkable");
  EXPECT_EQ(gate->states().at(0).uncheckable, 1u);
}

TEST(ContractGate, GroupsKeepThePromiseOnTheirOwn) {
  ManualClock clock;
  const auto gate = gate_on(clock);
  auto terms = ContractTerms{};
  terms.groups = {"good", "bad"};
  const auto route = route_with(terms);
  Traffic good{*gate, route, always, [](int) { return std::nullopt; }, "x, good"};
  Traffic bad{*gate, route, never, [](int) { return std::nullopt; }, "bad"};
  for (int i = 0; i < 20; ++i) good.send(100), bad.send(100);
  EXPECT_GT(good.weak, 500);
  EXPECT_EQ(bad.weak, 0);
  const auto state = gate->states().at(0);
  ASSERT_EQ(state.groups.size(), 3u);
  EXPECT_EQ(state.groups[2].name, "");
  EXPECT_EQ(state.groups[2].report.requests, 0u);
}

TEST(ContractGate, AnotherModelIdTakesBackWhatWasCertified) {
  ManualClock clock;
  const auto gate = gate_on(clock);
  const auto route = route_with();
  Traffic traffic{*gate, route, always};
  gate->saw_model(route, "default", route.weak, "weak-2026-01");
  traffic.send(1'500);
  ASSERT_TRUE(traffic.last.risky);
  const double before = group(*gate).report.bound;
  gate->saw_model(route, "default", route.weak, "weak-2026-01");
  EXPECT_GT(group(*gate).report.certified, 0u);
  gate->saw_model(route, "default", route.weak, "weak-2026-06");
  EXPECT_EQ(group(*gate).report.certified, 0u);
  EXPECT_EQ(group(*gate).report.bound, before) << "the ledger is never begun anew";
  traffic.send(1);
  EXPECT_FALSE(traffic.last.risky);
  EXPECT_EQ(traffic.last.reason, "contract_model_changed");
  traffic.send(2'000);
  EXPECT_TRUE(traffic.last.risky) << "certified again";
}

TEST(ContractGate, TheKillSwitchHoldsOverARestart) {
  ManualClock clock;
  const auto path = test_folder() + "switch.journal";
  const auto route = route_with();
  {
    const auto gate = gate_on(clock, path);
    EXPECT_EQ(gate->set_switch("default", "auto", false).error().code, "no_contract");
    Traffic traffic{*gate, route, always};
    traffic.send(1'500);
    ASSERT_TRUE(traffic.last.risky);
    ASSERT_TRUE(gate->set_switch("default", "auto", false));
    traffic.send(1);
    EXPECT_FALSE(traffic.last.risky);
    EXPECT_FALSE(traffic.last.shadow) << "nor is anything learned";
    EXPECT_EQ(traffic.last.reason, "contract_switched_off");
  }
  const auto gate = gate_on(clock, path);
  Traffic traffic{*gate, route, always};
  traffic.send(1);
  EXPECT_EQ(traffic.last.reason, "contract_switched_off");
  ASSERT_TRUE(gate->set_switch("default", "auto", true));
  traffic.send(1);
  EXPECT_NE(traffic.last.reason, "contract_switched_off");
}

TEST(ContractGate, AKillLeavesTheSameContractToTheByte) {
  ManualClock clock;
  const auto path = test_folder() + "kill.journal";
  const auto copy = test_folder() + "kill-copy.journal";
  auto terms = ContractTerms{};
  terms.groups = {"even"};
  const auto route = route_with(terms);
  std::filesystem::remove(path);
  // Both with and without checkpoints in between.
  for (const std::uint64_t bytes_max : {std::uint64_t{1} << 30, std::uint64_t{20'000}}) {
    std::filesystem::remove(path);
    const auto gate = gate_on(clock, path, bytes_max);
    Traffic even{*gate, route, [](int n) { return n % 40 != 0; }, [](int n) { return n % 7 / 7.0; }, "even"};
    Traffic odd{*gate, route, always};
    for (int round = 0; round < 12; ++round) {
      even.send(90);
      odd.send(60);
      // A seat that is open when the process dies.
      ContractQuestion question;
      question.tenant = "default";
      question.risky = true;
      question.checkable = true;
      (void)gate->admit(route, question);
      std::filesystem::copy_file(path, copy, std::filesystem::copy_options::overwrite_existing);
      const auto again = gate_on(clock, copy);
      ASSERT_TRUE(again);
      (void)again->ask(route, question);  // its route is known again
      EXPECT_EQ(again->states().at(0).restored_hash, gate->states().at(0).state_hash) << round;
      EXPECT_EQ(again->states().at(0).groups.at(1).report.open, 0u) << "what was open is booked at its worst";
    }
  }
}

TEST(ContractGate, ATornLastRecordIsDropped) {
  ManualClock clock;
  const auto path = test_folder() + "torn.journal";
  const auto route = route_with();
  std::string before;
  {
    const auto gate = gate_on(clock, path);
    Traffic traffic{*gate, route, always};
    traffic.send(50);
    before = gate->states().at(0).state_hash;
  }
  const auto whole = std::filesystem::file_size(path);
  {
    const auto gate = gate_on(clock, path);
    Traffic traffic{*gate, route, always};
    traffic.send(1);
  }
  std::filesystem::resize_file(path, whole + 5);
  const auto gate = gate_on(clock, path);
  ContractQuestion question;
  question.tenant = "default";
  (void)gate->ask(route, question);
  EXPECT_EQ(gate->states().at(0).restored_hash, before);
  double torn = 0;
  for (const auto& sample : gate->samples()) {
    if (sample.name == "brevet_contract_journal_torn_bytes") torn = sample.value;
  }
  EXPECT_EQ(torn, 5);
}

TEST(ContractGate, AnotherPromiseBeginsAnew) {
  ManualClock clock;
  const auto gate = gate_on(clock);
  const auto route = route_with();
  Traffic traffic{*gate, route, always};
  traffic.send(1'500);
  ASSERT_TRUE(traffic.last.risky);
  auto terms = ContractTerms{};
  terms.retain = .99;
  terms.key = "other";
  const auto stricter = route_with(terms);
  Traffic after{*gate, stricter, always};
  after.send(1);
  EXPECT_FALSE(after.last.risky);
  EXPECT_EQ(group(*gate).report.requests, 1u);
}

TEST(ContractGate, AnotherStrategyKeepsTheLedgerAndIsCertifiedAnew) {
  ManualClock clock;
  const auto gate = gate_on(clock);
  const auto route = route_with();
  Traffic traffic{*gate, route, always};
  traffic.send(1'500);
  const auto before = group(*gate).report;
  auto terms = ContractTerms{};
  terms.version = "another strategy";
  terms.key = "other";
  const auto changed = route_with(terms);
  Traffic after{*gate, changed, always};
  after.send(1);
  EXPECT_FALSE(after.last.risky);
  EXPECT_EQ(group(*gate).report.requests, before.requests + 1);
  EXPECT_GE(group(*gate).report.bound, before.bound);
}

TEST(ContractGate, LearningStopsWhereNothingCanBeGained) {
  ManualClock clock;
  const auto gate = gate_on(clock);
  const auto route = route_with();
  Traffic traffic{*gate, route, never};
  traffic.send(3'000);
  EXPECT_NE(group(*gate).learning, LearningStop::kGoesOn);
  EXPECT_FALSE(traffic.last.shadow);
  const auto json = contract_json(gate->states(), {});
  EXPECT_THAT(json, HasSubstr("Learning has stopped"));
}

TEST(ContractGate, AJudgeIsAuditedOnADrawnShare) {
  ManualClock clock;
  const auto gate = gate_on(clock);
  auto terms = ContractTerms{};
  terms.judge = "cheap";
  terms.auditor = "strong";
  terms.audit_share = .25;
  const auto route = route_with(terms);
  int audits = 0;
  int checks = 0;
  int weak = 0;
  // The judge says "the same" of everything; three in ten are wrong.
  for (int i = 0; i < 4'000; ++i) {
    ContractQuestion question;
    question.tenant = "default";
    question.risky = true;
    question.checkable = true;
    const auto seat = gate->admit(route, question);
    EXPECT_TRUE(seat.judged);
    weak += seat.risky ? 1 : 0;
    if (!seat.shadow) continue;
    ++checks;
    ContractFinding finding;
    finding.judged = true;
    if (seat.audit) finding.checked = i % 10 >= 3;
    audits += seat.audit ? 1 : 0;
    gate->settle(seat, finding);
  }
  EXPECT_GT(checks, 100);
  EXPECT_NEAR(audits / static_cast<double>(checks), .25, .1);
  EXPECT_EQ(weak, 0) << "what the judge hides, the audits show";
}

TEST(ContractReport, SaysWhatIsMissingAndWhatItStandsOn) {
  ManualClock clock;
  const auto gate = gate_on(clock);
  const auto route = route_with();
  Traffic traffic{*gate, route, always};
  traffic.send(60);
  const auto json = contract_json(gate->states(), {});
  EXPECT_THAT(json, HasSubstr("at least 95 of 100 are strong's own or match it"));
  EXPECT_THAT(json, HasSubstr("more requests at the present rate"));
  EXPECT_THAT(json, HasSubstr("where both are wrong alike, nothing is noticed"));
  EXPECT_THAT(json, HasSubstr("\"saved\":null"));
  traffic.send(2'000);
  EXPECT_THAT(contract_json(gate->states(), {}), HasSubstr("\"state\":\"serving\""));
}

}  // namespace
}  // namespace brevet
