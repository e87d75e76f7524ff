#include "store/passed_table.h"

#include <algorithm>
#include <map>
#include <utility>

#include "store/passed_block.h"

namespace brevet {
namespace {

/// Rows of one block: a larger one saves little more and is a larger piece of memory to put together.
constexpr std::size_t kBlockRowsMax = 256;

tl::unexpected<Error> corrupt_block(const std::string& name) {
  return fail(
      ErrorKind::kInternal, "store_corrupt",
      "The row of " + name +
          " in table passed of the database cannot be read. Restore a backup, or move the file away to start "
          "empty.");
}

}  // namespace

Result<> PassedTable::prepare(Connection& writer) {
  const std::pair<Statement*, const char*> statements[] = {
      {&put_,
       "INSERT OR REPLACE INTO passed(bucket, tenant, first_id, newest, count, rows) VALUES(?,?,?,?,?,?)"},
      {&old_, "SELECT bucket, first_id, rows FROM passed WHERE newest<? ORDER BY newest LIMIT ?"},
      {&drop_, "DELETE FROM passed WHERE bucket=? AND first_id=?"},
      {&any_feedback_, "SELECT 1 FROM feedback WHERE decision_id>=?1 AND decision_id<=?1||x'7f' LIMIT 1"},
      {&drop_feedback_, "DELETE FROM feedback WHERE decision_id=?"}};
  for (const auto& [statement, sql] : statements) {
    auto prepared = writer.prepare(sql);
    if (!prepared) return tl::unexpected(prepared.error());
    *statement = std::move(*prepared);
  }
  return {};
}

Result<> PassedTable::write(const std::vector<PassedRow>& rows) {
  using Key = std::pair<std::string_view, std::string_view>;
  std::map<Key, PassedBlock> blocks;
  const auto put = [&](const Key& key, PassedBlock& block) {
    put_.bind(1, key.first).bind(2, key.second).bind(3, std::string_view(block.first_id()));
    put_.bind(4, static_cast<std::int64_t>(block.newest().time_since_epoch().count()));
    put_.bind(5, static_cast<std::int64_t>(block.size())).bind_blob(6, block.bytes());
    auto done = put_.run();
    block.clear();
    return done;
  };
  auto last = blocks.end();  // rows of one moment mostly are of one client
  for (const auto& row : rows) {
    const Key key{passed_bucket(row.id), row.tenant};
    if (last == blocks.end() || last->first != key) last = blocks.try_emplace(key).first;
    auto& block = last->second;
    block.add(row);
    if (block.size() < kBlockRowsMax) continue;
    if (auto done = put(key, block); !done) return done;
  }
  for (auto& [key, block] : blocks) {
    if (block.size() == 0) continue;
    if (auto done = put(key, block); !done) return done;
  }
  return {};
}

Result<> PassedTable::drop_old(std::int64_t oldest, int most) {
  struct Old {
    std::string bucket, first_id, rows;
  };
  std::vector<Old> old;
  old_.bind(1, oldest).bind(2, std::int64_t{most});
  while (old_.step()) old.push_back({old_.text(0), old_.text(1), old_.text(2)});
  if (auto done = old_.finish(); !done) return done;
  for (const auto& block : old) {
    const bool any = any_feedback_.bind(1, std::string_view(block.bucket)).step();
    if (auto done = any_feedback_.finish(); !done) return done;
    Result<> done;
    if (any) {
      read_passed_block(block.rows, [&](const PassedRow& row) {
        done = drop_feedback_.bind(1, std::string_view(row.id)).run();
        return done.has_value();
      });
    }
    if (done)
      done = drop_.bind(1, std::string_view(block.bucket)).bind(2, std::string_view(block.first_id)).run();
    if (!done) return done;
  }
  return {};
}

Result<std::optional<Decision>> PassedTable::find(Connection& reader, const std::string& tenant,
                                                  const std::string& id) {
  auto blocks = reader.prepare("SELECT rows FROM passed WHERE bucket=? AND tenant=?");
  if (!blocks) return tl::unexpected(blocks.error());
  blocks->bind(1, passed_bucket(id)).bind(2, std::string_view(tenant));
  std::optional<PassedRow> found;
  bool whole = true;
  while (whole && !found && blocks->step()) {
    whole = read_passed_block(blocks->text(0), [&](PassedRow row) {
      if (row.id == id) found = std::move(row);
      return !found;
    });
  }
  if (auto done = blocks->finish(); !done) return tl::unexpected(done.error());
  if (!whole) return corrupt_block(id);
  std::optional<Decision> out;
  if (!found) return out;
  found->tenant = tenant;
  out = decision_of(*found);
  if (!out) return corrupt_block(id);
  return out;
}

bool PassedTable::newer(const PassedRow& a, const PassedRow& b) {
  return a.time != b.time ? a.time > b.time : a.id > b.id;
}

Result<std::vector<PassedRow>> PassedTable::newest(Connection& reader, const DecisionFilter& filter,
                                                   std::size_t limit) {
  std::vector<PassedRow> out;
  if (!filter.route.empty() || limit == 0) return out;  // they have no route
  auto blocks = reader.prepare(
      "SELECT newest, first_id, tenant, rows FROM passed WHERE newest>=?1 AND (?2='' OR tenant=?2) ORDER BY "
      "newest "
      "DESC");
  if (!blocks) return tl::unexpected(blocks.error());
  blocks->bind(1, static_cast<std::int64_t>(filter.since.time_since_epoch().count()));
  blocks->bind(2, std::string_view(filter.tenant));
  while (blocks->step()) {
    // What follows is no newer than this block's newest.
    if (out.size() >= limit && Instant{Microseconds{blocks->integer(0)}} < out.back().time) break;
    const std::string tenant = blocks->text(2);
    const bool whole = read_passed_block(blocks->text(3), [&](PassedRow row) {
      row.tenant = tenant;
      if (row.time >= filter.since) out.push_back(std::move(row));
      return true;
    });
    if (!whole) return corrupt_block(blocks->text(1));
    std::sort(out.begin(), out.end(), newer);
    if (out.size() > limit) out.resize(limit);
  }
  if (auto done = blocks->finish(); !done) return tl::unexpected(done.error());
  return out;
}

}  // namespace brevet
