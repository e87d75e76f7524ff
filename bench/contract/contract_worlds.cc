// The tests of a contract at full size: false certificates at the boundary, broken promises in hostile worlds
// and under late news, the alarm's run length and delay, the coin audit, and what an event costs. Usage:
// contract_worlds WHAT [SCALE]     WHAT: certificate power tight worlds late detector coins judge cost; SCALE
// 1 = full counts
#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "quality/certificate.h"
#include "quality/contract_worlds.h"
#include "quality/drift_detector.h"
#include "quality/proportion.h"

using namespace brevet;
using namespace brevet::contract_worlds;

namespace {

constexpr double kRho = .95;

std::string counted(int count, int runs) {
  const Interval exact =
      exact_proportion(static_cast<std::uint64_t>(count), static_cast<std::uint64_t>(runs));
  return fmt::format("{} of {} [{:.2f}%, {:.2f}%]", count, runs, 100 * exact.low, 100 * exact.high);
}

double draw_surplus(Draws& draws, double loss) {
  return draws.uniform() < loss ? -kRho : 1 - kRho;
}

/// Request at which it certifies, 0 = never.
int certified_after(double loss, double p, int steps, std::uint64_t seed) {
  Certificate certificate({kRho, .05, 1});
  Draws draws(seed, 2);
  for (int t = 1; t <= steps; ++t) {
    const double z = draw_surplus(draws, loss);
    const bool fired = draws.uniform() < p;
    certificate.observe({1, fired ? z / p : 0, 0, .9 * p});
    if (certificate.certified() > 0) return t;
  }
  return 0;
}

void certificate(int runs) {
  for (const double p : {1.0, .2, .05}) {
    int wrong = 0;
    for (int s = 0; s < runs; ++s)
      wrong += certified_after(.05, p, 10'000, static_cast<std::uint64_t>(s)) > 0;
    fmt::print("certificate, mean surplus 0, p {}, 10,000 steps, peeking at each, delta .05: false {}\n", p,
               counted(wrong, runs));
  }
}

void power(int runs) {
  for (const double p : {1.0, .2, .05}) {
    const double second = (.02 * kRho * kRho + .98 * .0025) / p;
    const int n = static_cast<int>(2 * second * std::log(10 / .05) / (.03 * .03));
    int found = 0;
    double total = 0;
    for (int s = 0; s < runs; ++s) {
      const int at = certified_after(.02, p, 4 * n, static_cast<std::uint64_t>(s));
      found += at > 0;
      total += at;
    }
    fmt::print("power, 2% lost, p {}: certified within 4n (n = {}) {}; mean {:.0f} requests\n", p, n,
               counted(found, runs), total / std::max(1, found));
  }
}

ContractOptions options_of(SurplusKind surplus) {
  ContractOptions options;
  options.surplus = surplus;
  options.positions = 10;
  options.shadow_floor = .2;
  options.alarm_run_length = 20'000;
  return options;
}

void tight(int runs) {
  for (const double delta : {.025, .05}) {
    int wrong = 0;
    for (int s = 0; s < runs; ++s) wrong += bound_ever_wrong(delta, static_cast<std::uint64_t>(s), 2'000);
    fmt::print("ledger's bound above the truth at any time, delta {}: {}\n", delta, counted(wrong, runs));
  }
}

const char* name_of_drift(Drift drift) {
  static constexpr const char* kNames[] = {"none",     "step",      "ramp",
                                           "periodic", "all wrong", "flips when trusted"};
  return kNames[static_cast<int>(drift)];
}

void worlds(int runs) {
  for (const SurplusKind surplus : {SurplusKind::kTruth, SurplusKind::kAgreement}) {
    for (const Drift drift : kEveryDrift) {
      int broken = 0, bound = 0, alarms = 0;
      double risky = 0;
      for (int s = 0; s < runs; ++s) {
        const Played run = run_world({.drift = drift}, options_of(surplus), static_cast<std::uint64_t>(s));
        broken += run.broken;
        bound += run.bound_wrong;
        alarms += run.alarms > 0;
        risky += static_cast<double>(run.risky) / 4'000;
      }
      fmt::print("world {}, {}: promise broken {}; above its bound {}; risky share {:.3f}; alarm in {}\n",
                 name_of_drift(drift), name_of(surplus), counted(broken, runs), counted(bound, runs),
                 risky / runs, alarms);
    }
  }
}

void late(int runs) {
  for (const Arrival arrival : {Arrival::kBadLate200, Arrival::kBadLate1000, Arrival::kBadNever}) {
    int broken = 0;
    double risky = 0;
    for (int s = 0; s < runs; ++s) {
      World world{.drift = Drift::kAllWrong, .arrival = arrival};
      world.loss_hard = .1;
      const Played run = run_world(world, options_of(SurplusKind::kTruth), static_cast<std::uint64_t>(s));
      broken += run.broken;
      risky += static_cast<double>(run.risky) / 4'000;
    }
    static constexpr const char* kNames[] = {"at once", "by 200", "by 1,000", "for ever"};
    fmt::print("all wrong from 2,000 on, bad news late {}: promise broken {}; risky share {:.3f}\n",
               kNames[static_cast<int>(arrival)], counted(broken, runs), risky / runs);
  }
}

void detector(int runs) {
  constexpr double kRunLength = 1'000;
  for (const double p : {1.0, .2, .05}) {
    double sum = 0, squares = 0;
    for (int s = 0; s < runs; ++s) {
      DriftDetector alarm({kRunLength});
      Draws draws(static_cast<std::uint64_t>(s), 4);
      double t = 0;
      constexpr double kLimit = 50'000;  // longer runs count as this, which only lowers the mean
      for (bool rang = false; !rang && t < kLimit; ++t)
        rang = alarm.observe(draws.uniform() < p ? draw_surplus(draws, .05) / p : 0, .05 / p);
      sum += t;
      squares += t * t;
    }
    const double mean = sum / runs, error = std::sqrt((squares / runs - mean * mean) / runs);
    fmt::print("alarm at the boundary, p {}: mean run length {:.0f} +- {:.0f} (promised {:.0f})\n", p, mean,
               error, kRunLength);
  }
  for (const double p : {1.0, .2}) {
    for (const double loss : {.1, .2, .5, 1.0}) {
      double total = 0;
      for (int s = 0; s < runs; ++s) {
        DriftDetector alarm({100'000});
        Draws draws(static_cast<std::uint64_t>(s), 4);
        for (int t = 0; t < 2'000; ++t)
          (void)alarm.observe(draws.uniform() < p ? draw_surplus(draws, .02) / p : 0, .05 / p);
        int delay = 0;
        for (bool rang = false; !rang && delay < 20'000; ++delay)
          rang = alarm.observe(draws.uniform() < p ? draw_surplus(draws, loss) / p : 0, .05 / p);
        total += delay;
      }
      fmt::print("alarm (run length 100,000), 2% lost becomes {:.0f}%, p {}: mean delay {:.0f} requests\n",
                 100 * loss, p, total / runs);
    }
  }
}

void coins(int runs) {
  for (const auto& [logged, real] : {std::pair{.2, .2}, {.2, .15}, {.05, .04}, {.05, .05}}) {
    int refuted = 0;
    double total = 0;
    for (int s = 0; s < runs; ++s) {
      CoinAudit audit;
      Draws draws(static_cast<std::uint64_t>(s), 3);
      for (int i = 1; i <= 20'000; ++i) {
        audit.observe(probability_of(logged), draws.uniform() < real);
        if (!audit.refuted()) continue;
        ++refuted;
        total += i;
        break;
      }
    }
    fmt::print("coins of {} that claim {}: refuted at 1/1000 within 20,000 in {}; mean {:.0f} requests\n",
               real, logged, counted(refuted, runs), total / std::max(1, refuted));
  }
}

void judge(int runs) {
  World world{.steps = 6'000};
  world.p_risky = .5;
  world.loss_easy = world.loss_hard = .1;
  world.judge_misses = .75;
  world.judged = true;
  ContractOptions options = options_of(SurplusKind::kAgreement);
  options.shadow_floor = .5;
  options.positions = 1;
  for (const auto& [believed, loss] : {std::pair{false, .1}, {true, .1}, {false, .01}}) {
    world.loss_easy = world.loss_hard = loss;
    world.believe_judge = believed;
    options.audit_floor = believed ? 1 : .2;
    int broken = 0;
    double risky = 0;
    for (int s = 0; s < runs; ++s) {
      const Played run = run_world(world, options, static_cast<std::uint64_t>(s));
      broken += run.broken;
      risky += static_cast<double>(run.risky) / 6'000;
    }
    fmt::print(
        "judge that misses 75% of lost answers, {:.0f}% lost, {}: promise broken {}; risky share {:.3f}\n",
        100 * loss, believed ? "believed" : "audited at .2", counted(broken, runs), risky / runs);
  }
}

void cost(int scale) {
  for (const std::uint32_t groups : {1u, 16u}) {
    for (const std::uint32_t positions : {1u, 20u, 100u}) {
      ContractOptions options = options_of(SurplusKind::kTruth);
      options.groups = groups;
      options.positions = positions;
      auto contract = std::move(*Contract::create(options));
      Draws draws(1, 1);
      const int count = 200'000 / scale;
      std::uint64_t settled = 0, bytes = 0;
      double admit_ns = 0, settle_ns = 0;
      using Clock = std::chrono::steady_clock;
      for (int i = 0; i < count; ++i) {
        AdmitEvent event;
        event.number = contract->next_number();
        event.group = static_cast<std::uint32_t>(i) % groups;
        event.wish = Wish::kRisky;
        event.position = 1 + static_cast<std::uint32_t>(draws.uniform() * positions);
        event.shadow_if_risky = probability_of(.2);
        event.shadow_if_reference = {Probability::kOne};
        const auto begun = Clock::now();
        const Admission admission = contract->admit(event);
        const auto admitted = Clock::now();
        admit_ns += std::chrono::duration<double, std::nano>(admitted - begun).count();
        bytes += event_bytes(event).size();
        if (!admission.shadow) continue;
        SettleEvent settle;
        settle.number = admission.number;
        settle.group = event.group;
        settle.truth = Qualities{1, draws.uniform() < .01 ? 0.0 : 1.0};
        const auto before = Clock::now();
        (void)contract->settle(settle);
        settle_ns += std::chrono::duration<double, std::nano>(Clock::now() - before).count();
        bytes += event_bytes(settle).size();
        ++settled;
      }
      fmt::print(
          "{} groups, {} positions: admit {:.2f} us, settle {:.2f} us, journal {:.1f} bytes a request, state "
          "{} bytes "
          "({} requests, {} settled)\n",
          groups, positions, admit_ns / count / 1e3, settle_ns / static_cast<double>(settled) / 1e3,
          static_cast<double>(bytes) / count, contract->state().size(), count, settled);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  const int scale = argc > 2 ? std::max(1, std::atoi(argv[2])) : 1;
  if (what == "certificate")
    certificate(2'000 / scale);
  else if (what == "power")
    power(1'000 / scale);
  else if (what == "tight")
    tight(2'000 / scale);
  else if (what == "worlds")
    worlds(2'000 / scale);
  else if (what == "late")
    late(1'000 / scale);
  else if (what == "detector")
    detector(2'000 / scale);
  else if (what == "coins")
    coins(1'000 / scale);
  else if (what == "judge")
    judge(400 / scale);
  else if (what == "cost")
    cost(scale);
  else {
    fmt::print(
        stderr,
        "usage: contract_worlds certificate|power|tight|worlds|late|detector|coins|judge|cost [SCALE]\n");
    return 2;
  }
  return 0;
}
