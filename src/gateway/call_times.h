// How long a route's model calls take, so that a strategy of several calls can be told when another one would
// come too late.
//
// Kept by RequestFlow over requests, counted at every call that ended well. Thread-safe: one short lock. The
// newest kKept of each route; a restart begins anew, and until kFew are known nothing is said.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace brevet {

class CallTimes {
 public:
  static constexpr std::size_t kKept = 256;
  static constexpr std::size_t kFew = 8;

  void add(const std::string& route, Microseconds latency);
  /// The time within which 95% of them ended.
  std::optional<Microseconds> p95(const std::string& route) const;

 private:
  struct Ring {
    std::vector<Microseconds> values;
    std::size_t next = 0;
  };
  mutable std::mutex mutex_;
  std::map<std::string, Ring, std::less<>> routes_;  // guarded by mutex_; one per configured route
};

}  // namespace brevet
