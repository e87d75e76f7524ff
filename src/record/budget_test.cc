// Goal: no order of bookings and settlements spends more than the limit. Method: hand-made cases, the end of
// the range, and seeded random schedules in which every call costs at most its booking.
#include "record/budget.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "base/random.h"

namespace brevet::record {
namespace {

TEST(Budget, TheNextCallMustFitBesideWhatIsBooked) {
  Budget budget({Money{100}, 0});
  EXPECT_EQ(budget.book(Money{60}), Booking::kBooked);
  EXPECT_EQ(budget.book(Money{41}), Booking::kOverUsd);
  EXPECT_EQ(budget.book(Money{40}), Booking::kBooked) << "exactly all of it";
  budget.settle(Money{60}, Money{10});
  EXPECT_EQ(budget.spent(), Money{10});
  EXPECT_EQ(budget.booked(), Money{40});
  EXPECT_EQ(budget.book(Money{51}), Booking::kOverUsd);
  EXPECT_EQ(budget.book(Money{50}), Booking::kBooked);
}

TEST(Budget, AFreeCallStillNeedsNoMoney) {
  Budget budget({Money{0}, 0});
  EXPECT_EQ(budget.book(Money{0}), Booking::kBooked);
  EXPECT_EQ(budget.book(Money{1}), Booking::kOverUsd);
}

TEST(Budget, CallsWithoutAPriceAreCounted) {
  Budget budget({Money{100}, 2});
  budget.spend(std::nullopt);
  EXPECT_EQ(budget.book(std::nullopt), Booking::kBooked);
  budget.settle(std::nullopt, std::nullopt);
  EXPECT_EQ(budget.book(std::nullopt), Booking::kOverCalls);
  EXPECT_EQ(budget.unpriced(), 2U);
  EXPECT_EQ(budget.spent(), Money{0});
}

TEST(Budget, ACostAboveItsBookingStopsTheNext) {
  Budget budget({Money{100}, 0});
  ASSERT_EQ(budget.book(Money{50}), Booking::kBooked);
  budget.settle(Money{50}, Money{120});
  EXPECT_EQ(budget.book(Money{0}), Booking::kOverUsd);
}

TEST(Budget, NothingWrapsAround) {
  const Money most{std::numeric_limits<std::int64_t>::max()};
  EXPECT_EQ(times(most, 2), most);
  EXPECT_EQ(times(Money{7}, 3), Money{21});
  Budget budget({Money{100}, 0});
  EXPECT_EQ(budget.book(most), Booking::kOverUsd);
  ASSERT_EQ(budget.book(Money{1}), Booking::kBooked);
  EXPECT_EQ(budget.book(most), Booking::kOverUsd) << "the sum would wrap to a negative amount";
}

TEST(Budget, RandomSchedulesStayWithin) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Budget budget({Money{1'000}, 0});
    std::vector<Money> open;
    std::uint64_t refused = 0;
    for (std::uint64_t step = 0; step < 400; ++step) {
      const auto bits = mix_bits(seed, step);
      if (bits % 2 == 0) {
        const Money worst{static_cast<std::int64_t>(bits / 2 % 90)};
        if (budget.book(worst) == Booking::kBooked) {
          open.push_back(worst);
        } else {
          ++refused;
        }
      } else if (!open.empty()) {
        const auto at = bits / 2 % open.size();
        const auto cost = static_cast<std::int64_t>(mix_bits(bits, 3) % (open[at].pico_usd + 1));
        budget.settle(open[at], Money{cost});
        open.erase(open.begin() + static_cast<std::ptrdiff_t>(at));
      }
      ASSERT_LE(budget.spent() + budget.booked(), Money{1'000});
    }
    EXPECT_GT(refused, 0U) << "the limit was never met, so nothing was shown";
  }
}

}  // namespace
}  // namespace brevet::record
