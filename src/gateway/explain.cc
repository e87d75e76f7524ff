#include "gateway/explain.h"

#include <fmt/format.h>

namespace brevet {
namespace {

std::string show(const Cost& cost) {
  if (!cost.amount) return "unknown";
  return fmt::format("${} ({})", cost.amount->to_string(), name_of(cost.basis));
}

std::string show(const Skill& skill) {
  std::string out = fmt::format("skill {}, {}", skill.id, name_of(skill.status));
  if (skill.guide_id != 0) out += fmt::format(" {}", skill.guide_id);
  out += fmt::format(", decided {} request{}", skill.hits, skill.hits == 1 ? "" : "s");
  if (skill.confirmed + skill.refuted > 0) {
    out += fmt::format(", {} of {} spot checks agreed", skill.confirmed, skill.confirmed + skill.refuted);
  }
  return out;
}

std::string show_call(const Attempt& attempt, const std::string& indent) {
  std::string out = fmt::format(
      "  call      {}{}{} ({}): {}, {}, {} ms{}\n", indent, attempt.configuration.key(),
      attempt.tag.empty() ? "" : ", " + attempt.tag, name_of(attempt.purpose), name_of(attempt.state),
      show(attempt.cost), attempt.latency.count() / 1000, attempt.error ? ", " + attempt.error->code : "");
  for (const auto& part : attempt.parts) out += show_call(part, indent + "  ");
  if (!attempt.steps.empty())
    out += fmt::format("            {}  {}\n", indent, attempt.steps.back().sentence);
  return out;
}

}  // namespace

std::string explain(const Decision& decision) {
  std::string out = decision.reason.sentence + "\n";
  if (decision.error)
    out += fmt::format("  error     {}: {}\n", decision.error->code, decision.error->message);
  out += fmt::format("  decision  {}{}{}\n", decision.id,
                     decision.route.empty() ? "" : ", route " + decision.route,
                     decision.strategy.empty() ? "" : ", strategy " + decision.strategy);
  if (!decision.attempts.empty()) {
    out += fmt::format("  cost      {}; always the reference: {}{}\n", show(decision.cost),
                       show(decision.baseline),
                       decision.baseline_note.empty() ? "" : " - " + decision.baseline_note);
  } else if (decision.baseline.amount) {
    out += fmt::format("  cost      nothing was called; always the reference: {} - {}\n",
                       show(decision.baseline), decision.baseline_note);
  }
  if (decision.exact_repeat)
    out += fmt::format("  evidence  this very request was seen before (skill {})\n", decision.skill_id);
  if (decision.estimate && decision.estimate->outcomes == 0) {
    out += "  estimate  none: nothing is learned yet for requests like this one\n";
  } else if (decision.estimate) {
    const auto& estimate = *decision.estimate;
    out += fmt::format("  estimate  P(agrees) {:.2f} (90% interval {:.2f} to {:.2f}), {} outcome{}, {}{}\n",
                       estimate.p_agree, estimate.lower, estimate.upper, estimate.outcomes,
                       estimate.outcomes == 1 ? "" : "s", how_many_near(estimate),
                       estimate.score_rank ? fmt::format(", rank {:.2f}", *estimate.score_rank) : "");
  }
  for (const auto& near : decision.neighbours) {
    out += fmt::format("  near      similarity {:.2f}: {}\n", near.similarity, show(near.skill));
  }
  if (!decision.degraded.empty()) out += fmt::format("  note      no embedding: {}\n", decision.degraded);
  for (const auto& attempt : decision.attempts) out += show_call(attempt, "");
  if (decision.simulated) out += "  note      a simulated model was called\n";
  return out;
}

}  // namespace brevet
