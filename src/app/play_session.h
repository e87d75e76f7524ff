// One run of questions through one gateway, in stages, with what it cost and how good it was.
//
// Used by `brevet demo` and `brevet play`. The gateway is real in every respect; over HTTP or called in
// process.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "app/gateway_process.h"
#include "app/play_world.h"
#include "eval/play_stats.h"

namespace brevet {

struct LearningSpend {
  std::uint64_t shadow_calls = 0;  ///< weak calls and spot checks
  std::uint64_t guide_calls = 0;   ///< guides asked of the reference
  std::uint64_t judge_calls = 0;
  CostTotal cost;  ///< of all three
};
LearningSpend spend_of(const RouteFigures& figures);
LearningSpend operator-(const LearningSpend& later, const LearningSpend& earlier);

struct PlayStage {
  PlaySummary summary;
  LearningSpend learning;
  std::vector<PlayedRequest> played;
  std::map<std::string, std::uint64_t> errors;  ///< by code
  std::uint64_t skills = 0;                     ///< at its end
  std::uint64_t guides = 0;
};

struct PlayProgress {
  std::size_t done = 0;
  std::size_t total = 0;
  const std::vector<PlayedRequest>& played;
};

struct PlayPlan {
  std::string route = "auto";
  int concurrency = 8;
  std::function<void(const PlayProgress&)> progress;  ///< after every reply; may be null
  std::function<bool()> stop;                         ///< ends the run early; may be null
};

/// Plays `order` (indices into world.items) and waits until what it taught is learned.
PlayStage play_stage(GatewayProcess& gateway, const PlayWorld& world, const std::vector<std::uint32_t>& order,
                     const PlayPlan& plan);

/// Seeded permutation of 0 .. count-1.
std::vector<std::uint32_t> shuffled(std::size_t count, std::uint64_t seed);

boost::json::object to_json(const PlayStage& stage);
boost::json::object to_json(const Figure& figure);

}  // namespace brevet
