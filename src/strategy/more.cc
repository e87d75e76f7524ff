// more: several experts answer, a forest says which of their answers is right, and where none is likely to be
// the reference answers.
//
// Idea (mixture of reasoning experts, Si et al. 2023, arXiv 2305.14628): one model with four prompts (facts,
// chains of facts, calculation, everyday knowledge) is four experts that are good at different questions. A
// random forest reads the question, each answer, its reasoning and how the answers agree, and gives P(right)
// of each; the highest is served. Below `abstain_below` it abstains, which here means that the reference
// answers. Example: three of four experts say 42, the one for calculation among them: P(right) .9 for each of
// the three; the first is served. Known weaknesses: every expert is paid for every request; the forest knows
// what it was taught, so experts of another model need another one. Extremely randomised trees stand for the
// paper's forest; it has no passages to read, so features of passages are left out.
#include <fmt/format.h>

#include <algorithm>

#include "compare/vote.h"
#include "router/expert_model.h"
#include "strategy/kinds.h"
#include "strategy/serving.h"

namespace brevet {
namespace {

class More final : public Strategy {
 public:
  More(const OptionValues& options, RouterPtr router, const ExpertModel& model)
      : router_(std::move(router)),
        model_(model),
        abstain_below_(number_option(options, "abstain_below")),
        on_failure_(on_reference_failure(options)) {}
  const std::string& name() const override { return name_; }
  std::optional<Reason> not_applicable(const RequestView& view) const override {
    return needs_plain_text(view);
  }

  Step next(const Turn& turn, Draws&) const override {
    const auto& view = turn.view;
    const auto& experts = model_.info().configurations;
    std::vector<const Attempt*> mine(experts.size(), nullptr);
    const Attempt* fallback = nullptr;
    bool pending = false;
    for (const auto& attempt : turn.attempts) {
      const auto at = std::find(experts.begin(), experts.end(), attempt.configuration.key());
      pending |= attempt.state == AttemptState::kPending;
      if (attempt.tag == kFallback) {
        fallback = &attempt;
      } else if (at != experts.end()) {
        mine[static_cast<std::size_t>(at - experts.begin())] = &attempt;
      }
    }
    if (fallback) return after_fallback(turn, *fallback, mine);
    if (turn.attempts.empty()) return ask(view);
    if (pending) return {Wait{}, {"waiting", "Experts are answering."}};
    return choose(turn, mine);
  }

 private:
  static constexpr const char* kFallback = "abstained";

  /// The experts among the candidates, as many as may be called.
  Step ask(const RequestView& view) const {
    Calls calls;
    const auto& experts = model_.info().configurations;
    for (const auto& candidate : view.candidates) {
      if (std::find(experts.begin(), experts.end(), candidate.key()) == experts.end()) continue;
      if (static_cast<int>(calls.calls.size()) >= view.calls_left) break;
      Call call;
      call.configuration = candidate;
      const auto at = static_cast<std::size_t>(&candidate - view.candidates.data());
      call.want_logprobs = at < view.have_logprobs.size() && view.have_logprobs[at];
      calls.calls.push_back(std::move(call));
    }
    if (calls.calls.empty())
      return to_reference(
          view, {"no_expert",
                 fmt::format("Served by {} because no expert can take the request.", view.reference.key())});
    const auto count = calls.calls.size();
    return {std::move(calls), {"ask_experts", fmt::format("{} are asked.", counted(count, "expert"))}};
  }

  struct Chosen {
    const Attempt* attempt = nullptr;
    double p = 0;
    std::size_t answers = 0;
    std::size_t same = 0;
  };
  Chosen best_of(const Turn& turn, const std::vector<const Attempt*>& mine) const {
    std::vector<const Answer*> answers;
    std::vector<std::size_t> who;
    std::vector<ExpertAnswer> seen(mine.size());
    for (std::size_t i = 0; i < mine.size(); ++i) {
      if (!mine[i] || mine[i]->state != AttemptState::kDone || !mine[i]->answer) continue;
      const auto& answer = *mine[i]->answer;
      seen[i] = {true, answer.text, answer.reasoning, answer.mean_logprob, -1};
      answers.push_back(&answer);
      who.push_back(i);
    }
    const auto vote = count_votes(answers, compare_context(turn.view.request));
    for (std::size_t k = 0; k < who.size(); ++k) seen[who[k]].group = vote.group[k];
    Chosen out;
    out.answers = who.size();
    for (const auto i : who) {
      const double p = model_.p_right(expert_features(turn.view.request.last_user_text(), seen, i));
      if (out.attempt && p <= out.p) continue;
      out.attempt = mine[i];
      out.p = p;
      out.same = seen[i].group < 0 ? 1 : vote.counts[static_cast<std::size_t>(seen[i].group)];
    }
    return out;
  }

  Step choose(const Turn& turn, const std::vector<const Attempt*>& mine) const {
    const auto& view = turn.view;
    const auto best = best_of(turn, mine);
    if (!best.attempt) {
      const auto& last = turn.attempts.back();
      if (view.out_of_time || view.calls_left <= 0)
        return {GiveUp{last.error},
                {"all_failed", "No expert answered, and the route allows no further call."}};
      return to_reference(view, {"weak_failed", fmt::format("Served by {} because no expert answered ({}).",
                                                            view.reference.key(),
                                                            last.error ? last.error->code : "cancelled")});
    }
    const auto& experts = model_.info().configurations;
    const bool has_fallback =
        std::find(experts.begin(), experts.end(), view.reference.key()) == experts.end();
    if (best.p < abstain_below_ && has_fallback && !view.out_of_time && view.calls_left > 0) {
      auto step = to_reference(
          view,
          {"abstained", fmt::format("Served by {} because the likeliest of {} is right with probability {}, "
                                    "needed {}.",
                                    view.reference.key(), counted(best.answers, "answer"), two_digits(best.p),
                                    two_digits(abstain_below_))});
      step.score = best.p;
      return step;
    }
    Step step{
        Accept{best.attempt->id},
        {"expert", fmt::format("Served by {}: its answer, which {} of {} gave, is right with probability {}.",
                               best.attempt->configuration.key(), best.same, counted(best.answers, "expert"),
                               two_digits(best.p))}};
    step.score = best.p;
    return step;
  }

  static Step to_reference(const RequestView& view, Reason reason) {
    auto step = call_reference(view, std::move(reason));
    std::get<Calls>(step.what).calls.front().tag = kFallback;
    return step;
  }

  Step after_fallback(const Turn& turn, const Attempt& fallback,
                      const std::vector<const Attempt*>& mine) const {
    if (fallback.state == AttemptState::kPending) return {Wait{}, {"waiting", "A call is under way."}};
    if (fallback.state == AttemptState::kDone)
      return {Accept{fallback.id}, {kAsCalled, "The call succeeded."}};
    const auto best = best_of(turn, mine);
    if (on_failure_ == OnReferenceFailure::kServeWeak && best.attempt) {
      return {
          Accept{best.attempt->id},
          {"reference_failed", fmt::format("Served by {} because {} failed.",
                                           best.attempt->configuration.key(), turn.view.reference.key())}};
    }
    return {GiveUp{fallback.error}, {"all_failed", "The experts abstained, and the reference failed."}};
  }

  const std::string name_ = kMore;
  const RouterPtr router_;  ///< owns the model
  const ExpertModel& model_;
  const double abstain_below_;
  const OnReferenceFailure on_failure_;
};

}  // namespace

StrategyKind more_kind() {
  StrategyKind kind;
  kind.name = kMore;
  kind.summary =
      "several experts by prompt, a forest chooses among their answers (trained: `brevet train more`)";
  kind.remembers = false;
  kind.calls_all = true;
  kind.dial = "abstain_below";
  kind.dial_settings = {0, .2, .3, .4, .5, .6, .7, .8, .9, 1};
  kind.options = {
      {"abstain_below", 0.0, 0.0, 1.0,
       "the reference answers where the likeliest answer is right with less; higher: better answers and "
       "higher cost"},
      weak_on_reference_failure_option()};
  kind.make_trained = [](const OptionValues& options, RouterPtr router) -> Result<StrategyPtr> {
    const auto* model = experts_of(*router);
    if (!model) {
      return fail(ErrorKind::kCallerInvalid, "router_kind_mismatch",
                  "Strategy 'more' reads what `brevet train more` made, and was given something else.",
                  "router");
    }
    return std::make_shared<More>(options, std::move(router), *model);
  };
  return kind;
}

}  // namespace brevet
