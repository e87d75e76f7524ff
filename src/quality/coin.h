// The coins of a contract, and the audit that they are the coins they claim to be.
//
// A coin is SipHash-2-4 (Aumasson and Bernstein 2012) of the journal number under a secret key: nothing that
// a client chooses enters it, a replay sees the same coins, and whoever does not know the key cannot tell
// them from independent ones. That they are independent of what is served is the only randomness the ledger's
// proof needs. Pure; a CoinAudit belongs to one thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "quality/fixed_point.h"

namespace brevet {

/// 128 secret bits; made once a contract by a good random source, kept with its state.
struct CoinKey {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};

/// Which of a step's coins.
enum class CoinUse : std::uint64_t { kShadow = 0, kAudit = 1, kCanary = 2 };

/// True with exactly this probability over keys.
bool coin_falls(CoinKey key, std::uint64_t number, CoinUse use, Probability p);

/// Do the coins that fell fit the probabilities that were logged? A mixture of likelihood ratios against
/// tilted odds (Ville 1939): wrong with probability at most `delta` however long it runs. About 1,000
/// requests tell a coin of .15 that claims .20, about 8,000 one of .04 that claims .05.
class CoinAudit {
 public:
  /// Steps with p = 0 or 1 that came out as they must are no evidence; as they cannot, they refute.
  void observe(Probability p, bool fell);
  /// log of the evidence against the coins, its largest so far.
  double evidence() const { return worst_.value(); }
  bool refuted(double delta = .001) const;
  std::uint64_t observed() const { return observed_; }

  static constexpr std::size_t kTilts = 8;
  struct State {
    std::array<Fixed, kTilts> log_ratio;
    Fixed worst;
    std::uint64_t observed = 0;
  };
  State state() const { return {log_ratio_, worst_, observed_}; }
  void restore(const State& state);

 private:
  std::array<Fixed, kTilts> log_ratio_{};
  Fixed worst_;
  std::uint64_t observed_ = 0;
};

}  // namespace brevet
