// Counter-based randomness: draw number i of a stream keyed by (seed, request number) is a pure function, so
// a replay sees the same coins whatever ran before it, and a client cannot influence them. The mixing
// function is SplitMix64 (Steele, Lea, Flood 2014) applied to key and counter. Not cryptographic.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace brevet {

/// Stateless: equal arguments give equal bits.
std::uint64_t mix_bits(std::uint64_t key, std::uint64_t counter);
/// 64-bit hash (XXH3) of bytes; stable across runs and machines.
std::uint64_t hash_bytes(std::string_view bytes, std::uint64_t seed = 0);
/// Lower-case hex of SHA-256.
std::string sha256_hex(std::string_view bytes);

/// One coin or choice with the probability of what came out; the decision keeps them all.
struct Draw {
  const char* what = "";     ///< static name, such as "spot_check"
  double probability = 1.0;  ///< of the outcome that happened
  std::uint32_t outcome = 0;
};

class Draws {
 public:
  Draws(std::uint64_t seed, std::uint64_t request_number) : key_(mix_bits(seed, request_number)) {}
  /// Uniform in [0, 1), not logged: for callers that log the choice they make of it.
  double uniform();
  /// True with probability p (clamped to [0, 1]); logged under `what`, which must outlive the Draws.
  bool coin(const char* what, double p);
  /// Uniform in 0 .. count-1 (count > 0); logged.
  std::uint32_t choose(const char* what, std::uint32_t count);
  /// The draws of one part of the request's work: equal whatever other parts have drawn before. Its log is
  /// its own.
  Draws fork(std::uint64_t part) const { return Draws(Key{mix_bits(key_, ~part)}); }
  /// Adds what a fork has logged.
  void note(const std::vector<Draw>& log) { log_.insert(log_.end(), log.begin(), log.end()); }
  const std::vector<Draw>& log() const { return log_; }

 private:
  struct Key {
    std::uint64_t bits;
  };
  explicit Draws(Key key) : key_(key.bits) {}

  std::uint64_t key_;
  std::uint64_t counter_ = 0;
  std::vector<Draw> log_;
};

}  // namespace brevet
