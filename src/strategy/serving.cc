#include "strategy/serving.h"

#include <fmt/format.h>

#include <cmath>

#include "prompt/guide.h"

namespace brevet {

OptionSpec weak_on_reference_failure_option() {
  return {"weak_on_reference_failure",
          false,
          {},
          {},
          "serve the weak model's answer when the reference fails, instead of the reference's error"};
}

OnReferenceFailure on_reference_failure(const OptionValues& options) {
  return std::get<bool>(options.at("weak_on_reference_failure")) ? OnReferenceFailure::kServeWeak
                                                                 : OnReferenceFailure::kFail;
}

std::string counted(std::uint64_t n, const char* singular) {
  return fmt::format("{} {}{}", n, singular, n == 1 ? "" : "s");
}
std::string two_digits(double value) {
  return fmt::format("{:.2f}", value);
}
std::string percent(double share) {
  return fmt::format("{}%", static_cast<int>(std::lround(share * 100)));
}

std::optional<Reason> needs_one_text_answer(const RequestView& view) {
  const auto& request = view.request;
  if (request.n > 1) {
    return Reason{"not_applicable_n", fmt::format("{} answers: several answers were asked for (n = {}).",
                                                  view.reference.key(), request.n)};
  }
  if (request.has_images) {
    return Reason{
        "not_applicable_images",
        fmt::format("{} answers: the request holds parts that are not text.", view.reference.key())};
  }
  return std::nullopt;
}

std::optional<Reason> needs_plain_text(const RequestView& view) {
  if (auto reason = needs_one_text_answer(view)) return reason;
  if (view.request.has_tools) {
    return Reason{"not_applicable_tools",
                  fmt::format("{} answers: the request offers tools.", view.reference.key())};
  }
  if (view.request.has_response_format) {
    return Reason{"not_applicable_response_format",
                  fmt::format("{} answers: the request asks for a response format.", view.reference.key())};
  }
  return std::nullopt;
}

Step need(Need what, const char* code, std::string sentence) {
  return {what, {code, std::move(sentence)}};
}

Step call_weak(const RequestView& view, Reason reason, const WeakCall& how) {
  Call call;
  call.configuration = view.weak;
  call.delivery = how.delivery;
  call.want_logprobs = how.want_logprobs;
  if (how.guide) {
    call.configuration.guide = std::to_string(how.guide->id);
    call.guide_id = how.guide->id;
    call.edits = guide_edits(how.guide->text);
  }
  Calls calls;
  calls.calls.push_back(std::move(call));
  return {std::move(calls), std::move(reason)};
}

Step call_reference(const RequestView& view, Reason reason) {
  return call_candidate(view.reference, std::move(reason));
}

Step call_candidate(const Configuration& candidate, Reason reason) {
  Call call;
  call.configuration = candidate;
  call.delivery = Delivery::kStream;
  Calls calls;
  calls.calls.push_back(std::move(call));
  return {std::move(calls), std::move(reason)};
}

Step call_by_skill(const Turn& turn, const Skill& skill, const std::string& code_prefix,
                   const std::string& evidence) {
  const auto& view = turn.view;
  const std::string tried = skill.tries > 0 ? fmt::format(", tried {}", counted(skill.tries, "time")) : "";
  const std::string checks = skill.confirmed + skill.refuted > 0
                                 ? fmt::format("; {} of {} agreed", skill.confirmed,
                                               counted(skill.confirmed + skill.refuted, "spot check"))
                                 : "";
  switch (skill.status) {
    case SkillStatus::kWeakOk:
      return call_weak(
          view, {code_prefix + "_weak_ok",
                 fmt::format("Served by {} because {}, and there its answer agreed with {}'s (skill {}{}{}).",
                             view.weak.key(), evidence, view.reference.key(), skill.id, tried, checks)});
    case SkillStatus::kWeakWithGuide:
      if (const auto guide = turn.snapshot.guide(view.partition, skill.guide_id)) {
        return call_weak(
            view,
            {code_prefix + "_weak_with_guide", fmt::format("Served by {} with guide {} because {}, and with "
                                                           "it its answer agreed with {}'s (skill {}{}{}).",
                                                           view.weak.key(), guide->id, evidence,
                                                           view.reference.key(), skill.id, tried, checks)},
            {&*guide});
      }
      return call_reference(
          view, {code_prefix + "_guide_gone",
                 fmt::format("Served by {} because {}, but guide {} that it needs is no longer there.",
                             view.reference.key(), evidence, skill.guide_id)});
    case SkillStatus::kStrongOnly:
      break;
  }
  return call_reference(
      view, {code_prefix + "_strong_only",
             fmt::format("Served by {} because {}, and there {}'s answer did not hold (skill {}{}).",
                         view.reference.key(), evidence, view.weak.key(), skill.id, tried)});
}

std::optional<Step> after_calls(const Turn& turn, OnReferenceFailure on_failure) {
  if (turn.attempts.empty()) return std::nullopt;
  const auto& last = turn.attempts.back();
  if (last.state == AttemptState::kPending) return Step{Wait{}, {"waiting", "A call is under way."}};
  if (last.state == AttemptState::kDone) return Step{Accept{last.id}, {kAsCalled, "The call succeeded."}};
  bool weak_failed = false;
  bool reference_failed = false;
  const Attempt* weak_done = nullptr;
  for (const auto& attempt : turn.attempts) {
    const bool reference = attempt.configuration == turn.view.reference;
    if (attempt.state == AttemptState::kDone) {
      if (!reference) weak_done = &attempt;
    } else {
      (reference ? reference_failed : weak_failed) = true;
    }
  }
  const std::string what =
      last.error ? last.error->code + ": " + last.error->message : std::string(name_of(last.state));
  if (!reference_failed) {
    return call_reference(
        turn.view, {"weak_failed", fmt::format("Served by {} because {} failed ({}).",
                                               turn.view.reference.key(), last.configuration.model, what)});
  }
  if (on_failure == OnReferenceFailure::kServeWeak) {
    Reason reason{"reference_failed", fmt::format("Served by {} because {} failed ({}).",
                                                  turn.view.weak.key(), turn.view.reference.key(), what)};
    // An answer that had been too unsure to serve is better than none where the operator says so.
    if (weak_done) return Step{Accept{weak_done->id}, std::move(reason)};
    if (!weak_failed) return call_weak(turn.view, std::move(reason));
  }
  return Step{GiveUp{last.error},
              {"all_failed", fmt::format("No model answered; the last failure was {}.", what)}};
}

}  // namespace brevet
