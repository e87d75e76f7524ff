// What a batch will change, before it is committed: reads see the changes over memory, memory sees nothing
// yet.
//
// Used by the learner, on its thread: rules write into it, the store commits to_batch(), and only then
// apply() tells memory. Does no I/O.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "memory/memory.h"
#include "store/store.h"

namespace brevet {

/// The next free id of each kind; never goes back, so a forgotten id is never given to something else.
struct NextIds {
  std::uint64_t skill = 1;
  std::uint64_t guide = 1;
  std::uint64_t outcome = 1;
  std::uint64_t decision_number = 1;

  std::string to_setting() const;
  /// Raises what is lower; false when the text is not one of ours.
  bool raise_to(const std::string& setting);
  bool operator==(const NextIds&) const = default;
};

class PendingChanges {
 public:
  PendingChanges(const Memory& memory, NextIds ids) : memory_(memory), ids_(ids), ids_before_(ids) {}

  std::optional<Skill> skill(const Partition& partition, const std::string& request_hash) const;
  std::optional<StoredSkill> skill(std::uint64_t id) const;
  std::optional<Guide> guide(const Partition& partition, std::uint64_t id) const;

  /// Id 0 is replaced by a new one; returns the id.
  std::uint64_t put(const Partition& partition, Skill skill);
  std::uint64_t put(const Partition& partition, Guide guide);
  /// Gives it the next id.
  void add(StoredOutcome outcome);
  void saw_model_id(const std::string& model, const std::string& returned_id);
  void saw_score(const Partition& partition, double score) { scores_.emplace_back(partition, score); }
  void saw_decision_number(std::uint64_t number);
  /// True when the id differs from one that was known before (also earlier in this batch).
  bool changes_model_id(const std::string& model, const std::string& returned_id) const;

  /// Chooses what must go so that the bounds hold. Call once, when all else is done.
  void evict();
  std::size_t evicted_skills() const { return forget_skills_.size(); }
  std::size_t evicted_guides() const { return forget_guides_.size(); }

  /// All but decisions and feedback.
  void write_to(WriteBatch& batch) const;
  void apply(Memory& memory) const;
  const NextIds& ids() const { return ids_; }

 private:
  const Memory& memory_;
  NextIds ids_;
  const NextIds ids_before_;
  std::map<std::uint64_t, StoredSkill> skills_;
  std::map<std::pair<std::string, std::string>, std::uint64_t> skill_ids_;  ///< partition key, request hash
  std::map<std::uint64_t, StoredGuide> guides_;
  std::vector<StoredOutcome> outcomes_;
  std::map<std::string, std::string> model_ids_;
  std::vector<std::pair<Partition, double>> scores_;
  std::vector<std::uint64_t> forget_skills_;
  std::vector<std::uint64_t> forget_guides_;
};

/// Settings of the store that learning writes.
inline constexpr const char* kIdsSetting = "next_ids";
std::string model_id_setting(const std::string& model);
std::string scores_setting(const Partition& partition);

/// What of a stored outcome feeds the estimate; nothing when it was reached with a guide.
std::optional<Outcome> labelled(const StoredOutcome& stored);

}  // namespace brevet
