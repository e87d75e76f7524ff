// What a contract remembers: events, and their bytes in a journal.
//
// Made by the contract's single writer (gateway), applied by contract.h; a journal of these records replayed
// from a checkpoint, or from nothing, gives the same contract, byte for byte. Plain values; pure. Does not
// touch files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "quality/fixed_point.h"
#include "quality/surplus.h"

namespace brevet {

/// Position of a request that no position of the path serves without the reference.
inline constexpr std::uint32_t kNeverRisky = std::numeric_limits<std::uint32_t>::max();

enum class Wish : std::uint8_t { kReference, kRisky };

/// A request asks what may be served. Everything here is fixed before its coins and may depend on the
/// request, the past and a held cheap answer; never on a coin of its own or on what its shadow will find.
struct AdmitEvent {
  std::uint64_t number = 0;  ///< Contract::next_number()
  std::uint32_t group = 0;
  Wish wish = Wish::kReference;  ///< what the strategy would serve
  std::uint32_t position =
      kNeverRisky;  ///< first position of the path, from 1, that serves it without the reference
  std::uint32_t challenger_position = kNeverRisky;  ///< the same on the challenger's path, where there is one
  Probability
      shadow_if_risky;  ///< that the reference is called too, to compare, when the risky answer is served
  Probability shadow_if_reference;  ///< that the risky answer is made too, when the reference is served
  Fixed prediction;                 ///< m: guess of the risky answer's surplus; 0 is a good one
  bool judged = false;              ///< a judge, not a check, compares
  Probability audit;                ///< share of judged comparisons that are also compared for truth
  /// The reference has answered already, in full. Under agreement its surplus is then known at once; without
  /// it a SettleEvent says so later, and until then it counts 0.
  bool answered = false;
};

/// What a comparison found. Legal where the shadow coin fell; the reference's own quality also where it did
/// not and the reference was served. Under agreement `reference` says that the reference has answered in
/// full, also where a comparison is still to come. The first one for a number counts, later ones change
/// nothing.
struct SettleEvent {
  std::uint64_t number = 0;
  std::uint32_t group = 0;
  std::optional<double> reference;  ///< quality of the reference's answer alone; no comparison
  std::optional<Qualities> truth;   ///< both answers, checked; needed where audited or not judged
  std::optional<Qualities> judged;  ///< both answers, as the judge says; needed where judged
};

/// Nothing will come for this number any more: the worst case stays. With `all_before`, for all up to it.
struct ExpireEvent {
  std::uint64_t number = 0;
  std::uint32_t group = 0;
  bool all_before = false;
};

/// A new version (score, guides, thresholds) is frozen as the group's challenger and starts to collect
/// evidence; an older challenger is dropped.
struct FreezeEvent {
  std::uint32_t group = 0;
  std::uint32_t positions = 1;
};
/// The challenger becomes what is served, with the evidence it has.
struct AdoptEvent {
  std::uint32_t group = 0;
};
/// The provider returned another model id, a price of doing business changed, or an operator asks for it:
/// what was certified is forgotten, the ledger is not.
struct RestartEvent {
  enum class Why : std::uint8_t { kModelChanged, kOperator };
  std::uint32_t group = 0;
  Why why = Why::kModelChanged;
};
/// From the next request on every shadow probability of the group is at least `floor` (smaller ones are
/// raised to it); 0 pauses learning: certificate and alarm stand still. Bets depend on it, so it is declared
/// before requests.
struct FloorEvent {
  std::uint32_t group = 0;
  Probability floor;
};
/// The kill switch: false serves the reference everywhere.
struct SwitchEvent {
  bool on = true;
};

using ContractEvent = std::variant<AdmitEvent, SettleEvent, ExpireEvent, FreezeEvent, AdoptEvent,
                                   RestartEvent, FloorEvent, SwitchEvent>;

/// What events mean to a contract. A journal or a checkpoint of another number must not be replayed: this
/// arithmetic could decide otherwise than what was served. It goes up with every change of a rounding, a
/// constant or a rule in this folder that moves the state.
inline constexpr std::uint64_t kContractArithmetic = 2;

/// The event as bytes, at most kEventBytesMax; framing and checksums are the journal's.
std::string event_bytes(const ContractEvent& event);
inline constexpr std::size_t kEventBytesMax = 96;
/// Errors: contract_journal_broken (unknown kind, or a length that does not fit it).
Result<ContractEvent> event_of(std::string_view bytes);

}  // namespace brevet
