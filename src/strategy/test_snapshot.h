// For tests and benches of strategies: a memory in which there is nothing.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "memory/snapshot.h"

namespace brevet {

class NothingRemembered final : public Snapshot {
 public:
  std::uint64_t version() const override { return 1; }
  std::optional<Skill> find_exact(const Partition&, std::string_view) const override { return std::nullopt; }
  std::vector<Neighbour> nearest(const Partition&, const Embedding&, std::size_t) const override {
    return {};
  }
  std::vector<GuideNeighbour> guides(const Partition&, const Embedding&, std::size_t, float) const override {
    return {};
  }
  std::optional<Guide> guide(const Partition&, std::uint64_t) const override { return std::nullopt; }
  Estimate estimate(const Partition&, const RequestFeatures&) const override { return {}; }
  std::optional<double> after_answer(const Partition&, const Estimate&, double) const override {
    return std::nullopt;
  }
};

}  // namespace brevet
