#include "app/contract_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "app/json_path.h"

namespace brevet {
namespace {

namespace json = boost::json;

std::string text(const json::value& value) {
  return value.is_string() ? std::string(value.get_string()) : std::string(kUnknown);
}
std::string count(const json::value& value) {
  const auto n = number(value);
  return n ? fmt::format("{:.0f}", *n) : kUnknown;
}
std::string percent(const json::value& value) {
  const auto share = number(value);
  if (!share) return kUnknown;
  const auto out = fmt::format("{:.1f}", *share * 100);
  return (out.ends_with(".0") ? out.substr(0, out.size() - 2) : out) + "%";
}
std::string dollars(const json::value& value) {
  const auto usd = number(value);
  if (!usd) return kUnknown;
  const double size = std::abs(*usd);
  const int places =
      size == 0 || size >= 1 ? 2 : std::min(12, 2 - static_cast<int>(std::floor(std::log10(size))));
  return fmt::format("{}${:.{}f}", *usd < 0 ? "-" : "", size, places);
}

std::string row(const char* name, const std::string& what) {
  return fmt::format("  {:<12}{}\n", name, what);
}

std::string group_text(const json::value& group, bool named) {
  std::string out;
  if (named) out += fmt::format("\n  group {}\n", text(at(group, {"group"})));
  out += row("now", fmt::format("{}: {}", text(at(group, {"state"})), text(at(group, {"what_is_missing"}))));
  out += row("certified", fmt::format("{} ({} of {})", text(at(group, {"certified", "sentence"})),
                                      count(at(group, {"certified", "positions"})),
                                      count(at(group, {"certified", "of"}))));
  out += row("served", fmt::format("{} requests, {} of them by weak ({})", count(at(group, {"requests"})),
                                   count(at(group, {"weak_served"})), percent(at(group, {"weak_share"}))));
  const auto fee = number(at(group, {"entry_fee", "still_to_pay"})).value_or(0);
  if (fee > 0)
    out += row("entry fee",
               fmt::format("about {:.0f} more requests to the reference before weak can be afforded", fee));
  out +=
      row("ledger", fmt::format("credit for {} wrong answers now; sure so far: {} ahead of the promise",
                                count(at(group, {"ledger", "wrong_answers_affordable"})),
                                fmt::format("{:.1f} answers",
                                            number(at(group, {"ledger", "surplus_at_least"})).value_or(0))));
  auto compared = fmt::format("{} compared, {} agreed", count(at(group, {"checks", "compared"})),
                              count(at(group, {"checks", "agreed"})));
  if (number(at(group, {"checks", "agreement"}))) {
    compared += fmt::format(
        " ({}, 95% interval {} to {}, of those compared)", percent(at(group, {"checks", "agreement"})),
        percent(at(group, {"checks", "agreement_low"})), percent(at(group, {"checks", "agreement_high"})));
  }
  for (const auto& [key, words] :
       {std::pair{"cannot_tell", "could not be told apart"}, std::pair{"under_way", "under way"},
        std::pair{"never_came", "never came"}}) {
    if (number(at(group, {"checks", key})).value_or(0) > 0)
      compared += fmt::format(", {} {}", count(at(group, {"checks", key})), words);
  }
  out += row("checks", compared);
  out += row("", fmt::format("they cost {} of what always asking the reference would cost",
                             percent(at(group, {"checks", "cost_share"}))));
  if (at(group, {"feasible"}).is_object()) out += row("at most", text(at(group, {"feasible", "sentence"})));
  const auto alarms = number(at(group, {"drift", "alarms"})).value_or(0);
  const auto restarts = number(at(group, {"drift", "restarts"})).value_or(0);
  if (alarms + restarts > 0)
    out += row("drift", fmt::format("{:.0f} alarms, {:.0f} times certified anew", alarms, restarts));
  return out;
}

}  // namespace

std::string contract_text(const json::value& report) {
  const auto* contracts = at(report, {"contracts"}).if_array();
  if (contracts == nullptr || contracts->empty()) {
    return "No contract has served a request yet. A route promises by `contract: {retain: .95, confidence: "
           ".95}`.\n";
  }
  std::string out;
  for (const auto& contract : *contracts) {
    if (!out.empty()) out += "\n";
    out += fmt::format("{}\n", text(at(contract, {"route"})));
    out += row("promise", text(at(contract, {"promise", "sentence"})));
    const auto* groups = at(contract, {"groups"}).if_array();
    if (groups != nullptr) {
      for (const auto& group : *groups) out += group_text(group, groups->size() > 1);
      if (groups->size() > 1) out += "\n";
    }
    const auto& saved = at(contract, {"saved"});
    out += row("saved",
               saved.is_object()
                   ? fmt::format("{} net of learning ({}), over {} requests: {} by serving, less {} for "
                                 "learning",
                                 dollars(at(saved, {"net_usd"})), percent(at(saved, {"net_share"})),
                                 count(at(saved, {"n"})), dollars(at(saved, {"serving_usd"})),
                                 dollars(at(saved, {"learning_usd"})))
                   : std::string(kUnknown));
    for (const auto& [key, words] :
         {std::pair{"not_checkable", "could not be compared, so the reference served them"},
          std::pair{"outside", "came where the reference could not be called"}}) {
      if (number(at(contract, {key})).value_or(0) > 0)
        out += row("besides", fmt::format("{} requests {}", count(at(contract, {key})), words));
    }
    if (const auto* assumptions = at(contract, {"assumptions"}).if_array()) {
      out += "  it stands on\n";
      for (const auto& assumption : *assumptions) out += fmt::format("    - {}\n", text(assumption));
    }
  }
  return out;
}

}  // namespace brevet
