// The money ledger: what was spent for what, against always-strong, per tenant and route; the learning
// budget; and the counts that the report is made of.
//
// RequestFlow and ShadowRunner write, the admin view and metrics read. Thread-safe: one short lock per
// finished decision. Unknown costs are counted, never added as zero. Survives restarts through save() and
// restore() (a setting of the store); learning that was booked and not settled then counts as spent in full.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "domain/decision.h"
#include "domain/money.h"

namespace brevet {

/// Verdicts of comparisons with the reference.
struct AgreementCount {
  std::uint64_t same = 0;
  std::uint64_t different = 0;
  std::uint64_t cannot_tell = 0;
  void add(Verdict verdict);
};

struct RouteFigures {
  std::string tenant;
  std::string route;  ///< empty: models that were named

  std::uint64_t requests = 0;  ///< served to the end
  std::uint64_t reference_served = 0;
  std::uint64_t weak_served = 0;
  std::uint64_t weak_with_guide = 0;  ///< part of weak_served
  std::uint64_t exact_repeats = 0;
  std::uint64_t failed = 0;
  std::uint64_t cancelled = 0;
  std::uint64_t fallbacks = 0;  ///< served although a call for it had failed
  std::uint64_t simulated = 0;  ///< decisions in which a simulated model was called

  CostTotal serve;  ///< per attempt, discarded and failed ones included
  CostTotal learn;  ///< weak calls and spot checks of shadows
  CostTotal guide;
  CostTotal judge;
  CostTotal baseline;  ///< always-strong, per served request: exact or estimated
  /// Requests whose cost and baseline are both known, so that the two can be compared.
  Money paired_cost;
  Money paired_baseline;
  std::uint64_t paired = 0;

  std::uint64_t shadows = 0;
  std::uint64_t guides_written = 0;
  std::uint64_t guides_leaked = 0;
  AgreementCount spot_checks;  ///< weak had served
  AgreementCount weak_alone;   ///< the reference had served
  AgreementCount with_guide;   ///< weak with a guide, remembered or new, against the reference
  // Observe mode: requests that the strategy would have given to weak.
  std::uint64_t observed = 0;
  std::uint64_t would_be_weak = 0;
  CostTotal would_be_weak_baseline;   ///< what the reference cost there
  AgreementCount would_be_agreement;  ///< of those that were shadowed
  CostTotal would_be_weak_cost;       ///< what weak cost in those shadows

  Money learn_charged;  ///< against the budget: known costs, and the booked worst case where unknown
  Money booked;         ///< shadows under way
  std::uint64_t unpriced_shadows = 0;  ///< admitted without any known price, bounded by their number
};

struct LearningBudget {
  double share = 0.1;
  Money allowance;
  /// With no price known, money cannot bound learning; then shadows may be `share` of the requests served,
  /// plus this many.
  std::uint64_t unpriced_allowance = 20;
};

class MoneyLedger {
 public:
  /// A serving decision, finished.
  void served(const Decision& decision);
  /// A shadow's own decision and what it found; `would_have_weak` tells that in observe mode weak would have
  /// served the parent.
  enum class Parent { kOther, kWouldBeWeak };
  void shadowed(const Decision& shadow, const ShadowResult& result, Parent parent);

  /// Books the worst case of one shadow if the budget allows it; empty = no price is known.
  bool book(const std::string& tenant, const std::string& route, const LearningBudget& budget,
            std::optional<Money> worst);
  /// Replaces the booking by what was really spent; `actual` unknown charges the booking. Empty `actual` (not
  /// run at all) gives it back.
  void settle(const std::string& tenant, const std::string& route, std::optional<Money> worst,
              const std::optional<Cost>& actual);

  std::vector<RouteFigures> snapshot() const;
  std::string save() const;
  /// False when the text is not one of save(); then nothing changes.
  bool restore(std::string_view text);
  void forget_tenant(const std::string& tenant);

 private:
  RouteFigures& at(const std::string& tenant, const std::string& route);

  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, RouteFigures>
      routes_;  // guarded by mutex_; bounded by the config
};

}  // namespace brevet
