// mf: matrix factorisation of comparisons (RouteLLM, Ong et al. 2024, arXiv 2406.18665, section 4.2).
//
// score(M, q) = c' (v_M * W e(q)), v_M of unit length, no offsets; P(M beats N) = sigmoid(score(M) -
// score(N)). Taught by decisive comparisons with noise on the embedding, by Adam. For a fixed pair all of it
// is one vector, a = W' (c * (v_strong - v_weak)), which is what serving reads; the model vectors are kept
// beside it. Known weakness: ties say nothing, so with right-or-wrong scores most requests are left out.
#include "train/adam.h"
#include "train/fit_kinds.h"
#include "train/mf.h"
#include "train/seeded_random.h"

namespace brevet {
namespace {

constexpr std::uint64_t kStream = 0x6d66;

struct Decisive {
  std::uint32_t request = 0, winner = 0, loser = 0;
  float weight = 1;
};

/// Rows of unit length.
Matrix unit_rows(const Matrix& v, std::vector<float>& lengths) {
  Matrix out = v;
  lengths.assign(v.rows, 1);
  for (std::size_t m = 0; m < v.rows; ++m) {
    double squares = 0;
    for (std::size_t k = 0; k < v.cols; ++k) squares += static_cast<double>(v.at(m, k)) * v.at(m, k);
    lengths[m] = static_cast<float>(std::max(1e-12, std::sqrt(squares)));
    for (std::size_t k = 0; k < v.cols; ++k) out.at(m, k) /= lengths[m];
  }
  return out;
}

/// One epoch's worth of normals, read from random places: drawing each anew would cost more than learning.
class NoiseTable {
 public:
  NoiseTable(double scale, SeededRandom& random) : table_(kSize) {
    for (auto& v : table_) v = static_cast<float>(scale * random.normal());
  }
  void add_to(float* row, std::size_t count, SeededRandom& random) const {
    const std::size_t from = random.below(kSize);
    for (std::size_t j = 0; j < count; ++j) row[j] += table_[(from + j) % kSize];
  }

 private:
  static constexpr std::size_t kSize = std::size_t{1} << 16;
  std::vector<float> table_;
};

Result<Fitted> fit_mf(const Training& data, const FitOrder& order) {
  std::vector<Decisive> battles;
  for (const auto& pair : data.pairs) {
    if (pair.outcome > .5F) battles.push_back({pair.request, pair.first, pair.second, pair.weight});
    if (pair.outcome < .5F) battles.push_back({pair.request, pair.second, pair.first, pair.weight});
  }
  if (battles.size() < 10) {
    return fail(ErrorKind::kCallerInvalid, "too_few_labels",
                "Matrix factorisation learns from comparisons that one side won, and there are hardly any. "
                "Record more outcomes, or take a kind that learns from scores.");
  }
  const std::size_t d = data.x.cols;
  const auto k = static_cast<std::size_t>(count_of(order, "rank"));
  SeededRandom random(order.seed, kStream);
  MfModel model{Matrix(data.models, k), Matrix(d, k), std::vector<float>(k)};
  for (auto& v : model.vectors.values) v = static_cast<float>(random.normal());
  const double wide = 1 / std::sqrt(static_cast<double>(d));
  for (auto& v : model.projection.values) v = static_cast<float>(wide * (2 * random.uniform() - 1));
  const double narrow = 1 / std::sqrt(static_cast<double>(k));
  for (auto& v : model.head) v = static_cast<float>(narrow * (2 * random.uniform() - 1));

  const double rate = number_of(order, "learning_rate");
  const double decay = number_of(order, "decay");
  Adam adam_vectors(model.vectors.values.size(), rate, decay);
  Adam adam_projection(model.projection.values.size(), rate, decay);
  Adam adam_head(k, rate, decay);
  const NoiseTable noise(number_of(order, "noise"), random);
  const auto batch = static_cast<std::size_t>(count_of(order, "batch"));
  const auto epochs = count_of(order, "epochs");
  Matrix x, across, hidden, slope, projection_slope;
  std::vector<float> lengths, head_slope(k);
  for (std::int64_t epoch = 0; epoch < epochs; ++epoch) {
    if (order.stopped()) return fit_interrupted();
    random.shuffle(battles);
    for (std::size_t from = 0; from < battles.size(); from += batch) {
      const std::size_t count = std::min(batch, battles.size() - from);
      x = Matrix(count, d);
      for (std::size_t b = 0; b < count; ++b) {
        std::copy_n(data.x.row(battles[from + b].request), d, x.row(b));
        noise.add_to(x.row(b), d, random);
      }
      multiply_into(x, model.projection, hidden);
      const Matrix unit = unit_rows(model.vectors, lengths);
      Matrix unit_slope(data.models, k);
      slope = Matrix(count, k);
      std::fill(head_slope.begin(), head_slope.end(), 0.0F);
      for (std::size_t b = 0; b < count; ++b) {
        const auto& battle = battles[from + b];
        const float* win = unit.row(battle.winner);
        const float* lose = unit.row(battle.loser);
        const float* h = hidden.row(b);
        float z = 0;
        for (std::size_t j = 0; j < k; ++j) z += model.head[j] * (win[j] - lose[j]) * h[j];
        const float error = -battle.weight / (1 + std::exp(z)) / static_cast<float>(count);
        float* g = slope.row(b);
        float* win_slope = unit_slope.row(battle.winner);
        float* lose_slope = unit_slope.row(battle.loser);
        for (std::size_t j = 0; j < k; ++j) {
          const float between = win[j] - lose[j];
          g[j] = error * model.head[j] * between;
          head_slope[j] += error * between * h[j];
          const float along = error * model.head[j] * h[j];
          win_slope[j] += along;
          lose_slope[j] -= along;
        }
      }
      multiply_into(transposed(x), slope, projection_slope);
      // Through the scaling to unit length: only what is across the vector turns it.
      for (std::size_t m = 0; m < data.models; ++m) {
        float along = 0;
        for (std::size_t j = 0; j < k; ++j) along += unit.at(m, j) * unit_slope.at(m, j);
        for (std::size_t j = 0; j < k; ++j) {
          unit_slope.at(m, j) = (unit_slope.at(m, j) - along * unit.at(m, j)) / lengths[m];
        }
      }
      adam_vectors.step(model.vectors.values, unit_slope.values);
      adam_projection.step(model.projection.values, projection_slope.values);
      adam_head.step(model.head, head_slope);
    }
  }
  model.vectors = unit_rows(model.vectors, lengths);
  auto pair = pair_vector(model, data.configurations - 1, 0);
  pair.push_back(0);  // no offset
  Fitted out;
  out.tensors["weights"] = {{1, static_cast<std::uint32_t>(d + 1)}, std::move(pair)};
  out.tensors["model_vectors"] = tensor_of(model.vectors);
  out.tensors["projection"] = tensor_of(model.projection);
  out.tensors["head"] = tensor_of(model.head);
  return out;
}

}  // namespace

double mf_score(const MfModel& model, std::size_t which, const std::vector<float>& embedding) {
  double score = 0;
  for (std::size_t j = 0; j < model.head.size(); ++j) {
    double h = 0;
    for (std::size_t i = 0; i < embedding.size(); ++i) {
      h += static_cast<double>(model.projection.at(i, j)) * embedding[i];
    }
    score += model.head[j] * model.vectors.at(which, j) * h;
  }
  return score;
}

std::vector<float> pair_vector(const MfModel& model, std::size_t strong, std::size_t weak) {
  std::vector<float> out(model.projection.rows);
  for (std::size_t i = 0; i < out.size(); ++i) {
    double sum = 0;
    for (std::size_t j = 0; j < model.head.size(); ++j) {
      sum += static_cast<double>(model.projection.at(i, j)) * model.head[j] *
             (model.vectors.at(strong, j) - model.vectors.at(weak, j));
    }
    out[i] = static_cast<float>(sum);
  }
  return out;
}

KindRow mf_row() {
  KindRow row;
  row.kind.name = "mf";
  row.kind.summary = "matrix factorisation of comparisons: models and requests in one space";
  row.kind.options = {
      {"rank", std::int64_t{128}, 1.0, 1024.0, "numbers per model"},
      {"noise", .1, 0.0, 10.0, "on every number of the embedding while learning; more is smoother"},
      {"learning_rate", 3e-4, 1e-6, 1.0, "of Adam"},
      {"decay", 1e-5, 0.0, 1.0, "pulls all numbers to 0"},
      {"batch", std::int64_t{64}, 1.0, 100000.0, "comparisons per step"},
      {"epochs", std::int64_t{100}, 1.0, 10000.0, "passes over the comparisons"}};
  row.kind.requests_min = 50;
  row.fit = fit_mf;
  return row;
}

}  // namespace brevet
