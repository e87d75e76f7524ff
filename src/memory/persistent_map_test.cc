// Goal: a copy never sees later changes, and lookups equal those of std::map. Method: random changes against
// a model, with copies kept along the way and compared at the end; keys chosen to share long prefixes.
#include "memory/persistent_map.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace brevet {
namespace {

TEST(PersistentMap, EqualsAMapAndCopiesStayAsTheyWere) {
  std::mt19937_64 random(7);
  PersistentMap<std::uint64_t> map;
  std::map<std::uint64_t, std::uint64_t> model;
  std::vector<std::pair<PersistentMap<std::uint64_t>, std::map<std::uint64_t, std::uint64_t>>> copies;
  std::vector<std::uint64_t> keys;
  for (std::uint64_t i = 0; i < 300; ++i) {
    keys.push_back(i);
    keys.push_back(random());
    keys.push_back(0x5555555555ULL | (i << 56));  // differ in the last levels only
  }
  for (int step = 0; step < 20'000; ++step) {
    const std::uint64_t key = keys[random() % keys.size()];
    if (random() % 3 == 0) {
      map.erase(key);
      model.erase(key);
    } else {
      map.set(key, static_cast<std::uint64_t>(step));
      model[key] = static_cast<std::uint64_t>(step);
    }
    if (step % 1000 == 0) copies.emplace_back(map.snapshot(), model);
  }
  copies.emplace_back(map.snapshot(), model);
  for (const auto& [copy, expected] : copies) {
    ASSERT_EQ(copy.size(), expected.size());
    for (const auto key : keys) {
      const auto* found = copy.find(key);
      const auto known = expected.find(key);
      ASSERT_EQ(found != nullptr, known != expected.end());
      if (found != nullptr) {
        ASSERT_EQ(*found, known->second);
      }
    }
    std::size_t visited = 0;
    copy.for_each([&](std::uint64_t key, std::uint64_t value) {
      ++visited;
      EXPECT_EQ(expected.at(key), value);
    });
    EXPECT_EQ(visited, expected.size());
  }
}

}  // namespace
}  // namespace brevet
