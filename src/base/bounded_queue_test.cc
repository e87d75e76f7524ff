// Goal: the queue refuses beyond its bound, and a batch comes together without being kept from whoever
// hurries. Method: one consumer that would wait an hour, so that a missed wake-up shows as a test that never
// ends.
#include "base/bounded_queue.h"

#include <gtest/gtest.h>

#include <thread>

namespace brevet {
namespace {

constexpr std::chrono::hours kHour{1};

TEST(BoundedQueue, RefusesWhatIsTooMuch) {
  BoundedQueue<int> queue(2);
  EXPECT_TRUE(queue.try_push(1));
  EXPECT_TRUE(queue.try_push_unhurried(2));
  EXPECT_FALSE(queue.try_push(3));
  EXPECT_FALSE(queue.try_push_unhurried(3));
  EXPECT_EQ(queue.pop_batch(8), (std::vector<int>{1, 2}));
}

TEST(BoundedQueue, AnItemInAHurryTakesTheOthersAlong) {
  BoundedQueue<int> queue(8);
  std::vector<int> got;
  std::thread consumer([&] { queue.gather_batch(got, 8, 8, kHour); });
  EXPECT_TRUE(queue.try_push_unhurried(1));
  EXPECT_TRUE(queue.try_push_unhurried(2));
  EXPECT_TRUE(queue.try_push(3));
  consumer.join();
  EXPECT_EQ(got, (std::vector<int>{1, 2, 3}));
}

TEST(BoundedQueue, AFullBatchIsWokenFor) {
  BoundedQueue<int> queue(8);
  for (int round = 0; round < 100; ++round) {
    std::vector<int> got;
    std::thread consumer([&] { queue.gather_batch(got, 1, 3, kHour); });
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(queue.try_push_unhurried(int{i}));
    consumer.join();
    ASSERT_EQ(got.size(), 3U);
  }
}

TEST(BoundedQueue, HurryLastsUntilTheItemIsTaken) {
  BoundedQueue<int> queue(8);
  EXPECT_TRUE(queue.try_push_unhurried(1));
  EXPECT_TRUE(queue.try_push_unhurried(2));
  EXPECT_TRUE(queue.try_push(3));
  std::vector<int> got;
  queue.gather_batch(got, 2, 4, kHour);
  EXPECT_EQ(got, (std::vector<int>{1, 2})) << "a batch that is in a hurry stays small";
  queue.gather_batch(got, 2, 4, kHour);
  EXPECT_EQ(got, std::vector<int>{3});
  EXPECT_TRUE(queue.try_push_unhurried(4));
  queue.gather_batch(got, 2, 4, std::chrono::milliseconds(0));
  EXPECT_EQ(got, std::vector<int>{4}) << "patience ends it";
}

TEST(BoundedQueue, BatchesThatComeAndGoAllocateNothing) {
  BoundedQueue<int> queue(8);
  std::vector<int> got;
  std::vector<const int*> seen;
  for (int round = 0; round < 8; ++round) {
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(queue.try_push_unhurried(int{i}));
    queue.gather_batch(got, 4, 4, kHour);
    ASSERT_EQ(got, (std::vector<int>{0, 1, 2, 3}));
    if (round >= 2) seen.push_back(got.data());
  }
  for (std::size_t i = 2; i < seen.size(); ++i) EXPECT_EQ(seen[i], seen[i - 2]) << "two buffers take turns";
}

TEST(BoundedQueue, ClosingEndsTheWaitAndLosesNothing) {
  BoundedQueue<int> queue(8);
  std::vector<int> got;
  std::thread consumer([&] { queue.gather_batch(got, 8, 8, kHour); });
  EXPECT_TRUE(queue.try_push_unhurried(1));
  queue.close();
  consumer.join();
  EXPECT_EQ(got.size(), 1U);
  queue.gather_batch(got, 8, 8, kHour);
  EXPECT_TRUE(got.empty());
}

}  // namespace
}  // namespace brevet
