// What another policy would have been worth on logged traffic, and whether it may serve.
//
// Doubly robust replay (Dudik, Langford and Li 2011): value = mean of q(x, pi(x)) + 1{a = pi(x)} / mu(a | x)
// (r - q(x, a)), unbiased when the logged probability mu is right, whatever the model q says. What was never
// run cannot be priced: a decision whose logged probability of the candidate's action is 0 makes the whole
// price invalid, and is counted. The candidate must have been frozen before the stretch. It speaks of last
// week's traffic.
//
// Used by the gate's reports and promotion; pure values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace brevet {

struct LoggedDecision {
  double probability = 0;  ///< that the action the candidate takes was observed: logged, before its coin
  bool observed = false;   ///< it was
  double value = 0;        ///< then: what it was worth, in [low, high]
  double predicted =
      0;  ///< a model's guess of the value of the candidate's action, made without this decision
};

struct PolicyPrice {
  double mean = 0;
  double low = 0;  ///< simultaneous over time at `confidence`: peeking is allowed
  double high = 0;
  std::uint64_t n = 0;
  std::uint64_t never_run = 0;  ///< decisions below probability_min: above 0 there is no price
  bool valid() const { return n > 0 && never_run == 0; }
};

struct PriceRange {
  double low = 0;
  double high = 1;
  double confidence = .95;
  double probability_min = .05;  ///< a smaller logged probability counts as never run; declared before
};

/// Betting interval (Waudby-Smith and Ramdas 2024) for the mean of the doubly robust terms.
PolicyPrice price_policy(std::span<const LoggedDecision> decisions, const PriceRange& range);

enum class PolicyStage : std::uint8_t { kShadow, kCanary, kServing, kDemoted };
std::string_view name_of(PolicyStage stage);

/// How a candidate climbs: one stage at a time, each on evidence of its own stage, and falls by itself.
struct PromotionRules {
  double margin = 0;                  ///< the candidate must be better than what serves by this
  std::uint64_t decisions_min = 200;  ///< of a stage before it may be left upwards
};
struct PromotionAnswer {
  PolicyStage stage = PolicyStage::kShadow;
  std::string_view reason;
};
/// `advantage`: candidate less incumbent, priced on decisions since the stage began.
PromotionAnswer next_stage(PolicyStage stage, const PolicyPrice& advantage, const PromotionRules& rules);

}  // namespace brevet
