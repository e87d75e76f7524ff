#include "catalog/prices.h"

#include <algorithm>
#include <boost/json.hpp>
#include <fstream>
#include <limits>
#include <sstream>

#include "base/random.h"

namespace brevet {
namespace {

__extension__ typedef __int128 Wide;

constexpr std::int64_t kMillion = 1'000'000;

tl::unexpected<Error> bad(const std::string& where, const std::string& field, const std::string& what) {
  return fail(ErrorKind::kCallerInvalid, "bad_price_file", where + ": " + field + " " + what + ".", field);
}

/// A price in a range where sums of it cannot overflow.
std::optional<Money> price_from(const boost::json::value& value) {
  std::optional<Money> price;
  if (const auto* text = value.if_string()) {
    price = Money::parse_usd(*text);
  } else if (value.is_number()) {
    price = Money::from_usd(std::clamp(value.to_number<double>(), -1.0, 1e5));
  }
  if (!price || *price < Money{} || price->usd() > 1e4) return std::nullopt;
  return price;
}

}  // namespace

Cost price_usage(const ModelPrice& price, const Usage& usage) {
  const std::int64_t input_price = price.input_per_million.pico_usd;
  const std::int64_t output_price = price.output_per_million.pico_usd;
  // A count that carries no price is not needed.
  if ((!usage.input_tokens && input_price != 0) || (!usage.output_tokens && output_price != 0)) return {};
  // A provider that reports parts larger than the whole is wrong, but no bill is negative.
  const auto input = std::max<std::int64_t>(usage.input_tokens.value_or(0), 0);
  const auto output = std::max<std::int64_t>(usage.output_tokens.value_or(0), 0);
  const auto cached = std::clamp<std::int64_t>(usage.cached_input_tokens.value_or(0), 0, input);
  const auto created = std::clamp<std::int64_t>(usage.cache_creation_tokens.value_or(0), 0, input - cached);
  Cost cost;
  cost.basis = usage.estimated ? CostBasis::kAssumed : price.basis;
  if (cached > 0 && !price.cached_input_per_million) cost.basis = std::max(cost.basis, CostBasis::kAssumed);
  const auto cached_price = price.cached_input_per_million.value_or(price.input_per_million).pico_usd;
  const auto created_price = price.cache_creation_per_million.value_or(price.input_per_million).pico_usd;
  const Wide sum = Wide{input - cached - created} * input_price + Wide{cached} * cached_price +
                   Wide{created} * created_price + Wide{output} * output_price;
  const Wide pico = (sum + kMillion / 2) / kMillion;
  if (pico > std::numeric_limits<std::int64_t>::max()) return {};
  cost.amount = Money::from_pico(static_cast<std::int64_t>(pico));
  return cost;
}

Result<PriceTable> PriceTable::parse(std::string_view json, const std::string& name) {
  boost::system::error_code error;
  const auto root = boost::json::parse(json, error);
  if (error) return bad(name, "(file)", "is not JSON: " + error.message());
  const auto* object = root.if_object();
  if (!object) return bad(name, "(file)", "must be a JSON object");
  const bool own = object->contains("models");
  const auto* models = object->if_contains(own ? "models" : "prices");
  if (!models || !models->is_object()) {
    return bad(name, "models",
               "is missing: a price file holds {\"models\": {name: {\"input\", \"output\"}}}");
  }
  CostBasis basis = CostBasis::kPriced;
  if (const auto* stated = object->if_contains("basis")) {
    const auto* text = stated->if_string();
    if (!text || (*text != "priced" && *text != "assumed")) {
      return bad(name, "basis", "must be \"priced\" or \"assumed\"");
    }
    if (*text == "assumed") basis = CostBasis::kAssumed;
  } else if (const auto* note = object->if_contains("note"); note && note->is_string()) {
    if (note->get_string().find("assumed") != boost::json::string::npos) basis = CostBasis::kAssumed;
  }
  PriceTable table;
  for (const auto& [model, value] : models->get_object()) {
    const std::string field = std::string(own ? "models." : "prices.") + std::string(model);
    const auto* entry = value.if_object();
    if (!entry) return bad(name, field, "must be an object with input and output");
    ModelPrice price;
    price.basis = basis;
    for (const auto& [key, amount] : *entry) {
      const auto money = price_from(amount);
      const std::string part = field + "." + std::string(key);
      if (key != "input" && key != "output" && key != "cached_input" && key != "cache_creation") {
        return bad(name, part, "is not known: input, output, cached_input and cache_creation are");
      }
      if (!money) return bad(name, part, "must be USD per million tokens, from 0 to 10000");
      if (key == "input") price.input_per_million = *money;
      if (key == "output") price.output_per_million = *money;
      if (key == "cached_input") price.cached_input_per_million = *money;
      if (key == "cache_creation") price.cache_creation_per_million = *money;
    }
    for (const char* key : {"input", "output"}) {
      if (!entry->contains(key))
        return bad(name, field + "." + key, "is missing; an unknown price is never 0");
    }
    table.set(std::string(model), price);
  }
  return table;
}

Result<PriceTable> PriceTable::load(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return bad(path, "(file)", "cannot be read");
  std::ostringstream text;
  text << file.rdbuf();
  return parse(text.str(), path);
}

void PriceTable::set(std::string model, ModelPrice price) {
  prices_.insert_or_assign(std::move(model), price);
}

const ModelPrice* PriceTable::find(std::string_view model) const {
  const auto found = prices_.find(model);
  return found == prices_.end() ? nullptr : &found->second;
}

Cost PriceTable::price(std::string_view model, const Usage& usage) const {
  const auto* price = find(model);
  return price ? price_usage(*price, usage) : Cost{};
}

std::vector<std::string> PriceTable::models() const {
  std::vector<std::string> names;
  for (const auto& [name, price] : prices_) names.push_back(name);
  return names;
}

std::string PriceTable::version() const {
  std::string text;
  auto optional = [](const std::optional<Money>& money) { return money ? money->to_string() : "-"; };
  for (const auto& [name, price] : prices_) {
    text += name + '\n' + price.input_per_million.to_string() + ' ' + price.output_per_million.to_string() +
            ' ' + optional(price.cached_input_per_million) + ' ' +
            optional(price.cache_creation_per_million) + ' ' + name_of(price.basis) + '\n';
  }
  return sha256_hex(text).substr(0, 16);
}

std::int64_t estimated_tokens(std::string_view text) {
  constexpr std::int64_t kBytesPerToken = 4, kBareLetterTokens = 5;
  const auto begin = text.find_first_not_of(" \t\r\n(");
  const auto end = text.find_last_not_of(" \t\r\n).");
  if (begin != std::string_view::npos && end == begin && text[begin] >= 'A' && text[begin] <= 'Z') {
    return kBareLetterTokens;
  }
  return (static_cast<std::int64_t>(text.size()) + kBytesPerToken - 1) / kBytesPerToken;
}

}  // namespace brevet
