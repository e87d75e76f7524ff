#include "quality/contract.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <deque>

#include "base/random.h"
#include "quality/delta_plan.h"
#include "quality/state_bytes.h"

namespace brevet {
namespace {

constexpr std::uint64_t kStateVersion = 2;
/// Refusing to serve for ever needs more than the one in a thousand that a report calls a refutation.
constexpr double kCoinDelta = 1e-6;

/// What a group remembers of a request until nothing can come for it any more.
struct Open {
  std::uint64_t number = 0;
  LedgerStep step;  ///< also where the reference was served: how the comparison is measured
  Served served = Served::kReference;
  bool watched_risky = false;  ///< served, or would be by the certificate alone: what the alarm watches
  std::uint32_t position = kNeverRisky, challenger_position = kNeverRisky;
  std::uint32_t version = 0, challenger_version = 0;
  Probability floor;
  bool closed = false;    ///< settled or expired
  bool resolved = false;  ///< the estimates below are final
  bool answered = false;  ///< the reference has answered in full
  double risky_estimate = 0;
  double reference_estimate = 0;
};

struct Version {
  std::uint32_t number = 0;
  Certificate certificate;
};

struct Group {
  Ledger ledger;
  DriftDetector alarm;
  Version serving;
  std::optional<Version> challenger;
  std::uint32_t versions = 1;  ///< made so far
  Probability floor;
  Refusal standing = Refusal::kNone;
  std::deque<Open> open;  ///< by number
  std::size_t fed = 0;    ///< so many of `open` have reached the certificates
  GroupReport counts;     ///< only its counters are kept here
};

std::uint64_t identity_of(const ContractOptions& options) {
  std::string bytes;
  for (const double value : {options.retain, options.confidence, options.credit_max, options.alarm_run_length,
                             options.audit_floor, options.prediction_min, options.shadow_floor})
    put_bytes(bytes, value);
  for (const std::uint64_t value :
       {std::uint64_t{options.groups}, std::uint64_t{options.positions}, options.key.low, options.key.high,
        std::uint64_t{options.open_max}, kContractArithmetic, static_cast<std::uint64_t>(options.surplus),
        static_cast<std::uint64_t>(options.uncertified)})
    put_bytes(bytes, value);
  return hash_bytes(bytes);
}

class ContractImpl final : public Contract {
 public:
  explicit ContractImpl(const ContractOptions& options)
      : options_(options), delta_{options.confidence, options.groups} {
    for (std::uint32_t g = 0; g < options.groups; ++g) {
      LedgerOptions ledger;
      ledger.retain = options.retain;
      ledger.delta = delta_.ledger();
      ledger.surplus_max = surplus_max(options.surplus, options.retain);
      ledger.credit_max = options.credit_max;
      DriftOptions drift;
      drift.run_length = options.alarm_run_length;
      groups_.push_back({Ledger(ledger),
                         DriftDetector(drift),
                         version(1, options.positions),
                         std::nullopt,
                         1,
                         probability_of(options.shadow_floor),
                         Refusal::kNone,
                         {},
                         0,
                         {}});
    }
  }

  const ContractOptions& options() const override { return options_; }
  std::uint64_t next_number() const override { return next_number_; }

  Refusal would_refuse(std::uint32_t g, std::uint32_t position) const override {
    const Group& group = groups_[g];
    if (!on_) return Refusal::kSwitchedOff;
    if (coins_.refuted(kCoinDelta)) return Refusal::kCoinsRefuted;
    if (on_path(position, group.serving.certificate) == kNeverRisky) return Refusal::kNotCertified;
    if (options_.uncertified == Uncertified::kReferenceOnly || group.standing != Refusal::kNone) {
      if (position > group.serving.certificate.certified())
        return group.standing != Refusal::kNone ? group.standing : Refusal::kNotCertified;
    }
    return group.ledger.credit_left() >= fixed_near(options_.retain) ? Refusal::kNone : Refusal::kNoCredit;
  }

  Admission admit(const AdmitEvent& event) override {
    assert(event.number == next_number_ && event.group < groups_.size());
    Group& group = groups_[event.group];
    Admission admission;
    admission.number = next_number_++;
    admission.credit = group.ledger.credit();
    if (event.wish == Wish::kRisky) {
      admission.refusal = would_refuse(event.group, event.position);
      admission.served = admission.refusal == Refusal::kNone ? Served::kRisky : Served::kReference;
      if (auto* count = refused(group.counts, admission.refusal)) ++*count;
    }
    const bool risky = admission.served == Served::kRisky;
    const std::uint32_t position = on_path(event.position, group.serving.certificate);
    Open open;
    open.number = admission.number;
    open.served = admission.served;
    // The alarm asks whether what is certified still holds, also while the ledger refuses to serve it.
    open.watched_risky = risky || position <= group.serving.certificate.certified();
    open.floor = group.floor;
    open.position = position;
    open.challenger_position = event.challenger_position == 0 ? kNeverRisky : event.challenger_position;
    open.answered = !risky && event.answered;
    open.version = group.serving.number;
    open.challenger_version = group.challenger ? group.challenger->number : 0;
    LedgerStep& step = open.step;
    // What no position gives away needs no comparison, and its estimate is known.
    const bool never = position == kNeverRisky && open.challenger_position == kNeverRisky;
    step.p = never && !risky
                 ? Probability{}
                 : std::max(risky ? event.shadow_if_risky : event.shadow_if_reference, group.floor);
    step.p = std::min(step.p, Probability{Probability::kOne});
    step.prediction =
        std::clamp(event.prediction, fixed_near(options_.prediction_min), fixed_near(1 - options_.retain));
    step.judged = event.judged;
    if (step.judged)
      step.audit =
          std::clamp(event.audit, probability_of(options_.audit_floor), Probability{Probability::kOne});
    step.fired = coin_falls(options_.key, open.number, CoinUse::kShadow, step.p);
    step.audited = step.judged && coin_falls(options_.key, open.number, CoinUse::kAudit, step.audit);
    coins_.observe(step.p, step.fired);
    admission.probability = step.p;
    admission.shadow = step.fired;
    admission.audit = step.fired && step.audited;

    ++group.counts.requests;
    group.counts.risky += risky ? 1 : 0;
    group.counts.shadows += step.fired ? 1 : 0;
    const bool agreement = options_.surplus == SurplusKind::kAgreement;
    if (risky)
      group.ledger.admit(step);
    else if (agreement && open.answered)
      group.ledger.reference_measured(fixed_floor(reference_of(1)));
    if (!step.fired) {
      open.risky_estimate = step.prediction.value();
      open.reference_estimate = agreement ? 1 - options_.retain : 0;
      // Else the reference's answer, or its quality, may still come.
      open.closed = risky || (agreement && open.answered);
      open.resolved = open.closed || !agreement;
    }
    group.open.push_back(open);
    admission.alarm = feed(group);
    while (group.open.size() > options_.open_max) {
      close(group, group.open.front());
      admission.alarm |= feed(group);
    }
    return admission;
  }

  SettleAnswer settle(const SettleEvent& event) override {
    Group& group = groups_[event.group];
    Open* open = find(group, event.number);
    if (open == nullptr) return {Settling::kUnknown, false};
    if (open->closed) return {Settling::kDuplicate, false};
    const LedgerStep& step = open->step;
    const bool risky = open->served == Served::kRisky,
               agreement = options_.surplus == SurplusKind::kAgreement;
    if (!finite(event)) return {Settling::kIllegal, false};
    const bool compared = event.truth || event.judged;
    if (agreement && step.fired && event.reference && !compared) {
      if (risky) return {Settling::kIllegal, false};
      if (open->answered) return {Settling::kDuplicate, false};
      answered(group, *open);
      return {Settling::kBooked, false};
    }
    if (!step.fired) {  // only the quality of a reference that was served
      if (risky || !event.reference) return {Settling::kIllegal, false};
      if (agreement)
        answered(group, *open);
      else
        group.ledger.reference_measured(fixed_floor(reference_of(*event.reference)));
    } else {
      if (step.judged ? !event.judged || (step.audited && !event.truth) : !event.truth)
        return {Settling::kIllegal, false};
      const Qualities truth = event.truth.value_or(Qualities{0, 0});
      const Qualities judged = event.judged.value_or(truth);
      const auto surplus_of = [&](Qualities qualities, double best) {
        return fixed_floor(
            std::clamp(risky_surplus(options_.surplus, options_.retain, qualities), -options_.retain, best));
      };
      const Fixed z = surplus_of(truth, surplus_max(options_.surplus, options_.retain));
      const Fixed z_judged = surplus_of(judged, 1 - options_.retain);
      if (risky)
        group.ledger.settle(step, {z, z_judged});
      else if (agreement)
        answered(group, *open);
      else if (event.truth)
        group.ledger.reference_measured(fixed_floor(reference_of(truth.reference)));
      estimate(*open, z.value(), z_judged.value(), reference_of(truth.reference),
               reference_of(judged.reference));
    }
    open->closed = open->resolved = true;
    ++group.counts.settled;
    return {Settling::kBooked, feed(group)};
  }

  SettleAnswer expire(const ExpireEvent& event) override {
    Group& group = groups_[event.group];
    SettleAnswer answer;
    if (event.all_before) {
      for (Open& open : group.open) {
        if (open.number > event.number) break;
        if (open.closed) continue;
        close(group, open);
        answer.settling = Settling::kBooked;
      }
    } else if (Open* open = find(group, event.number)) {
      answer.settling = open->closed ? Settling::kDuplicate : Settling::kBooked;
      if (!open->closed) close(group, *open);
    }
    answer.alarm = feed(group);
    return answer;
  }

  void freeze(const FreezeEvent& event) override {
    Group& group = groups_[event.group];
    group.challenger =
        version(++group.versions, std::clamp(event.positions, 1u, ContractOptions::kPositionsMax));
  }

  void adopt(const AdoptEvent& event) override {
    Group& group = groups_[event.group];
    if (!group.challenger) return;
    group.serving = std::move(*group.challenger);
    group.challenger.reset();
    if (group.serving.certificate.certified() > 0) group.standing = Refusal::kNone;
  }

  void restart(const RestartEvent& event) override {
    Group& group = groups_[event.group];
    forget(group,
           event.why == RestartEvent::Why::kModelChanged ? Refusal::kModelChanged : Refusal::kNotCertified);
    ++group.counts.restarts;
  }

  void set_floor(const FloorEvent& event) override {
    groups_[event.group].floor = std::min(event.floor, Probability{Probability::kOne});
  }

  void set_switch(const SwitchEvent& event) override { on_ = event.on; }

  Result<> apply(const ContractEvent& event) override {
    const bool possible = std::visit(
        [&](const auto& e) {
          using Event = std::decay_t<decltype(e)>;
          if constexpr (std::is_same_v<Event, SwitchEvent>) {
            set_switch(e);
            return true;
          } else {
            if (e.group >= groups_.size()) return false;
            if constexpr (std::is_same_v<Event, AdmitEvent>) {
              if (e.number != next_number_) return false;
              (void)admit(e);
            } else if constexpr (std::is_same_v<Event, SettleEvent>) {
              (void)settle(e);
            } else if constexpr (std::is_same_v<Event, ExpireEvent>) {
              (void)expire(e);
            } else if constexpr (std::is_same_v<Event, FreezeEvent>) {
              freeze(e);
            } else if constexpr (std::is_same_v<Event, AdoptEvent>) {
              adopt(e);
            } else if constexpr (std::is_same_v<Event, RestartEvent>) {
              restart(e);
            } else {
              set_floor(e);
            }
            return true;
          }
        },
        event);
    if (possible) return {};
    return fail(
        ErrorKind::kInternal, "contract_journal_broken",
        "The contract's journal holds an event that this state cannot have met: begin from its checkpoint.");
  }

  GroupReport report(std::uint32_t g) const override {
    const Group& group = groups_[g];
    const Certificate& certificate = group.serving.certificate;
    GroupReport report = group.counts;
    for (const Open& open : group.open) report.open += open.closed ? 0 : 1;
    report.bound = group.ledger.bound().value();
    report.credit = group.ledger.credit_left().value();
    report.written_off = group.ledger.written_off().value();
    report.version = group.serving.number;
    report.positions = static_cast<std::uint32_t>(certificate.positions());
    report.certified = certificate.certified();
    if (group.challenger) {
      report.challenger_version = group.challenger->number;
      report.challenger_positions = static_cast<std::uint32_t>(group.challenger->certificate.positions());
      report.challenger_certified = group.challenger->certificate.certified();
    }
    report.standing = !on_                         ? Refusal::kSwitchedOff
                      : coins_.refuted(kCoinDelta) ? Refusal::kCoinsRefuted
                                                   : group.standing;
    if (report.certified < report.positions)
      report.next_log_wealth = certificate.log_wealth(report.certified + 1);
    report.next_log_needed = certificate.log_needed();
    if (const auto forecast = certificate.until_next(); forecast.growing)
      report.requests_until_next = forecast.requests;
    report.alarm_evidence = group.alarm.evidence();
    report.floor = group.floor;
    return report;
  }

  std::vector<double> log_wealth(std::uint32_t g) const override {
    const Certificate& certificate = groups_[g].serving.certificate;
    std::vector<double> wealth;
    for (std::uint32_t j = 1; j <= certificate.positions(); ++j) wealth.push_back(certificate.log_wealth(j));
    return wealth;
  }

  const CoinAudit& coin_audit() const override { return coins_; }

  std::string state() const override;
  Result<> restore_state(std::string_view bytes);

 private:
  Version version(std::uint32_t number, std::size_t positions) const {
    CertificateOptions certificate;
    certificate.retain = options_.retain;
    certificate.delta = delta_.certificate(number);
    certificate.positions = positions;
    return {number, Certificate(certificate)};
  }

  double reference_of(double quality) const {
    return reference_surplus(options_.surplus, options_.retain, quality);
  }

  /// Zhat of a comparison that was made or never came: m + (xi/p)[Zj - m + (audited/share)(Z - Zj)], without
  /// the middle terms where no judge compares.
  void estimate(Open& open, double z, double z_judged, double reference, double reference_judged) const {
    const LedgerStep& step = open.step;
    const double p = step.p.value(), m = step.prediction.value();
    const auto corrected = [&](double truth, double judged) {
      if (!step.judged) return truth;
      return step.audited ? judged + (truth - judged) / step.audit.value() : judged;
    };
    open.risky_estimate = m + (corrected(z, z_judged) - m) / p;
    // Under agreement a reference that was to be served and never answered has earned nothing.
    if (options_.surplus == SurplusKind::kAgreement)
      open.reference_estimate = open.served == Served::kRisky || open.answered ? 1 - options_.retain : 0;
    else
      open.reference_estimate = corrected(reference, reference_judged) / p;
  }

  /// Under agreement: the reference was served in full, which is all its surplus depends on.
  void answered(Group& group, Open& open) {
    if (open.answered) return;
    open.answered = true;
    group.ledger.reference_measured(fixed_floor(reference_of(1)));
  }

  static bool finite(const SettleEvent& event) {
    const auto both = [](const std::optional<Qualities>& pair) {
      return !pair || (std::isfinite(pair->reference) && std::isfinite(pair->risky));
    };
    return (!event.reference || std::isfinite(*event.reference)) && both(event.truth) && both(event.judged);
  }

  static std::uint32_t on_path(std::uint32_t position, const Certificate& certificate) {
    return position == 0 || position > certificate.positions() ? kNeverRisky : position;
  }

  static std::uint64_t* refused(GroupReport& counts, Refusal refusal) {
    switch (refusal) {
      case Refusal::kNone:
        return nullptr;
      case Refusal::kNotCertified:
        return &counts.refused_certificate;
      case Refusal::kNoCredit:
        return &counts.refused_credit;
      case Refusal::kDriftAlarm:
        return &counts.refused_drift;
      case Refusal::kModelChanged:
        return &counts.refused_model;
      case Refusal::kSwitchedOff:
        return &counts.refused_switch;
      case Refusal::kCoinsRefuted:
        return &counts.refused_coins;
    }
    return nullptr;
  }

  /// Nothing comes any more: the ledger has booked the worst already, the certificate books it here.
  void close(Group& group, Open& open) {
    if (open.closed) return;
    if (!open.resolved && !open.step.fired) {
      open.reference_estimate = 0;  // the reference never answered
    } else if (!open.resolved) {
      const double worst = -options_.retain, best = 1 - options_.retain;
      estimate(open, worst, open.step.audited ? best : worst, 0, open.step.audited ? best : 0);
    }
    open.closed = open.resolved = true;
    ++group.counts.expired;
  }

  Open* find(Group& group, std::uint64_t number) const {
    const auto at = std::lower_bound(group.open.begin(), group.open.end(), number,
                                     [](const Open& open, std::uint64_t n) { return open.number < n; });
    return at != group.open.end() && at->number == number ? &*at : nullptr;
  }

  /// Feeds what is resolved, in admission order, and forgets what is closed. True = the alarm went off.
  bool feed(Group& group) {
    bool alarmed = false;
    for (; group.fed < group.open.size() && group.open[group.fed].resolved; ++group.fed) {
      const Open& open = group.open[group.fed];
      if (open.floor.raw == 0) continue;  // learning is paused: no estimate was possible for every request
      const double floor = open.floor.value(), audit = options_.audit_floor;
      CertificateStep step{open.position, open.risky_estimate, open.reference_estimate, .9 * floor * audit};
      if (open.version == group.serving.number || open.challenger_version == group.serving.number) {
        step.position = open.version == group.serving.number ? open.position : open.challenger_position;
        group.serving.certificate.observe(step);
        if (group.serving.certificate.certified() > 0) group.standing = Refusal::kNone;
      }
      if (group.challenger && open.challenger_version == group.challenger->number) {
        step.position = open.challenger_position;
        group.challenger->certificate.observe(step);
      }
      const double watched = open.watched_risky ? open.risky_estimate : open.reference_estimate;
      if (group.alarm.observe(watched, estimate_max(floor))) {
        forget(group, Refusal::kDriftAlarm);
        ++group.counts.alarms;
        alarmed = true;
      }
    }
    while (group.fed > 0 && group.open.front().closed) {
      group.open.pop_front();
      --group.fed;
    }
    return alarmed;
  }

  /// The largest Zhat that any request could have had: m + ((Zj + (Z - Zj)/audit) - m)/p at the worst m and
  /// Zj.
  double estimate_max(double floor) const {
    const double best = surplus_max(options_.surplus, options_.retain), rho = options_.retain;
    const double judged = options_.audit_floor < 1 ? (best + rho) / options_.audit_floor - rho : best;
    const double m = options_.prediction_min;
    return m + (judged - m) / floor;
  }

  void forget(Group& group, Refusal why) {
    const std::size_t positions = group.serving.certificate.positions();
    group.serving = version(++group.versions, positions);
    if (group.challenger) {
      const std::size_t challenged = group.challenger->certificate.positions();
      group.challenger = version(++group.versions, challenged);
    }
    group.standing = why;
  }

  ContractOptions options_;
  DeltaPlan delta_;
  // State.
  std::uint64_t next_number_ = 1;
  bool on_ = true;
  CoinAudit coins_;
  std::vector<Group> groups_;
};

std::string ContractImpl::state() const {
  std::string bytes;
  put_bytes(bytes, kStateVersion);
  put_bytes(bytes, identity_of(options_));
  put_bytes(bytes, next_number_);
  put_bytes(bytes, on_ ? 1 : 0, 1);
  const CoinAudit::State coins = coins_.state();
  for (const Fixed value : coins.log_ratio) put_bytes(bytes, value);
  put_bytes(bytes, coins.worst);
  put_bytes(bytes, coins.observed);
  for (const Group& group : groups_) {
    group.ledger.append_state(bytes);
    group.alarm.append_state(bytes);
    put_bytes(bytes, group.versions, 4);
    for (const Version* each : {&group.serving, group.challenger ? &*group.challenger : nullptr}) {
      put_bytes(bytes, each ? each->number : 0, 4);
      if (!each) continue;
      put_bytes(bytes, each->certificate.positions(), 4);
      each->certificate.append_state(bytes);
    }
    put_bytes(bytes, group.floor.raw);
    put_bytes(bytes, static_cast<std::uint64_t>(group.standing), 1);
    const GroupReport& counts = group.counts;
    for (const std::uint64_t value :
         {counts.requests, counts.risky, counts.shadows, counts.settled, counts.expired,
          counts.refused_credit, counts.refused_certificate, counts.refused_drift, counts.refused_model,
          counts.refused_switch, counts.refused_coins, counts.alarms, counts.restarts})
      put_bytes(bytes, value);
    put_bytes(bytes, group.fed);
    put_bytes(bytes, group.open.size());
    for (const Open& open : group.open) {
      put_bytes(bytes, open.number);
      put_bytes(bytes,
                (open.served == Served::kRisky ? 1u : 0u) | (open.step.fired ? 2u : 0u) |
                    (open.step.judged ? 4u : 0u) | (open.step.audited ? 8u : 0u) | (open.closed ? 16u : 0u) |
                    (open.resolved ? 32u : 0u) | (open.watched_risky ? 64u : 0u) |
                    (open.answered ? 128u : 0u),
                1);
      put_bytes(bytes, open.step.p.raw);
      put_bytes(bytes, open.step.audit.raw);
      put_bytes(bytes, open.step.prediction);
      for (const std::uint32_t value :
           {open.position, open.challenger_position, open.version, open.challenger_version})
        put_bytes(bytes, value, 4);
      put_bytes(bytes, open.floor.raw);
      put_bytes(bytes, open.risky_estimate);
      put_bytes(bytes, open.reference_estimate);
    }
  }
  return bytes;
}

Result<> ContractImpl::restore_state(std::string_view bytes) {
  StateReader reader(bytes);
  const std::uint64_t state_version = reader.number(), identity = reader.number();
  if (state_version != kStateVersion || identity != identity_of(options_))
    return fail(
        ErrorKind::kCallerInvalid, "contract_state_mismatch",
        "The contract's state was made under other terms: a changed promise starts anew, in another file.");
  const auto broken = [] {
    return fail(ErrorKind::kInternal, "contract_state_broken",
                "The contract's state is cut short: restore it from its journal.");
  };
  next_number_ = reader.number();
  on_ = reader.number(1) != 0;
  CoinAudit::State coins;
  for (Fixed& value : coins.log_ratio) value = reader.fixed();
  coins.worst = reader.fixed();
  coins.observed = reader.number();
  coins_.restore(coins);
  for (Group& group : groups_) {
    if (!reader.ok()) return broken();
    if (auto done = group.ledger.restore_state(bytes); !done) return done;
    if (auto done = group.alarm.restore_state(bytes); !done) return done;
    group.versions = static_cast<std::uint32_t>(reader.number(4));
    for (int which = 0; which < 2; ++which) {
      const auto number = static_cast<std::uint32_t>(reader.number(4));
      if (number == 0) continue;
      const std::uint64_t positions = reader.number(4);
      if (positions == 0 || positions > ContractOptions::kPositionsMax) return broken();
      Version each = version(number, positions);
      if (auto done = each.certificate.restore_state(bytes); !done) return done;
      if (which == 0)
        group.serving = std::move(each);
      else
        group.challenger = std::move(each);
    }
    group.floor = {reader.number()};
    group.standing = static_cast<Refusal>(reader.number(1));
    GroupReport& counts = group.counts;
    for (std::uint64_t* value :
         {&counts.requests, &counts.risky, &counts.shadows, &counts.settled, &counts.expired,
          &counts.refused_credit, &counts.refused_certificate, &counts.refused_drift, &counts.refused_model,
          &counts.refused_switch, &counts.refused_coins, &counts.alarms, &counts.restarts})
      *value = reader.number();
    group.fed = reader.number();
    const std::uint64_t count = reader.number();
    if (!reader.ok() || count > options_.open_max || group.fed > count) return broken();
    for (std::uint64_t i = 0; i < count; ++i) {
      Open open;
      open.number = reader.number();
      const std::uint64_t flags = reader.number(1);
      open.served = flags & 1 ? Served::kRisky : Served::kReference;
      open.step.fired = (flags & 2) != 0;
      open.step.judged = (flags & 4) != 0;
      open.step.audited = (flags & 8) != 0;
      open.closed = (flags & 16) != 0;
      open.resolved = (flags & 32) != 0;
      open.watched_risky = (flags & 64) != 0;
      open.answered = (flags & 128) != 0;
      open.step.p = {reader.number()};
      open.step.audit = {reader.number()};
      open.step.prediction = reader.fixed();
      for (std::uint32_t* value :
           {&open.position, &open.challenger_position, &open.version, &open.challenger_version})
        *value = static_cast<std::uint32_t>(reader.number(4));
      open.floor = {reader.number()};
      open.risky_estimate = reader.real();
      open.reference_estimate = reader.real();
      group.open.push_back(open);
    }
  }
  if (!reader.ok() || !bytes.empty()) return broken();
  return {};
}

}  // namespace

std::string_view code_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::kNone:
      return "";
    case Refusal::kNotCertified:
      return "contract_not_certified";
    case Refusal::kNoCredit:
      return "contract_no_credit";
    case Refusal::kDriftAlarm:
      return "contract_drift_alarm";
    case Refusal::kModelChanged:
      return "contract_model_changed";
    case Refusal::kSwitchedOff:
      return "contract_switched_off";
    case Refusal::kCoinsRefuted:
      return "contract_coins_refuted";
  }
  return "";
}

std::string_view sentence_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::kNone:
      return "";
    case Refusal::kNotCertified:
      return "It is not shown yet that requests like this may go to the cheaper side.";
    case Refusal::kNoCredit:
      return "The contract has no credit for one more answer that could be wrong; reference answers earn it.";
    case Refusal::kDriftAlarm:
      return "What was served fell below the contract; it is being tested anew.";
    case Refusal::kModelChanged:
      return "The provider now answers with another model; it is being tested anew.";
    case Refusal::kSwitchedOff:
      return "The contract is switched off, so the reference serves.";
    case Refusal::kCoinsRefuted:
      return "The coins that choose comparisons do not fall as they should.";
  }
  return "";
}

Result<std::unique_ptr<Contract>> Contract::create(const ContractOptions& options) {
  const auto impossible = [](const char* message, const char* param) {
    return fail(ErrorKind::kCallerInvalid, "contract_impossible", message, param);
  };
  if (!(options.retain > 0 && options.retain < 1))
    return impossible(
        "retain must lie between 0 and 1: at 1 no answer but the reference's could ever be served.",
        "retain");
  if (!(options.confidence > 0 && options.confidence < 1))
    return impossible("confidence must lie between 0 and 1: nothing learned from a sample is certain.",
                      "confidence");
  if (options.groups < 1 || options.groups > ContractOptions::kGroupsMax)
    return impossible("A contract has 1 to 256 groups; each needs evidence of its own.", "groups");
  if (options.positions < 1 || options.positions > ContractOptions::kPositionsMax)
    return impossible("A path has 1 to 1024 positions.", "positions");
  if (!(options.shadow_floor > 0 && options.shadow_floor <= 1))
    return impossible("Without comparisons nothing can be certified: the smallest share must be above 0.",
                      "shadow_floor");
  if (!(options.audit_floor > 0 && options.audit_floor <= 1))
    return impossible(
        "A judge that is never checked proves nothing about truth: the audited share must be above 0.",
        "audit_floor");
  if (!(options.credit_max >= options.retain))
    return impossible("credit_max below retain never leaves credit for one answer.", "credit_max");
  if (!(options.prediction_min >= -options.retain && options.prediction_min <= 1 - options.retain))
    return impossible("prediction_min lies between -retain and 1 - retain.", "prediction_min");
  if (options.open_max < 1 || !(options.alarm_run_length >= 1))
    return impossible("open_max and alarm_run_length are at least 1.", "open_max");
  return std::make_unique<ContractImpl>(options);
}

Result<std::unique_ptr<Contract>> Contract::restore(const ContractOptions& options, std::string_view bytes) {
  auto made = create(options);
  if (!made) return fail(made.error());
  if (auto done = static_cast<ContractImpl&>(**made).restore_state(bytes); !done) return fail(done.error());
  return made;
}

}  // namespace brevet
