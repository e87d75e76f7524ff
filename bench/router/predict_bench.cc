// What a routing decision costs after embedding: every kind of router, fitted on 10,000 and on 100,000
// synthetic requests of 384 numbers (lookups grow with them, heads do not), p50 and p99 of one prediction.
//
// predict_bench [Google Benchmark flags]; --benchmark_filter=knn/100000 picks. Kinds whose numbers do not
// grow with the data are fitted on at most 2,000 rows: the prediction costs the same.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "router/predictor.h"
#include "train/fit.h"
#include "train/seeded_random.h"

namespace {

using namespace brevet;

constexpr std::size_t kDimension = 384;
constexpr std::size_t kTopics = 300;
constexpr std::size_t kQueries = 256;

/// Requests around topics, as in memory_bench: neighbours exist, and most rows are far.
FitData requests(std::size_t count, std::uint64_t seed) {
  SeededRandom world(1, 1);
  std::vector<Embedding> topics(kTopics, Embedding(kDimension));
  for (auto& topic : topics) {
    for (auto& v : topic) v = static_cast<float>(world.normal());
  }
  SeededRandom random(seed, 2);
  FitData data;
  data.encoder_hash = "bench";
  data.configurations = {"weak", "strong"};
  data.quality.resize(2);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t topic = random.below(kTopics);
    Embedding e = topics[topic];
    double length = 0;
    for (auto& v : e) {
      v += static_cast<float>(random.normal());
      length += static_cast<double>(v) * v;
    }
    for (auto& v : e) v /= static_cast<float>(std::sqrt(length));
    RequestFeatures features;
    features.embedding = std::make_shared<const Embedding>(std::move(e));
    constexpr std::size_t kWords = 100;
    for (std::size_t w = 0; w < kWords; ++w) {
      features.words.index.push_back(static_cast<std::uint32_t>(w * 40 + random.below(40)));
      features.words.value.push_back(.1F);
    }
    for (auto& v : features.statistics.shape) v = static_cast<float>(random.uniform());
    data.features.push_back(std::move(features));
    const double easy = topic % 2 == 0 ? .8 : .4;
    data.quality[0].push_back(random.uniform() < easy ? 1.0F : 0.0F);
    data.quality[1].push_back(random.uniform() < .85 ? 1.0F : 0.0F);
  }
  return data;
}

/// The kinds that keep every row; their numbers are put together from a small fit and all rows, because five
/// out-of-fold passes over 100,000 rows say nothing about serving.
std::shared_ptr<const Artefact> fitted(const std::string& kind, std::size_t rows) {
  static std::map<std::size_t, FitData> cache;
  const auto [at, fresh] = cache.try_emplace(rows);
  if (fresh) at->second = requests(rows, 7);
  constexpr std::size_t kFitRows = 2000;
  FitData small = requests(std::min(rows, kFitRows), 7);
  auto made = fit_router(small, {.kind = kind});
  if (!made) return nullptr;
  auto artefact = std::make_shared<Artefact>(**made);
  const auto& data = at->second;
  if (kind != "knn" && kind != "sw_ranking") return artefact;
  Tensor all{{static_cast<std::uint32_t>(rows), kDimension}, {}};
  for (const auto& f : data.features) {
    all.values.insert(all.values.end(), f.embedding->begin(), f.embedding->end());
  }
  artefact->tensors["rows"] = std::move(all);
  if (kind == "knn") {
    Tensor quality{{2, static_cast<std::uint32_t>(rows)}, data.quality[0]};
    quality.values.insert(quality.values.end(), data.quality[1].begin(), data.quality[1].end());
    artefact->tensors["quality"] = std::move(quality);
    return artefact;
  }
  Tensor battles{{0, 4}, {}};
  const auto add = [&](std::size_t i, float winner, float weight) {
    battles.values.insert(battles.values.end(), {static_cast<float>(i), winner, 1 - winner, weight});
    ++battles.shape[0];
  };
  for (std::size_t i = 0; i < rows; ++i) {
    const float gain = data.quality[1][i] - data.quality[0][i];
    if (gain != 0) add(i, gain > 0 ? 1.0F : 0.0F, 2);
    if (gain == 0) add(i, 0, 1), add(i, 1, 1);
  }
  artefact->tensors["battles"] = std::move(battles);
  artefact->tensors["tiers"] = Tensor{{3}, {2, 0, 1}};
  return artefact;
}

void predict(benchmark::State& state, const std::string& kind, std::size_t rows) {
  const auto artefact = fitted(kind, rows);
  const auto predictor = artefact ? make_predictor(artefact) : Result<std::unique_ptr<const Predictor>>();
  if (!artefact || !predictor) {
    state.SkipWithError("could not be fitted");
    return;
  }
  const auto queries = requests(kQueries, 11);
  std::vector<float> out((*predictor)->predicts() == Predicts::kQuality ? 2 : 1);
  std::vector<double> microseconds;
  std::size_t next = 0;
  for (auto _ : state) {
    const auto from = std::chrono::steady_clock::now();
    (*predictor)->predict(queries.features[next++ % kQueries], out);
    benchmark::DoNotOptimize(out.data());
    microseconds.push_back(
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - from).count());
  }
  std::sort(microseconds.begin(), microseconds.end());
  const auto quantile = [&](double q) {
    return microseconds[static_cast<std::size_t>(q * static_cast<double>(microseconds.size() - 1))];
  };
  state.counters["p50_us"] = quantile(.5);
  state.counters["p99_us"] = quantile(.99);
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  for (const auto& kind : router_kinds()) {
    for (const std::size_t rows : {10'000, 100'000}) {
      benchmark::RegisterBenchmark((kind.name + "/" + std::to_string(rows)).c_str(),
                                   [name = kind.name, rows](benchmark::State& s) { predict(s, name, rows); })
          ->Iterations(2000)
          ->Unit(benchmark::kMicrosecond);
    }
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
