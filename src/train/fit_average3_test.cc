// Goal: the reference's regressions are the optimum of the penalised loss that they are named by, and its
// ranks are places among held-out scores. Method: the gradient of the loss, from its definition, at what was
// fitted.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "train/fit.h"
#include "train/test_data.h"

namespace brevet {
namespace {

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

TEST(Average3, BothRegressionsAreAtTheirOptimum) {
  const auto data = planted_data({.requests = 400});
  const auto artefact =
      fit_router(data, {.kind = "average3", .options = {{"c_embedding", .5}, {"c_words", 2.0}}}).value();
  const auto& embedding = artefact->tensors.at("embedding");
  const auto& index = artefact->tensors.at("words.index").values;
  const auto& words = artefact->tensors.at("words").values;
  const auto& offset = artefact->tensors.at("words.offset").values;
  const std::size_t d = embedding.shape[1] - 1;
  for (std::size_t c = 0; c < 2; ++c) {
    const float* w = embedding.values.data() + c * (d + 1);
    std::vector<double> dense(d + 1, 0), sparse(index.size() + 1, 0);
    for (std::size_t j = 0; j < d; ++j) dense[j] = w[j] / .5;
    for (std::size_t k = 0; k < index.size(); ++k) sparse[k] = words[2 * k + c] / 2.0;
    for (std::size_t i = 0; i < data.features.size(); ++i) {
      const auto& x = *data.features[i].embedding;
      const double y = data.quality[c][i];
      double score = w[d];
      for (std::size_t j = 0; j < d; ++j) score += w[j] * x[j];
      const double slope = sigmoid(score) - y;
      for (std::size_t j = 0; j < d; ++j) dense[j] += slope * x[j];
      dense[d] += slope;
      const auto& seen = data.features[i].words;
      const auto place = [&](std::size_t k) {
        return static_cast<std::size_t>(
            std::lower_bound(index.begin(), index.end(), static_cast<float>(seen.index[k])) - index.begin());
      };
      double by_words = offset[c];
      for (std::size_t k = 0; k < seen.index.size(); ++k) by_words += words[2 * place(k) + c] * seen.value[k];
      const double words_slope = sigmoid(by_words) - y;
      for (std::size_t k = 0; k < seen.index.size(); ++k) sparse[place(k)] += words_slope * seen.value[k];
      sparse.back() += words_slope;
    }
    for (const double g : dense) EXPECT_LT(std::abs(g), .2);
    for (const double g : sparse) EXPECT_LT(std::abs(g), .2);
  }
  const auto& ranks = artefact->tensors.at("ranks");
  EXPECT_EQ(ranks.shape, (std::vector<std::uint32_t>{3, 400}));
}

}  // namespace
}  // namespace brevet
