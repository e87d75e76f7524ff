// The contract gate: who may be served what under a quality contract. The single writer of every contract.
//
// RequestFlow asks before anything but the reference's answer can reach a client, and reports what shadows
// found; shadows of a contract are planned here. Every event is in the journal, by write(2), before the
// caller goes on, so that kill -9 and a restart give the same contract to the byte. Thread-safe: one short
// lock. What is promised and why it holds is quality/contract.h; which step of a request asks is
// flow_contract.h.
//
// One contract for each tenant and route; inside it one promise for each group. Where a strategy has a score
// (Step::score) the contract chooses its threshold, along a path that is frozen after kScoresForPath
// requests; where it has none the path is {reference, strategy}.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "gateway/admin_view.h"
#include "gateway/runtime.h"
#include "quality/contract.h"
#include "quality/feasibility.h"
#include "quality/learning_plan.h"
#include "store/framed_log.h"

namespace brevet {

/// Contracts that one gateway keeps; a further tenant's requests are served by the reference.
inline constexpr std::size_t kContractsMax = 1'024;
/// Scores seen before thresholds are frozen.
inline constexpr std::size_t kScoresForPath = 200;
/// Compared requests that are kept for the forecast of what is feasible, per group.
inline constexpr std::size_t kPairsKept = 2'000;

struct ContractQuestion {
  std::string_view tenant;
  std::string_view tags;  ///< as in x-brevet-tags, separated by commas
  /// The strategy would serve something else than the reference's own answer.
  bool risky = false;
  /// What the strategy's threshold is compared with, higher = weak is better; then the contract decides.
  std::optional<double> score;
  /// The reference has served; asked only so that the request has its place in the order.
  bool decided = false;
  /// With `decided`: the reason of ask() for which the reference served.
  std::string_view refused = {};
  /// Its answer can be compared with the reference's, now: there is a place for a shadow. Else the reference
  /// serves.
  bool checkable = false;
};

/// A place in the contract's order: what was admitted, and what must be found out.
struct ContractSeat {
  std::uint64_t book = 0;
  std::uint64_t number = 0;
  std::uint32_t group = 0;
  bool risky = false;   ///< may be served; else the reference must serve
  bool shadow = false;  ///< the other answer must be made and compared
  bool audit = false;   ///< and the judge's word checked
  bool judged = false;
  double probability = 0;  ///< of the shadow
  std::string reason;      ///< why not risky, where it was wished; empty otherwise
  std::string sentence;
};

/// What comparing both answers gave.
struct ContractFinding {
  std::optional<bool> checked;  ///< they are the same, by a check or an audit
  std::optional<bool> judged;   ///< the same, as the judge says
  bool cannot_tell = false;     ///< nobody could say; counts as different
};

struct ContractGroupState {
  std::string name;  ///< tag, or "" for the rest
  GroupReport report;
  std::vector<double> thresholds;  ///< of the score, empty where there is none
  std::size_t scores_seen = 0;     ///< while the path is not frozen
  LearningStop learning = LearningStop::kGoesOn;
  std::uint64_t compared = 0;
  std::uint64_t agreed = 0;
  std::uint64_t cannot_tell = 0;
  double checks_spent_share = 0;  ///< of what always-reference would cost
  std::optional<FeasibleShare> feasible;
  double entry_fee =
      0;  ///< reference requests before the first risky one is affordable, at the p of the start
};

struct ContractState {
  std::string tenant, route;
  ContractTerms terms;
  std::string weak, reference;
  bool switched_on = true;
  bool coins_refuted = false;
  std::uint64_t uncheckable = 0;  ///< requests that could not be compared, served by the reference
  std::uint64_t outside = 0;      ///< the reference could not be called: no part of the promise
  std::string state_hash;         ///< of the contract's bytes now
  std::string restored_hash;  ///< of its bytes when this process had read the journal, empty if it began it
  std::vector<ContractGroupState> groups;
  std::vector<std::pair<std::string, std::vector<std::string>>> model_ids;  ///< by configuration, as returned
};

class ContractGate {
 public:
  virtual ~ContractGate() = default;

  /// What admit() would say, without booking anything: number is 0. Whether a call is worth making.
  virtual ContractSeat ask(const Route& route, const ContractQuestion& question) = 0;
  /// Takes a seat. To be called once for a request, before its first byte can reach the client, or for the
  /// reference when it has answered.
  virtual ContractSeat admit(const Route& route, const ContractQuestion& question) = 0;
  virtual void settle(const ContractSeat& seat, const ContractFinding& finding) = 0;
  /// The reference has answered in full, where the seat was taken before it had (without `decided`).
  virtual void answered(const ContractSeat& seat) = 0;
  /// Nothing will come; the worst stands.
  virtual void expire(const ContractSeat& seat) = 0;
  /// The reference may not or cannot be called, so nothing is promised of this request.
  virtual void outside(const Route& route, std::string_view tenant) = 0;
  /// The model id that a provider really returned; one never seen before takes back what was certified.
  virtual void saw_model(const Route& route, std::string_view tenant, const Configuration& configuration,
                         const std::string& returned_id) = 0;
  virtual void saw_cost(const Route& route, std::string_view tenant, const Configuration& configuration,
                        const Cost& cost) = 0;
  /// The operator's kill switch: false = the reference serves everything and nothing is learned. Survives
  /// restarts. Errors: no_contract, log_write_failed.
  virtual Result<> set_switch(const std::string& tenant, const std::string& route, bool on) = 0;

  virtual std::vector<ContractState> states() const = 0;
  virtual std::vector<MetricSample> samples() const = 0;
};

struct ContractGateOptions {
  std::string journal;               ///< file; empty = in memory only
  std::function<CoinKey()> new_key;  ///< secret bits for a new contract
  /// The journal is rewritten as a checkpoint beyond this, and beyond four times the last checkpoint.
  std::uint64_t journal_bytes_max = std::uint64_t{16} << 20;
};

/// Reads the journal; what was open when the last process ended is booked at its worst. Errors: those of
/// FramedLog, contract_journal_broken. `clock` outlives it.
Result<std::unique_ptr<ContractGate>> make_contract_gate(ContractGateOptions options, Clock& clock);

}  // namespace brevet
