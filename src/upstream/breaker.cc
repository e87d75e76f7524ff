#include "upstream/breaker.h"

#include <algorithm>

namespace brevet {

bool Breaker::allow(Time now) {
  if (!open_) return true;
  if (probing_ || now < until_) return false;
  probing_ = true;
  return true;
}

void Breaker::on_success() {
  failures_ = 0;
  open_ = false;
  probing_ = false;
  wait_ = {};
}

void Breaker::on_failure(Time now) {
  if (open_) {
    // Calls that began before it opened tell nothing new; only the probe decides.
    if (probing_) open(now);
    return;
  }
  if (++failures_ >= options_.failures_to_open) open(now);
}

void Breaker::on_abandoned() {
  probing_ = false;
}

void Breaker::open(Time now) {
  wait_ = wait_.count() == 0 ? options_.open_for : std::min(wait_ * 2, options_.open_for_max);
  until_ = now + wait_;
  open_ = true;
  probing_ = false;
}

BreakerState Breaker::state(Time now) const {
  if (!open_) return BreakerState::kClosed;
  return probing_ || now >= until_ ? BreakerState::kHalfOpen : BreakerState::kOpen;
}

Breaker::Time Breaker::retry_in(Time now) const {
  return open_ && now < until_ ? until_ - now : Time{0};
}

}  // namespace brevet
