// The one mutable owner of everything remembered: skills, guides, and what estimates are made of.
//
// Called by learning, from one thread at a time; readers use the snapshots that publish() returns and never
// wait for the writer. Changes are visible to nobody before publish(), whose cost is that of what changed
// since the last one (bench/memory_bench.cc). Entries of different partitions never meet. It does no I/O:
// what enters here was committed before.
//
// How much it can hold: an application with a system prompt per user makes a partition per user, so besides
// the bounds of one partition there are bounds over all, and evict_over_bounds() keeps them by dropping the
// partition that was used least recently, whole. Worst case: bytes_max (2,048 MB by default) plus what one
// batch brings, plus what only snapshots that requests still hold refer to. The one exception is the
// partition used last, which stays whatever its size; its own bounds hold it to about 450 MB by default
// (100,000 skills of 3.7 kB, 2,000 guides, 20,000 outcomes of 2 kB, 28 MB of ridge and words), texts that a
// route stores not counted.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/memory_entry.h"
#include "memory/estimator.h"
#include "memory/snapshot.h"

namespace brevet {

/// Who reads snapshots. kAnyThread: they are immutable views. kOwnersThread (a replay): the newest one reads
/// what the owner writes and becomes a view of its own only when it is still held as the next change comes,
/// and estimates learn when they are asked for. Both answer the same.
enum class Readers : std::uint8_t { kAnyThread, kOwnersThread };

struct MemoryOptions {
  std::size_t skills_max = 100'000;  ///< per partition; the least used are evicted
  std::size_t guides_max = 2'000;    ///< per partition; those with the fewest wins over losses are evicted
  std::size_t outcomes_max =
      20'000;  ///< per partition, the newest are kept; a restart learns them again (about .5 ms each)
  std::size_t model_ids_max = 4'096;  ///< models whose returned id is watched
  // Over all partitions; see evict_over_bounds().
  std::size_t partitions_max = 2'000;  ///< one of a single skill and outcome takes 75 kB
  /// Estimates of 64 outcomes and more, which hold a matrix of 1.2 MB and words up to 26 MB. Less saves
  /// memory; a partition whose estimate was dropped starts it anew.
  std::size_t estimators_max = 256;
  std::size_t bytes_max = std::size_t{2'048} << 20;  ///< of all that is remembered, counted from sizes
  /// For a replay on one thread, null otherwise: see VectorIndex.
  std::shared_ptr<const KnownNeighbours> known_neighbours;
  Readers readers = Readers::kAnyThread;
};

struct MemoryFigures {
  std::uint64_t skills = 0;
  std::uint64_t guides = 0;
  std::uint64_t outcomes = 0;  ///< learned from since the start, those rebuilt from the store included
  std::uint64_t partitions = 0;
  std::uint64_t estimators = 0;          ///< of 64 outcomes and more
  std::uint64_t partitions_evicted = 0;  ///< since the start
  std::uint64_t estimators_evicted = 0;  ///< since the start; those of evicted partitions not counted
  std::uint64_t bytes = 0;               ///< counted from sizes, as of the last evict_over_bounds()
  std::uint64_t version = 0;             ///< of the newest snapshot
};

/// What left memory as a whole and is to be deleted from the store.
struct EvictedPartitions {
  std::vector<Partition> partitions;    ///< with all their entries and outcomes
  std::vector<std::uint64_t> outcomes;  ///< of estimates that were dropped while their partition stays
};

using SkillPtr = std::shared_ptr<const Skill>;
using GuidePtr = std::shared_ptr<const Guide>;

class Memory {
 public:
  explicit Memory(MemoryOptions options = {});
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  // ---- Reads of the owner: the state with all changes so far; null when there is none.
  SkillPtr find_skill(const Partition& partition, std::string_view request_hash) const;
  GuidePtr find_guide(const Partition& partition, std::uint64_t id) const;
  /// By id alone; `partition` receives where it is. Ids are unique over all partitions.
  SkillPtr skill_by_id(std::uint64_t id, Partition* partition) const;
  GuidePtr guide_by_id(std::uint64_t id, Partition* partition) const;
  /// Every entry in order of id. The visitor must not change the memory.
  void visit_skills(const std::function<void(const Partition&, const SkillPtr&)>& visit) const;
  void visit_guides(const std::function<void(const Partition&, const GuidePtr&)>& visit) const;
  const MemoryFigures& figures() const;

  // ---- Changes.
  /// Inserts, or replaces the skill of the same request (which keeps its place; the id may change).
  void put_skill(const Partition& partition, Skill skill);
  void put_guide(const Partition& partition, Guide guide);
  void remove_skill(std::uint64_t id);
  void remove_guide(std::uint64_t id);
  /// Feeds the estimate. Order matters: equal outcomes in equal order give bit-identical estimates.
  void absorb(const Partition& partition, const Outcome& outcome);
  /// Counts a score that a request got, for Estimate::score_rank.
  void observe_score(const Partition& partition, double score);
  /// The id that the provider returned last for this model (a name of the catalogue). After a change, skills
  /// learned with another id read as strong-only and due, until a new trial says otherwise. An id that this
  /// model never had before also starts its estimates anew, for their labels speak of another model; an old
  /// id that returns does not.
  void set_model_id(std::string_view model, std::string_view returned_id);
  /// True when set_model_id() would start the estimates anew.
  bool starts_anew(std::string_view model, std::string_view returned_id) const;
  /// Outcomes that then no longer count.
  std::vector<std::uint64_t> outcomes_of(std::string_view model) const;
  /// All ids of the model as one setting, were `returned_id` set; and back, before any outcome is absorbed.
  std::string save_model_ids(std::string_view model, std::string_view returned_id) const;
  void load_model_ids(std::string_view model, std::string_view saved);
  std::string model_id(std::string_view model) const;

  /// Ids to remove so that `incoming` new entries keep the bound: least used first (hits, then the time of
  /// the last trial). More than needed go at once, so that the search for them is paid rarely. Empty when
  /// there is room.
  std::vector<std::uint64_t> skills_to_evict(const Partition& partition, std::size_t incoming) const;
  std::vector<std::uint64_t> guides_to_evict(const Partition& partition, std::size_t incoming) const;
  /// Outcomes over the bound, oldest first; forgotten here by the call, to be deleted from the store by the
  /// caller.
  std::vector<std::uint64_t> take_outcomes_over_bound();

  /// Drops what is over the bounds over all partitions: first estimates, then partitions, least recently used
  /// first (used = changed by any of the above; after a restart the order is that of the newest outcomes,
  /// then guides, then skills). What was used last is never dropped. A dropped estimate starts anew with the
  /// next outcome, and its outcomes are to be deleted from the store, so that a restart rebuilds what was
  /// there and not more. Call it when all changes of a batch are in, before publish(); costs what changed and
  /// what goes, not what is there.
  EvictedPartitions evict_over_bounds();

  /// What does not follow from skills, guides and outcomes: recent scores. Small, for Store::setting.
  std::vector<Partition> partitions_with_new_scores();  ///< since the last call
  std::string save_scores(const Partition& partition) const;
  /// False when the blob is not one of ours; then nothing changes.
  bool load_scores(const Partition& partition, std::string_view blob);

  /// The next snapshot. Cheap when nothing changed (then it is the last one again).
  SnapshotPtr publish();
  /// The same, but a view of its own for any thread, whoever reads.
  SnapshotPtr publish_view();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace brevet
