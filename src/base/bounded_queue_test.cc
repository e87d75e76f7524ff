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
  std::thread consumer([&] { got = queue.gather_batch(8, kHour); });
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
    std::thread consumer([&] { got = queue.gather_batch(3, kHour); });
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
  EXPECT_EQ(queue.gather_batch(2, kHour).size(), 2U);
  EXPECT_EQ(queue.gather_batch(2, kHour).size(), 1U);
  EXPECT_TRUE(queue.try_push_unhurried(4));
  EXPECT_EQ(queue.gather_batch(2, std::chrono::milliseconds(0)).size(), 1U) << "patience ends it";
}

TEST(BoundedQueue, ClosingEndsTheWaitAndLosesNothing) {
  BoundedQueue<int> queue(8);
  std::vector<int> got;
  std::thread consumer([&] { got = queue.gather_batch(8, kHour); });
  EXPECT_TRUE(queue.try_push_unhurried(1));
  queue.close();
  consumer.join();
  EXPECT_EQ(got.size(), 1U);
  EXPECT_TRUE(queue.gather_batch(8, kHour).empty());
}

}  // namespace
}  // namespace brevet
