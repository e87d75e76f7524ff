#include "strategy/answer_probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "prompt/self_check.h"

namespace brevet {

namespace {

/// One of several samples is not what the model answers alone; whoever learns knows it by the tag.
std::string stage_tag(std::size_t place, bool sampled) {
  return fmt::format("{}stage {}", sampled ? "sample of " : "", place);
}

}  // namespace

bool of_stage(const Attempt& attempt, std::size_t place) {
  return attempt.tag == stage_tag(place, false) || attempt.tag == stage_tag(place, true);
}

Probed probe(const Turn& turn, const Configuration& configuration, std::size_t place, const ProbeNeeds& needs,
             Reason reason) {
  const auto& view = turn.view;
  const auto tag = stage_tag(place, needs.samples > 1);
  const auto check_tag = fmt::format("check {}", place);
  Probed out;
  std::vector<const Attempt*> answers, checks;
  bool asked = false, checked = false, pending = false;
  for (const auto& attempt : turn.attempts) {
    const bool check = attempt.tag == check_tag;
    if (!check && attempt.tag != tag) continue;
    (check ? checked : asked) = true;
    pending |= attempt.state == AttemptState::kPending;
    if (attempt.state == AttemptState::kDone && attempt.answer)
      (check ? checks : answers).push_back(&attempt);
    if (!check && attempt.error) out.error = attempt.error;
  }
  if (!asked) {
    // One call is kept for the reference.
    const int samples = std::min(needs.samples, view.calls_left - 1);
    if (samples < 1 || view.out_of_time) {
      out.error = Error{ErrorKind::kPolicyRefused,
                        "calls_exhausted",
                        "The request may make no more calls than for the reference.",
                        "",
                        0,
                        ""};
      return out;
    }
    Calls calls;
    for (int s = 0; s < samples; ++s) {
      Call call;
      call.configuration = configuration;
      call.delivery = needs.samples == 1 ? needs.delivery : Delivery::kHold;
      call.want_logprobs = needs.logprobs;
      call.tag = tag;
      if (needs.samples > 1) {
        call.temperature = needs.temperature;
        call.sample = s;
      }
      calls.calls.push_back(std::move(call));
    }
    out.step = Step{std::move(calls), std::move(reason)};
    return out;
  }
  if (pending) {
    out.step = Step{Wait{}, {"waiting", "A call is under way."}};
    return out;
  }
  if (answers.empty()) return out;
  const auto question = view.request.last_user_text();
  const bool json = view.request.has_response_format;
  std::size_t leader = 0;
  std::optional<SampleSignals> drawn;
  if (needs.samples > 1) {
    std::vector<Answer> texts;
    for (const auto* attempt : answers) texts.push_back(*attempt->answer);
    drawn = sample_signals(meanings_of(texts, question, json));
    leader = drawn->leader;
  }
  out.answer = answers[leader];
  out.signals = signals_of(*out.answer->answer, question, json);
  if (drawn && answers.size() > 1) {
    out.signals[static_cast<std::size_t>(Signal::kAgreement)] = drawn->agreement;
    out.signals[static_cast<std::size_t>(Signal::kEntropy)] = drawn->entropy;
  }
  const int affordable = std::min(needs.checks, view.calls_left - 1);
  if (needs.checks == 0 || (!checked && (affordable < 1 || view.out_of_time))) return out;
  if (!checked) {
    Calls calls;
    for (int k = 0; k < affordable; ++k) {
      Call call;
      call.configuration = needs.verifier;
      call.purpose = Purpose::kJudge;
      call.messages = self_check_messages(question, out.answer->answer->text);
      call.max_tokens = kSelfCheckTokensMax;
      call.temperature = needs.checks > 1 ? needs.temperature : 0.0;
      call.sample = k;
      call.tag = check_tag;
      calls.calls.push_back(std::move(call));
    }
    out.step = Step{std::move(calls),
                    {"check_answer", fmt::format("Is {}'s answer right? {} is asked.", configuration.key(),
                                                 needs.verifier.key())}};
    return out;
  }
  int right = 0, said = 0;
  for (const auto* check : checks) {
    const auto word = parse_self_check(check->answer->text);
    if (!word) continue;
    ++said;
    right += *word ? 1 : 0;
  }
  if (said > 0)
    out.signals[static_cast<std::size_t>(Signal::kSelfCheck)] =
        static_cast<float>(right) / static_cast<float>(said);
  return out;
}

Step within_limits(const Turn& turn, Step step) {
  const auto* calls = std::get_if<Calls>(&step.what);
  const bool waits = std::holds_alternative<Wait>(step.what);
  const bool too_many = calls && static_cast<int>(calls->calls.size()) > turn.view.calls_left;
  if (!too_many && !(turn.view.out_of_time && (calls || waits))) return step;
  std::optional<Error> last;
  for (auto it = turn.attempts.rbegin(); it != turn.attempts.rend(); ++it) {
    if (it->error && !last) last = it->error;
    if (it->purpose != Purpose::kServe || it->state != AttemptState::kDone) continue;
    return {Accept{it->id},
            {"settled", fmt::format("Served by {} with what there was: {}.", it->configuration.key(),
                                    turn.view.out_of_time ? "time was up" : "no calls were left")}};
  }
  if (!last) {
    last = Error{ErrorKind::kProviderTimeout,
                 "deadline_exceeded",
                 "No model had answered when the route's time or calls were used up.",
                 "",
                 0,
                 ""};
  }
  return {GiveUp{last},
          {"all_failed", fmt::format("No model answered; the last failure was {}.", last->code)}};
}

}  // namespace brevet
