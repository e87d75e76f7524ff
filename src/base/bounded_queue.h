// A queue between threads with a named bound: a full queue refuses, it never grows and never blocks the
// producer. Thread-safe for many producers and consumers. Refusals are the caller's to count.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
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
      if (closed_ || items_.size() >= capacity_) return false;
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
      if (closed_ || items_.size() >= capacity_) return false;
      items_.push_back(std::move(item));
      wake = items_.size() == 1 || items_.size() == gathering_;
    }
    if (wake) ready_.notify_one();
    return true;
  }

  /// Up to `most` items, waiting until there is one; empty only when closed and drained.
  std::vector<T> pop_batch(std::size_t most) {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [&] { return closed_ || !items_.empty(); });
    return take(most);
  }

  /// As pop_batch, but where all that waits came by try_push_unhurried it waits, up to `patience`, for
  /// `most`.
  std::vector<T> gather_batch(std::size_t most, std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    gathering_ = most;
    ready_.wait(lock, [&] { return closed_ || !items_.empty(); });
    ready_.wait_for(lock, patience, [&] { return closed_ || !in_no_hurry_ || items_.size() >= most; });
    auto out = take(most);
    if (items_.empty()) in_no_hurry_ = true;
    return out;
  }

  /// As pop_batch, but gives up (empty) after `patience`.
  std::vector<T> pop_batch_for(std::size_t most, std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    ready_.wait_for(lock, patience, [&] { return closed_ || !items_.empty(); });
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
    return items_.size();
  }
  std::size_t capacity() const { return capacity_; }

 private:
  std::vector<T> take(std::size_t most) {
    std::vector<T> out;
    while (!items_.empty() && out.size() < most) {
      out.push_back(std::move(items_.front()));
      items_.pop_front();
    }
    return out;
  }

  const std::size_t capacity_;
  mutable std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<T> items_;        // guarded by mutex_
  bool closed_ = false;        // guarded by mutex_
  bool in_no_hurry_ = true;    // guarded by mutex_; false: an item that came by try_push waits
  std::size_t gathering_ = 0;  // guarded by mutex_; a batch of this many is worth waking for
};

}  // namespace brevet
