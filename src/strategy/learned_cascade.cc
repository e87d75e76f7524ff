// frugal_cascade and cascade_routing: cascades whose signals, lists, thresholds and trade-off were learned
// from recorded answers (src/train/fit_cascade.h).
//
// frugal_cascade: a list of up to three models with a threshold each on P(accept), the calibrated probability
// that the list's last model would not do better (FrugalGPT, arXiv 2305.05176, with the value of escalating
// in place of correctness). cascade_routing: after every answer the next model or the end, by expected
// quality minus lambda times cost (Dekoninck, Baader and Vechev 2024, arXiv 2410.10347), so that models may
// be skipped and an earlier answer served after all. Which of the settings that were measured on the
// calibration split serves is said by one of
//   keep        the cheapest that keeps this share of the reference's quality at its lower bound
//   budget_usd  the best whose upper bound of the mean cost keeps the budget
//   value_usd   (cascade_routing) what a right answer is worth
// Example: keep .97: 8B answers, its log-probability ranks at .3, P(accept) .78 < .86, 70B is asked.
// Known weaknesses: what was learned does not move with the traffic; a bound from a few hundred questions
// holds for such questions (contract: watches it in production); streamed answers come late, the last model's
// at once.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "router/cascade_model.h"
#include "strategy/answer_probe.h"
#include "strategy/kinds.h"
#include "strategy/serving.h"

namespace brevet {
namespace {

/// What was seen of the models so far.
struct Seen {
  CascadeState state;
  std::array<const Attempt*, kCascadeModelsMax> answer{};
  std::uint32_t failed = 0;
};

class LearnedCascade : public Strategy {
 public:
  LearnedCascade(const OptionValues& options, RouterPtr router, AnswerChecks checks)
      : router_(std::move(router)),
        model_(*router_->cascade()),
        name_(router_->info().kind),
        checks_(std::move(checks)),
        samples_(static_cast<int>(count_option(options, "samples"))),
        hold_streams_(flag_option(options, "hold_streams")),
        on_failure_(on_reference_failure(options)) {}
  const std::string& name() const override { return name_; }
  std::optional<Reason> not_applicable(const RequestView& view) const override {
    return needs_plain_text(view);
  }

  Step next(const Turn& turn, Draws&) const override { return within_limits(turn, step_of(turn)); }

 protected:
  Step step_of(const Turn& turn) const {
    const auto& view = turn.view;
    if (view.request.stream && !hold_streams_ && turn.attempts.empty()) {
      return to_reference(turn, "streamed answers are not held back (hold_streams)");
    }
    if (model_.reads_question() && !turn.evidence.features)
      return need(NeedFeatures{}, "look_at_request", "What does it ask?");
    if (asked_reference(turn)) return after_reference(turn);
    Seen seen;
    seen.state.question = &view.features;
    return decide(turn, seen);
  }

  virtual Step decide(const Turn& turn, Seen& seen) const = 0;
  virtual Step after_reference(const Turn& turn) const { return *after_calls(turn, on_failure_); }

  const std::vector<std::string>& keys() const { return router_->info().configurations; }
  std::size_t last() const { return keys().size() - 1; }

  const Configuration* candidate(const RequestView& view, std::size_t model) const {
    for (const auto& one : view.candidates) {
      if (one.key() == keys()[model]) return &one;
    }
    return nullptr;
  }
  static bool asked_reference(const Turn& turn) {
    return std::any_of(turn.attempts.begin(), turn.attempts.end(), [&](const Attempt& attempt) {
      return attempt.configuration == turn.view.reference && attempt.purpose == Purpose::kServe;
    });
  }

  Step to_reference(const Turn& turn, const std::string& why) const {
    Call call;
    call.configuration = turn.view.reference;
    call.delivery = Delivery::kStream;
    call.want_logprobs = model_.reads(last(), Signal::kMeanLogprob) && !turn.view.request.stream;
    Calls calls;
    calls.calls.push_back(std::move(call));
    return {std::move(calls),
            {"reference", fmt::format("Served by {}: {}.", turn.view.reference.key(), why)}};
  }

  /// Asks `model` (not the reference) unless it has answered. A step, or what it came to in `seen`; failing a
  /// check is a failure.
  std::optional<Step> ask(const Turn& turn, Seen& seen, std::size_t model, const std::string& why,
                          std::string& fault) const {
    const auto* configuration = candidate(turn.view, model);
    if (!configuration) {
      seen.failed |= 1U << model;
      fault = keys()[model] + " cannot take the request";
      return std::nullopt;
    }
    ProbeNeeds needs;
    needs.logprobs = model_.reads(model, Signal::kMeanLogprob) || model_.reads(model, Signal::kMinLogprob);
    if (model_.reads(model, Signal::kAgreement) || model_.reads(model, Signal::kEntropy))
      needs.samples = samples_;
    if (model_.reads(model, Signal::kSelfCheck)) {
      needs.checks = 1;
      needs.verifier = *configuration;
    }
    auto found = probe(turn, *configuration, model, needs,
                       {"ask_model", fmt::format("{} is asked: {}.", configuration->key(), why)});
    if (found.step) return std::move(found.step);
    if (!found.answer) {
      seen.failed |= 1U << model;
      fault =
          fmt::format("{} failed ({})", configuration->key(), found.error ? found.error->code : "no answer");
      return std::nullopt;
    }
    const auto question = turn.view.request.last_user_text();
    if (auto check = checks_.failed_by(*found.answer->answer, question)) {
      seen.failed |= 1U << model;
      fault = fmt::format("{}'s answer fails a check: {}", configuration->key(), *check);
      return std::nullopt;
    }
    for (std::size_t other = 0; other < keys().size(); ++other) {
      if (!seen.answer[other]) continue;
      const float agree = agreement_of(*seen.answer[other]->answer, *found.answer->answer, question,
                                       turn.view.request.has_response_format);
      seen.state.agreement[std::min(other, model)][std::max(other, model)] = agree;
    }
    seen.state.asked |= 1U << model;
    seen.state.answers[model] = found.signals;
    seen.answer[model] = found.answer;
    return std::nullopt;
  }

  static Step accept(const Attempt& attempt, std::string sentence, double score) {
    Step step{Accept{attempt.id}, {"answer_accepted", std::move(sentence)}};
    step.score = score;
    return step;
  }

  const RouterPtr router_;
  const CascadeModel& model_;
  const std::string name_;
  const AnswerChecks checks_;
  const int samples_;
  const bool hold_streams_;
  const OnReferenceFailure on_failure_;
};

class FrugalCascade final : public LearnedCascade {
 public:
  FrugalCascade(const OptionValues& options, RouterPtr router, AnswerChecks checks, const CascadeList* list)
      : LearnedCascade(options, std::move(router), std::move(checks)), list_(list) {}

 private:
  Step decide(const Turn& turn, Seen& seen) const override {
    if (!list_) return to_reference(turn, "no list of cheaper models kept the promise when it was measured");
    std::string why = fmt::format("the list for {:.3g} USD a request begins with it", list_->budget_usd);
    const auto end = list_->models.back();
    for (std::size_t s = 0; s < list_->models.size(); ++s) {
      const auto model = list_->models[s];
      if (model == last()) break;
      std::string fault;
      if (auto step = ask(turn, seen, model, why, fault)) return *std::move(step);
      if (!fault.empty()) {
        why = fault;
        continue;
      }
      if (s + 1 == list_->models.size())
        return accept(*seen.answer[model],
                      fmt::format("Served by {}, the last of its list: {}.", keys()[model], why), 1);
      const auto p = model_.accept_probability(seen.state, model, end);
      if (!p) {
        why = fmt::format("{}'s answer came without the signals that it is judged by", keys()[model]);
        continue;
      }
      const auto said =
          fmt::format("{}'s answer is no worse than {}'s with probability {}, needed {}", keys()[model],
                      keys()[end], two_digits(*p), two_digits(static_cast<double>(list_->thresholds[s])));
      if (static_cast<float>(*p) >= list_->thresholds[s])
        return accept(*seen.answer[model], fmt::format("Served by {} because {}.", keys()[model], said), *p);
      why = said;
    }
    return to_reference(turn, why);
  }

  const CascadeList* list_;  ///< of the artefact; null = none kept the promise
};

class CascadeRouting final : public LearnedCascade {
 public:
  CascadeRouting(const OptionValues& options, RouterPtr router, AnswerChecks checks,
                 std::optional<std::size_t> point)
      : LearnedCascade(options, std::move(router), std::move(checks)), point_(point) {}

 private:
  Step decide(const Turn& turn, Seen& seen) const override {
    if (!point_) return to_reference(turn, "no setting kept the promise when it was measured");
    std::string why = "nothing was asked yet";
    for (std::size_t round = 0; round <= keys().size(); ++round) {
      const auto choice = model_.next(seen.state, *point_);
      if (!choice) return to_reference(turn, "the signals that it is judged by are missing");
      why = described(*choice, seen);
      if (choice->accept) {
        if (!seen.answer[choice->model]) break;
        return accept(*seen.answer[choice->model],
                      fmt::format("Served by {} because {}.", keys()[choice->model], why), choice->worth);
      }
      if (choice->model == last()) return to_reference(turn, why);
      std::string fault;
      if (auto step = ask(turn, seen, choice->model, why, fault)) return *std::move(step);
      if (!fault.empty()) return to_reference(turn, fault);
    }
    return to_reference(turn, why);
  }

  /// An earlier answer may still be the better one, unless the reference's is already with the client.
  Step after_reference(const Turn& turn) const override {
    const auto& attempt = turn.attempts.back();
    if (!point_ || turn.view.request.stream || attempt.state != AttemptState::kDone ||
        attempt.configuration != turn.view.reference)
      return *after_calls(turn, on_failure_);
    Seen seen;
    seen.state.question = &turn.view.features;
    for (std::size_t model = 0; model < last(); ++model) {
      const bool asked = std::any_of(turn.attempts.begin(), turn.attempts.end(),
                                     [&](const Attempt& one) { return of_stage(one, model); });
      std::string fault;
      if (asked && ask(turn, seen, model, "", fault)) return *after_calls(turn, on_failure_);
    }
    const auto question = turn.view.request.last_user_text();
    for (std::size_t other = 0; other < last(); ++other) {
      if (seen.answer[other])
        seen.state.agreement[other][last()] =
            agreement_of(*seen.answer[other]->answer, *attempt.answer, question, false);
    }
    seen.state.asked |= 1U << last();
    seen.state.answers[last()] = signals_of(*attempt.answer, question, false);
    const auto choice = model_.next(seen.state, *point_);
    if (!choice || !choice->accept || choice->model == last() || !seen.answer[choice->model])
      return *after_calls(turn, on_failure_);
    return accept(*seen.answer[choice->model],
                  fmt::format("Served by {} because, with {}'s answer seen too, {}.", keys()[choice->model],
                              turn.view.reference.key(), described(*choice, seen)),
                  choice->worth);
  }

  std::string described(const CascadeModel::Choice& choice, const Seen& seen) const {
    const double quality = std::clamp(static_cast<double>(choice.quality[choice.model]), 0.0, 1.0);
    if (!choice.accept) {
      return fmt::format("asking {} is worth {} less its cost, and what there is {}", keys()[choice.model],
                         two_digits(choice.worth),
                         seen.state.asked == 0 ? std::string("is nothing") : two_digits(choice.otherwise));
    }
    return fmt::format("its answer is expected to be worth {}{}", two_digits(quality),
                       choice.otherwise > -1e9
                           ? fmt::format(", and asking on {} less its cost", two_digits(choice.otherwise))
                           : std::string());
  }

  const std::optional<std::size_t> point_;
};

Result<AnswerChecks> checks_for(const OptionValues& options, const RouterPtr& router) {
  if (!router->cascade()) {
    return fail(ErrorKind::kCallerInvalid, "router_kind_mismatch",
                fmt::format("'{}' is no cascade. `brevet train {}` makes one.", router->info().kind,
                            router->info().kind),
                "router");
  }
  return AnswerChecks::parse(text_option(options, "answer_checks"));
}

Result<StrategyPtr> make_frugal(const OptionValues& options, RouterPtr router) {
  auto checks = checks_for(options, router);
  if (!checks) return fail(checks.error());
  const double budget = number_option(options, "budget_usd");
  const double keep = number_option(options, "keep");
  const CascadeList* best = nullptr;
  for (const auto& list : router->cascade()->lists()) {
    if (budget > 0) {
      if (list.budget_usd <= budget && (!best || list.quality > best->quality)) best = &list;
    } else if (list.retained_low >= keep - 1e-6 && (!best || list.cost_usd < best->cost_usd)) {
      best = &list;
    }
  }
  if (budget > 0 && !best) {
    return fail(ErrorKind::kCallerInvalid, "budget_too_small",
                fmt::format("No list of these models keeps a budget of {:.3g} USD a request. `brevet router "
                            "show` says what they cost.",
                            budget),
                "budget_usd");
  }
  return std::make_shared<const FrugalCascade>(options, std::move(router), std::move(*checks), best);
}

Result<StrategyPtr> make_routing(const OptionValues& options, RouterPtr router) {
  auto checks = checks_for(options, router);
  if (!checks) return fail(checks.error());
  const double budget = number_option(options, "budget_usd");
  const double keep = number_option(options, "keep");
  const double value = number_option(options, "value_usd");
  const auto& points = router->cascade()->points();
  std::optional<std::size_t> best;
  for (std::size_t s = 0; s < points.size(); ++s) {
    const auto& point = points[s];
    if (value > 0) {
      // The nearest trade-off, by ratio.
      const auto distance = [&](std::size_t at) {
        const double lambda = std::max(points[at].lambda, 1e-12);
        return std::max(lambda * value, 1 / (lambda * value));
      };
      if (!best || distance(s) < distance(*best)) best = s;
    } else if (budget > 0) {
      if (point.cost_high <= budget && (!best || point.quality > points[*best].quality)) best = s;
    } else if (point.retained_low >= keep - 1e-6 && (!best || point.cost_usd < points[*best].cost_usd)) {
      best = s;
    }
  }
  if ((budget > 0 || value > 0) && !best) {
    return fail(
        ErrorKind::kCallerInvalid, "budget_too_small",
        fmt::format("No setting of this cascade keeps a budget of {:.3g} USD a request. `brevet router "
                    "show` says what they cost.",
                    budget),
        "budget_usd");
  }
  return std::make_shared<const CascadeRouting>(options, std::move(router), std::move(*checks), best);
}

std::vector<OptionSpec> shared_options() {
  return {{"keep", .97, 0.0, 1.0,
           "the cheapest setting that keeps this share of the reference's quality; higher: dearer"},
          {"budget_usd", 0.0, 0.0, 1e6, "instead: the best within this mean cost a request; 0 = by keep"},
          {"samples", std::int64_t{5}, 2.0, 20.0, "answers drawn where it was trained on agreement"},
          {"answer_checks",
           std::string(),
           {},
           {},
           "\"json; keys=A,B; number; choice; max_chars=N; contains=T; lacks=T\": what fails is asked on"},
          {"hold_streams", true, {}, {}, "false: streamed requests go to the reference at once"},
          weak_on_reference_failure_option()};
}

}  // namespace

StrategyKind frugal_cascade_kind() {
  StrategyKind kind;
  kind.name = kFrugalCascade;
  kind.summary = "learned list of models and thresholds under a budget or promise (FrugalGPT)";
  kind.options = shared_options();
  kind.dial = "keep";
  kind.remembers = false;
  kind.make_trained = make_frugal;
  return kind;
}

StrategyKind cascade_routing_kind() {
  StrategyKind kind;
  kind.name = kCascadeRouting;
  kind.summary = "after every answer the next model or the end, by expected quality minus cost";
  kind.options = shared_options();
  kind.options.insert(kind.options.begin() + 2,
                      {"value_usd", 0.0, 0.0, 1e6, "instead: what a right answer is worth in USD"});
  kind.dial = "keep";
  kind.remembers = false;
  kind.make_trained = make_routing;
  return kind;
}

}  // namespace brevet
