// What decides by asking a model for one token: a grade of the answer that the weak model would give.
//
// Idea: RouteLLM's causal classifier (Ong et al. 2024, arXiv 2406.18665, section 4.3). The labels 1 to 5
// stand for the quality of the weak model's answer; P(strong) = 1 - P(4) - P(5) among the labels, read from
// the log-probabilities of the first token; strong iff that is at least the threshold. No label among them
// means strong, and so does whatever goes wrong with the call. Example: P(4) = .5, P(5) = .3 and P(2) = .2 of
// the labels: P(strong) = .2, and at a threshold of .5 weak serves. Known weaknesses: the paper fine-tuned
// its model for this, and one that was not tells less and is not calibrated (a router made by `brevet train
// causal_llm` maps its word to a probability); the call costs its prompt, and the answer waits for it.
#include <fmt/format.h>

#include <algorithm>

#include "prompt/label_prompt.h"
#include "strategy/kinds.h"
#include "strategy/serving.h"

namespace brevet {
namespace {

constexpr const char* kLabelTag = "label";
/// The grade, an answer, and another one when that fails.
constexpr int kCallsMin = 3;

class CausalLlm final : public Strategy {
 public:
  CausalLlm(const OptionValues& options, RouterPtr router)
      : router_(std::move(router)),
        model_(router_ ? router_->info().model : text_option(options, "model")),
        threshold_(number_option(options, "threshold")),
        on_failure_(on_reference_failure(options)) {}

  const std::string& name() const override { return name_; }
  std::optional<Reason> not_applicable(const RequestView& view) const override {
    return needs_plain_text(view);
  }

  Step next(const Turn& turn, Draws&) const override {
    const auto& view = turn.view;
    const auto& attempts = turn.attempts;
    if (attempts.empty()) {
      if (view.calls_left < kCallsMin || view.out_of_time) {
        return strong(view, "label_not_asked", "there is no room for a call that only decides");
      }
      return ask(view);
    }
    const auto& label = attempts.front();
    // Where there was no room to ask, what serves came first.
    if (label.tag != kLabelTag) return *after_calls(turn, on_failure_);
    if (label.state == AttemptState::kPending) return {Wait{}, {"waiting", "A call is under way."}};
    if (attempts.size() == 1) return decide(view, label);
    // What serves is judged as if the call that decided had never been.
    const std::vector<Attempt> served(attempts.begin() + 1, attempts.end());
    return *after_calls({view, turn.evidence, served, turn.snapshot}, on_failure_);
  }

 private:
  std::string asked(const RequestView& view) const { return model_.empty() ? view.weak.model : model_; }

  Step ask(const RequestView& view) const {
    Call call;
    if (model_.empty()) {
      call.configuration = view.weak;
    } else {
      call.configuration.model = model_;
    }
    call.purpose = Purpose::kJudge;
    call.messages = label_messages(view.request.last_user_text());
    call.max_tokens = 1;
    call.temperature = 0;
    call.want_logprobs = true;
    call.top_logprobs = kLabelAlternatives;
    call.tag = kLabelTag;
    Calls calls;
    calls.calls.push_back(std::move(call));
    return {
        std::move(calls),
        {"ask_label", fmt::format("{} is asked how well {} would answer.", asked(view), view.weak.key())}};
  }

  Step strong(const RequestView& view, const char* code, const std::string& why) const {
    auto step =
        call_reference(view, {code, fmt::format("Served by {} because {}.", view.reference.key(), why)});
    step.score = 0;
    return step;
  }

  Step decide(const RequestView& view, const Attempt& label) const {
    if (label.state != AttemptState::kDone || !label.answer) {
      return strong(view, "label_failed",
                    fmt::format("{} could not be asked ({})", asked(view),
                                label.error ? label.error->code + ": " + label.error->message
                                            : std::string(name_of(label.state))));
    }
    if (label.answer->first_token.empty()) {
      return strong(
          view, "no_logprobs",
          fmt::format("{} gave no log-probabilities for its word; name a model that does in `model`",
                      asked(view)));
    }
    const auto read = read_label(label.answer->first_token);
    if (!read) {
      return strong(view, "no_label", fmt::format("{} named no grade from 1 to 5", asked(view)));
    }
    double need = 1 - read->weak_suffices;
    if (router_) {
      RequestFeatures features;
      features.classified = std::make_shared<const std::vector<float>>(1, static_cast<float>(need));
      const auto prediction = router_->predict(features);
      if (!prediction) return strong(view, "no_prediction", "its router knows nothing of this grade");
      need = prediction->need_strong;
    }
    const bool weak = need < threshold_;
    const auto& serves = weak ? view.weak : view.reference;
    auto step = call_candidate(
        serves,
        {weak ? "label_weak" : "label_strong",
         fmt::format("Served by {} because {}, asked for a grade, expects the answer of {} to be better with "
                     "probability {:.2f}, {} {:.2f}.",
                     serves.key(), asked(view), view.reference.key(), need, weak ? "under" : "not under",
                     threshold_)});
    step.score = 1 - need;
    return step;
  }

  const std::string name_ = "causal_llm";
  const RouterPtr router_;  ///< calibration, or null
  const std::string model_;
  const double threshold_;
  const OnReferenceFailure on_failure_;
};

}  // namespace

StrategyKind causal_llm_kind() {
  StrategyKind kind;
  kind.name = "causal_llm";
  kind.summary =
      "a model that returns log-probabilities is asked for one token: how good weak's answer would be";
  kind.options = {
      {"model",
       std::string(),
       {},
       {},
       "the model that is asked, one of `models` that returns log-probabilities; empty = the weak one"},
      {"threshold", .5, 0.0, 1.0,
       "strong iff its answer is better with at least this probability; lower: better answers, higher "
       "cost"},
      weak_on_reference_failure_option()};
  kind.dial = "threshold";
  kind.dial_settings = {1, .8, .6, .5, .4, .2, 0};
  kind.remembers = false;
  kind.make = [](const OptionValues& options) -> Result<StrategyPtr> {
    return std::make_shared<const CausalLlm>(options, nullptr);
  };
  kind.make_trained = [](const OptionValues& options, RouterPtr router) -> Result<StrategyPtr> {
    const auto& info = router->info();
    const auto& asked = text_option(options, "model");
    if ((!asked.empty() && asked != info.model) || info.model_hash != label_prompt_hash(info.model)) {
      return fail(
          ErrorKind::kCallerInvalid, "router_classifier_mismatch",
          fmt::format("The router was calibrated on grades of '{}', asked as that Brevet asked. Name it in "
                      "`model`, or calibrate again: brevet train causal_llm --ask {}.",
                      info.model, asked.empty() ? info.model : asked),
          "router");
    }
    return std::make_shared<const CausalLlm>(options, std::move(router));
  };
  return kind;
}

}  // namespace brevet
