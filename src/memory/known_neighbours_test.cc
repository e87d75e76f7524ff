// Goal: lists known beforehand change the time of a search and nothing else. Method: random vectors, the same
// searches with and without lists; the file that keeps them is torn on purpose.
#include "memory/known_neighbours.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "base/random.h"
#include "base/test_folder.h"
#include "memory/vector_index.h"

namespace brevet {
namespace {

std::vector<std::shared_ptr<const Embedding>> unit_vectors(std::size_t count, std::size_t dimension) {
  std::vector<std::shared_ptr<const Embedding>> out;
  for (std::size_t i = 0; i < count; ++i) {
    auto vector = std::make_shared<Embedding>(dimension);
    double sum = 0;
    for (std::size_t d = 0; d < dimension; ++d) {
      const double x = static_cast<double>(mix_bits(7, i * dimension + d) >> 11) * 0x1p-53 - .5;
      (*vector)[d] = static_cast<float>(x);
      sum += x * x;
    }
    for (auto& x : *vector) x = static_cast<float>(x / std::sqrt(sum));
    out.push_back(std::move(vector));
  }
  return out;
}

void expect_equal_searches(const std::vector<std::shared_ptr<const Embedding>>& vectors, VectorIndex& known,
                           VectorIndex& plain) {
  const auto alive = [](std::uint32_t slot) { return slot % 5 != 0; };
  for (std::size_t q = 0; q < vectors.size(); q += 7) {
    for (const std::size_t k : {1, 3, 20}) {
      for (const float least : {-2.F, .1F, .4F}) {
        const auto a = known.nearest(*vectors[q], k, least, alive);
        const auto b = plain.nearest(*vectors[q], k, least, alive);
        ASSERT_EQ(a.size(), b.size()) << "query " << q << " k " << k << " least " << least;
        for (std::size_t i = 0; i < a.size(); ++i) {
          EXPECT_EQ(a[i].slot, b[i].slot);
          EXPECT_EQ(a[i].similarity, b[i].similarity);
        }
      }
    }
  }
}

TEST(KnownNeighbours, SearchesFindWhatTheyFindWithout) {
  const auto vectors = unit_vectors(300, 24);
  for (const std::size_t depth : {300, 40}) {  // all of it, and lists that end too early
    const auto lists = KnownNeighbours::make(vectors, depth, 2);
    VectorIndex known(lists);
    VectorIndex plain;
    std::vector<VectorIndex> earlier;
    for (std::size_t i = 0; i < vectors.size(); ++i) {
      const auto& vector = *vectors[(i * 77) % vectors.size()];
      known.append(vector);
      plain.append(vector);
      if (i == 100) expect_equal_searches(vectors, known, plain);
      if (i == 100) earlier = {known.snapshot(), plain.snapshot()};
    }
    expect_equal_searches(vectors, known, plain);
    expect_equal_searches(vectors, earlier[0], earlier[1]);  // a snapshot does not see what came after it
  }
}

TEST(KnownNeighbours, AVectorFromElsewhereOrTwiceIsStillFound) {
  const auto vectors = unit_vectors(60, 24);
  const auto lists = KnownNeighbours::make(vectors, 60, 1);
  for (const bool twice : {false, true}) {
    VectorIndex known(lists);
    VectorIndex plain;
    for (std::size_t i = 0; i < 30; ++i) known.append(*vectors[i]), plain.append(*vectors[i]);
    const Embedding copy = *vectors[40];
    known.append(twice ? *vectors[3] : copy);
    plain.append(twice ? *vectors[3] : copy);
    expect_equal_searches(vectors, known, plain);
  }
}

TEST(KnownNeighbours, KeptOnDiskAndMadeAnewWhenTorn) {
  const auto folder = std::filesystem::path(test_folder()) / "brevet_known_neighbours";
  std::filesystem::remove_all(folder);
  auto vectors = unit_vectors(50, 8);
  vectors[9] = nullptr;
  const auto made = KnownNeighbours::make(vectors, 20, 1);
  const auto same = [&](const KnownNeighbours& other) {
    for (std::uint32_t i = 0; i < vectors.size(); ++i) {
      const auto a = made->list(i);
      const auto b = other.list(i);
      ASSERT_EQ(a.size(), b.size());
      for (std::size_t j = 0; j < a.size(); ++j) {
        EXPECT_EQ(a[j].number, b[j].number);
        EXPECT_EQ(a[j].similarity, b[j].similarity);
      }
    }
  };
  EXPECT_TRUE(made->list(9).empty());
  same(*KnownNeighbours::cached(vectors, 20, 2, folder));
  ASSERT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
  const auto file = std::filesystem::directory_iterator(folder)->path();
  same(*KnownNeighbours::cached(vectors, 20, 2, folder));
  std::fstream(file, std::ios::in | std::ios::out | std::ios::binary).seekp(200) << "garbage";
  same(*KnownNeighbours::cached(vectors, 20, 2, folder));
  std::filesystem::resize_file(file, 300);
  same(*KnownNeighbours::cached(vectors, 20, 2, folder));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace brevet
