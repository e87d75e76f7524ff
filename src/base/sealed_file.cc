#include "base/sealed_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <system_error>

#include "base/random.h"
#include "base/temporary_name.h"

namespace brevet {
namespace {

constexpr std::string_view kSealKey = R"(,"line_sha256":")";
constexpr std::size_t kHashBytes = 64;
constexpr std::size_t kHeadBytesMax = std::size_t{4} << 20;

tl::unexpected<SealFault> broken(const char* what) {
  return tl::unexpected(SealFault{{}, what});
}

}  // namespace

std::string sealed_bytes(std::string_view name, int version, std::string head, std::string_view body) {
  const auto seal = sha256_hex(head);
  head.pop_back();
  std::string out = fmt::format("{} {}\n{}{}{}\"}}\n", name, version, head, kSealKey, seal);
  out += body;
  return out;
}

tl::expected<SealedFile, SealFault> open_sealed(std::string_view bytes, std::string_view name, int version) {
  if (bytes.size() <= name.size() || bytes.substr(0, name.size()) != name || bytes[name.size()] != ' ')
    return broken("it does not begin like one");
  const auto first_end = bytes.substr(0, name.size() + 32).find('\n');
  if (first_end == std::string_view::npos) return broken("it is cut");
  const auto found = bytes.substr(name.size() + 1, first_end - name.size() - 1);
  if (found != std::to_string(version)) {
    const bool digits = !found.empty() && found.size() < 10 &&
                        found.find_first_not_of("0123456789") == std::string_view::npos;
    if (!digits) return broken("its version is not a number");
    return tl::unexpected(SealFault{std::string(found), "it is of another version"});
  }
  const auto rest = bytes.substr(first_end + 1);
  const auto line_size = rest.substr(0, kHeadBytesMax).find('\n');
  if (line_size == std::string_view::npos) return broken("it is cut");
  const auto line = rest.substr(0, line_size);
  const auto seal_bytes = kSealKey.size() + kHashBytes + 2;
  if (line.size() < seal_bytes || line.substr(line.size() - seal_bytes, kSealKey.size()) != kSealKey ||
      line.substr(line.size() - 2) != "\"}")
    return broken("its description carries no hash");
  SealedFile out;
  out.head = std::string(line.substr(0, line.size() - seal_bytes)) + "}";
  out.body = rest.substr(line_size + 1);
  if (sha256_hex(out.head) != line.substr(line.size() - kHashBytes - 2, kHashBytes))
    return broken("its description was changed");
  return out;
}

tl::expected<std::string, std::string> read_whole_file(const std::string& path, std::uintmax_t bytes_max) {
  std::error_code failed;
  const auto size = std::filesystem::file_size(path, failed);
  if (failed) return tl::unexpected(failed.message());
  if (size > bytes_max) return tl::unexpected(fmt::format("it has more than {} bytes", bytes_max));
  std::ifstream in(path, std::ios::binary);
  std::string bytes(static_cast<std::size_t>(size), '\0');
  if (!in || !in.read(bytes.data(), static_cast<std::streamsize>(bytes.size())))
    return tl::unexpected(std::string("it cannot be opened or ended early"));
  return bytes;
}

tl::expected<void, std::string> replace_file(const std::string& path, std::string_view bytes) {
  const auto temporary = temporary_name(path);
  std::error_code failed;
  {
    std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    out.close();
    // On the disk before the name is: a power cut must not leave an empty file under a known name.
    const int descriptor = out ? ::open(temporary.c_str(), O_RDONLY | O_CLOEXEC) : -1;
    const bool synced = descriptor >= 0 && ::fsync(descriptor) == 0;
    if (descriptor >= 0) ::close(descriptor);
    if (!synced) {
      std::filesystem::remove(temporary, failed);
      return tl::unexpected(std::string("the folder is missing, read-only or full"));
    }
  }
  std::filesystem::rename(temporary, path, failed);
  if (!failed) return {};
  const auto why = failed.message();
  std::filesystem::remove(temporary, failed);
  return tl::unexpected(why);
}

}  // namespace brevet
