// From raw predictions to probabilities: strictly increasing piecewise-linear curves, Platt's or isotonic,
// whichever predicts better what it has not seen.
//
// Called by fit.cc on out-of-fold predictions only: a curve fitted on predictions for the rows that taught
// the predictor promises too much. Pure, deterministic.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "train/training.h"

namespace brevet {

/// Knots of an increasing piecewise-linear map, flat beyond its ends.
struct Curve {
  std::vector<float> x;  ///< strictly increasing, at least two
  std::vector<float> y;  ///< strictly increasing, in [0, 1]
  double at(double raw) const;
};

/// sigmoid(a raw + b), a > 0, by Newton on the log loss with Platt's softened targets (Platt 1999; Lin, Lin
/// and Weng 2007). A raw score that does not help gives the base rate, barely increasing.
Curve platt_curve(std::span<const float> raw, std::span<const float> label);
struct IsotonicOptions {
  std::size_t block = 30;   ///< observations in a block at least
  std::size_t blocks = 15;  ///< at most: larger blocks where there are more observations
  double prior = 30;        ///< observations that Platt's curve is worth in each block
};
/// Pool-adjacent-violators (Ayer et al. 1955; Zadrozny and Elkan 2002) over blocks of equal count, each first
/// shrunk towards Platt's curve, through the blocks' centres; equal blocks are told apart by a slope of 1e-5
/// per knot. On recorded outcomes the shrinking lowered Brier score, log loss and calibration error beside
/// both Platt's curve and the plain one.
Curve isotonic_curve(std::span<const float> raw, std::span<const float> label,
                     const IsotonicOptions& options = {});

struct Calibrated {
  Curve curve;
  bool isotonic = false;
  std::vector<float> held_out;  ///< [n] of the chosen kind, each from a curve that did not see its row's fold
  double brier = 0;             ///< of held_out
};

/// The candidate with the lower Brier score across `fold` (each row predicted by a curve fitted on the other
/// folds), then fitted on all. raw, label (0..1), fold: [n], n >= 1, all finite. Under 1,000 rows Platt's
/// alone is considered: the highest block of few is the luckiest one.
Calibrated calibrate_scores(std::span<const float> raw, std::span<const float> label,
                            std::span<const std::uint32_t> fold);

/// [2, k]: x, y.
Tensor tensor_of(const Curve& curve);

/// Expected calibration error over ten bins of equal count.
double expected_calibration_error(std::span<const float> predicted, std::span<const float> label);
/// Area under the ROC curve; ties count half; .5 when one class is missing. Labels above .5 are positive.
double area_under_roc(std::span<const float> score, std::span<const float> label);

}  // namespace brevet
