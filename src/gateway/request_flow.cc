#include "gateway/request_flow.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

#include "gateway/call_times.h"
#include "gateway/flow_run.h"
#include "gateway/flow_shadow.h"
#include "gateway/money_ledger.h"
#include "gateway/recent_decisions.h"
#include "gateway/shadow_runner.h"
#include "gateway/share_dials.h"

namespace brevet {
namespace {

using flow::Ending;
using flow::Run;

class Flow final : public RequestFlow {
 public:
  explicit Flow(FlowParts parts) : parts_(std::move(parts)) {
    if (!parts_.dials) parts_.dials = &own_dials_;
    if (!parts_.baseline) parts_.baseline = &own_baseline_;
    if (!parts_.call_times) parts_.call_times = &own_call_times_;
    if (!parts_.comparer) parts_.comparer = &plain_comparer();
  }

  Task<std::shared_ptr<const Decision>> run(RuntimePtr runtime, std::shared_ptr<const ChatRequest> request,
                                            RequestOptions options, ResponseSink& sink) override {
    const bool throwing = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    const auto number = parts_.next_number();
    auto route = find_route(*runtime, request->model);
    Run run{parts_,           runtime, std::move(request),           std::move(options),
            std::move(route), &sink,   std::make_shared<Decision>(), Draws(runtime->seed, number)};
    run.decision->number = number;
    choose_strategy(run);
    note_local_only(run);
    flow::open_decision(run);
    flow::contract_begin(run);
    const bool known = run.route || runtime->models.contains(run.request->model);
    const bool place = known && parts_.outcomes.reserve();
    Ending ending;
    if (!known) {
      ending.error = unknown_model(*runtime, run.request->model);
    } else if (run.route) {
      ending = co_await serve_routed(run);
    } else {
      ending = co_await serve_named(run);
    }
    co_await finish(run, std::move(ending), known, place);
    co_await asio::this_coro::throw_if_cancelled(throwing);
    co_return run.decision;
  }

  Task<Result<std::shared_ptr<const Decision>>> dry_run(RuntimePtr runtime,
                                                        std::shared_ptr<const ChatRequest> request,
                                                        RequestOptions options) override {
    const auto number = parts_.next_number();
    auto route = find_route(*runtime, request->model);
    Run run{parts_,           runtime, std::move(request),           std::move(options),
            std::move(route), nullptr, std::make_shared<Decision>(), Draws(runtime->seed, number)};
    auto& decision = *run.decision;
    decision.number = number;
    choose_strategy(run);
    note_local_only(run);
    flow::open_decision(run);
    if (!run.route) {
      const auto model = runtime->models.find(run.request->model);
      if (model == runtime->models.end()) co_return fail(unknown_model(*runtime, run.request->model));
      if (run.options.local_only && !model->second.local) co_return fail(not_local(model->second));
      decision.reason = {"named_model", fmt::format("{} answers: the request names it.", run.request->model)};
      decision.would_have = run.request->model;
      decision.learn = false;
      co_return run.decision;
    }
    auto forced = co_await choose_fixed(run);
    if (!forced) co_return fail(std::move(forced.error()));
    if (*forced) {
      decision.reason = (*forced)->reason;
      decision.would_have = (*forced)->configuration.key();
    } else {
      auto step = co_await flow::first_calls(run, *run.strategy);
      if (!step) co_return fail(std::move(step.error()));
      decision.reason = step->reason;
      decision.would_have = std::get<Calls>(step->what).calls.front().configuration.key();
      flow::contract_begin(run);
      if (auto instead = flow::contract_would(run, *step)) {
        decision.reason = std::move(instead->reason);
        decision.would_have = instead->configuration.key();
      }
      flow::contract_let_go(run);
      if (run.route->mode == RouteMode::kObserve) {
        decision.reason.sentence += fmt::format(" (Observe mode: {} answers until routing is switched on.)",
                                                run.route->reference.key());
      }
    }
    if (!run.evidence.neighbours && run.features.embedding) {
      // For the person who asks why; the strategy had what it wanted.
      run.evidence.neighbours =
          run.snapshot->nearest(decision.partition, *run.features.embedding, kNeighboursShown);
    }
    decision.learn = false;
    flow::account(run);
    set_skill(run);
    set_baseline(run, nullptr);
    co_return run.decision;
  }

  Task<std::shared_ptr<const ShadowResult>> shadow(RuntimePtr runtime,
                                                   std::shared_ptr<const ChatRequest> request,
                                                   std::shared_ptr<const Decision> parent,
                                                   ShadowTerms& terms) override {
    const auto route = runtime->routes.find(parent->route);
    if (route == runtime->routes.end()) {
      parts_.outcomes.release();
      co_return nullptr;
    }
    const auto number = parts_.next_number();
    RequestOptions options;
    options.tenant = parent->tenant;
    options.session = parent->session;
    options.local_only = terms.local_only;
    Run run{parts_,        runtime, std::move(request),           std::move(options),
            route->second, nullptr, std::make_shared<Decision>(), Draws(runtime->seed, number)};
    run.decision->number = number;
    run.strategy = run.route->strategy;
    note_local_only(run);
    run.snapshot = parts_.snapshot();
    co_return co_await flow::run_shadow(run, std::move(parent), terms);
  }

 private:
  static constexpr std::size_t kNeighboursShown = 3;
  static constexpr std::size_t kBytesPerToken = 4;  ///< of what we added; only for estimates

  struct Fixed {
    Configuration configuration;
    Reason reason;
  };

  static std::shared_ptr<const Route> find_route(const Runtime& runtime, const std::string& name) {
    const auto found = runtime.routes.find(name);
    return found == runtime.routes.end() ? nullptr : found->second;
  }

  static Error unknown_model(const Runtime& runtime, const std::string& name) {
    std::string names;
    for (const auto& [route, unused] : runtime.routes) names += (names.empty() ? "" : ", ") + route;
    std::string models;
    for (const auto& [model, unused] : runtime.models) models += (models.empty() ? "" : ", ") + model;
    return Error{ErrorKind::kCallerNotFound, "unknown_model",
                 fmt::format("There is no route or model '{}'. Routes: {}. Models: {}.", name.substr(0, 200),
                             names, models),
                 "model"};
  }

  /// The route's strategy, at the threshold that the request names.
  static void choose_strategy(Run& run) {
    if (!run.route) return;
    run.strategy = run.route->strategy;
    if (!run.options.threshold || !run.route->at_threshold) return;
    if (auto made = run.route->at_threshold(*run.options.threshold)) run.strategy = std::move(*made);
  }

  /// Whoever says it, the request stays here: its header, its metadata or its route.
  static void note_local_only(Run& run) {
    run.options.local_only |= run.request->local_only || (run.route && run.route->local_only);
  }

  static Error not_local(const Model& model) {
    return Error{
        ErrorKind::kPolicyRefused, "model_not_local",
        fmt::format("The request must stay on this machine, and model '{}' is elsewhere.", model.name),
        "model"};
  }

  /// What is decided before any strategy is asked: switches of the request, and what the strategy does not
  /// treat. Empty: the strategy decides. Error: nothing may serve it.
  Task<Result<std::optional<Fixed>>> choose_fixed(Run& run) {
    const auto& route = *run.route;
    run.snapshot = parts_.snapshot();
    auto only = keep_able(run);
    if (!only) co_return fail(std::move(only.error()));
    flow::make_view(run);
    if (*only) co_return *std::move(*only);
    if (run.options.force_reference) {
      co_return Fixed{route.reference,
                      {"forced_reference", fmt::format("{} answers: the request asks for the reference.",
                                                       route.reference.key())}};
    }
    if (auto reason = run.strategy->not_applicable(*run.view))
      co_return Fixed{route.reference, *std::move(reason)};
    co_return std::nullopt;
  }

  /// Candidates that can take the request and may be sent it go into run.candidates, before anybody asks what
  /// they cost. One left, or the reference gone: that is the choice already. Error: nobody is left.
  static Result<std::optional<Fixed>> keep_able(Run& run) {
    const auto& route = *run.route;
    std::vector<CandidateLimits> limits;
    for (const auto& candidate : route.candidates) {
      const auto model = run.runtime->models.find(candidate.model);
      limits.push_back(
          {candidate.key(), model == run.runtime->models.end() ? ModelLimits{} : model->second.limits});
    }
    auto can = who_can_take(*run.request, limits);
    std::string left_out;
    std::vector<Configuration> able;
    for (std::size_t i = 0; i < route.candidates.size(); ++i) {
      if (can.why_not[i].empty()) {
        able.push_back(route.candidates[i]);
      } else {
        left_out += (left_out.empty() ? "" : "; ") + can.why_not[i];
      }
    }
    if (able.empty()) {
      return fail(ErrorKind::kCallerInvalid, "no_capable_model",
                  fmt::format("No model of route '{}' can take this request: {}.", route.name, left_out),
                  "model");
    }
    if (!can.not_known.empty()) run.decision->steps.push_back({"not_known", std::move(can.not_known)});
    const bool all_able = able.size() == route.candidates.size();
    std::copy_if(
        able.begin(), able.end(), std::back_inserter(run.candidates),
        [&](const Configuration& candidate) { return !run.options.local_only || is_local(run, candidate); });
    if (run.candidates.empty()) {
      return fail(ErrorKind::kPolicyRefused, "no_local_model",
                  fmt::format("The request must stay on this machine, and route '{}' has no local model{}.",
                              route.name, all_able ? "" : " that can take it (" + left_out + ")"),
                  "x-brevet-local-only");
    }
    if (run.options.local_only && !all_local_inside(run)) {
      // What the local part of a strategy answers says nothing of the whole.
      run.decision->learn = false;
    }
    const bool all = run.candidates.size() == route.candidates.size();
    if (all) return std::optional<Fixed>{};
    // Learning would send it to who cannot take it, or elsewhere.
    run.decision->learn = false;
    const bool reference_able =
        std::find(run.candidates.begin(), run.candidates.end(), route.reference) != run.candidates.end();
    if (!all_able) {
      run.decision->steps.push_back({"left_out", fmt::format("Left out before any choice: {}.", left_out)});
    }
    if (run.candidates.size() > 1 && reference_able) return std::optional<Fixed>{};
    const auto& only = run.candidates.back();
    if (run.candidates.size() == able.size()) {
      return Fixed{only, {"only_capable", fmt::format("{} answers: {}.", only.key(), left_out)}};
    }
    return Fixed{
        only, {"local_only", fmt::format("{} answers: the request must stay on this machine.", only.key())}};
  }

  static bool is_local(const Run& run, const Configuration& configuration, int depth = 0) {
    const auto composed = run.route->composed.find(configuration.model);
    if (composed != run.route->composed.end()) {
      const auto& inside = composed->second->candidates;
      return depth < kComposedDepthMax &&
             std::any_of(inside.begin(), inside.end(),
                         [&](const Configuration& candidate) { return is_local(run, candidate, depth + 1); });
    }
    const auto found = run.runtime->models.find(configuration.model);
    return found != run.runtime->models.end() && found->second.local;
  }

  /// Whether everything inside the route's composed candidates runs on this machine.
  static bool all_local_inside(const Run& run) {
    return std::all_of(run.route->composed.begin(), run.route->composed.end(), [&](const auto& composed) {
      const auto& inside = composed.second->candidates;
      return std::all_of(inside.begin(), inside.end(),
                         [&](const Configuration& candidate) { return is_local(run, candidate); });
    });
  }

  Task<Ending> serve_routed(Run& run) {
    const auto& route = *run.route;
    auto fixed = co_await choose_fixed(run);
    if (!fixed) co_return Ending{DecisionState::kFailed, std::move(fixed.error())};
    if (!*fixed && route.mode == RouteMode::kObserve) {
      run.view->may_hold = false;
      auto step = co_await flow::first_calls(run, *run.strategy);
      if (step) {
        const auto& calls = std::get<Calls>(step->what);
        flow::count_vote(run, calls);
        const auto& call = calls.calls.front();
        run.decision->would_have = call.configuration.key();
        (void)flow::contract_would(run, *step);
        *fixed = Fixed{
            route.reference,
            {"observe",
             fmt::format("Served by {} because the route observes only. Routing would have called {}: {}",
                         route.reference.key(), run.decision->would_have, step->reason.sentence)}};
      } else {
        *fixed = Fixed{route.reference,
                       {"observe", fmt::format("Served by {} because the route observes only; the strategy "
                                               "failed: {}",
                                               route.reference.key(), step.error().message)}};
      }
    }
    if (!*fixed) {
      auto ending = co_await flow::drive(run, *run.strategy);
      // Only a shadow plan may end without an answer and without an error.
      if (ending.state == DecisionState::kFailed && !ending.error) {
        ending.error = Error{ErrorKind::kInternal, "strategy_unbounded",
                             fmt::format("Strategy '{}' gave no answer.", run.strategy->name())};
      }
      co_return co_await or_serve_weak(run, std::move(ending));
    }
    auto ending = co_await serve_one(run, std::move((*fixed)->configuration), std::move((*fixed)->reason));
    co_return co_await or_serve_weak(run, std::move(ending));
  }

  /// The error of the newest serving call of the reference, where it says that the reference could not be
  /// reached; else null.
  static const Error* unreachable_reference(const Run& run) {
    const auto& attempts = run.decision->attempts;
    for (auto it = attempts.rbegin(); it != attempts.rend(); ++it) {
      if (it->configuration != run.route->reference) continue;
      // The route's own deadline says nothing of the reference.
      const bool unreachable = it->state == AttemptState::kFailed && it->error &&
                               it->error->code != "deadline_exceeded" &&
                               (it->error->kind == ErrorKind::kProviderUnavailable ||
                                it->error->kind == ErrorKind::kProviderTimeout);
      return unreachable ? &*it->error : nullptr;
    }
    return nullptr;
  }

  /// The route's when_reference_unreachable: the weak model answers a request that failed because the
  /// reference could not be reached. Not where the client insists on the reference, has bytes of an answer
  /// already, or where weak may not be sent the request or has failed too.
  Task<Ending> or_serve_weak(Run& run, Ending ending) {
    const auto& route = *run.route;
    if (route.when_reference_unreachable != WhenUnreachable::kServeWeak ||
        ending.state != DecisionState::kFailed || run.began || run.client_gone || run.options.force_reference)
      co_return ending;
    if (std::find(run.candidates.begin(), run.candidates.end(), route.weak) == run.candidates.end())
      co_return ending;
    const auto* unreachable = unreachable_reference(run);
    if (!unreachable) co_return ending;
    Reason reason{"reference_unreachable",
                  fmt::format("Served by {} because {} cannot be reached ({}: {}).", route.weak.key(),
                              route.reference.key(), unreachable->code, unreachable->message)};
    // A shadow would compare with a reference that is not there.
    run.decision->learn = false;
    bool weak_failed = false;
    for (const auto& attempt : run.decision->attempts) {
      // What a strategy asked by a prompt of its own is no answer to the client.
      if (attempt.configuration.model != route.weak.model || attempt.purpose != Purpose::kServe ||
          run.own_prompt[static_cast<std::size_t>(attempt.id)])
        continue;
      weak_failed |= attempt.state != AttemptState::kDone;
      if (attempt.state != AttemptState::kDone) continue;
      run.decision->steps.push_back(reason);
      run.decision->reason = std::move(reason);
      run.decision->accepted = attempt.id;
      co_return Ending{DecisionState::kServed, std::nullopt};
    }
    if (weak_failed || flow::time_is_up(run) || run.calls_left <= 0) co_return ending;
    auto second = co_await serve_one(run, route.weak, std::move(reason));
    if (second.state == DecisionState::kFailed && !run.began) {
      // What the client must know is that the reference is away; that weak failed too is in the decision.
      run.decision->reason = {"all_failed", fmt::format("No model answered; {} cannot be reached, and {} "
                                                        "failed too.",
                                                        route.reference.key(), route.weak.key())};
      co_return ending;
    }
    co_return second;
  }

  static Task<Ending> refuse(Error error) { co_return Ending{DecisionState::kFailed, std::move(error)}; }

  Task<Ending> serve_named(Run& run) {
    const auto& model = run.runtime->models.find(run.request->model)->second;
    if (run.options.local_only && !model.local) return refuse(not_local(model));
    Configuration configuration;
    configuration.model = run.request->model;
    Reason reason{"named_model", "The request names this model."};
    return serve_one(run, std::move(configuration), std::move(reason));
  }

  /// One call of one configuration, streamed if the client wants it.
  Task<Ending> serve_one(Run& run, Configuration configuration, Reason reason) {
    Call call;
    call.configuration = std::move(configuration);
    call.delivery = Delivery::kStream;
    run.decision->steps.push_back(reason);
    co_await flow::call_directly(run, std::move(call), reason);
    const auto& attempt = run.decision->attempts.back();
    if (attempt.state == AttemptState::kDone && !run.client_gone) {
      run.decision->accepted = attempt.id;
      co_return Ending{DecisionState::kServed, std::nullopt};
    }
    if (run.client_gone || attempt.state == AttemptState::kCancelled) {
      co_return Ending{DecisionState::kCancelled, flow::client_gone()};
    }
    co_return Ending{DecisionState::kFailed, attempt.error};
  }

  /// Accounts, hands over, delivers, and starts the shadow, in this order: whoever has read an answer finds
  /// its decision.
  Task<void> finish(Run& run, Ending ending, bool known, bool place) {
    auto& decision = *run.decision;
    decision.state = ending.state;
    decision.error = ending.error;
    if (decision.reason.code.empty() && ending.error)
      decision.reason = {ending.error->code, ending.error->message};
    flow::account(run);
    std::optional<ShadowTicket> ticket;
    std::shared_ptr<const ContractCheck> check;
    if (run.route) {
      set_skill(run);
      set_baseline(run, decision.served());
      check = flow::contract_finish(run);
      if (check) {
        ticket = parts_.shadows->check(shadow_candidate(run), learns_from(run));
      } else if (place) {
        ticket = admit_shadow(run);
      }
      decision.draws = run.draws.log();
    }
    auto answers = flow::take_answers(decision);
    // All of it is read; what the decision teaches need not be kept apart from it.
    run.snapshot = nullptr;
    if (known) {
      if (parts_.ledger) parts_.ledger->served(decision);
      PassedRow row;
      if (passed_row(decision, row)) {
        if (parts_.recent) parts_.recent->add(row);
        if (place) parts_.outcomes.passed(std::move(row), run.decision);
      } else {
        if (parts_.recent) parts_.recent->add(run.decision);
        if (place) parts_.outcomes.decided(run.decision, nullptr);
      }
    }
    if (run.began) {
      if (!run.client_gone && ending.state != DecisionState::kCancelled)
        (void)co_await run.sink->end(decision, ending.error);
    } else if (ending.state == DecisionState::kServed) {
      auto& answer = answers[static_cast<std::size_t>(decision.accepted)];
      Attempt served;
      served.configuration = decision.served()->configuration;
      served.answer = std::move(answer);
      if (run.options.show_reasoning) served.answer->text.insert(0, served.answer->reasoning);
      (void)co_await run.sink->whole(decision, served);
      answer = std::move(*served.answer);
    } else if (ending.state == DecisionState::kFailed) {
      (void)co_await run.sink->fail(decision, *ending.error);
    }
    if (ticket) {
      const auto executor = co_await asio::this_coro::executor;
      // The shadow compares with what was said, and is the only one that keeps it.
      auto parent = std::make_shared<Decision>(decision);
      for (std::size_t i = 0; i < answers.size(); ++i) {
        if (!parent->attempts[i].answer) continue;
        answers[i].body = {};
        parent->attempts[i].answer = std::move(answers[i]);
      }
      ShadowWork work{run.runtime, run.request, std::move(parent), std::move(check), run.options.local_only};
      parts_.shadows->start(*std::move(ticket), std::move(work), *this, executor);
    }
  }

  static void set_skill(Run& run) {
    auto& decision = *run.decision;
    if (decision.exact_repeat) {
      decision.skill_id = (*run.evidence.exact)->id;
    } else if (decision.reason.code.starts_with("skill_") && !decision.neighbours.empty()) {
      decision.skill_id = decision.neighbours.front().skill.id;
    }
  }

  void set_baseline(Run& run, const Attempt* served) {
    auto& decision = *run.decision;
    const auto& route = *run.route;
    if (served && served->configuration == route.reference && served->purpose == Purpose::kServe &&
        !run.text_replaced) {
      // What always-strong costs is the reference's answer alone, without what was tried before it.
      decision.baseline = served->cost;
      decision.baseline_note = "exact: the reference served";
      parts_.baseline->observe(route.name, decision.partition.reference, served->answer->usage, served->cost);
      return;
    }
    const auto model = run.runtime->models.find(route.reference.model);
    Usage usage = served && served->answer ? served->answer->usage : Usage{};
    if (usage.input_tokens && decision.accepted >= 0) {
      // The reference would have been sent the client's prompt, without the guide or transform.
      const auto added = served->prompt_bytes_added / kBytesPerToken;
      usage.input_tokens = std::max<std::int64_t>(1, *usage.input_tokens - static_cast<std::int64_t>(added));
    }
    if (usage.output_tokens && served && served->answer) {
      const auto reasoned = served->answer->reasoning.size() / kBytesPerToken;
      usage.output_tokens =
          std::max<std::int64_t>(1, *usage.output_tokens - static_cast<std::int64_t>(reasoned));
    }
    // A prompt of our own says nothing of the client's.
    const bool own = served && (run.text_replaced || served->purpose != Purpose::kServe ||
                                run.own_usage[static_cast<std::size_t>(served->id)]);
    if (own) usage.input_tokens.reset();
    auto estimate =
        parts_.baseline->estimate(route.name, decision.partition.reference,
                                  model == run.runtime->models.end() ? nullptr : model->second.client.get(),
                                  usage, run.request->raw ? run.request->raw->size() : 0);
    decision.baseline = estimate.cost;
    decision.baseline_note = std::move(estimate.note);
  }

  std::optional<ShadowTicket> admit_shadow(Run& run) {
    auto& decision = *run.decision;
    if (!parts_.shadows || !decision.learn || decision.state != DecisionState::kServed ||
        decision.accepted < 0)
      return std::nullopt;
    if (!learns_from(run)) return std::nullopt;
    if (run.request->hash.empty() || run.route->shadow_plan->not_applicable(*run.view)) return std::nullopt;
    return parts_.shadows->admit(shadow_candidate(run), run.draws);
  }

  /// What is learned is of the weak model and the reference; another candidate's answer says nothing of
  /// either, nor does what several answers were made into.
  static bool learns_from(const Run& run) {
    const auto* attempt = run.decision->served();
    auto served = attempt->configuration;
    served.guide.clear();
    return (served == run.route->weak || served == run.route->reference) && !run.text_replaced &&
           attempt->purpose == Purpose::kServe && !attempt->tag.starts_with("sample ") &&
           !run.own_usage[static_cast<std::size_t>(attempt->id)];
  }

  static ShadowCandidate shadow_candidate(Run& run) {
    if (!run.evidence.exact)
      run.evidence.exact.emplace(run.snapshot->find_exact(run.decision->partition, run.request->hash));
    return {*run.runtime, *run.route, *run.request, *run.decision, *run.evidence.exact};
  }

  FlowParts parts_;
  ShareDials own_dials_;
  BaselineEstimator own_baseline_;
  CallTimes own_call_times_;
};

}  // namespace

std::unique_ptr<RequestFlow> make_request_flow(FlowParts parts) {
  return std::make_unique<Flow>(std::move(parts));
}

}  // namespace brevet
