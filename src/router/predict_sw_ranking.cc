// sw_ranking: similarity-weighted ranking (RouteLLM, Ong et al. 2024, arXiv 2406.18665, section 4.2).
//
// Every remembered comparison counts by omega = 10 * 10^(similarity / largest similarity); the strengths of
// the tiers of models follow from the weighted wins by Bradley and Terry (1952), and the need is the
// probability that strong's tier beats weak's. The paper's code refits a logistic regression on all
// comparisons; here the weights are summed into a matrix of tiers first, which leaves a Newton solve of at
// most nine numbers. A tie is one win each way, a decisive comparison two. Known weakness: far comparisons
// keep a tenth of the weight of the nearest, so the answer moves little with the request.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "router/bradley_terry.h"
#include "router/kinds.h"
#include "router/reference_rows.h"

namespace brevet {
namespace {

class SwRankingPredictor final : public Predictor {
 public:
  SwRankingPredictor(ArtefactPtr artefact, const Tensor& rows, RowEntries wins, std::size_t tiers,
                     std::size_t weak, std::size_t strong)
      : artefact_(std::move(artefact)),
        rows_(rows),
        wins_(std::move(wins)),
        tiers_(tiers),
        weak_(weak),
        strong_(strong) {}

  Predicts predicts() const override { return Predicts::kNeed; }
  void predict(const RequestFeatures& features, std::span<float> out) const override {
    std::vector<double> won(tiers_ * tiers_);
    rows_.weighted_sums(
        *features.embedding, wins_,
        [](double similarity, double largest) {
          // Nothing is near when even the largest cosine is hardly positive: then all count alike.
          constexpr double kLargestMin = .05;
          return 10 * std::exp(std::numbers::ln10 * similarity / std::max(largest, kLargestMin));
        },
        won);
    const auto strength = bradley_terry(won, tiers_);
    out[0] = static_cast<float>(1 / (1 + std::exp(strength[weak_] - strength[strong_])));
  }

 private:
  ArtefactPtr artefact_;
  ReferenceRows rows_;
  RowEntries wins_;  ///< sum = winner's tier * tiers + loser's
  std::size_t tiers_;
  std::size_t weak_;
  std::size_t strong_;
};

}  // namespace

Result<PredictorPtr> make_sw_ranking_predictor(const ArtefactPtr& artefact) {
  const auto rows = artefact->tensor("rows", {0, 0});
  if (!rows) return fail(rows.error());
  const std::size_t n = (*rows)->shape[0];
  const auto battles = artefact->tensor("battles", {0, 4});  // row, winner's tier, loser's tier, weight
  if (!battles) return fail(battles.error());
  const auto tiers = artefact->tensor("tiers", {3});  // how many, weak's, strong's
  if (!tiers) return fail(tiers.error());
  const float count = (*tiers)->values[0];
  constexpr float kTiersMax = 64;
  const auto whole = [](float value) { return value == std::floor(value); };
  if (!(count >= 1 && count <= kTiersMax && whole(count))) return corrupt_router(*artefact, "tiers");
  for (std::size_t k = 1; k < 3; ++k) {
    const float tier = (*tiers)->values[k];
    if (!(tier >= 0 && tier < count && whole(tier))) return corrupt_router(*artefact, "tiers");
  }
  RowEntries wins;
  wins.sums = static_cast<std::size_t>(count) * static_cast<std::size_t>(count);
  wins.begin.assign(n + 1, 0);
  float before = 0;
  for (std::size_t b = 0; b < (*battles)->shape[0]; ++b) {
    const float* battle = (*battles)->values.data() + b * 4;
    // In the order of rows, so that each row's entries lie together.
    const bool sound = battle[0] >= before && battle[0] < static_cast<float>(n) && battle[1] >= 0 &&
                       battle[1] < count && battle[2] >= 0 && battle[2] < count && battle[3] > 0 &&
                       whole(battle[0]) && whole(battle[1]) && whole(battle[2]);
    if (!sound) return corrupt_router(*artefact, "battles");
    before = battle[0];
    ++wins.begin[static_cast<std::size_t>(battle[0]) + 1];
    wins.sum.push_back(static_cast<std::uint32_t>(battle[1]) * static_cast<std::uint32_t>(count) +
                       static_cast<std::uint32_t>(battle[2]));
    wins.value.push_back(battle[3]);
  }
  for (std::size_t i = 0; i < n; ++i) wins.begin[i + 1] += wins.begin[i];
  wins.finish();
  return std::make_unique<SwRankingPredictor>(
      artefact, **rows, std::move(wins), static_cast<std::size_t>(count),
      static_cast<std::size_t>((*tiers)->values[1]), static_cast<std::size_t>((*tiers)->values[2]));
}

}  // namespace brevet
