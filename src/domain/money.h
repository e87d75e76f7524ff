// Money is decimal: a whole number of pico-USD (1e-12 USD), so that prices per token are exact and sums are
// exact. A cost that is not known is a state of its own (Cost::amount empty), never zero.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace brevet {

struct Money {
  std::int64_t pico_usd = 0;  ///< range about +-9.2 million USD

  static constexpr Money from_pico(std::int64_t pico) { return Money{pico}; }
  /// Nearest pico-USD; for configuration and recorded files only, never for sums.
  static Money from_usd(double usd);
  /// Exact decimal text such as "0.15" or "1.5e-7"; nullopt when it is not a decimal number in range.
  static std::optional<Money> parse_usd(std::string_view text);
  double usd() const { return static_cast<double>(pico_usd) * 1e-12; }
  /// Shortest exact decimal, e.g. "0.00123".
  std::string to_string() const;

  friend constexpr auto operator<=>(Money, Money) = default;
  constexpr Money& operator+=(Money other) { return pico_usd += other.pico_usd, *this; }
  constexpr Money& operator-=(Money other) { return pico_usd -= other.pico_usd, *this; }
  friend constexpr Money operator+(Money a, Money b) { return {a.pico_usd + b.pico_usd}; }
  friend constexpr Money operator-(Money a, Money b) { return {a.pico_usd - b.pico_usd}; }
  friend constexpr Money operator*(Money a, std::int64_t n) { return {a.pico_usd * n}; }
};

/// Where a cost figure comes from. A sum has the weakest basis of its parts (order: recorded > priced >
/// assumed > unknown).
enum class CostBasis { kRecorded, kPriced, kAssumed, kUnknown };
const char* name_of(CostBasis basis);

struct Cost {
  std::optional<Money> amount;  ///< empty = unknown
  CostBasis basis = CostBasis::kUnknown;
};
/// Unknown if either is unknown; basis the weaker of the two.
Cost operator+(const Cost& a, const Cost& b);

/// A sum that keeps count of what it could not add, so that a total never hides an unknown.
struct CostTotal {
  Money known;
  std::uint64_t known_count = 0;
  std::uint64_t unknown_count = 0;
  CostBasis basis = CostBasis::kRecorded;  ///< weakest basis among the known ones

  void add(const Cost& cost);
  void add(const CostTotal& other);
};

/// Token counts as the provider reported them; a count that was not reported is empty.
struct Usage {
  std::optional<std::int64_t> input_tokens;
  std::optional<std::int64_t> output_tokens;
  std::optional<std::int64_t>
      cached_input_tokens;  ///< part of input_tokens read from the provider's prompt cache
  std::optional<std::int64_t> cache_creation_tokens;  ///< part of input_tokens written to it
  std::optional<std::int64_t> reasoning_tokens;       ///< part of output_tokens
  bool estimated = false;                             ///< counted by us from text, not by the provider
};

}  // namespace brevet
