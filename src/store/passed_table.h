// The table in which short-form decisions stand, many to a row.
//
// Used by sqlite_store.cc alone, which owns the connections, the transaction and the locks. A row holds the
// decisions of one tenant and one bucket (see passed_block.h) that were committed together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/passed_record.h"
#include "store/sqlite_connection.h"
#include "store/store.h"

namespace brevet {

class PassedTable {
 public:
  /// Statements for write() and drop_old() on the writing connection.
  Result<> prepare(Connection& writer);
  /// Written again by a commit that is tried again, a batch replaces itself.
  Result<> write(const std::vector<PassedRow>& rows);
  /// Deletes up to `most` rows whose newest decision is older than `oldest` (microseconds), with the feedback
  /// on them.
  Result<> drop_old(std::int64_t oldest, int most);

  static Result<std::optional<Decision>> find(Connection& reader, const std::string& tenant,
                                              const std::string& id);
  /// At most `limit` that the filter lets through, newest first.
  static Result<std::vector<PassedRow>> newest(Connection& reader, const DecisionFilter& filter,
                                               std::size_t limit);
  /// The order of listings.
  static bool newer(const PassedRow& a, const PassedRow& b);

 private:
  Statement put_, old_, drop_, any_feedback_, drop_feedback_;
};

}  // namespace brevet
