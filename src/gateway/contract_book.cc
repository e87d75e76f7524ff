#include "gateway/contract_book.h"

#include <bit>

#include "store/varint.h"

namespace brevet::contract {
namespace {

void put_double(std::string& out, double value) {
  varint::put(out, std::bit_cast<std::uint64_t>(value));
}
double take_double(varint::Reader& in) {
  return std::bit_cast<double>(in.number());
}

/// What a check costs while no price is known: a tenth of a reference call, as of usual pairs of models.
constexpr double kRiskyCostAssumed = .1;

}  // namespace

void put_entry(std::string& payload, const Entry& entry) {
  payload += static_cast<char>(entry.kind);
  varint::put(payload, entry.book);
  varint::put(payload, std::string_view(entry.body));
}

std::optional<std::vector<Entry>> entries_of(std::string_view payload) {
  std::vector<Entry> out;
  varint::Reader in(payload);
  while (!in.at_end()) {
    Entry entry;
    entry.kind = static_cast<EntryKind>(in.character());
    entry.book = in.number();
    entry.body = in.text();
    if (!in.good()) return std::nullopt;
    out.push_back(std::move(entry));
  }
  return out;
}

std::string options_bytes(const ContractOptions& options) {
  std::string out;
  put_double(out, options.retain);
  put_double(out, options.confidence);
  varint::put(out, static_cast<std::uint64_t>(options.surplus));
  varint::put(out, std::uint64_t{options.groups});
  varint::put(out, std::uint64_t{options.positions});
  varint::put(out, static_cast<std::uint64_t>(options.uncertified));
  varint::put(out, options.key.low);
  varint::put(out, options.key.high);
  put_double(out, options.shadow_floor);
  put_double(out, options.audit_floor);
  put_double(out, options.prediction_min);
  put_double(out, options.credit_max);
  put_double(out, options.alarm_run_length);
  varint::put(out, std::uint64_t{options.open_max});
  return out;
}

std::optional<ContractOptions> options_from(std::string_view bytes) {
  varint::Reader in(bytes);
  ContractOptions out;
  out.retain = take_double(in);
  out.confidence = take_double(in);
  out.surplus = static_cast<SurplusKind>(in.number());
  out.groups = static_cast<std::uint32_t>(in.number());
  out.positions = static_cast<std::uint32_t>(in.number());
  out.uncertified = static_cast<Uncertified>(in.number());
  out.key.low = in.number();
  out.key.high = in.number();
  out.shadow_floor = take_double(in);
  out.audit_floor = take_double(in);
  out.prediction_min = take_double(in);
  out.credit_max = take_double(in);
  out.alarm_run_length = take_double(in);
  out.open_max = static_cast<std::size_t>(in.number());
  if (!in.good()) return std::nullopt;
  return out;
}

void refill_plan(Group& group, const LearningPlanOptions& plan) {
  const double moment = group.moment_n > 0 ? group.moment_sum / static_cast<double>(group.moment_n)
                                           : ShadowQuestion{}.loss_second_moment;
  group.plan.emplace(plan);
  const auto admitted = static_cast<std::uint64_t>(group.reference_total);
  for (std::uint64_t i = 0; i < admitted; ++i)
    group.plan->admitted(1, i == 0 ? group.spent_total : 0, moment);
  for (std::uint64_t i = 0; i < group.comparisons; ++i) group.plan->compared();
}

double Book::risky_cost() const {
  if (reference_costs == 0 || other_costs == 0 || reference_cost <= 0) return kRiskyCostAssumed;
  return (other_cost / static_cast<double>(other_costs)) /
         (reference_cost / static_cast<double>(reference_costs));
}

bool Book::apply_event(const ContractEvent& event) {
  if (const auto* admitted = std::get_if<AdmitEvent>(&event)) {
    if (admitted->number != contract->next_number() || admitted->group >= groups.size()) return false;
    const auto admission = contract->admit(*admitted);
    auto& group = groups[admitted->group];
    group.reference_total += 1;
    if (admission.shadow) group.spent_total += admission.served == Served::kRisky ? 1 : kRiskyCostAssumed;
    return true;
  }
  if (const auto* settled = std::get_if<SettleEvent>(&event)) {
    if (settled->group >= groups.size()) return false;
    const auto& found = settled->truth ? settled->truth : settled->judged;
    if (found) {
      auto& group = groups[settled->group];
      ++group.comparisons;
      group.plan->compared();
      group.agreed += found->risky > .5 ? 1 : 0;
    }
  }
  if (const auto* declared = std::get_if<FloorEvent>(&event)) {
    if (declared->group < groups.size()) groups[declared->group].floor = declared->floor;
  }
  if (const auto* flip = std::get_if<SwitchEvent>(&event)) switched_on = flip->on;
  return contract->apply(event).has_value();
}

bool Book::apply(const Entry& entry, const LearningPlanOptions& plan) {
  varint::Reader in(entry.body);
  switch (entry.kind) {
    case EntryKind::kOpened: {
      tenant = in.text();
      route = in.text();
      fingerprint = in.text();
      const auto options = options_from(in.view());
      if (!in.good() || !options) return false;
      auto made = Contract::create(*options);
      if (!made) return false;
      contract = std::move(*made);
      groups.assign(options->groups, {});
      for (auto& group : groups) {
        group.plan.emplace(plan);
        group.floor = probability_of(options->shadow_floor);
      }
      return true;
    }
    case EntryKind::kCheckpoint: {
      auto restored = Contract::restore(contract->options(), entry.body);
      if (!restored) return false;
      contract = std::move(*restored);
      switched_on = groups.empty() || contract->report(0).standing != Refusal::kSwitchedOff;
      for (std::uint32_t i = 0; i < groups.size(); ++i) groups[i].floor = contract->report(i).floor;
      return true;
    }
    case EntryKind::kEvent: {
      const auto event = event_of(entry.body);
      return event && apply_event(*event);
    }
    case EntryKind::kPath: {
      const auto place = in.number();
      const auto count = in.number();
      if (!in.good() || place >= groups.size() || count > ContractOptions::kPositionsMax) return false;
      auto& group = groups[place];
      group.thresholds.clear();
      for (std::uint64_t i = 0; i < count; ++i) group.thresholds.push_back(take_double(in));
      group.scores.clear();
      return in.good();
    }
    case EntryKind::kModel: {
      const auto configuration = in.text();
      auto model_id = in.text();
      if (!in.good()) return false;
      model_ids[configuration].push_back(std::move(model_id));
      return true;
    }
    case EntryKind::kVersion:
      version = entry.body;
      return true;
    case EntryKind::kTotals: {
      const auto place = in.number();
      if (!in.good() || place >= groups.size()) return false;
      auto& group = groups[place];
      group.reference_total = take_double(in);
      group.spent_total = take_double(in);
      group.comparisons = in.number();
      group.agreed = in.number();
      group.cannot_tell = in.number();
      if (!in.good()) return false;
      refill_plan(group, plan);
      return true;
    }
  }
  return false;
}

}  // namespace brevet::contract
