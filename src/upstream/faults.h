// Declared faults for recorded and simulated upstreams: which of a stream of calls fail, and how.
//
// A plan is a set of rates; draw_fault() is a pure function of seed and call number, so a run can be
// repeated.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace brevet {

enum class Fault { kNone, kRateLimited, kServerError, kCut, kGarbage, kSlow };
const char* name_of(Fault fault);

struct FaultPlan {
  double rate_limited = 0;  ///< 429 with retry-after
  double server_error = 0;  ///< 500 or 503
  double cut = 0;           ///< the connection ends in the middle of the answer
  double garbage = 0;       ///< bytes that are not JSON, with status 200
  double slow = 0;          ///< the first token comes only after `slow_by`
  Milliseconds slow_by{2'000};
  int retry_after_s = 1;
  std::uint64_t seed = 1;

  bool any() const { return rate_limited + server_error + cut + garbage + slow > 0; }
};

/// "429=0.1,5xx=0.05,cut=0.05,garbage=0.01,slow=0.02:3000ms,seed=7"; empty text is no faults. Errors
/// (kCallerInvalid): bad_faults (unknown name, rate outside 0..1, sum above 1).
Result<FaultPlan> parse_faults(std::string_view text);
/// The fault of call number `call`; at most one.
Fault draw_fault(const FaultPlan& plan, std::uint64_t call);

}  // namespace brevet
