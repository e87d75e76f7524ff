// Goal: the contract keeps its promise in hostile worlds, and is the same bytes after every restart. Method:
// seeded worlds with known truth (contract_worlds.h), journals replayed from every point, outcomes shuffled,
// doubled and lost; mutants of the use that must break the promise.
#include "quality/contract.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "quality/contract_worlds.h"
#include "quality/delta_plan.h"

namespace brevet {
namespace {

using namespace contract_worlds;

ContractOptions options_of(SurplusKind surplus, double floor) {
  ContractOptions options;
  options.surplus = surplus;
  options.positions = 10;
  options.shadow_floor = floor;
  options.alarm_run_length = 20'000;
  options.key = {1, 2};
  return options;
}

TEST(Contract, KeepsItsPromiseInEveryWorld) {
  for (const SurplusKind surplus : {SurplusKind::kTruth, SurplusKind::kAgreement, SurplusKind::kOneSided}) {
    for (const Drift drift : kEveryDrift) {
      int broken = 0, bound_wrong = 0;
      std::uint64_t risky = 0;
      for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        const Played run = run_world({.drift = drift}, options_of(surplus, .2), seed);
        broken += run.broken;
        bound_wrong += run.bound_wrong;
        risky += run.risky;
      }
      EXPECT_LE(broken, 2) << name_of(surplus) << static_cast<int>(drift);  // delta .025: P(> 2 of 12) = .003
      EXPECT_LE(bound_wrong, 2) << name_of(surplus) << static_cast<int>(drift);
      if (drift != Drift::kRamp) {
        EXPECT_GT(risky, 0u) << name_of(surplus) << static_cast<int>(drift);
      }
    }
  }
}

TEST(Contract, KeepsItsPromiseWhenBadNewsIsLateOrNeverComes) {
  for (const Arrival arrival : {Arrival::kBadLate200, Arrival::kBadLate1000, Arrival::kBadNever}) {
    int broken = 0;
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
      World world{.drift = Drift::kAllWrong, .arrival = arrival};
      world.loss_hard = .1;
      broken += run_world(world, options_of(SurplusKind::kTruth, .2), seed).broken;
    }
    EXPECT_LE(broken, 2) << static_cast<int>(arrival);
  }
}

TEST(Contract, WritesOffOldCreditSoThatALongGoodPastCannotPayForABadRun) {
  World world{.drift = Drift::kAllWrong, .steps = 12'000};
  world.loss_hard = 0;  // perfect for 10,000 requests, then always wrong
  world.change_at = 10'000;
  world.p_risky = 1;
  const auto served_wrong = [&](double credit_max) {
    ContractOptions options = options_of(SurplusKind::kTruth, .2);
    options.credit_max = credit_max;
    options.uncertified = Uncertified::kWithinCredit;
    options.alarm_run_length = 1e300;  // the ledger alone
    const Played run = run_world(world, options, 5);
    EXPECT_FALSE(run.broken);
    return run.risky - run.risky_before_change;
  };
  const std::uint64_t bounded = served_wrong(60);
  EXPECT_LT(bounded, 200u);  // 60 of credit and 90 earned by references meanwhile, at .86 a request
  EXPECT_GT(served_wrong(1e6), 450u);
}

TEST(Contract, AJudgeThatHidesLossesIsCaughtByItsAudits) {
  World world{.steps = 6'000};
  world.p_risky = .5;
  world.loss_easy = .1;
  world.loss_hard = .1;
  world.judge_misses = .75;
  world.judged = true;
  ContractOptions options = options_of(SurplusKind::kAgreement, .5);
  options.positions = 1;
  World believed = world;
  believed.believe_judge = true;
  int broken = 0, broken_believing = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    options.audit_floor = .2;
    broken += run_world(world, options, seed).broken;
    options.audit_floor = 1;
    broken_believing += run_world(believed, options, seed).broken;
  }
  EXPECT_LE(broken, 2);
  EXPECT_GE(broken_believing, 9);
}

TEST(Contract, GoesToTheCheapSideWhereThatIsRightAndTheAlarmEndsIt) {
  World good;
  good.loss_hard = .2;
  good.steps = 8'000;
  const Played run = run_world(good, options_of(SurplusKind::kTruth, .2), 3);
  EXPECT_FALSE(run.broken);
  EXPECT_GE(run.certified, 5u);  // best in hindsight: .05 * .9 = .9 * .2 u^3 / 3 - .01 * .1 u at u = .92
  EXPECT_GT(run.risky, 2'500u);
  World fallen = good;
  fallen.drift = Drift::kStep;
  fallen.change_at = 6'000;
  const Played alarm = run_world(fallen, options_of(SurplusKind::kTruth, .2), 3);
  EXPECT_FALSE(alarm.broken);
  ASSERT_GE(alarm.alarms, 1u);
  EXPECT_GT(alarm.first_alarm, 6'000u);
  EXPECT_LT(alarm.first_alarm, 7'000u);
}

TEST(Contract, DeltaIsSharedAsPlanned) {
  const ContractOptions options = options_of(SurplusKind::kTruth, .2);
  auto contract = std::move(*Contract::create(options));
  EXPECT_NEAR(contract->report(0).next_log_needed, -std::log(DeltaPlan{.95, 1}.certificate(1)), 1e-9);
  contract->restart({0, RestartEvent::Why::kModelChanged});
  EXPECT_NEAR(contract->report(0).next_log_needed, -std::log(DeltaPlan{.95, 1}.certificate(2)), 1e-9);
  EXPECT_EQ(contract->report(0).version, 2u);
  EXPECT_EQ(contract->would_refuse(0, 1), Refusal::kModelChanged);
}

TEST(Contract, RefusesWithItsReasonAndTheKillSwitchWins) {
  auto contract = std::move(*Contract::create(options_of(SurplusKind::kAgreement, 1)));
  const auto ask = [&] {
    AdmitEvent event;
    event.number = contract->next_number();
    event.wish = Wish::kRisky;
    event.position = 1;
    event.shadow_if_risky = event.shadow_if_reference = {Probability::kOne};
    return contract->admit(event);
  };
  EXPECT_EQ(ask().refusal, Refusal::kNotCertified);
  // Evidence counts in the order of admission: the open first request holds up what comes after it.
  EXPECT_EQ(contract->expire({1, 0}).settling, Settling::kBooked);
  for (int i = 0; i < 400; ++i) {
    const Admission admission = ask();
    SettleEvent good;
    good.number = admission.number;
    good.truth = Qualities{1, 1};
    EXPECT_EQ(contract->settle(good).settling, Settling::kBooked);
  }
  EXPECT_EQ(ask().served, Served::kRisky);
  contract->set_switch({false});
  EXPECT_EQ(ask().refusal, Refusal::kSwitchedOff);
  EXPECT_EQ(code_of(ask().refusal), "contract_switched_off");
  contract->set_switch({true});
  // One request after the other is served on credit until there is none: no news comes.
  int served = 0;
  while (ask().served == Served::kRisky) ++served;
  EXPECT_GT(served, 5);
  EXPECT_EQ(ask().refusal, Refusal::kNoCredit);
  EXPECT_GE(contract->report(0).bound, 0);
}

TEST(Contract, FirstNewsCountsAndIllegalNewsChangesNothing) {
  ContractOptions options = options_of(SurplusKind::kTruth, .3);
  auto contract = std::move(*Contract::create(options));
  std::uint64_t fell = 0, not_fell = 0;
  for (int i = 0; i < 40; ++i) {
    AdmitEvent event;
    event.number = contract->next_number();
    event.position = 1;
    event.shadow_if_reference = probability_of(.5);
    const Admission admission = contract->admit(event);
    (admission.shadow ? fell : not_fell) = admission.number;
  }
  ASSERT_TRUE(fell && not_fell);
  SettleEvent settle;
  settle.number = not_fell;
  settle.truth = Qualities{1, 1};
  const std::string before = contract->state();
  EXPECT_EQ(contract->settle(settle).settling, Settling::kIllegal);
  settle.number = 1'000;
  EXPECT_EQ(contract->settle(settle).settling, Settling::kUnknown);
  EXPECT_EQ(contract->state(), before);
  settle.number = fell;
  EXPECT_EQ(contract->settle(settle).settling, Settling::kBooked);
  const std::string after = contract->state();
  settle.truth = Qualities{1, 0};
  EXPECT_NE(contract->settle(settle).settling, Settling::kBooked);
  EXPECT_EQ(contract->state(), after);
}

TEST(Contract, AReferenceEarnsNothingBeforeItHasAnswered) {
  ContractOptions options = options_of(SurplusKind::kAgreement, .5);
  auto contract = std::move(*Contract::create(options));
  const auto admit = [&](bool answered) {
    AdmitEvent event;
    event.number = contract->next_number();
    event.position = 1;
    event.shadow_if_reference = probability_of(.5);
    event.answered = answered;
    return contract->admit(event);
  };
  // The provider is down: nothing is served, and nothing is earned, by ledger or certificate.
  const double cold = contract->report(0).bound;
  std::uint64_t checked = 0;
  for (int i = 0; i < 1'200; ++i) {
    const Admission admission = admit(false);
    checked += admission.shadow;
    EXPECT_EQ(contract->expire({admission.number, 0}).settling, Settling::kBooked);
  }
  EXPECT_GT(checked, 400u);
  EXPECT_EQ(contract->report(0).bound, cold);
  for (const double wealth : contract->log_wealth(0)) EXPECT_LE(wealth, 0);
  // It answers: known at the admission, or afterwards, once, whether or not a comparison is to come.
  SettleEvent answered;
  answered.reference = 1;
  for (const bool at_once : {true, false}) {
    for (int i = 0; i < 20; ++i) {
      const double before = contract->report(0).bound;
      const Admission admission = admit(at_once);
      answered.number = admission.number;
      EXPECT_NEAR(contract->report(0).bound, before + (at_once ? .05 : 0), 1e-6);
      const Settling first = contract->settle(answered).settling;
      EXPECT_EQ(first == Settling::kBooked, !at_once);
      EXPECT_NE(contract->settle(answered).settling, Settling::kBooked);
      EXPECT_NEAR(contract->report(0).bound, before + .05, 1e-6);
      if (!admission.shadow) continue;
      SettleEvent found;
      found.number = admission.number;
      found.truth = Qualities{1, 1};
      EXPECT_EQ(contract->settle(found).settling, Settling::kBooked);
      EXPECT_NEAR(contract->report(0).bound, before + .05, 1e-6);
    }
  }
}

TEST(Contract, WhatIsNotANumberIsRefused) {
  for (const SurplusKind surplus : {SurplusKind::kTruth, SurplusKind::kAgreement}) {
    ContractOptions options = options_of(surplus, 1);
    auto contract = std::move(*Contract::create(options));
    AdmitEvent event;
    event.number = contract->next_number();
    event.position = 1;
    (void)contract->admit(event);
    const std::string before = contract->state();
    for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
      SettleEvent settle;
      settle.number = event.number;
      settle.truth = Qualities{1, bad};
      EXPECT_EQ(contract->settle(settle).settling, Settling::kIllegal);
      settle.truth = Qualities{bad, 1};
      EXPECT_EQ(contract->settle(settle).settling, Settling::kIllegal);
      settle.truth = Qualities{1, 1};
      settle.judged = Qualities{1, bad};
      EXPECT_EQ(contract->settle(settle).settling, Settling::kIllegal);
    }
    EXPECT_EQ(contract->state(), before);
  }
}

TEST(Contract, WhatNoPositionServesIsNeverServedByCredit) {
  ContractOptions options = options_of(SurplusKind::kAgreement, 1);
  options.uncertified = Uncertified::kWithinCredit;
  auto contract = std::move(*Contract::create(options));
  const auto ask = [&](std::uint32_t position) {
    AdmitEvent event;
    event.number = contract->next_number();
    event.wish = position == 5 ? Wish::kReference : Wish::kRisky;
    event.position = position;
    event.answered = true;
    return contract->admit(event);
  };
  for (int i = 0; i < 200; ++i) {
    SettleEvent good;
    good.number = ask(5).number;
    good.truth = Qualities{1, 1};
    (void)contract->settle(good);
  }
  for (const std::uint32_t position : {0u, options.positions + 1, kNeverRisky}) {
    EXPECT_EQ(contract->would_refuse(0, position), Refusal::kNotCertified) << position;
    EXPECT_EQ(ask(position).served, Served::kReference) << position;
  }
  EXPECT_EQ(ask(options.positions).served, Served::kRisky);
}

TEST(Contract, CountsEveryRefusalAndSaysWhenItsCoinsAreRefuted) {
  ContractOptions options = options_of(SurplusKind::kAgreement, 1);
  auto contract = std::move(*Contract::create(options));
  const auto ask = [&] {
    AdmitEvent event;
    event.number = contract->next_number();
    event.wish = Wish::kRisky;
    event.position = 1;
    return contract->admit(event).refusal;
  };
  EXPECT_EQ(ask(), Refusal::kNotCertified);
  contract->restart({0, RestartEvent::Why::kModelChanged});
  EXPECT_EQ(ask(), Refusal::kModelChanged);
  contract->set_switch({false});
  EXPECT_EQ(ask(), Refusal::kSwitchedOff);
  const GroupReport report = contract->report(0);
  EXPECT_EQ(report.refused_certificate, 1u);
  EXPECT_EQ(report.refused_model, 1u);
  EXPECT_EQ(report.refused_switch, 1u);
  EXPECT_EQ(report.refused_drift + report.refused_coins + report.refused_credit, 0u);
}

TEST(Contract, AnAlarmThatAnAdmissionSetsOffIsSaid) {
  // Requests whose news never comes: the oldest is booked out at its worst when a new one is admitted.
  ContractOptions options = options_of(SurplusKind::kTruth, 1);
  options.open_max = 8;
  options.alarm_run_length = 1'000;
  auto contract = std::move(*Contract::create(options));
  std::uint64_t said = 0;
  for (int i = 0; i < 400; ++i) {
    AdmitEvent event;
    event.number = contract->next_number();
    event.wish = Wish::kRisky;
    event.position = 1;
    const Admission admission = contract->admit(event);
    said += admission.alarm;
    if (i >= 200) continue;
    SettleEvent good;
    good.number = admission.number;
    good.truth = Qualities{1, 1};
    said += contract->settle(good).alarm;
  }
  EXPECT_GE(contract->report(0).alarms, 1u);
  EXPECT_EQ(said, contract->report(0).alarms);
}

TEST(Contract, ACheckpointOfOtherTermsIsRefused) {
  const ContractOptions options = options_of(SurplusKind::kTruth, .2);
  const std::string state = (*Contract::create(options))->state();
  EXPECT_TRUE(Contract::restore(options, state));
  ContractOptions floor = options, open = options;
  floor.shadow_floor = .1;
  open.open_max = 100;
  for (const ContractOptions& other : {floor, open})
    EXPECT_EQ(Contract::restore(other, state).error().code, "contract_state_mismatch");
}

TEST(Contract, AChallengerCollectsItsOwnEvidenceAndTakesOver) {
  ContractOptions options = options_of(SurplusKind::kAgreement, 1);
  options.positions = 1;
  auto contract = std::move(*Contract::create(options));
  contract->freeze({0, 2});
  Draws draws(1, 1);
  for (int i = 0; i < 1'500; ++i) {
    AdmitEvent event;
    event.number = contract->next_number();
    const bool hard = draws.uniform() < .3;
    event.position = 1;                          // the first version sends everything
    event.challenger_position = hard ? 2u : 1u;  // the challenger knows what is hard
    const Admission admission = contract->admit(event);
    SettleEvent settle;
    settle.number = admission.number;
    settle.truth = Qualities{1, hard ? 0.0 : 1.0};
    contract->settle(settle);
  }
  GroupReport report = contract->report(0);
  EXPECT_EQ(report.certified, 0u);
  EXPECT_EQ(report.challenger_certified, 1u);
  EXPECT_EQ(report.challenger_version, 2u);
  contract->adopt({0});
  report = contract->report(0);
  EXPECT_EQ(report.version, 2u);
  EXPECT_EQ(report.certified, 1u);
  EXPECT_EQ(report.challenger_version, 0u);
  EXPECT_EQ(contract->would_refuse(0, 1), Refusal::kNone);
  EXPECT_EQ(contract->would_refuse(0, 2), Refusal::kNotCertified);
}

/// A long random history of every kind of event, as journal records.
std::vector<std::string> random_journal(const ContractOptions& options, std::uint64_t seed, int length) {
  auto contract = std::move(*Contract::create(options));
  Draws draws(seed, 31);
  std::vector<std::string> journal;
  std::vector<SettleEvent> open;
  const auto write = [&](const ContractEvent& event) {
    journal.push_back(event_bytes(event));
    EXPECT_LE(journal.back().size(), kEventBytesMax);
  };
  for (int i = 0; i < length; ++i) {
    const double what = draws.uniform();
    const auto group = static_cast<std::uint32_t>(draws.uniform() * options.groups);
    if (what < .6) {
      AdmitEvent event;
      event.number = contract->next_number();
      event.group = group;
      event.wish = draws.uniform() < .8 ? Wish::kRisky : Wish::kReference;
      event.position = 1 + static_cast<std::uint32_t>(draws.uniform() * 12);
      event.challenger_position = 1 + static_cast<std::uint32_t>(draws.uniform() * 4);
      event.shadow_if_risky = probability_of(draws.uniform());
      event.shadow_if_reference = probability_of(1.5 * draws.uniform());
      event.prediction = fixed_near(draws.uniform() - .5);
      event.judged = draws.uniform() < .2;
      event.audit = probability_of(draws.uniform());
      event.answered = draws.uniform() < .5;
      write(event);
      const Admission admission = contract->admit(event);
      SettleEvent settle;
      settle.number = admission.number;
      settle.group = group;
      const Qualities found{1, draws.uniform() < .03 ? 0.0 : 1.0};
      if (admission.shadow && (!event.judged || admission.audit)) settle.truth = found;
      if (admission.shadow && event.judged) settle.judged = found;
      if (!admission.shadow) settle.reference = .75;
      open.push_back(settle);
    } else if (what < .96 && !open.empty()) {
      const auto pick = static_cast<std::size_t>(draws.uniform() * static_cast<double>(open.size()));
      write(open[pick]);
      (void)contract->settle(open[pick]);
      if (draws.uniform() < .8) open.erase(open.begin() + static_cast<std::ptrdiff_t>(pick));
    } else if (what < .97) {
      ExpireEvent event{
          static_cast<std::uint64_t>(draws.uniform() * static_cast<double>(contract->next_number())), group,
          draws.uniform() < .3};
      write(event);
      (void)contract->expire(event);
    } else {
      const double kind = draws.uniform();
      ContractEvent event = FloorEvent{group, probability_of(kind < .1 ? 0 : .1 + .5 * draws.uniform())};
      if (kind < .5) event = FreezeEvent{group, 4};
      if (kind < .35) event = AdoptEvent{group};
      if (kind < .2) event = RestartEvent{group, RestartEvent::Why::kModelChanged};
      if (kind < .1) event = SwitchEvent{draws.uniform() < .7};
      write(event);
      EXPECT_TRUE(contract->apply(event));
    }
  }
  return journal;
}

TEST(Contract, AReplayedJournalGivesTheSameBytesFromEveryCheckpoint) {
  for (const SurplusKind surplus : {SurplusKind::kTruth, SurplusKind::kAgreement}) {
    ContractOptions options = options_of(surplus, .2);
    options.groups = 3;
    options.audit_floor = .25;
    options.open_max = 60;
    options.prediction_min = -.3;
    const auto journal = random_journal(options, 9, 4'000);
    auto whole = std::move(*Contract::create(options));
    std::vector<std::string> checkpoints;
    for (std::size_t i = 0; i < journal.size(); ++i) {
      if (i % 500 == 0) checkpoints.push_back(whole->state());
      const auto event = event_of(journal[i]);
      ASSERT_TRUE(event);
      EXPECT_EQ(event_bytes(*event), journal[i]);
      ASSERT_TRUE(whole->apply(*event)) << i;
    }
    const std::string end = whole->state();
    for (std::size_t c = 0; c < checkpoints.size(); ++c) {
      auto restored = Contract::restore(options, checkpoints[c]);
      ASSERT_TRUE(restored) << restored.error().message;
      EXPECT_EQ((*restored)->state(), checkpoints[c]);
      for (std::size_t i = c * 500; i < journal.size(); ++i)
        ASSERT_TRUE((*restored)->apply(*event_of(journal[i])));
      EXPECT_EQ((*restored)->state(), end) << c;
    }
    EXPECT_EQ(Contract::restore(options, std::string_view(end).substr(0, end.size() - 1)).error().code,
              "contract_state_broken");
    ContractOptions other = options;
    other.retain = .9;
    EXPECT_EQ(Contract::restore(other, end).error().code, "contract_state_mismatch");
  }
}

TEST(Contract, TheOrderInWhichNewsComesDoesNotChangeTheBytes) {
  ContractOptions options = options_of(SurplusKind::kTruth, .3);
  options.alarm_run_length = 1e9;
  const auto end_state = [&](std::uint64_t order) {
    auto contract = std::move(*Contract::create(options));
    std::vector<SettleEvent> news;
    Draws world(4, 4);
    for (int i = 0; i < 600; ++i) {
      AdmitEvent event;
      event.number = contract->next_number();
      event.wish = Wish::kRisky;
      event.position = 1 + static_cast<std::uint32_t>(world.uniform() * 10);
      event.shadow_if_risky = event.shadow_if_reference = probability_of(.6);
      const Admission admission = contract->admit(event);
      SettleEvent settle;
      settle.number = admission.number;
      const Qualities found{1, world.uniform() < .02 ? 0.0 : 1.0};
      if (admission.shadow)
        settle.truth = found;
      else
        settle.reference = 1;
      news.push_back(settle);
    }
    Draws shuffle(order, 1);
    if (order > 0)
      for (std::size_t i = news.size(); i > 1; --i)
        std::swap(news[i - 1], news[static_cast<std::size_t>(shuffle.uniform() * static_cast<double>(i))]);
    for (const SettleEvent& settle : news) {
      (void)contract->settle(settle);
      if (order % 2 == 1) (void)contract->settle(settle);  // duplicates
    }
    return contract->state();
  };
  const std::string in_order = end_state(0);
  for (std::uint64_t order = 1; order <= 6; ++order) EXPECT_EQ(end_state(order), in_order) << order;
}

TEST(Contract, BrokenJournalsAndImpossibleTermsAreRefused) {
  EXPECT_EQ(event_of("").error().code, "contract_journal_broken");
  EXPECT_EQ(event_of("\x63garbage").error().code, "contract_journal_broken");
  const std::string record = event_bytes(AdmitEvent{});
  EXPECT_FALSE(event_of(std::string_view(record).substr(0, record.size() - 1)));
  EXPECT_FALSE(event_of(record + "x"));
  auto contract = std::move(*Contract::create(options_of(SurplusKind::kTruth, .2)));
  EXPECT_FALSE(contract->apply(AdmitEvent{.number = 5}));
  EXPECT_FALSE(contract->apply(AdmitEvent{.number = 1, .group = 7}));
  for (const auto& change : std::vector<std::function<void(ContractOptions&)>>{
           [](ContractOptions& o) { o.retain = 1; }, [](ContractOptions& o) { o.confidence = 1; },
           [](ContractOptions& o) { o.groups = 0; }, [](ContractOptions& o) { o.positions = 5'000; },
           [](ContractOptions& o) { o.shadow_floor = 0; }, [](ContractOptions& o) { o.audit_floor = 0; },
           [](ContractOptions& o) { o.credit_max = .1; }}) {
    ContractOptions options = options_of(SurplusKind::kTruth, .2);
    change(options);
    EXPECT_EQ(Contract::create(options).error().code, "contract_impossible");
  }
}

}  // namespace
}  // namespace brevet
