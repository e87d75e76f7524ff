#include "app/models_wish.h"

#include <charconv>
#include <chrono>
#include <ctime>

namespace brevet {
namespace {

tl::unexpected<Error> bad(const std::string& option, const std::string& what) {
  return fail(ErrorKind::kCallerInvalid, "bad_value", option + " " + what + ".", option);
}

}  // namespace

std::string utc_day() {
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[11];
  std::strftime(text, sizeof(text), "%Y-%m-%d", &parts);
  return text;
}

Result<std::optional<Device>> device_of(const ModelsFlags& flags) {
  const bool own = flags.device_tops > 0 || flags.device_memory_gb > 0 || flags.device_bandwidth_gbs > 0;
  if (flags.device.empty() && !own) return std::optional<Device>{};
  Device out;
  if (flags.device.empty()) {
    out.name = "own";
    out.title = "your device";
  } else {
    const auto* found = find_device(flags.device);
    if (!found) {
      std::string names;
      for (const auto& device : device_profiles()) names += (names.empty() ? "" : ", ") + device.name;
      return bad("--device", "must be one of " + names +
                                 "; or give --device-tops, --device-memory-gb and "
                                 "--device-bandwidth-gbs");
    }
    out = *found;
  }
  if (flags.device_tops > 0) out.ops_per_second = flags.device_tops * 1e12;
  if (flags.device_memory_gb > 0) out.memory_bytes = flags.device_memory_gb * 1e9;
  if (flags.device_bandwidth_gbs > 0) out.bytes_per_second = flags.device_bandwidth_gbs * 1e9;
  if (flags.memory_share > 0) out.memory_share = flags.memory_share;
  if (own && !flags.device.empty()) out.source += "; numbers given by you replace these";
  return std::optional(std::move(out));
}

FitAssumptions assumptions_of(const ModelsFlags& flags) {
  FitAssumptions out;
  out.context_tokens = flags.context;
  out.prompt_tokens = flags.prompt_tokens;
  out.answer_tokens = flags.answer_tokens;
  if (flags.compute_share > 0) out.compute_share = flags.compute_share;
  if (flags.bandwidth_share > 0) out.bandwidth_share = flags.bandwidth_share;
  return out;
}

Result<ModelWish> wish_of(const ModelsFlags& flags) {
  ModelWish out;
  for (const auto& name : flags.capabilities) {
    const auto capability = parse_capability(name);
    if (!capability) {
      std::string names;
      for (const auto known : kCapabilities)
        names += (names.empty() ? "" : ", ") + std::string(name_of(known));
      return bad("--need", "knows no capability '" + name + "'; there are " + names);
    }
    out.capabilities.push_back(*capability);
  }
  for (const auto& name : flags.licences) {
    const auto kind = parse_licence_class(name);
    if (!kind) return bad("--licence", "knows no class '" + name + "'; --help lists them");
    out.licences.push_back(*kind);
  }
  if (flags.context_min > 0) out.context_min = flags.context_min;
  if (!flags.price_max.empty()) {
    out.price_max = Money::parse_usd(flags.price_max);
    if (!out.price_max || *out.price_max < Money{} || out.price_max->usd() > 1e4)
      return bad("--max-price", "must be USD per million tokens, such as 0.5");
  }
  const auto colon = flags.mix.find(':');
  const auto part = [&](std::size_t from, std::size_t to) {
    int value = -1;
    const char* end = flags.mix.data() + to;
    const auto read = std::from_chars(flags.mix.data() + from, end, value);
    return read.ec == std::errc{} && read.ptr == end && value <= 1000 ? value : -1;
  };
  if (colon != std::string::npos) {
    out.input_parts = part(0, colon);
    out.output_parts = part(colon + 1, flags.mix.size());
  }
  if (colon == std::string::npos || out.input_parts < 0 || out.output_parts < 0 ||
      out.input_parts + out.output_parts == 0)
    return bad("--mix", "must be input and output parts, such as 3:1");
  if (flags.size_max > 0) {
    if (flags.size_max > 1e6) return bad("--max-size", "is in billions of parameters, at most a million");
    out.parameters_max = static_cast<std::int64_t>(flags.size_max * 1e9);
  }
  out.local_only = flags.local_only;
  if (flags.not_retired) out.today = utc_day();
  out.unknown = flags.unknown == "allow"    ? UnknownRule::kAllow
                : flags.unknown == "reject" ? UnknownRule::kReject
                                            : UnknownRule::kSeparate;
  auto device = device_of(flags);
  if (!device) return fail(device.error());
  if (*device) {
    DeviceWish wish{**device, assumptions_of(flags), flags.bits_min, std::nullopt, std::nullopt};
    if (!flags.quantisation.empty()) {
      const auto* found = find_quantisation(flags.quantisation);
      if (!found) return bad("--quantisation", "must be f16, q8_0, q6_k, q5_k, q4_k, q3_k or q2_k");
      wish.quantisation = *found;
    }
    if (flags.speed_min > 0) wish.tokens_per_second_min = flags.speed_min;
    out.device = std::move(wish);
  } else if (flags.speed_min > 0 || !flags.quantisation.empty()) {
    return bad("--device", "is needed for --min-speed and --quantisation");
  }
  return out;
}

}  // namespace brevet
