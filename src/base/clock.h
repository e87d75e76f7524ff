// Time is passed in: production uses system_clock(), replay a ManualClock, so the same seed gives the same
// decisions. Thread-safe. Does not sleep; waiting is done with timers of the executor.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace brevet {

using Milliseconds = std::chrono::milliseconds;
using Microseconds = std::chrono::microseconds;
/// Wall-clock instant in microseconds since the Unix epoch; the unit of everything stored.
using Instant = std::chrono::time_point<std::chrono::system_clock, Microseconds>;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;
  /// Monotone, for durations.
  virtual std::chrono::nanoseconds steady() const = 0;
};

Clock& system_clock();

class ManualClock : public Clock {
 public:
  explicit ManualClock(Instant start = Instant{}) : micros_(start.time_since_epoch().count()) {}
  Instant now() const override { return Instant{Microseconds{micros_.load(std::memory_order_relaxed)}}; }
  std::chrono::nanoseconds steady() const override { return now().time_since_epoch(); }
  void advance(Microseconds by) { micros_.fetch_add(by.count(), std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> micros_;
};

}  // namespace brevet
