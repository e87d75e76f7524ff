#include "train/folds.h"

#include <algorithm>
#include <map>

#include "train/seeded_random.h"

namespace brevet {

std::vector<std::uint32_t> fold_by_cluster(const std::vector<std::uint32_t>& cluster, int folds,
                                           std::uint64_t seed) {
  std::map<std::uint32_t, std::size_t> rows;
  for (const auto c : cluster) ++rows[c];
  std::vector<std::uint32_t> order;
  for (const auto& [c, count] : rows) order.push_back(c);
  SeededRandom(seed, 0xf01d).shuffle(order);
  // Large ones first: the last to come are small and even the folds out.
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return rows[a] > rows[b]; });
  std::vector<std::size_t> filled(std::min<std::size_t>(static_cast<std::size_t>(folds), order.size()), 0);
  std::map<std::uint32_t, std::uint32_t> fold_of;
  for (const auto c : order) {
    const auto fold = std::min_element(filled.begin(), filled.end());
    *fold += rows[c];
    fold_of[c] = static_cast<std::uint32_t>(fold - filled.begin());
  }
  std::vector<std::uint32_t> out;
  out.reserve(cluster.size());
  for (const auto c : cluster) out.push_back(fold_of[c]);
  return out;
}

}  // namespace brevet
