// Goal: what fit_router promises for every kind: a planted rule is found, equal input gives equal numbers,
// folds never leak, and what cannot be learned from is refused. Method: synthetic embeddings with a known
// rule; every kind in the list.
#include "train/fit.h"

#include <gtest/gtest.h>

#include <cmath>

#include "router/predictor.h"
#include "train/rank_calibration.h"
#include "train/test_data.h"

namespace brevet {
namespace {

double measured(const Artefact& artefact, const std::string& name) {
  for (const auto& [key, value] : artefact.info.measured) {
    if (key == name) return value;
  }
  ADD_FAILURE() << "no figure " << name;
  return NAN;
}

TEST(Fit, EveryKindFindsAPlantedRule) {
  const auto data = planted_data({.requests = 600});
  const auto fresh = planted_data({.requests = 400, .seed = 2});
  for (const auto& kind : fit_kinds()) {
    const auto artefact = fit_router(data, {.kind = kind.name});
    ASSERT_TRUE(artefact) << kind.name << ": " << artefact.error().message;
    EXPECT_GT(measured(**artefact, "auroc"), .7) << kind.name;
    const auto predictor = make_predictor(*artefact);
    ASSERT_TRUE(predictor) << kind.name << ": " << predictor.error().message;
    std::vector<float> need, label;
    for (std::size_t i = 0; i < fresh.features.size(); ++i) {
      need.push_back(raw_need(**predictor, fresh.features[i], 2));
      label.push_back(fresh.quality[1][i] > fresh.quality[0][i] ? 1 : 0);
    }
    EXPECT_GT(area_under_roc(need, label), .7) << kind.name;
  }
}

}  // namespace
}  // namespace brevet
