#include "gateway/baseline.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <cmath>

namespace brevet {

void BaselineEstimator::observe(const std::string& route, const std::string& reference_key,
                                const Usage& usage, const Cost& cost) {
  std::lock_guard lock(mutex_);
  const std::pair key(route, reference_key);
  if (means_.size() >= kMeansMax && !means_.contains(key)) return;
  auto& means = means_[key];
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
    const auto found = means_.find({route, reference_key});
    if (found != means_.end()) means = found->second;
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

std::string BaselineEstimator::save() const {
  boost::json::array rows;
  std::lock_guard lock(mutex_);
  for (const auto& [key, means] : means_) {
    rows.push_back({key.first, key.second, means.outputs, means.output_tokens, means.costs, means.cost_pico});
  }
  return boost::json::serialize(rows);
}

bool BaselineEstimator::restore(std::string_view text) {
  namespace json = boost::json;
  json::error_code bad;
  const auto rows = json::parse(text, bad);
  if (bad || !rows.is_array()) return false;
  decltype(means_) read;
  for (const auto& row : rows.get_array()) {
    if (!row.is_array() || row.get_array().size() != 6) return false;
    const auto& cells = row.get_array();
    if (!cells[0].is_string() || !cells[1].is_string()) return false;
    for (std::size_t i = 2; i < 6; ++i) {
      if (!cells[i].is_number() || !(cells[i].to_number<double>(bad) >= 0) || bad) return false;
    }
    Means means;
    means.outputs = cells[2].to_number<std::uint64_t>(bad);
    means.output_tokens = cells[3].to_number<double>();
    means.costs = cells[4].to_number<std::uint64_t>(bad);
    means.cost_pico = cells[5].to_number<double>();
    if (bad) return false;
    read[{std::string(cells[0].get_string()), std::string(cells[1].get_string())}] = means;
  }
  std::lock_guard lock(mutex_);
  means_ = std::move(read);
  return true;
}

}  // namespace brevet
