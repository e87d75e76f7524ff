// A thin owner of one SQLite connection and its statements, so that the store reads as SQL.
//
// Used by sqlite_store.cc alone. Not thread-safe: whoever holds it serialises. Errors become Result with the
// codes store_locked (busy), store_full, store_corrupt, store_unreadable and store_failed.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace brevet {

class Connection;

/// A prepared statement. Binding and stepping remember the first error; finish() tells it and resets.
class Statement {
 public:
  Statement() = default;
  Statement& bind(int place, std::int64_t value);
  Statement& bind(int place, double value);
  Statement& bind(int place, std::string_view text);
  Statement& bind_blob(int place, std::string_view bytes);
  Statement& bind_null(int place);
  Statement& bind(int place, std::optional<double> value);

  /// True while there is a row.
  bool step();
  std::int64_t integer(int column) const { return sqlite3_column_int64(handle_.get(), column); }
  double real(int column) const { return sqlite3_column_double(handle_.get(), column); }
  bool null(int column) const { return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL; }
  std::string text(int column) const;  ///< also for blobs
  /// Ends a run; the statement can be bound again.
  Result<> finish();
  /// step() until done, then finish().
  Result<> run();

 private:
  friend class Connection;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
  int error_ = SQLITE_OK;
};

class Connection {
 public:
  static Result<std::unique_ptr<Connection>> open(const std::string& path);
  Result<> execute(const char* sql);
  Result<Statement> prepare(std::string_view sql);
  Result<std::int64_t> integer(std::string_view sql);
  bool in_transaction() const { return sqlite3_get_autocommit(handle_.get()) == 0; }

 private:
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  };
  std::unique_ptr<sqlite3, Close> handle_;
};

}  // namespace brevet
