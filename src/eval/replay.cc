#include "eval/replay.h"

#include <charconv>
#include <chrono>
#include <deque>
#include <unordered_map>

#include "features/text_features.h"
#include "gateway/money_ledger.h"
#include "gateway/request_flow.h"
#include "gateway/shadow_runner.h"
#include "learning/learner.h"
#include "store/store.h"

namespace brevet {
namespace {

constexpr const char* kRoute = "auto";

/// A replay ends with the process that ran it: nothing needs to survive.
class NoStore final : public Store {
 public:
  Result<> commit(const WriteBatch&) override { return {}; }
  Result<> load(const LoadVisitor&) const override { return {}; }
  Result<std::optional<std::string>> decision(const std::string&, const std::string&) const override {
    return std::optional<std::string>();
  }
  Result<std::vector<std::string>> decisions(const DecisionFilter&) const override {
    return std::vector<std::string>();
  }
  Result<std::optional<std::string>> setting(const std::string&) const override {
    return std::optional<std::string>();
  }
};

/// What was prepared for a request; other texts (two answers to compare) are embedded as they come.
class PreparedFeatures final : public FeatureSource {
 public:
  PreparedFeatures(std::string hash, EmbeddingPool* answers)
      : hash_(std::move(hash)), others_(make_text_features(answers)) {}
  void know(const ChatRequest* request, const RequestFeatures* features) { known_[request] = features; }
  void forget(const ChatRequest* request) { known_.erase(request); }

  Task<FeatureResult> features(std::shared_ptr<const ChatRequest> request) override {
    const auto found = known_.find(request.get());
    if (found == known_.end()) co_return co_await others_->features(std::move(request));
    FeatureResult out;
    out.features = *found->second;
    co_return out;
  }
  const std::string& encoder_hash() const override { return hash_; }

 private:
  const std::string hash_;
  const std::unique_ptr<FeatureSource> others_;
  std::unordered_map<const ChatRequest*, const RequestFeatures*> known_;
};

std::string id_of(std::size_t place) {
  return "r" + std::to_string(place);
}
std::optional<std::size_t> place_of(const std::string& id) {
  std::size_t place = 0;
  if (id.empty() || id[0] != 'r') return std::nullopt;
  const auto read = std::from_chars(id.data() + 1, id.data() + id.size(), place);
  return read.ec == std::errc{} ? std::optional(place) : std::nullopt;
}

/// Hands on to the learner what is `lag` requests old, and reckons what learning cost.
class LaggedOutcomes final : public OutcomeSink {
 public:
  LaggedOutcomes(Learner& learner, std::size_t lag, ReplayResult& result)
      : learner_(learner), lag_(lag), result_(result) {}

  bool reserve() override { return true; }
  void release() override {}
  void decided(std::shared_ptr<const Decision> decision,
               std::shared_ptr<const ShadowResult> shadow) override {
    if (decision->parent_id.empty()) {
      decided_at = std::chrono::steady_clock::now();
    } else {
      charge(*decision, shadow.get());
    }
    if (lag_ == 0) {
      learner_.decided(std::move(decision), std::move(shadow));
    } else {
      waiting_.push_back({served_ + lag_, std::move(decision), std::move(shadow)});
    }
  }
  Task<Result<>> feedback(Feedback) override { co_return Result<>{}; }

  /// One more request was served.
  void tick() {
    ++served_;
    while (!waiting_.empty() && waiting_.front().due <= served_) {
      learner_.decided(std::move(waiting_.front().decision), std::move(waiting_.front().shadow));
      waiting_.pop_front();
    }
  }
  std::chrono::steady_clock::time_point decided_at;  ///< of the newest request, on the wall

  void release_all() {
    for (auto& one : waiting_) learner_.decided(std::move(one.decision), std::move(one.shadow));
    waiting_.clear();
  }

 private:
  struct Waiting {
    std::size_t due = 0;
    std::shared_ptr<const Decision> decision;
    std::shared_ptr<const ShadowResult> shadow;
  };

  void charge(const Decision& shadow, const ShadowResult* found) {
    ++result_.shadows;
    if (!found || (found->weak_alone_known && found->weak_alone == Verdict::kCannotTell))
      ++result_.cannot_tell;
    for (const auto& attempt : shadow.attempts) {
      if (attempt.purpose == Purpose::kJudge) ++result_.judge_calls;
      if (attempt.purpose == Purpose::kGuide && attempt.state == AttemptState::kDone) ++result_.guide_calls;
    }
    const auto place = place_of(shadow.parent_id);
    if (!place || *place >= result_.requests.size()) return;
    if (found && found->weak_alone_known && found->weak_alone != Verdict::kCannotTell)
      result_.requests[*place].agrees = found->weak_alone == Verdict::kSame;
    auto& spent = result_.requests[*place].learning_usd;
    if (!shadow.cost.amount) {
      spent.reset();
    } else if (spent) {
      *spent += shadow.cost.amount->usd();
    }
  }

  Learner& learner_;
  const std::size_t lag_;
  ReplayResult& result_;
  std::size_t served_ = 0;
  std::deque<Waiting> waiting_;
};

/// A replay has no client to deliver to.
class NoClient final : public ResponseSink {
 public:
  Task<Result<>> begin(const Decision&, const Configuration&) override { co_return Result<>{}; }
  Task<Result<>> event(std::string) override { co_return Result<>{}; }
  Task<Result<>> end(const Decision&, std::optional<Error>) override { co_return Result<>{}; }
  Task<Result<>> whole(const Decision&, Attempt&) override { co_return Result<>{}; }
  Task<Result<>> fail(const Decision&, const Error&) override { co_return Result<>{}; }
};

Result<RuntimePtr> make_runtime(const QuestionSet& set, const ReplayPlan& plan) {
  auto runtime = std::make_shared<Runtime>();
  runtime->seed = plan.seed;
  auto route = std::make_shared<Route>();
  route->name = kRoute;
  route->strategy = plan.strategy;
  for (const bool strong : {false, true}) {
    const auto& played = set.models()[strong ? plan.strong : plan.weak];
    const auto& given = strong ? plan.strong_name : plan.weak_name;
    auto& configuration = strong ? route->reference : route->weak;
    configuration.model = given.empty() ? played : given;
    route->candidates.push_back(configuration);
    Model model;
    model.name = model.id = configuration.model;
    model.client = set.clients().at(played);
    model.logprobs = set.has_logprobs(played);
    runtime->models.emplace(model.name, std::move(model));
  }
  route->learning = plan.learning;
  route->learning.enabled = plan.learn;
  if (plan.learn) {
    auto shadow = make_strategy("rar_shadow",
                                {{"write_guides", plan.learning.guides},
                                 {"guides_max", static_cast<std::int64_t>(plan.learning.guides_tried_max)},
                                 {"judge", std::string(plan.learning.judge ? "reference" : "off")}});
    if (!shadow) return fail(shadow.error());
    route->shadow_plan = std::move(*shadow);
  }
  runtime->routes.emplace(kRoute, std::move(route));
  return RuntimePtr(std::move(runtime));
}

/// Keeps what a frozen memory is a view of.
struct KeptMemory {
  std::unique_ptr<NoStore> store;
  std::unique_ptr<ManualClock> clock;
  std::unique_ptr<Learner> learner;
};

Task<void> run_one(RequestFlow* flow, RuntimePtr runtime, std::shared_ptr<const ChatRequest> request,
                   NoClient* client, std::shared_ptr<const Decision>* out) {
  RequestOptions options;
  *out = co_await flow->run(std::move(runtime), std::move(request), std::move(options), *client);
}

void read_decision(const QuestionSet& set, const ReplayPlan& plan, const Configuration& reference,
                   const Decision& decision, Replayed& out, ReplayResult& result) {
  if (decision.cost.amount) out.cost_usd = decision.cost.amount->usd();
  if (decision.estimate && decision.estimate->outcomes > 0)
    out.p_agree = static_cast<float>(decision.estimate->p_agree);
  out.score = decision.score;
  const auto* served = decision.served();
  if (!served || decision.state != DecisionState::kServed) {
    ++result.failed;
    return;
  }
  const bool strong = served->configuration.model == reference.model;
  out.served = strong ? ServedBy::kStrong : ServedBy::kWeak;
  out.quality = set.score(out.question, strong ? plan.strong : plan.weak);
}

}  // namespace

Result<ReplayResult> replay(const QuestionSet& set, const ReplayPlan& plan) {
  auto runtime = make_runtime(set, plan);
  if (!runtime) return fail(runtime.error());
  ReplayResult result;
  result.requests.reserve(plan.requests.size());
  result.decide_ms.reserve(plan.requests.size());

  auto kept = std::make_shared<KeptMemory>();
  kept->store = std::make_unique<NoStore>();
  kept->clock = std::make_unique<ManualClock>(Instant{std::chrono::hours(24 * 365 * 50)});
  LearnerOptions learning;
  learning.mode = LearnerMode::kInline;
  learning.memory.known_neighbours = set.neighbours();
  learning.memory.readers = Readers::kOwnersThread;
  auto learner = make_learner(*kept->store, *kept->clock, std::move(learning));
  if (!learner) return fail(learner.error());
  kept->learner = std::move(*learner);

  MoneyLedger ledger;
  PreparedFeatures features(set.encoder_hash(), plan.answers);
  LaggedOutcomes outcomes(*kept->learner, plan.lag, result);
  const auto shadows = make_shadow_runner(ledger, outcomes);
  std::uint64_t number = 0;
  std::size_t ids = 0;
  FlowParts parts{features, outcomes, *kept->clock,
                  [&] { return plan.memory ? plan.memory : kept->learner->snapshot(); }};
  parts.ledger = &ledger;
  parts.comparer = &set.comparer();
  parts.shadows = plan.learn ? shadows.get() : nullptr;
  parts.next_number = [&] { return ++number; };
  std::size_t place = 0;
  bool parent = false;  ///< the next id is for a request, not for a shadow
  parts.new_decision_id = [&] {
    if (!parent) return "s" + std::to_string(++ids);
    parent = false;
    return id_of(place);
  };
  const auto flow = make_request_flow(std::move(parts));

  NoClient client;
  asio::io_context context(1);
  std::unordered_map<std::uint32_t, std::vector<std::pair<std::uint32_t, std::uint32_t>>> sessions;
  for (place = 0; place < plan.requests.size(); ++place) {
    const auto& asked = plan.requests[place];
    const auto& prepared = set.prepared(asked.question, asked.variant);
    auto request = prepared.request;
    if (asked.session != 0) {
      auto& turns = sessions[asked.session];
      if (!turns.empty()) {
        auto made = set.request(asked.question, asked.variant, turns);
        if (!made) return fail(made.error());
        request = std::make_shared<const ChatRequest>(std::move(*made));
      }
      turns.emplace_back(asked.question, asked.variant);
    }
    features.know(request.get(), &prepared.features);
    auto& replayed = result.requests.emplace_back();
    replayed.question = asked.question;
    replayed.learning_usd = 0;
    std::shared_ptr<const Decision> decision;
    parent = true;
    const auto before = std::chrono::steady_clock::now();
    asio::co_spawn(context, run_one(flow.get(), *runtime, request, &client, &decision), asio::detached);
    context.run();
    if (!decision) return fail(ErrorKind::kInternal, "replay_stuck", "A replayed request never ended.");
    result.decide_ms.push_back(
        std::chrono::duration<float, std::milli>(outcomes.decided_at - before).count());
    context.restart();
    read_decision(set, plan, (*runtime)->routes.at(kRoute)->reference, *decision, replayed, result);
    if (plan.keep_reasons) result.reasons.push_back(decision->reason.sentence);
    outcomes.tick();
    kept->clock->advance(plan.interval);
    if (request != prepared.request) features.forget(request.get());
  }
  outcomes.release_all();
  const auto figures = kept->learner->figures().memory;
  result.skills = figures.skills;
  result.guides = figures.guides;
  if (!plan.keep_memory) return result;
  kept->learner->flush();
  auto snapshot = kept->learner->snapshot();
  const auto* view = snapshot.get();
  result.memory = FrozenMemory(
      view, [kept, snapshot = std::move(snapshot)](const Snapshot*) mutable { snapshot.reset(); });
  return result;
}

}  // namespace brevet
