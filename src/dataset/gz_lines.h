// Lines of a text file, gzip or plain: what every reader and writer of JSON Lines here stands on.
//
// Used by outcome_file.cc and battle_file.cc. An object belongs to one thread. Knows nothing of what is in a
// line.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace brevet {

class GzLines {
 public:
  /// Errors: data_file_unreadable.
  static Result<std::unique_ptr<GzLines>> open(const std::string& path, std::size_t line_bytes_max);
  virtual ~GzLines() = default;
  /// The next line that is not blank, without its end, nothing at the end of the file; valid until the next
  /// call. Errors: broken_data_file (too long, or cannot be decompressed).
  virtual Result<std::optional<std::string_view>> next() = 0;
  /// Number of the line read last, from 1.
  virtual std::size_t line() const = 0;
  /// "FILE:LINE", for messages.
  virtual std::string where() const = 0;
};

class GzLineWriter {
 public:
  /// A path that ends in .gz is compressed. Errors: data_file_unwritable.
  static Result<std::unique_ptr<GzLineWriter>> create(const std::string& path);
  virtual ~GzLineWriter() = default;
  /// `line` without a line break. Errors: data_file_unwritable.
  virtual Result<> write(std::string_view line) = 0;
  /// Flushes and says whether everything is on its way to the disk; without it a full disk goes unnoticed.
  virtual Result<> close() = 0;
};

/// The error of a file whose line cannot be used; `param` is the field at fault.
tl::unexpected<Error> broken_line(const std::string& where, const std::string& field,
                                  const std::string& what);

}  // namespace brevet
