// A confidence sequence for the mean of bounded numbers that come one after the other, by betting.
//
// Theorem. For a candidate mean v of X in [low, high] the wealth of betting a predictable share on X > v, and
// the same on X < v, are nonnegative supermartingales when the mean is <= v, or >= v; v is left out on the
// side whose wealth ever reaches 2/delta (Waudby-Smith and Ramdas 2024, hedged capital with the predictable
// plug-in bets of their section 4). Right at every moment at once where the mean given the past is one
// constant, as within a frozen version; where it moves, neither the mean so far nor the last one is covered:
// whoever uses this begins anew with each version.
//
// Used inside src/quality. One thread. Cost falls as candidates leave.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace brevet {

class BettingMean {
 public:
  struct Options {
    double low = 0;  ///< numbers outside [low, high] are clamped
    double high = 1;
    double delta = .05;
    std::size_t candidates = 400;  ///< the interval's resolution
  };
  explicit BettingMean(const Options& options);
  void observe(double x);
  double low() const;
  double high() const;
  double mean() const { return n_ ? sum_ / static_cast<double>(n_) : 0; }
  std::uint64_t observed() const { return n_; }

 private:
  Options options_;
  std::uint64_t n_ = 0;
  double sum_ = 0;
  double unit_mean_ = .5, unit_square_ = .25;  ///< running mean and squared error on [0, 1], for the bets
  std::vector<double> up_, down_;              ///< log wealth of each candidate
  std::size_t first_ = 0, last_ = 0;           ///< candidates still in
};

}  // namespace brevet
