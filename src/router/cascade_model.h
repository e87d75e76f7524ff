// What is known after some models of a cascade have answered: the expected quality of every model's answer,
// what asking on would be worth, and the probability that the answer at hand may be accepted.
//
// Made from an artefact that src/train/fit_cascade.h fitted; read by the strategies frugal_cascade and
// cascade_routing and by whoever measures them. Immutable, thread-safe, pure: microseconds a question. Does
// not call models and does not read texts: signals come from answer_signals.h.
//
// Features of a state. Each asked model gives the rank of each of its signals among the fitting data's (0 low
// .. 1 high), with hinges at the lower quartiles for confidence signals and the distance from the middle for
// shapes; each two asked models the product of their leading signals and whether they agree. Where they were
// seen to help out of fold, the question's shape and main directions of its embedding are added. On these,
// ridge regressions say the quality of every answer, asked or not, and the worth of going on.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "router/answer_signals.h"
#include "router/artefact.h"

namespace brevet {

inline constexpr std::size_t kCascadeModelsMax = 12;
inline constexpr std::size_t kCascadeRanks = 101;

/// Which models have answered and what their answers show. Bit m of `asked` is the artefact's model m.
struct CascadeState {
  std::uint32_t asked = 0;
  std::array<AnswerSignals, kCascadeModelsMax> answers;
  /// agreement[a][b], a < b: 1 say the same, 0 do not, NaN cannot be told.
  std::array<std::array<float, kCascadeModelsMax>, kCascadeModelsMax> agreement;
  const RequestFeatures* question = nullptr;
  CascadeState();
};

/// How a state becomes numbers; fitted first, shared by fit and serving.
struct CascadeShape {
  std::size_t models = 0;
  std::vector<std::array<bool, kSignals>> used;                 ///< [models]
  std::vector<std::array<std::vector<float>, kSignals>> ranks;  ///< [models] quantiles where used
  std::array<std::array<bool, kCascadeModelsMax>, kCascadeModelsMax> agrees{};  ///< [a][b], a < b
  bool reads_question = false;
  std::vector<float> shape_mean, shape_factor;  ///< [kTextShapeNumbers]
  Tensor directions;                            ///< [k, d + 1] of the embedding, or empty

  /// Of the state where exactly `asked` have answered; empty where a leading signal is not known, or the
  /// question's features are needed and missing.
  std::optional<std::vector<float>> features(const CascadeState& state, std::uint32_t asked) const;
  void write(Artefact& artefact) const;
  static Result<CascadeShape> read(const Artefact& artefact);
};

/// A list of models with the thresholds of FrugalGPT (arXiv 2305.05176): accept stage i when P(accept) is at
/// least threshold i; the last stage is always accepted.
struct CascadeList {
  std::vector<std::size_t> models;
  std::vector<float> thresholds;  ///< [models - 1]
  double budget_usd = 0;          ///< that it was chosen for, mean per request
  double cost_usd = 0;            ///< measured on the calibration split
  double quality = 0;
  double retained_low = 0;  ///< lower 95% bound of quality / quality of the reference, one-sided
};

/// One setting of cascade routing's trade-off, measured on the calibration split.
struct CascadePoint {
  double lambda = 0;  ///< quality per USD
  double cost_usd = 0;
  double cost_high = 0;  ///< upper 95% bound, one-sided
  double quality = 0;
  double retained_low = 0;
};

class CascadeModel {
 public:
  /// Errors: router_corrupt.
  static Result<std::shared_ptr<const CascadeModel>> create(std::shared_ptr<const Artefact> artefact);

  const RouterInfo& info() const { return artefact_->info; }
  const std::vector<CascadeList>& lists() const { return lists_; }
  const std::vector<CascadePoint>& points() const { return points_; }
  bool reads_question() const { return shape_.reads_question; }
  /// Its confidence signals, so that a strategy knows what to ask for.
  bool reads(std::size_t model, Signal signal) const {
    return shape_.used[model][static_cast<std::size_t>(signal)];
  }

  /// [models] expected quality of each answer given what has been seen, 0..1. Empty when a needed signal is
  /// missing or the state was not fitted.
  std::optional<std::vector<float>> quality(const CascadeState& state) const;

  /// P(the answer of `current` is no worse than that of `last` would be), isotonic-calibrated.
  std::optional<double> accept_probability(const CascadeState& state, std::size_t current,
                                           std::size_t last) const;

  struct Choice {
    bool accept = false;
    std::size_t model = 0;       ///< to accept, or to ask next
    double worth = 0;            ///< expected quality minus lambda times what is still to be paid
    double otherwise = 0;        ///< of the best choice of the other sort; -inf where there is none
    std::vector<float> quality;  ///< as quality()
  };
  /// The next model or the end, by expected quality minus lambda times cost (Dekoninck, Baader and Vechev
  /// 2024, arXiv 2410.10347), the worth of going on by regression over what was seen next on the fitting data
  /// (Longstaff and Schwartz 2001). `point` indexes points(). Empty as quality().
  std::optional<Choice> next(const CascadeState& state, std::size_t point) const;

 private:
  CascadeModel() = default;
  std::shared_ptr<const Artefact> artefact_;
  CascadeShape shape_;
  std::vector<float> cost_;
  std::vector<CascadeList> lists_;
  std::vector<CascadePoint> points_;
};

/// Names of the kinds of artefacts that hold a cascade.
inline constexpr const char* kFrugalCascade = "frugal_cascade";
inline constexpr const char* kCascadeRouting = "cascade_routing";
bool is_cascade(const RouterInfo& info);

/// weights [.., f + 1], the offset last.
double dot_with_offset(const float* weights, const std::vector<float>& features);
std::string cascade_tensor(const char* what, std::uint32_t asked);

}  // namespace brevet
