#include "upstream/pricing.h"

#include <algorithm>
#include <limits>

namespace brevet {
namespace {

__extension__ typedef __int128 Wide;

constexpr std::int64_t kMillion = 1'000'000;
constexpr std::int64_t kBytesPerToken = 4;

}  // namespace

Cost price_of(const Pricing& pricing, const Usage& usage) {
  if (!pricing.known()) return {};
  const std::int64_t input_price = pricing.input_per_million->pico_usd;
  const std::int64_t output_price = pricing.output_per_million->pico_usd;
  // A count that carries no price is not needed.
  if ((!usage.input_tokens && input_price != 0) || (!usage.output_tokens && output_price != 0)) return {};
  const std::int64_t input = std::max<std::int64_t>(usage.input_tokens.value_or(0), 0);
  const std::int64_t output = std::max<std::int64_t>(usage.output_tokens.value_or(0), 0);
  const std::int64_t cached = std::clamp<std::int64_t>(usage.cached_input_tokens.value_or(0), 0, input);
  Cost cost;
  cost.basis = usage.estimated ? CostBasis::kAssumed : pricing.basis;
  std::int64_t cached_price = input_price;
  if (pricing.cached_input_per_million) {
    cached_price = pricing.cached_input_per_million->pico_usd;
  } else if (cached > 0) {
    cost.basis = std::max(cost.basis, CostBasis::kAssumed);
  }
  const Wide sum =
      Wide{input - cached} * input_price + Wide{cached} * cached_price + Wide{output} * output_price;
  const Wide pico = (sum + kMillion / 2) / kMillion;
  if (pico > std::numeric_limits<std::int64_t>::max()) return {};
  cost.amount = Money::from_pico(static_cast<std::int64_t>(pico));
  return cost;
}

std::int64_t estimate_tokens(std::size_t bytes) {
  return (static_cast<std::int64_t>(bytes) + kBytesPerToken - 1) / kBytesPerToken;
}

}  // namespace brevet
