#include "eval/play_stats.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>

#include "base/random.h"

namespace brevet {
namespace {

double ratio(double a, double b) {
  return b > 0 ? a / b : 0;
}

Figure percentile_interval(double mean, std::vector<double> draws, std::uint64_t n) {
  if (draws.empty()) return {mean, mean, mean, n};
  std::sort(draws.begin(), draws.end());
  const auto at = [&](double q) {
    const double where = q * static_cast<double>(draws.size() - 1);
    const auto i = static_cast<std::size_t>(where);
    const double rest = where - static_cast<double>(i);
    return i + 1 < draws.size() ? draws[i] * (1 - rest) + draws[i + 1] * rest : draws[i];
  };
  return {mean, at(.025), at(.975), n};
}

}  // namespace

PlaySummary summarise(const std::vector<PlayedRequest>& played) {
  PlaySummary out;
  out.n = played.size();
  if (played.empty()) return out;
  double served = 0, weak = 0, strong = 0, ideal = 0, ideal_strong = 0;
  for (const auto& request : played) {
    out.failed += request.failed ? 1 : 0;
    out.strong += request.strong ? 1 : 0;
    served += request.failed ? 0 : request.score;
    weak += request.weak_score;
    strong += request.strong_score;
    const bool weak_right = request.weak_score >= 1;
    ideal += weak_right ? request.weak_score : request.strong_score;
    ideal_strong += weak_right ? 0 : 1;
    out.cost.add(request.cost);
    out.strong_cost.add(request.strong_cost);
  }
  const auto n = static_cast<double>(out.n);
  out.strong_share = static_cast<double>(out.strong) / n;
  out.quality = served / n;
  out.always_weak = weak / n;
  out.always_strong = strong / n;
  out.ideal_static = ideal / n;
  out.ideal_static_strong = ideal_strong / n;
  out.mixture = out.strong_share * out.always_strong + (1 - out.strong_share) * out.always_weak;
  out.gain = out.quality - out.mixture;
  out.retention = ratio(out.quality, out.always_strong);
  out.relative_to_ideal = ratio(out.quality, out.ideal_static);
  return out;
}

Shuffle shuffle_decisions(const std::vector<PlayedRequest>& played, int shuffles, std::uint64_t seed) {
  Shuffle out;
  out.quality.n = played.size();
  if (played.empty() || shuffles < 1) return out;
  std::vector<char> strong(played.size());
  for (std::size_t i = 0; i < played.size(); ++i) strong[i] = played[i].strong;
  // A weak call's cost on a request that strong served was never observed: the mean cost of weak-served ones
  // stands in.
  CostTotal weak_cost;
  for (const auto& request : played) {
    if (!request.strong) weak_cost.add(request.cost);
  }
  const double weak_mean =
      weak_cost.known_count > 0 ? weak_cost.known.usd() / static_cast<double>(weak_cost.known_count) : 0;
  bool cost_known = weak_cost.unknown_count == 0;
  std::vector<double> quality;
  double cost_sum = 0;
  std::uint64_t counter = 0;
  for (int round = 0; round < shuffles; ++round) {
    for (std::size_t i = strong.size(); i > 1; --i)
      std::swap(strong[i - 1], strong[mix_bits(seed, counter++) % i]);
    double sum = 0;
    for (std::size_t i = 0; i < played.size(); ++i) {
      sum += strong[i] ? played[i].strong_score : played[i].weak_score;
      if (strong[i] && !played[i].strong_cost.amount) cost_known = false;
      cost_sum +=
          strong[i] ? (played[i].strong_cost.amount ? played[i].strong_cost.amount->usd() : 0)
                    : (!played[i].strong && played[i].cost.amount ? played[i].cost.amount->usd() : weak_mean);
    }
    quality.push_back(sum / static_cast<double>(played.size()));
  }
  const double mean =
      std::accumulate(quality.begin(), quality.end(), 0.0) / static_cast<double>(quality.size());
  out.quality = percentile_interval(mean, std::move(quality), played.size());
  if (cost_known) out.cost_usd = cost_sum / shuffles;
  return out;
}

Figure bootstrap_gain(const std::vector<std::vector<PlayedRequest>>& orders, Resample what, int rounds,
                      std::uint64_t seed) {
  if (orders.empty() || orders.front().empty()) return {};
  std::unordered_map<std::uint32_t, std::size_t> place;
  for (const auto& request : orders.front()) place.emplace(request.question, place.size());
  const std::size_t questions = place.size();
  // Per order and question: strong or not, and what was gained by it; the mixture's share is the resample's
  // own.
  struct Cell {
    float served, weak, strong;
    bool is_strong;
  };
  std::vector<std::vector<Cell>> cells(orders.size(), std::vector<Cell>(questions));
  for (std::size_t o = 0; o < orders.size(); ++o) {
    for (const auto& request : orders[o]) {
      cells[o][place.at(request.question)] = {static_cast<float>(request.failed ? 0 : request.score),
                                              static_cast<float>(request.weak_score),
                                              static_cast<float>(request.strong_score), request.strong};
    }
  }
  const auto gain = [&](std::size_t order, const std::vector<std::uint32_t>& picks) {
    double served = 0, weak = 0, strong = 0, share = 0;
    for (const auto pick : picks) {
      const auto& cell = cells[order][pick];
      served += cell.served;
      weak += cell.weak;
      strong += cell.strong;
      share += cell.is_strong ? 1 : 0;
    }
    const auto n = static_cast<double>(picks.size());
    share /= n;
    return served / n - (share * strong / n + (1 - share) * weak / n);
  };
  std::vector<std::uint32_t> all(questions);
  std::iota(all.begin(), all.end(), 0u);
  double mean = 0;
  for (std::size_t o = 0; o < orders.size(); ++o) mean += gain(o, all) / static_cast<double>(orders.size());
  std::vector<double> draws;
  std::uint64_t counter = 0;
  std::vector<std::uint32_t> picks(questions);
  for (int round = 0; round < rounds; ++round) {
    for (auto& pick : picks) pick = static_cast<std::uint32_t>(mix_bits(seed, counter++) % questions);
    double sum = 0;
    for (std::size_t o = 0; o < orders.size(); ++o) {
      sum += gain(what == Resample::kQuestions ? o : mix_bits(seed, counter++) % orders.size(), picks);
    }
    draws.push_back(sum / static_cast<double>(orders.size()));
  }
  return percentile_interval(mean, std::move(draws), questions);
}

std::optional<double> auroc(const std::vector<double>& score, const std::vector<bool>& label) {
  std::vector<std::size_t> order(score.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return score[a] < score[b]; });
  double positives = 0, rank_sum = 0;
  for (std::size_t i = 0; i < order.size();) {
    std::size_t j = i;
    while (j < order.size() && score[order[j]] == score[order[i]]) ++j;
    const double rank = static_cast<double>(i + j + 1) / 2;
    for (std::size_t at = i; at < j; ++at) {
      if (label[order[at]]) {
        positives += 1;
        rank_sum += rank;
      }
    }
    i = j;
  }
  const double negatives = static_cast<double>(score.size()) - positives;
  if (positives == 0 || negatives == 0) return std::nullopt;
  return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives);
}

}  // namespace brevet
