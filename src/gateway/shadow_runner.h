// ShadowRunner: decides which served requests are shadowed, and runs the shadows off the request path, within
// bounds and a budget.
//
// RequestFlow asks admit() before a decision is handed over (so that the coin is in the decision's record)
// and calls start() afterwards. Shadows run on the executor of their request. Thread-safe. It does not know
// what a shadow does: that is the route's shadow plan.
//
// When: after an answer of the reference to a request that is not remembered, or whose strong-only entry is
// due (retry_after passed; learning makes entries due at once when the weak model's id changes). For what is
// remembered and served, a coin decides on a spot check. One shadow per distinct request at a time. A full
// queue, a spent budget or no place with the OutcomeSink draw no coin.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/async.h"
#include "base/clock.h"
#include "base/random.h"
#include "gateway/money_ledger.h"
#include "gateway/outcome_sink.h"
#include "gateway/runtime.h"

namespace brevet {

class RequestFlow;
struct ContractCheck;

enum class ShadowRefusal {
  kKnown,         ///< remembered and not due
  kCoin,          ///< no spot check this time
  kSingleFlight,  ///< the same request is being shadowed
  kQueueFull,
  kBudget,
  kNoPlace,  ///< the OutcomeSink had none
  kStopping,
  kTooLarge,  ///< the request or its answers are over LearningOptions::request_bytes_max
};
inline constexpr std::size_t kShadowRefusals = 8;
const char* name_of(ShadowRefusal refusal);

struct ShadowCounters {
  std::uint64_t admitted = 0;
  std::uint64_t finished = 0;
  std::uint64_t cancelled = 0;      ///< at shutdown, queued or running
  std::uint64_t without_guide = 0;  ///< admitted, but a guide was too dear
  std::array<std::uint64_t, kShadowRefusals> refused{};
  std::uint64_t queued = 0;   ///< now
  std::uint64_t running = 0;  ///< now
};

struct ShadowTicket {
  std::uint64_t flight = 0;  ///< key of the single flight
  std::string tenant;
  std::string route;
  std::optional<Money> booked;
  bool may_write_guide = true;
  bool may_learn = true;  ///< false: only for a contract
  std::size_t parallel_max = 1;
};

struct ShadowCandidate {
  const Runtime& runtime;
  const Route& route;
  const ChatRequest& request;
  const Decision& decision;  ///< complete but for its draws
  const std::optional<Skill>& remembered;
};

struct ShadowWork {
  RuntimePtr runtime;
  std::shared_ptr<const ChatRequest> request;
  std::shared_ptr<const Decision> parent;
  std::shared_ptr<const ContractCheck> check = nullptr;
  bool local_only = false;  ///< the request must stay on this machine
};

class ShadowRunner {
 public:
  virtual ~ShadowRunner() = default;
  /// A ticket means: booked, place taken, single flight entered; it must go to start().
  virtual std::optional<ShadowTicket> admit(const ShadowCandidate& candidate, Draws& draws) = 0;
  /// For a contract, before its coin: takes a place in the queue and one of the OutcomeSink, so that a coin
  /// that falls is followed by its shadow. Given back by let_go() or used by check().
  virtual bool hold(const Route& route) = 0;
  virtual void let_go() = 0;
  /// A ticket on the place held, whatever is remembered and whatever the learning budget says: the contract
  /// paces its own checks. `may_learn`: memory learns from it as well, where admit() would have let it.
  virtual ShadowTicket check(const ShadowCandidate& candidate, bool may_learn) = 0;
  virtual void start(ShadowTicket ticket, ShadowWork work, RequestFlow& flow,
                     asio::any_io_executor executor) = 0;
  virtual ShadowCounters counters() const = 0;
  /// Resumes when no shadow is queued or running.
  virtual Task<> wait_idle() = 0;
  /// Admits no more, drops what is queued, lets what runs end for at most `grace`, then cancels it and waits
  /// for that. Blocks; call it from a thread that runs no executor, while those still run. Idempotent.
  virtual void drain(Milliseconds grace) = 0;
};

/// All must outlive the runner; the flow given to start() too.
std::unique_ptr<ShadowRunner> make_shadow_runner(MoneyLedger& ledger, OutcomeSink& outcomes);

}  // namespace brevet
