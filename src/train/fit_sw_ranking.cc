// sw_ranking: keeps the comparisons, and sorts the models into tiers (RouteLLM, Ong et al. 2024, arXiv
// 2406.18665, section 4.2; the similarity-weighted ranking itself is done while serving).
//
// Ratings are an unweighted Bradley-Terry fit over all comparisons; tiers minimise the summed variance of the
// ratings within them, by dynamic programming. With the two configurations alone they are the two tiers.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "router/bradley_terry.h"
#include "train/fit_kinds.h"
#include "train/tiers.h"

namespace brevet {
namespace {

Result<Fitted> fit_sw_ranking(const Training& data, const FitOrder& order) {
  const std::size_t models = data.models;
  std::vector<double> won(models * models, 0);
  for (const auto& pair : data.pairs) {
    // A tie is one win each way, a decisive comparison counts as much: twice.
    const double first = pair.outcome > .5F ? 2 : pair.outcome < .5F ? 0 : 1;
    won[pair.first * models + pair.second] += pair.weight * first;
    won[pair.second * models + pair.first] += pair.weight * (2 - first);
  }
  const auto strengths = bradley_terry(won, models);
  const auto wanted = std::min<std::size_t>(static_cast<std::size_t>(count_of(order, "tiers")), models);
  const auto tier_of = tiers_of(strengths, wanted);
  auto pairs = data.pairs;
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const auto& a, const auto& b) { return a.request < b.request; });
  Tensor battles{{0, 4}, {}};
  const auto add = [&](const LabelledPair& pair, std::uint32_t winner, std::uint32_t loser, float weight) {
    if (tier_of[winner] == tier_of[loser]) return;  // says nothing of tiers
    battles.values.insert(battles.values.end(),
                          {static_cast<float>(pair.request), static_cast<float>(tier_of[winner]),
                           static_cast<float>(tier_of[loser]), weight});
    ++battles.shape[0];
  };
  for (const auto& pair : pairs) {
    if (pair.outcome > .5F) {
      add(pair, pair.first, pair.second, 2 * pair.weight);
    } else if (pair.outcome < .5F) {
      add(pair, pair.second, pair.first, 2 * pair.weight);
    } else {
      add(pair, pair.first, pair.second, pair.weight);
      add(pair, pair.second, pair.first, pair.weight);
    }
  }
  const std::size_t strong = data.configurations - 1;
  if (tier_of[0] == tier_of[strong]) {
    return fail(ErrorKind::kCallerInvalid, "one_sided_labels",
                "The two configurations fall into one tier, so similarity-weighted ranking cannot tell them "
                "apart. Raise the option 'tiers', or take another kind.",
                "tiers");
  }
  Fitted out;
  out.tensors["rows"] = tensor_of(data.x);
  out.tensors["battles"] = std::move(battles);
  out.tensors["tiers"] = tensor_of(
      {static_cast<float>(wanted), static_cast<float>(tier_of[0]), static_cast<float>(tier_of[strong])});
  return out;
}

}  // namespace

std::vector<std::uint32_t> tiers_of(const std::vector<double>& ratings, std::size_t tiers) {
  const std::size_t n = ratings.size();
  tiers = std::clamp<std::size_t>(tiers, 1, n);
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return ratings[a] < ratings[b]; });
  std::vector<double> sum(n + 1, 0), squares(n + 1, 0);
  for (std::size_t k = 0; k < n; ++k) {
    sum[k + 1] = sum[k] + ratings[order[k]];
    squares[k + 1] = squares[k] + ratings[order[k]] * ratings[order[k]];
  }
  const auto variance = [&](std::size_t from, std::size_t to) {
    const auto count = static_cast<double>(to - from);
    const double mean = (sum[to] - sum[from]) / count;
    return std::max(0.0, (squares[to] - squares[from]) / count - mean * mean);
  };
  // best[t][k]: the least sum for the first k in t tiers; cut: where the last of them begins.
  std::vector<std::vector<double>> best(tiers + 1,
                                        std::vector<double>(n + 1, std::numeric_limits<double>::infinity()));
  std::vector<std::vector<std::size_t>> cut(tiers + 1, std::vector<std::size_t>(n + 1, 0));
  best[0][0] = 0;
  for (std::size_t t = 1; t <= tiers; ++t) {
    for (std::size_t k = t; k <= n; ++k) {
      for (std::size_t from = t - 1; from < k; ++from) {
        const double value = best[t - 1][from] + variance(from, k);
        if (value < best[t][k]) best[t][k] = value, cut[t][k] = from;
      }
    }
  }
  std::vector<std::uint32_t> out(n, 0);
  std::size_t end = n;
  for (std::size_t t = tiers; t > 0; --t) {
    for (std::size_t k = cut[t][end]; k < end; ++k) out[order[k]] = static_cast<std::uint32_t>(t - 1);
    end = cut[t][end];
  }
  return out;
}

KindRow sw_ranking_row() {
  KindRow row;
  row.kind.name = "sw_ranking";
  row.kind.summary = "comparisons weighted by similarity, ranked by Bradley and Terry";
  row.kind.options = {{"tiers", std::int64_t{10}, 2.0, 64.0,
                       "classes of models that are ranked; fewer share more comparisons"}};
  row.kind.requests_min = 50;
  row.fit = fit_sw_ranking;
  return row;
}

}  // namespace brevet
