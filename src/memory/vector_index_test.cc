// Goal: the nearest are the true nearest (exactly below kExactMax, with recall above .99 beyond), whatever
// was removed. Method: seeded clustered vectors against a naive scan.
#include "memory/vector_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>

namespace brevet {
namespace {

constexpr std::size_t kDimension = 384;

std::vector<float> unit(std::vector<float> v) {
  double norm = 0;
  for (const float x : v) norm += static_cast<double>(x) * x;
  for (float& x : v) x = static_cast<float>(x / std::sqrt(norm));
  return v;
}

/// Vectors around `topics` directions, as sentences of a few subjects are.
class Source {
 public:
  Source(unsigned seed, std::size_t topics) : random_(seed) {
    for (std::size_t t = 0; t < topics; ++t) topics_.push_back(noise());
  }
  std::vector<float> next() {
    auto v = noise();
    const auto& topic = topics_[random_() % topics_.size()];
    for (std::size_t i = 0; i < v.size(); ++i) v[i] += 1.2F * topic[i];
    return unit(std::move(v));
  }

 private:
  std::vector<float> noise() {
    std::vector<float> v(kDimension);
    for (float& x : v) x = normal_(random_);
    return v;
  }
  std::mt19937 random_;
  std::normal_distribution<float> normal_;
  std::vector<std::vector<float>> topics_;
};

const auto kAll = [](std::uint32_t) { return true; };

std::vector<std::uint32_t> naive(const std::vector<std::vector<float>>& all, const std::vector<float>& query,
                                 std::size_t k, const std::set<std::uint32_t>& dead = {}) {
  std::vector<std::pair<double, std::uint32_t>> order;
  for (std::uint32_t i = 0; i < all.size(); ++i) {
    if (dead.contains(i)) continue;
    double sum = 0;
    for (std::size_t d = 0; d < query.size(); ++d) sum += static_cast<double>(query[d]) * all[i][d];
    order.emplace_back(-sum, i);
  }
  std::sort(order.begin(), order.end());
  std::vector<std::uint32_t> out;
  for (std::size_t i = 0; i < std::min(k, order.size()); ++i) out.push_back(order[i].second);
  return out;
}

TEST(VectorIndex, ExactWhileSmallAtEverySize) {
  Source source(1, 20);
  VectorIndex index;
  std::vector<std::vector<float>> all;
  for (std::size_t n = 1; n <= VectorIndex::kExactMax; ++n) {
    all.push_back(source.next());
    EXPECT_EQ(index.append(all.back()), n - 1);
    if (n > 40 && n % 509 != 0 && n != VectorIndex::kExactMax) continue;
    const auto query = source.next();
    const auto expected = naive(all, query, 10);
    const auto hits = index.nearest(query, 10, -2, kAll);
    ASSERT_EQ(hits.size(), expected.size());
    for (std::size_t i = 0; i < hits.size(); ++i) EXPECT_EQ(hits[i].slot, expected[i]) << n;
  }
  EXPECT_NEAR(index.nearest(all[77], 1, -2, kAll).front().similarity, 1.0, 1e-5);
}

TEST(VectorIndex, RecallBeyondExactAndRemovedOnesAreNeverFound) {
  Source source(2, 60);
  VectorIndex index;
  std::vector<std::vector<float>> all;
  for (int i = 0; i < 12'000; ++i) {
    all.push_back(source.next());
    index.append(all.back());
  }
  std::set<std::uint32_t> dead;
  std::mt19937 random(3);
  for (int i = 0; i < 3'000; ++i) dead.insert(random() % 12'000);
  const auto alive = [&](std::uint32_t slot) { return !dead.contains(slot); };
  std::size_t found = 0;
  std::size_t wanted = 0;
  for (int q = 0; q < 60; ++q) {
    const auto query = source.next();
    const auto expected = naive(all, query, 10, dead);
    const auto hits = index.nearest(query, 10, -2, alive);
    EXPECT_EQ(hits.size(), 10U);
    for (const auto& hit : hits) {
      EXPECT_FALSE(dead.contains(hit.slot));
      found += static_cast<std::size_t>(std::count(expected.begin(), expected.end(), hit.slot));
    }
    wanted += expected.size();
  }
  EXPECT_GE(static_cast<double>(found) / static_cast<double>(wanted), 0.99);
  // A copy of a stored vector is always its own nearest.
  EXPECT_EQ(index.nearest(all[11'000], 1, -2, kAll).front().slot, 11'000U);
}

TEST(VectorIndex, LooksFurtherWhenAllNearOnesAreRemoved) {
  Source source(4, 40);
  VectorIndex index;
  std::vector<std::vector<float>> all;
  for (int i = 0; i < 6'000; ++i) {
    all.push_back(source.next());
    index.append(all.back());
  }
  const auto query = source.next();
  const auto near = naive(all, query, 5'000);
  const std::set<std::uint32_t> dead(near.begin(), near.end());
  const auto hits = index.nearest(query, 5, -2, [&](std::uint32_t slot) { return !dead.contains(slot); });
  ASSERT_EQ(hits.size(), 5U);
  for (const auto& hit : hits) EXPECT_FALSE(dead.contains(hit.slot));
}

TEST(VectorIndex, OtherDimensionsTiesAndBounds) {
  VectorIndex index;
  EXPECT_TRUE(index.nearest({1, 0}, 3, -2, kAll).empty());
  for (int i = 0; i < 5'000; ++i) index.append({1, 0, 0});
  EXPECT_TRUE(index.nearest({1, 0}, 3, -2, kAll).empty());
  const auto hits = index.nearest({1, 0, 0}, 3, -2, kAll);
  ASSERT_EQ(hits.size(), 3U);
  EXPECT_EQ(hits[0].slot, 0U);
  EXPECT_EQ(hits[2].slot, 2U);
  EXPECT_TRUE(index.nearest({0, 1, 0}, 3, 0.5F, kAll).empty());
}

TEST(VectorIndex, SnapshotSeesNoLaterVectors) {
  Source source(5, 5);
  VectorIndex index;
  std::vector<VectorIndex> copies;
  std::vector<std::vector<float>> all;
  for (int i = 0; i < 1'100; ++i) {
    copies.push_back(index.snapshot());
    all.push_back(source.next());
    index.append(all.back());
  }
  for (std::size_t n = 1; n < copies.size(); n += 61) {
    EXPECT_EQ(copies[n].size(), n);
    EXPECT_EQ(copies[n].nearest(all[n - 1], 1, -2, kAll).front().slot, n - 1);
    EXPECT_LT(copies[n].nearest(all[n], 1, -2, kAll).front().similarity, 0.999F);
  }
}

}  // namespace
}  // namespace brevet
