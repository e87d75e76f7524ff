// Layout: a header (magic, dimension, encoder hash), then records of a 128-bit key and the floats. A record
// is appended with one write; what a crash leaves torn at the end is cut off when the file is opened next.
#include "features/embedding_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <unordered_map>

#include "base/random.h"

namespace brevet {
namespace {

constexpr std::string_view kMagic = "brevet-embeddings-1\n";
using Key = std::array<std::uint64_t, 2>;
struct KeyHash {
  std::size_t operator()(const Key& key) const { return key[0]; }
};

Key key_of(std::string_view text) {
  return {hash_bytes(text, 1), hash_bytes(text, 2)};
}

class EmbeddingFile final : public EmbeddingPool {
 public:
  EmbeddingFile(EmbeddingPool& inner, std::size_t entries_max) : inner_(inner), entries_max_(entries_max) {}
  ~EmbeddingFile() override {
    out_.close();
    if (lock_ >= 0) close(lock_);
  }
  EmbeddingFile(const EmbeddingFile&) = delete;
  EmbeddingFile& operator=(const EmbeddingFile&) = delete;

  Result<> open(const std::string& path) {
    const auto unusable = [&](const std::string& why) {
      return fail(ErrorKind::kInternal, "embedding_file_unusable",
                  "The file of embeddings " + path + " " + why + "; delete it or name another one.");
    };
    const std::string header =
        std::string(kMagic) + std::to_string(dimension()) + " " + inner_.encoder().hash() + "\n";
    lock_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (lock_ < 0) return unusable("cannot be written");
    const bool writes = flock(lock_, LOCK_EX | LOCK_NB) == 0;
    std::error_code ignored;
    const auto size = std::filesystem::exists(path, ignored) ? std::filesystem::file_size(path, ignored) : 0;
    if (size > 0) {
      std::ifstream in(path, std::ios::binary);
      std::string found(header.size(), '\0');
      if (!in.read(found.data(), static_cast<std::streamsize>(found.size())) || found != header) {
        return unusable("was made with another encoder or is no such file");
      }
      std::string record(record_bytes(), '\0');
      std::uint64_t whole = header.size();
      while (entries_.size() < entries_max_ &&
             in.read(record.data(), static_cast<std::streamsize>(record.size()))) {
        Key key;
        std::memcpy(key.data(), record.data(), sizeof key);
        auto embedding = std::make_shared<Embedding>(dimension());
        std::memcpy(embedding->data(), record.data() + sizeof key, dimension() * sizeof(float));
        entries_.insert_or_assign(key, std::move(embedding));
        whole += record.size();
      }
      in.close();
      // What looks torn to a reader may be what the writer is writing.
      if (writes && whole < size && entries_.size() < entries_max_)
        std::filesystem::resize_file(path, whole, ignored);
    }
    if (!writes) return {};
    out_.open(path, std::ios::binary | std::ios::app);
    if (!out_) return unusable("cannot be written");
    if (size == 0) out_ << header << std::flush;
    return {};
  }

  Task<Result<std::shared_ptr<const Embedding>>> embed(std::string text) override {
    const auto key = key_of(text);
    {
      std::lock_guard lock(mutex_);
      const auto found = entries_.find(key);
      if (found != entries_.end()) {
        ++hits_;
        co_return found->second;
      }
    }
    auto made = co_await inner_.embed(std::move(text));
    if (made) keep(key, *made);
    co_return made;
  }

  const SentenceEncoder& encoder() const override { return inner_.encoder(); }
  EmbeddingPoolCounts counts() const override {
    auto out = inner_.counts();
    std::lock_guard lock(mutex_);
    out.cached += hits_;
    return out;
  }

 private:
  std::size_t dimension() const { return inner_.encoder().dimension(); }
  std::size_t record_bytes() const { return sizeof(Key) + dimension() * sizeof(float); }

  void keep(const Key& key, const std::shared_ptr<const Embedding>& embedding) {
    std::string record(record_bytes(), '\0');
    std::memcpy(record.data(), key.data(), sizeof key);
    std::memcpy(record.data() + sizeof key, embedding->data(), dimension() * sizeof(float));
    std::lock_guard lock(mutex_);
    if (entries_.size() >= entries_max_ || !entries_.emplace(key, embedding).second) return;
    if (!out_.is_open()) return;
    out_.write(record.data(), static_cast<std::streamsize>(record.size()));
    out_.flush();
  }

  EmbeddingPool& inner_;
  const std::size_t entries_max_;
  int lock_ = -1;  ///< the file itself, held as long as this object writes it
  mutable std::mutex mutex_;
  std::unordered_map<Key, std::shared_ptr<const Embedding>, KeyHash> entries_;  // guarded by mutex_
  std::ofstream out_;                                                           // guarded by mutex_
  std::uint64_t hits_ = 0;                                                      // guarded by mutex_
};

}  // namespace

Result<std::unique_ptr<EmbeddingPool>> make_embedding_file(EmbeddingPool& inner,
                                                           const EmbeddingFileOptions& options) {
  auto file = std::make_unique<EmbeddingFile>(inner, options.entries_max);
  if (auto opened = file->open(options.path); !opened) return fail(opened.error());
  return std::unique_ptr<EmbeddingPool>(std::move(file));
}

}  // namespace brevet
