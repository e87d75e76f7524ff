// The one mutable owner of everything remembered: skills, guides, and what estimates are made of.
//
// Called by learning, from one thread at a time; readers use the snapshots that publish() returns and never
// wait for the writer. Changes are visible to nobody before publish(), whose cost is that of what changed
// since the last one (bench/memory_bench.cc). Entries of different partitions never meet. It does no I/O:
// what enters here was committed before.
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

struct MemoryOptions {
  std::size_t skills_max = 100'000;  ///< per partition; the least used are evicted
  std::size_t guides_max = 2'000;    ///< per partition; those with the fewest wins over losses are evicted
  std::size_t outcomes_max =
      20'000;  ///< per partition, the newest are kept; a restart learns them again (about .5 ms each)
  std::size_t model_ids_max = 4'096;  ///< models whose returned id is watched
};

struct MemoryFigures {
  std::uint64_t skills = 0;
  std::uint64_t guides = 0;
  std::uint64_t outcomes = 0;  ///< learned from since the start, those rebuilt from the store included
  std::uint64_t partitions = 0;
  std::uint64_t version = 0;  ///< of the newest snapshot
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

  /// What does not follow from skills, guides and outcomes: recent scores. Small, for Store::setting.
  std::vector<Partition> partitions_with_new_scores();  ///< since the last call
  std::string save_scores(const Partition& partition) const;
  /// False when the blob is not one of ours; then nothing changes.
  bool load_scores(const Partition& partition, std::string_view blob);

  /// The next snapshot. Cheap when nothing changed (then the last one is returned again).
  SnapshotPtr publish();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace brevet
