#include "store/framed_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/random.h"

namespace brevet {
namespace {

constexpr std::size_t kHeadBytes = 12;
/// Times that open() begins anew because the file was replaced while it waited for its turn.
constexpr int kOpenTries = 16;

std::uint32_t checksum(std::string_view payload) {
  return static_cast<std::uint32_t>(hash_bytes(payload));
}

void put32(std::string& out, std::uint32_t value) {
  for (unsigned shift = 0; shift < 32; shift += 8) out += static_cast<char>((value >> shift) & 0xFFU);
}
std::uint32_t get32(std::string_view bytes) {
  std::uint32_t value = 0;
  for (unsigned i = 0; i < 4; ++i)
    value |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  return value;
}

std::string framed(std::string_view payload) {
  std::string out;
  out.reserve(kHeadBytes + payload.size());
  put32(out, static_cast<std::uint32_t>(payload.size()));
  put32(out, checksum(payload));
  put32(out, checksum(out));
  out += payload;
  return out;
}

Error failed(const char* code, const std::string& path, const char* what) {
  return Error{ErrorKind::kInternal, code, fmt::format("Cannot {} {}: {}.", what, path, std::strerror(errno)),
               path};
}

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

Result<> write_all(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const auto n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(failed("log_write_failed", path, "write to"));
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Result<std::string> read_all(int fd, const std::string& path) {
  std::string out;
  char buffer[1 << 16];
  for (;;) {
    const auto n = ::read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(failed("log_unreadable", path, "read"));
    if (n == 0) return out;
    out.append(buffer, static_cast<std::size_t>(n));
  }
}

class File final : public FramedLog {
 public:
  File(std::string path, std::string magic, Descriptor fd, std::uint64_t bytes)
      : path_(std::move(path)), magic_(std::move(magic)), fd_(std::move(fd)), bytes_(bytes) {}

  Result<> append(std::string_view payload) override {
    if (broken_) return still_broken();
    if (payload.size() > kFrameBytesMax) return too_large();
    const auto frame = framed(payload);
    auto written = write_all(fd_.get(), frame, path_);
    if (!written) {
      // Half a frame would make the next record unreadable.
      broken_ = ::ftruncate(fd_.get(), static_cast<off_t>(bytes_)) != 0;
      if (broken_) return fail(failed("log_write_failed", path_, "take back half a record of"));
      return written;
    }
    bytes_ += frame.size();
    return {};
  }

  Result<> replace(const std::vector<std::string>& payloads) override {
    std::string all = magic_;
    for (const auto& payload : payloads) {
      if (payload.size() > kFrameBytesMax) return too_large();
      all += framed(payload);
    }
    const auto beside = path_ + ".new";
    Descriptor next(::open(beside.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600));
    if (next.get() < 0) return fail(failed("log_write_failed", beside, "make"));
    // Locked before it has the name, so that no other process can open it in between.
    if (::flock(next.get(), LOCK_EX | LOCK_NB) != 0) return fail(failed("log_write_failed", beside, "lock"));
    if (auto written = write_all(next.get(), all, beside); !written) return written;
    if (::fdatasync(next.get()) != 0) return fail(failed("log_write_failed", beside, "sync"));
    if (::rename(beside.c_str(), path_.c_str()) != 0)
      return fail(failed("log_write_failed", path_, "replace"));
    fd_ = std::move(next);
    bytes_ = all.size();
    broken_ = false;
    return {};
  }

  Result<> sync() override {
    if (::fdatasync(fd_.get()) != 0) return fail(failed("log_write_failed", path_, "sync"));
    return {};
  }

  std::uint64_t bytes() const override { return bytes_; }

 private:
  Result<> still_broken() const {
    return fail(
        ErrorKind::kInternal, "log_write_failed",
        fmt::format("Half a record stands at the end of {} and could not be taken back: restart, which "
                    "cuts it off.",
                    path_),
        path_);
  }
  Result<> too_large() const {
    return fail(ErrorKind::kInternal, "log_record_too_large",
                fmt::format("A record of more than {} bytes was to be written to {}.", kFrameBytesMax, path_),
                path_);
  }

  const std::string path_;
  const std::string magic_;
  Descriptor fd_;
  std::uint64_t bytes_;
  bool broken_ = false;  ///< half a record stands at the end; what came after it could not be read
};

}  // namespace

namespace {

/// The file that has the name, locked: another one may have got it, by replace(), since it was opened here.
Result<Descriptor> open_locked(const std::string& path) {
  for (int tries = 0; tries < kOpenTries; ++tries) {
    Descriptor fd(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    if (fd.get() < 0) return fail(failed("log_unreadable", path, "open"));
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) break;
    struct stat mine {
    }, named{};
    if (::fstat(fd.get(), &mine) != 0) return fail(failed("log_unreadable", path, "open"));
    if (::stat(path.c_str(), &named) == 0 && mine.st_ino == named.st_ino && mine.st_dev == named.st_dev)
      return fd;
  }
  return fail(ErrorKind::kInternal, "log_locked",
              fmt::format("Another process has {} open; a data folder serves one gateway.", path), path);
}

}  // namespace

Result<FramedLog::Opened> FramedLog::open(const std::string& path, std::string_view magic) {
  auto locked = open_locked(path);
  if (!locked) return fail(locked.error());
  Descriptor fd = std::move(*locked);
  auto read = read_all(fd.get(), path);
  if (!read) return fail(read.error());
  std::string_view rest = *read;
  Opened out;
  std::uint64_t good = magic.size();
  if (rest.size() < magic.size() && magic.starts_with(rest)) {
    // New, or killed within its first write.
    if (::ftruncate(fd.get(), 0) != 0) return fail(failed("log_unreadable", path, "begin"));
    if (auto written = write_all(fd.get(), magic, path); !written) return fail(written.error());
    rest = {};
  } else if (!rest.starts_with(magic)) {
    return fail(ErrorKind::kInternal, "log_foreign",
                fmt::format("{} is no journal of this kind; move it away to start anew.", path), path);
  } else {
    rest.remove_prefix(magic.size());
  }
  const auto damaged = [&] {
    return fail(
        ErrorKind::kInternal, "log_damaged",
        fmt::format("{} is damaged at byte {}: restore it from a backup, or move it away to start anew.",
                    path, good),
        path);
  };
  while (rest.size() >= kHeadBytes) {
    // A write that was cut short leaves a part of a head, or a whole head that is right.
    const std::size_t length = get32(rest);
    if (checksum(rest.substr(0, kHeadBytes - 4)) != get32(rest.substr(8)) || length > kFrameBytesMax)
      return damaged();
    if (rest.size() - kHeadBytes < length) break;
    const auto payload = rest.substr(kHeadBytes, length);
    if (checksum(payload) != get32(rest.substr(4))) return damaged();
    out.records.emplace_back(payload);
    rest.remove_prefix(kHeadBytes + length);
    good += kHeadBytes + length;
  }
  out.torn_bytes = rest.size();
  if (out.torn_bytes > 0 && ::ftruncate(fd.get(), static_cast<off_t>(good)) != 0)
    return fail(failed("log_unreadable", path, "cut the torn end off"));
  out.log = std::make_unique<File>(path, std::string(magic), std::move(fd), good);
  return out;
}

}  // namespace brevet
