// One request under way: what RequestFlow knows of it, and the parts of the flow. Used inside src/gateway
// only.
//
// A Run belongs to one coroutine on one thread. Parts: request_flow.cc tells the life of a request,
// flow_drive.cc drives a strategy, flow_calls.cc makes model calls and streams them, flow_composed.cc runs
// composed candidates, evidence.cc answers needs, flow_shadow.cc runs shadows.
//
// A composed candidate is called like a model and has a Run of its own beside its parent's: attempts,
// evidence of answers and draws are its own, keyed by its place, so what it decides does not depend on what
// runs beside it. Request features, the snapshot, the budget of calls and the deadline are the root's.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/baseline.h"
#include "gateway/flow_contract.h"
#include "gateway/request_flow.h"

namespace brevet::flow {

/// A strategy that needs more than this beside its calls to decide is broken, and the request fails with
/// strategy_unbounded.
inline constexpr int kStepsMax = 96;
inline constexpr std::size_t kNeighboursKept = 8;
inline constexpr std::size_t kTagBytesMax = 256;

/// How a call ended, and for a composed candidate the calls inside.
struct CallOutcome {
  ModelOutcome outcome;
  std::vector<Attempt> parts;
  std::vector<Reason> steps;
  std::vector<Draw> draws;
};

/// A model call that runs beside the flow.
struct Pending {
  int attempt = 0;
  bool composed = false;
  bool finished = false;
  CallOutcome result;
  std::unique_ptr<StreamSink> stream;
  asio::cancellation_signal stop;
};

/// What a call of a composed candidate asks of every call inside.
struct Within {
  MessageEdits edits;
  std::vector<PlainMessage> messages;
  std::optional<int> max_tokens;
  std::optional<double> temperature;
  std::optional<int> sample;
  std::optional<Purpose> purpose;
  bool want_logprobs = false;
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
  bool features_asked = false;
  std::unique_ptr<asio::steady_timer> features_waker;  ///< of parts that wait for whoever asked
  /// Of the route's, who can take the request and may be sent it; cheapest first. Not empty once viewed.
  std::vector<Configuration> candidates;
  std::optional<RequestView> view;
  Evidence evidence;
  /// For each attempt on a route the reason of the step that made it.
  std::vector<Reason> called_because;
  /// For each attempt whether a prompt transform was put into it.
  std::vector<bool> transformed;
  /// For each attempt whether it was asked a prompt of our own; it is no answer to the client.
  std::vector<bool> own_prompt;
  /// For each attempt whether its usage is that of a prompt of our own, of its own or inside it.
  std::vector<bool> own_usage;

  // Of a composed candidate; empty at the root.
  Run* parent = nullptr;
  std::shared_ptr<const Composed> composed;
  Within within;
  std::uint64_t place = 0;  ///< keys its draws
  int depth = 0;            ///< of composed candidates around it
  Configuration weak, reference;
  /// What the client is told of a stream that begins inside.
  std::optional<Configuration> shown_as;

  int calls_left = 0;                                ///< root only
  std::optional<std::chrono::nanoseconds> deadline;  ///< root only, on the steady clock
  /// What is served is not the text of the attempt that stands for it.
  bool text_replaced = false;

  Run& root() {
    Run* run = this;
    while (run->parent) run = run->parent;
    return *run;
  }

  std::vector<std::shared_ptr<Pending>> pending;
  std::shared_ptr<asio::steady_timer> waker;  ///< cancelled when a pending call ends; made with the first

  std::chrono::nanoseconds started{0};
  std::chrono::nanoseconds upstream{0};  ///< waited for models
  bool began = false;                    ///< the client has the first event of a stream
  bool client_gone = false;
  bool time_told = false;  ///< the strategy has been asked since time was up
  ContractRun contract = {};
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

/// Starts the calls and returns when at least one has ended or time is up.
Task<void> make_calls(Run& run, Calls calls, const Reason& reason);
Task<void> wait_for_one(Run& run);
bool time_is_up(Run& run);
/// Waits until nothing is pending; what is when the client hangs up or time is up is stopped.
Task<void> see_through(Run& run);
/// Stops everything pending and waits until it has stopped, so that its cost is known.
Task<void> stop_pending(Run& run);
/// Likewise because time is up; composed candidates are left to settle with what they have.
Task<void> stop_late(Run& run);
/// Runs a composed candidate for the call that `parent` opened as `attempt`. It may stream to the client
/// where `sink` is the client's.
Task<CallOutcome> call_composed(Run& parent, std::shared_ptr<const Composed> composed, int attempt, Call call,
                                ResponseSink* sink);
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
Error late();
/// What strategies see of a request to be served.
void make_view(Run& run);

}  // namespace brevet::flow
