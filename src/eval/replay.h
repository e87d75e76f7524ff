// One stream of requests through the production RequestFlow in virtual time: what a strategy would have
// served, learned and paid, had these questions come in this order.
//
// Called by the engine, many at once on threads of their own; a call is single-threaded, deterministic and
// owns everything it changes. Strategies, shadows, budget, pricing, retries and learning are production's own
// objects; what differs: the clock is moved by hand, models play recorded answers at once, the store keeps
// nothing, features are prepared, neighbours come from lists. What a request teaches becomes visible only
// after `lag` further requests. Does not score beyond reading what the served model scored.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dataset/orders.h"
#include "domain/decision.h"
#include "eval/question_set.h"
#include "gateway/runtime.h"
#include "memory/snapshot.h"
#include "strategy/strategy.h"

namespace brevet {

/// Keeps a frozen memory alive: what a fitted strategy reads.
using FrozenMemory = std::shared_ptr<const Snapshot>;

struct ReplayPlan {
  StrategyPtr strategy;
  std::size_t weak = 0;    ///< candidate that is the weak one, index into QuestionSet::models()
  std::size_t strong = 1;  ///< and the reference
  bool learn = true;       ///< shadows and everything they teach
  LearningOptions learning;
  std::size_t lag = 0;               ///< requests until what was learned is visible
  Microseconds interval{1'000'000};  ///< virtual time between two requests
  std::uint64_t seed = 1;            ///< of the coins
  std::vector<OrderedRequest> requests;
  FrozenMemory memory;  ///< read instead of what the stream learns; null = learn from empty
  /// Names under which weak and strong are remembered, where `memory` was taught by other models; empty =
  /// own.
  std::string weak_name, strong_name;
  bool keep_reasons = false;
  bool keep_memory = false;  ///< as ReplayResult::memory
  /// Embeds answers where comparing them wants that, as production does; null: such pairs have no verdict.
  EmbeddingPool* answers = nullptr;
};

enum class ServedBy : std::uint8_t { kWeak, kStrong, kNobody };

/// One served request, in the order of the stream.
struct Replayed {
  std::uint32_t question = 0;
  ServedBy served = ServedBy::kNobody;
  double quality = 0;              ///< recorded score of the model that served; 0 when nobody did
  std::optional<double> cost_usd;  ///< of serving: every attempt, discarded ones included; empty = unknown
  std::optional<double> learning_usd;  ///< of the shadow that it caused, 0 without one; empty = unknown
  std::optional<float> p_agree;        ///< predicted that weak agrees with strong
  std::optional<bool> agrees;          ///< what its shadow found out; empty without a verdict
  std::optional<double> score;         ///< Decision::score
};

struct ReplayResult {
  std::vector<Replayed> requests;
  std::vector<std::string> reasons;  ///< sentence of each, when asked for
  std::uint64_t shadows = 0;
  std::uint64_t cannot_tell = 0;  ///< shadows whose comparison had no verdict
  std::uint64_t failed = 0;       ///< requests that nobody served
  std::uint64_t judge_calls = 0, guide_calls = 0;
  std::uint64_t skills = 0, guides = 0;  ///< at the end
  std::vector<float> decide_ms;          ///< wall time of every request; machine-dependent
  FrozenMemory memory;                   ///< what was learned, where it was to be kept
};

/// Errors: those of the flow's parts; a request that fails is counted, not an error.
Result<ReplayResult> replay(const QuestionSet& set, const ReplayPlan& plan);

}  // namespace brevet
