// What a partition holds, as its owner writes it and as a snapshot reads it.
//
// Inside of memory.cc, which alone includes it and owns everything here: views are immutable and read on any
// thread, a PartitionState belongs to the owner's thread. Does not change anything.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "memory/estimator.h"
#include "memory/memory.h"
#include "memory/persistent_map.h"
#include "memory/score_window.h"
#include "memory/vector_index.h"

namespace brevet {

/// What one partition remembers of one kind. Copied as a whole into a view; the copy shares all but what
/// changes.
template <class T>
struct Table {
  using Pointer = std::shared_ptr<const T>;
  VectorIndex index;
  PersistentMap<Pointer> by_slot;  ///< living entries that have an embedding
  PersistentMap<Pointer> by_key;   ///< all living entries: skills by hash of the request hash, guides by id

  Table snapshot() { return {index.snapshot(), by_slot.snapshot(), by_key.snapshot()}; }
  std::vector<VectorIndex::Hit> nearest(const Embedding& query, std::size_t k, float min_similarity) const {
    std::function<bool(std::uint32_t)> alive;
    if (by_slot.size() < index.size())
      alive = [this](std::uint32_t slot) { return by_slot.find(slot) != nullptr; };
    return index.nearest(query, k, min_similarity, alive);
  }
};

struct PartitionView {
  Partition partition;
  Table<Skill> skills;
  Table<Guide> guides;
  std::shared_ptr<const EstimateView> estimates;
  SortedScores scores;
};
using PartitionViewPtr = std::shared_ptr<const PartitionView>;

struct ModelId {
  std::string model;
  std::string returned_id;
  std::vector<std::string> earlier;
};
inline constexpr std::size_t kEarlierIdsMax = 16;  // the oldest are forgotten

inline std::string_view model_of(std::string_view configuration_key) {
  return configuration_key.substr(0, configuration_key.find('|'));
}

inline const Skill* skill_of(const Table<Skill>& table, std::string_view request_hash) {
  const auto* found = table.by_key.find(hash_bytes(request_hash));
  return found != nullptr && (*found)->request_hash == request_hash ? found->get() : nullptr;
}

// Measured with bench/memory_bench: a partition's names, view, scores and first nodes; an entry's places in
// maps.
inline constexpr std::size_t kPartitionBytes = 8'000;
inline constexpr std::size_t kEntryBytes = 400;

inline std::size_t embedding_bytes(const std::shared_ptr<const Embedding>& embedding) {
  return embedding ? sizeof(Embedding) + embedding->size() * sizeof(float) : 0;
}
inline std::size_t bytes_of(const Skill& skill) {
  return sizeof(Skill) + kEntryBytes + skill.request_hash.size() + skill.weak_model_id.size() +
         skill.text.size() + embedding_bytes(skill.embedding);
}
inline std::size_t bytes_of(const Guide& guide) {
  return sizeof(Guide) + kEntryBytes + guide.text.size() + guide.source_request_hash.size() +
         guide.author.size() + guide.author_model_id.size() + guide.decision_id.size() +
         embedding_bytes(guide.embedding);
}

struct PartitionState;

struct Changes {
  std::vector<PartitionState*> partitions;  ///< since the last view; publishing one visits only these
  bool any = false;                         ///< since the last snapshot of either kind
};

/// A partition as its owner writes it.
struct PartitionState {
  std::uint64_t key = 0;  ///< its place in MemorySnapshot::partitions
  Partition partition;
  Table<Skill> skills;
  Table<Guide> guides;
  Estimator estimator;
  ScoreWindow scores;
  bool scores_unsaved = false;
  std::deque<std::uint64_t> outcome_ids;                            ///< those in the store, oldest first
  Changes* changes = nullptr;                                       ///< the owner's
  bool changed = false;                                             ///< since the last view
  bool evicted = false;                                             ///< about to be destroyed
  std::list<PartitionState*>::iterator by_use;                      ///< its place in the owner's list
  std::optional<std::list<PartitionState*>::iterator> full_by_use;  ///< while its estimator is full
  std::size_t entry_bytes = 0;                                      ///< of skills and guides, without indices
  std::size_t counted_bytes = 0;                                    ///< its part of MemoryFigures::bytes

  std::size_t bytes() const {
    return sizeof(PartitionState) + kPartitionBytes + entry_bytes + skills.index.bytes() +
           guides.index.bytes() + estimator.bytes() + outcome_ids.size() * sizeof(std::uint64_t);
  }

  void touch() {
    if (!changed) changes->partitions.push_back(this);
    changed = true;
    changes->any = true;
  }
};

/// One partition as reads see it: a view of it, or what its owner writes.
class Reading {
 public:
  explicit Reading(const PartitionView& view)
      : partition(view.partition), skills(view.skills), guides(view.guides), view_(&view) {}
  explicit Reading(PartitionState& state)
      : partition(state.partition), skills(state.skills), guides(state.guides), state_(&state) {}

  Estimate estimate(const RequestFeatures& features, NearOutcomes& near) const {
    const auto* embedding = features.embedding.get();
    if (state_ != nullptr) return state_->estimator.estimate(embedding, &features.words, &near);
    return view_->estimates ? view_->estimates->estimate(embedding, &features.words, &near) : Estimate{};
  }
  std::optional<double> after_answer(const Estimate& before, double mean_logprob) const {
    if (state_ != nullptr) return state_->estimator.after_answer(before, mean_logprob);
    return view_->estimates ? view_->estimates->after_answer(before, mean_logprob) : std::nullopt;
  }
  SortedScores scores() const { return state_ != nullptr ? state_->scores.sorted() : view_->scores; }

  const Partition& partition;
  const Table<Skill>& skills;
  const Table<Guide>& guides;

 private:
  const PartitionView* view_ = nullptr;
  PartitionState* state_ = nullptr;
};

/// Answers reads; where partitions are found is what the two kinds of snapshot differ in.
class ReadingSnapshot : public Snapshot {
 public:
  std::optional<Skill> find_exact(const Partition& partition, std::string_view request_hash) const override {
    const auto found = find(partition);
    const Skill* skill = found ? skill_of(found->skills, request_hash) : nullptr;
    if (skill == nullptr) return std::nullopt;
    return as_seen(*found, *skill);
  }

  std::vector<Neighbour> nearest(const Partition& partition, const Embedding& query,
                                 std::size_t k) const override {
    std::vector<Neighbour> out;
    const auto found = find(partition);
    if (!found) return out;
    for (const auto& hit : found->skills.nearest(query, k, -2)) {
      out.push_back({as_seen(*found, **found->skills.by_slot.find(hit.slot)), hit.similarity});
    }
    return out;
  }

  std::vector<GuideNeighbour> guides(const Partition& partition, const Embedding& query, std::size_t k,
                                     float min_similarity) const override {
    std::vector<GuideNeighbour> out;
    const auto found = find(partition);
    if (!found) return out;
    for (const auto& hit : found->guides.nearest(query, k, min_similarity)) {
      out.push_back({**found->guides.by_slot.find(hit.slot), hit.similarity});
    }
    return out;
  }

  std::optional<Guide> guide(const Partition& partition, std::uint64_t id) const override {
    const auto found = find(partition);
    const GuidePtr* guide = found ? found->guides.by_key.find(id) : nullptr;
    if (guide == nullptr) return std::nullopt;
    return **guide;
  }

  Estimate estimate(const Partition& partition, const RequestFeatures& features) const override {
    const auto found = find(partition);
    if (!found) return {};
    NearOutcomes near;
    Estimate out = found->estimate(features, near);
    if (out.outcomes > 0) out.score_rank = ScoreWindow::rank(found->scores(), out.score);
    for (std::size_t i = 0; i < near.size; ++i) {
      // The skill of an outcome may have been evicted before the outcome.
      const auto* skill = found->skills.by_key.find(near.list[i].request_key);
      if (skill != nullptr) out.nearest.push_back({as_seen(*found, **skill), near.list[i].similarity});
    }
    return out;
  }

  std::optional<double> after_answer(const Partition& partition, const Estimate& before,
                                     double mean_logprob) const override {
    const auto found = find(partition);
    return found ? found->after_answer(before, mean_logprob) : std::nullopt;
  }

 protected:
  virtual std::optional<Reading> find(const Partition& partition) const = 0;
  virtual const PersistentMap<ModelId>& model_ids() const = 0;

 private:
  /// A skill that was earned by another model than the one behind the name now, or through a guide that is
  /// gone, says nothing: it reads as strong-only and due, and becomes what it was only by a new trial (or
  /// when the provider returns the old id again).
  Skill as_seen(const Reading& reading, Skill skill) const {
    const ModelId* current = model_ids().find(hash_bytes(model_of(reading.partition.weak)));
    const bool other_model = current != nullptr && current->model == model_of(reading.partition.weak) &&
                             !skill.weak_model_id.empty() && skill.weak_model_id != current->returned_id;
    const bool guide_gone =
        skill.status == SkillStatus::kWeakWithGuide && reading.guides.by_key.find(skill.guide_id) == nullptr;
    if (other_model || guide_gone) {
      skill.status = SkillStatus::kStrongOnly;
      skill.guide_id = 0;
      skill.last_tried = Instant{};
    }
    return skill;
  }
};

class MemorySnapshot : public ReadingSnapshot {
 public:
  std::uint64_t number = 0;
  PersistentMap<PartitionViewPtr> partitions;
  PersistentMap<ModelId> ids;

  std::uint64_t version() const override { return number; }

  std::optional<Reading> find(const Partition& partition) const override {
    // Partitions whose keys have one hash take the next places, so a look at the whole partition decides.
    for (std::uint64_t key = hash_bytes(partition.key());; ++key) {
      const PartitionViewPtr* found = partitions.find(key);
      if (found == nullptr) return std::nullopt;
      if ((*found)->partition == partition) return Reading(**found);
    }
  }
  const PersistentMap<ModelId>& model_ids() const override { return ids; }
};

}  // namespace brevet
