// Goal: the breaker's transitions. Method: time is a number that the test sets.
#include "upstream/breaker.h"

#include <gtest/gtest.h>

namespace brevet {
namespace {

using std::chrono::milliseconds;

BreakerOptions options() {
  BreakerOptions out;
  out.failures_to_open = 3;
  out.open_for = milliseconds(100);
  out.open_for_max = milliseconds(300);
  return out;
}

void fail_three_times(Breaker& breaker, milliseconds now) {
  for (int i = 0; i < 3; ++i) breaker.on_failure(now);
}

TEST(Breaker, OpensAfterFailuresInARowOnly) {
  Breaker breaker(options());
  breaker.on_failure(milliseconds(0));
  breaker.on_failure(milliseconds(0));
  breaker.on_success();
  breaker.on_failure(milliseconds(0));
  breaker.on_failure(milliseconds(0));
  EXPECT_EQ(breaker.state(milliseconds(0)), BreakerState::kClosed);
  breaker.on_failure(milliseconds(0));
  EXPECT_EQ(breaker.state(milliseconds(0)), BreakerState::kOpen);
  EXPECT_FALSE(breaker.allow(milliseconds(99)));
  EXPECT_EQ(breaker.retry_in(milliseconds(40)), milliseconds(60));
}

TEST(Breaker, LetsExactlyOneProbeThrough) {
  Breaker breaker(options());
  fail_three_times(breaker, milliseconds(0));
  EXPECT_EQ(breaker.state(milliseconds(100)), BreakerState::kHalfOpen);
  EXPECT_TRUE(breaker.allow(milliseconds(100)));
  EXPECT_FALSE(breaker.allow(milliseconds(100)));
  breaker.on_success();
  EXPECT_EQ(breaker.state(milliseconds(100)), BreakerState::kClosed);
  EXPECT_TRUE(breaker.allow(milliseconds(100)));
}

TEST(Breaker, FailedProbesWaitLongerUpToABound) {
  Breaker breaker(options());
  fail_three_times(breaker, milliseconds(0));
  milliseconds now(100);
  for (const int wait : {200, 300, 300}) {
    ASSERT_TRUE(breaker.allow(now));
    breaker.on_failure(now);
    EXPECT_EQ(breaker.retry_in(now), milliseconds(wait));
    now += milliseconds(wait);
  }
  EXPECT_TRUE(breaker.allow(now));
  breaker.on_success();
  fail_three_times(breaker, now);
  EXPECT_EQ(breaker.retry_in(now), milliseconds(100));  // A success forgets how long it had to wait.
}

TEST(Breaker, AnAbandonedProbeLeavesRoomForAnother) {
  Breaker breaker(options());
  fail_three_times(breaker, milliseconds(0));
  ASSERT_TRUE(breaker.allow(milliseconds(100)));
  breaker.on_abandoned();
  EXPECT_TRUE(breaker.allow(milliseconds(100)));
}

TEST(Breaker, StragglersDoNotProlongAnOpenBreaker) {
  Breaker breaker(options());
  fail_three_times(breaker, milliseconds(0));
  breaker.on_failure(milliseconds(90));
  EXPECT_TRUE(breaker.allow(milliseconds(100)));
}

}  // namespace
}  // namespace brevet
