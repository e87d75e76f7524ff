#include "dataset/split.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <map>
#include <numeric>

#include "base/random.h"

namespace brevet {
namespace {

struct ClusterItem {
  std::vector<std::uint32_t> questions;
  std::uint32_t group = 0;
  std::uint64_t place = 0;  // seeded
};

/// `total` shared out in proportion to sizes, by largest remainder; ties to the earlier group.
std::vector<std::size_t> quotas(std::size_t total, const std::vector<std::size_t>& sizes) {
  const auto all = std::accumulate(sizes.begin(), sizes.end(), std::size_t{0});
  std::vector<std::size_t> out(sizes.size(), 0), order(sizes.size());
  if (all == 0) return out;
  std::vector<double> rest(sizes.size());
  std::size_t given = 0;
  for (std::size_t g = 0; g < sizes.size(); ++g) {
    const double exact =
        static_cast<double>(total) * static_cast<double>(sizes[g]) / static_cast<double>(all);
    out[g] = static_cast<std::size_t>(exact);
    rest[g] = exact - static_cast<double>(out[g]);
    given += out[g];
  }
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return rest[a] > rest[b]; });
  for (std::size_t i = 0; given < total && i < order.size(); ++i, ++given) ++out[order[i]];
  return out;
}

}  // namespace

Split split_by_cluster(const std::vector<std::uint32_t>& cluster, const std::vector<std::uint32_t>& group,
                       const SplitOptions& options) {
  assert(group.empty() || group.size() == cluster.size());
  const std::size_t n = cluster.size();
  Split out;

  std::map<std::uint32_t, ClusterItem> items;
  for (std::uint32_t q = 0; q < n; ++q) {
    auto& item = items[cluster[q]];
    if (item.questions.empty()) {
      item.group = group.empty() ? 0 : group[q];
      item.place = mix_bits(options.seed, options.key.empty() ? q : options.key[q]);
    }
    item.questions.push_back(q);
  }
  std::map<std::uint32_t, std::vector<ClusterItem*>> groups;
  for (auto& [number, item] : items) groups[item.group].push_back(&item);

  auto fitting = options.fitting_max, calibration = options.calibration_max;
  const auto available =
      static_cast<std::size_t>(static_cast<double>(n) * (1 - options.test_share_min) + 1e-9);
  if (fitting > available || calibration > available || fitting + calibration > available) {
    out.shortened = true;
    const double asked = static_cast<double>(fitting) + static_cast<double>(calibration);
    fitting = static_cast<std::size_t>(static_cast<double>(available) * static_cast<double>(fitting) / asked);
    calibration =
        static_cast<std::size_t>(static_cast<double>(available) * static_cast<double>(calibration) / asked);
  }
  std::vector<std::size_t> sizes;
  for (auto& [number, members] : groups) {
    std::size_t size = 0;
    for (const auto* item : members) size += item->questions.size();
    sizes.push_back(size);
  }
  const auto fitting_quota = quotas(fitting, sizes), calibration_quota = quotas(calibration, sizes);

  std::size_t g = 0;
  for (auto& [number, members] : groups) {
    std::sort(members.begin(), members.end(), [](const ClusterItem* a, const ClusterItem* b) {
      return std::pair(a->place, a->questions.front()) < std::pair(b->place, b->questions.front());
    });
    std::size_t fitted = 0, calibrated = 0;
    for (const auto* item : members) {
      const auto size = item->questions.size();
      auto* to = &out.test;
      if (fitted + size <= fitting_quota[g]) {
        fitted += size;
        to = &out.fitting;
        ++out.fitting_clusters;
      } else if (calibrated + size <= calibration_quota[g]) {
        calibrated += size;
        to = &out.calibration;
        ++out.calibration_clusters;
      } else {
        ++out.test_clusters;
      }
      to->insert(to->end(), item->questions.begin(), item->questions.end());
    }
    ++g;
  }
  for (auto* part : {&out.fitting, &out.calibration, &out.test}) std::sort(part->begin(), part->end());
  return out;
}

}  // namespace brevet
