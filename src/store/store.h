// Durable state behind one interface: decisions, skills, guides, feedback, counters. SQLite in WAL mode with
// synchronous=FULL: commit() returns after the batch is on disk, as one transaction.
//
// Who calls it: learning writes (one thread), gateway's admin view and CLI read. commit() must be called from
// one thread at a time; reads are thread-safe. It does not interpret what it stores.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "domain/decision.h"
#include "domain/memory_entry.h"
#include "store/passed_record.h"

namespace brevet {

struct StoredSkill {
  Partition partition;
  Skill skill;
};
struct StoredGuide {
  Partition partition;
  Guide guide;
};
/// One labelled outcome, what estimates are rebuilt from after a restart.
struct StoredOutcome {
  std::uint64_t id = 0;
  Partition partition;
  std::string request_hash;
  std::shared_ptr<const Embedding> embedding;
  std::shared_ptr<const SparseVector> words;
  bool agrees = false;
  std::optional<double> weak_logprob;
  std::uint64_t guide_id = 0;  ///< 0: weak alone
  bool spot_check = false;     ///< weak had served
  Instant time{};
};

/// Everything that becomes true at once.
struct WriteBatch {
  std::vector<std::shared_ptr<const Decision>> decisions;
  std::vector<PassedRow> passed;        ///< decisions too, in their short form
  std::vector<StoredSkill> skills;      ///< insert or replace by (partition, id)
  std::vector<StoredGuide> guides;      ///< insert or replace by (partition, id)
  std::vector<StoredOutcome> outcomes;  ///< append
  std::vector<Feedback> feedback;
  std::vector<std::uint64_t> forget_skills;
  std::vector<std::uint64_t> forget_guides;
  std::vector<std::uint64_t> forget_outcomes;
  std::vector<Partition> forget_partitions;  ///< with all their rows; before the puts of the same batch
  std::vector<std::string> forget_settings;  ///< likewise before
  std::vector<std::pair<std::string, std::string>> settings;  ///< small named blobs (counters, ledgers)
  bool empty() const;
};

struct LoadVisitor {
  std::function<void(StoredSkill)> skill;
  std::function<void(StoredGuide)> guide;
  std::function<void(StoredOutcome)> outcome;  ///< in order of id
};

struct DecisionFilter {
  std::string tenant;  ///< empty = all
  std::string route;   ///< empty = all
  Instant since{};
  std::size_t limit = 100;  ///< newest first
};

/// How much went with a tenant.
struct ErasedRows {
  std::uint64_t decisions = 0;  ///< shadows' own included
  std::uint64_t feedback = 0;
  std::uint64_t skills = 0;
  std::uint64_t guides = 0;
  std::uint64_t outcomes = 0;
  std::uint64_t bytes_freed = 0;  ///< by which the file became smaller
};

class Store {
 public:
  virtual ~Store() = default;
  virtual Result<> commit(const WriteBatch& batch) = 0;
  /// Visits everything remembered, in order of id. Errors: store_corrupt, store_unreadable.
  virtual Result<> load(const LoadVisitor& visitor) const = 0;
  /// JSON of one decision of this tenant, with its feedback; nullopt when there is none.
  virtual Result<std::optional<std::string>> decision(const std::string& tenant,
                                                      const std::string& id) const = 0;
  /// JSON of decisions, newest first.
  virtual Result<std::vector<std::string>> decisions(const DecisionFilter& filter) const = 0;
  virtual Result<std::optional<std::string>> setting(const std::string& name) const = 0;
  /// Everything of a tenant but what others keep in settings, in one transaction; then the file is rewritten
  /// without free pages and its log emptied, so that nothing of it can be read from the disk's file. Takes as
  /// long, and as much room, as a copy of the database: for an operator's command, not for the request path.
  /// A store that keeps nothing has nothing to erase, and says so: erase_unsupported.
  virtual Result<ErasedRows> erase_tenant(const std::string& tenant);
};

struct StoreOptions {
  std::string path;  ///< file; ":memory:" for tests
  /// Decisions and feedback older than this are deleted in the background of commits; zero keeps them for
  /// ever. (Texts that skills keep are the learner's to forget: LearnerOptions::retention.)
  Microseconds retention = std::chrono::hours(24 * 30);
};
/// Opens or creates, migrates. Errors: store_unreadable, store_locked, store_newer (made by a newer version).
Result<std::unique_ptr<Store>> open_store(const StoreOptions& options);

/// A consistent copy as one file, also while a gateway writes to `from`; `to` must not be there. Errors:
/// store_unreadable, store_locked, store_full, store_failed.
Result<> copy_store(const std::string& from, const std::string& to);

}  // namespace brevet
