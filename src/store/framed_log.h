// An append-only file of framed records, for state that must survive kill -9 to the byte: one write(2) a
// record, made before the caller goes on.
//
// Used by the contract gate for its journal, under the gate's lock. Not thread-safe. It knows nothing of what
// a record says. A process that is killed leaves at most a torn last record, which open() cuts off and
// counts; damage anywhere else is an error, because what follows it cannot be trusted. What write(2) took
// survives the process, not a power failure: sync() is for callers that want that.
//
// A frame: length (4 bytes, little endian), checksum of the payload (4 bytes), checksum of these eight bytes
// (4 bytes), payload. The head has a checksum of its own so that a damaged length is not taken for a torn
// end, which would drop everything after it. The file begins with a magic text of the caller's, so that no
// file of another kind is cut off by mistake.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace brevet {

/// A record is a change or a checkpoint; more is a damaged length.
inline constexpr std::size_t kFrameBytesMax = std::size_t{64} << 20;

class FramedLog {
 public:
  struct Opened {
    std::unique_ptr<FramedLog> log;
    std::vector<std::string> records;  ///< in the order of their writes
    std::uint64_t torn_bytes = 0;      ///< of a last record that was not written to its end, now cut off
  };
  /// Makes the file where there is none. Errors: log_unreadable, log_locked (another process has it),
  /// log_foreign (another magic), log_damaged (a whole head or a whole record does not fit its checksum).
  static Result<Opened> open(const std::string& path, std::string_view magic);

  virtual ~FramedLog() = default;
  /// With one write(2); on an error the file is as before, or, where even that fails, takes no record any
  /// more until it is opened or replaced anew. Errors: log_write_failed, log_record_too_large.
  virtual Result<> append(std::string_view payload) = 0;
  /// The file from now on holds these records alone: written beside it, synced and put in its place, so that
  /// a kill leaves either the old file or the new one. Errors as append().
  virtual Result<> replace(const std::vector<std::string>& payloads) = 0;
  virtual Result<> sync() = 0;
  virtual std::uint64_t bytes() const = 0;
};

}  // namespace brevet
