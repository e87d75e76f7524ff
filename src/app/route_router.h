// The trained routers that a configuration names: read, made, and checked against their routes.
//
// Used when a configuration is loaded or checked. Reads files.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "config/options.h"
#include "features/embedding_pool.h"
#include "gateway/runtime.h"
#include "router/router.h"
#include "strategy/strategy.h"

namespace brevet {

/// Each file is read once, however many routes name it.
class RouterFiles {
 public:
  /// Errors: those of read_artefact and make_router.
  Result<RouterPtr> load(const std::string& path);
  /// The text classifier that a router reads, behind a pool of its own; null where it reads none. A folder
  /// that several routers name is opened once. Errors: those of open_classifier.
  Result<std::shared_ptr<EmbeddingPool>> classifier(const std::string& router_path, const RouterInfo& info);

 private:
  std::map<std::string, RouterPtr> loaded_;
  std::map<std::string, std::shared_ptr<EmbeddingPool>> classifiers_;
};

struct RouteStrategy {
  StrategyPtr strategy;
  std::shared_ptr<EmbeddingPool> classifier;  ///< as Route::classifier
  /// As Route::at_threshold.
  std::function<Result<StrategyPtr>(double)> at_threshold;
};

/// The strategy of a route with its router, if it names one. `encoder_hash` is that of the features that it
/// will see; empty = not known here, and not checked. Errors: those of RouterFiles, check_router_place and
/// make_serving_strategy, bad_configuration.
/// What is said of the candidates is checked too: unknown_transform, contradictory (one that would never be
/// called).
Result<RouteStrategy> make_route_strategy(const RouteOptions& options, RouterFiles& files,
                                          const std::optional<std::string>& encoder_hash);

/// The route's candidates that are strategies, nested ones too, by name. Errors: as make_route_strategy.
Result<std::map<std::string, std::shared_ptr<const Composed>, std::less<>>> make_composed(
    const RouteOptions& options, RouterFiles& files, const std::optional<std::string>& encoder_hash);

}  // namespace brevet
