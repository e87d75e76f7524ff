#include "gateway/baseline.h"

#include <fmt/format.h>

#include <cmath>

namespace brevet {

void BaselineEstimator::observe(const std::string& route, const Usage& usage, const Cost& cost) {
  std::lock_guard lock(mutex_);
  auto& means = routes_[route];
  if (usage.output_tokens) {
    ++means.outputs;
    means.output_tokens += (static_cast<double>(*usage.output_tokens) - means.output_tokens) /
                           static_cast<double>(means.outputs);
  }
  if (cost.amount) {
    ++means.costs;
    means.cost_pico +=
        (static_cast<double>(cost.amount->pico_usd) - means.cost_pico) / static_cast<double>(means.costs);
  }
}

BaselineEstimator::Result BaselineEstimator::estimate(const std::string& route,
                                                      const std::string& reference_key,
                                                      const ModelClient* reference, const Usage& served,
                                                      std::size_t request_bytes) const {
  Means means;
  {
    std::lock_guard lock(mutex_);
    const auto found = routes_.find(route);
    if (found != routes_.end()) means = found->second;
  }
  Usage usage;
  usage.estimated = true;
  // Four bytes a token where nobody counted.
  usage.input_tokens =
      served.input_tokens ? *served.input_tokens : static_cast<std::int64_t>(request_bytes / 4 + 1);
  if (means.outputs > 0) {
    usage.output_tokens = std::llround(means.output_tokens);
  } else {
    usage.output_tokens = served.output_tokens;
  }
  if (reference) {
    auto cost = reference->price(usage);
    if (cost.amount) {
      cost.basis = CostBasis::kAssumed;
      const auto in = served.input_tokens ? fmt::format("{} input tokens", *usage.input_tokens)
                                          : fmt::format("about {} input tokens (from {} bytes)",
                                                        *usage.input_tokens, request_bytes);
      return {
          cost,
          means.outputs > 0
              ? fmt::format("estimate: {} and {}'s mean of {} output tokens over {} answers on this route",
                            in, reference_key, *usage.output_tokens, means.outputs)
              : fmt::format(
                    "estimate: {} and as many output tokens as were served; no answer of {} seen yet (n = 0)",
                    in, reference_key)};
    }
  }
  if (means.costs > 0) {
    return {{Money::from_pico(std::llround(means.cost_pico)), CostBasis::kAssumed},
            fmt::format("estimate: mean cost of {}'s {} answers on this route", reference_key, means.costs)};
  }
  if (!usage.output_tokens) {
    return {{}, fmt::format("unknown: no answer of {} on this route was seen to its end yet", reference_key)};
  }
  return {{},
          fmt::format("unknown: {} has no price and none of its answers had a known cost", reference_key)};
}

}  // namespace brevet
