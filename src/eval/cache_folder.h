// The folder in which evaluations keep what can be made again: bounds on what stays there, and who else is
// using it.
//
// Called by the engine at the start and at the end of a run. Names are content-addressed and files are
// renamed into place, so runs that share a folder read each other's whole files or none; what is removed
// under a run that has read it costs that run nothing but its resumption. Touches only files whose names are
// this program's own. Does not read or write what is kept.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"

namespace brevet {

struct CacheBounds {
  std::uint64_t bytes_max = std::uint64_t{4} << 30;  ///< of one folder; lists of 10,000 questions take 80 MiB
  std::chrono::hours age_max{24 * 30};               ///< since a file was last used
  std::chrono::hours part_age_max{1};  ///< of a file that was never finished; younger ones are being written
};

struct CacheTrimmed {
  std::size_t files = 0;
  std::uint64_t bytes = 0;
};

/// Removes neighbour lists and streams that are too old, then the oldest ones until the rest fits, and
/// unfinished files that nobody can be writing any more. A folder that is not there is within its bounds.
CacheTrimmed trim_cache(const std::string& folder, const CacheBounds& bounds = {});

/// A run's hold on a folder. Runs hold it together; only the last one may clear up.
class FolderUse {
 public:
  /// Makes the folder. Errors (kCallerInvalid): work_folder_unusable.
  static Result<std::unique_ptr<FolderUse>> take(const std::string& folder);
  ~FolderUse();
  FolderUse(const FolderUse&) = delete;
  FolderUse& operator=(const FolderUse&) = delete;

  /// Nobody else holds the folder, and nobody gets hold of it before this object is gone.
  bool alone();

 private:
  FolderUse(std::string lock, int file) : lock_(std::move(lock)), file_(file) {}
  const std::string lock_;
  int file_ = -1;
};

}  // namespace brevet
