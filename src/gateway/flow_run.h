// One request under way: what RequestFlow knows of it, and the parts of the flow. Used inside src/gateway
// only.
//
// A Run belongs to one coroutine on one thread. Parts: request_flow.cc tells the life of a request,
// flow_drive.cc drives a strategy, flow_calls.cc makes model calls and streams them, evidence.cc answers
// needs, flow_shadow.cc runs shadows.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/baseline.h"
#include "gateway/request_flow.h"

namespace brevet::flow {

/// A strategy that needs more than this to decide is broken, and the request fails with strategy_unbounded.
inline constexpr int kStepsMax = 96;
inline constexpr std::size_t kCallsMax = 40;
inline constexpr std::size_t kNeighboursKept = 8;
inline constexpr std::size_t kTagBytesMax = 256;

/// A model call that runs beside the flow.
struct Pending {
  int attempt = 0;
  bool finished = false;
  ModelOutcome outcome;
  asio::cancellation_signal stop;
};

struct Run {
  FlowParts& parts;
  RuntimePtr runtime;
  std::shared_ptr<const ChatRequest> request;
  RequestOptions options;
  std::shared_ptr<const Route> route;  ///< null: a model was named
  ResponseSink* sink = nullptr;        ///< null: nothing is delivered
  std::shared_ptr<Decision> decision;
  Draws draws;
  SnapshotPtr snapshot;
  StrategyPtr strategy;  ///< the route's, at the request's own threshold where it names one

  RequestFeatures features;
  bool features_fetched = false;
  /// Of the route's, who can take the request and may be sent it; cheapest first. Not empty once viewed.
  std::vector<Configuration> candidates;
  std::optional<RequestView> view;
  Evidence evidence;
  /// For each attempt on a route the reason of the step that made it.
  std::vector<Reason> called_because;
  /// For each attempt the bytes that a guide or transform added to the client's prompt.
  std::vector<std::size_t> added_bytes;

  std::vector<std::shared_ptr<Pending>> pending;
  std::shared_ptr<asio::steady_timer> waker;  ///< cancelled when a pending call ends; made with the first

  std::chrono::nanoseconds started{0};
  std::chrono::nanoseconds upstream{0};  ///< waited for models
  bool began = false;                    ///< the client has the first event of a stream
  bool client_gone = false;
};

/// How a strategy's work ended.
struct Ending {
  DecisionState state = DecisionState::kFailed;
  std::optional<Error> error;
};

/// Drives the strategy to its end; decision->accepted and ->reason are set when something was accepted.
Task<Ending> drive(Run& run, const Strategy& strategy);
/// The first calls that the strategy would make; none are made.
Task<Result<Step>> first_calls(Run& run, const Strategy& strategy);

/// Starts the calls and returns when at least one has ended.
Task<void> make_calls(Run& run, Calls calls, const Reason& reason);
Task<void> wait_for_one(Run& run);
/// Stops everything pending and waits until it has stopped, so that its cost is known.
Task<void> stop_pending(Run& run);
/// A single call whose events may reach the client; the whole of a pass-through.
Task<void> call_directly(Run& run, Call call, const Reason& reason);

/// Tells the route's dial of a choice that it made.
void count_vote(Run& run, const Calls& calls);

Task<void> fetch_features(Run& run);
Task<void> answer_need(Run& run, Need need);

/// Costs, time, what was read: everything but state, error and reason.
void account(Run& run);
/// Takes what was said out of a decision that is about to be kept (its usage, log-probabilities and model id
/// stay): it would be most of the memory, and only the client and a shadow need it. By attempt.
std::vector<Answer> take_answers(Decision& decision);
/// A new decision for this run with id, number, time and the request's identity.
void open_decision(Run& run);

bool cancelled(const asio::cancellation_state& state);
Error client_gone();
/// What strategies see of a request to be served.
void make_view(Run& run);

}  // namespace brevet::flow
