// Guides as measured arms: does the cheap model answer better with this guide than without?
//
// On a shadow run both are asked, so the paired difference D in [-1, 1] needs no coin. Two e-processes an arm
// (betting): one against "mean of D <= 0" (it helps) and one against "mean of D >= 0" (it harms), and one
// against "D of the guide minus D of an unrelated guide of equal length <= 0", so that being longer is not
// mistaken for being right. A guide serves only where its effect is shown positive and is retired where it is
// shown harmful, or where it has had `differences_max` chances. Its evidence must come after it was written
// and frozen; a rewritten guide is a new arm. Ranking many guides by e-BH (Wang and Ramdas 2022) controls the
// false discovery rate; it is no promise.
//
// Used by learning and the gate; pure values, one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace brevet {

struct GuideArmOptions {
  double delta = .05;  ///< of one arm and direction
  std::uint64_t differences_max = 500;
  /// Being better than no guide is not enough: it must be shown to beat a placebo of its length, too.
  bool needs_placebo = true;
};

enum class GuideStanding : std::uint8_t { kOnTrial, kHelps, kRetired };
std::string_view name_of(GuideStanding standing);

class GuideArm {
 public:
  explicit GuideArm(const GuideArmOptions& options);
  /// D = quality with guide - quality without, on the same request.
  void observe(double difference);
  /// Of the guide less of the placebo, on the same request, in [-2, 2].
  void observe_against_placebo(double difference);

  GuideStanding standing() const;
  std::uint64_t observed() const { return n_; }
  double mean() const { return n_ ? sum_ / static_cast<double>(n_) : 0; }
  /// Running maxima of log evidence that it helps, that it harms, that it beats its placebo.
  double log_helps() const { return best_[0]; }
  double log_harms() const { return best_[1]; }
  double log_beats_placebo() const { return best_[2]; }
  /// log of the e-value that it helps, as it stands now: what e_benjamini_hochberg() may be given. A running
  /// maximum is no e-value.
  double log_e_value() const;
  std::uint64_t placebo_observed() const { return placebo_n_; }

  void append_state(std::string& bytes) const;
  /// Errors: contract_state_broken.
  Result<> restore_state(std::string_view& bytes);

 private:
  void bet(std::size_t process, double payoff);
  double log_mixture(std::size_t process) const;

  GuideArmOptions options_;
  std::vector<double> lambdas_;
  std::vector<double> log_wealth_;  ///< [3][experts]
  double best_[3] = {0, 0, 0};
  std::uint64_t n_ = 0, placebo_n_ = 0;
  double sum_ = 0;
};

/// Indices of arms whose e-values (GuideArm::log_e_value()) survive e-BH at this false discovery rate.
std::vector<std::size_t> e_benjamini_hochberg(std::span<const double> log_e_values, double rate);

}  // namespace brevet
