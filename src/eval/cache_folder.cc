#include "eval/cache_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <vector>

namespace brevet {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLockName = "in-use.lock";
constexpr int kTakeTries = 100;  // each lost one means that another run cleared up at that moment

bool hexadecimal(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

enum class Kept { kForeign, kWhole, kPart };

/// neighbours-<16 digits>.bin and <32 digits>.stream, and those with ".<process>-<number>.part" behind.
Kept kind_of_file(std::string_view name) {
  constexpr std::string_view kLists = "neighbours-", kBinary = ".bin", kStream = ".stream", kPart = ".part";
  std::size_t end = 0;
  if (name.starts_with(kLists) && name.size() >= kLists.size() + 16 &&
      hexadecimal(name.substr(kLists.size(), 16)) && name.substr(kLists.size() + 16).starts_with(kBinary)) {
    end = kLists.size() + 16 + kBinary.size();
  } else if (name.size() >= 32 && hexadecimal(name.substr(0, 32)) && name.substr(32).starts_with(kStream)) {
    end = 32 + kStream.size();
  } else {
    return Kept::kForeign;
  }
  if (name.size() == end) return Kept::kWhole;
  return name[end] == '.' && name.ends_with(kPart) ? Kept::kPart : Kept::kForeign;
}

struct CachedFile {
  fs::path path;
  fs::file_time_type used;
  std::uint64_t bytes = 0;
};

}  // namespace

CacheTrimmed trim_cache(const std::string& folder, const CacheBounds& bounds) {
  CacheTrimmed out;
  std::error_code failed;
  std::vector<CachedFile> whole;
  const auto now = fs::file_time_type::clock::now();
  const auto remove = [&](const CachedFile& file) {
    // Another run may have been faster.
    std::error_code ignored;
    if (!fs::remove(file.path, ignored)) return;
    ++out.files;
    out.bytes += file.bytes;
  };
  std::uint64_t total = 0;
  for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed)) {
    const auto kind = kind_of_file(entry->path().filename().string());
    std::error_code gone;
    if (kind == Kept::kForeign || !entry->is_regular_file(gone)) continue;
    CachedFile file{entry->path(), entry->last_write_time(gone), 0};
    if (gone) continue;
    file.bytes = entry->file_size(gone);
    if (gone) continue;
    if (now - file.used > (kind == Kept::kPart ? bounds.part_age_max : bounds.age_max)) {
      remove(file);
    } else if (kind == Kept::kWhole) {
      total += file.bytes;
      whole.push_back(std::move(file));
    }
  }
  std::sort(whole.begin(), whole.end(), [](const CachedFile& a, const CachedFile& b) {
    return a.used != b.used ? a.used < b.used : a.path < b.path;
  });
  for (const auto& file : whole) {
    if (total <= bounds.bytes_max) break;
    remove(file);
    total -= file.bytes;
  }
  return out;
}

Result<std::unique_ptr<FolderUse>> FolderUse::take(const std::string& folder) {
  std::error_code failed;
  fs::create_directories(folder, failed);
  const auto lock = (fs::path(folder) / kLockName).string();
  for (int i = 0; !failed && i < kTakeTries; ++i) {
    const int file = open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0) break;
    struct stat held {};
    struct stat there {};
    // The last user removes the file: then what we hold is no longer what others would find.
    if (flock(file, LOCK_SH) == 0 && fstat(file, &held) == 0 && stat(lock.c_str(), &there) == 0 &&
        held.st_ino == there.st_ino && held.st_dev == there.st_dev) {
      return std::unique_ptr<FolderUse>(new FolderUse(lock, file));
    }
    close(file);
  }
  return fail(ErrorKind::kCallerInvalid, "work_folder_unusable",
              "Cannot use the folder " + folder + (failed ? ": " + failed.message() : "") + ".", "work");
}

bool FolderUse::alone() {
  if (flock(file_, LOCK_EX | LOCK_NB) == 0) return true;
  flock(file_, LOCK_SH);  // a failed change of a lock may have lost the old one
  return false;
}

FolderUse::~FolderUse() {
  if (alone()) unlink(lock_.c_str());
  close(file_);
}

}  // namespace brevet
