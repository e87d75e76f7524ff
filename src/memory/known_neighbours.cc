#include "memory/known_neighbours.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/random.h"
#include "base/temporary_name.h"
#include "memory/simd.h"

namespace brevet {
namespace {

constexpr char kMagic[8] = {'b', 'r', 'v', 't', 'n', 'n', '0', '1'};

std::string bytes_of(const void* data, std::size_t size) {
  return {static_cast<const char*>(data), size};
}

}  // namespace

KnownNeighbours::KnownNeighbours(std::vector<std::shared_ptr<const Embedding>> embeddings, std::size_t depth)
    : embeddings_(std::move(embeddings)) {
  for (std::size_t i = 0; i < embeddings_.size(); ++i) {
    if (!embeddings_[i]) continue;
    ++known_;
    numbers_.try_emplace(embeddings_[i]->data(), static_cast<std::uint32_t>(i));
  }
  depth_ = std::min(depth, known_);
}

void KnownNeighbours::compute(int threads) {
  lists_.assign(embeddings_.size() * depth_, {});
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    std::vector<Near> row;
    for (std::size_t i = next++; i < embeddings_.size(); i = next++) {
      if (!embeddings_[i]) continue;
      row.clear();
      for (std::size_t j = 0; j < embeddings_.size(); ++j) {
        if (!embeddings_[j] || embeddings_[j]->size() != embeddings_[i]->size()) continue;
        row.push_back({static_cast<std::uint32_t>(j),
                       dot(embeddings_[i]->data(), embeddings_[j]->data(), embeddings_[i]->size())});
      }
      const auto kept = static_cast<std::ptrdiff_t>(std::min(depth_, row.size()));
      std::partial_sort(row.begin(), row.begin() + kept, row.end(), [](const Near& a, const Near& b) {
        return a.similarity != b.similarity ? a.similarity > b.similarity : a.number < b.number;
      });
      std::copy_n(row.begin(), kept, lists_.begin() + static_cast<std::ptrdiff_t>(i * depth_));
    }
  };
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back(work);
  work();
  for (auto& thread : others) thread.join();
}

std::shared_ptr<const KnownNeighbours> KnownNeighbours::make(
    std::vector<std::shared_ptr<const Embedding>> embeddings, std::size_t depth, int threads) {
  std::shared_ptr<KnownNeighbours> out(new KnownNeighbours(std::move(embeddings), depth));
  out->compute(threads);
  return out;
}

std::shared_ptr<const KnownNeighbours> KnownNeighbours::cached(
    std::vector<std::shared_ptr<const Embedding>> embeddings, std::size_t depth, int threads,
    const std::string& folder) {
  std::shared_ptr<KnownNeighbours> out(new KnownNeighbours(std::move(embeddings), depth));
  std::uint64_t hash = hash_bytes(bytes_of(&out->depth_, sizeof(out->depth_)));
  for (const auto& embedding : out->embeddings_) {
    const std::size_t size = embedding ? embedding->size() * sizeof(float) : 0;
    hash = hash_bytes({embedding ? reinterpret_cast<const char*>(embedding->data()) : "", size}, hash);
  }
  const std::uint64_t header[3] = {hash, out->embeddings_.size(), out->depth_};
  const std::size_t bytes = out->embeddings_.size() * out->depth_ * sizeof(Near);
  char name[64];
  std::snprintf(name, sizeof(name), "neighbours-%016llx.bin", static_cast<unsigned long long>(hash));
  const auto path = std::filesystem::path(folder) / name;
  {
    std::ifstream in(path, std::ios::binary);
    char magic[sizeof(kMagic)] = {};
    std::uint64_t found[3] = {};
    std::uint64_t check = 0;
    in.read(magic, sizeof(magic));
    in.read(reinterpret_cast<char*>(found), sizeof(found));
    in.read(reinterpret_cast<char*>(&check), sizeof(check));
    if (in && std::memcmp(magic, kMagic, sizeof(magic)) == 0 && std::equal(found, found + 3, header)) {
      out->lists_.resize(out->embeddings_.size() * out->depth_);
      in.read(reinterpret_cast<char*>(out->lists_.data()), static_cast<std::streamsize>(bytes));
      if (in && hash_bytes({reinterpret_cast<const char*>(out->lists_.data()), bytes}) == check) {
        // Its time says when it was last of use: the oldest are cleared first.
        std::error_code ignored;
        std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now(), ignored);
        return out;
      }
    }
  }
  out->compute(threads);
  std::error_code ignored;
  std::filesystem::create_directories(folder, ignored);
  const auto half = temporary_name(path.string());
  {
    std::ofstream file(half, std::ios::binary | std::ios::trunc);
    const std::uint64_t check = hash_bytes({reinterpret_cast<const char*>(out->lists_.data()), bytes});
    file.write(kMagic, sizeof(kMagic));
    file.write(reinterpret_cast<const char*>(header), sizeof(header));
    file.write(reinterpret_cast<const char*>(&check), sizeof(check));
    file.write(reinterpret_cast<const char*>(out->lists_.data()), static_cast<std::streamsize>(bytes));
    if (!file.flush()) {
      std::filesystem::remove(half, ignored);
      return out;
    }
  }
  std::filesystem::rename(half, path, ignored);
  return out;
}

std::optional<std::uint32_t> KnownNeighbours::number_of(const float* data) const {
  const auto found = numbers_.find(data);
  if (found == numbers_.end()) return std::nullopt;
  return found->second;
}

std::span<const KnownNeighbours::Near> KnownNeighbours::list(std::uint32_t number) const {
  if (!embeddings_[number]) return {};
  return {lists_.data() + std::size_t{number} * depth_, depth_};
}

}  // namespace brevet
