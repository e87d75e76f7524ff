// What a request is served with: models, routes and switches, immutable. A reload builds the next Runtime; a
// request pins the one that it started with. Built by app from the configuration.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "domain/configuration.h"
#include "features/embedding_pool.h"
#include "gateway/capabilities.h"
#include "gateway/contract_terms.h"
#include "strategy/strategy.h"
#include "upstream/model_client.h"

namespace brevet {

enum class RouteMode { kObserve, kOn };
enum class StoreContent { kNone, kHash, kText };
/// What a route does when its reference cannot be reached: no connection, breaker open, server errors,
/// deadlines. A refusal or a rate limit is an answer of the provider, and stays one.
enum class WhenUnreachable { kFail, kServeWeak };

struct LearningOptions {
  bool enabled = true;
  double budget_share =
      0.1;  ///< learning may spend at most this share of what serving spent (plus the allowance)
  Money allowance = Money::from_pico(
      50'000'000'000);  ///< that learning may spend before serving has spent anything (0.05 USD)
  double spot_check_share =
      0.02;  ///< of weak-served requests that the reference answers too, off the request path
  std::size_t queue_max = 1024;  ///< shadows waiting; a full queue draws no coin
  std::size_t parallel_max = 8;  ///< shadows running at once
  /// Larger requests, or answers, are not shadowed: a queue of shadows holds them whole.
  std::size_t request_bytes_max = std::size_t{256} * 1024;
  bool guides = true;                ///< let the reference write guides
  std::size_t guides_tried_max = 2;  ///< remembered guides that one shadow tries at most
  bool judge = false;  ///< the reference judges (two calls) where answers cannot be compared otherwise
  Microseconds retry_after = std::chrono::hours(24);  ///< before a strong-only entry is tried again
};

/// A candidate that is a strategy over candidates of its own. Who calls it sees one answer; the calls inside
/// are in Attempt::parts.
struct Composed {
  std::string name;
  StrategyPtr strategy;
  std::vector<Configuration> candidates;  ///< cheapest first; each a model or another composed candidate
  Configuration reference;                ///< of its strategy
  std::shared_ptr<EmbeddingPool> classifier = {};  ///< as Route::classifier
};

/// Composed candidates inside each other: a deeper nest is refused when the configuration is read.
inline constexpr int kComposedDepthMax = 4;

struct Route {
  std::string name;
  StrategyPtr strategy;
  /// The same strategy at another threshold, for requests that name one (router-NAME-THRESHOLD); null where
  /// it reads no trained router. The threshold is in 0..1.
  std::function<Result<StrategyPtr>(double threshold)> at_threshold;
  StrategyPtr shadow_plan;  ///< null when the route does not learn
  Configuration weak;
  Configuration reference;
  std::vector<Configuration> candidates;
  RouteMode mode = RouteMode::kOn;
  StoreContent store = StoreContent::kHash;
  WhenUnreachable when_reference_unreachable = WhenUnreachable::kFail;
  bool local_only = false;  ///< no request of this route may leave this machine
  LearningOptions learning;
  /// Of the candidates and of what is nested in them, those that are strategies, by name.
  std::map<std::string, std::shared_ptr<const Composed>, std::less<>> composed = {};
  /// For a router that reads a text classifier (RequestFeatures::classified); null for all others.
  std::shared_ptr<EmbeddingPool> classifier = {};
  int calls_max = 40;  ///< model calls of one request, those inside composed candidates among them
  /// For a whole request, until the first byte reaches the client: what has come by then must do.
  std::optional<Microseconds> deadline = {};
  /// That 95% of requests should keep: with an answer in hand no further call is begun that would likely end
  /// later.
  std::optional<Microseconds> latency_p95 = {};
  std::optional<ContractTerms> contract;  ///< empty: nothing is promised
};

struct Model {
  std::string name;
  std::string id;  ///< what the provider calls it
  ModelClientPtr client;
  bool local = false;     ///< runs on this machine
  bool logprobs = false;  ///< the upstream returns log-probabilities when asked
  bool simulated = false;
  ModelLimits limits = {};
};

struct Runtime {
  std::map<std::string, Model, std::less<>> models;
  std::map<std::string, std::shared_ptr<const Route>, std::less<>> routes;
  std::uint64_t seed = 1;
};
using RuntimePtr = std::shared_ptr<const Runtime>;

}  // namespace brevet
