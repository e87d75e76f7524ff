// The quality contract: "keep at least `retain` of the reference's quality with probability `confidence`", as
// one pure state machine. Ledger (the promise), certificate (the forecast) and alarm of each group, fed with
// events.
//
// Used by the gate in gateway, which is its single writer: it makes an event, journals it, applies it, and
// only then lets anything reach the client. Same options and events, same bytes. One thread; no clock, no
// I/O, no randomness but coins keyed by journal numbers. Does not choose, call, compare or pay; does not know
// money.
//
//   AdmitEvent e{contract.next_number(), group, Wish::kRisky, position, ...};
//   journal(e);                                  // event_bytes() into an append-only file
//   Admission a = contract.admit(e);             // a.served says what the client gets, a.shadow what to
//   learn
//   ... later: SettleEvent or ExpireEvent, journalled, then settle() / expire()
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "quality/certificate.h"
#include "quality/coin.h"
#include "quality/contract_event.h"
#include "quality/drift_detector.h"
#include "quality/ledger.h"
#include "quality/surplus.h"

namespace brevet {

/// Whether a position that is not certified yet may be served.
enum class Uncertified : std::uint8_t {
  kReferenceOnly,  ///< certificate and ledger must both agree
  kWithinCredit,   ///< the ledger alone decides; about a (1 - retain) share is then free from the start
};

struct ContractOptions {
  double retain = .95;
  double confidence = .95;
  SurplusKind surplus = SurplusKind::kAgreement;
  std::uint32_t groups = 1;
  std::uint32_t positions = 1;  ///< of the first version's path
  Uncertified uncertified = Uncertified::kReferenceOnly;
  CoinKey key;
  double shadow_floor = 1;  ///< see FloorEvent; the first declared floor
  double audit_floor = 1;   ///< smallest audit share of a judged step; smaller ones are raised to it
  /// Predictions are clamped to [prediction_min, 1 - retain]; a wide range makes the alarm slower.
  double prediction_min = 0;
  double credit_max = 60;  ///< see LedgerOptions
  double alarm_run_length = 100'000;
  /// Steps a group remembers because news may come, for them or for an older one, as order is kept: settled
  /// steps behind an open one count too. The oldest is expired beyond it.
  std::size_t open_max = 16'384;

  static constexpr std::uint32_t kGroupsMax = 256;
  static constexpr std::uint32_t kPositionsMax = 1024;
};

enum class Served : std::uint8_t { kReference, kRisky };

/// Why the reference is served although the strategy wished otherwise.
enum class Refusal : std::uint8_t {
  kNone,
  kNotCertified,  ///< contract_not_certified
  kNoCredit,      ///< contract_no_credit
  kDriftAlarm,    ///< contract_drift_alarm
  kModelChanged,  ///< contract_model_changed
  kSwitchedOff,   ///< contract_switched_off
  kCoinsRefuted,  ///< contract_coins_refuted: coins do not fit their logged probabilities
};
/// The stable code above; "" for kNone.
std::string_view code_of(Refusal refusal);
/// A sentence for the decision and the person who reads it; "" for kNone.
std::string_view sentence_of(Refusal refusal);

struct Admission {
  std::uint64_t number = 0;
  Served served = Served::kReference;
  Refusal refusal = Refusal::kNone;
  Probability probability;  ///< of the shadow, as logged
  bool shadow = false;      ///< make the other answer too and settle
  bool audit = false;       ///< have the comparison checked for truth as well
  Fixed credit;             ///< what could still be lost before this request
  bool alarm = false;       ///< the alarm went off, by older requests that this one made final
};

enum class Settling : std::uint8_t {
  kBooked,
  kDuplicate,  ///< this number is settled or expired already
  kUnknown,    ///< no such number in this group, or long gone
  kIllegal,    ///< its coin did not fall, or what it needs is missing or not finite; nothing changed
};

struct SettleAnswer {
  Settling settling = Settling::kUnknown;
  bool alarm = false;  ///< the alarm went off: what was certified is forgotten
};

/// What one group can say of itself.
struct GroupReport {
  std::uint64_t requests = 0;
  std::uint64_t risky = 0;    ///< served without the reference
  std::uint64_t shadows = 0;  ///< coins that fell
  std::uint64_t settled = 0;
  std::uint64_t expired = 0;
  std::uint64_t open = 0;
  std::uint64_t refused_credit = 0;
  std::uint64_t refused_certificate = 0;
  std::uint64_t refused_drift = 0;
  std::uint64_t refused_model = 0;
  std::uint64_t refused_switch = 0;
  std::uint64_t refused_coins = 0;
  std::uint64_t alarms = 0;
  std::uint64_t restarts = 0;
  double bound = 0;        ///< B: surplus that is sure with the ledger's confidence
  double credit = 0;       ///< B - W
  double written_off = 0;  ///< W
  std::uint32_t version = 1;
  std::uint32_t positions = 0;
  std::uint32_t certified = 0;
  std::uint32_t challenger_version = 0;  ///< 0 = none
  std::uint32_t challenger_positions = 0;
  std::uint32_t challenger_certified = 0;
  /// kSwitchedOff, kCoinsRefuted, kDriftAlarm or kModelChanged while it lasts.
  Refusal standing = Refusal::kNone;
  double next_log_wealth = 0;  ///< of the next position to certify, and what it must reach
  double next_log_needed = 0;
  std::optional<double> requests_until_next;  ///< empty while the evidence does not grow
  double alarm_evidence = 0;                  ///< 0 .. alarm_run_length
  Probability floor;
};

class Contract {
 public:
  /// Errors: contract_impossible (retain or confidence outside (0, 1), no group, too many groups or
  /// positions, a floor of 0): the message says what to change.
  static Result<std::unique_ptr<Contract>> create(const ContractOptions& options);
  /// A contract from a checkpoint. Errors: contract_state_broken, contract_state_mismatch (made under other
  /// options: a changed promise starts anew).
  static Result<std::unique_ptr<Contract>> restore(const ContractOptions& options, std::string_view bytes);
  virtual ~Contract() = default;

  virtual const ContractOptions& options() const = 0;
  virtual std::uint64_t next_number() const = 0;

  /// event.number must be next_number() and event.group a group; position 0 and positions over the path's end
  /// are kNeverRisky, and never served without the reference.
  virtual Admission admit(const AdmitEvent& event) = 0;
  /// Would a risky wish at this position be served now? Changes nothing.
  virtual Refusal would_refuse(std::uint32_t group, std::uint32_t position) const = 0;
  virtual SettleAnswer settle(const SettleEvent& event) = 0;
  virtual SettleAnswer expire(const ExpireEvent& event) = 0;
  virtual void freeze(const FreezeEvent& event) = 0;
  virtual void adopt(const AdoptEvent& event) = 0;  ///< nothing happens without a challenger
  virtual void restart(const RestartEvent& event) = 0;
  virtual void set_floor(const FloorEvent& event) = 0;
  virtual void set_switch(const SwitchEvent& event) = 0;
  /// Any of the above. Errors: contract_journal_broken (an event that this state cannot have met, such as a
  /// number out of turn or an unknown group): replay stops there.
  virtual Result<> apply(const ContractEvent& event) = 0;

  virtual GroupReport report(std::uint32_t group) const = 0;
  /// log evidence of every position of the version that serves, from position 1.
  virtual std::vector<double> log_wealth(std::uint32_t group) const = 0;
  virtual const CoinAudit& coin_audit() const = 0;

  /// The whole state as bytes.
  virtual std::string state() const = 0;
};

}  // namespace brevet
