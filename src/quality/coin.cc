#include "quality/coin.h"

#include <bit>

namespace brevet {
namespace {

/// SipHash-2-4 of two words.
std::uint64_t sip_hash(CoinKey key, std::uint64_t first, std::uint64_t second) {
  std::uint64_t v0 = key.low ^ 0x736f6d6570736575ull, v1 = key.high ^ 0x646f72616e646f6dull;
  std::uint64_t v2 = key.low ^ 0x6c7967656e657261ull, v3 = key.high ^ 0x7465646279746573ull;
  const auto rounds = [&](int count) {
    for (int i = 0; i < count; ++i) {
      v0 += v1;
      v1 = std::rotl(v1, 13) ^ v0;
      v0 = std::rotl(v0, 32);
      v2 += v3;
      v3 = std::rotl(v3, 16) ^ v2;
      v0 += v3;
      v3 = std::rotl(v3, 21) ^ v0;
      v2 += v1;
      v1 = std::rotl(v1, 17) ^ v2;
      v2 = std::rotl(v2, 32);
    }
  };
  constexpr std::uint64_t kLength = 16ull << 56;
  for (const std::uint64_t word : {first, second, kLength}) {
    v3 ^= word;
    rounds(2);
    v0 ^= word;
  }
  v2 ^= 0xff;
  rounds(4);
  return v0 ^ v1 ^ v2 ^ v3;
}

/// Odds of the alternatives, as multiples of the logged odds.
constexpr std::array<double, CoinAudit::kTilts> kOddsTilt = {.1, .4, .7, .87, 1.15, 1.45, 2.5, 10};

}  // namespace

bool coin_falls(CoinKey key, std::uint64_t number, CoinUse use, Probability p) {
  return (sip_hash(key, number, static_cast<std::uint64_t>(use)) >> 32) < p.raw;
}

void CoinAudit::observe(Probability p, bool fell) {
  ++observed_;
  if (p.raw == 0 || p.certain()) {
    if (fell != p.certain()) worst_ = fixed_near(1e6);
    return;
  }
  // Under tilted odds the probability is q = p t / (1 - p + p t); the ratios are q/p = t/d and (1-q)/(1-p) =
  // 1/d.
  const double value = p.value();
  double top = -1e300;
  for (std::size_t i = 0; i < kTilts; ++i) {
    const double d = 1 - value + value * kOddsTilt[i];
    log_ratio_[i] += fixed_floor(log_below(fell ? kOddsTilt[i] / d : 1 / d));
    top = top > log_ratio_[i].value() ? top : log_ratio_[i].value();
  }
  double sum = 0;
  for (const Fixed ratio : log_ratio_) sum += steady_exp(ratio.value() - top);
  const Fixed evidence = fixed_floor(top + steady_log(sum / kTilts));
  if (evidence > worst_) worst_ = evidence;
}

bool CoinAudit::refuted(double delta) const {
  return worst_.value() >= -steady_log(delta);
}

void CoinAudit::restore(const State& state) {
  log_ratio_ = state.log_ratio;
  worst_ = state.worst;
  observed_ = state.observed;
}

}  // namespace brevet
