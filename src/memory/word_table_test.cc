// Goal: the table keeps what was put, however many words come, and tells each change once. Method: beside a
// std::map, with indices that collide.
#include "memory/word_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace brevet {
namespace {

TEST(WordTable, EqualsAMapAndTellsEveryChangeOnce) {
  std::mt19937 random(1);
  WordTable table;
  std::map<std::uint32_t, float> expected;
  EXPECT_EQ(table.find(3), nullptr);
  for (int round = 0; round < 200; ++round) {
    std::set<std::uint32_t> changed;
    for (int i = 0; i < 100; ++i) {
      // Multiples of large powers of two share their low bits.
      const std::uint32_t index = (random() % 500) << (random() % 3 * 9);
      const auto weight = static_cast<float>(random() % 1000);
      table.change(index).weight = weight;
      expected[index] = weight;
      changed.insert(index);
    }
    if (round % 3 != 0) continue;
    std::size_t told = 0;
    table.take_changed([&](std::uint32_t index, float weight) {
      ++told;
      EXPECT_EQ(weight, expected.at(index));
      changed.erase(index);
    });
    EXPECT_TRUE(changed.empty()) << "a change was not told";
    table.take_changed([&](std::uint32_t, float) { ADD_FAILURE() << "told twice"; });
    EXPECT_LE(told, expected.size());
  }
  EXPECT_EQ(table.size(), expected.size());
  for (const auto& [index, weight] : expected) {
    ASSERT_NE(table.find(index), nullptr);
    EXPECT_EQ(table.find(index)->weight, weight);
  }
  EXPECT_EQ(table.find(0xffffffff), nullptr);
}

}  // namespace
}  // namespace brevet
