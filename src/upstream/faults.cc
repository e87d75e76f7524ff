#include "upstream/faults.h"

#include <charconv>
#include <string>

#include "base/random.h"

namespace brevet {
namespace {

tl::unexpected<Error> bad(const std::string& part, const std::string& what) {
  return fail(ErrorKind::kCallerInvalid, "bad_faults",
              "Faults: \"" + part + "\" " + what +
                  "; write for example 429=0.1,5xx=0.05,cut=0.05,garbage=0.01,slow=0.02:3000ms,seed=7.",
              "faults");
}

template <class T>
bool read(std::string_view text, T& out) {
  const auto end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, out);
  return result.ec == std::errc{} && result.ptr == end;
}

}  // namespace

const char* name_of(Fault fault) {
  switch (fault) {
    case Fault::kNone:
      return "none";
    case Fault::kRateLimited:
      return "429";
    case Fault::kServerError:
      return "5xx";
    case Fault::kCut:
      return "cut";
    case Fault::kGarbage:
      return "garbage";
    case Fault::kSlow:
      return "slow";
  }
  return "none";
}

Result<FaultPlan> parse_faults(std::string_view text) {
  FaultPlan plan;
  while (!text.empty()) {
    const auto comma = text.find(',');
    const std::string part(text.substr(0, comma));
    text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
    const auto equals = part.find('=');
    if (equals == std::string::npos) return bad(part, "has no rate");
    const std::string name = part.substr(0, equals);
    std::string value = part.substr(equals + 1);
    if (name == "seed") {
      if (!read(value, plan.seed)) return bad(part, "needs a whole number");
      continue;
    }
    if (name == "slow") {
      if (const auto colon = value.find(':'); colon != std::string::npos) {
        std::string time = value.substr(colon + 1);
        if (time.ends_with("ms")) time.resize(time.size() - 2);
        std::int64_t ms = 0;
        if (!read(time, ms) || ms < 0 || ms > 3'600'000) return bad(part, "needs a time in milliseconds");
        plan.slow_by = Milliseconds{ms};
        value.resize(colon);
      }
    }
    double rate = 0;
    if (!read(value, rate) || !(rate >= 0 && rate <= 1)) return bad(part, "needs a rate from 0 to 1");
    if (name == "429") {
      plan.rate_limited = rate;
    } else if (name == "5xx") {
      plan.server_error = rate;
    } else if (name == "cut") {
      plan.cut = rate;
    } else if (name == "garbage") {
      plan.garbage = rate;
    } else if (name == "slow") {
      plan.slow = rate;
    } else {
      return bad(part, "is no fault; 429, 5xx, cut, garbage, slow and seed are");
    }
  }
  if (plan.rate_limited + plan.server_error + plan.cut + plan.garbage + plan.slow > 1 + 1e-9) {
    return bad("(all)", "add up to more than 1");
  }
  return plan;
}

Fault draw_fault(const FaultPlan& plan, std::uint64_t call) {
  double u = static_cast<double>(mix_bits(plan.seed, call) >> 11) * 0x1.0p-53;
  const std::pair<double, Fault> kinds[] = {{plan.rate_limited, Fault::kRateLimited},
                                            {plan.server_error, Fault::kServerError},
                                            {plan.cut, Fault::kCut},
                                            {plan.garbage, Fault::kGarbage},
                                            {plan.slow, Fault::kSlow}};
  for (const auto& [rate, fault] : kinds) {
    if (u < rate) return fault;
    u -= rate;
  }
  return Fault::kNone;
}

}  // namespace brevet
