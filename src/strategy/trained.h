// Whether a trained router may decide on a route: what it speaks of and reads is what the route has.
//
// Called by whoever gives a strategy a router (app when it loads a configuration, eval). Pure. The strategies
// themselves are in trained.cc; make_strategy() makes them.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "domain/configuration.h"
#include "router/router.h"
#include "strategy/strategy.h"

namespace brevet {

/// familiarity_min of a trained strategy that does not say it: less familiar requests go to the reference.
inline constexpr double kFamiliarityMin = .01;

/// What a route gives to a router.
struct RouterPlace {
  std::vector<Configuration> candidates;  ///< cheapest first
  Configuration reference;
  std::string encoder_hash;  ///< of the embeddings it will see
  int lexical_version = 0;   ///< of the words it will see
};

/// `options` are those of the strategy as given (value_usd decides by worth instead of by threshold).
/// Errors (kCallerInvalid): router_encoder_mismatch, router_models_mismatch (a candidate that it does not
/// know, or another pair than the one whose difference it was taught), router_needs_value (more than two
/// candidates and no value_usd), router_costs_unknown (value_usd, and what a candidate costs was never
/// recorded).
Result<> check_router_place(const RouterInfo& router, const OptionValues& options, const RouterPlace& place);

}  // namespace brevet
