#include "gateway/contract_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>

#include "quality/proportion.h"

namespace brevet {
namespace {

namespace json = boost::json;

std::string percent(double share) {
  return fmt::format("{:.3g}%", share * 100);
}

std::string whole(double n) {
  return fmt::format("{:.0f}", std::ceil(n));
}

const char* name_of(LearningStop stop) {
  switch (stop) {
    case LearningStop::kGoesOn:
      return "goes_on";
    case LearningStop::kBudgetSpent:
      return "budget_spent";
    case LearningStop::kDoesNotPay:
      return "does_not_pay";
    case LearningStop::kNothingToGain:
      return "nothing_to_gain";
  }
  return "goes_on";
}

template <class T>
json::value or_null(const std::optional<T>& value) {
  return value ? json::value(*value) : json::value(nullptr);
}

/// The one sentence that may be said; it speaks of agreement, because that is what is measured.
std::string promise_of(const ContractState& state) {
  auto out = fmt::format(
      "With confidence {}, at every moment: of all answers served, at least {} of 100 are {}'s own or match "
      "it.",
      percent(state.terms.confidence), fmt::format("{:.3g}", state.terms.retain * 100), state.reference);
  if (!state.terms.judge.empty()) {
    out += fmt::format(
        " Where a check cannot tell whether answers match, {} judges, and {} checks {} of its verdicts.",
        state.terms.judge, state.terms.auditor, percent(state.terms.audit_share));
  }
  if (!state.terms.groups.empty()) out += " This holds for each group on its own.";
  return out;
}

struct Standing {
  std::string code;      ///< learning, serving, ...
  std::string sentence;  ///< what is missing, and how long it will take
};

std::string forecast(const ContractGroupState& group) {
  if (group.report.requests_until_next) {
    return fmt::format("about {} more requests at the present rate",
                       whole(*group.report.requests_until_next));
  }
  return group.compared == 0
             ? std::string("nothing has been compared yet")
             : std::string("the evidence does not grow at present, so no number can be given");
}

/// What may be served by the weak model, in words.
std::string certified_words(const ContractState& state, const ContractGroupState& group) {
  const auto& report = group.report;
  if (report.certified == 0) return fmt::format("{} serves nothing yet", state.weak);
  if (group.thresholds.empty()) return "what the strategy chooses is served";
  return fmt::format("{} of {} thresholds are certified: {} serves where the score is at least {:.3g}",
                     report.certified, report.positions, state.weak,
                     std::max(group.thresholds[report.certified - 1], -1e9));
}

Standing standing_of(const ContractState& state, const ContractGroupState& group) {
  const auto& report = group.report;
  if (!state.switched_on)
    return {"stopped", fmt::format("An operator has stopped it: {} serves everything, nothing is learned.",
                                   state.reference)};
  if (state.coins_refuted)
    return {"coins_refuted",
            fmt::format("The coins do not fit their logged probabilities, so nothing is proved any "
                        "more: {} serves everything. Please report it.",
                        state.reference)};
  if (group.learning == LearningStop::kNothingToGain)
    return {
        "nothing_to_gain",
        fmt::format(
            "Learning has stopped: on what was compared, no share of the requests can go to {} within the "
            "promise. It is tried again later, or when a model changes.",
            state.weak)};
  if (group.learning == LearningStop::kDoesNotPay)
    return {"does_not_pay",
            "Learning has stopped: it would cost more than it can save. It is tried again later, or "
            "when a model changes."};
  if (report.standing == Refusal::kDriftAlarm)
    return {
        "alarm",
        fmt::format("What was served fell below the promise, so {} serves until it is certified again; {}.",
                    state.reference, forecast(group))};
  if (report.standing == Refusal::kModelChanged)
    return {"model_changed",
            fmt::format("A provider returned another model id, so {} serves until it is certified "
                        "again; {}.",
                        state.reference, forecast(group))};
  if (report.certified == 0)
    return {"learning", fmt::format("{} serves everything while {} is only compared; missing is proof, {}.",
                                    state.reference, state.weak, forecast(group))};
  if (report.credit < state.terms.retain)
    return {"no_credit",
            fmt::format("Certified, but the ledger has no credit for a wrong answer now; requests that "
                        "{} serves earn it back.",
                        state.reference)};
  if (report.certified < report.positions)
    return {"serving",
            fmt::format("It serves within the promise; for the next threshold {}.", forecast(group))};
  return {"serving", "It serves within the promise; everything that could be certified is."};
}

json::object group_object(const ContractState& state, const ContractGroupState& group) {
  const auto& report = group.report;
  json::object out;
  out["group"] = group.name.empty() ? (state.terms.groups.empty() ? "all" : "rest") : group.name;
  const auto standing = standing_of(state, group);
  out["state"] = standing.code;
  out["what_is_missing"] = standing.sentence;
  out["requests"] = report.requests;
  out["weak_served"] = report.risky;
  if (report.requests > 0) {
    out["weak_share"] = static_cast<double>(report.risky) / static_cast<double>(report.requests);
  } else {
    out["weak_share"] = nullptr;
  }
  json::object certified;
  certified["positions"] = report.certified;
  certified["of"] = report.positions;
  certified["version"] = report.version;
  certified["sentence"] = certified_words(state, group);
  if (report.certified > 0 && !group.thresholds.empty()) {
    certified["score_from"] = std::max(group.thresholds[report.certified - 1], -1e300);
  } else {
    certified["score_from"] = nullptr;
  }
  certified["log_evidence_next"] = report.next_log_wealth;
  certified["log_evidence_needed"] = report.next_log_needed;
  certified["requests_until_next"] = or_null(report.requests_until_next);
  if (report.challenger_version > 0) {
    certified["challenger"] = json::object{{"version", report.challenger_version},
                                           {"positions", report.challenger_certified},
                                           {"of", report.challenger_positions}};
  } else {
    certified["challenger"] = nullptr;
  }
  out["certified"] = std::move(certified);
  out["ledger"] = json::object{
      {"surplus_at_least", report.bound},
      {"credit", report.credit},
      {"written_off", report.written_off},
      {"wrong_answers_affordable", std::max(0.0, std::floor(report.credit / state.terms.retain))}};
  const double paid = std::min(group.entry_fee, static_cast<double>(report.requests - report.risky));
  out["entry_fee"] = json::object{{"requests", std::ceil(group.entry_fee)},
                                  {"still_to_pay", std::max(0.0, std::ceil(group.entry_fee - paid))}};
  json::object checks;
  checks["made"] = report.shadows;
  checks["compared"] = group.compared;
  checks["agreed"] = group.agreed;
  if (group.compared > 0) {
    const auto interval = exact_proportion(std::min(group.agreed, group.compared), group.compared);
    checks["agreement"] = interval.mean;
    checks["agreement_low"] = interval.low;
    checks["agreement_high"] = interval.high;
  } else {
    for (const char* key : {"agreement", "agreement_low", "agreement_high"}) checks[key] = nullptr;
  }
  checks["cannot_tell"] = group.cannot_tell;
  checks["under_way"] = report.open;
  checks["never_came"] = report.expired;
  checks["cost_share"] = group.checks_spent_share;
  checks["cost_share_note"] = "of what always asking the reference would cost, in calls of the reference";
  checks["smallest_probability"] = report.floor.value();
  checks["learning"] = name_of(group.learning);
  out["checks"] = std::move(checks);
  out["refused"] =
      json::object{{"no_credit", report.refused_credit},    {"not_certified", report.refused_certificate},
                   {"drift_alarm", report.refused_drift},   {"model_changed", report.refused_model},
                   {"switched_off", report.refused_switch}, {"coins_refuted", report.refused_coins}};
  out["drift"] = json::object{{"alarms", report.alarms},
                              {"restarts", report.restarts},
                              {"evidence", report.alarm_evidence},
                              {"alarm_at", state.terms.alarm_run_length}};
  if (group.feasible) {
    const auto& feasible = *group.feasible;
    out["feasible"] = json::object{
        {"share", feasible.share},
        {"share_high", feasible.share_high},
        {"n", feasible.n},
        {"sentence",
         fmt::format("With these two models and this score at most {} of the requests can ever go to {} "
                     "within the promise ({} on the {} compared).",
                     percent(feasible.share_high), state.weak, percent(feasible.share), feasible.n)}};
  } else {
    out["feasible"] = nullptr;
  }
  if (group.thresholds.empty() && group.scores_seen > 0) {
    out["thresholds"] = json::object{{"scores_seen", group.scores_seen}, {"frozen_after", kScoresForPath}};
  } else if (!group.thresholds.empty()) {
    json::array thresholds;
    for (const double threshold : group.thresholds) thresholds.push_back(std::max(threshold, -1e300));
    out["thresholds"] = std::move(thresholds);
  } else {
    out["thresholds"] = nullptr;
  }
  return out;
}

json::value money_object(const ContractState& state, const std::vector<RouteFigures>& figures) {
  const auto row = std::find_if(figures.begin(), figures.end(), [&](const RouteFigures& figure) {
    return figure.tenant == state.tenant && figure.route == state.route;
  });
  if (row == figures.end() || row->paired == 0) return nullptr;
  const Money serving = row->paired_baseline - row->paired_cost;
  const Money learning = row->learn.known + row->guide.known + row->judge.known;
  const Money net = serving - learning;
  json::object out;
  out["serving_usd"] = serving.usd();
  out["learning_usd"] = learning.usd();
  out["learning_calls_unpriced"] =
      row->learn.unknown_count + row->guide.unknown_count + row->judge.unknown_count;
  out["net_usd"] = net.usd();
  if (row->paired_baseline.pico_usd > 0) {
    out["net_share"] = static_cast<double>(net.pico_usd) / static_cast<double>(row->paired_baseline.pico_usd);
  } else {
    out["net_share"] = nullptr;
  }
  out["n"] = row->paired;
  out["note"] =
      "against always asking the reference, which is an estimate where weak served; all of the route's "
      "learning is charged";
  return out;
}

json::array assumptions_of(const ContractState& state) {
  json::array out;
  const auto say = [&](const std::string& sentence) { out.push_back(json::value(sentence)); };
  say(fmt::format(
      "It speaks of agreement with {}, not of truth: where both are wrong alike, nothing is noticed.",
      state.reference));
  say(fmt::format("It speaks of all requests{} together, never of a single one.",
                  state.terms.groups.empty() ? "" : " of a group"));
  say(fmt::format("About {} of the answers may be wrong by arithmetic alone; that is what keeping {} means.",
                  percent(1 - state.terms.retain), percent(state.terms.retain)));
  if (state.terms.judge.empty()) {
    say("Answers that a check cannot compare count as different, so free text earns little; a judge with an "
        "auditor "
        "would help.");
  } else {
    say(fmt::format(
        "The word of {} is taken as the truth about whether answers match; {} is corrected by it.",
        state.terms.auditor, state.terms.judge));
  }
  say(fmt::format("An outcome that has not come after {} s counts as a wrong answer.",
                  std::chrono::duration_cast<std::chrono::seconds>(state.terms.outcome_timeout).count()));
  say("Which answers are compared is drawn by coins that no client can know or influence.");
  say("Requests that may not leave this machine, or come while the reference cannot be reached, are outside "
      "of it.");
  return out;
}

}  // namespace

std::string contract_json(const std::vector<ContractState>& states,
                          const std::vector<RouteFigures>& figures) {
  json::array contracts;
  for (const auto& state : states) {
    json::object out;
    out["route"] = state.route;
    out["tenant"] = state.tenant;
    out["weak"] = state.weak;
    out["reference"] = state.reference;
    out["promise"] = json::object{{"retain", state.terms.retain},
                                  {"confidence", state.terms.confidence},
                                  {"speaks_of", state.terms.judge.empty() ? "agreement" : "judged_agreement"},
                                  {"sentence", promise_of(state)}};
    out["switched_on"] = state.switched_on;
    json::array groups;
    std::uint64_t requests = 0, weak = 0;
    for (const auto& group : state.groups) {
      groups.push_back(group_object(state, group));
      requests += group.report.requests;
      weak += group.report.risky;
    }
    out["requests"] = requests;
    out["weak_served"] = weak;
    if (requests > 0) {
      out["weak_share"] = static_cast<double>(weak) / static_cast<double>(requests);
    } else {
      out["weak_share"] = nullptr;
    }
    out["groups"] = std::move(groups);
    out["saved"] = money_object(state, figures);
    out["not_checkable"] = state.uncheckable;
    out["outside"] = state.outside;
    json::object models;
    for (const auto& [model, ids] : state.model_ids) {
      json::array list;
      for (const auto& id : ids) list.push_back(json::value(id));
      models[model] = std::move(list);
    }
    out["model_ids"] = std::move(models);
    out["assumptions"] = assumptions_of(state);
    out["state_hash"] = state.state_hash;
    if (state.restored_hash.empty()) {
      out["restored_hash"] = nullptr;
    } else {
      out["restored_hash"] = state.restored_hash;
    }
    contracts.push_back(std::move(out));
  }
  return json::serialize(json::object{{"schema", 1}, {"contracts", std::move(contracts)}});
}

}  // namespace brevet
