// Goal: no file can make a predictor read what is not there. Method: small sound artefacts of every shape of
// router, each broken in one place; sums over many rows beside plain ones.
#include "router/predictor.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "router/reference_rows.h"

namespace brevet {
namespace {

std::string code_of(const Artefact& artefact) {
  const auto made = make_predictor(std::make_shared<Artefact>(artefact));
  return made ? std::string("made") : made.error().code;
}

Artefact sound(const std::string& kind) {
  Artefact a;
  a.info.kind = kind;
  a.info.configurations = {"weak", "strong"};
  if (kind == "knn") {
    a.tensors["rows"] = Tensor{{3, 2}, {1, 0, 0, 1, -1, 0}};
    a.tensors["quality"] = Tensor{{2, 3}, {1, 0, 1, 1, 1, 0}};
    a.tensors["mean"] = Tensor{{2}, {.5F, .5F}};
    a.tensors["k"] = Tensor{{1}, {2}};
    a.tensors["bandwidth"] = Tensor{{1}, {0}};
  } else if (kind == "sw_ranking") {
    a.tensors["rows"] = Tensor{{2, 2}, {1, 0, 0, 1}};
    a.tensors["battles"] = Tensor{{2, 4}, {0, 0, 1, 2, 1, 1, 0, 2}};
    a.tensors["tiers"] = Tensor{{3}, {2, 0, 1}};
  } else if (kind == "cluster") {
    a.tensors["centroids"] = Tensor{{2, 2}, {1, 0, 0, 1}};
    a.tensors["quality"] = Tensor{{2, 2}, {.1F, .2F, .3F, .4F}};
    a.tensors["nearest"] = Tensor{{1}, {1}};
  } else if (kind == "mlp") {
    a.tensors["hidden"] = Tensor{{2, 1, 3}, {1, 0, 0, 0, 1, 0}};
    a.tensors["output"] = Tensor{{2, 2}, {1, 0, 1, 0}};
  } else if (kind == "ensemble") {
    a.tensors["components"] = Tensor{{1, 3}, {1, 0, 0}};
    a.tensors["embedding"] = Tensor{{2, 3}, {1, 0, 0, 0, 1, 0}};
    a.tensors["shape"] = Tensor{{2, 59}, std::vector<float>(118, 0)};
    a.tensors["words"] = Tensor{{2, 2}, {1, 2, 3, 4}};
    a.tensors["words.mean"] = Tensor{{2}, {0, 0}};
    a.tensors["words.index"] = Tensor{{2}, {3, 9}};
    a.tensors["words.idf"] = Tensor{{2}, {1, 1}};
    a.tensors["forest.nodes"] = Tensor{{3, 3}, {58, 0, 1, -1, 0, 0, -1, 0, 1}};
    a.tensors["forest.roots"] = Tensor{{1}, {0}};
    a.tensors["forest.values"] = Tensor{{2, 2}, {.1F, .2F, .3F, .4F}};
  } else {
    a.tensors["weights"] = Tensor{{2, 3}, {1, 0, 0, 0, 1, 0}};
  }
  return a;
}

TEST(Predictor, EveryTensorIsNeededAndChecked) {
  for (const char* kind : {"knn", "sw_ranking", "cluster", "mlp", "ensemble", "svm"}) {
    const auto whole = sound(kind);
    ASSERT_EQ(code_of(whole), "made") << kind;
    for (const auto& [name, tensor] : whole.tensors) {
      auto broken = whole;
      broken.tensors.erase(name);
      EXPECT_EQ(code_of(broken), "router_corrupt") << kind << " without " << name;
      broken = whole;
      broken.tensors[name].shape.push_back(1);
      EXPECT_EQ(code_of(broken), "router_corrupt") << kind << " rank of " << name;
    }
  }
}

TEST(Predictor, ImpossibleNumbersAreRefused) {
  const auto with = [](const char* kind, const char* tensor, std::size_t at, float value) {
    auto broken = sound(kind);
    broken.tensors[tensor].values[at] = value;
    return code_of(broken);
  };
  EXPECT_EQ(with("knn", "k", 0, 0), "router_corrupt");
  EXPECT_EQ(with("knn", "k", 0, NAN), "router_corrupt");
  EXPECT_EQ(with("cluster", "nearest", 0, 3), "router_corrupt");
  EXPECT_EQ(with("sw_ranking", "tiers", 0, 1000), "router_corrupt");
  EXPECT_EQ(with("sw_ranking", "tiers", 2, 2), "router_corrupt");
  EXPECT_EQ(with("sw_ranking", "battles", 0, 2), "router_corrupt") << "no such row";
  EXPECT_EQ(with("sw_ranking", "battles", 1, -1), "router_corrupt");
  EXPECT_EQ(with("ensemble", "forest.nodes", 2, 0), "router_corrupt") << "a walk without an end";
  EXPECT_EQ(with("ensemble", "forest.nodes", 2, 2), "router_corrupt") << "a child beyond the last node";
  EXPECT_EQ(with("ensemble", "forest.nodes", 0, 500), "router_corrupt") << "no such feature";
  EXPECT_EQ(with("ensemble", "forest.nodes", 5, 2), "router_corrupt") << "no such leaf";
  EXPECT_EQ(with("ensemble", "forest.roots", 0, 3), "router_corrupt");
  EXPECT_EQ(with("ensemble", "forest.nodes", 2, .5F), "router_corrupt") << "a node that is its own child";
  EXPECT_EQ(with("ensemble", "forest.roots", 0, .5F), "router_corrupt");
  EXPECT_EQ(with("sw_ranking", "tiers", 0, 2.5F), "router_corrupt") << "half a tier";
  EXPECT_EQ(with("sw_ranking", "battles", 1, .5F), "router_corrupt");
  EXPECT_EQ(with("ensemble", "words.index", 1, 3), "router_corrupt") << "not increasing";
  auto artefact = sound("svm");
  artefact.info.kind = "unheard_of";
  EXPECT_EQ(code_of(artefact), "unknown_router");
  artefact = sound("sw_ranking");
  artefact.info.configurations.push_back("third");
  EXPECT_EQ(code_of(artefact), "router_corrupt");
}

TEST(Predictor, TheForestWalksByItsFeatures) {
  const auto predictor = make_predictor(std::make_shared<Artefact>(sound("ensemble")));
  ASSERT_TRUE(predictor);
  RequestFeatures request;
  std::vector<float> out(2);
  request.embedding = std::make_shared<const Embedding>(Embedding{-1, 0});
  (*predictor)->predict(request, out);  // component 0 = -1 <= 0: the first leaf
  EXPECT_EQ(out, (std::vector<float>{.1F, .2F}));
  request.embedding = std::make_shared<const Embedding>(Embedding{1, 0});
  (*predictor)->predict(request, out);
  EXPECT_EQ(out, (std::vector<float>{.3F, .4F}));
}

TEST(ReferenceRows, NearestAboveTheExactSizeFindsTheTrueOnes) {
  constexpr std::size_t kRows = 6000, kDimension = 64;
  Tensor rows{{kRows, kDimension}, {}};
  std::uint64_t counter = 0;
  const auto draw = [&] {
    double sum = -6;
    for (int k = 0; k < 12; ++k) sum += static_cast<double>(mix_bits(5, counter++) >> 11) * 0x1p-53;
    return static_cast<float>(sum);
  };
  for (std::size_t i = 0; i < kRows; ++i) {
    float length = 0;
    std::vector<float> row(kDimension);
    for (auto& v : row) v = draw(), length += v * v;
    for (const float v : row) rows.values.push_back(v / std::sqrt(length));
  }
  const ReferenceRows index(rows);
  std::size_t found = 0;
  for (std::size_t q = 0; q < 50; ++q) {
    // Near a row, as requests are: a row and some noise.
    Embedding query(rows.values.begin() + static_cast<std::ptrdiff_t>(q * 100 * kDimension),
                    rows.values.begin() + static_cast<std::ptrdiff_t>((q * 100 + 1) * kDimension));
    for (auto& v : query) v += .05F * draw();
    std::vector<std::pair<float, std::uint32_t>> truth;
    for (std::uint32_t i = 0; i < kRows; ++i) {
      float similarity = 0;
      for (std::size_t j = 0; j < kDimension; ++j) similarity += query[j] * rows.values[i * kDimension + j];
      truth.emplace_back(-similarity, i);
    }
    std::sort(truth.begin(), truth.end());
    const auto hits = index.nearest(query, 10);
    ASSERT_EQ(hits.size(), 10U);
    EXPECT_EQ(hits[0].row, q * 100);
    for (std::size_t k = 0; k < 10; ++k) {
      for (const auto& hit : hits) found += hit.row == truth[k].second;
    }
  }
  EXPECT_GT(found, 450U) << "of 500 true neighbours";
}

TEST(ReferenceRows, DenseAndSparseSumsAgree) {
  constexpr std::size_t kRows = 5000, kDimension = 32;
  Tensor rows{{kRows, kDimension}, {}};
  RowEntries entries;
  entries.sums = 3;
  entries.begin.push_back(0);
  for (std::size_t i = 0; i < kRows; ++i) {
    for (std::size_t j = 0; j < kDimension; ++j) {
      rows.values.push_back((mix_bits(i, j) & 1) != 0 ? .1767767F : -.1767767F);
    }
    entries.sum.push_back(static_cast<std::uint32_t>(i % 3));
    entries.value.push_back(static_cast<float>(1 + i % 2));
    entries.begin.push_back(static_cast<std::uint32_t>(i + 1));
  }
  const ReferenceRows index(rows);
  const auto weight = [](double similarity, double largest) { return std::exp(similarity / largest); };
  const Embedding query(rows.values.begin(), rows.values.begin() + kDimension);
  std::vector<double> sparse(3), dense(3);
  index.weighted_sums(query, entries, weight, sparse);
  entries.finish();
  ASSERT_FALSE(entries.dense.empty());
  index.weighted_sums(query, entries, weight, dense);
  for (std::size_t s = 0; s < 3; ++s) EXPECT_NEAR(dense[s] / sparse[s], 1, 1e-6);
}

}  // namespace
}  // namespace brevet
