#include "gateway/shadow_runner.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <limits>
#include <map>
#include <mutex>
#include <unordered_set>
#include <vector>

#include "gateway/request_flow.h"
#include "prompt/guide.h"
#include "prompt/judge.h"

namespace brevet {

const char* name_of(ShadowRefusal refusal) {
  switch (refusal) {
    case ShadowRefusal::kKnown:
      return "known";
    case ShadowRefusal::kCoin:
      return "coin";
    case ShadowRefusal::kSingleFlight:
      return "single_flight";
    case ShadowRefusal::kQueueFull:
      return "queue_full";
    case ShadowRefusal::kBudget:
      return "budget";
    case ShadowRefusal::kNoPlace:
      return "no_place";
    case ShadowRefusal::kStopping:
      return "stopping";
    case ShadowRefusal::kTooLarge:
      return "too_large";
  }
  return "known";
}

namespace {

/// What a shadow may ask the weak model at most beside remembered guides: alone, and with a new guide, which
/// the reference writes. Each of these answers is compared once, and a judge is asked twice per comparison.
constexpr int kWeakCallsBesideRemembered = 2;
constexpr int kJudgeCallsPerComparison = 2;
/// Tokens that a guide, or the prompt that asks for one, adds to a request.
constexpr std::int64_t kGuidePromptTokens = 300;
/// A weak model may ramble where the reference was brief.
constexpr std::int64_t kOutputSafety = 2;

/// The worst case of one shadow; empty when it cannot be priced.
std::optional<Money> worst_case(const ShadowCandidate& candidate, bool spot_check, bool guide) {
  const auto& baseline = candidate.decision.baseline.amount;
  if (!baseline) return baseline;
  const auto price = [&](const Configuration& who, std::int64_t added_input, std::int64_t output) {
    const auto& usage = candidate.decision.served()->answer->usage;
    Usage most;
    most.input_tokens = usage.input_tokens.value_or(static_cast<std::int64_t>(
                            candidate.request.raw ? candidate.request.raw->size() / 4 : 0)) +
                        added_input;
    most.output_tokens = output;
    const auto model = candidate.runtime.models.find(who.model);
    const auto cost = model == candidate.runtime.models.end() ? Cost{} : model->second.client->price(most);
    // Where only whole calls have a known cost, the reference's own answer bounds them.
    return cost.amount.value_or(*baseline);
  };
  const auto served_output =
      candidate.decision.served()->answer->usage.output_tokens.value_or(kGuideTokensMax);
  const auto& learning = candidate.route.learning;
  const auto answers = static_cast<std::int64_t>(learning.guides_tried_max) + kWeakCallsBesideRemembered;
  Money worst =
      spot_check ? *baseline
                 : price(candidate.route.weak, kGuidePromptTokens, served_output * kOutputSafety) * answers;
  if (guide) worst += price(candidate.route.reference, kGuidePromptTokens, kGuideTokensMax);
  if (learning.judge) {
    // A judge reads the question and both answers, of which the other one may be the longer.
    const auto read = kGuidePromptTokens + served_output * (1 + kOutputSafety);
    worst += price(candidate.route.reference, read, kJudgeTokensMax) *
             ((spot_check ? 1 : answers) * kJudgeCallsPerComparison);
  }
  return worst;
}

/// What a queued shadow keeps in memory: the request as it came and what was answered.
std::size_t bytes_kept(const ShadowCandidate& candidate) {
  std::size_t sum = candidate.request.raw ? candidate.request.raw->size() : 0;
  for (const auto& attempt : candidate.decision.attempts) {
    if (!attempt.answer) continue;
    sum += attempt.answer->text.size();
    for (const auto& tool : attempt.answer->tool_calls) sum += tool.name.size() + tool.arguments.size();
  }
  return sum;
}

class Runner final : public ShadowRunner {
 public:
  Runner(MoneyLedger& ledger, OutcomeSink& outcomes) : ledger_(ledger), outcomes_(outcomes) {}

  std::optional<ShadowTicket> admit(const ShadowCandidate& candidate, Draws& draws) override {
    const auto& decision = candidate.decision;
    const auto& learning = candidate.route.learning;
    const bool weak_served = decision.served()->configuration != candidate.route.reference;
    const auto& known = candidate.remembered;
    const bool due = known && known->status == SkillStatus::kStrongOnly &&
                     decision.time - known->last_tried >= learning.retry_after;
    // Without a coin: requests that nothing is known of, and entries that are due.
    const bool certain = !weak_served && (!known || due);
    if (bytes_kept(candidate) > learning.request_bytes_max) return refuse(ShadowRefusal::kTooLarge);
    if (!certain && learning.spot_check_share <= 0) return refuse(ShadowRefusal::kKnown);
    if (!certain && !weak_served && known->status == SkillStatus::kStrongOnly)
      return refuse(ShadowRefusal::kKnown);

    ShadowTicket ticket;
    ticket.flight = hash_bytes(decision.partition.key(), hash_bytes(candidate.request.hash));
    ticket.tenant = decision.tenant;
    ticket.route = decision.route;
    ticket.parallel_max = std::max<std::size_t>(1, learning.parallel_max);
    ticket.may_write_guide = learning.guides && !weak_served;
    ticket.booked = worst_case(candidate, weak_served, ticket.may_write_guide);
    {
      std::lock_guard lock(mutex_);
      if (stopping_) return refuse_locked(ShadowRefusal::kStopping);
      if (waiting_ >= learning.queue_max) return refuse_locked(ShadowRefusal::kQueueFull);
      if (!flights_.insert(ticket.flight).second) return refuse_locked(ShadowRefusal::kSingleFlight);
      ++waiting_;
    }
    LearningBudget budget;
    budget.share = learning.budget_share;
    budget.allowance = learning.allowance;
    bool paid = ledger_.book(ticket.tenant, ticket.route, budget, ticket.booked);
    const bool too_dear = !paid && ticket.may_write_guide && ticket.booked;
    if (too_dear) {
      ticket.may_write_guide = false;
      ticket.booked = worst_case(candidate, weak_served, false);
      paid = ledger_.book(ticket.tenant, ticket.route, budget, ticket.booked);
    }
    if (!paid) return back_out(ticket, ShadowRefusal::kBudget);
    if (!outcomes_.reserve()) {
      ledger_.settle(ticket.tenant, ticket.route, ticket.booked, std::nullopt);
      return back_out(ticket, ShadowRefusal::kNoPlace);
    }
    if (!certain && !draws.coin("spot_check", learning.spot_check_share)) {
      outcomes_.release();
      ledger_.settle(ticket.tenant, ticket.route, ticket.booked, std::nullopt);
      return back_out(ticket, ShadowRefusal::kCoin);
    }
    std::lock_guard lock(mutex_);
    ++counters_.admitted;
    if (too_dear) ++counters_.without_guide;
    return ticket;
  }

  bool hold(const Route& route) override {
    {
      std::lock_guard lock(mutex_);
      if (stopping_) return refuse_locked(ShadowRefusal::kStopping), false;
      if (waiting_ >= route.learning.queue_max) return refuse_locked(ShadowRefusal::kQueueFull), false;
      ++waiting_;
    }
    if (outcomes_.reserve()) return true;
    std::lock_guard lock(mutex_);
    --waiting_;
    notify_locked();
    return refuse_locked(ShadowRefusal::kNoPlace), false;
  }

  void let_go() override {
    outcomes_.release();
    std::lock_guard lock(mutex_);
    --waiting_;
    notify_locked();
  }

  ShadowTicket check(const ShadowCandidate& candidate, bool may_learn) override {
    const auto& decision = candidate.decision;
    const auto& learning = candidate.route.learning;
    const bool weak_served = decision.served()->configuration != candidate.route.reference;
    const auto& known = candidate.remembered;
    const bool due = known && known->status == SkillStatus::kStrongOnly &&
                     decision.time - known->last_tried >= learning.retry_after;
    ShadowTicket ticket;
    ticket.flight = hash_bytes(decision.partition.key(), hash_bytes(candidate.request.hash));
    ticket.tenant = decision.tenant;
    ticket.route = decision.route;
    ticket.parallel_max = std::max<std::size_t>(1, learning.parallel_max);
    // What serving found out anyway is learned as well; going on to guides is learning's own affair and
    // budget.
    ticket.may_learn = may_learn && !weak_served && (!known || due);
    if (ticket.may_learn) {
      std::lock_guard lock(mutex_);
      ticket.may_learn = flights_.insert(ticket.flight).second;
    }
    LearningBudget budget;
    budget.share = learning.budget_share;
    budget.allowance = learning.allowance;
    if (ticket.may_learn) {
      ticket.may_write_guide = learning.guides;
      ticket.booked = worst_case(candidate, weak_served, learning.guides);
      if (!ledger_.book(ticket.tenant, ticket.route, budget, ticket.booked)) {
        std::lock_guard lock(mutex_);
        flights_.erase(ticket.flight);
        ticket.may_learn = false;
      }
    }
    if (!ticket.may_learn) {
      // The same request may be checked several times at once: each has a seat of its own.
      ticket.flight = mix_bits(ticket.flight, decision.number);
      ticket.may_write_guide = false;
      ticket.booked = worst_case(candidate, weak_served, false);
      budget.share = kNoBudget;
      budget.unpriced_allowance = std::numeric_limits<std::uint64_t>::max();
      (void)ledger_.book(ticket.tenant, ticket.route, budget, ticket.booked);
    }
    std::lock_guard lock(mutex_);
    ++counters_.admitted;
    return ticket;
  }

  void start(ShadowTicket ticket, ShadowWork work, RequestFlow& flow,
             asio::any_io_executor executor) override {
    auto item = std::make_shared<Item>();
    item->terms.may_write_guide = ticket.may_write_guide;
    item->terms.may_learn = ticket.may_learn;
    item->terms.check = work.check;
    item->terms.local_only = work.local_only;
    item->ticket = std::move(ticket);
    item->work = std::move(work);
    item->flow = &flow;
    item->executor = std::move(executor);
    {
      std::lock_guard lock(mutex_);
      if (!stopping_) {
        auto& route = routes_[item->ticket.route];
        if (route.running >= item->ticket.parallel_max) {
          route.queue.push_back(std::move(item));
          return;
        }
        begin_locked(route, item);
      }
    }
    if (item->begun) {
      launch(std::move(item));
    } else {
      drop(*item);
    }
  }

  ShadowCounters counters() const override {
    std::lock_guard lock(mutex_);
    auto out = counters_;
    out.running = running_.size();
    out.queued = waiting_;
    return out;
  }

  Task<> wait_idle() override {
    const auto executor = co_await asio::this_coro::executor;
    auto timer = std::make_shared<asio::steady_timer>(executor);
    for (;;) {
      timer->expires_at(asio::steady_timer::time_point::max());
      {
        std::lock_guard lock(mutex_);
        if (idle_locked()) co_return;
        waiters_.push_back(timer);
      }
      (void)co_await timer->async_wait(kNoThrow);
      const auto cancellation = co_await asio::this_coro::cancellation_state;
      if (cancellation.cancelled() != asio::cancellation_type::none) co_return;
    }
  }

  void drain(Milliseconds grace) override {
    std::vector<std::shared_ptr<Item>> dropped;
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
      for (auto& [name, route] : routes_) {
        for (auto& item : route.queue) dropped.push_back(std::move(item));
        route.queue.clear();
      }
    }
    for (const auto& item : dropped) drop(*item);
    std::unique_lock lock(mutex_);
    const auto ended = [&] { return running_.empty(); };
    if (ended_.wait_for(lock, grace, ended)) return;
    for (const auto& item : running_) {
      asio::post(item->executor, [item] { item->stop.emit(asio::cancellation_type::terminal); });
    }
    // Cancelled work ends when its upstream has stopped; that is bounded by the model clients.
    ended_.wait_for(lock, kCancelPatience, ended);
  }

 private:
  static constexpr std::chrono::seconds kCancelPatience{5};
  static constexpr double kNoBudget = 1e30;

  struct Item {
    ShadowTicket ticket;
    ShadowWork work;
    RequestFlow* flow = nullptr;
    asio::any_io_executor executor;
    asio::cancellation_signal stop;
    bool begun = false;
    ShadowTerms terms;
  };
  struct RouteQueue {
    std::deque<std::shared_ptr<Item>> queue;  // bounded by LearningOptions::queue_max at admission
    std::size_t running = 0;
  };

  std::nullopt_t refuse(ShadowRefusal refusal) {
    std::lock_guard lock(mutex_);
    return refuse_locked(refusal);
  }
  std::nullopt_t refuse_locked(ShadowRefusal refusal) {
    ++counters_.refused[static_cast<std::size_t>(refusal)];
    return std::nullopt;
  }
  std::nullopt_t back_out(const ShadowTicket& ticket, ShadowRefusal refusal) {
    std::lock_guard lock(mutex_);
    flights_.erase(ticket.flight);
    --waiting_;
    notify_locked();
    return refuse_locked(refusal);
  }

  bool idle_locked() const { return running_.empty() && waiting_ == 0; }

  void notify_locked() {
    if (running_.empty()) ended_.notify_all();
    if (!idle_locked()) return;
    for (auto& timer : waiters_) {
      const auto executor = timer->get_executor();
      asio::post(executor,
                 [timer = std::move(timer)] { timer->cancel(); });  // destroyed where its executor lives
    }
    waiters_.clear();
  }

  void begin_locked(RouteQueue& route, const std::shared_ptr<Item>& item) {
    ++route.running;
    --waiting_;
    item->begun = true;
    running_.insert(item);
  }

  static Task<> run_item(std::shared_ptr<Item> item) {
    // Unknown until the flow says what was spent; what was booked is charged then.
    (void)co_await item->flow->shadow(item->work.runtime, item->work.request, item->work.parent, item->terms);
  }

  void launch(std::shared_ptr<Item> item) {
    const auto executor = item->executor;
    asio::co_spawn(
        executor, run_item(item),
        asio::bind_cancellation_slot(item->stop.slot(), [this, item](std::exception_ptr) { ended(item); }));
  }

  void ended(const std::shared_ptr<Item>& item) {
    ledger_.settle(item->ticket.tenant, item->ticket.route, item->ticket.booked, item->terms.spent);
    std::shared_ptr<Item> next;
    {
      std::lock_guard lock(mutex_);
      running_.erase(item);
      flights_.erase(item->ticket.flight);
      ++counters_.finished;
      auto& route = routes_[item->ticket.route];
      --route.running;
      if (!stopping_ && !route.queue.empty()) {
        next = std::move(route.queue.front());
        route.queue.pop_front();
        begin_locked(route, next);
      }
      notify_locked();
    }
    if (next) launch(std::move(next));
  }

  void drop(const Item& item) {
    outcomes_.release();
    ledger_.settle(item.ticket.tenant, item.ticket.route, item.ticket.booked, std::nullopt);
    std::lock_guard lock(mutex_);
    flights_.erase(item.ticket.flight);
    --waiting_;
    ++counters_.cancelled;
    notify_locked();
  }

  MoneyLedger& ledger_;
  OutcomeSink& outcomes_;

  mutable std::mutex mutex_;
  std::condition_variable ended_;
  // All below guarded by mutex_.
  bool stopping_ = false;
  std::size_t waiting_ = 0;  ///< admitted and not yet running
  std::unordered_set<std::uint64_t> flights_;
  std::map<std::string, RouteQueue> routes_;
  std::unordered_set<std::shared_ptr<Item>> running_;
  std::vector<std::shared_ptr<asio::steady_timer>> waiters_;
  ShadowCounters counters_;
};

}  // namespace

std::unique_ptr<ShadowRunner> make_shadow_runner(MoneyLedger& ledger, OutcomeSink& outcomes) {
  return std::make_unique<Runner>(ledger, outcomes);
}

}  // namespace brevet
