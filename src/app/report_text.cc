#include "app/report_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

#include "app/json_path.h"

namespace brevet {
namespace {

namespace json = boost::json;

std::uint64_t count(const json::value& value) {
  return static_cast<std::uint64_t>(std::max(0.0, number(value).value_or(0)));
}
std::string text(const json::value& value) {
  return value.is_string() ? std::string(value.get_string()) : std::string{};
}

/// "$12.50", "$0.0152": two places from a dollar up, below that three digits that say something.
std::string dollars(double usd) {
  const double size = std::abs(usd);
  const int places =
      size == 0 || size >= 1 ? 2 : std::min(12, 2 - static_cast<int>(std::floor(std::log10(size))));
  return fmt::format("{}${:.{}f}", usd < 0 ? "-" : "", size, places);
}
std::string percent(double share) {
  const auto out = fmt::format("{:.1f}", share * 100);
  return (out.ends_with(".0") ? out.substr(0, out.size() - 2) : out) + "%";
}
std::string counted(std::uint64_t n, const std::string& one, const std::string& many) {
  return fmt::format("{} {}", n, n == 1 ? one : many);
}
std::string requests(std::uint64_t n) {
  return counted(n, "request", "requests");
}

/// A CostTotal: "$0.002", or that it is not known; with the calls that are not in it.
std::string total(const json::value& sum) {
  const auto usd = number(at(sum, {"usd_number"}));
  const auto unknown = count(at(sum, {"unknown"}));
  if (!usd || (count(at(sum, {"known"})) == 0 && unknown > 0)) return std::string("an amount ") + kUnknown;
  auto out = dollars(*usd);
  if (unknown > 0) out += fmt::format(" (and {} of unknown cost)", counted(unknown, "call", "calls"));
  return out;
}

/// "(95% interval 70% to 94%)"
std::string interval(const json::value& rate) {
  const auto low = number(at(rate, {"low"}));
  const auto high = number(at(rate, {"high"}));
  return low && high ? fmt::format("95% interval {} to {}", percent(*low), percent(*high)) : kUnknown;
}

/// "agreed in 30 of 34 (95% interval ...)"; empty when nothing was compared.
std::string agreement(const json::value& rate, const std::string& of) {
  const auto n = count(at(rate, {"n"}));
  const auto open = count(at(rate, {"cannot_tell"}));
  if (n == 0 && open == 0) return "";
  auto out =
      n == 0 ? fmt::format("agreement {}", kUnknown)
             : fmt::format("agreed in {} of {} {} ({})", count(at(rate, {"same"})), n, of, interval(rate));
  if (open > 0) out += fmt::format("; {} could not be compared", open);
  return out;
}

/// "saved $1.20 (80%)" or what it cost more.
std::string saving(const json::value& amount) {
  const auto usd = number(at(amount, {"usd_number"}));
  if (!usd) return kUnknown;
  const auto share = number(at(amount, {"share"}));
  const auto part = share ? fmt::format(" ({})", percent(std::abs(*share))) : std::string{};
  return *usd < 0 ? fmt::format("{}{} more than that", dollars(-*usd), part)
                  : fmt::format("{}{} saved", dollars(*usd), part);
}

std::string spent(const json::value& row) {
  auto out = total(at(row, {"cost", "serve"})) + " serving";
  double learned = 0;
  std::uint64_t unknown = 0;
  for (const auto* part : {"learn", "guide", "judge"}) {
    learned += number(at(row, {"cost", part, "usd_number"})).value_or(0);
    unknown += count(at(row, {"cost", part, "unknown"}));
  }
  out += fmt::format(" + {} learning", dollars(learned));
  if (unknown > 0) out += fmt::format(" (and {} of unknown cost)", counted(unknown, "call", "calls"));
  return out;
}

std::string observed(const json::value& observe) {
  auto out = fmt::format("  observe: weak would have taken {} of {}",
                         count(at(observe, {"would_be_weak", "n"})) == 0
                             ? kUnknown
                             : percent(number(at(observe, {"would_be_weak", "share"})).value_or(0)),
                         requests(count(at(observe, {"requests"}))));
  out += fmt::format(" ({})\n", interval(at(observe, {"would_be_weak"})));
  const auto agreed = agreement(at(observe, {"agreement"}), "of those shadowed");
  out += fmt::format("    agreement: {}\n", agreed.empty() ? kUnknown : agreed);
  const auto& saved = at(observe, {"would_have_saved"});
  if (const auto usd = number(at(saved, {"usd_number"}))) {
    const auto share = number(at(saved, {"share_of_always_strong"}));
    out += fmt::format("    would have saved {}{}, an estimate (n = {}, weak's cost from {})\n",
                       dollars(*usd), share ? fmt::format(" ({})", percent(*share)) : "",
                       count(at(saved, {"n"})), counted(count(at(saved, {"weak_costs_n"})), "call", "calls"));
  } else {
    out += fmt::format("    would have saved: {}\n", kUnknown);
  }
  for (const char* what : {"agreement_note", "after_answer_note"}) {
    if (const auto note = text(at(observe, {what})); !note.empty())
      out += fmt::format("    note: {}\n", note);
  }
  return out;
}

std::string routed(const json::value& row) {
  const auto n = count(at(row, {"requests"}));
  const auto reference = count(at(row, {"served", "reference"}));
  const auto guided = count(at(row, {"served", "weak_with_guide"}));
  auto out = requests(n);
  if (n > 0) {
    out += fmt::format(", {} to the reference ({}), {} to weak{}", reference,
                       percent(static_cast<double>(reference) / static_cast<double>(n)),
                       count(at(row, {"served", "weak"})),
                       guided > 0 ? fmt::format(" ({} with a guide)", guided) : "");
  }
  for (const auto* what : {"failed", "cancelled", "fallbacks"}) {
    if (const auto times = count(at(row, {what})); times > 0) out += fmt::format(", {} {}", times, what);
  }
  out += fmt::format("\n  spent {}\n", spent(row));
  const auto& strong = at(row, {"always_strong"});
  const auto priced = count(at(strong, {"known"}));
  if (priced == 0) {
    out += fmt::format("  always asking the reference would have cost: {}\n", kUnknown);
  } else {
    const auto other = count(at(strong, {"unknown"}));
    out += fmt::format("  always asking the reference would have cost {} ({}n = {}{})\n",
                       dollars(number(at(strong, {"usd_number"})).value_or(0)),
                       reference < n ? "an estimate where weak served, " : "", priced,
                       other > 0 ? fmt::format("; {} more unknown", other) : "");
  }
  out += fmt::format("  {}; after learning {} (over {})\n", saving(at(row, {"saved", "serving"})),
                     saving(at(row, {"saved", "after_learning"})), requests(count(at(row, {"saved", "n"}))));
  const auto shadows = agreement(at(row, {"agreement", "weak_alone"}), "shadows");
  out += fmt::format("  weak alone: {}\n", shadows.empty() ? "nothing compared yet" : shadows);
  if (const auto guides = agreement(at(row, {"agreement", "weak_with_guide"}), "trials"); !guides.empty()) {
    out += fmt::format("  weak with a guide: {}\n", guides);
  }
  const auto checks = agreement(at(row, {"agreement", "spot_checks"}), "answers that weak had served");
  out += fmt::format("  spot checks: {}\n", checks.empty() ? "none yet" : checks);
  if (at(row, {"observe"}).is_object()) out += observed(at(row, {"observe"}));
  return out;
}

}  // namespace

std::string report_text(const json::value& report) {
  const auto* rows = at(report, {"routes"}).if_array();
  if (rows == nullptr || rows->empty()) return "No requests yet.\n";
  bool many_tenants = false;
  for (const auto& row : *rows)
    many_tenants |= text(at(row, {"tenant"})) != text(at(rows->front(), {"tenant"}));
  std::string out;
  for (const auto& row : *rows) {
    const auto route = text(at(row, {"route"}));
    out += route.empty() ? "models named by clients" : route;
    if (many_tenants) out += fmt::format(" (tenant {})", text(at(row, {"tenant"})));
    out += ": ";
    if (route.empty()) {
      out += fmt::format("{}; spent {}\n", requests(count(at(row, {"requests"}))),
                         total(at(row, {"cost", "serve"})));
    } else {
      out += routed(row);
    }
    if (const auto simulated = count(at(row, {"simulated"})); simulated > 0) {
      out +=
          fmt::format("  a simulated model was called in {}\n", counted(simulated, "decision", "decisions"));
    }
  }
  return out;
}

}  // namespace brevet
