// Goal: no cluster is on two sides, maxima hold, groups keep their proportions. Method: random clusters and
// groups over many seeds, then hand-made edges.
#include "dataset/split.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "base/random.h"

namespace brevet {
namespace {

TEST(Split, DisjointByClusterCompleteAndBounded) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Draws draws(seed, 1);
    std::vector<std::uint32_t> cluster, group;
    for (int q = 0; q < 600; ++q) {
      cluster.push_back(static_cast<std::uint32_t>(draws.uniform() * 400));
      group.push_back(static_cast<std::uint32_t>(draws.uniform() * 7));
    }
    const auto split =
        split_by_cluster(cluster, group, {.fitting_max = 200, .calibration_max = 100, .seed = seed});
    EXPECT_LE(split.fitting.size(), 200u);
    EXPECT_GE(split.fitting.size(), 150u);
    EXPECT_LE(split.calibration.size(), 100u);
    EXPECT_FALSE(split.shortened);
    std::set<std::uint32_t> questions;
    std::map<std::uint32_t, int> side;
    int number = 0;
    for (const auto* part : {&split.fitting, &split.calibration, &split.test}) {
      ++number;
      EXPECT_TRUE(std::is_sorted(part->begin(), part->end()));
      for (const auto q : *part) {
        EXPECT_TRUE(questions.insert(q).second);
        const auto [at, fresh] = side.emplace(cluster[q], number);
        EXPECT_EQ(at->second, number) << "cluster " << cluster[q] << " is on two sides";
      }
    }
    EXPECT_EQ(questions.size(), 600u);
    EXPECT_EQ(split.fitting_clusters + split.calibration_clusters + split.test_clusters, side.size());
  }
}

TEST(Split, GroupsKeepTheirProportion) {
  std::vector<std::uint32_t> cluster, group;
  for (std::uint32_t q = 0; q < 1000; ++q) {
    cluster.push_back(q);
    group.push_back(q < 900 ? 1 : 2);
  }
  const auto split = split_by_cluster(cluster, group, {.fitting_max = 205, .seed = 3});
  EXPECT_EQ(split.fitting.size(), 205u);
  EXPECT_TRUE(split.calibration.empty());
  const auto rare =
      std::count_if(split.fitting.begin(), split.fitting.end(), [](auto q) { return q >= 900; });
  EXPECT_NEAR(static_cast<double>(rare), 20.5, .6);
}

TEST(Split, SeedsDifferAndRepeat) {
  std::vector<std::uint32_t> cluster(100);
  for (std::uint32_t q = 0; q < 100; ++q) cluster[q] = q;
  const auto one = split_by_cluster(cluster, {}, {.fitting_max = 30, .seed = 1});
  EXPECT_EQ(one.fitting, split_by_cluster(cluster, {}, {.fitting_max = 30, .seed = 1}).fitting);
  EXPECT_NE(one.fitting, split_by_cluster(cluster, {}, {.fitting_max = 30, .seed = 2}).fitting);
}

TEST(Split, TheTestKeepsItsShare) {
  std::vector<std::uint32_t> cluster(100);
  for (std::uint32_t q = 0; q < 100; ++q) cluster[q] = q;
  const auto split = split_by_cluster(cluster, {}, {.fitting_max = 8000, .calibration_max = 2000});
  EXPECT_TRUE(split.shortened);
  EXPECT_EQ(split.test.size(), 30u);
  EXPECT_EQ(split.fitting.size(), 56u);
  EXPECT_EQ(split.calibration.size(), 14u);
}

TEST(Split, AClusterThatDoesNotFitGoesToTheTest) {
  const auto split = split_by_cluster({0, 0, 0, 0, 1, 2}, {}, {.fitting_max = 2});
  EXPECT_EQ(split.fitting, (std::vector<std::uint32_t>{4, 5}));
  EXPECT_EQ(split.test, (std::vector<std::uint32_t>{0, 1, 2, 3}));
  EXPECT_TRUE(split_by_cluster({}, {}, {.fitting_max = 5}).test.empty());
}

}  // namespace
}  // namespace brevet
