#include "upstream/pricing.h"

#include "catalog/prices.h"

namespace brevet {
namespace {

constexpr std::int64_t kBytesPerToken = 4;

}  // namespace

Cost price_of(const Pricing& pricing, const Usage& usage) {
  if (!pricing.known()) return {};
  ModelPrice price;
  price.input_per_million = *pricing.input_per_million;
  price.output_per_million = *pricing.output_per_million;
  price.cached_input_per_million = pricing.cached_input_per_million;
  price.basis = pricing.basis;
  return price_usage(price, usage);
}

std::int64_t estimate_tokens(std::size_t bytes) {
  return (static_cast<std::int64_t>(bytes) + kBytesPerToken - 1) / kBytesPerToken;
}

}  // namespace brevet
