// A copy of the database through SQLite itself: one read transaction, so it holds whole batches only.
#include "store/sqlite_connection.h"
#include "store/store.h"

namespace brevet {

Result<> copy_store(const std::string& from, const std::string& to) {
  auto source = Connection::open(from);
  if (!source) return fail(source.error());
  auto copy = (*source)->prepare("VACUUM INTO ?1");
  if (!copy) return fail(copy.error());
  copy->bind(1, std::string_view(to));
  return copy->run();
}

}  // namespace brevet
