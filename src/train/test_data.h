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

/// Unit embeddings around twelve topics, half of them hard; how hard a request is depends on its topic and,
/// less, on its first number. Weak is right with probability sigmoid(-strength * hardness), better models
/// depend less on it. Word 7 comes with hard requests, word 9 with easy ones. Clusters are the requests.
inline FitData planted_data(const PlantedOptions& options) {
  constexpr std::size_t kTopics = 12;
  SeededRandom world(99, 78);  // the same topics for every seed
  std::vector<Embedding> topics(kTopics, Embedding(options.dimension));
  for (auto& topic : topics) {
    for (auto& v : topic) v = static_cast<float>(world.normal());
  }
  SeededRandom random(options.seed, 77);
  FitData data;
  for (std::size_t c = 0; c < options.configurations; ++c) {
    data.configurations.push_back("model" + std::to_string(c));
    data.quality.emplace_back();
  }
  data.encoder_hash = "test";
  for (std::size_t i = 0; i < options.requests; ++i) {
    const std::size_t topic = random.below(kTopics);
    Embedding e = topics[topic];
    double length = 0;
    for (auto& v : e) {
      v += static_cast<float>(.7 * random.normal());
      length += static_cast<double>(v) * v;
    }
    for (auto& v : e) v /= static_cast<float>(std::sqrt(length));
    const double hard =
        (topic % 2 == 0 ? .5 : -.5) + .3 * e[0] * std::sqrt(static_cast<double>(options.dimension));
    RequestFeatures features;
    features.words.index = {hard > 0 ? 7U : 9U, 100U + static_cast<std::uint32_t>(random.below(50))};
    features.words.value = {.8F, .6F};
    features.embedding = std::make_shared<const Embedding>(std::move(e));
    // What a model beside the encoder would say that knows how hard a request is, and is far too sure of it.
    features.classified =
        std::make_shared<const std::vector<float>>(1, static_cast<float>(1 / (1 + std::exp(-8 * hard))));
    data.features.push_back(std::move(features));
    for (std::size_t c = 0; c < options.configurations; ++c) {
      const double skill = static_cast<double>(c) / static_cast<double>(options.configurations - 1);
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
