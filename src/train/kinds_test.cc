// Goal: each method is the published one where it is deterministic. Method: small cases by hand, brute force,
// and the uncollapsed form beside the collapsed one.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "router/bradley_terry.h"
#include "router/predictor.h"
#include "train/extra_trees.h"
#include "train/fit_kinds.h"
#include "train/folds.h"
#include "train/hybrid_labels.h"
#include "train/k_means.h"
#include "train/mf.h"
#include "train/test_data.h"
#include "train/tiers.h"

namespace brevet {
namespace {

std::vector<float> predict(const Artefact& artefact, const RequestFeatures& features, std::size_t outputs) {
  const auto predictor = make_predictor(std::make_shared<Artefact>(artefact));
  EXPECT_TRUE(predictor) << predictor.error().message;
  std::vector<float> out(outputs);
  if (predictor) (*predictor)->predict(features, out);
  return out;
}

TEST(BradleyTerry, TwoPlayersAreTheLogOfTheRatioOfWins) {
  const std::vector<double> won = {0, 3, 7, 0};
  const auto strength = bradley_terry(won, 2);
  EXPECT_NEAR(strength[1] - strength[0], std::log(7.0 / 3), 1e-4);
}

TEST(BradleyTerry, ThreePlayersMatchTheirExpectedWins) {
  const std::vector<double> won = {0, 4, 2, 6, 0, 3, 8, 7, 0};
  const auto strength = bradley_terry(won, 3);
  for (std::size_t a = 0; a < 3; ++a) {
    double wins = 0, expected = 0;
    for (std::size_t b = 0; b < 3; ++b) {
      if (a == b) continue;
      wins += won[a * 3 + b];
      expected += (won[a * 3 + b] + won[b * 3 + a]) / (1 + std::exp(strength[b] - strength[a]));
    }
    EXPECT_NEAR(wins, expected, 1e-3);  // the optimality condition of the likelihood
  }
}

TEST(BradleyTerry, WhoOnlyWonStaysFinite) {
  const auto strength = bradley_terry(std::vector<double>{0, 0, 5, 0}, 2);
  EXPECT_TRUE(std::isfinite(strength[1]));
  EXPECT_GT(strength[1], strength[0]);
}

TEST(Tiers, DynamicProgrammingEqualsTryingAllCuts) {
  SeededRandom random(4);
  for (int world = 0; world < 30; ++world) {
    std::vector<double> ratings;
    for (int i = 0; i < 8; ++i) ratings.push_back(random.normal());
    const auto variance_of = [&](const std::vector<std::uint32_t>& tier) {
      double total = 0;
      for (std::uint32_t t = 0; t < 3; ++t) {
        double n = 0, sum = 0, squares = 0;
        for (std::size_t i = 0; i < 8; ++i) {
          if (tier[i] == t) n += 1, sum += ratings[i], squares += ratings[i] * ratings[i];
        }
        total += n > 0 ? squares / n - sum / n * (sum / n) : 0;
      }
      return total;
    };
    std::vector<std::size_t> order = {0, 1, 2, 3, 4, 5, 6, 7};
    std::sort(order.begin(), order.end(), [&](auto a, auto b) { return ratings[a] < ratings[b]; });
    double best = 1e9;
    for (std::size_t a = 1; a < 7; ++a) {
      for (std::size_t b = a + 1; b < 8; ++b) {
        std::vector<std::uint32_t> tier(8);
        for (std::size_t k = 0; k < 8; ++k) tier[order[k]] = k < a ? 0 : k < b ? 1 : 2;
        best = std::min(best, variance_of(tier));
      }
    }
    EXPECT_NEAR(variance_of(tiers_of(ratings, 3)), best, 1e-9);
  }
  EXPECT_EQ(tiers_of({2, 1}, 2), (std::vector<std::uint32_t>{1, 0}));
}

FitData two_directions() {
  // Requests along one of two axes, in clusters of their own.
  FitData data;
  data.configurations = {"weak", "strong"};
  data.quality.resize(2);
  for (std::size_t i = 0; i < 60; ++i) {
    RequestFeatures features;
    features.embedding = std::make_shared<const Embedding>(i % 2 == 0 ? Embedding{1, 0} : Embedding{0, 1});
    data.features.push_back(features);
    data.quality[0].push_back(i % 2 == 0 ? (i % 6 == 0 ? 1.0F : 0.0F) : 1.0F);
    data.quality[1].push_back(i % 2 == 0 ? 1.0F : (i % 6 == 1 ? 0.0F : 1.0F));
  }
  return data;
}

TEST(SwRanking, EqualsTheClosedFormOfTwoTiers) {
  const auto data = two_directions();
  const auto artefact = fit_router(data, {.kind = "sw_ranking"});
  ASSERT_TRUE(artefact) << artefact.error().message;
  // Similarity 1 to even rows (10 ties, 20 wins of strong), 0 to odd ones (20 ties, 10 wins of weak).
  // Weights 10 * 10^(similarity / 1); a tie is one win each way, a decisive comparison two.
  const double strong = 100 * (10 + 2 * 20) + 10 * 20;
  const double weak = 100 * 10 + 10 * (20 + 2 * 10);
  EXPECT_NEAR(predict(**artefact, data.features[0], 1)[0], strong / (strong + weak), 1e-4);
}

TEST(SwRanking, TheSketchedSumIsNearTheExactOne) {
  // Above ReferenceRows::kExactMax the far rows are estimated. 9,000 rows, compared with a full sum here.
  const auto data = planted_data({.requests = 9000, .dimension = 128, .seed = 5});
  Artefact artefact;
  artefact.info.kind = "sw_ranking";
  artefact.info.configurations = data.configurations;
  Tensor rows{{9000, 128}, {}}, battles{{0, 4}, {}};
  for (std::size_t i = 0; i < 9000; ++i) {
    const auto& e = *data.features[i].embedding;
    rows.values.insert(rows.values.end(), e.begin(), e.end());
    const float strong = i % 3 == 0 || e[0] > 0 ? 1 : 0;
    battles.values.insert(battles.values.end(), {static_cast<float>(i), strong, 1 - strong, 2});
    ++battles.shape[0];
  }
  artefact.tensors["rows"] = rows;
  artefact.tensors["battles"] = battles;
  artefact.tensors["tiers"] = Tensor{{3}, {2, 0, 1}};
  const auto fresh = planted_data({.requests = 100, .dimension = 128, .seed = 6});
  double n = 0, sa = 0, sb = 0, saa = 0, sbb = 0, sab = 0;
  for (const auto& request : fresh.features) {
    const auto& q = *request.embedding;
    std::vector<double> similarity(9000, 0);
    for (std::size_t i = 0; i < 9000; ++i) {
      for (std::size_t j = 0; j < 128; ++j) similarity[i] += q[j] * rows.values[i * 128 + j];
    }
    const double top = *std::max_element(similarity.begin(), similarity.end());
    double won = 0, all = 0;
    for (std::size_t i = 0; i < 9000; ++i) {
      const double w = 10 * std::pow(10.0, similarity[i] / top);
      won += w * battles.values[i * 4 + 1], all += w;
    }
    const double a = predict(artefact, request, 1)[0], b = won / all;
    EXPECT_NEAR(a, b, .03);
    n += 1, sa += a, sb += b, saa += a * a, sbb += b * b, sab += a * b;
  }
  const double correlation = (sab - sa * sb / n) / std::sqrt((saa - sa * sa / n) * (sbb - sb * sb / n));
  EXPECT_GT(correlation, .99);
}

TEST(Knn, IsTheMeanOfTheNearestAndSkipsWhatIsNotLabelled) {
  Artefact artefact;
  artefact.info.kind = "knn";
  artefact.info.configurations = {"weak", "strong"};
  artefact.tensors["rows"] = Tensor{{4, 2}, {1, 0, .8F, .6F, 0, 1, -1, 0}};
  artefact.tensors["quality"] = Tensor{{2, 4}, {1, 0, 1, 0, .5F, -1, 1, 1}};
  artefact.tensors["mean"] = Tensor{{2}, {.5F, .7F}};
  artefact.tensors["k"] = Tensor{{1}, {2}};
  artefact.tensors["bandwidth"] = Tensor{{1}, {0}};
  RequestFeatures request;
  request.embedding = std::make_shared<const Embedding>(Embedding{1, 0});
  EXPECT_EQ(predict(artefact, request, 2), (std::vector<float>{.5F, .5F}));
  artefact.tensors["bandwidth"] = Tensor{{1}, {.5F}};
  const double w = std::exp(-.2 / .5);
  EXPECT_NEAR(predict(artefact, request, 2)[0], 1 / (1 + w), 1e-5);
}

TEST(Mf, CollapsedEqualsTheDifferenceOfScores) {
  const auto data = planted_data({.requests = 200, .seed = 3});
  const auto artefact = fit_router(data, {.kind = "mf", .options = {{"epochs", std::int64_t{5}}}});
  ASSERT_TRUE(artefact) << artefact.error().message;
  const auto& tensors = (*artefact)->tensors;
  MfModel model;
  const auto take = [](const Tensor& t, Matrix& into) {
    into.rows = t.shape[0], into.cols = t.shape[1], into.values = t.values;
  };
  take(tensors.at("model_vectors"), model.vectors);
  take(tensors.at("projection"), model.projection);
  model.head = tensors.at("head").values;
  for (std::size_t i = 0; i < 20; ++i) {
    const auto& e = *data.features[i].embedding;
    const double z = mf_score(model, 1, e) - mf_score(model, 0, e);
    EXPECT_NEAR(predict(**artefact, data.features[i], 1)[0], 1 / (1 + std::exp(-z)), 1e-5);
  }
}

TEST(HybridLabels, MeanAbsoluteDifferenceEqualsAllPairs) {
  SeededRandom random(8);
  std::vector<float> y;
  for (int i = 0; i < 40; ++i) y.push_back(static_cast<float>(random.uniform()));
  double sum = 0;
  for (const float a : y) {
    for (const float b : y) sum += std::abs(static_cast<double>(a) - b);
  }
  EXPECT_NEAR(mean_absolute_difference(y), sum / (40 * 40), 1e-6);
}

TEST(HybridLabels, LabelsByHandAndTheRelaxationByBruteForce) {
  SeededRandom random(9);
  std::vector<HybridSamples> samples = {{{.5F, .9F}, {.6F, .6F}}};
  EXPECT_EQ(deterministic_labels(samples), (std::vector<float>{0}));
  EXPECT_EQ(match_labels(samples, 0), (std::vector<float>{.5F}));
  EXPECT_EQ(match_labels(samples, .1), (std::vector<float>{1}));
  for (int i = 0; i < 30; ++i) {
    HybridSamples s;
    for (int k = 0; k < 4; ++k) {
      s.weak.push_back(static_cast<float>(.4 * random.uniform()));
      s.strong.push_back(static_cast<float>(.5 + .4 * random.uniform()));
    }
    samples.push_back(s);
  }
  const double relaxed = best_relaxation(samples);
  const auto spread = [&](double t) {
    const auto y = match_labels(samples, t);
    double sum = 0;
    for (const float a : y) {
      for (const float b : y) sum += std::abs(static_cast<double>(a) - b);
    }
    return sum;
  };
  EXPECT_GT(relaxed, 0) << "weak is far behind, so only a gap forgiven tells requests apart";
  for (int step = 0; step <= 100; ++step) EXPECT_LE(spread(step * .009), spread(relaxed) * 1.03);
}

TEST(HybridLabels, CoincideWithOneRightOrWrongScoreEach) {
  std::vector<HybridSamples> samples;
  for (const float weak : {0.0F, 1.0F}) {
    for (const float strong : {0.0F, 1.0F}) samples.push_back({{weak}, {strong}});
  }
  EXPECT_EQ(best_relaxation(samples), 0);
  EXPECT_EQ(deterministic_labels(samples), match_labels(samples, 0));
  const auto artefact = fit_router(planted_data({.requests = 200}), {.kind = "hybrid_trans"});
  ASSERT_TRUE(artefact);
  const auto& told = (*artefact)->info.measured;
  EXPECT_TRUE(std::count(told.begin(), told.end(), std::pair<std::string, double>("labels_coincide", 1)));
}

TEST(Zooter, EnhancementByHand) {
  Training data;
  data.configurations = 2;
  std::vector<RequestFeatures> features(3);
  for (auto& f : features) data.features.push_back(&f);
  data.quality = {{1, 0, 0}, {1, 1, std::numeric_limits<float>::quiet_NaN()}};
  data.tags = {{"a"}, {"a", "b"}, {"b"}};
  const OptionValues options = {{"beta", .3}, {"clusters", std::int64_t{2}}};
  const std::function<bool()> never;
  const auto r = enhanced_rewards(data, {options, 1, never});
  EXPECT_NEAR(r.at(0, 0), .3 * 1 + .7 * .5, 1e-6);
  EXPECT_NEAR(r.at(1, 0), .3 * 0 + .7 * (.5 + 0) / 2, 1e-6);
  EXPECT_NEAR(r.at(1, 1), 1, 1e-6);
  EXPECT_TRUE(std::isnan(r.at(2, 0))) << "not all rewards are known";
}

TEST(Topics, MeansAreShrunkByHand) {
  const auto means = topic_means({0, 0, 1}, {1, 0, 1}, 3, .5F, 2);
  EXPECT_FLOAT_EQ(means[0], (1 + 2 * .5F) / 4);
  EXPECT_FLOAT_EQ(means[1], (1 + 2 * .5F) / 3);
  EXPECT_FLOAT_EQ(means[2], .5F);
}

TEST(ExtraTrees, SplitsOnTheOutputThatDiffersAndKeepsLeavesLarge) {
  SeededRandom random(10);
  Matrix x(400, 5), y(400, 2);
  for (std::size_t i = 0; i < 400; ++i) {
    for (std::size_t j = 0; j < 5; ++j) x.at(i, j) = static_cast<float>(random.uniform());
    y.at(i, 0) = .5F;
    y.at(i, 1) = x.at(i, 3) > .5F ? 1 : 0;
  }
  const auto forest = grow_forest(x, y, {.trees = 50, .leaf_min = 20, .features_share = 1}, 1);
  ASSERT_TRUE(forest);
  std::size_t on_three = 0;
  for (const auto root : forest->roots) on_three += forest->nodes[root].feature == 3;
  EXPECT_GT(on_three, 35U) << "chance would be 10 of 50";
  std::size_t leaves = 0;
  for (const auto& node : forest->nodes) leaves += node.feature < 0;
  EXPECT_EQ(leaves, forest->values.size() / 2);
  EXPECT_LE(leaves, 50U * 400 / 20);
}

TEST(KMeans, FindsSeparatedTopicsAndBearsEqualRows) {
  Matrix x(40, 2);
  for (std::size_t i = 0; i < 40; ++i) x.at(i, i % 2) = 1;
  const auto topics = k_means(x, 5, 1);
  EXPECT_EQ(topics.centroids.rows, 2U) << "no more topics than different rows";
  for (std::size_t i = 2; i < 40; ++i) EXPECT_EQ(topics.member_of[i], topics.member_of[i % 2]);
  EXPECT_NE(topics.member_of[0], topics.member_of[1]);
}

TEST(Folds, KeepClustersTogetherAndEvenOut) {
  std::vector<std::uint32_t> cluster;
  for (std::uint32_t i = 0; i < 300; ++i) cluster.push_back(i < 40 ? 7 : i / 2 + 100);
  const auto fold = fold_by_cluster(cluster, 5, 3);
  std::vector<int> rows(5, 0);
  for (std::size_t i = 0; i < 300; ++i) {
    ++rows[fold[i]];
    for (std::size_t j = 0; j < i; ++j) {
      if (cluster[i] == cluster[j]) {
        ASSERT_EQ(fold[i], fold[j]);
      }
    }
  }
  for (const int count : rows) EXPECT_NEAR(count, 60, 5);
}

}  // namespace
}  // namespace brevet
