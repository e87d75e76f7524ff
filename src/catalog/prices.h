// Prices of models: a versioned table, and what a usage costs by it, exactly.
//
// Used by upstream for every call and by eval. Immutable after loading, safe to share. Does not guess: a
// model without a price, or a usage without a needed count, costs "unknown".
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "domain/money.h"

namespace brevet {

/// USD per million tokens. A price of 1 pico-USD per token is 1 USD per million, so every such price that has
/// at most six decimals is exact per token; the rest is rounded once, at the end.
struct ModelPrice {
  Money input_per_million;
  Money output_per_million;
  std::optional<Money> cached_input_per_million;    ///< empty: cached tokens cost like others
  std::optional<Money> cache_creation_per_million;  ///< empty: tokens written to a cache cost like others
  CostBasis basis = CostBasis::kPriced;             ///< kPriced or kAssumed
  bool operator==(const ModelPrice&) const = default;
};

/// Cost of a usage, rounded once to the nearest pico-USD: the one place where tokens become money. Unknown
/// when a count that carries a price is missing, or out of range. Basis: that of the price, but assumed when
/// the counts are estimates, or when cached tokens had to be priced as plain input.
Cost price_usage(const ModelPrice& price, const Usage& usage);

class PriceTable {
 public:
  /// Reads either {"version"?, "basis"?: "priced" | "assumed", "models": {name: {"input", "output",
  /// "cached_input"?, "cache_creation"?}}} or {"note", "prices": {name: {...}}}, where a note that says
  /// 'assumed' makes the basis assumed. Numbers are taken as written. Errors (kCallerInvalid, `param` names
  /// the field): bad_price_file.
  static Result<PriceTable> parse(std::string_view json, const std::string& name_for_errors);
  static Result<PriceTable> load(const std::string& path);

  PriceTable() = default;
  void set(std::string model, ModelPrice price);
  /// Null when the model has no price.
  const ModelPrice* find(std::string_view model) const;
  Cost price(std::string_view model, const Usage& usage) const;
  std::vector<std::string> models() const;
  /// Hex hash over names and prices: equal tables have equal versions, whatever file they came from.
  std::string version() const;

 private:
  std::map<std::string, ModelPrice, std::less<>> prices_;
};

/// Tokens of a text by the rule used where a provider or a file gives no counts: bytes / 4 rounded up, and 5
/// for a bare choice letter. A usage made with it is `estimated`.
std::int64_t estimated_tokens(std::string_view text);

}  // namespace brevet
