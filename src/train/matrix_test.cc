// Goal: products and solves are right for every shape of remainder. Method: beside plain loops in double.
#include "train/matrix.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "train/linear_members.h"
#include "train/seeded_random.h"
#include "train/softmax_head.h"

namespace brevet {
namespace {

Matrix random_matrix(std::size_t rows, std::size_t cols, std::uint64_t seed) {
  SeededRandom random(seed);
  Matrix out(rows, cols);
  for (auto& v : out.values) v = static_cast<float>(random.normal());
  return out;
}

TEST(MatrixTest, ProductsOfAllRemaindersMatchPlainLoops) {
  const std::vector<std::array<std::size_t, 3>> shapes = {{1, 1, 1},    {3, 5, 2},     {4, 16, 16},
                                                          {7, 33, 17},  {9, 2050, 31}, {64, 385, 100},
                                                          {5, 1024, 3}, {6, 1025, 48}};
  for (const auto& [n, k, m] : shapes) {
    const Matrix a = random_matrix(n, k, n), b = random_matrix(k, m, m + 1000);
    const Matrix c = multiply(a, b);
    ASSERT_EQ(c.rows, n);
    ASSERT_EQ(c.cols, m);
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < m; ++j) {
        double sum = 0;
        for (std::size_t l = 0; l < k; ++l) sum += static_cast<double>(a.at(i, l)) * b.at(l, j);
        ASSERT_NEAR(c.at(i, j), sum, 1e-5 * static_cast<double>(k) + 1e-5);
      }
    }
  }
}

TEST(MatrixTest, SolvesRidgeSystems) {
  const Matrix x = random_matrix(60, 20, 1), b = random_matrix(20, 3, 2);
  const Matrix a = multiply(transposed(x), x);
  const auto solved = solve_ridge(a, b, 2.5);
  ASSERT_TRUE(solved);
  Matrix left = a;
  for (std::size_t i = 0; i < 20; ++i) left.at(i, i) += 2.5F;
  const Matrix back = multiply(left, *solved);
  for (std::size_t k = 0; k < b.values.size(); ++k) EXPECT_NEAR(back.values[k], b.values[k], 1e-3);
  EXPECT_FALSE(solve_ridge(Matrix(3, 3), random_matrix(3, 1, 3), 0)) << "a singular system has no answer";
}

TEST(SoftmaxHead, ItsGradientVanishesAndSoftLabelsAreMatched) {
  // Without features the optimum is known: the shares of the labels.
  Matrix x(50, 1), targets(50, 3);
  std::vector<float> weights(50, 1);
  for (std::size_t i = 0; i < 50; ++i) {
    targets.at(i, 0) = .5F, targets.at(i, 1) = .3F, targets.at(i, 2) = .2F;
  }
  const auto w = fit_softmax(x, targets, weights, {.ridge = 1});
  ASSERT_TRUE(w);
  double sum = 0;
  for (std::size_t c = 0; c < 3; ++c) sum += std::exp(w->at(c, 1));
  EXPECT_NEAR(std::exp(w->at(0, 1)) / sum, .5, 1e-3);
  EXPECT_NEAR(std::exp(w->at(1, 1)) / sum, .3, 1e-3);
}

TEST(SoftmaxHead, TwoClassesEqualLogisticRegressionByNewton) {
  const Matrix x = random_matrix(200, 2, 5);
  SeededRandom random(6);
  Matrix targets(200, 2);
  std::vector<float> weights(200, 1);
  for (std::size_t i = 0; i < 200; ++i) {
    const double p = 1 / (1 + std::exp(-1.5 * x.at(i, 0) + .5));
    const float y = random.uniform() < p ? 1.0F : 0.0F;
    targets.at(i, 1) = y, targets.at(i, 0) = 1 - y;
  }
  const auto w = fit_softmax(x, targets, weights, {.ridge = 2, .tolerance = 1e-6});
  ASSERT_TRUE(w);
  // A two-class softmax of penalty r is a logistic regression of penalty r / 2 on the difference.
  std::array<double, 3> beta{};
  for (int step = 0; step < 50; ++step) {
    Matrix h(3, 3), g(3, 1);
    for (std::size_t i = 0; i < 200; ++i) {
      const std::array<double, 3> f = {x.at(i, 0), x.at(i, 1), 1};
      const double p = 1 / (1 + std::exp(-(beta[0] * f[0] + beta[1] * f[1] + beta[2])));
      for (std::size_t a = 0; a < 3; ++a) {
        g.at(a, 0) += static_cast<float>((p - targets.at(i, 1)) * f[a]);
        for (std::size_t b = 0; b < 3; ++b) h.at(a, b) += static_cast<float>(p * (1 - p) * f[a] * f[b]);
      }
    }
    for (std::size_t a = 0; a < 2; ++a) h.at(a, a) += 1, g.at(a, 0) += static_cast<float>(beta[a]);
    const auto move = solve_ridge(h, g, 1e-9);
    for (std::size_t a = 0; a < 3; ++a) beta[a] -= move->at(a, 0);
  }
  for (std::size_t a = 0; a < 3; ++a) EXPECT_NEAR(w->at(1, a) - w->at(0, a), beta[a], 5e-3);
}

TEST(LinearMembers, DenseOutOfFoldEqualsRefittingWithoutTheFold) {
  const Matrix x = random_matrix(60, 5, 7), y = random_matrix(60, 2, 8);
  std::vector<std::uint32_t> fold(60);
  for (std::uint32_t i = 0; i < 60; ++i) fold[i] = i % 3;
  const auto whole = fit_dense_member(x, y, fold, 3);
  for (std::uint32_t f = 0; f < 3; ++f) {
    std::vector<std::uint32_t> in;
    for (std::uint32_t i = 0; i < 60; ++i) {
      if (fold[i] != f) in.push_back(i);
    }
    // Ridge with a free offset: the offset's own penalty in the frame of reference is next to nothing.
    const Matrix xi = rows_of(x, in), yi = rows_of(y, in);
    Matrix x1(in.size(), 6);
    for (std::size_t i = 0; i < in.size(); ++i) {
      std::copy_n(xi.row(i), 5, x1.row(i));
      x1.at(i, 5) = 1;
    }
    Matrix gram = multiply(transposed(x1), x1);
    for (std::size_t j = 0; j < 5; ++j) gram.at(j, j) += 3;
    const auto w = solve_ridge(gram, multiply(transposed(x1), yi), 1e-9);
    ASSERT_TRUE(w);
    for (std::uint32_t i = 0; i < 60; ++i) {
      if (fold[i] != f) continue;
      for (std::size_t m = 0; m < 2; ++m) {
        double expected = w->at(5, m);
        for (std::size_t j = 0; j < 5; ++j) expected += x.at(i, j) * w->at(j, m);
        EXPECT_NEAR(whole.out_of_fold.at(i, m), expected, 1e-3);
      }
    }
  }
}

TEST(LinearMembers, WordsSolveTheirRidgeSystem) {
  std::vector<SparseVector> rows = {{{1, 5}, {.6F, .8F}}, {{1, 7}, {.8F, .6F}}, {{5, 7}, {.6F, .8F}},
                                    {{1, 5}, {.8F, .6F}}, {{7, 9}, {.6F, .8F}}, {{5}, {1}}};
  std::vector<const SparseVector*> words;
  for (const auto& r : rows) words.push_back(&r);
  Matrix y(6, 1);
  y.values = {1, 0, 1, 1, 0, 1};
  const auto member = fit_words_member(words, y, {0, 1, 0, 1, 0, 1}, 2);
  ASSERT_EQ(member.index, (std::vector<float>{1, 5, 7})) << "a word of one request is left out";
  Matrix x(6, 3);
  for (std::size_t i = 0; i < 6; ++i) {
    double squares = 0;
    for (std::size_t w = 0; w < rows[i].index.size(); ++w) {
      for (std::size_t k = 0; k < 3; ++k) {
        if (member.index[k] != static_cast<float>(rows[i].index[w])) continue;
        x.at(i, k) = rows[i].value[w] * member.idf[k];
        squares += x.at(i, k) * x.at(i, k);
      }
    }
    for (std::size_t k = 0; k < 3; ++k) x.at(i, k) /= static_cast<float>(std::sqrt(squares));
  }
  Matrix rest = y;
  for (auto& v : rest.values) v -= 4.0F / 6;
  const auto w = solve_ridge(multiply(transposed(x), x), multiply(transposed(x), rest), 2);
  for (std::size_t k = 0; k < 3; ++k) EXPECT_NEAR(member.weights.at(k, 0), w->at(k, 0), 2e-3);
}

TEST(LinearMembers, ComponentsFindThePlantedDirections) {
  SeededRandom random(3);
  Matrix x(400, 6);
  for (std::size_t i = 0; i < 400; ++i) {
    for (std::size_t j = 0; j < 6; ++j) {
      x.at(i, j) = static_cast<float>(random.normal() * (j == 2 ? 5 : j == 4 ? 2 : .3) + 7);
    }
  }
  const Matrix c = principal_components(x, 2, 1);
  EXPECT_GT(std::abs(c.at(0, 2)), .99F);
  EXPECT_GT(std::abs(c.at(1, 4)), .99F);
}

}  // namespace
}  // namespace brevet
