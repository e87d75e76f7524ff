// Short-form decisions of about the same moment in one blob, so that many share one row and its index
// entries.
//
// A row of its own costs the store three times what its bytes cost. Used by the store alone. Pure.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "store/passed_record.h"

namespace brevet {

/// The start of an id by which its block is found again: ids begin with their time, so those of about half a
/// second share it.
std::string_view passed_bucket(std::string_view id);

/// Puts rows of one bucket and tenant one behind the other; the tenant stands beside the block.
class PassedBlock {
 public:
  void add(const PassedRow& row);
  /// Empty again, with its memory.
  void clear();
  const std::string& bytes() const { return bytes_; }
  std::size_t size() const { return size_; }
  /// The id that was added first; it names the block within its bucket.
  const std::string& first_id() const { return first_id_; }
  Instant newest() const { return newest_; }

 private:
  std::string bytes_;
  std::size_t size_ = 0;
  std::string first_id_;
  Instant newest_{}, last_time_{};
};

/// Reads the rows of a block in order; `visit` (without the tenant) returns false to end early. False when
/// the bytes are not whole.
bool read_passed_block(std::string_view bytes, const std::function<bool(PassedRow row)>& visit);

}  // namespace brevet
