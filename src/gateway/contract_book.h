// One contract of a tenant and route: the pure state machine with everything around it that is decided before
// its coins. Used by contract_gate.cc alone, under its lock.
//
// A book changes only by entries, which are journalled first and then applied, in this process or at the next
// start. What is not journalled (windows of scores, pairs for forecasts) is no part of the promise.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gateway/contract_gate.h"

namespace brevet::contract {

/// What an entry of the journal says. Payloads of the journal are lists of entries, so that what belongs
/// together is written by one write(2).
enum class EntryKind : char {
  kOpened = 'K',      ///< tenant, route, fingerprint, options
  kEvent = 'E',       ///< an event of quality/contract_event.h
  kPath = 'P',        ///< group, thresholds of the score
  kModel = 'M',       ///< configuration, model id that was returned
  kVersion = 'V',     ///< ContractTerms::version
  kCheckpoint = 'C',  ///< the contract's state
  kTotals = 'L',      ///< group, what the learning plan has counted; with a checkpoint
};

struct Entry {
  EntryKind kind = EntryKind::kEvent;
  std::uint64_t book = 0;
  std::string body;
};
void put_entry(std::string& payload, const Entry& entry);
/// Empty where the payload is damaged.
std::optional<std::vector<Entry>> entries_of(std::string_view payload);

std::string options_bytes(const ContractOptions& options);
std::optional<ContractOptions> options_from(std::string_view bytes);

struct OpenSeat {
  std::uint64_t number = 0;
  std::uint32_t group = 0;
  std::chrono::nanoseconds deadline{0};
};

struct Group {
  std::vector<double> thresholds;  ///< descending; empty: {reference, strategy}
  std::vector<double> scores;      ///< until kScoresForPath
  std::optional<LearningPlan> plan;
  double reference_total = 0;  ///< what the plan was told, in reference calls
  double spent_total = 0;
  std::uint64_t comparisons = 0;
  std::uint64_t agreed = 0, cannot_tell = 0;
  /// By this process, before a seat was taken; by its reason.
  std::map<std::string, std::uint64_t, std::less<>> refused;
  Probability floor;            ///< last declared
  std::uint64_t resume_at = 0;  ///< number from which learning is tried again, where it was stopped
  LearningStop stop = LearningStop::kGoesOn;
  double moment_sum = 0;  ///< of squared surplus, over `moment_n` comparisons
  std::uint64_t moment_n = 0;
  std::deque<ScoredPair> pairs;
  std::map<std::uint64_t, std::pair<double, double>> asked;  ///< seat -> score, weight; bounded by kAskedMax
};
/// The plan as it was, from what was counted of it.
void refill_plan(Group& group, const LearningPlanOptions& plan);
inline constexpr std::size_t kAskedMax = 4'096;
inline constexpr std::size_t kModelIdsMax = 16;

struct Book {
  std::uint64_t id = 0;
  std::string tenant, route, fingerprint, version;
  std::unique_ptr<Contract> contract;
  std::vector<Group> groups;
  std::map<std::string, std::vector<std::string>> model_ids;
  std::deque<OpenSeat> open;           ///< by deadline; settled ones are passed over
  std::set<std::uint64_t> waited_for;  ///< of these, what is neither settled nor expired
  std::string restored_hash;
  bool switched_on = true;
  std::uint64_t uncheckable = 0, outside = 0;
  // Running means of known costs, in pico-USD, for the price of a check in reference calls.
  double reference_cost = 0, other_cost = 0;
  std::uint64_t reference_costs = 0, other_costs = 0;
  /// Of the route as last seen; for reports.
  ContractTerms terms;
  std::string weak, reference;

  double risky_cost() const;
  /// Applies an entry that is in the journal. False where it cannot have happened in this state.
  bool apply(const Entry& entry, const LearningPlanOptions& plan);

 private:
  bool apply_event(const ContractEvent& event);
};

}  // namespace brevet::contract
