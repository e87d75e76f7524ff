// What one kind of router learns from: some rows of FitData, on their own, and how the fit was asked for.
//
// Made by fit.cc for every fold and for the whole; read by the kinds (fit_kinds.h). A plain value.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "train/fit.h"
#include "train/matrix.h"

namespace brevet {

struct Training {
  Matrix x;                                      ///< [n, d] embeddings; no columns for a kind that reads none
  std::vector<const RequestFeatures*> features;  ///< [n]
  std::size_t configurations = 0;                ///< m
  std::size_t models = 0;                        ///< m and those that only battles speak of
  std::vector<std::vector<float>> quality;       ///< [m][n], NaN = not labelled
  std::vector<std::vector<std::vector<float>>> samples;  ///< [m][n] or empty
  std::vector<LabelledPair> pairs;                       ///< request = row of this training
  std::vector<std::uint32_t> cluster;                    ///< [n]
  std::vector<std::vector<std::string>> tags;            ///< [n] or empty
  std::size_t size() const { return features.size(); }
};

/// How a kind was asked to fit.
struct FitOrder {
  const OptionValues& options;  ///< complete and checked
  std::uint64_t seed = 1;
  const std::function<bool()>& stop;
  bool stopped() const { return stop && stop(); }
};

/// What a kind gives: its numbers, and figures worth telling.
struct Fitted {
  std::map<std::string, Tensor> tensors;
  std::vector<std::pair<std::string, double>> told = {};
};

using FitFunction = Result<Fitted> (*)(const Training&, const FitOrder&);

/// [rows, cols] as it lies.
inline Tensor tensor_of(const Matrix& matrix) {
  return {{static_cast<std::uint32_t>(matrix.rows), static_cast<std::uint32_t>(matrix.cols)}, matrix.values};
}
inline Tensor tensor_of(std::vector<float> values) {
  const auto count = static_cast<std::uint32_t>(values.size());
  return {{count}, std::move(values)};
}
/// Mean of the labelled scores of each configuration; of all of them where one has none, .5 where nothing
/// has.
std::vector<float> mean_quality(const Training& data);
/// A last column of 1, for the offset.
Matrix with_ones(const Matrix& x);
/// Its name is no other folder's: two functions that differ in what they return alone are one to the linker.
inline tl::unexpected<Error> fit_interrupted() {
  return fail(ErrorKind::kCancelled, "interrupted",
              "The fit was stopped before its end; nothing was written.");
}

}  // namespace brevet
