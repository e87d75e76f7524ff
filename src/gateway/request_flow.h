// RequestFlow: the life of a request, told once. Server and replay drive the same object.
//
// run() parses nothing: it takes a ChatRequest, fetches features, asks the strategy for steps, makes the
// calls, delivers through the ResponseSink, hands the Decision to the OutcomeSink and plans the shadow.
// Thread-safe; each run stays on its caller's executor. It does not learn and does not know HTTP.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/async.h"
#include "base/clock.h"
#include "compare/comparer.h"
#include "features/feature_source.h"
#include "gateway/outcome_sink.h"
#include "gateway/response_sink.h"
#include "gateway/runtime.h"

namespace brevet {

/// Per-request switches, from headers. Not an aggregate on purpose: gcc 12 destroys an aggregate temporary
/// twice when it is made inside a co_await expression.
struct RequestOptions {
  RequestOptions() = default;

  std::string tenant = "default";
  std::string session;           ///< x-session-id or empty
  bool force_reference = false;  ///< x-brevet-force: reference
  bool learn = true;             ///< x-brevet-learn: off
  bool store = true;             ///< x-brevet-store: off
  /// x-brevet-local-only: on. metadata.brevet_local_only and the route's local_only say the same.
  bool local_only = false;
  std::string tags;  ///< x-brevet-tags
  /// x-brevet-reasoning: show. What prompt transforms otherwise take out of the answer.
  bool show_reasoning = false;
  /// Of the route's trained router, for this request; empty = as configured. The route has at_threshold.
  std::optional<double> threshold;
};

/// Supplies the current snapshot; implemented by learning, a constant in tests.
using SnapshotSource = std::function<SnapshotPtr()>;

class ContractGate;
struct ContractCheck;
class ShadowRunner;
class MoneyLedger;
class RecentDecisions;
class ShareDials;
class BaselineEstimator;
class CallTimes;

struct FlowParts {
  FeatureSource& features;
  OutcomeSink& outcomes;
  Clock& clock;
  SnapshotSource snapshot;
  ShadowRunner* shadows = nullptr;               ///< null: nothing is shadowed
  std::function<std::string()> new_decision_id;  ///< thread-safe
  std::function<std::uint64_t()>
      next_number;                    ///< journal numbers, thread-safe, never repeated within a store
  MoneyLedger* ledger = nullptr;      ///< null: nothing is added up
  RecentDecisions* recent = nullptr;  ///< null: decisions are only handed over
  // Kept by whoever keeps them over a restart; null: the flow has its own, which start anew.
  ShareDials* dials = nullptr;
  BaselineEstimator* baseline = nullptr;
  CallTimes* call_times = nullptr;
  Comparer* comparer = nullptr;       ///< null: answers are compared each time
  ContractGate* contracts = nullptr;  ///< null: routes promise nothing
};

/// What the budget allows a shadow, and what it spent.
struct ShadowTerms {
  ShadowTerms() = default;

  bool may_write_guide = true;                 ///< false: a guide would cost more than the budget has left
  bool local_only = false;                     ///< the request must stay on this machine, so its shadow too
  bool may_learn = true;                       ///< false: only `check` is wanted
  std::shared_ptr<const ContractCheck> check;  ///< what a contract must know of the request
  Cost spent;                                  ///< set at the end, unknown included
};

class RequestFlow {
 public:
  virtual ~RequestFlow() = default;
  /// Serves one request to the end and returns its decision (already handed to the OutcomeSink, unless that
  /// had no place for it or no route and no model has the name). For a route, the request's hashes are
  /// filled.
  virtual Task<std::shared_ptr<const Decision>> run(RuntimePtr runtime,
                                                    std::shared_ptr<const ChatRequest> request,
                                                    RequestOptions options, ResponseSink& sink) = 0;
  /// Dry run: the decision and its reason as far as it can be known without calling a model.
  virtual Task<Result<std::shared_ptr<const Decision>>> dry_run(RuntimePtr runtime,
                                                                std::shared_ptr<const ChatRequest> request,
                                                                RequestOptions options) = 0;
  /// A shadow: drives the route's shadow plan for a finished decision with purpose learn, nothing is
  /// delivered. Called by ShadowRunner with a place of the OutcomeSink taken, which it uses. The shadow's own
  /// decision carries its cost; null only when it was cancelled before it found out anything. `spent`
  /// receives that cost, unknown included.
  virtual Task<std::shared_ptr<const ShadowResult>> shadow(RuntimePtr runtime,
                                                           std::shared_ptr<const ChatRequest> request,
                                                           std::shared_ptr<const Decision> parent,
                                                           ShadowTerms& terms) = 0;
};

std::unique_ptr<RequestFlow> make_request_flow(FlowParts parts);

}  // namespace brevet
