// The contract of every strategy: choose the next step for one request.
//
// Called by RequestFlow at the start and after every completion, failure, deadline or fetched evidence. Pure
// and const: no I/O, no clock, no lock, no hidden randomness; all it may read is in its arguments, and coins
// come from Draws, which logs their probabilities. Thread-safe because immutable. Choosing only; learning is
// src/learning.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/random.h"
#include "domain/answer.h"
#include "domain/chat_request.h"
#include "domain/decision.h"
#include "domain/features.h"
#include "domain/memory_entry.h"
#include "memory/snapshot.h"
#include "router/router.h"
#include "strategy/share_dial.h"

namespace brevet {

/// What a strategy may know of a request. Never an id, a subject, an answer key. `features` are fetched with
/// the first evidence that needs them: before that they are empty, and what needs none costs no encoder.
struct RequestView {
  const ChatRequest& request;
  const RequestFeatures& features;
  const Partition& partition;
  const Configuration& weak;                     ///< cheapest candidate
  const Configuration& reference;                ///< the strong one
  const std::vector<Configuration>& candidates;  ///< in the order of the config, cheapest first
  bool weak_has_logprobs = false;                ///< the weak upstream is known to return log-probabilities
  /// An attempt may be held back and looked at before it is accepted; false in observe mode, where only the
  /// first choice is asked for.
  bool may_hold = true;
  /// For shadow plans: the answer that was served, its configuration, and the skill that had decided (if
  /// any).
  const Answer* served_answer = nullptr;
  const Configuration* served_by = nullptr;
  const Skill* served_skill = nullptr;
  /// The weak configuration's own answer, alone, where serving had already asked for it; null otherwise.
  const Answer* weak_answer = nullptr;
  bool may_write_guide = true;  ///< the route lets the reference write guides
  bool spot_check = false;      ///< look whether what was served holds, nothing else
  /// Of each candidate, whether its upstream is known to return log-probabilities; empty = of none.
  std::vector<bool> have_logprobs = {};
  /// Hash of tenant and conversation, equal for all its turns; for choices that stay with one.
  std::uint64_t session = 0;
  bool show_reasoning = false;  ///< the client wants what transforms otherwise take out
  /// Model calls that the request may still make, those inside composed candidates among them.
  int calls_left = 1'000;
  /// The route's time is up, or would be with another call: settle with what there is.
  bool out_of_time = false;
};

/// Stand in for attempt ids in comparisons.
inline constexpr int kServedAnswer = -1;  ///< RequestView::served_answer
inline constexpr int kWeakAnswer = -2;    ///< RequestView::weak_answer

// ---- What a step may be
// -------------------------------------------------------------------------------------------
struct NeedExact {};     ///< -> Evidence::exact
struct NeedFeatures {};  ///< -> RequestView::features, Evidence::features
struct NeedNeighbours {
  std::size_t k = 1;
};  ///< -> Evidence::neighbours
struct NeedGuides {
  std::size_t k = 1;
  float min_similarity = 0;
};                       ///< -> Evidence::guides
struct NeedEstimate {};  ///< -> Evidence::estimate and Evidence::dial
struct NeedAfterAnswer {
  int attempt = 0;
};  ///< -> Evidence::after_answer[attempt]
/// -> Evidence::comparisons. With both judge attempts given (they saw the answers in this and in the swapped
/// order) their combined word is the verdict; else the answers are compared by compare/.
struct NeedCompare {
  int first = 0;  ///< attempt id, kServedAnswer or kWeakAnswer
  int second = 0;
  int judge_forward = -1;  ///< attempt id, -1 = no judge
  int judge_swapped = -1;
};
using Need = std::variant<NeedExact, NeedFeatures, NeedNeighbours, NeedGuides, NeedEstimate, NeedAfterAnswer,
                          NeedCompare>;

/// kStream: bytes may reach the client as they come, so this attempt will be accepted unless it fails before
/// its first byte. kHold: nothing reaches the client before Accept.
enum class Delivery { kStream, kHold };

struct Call {
  Configuration configuration;
  Purpose purpose = Purpose::kServe;
  Delivery delivery = Delivery::kHold;
  MessageEdits edits;                  ///< changes to the client's prompt (a guide, a transform)
  std::vector<PlainMessage> messages;  ///< not empty: a prompt of our own instead of the client's
  std::uint64_t guide_id = 0;          ///< guide inside `edits`, for the record; 0 = none or not yet stored
  std::optional<int> max_tokens;       ///< for prompts of our own
  bool want_logprobs = false;          ///< ask the upstream for log-probabilities (hidden from the client)
  int top_logprobs = 0;  ///< with want_logprobs: alternatives of each token (Answer::first_token)
  std::optional<double> temperature;  ///< instead of the client's
  std::optional<int> sample;          ///< which of several answers to one prompt, from 0
  std::string tag;                    ///< becomes Attempt::tag
};
struct Calls {
  std::vector<Call> calls;
  /// Set when a dial that is a share made this choice; the flow counts it before it makes the calls.
  std::optional<ShareVote> vote = {};
};
struct Wait {};
struct Accept {
  int attempt = 0;
  /// What is served in place of the attempt's own text: several answers made one.
  std::optional<std::string> text = {};
};
/// Ends the request without an answer: a serving strategy fails it with `error`; a shadow plan is simply
/// done.
struct GiveUp {
  std::optional<Error> error;
};

/// The code of an Accept that adds nothing to the reason of the step that made the call.
inline constexpr const char* kAsCalled = "as_called";

struct Step {
  std::variant<Need, Calls, Wait, Accept, GiveUp> what;
  Reason reason;
  /// What the strategy's dial was compared with, higher = weak is better; evaluation sweeps a static router
  /// over it. Empty where nothing was compared.
  std::optional<double> score = {};
  /// Predicted quality (0..1) of each of RequestView::candidates, in their order, where a router predicted
  /// it.
  std::vector<float> qualities = {};
};

/// Everything fetched so far. An empty optional = not asked yet; asked and not found has its own state.
struct Evidence {
  bool features = false;  ///< RequestView::features are as good as they get
  std::optional<std::optional<Skill>> exact;
  std::optional<std::vector<Neighbour>> neighbours;
  std::optional<std::vector<GuideNeighbour>> guides;
  std::optional<Estimate> estimate;
  ShareDial dial;  ///< of the route, where it stood when the estimate was fetched
  std::map<int, std::optional<double>> after_answer;  ///< attempt -> P(agree), empty when not known
  std::vector<Comparison> comparisons;
  /// The newest comparison of these two, null if there is none.
  const Comparison* comparison(int first, int second) const;
};

struct Turn {
  const RequestView& view;
  const Evidence& evidence;
  /// Done, failed and pending, in order of their start. A strategy sees its own only: a composed candidate
  /// that it called is one attempt, with what that did in Attempt::parts.
  const std::vector<Attempt>& attempts;
  const Snapshot& snapshot;
};

class Strategy {
 public:
  virtual ~Strategy() = default;
  virtual const std::string& name() const = 0;
  /// Empty when it can treat the request; else the reason why the route's reference serves instead.
  virtual std::optional<Reason> not_applicable(const RequestView& view) const = 0;
  virtual Step next(const Turn& turn, Draws& draws) const = 0;
};
using StrategyPtr = std::shared_ptr<const Strategy>;

// ---- The list of strategies
// ---------------------------------------------------------------------------------------
using OptionValue = std::variant<double, std::int64_t, bool, std::string>;
using OptionValues = std::map<std::string, OptionValue>;

/// One row of a strategy's option table; `brevet config --defaults` prints it.
struct OptionSpec {
  std::string name;
  OptionValue fallback;
  std::optional<double> low, high;  ///< inclusive bounds for numbers
  std::string help;                 ///< what it trades
};

struct StrategyKind {
  std::string name;
  std::string summary;
  std::vector<OptionSpec> options;
  bool shadow_plan = false;
  /// One call decided by what is remembered, without a coin: may stand in front of another strategy.
  bool static_router = false;
  /// The option that trades cost against quality, and settings of it from all weak to all strong, at which
  /// evaluation measures a strategy that learns while it serves. Empty without one.
  std::string dial;
  std::vector<double> dial_settings = {};
  /// It decides by Step::score >= dial alone from what it was fitted with, so one run gives its whole curve.
  bool swept = false;
  /// It reads what is remembered; what does not has no use for shadows.
  bool remembers = true;
  /// It may call any candidate, not only the first and the reference.
  bool calls_all = false;
  /// The router that it reads may be of any kind: it stands in front of it.
  bool any_router = false;
  Result<StrategyPtr> (*make)(const OptionValues& complete) =
      nullptr;  ///< all options present, types and bounds checked
  /// For what reads a router that was fitted offline instead of what is remembered; null otherwise. Without a
  /// router such a strategy cannot be made (router_missing), unless it has `make` as well.
  Result<StrategyPtr> (*make_trained)(const OptionValues& complete, RouterPtr router) = nullptr;
  /// The options with a router, where there are others than without; empty = the same.
  std::vector<OptionSpec> trained_options = {};
};

/// Every strategy of the product, in one readable list (strategies.cc).
const std::vector<StrategyKind>& strategies();

/// Fills defaults, checks names, types and bounds, makes it. `router` is for strategies that read one.
/// Errors: unknown_strategy, unknown_option (with the nearest name), bad_option, router_missing (it needs a
/// router and none was given), router_not_read (one was given that it does not read), router_kind_mismatch.
Result<StrategyPtr> make_strategy(std::string_view name, const OptionValues& given, RouterPtr router = {});

/// For a route: a shadow plan never serves an answer, so it is refused (shadow_plan_cannot_serve).
Result<StrategyPtr> make_serving_strategy(std::string_view name, const OptionValues& given,
                                          RouterPtr router = {});

}  // namespace brevet
