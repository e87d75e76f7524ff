#include "quality/contract_event.h"

#include "quality/state_bytes.h"

namespace brevet {
namespace {

enum class Kind : std::uint8_t {
  kAdmit = 1,
  kSettle,
  kExpire,
  kFreeze,
  kAdopt,
  kRestart,
  kFloor,
  kSwitch,
};

struct Writer {
  std::string bytes;

  void kind(Kind kind) { put_bytes(bytes, static_cast<std::uint64_t>(kind), 1); }
  void operator()(const AdmitEvent& event) {
    kind(Kind::kAdmit);
    put_bytes(bytes, event.number);
    put_bytes(bytes, event.group, 4);
    put_bytes(bytes,
              static_cast<std::uint64_t>(event.wish) | (event.judged ? 2u : 0u) | (event.answered ? 4u : 0u),
              1);
    put_bytes(bytes, event.position, 4);
    put_bytes(bytes, event.challenger_position, 4);
    put_bytes(bytes, event.shadow_if_risky.raw, 5);
    put_bytes(bytes, event.shadow_if_reference.raw, 5);
    put_bytes(bytes, event.prediction);
    put_bytes(bytes, event.audit.raw, 5);
  }
  void operator()(const SettleEvent& event) {
    kind(Kind::kSettle);
    put_bytes(bytes, event.number);
    put_bytes(bytes, event.group, 4);
    put_bytes(bytes, (event.reference ? 1u : 0u) | (event.truth ? 2u : 0u) | (event.judged ? 4u : 0u), 1);
    if (event.reference) put_bytes(bytes, *event.reference);
    for (const auto* pair : {&event.truth, &event.judged}) {
      if (!*pair) continue;
      put_bytes(bytes, (*pair)->reference);
      put_bytes(bytes, (*pair)->risky);
    }
  }
  void operator()(const ExpireEvent& event) {
    kind(Kind::kExpire);
    put_bytes(bytes, event.number);
    put_bytes(bytes, event.group, 4);
    put_bytes(bytes, event.all_before ? 1 : 0, 1);
  }
  void operator()(const FreezeEvent& event) {
    kind(Kind::kFreeze);
    put_bytes(bytes, event.group, 4);
    put_bytes(bytes, event.positions, 4);
  }
  void operator()(const AdoptEvent& event) {
    kind(Kind::kAdopt);
    put_bytes(bytes, event.group, 4);
  }
  void operator()(const RestartEvent& event) {
    kind(Kind::kRestart);
    put_bytes(bytes, event.group, 4);
    put_bytes(bytes, static_cast<std::uint64_t>(event.why), 1);
  }
  void operator()(const FloorEvent& event) {
    kind(Kind::kFloor);
    put_bytes(bytes, event.group, 4);
    put_bytes(bytes, event.floor.raw, 5);
  }
  void operator()(const SwitchEvent& event) {
    kind(Kind::kSwitch);
    put_bytes(bytes, event.on ? 1 : 0, 1);
  }
};

Probability read_probability(StateReader& reader) {
  const std::uint64_t raw = reader.number(5);
  return {raw > Probability::kOne ? Probability::kOne : raw};
}

ContractEvent read_admit(StateReader& reader) {
  AdmitEvent event;
  event.number = reader.number();
  event.group = static_cast<std::uint32_t>(reader.number(4));
  const std::uint64_t flags = reader.number(1);
  event.wish = flags & 1 ? Wish::kRisky : Wish::kReference;
  event.judged = (flags & 2) != 0;
  event.answered = (flags & 4) != 0;
  event.position = static_cast<std::uint32_t>(reader.number(4));
  event.challenger_position = static_cast<std::uint32_t>(reader.number(4));
  event.shadow_if_risky = read_probability(reader);
  event.shadow_if_reference = read_probability(reader);
  event.prediction = reader.fixed();
  event.audit = read_probability(reader);
  return event;
}

ContractEvent read_settle(StateReader& reader) {
  SettleEvent event;
  event.number = reader.number();
  event.group = static_cast<std::uint32_t>(reader.number(4));
  const std::uint64_t flags = reader.number(1);
  const auto pair = [&] {
    Qualities qualities;
    qualities.reference = reader.real();
    qualities.risky = reader.real();
    return qualities;
  };
  if (flags & 1) event.reference = reader.real();
  if (flags & 2) event.truth = pair();
  if (flags & 4) event.judged = pair();
  return event;
}

}  // namespace

std::string event_bytes(const ContractEvent& event) {
  Writer writer;
  std::visit(writer, event);
  return std::move(writer.bytes);
}

Result<ContractEvent> event_of(std::string_view bytes) {
  StateReader reader(bytes);
  const auto kind = static_cast<Kind>(reader.number(1));
  const auto small = [&](int width) { return static_cast<std::uint32_t>(reader.number(width)); };
  ContractEvent event;
  bool known = true;
  switch (kind) {
    case Kind::kAdmit:
      event = read_admit(reader);
      break;
    case Kind::kSettle:
      event = read_settle(reader);
      break;
    case Kind::kExpire: {
      ExpireEvent expire;
      expire.number = reader.number();
      expire.group = small(4);
      expire.all_before = small(1) != 0;
      event = expire;
      break;
    }
    case Kind::kFreeze: {
      FreezeEvent freeze;
      freeze.group = small(4);
      freeze.positions = small(4);
      event = freeze;
      break;
    }
    case Kind::kAdopt:
      event = AdoptEvent{small(4)};
      break;
    case Kind::kRestart: {
      RestartEvent restart;
      restart.group = small(4);
      restart.why = small(1) == 0 ? RestartEvent::Why::kModelChanged : RestartEvent::Why::kOperator;
      event = restart;
      break;
    }
    case Kind::kFloor: {
      FloorEvent floor;
      floor.group = small(4);
      floor.floor = read_probability(reader);
      event = floor;
      break;
    }
    case Kind::kSwitch:
      event = SwitchEvent{small(1) != 0};
      break;
    default:
      known = false;
  }
  if (!known || !reader.ok() || !bytes.empty())
    return fail(ErrorKind::kInternal, "contract_journal_broken",
                "A record of the contract's journal is of no known kind or length: it was written by another "
                "version.");
  return event;
}

}  // namespace brevet
