// One coroutine waits until a callback on the same context says go: the bridge from callbacks to coroutines.
//
// Used inside net only. Not thread-safe: waiting and notifying happen on one context. Holds at most one
// waiter.
#pragma once

#include <optional>
#include <utility>

#include "base/async.h"

namespace brevet::net {

class Waiter {
 public:
  Waiter() = default;
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  /// Suspends until notify() or, if `cancellable`, until the coroutine is cancelled.
  Task<void> wait() {
    return asio::async_initiate<const asio::use_awaitable_t<>, void()>(
        [this](auto handler) {
          auto slot = asio::get_associated_cancellation_slot(handler);
          if (slot.is_connected()) slot.assign([this](asio::cancellation_type) { notify(); });
          handler_.emplace(std::move(handler));
        },
        asio::use_awaitable);
  }
  bool waiting() const { return handler_.has_value(); }
  /// Runs the waiting coroutine before it returns; does nothing when none waits. The coroutine may destroy
  /// this object.
  void notify() {
    if (!handler_) return;
    auto handler = std::move(*handler_);
    handler_.reset();
    auto slot = asio::get_associated_cancellation_slot(handler);
    if (slot.is_connected()) slot.clear();
    std::move(handler)();
  }

 private:
  using Handler = asio::async_result<asio::use_awaitable_t<>, void()>::handler_type;
  std::optional<Handler> handler_;
};

}  // namespace brevet::net
