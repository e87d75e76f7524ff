// A queue between threads with a named bound: a full queue refuses, it never grows and never blocks the
// producer. Thread-safe for many producers and consumers. Refusals are the caller's to count.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace brevet {

template <class T>
class BoundedQueue {
 public:
  explicit BoundedQueue(std::size_t capacity) : capacity_(capacity) {}

  /// False when full or closed; `item` is then untouched.
  [[nodiscard]] bool try_push(T&& item) {
    {
      std::lock_guard lock(mutex_);
      if (closed_ || waiting() >= capacity_) return false;
      items_.push_back(std::move(item));
      in_no_hurry_ = false;
    }
    ready_.notify_one();
    return true;
  }

  /// As try_push, for an item that may wait until a batch has come together: see gather_batch. Waking the
  /// consumer for each item would cost more than the item.
  [[nodiscard]] bool try_push_unhurried(T&& item) {
    bool wake = false;
    {
      std::lock_guard lock(mutex_);
      if (closed_ || waiting() >= capacity_) return false;
      items_.push_back(std::move(item));
      wake = waiting() == 1 || waiting() == gathering_;
    }
    if (wake) ready_.notify_one();
    return true;
  }

  /// Up to `most` items, waiting until there is one; empty only when closed and drained.
  std::vector<T> pop_batch(std::size_t most) {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [&] { return closed_ || waiting() > 0; });
    return take(most);
  }

  /// As pop_batch, but where all that waits came by try_push_unhurried it waits, up to `patience`, for
  /// `most_unhurried`, and hands out that many. Into `out`, whose memory the queue goes on with: emptied
  /// vectors that come and go cost a busy consumer no allocation.
  void gather_batch(std::vector<T>& out, std::size_t most, std::size_t most_unhurried,
                    std::chrono::milliseconds patience) {
    out.clear();
    std::unique_lock lock(mutex_);
    gathering_ = most_unhurried;
    ready_.wait(lock, [&] { return closed_ || waiting() > 0; });
    ready_.wait_for(lock, patience, [&] { return closed_ || !in_no_hurry_ || waiting() >= most_unhurried; });
    take(in_no_hurry_ ? most_unhurried : most, out);
    if (waiting() == 0) in_no_hurry_ = true;
  }

  /// As pop_batch, but gives up (empty) after `patience`.
  std::vector<T> pop_batch_for(std::size_t most, std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    ready_.wait_for(lock, patience, [&] { return closed_ || waiting() > 0; });
    return take(most);
  }

  void close() {
    {
      std::lock_guard lock(mutex_);
      closed_ = true;
    }
    ready_.notify_all();
  }

  bool closed() const {
    std::lock_guard lock(mutex_);
    return closed_;
  }
  std::size_t size() const {
    std::lock_guard lock(mutex_);
    return waiting();
  }
  std::size_t capacity() const { return capacity_; }

 private:
  std::size_t waiting() const { return items_.size() - taken_; }

  std::vector<T> take(std::size_t most) {
    std::vector<T> out;
    take(most, out);
    return out;
  }

  /// `out` is empty.
  void take(std::size_t most, std::vector<T>& out) {
    if (taken_ == 0 && items_.size() <= most) {
      // The usual case moves no item; the next batch will need about as much room.
      out.swap(items_);
      items_.reserve(out.size());
      return;
    }
    const auto count = std::min(most, waiting());
    out.reserve(count);
    for (std::size_t i = 0; i < count; ++i) out.push_back(std::move(items_[taken_ + i]));
    taken_ += count;
    if (taken_ * 2 >= items_.size()) {
      items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(taken_));
      taken_ = 0;
    }
  }

  const std::size_t capacity_;
  mutable std::mutex mutex_;
  std::condition_variable ready_;
  std::vector<T> items_;       // guarded by mutex_
  std::size_t taken_ = 0;      // guarded by mutex_; so many at the front of items_ have been handed out
  bool closed_ = false;        // guarded by mutex_
  bool in_no_hurry_ = true;    // guarded by mutex_; false: an item that came by try_push waits
  std::size_t gathering_ = 0;  // guarded by mutex_; a batch of this many is worth waking for
};

}  // namespace brevet
