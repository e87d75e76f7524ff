// mlp: one network per model, 100 rectified units, squared error (RouterBench, Hu et al. 2024, arXiv
// 2403.12031, section 4.2; there scikit-learn's MLPRegressor, whose starting weights, batches and Adam are
// the ones here).
//
// Learning stops when a tenth of the requests, held back by cluster, has not been predicted better for
// `patience` rounds, and the best round is kept: without it 38,000 weights learn 1,500 labels by heart.
#include <limits>

#include "train/adam.h"
#include "train/fit_kinds.h"
#include "train/folds.h"
#include "train/seeded_random.h"

namespace brevet {
namespace {

struct Network {
  Matrix hidden;              ///< [d+1, units]
  std::vector<float> output;  ///< [units+1]
};

/// Rectified hidden values into `h`, predictions into `out`.
void forward(const Network& net, const Matrix& x, Matrix& h, std::vector<float>& out) {
  multiply_into(x, net.hidden, h);
  out.resize(x.rows);
  for (std::size_t i = 0; i < x.rows; ++i) {
    float* row = h.row(i);
    float sum = net.output.back();
    for (std::size_t u = 0; u < h.cols; ++u) {
      row[u] = std::max(0.0F, row[u]);
      sum += net.output[u] * row[u];
    }
    out[i] = sum;
  }
}

/// x [n, d+1] with a last column of 1. False when stopped.
bool learn(Network& net, const Matrix& x, const std::vector<float>& y,
           const std::vector<std::uint32_t>& cluster, const FitOrder& order, std::uint64_t stream) {
  constexpr int kParts = 10;
  const std::size_t units = net.output.size() - 1;
  SeededRandom random(order.seed, stream);
  // Glorot and Bengio 2010, as scikit-learn does for rectified units.
  const double hidden_bound = std::sqrt(6.0 / static_cast<double>(x.cols - 1 + units));
  const double output_bound = std::sqrt(6.0 / static_cast<double>(units + 1));
  for (auto& w : net.hidden.values) w = static_cast<float>(hidden_bound * (2 * random.uniform() - 1));
  for (auto& w : net.output) w = static_cast<float>(output_bound * (2 * random.uniform() - 1));
  double mean = 0;
  for (const float v : y) mean += v / static_cast<double>(y.size());
  net.output.back() = static_cast<float>(mean);

  const auto part = fold_by_cluster(cluster, kParts, order.seed);
  std::vector<std::uint32_t> taught, held;
  for (std::uint32_t i = 0; i < x.rows; ++i) (part[i] == 0 ? held : taught).push_back(i);
  if (taught.empty()) taught = held;
  const Matrix held_x = rows_of(x, held);
  Adam adam_hidden(net.hidden.values.size(), number_of(order, "learning_rate"), 0);
  Adam adam_output(net.output.size(), number_of(order, "learning_rate"), 0);
  const auto decay = static_cast<float>(number_of(order, "decay"));
  const auto batch = std::min<std::size_t>(static_cast<std::size_t>(count_of(order, "batch")), taught.size());
  const auto rounds = count_of(order, "rounds_max");
  const auto patience = count_of(order, "patience");
  Network best = net;
  double best_loss = std::numeric_limits<double>::infinity();
  std::int64_t since = 0;
  Matrix h, hidden_slope;
  std::vector<float> out, output_slope(units + 1);
  for (std::int64_t round = 0; round < rounds && since < patience; ++round) {
    if (order.stopped()) return false;
    random.shuffle(taught);
    for (std::size_t from = 0; from < taught.size(); from += batch) {
      const std::size_t count = std::min(batch, taught.size() - from);
      const auto chosen = std::span(taught).subspan(from, count);
      const Matrix bx = rows_of(x, chosen);
      forward(net, bx, h, out);
      std::fill(output_slope.begin(), output_slope.end(), 0.0F);
      for (std::size_t i = 0; i < count; ++i) {
        const float error = (out[i] - y[chosen[i]]) / static_cast<float>(count);
        float* row = h.row(i);
        output_slope[units] += error;
        for (std::size_t u = 0; u < units; ++u) {
          output_slope[u] += error * row[u];
          row[u] = row[u] > 0 ? error * net.output[u] : 0;
        }
      }
      multiply_into(transposed(bx), h, hidden_slope);
      // The penalty is per request, and spares the offsets.
      const float shrink = decay / static_cast<float>(count);
      const std::size_t weights = (x.cols - 1) * units;
      for (std::size_t k = 0; k < weights; ++k) hidden_slope.values[k] += shrink * net.hidden.values[k];
      for (std::size_t u = 0; u < units; ++u) output_slope[u] += shrink * net.output[u];
      adam_hidden.step(net.hidden.values, hidden_slope.values);
      adam_output.step(net.output, output_slope);
    }
    forward(net, held_x, h, out);
    double loss = 0;
    for (std::size_t i = 0; i < held.size(); ++i) loss += (out[i] - y[held[i]]) * (out[i] - y[held[i]]);
    ++since;
    if (loss < best_loss * (1 - 1e-4)) best_loss = loss, best = net, since = 0;
  }
  net = std::move(best);
  return true;
}

Result<Fitted> fit_mlp(const Training& data, const FitOrder& order) {
  const auto units = static_cast<std::size_t>(count_of(order, "units"));
  const std::size_t width = data.x.cols + 1;
  Tensor hidden{{static_cast<std::uint32_t>(data.configurations), static_cast<std::uint32_t>(units),
                 static_cast<std::uint32_t>(width)},
                {}};
  Matrix output(data.configurations, units + 1);
  for (std::size_t m = 0; m < data.configurations; ++m) {
    std::vector<std::uint32_t> rows, cluster;
    std::vector<float> y;
    for (std::uint32_t i = 0; i < data.size(); ++i) {
      if (std::isnan(data.quality[m][i])) continue;
      rows.push_back(i);
      cluster.push_back(data.cluster[i]);
      y.push_back(data.quality[m][i]);
    }
    Network net{Matrix(width, units), std::vector<float>(units + 1)};
    if (!rows.empty() && !learn(net, with_ones(rows_of(data.x, rows)), y, cluster, order, m)) {
      return fit_interrupted();
    }
    const Matrix across = transposed(net.hidden);
    hidden.values.insert(hidden.values.end(), across.values.begin(), across.values.end());
    std::copy(net.output.begin(), net.output.end(), output.row(m));
  }
  return Fitted{{{"hidden", std::move(hidden)}, {"output", tensor_of(output)}}};
}

}  // namespace

KindRow mlp_row() {
  KindRow row;
  row.kind.name = "mlp";
  row.kind.summary = "a small network per model on the embedding";
  row.kind.options = {
      {"units", std::int64_t{100}, 1.0, 1000.0, "hidden units: more can say more, and learn by heart more"},
      {"learning_rate", 1e-3, 1e-6, 1.0, "of Adam"},
      {"decay", 1.0, 0.0, 100.0, "penalty on the squared weights; published 1e-4 learns noise by heart"},
      {"batch", std::int64_t{64}, 1.0, 100000.0, "requests per step"},
      {"rounds_max", std::int64_t{200}, 1.0, 10000.0, "passes over the data at most"},
      {"patience", std::int64_t{10}, 1.0, 1000.0, "passes without a better prediction before it stops"}};
  row.kind.requests_min = 100;
  row.kind.many = true;
  row.fit = fit_mlp;
  row.reads_quality = true;
  return row;
}

}  // namespace brevet
