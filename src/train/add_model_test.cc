// Goal: a model joins a uniroute router by its probes alone, and is then told as well as one that was there.
// Method: a third model with a planted skill; the router fitted with it from the start beside the one it
// joined.
#include "train/add_model.h"

#include <gtest/gtest.h>

#include <cmath>

#include "router/predictor.h"
#include "train/fit.h"
#include "train/test_data.h"

namespace brevet {
namespace {

struct World {
  FitData three = planted_data({.requests = 900, .configurations = 3});
  FitData two;
  ProbeOutcomes probes;
  World() {
    two = three;
    two.configurations = {"model0", "model2"};
    two.quality = {three.quality[0], three.quality[2]};
    probes.configuration = "model1";
    for (std::size_t i = 0; i < 300; ++i) {
      probes.features.push_back(three.features[i]);
      probes.quality.push_back(three.quality[1][i]);
    }
  }
};

TEST(AddModel, ItsQualityIsToldNearlyAsByARouterThatKnewIt) {
  const World world;
  const auto router = fit_router(world.two, {.kind = "uniroute"});
  const auto whole = fit_router(world.three, {.kind = "uniroute"});
  ASSERT_TRUE(router && whole);
  const auto joined = add_model(**router, world.probes, 1);
  ASSERT_TRUE(joined) << joined.error().message;
  EXPECT_EQ((*joined)->info.configurations, (std::vector<std::string>{"model0", "model1", "model2"}));
  ASSERT_TRUE((*joined)->tensors.contains("calibration.quality.2"));
  EXPECT_EQ((*joined)->tensors.at("calibration.quality.2").values,
            (*router)->tensors.at("calibration.quality.1").values);
  const auto before = make_predictor(*router), after = make_predictor(*joined), knew = make_predictor(*whole);
  ASSERT_TRUE(before && after && knew);
  double error_joined = 0, error_knew = 0, error_mean = 0, mean = 0;
  const auto fresh = planted_data({.requests = 1500, .configurations = 3, .seed = 8});
  for (const float q : world.probes.quality) mean += q / 300.0;
  for (std::size_t i = 0; i < 1500; ++i) {
    std::vector<float> two(2), three(3), reference(3);
    (*before)->predict(fresh.features[i], two);
    (*after)->predict(fresh.features[i], three);
    (*knew)->predict(fresh.features[i], reference);
    ASSERT_EQ(two[0], three[0]);
    ASSERT_EQ(two[1], three[2]);
    const float truth = fresh.quality[1][i];
    error_joined += (three[1] - truth) * (three[1] - truth) / 1500;
    error_knew += (reference[1] - truth) * (reference[1] - truth) / 1500;
    error_mean += (mean - truth) * (mean - truth) / 1500;
  }
  EXPECT_LT(error_joined, error_mean - .005) << "topics say more than the mean over all";
  EXPECT_LT(error_joined, error_knew + .02);
}

TEST(AddModel, RefusesWhatDoesNotFit) {
  World world;
  const auto router = fit_router(world.two, {.kind = "uniroute"});
  const auto other = fit_router(world.two, {.kind = "cluster"});
  ASSERT_TRUE(router && other);
  const auto code = [](const Artefact& artefact, const ProbeOutcomes& probes, std::size_t place) {
    const auto joined = add_model(artefact, probes, place);
    return joined ? std::string("joined") : joined.error().code;
  };
  EXPECT_EQ(code(**other, world.probes, 1), "wrong_candidates");
  EXPECT_EQ(code(**router, world.probes, 0), "wrong_candidates");
  EXPECT_EQ(code(**router, world.probes, 2), "wrong_candidates");
  auto probes = world.probes;
  probes.configuration = "model0";
  EXPECT_EQ(code(**router, probes, 1), "wrong_candidates");
  probes = world.probes;
  probes.quality[0] = NAN;
  EXPECT_EQ(code(**router, probes, 1), "bad_labels");
  probes = world.probes;
  probes.features[0].embedding = nullptr;
  EXPECT_EQ(code(**router, probes, 1), "no_embeddings");
  probes.features.resize(9);
  probes.quality.resize(9);
  EXPECT_EQ(code(**router, probes, 1), "too_few_labels");
}

}  // namespace
}  // namespace brevet
