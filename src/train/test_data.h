// Synthetic requests with a planted rule, for tests of routers.
#pragma once

#include <cmath>
#include <memory>
#include <vector>

#include "router/predictor.h"
#include "train/fit.h"
#include "train/seeded_random.h"

namespace brevet {

struct PlantedOptions {
  std::size_t requests = 600;
  std::size_t dimension = 24;
  std::size_t configurations = 2;
  double strength = 5;  ///< of the rule; 0 = labels have nothing to do with the request
  std::uint64_t seed = 1;
};

/// Unit embeddings; weak is right with probability sigmoid(-strength * e_0 * sqrt(d)/2), the last always
/// likelier; word 7 is there where e_0 > 0.
inline FitData planted_data(const PlantedOptions& options) {
  SeededRandom random(options.seed, 77);
  FitData data;
  for (std::size_t c = 0; c < options.configurations; ++c) {
    data.configurations.push_back("model" + std::to_string(c));
    data.quality.emplace_back();
  }
  data.encoder_hash = "test";
  for (std::size_t i = 0; i < options.requests; ++i) {
    Embedding e(options.dimension);
    double length = 0;
    for (auto& v : e) v = static_cast<float>(random.normal()), length += static_cast<double>(v) * v;
    for (auto& v : e) v /= static_cast<float>(std::sqrt(length));
    const double hard = e[0] * std::sqrt(static_cast<double>(options.dimension)) / 2;
    RequestFeatures features;
    features.words.index = {hard > 0 ? 7U : 9U, 100U + static_cast<std::uint32_t>(random.below(50))};
    features.words.value = {.8F, .6F};
    features.embedding = std::make_shared<const Embedding>(std::move(e));
    data.features.push_back(std::move(features));
    for (std::size_t c = 0; c < options.configurations; ++c) {
      const double skill = options.configurations == 1
                               ? 0
                               : static_cast<double>(c) / static_cast<double>(options.configurations - 1);
      const double z = -options.strength * (1 - skill) * hard + 2 * skill;
      data.quality[c].push_back(random.uniform() < 1 / (1 + std::exp(-z)) ? 1.0F : 0.0F);
    }
  }
  return data;
}

inline float raw_need(const Predictor& predictor, const RequestFeatures& features,
                      std::size_t configurations) {
  std::vector<float> out(predictor.predicts() == Predicts::kQuality ? configurations : 1);
  predictor.predict(features, out);
  return out.size() == 1 ? out[0] : out.back() - out.front();
}

}  // namespace brevet
