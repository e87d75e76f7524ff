// Goal: what fit_router promises for every kind: a planted rule is found, equal input gives equal numbers,
// folds never leak, and what cannot be learned from is refused. Method: synthetic embeddings with a known
// rule; every kind in the list.
#include "train/fit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

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

TEST(Fit, ManyConfigurationsWhereTheKindSpeaksOfThem) {
  const auto data = planted_data({.requests = 300, .configurations = 4});
  for (const auto& kind : fit_kinds()) {
    const auto artefact = fit_router(data, {.kind = kind.name});
    if (!kind.many) {
      ASSERT_FALSE(artefact) << kind.name;
      EXPECT_EQ(artefact.error().code, "wrong_candidates");
      continue;
    }
    ASSERT_TRUE(artefact) << kind.name << ": " << artefact.error().message;
    for (int c = 0; c < 4; ++c) {
      EXPECT_TRUE((*artefact)->tensors.contains("calibration.quality." + std::to_string(c))) << kind.name;
    }
  }
}

TEST(Fit, EqualInputGivesEqualBytesAndTheFileServesTheSame) {
  const auto data = planted_data({.requests = 200});
  for (const auto& kind : fit_kinds()) {
    const auto one = fit_router(data, {.kind = kind.name, .seed = 3});
    const auto two = fit_router(data, {.kind = kind.name, .seed = 3});
    ASSERT_TRUE(one && two) << kind.name;
    const auto bytes = artefact_bytes(**one);
    EXPECT_EQ(bytes, artefact_bytes(**two)) << kind.name;
    const auto read = parse_artefact(bytes, kind.name);
    ASSERT_TRUE(read) << kind.name << ": " << read.error().message;
    const auto written = make_predictor(*one);
    const auto loaded = make_predictor(*read);
    ASSERT_TRUE(written && loaded) << kind.name;
    for (std::size_t i = 0; i < 10; ++i) {
      EXPECT_EQ(raw_need(**written, data.features[i], 2), raw_need(**loaded, data.features[i], 2))
          << kind.name;
    }
  }
}

// Labels are coins, and every request has a twin with the same embedding and labels. Whoever sees the twin
// knows the answer; whoever does not can only guess.
TEST(Fit, OutOfFoldPredictionsNeverSeeTheirOwnCluster) {
  auto data = planted_data({.requests = 400, .strength = 0});
  const std::size_t n = data.features.size();
  for (std::size_t i = 0; i < n; ++i) {
    data.features.push_back(data.features[i]);
    for (auto& row : data.quality) row.push_back(row[i]);
  }
  const FitOptions options{.kind = "knn", .options = {{"k", std::int64_t{1}}}};
  const auto leaking = fit_router(data, options);  // every request its own cluster
  for (std::uint32_t i = 0; i < 2 * n; ++i) data.cluster.push_back(i % static_cast<std::uint32_t>(n));
  const auto sound = fit_router(data, options);
  ASSERT_TRUE(leaking && sound);
  EXPECT_GT(measured(**leaking, "auroc"), .8);
  // 800 rows, about 280 of one class, in pairs: standard error .03.
  EXPECT_NEAR(measured(**sound, "auroc"), .5, .12);
}

TEST(Fit, LabelsThatAreMissingAreLeftOut) {
  auto data = planted_data({.requests = 500});
  SeededRandom random(5);
  for (auto& row : data.quality) {
    for (auto& q : row) {
      if (random.uniform() < .2) q = std::numeric_limits<float>::quiet_NaN();
    }
  }
  data.features[3].embedding = nullptr;
  data.features[4].embedding = std::make_shared<const Embedding>(Embedding(24, NAN));
  for (const auto& kind : fit_kinds()) {
    const auto artefact = fit_router(data, {.kind = kind.name});
    ASSERT_TRUE(artefact) << kind.name << ": " << artefact.error().message;
    EXPECT_GT(measured(**artefact, "auroc"), .6) << kind.name;
  }
}

TEST(Fit, WhatReadsAnotherModelIsCalibratedAndSaysWhoseItIs) {
  auto data = planted_data({.requests = 800});
  data.model = "models/bert";
  data.model_hash = "abc";
  const auto artefact = fit_router(data, {.kind = "bert"});
  ASSERT_TRUE(artefact) << artefact.error().message;
  EXPECT_EQ((*artefact)->info.model, "models/bert");
  EXPECT_EQ((*artefact)->info.encoder_hash, "none");
  EXPECT_LT(measured(**artefact, "ece"), .06) << "its word was far too sure";
  const auto read = parse_artefact(artefact_bytes(**artefact), "bert");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ((*read)->info.model, "models/bert");
  EXPECT_EQ((*read)->info.model_hash, "abc");
  const auto router = make_router(*read);
  ASSERT_TRUE(router);
  EXPECT_TRUE((*router)->predict(data.features[0]));
  auto unasked = data.features[0];
  unasked.classified = nullptr;
  EXPECT_FALSE((*router)->predict(unasked));
  for (auto& features : data.features) features.classified = nullptr;
  EXPECT_EQ(fit_router(data, {.kind = "bert"}).error().code, "not_classified");
}

TEST(Fit, EqualEmbeddingsGiveFiniteNumbersOrASentence) {
  auto data = planted_data({.requests = 200});
  for (auto& f : data.features) f.embedding = data.features[0].embedding;
  for (const auto& kind : fit_kinds()) {
    const auto artefact = fit_router(data, {.kind = kind.name});
    if (!artefact) {
      EXPECT_FALSE(artefact.error().message.empty());
      continue;
    }
    for (const auto& [name, tensor] : (*artefact)->tensors) {
      for (const float v : tensor.values) ASSERT_TRUE(std::isfinite(v)) << kind.name << " " << name;
    }
    const auto predictor = make_predictor(*artefact);
    ASSERT_TRUE(predictor);
    EXPECT_TRUE(std::isfinite(raw_need(**predictor, data.features[0], 2))) << kind.name;
  }
}

TEST(Fit, RefusesWhatCannotBeLearnedFrom) {
  const auto code = [](const FitData& data, const FitOptions& options) {
    const auto artefact = fit_router(data, options);
    return artefact ? std::string("fitted") : artefact.error().code;
  };
  const auto data = planted_data({.requests = 200});
  EXPECT_EQ(code(data, {.kind = "oracle"}), "unknown_router");
  EXPECT_EQ(code(data, {.kind = "knn", .options = {{"kk", std::int64_t{3}}}}), "unknown_option");
  EXPECT_EQ(code(data, {.kind = "knn", .options = {{"k", std::int64_t{0}}}}), "bad_option");
  EXPECT_EQ(code(data, {.kind = "knn", .options = {{"k", true}}}), "bad_option");
  EXPECT_EQ(code(data, {.kind = "knn", .folds = 1}), "bad_option");
  EXPECT_EQ(code(data, {.kind = "mlp", .stop = [] { return true; }}), "interrupted");
  auto changed = data;
  for (auto& q : changed.quality[1]) q = 0;
  for (auto& q : changed.quality[0]) q = 1;
  EXPECT_EQ(code(changed, {.kind = "svm"}), "one_sided_labels");
  changed = data;
  for (auto& f : changed.features) f.embedding = nullptr;
  EXPECT_EQ(code(changed, {.kind = "svm"}), "no_embeddings");
  changed = data;
  changed.quality[0][0] = 2;
  EXPECT_EQ(code(changed, {.kind = "svm"}), "bad_labels");
  changed = data;
  changed.cluster.assign(200, 1);
  EXPECT_EQ(code(changed, {.kind = "svm"}), "too_few_labels");
  EXPECT_EQ(code(planted_data({.requests = 25}), {.kind = "svm"}), "too_few_labels");
}

TEST(Fit, BattlesAloneTeachTheKindsOfComparisons) {
  const auto scored = planted_data({.requests = 500});
  FitData data = scored;
  data.quality.clear();
  data.others = {"third"};
  SeededRandom random(6);
  for (std::uint32_t i = 0; i < 500; ++i) {
    const float a = scored.quality[0][i], b = scored.quality[1][i];
    // Told from either side; the third model loses against both.
    if (i % 2 == 0) data.pairs.push_back({i, 0, 1, a > b ? 1.0F : a < b ? 0.0F : .5F, 1});
    if (i % 2 == 1) data.pairs.push_back({i, 1, 0, b > a ? 1.0F : b < a ? 0.0F : .5F, 1});
    if (random.uniform() < .3) data.pairs.push_back({i, 2, i % 2, 0, 1});
  }
  for (const char* kind : {"sw_ranking", "mf", "bert_head"}) {
    const auto artefact = fit_router(data, {.kind = kind});
    ASSERT_TRUE(artefact) << kind << ": " << artefact.error().message;
    EXPECT_GT(measured(**artefact, "auroc"), .65) << kind;
  }
  EXPECT_EQ(fit_router(data, {.kind = "svm"}).error().code, "too_few_labels");
}

TEST(Fit, TheRouterMadeOfItKnowsWhatIsUnlikeEverythingSeen) {
  const auto artefact = fit_router(planted_data({.requests = 800}), {.kind = "bert_head"});
  ASSERT_TRUE(artefact);
  const auto router = make_router(*artefact);
  ASSERT_TRUE(router) << router.error().message;
  const auto fresh = planted_data({.requests = 600, .seed = 4});
  double mean = 0;
  for (const auto& request : fresh.features) mean += (*router)->predict(request)->familiarity / 600;
  // Uniform in 0..1 for requests like the fitted: standard error .29 / sqrt(600) = .012, and as much again
  // from the 800 quantiles.
  EXPECT_NEAR(mean, .5, .08);
  SeededRandom random(9);
  double far = 0;
  for (int k = 0; k < 100; ++k) {
    Embedding e(24);
    double length = 0;
    for (auto& v : e) v = static_cast<float>(random.normal()), length += static_cast<double>(v) * v;
    for (auto& v : e) v /= static_cast<float>(std::sqrt(length));
    RequestFeatures request;
    request.embedding = std::make_shared<const Embedding>(std::move(e));
    far += (*router)->predict(request)->familiarity / 100;
  }
  EXPECT_LT(far, .1) << "directions of no topic";
  EXPECT_FALSE((*router)->predict(RequestFeatures{})) << "nothing is known without an embedding";
}

TEST(Fit, SampledAnswersTellTheThreeLabelsApart) {
  auto data = planted_data({.requests = 300});
  SeededRandom random(12);
  data.samples.resize(2);
  for (std::size_t i = 0; i < 300; ++i) {
    const double level = .2 + .5 * data.quality[0][i];
    data.samples[0].emplace_back();
    data.samples[1].emplace_back();
    for (int k = 0; k < 5; ++k) {
      data.samples[0].back().push_back(
          static_cast<float>(std::clamp(level + .1 * random.normal(), 0.0, 1.0)));
      data.samples[1].back().push_back(static_cast<float>(std::clamp(.8 + .05 * random.normal(), 0.0, 1.0)));
    }
  }
  std::map<std::string, std::vector<float>> weights;
  for (const char* kind : {"hybrid_det", "hybrid_prob", "hybrid_trans"}) {
    const auto artefact = fit_router(data, {.kind = kind});
    ASSERT_TRUE(artefact) << artefact.error().message;
    EXPECT_EQ(measured(**artefact, "labels_coincide"), 0);
    weights[kind] = (*artefact)->tensors.at("weights").values;
    if (std::string(kind) == "hybrid_trans") {
      // Weak is .1 or .6 behind: forgiving a gap in between spreads the labels best.
      EXPECT_GT(measured(**artefact, "t_star"), .05);
      EXPECT_LT(measured(**artefact, "t_star"), .6);
    }
  }
  EXPECT_NE(weights["hybrid_det"], weights["hybrid_prob"]);
  EXPECT_NE(weights["hybrid_prob"], weights["hybrid_trans"]);
}

}  // namespace
}  // namespace brevet
