#include "eval/bootstrap.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>
#include <thread>

#include "base/random.h"
#include "eval/metrics.h"

namespace brevet {
namespace {

constexpr double kUndefinedRoundsMax = .05;

/// Draws of one round: which clusters, and which seeds. Keyed by the round, so that rounds may run anywhere.
class RoundDraws {
 public:
  RoundDraws(const BootstrapOptions& options, std::size_t questions, std::size_t seed_count)
      : options_(options), seed_count_(seed_count) {
    if (options.cluster.empty()) {
      clusters_ = questions;
      return;
    }
    assert(options.cluster.size() == questions);
    // Cluster numbers of a subset of the questions have gaps: number those that occur.
    std::vector<std::uint32_t> numbers = options.cluster;
    std::sort(numbers.begin(), numbers.end());
    numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
    clusters_ = numbers.size();
    if (clusters_ == questions) return;
    place_.reserve(questions);
    for (const auto number : options.cluster) {
      place_.push_back(static_cast<std::uint32_t>(std::lower_bound(numbers.begin(), numbers.end(), number) -
                                                  numbers.begin()));
    }
  }

  std::size_t clusters() const { return clusters_; }

  /// Fills weights (one per question) and seeds (seed_count of them).
  void draw(int round, std::vector<std::uint32_t>& weights, std::vector<std::uint32_t>& seeds,
            std::vector<std::uint32_t>& cluster_weights) const {
    const auto key = mix_bits(options_.seed, static_cast<std::uint64_t>(round));
    auto& drawn = place_.empty() ? weights : cluster_weights;
    std::fill(drawn.begin(), drawn.end(), 0u);
    for (std::size_t i = 0; i < clusters_; ++i) ++drawn[pick(mix_bits(key, i), clusters_)];
    if (!place_.empty()) {
      for (std::size_t q = 0; q < weights.size(); ++q) weights[q] = cluster_weights[place_[q]];
    }
    for (std::size_t s = 0; s < seed_count_; ++s) {
      seeds[s] = options_.what == Resample::kQuestions
                     ? static_cast<std::uint32_t>(s)
                     : static_cast<std::uint32_t>(pick(mix_bits(key, clusters_ + s), seed_count_));
    }
  }

 private:
  // Multiply-shift instead of a division; its bias is below 2^-32 for any count of questions.
  static std::size_t pick(std::uint64_t bits, std::size_t count) {
    return static_cast<std::size_t>((bits >> 32) * count >> 32);
  }

  const BootstrapOptions& options_;
  std::size_t seed_count_;
  std::size_t clusters_ = 0;
  std::vector<std::uint32_t> place_;  // cluster of each question; empty = each is its own
};

/// Calls work(first, last) for slices of the rounds, on `threads` threads.
template <class Work>
void in_slices(int rounds, unsigned threads, const Work& work) {
  const int slices = std::clamp(static_cast<int>(threads), 1, std::max(rounds, 1));
  std::vector<std::jthread> running;
  for (int slice = 1; slice < slices; ++slice)
    running.emplace_back([&, slice] { work(rounds * slice / slices, rounds * (slice + 1) / slices); });
  work(0, rounds / slices);
}

/// results: [round][statistic], NaN where undefined.
std::vector<std::optional<Measured>> measured(const std::vector<std::optional<double>>& means,
                                              const std::vector<double>& results, int rounds,
                                              std::size_t questions, std::size_t clusters) {
  const std::size_t statistics = means.size();
  std::vector<std::optional<Measured>> out(statistics);
  for (std::size_t s = 0; s < statistics; ++s) {
    if (!means[s] || !std::isfinite(*means[s])) continue;
    out[s] = Measured{*means[s], std::nullopt, questions};
    std::vector<double> draws;
    draws.reserve(static_cast<std::size_t>(rounds));
    for (std::size_t r = 0; r < static_cast<std::size_t>(rounds); ++r) {
      const double value = results[r * statistics + s];
      if (std::isfinite(value)) draws.push_back(value);
    }
    const auto undefined = static_cast<double>(static_cast<std::size_t>(rounds) - draws.size());
    if (clusters < 2 || draws.empty() || undefined > kUndefinedRoundsMax * rounds) continue;
    std::sort(draws.begin(), draws.end());
    const auto at = [&](double q) {
      const double where = q * static_cast<double>(draws.size() - 1);
      const auto i = static_cast<std::size_t>(where);
      const double rest = where - static_cast<double>(i);
      return i + 1 < draws.size() ? draws[i] + rest * (draws[i + 1] - draws[i]) : draws[i];
    };
    out[s]->ci95 = Range{at(.025), at(.975)};
  }
  return out;
}

constexpr std::size_t kRoundsTogether =
    8;  // reads the table once for so many rounds: it is larger than a cache

}  // namespace

std::vector<std::optional<Measured>> bootstrap_weighted(std::size_t questions, std::size_t seed_count,
                                                        std::size_t statistics,
                                                        const ResampleFunction& function,
                                                        const BootstrapOptions& options) {
  std::vector<std::optional<double>> means(statistics);
  if (questions == 0 || seed_count == 0) return std::vector<std::optional<Measured>>(statistics);
  const RoundDraws draws(options, questions, seed_count);
  const int rounds = std::max(options.rounds, 0);
  {
    const std::vector<std::uint32_t> once(questions, 1);
    std::vector<std::uint32_t> every(seed_count);
    std::iota(every.begin(), every.end(), 0u);
    function(once, every, means);
  }
  std::vector<double> results(static_cast<std::size_t>(rounds) * statistics, std::nan(""));
  in_slices(rounds, options.threads, [&](int first, int last) {
    std::vector<std::uint32_t> weights(questions), cluster_weights(draws.clusters()), seeds(seed_count);
    std::vector<std::optional<double>> out(statistics);
    for (int round = first; round < last; ++round) {
      draws.draw(round, weights, seeds, cluster_weights);
      std::fill(out.begin(), out.end(), std::nullopt);
      function(weights, seeds, out);
      for (std::size_t s = 0; s < statistics; ++s) {
        if (out[s]) results[static_cast<std::size_t>(round) * statistics + s] = *out[s];
      }
    }
  });
  return measured(means, results, rounds, questions, draws.clusters());
}

std::vector<std::optional<Measured>> bootstrap(const PairedTable& table,
                                               const std::vector<Statistic>& statistics,
                                               const BootstrapOptions& options) {
  const std::size_t n = table.questions;
  assert(table.values.size() == n * table.seeds * table.columns);
  assert(table.shared_values.size() == n * table.shared);
  if (n == 0 || table.seeds == 0) return std::vector<std::optional<Measured>>(statistics.size());

  // One row per question: the columns of each seed (or their mean over seeds), then the shared ones.
  const bool seeds_too = options.what == Resample::kQuestionsAndOrders && table.seeds > 1;
  const std::size_t kept_seeds = seeds_too ? table.seeds : 1;
  const std::size_t own = kept_seeds * table.columns, width = own + table.shared;
  std::vector<double> rows(n * width);
  for (std::size_t q = 0; q < n; ++q) {
    double* row = rows.data() + q * width;
    const double* from = table.values.data() + q * table.seeds * table.columns;
    for (std::size_t i = 0; i < table.seeds * table.columns; ++i)
      row[seeds_too ? i : i % table.columns] +=
          seeds_too ? from[i] : from[i] / static_cast<double>(table.seeds);
    std::copy_n(table.shared_values.data() + q * table.shared, table.shared, row + own);
  }

  const auto evaluate = [&](const double* sums, double total, std::span<const std::uint32_t> seeds,
                            std::vector<double>& means, const auto& put) {
    std::fill(means.begin(), means.end(), 0);
    for (const auto seed : seeds) {
      for (std::size_t c = 0; c < table.columns; ++c)
        means[c] += sums[seed * table.columns + c] / (total * static_cast<double>(seeds.size()));
    }
    for (std::size_t c = 0; c < table.shared; ++c) means[table.columns + c] = sums[own + c] / total;
    const std::span<const double> all(means);
    for (std::size_t s = 0; s < statistics.size(); ++s)
      put(s, statistics[s](all.first(table.columns), all.subspan(table.columns)));
  };

  std::vector<std::optional<double>> on_all(statistics.size());
  {
    std::vector<double> sums(width), means(table.columns + table.shared);
    for (std::size_t q = 0; q < n; ++q) {
      for (std::size_t c = 0; c < width; ++c) sums[c] += rows[q * width + c];
    }
    std::vector<std::uint32_t> every(kept_seeds);
    std::iota(every.begin(), every.end(), 0u);
    evaluate(sums.data(), static_cast<double>(n), every, means,
             [&](std::size_t s, std::optional<double> value) { on_all[s] = value; });
  }

  const RoundDraws draws(options, n, kept_seeds);
  const int rounds = std::max(options.rounds, 0);
  std::vector<double> results(static_cast<std::size_t>(rounds) * statistics.size(), std::nan(""));
  in_slices(rounds, options.threads, [&](int first, int last) {
    std::vector<std::vector<std::uint32_t>> weights(kRoundsTogether, std::vector<std::uint32_t>(n));
    std::vector<std::vector<std::uint32_t>> seeds(kRoundsTogether, std::vector<std::uint32_t>(kept_seeds));
    std::vector<std::uint32_t> cluster_weights(draws.clusters());
    std::vector<double> sums(kRoundsTogether * width), means(table.columns + table.shared);
    for (int block = first; block < last; block += static_cast<int>(kRoundsTogether)) {
      const auto together = std::min(kRoundsTogether, static_cast<std::size_t>(last - block));
      for (std::size_t b = 0; b < together; ++b)
        draws.draw(block + static_cast<int>(b), weights[b], seeds[b], cluster_weights);
      std::fill(sums.begin(), sums.end(), 0);
      for (std::size_t q = 0; q < n; ++q) {
        const double* row = rows.data() + q * width;
        for (std::size_t b = 0; b < together; ++b) {
          if (weights[b][q] == 0) continue;
          const double weight = weights[b][q];
          double* sum = sums.data() + b * width;
          for (std::size_t c = 0; c < width; ++c) sum[c] += weight * row[c];
        }
      }
      for (std::size_t b = 0; b < together; ++b) {
        const double total = std::accumulate(weights[b].begin(), weights[b].end(), 0.0);
        const auto round = static_cast<std::size_t>(block) + b;
        evaluate(sums.data() + b * width, total, seeds[b], means,
                 [&](std::size_t s, std::optional<double> value) {
                   if (value) results[round * statistics.size() + s] = *value;
                 });
      }
    }
  });
  return measured(on_all, results, rounds, n, draws.clusters());
}

namespace {

/// Column 0 is a; b follows as a column where it has the same seeds, as a shared one where it has one.
std::optional<Measured> paired(const SeedValues& a, const SeedValues& b, const BootstrapOptions& options,
                               const std::function<std::optional<double>(double, double)>& statistic) {
  if (a.empty() || a.front().empty()) return std::nullopt;
  const bool shared = b.size() == 1;
  assert(b.empty() || shared || b.size() == a.size());
  PairedTable table;
  table.questions = a.front().size();
  table.seeds = a.size();
  table.columns = b.empty() || shared ? 1 : 2;
  table.shared = shared ? 1 : 0;
  table.allocate();
  for (std::size_t s = 0; s < a.size(); ++s) {
    assert(a[s].size() == table.questions);
    for (std::size_t q = 0; q < table.questions; ++q) {
      table.value(q, s, 0) = a[s][q];
      if (table.columns == 2) table.value(q, s, 1) = b[s][q];
    }
  }
  if (shared) std::copy(b[0].begin(), b[0].end(), table.shared_values.begin());
  return bootstrap(table, {[&](std::span<const double> own, std::span<const double> common) {
                     return statistic(own[0], !common.empty() ? common[0] : own.size() > 1 ? own[1] : 0);
                   }},
                   options)
      .front();
}

}  // namespace

std::optional<Measured> bootstrap_mean(const SeedValues& a, const BootstrapOptions& options) {
  return paired(a, {}, options, [](double x, double) { return std::optional(x); });
}

std::optional<Measured> bootstrap_difference(const SeedValues& a, const SeedValues& b,
                                             const BootstrapOptions& options) {
  return paired(a, b, options, [](double x, double y) { return std::optional(x - y); });
}

std::optional<Measured> bootstrap_ratio(const SeedValues& a, const SeedValues& b,
                                        const BootstrapOptions& options) {
  return paired(a, b, options,
                [](double x, double y) { return y > 0 ? std::optional(x / y) : std::nullopt; });
}

}  // namespace brevet
