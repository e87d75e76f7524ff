// Money that may be spent and never is passed: the worst case of a call is booked before it, what it really
// cost is settled after it.
//
// Used by the recorder for answers and judges alike. Plain arithmetic in pico-USD; one thread. Knows no
// prices: the worst case comes from the caller. Calls to models without a price are bounded by their number.
#pragma once

#include <cstdint>
#include <optional>

#include "domain/money.h"

namespace brevet::record {

struct BudgetLimits {
  Money usd;                       ///< all that may be spent, earlier runs included
  std::uint64_t unpriced_max = 0;  ///< calls without a known worst case, earlier runs included
};

enum class Booking { kBooked, kOverUsd, kOverCalls };

class Budget {
 public:
  explicit Budget(BudgetLimits limits) : limits_(limits) {}

  /// Sets the worst case aside if everything spent and booked still stays within the limit; empty = unknown.
  Booking book(std::optional<Money> worst);
  /// The end of a booked call: what was set aside is released and what it cost is spent. A cost above the
  /// booking is spent too, and makes the next booking fail if it passes the limit.
  void settle(std::optional<Money> worst, std::optional<Money> charged);
  /// What an earlier run spent.
  void spend(std::optional<Money> charged);

  Money spent() const { return spent_; }
  Money booked() const { return booked_; }
  std::uint64_t unpriced() const { return unpriced_; }
  const BudgetLimits& limits() const { return limits_; }

 private:
  BudgetLimits limits_;
  Money spent_;
  Money booked_;
  std::uint64_t unpriced_ = 0;
};

/// `one` for each of `tries`; the largest amount there is when it does not fit, so that it never fits a
/// budget.
Money times(Money one, int tries);

}  // namespace brevet::record
