// An immutable view of everything learned; a request reads exactly one.
//
// Gateway gives it to strategies, learning builds the next one. All methods are const, thread-safe, without
// I/O, and touch only the given partition. Holding a snapshot keeps its memory alive. Does not decide
// anything.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "domain/features.h"
#include "domain/memory_entry.h"

namespace brevet {

class Snapshot {
 public:
  virtual ~Snapshot() = default;
  /// Grows by one with every publish; 0 = empty.
  virtual std::uint64_t version() const = 0;
  /// The skill of exactly this request, if remembered.
  virtual std::optional<Skill> find_exact(const Partition& partition,
                                          std::string_view request_hash) const = 0;
  /// At most k skills by cosine, nearest first.
  virtual std::vector<Neighbour> nearest(const Partition& partition, const Embedding& query,
                                         std::size_t k) const = 0;
  /// At most k guides whose source request is at least min_similarity near, nearest first.
  virtual std::vector<GuideNeighbour> guides(const Partition& partition, const Embedding& query,
                                             std::size_t k, float min_similarity) const = 0;
  /// Guide by id, if it still exists in this partition.
  virtual std::optional<Guide> guide(const Partition& partition, std::uint64_t id) const = 0;
  /// The calibrated local estimate that `adaptive` uses. effective_n = 0 and outcomes = 0 when nothing is
  /// known.
  virtual Estimate estimate(const Partition& partition, const RequestFeatures& features) const = 0;
  /// P(agree | pre-answer estimate, weak's own mean log-probability); empty until enough pairs were seen.
  virtual std::optional<double> after_answer(const Partition& partition, const Estimate& before,
                                             double mean_logprob) const = 0;
};

using SnapshotPtr = std::shared_ptr<const Snapshot>;

}  // namespace brevet
