// The newest decisions in memory, so that a client that has just read its answer finds its decision before
// the store has committed it.
//
// RequestFlow adds, the admin view reads. Thread-safe. Bounded: the oldest go first, of routed decisions and
// of passed-through ones apart.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "domain/decision.h"
#include "store/passed_record.h"

namespace brevet {

class RecentDecisions {
 public:
  explicit RecentDecisions(std::size_t most = 2048) : most_(most), passed_(most) {}

  /// Pass-through is the many and is seldom asked for: a ring that is searched costs it no allocation.
  void add(const PassedRow& row) {
    std::lock_guard lock(mutex_);
    passed_[next_passed_++ % passed_.size()] = row;
  }

  void add(std::shared_ptr<const Decision> decision) {
    PassedRow row;
    if (passed_row(*decision, row)) return add(row);
    std::shared_ptr<const Decision> oldest;  // freed after the lock
    std::lock_guard lock(mutex_);
    order_.push_back(decision);
    by_id_[decision->id] = std::move(decision);
    if (order_.size() > most_) {
      oldest = std::move(order_.front());
      order_.pop_front();
      by_id_.erase(oldest->id);
    }
  }

  std::shared_ptr<const Decision> find(const std::string& id) const {
    std::lock_guard lock(mutex_);
    const auto found = by_id_.find(id);
    if (found != by_id_.end()) return found->second;
    for (const auto& row : passed_) {
      if (row.id != id) continue;
      auto decision = decision_of(row);
      return decision ? std::make_shared<const Decision>(std::move(*decision)) : nullptr;
    }
    return nullptr;
  }

 private:
  const std::size_t most_;
  mutable std::mutex mutex_;
  std::deque<std::shared_ptr<const Decision>> order_;  // guarded by mutex_
  /// Keys live in the decisions. Guarded by mutex_.
  std::unordered_map<std::string_view, std::shared_ptr<const Decision>> by_id_;
  std::vector<PassedRow> passed_;  // guarded by mutex_; a ring of the short form
  std::size_t next_passed_ = 0;    // guarded by mutex_
};

}  // namespace brevet
