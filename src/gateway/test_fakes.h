// Fakes of everything around RequestFlow, for the tests of this folder: scripted cancellable models, a
// recording sink, a hand-made snapshot, an outcome sink with a bound. They implement the production
// interfaces.
#pragma once

#include <boost/asio/bind_cancellation_slot.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gateway/contract_gate.h"
#include "gateway/money_ledger.h"
#include "gateway/recent_decisions.h"
#include "gateway/request_flow.h"
#include "gateway/shadow_runner.h"

namespace brevet::testing_fakes {

inline Cost usd(std::int64_t pico) {
  return {Money::from_pico(pico), CostBasis::kPriced};
}

/// Blocks coroutines until opened or cancelled.
class Gate {
 public:
  explicit Gate(asio::io_context& context) : timer_(context) {
    timer_.expires_at(asio::steady_timer::time_point::max());
  }
  Task<> wait() {
    while (!open_) {
      (void)co_await timer_.async_wait(kNoThrow);
      const auto cancellation = co_await asio::this_coro::cancellation_state;
      if (cancellation.cancelled() != asio::cancellation_type::none) co_return;
    }
  }
  void open() {
    open_ = true;
    timer_.cancel();
  }

 private:
  asio::steady_timer timer_;
  bool open_ = false;
};

/// What a model does on one call.
struct Script {
  std::string text = "The answer is 42.";
  Cost cost = usd(1'000);
  std::int64_t input_tokens = 100;
  std::int64_t output_tokens = 10;
  std::optional<double> logprob;
  std::optional<ErrorKind> fails;
  std::string code = "upstream_down";
  std::vector<std::string> events{"one", "two"};  ///< when streamed
  std::size_t gate_after = 0;                     ///< events sent before waiting for the gate
  std::shared_ptr<Gate> gate;
};

class FakeModel : public ModelClient {
 public:
  explicit FakeModel(std::string id) : id_(std::move(id)) {}
  Task<ModelOutcome> call(ModelCall call, StreamSink* sink) override {
    calls.push_back(call);
    Script script = fallback;
    if (!scripts.empty()) script = scripts.front(), scripts.pop_front();
    if (on_call) script = on_call(call, script);
    ModelFailure failure;
    if (call.stream) {
      for (std::size_t i = 0; i < script.events.size(); ++i) {
        if (script.gate && i == script.gate_after) co_await script.gate->wait();
        if (co_await stopped(failure, script)) co_return tl::unexpected(failure);
        if (script.fails && i == script.gate_after) break;
        auto sent = co_await sink->on_event(script.events[i]);
        failure.streamed = true;
        if (!sent) {
          ++stopped_calls;
          failure.error = sent.error();
          failure.cost = usd(script.cost.amount->pico_usd / 2);
          co_return tl::unexpected(failure);
        }
      }
    } else if (script.gate) {
      co_await script.gate->wait();
      if (co_await stopped(failure, script)) co_return tl::unexpected(failure);
    }
    if (script.fails) {
      failure.error = Error{*script.fails, script.code, "It failed."};
      failure.cost = {Money{}, CostBasis::kAssumed};
      co_return tl::unexpected(failure);
    }
    ModelResult result;
    result.answer.text = script.text;
    result.answer.returned_model = id_;
    result.answer.finish_reason = "stop";
    result.answer.usage.input_tokens = script.input_tokens;
    result.answer.usage.output_tokens = script.output_tokens;
    result.answer.mean_logprob = script.logprob;
    result.cost = script.cost;
    co_return result;
  }
  ModelStatus status() const override { return {}; }
  Cost price(const Usage& usage) const override {
    if (!priced || !usage.input_tokens || !usage.output_tokens) return {};
    return usd(*usage.input_tokens * price_in + *usage.output_tokens * price_out);
  }

  std::deque<Script> scripts;
  Script fallback;
  std::function<Script(const ModelCall&, Script)> on_call;
  std::vector<ModelCall> calls;
  int stopped_calls = 0;
  bool priced = true;
  std::int64_t price_in = 10;
  std::int64_t price_out = 100;

 private:
  Task<bool> stopped(ModelFailure& failure, const Script& script) {
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() == asio::cancellation_type::none) co_return false;
    ++stopped_calls;
    failure.error = Error{ErrorKind::kCancelled, "cancelled", "Stopped."};
    failure.cost = usd(script.cost.amount->pico_usd / 2);
    co_return true;
  }
  const std::string id_;
};

class FakeFeatures : public FeatureSource {
 public:
  Task<FeatureResult> features(std::shared_ptr<const ChatRequest>) override {
    ++asked;
    FeatureResult result;
    result.features.embedding = std::make_shared<const Embedding>(Embedding{1, 0});
    co_return result;
  }
  const std::string& encoder_hash() const override { return hash_; }
  int asked = 0;

 private:
  const std::string hash_ = "fake";
};

class FakeSnapshot : public Snapshot {
 public:
  std::uint64_t version() const override { return 3; }
  std::optional<Skill> find_exact(const Partition&, std::string_view hash) const override {
    const auto found = skills.find(std::string(hash));
    return found == skills.end() ? std::nullopt : std::optional<Skill>(found->second);
  }
  std::vector<Neighbour> nearest(const Partition&, const Embedding&, std::size_t) const override {
    return near;
  }
  std::vector<GuideNeighbour> guides(const Partition&, const Embedding&, std::size_t, float) const override {
    return guides_near;
  }
  std::optional<Guide> guide(const Partition&, std::uint64_t) const override { return std::nullopt; }
  Estimate estimate(const Partition&, const RequestFeatures&) const override { return expected; }
  std::optional<double> after_answer(const Partition&, const Estimate&, double logprob) const override {
    if (!knows_after) return std::nullopt;
    return logprob > -0.2 ? 0.97 : 0.3;
  }
  std::map<std::string, Skill> skills;
  std::vector<Neighbour> near;
  std::vector<GuideNeighbour> guides_near;
  Estimate expected;
  bool knows_after = false;
};

class FakeOutcomes : public OutcomeSink {
 public:
  bool reserve() override {
    if (places == 0) return false;
    --places;
    return true;
  }
  void release() override { ++places; }
  void decided(std::shared_ptr<const Decision> decision,
               std::shared_ptr<const ShadowResult> shadow) override {
    ++places;
    decisions.push_back(std::move(decision));
    if (shadow) shadows.push_back(std::move(shadow));
  }
  Task<Result<>> feedback(Feedback) override { co_return Result<>{}; }
  int places = 1000;
  std::vector<std::shared_ptr<const Decision>> decisions;
  std::vector<std::shared_ptr<const ShadowResult>> shadows;
};

class FakeSink : public ResponseSink {
 public:
  explicit FakeSink(FakeOutcomes& outcomes) : outcomes_(outcomes) {}
  Task<Result<>> begin(const Decision& decision, const Configuration& model) override {
    log.push_back("begin " + model.key() + " " + decision.reason.code);
    co_return Result<>{};
  }
  Task<Result<>> event(std::string data) override {
    log.push_back(data);
    if (log.size() > gone_after) co_return fail(ErrorKind::kCancelled, "client_gone", "Gone.");
    co_return Result<>{};
  }
  Task<Result<>> end(const Decision&, std::optional<Error> error) override {
    handed_over_before_end = !outcomes_.decisions.empty();
    log.push_back(error ? "end " + error->code : "end");
    co_return Result<>{};
  }
  Task<Result<>> whole(const Decision&, Attempt& served) override {
    handed_over_before_end = !outcomes_.decisions.empty();
    log.push_back("whole " + served.configuration.key() + " " + served.answer->text);
    co_return Result<>{};
  }
  Task<Result<>> fail_with(const Error& error) {
    log.push_back("fail " + error.code);
    co_return Result<>{};
  }
  Task<Result<>> fail(const Decision&, const Error& error) override { return fail_with(error); }
  std::vector<std::string> log;
  std::size_t gone_after = 1'000'000;
  bool handed_over_before_end = false;

 private:
  static tl::unexpected<Error> fail(ErrorKind kind, const char* code, const char* message) {
    return brevet::fail(kind, code, message);
  }
  FakeOutcomes& outcomes_;
};

/// A gateway in small: two models, one route "auto", everything else fake.
struct World {
  asio::io_context context{1};
  std::shared_ptr<FakeModel> weak = std::make_shared<FakeModel>("weak-2026");
  std::shared_ptr<FakeModel> strong = std::make_shared<FakeModel>("strong-2026");
  std::shared_ptr<FakeModel> middle;  ///< a third one, where a test makes it
  FakeFeatures features;
  FakeOutcomes outcomes;
  ManualClock clock{Instant{std::chrono::hours(24 * 365)}};
  std::shared_ptr<FakeSnapshot> snapshot = std::make_shared<FakeSnapshot>();
  MoneyLedger ledger;
  RecentDecisions recent;
  std::unique_ptr<ShadowRunner> shadows = make_shadow_runner(ledger, outcomes);
  std::unique_ptr<ContractGate> contracts = *make_contract_gate({{}, [] { return CoinKey{11, 12}; }}, clock);
  std::uint64_t numbers = 0;
  Route route;
  std::unique_ptr<RequestFlow> flow;
  FakeSink sink{outcomes};

  World() {
    route.name = "auto";
    route.weak.model = "weak";
    route.reference.model = "strong";
    route.candidates = {route.weak, route.reference};
    route.learning.enabled = false;
    strong->fallback.cost = usd(20'000);
    strong->price_in = 100;
    strong->price_out = 1'000;
    use("always_strong");
    FlowParts parts{features, outcomes, clock, [this] { return SnapshotPtr(snapshot); }};
    parts.shadows = shadows.get();
    parts.new_decision_id = [this] { return "dec_" + std::to_string(++numbers); };
    parts.next_number = [this] { return ++numbers; };
    parts.ledger = &ledger;
    parts.recent = &recent;
    parts.contracts = contracts.get();
    flow = make_request_flow(std::move(parts));
  }
  void use(std::string_view strategy, OptionValues options = {}) {
    route.strategy = *make_strategy(strategy, options);
  }
  void learn(OptionValues options = {}) {
    route.learning.enabled = true;
    route.learning.spot_check_share = 0;
    route.learning.allowance = Money::from_pico(1'000'000'000);
    route.shadow_plan = *make_strategy("rar_shadow", options);
  }
  RuntimePtr runtime(bool local_weak = false) const {
    auto out = std::make_shared<Runtime>();
    out->models["weak"] = {"weak", "weak-2026", weak, local_weak, true, false};
    out->models["strong"] = {"strong", "strong-2026", strong, false, false, false};
    if (middle) out->models["middle"] = {"middle", "middle-2026", middle, false, false, false};
    out->routes["auto"] = std::make_shared<const Route>(route);
    return out;
  }
  static std::shared_ptr<ChatRequest> request(std::string model = "auto",
                                              std::string text = "What is 6 times 7?") {
    auto out = std::make_shared<ChatRequest>();
    out->raw = std::make_shared<const std::string>(std::string(200, ' '));
    out->model = std::move(model);
    out->hash = "h:" + text;
    ChatMessage message;
    message.role = "user";
    message.text = std::move(text);
    out->messages.push_back(std::move(message));
    return out;
  }
  template <class T>
  T sync(Task<T> task) {
    std::optional<T> out;
    asio::co_spawn(context, std::move(task), [&](std::exception_ptr error, T value) {
      if (error) std::rethrow_exception(error);
      out = std::move(value);
    });
    context.restart();
    context.run();
    return *std::move(out);
  }
  std::shared_ptr<const Decision> serve(std::shared_ptr<ChatRequest> request, RequestOptions options = {}) {
    return sync(flow->run(runtime(), std::move(request), std::move(options), sink));
  }
  /// Starts a request without running it to its end; `stop` hangs up.
  struct Started {
    asio::cancellation_signal stop;
    std::shared_ptr<const Decision> decision;
  };
  std::shared_ptr<Started> start(std::shared_ptr<ChatRequest> request, FakeSink& to) {
    auto started = std::make_shared<Started>();
    asio::co_spawn(
        context, flow->run(runtime(), std::move(request), {}, to),
        asio::bind_cancellation_slot(started->stop.slot(),
                                     [started](std::exception_ptr, std::shared_ptr<const Decision> decision) {
                                       started->decision = std::move(decision);
                                     }));
    poll();
    return started;
  }
  void poll() {
    context.restart();
    context.poll();
  }
  RouteFigures figures(const std::string& name = "auto") const {
    for (auto& row : ledger.snapshot()) {
      if (row.route == name) return row;
    }
    return {};
  }
};

}  // namespace brevet::testing_fakes
