// How good and how dear models were on a file of recorded outcomes, on the records that all of them answered.
//
// Used by `brevet models select --data`. Belongs to one thread. Prices through catalog/prices.h; knows no
// strategies and no routing (eval does).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "catalog/prices.h"
#include "domain/money.h"
#include "quality/proportion.h"

namespace brevet {

/// At most so many outcomes (records x models) are held: about 40 bytes each.
inline constexpr std::size_t kMeasuredCellsMax = 20'000'000;

struct MeasuredCell {
  double score = -1;               ///< below 0: not run
  std::optional<Money> cost;       ///< as recorded
  std::int32_t input_tokens = -1;  ///< below 0: not known
  std::int32_t output_tokens = 0;
  bool tokens_estimated = false;
};

struct MeasuredTable {
  std::vector<std::string> models;              ///< in the order in which they first occur
  std::vector<std::vector<MeasuredCell>> rows;  ///< by record; may be shorter than models
  /// Share of the records that the model answered.
  std::uint64_t answered(std::size_t model) const;
};

/// Reads a file record by record. Errors: those of OutcomeReader, and no_data for an empty file or one with
/// more than kMeasuredCellsMax outcomes.
Result<MeasuredTable> read_measured(const std::string& path);

struct MeasuredModel {
  std::size_t model = 0;  ///< index into MeasuredTable::models
  /// Mean score with its 95% interval: exact (Clopper-Pearson) where every score is 0 or 1, else the normal
  /// one of the mean, cut to [0, 1].
  Interval quality;
  CostTotal cost;  ///< over the records; an unknown part makes the mean unknown
  /// USD per 1,000 queries, empty when any record's cost is not known.
  std::optional<Money> usd_per_thousand() const;
  CostBasis basis() const;
};

/// Price of a model of the table, null when it has none.
using PriceOfMeasured = std::function<const ModelPrice*(std::size_t)>;

/// Over the records that all of `models` answered. A recorded cost counts as recorded; else tokens (recorded,
/// or estimated from text) are priced.
std::vector<MeasuredModel> measure(const MeasuredTable& table, const std::vector<std::size_t>& models,
                                   const PriceOfMeasured& price_of);

/// Mean of score(a) - score(b) over those records with its 95% interval (normal, paired).
Interval paired_difference(const MeasuredTable& table, const std::vector<std::size_t>& models, std::size_t a,
                           std::size_t b);

}  // namespace brevet
