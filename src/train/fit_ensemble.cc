// ensemble: extremely randomised trees (Geurts et al. 2006) over the shape of the text, components of its
// embedding and the out-of-fold predictions of three ridge regressions (stacking, Wolpert 1992): on the
// embedding, on the shape, on tf-idf words.
//
// The trees split on the qualities of all configurations at once: on recorded outcomes that predicted the
// gain of the strong one better than splitting on the gain alone. The members cost little and fail
// differently; the trees find where to believe which. Known weakness: the shape numbers were made for
// questions, multiple-choice ones above all.
#include "train/extra_trees.h"
#include "train/fit_kinds.h"
#include "train/folds.h"
#include "train/linear_members.h"

#include "router/ensemble_features.h"

namespace brevet {
namespace {

constexpr int kInnerFolds = 8;

/// Ridge on features that were brought to unit spread, told in the features' own units.
DenseMember fit_spread_member(const Matrix& x, const Matrix& y, const std::vector<std::uint32_t>& fold,
                              double ridge) {
  std::vector<float> scale(x.cols);
  Matrix z = x;
  for (std::size_t j = 0; j < x.cols; ++j) {
    double sum = 0, squares = 0;
    for (std::size_t i = 0; i < x.rows; ++i) sum += x.at(i, j), squares += x.at(i, j) * x.at(i, j);
    const auto n = static_cast<double>(x.rows);
    const double spread = std::sqrt(std::max(0.0, squares / n - (sum / n) * (sum / n)));
    // A number that hardly ever differs would be blown up to the size of the others.
    constexpr double kSpreadMin = .05;
    scale[j] = static_cast<float>(1 / std::max(kSpreadMin, spread));
    for (std::size_t i = 0; i < x.rows; ++i) z.at(i, j) *= scale[j];
  }
  auto member = fit_dense_member(z, y, fold, ridge);
  for (std::size_t m = 0; m < y.cols; ++m) {
    for (std::size_t j = 0; j < x.cols; ++j) member.weights.at(m, j) *= scale[j];
  }
  return member;
}

Tensor tensor_of_nodes(const std::vector<Forest::Node>& nodes) {
  Tensor out{{static_cast<std::uint32_t>(nodes.size()), 3}, {}};
  for (const auto& node : nodes) {
    out.values.insert(out.values.end(),
                      {static_cast<float>(node.feature), node.threshold, static_cast<float>(node.next)});
  }
  return out;
}

Result<Fitted> fit_ensemble(const Training& data, const FitOrder& order) {
  const std::size_t m = data.configurations;
  // The trees compare configurations, so a request teaches when all of them answered it.
  std::vector<std::uint32_t> rows, cluster;
  for (std::uint32_t i = 0; i < data.size(); ++i) {
    bool whole = true;
    for (std::size_t c = 0; c < m; ++c) whole = whole && !std::isnan(data.quality[c][i]);
    if (!whole) continue;
    rows.push_back(i);
    cluster.push_back(data.cluster[i]);
  }
  constexpr std::size_t kRowsMin = 50;
  if (rows.size() < kRowsMin) {
    return fail(
        ErrorKind::kCallerInvalid, "too_few_labels",
        "The ensemble learns from requests that every configuration answered, and there are fewer than "
        "50. Record the missing outcomes, or name fewer configurations.");
  }
  const std::size_t n = rows.size();
  const Matrix x = rows_of(data.x, rows);
  Matrix y(n, m), shape(n, kTextShapeNumbers);
  std::vector<const SparseVector*> words;
  for (std::size_t k = 0; k < n; ++k) {
    for (std::size_t c = 0; c < m; ++c) y.at(k, c) = data.quality[c][rows[k]];
    const auto& features = *data.features[rows[k]];
    std::copy(features.statistics.shape.begin(), features.statistics.shape.end(), shape.row(k));
    words.push_back(&features.words);
  }
  const auto fold = fold_by_cluster(cluster, kInnerFolds, order.seed);
  const auto by_embedding = fit_dense_member(x, y, fold, number_of(order, "ridge_embedding"));
  if (order.stopped()) return fit_interrupted();
  const auto by_shape = fit_spread_member(shape, y, fold, number_of(order, "ridge_shape"));
  const auto by_words = fit_words_member(words, y, fold, number_of(order, "ridge_words"));
  if (order.stopped()) return fit_interrupted();
  const auto components = principal_components(
      x, std::min({static_cast<std::size_t>(count_of(order, "components")), n / 4, x.cols}), order.seed);

  Matrix z(n, ensemble_width(m, components.rows));
  const Matrix projected = multiply(with_ones(x), transposed(components));
  for (std::size_t k = 0; k < n; ++k) {
    float* at = std::copy_n(shape.row(k), kTextShapeNumbers, z.row(k));
    at = std::copy_n(projected.row(k), projected.cols, at);
    for (const auto* member : {&by_embedding.out_of_fold, &by_shape.out_of_fold, &by_words.out_of_fold}) {
      write_member({member->row(k), m}, at);
      at += member_width(m);
    }
  }
  const auto forest = grow_forest(z, y,
                                  {.trees = static_cast<std::size_t>(count_of(order, "trees")),
                                   .leaf_min = static_cast<std::size_t>(count_of(order, "leaf_min")),
                                   .features_share = number_of(order, "features_share"),
                                   .rows_max = static_cast<std::size_t>(count_of(order, "rows_max"))},
                                  order.seed, order.stop);
  if (!forest) return fit_interrupted();
  constexpr std::size_t kNodesMax = std::size_t{1} << 24;  // a file's float holds whole numbers up to here
  if (forest->nodes.size() > kNodesMax || forest->values.size() / m > kNodesMax) {
    return fail(
        ErrorKind::kCallerInvalid, "bad_option",
        "The forest has more than 2^24 nodes, which a router file cannot hold. Take fewer trees or larger "
        "leaves.",
        "trees");
  }
  Fitted out;
  out.tensors["components"] = tensor_of(components);
  out.tensors["embedding"] = tensor_of(by_embedding.weights);
  out.tensors["shape"] = tensor_of(by_shape.weights);
  out.tensors["words"] = tensor_of(by_words.weights);
  out.tensors["words.mean"] = tensor_of(by_words.mean);
  out.tensors["words.index"] = tensor_of(by_words.index);
  out.tensors["words.idf"] = tensor_of(by_words.idf);
  out.tensors["forest.nodes"] = tensor_of_nodes(forest->nodes);
  out.tensors["forest.roots"] = tensor_of(std::vector<float>(forest->roots.begin(), forest->roots.end()));
  out.tensors["forest.values"] = {
      {static_cast<std::uint32_t>(forest->values.size() / m), static_cast<std::uint32_t>(m)}, forest->values};
  return out;
}

}  // namespace

KindRow ensemble_row() {
  KindRow row;
  row.kind.name = "ensemble";
  row.kind.summary = "a forest over the text's shape, its embedding and three cheap routers";
  row.kind.options = {
      {"trees", std::int64_t{150}, 1.0, 5000.0, "more are steadier and slower"},
      {"leaf_min", std::int64_t{20}, 1.0, 10000.0, "requests in a leaf: more is smoother"},
      {"features_share", .3, .01, 1.0, "of the features that a split tries"},
      {"rows_max", std::int64_t{4000}, 50.0, 1e6, "requests that one tree learns from; more is slower"},
      {"components", std::int64_t{64}, 1.0, 1024.0, "directions of the embedding that the trees see"},
      {"ridge_embedding", 30.0, 1e-3, 1e5, "penalty of the embedding's regression"},
      {"ridge_shape", 100.0, 1e-3, 1e6, "penalty of the shape's regression"},
      {"ridge_words", 10.0, 1e-3, 1e5, "penalty of the words' regression"}};
  row.kind.requests_min = 100;
  row.kind.many = true;
  row.fit = fit_ensemble;
  row.reads_quality = true;
  row.reads_words = true;
  return row;
}

}  // namespace brevet
