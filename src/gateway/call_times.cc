#include "gateway/call_times.h"

#include <algorithm>

namespace brevet {

void CallTimes::add(const std::string& route, Microseconds latency) {
  std::lock_guard lock(mutex_);
  auto& ring = routes_[route];
  if (ring.values.size() < kKept) {
    ring.values.push_back(latency);
    return;
  }
  ring.values[ring.next] = latency;
  ring.next = (ring.next + 1) % kKept;
}

std::optional<Microseconds> CallTimes::p95(const std::string& route) const {
  std::vector<Microseconds> values;
  {
    std::lock_guard lock(mutex_);
    const auto found = routes_.find(route);
    if (found == routes_.end() || found->second.values.size() < kFew) return std::nullopt;
    values = found->second.values;
  }
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(values.size() * 95 / 100);
  const auto place = at == values.end() ? values.end() - 1 : at;
  std::nth_element(values.begin(), place, values.end());
  return *place;
}

}  // namespace brevet
