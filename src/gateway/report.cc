#include "gateway/report.h"

#include <boost/json.hpp>

#include "quality/proportion.h"

namespace brevet {
namespace {

namespace json = boost::json;

json::object money(Money amount) {
  return {{"usd", amount.to_string()}, {"usd_number", amount.usd()}};
}

json::object total(const CostTotal& sum) {
  auto out = money(sum.known);
  out["known"] = sum.known_count;
  out["unknown"] = sum.unknown_count;
  if (sum.known_count > 0) {
    out["basis"] = name_of(sum.basis);
  } else {
    out["basis"] = nullptr;
  }
  return out;
}

json::object rate(std::uint64_t hits, std::uint64_t n) {
  if (n == 0) return {{"share", nullptr}, {"low", nullptr}, {"high", nullptr}, {"n", 0}};
  const auto interval = exact_proportion(hits, n);
  return {{"share", interval.mean}, {"low", interval.low}, {"high", interval.high}, {"n", n}};
}

/// "Cannot tell" is counted beside the rate, never in it.
json::object agreement(const AgreementCount& count) {
  auto out = rate(count.same, count.same + count.different);
  out["same"] = count.same;
  out["different"] = count.different;
  out["cannot_tell"] = count.cannot_tell;
  return out;
}

json::value share_of(Money part, Money whole) {
  if (whole.pico_usd <= 0) return nullptr;
  return static_cast<double>(part.pico_usd) / static_cast<double>(whole.pico_usd);
}

json::object saved(const RouteFigures& row) {
  json::object out;
  out["n"] = row.paired;
  out["note"] =
      "over requests whose cost and always-strong cost are both known; the latter is an estimate where weak "
      "served";
  if (row.paired == 0) {
    out["serving"] = nullptr;
    out["after_learning"] = nullptr;
    return out;
  }
  const Money serving = row.paired_baseline - row.paired_cost;
  auto first = money(serving);
  first["share"] = share_of(serving, row.paired_baseline);
  out["serving"] = std::move(first);
  const Money net = serving - row.learn.known - row.guide.known - row.judge.known;
  auto second = money(net);
  second["share"] = share_of(net, row.paired_baseline);
  second["unknown_learning_costs"] =
      row.learn.unknown_count + row.guide.unknown_count + row.judge.unknown_count;
  out["after_learning"] = std::move(second);
  return out;
}

json::value observed(const RouteFigures& row) {
  if (row.observed == 0) return nullptr;
  json::object out;
  out["requests"] = row.observed;
  out["would_be_weak"] = rate(row.would_be_weak, row.observed);
  out["agreement"] = agreement(row.would_be_agreement);
  out["agreement_note"] =
      "of weak alone, and not weighted: new requests are always shadowed while the budget lasts, remembered "
      "ones at spot_check_share, so repeats count for less than they are; requests that weak would have "
      "served with a guide are in would_be_weak and not in the agreement";
  out["after_answer"] = "not_simulated";
  out["after_answer_note"] =
      "what adaptive would first have asked weak for, to let the answer's log-probability decide, counts as "
      "the "
      "reference's here: with mode on, after_answer may serve more of it by weak than would_be_weak says, at "
      "the cost of a weak call for each such request";
  out["would_have_cost_reference"] = total(row.would_be_weak_baseline);
  const auto& weak = row.would_be_weak_cost;
  if (weak.known_count == 0 || row.would_be_weak_baseline.known_count == 0) {
    out["would_have_saved"] = nullptr;
    return out;
  }
  const double mean = static_cast<double>(weak.known.pico_usd) / static_cast<double>(weak.known_count);
  const Money estimate = row.would_be_weak_baseline.known -
                         Money::from_pico(static_cast<std::int64_t>(
                             mean * static_cast<double>(row.would_be_weak_baseline.known_count)));
  auto amount = money(estimate);
  amount["share_of_always_strong"] = share_of(estimate, row.baseline.known);
  amount["estimate"] = true;
  amount["n"] = row.would_be_weak_baseline.known_count;
  amount["weak_costs_n"] = weak.known_count;
  out["would_have_saved"] = std::move(amount);
  return out;
}

}  // namespace

std::string report_json(const std::vector<RouteFigures>& rows) {
  json::array routes;
  for (const auto& row : rows) {
    json::object out;
    out["tenant"] = row.tenant;
    if (row.route.empty()) {
      out["route"] = nullptr;
    } else {
      out["route"] = row.route;
    }
    out["requests"] = row.requests;
    out["failed"] = row.failed;
    out["cancelled"] = row.cancelled;
    out["fallbacks"] = row.fallbacks;
    out["simulated"] = row.simulated;
    json::object cost{{"serve", total(row.serve)},
                      {"learn", total(row.learn)},
                      {"guide", total(row.guide)},
                      {"judge", total(row.judge)}};
    out["cost"] = std::move(cost);
    if (!row.route.empty()) {
      out["served"] = json::object{{"reference", row.reference_served},
                                   {"weak", row.weak_served},
                                   {"weak_with_guide", row.weak_with_guide},
                                   {"exact_repeats", row.exact_repeats}};
      out["strong_share"] = rate(row.reference_served, row.reference_served + row.weak_served);
      out["always_strong"] = total(row.baseline);
      out["saved"] = saved(row);
      out["shadows"] = row.shadows;
      out["guides"] = json::object{{"written", row.guides_written}, {"leaked", row.guides_leaked}};
      out["agreement"] = json::object{{"spot_checks", agreement(row.spot_checks)},
                                      {"weak_alone", agreement(row.weak_alone)},
                                      {"weak_with_guide", agreement(row.with_guide)},
                                      {"interval", "Clopper-Pearson 95%"}};
      out["observe"] = observed(row);
      out["learning_budget"] =
          json::object{{"charged", money(row.learn_charged)}, {"booked", money(row.booked)}};
    }
    routes.push_back(std::move(out));
  }
  return json::serialize(json::object{{"schema", 1}, {"routes", std::move(routes)}});
}

}  // namespace brevet
