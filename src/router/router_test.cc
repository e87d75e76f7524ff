// Goal: what a router reports is calibrated, says how familiar a request is, and says nothing where it knows
// nothing; numbers that are no calibration are refused. Method: fake predictors inside hand-made artefacts.
#include "router/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "router/artefact.h"
#include "router/predictor.h"

namespace brevet {
namespace {

using ::testing::HasSubstr;

/// Predicts the first numbers of the embedding, or a fixed number where it reads none.
class Echo final : public Predictor {
 public:
  Echo(Predicts what, bool reads) : what_(what), reads_(reads) {}
  Predicts predicts() const override { return what_; }
  bool reads_embedding() const override { return reads_; }
  void predict(const RequestFeatures& features, std::span<float> out) const override {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = reads_ ? (*features.embedding)[i] : .5F;
  }

 private:
  const Predicts what_;
  const bool reads_;
};

Artefact artefact() {
  Artefact out;
  out.info.kind = "echo";
  out.info.configurations = {"weak", "middle", "strong"};
  out.tensors["calibration.need"] = {{2, 3}, {-1, 0, 1, .1F, .2F, .9F}};
  for (const char* i : {"0", "1", "2"})
    out.tensors[std::string("calibration.quality.") + i] = {{2, 2}, {0, 1, 0, .8F}};
  return out;
}

Result<RouterPtr> make(Artefact from, Predicts what = Predicts::kQuality, bool reads = true) {
  return make_calibrated_router(std::make_shared<const Artefact>(std::move(from)),
                                std::make_unique<const Echo>(what, reads));
}

RequestFeatures at(std::vector<float> embedding) {
  RequestFeatures out;
  out.embedding = std::make_shared<const Embedding>(std::move(embedding));
  return out;
}

TEST(Router, CalibratesQualitiesAndTheNeedForStrong) {
  const auto router = make(artefact());
  ASSERT_TRUE(router) << router.error().message;
  const auto found = (*router)->predict(at({.25F, .5F, .75F}));
  ASSERT_TRUE(found);
  ASSERT_EQ(found->quality.size(), 3u);
  EXPECT_NEAR(found->quality[0], .2, 1e-6);
  EXPECT_NEAR(found->quality[1], .4, 1e-6);
  EXPECT_NEAR(found->quality[2], .6, 1e-6);
  EXPECT_NEAR(found->need_strong, .55, 1e-6) << "of the raw difference, .5";
  EXPECT_EQ(found->familiarity, 1) << "not measured";
}

TEST(Router, StaysConstantBeyondTheKnots) {
  const auto router = make(artefact(), Predicts::kNeed);
  ASSERT_TRUE(router);
  const auto need = [&](float raw) { return (*router)->predict(at({raw}))->need_strong; };
  EXPECT_NEAR(need(-7), .1, 1e-6);
  EXPECT_NEAR(need(-1), .1, 1e-6);
  EXPECT_NEAR(need(.5), .55, 1e-6);
  EXPECT_NEAR(need(1), .9, 1e-6);
  EXPECT_NEAR(need(7), .9, 1e-6);
  EXPECT_TRUE((*router)->predict(at({.5F}))->quality.empty()) << "it knows need alone";
}

TEST(Router, AJumpOfTheCalibrationIsTakenFromItsPlaceOn) {
  auto from = artefact();
  from.tensors["calibration.need"] = {{2, 4}, {0, .5F, .5F, 1, 0, .2F, .8F, 1}};
  const auto router = make(from, Predicts::kNeed);
  ASSERT_TRUE(router);
  EXPECT_NEAR((*router)->predict(at({.5F}))->need_strong, .8, 1e-6);
  EXPECT_NEAR((*router)->predict(at({.25F}))->need_strong, .1, 1e-6);
}

TEST(Router, SaysHowFamiliarARequestIs) {
  auto from = artefact();
  from.tensors["familiarity.centroids"] = {{2, 2}, {1, 0, 0, 1}};
  from.tensors["familiarity.quantiles"] = {{3}, {.2F, .6F, 1}};
  const auto router = make(from, Predicts::kNeed);
  ASSERT_TRUE(router) << router.error().message;
  const auto familiarity = [&](float x, float y) { return (*router)->predict(at({x, y}))->familiarity; };
  EXPECT_EQ(familiarity(1, 0), 1);
  EXPECT_EQ(familiarity(0, 1), 1) << "near the second is near";
  EXPECT_NEAR(familiarity(.6F, 0), .5, 1e-6);
  EXPECT_NEAR(familiarity(.4F, 0), .25, 1e-6);
  EXPECT_EQ(familiarity(-1, 0), 0);
}

TEST(Router, SaysNothingWithoutWhatItReads) {
  auto from = artefact();
  from.tensors["familiarity.centroids"] = {{1, 2}, {1, 0}};
  from.tensors["familiarity.quantiles"] = {{2}, {0, 1}};
  const auto router = make(from, Predicts::kNeed);
  ASSERT_TRUE(router);
  EXPECT_FALSE((*router)->predict(RequestFeatures{}));
  EXPECT_FALSE((*router)->predict(at({1, 0, 0}))) << "of another encoder";
  EXPECT_FALSE((*router)->predict(at({std::nanf(""), 0})));
  const auto words = make(from, Predicts::kNeed, false);
  ASSERT_TRUE(words);
  const auto found = (*words)->predict(RequestFeatures{});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->familiarity, 1);
}

TEST(Router, RefusesWhatIsNoCalibration) {
  const float nan = std::nanf("");
  const float infinite = std::numeric_limits<float>::infinity();
  for (const auto& [name, tensor] :
       std::vector<std::pair<std::string, Tensor>>{{"calibration.need", {{2, 0}, {}}},
                                                   {"calibration.need", {{4}, {0, 1, 0, 1}}},
                                                   {"calibration.need", {{2, 2}, {1, 0, 0, 1}}},
                                                   {"calibration.need", {{2, 2}, {0, 1, 1, 0}}},
                                                   {"calibration.need", {{2, 2}, {0, 1, 0, 1.1F}}},
                                                   {"calibration.need", {{2, 2}, {0, 1, -.1F, 1}}},
                                                   {"calibration.need", {{2, 2}, {0, nan, 0, 1}}},
                                                   {"calibration.need", {{2, 2}, {0, infinite, 0, 1}}},
                                                   {"calibration.need", {{2, 2}, {0, 1, 0, nan}}},
                                                   {"calibration.quality.1", {{2, 2}, {0, 1, 1, 0}}},
                                                   {"familiarity.centroids", {{2}, {1, 0}}},
                                                   {"familiarity.centroids", {{0, 2}, {}}},
                                                   {"familiarity.centroids", {{1, 2}, {1, nan}}},
                                                   {"familiarity.quantiles", {{1}, {0}}},
                                                   {"familiarity.quantiles", {{2}, {1, 0}}},
                                                   {"familiarity.quantiles", {{2}, {nan, nan}}}}) {
    auto from = artefact();
    from.tensors["familiarity.centroids"] = {{1, 2}, {1, 0}};
    from.tensors["familiarity.quantiles"] = {{2}, {0, 1}};
    ASSERT_TRUE(make(from));
    from.tensors[name] = tensor;
    const auto made = make(from);
    ASSERT_FALSE(made) << name;
    EXPECT_EQ(made.error().code, "router_corrupt");
    EXPECT_THAT(made.error().message, HasSubstr(name));
  }
  for (const char* name : {"calibration.need", "calibration.quality.2"}) {
    auto from = artefact();
    from.tensors.erase(name);
    const auto made = make(from);
    ASSERT_FALSE(made) << name;
    EXPECT_EQ(made.error().code, "router_corrupt");
  }
}

TEST(Router, EveryKindHasANameAndASummary) {
  for (const auto& kind : router_kinds()) {
    EXPECT_FALSE(kind.name.empty());
    EXPECT_EQ(kind.name.find('-'), std::string::npos) << "a model name router-NAME-THRESHOLD is split there";
    EXPECT_FALSE(kind.summary.empty());
    auto from = artefact();
    from.info.kind = kind.name;
    from.tensors.clear();
    const auto made = make_router(std::make_shared<const Artefact>(from));
    ASSERT_FALSE(made) << kind.name << " is made of no numbers";
    EXPECT_EQ(made.error().code, "router_corrupt");
  }
  auto from = artefact();
  from.info.kind = "nonsense";
  const auto made = make_router(std::make_shared<const Artefact>(from));
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, "unknown_router");
}

}  // namespace
}  // namespace brevet
