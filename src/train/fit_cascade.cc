#include "train/fit_cascade.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "train/cascade_lists.h"
#include "train/folds.h"
#include "train/linear_members.h"
#include "train/matrix.h"
#include "train/rank_calibration.h"
#include "train/training.h"

namespace brevet {
namespace {

using Rows = std::vector<std::uint32_t>;

/// A signal that is missing on more of the rows than this is not read.
constexpr double kKnownShareMin = .95;
constexpr double kAgreementKnownMin = .5;
constexpr std::size_t kDirections = 16;
/// Spread of each number of the question, small beside the signals' so that the ridge shrinks it more.
constexpr float kQuestionSpread = .25F;
constexpr double kLambdaLow = .003, kLambdaHigh = 12;  ///< times 1 / mean cost of the last model
constexpr std::size_t kBudgets = 40;
constexpr double kPromises[] = {.9, .95, .97, .98, .99, 1.0};

std::vector<std::uint32_t> masks_of(std::size_t models, std::size_t size_max) {
  std::vector<std::uint32_t> out;
  for (std::uint32_t mask = 0; mask < 1U << models; ++mask) {
    if (static_cast<std::size_t>(std::popcount(mask)) <= size_max) out.push_back(mask);
  }
  std::stable_sort(out.begin(), out.end(),
                   [](auto a, auto b) { return std::popcount(a) > std::popcount(b); });
  return out;
}

std::size_t above_highest(std::uint32_t mask) {
  return static_cast<std::size_t>(std::bit_width(mask));
}

CascadeShape shape_of(const CascadeData& data, const Rows& rows, bool question, std::uint64_t seed) {
  CascadeShape out;
  const auto m = data.configurations.size();
  out.models = m;
  out.used.resize(m);
  out.ranks.resize(m);
  const auto n = static_cast<double>(rows.size());
  for (std::size_t c = 0; c < m; ++c) {
    for (std::size_t k = 0; k < kSignals; ++k) {
      out.used[c][k] = false;
      std::vector<float> values;
      for (const auto i : rows) {
        if (const float v = data.answers[i].answers[c][k]; std::isfinite(v)) values.push_back(v);
      }
      if (static_cast<double>(values.size()) < kKnownShareMin * n || values.empty()) continue;
      std::sort(values.begin(), values.end());
      if (values.front() == values.back()) continue;
      out.used[c][k] = true;
      for (std::size_t q = 0; q < kCascadeRanks; ++q) {
        out.ranks[c][k].push_back(values[q * (values.size() - 1) / (kCascadeRanks - 1)]);
      }
    }
    for (std::size_t d = c + 1; d < m; ++d) {
      std::size_t known = 0, same = 0;
      for (const auto i : rows) {
        const float agree = data.answers[i].agreement[c][d];
        if (std::isnan(agree)) continue;
        ++known;
        same += agree > .5F ? 1 : 0;
      }
      out.agrees[c][d] = static_cast<double>(known) >= kAgreementKnownMin * n && same > 0 && same < known;
    }
  }
  if (!question || data.features.empty()) return out;
  out.reads_question = true;
  for (std::size_t j = 0; j < kTextShapeNumbers; ++j) {
    double sum = 0, squared = 0;
    for (const auto i : rows) {
      const double v = data.features[i].statistics.shape[j];
      sum += v;
      squared += v * v;
    }
    const double mean = sum / n;
    const double spread = std::sqrt(std::max(0.0, squared / n - mean * mean));
    out.shape_mean.push_back(static_cast<float>(mean));
    out.shape_factor.push_back(spread > 1e-6 ? static_cast<float>(kQuestionSpread / spread) : 0.0F);
  }
  const bool embedded = std::all_of(data.features.begin(), data.features.end(),
                                    [](const RequestFeatures& f) { return f.embedding != nullptr; });
  if (!embedded) return out;
  Matrix x(rows.size(), data.features[rows[0]].embedding->size());
  for (std::size_t i = 0; i < rows.size(); ++i)
    std::copy(data.features[rows[i]].embedding->begin(), data.features[rows[i]].embedding->end(), x.row(i));
  auto directions = principal_components(x, std::min(kDirections, rows.size() / 4), seed);
  // Projections of unit vectors spread by a fifth or so in the first direction; all are scaled alike.
  double spread = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    double p = directions.at(0, x.cols);
    for (std::size_t j = 0; j < x.cols; ++j) p += static_cast<double>(directions.at(0, j)) * x.at(i, j);
    spread += p * p;
  }
  spread = std::sqrt(spread / n);
  for (auto& v : directions.values) v *= static_cast<float>(2 * kQuestionSpread / std::max(spread, 1e-6));
  out.directions = tensor_of(directions);
  return out;
}

/// Rows of features of a state; empty where one cannot be made.
std::optional<Matrix> features_of(const CascadeShape& shape, const CascadeData& data, const Rows& rows,
                                  std::uint32_t mask) {
  Matrix out;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto state = data.answers[rows[i]];
    state.question = data.features.empty() ? nullptr : &data.features[rows[i]];
    // A signal that this one row lacks counts as its middle.
    for (std::size_t c = 0; c < shape.models; ++c) {
      for (std::size_t k = 0; k < kConfidenceSignals; ++k) {
        if (shape.used[c][k] && std::isnan(state.answers[c][k]))
          state.answers[c][k] = shape.ranks[c][k][kCascadeRanks / 2];
      }
    }
    const auto row = shape.features(state, mask);
    if (!row) return std::nullopt;
    if (i == 0) out = Matrix(rows.size(), row->size());
    std::copy(row->begin(), row->end(), out.row(i));
  }
  return out;
}

/// Ridge regression of y [n, k] on x [n, f] with a free offset: [k, f + 1].
class Ridge {
 public:
  Ridge(const Matrix& x, double ridge) : x_(x), ridge_(ridge), mean_(x.cols, 0) {
    for (std::size_t i = 0; i < x.rows; ++i) {
      for (std::size_t j = 0; j < x.cols; ++j) mean_[j] += x.at(i, j) / static_cast<float>(x.rows);
    }
    for (std::size_t i = 0; i < x.rows; ++i) {
      for (std::size_t j = 0; j < x.cols; ++j) x_.at(i, j) -= mean_[j];
    }
    if (x.cols == 0) return;
    across_ = transposed(x_);
    gram_ = multiply(across_, x_);
  }
  Matrix fit(const Matrix& y) const {
    Matrix out(y.cols, x_.cols + 1);
    std::vector<double> mean(y.cols, 0);
    for (std::size_t i = 0; i < y.rows; ++i) {
      for (std::size_t k = 0; k < y.cols; ++k) mean[k] += y.at(i, k);
    }
    for (auto& v : mean) v /= static_cast<double>(y.rows);
    std::optional<Matrix> solved;
    if (x_.cols > 0) {
      Matrix centred = y;
      for (std::size_t i = 0; i < y.rows; ++i) {
        for (std::size_t k = 0; k < y.cols; ++k) centred.at(i, k) -= static_cast<float>(mean[k]);
      }
      solved = solve_ridge(gram_, multiply(across_, centred), ridge_);
    }
    for (std::size_t k = 0; k < y.cols; ++k) {
      double offset = mean[k];
      for (std::size_t j = 0; solved && j < x_.cols; ++j) {
        out.at(k, j) = solved->at(j, k);
        offset -= static_cast<double>(solved->at(j, k)) * mean_[j];
      }
      out.at(k, x_.cols) = static_cast<float>(offset);
    }
    return out;
  }

 private:
  Matrix x_, across_, gram_;
  double ridge_;
  std::vector<float> mean_;
};

double predicted(const Matrix& weights, std::size_t k, const Matrix& x, std::size_t i) {
  const float* w = weights.row(k);
  double sum = w[x.cols];
  for (std::size_t j = 0; j < x.cols; ++j) sum += static_cast<double>(w[j]) * x.at(i, j);
  return sum;
}

struct Policy {
  std::map<std::string, Tensor> tensors;
  std::vector<double> lambda;  ///< of each setting; empty for lists
};

std::vector<float> mean_costs(const CascadeData& data, const Rows& rows) {
  std::vector<float> out;
  for (const auto& row : data.cost_usd) {
    double sum = 0;
    for (const auto i : rows) sum += row[i];
    out.push_back(static_cast<float>(sum / static_cast<double>(rows.size())));
  }
  return out;
}

Matrix quality_of(const CascadeData& data, const Rows& rows) {
  Matrix y(rows.size(), data.configurations.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t c = 0; c < y.cols; ++c) y.at(i, c) = data.quality[c][rows[i]];
  }
  return y;
}

/// The regressions of every state that lists of `stages_max` models can reach.
std::optional<Policy> fit_lists(const CascadeData& data, const CascadeFitOptions& options, const Rows& rows,
                                const CascadeShape& shape) {
  Policy out;
  const auto y = quality_of(data, rows);
  for (const auto mask : masks_of(shape.models, options.stages_max - 1)) {
    if (mask == 0) continue;
    const auto x = features_of(shape, data, rows, mask);
    if (!x) return std::nullopt;
    out.tensors[cascade_tensor("quality", mask)] = tensor_of(Ridge(*x, options.ridge).fit(y));
    if (options.stop && options.stop()) return std::nullopt;
  }
  return out;
}

/// Backwards from the state where all have answered: what going on is worth in each state and setting.
std::optional<Policy> fit_routing(const CascadeData& data, const CascadeFitOptions& options, const Rows& rows,
                                  const CascadeShape& shape) {
  Policy out;
  const std::size_t m = shape.models, n = rows.size(), settings = options.settings;
  const auto cost = mean_costs(data, rows);
  const double scale = 1 / static_cast<double>(*std::max_element(cost.begin(), cost.end()));
  for (std::size_t s = 0; s < settings; ++s) {
    const double step =
        settings > 2 ? static_cast<double>(s - (s > 0 ? 1 : 0)) / static_cast<double>(settings - 2) : 0;
    out.lambda.push_back(s == 0 ? 0 : scale * kLambdaLow * std::pow(kLambdaHigh / kLambdaLow, step));
  }
  const auto y = quality_of(data, rows);
  std::map<std::uint32_t, Matrix> value;  // mask -> [n, settings]
  for (const auto mask : masks_of(m, m)) {
    const auto x = features_of(shape, data, rows, mask);
    if (!x) return std::nullopt;
    const Ridge ridge(*x, options.ridge);
    const auto weights = ridge.fit(y);
    out.tensors[cascade_tensor("quality", mask)] = tensor_of(weights);
    auto& own = value.emplace(mask, Matrix(n, settings)).first->second;
    for (std::size_t i = 0; i < n; ++i) {
      double best = -std::numeric_limits<double>::infinity();
      for (std::size_t c = 0; c < m; ++c) {
        if (mask >> c & 1U) best = std::max(best, predicted(weights, c, *x, i));
      }
      for (std::size_t s = 0; s < settings; ++s) own.at(i, s) = static_cast<float>(best);
    }
    const std::size_t from = above_highest(mask);
    if (from >= m) continue;
    const auto width = static_cast<std::uint32_t>(x->cols + 1);
    Tensor worth{{static_cast<std::uint32_t>(settings), static_cast<std::uint32_t>(m), width}, {}};
    worth.values.assign(settings * m * width, 0);
    for (std::size_t c = from; c < m; ++c) {
      const auto fitted = ridge.fit(value.at(mask | 1U << c));
      for (std::size_t s = 0; s < settings; ++s) {
        std::copy_n(fitted.row(s), width, worth.values.data() + (s * m + c) * width);
        for (std::size_t i = 0; i < n; ++i) {
          const double on = predicted(fitted, s, *x, i) - out.lambda[s] * cost[c];
          own.at(i, s) = std::max(own.at(i, s), static_cast<float>(on));
        }
      }
    }
    out.tensors[cascade_tensor("worth", mask)] = std::move(worth);
    if (options.stop && options.stop()) return std::nullopt;
  }
  return out;
}

std::shared_ptr<Artefact> frame(const CascadeData& data, const CascadeFitOptions& options, const Rows& rows,
                                const CascadeShape& shape, Policy policy) {
  auto out = std::make_shared<Artefact>();
  auto& info = out->info;
  info.kind = options.kind;
  info.configurations = data.configurations;
  info.encoder_hash = shape.reads_question && !shape.directions.shape.empty() ? data.encoder_hash : "none";
  info.lexical_version = shape.reads_question ? data.lexical_version : 0;
  info.data_hash = data.data_hash;
  info.command = options.command;
  info.created = options.created;
  info.fitted = rows.size();
  info.seed = options.seed;
  out->tensors = std::move(policy.tensors);
  shape.write(*out);
  const auto cost = mean_costs(data, rows);
  out->tensors["cascade.cost"] = tensor_of(cost);
  for (const float c : cost) info.mean_cost_usd.push_back(c);
  Tensor points{{static_cast<std::uint32_t>(policy.lambda.size()), 5}, {}};
  for (const double lambda : policy.lambda)
    points.values.insert(points.values.end(), {static_cast<float>(lambda), 0, 0, 0, 0});
  if (!policy.lambda.empty()) out->tensors["cascade.points"] = std::move(points);
  return out;
}

/// Mean quality over the costs between the cheapest and the dearest model, of the settings mixed at best.
double curve_area(std::vector<std::pair<double, double>> cost_quality, double low, double high) {
  std::sort(cost_quality.begin(), cost_quality.end());
  std::vector<std::pair<double, double>> hull;
  for (const auto& p : cost_quality) {
    while (!hull.empty() && hull.back().second >= p.second && hull.back().first >= p.first) hull.pop_back();
    if (!hull.empty() && p.second <= hull.back().second) continue;
    while (hull.size() >= 2) {
      const auto& a = hull[hull.size() - 2];
      const auto& b = hull.back();
      if ((b.second - a.second) * (p.first - b.first) > (p.second - b.second) * (b.first - a.first)) break;
      hull.pop_back();
    }
    hull.push_back(p);
  }
  constexpr int kSteps = 200;
  double sum = 0;
  for (int s = 0; s < kSteps; ++s) {
    const double at = low + (high - low) * (s + .5) / kSteps;
    std::size_t k = 0;
    while (k + 1 < hull.size() && hull[k + 1].first <= at) ++k;
    double q = hull[k].second;
    if (hull[k].first > at) q = 0;
    if (k + 1 < hull.size() && hull[k].first <= at) {
      q += (hull[k + 1].second - q) * (at - hull[k].first) / (hull[k + 1].first - hull[k].first);
    }
    sum += q / kSteps;
  }
  return sum;
}

Rows picked(const Rows& rows, const std::vector<std::uint32_t>& fold, std::uint32_t which, bool inside) {
  Rows out;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if ((fold[i] == which) == inside) out.push_back(rows[i]);
  }
  return out;
}

/// Out of fold: does the question help? Compared on cascade routing's own curve over the cheapest and dearest
/// models, by fold.
bool question_helps(const CascadeData& data, const CascadeFitOptions& options,
                    const std::vector<std::uint32_t>& fold,
                    std::vector<std::pair<std::string, double>>& told) {
  const std::size_t m = data.configurations.size();
  // Many models are told by the ends of the list; their middle has the same question.
  CascadeData reduced;
  const CascadeData* used = &data;
  if (m > 3) {
    reduced.configurations = {data.configurations.front(), data.configurations.back()};
    reduced.quality = {data.quality.front(), data.quality.back()};
    reduced.cost_usd = {data.cost_usd.front(), data.cost_usd.back()};
    reduced.features = data.features;
    reduced.answers.resize(data.answers.size());
    for (std::size_t i = 0; i < data.answers.size(); ++i) {
      reduced.answers[i].answers[0] = data.answers[i].answers[0];
      reduced.answers[i].answers[1] = data.answers[i].answers[m - 1];
      reduced.answers[i].agreement[0][1] = data.answers[i].agreement[0][m - 1];
    }
    used = &reduced;
  }
  auto smaller = options;
  smaller.kind = kCascadeRouting;
  smaller.settings = 24;
  const std::uint32_t folds = *std::max_element(fold.begin(), fold.end()) + 1;
  std::vector<double> gain;
  for (std::uint32_t f = 0; f < folds; ++f) {
    const auto rows = picked(options.fitting, fold, f, false);
    const auto held = picked(options.fitting, fold, f, true);
    double area[2] = {0, 0};
    for (const int question : {0, 1}) {
      const auto shape = shape_of(*used, rows, question == 1, options.seed);
      auto policy = fit_routing(*used, smaller, rows, shape);
      if (!policy) return false;
      const auto made = CascadeModel::create(frame(*used, smaller, rows, shape, std::move(*policy)));
      if (!made) return false;
      std::vector<std::pair<double, double>> curve;
      for (std::size_t s = 0; s < (*made)->points().size(); ++s) {
        double cost = 0, quality = 0;
        for (const auto i : held) {
          const auto run = run_routing(**made, *used, i, s);
          cost += run.cost_usd / static_cast<double>(held.size());
          quality += run.quality / static_cast<double>(held.size());
        }
        curve.emplace_back(cost, quality);
      }
      const auto cost = mean_costs(*used, held);
      area[question] = curve_area(std::move(curve), *std::min_element(cost.begin(), cost.end()),
                                  *std::max_element(cost.begin(), cost.end()));
    }
    gain.push_back(area[1] - area[0]);
  }
  double mean = 0, squared = 0;
  for (const double g : gain) mean += g / static_cast<double>(gain.size());
  for (const double g : gain) squared += (g - mean) * (g - mean);
  const double error = std::sqrt(squared / static_cast<double>(gain.size() * (gain.size() - 1)));
  told.emplace_back("question_gain", mean);
  told.emplace_back("question_gain_error", error);
  return mean > error;
}

/// Isotonic P(accept) of each state and each later end of a list, from regressions that did not see the row.
bool add_accept_curves(const CascadeData& data, const CascadeFitOptions& options,
                       const std::vector<std::uint32_t>& fold, const CascadeShape& shape,
                       Artefact& artefact) {
  const std::size_t m = shape.models, n = options.fitting.size();
  const std::uint32_t folds = *std::max_element(fold.begin(), fold.end()) + 1;
  std::vector<double> brier;
  for (const auto mask : masks_of(m, options.stages_max - 1)) {
    if (mask == 0 || above_highest(mask) >= m) continue;
    Matrix held(n, m);
    for (std::uint32_t f = 0; f < folds; ++f) {
      const auto rows = picked(options.fitting, fold, f, false);
      const auto x = features_of(shape, data, rows, mask);
      if (!x) return false;
      const auto weights = Ridge(*x, options.ridge).fit(quality_of(data, rows));
      const auto out = features_of(shape, data, picked(options.fitting, fold, f, true), mask);
      std::size_t at = 0;
      for (std::size_t i = 0; i < n; ++i) {
        if (fold[i] != f) continue;
        for (std::size_t c = 0; c < m; ++c)
          held.at(i, c) = static_cast<float>(predicted(weights, c, *out, at));
        ++at;
      }
    }
    const std::size_t current = above_highest(mask) - 1;
    for (std::size_t last = current + 1; last < m; ++last) {
      std::vector<float> raw, label;
      for (std::size_t i = 0; i < n; ++i) {
        const auto row = options.fitting[i];
        raw.push_back(held.at(i, current) - held.at(i, last));
        label.push_back(data.quality[current][row] >= data.quality[last][row] ? 1.0F : 0.0F);
      }
      auto calibrated = calibrate_scores(raw, label, fold);
      artefact.tensors[fmt::format("accept.{}.{}", mask, last)] = tensor_of(calibrated.curve);
      brier.push_back(calibrated.brier);
      if (mask == 1 && last == m - 1) {
        auto& told = artefact.info.measured;
        told.emplace_back("accept_auroc", area_under_roc(raw, label));
        told.emplace_back("accept_brier", calibrated.brier);
        told.emplace_back("accept_ece", expected_calibration_error(calibrated.held_out, label));
      }
    }
  }
  return true;
}

/// Means of a setting over the calibration rows, into row `s` of cascade.points.
void measure_points(const CascadeData& data, const CascadeFitOptions& options,
                    const std::shared_ptr<Artefact>& artefact) {
  const auto made = CascadeModel::create(artefact);
  if (!made) return;
  const auto& rows = options.calibration;
  const auto n = static_cast<double>(rows.size());
  auto& values = artefact->tensors["cascade.points"].values;
  const auto& reference = data.quality.back();
  for (std::size_t s = 0; s < (*made)->points().size(); ++s) {
    double cost = 0, cost_squared = 0, quality = 0, strong = 0, gap = 0, gap_squared = 0;
    for (const auto i : rows) {
      const auto run = run_routing(**made, data, i, s);
      const double d = run.quality - reference[i];
      cost += run.cost_usd / n;
      cost_squared += run.cost_usd * run.cost_usd / n;
      quality += run.quality / n;
      strong += reference[i] / n;
      gap += d / n;
      gap_squared += d * d / n;
    }
    const double cost_error = std::sqrt(std::max(0.0, cost_squared - cost * cost) / (n - 1));
    const double gap_error = std::sqrt(std::max(0.0, gap_squared - gap * gap) / (n - 1));
    values[s * 5 + 1] = static_cast<float>(cost);
    values[s * 5 + 2] = static_cast<float>(cost + options.z * cost_error);
    values[s * 5 + 3] = static_cast<float>(quality);
    values[s * 5 + 4] = static_cast<float>(strong > 0 ? (quality - options.z * gap_error) / strong : 0);
  }
}

/// The lists of up to stages_max models in the order of cost, with the best thresholds for each budget and
/// promise on the calibration rows. A list is passed over where its first call alone breaks the largest
/// budget.
bool add_lists(const CascadeData& data, const CascadeFitOptions& options,
               const std::shared_ptr<Artefact>& artefact) {
  // Lists are read from the artefact they are about to be part of.
  Tensor none{{1, 9}, {0, -1, -1, 0, 0, 0, 0, 0, 0}};
  artefact->tensors["cascade.lists"] = none;
  const auto made = CascadeModel::create(artefact);
  if (!made) return false;
  const auto& rows = options.calibration;
  const std::size_t m = data.configurations.size();
  const auto cost = mean_costs(data, rows);
  const double low = cost.front(),
               high = 1.25 * static_cast<double>(*std::max_element(cost.begin(), cost.end()));
  std::vector<double> budgets;
  for (std::size_t b = 0; b < kBudgets; ++b)
    budgets.push_back(1.05 * low * std::pow(high / (1.05 * low), static_cast<double>(b) / (kBudgets - 1)));
  struct Best {
    std::vector<std::size_t> models;
    ListSetting setting;
  };
  std::vector<std::optional<Best>> under(budgets.size()), keeping(std::size(kPromises));
  double reference = 0;
  for (const auto i : rows) reference += data.quality.back()[i] / static_cast<double>(rows.size());
  for (const auto mask : masks_of(m, options.stages_max)) {
    if (mask == 0) continue;
    if (options.stop && options.stop()) return false;
    std::vector<std::size_t> models;
    for (std::size_t c = 0; c < m; ++c) {
      if (mask >> c & 1U) models.push_back(c);
    }
    StageTable table;
    bool known = true;
    for (std::size_t s = 0; s < models.size(); ++s) {
      auto& reward = table.reward.emplace_back();
      auto& paid = table.cost.emplace_back();
      for (const auto i : rows) {
        reward.push_back(data.quality[models[s]][i]);
        paid.push_back(data.cost_usd[models[s]][i]);
      }
      if (s + 1 == models.size()) break;
      std::uint32_t asked = 0;
      for (std::size_t before = 0; before <= s; ++before) asked |= 1U << models[before];
      auto& accept = table.accept.emplace_back();
      for (const auto i : rows) {
        const auto state =
            seen_by(data.answers[i], asked, data.features.empty() ? nullptr : &data.features[i]);
        const auto p = (*made)->accept_probability(state, models[s], models.back());
        accept.push_back(static_cast<float>(p.value_or(0)));
        known &= p.has_value() || s > 0;
      }
    }
    for (const auto i : rows) table.reference.push_back(data.quality.back()[i]);
    if (!known) continue;
    const auto by_budget = best_under_budgets(table, budgets, options.z);
    for (std::size_t b = 0; b < budgets.size(); ++b) {
      if (by_budget[b] && (!under[b] || by_budget[b]->reward > under[b]->setting.reward))
        under[b] = Best{models, *by_budget[b]};
    }
    const auto by_share = cheapest_that_keep(table, kPromises, options.z);
    for (std::size_t k = 0; k < std::size(kPromises); ++k) {
      if (by_share[k] && (!keeping[k] || by_share[k]->cost < keeping[k]->setting.cost))
        keeping[k] = Best{models, *by_share[k]};
    }
  }
  Tensor lists{{0, 9}, {}};
  const auto add = [&](const std::optional<Best>& best, double budget) {
    if (!best) return;
    ++lists.shape[0];
    for (std::size_t s = 0; s < 3; ++s)
      lists.values.push_back(s < best->models.size() ? static_cast<float>(best->models[s]) : -1.0F);
    for (std::size_t s = 0; s < 2; ++s)
      lists.values.push_back(s < best->setting.thresholds.size() ? best->setting.thresholds[s] : 0.0F);
    const auto& setting = best->setting;
    lists.values.insert(lists.values.end(), {static_cast<float>(budget), static_cast<float>(setting.cost),
                                             static_cast<float>(setting.reward),
                                             static_cast<float>(setting.retained(reference, options.z))});
  };
  for (std::size_t b = 0; b < budgets.size(); ++b) add(under[b], budgets[b]);
  for (const auto& best : keeping)
    if (best) add(best, best->setting.cost + options.z * best->setting.cost_error);
  if (lists.shape[0] == 0) return false;
  artefact->tensors["cascade.lists"] = std::move(lists);
  return true;
}

Result<> check(const CascadeData& data, const CascadeFitOptions& options) {
  const std::size_t m = data.configurations.size(), n = data.answers.size();
  if (options.fitting.size() < kCascadeRowsMin || options.calibration.size() < kCascadeRowsMin) {
    return fail(
        ErrorKind::kCallerInvalid, "too_few_labels",
        fmt::format("A cascade needs at least {} requests to learn from and {} more to choose its "
                    "thresholds on; there are {} and {}. Record more outcomes.",
                    kCascadeRowsMin, kCascadeRowsMin, options.fitting.size(), options.calibration.size()));
  }
  const std::size_t most = options.kind == kCascadeRouting ? kRoutingModelsMax : kCascadeModelsMax;
  if (m < 2 || m > most) {
    return fail(ErrorKind::kCallerInvalid, "too_many_models",
                fmt::format("A cascade of this kind takes 2 to {} models, and {} were named. Choose fewer "
                            "(frugal_cascade takes up to {} and picks its list itself).",
                            most, m, kCascadeModelsMax));
  }
  for (std::size_t c = 0; c < m; ++c) {
    for (std::size_t i = 0; i < n; ++i) {
      const bool good = data.quality[c][i] >= 0 && data.quality[c][i] <= 1 && data.cost_usd[c][i] >= 0;
      if (good) continue;
      return fail(ErrorKind::kCallerInvalid, "bad_labels",
                  fmt::format("A cascade weighs quality against cost, and request {} has no score or cost of "
                              "'{}'. Give a price file, or leave the model out.",
                              i + 1, data.configurations[c]));
    }
  }
  return {};
}

}  // namespace

CascadeState seen_by(const CascadeState& state, std::uint32_t asked, const RequestFeatures* question) {
  auto out = state;
  out.asked = asked;
  out.question = question;
  return out;
}

CascadeRun run_routing(const CascadeModel& model, const CascadeData& data, std::uint32_t row,
                       std::size_t point) {
  CascadeRun out;
  const std::size_t m = data.configurations.size();
  auto state = seen_by(data.answers[row], 0, data.features.empty() ? nullptr : &data.features[row]);
  const auto pay = [&](std::size_t c) {
    state.asked |= 1U << c;
    out.cost_usd += data.cost_usd[c][row];
    ++out.calls;
    out.strong_asked |= c + 1 == m;
  };
  for (;;) {
    const auto choice = model.next(state, point);
    // As serving does: what cannot be judged goes to the reference.
    if (!choice) {
      if ((state.asked >> (m - 1) & 1U) == 0) pay(m - 1);
      out.served = m - 1;
      break;
    }
    if (choice->accept) {
      out.served = choice->model;
      break;
    }
    pay(choice->model);
  }
  out.quality = data.quality[out.served][row];
  return out;
}

CascadeRun run_list(const CascadeModel& model, const CascadeData& data, std::uint32_t row,
                    const CascadeList& list) {
  CascadeRun out;
  auto state = seen_by(data.answers[row], 0, data.features.empty() ? nullptr : &data.features[row]);
  for (std::size_t s = 0; s < list.models.size(); ++s) {
    const auto c = list.models[s];
    state.asked |= 1U << c;
    out.cost_usd += data.cost_usd[c][row];
    ++out.calls;
    out.served = c;
    out.strong_asked |= c + 1 == data.configurations.size();
    if (s + 1 == list.models.size()) break;
    const auto p = model.accept_probability(state, c, list.models.back());
    if (p && static_cast<float>(*p) >= list.thresholds[s]) break;
  }
  out.quality = data.quality[out.served][row];
  return out;
}

Result<std::shared_ptr<const Artefact>> fit_cascade(const CascadeData& data,
                                                    const CascadeFitOptions& options) {
  if (auto checked = check(data, options); !checked) return fail(checked.error());
  std::vector<std::uint32_t> cluster;
  for (const auto i : options.fitting) cluster.push_back(data.cluster.empty() ? i : data.cluster[i]);
  const auto fold = fold_by_cluster(cluster, options.folds, options.seed);
  std::vector<std::pair<std::string, double>> told;
  const bool question =
      !data.features.empty() &&
      (options.question == QuestionUse::kAlways ||
       (options.question == QuestionUse::kMeasure && question_helps(data, options, fold, told)));
  const auto shape = shape_of(data, options.fitting, question, options.seed);
  const bool any_signal = std::any_of(shape.used.begin(), shape.used.end(), [](const auto& used) {
    return std::find(used.begin(), used.end(), true) != used.end();
  });
  if (!any_signal && !question) {
    return fail(
        ErrorKind::kCallerInvalid, "one_sided_labels",
        "Nothing tells one answer from another: no signal of these models' answers is recorded. Record "
        "log-probabilities or the answers' texts.");
  }
  const bool routing = options.kind == kCascadeRouting;
  auto policy = routing ? fit_routing(data, options, options.fitting, shape)
                        : fit_lists(data, options, options.fitting, shape);
  if (options.stop && options.stop()) return fit_interrupted();
  if (!policy) {
    return fail(ErrorKind::kCallerInvalid, "no_embeddings",
                "The requests' own features were asked for, and some requests have none.");
  }
  auto artefact = frame(data, options, options.fitting, shape, std::move(*policy));
  artefact->info.measured = std::move(told);
  artefact->info.measured.emplace_back("n", static_cast<double>(options.fitting.size()));
  artefact->info.measured.emplace_back("n_calibration", static_cast<double>(options.calibration.size()));
  artefact->info.measured.emplace_back("reads_question", question ? 1 : 0);
  if (routing) {
    measure_points(data, options, artefact);
  } else if (!add_accept_curves(data, options, fold, shape, *artefact) ||
             !add_lists(data, options, artefact)) {
    if (options.stop && options.stop()) return fit_interrupted();
    return fail(ErrorKind::kCallerInvalid, "one_sided_labels",
                "No list of these models could be judged: none of their answers shows a signal. Record "
                "log-probabilities or the answers' texts.");
  }
  return artefact;
}

}  // namespace brevet
