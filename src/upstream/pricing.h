// What a model's tokens cost. Exact: integers of pico-USD, rounded once per call.
//
// Used by every kind of upstream. Plain values and one pure function. Does not look prices up.
#pragma once

#include <optional>

#include "domain/money.h"

namespace brevet {

struct Pricing {
  std::optional<Money> input_per_million;   ///< USD per million tokens; empty = not known
  std::optional<Money> output_per_million;  ///< reasoning tokens are output tokens
  std::optional<Money> cached_input_per_million;
  CostBasis basis = CostBasis::kPriced;  ///< kAssumed for prices that the operator guessed

  bool known() const { return input_per_million && output_per_million; }
};

/// Unknown without prices, or when a count that carries a price is missing. kAssumed when the counts are our
/// own estimate, or when cached tokens had to be priced as plain input.
Cost price_of(const Pricing& pricing, const Usage& usage);

/// About four bytes of text make a token; never 0 for text. Only for calls whose provider reported nothing.
std::int64_t estimate_tokens(std::size_t bytes);

}  // namespace brevet
