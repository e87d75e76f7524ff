// The durable state in one SQLite file: WAL, synchronous=FULL, one writing connection, one for reading.
//
// A batch is one transaction, so after a crash it is there whole or not at all. The lock file beside the
// database keeps a second process out: two writers would give the same ids to different skills.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <boost/json.hpp>
#include <cstring>
#include <map>
#include <mutex>

#include "store/decision_json.h"
#include "store/passed_record.h"
#include "store/passed_table.h"
#include "store/sqlite_connection.h"
#include "store/store.h"

namespace brevet {
namespace {

static_assert(std::endian::native == std::endian::little, "vectors are stored as little-endian float32");

// One element per schema version; an element that has been released is never edited, a change appends one.
constexpr std::array kMigrations = {R"sql(
CREATE TABLE decisions(
  id TEXT PRIMARY KEY, time INTEGER NOT NULL, tenant TEXT NOT NULL, route TEXT NOT NULL, parent_id TEXT NOT NULL,
  json TEXT NOT NULL);
CREATE INDEX decisions_time ON decisions(time);
CREATE INDEX decisions_parent ON decisions(parent_id) WHERE parent_id <> '';
CREATE TABLE feedback(
  id INTEGER PRIMARY KEY, decision_id TEXT NOT NULL, tenant TEXT NOT NULL, score REAL, comment TEXT NOT NULL,
  time INTEGER NOT NULL);
CREATE INDEX feedback_decision ON feedback(decision_id);
CREATE TABLE partitions(
  id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, encoder_hash TEXT NOT NULL, weak TEXT NOT NULL,
  reference TEXT NOT NULL, system_hash TEXT NOT NULL, UNIQUE(tenant, encoder_hash, weak, reference, system_hash));
CREATE TABLE skills(
  id INTEGER PRIMARY KEY, partition INTEGER NOT NULL REFERENCES partitions(id), request_hash TEXT NOT NULL,
  embedding BLOB, status TEXT NOT NULL, guide INTEGER NOT NULL, weak_model_id TEXT NOT NULL, created INTEGER NOT NULL,
  last_tried INTEGER NOT NULL, tries INTEGER NOT NULL, hits INTEGER NOT NULL, confirmed INTEGER NOT NULL,
  refuted INTEGER NOT NULL, text TEXT NOT NULL);
CREATE TABLE guides(
  id INTEGER PRIMARY KEY, partition INTEGER NOT NULL REFERENCES partitions(id), text TEXT NOT NULL, embedding BLOB,
  source_request_hash TEXT NOT NULL, author TEXT NOT NULL, author_model_id TEXT NOT NULL, decision_id TEXT NOT NULL,
  created INTEGER NOT NULL, wins INTEGER NOT NULL, losses INTEGER NOT NULL);
CREATE TABLE outcomes(
  id INTEGER PRIMARY KEY, partition INTEGER NOT NULL REFERENCES partitions(id), request_hash TEXT NOT NULL,
  embedding BLOB, words BLOB, agrees INTEGER NOT NULL, weak_logprob REAL, guide INTEGER NOT NULL,
  spot_check INTEGER NOT NULL, time INTEGER NOT NULL);
CREATE TABLE settings(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
)sql",
                                    R"sql(
CREATE INDEX skills_partition ON skills(partition);
CREATE INDEX guides_partition ON guides(partition);
CREATE INDEX outcomes_partition ON outcomes(partition);
)sql",
                                    R"sql(
CREATE TABLE passed(
  bucket TEXT NOT NULL, tenant TEXT NOT NULL, first_id TEXT NOT NULL, newest INTEGER NOT NULL, count INTEGER NOT NULL,
  rows BLOB NOT NULL, UNIQUE(bucket, first_id));
CREATE INDEX passed_newest ON passed(newest);
)sql"};

// Old decisions go in pieces, so that no commit waits long for it.
constexpr int kRetentionPiece = 200;
constexpr int kStrayPiece = 8;
constexpr std::size_t kDecisionsMax = 10'000;  // of one listing

std::int64_t to_integer(Instant time) {
  return time.time_since_epoch().count();
}
Instant to_instant(std::int64_t micros) {
  return Instant{Microseconds{micros}};
}

std::string_view bytes_of(const Embedding& embedding) {
  return {reinterpret_cast<const char*>(embedding.data()), embedding.size() * sizeof(float)};
}
void bind_embedding(Statement& statement, int place, const std::shared_ptr<const Embedding>& embedding) {
  if (embedding) {
    statement.bind_blob(place, bytes_of(*embedding));
  } else {
    statement.bind_null(place);
  }
}
/// False when the bytes are not whole floats.
bool read_embedding(const Statement& row, int column, std::shared_ptr<const Embedding>& out) {
  out = nullptr;
  if (row.null(column)) return true;
  const std::string bytes = row.text(column);
  if (bytes.size() % sizeof(float) != 0) return false;
  auto embedding = std::make_shared<Embedding>(bytes.size() / sizeof(float));
  if (!bytes.empty()) std::memcpy(embedding->data(), bytes.data(), bytes.size());
  out = std::move(embedding);
  return true;
}

std::string words_blob(const SparseVector& words) {
  std::string out;
  const std::size_t n = std::min(words.index.size(), words.value.size());
  out.append(reinterpret_cast<const char*>(words.index.data()), n * sizeof(std::uint32_t));
  out.append(reinterpret_cast<const char*>(words.value.data()), n * sizeof(float));
  return out;
}
bool read_words(const Statement& row, int column, std::shared_ptr<const SparseVector>& out) {
  out = nullptr;
  if (row.null(column)) return true;
  const std::string bytes = row.text(column);
  if (bytes.size() % 8 != 0) return false;
  const std::size_t n = bytes.size() / 8;
  auto words = std::make_shared<SparseVector>();
  words->index.resize(n);
  words->value.resize(n);
  if (n > 0) {
    std::memcpy(words->index.data(), bytes.data(), n * 4);
    std::memcpy(words->value.data(), bytes.data() + n * 4, n * 4);
  }
  out = std::move(words);
  return true;
}

/// Held for the life of the store; the system lets go of it when the process ends, however it ends.
class ProcessLock {
 public:
  static Result<std::unique_ptr<ProcessLock>> take(const std::string& database) {
    const std::string path = database + ".lock";
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0) {
      return fail(ErrorKind::kInternal, "store_unreadable",
                  "Cannot create " + path + " (" + std::strerror(errno) +
                      "). Check that the folder exists and that this user may write there.");
    }
    auto lock = std::make_unique<ProcessLock>();
    lock->file_ = file;
    if (::flock(file, LOCK_EX | LOCK_NB) != 0) {
      char holder[32] = {};
      const auto got = ::pread(file, holder, sizeof holder - 1, 0);
      return fail(ErrorKind::kInternal, "store_locked",
                  "The database " + database + " is in use by another Brevet process" +
                      (got > 0 ? " (pid " + std::string(holder) + ")" : std::string()) +
                      ". End it, ask it over HTTP instead, or choose another data_dir.");
    }
    const std::string pid = std::to_string(::getpid());
    if (::ftruncate(file, 0) != 0 || ::pwrite(file, pid.data(), pid.size(), 0) < 0) {
      return fail(ErrorKind::kInternal, "store_unreadable", "Cannot write to " + path + ".");
    }
    return lock;
  }
  ~ProcessLock() {
    if (file_ >= 0) ::close(file_);
  }

 private:
  int file_ = -1;
};

class SqliteStore : public Store {
 public:
  static Result<std::unique_ptr<Store>> open(const StoreOptions& options);

  Result<> commit(const WriteBatch& batch) override;
  Result<> load(const LoadVisitor& visitor) const override;
  Result<std::optional<std::string>> decision(const std::string& tenant,
                                              const std::string& id) const override;
  Result<std::vector<std::string>> decisions(const DecisionFilter& filter) const override;
  Result<std::optional<std::string>> setting(const std::string& name) const override;
  Result<ErasedRows> erase_tenant(const std::string& tenant) override;

 private:
  Result<> migrate(const std::string& path);
  Result<> prepare_writes();
  Result<> write(const WriteBatch& batch);
  Result<> retain(const WriteBatch& batch);
  Result<std::int64_t> partition_row(const Partition& partition);
  Result<> forget_partition(const Partition& partition);
  Result<ErasedRows> erase_rows_of(const std::string& tenant);
  Result<std::string> with_what_followed(std::string json, const std::string& id) const;

  StoreOptions options_;
  std::unique_ptr<ProcessLock> lock_;
  std::unique_ptr<Connection> writer_;
  Statement put_decision_, put_feedback_, put_skill_, put_guide_, put_outcome_, put_setting_, put_partition_,
      find_partition_, drop_skill_, drop_guide_, drop_outcome_, drop_old_feedback_, drop_old_decisions_,
      drop_stray_feedback_;
  PassedTable passed_;
  /// Deletes of one partition, what refers to it first.
  std::array<Statement, 4> drop_partition_;
  Statement drop_setting_;
  std::map<std::string, std::int64_t> partition_rows_;
  std::int64_t newest_ = 0;  ///< time of the newest decision written; retention counts from it

  std::mutex commit_mutex_;  ///< guards all of the above; taken before mutex_
  /// ":memory:" has one connection for both, so reads and writes take turns.
  mutable std::mutex mutex_;
  std::unique_ptr<Connection> own_reader_;
  Connection* reader_ = nullptr;  // guarded by mutex_
};

Result<std::unique_ptr<Store>> SqliteStore::open(const StoreOptions& options) {
  auto store = std::make_unique<SqliteStore>();
  store->options_ = options;
  const bool in_memory = options.path == ":memory:";
  if (!in_memory) {
    auto lock = ProcessLock::take(options.path);
    if (!lock) return tl::unexpected(lock.error());
    store->lock_ = std::move(*lock);
  }
  auto writer = Connection::open(options.path);
  if (!writer) return tl::unexpected(writer.error());
  store->writer_ = std::move(*writer);
  // In WAL mode synchronous=FULL syncs the log at every commit: what commit() acknowledged survives a power
  // cut.
  if (auto done = store->writer_->execute(
          "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;");
      !done) {
    return tl::unexpected(done.error());
  }
  if (auto done = store->migrate(options.path); !done) return tl::unexpected(done.error());
  if (auto done = store->prepare_writes(); !done) return tl::unexpected(done.error());
  if (in_memory) {
    store->reader_ = store->writer_.get();
  } else {
    auto reader = Connection::open(options.path);
    if (!reader) return tl::unexpected(reader.error());
    store->own_reader_ = std::move(*reader);
    store->reader_ = store->own_reader_.get();
    if (auto done = store->reader_->execute("PRAGMA query_only=ON"); !done)
      return tl::unexpected(done.error());
  }
  auto newest = store->writer_->integer("SELECT coalesce(max(time), 0) FROM decisions");
  if (!newest) return tl::unexpected(newest.error());
  store->newest_ = *newest;
  return std::unique_ptr<Store>(std::move(store));
}

Result<> SqliteStore::migrate(const std::string& path) {
  auto version = writer_->integer("PRAGMA user_version");
  if (!version) return tl::unexpected(version.error());
  constexpr auto newest = static_cast<std::int64_t>(kMigrations.size());
  if (*version > newest) {
    return fail(ErrorKind::kInternal, "store_newer",
                "The database " + path + " has schema " + std::to_string(*version) +
                    " and this Brevet knows up to " + std::to_string(newest) +
                    ". Start the newer version that made it, or choose another data_dir.");
  }
  for (auto next = *version; next < newest; ++next) {
    const std::string sql = "BEGIN IMMEDIATE;" + std::string(kMigrations[static_cast<std::size_t>(next)]) +
                            "PRAGMA user_version=" + std::to_string(next + 1) + ";COMMIT;";
    if (auto done = writer_->execute(sql.c_str()); !done) {
      if (writer_->in_transaction()) (void)writer_->execute("ROLLBACK");
      return done;
    }
  }
  return {};
}

Result<> SqliteStore::prepare_writes() {
  const std::pair<Statement*, const char*> statements[] = {
      {&put_decision_,
       "INSERT OR REPLACE INTO decisions(id, time, tenant, route, parent_id, json) VALUES(?,?,?,?,?,?)"},
      {&put_feedback_, "INSERT INTO feedback(decision_id, tenant, score, comment, time) VALUES(?,?,?,?,?)"},
      {&put_skill_,
       "INSERT OR REPLACE INTO skills(id, partition, request_hash, embedding, status, guide, weak_model_id, "
       "created, "
       "last_tried, tries, hits, confirmed, refuted, text) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)"},
      {&put_guide_,
       "INSERT OR REPLACE INTO guides(id, partition, text, embedding, source_request_hash, author, "
       "author_model_id, "
       "decision_id, created, wins, losses) VALUES(?,?,?,?,?,?,?,?,?,?,?)"},
      {&put_outcome_,
       "INSERT OR REPLACE INTO outcomes(id, partition, request_hash, embedding, words, agrees, weak_logprob, "
       "guide, spot_check, time) VALUES(?,?,?,?,?,?,?,?,?,?)"},
      {&put_setting_, "INSERT OR REPLACE INTO settings(name, value) VALUES(?,?)"},
      {&put_partition_,
       "INSERT OR IGNORE INTO partitions(tenant, encoder_hash, weak, reference, system_hash) "
       "VALUES(?,?,?,?,?)"},
      {&find_partition_,
       "SELECT id FROM partitions WHERE tenant=? AND encoder_hash=? AND weak=? AND reference=? AND "
       "system_hash=?"},
      {&drop_skill_, "DELETE FROM skills WHERE id=?"},
      {&drop_guide_, "DELETE FROM guides WHERE id=?"},
      {&drop_outcome_, "DELETE FROM outcomes WHERE id=?"},
      {&drop_partition_[0], "DELETE FROM skills WHERE partition=?"},
      {&drop_partition_[1], "DELETE FROM guides WHERE partition=?"},
      {&drop_partition_[2], "DELETE FROM outcomes WHERE partition=?"},
      {&drop_partition_[3], "DELETE FROM partitions WHERE id=?"},
      {&drop_setting_, "DELETE FROM settings WHERE name=?"},
      {&drop_old_feedback_,
       "DELETE FROM feedback WHERE decision_id IN (SELECT id FROM decisions WHERE time<? ORDER BY time LIMIT "
       "?)"},
      // What is older than any decision that is kept has lost its own; a look at the first few rows is cheap.
      {&drop_stray_feedback_,
       "DELETE FROM feedback WHERE time<? AND id IN (SELECT id FROM feedback ORDER BY id LIMIT ?)"},
      {&drop_old_decisions_,
       "DELETE FROM decisions WHERE rowid IN (SELECT rowid FROM decisions WHERE time<? ORDER BY time LIMIT "
       "?)"},
  };
  for (const auto& [statement, sql] : statements) {
    auto prepared = writer_->prepare(sql);
    if (!prepared) return tl::unexpected(prepared.error());
    *statement = std::move(*prepared);
  }
  return passed_.prepare(*writer_);
}

Result<std::int64_t> SqliteStore::partition_row(const Partition& partition) {
  const std::string key = partition.key();
  if (const auto known = partition_rows_.find(key); known != partition_rows_.end()) return known->second;
  const auto bind = [&](Statement& statement) -> Statement& {
    return statement.bind(1, partition.tenant)
        .bind(2, partition.encoder_hash)
        .bind(3, partition.weak)
        .bind(4, partition.reference)
        .bind(5, partition.system_hash);
  };
  if (auto done = bind(put_partition_).run(); !done) return tl::unexpected(done.error());
  std::int64_t row = 0;
  if (bind(find_partition_).step()) row = find_partition_.integer(0);
  if (auto done = find_partition_.finish(); !done) return tl::unexpected(done.error());
  partition_rows_[key] = row;
  return row;
}

Result<> SqliteStore::forget_partition(const Partition& partition) {
  const auto row = partition_row(partition);
  if (!row) return tl::unexpected(row.error());
  for (auto& statement : drop_partition_) {
    if (auto done = statement.bind(1, *row).run(); !done) return done;
  }
  partition_rows_.erase(partition.key());
  return {};
}

Result<> SqliteStore::commit(const WriteBatch& batch) {
  if (batch.empty()) return {};
  std::lock_guard one_writer(commit_mutex_);
  std::unique_lock lock(mutex_, std::defer_lock);
  if (!own_reader_) lock.lock();
  if (auto begun = writer_->execute("BEGIN IMMEDIATE"); !begun) return begun;
  Result<> done = write(batch);
  if (done) done = retain(batch);
  if (done) done = writer_->execute("COMMIT");
  if (!done) {
    // Rows of partitions that this transaction made are gone with it.
    partition_rows_.clear();
    if (writer_->in_transaction()) (void)writer_->execute("ROLLBACK");
  }
  return done;
}

Result<> SqliteStore::write(const WriteBatch& batch) {
  if (auto done = passed_.write(batch.passed); !done) return done;
  std::string record;
  for (const auto& decision : batch.decisions) {
    put_decision_.bind(1, decision->id)
        .bind(2, to_integer(decision->time))
        .bind(3, decision->tenant)
        .bind(4, decision->route)
        .bind(5, decision->parent_id);
    if (passed_record(*decision, record)) {
      put_decision_.bind_blob(6, record);
    } else {
      put_decision_.bind(6, decision_json(*decision));
    }
    if (auto done = put_decision_.run(); !done) return done;
  }
  for (const auto& feedback : batch.feedback) {
    put_feedback_.bind(1, feedback.decision_id)
        .bind(2, feedback.tenant)
        .bind(3, feedback.score)
        .bind(4, feedback.comment)
        .bind(5, to_integer(feedback.time));
    if (auto done = put_feedback_.run(); !done) return done;
  }
  const auto forget = [](Statement& statement, const std::vector<std::uint64_t>& ids) -> Result<> {
    for (const auto id : ids) {
      if (auto done = statement.bind(1, static_cast<std::int64_t>(id)).run(); !done) return done;
    }
    return {};
  };
  if (auto done = forget(drop_skill_, batch.forget_skills); !done) return done;
  if (auto done = forget(drop_guide_, batch.forget_guides); !done) return done;
  if (auto done = forget(drop_outcome_, batch.forget_outcomes); !done) return done;
  for (const auto& partition : batch.forget_partitions) {
    if (auto done = forget_partition(partition); !done) return done;
  }
  for (const auto& name : batch.forget_settings) {
    if (auto done = drop_setting_.bind(1, name).run(); !done) return done;
  }
  for (const auto& [partition, skill] : batch.skills) {
    const auto row = partition_row(partition);
    if (!row) return tl::unexpected(row.error());
    put_skill_.bind(1, static_cast<std::int64_t>(skill.id)).bind(2, *row).bind(3, skill.request_hash);
    bind_embedding(put_skill_, 4, skill.embedding);
    put_skill_.bind(5, std::string_view(name_of(skill.status)))
        .bind(6, static_cast<std::int64_t>(skill.guide_id))
        .bind(7, skill.weak_model_id)
        .bind(8, to_integer(skill.created))
        .bind(9, to_integer(skill.last_tried))
        .bind(10, std::int64_t{skill.tries})
        .bind(11, std::int64_t{skill.hits})
        .bind(12, std::int64_t{skill.confirmed})
        .bind(13, std::int64_t{skill.refuted})
        .bind(14, skill.text);
    if (auto done = put_skill_.run(); !done) return done;
  }
  for (const auto& [partition, guide] : batch.guides) {
    const auto row = partition_row(partition);
    if (!row) return tl::unexpected(row.error());
    put_guide_.bind(1, static_cast<std::int64_t>(guide.id)).bind(2, *row).bind(3, guide.text);
    bind_embedding(put_guide_, 4, guide.embedding);
    put_guide_.bind(5, guide.source_request_hash)
        .bind(6, guide.author)
        .bind(7, guide.author_model_id)
        .bind(8, guide.decision_id)
        .bind(9, to_integer(guide.created))
        .bind(10, std::int64_t{guide.wins})
        .bind(11, std::int64_t{guide.losses});
    if (auto done = put_guide_.run(); !done) return done;
  }
  for (const auto& outcome : batch.outcomes) {
    const auto row = partition_row(outcome.partition);
    if (!row) return tl::unexpected(row.error());
    put_outcome_.bind(1, static_cast<std::int64_t>(outcome.id)).bind(2, *row).bind(3, outcome.request_hash);
    bind_embedding(put_outcome_, 4, outcome.embedding);
    if (outcome.words) {
      put_outcome_.bind_blob(5, words_blob(*outcome.words));
    } else {
      put_outcome_.bind_null(5);
    }
    put_outcome_.bind(6, std::int64_t{outcome.agrees})
        .bind(7, outcome.weak_logprob)
        .bind(8, static_cast<std::int64_t>(outcome.guide_id))
        .bind(9, std::int64_t{outcome.spot_check})
        .bind(10, to_integer(outcome.time));
    if (auto done = put_outcome_.run(); !done) return done;
  }
  for (const auto& [name, value] : batch.settings) {
    if (auto done = put_setting_.bind(1, name).bind_blob(2, value).run(); !done) return done;
  }
  return {};
}

Result<> SqliteStore::retain(const WriteBatch& batch) {
  for (const auto& decision : batch.decisions) newest_ = std::max(newest_, to_integer(decision->time));
  for (const auto& row : batch.passed) newest_ = std::max(newest_, to_integer(row.time));
  if (options_.retention.count() <= 0) return {};
  const std::int64_t oldest = newest_ - options_.retention.count();
  if (auto done = drop_old_feedback_.bind(1, oldest).bind(2, std::int64_t{kRetentionPiece}).run(); !done)
    return done;
  if (auto done = drop_stray_feedback_.bind(1, oldest).bind(2, std::int64_t{kStrayPiece}).run(); !done)
    return done;
  if (auto done = drop_old_decisions_.bind(1, oldest).bind(2, std::int64_t{kRetentionPiece}).run(); !done)
    return done;
  return passed_.drop_old(oldest, kRetentionPiece);
}

Result<ErasedRows> SqliteStore::erase_rows_of(const std::string& tenant) {
  std::vector<Partition> partitions;
  {
    auto rows =
        writer_->prepare("SELECT encoder_hash, weak, reference, system_hash FROM partitions WHERE tenant=?");
    if (!rows) return tl::unexpected(rows.error());
    rows->bind(1, tenant);
    while (rows->step())
      partitions.push_back({tenant, rows->text(0), rows->text(1), rows->text(2), rows->text(3)});
    if (auto done = rows->finish(); !done) return tl::unexpected(done.error());
  }
  ErasedRows out;
  std::uint64_t passed = 0;
  {
    auto rows = writer_->prepare("SELECT coalesce(sum(count), 0) FROM passed WHERE tenant=?");
    if (!rows) return tl::unexpected(rows.error());
    if (rows->bind(1, tenant).step()) passed = static_cast<std::uint64_t>(rows->integer(0));
    if (auto done = rows->finish(); !done) return tl::unexpected(done.error());
  }
  const auto of_tenant = std::string("partition IN (SELECT id FROM partitions WHERE tenant=?)");
  const std::pair<std::string, std::uint64_t*> deletes[] = {
      {"DELETE FROM feedback WHERE tenant=?", &out.feedback},
      {"DELETE FROM decisions WHERE tenant=?", &out.decisions},
      {"DELETE FROM passed WHERE tenant=?", nullptr},
      {"DELETE FROM skills WHERE " + of_tenant, &out.skills},
      {"DELETE FROM guides WHERE " + of_tenant, &out.guides},
      {"DELETE FROM outcomes WHERE " + of_tenant, &out.outcomes},
      {"DELETE FROM partitions WHERE tenant=?", nullptr}};
  for (const auto& [sql, count] : deletes) {
    auto statement = writer_->prepare(sql);
    if (!statement) return tl::unexpected(statement.error());
    if (auto done = statement->bind(1, tenant).run(); !done) return tl::unexpected(done.error());
    const auto changed = writer_->integer("SELECT changes()");
    if (!changed) return tl::unexpected(changed.error());
    if (count != nullptr) *count = static_cast<std::uint64_t>(*changed);
  }
  out.decisions += passed;
  // What learning keeps of a partition as a setting is named after it.
  auto drop = writer_->prepare("DELETE FROM settings WHERE substr(name, -length(?1) - 1) = '/' || ?1");
  if (!drop) return tl::unexpected(drop.error());
  for (const auto& partition : partitions) {
    if (auto done = drop->bind(1, partition.key()).run(); !done) return tl::unexpected(done.error());
  }
  return out;
}

Result<ErasedRows> SqliteStore::erase_tenant(const std::string& tenant) {
  std::lock_guard one_writer(commit_mutex_);
  std::lock_guard no_reader(mutex_);
  const auto size = [this] {
    const auto pages = writer_->integer("PRAGMA page_count");
    const auto bytes = writer_->integer("PRAGMA page_size");
    return pages && bytes ? *pages * *bytes : 0;
  };
  const auto before = size();
  if (auto begun = writer_->execute("BEGIN IMMEDIATE"); !begun) return tl::unexpected(begun.error());
  auto erased = erase_rows_of(tenant);
  if (erased) {
    if (auto done = writer_->execute("COMMIT"); !done) erased = tl::unexpected(done.error());
  }
  partition_rows_.clear();
  if (!erased) {
    if (writer_->in_transaction()) (void)writer_->execute("ROLLBACK");
    return erased;
  }
  // Deleted rows stay readable in free pages and in the log until both are written anew.
  if (auto done = writer_->execute("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);"); !done) {
    return fail(ErrorKind::kInternal, "erase_unfinished",
                "Everything of " + tenant +
                    " was deleted, but the file could not be rewritten without its free pages (" +
                    done.error().message + "). Make room for a copy of the database and run it again.");
  }
  erased->bytes_freed = static_cast<std::uint64_t>(std::max<std::int64_t>(before - size(), 0));
  return erased;
}

tl::unexpected<Error> corrupt(const char* table, const std::string& id) {
  return fail(ErrorKind::kInternal, "store_corrupt",
              "Row " + id + " of table " + table +
                  " in the database cannot be read. Restore a backup, or move the file away to start empty.");
}

Result<> SqliteStore::load(const LoadVisitor& visitor) const {
  std::lock_guard lock(mutex_);
  const auto statement = [this](const char* sql) { return reader_->prepare(sql); };
  std::map<std::int64_t, Partition> partitions;
  {
    auto rows = statement("SELECT id, tenant, encoder_hash, weak, reference, system_hash FROM partitions");
    if (!rows) return tl::unexpected(rows.error());
    while (rows->step()) {
      partitions[rows->integer(0)] = {rows->text(1), rows->text(2), rows->text(3), rows->text(4),
                                      rows->text(5)};
    }
    if (auto done = rows->finish(); !done) return done;
  }
  if (visitor.skill) {
    auto rows = statement(
        "SELECT id, partition, request_hash, embedding, status, guide, weak_model_id, created, last_tried, "
        "tries, "
        "hits, confirmed, refuted, text FROM skills ORDER BY id");
    if (!rows) return tl::unexpected(rows.error());
    while (rows->step()) {
      StoredSkill stored;
      Skill& skill = stored.skill;
      skill.id = static_cast<std::uint64_t>(rows->integer(0));
      const auto partition = partitions.find(rows->integer(1));
      const auto status = skill_status_from(rows->text(4));
      if (partition == partitions.end() || !status || !read_embedding(*rows, 3, skill.embedding)) {
        return corrupt("skills", std::to_string(skill.id));
      }
      stored.partition = partition->second;
      skill.request_hash = rows->text(2);
      skill.status = *status;
      skill.guide_id = static_cast<std::uint64_t>(rows->integer(5));
      skill.weak_model_id = rows->text(6);
      skill.created = to_instant(rows->integer(7));
      skill.last_tried = to_instant(rows->integer(8));
      skill.tries = static_cast<std::uint32_t>(rows->integer(9));
      skill.hits = static_cast<std::uint32_t>(rows->integer(10));
      skill.confirmed = static_cast<std::uint32_t>(rows->integer(11));
      skill.refuted = static_cast<std::uint32_t>(rows->integer(12));
      skill.text = rows->text(13);
      visitor.skill(std::move(stored));
    }
    if (auto done = rows->finish(); !done) return done;
  }
  if (visitor.guide) {
    auto rows = statement(
        "SELECT id, partition, text, embedding, source_request_hash, author, author_model_id, decision_id, "
        "created, "
        "wins, losses FROM guides ORDER BY id");
    if (!rows) return tl::unexpected(rows.error());
    while (rows->step()) {
      StoredGuide stored;
      Guide& guide = stored.guide;
      guide.id = static_cast<std::uint64_t>(rows->integer(0));
      const auto partition = partitions.find(rows->integer(1));
      if (partition == partitions.end() || !read_embedding(*rows, 3, guide.embedding)) {
        return corrupt("guides", std::to_string(guide.id));
      }
      stored.partition = partition->second;
      guide.text = rows->text(2);
      guide.source_request_hash = rows->text(4);
      guide.author = rows->text(5);
      guide.author_model_id = rows->text(6);
      guide.decision_id = rows->text(7);
      guide.created = to_instant(rows->integer(8));
      guide.wins = static_cast<std::uint32_t>(rows->integer(9));
      guide.losses = static_cast<std::uint32_t>(rows->integer(10));
      visitor.guide(std::move(stored));
    }
    if (auto done = rows->finish(); !done) return done;
  }
  if (visitor.outcome) {
    auto rows = statement(
        "SELECT id, partition, request_hash, embedding, words, agrees, weak_logprob, guide, spot_check, time "
        "FROM "
        "outcomes "
        "ORDER BY id");
    if (!rows) return tl::unexpected(rows.error());
    while (rows->step()) {
      StoredOutcome outcome;
      outcome.id = static_cast<std::uint64_t>(rows->integer(0));
      const auto partition = partitions.find(rows->integer(1));
      if (partition == partitions.end() || !read_embedding(*rows, 3, outcome.embedding) ||
          !read_words(*rows, 4, outcome.words)) {
        return corrupt("outcomes", std::to_string(outcome.id));
      }
      outcome.partition = partition->second;
      outcome.request_hash = rows->text(2);
      outcome.agrees = rows->integer(5) != 0;
      if (!rows->null(6)) outcome.weak_logprob = rows->real(6);
      outcome.guide_id = static_cast<std::uint64_t>(rows->integer(7));
      outcome.spot_check = rows->integer(8) != 0;
      outcome.time = to_instant(rows->integer(9));
      visitor.outcome(std::move(outcome));
    }
    if (auto done = rows->finish(); !done) return done;
  }
  return {};
}

/// The JSON of a row of `id, time, tenant, json`, whichever form it is kept in; nullopt when it is corrupt.
std::optional<std::string> json_of(const Statement& row) {
  std::string kept = row.text(3);
  if (!is_passed_record(kept)) return kept;
  const auto decision = decision_of({row.text(0), to_instant(row.integer(1)), row.text(2), std::move(kept)});
  if (!decision) return std::nullopt;
  return decision_json(*decision);
}

/// Adds what became known of a decision after it was written.
Result<std::string> SqliteStore::with_what_followed(std::string stored, const std::string& id) const {
  namespace json = boost::json;
  json::array feedback;
  auto rows = reader_->prepare("SELECT score, comment, time FROM feedback WHERE decision_id=? ORDER BY id");
  if (!rows) return tl::unexpected(rows.error());
  rows->bind(1, id);
  while (rows->step()) {
    feedback.push_back({{"score", rows->null(0) ? json::value(nullptr) : json::value(rows->real(0))},
                        {"comment", rows->text(1)},
                        {"time", rfc3339(to_instant(rows->integer(2)))}});
  }
  if (auto done = rows->finish(); !done) return tl::unexpected(done.error());
  json::array shadows;
  auto children =
      reader_->prepare("SELECT id FROM decisions WHERE parent_id=? AND parent_id<>'' ORDER BY id");
  if (!children) return tl::unexpected(children.error());
  children->bind(1, id);
  while (children->step()) shadows.emplace_back(children->text(0));
  if (auto done = children->finish(); !done) return tl::unexpected(done.error());
  if (!stored.empty() && stored.back() == '}') {
    stored.pop_back();
    stored += ",\"feedback\":" + json::serialize(feedback) + ",\"shadows\":" + json::serialize(shadows) + "}";
  }
  return stored;
}

Result<std::optional<std::string>> SqliteStore::decision(const std::string& tenant,
                                                         const std::string& id) const {
  std::lock_guard lock(mutex_);
  auto rows = reader_->prepare("SELECT id, time, tenant, json FROM decisions WHERE id=? AND tenant=?");
  if (!rows) return tl::unexpected(rows.error());
  rows->bind(1, id).bind(2, tenant);
  std::optional<std::string> found;
  if (rows->step()) {
    found = json_of(*rows);
    if (!found) return corrupt("decisions", id);
  }
  if (auto done = rows->finish(); !done) return tl::unexpected(done.error());
  if (!found) {
    auto passed = PassedTable::find(*reader_, tenant, id);
    if (!passed) return tl::unexpected(passed.error());
    if (!*passed) return found;
    found = decision_json(**passed);
  }
  auto whole = with_what_followed(std::move(*found), id);
  if (!whole) return tl::unexpected(whole.error());
  return std::optional<std::string>(std::move(*whole));
}

Result<std::vector<std::string>> SqliteStore::decisions(const DecisionFilter& filter) const {
  const std::size_t limit = std::min(filter.limit, kDecisionsMax);
  std::lock_guard lock(mutex_);
  auto rows = reader_->prepare(
      "SELECT id, time, tenant, json FROM decisions WHERE (?1='' OR tenant=?1) AND (?2='' OR route=?2) AND "
      "time>=?3 "
      "ORDER BY time DESC, id DESC LIMIT ?4");
  if (!rows) return tl::unexpected(rows.error());
  rows->bind(1, filter.tenant)
      .bind(2, filter.route)
      .bind(3, to_integer(filter.since))
      .bind(4, static_cast<std::int64_t>(limit));
  auto passed = PassedTable::newest(*reader_, filter, limit);
  if (!passed) return tl::unexpected(passed.error());
  std::vector<std::string> out;
  auto next = passed->begin();
  const auto add_passed = [&] {
    const auto decision = decision_of(*next++);
    if (decision) out.push_back(decision_json(*decision));
    return decision.has_value();
  };
  // Two lists, both newest first, become one.
  while (out.size() < limit && rows->step()) {
    PassedRow row;
    row.id = rows->text(0);
    row.time = to_instant(rows->integer(1));
    while (out.size() < limit && next != passed->end() && PassedTable::newer(*next, row)) {
      if (!add_passed()) return corrupt("passed", std::prev(next)->id);
    }
    if (out.size() == limit) break;
    auto json = json_of(*rows);
    if (!json) return corrupt("decisions", rows->text(0));
    out.push_back(std::move(*json));
  }
  if (auto done = rows->finish(); !done) return tl::unexpected(done.error());
  while (out.size() < limit && next != passed->end()) {
    if (!add_passed()) return corrupt("passed", std::prev(next)->id);
  }
  return out;
}

Result<std::optional<std::string>> SqliteStore::setting(const std::string& name) const {
  std::lock_guard lock(mutex_);
  auto rows = reader_->prepare("SELECT value FROM settings WHERE name=?");
  if (!rows) return tl::unexpected(rows.error());
  rows->bind(1, name);
  std::optional<std::string> found;
  if (rows->step()) found = rows->text(0);
  if (auto done = rows->finish(); !done) return tl::unexpected(done.error());
  return found;
}

}  // namespace

Result<ErasedRows> Store::erase_tenant(const std::string& tenant) {
  return fail(ErrorKind::kInternal, "erase_unsupported",
              "This store cannot erase tenant " + tenant + "; use the database of a gateway.");
}

bool WriteBatch::empty() const {
  return decisions.empty() && passed.empty() && skills.empty() && guides.empty() && outcomes.empty() &&
         feedback.empty() && forget_skills.empty() && forget_guides.empty() && forget_outcomes.empty() &&
         forget_partitions.empty() && forget_settings.empty() && settings.empty();
}

Result<std::unique_ptr<Store>> open_store(const StoreOptions& options) {
  return SqliteStore::open(options);
}

}  // namespace brevet
