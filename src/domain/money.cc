#include "domain/money.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace brevet {

__extension__ typedef __int128 Wide;

Money Money::from_usd(double usd) {
  return {static_cast<std::int64_t>(std::llround(usd * 1e12))};
}

std::optional<Money> Money::parse_usd(std::string_view text) {
  bool negative = false;
  std::size_t at = 0;
  if (at < text.size() && (text[at] == '-' || text[at] == '+')) negative = text[at++] == '-';
  Wide digits = 0;
  int scale = 0, seen = 0;
  bool point = false;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '.') {
      if (point) return std::nullopt;
      point = true;
    } else if (c >= '0' && c <= '9') {
      ++seen;
      if (digits > Wide{1} << 100) return std::nullopt;
      digits = digits * 10 + (c - '0');
      scale -= point ? 1 : 0;
    } else {
      break;
    }
  }
  if (seen == 0) return std::nullopt;
  if (at < text.size()) {
    if (text[at] != 'e' && text[at] != 'E') return std::nullopt;
    ++at;
    bool minus = false;
    if (at < text.size() && (text[at] == '-' || text[at] == '+')) minus = text[at++] == '-';
    if (at >= text.size() || text.size() - at > 3) return std::nullopt;
    int exponent = 0;
    for (; at < text.size(); ++at) {
      if (text[at] < '0' || text[at] > '9') return std::nullopt;
      exponent = exponent * 10 + (text[at] - '0');
    }
    scale += minus ? -exponent : exponent;
  }
  scale += 12;
  for (; scale > 0; --scale) {
    if (digits > std::numeric_limits<std::int64_t>::max()) return std::nullopt;
    digits *= 10;
  }
  for (; scale < 0 && digits != 0; ++scale) digits = scale == -1 ? (digits + 5) / 10 : digits / 10;
  if (digits > std::numeric_limits<std::int64_t>::max()) return std::nullopt;
  const auto pico = static_cast<std::int64_t>(digits);
  return Money{negative ? -pico : pico};
}

std::string Money::to_string() const {
  const bool negative = pico_usd < 0;
  const auto magnitude =
      negative ? 0 - static_cast<std::uint64_t>(pico_usd) : static_cast<std::uint64_t>(pico_usd);
  std::string fraction = std::to_string(magnitude % 1'000'000'000'000ull);
  fraction.insert(0, 12 - fraction.size(), '0');
  while (!fraction.empty() && fraction.back() == '0') fraction.pop_back();
  std::string out = negative ? "-" : "";
  out += std::to_string(magnitude / 1'000'000'000'000ull);
  if (!fraction.empty()) out += "." + fraction;
  return out;
}

const char* name_of(CostBasis basis) {
  switch (basis) {
    case CostBasis::kRecorded:
      return "recorded";
    case CostBasis::kPriced:
      return "priced";
    case CostBasis::kAssumed:
      return "assumed";
    case CostBasis::kUnknown:
      return "unknown";
  }
  return "unknown";
}

Cost operator+(const Cost& a, const Cost& b) {
  if (!a.amount || !b.amount) return {};
  return {*a.amount + *b.amount, std::max(a.basis, b.basis)};
}

void CostTotal::add(const Cost& cost) {
  if (!cost.amount) {
    ++unknown_count;
    return;
  }
  known += *cost.amount;
  ++known_count;
  basis = std::max(basis, cost.basis);
}

void CostTotal::add(const CostTotal& other) {
  known += other.known;
  known_count += other.known_count;
  unknown_count += other.unknown_count;
  if (other.known_count > 0) basis = std::max(basis, other.basis);
}

}  // namespace brevet
