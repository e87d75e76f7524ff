#include "store/sqlite_connection.h"

namespace brevet {
namespace {

constexpr int kBusyTimeoutMs = 5'000;

tl::unexpected<Error> store_error(sqlite3* handle, int code) {
  const std::string detail = handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return fail(ErrorKind::kInternal, "store_locked",
                  "Another program holds the database (" + detail + "). End it, then try again.");
    case SQLITE_FULL:
      return fail(ErrorKind::kInternal, "store_full", "The disk is full; make room where the database lies.");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return fail(ErrorKind::kInternal, "store_corrupt",
                  "The database file is damaged or is no database (" + detail +
                      "). Move it away to start empty, or restore a backup.");
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return fail(ErrorKind::kInternal, "store_unreadable",
                  "Cannot open the database for reading and writing (" + detail +
                      "). Check that its folder exists and that this user may write there.");
    default:
      return fail(ErrorKind::kInternal, "store_failed", "The database refused an operation: " + detail + ".");
  }
}

}  // namespace

Statement& Statement::bind(int place, std::int64_t value) {
  const int code = sqlite3_bind_int64(handle_.get(), place, value);
  if (error_ == SQLITE_OK) error_ = code;
  return *this;
}
Statement& Statement::bind(int place, double value) {
  const int code = sqlite3_bind_double(handle_.get(), place, value);
  if (error_ == SQLITE_OK) error_ = code;
  return *this;
}
Statement& Statement::bind(int place, std::string_view text) {
  const int code = sqlite3_bind_text64(handle_.get(), place, text.data() != nullptr ? text.data() : "",
                                       text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  if (error_ == SQLITE_OK) error_ = code;
  return *this;
}
Statement& Statement::bind_blob(int place, std::string_view bytes) {
  const int code = sqlite3_bind_blob64(handle_.get(), place, bytes.data() != nullptr ? bytes.data() : "",
                                       bytes.size(), SQLITE_TRANSIENT);
  if (error_ == SQLITE_OK) error_ = code;
  return *this;
}
Statement& Statement::bind_null(int place) {
  const int code = sqlite3_bind_null(handle_.get(), place);
  if (error_ == SQLITE_OK) error_ = code;
  return *this;
}
Statement& Statement::bind(int place, std::optional<double> value) {
  return value ? bind(place, *value) : bind_null(place);
}

bool Statement::step() {
  if (error_ != SQLITE_OK) return false;
  const int code = sqlite3_step(handle_.get());
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) error_ = code;
  return false;
}

std::string Statement::text(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(handle_.get(), column));
  const int size = sqlite3_column_bytes(handle_.get(), column);
  return bytes != nullptr ? std::string(bytes, static_cast<std::size_t>(size)) : std::string();
}

Result<> Statement::finish() {
  const int code = std::exchange(error_, SQLITE_OK);
  // The message belongs to the last failing call, so it is read before the reset.
  Result<> result;
  if (code != SQLITE_OK) result = store_error(sqlite3_db_handle(handle_.get()), code);
  sqlite3_reset(handle_.get());
  sqlite3_clear_bindings(handle_.get());
  return result;
}

Result<> Statement::run() {
  while (step()) {
  }
  return finish();
}

Result<std::unique_ptr<Connection>> Connection::open(const std::string& path) {
  auto connection = std::make_unique<Connection>();
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  connection->handle_.reset(handle);
  if (code != SQLITE_OK) return store_error(handle, code);
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, kBusyTimeoutMs);
  return connection;
}

Result<> Connection::execute(const char* sql) {
  const int code = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return store_error(handle_.get(), code);
  return {};
}

Result<Statement> Connection::prepare(std::string_view sql) {
  Statement statement;
  sqlite3_stmt* handle = nullptr;
  const int code = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &handle, nullptr);
  statement.handle_.reset(handle);
  if (code != SQLITE_OK) return store_error(handle_.get(), code);
  return statement;
}

Result<std::int64_t> Connection::integer(std::string_view sql) {
  auto statement = prepare(sql);
  if (!statement) return tl::unexpected(statement.error());
  std::int64_t value = 0;
  if (statement->step()) value = statement->integer(0);
  if (auto done = statement->finish(); !done) return tl::unexpected(done.error());
  return value;
}

}  // namespace brevet
