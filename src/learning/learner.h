// Learning: takes what happened, commits it, and only then lets memory know (outcomes enter a snapshot only
// after their commit).
//
// App makes one and hands it to the gateway as OutcomeSink and as the source of snapshots. One writer thread
// takes batches from a bounded queue: one transaction a batch. All methods are thread-safe. It calls no model
// and decides no request; rules of promotion and demotion are in skill_rules.h.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "gateway/outcome_sink.h"
#include "memory/memory.h"
#include "store/store.h"

namespace brevet {

/// kThread: the product. kInline: every call is committed and published before it returns, on the caller's
/// thread, one caller at a time: replay, where the next request must see it.
enum class LearnerMode { kThread, kInline };

struct LearnerOptions {
  LearnerMode mode = LearnerMode::kThread;
  std::size_t queue_max = 8'192;  ///< decisions taken and not yet committed; more are refused by reserve()
  std::size_t feedback_max =
      1'024;  ///< feedback waiting for its commit; more are answered with learning_overloaded
  /// Decisions that weak served and on which a client's word can still teach (about 3 kB each with their
  /// embedding); older ones only keep what was said.
  std::size_t feedback_window = 4'096;
  std::size_t batch_max = 256;  ///< items of one transaction
  /// Items of one transaction when all are passed-through decisions: they are small, teach nothing and are
  /// the many, so what a transaction costs by itself is shared by more of them.
  std::size_t passed_batch_max = 2'048;
  /// How long a decision that teaches nothing (a model was named) may wait for others to share its
  /// transaction; whatever teaches, and feedback, is committed at once and takes along what waits.
  Milliseconds gather{50};
  /// After a commit that failed, before it is tried again; doubles up to retry_max. Meanwhile the queue fills
  /// and reserve() refuses, so nothing is lost and no coin is drawn.
  Milliseconds retry_first{50};
  Milliseconds retry_max{5'000};
  MemoryOptions memory;
  /// Texts of requests that skills keep (routes with store: text) and that were last seen longer ago go, from
  /// disk and memory, in the background of commits; the skills stay. Zero keeps them for ever.
  Microseconds retention{0};
  /// Small named blobs of others (a ledger) to be written with every batch; called on the learning thread.
  /// May be null.
  std::function<std::vector<std::pair<std::string, std::string>>()> more_settings;
};

/// Counts since the start, for metrics and the admin view.
struct LearnerFigures {
  std::uint64_t decisions_committed = 0;
  std::uint64_t shadows_absorbed = 0;
  std::uint64_t feedback_committed = 0;
  std::uint64_t feedback_learned = 0;  ///< said something new of an answer that weak had served
  std::uint64_t feedback_unused = 0;   ///< had a score and taught nothing: served_by_weak.h says when
  std::uint64_t outcomes_learned = 0;  ///< weak alone agreed or differed
  std::uint64_t refused = 0;           ///< reserve() said no
  std::uint64_t dropped =
      0;  ///< decided() without a place while the queue was full, or lost at a stop that could not commit
  std::uint64_t cannot_tell = 0;     ///< comparisons without a verdict; they taught nothing
  std::uint64_t guides_written = 0;  ///< saved
  std::uint64_t guides_leaked = 0;   ///< thrown away because they carried the answer
  std::uint64_t guides_useless = 0;  ///< written, and weak still differed
  std::uint64_t spot_checks_agreed = 0;
  std::uint64_t spot_checks_differed = 0;
  std::uint64_t demoted = 0;  ///< skills turned to strong-only by a spot check
  std::uint64_t evicted_skills = 0;
  std::uint64_t evicted_guides = 0;
  std::uint64_t texts_forgotten = 0;  ///< for LearnerOptions::retention
  std::uint64_t model_id_changes = 0;
  std::uint64_t commits = 0;
  std::uint64_t commit_failures = 0;
  std::uint64_t queue_length = 0;  ///< now
  MemoryFigures memory;            ///< as of the last publish
};

class Learner : public OutcomeSink {
 public:
  /// The newest published snapshot; never null.
  virtual SnapshotPtr snapshot() const = 0;
  virtual LearnerFigures figures() const = 0;
  /// A journal number that no stored decision has: the first that this process may use.
  virtual std::uint64_t first_number() const = 0;
  /// Blocks until everything handed over before is committed and published, or can not be. False on the
  /// latter. Of an inline learner, what snapshot() returns then is for any thread, whatever
  /// MemoryOptions::readers says.
  virtual bool flush() = 0;
  /// Commits what is queued and ends the thread; idempotent, called by the destructor.
  virtual void stop() = 0;
};

/// Rebuilds memory from the store. `store` and `clock` outlive the learner. Errors: those of Store::load.
Result<std::unique_ptr<Learner>> make_learner(Store& store, const Clock& clock, LearnerOptions options = {});

}  // namespace brevet
