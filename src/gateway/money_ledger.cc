#include "gateway/money_ledger.h"

#include <charconv>
#include <functional>

namespace brevet {

void AgreementCount::add(Verdict verdict) {
  ++(verdict == Verdict::kSame ? same : verdict == Verdict::kDifferent ? different : cannot_tell);
}

RouteFigures& MoneyLedger::at(const std::string& tenant, const std::string& route) {
  auto& figures = routes_[{tenant, route}];
  if (figures.tenant.empty()) figures.tenant = tenant, figures.route = route;
  return figures;
}

namespace {

void add_attempts(RouteFigures& figures, const std::vector<Attempt>& attempts) {
  for (const auto& attempt : attempts) {
    if (attempt.state == AttemptState::kPending) continue;
    if (!attempt.parts.empty()) {
      // Its cost is theirs.
      add_attempts(figures, attempt.parts);
      continue;
    }
    switch (attempt.purpose) {
      case Purpose::kServe:
      case Purpose::kFuse:
        figures.serve.add(attempt.cost);
        break;
      case Purpose::kLearn:
        figures.learn.add(attempt.cost);
        break;
      case Purpose::kGuide:
        figures.guide.add(attempt.cost);
        break;
      case Purpose::kJudge:
        figures.judge.add(attempt.cost);
        break;
    }
  }
}

}  // namespace

void MoneyLedger::served(const Decision& decision) {
  std::lock_guard lock(mutex_);
  auto& figures = at(decision.tenant, decision.route);
  add_attempts(figures, decision.attempts);
  if (decision.simulated) ++figures.simulated;
  if (decision.state == DecisionState::kFailed) ++figures.failed;
  if (decision.state == DecisionState::kCancelled) ++figures.cancelled;
  const auto* served = decision.served();
  if (decision.state != DecisionState::kServed || !served) return;
  ++figures.requests;
  for (const auto& attempt : decision.attempts) {
    if (attempt.state == AttemptState::kFailed) {
      ++figures.fallbacks;
      break;
    }
  }
  if (decision.route.empty()) return;
  // What was fused by it is not its own answer.
  const bool reference =
      served->configuration.key() == decision.partition.reference && served->purpose == Purpose::kServe;
  ++(reference ? figures.reference_served : figures.weak_served);
  if (!reference && !served->configuration.guide.empty()) ++figures.weak_with_guide;
  if (decision.exact_repeat) ++figures.exact_repeats;
  figures.baseline.add(decision.baseline);
  if (decision.cost.amount && decision.baseline.amount) {
    ++figures.paired;
    figures.paired_cost += *decision.cost.amount;
    figures.paired_baseline += *decision.baseline.amount;
  }
  if (!decision.would_have.empty()) {
    ++figures.observed;
    if (decision.would_have != decision.partition.reference) {
      ++figures.would_be_weak;
      figures.would_be_weak_baseline.add(decision.baseline);
    }
  }
}

void MoneyLedger::shadowed(const Decision& shadow, const ShadowResult& result, Parent parent) {
  std::lock_guard lock(mutex_);
  auto& figures = at(shadow.tenant, shadow.route);
  add_attempts(figures, shadow.attempts);
  ++figures.shadows;
  if (result.spot_check) {
    figures.spot_checks.add(result.weak_alone_known       ? result.weak_alone
                            : result.guides_tried.empty() ? Verdict::kCannotTell
                                                          : result.guides_tried.front().second);
    return;
  }
  if (result.weak_alone_known) {
    figures.weak_alone.add(result.weak_alone);
    if (parent == Parent::kWouldBeWeak) {
      figures.would_be_agreement.add(result.weak_alone);
      for (const auto& attempt : shadow.attempts) {
        if (attempt.purpose == Purpose::kLearn && attempt.configuration.guide.empty())
          figures.would_be_weak_cost.add(attempt.cost);
      }
    }
  }
  for (const auto& [id, verdict] : result.guides_tried) figures.with_guide.add(verdict);
  if (result.new_guide_verdict) figures.with_guide.add(*result.new_guide_verdict);
  if (result.new_guide) ++figures.guides_written;
  if (result.guide_leaked) ++figures.guides_leaked;
}

bool MoneyLedger::book(const std::string& tenant, const std::string& route, const LearningBudget& budget,
                       std::optional<Money> worst) {
  std::lock_guard lock(mutex_);
  auto& figures = at(tenant, route);
  if (!worst) {
    const auto limit =
        budget.share * static_cast<double>(figures.requests) + static_cast<double>(budget.unpriced_allowance);
    if (static_cast<double>(figures.unpriced_shadows) >= limit) return false;
    ++figures.unpriced_shadows;
    return true;
  }
  const double limit = budget.share * static_cast<double>(figures.serve.known.pico_usd) +
                       static_cast<double>(budget.allowance.pico_usd);
  const auto after = figures.learn_charged + figures.booked + *worst;
  if (static_cast<double>(after.pico_usd) > limit) return false;
  figures.booked += *worst;
  return true;
}

void MoneyLedger::settle(const std::string& tenant, const std::string& route, std::optional<Money> worst,
                         const std::optional<Cost>& actual) {
  std::lock_guard lock(mutex_);
  auto& figures = at(tenant, route);
  if (!worst) {
    if (!actual) --figures.unpriced_shadows;
    if (actual && actual->amount) figures.learn_charged += *actual->amount;
    return;
  }
  figures.booked -= *worst;
  if (actual) figures.learn_charged += actual->amount ? *actual->amount : *worst;
}

std::vector<RouteFigures> MoneyLedger::snapshot() const {
  std::lock_guard lock(mutex_);
  std::vector<RouteFigures> out;
  out.reserve(routes_.size());
  for (const auto& [key, figures] : routes_) out.push_back(figures);
  return out;
}

// ---- Saving. One line per tenant and route: names length-prefixed, then every number in a fixed order.
namespace {

constexpr std::string_view kHeader = "brevet-ledger-1\n";

/// Calls `visit` on every number, in the one order that save() and restore() share.
template <class Figures, class Visit>
void each_number(Figures& f, Visit&& visit) {
  for (auto* n : {&f.requests, &f.reference_served, &f.weak_served, &f.weak_with_guide, &f.exact_repeats,
                  &f.failed, &f.cancelled, &f.fallbacks, &f.simulated, &f.paired, &f.shadows,
                  &f.guides_written, &f.guides_leaked, &f.observed, &f.would_be_weak, &f.unpriced_shadows}) {
    visit(*n);
  }
  for (auto* total : {&f.serve, &f.learn, &f.guide, &f.judge, &f.baseline, &f.would_be_weak_baseline,
                      &f.would_be_weak_cost}) {
    visit(total->known.pico_usd);
    visit(total->known_count);
    visit(total->unknown_count);
    visit(total->basis);
  }
  for (auto* money : {&f.paired_cost, &f.paired_baseline, &f.learn_charged, &f.booked})
    visit(money->pico_usd);
  for (auto* count : {&f.spot_checks, &f.weak_alone, &f.with_guide, &f.would_be_agreement}) {
    visit(count->same);
    visit(count->different);
    visit(count->cannot_tell);
  }
}

std::optional<std::int64_t> take_number(std::string_view& text, char end) {
  std::int64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc{} || parsed.ptr == text.data() + text.size() || *parsed.ptr != end)
    return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()) + 1);
  return value;
}

std::optional<std::string> take_name(std::string_view& text) {
  const auto size = take_number(text, ':');
  if (!size || *size < 0 || static_cast<std::size_t>(*size) > text.size()) return std::nullopt;
  std::string out(text.substr(0, static_cast<std::size_t>(*size)));
  text.remove_prefix(out.size());
  return out;
}

}  // namespace

std::string MoneyLedger::save() const {
  std::string out(kHeader);
  for (const auto& figures : snapshot()) {
    out += std::to_string(figures.tenant.size()) + ":" + figures.tenant;
    out += std::to_string(figures.route.size()) + ":" + figures.route;
    each_number(figures, [&](const auto& n) { out += std::to_string(static_cast<std::int64_t>(n)) + ","; });
    out += "\n";
  }
  return out;
}

bool MoneyLedger::restore(std::string_view text) {
  if (!text.starts_with(kHeader)) return false;
  text.remove_prefix(kHeader.size());
  std::map<std::pair<std::string, std::string>, RouteFigures> read;
  while (!text.empty()) {
    RouteFigures figures;
    const auto tenant = take_name(text);
    const auto route = tenant ? take_name(text) : std::nullopt;
    if (!route) return false;
    figures.tenant = *tenant;
    figures.route = *route;
    bool good = true;
    each_number(figures, [&](auto& n) {
      const auto value = good ? take_number(text, ',') : std::nullopt;
      good = value.has_value();
      if (good) n = static_cast<std::remove_reference_t<decltype(n)>>(*value);
    });
    if (!good || text.empty() || text.front() != '\n') return false;
    text.remove_prefix(1);
    figures.learn_charged += figures.booked;
    figures.booked = {};
    read[{*tenant, *route}] = std::move(figures);
  }
  std::lock_guard lock(mutex_);
  routes_ = std::move(read);
  return true;
}

void MoneyLedger::forget_tenant(const std::string& tenant) {
  std::lock_guard lock(mutex_);
  std::erase_if(routes_, [&](const auto& entry) { return entry.first.first == tenant; });
}

}  // namespace brevet
