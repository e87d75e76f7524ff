// How much to spend on learning, and where: the probabilities of shadows.
//
// While the reference serves, the comparison costs one cheap call, so it is always made as long as learning
// goes on. While the risky answer serves, the comparison costs a reference call: its probability is highest
// where the loss is most uncertain (Neyman 1934: in proportion to the root of the mean squared surplus; every
// comparison counts as equally dear), paced to a budget, never below a floor, and learning stops where the
// saving it can still bring no longer covers it.
//
// Used by the gate in gateway; belongs to one thread. Its state is no part of the promise and is not kept
// here over restarts, the caller counts it up again: what it decides is logged with every admission. Money is
// in one unit of the caller's choice, such as one reference call.
#pragma once

#include <cstdint>
#include <optional>

namespace brevet {

struct LearningPlanOptions {
  double floor = .1;          ///< p_min while risky answers are served
  double start = 1;           ///< p before anything is certified
  double budget_share = .05;  ///< extra spending on shadows, as a share of what always-reference would cost
  double horizon = 20'000;    ///< requests over which what is learned must pay back
  double decay_from = 500;    ///< comparisons after which p starts to fall from `start`
};

/// What is known when a request asks.
struct ShadowQuestion {
  double reference_cost = 1;  ///< of this request, expected; not read yet
  double risky_cost = 0;      ///< of this request, expected; not read yet
  double loss_second_moment =
      .1;  ///< E[Z^2] where this request lies on the path, such as the mean of Zhat^2 p near it
  bool certified_any = false;  ///< anything is served without the reference
};

struct ShadowOdds {
  double if_risky = 1;
  double if_reference = 1;
  double floor = 1;  ///< to be declared by FloorEvent when it differs from the last one declared
};

enum class LearningStop : std::uint8_t {
  kGoesOn,
  kBudgetSpent,    ///< paused until pacing has caught up
  kDoesNotPay,     ///< the cheap answer saves less than learning costs over the horizon
  kNothingToGain,  ///< no share of traffic can ever be served without the reference
};

/// What learning can still bring, from feasibility.h or an operator.
struct LearningProspect {
  double share_max = 1;         ///< upper bound of the share that can ever be served without the reference
  double saving_per_risky = 1;  ///< reference cost less risky cost, of one request
  double requests_needed = 0;   ///< until the next position is certified; 0 = unknown
  double cost_per_request = 0;  ///< of shadows, now
};

class LearningPlan {
 public:
  explicit LearningPlan(const LearningPlanOptions& options) : options_(options) {}

  ShadowOdds odds(const ShadowQuestion& question) const;
  /// A request was admitted that would have cost `reference_cost`; `shadow_cost` was spent on learning from
  /// it.
  void admitted(double reference_cost, double shadow_cost, double loss_second_moment);
  void compared() { ++comparisons_; }
  /// Whether it is worth going on within the horizon; beyond it, whether the saving covers the floor's cost.
  LearningStop worth(const LearningProspect& prospect) const;

  double spent() const { return spent_; }
  double spent_share() const { return reference_total_ > 0 ? spent_ / reference_total_ : 0; }
  std::uint64_t comparisons() const { return comparisons_; }

 private:
  LearningPlanOptions options_;
  double spent_ = 0;
  double reference_total_ = 0;
  double second_moment_ = 0;  ///< summed over requests, for the scale of p
  std::uint64_t admitted_ = 0;
  std::uint64_t comparisons_ = 0;
};

}  // namespace brevet
