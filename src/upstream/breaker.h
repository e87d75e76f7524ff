// Circuit breaker of one model: after `failures_to_open` failures in a row it opens and calls are refused at
// once; after a while one probe is let through (half open); its success closes the breaker, its failure opens
// it again for twice as long, up to a bound.
//
// Used by http_model_client. A pure state machine: time is passed in, the owner locks. Does not decide what a
// failure is.
#pragma once

#include <chrono>

#include "upstream/model_client.h"

namespace brevet {

struct BreakerOptions {
  int failures_to_open = 5;
  std::chrono::milliseconds open_for{2'000};  ///< the first time; doubles while probes fail
  std::chrono::milliseconds open_for_max{60'000};
};

class Breaker {
 public:
  using Time = std::chrono::nanoseconds;  ///< monotone, as Clock::steady()

  explicit Breaker(BreakerOptions options) : options_(options) {}
  /// True when a call may go out now; a true in half-open state is the probe, which must be reported by one
  /// of the three below.
  bool allow(Time now);
  void on_success();
  void on_failure(Time now);
  /// The call ended without telling anything of the upstream (cancelled by us).
  void on_abandoned();
  BreakerState state(Time now) const;
  /// How long until a probe is let through; 0 unless open.
  Time retry_in(Time now) const;

 private:
  void open(Time now);

  const BreakerOptions options_;
  int failures_ = 0;
  bool open_ = false;
  bool probing_ = false;
  Time until_{0};
  std::chrono::milliseconds wait_{0};
};

}  // namespace brevet
