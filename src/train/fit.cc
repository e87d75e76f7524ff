// The order of every fit: check, split by cluster, predict out of fold through the predictor that will
// serve, calibrate on those predictions, measure, then fit once more on everything.
#include "train/fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include "features/lexical.h"
#include "router/predictor.h"
#include "strategy/checked_options.h"
#include "train/fit_kinds.h"
#include "train/folds.h"
#include "train/k_means.h"
#include "train/rank_calibration.h"

namespace brevet {
namespace {

constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();
constexpr int kFoldsMin = 2;
constexpr int kFoldsMax = 50;
/// A calibration on fewer comparisons of weak and strong says nothing.
constexpr std::size_t kNeedLabelsMin = 30;

bool finite(const Embedding& embedding) {
  return std::all_of(embedding.begin(), embedding.end(), [](float v) { return std::isfinite(v); });
}

/// Comparisons that follow from scores: every two configurations that were both scored on a request, or
/// weak with strong alone where `data` is large in configurations and the kind speaks of two.
std::vector<LabelledPair> pairs_from_quality(const FitData& data) {
  std::vector<LabelledPair> pairs;
  const std::size_t m = data.quality.size();
  for (std::uint32_t i = 0; i < data.features.size(); ++i) {
    for (std::uint32_t first = 0; first < m; ++first) {
      for (std::uint32_t second = first + 1; second < m; ++second) {
        const float a = data.quality[first][i];
        const float b = data.quality[second][i];
        if (std::isnan(a) || std::isnan(b)) continue;
        pairs.push_back({i, first, second, a > b ? 1.0F : a < b ? 0.0F : .5F, 1});
      }
    }
  }
  return pairs;
}

/// The whole of what can teach: rows without any label or without a needed embedding are left out.
struct Labelled {
  std::vector<std::uint32_t> rows;  ///< index into FitData
  std::vector<LabelledPair> pairs;  ///< request = index into FitData
  std::vector<float> need;          ///< [rows] share of comparisons in which strong was better; NaN unknown
  std::vector<std::uint32_t> fold;  ///< [rows]
};

Result<> check_shape(const FitData& data) {
  const std::size_t n = data.features.size();
  const std::size_t m = data.configurations.size();
  const auto wrong = [](const std::string& what) {
    return fail(ErrorKind::kCallerInvalid, "bad_labels",
                fmt::format("The labelled data contradicts itself: {}.", what));
  };
  if (!data.quality.empty() && data.quality.size() != m) return wrong("scores of other configurations");
  for (const auto& row : data.quality) {
    if (row.size() != n) return wrong("scores for another number of requests");
    for (const float q : row) {
      if (!std::isnan(q) && !(q >= 0 && q <= 1)) return wrong(fmt::format("a score of {}, not 0 to 1", q));
    }
  }
  if (!data.cluster.empty() && data.cluster.size() != n)
    return wrong("clusters of another number of requests");
  if (!data.tags.empty() && data.tags.size() != n) return wrong("tags of another number of requests");
  if (!data.samples.empty() && data.samples.size() != m) return wrong("samples of other configurations");
  for (const auto& row : data.samples) {
    if (row.size() != n) return wrong("samples for another number of requests");
  }
  for (const auto& pair : data.pairs) {
    const std::size_t models = m + data.others.size();
    if (pair.request >= n || pair.first >= models || pair.second >= models || pair.first == pair.second) {
      return wrong("a comparison of an unknown request or model");
    }
    if (!(pair.outcome >= 0 && pair.outcome <= 1) || !(pair.weight > 0) || !std::isfinite(pair.weight)) {
      return wrong("a comparison with an outcome beyond 0 to 1, or without weight");
    }
  }
  return {};
}

Result<Labelled> labelled_rows(const FitData& data, const KindRow& kind, int folds, std::uint64_t seed) {
  const std::size_t n = data.features.size();
  const auto strong = static_cast<std::uint32_t>(data.configurations.size() - 1);
  Labelled out;
  out.pairs = data.pairs.empty() ? pairs_from_quality(data) : data.pairs;
  std::vector<bool> taught(n, false);
  std::vector<float> won(n, 0), compared(n, 0);
  for (const auto& pair : out.pairs) {
    if (!kind.reads_quality) taught[pair.request] = true;
    const bool forward = pair.first == strong && pair.second == 0;
    if (!forward && !(pair.first == 0 && pair.second == strong)) continue;
    const float strong_wins = forward ? pair.outcome : 1 - pair.outcome;
    won[pair.request] += strong_wins > .5F ? pair.weight : 0;
    compared[pair.request] += pair.weight;
  }
  if (kind.reads_quality) {
    for (std::size_t i = 0; i < n; ++i) {
      for (const auto& row : data.quality) taught[i] = taught[i] || !std::isnan(row[i]);
    }
  }
  std::size_t labels = 0;
  std::size_t dimension = 0;
  for (std::uint32_t i = 0; i < n; ++i) {
    if (!taught[i]) continue;
    ++labels;
    const auto& embedding = data.features[i].embedding;
    if (kind.reads_embedding) {
      if (!embedding || !finite(*embedding) || embedding->empty()) continue;
      if (dimension == 0) dimension = embedding->size();
      if (embedding->size() != dimension) continue;
    }
    if (kind.kind.beside) {
      const auto& classified = data.features[i].classified;
      if (!classified || classified->empty() || !finite(*classified)) continue;
    }
    out.rows.push_back(i);
    out.need.push_back(compared[i] > 0 ? won[i] / compared[i] : kUnknown);
  }
  if (labels > 0 && out.rows.empty() && kind.kind.beside) {
    return fail(
        ErrorKind::kCallerInvalid, "not_classified",
        fmt::format("Router '{}' reads the answer of a model beside the encoder, and there is none for any "
                    "request. Name the model: --classifier FOLDER for bert, --ask MODEL for causal_llm.",
                    kind.kind.name));
  }
  if (labels > 0 && out.rows.empty()) {
    return fail(ErrorKind::kCallerInvalid, "no_embeddings",
                fmt::format("Router '{}' reads the embedding of a request, and no request has one. Give an "
                            "encoder (--encoder).",
                            kind.kind.name));
  }
  const auto need_labels = static_cast<std::size_t>(
      std::count_if(out.need.begin(), out.need.end(), [](float y) { return !std::isnan(y); }));
  const std::size_t least = std::max(kind.kind.requests_min, kNeedLabelsMin);
  if (out.rows.size() < least || need_labels < kNeedLabelsMin) {
    return fail(ErrorKind::kCallerInvalid, "too_few_labels",
                fmt::format("Router '{}' needs at least {} labelled requests, {} of them with both '{}' and "
                            "'{}'; there are {} and {}. Record more outcomes.",
                            kind.kind.name, least, kNeedLabelsMin, data.configurations.front(),
                            data.configurations.back(), out.rows.size(), need_labels));
  }
  for (std::size_t c = 0; kind.reads_quality && c < data.quality.size(); ++c) {
    const bool known = std::any_of(out.rows.begin(), out.rows.end(),
                                   [&](std::uint32_t i) { return !std::isnan(data.quality[c][i]); });
    if (known) continue;
    return fail(
        ErrorKind::kCallerInvalid, "too_few_labels",
        fmt::format("No request has a score of '{}'. Record some, or leave it out.", data.configurations[c]));
  }
  float low = 1, high = 0;
  for (const float y : out.need) {
    if (!std::isnan(y)) low = std::min(low, y), high = std::max(high, y);
  }
  if (high <= 0 || low >= 1) {
    return fail(ErrorKind::kCallerInvalid, "one_sided_labels",
                fmt::format("There is nothing to learn: '{}' is {} better than '{}' on these requests. Use "
                            "'{}', or record other requests.",
                            data.configurations.back(), high <= 0 ? "never" : "always",
                            data.configurations.front(), high <= 0 ? "always_weak" : "always_strong"));
  }
  std::vector<std::uint32_t> cluster;
  for (const auto i : out.rows) cluster.push_back(data.cluster.empty() ? i : data.cluster[i]);
  if (std::set<std::uint32_t>(cluster.begin(), cluster.end()).size() < 2) {
    return fail(ErrorKind::kCallerInvalid, "too_few_labels",
                "All labelled requests are near-duplicates of one: there is nothing to check a router on.");
  }
  out.fold = fold_by_cluster(cluster, folds, seed);
  return out;
}

/// Rows `chosen` (indices into labelled.rows) as a training of their own.
Training training_of(const FitData& data, const Labelled& labelled, const KindRow& kind,
                     const std::vector<std::uint32_t>& chosen) {
  Training out;
  out.configurations = data.configurations.size();
  out.models = out.configurations + data.others.size();
  std::vector<std::int64_t> place(data.features.size(), -1);
  std::size_t dimension = 0;
  if (kind.reads_embedding) dimension = data.features[labelled.rows.front()].embedding->size();
  out.x = Matrix(chosen.size(), dimension);
  out.quality.resize(out.configurations);
  if (!data.samples.empty()) out.samples.resize(out.configurations);
  for (std::size_t k = 0; k < chosen.size(); ++k) {
    const auto i = labelled.rows[chosen[k]];
    place[i] = static_cast<std::int64_t>(k);
    const auto& features = data.features[i];
    out.features.push_back(&features);
    if (dimension > 0) std::copy_n(features.embedding->data(), dimension, out.x.row(k));
    for (std::size_t c = 0; c < out.configurations; ++c) {
      out.quality[c].push_back(data.quality.empty() ? kUnknown : data.quality[c][i]);
      if (!data.samples.empty()) out.samples[c].push_back(data.samples[c][i]);
    }
    out.cluster.push_back(data.cluster.empty() ? i : data.cluster[i]);
    if (!data.tags.empty()) out.tags.push_back(data.tags[i]);
  }
  for (auto pair : labelled.pairs) {
    if (place[pair.request] < 0) continue;
    pair.request = static_cast<std::uint32_t>(place[pair.request]);
    out.pairs.push_back(pair);
  }
  return out;
}

bool all_finite(const Fitted& fitted) {
  for (const auto& [name, tensor] : fitted.tensors) {
    for (const float v : tensor.values) {
      if (!std::isfinite(v)) return false;
    }
  }
  return true;
}

Result<Fitted> fit_rows(const KindRow& kind, const Training& training, const FitOrder& order) {
  if (order.stopped()) return fit_interrupted();
  auto fitted = kind.fit(training, order);
  if (fitted && !all_finite(*fitted)) {
    return fail(ErrorKind::kInternal, "fit_diverged",
                fmt::format("The fit of router '{}' did not settle on finite numbers. Choose other options "
                            "(a larger penalty, a smaller learning rate).",
                            kind.kind.name));
  }
  return fitted;
}

struct OutOfFold {
  bool quality = false;                       ///< the kind predicts quality per configuration
  std::vector<float> need;                    ///< [rows] raw
  std::vector<std::vector<float>> qualities;  ///< [m][rows] raw; empty for kNeed
};

Result<OutOfFold> predict_out_of_fold(const FitData& data, const Labelled& labelled, const KindRow& kind,
                                      const Artefact& frame, const FitOrder& order) {
  const std::size_t n = labelled.rows.size();
  const std::size_t m = data.configurations.size();
  OutOfFold out;
  out.need.resize(n);
  const std::uint32_t folds = *std::max_element(labelled.fold.begin(), labelled.fold.end()) + 1;
  for (std::uint32_t f = 0; f < folds; ++f) {
    std::vector<std::uint32_t> others;
    for (std::uint32_t i = 0; i < n; ++i) {
      if (labelled.fold[i] != f) others.push_back(i);
    }
    auto fitted = fit_rows(kind, training_of(data, labelled, kind, others), order);
    if (!fitted) return fail(fitted.error());
    auto artefact = std::make_shared<Artefact>(frame);
    artefact->tensors = std::move(fitted->tensors);
    const auto predictor = make_predictor(artefact);
    if (!predictor) return fail(predictor.error());
    out.quality = (*predictor)->predicts() == Predicts::kQuality;
    std::vector<float> raw(out.quality ? m : 1);
    if (out.quality) out.qualities.resize(m, std::vector<float>(n));
    for (std::size_t i = 0; i < n; ++i) {
      if (labelled.fold[i] != f) continue;
      (*predictor)->predict(data.features[labelled.rows[i]], raw);
      out.need[i] = out.quality ? raw.back() - raw.front() : raw[0];
      for (std::size_t c = 0; out.quality && c < m; ++c) out.qualities[c][i] = raw[c];
    }
  }
  return out;
}

/// Mean quality over strong shares, from all weak (0) to all strong (1), of sending the requests with the
/// highest need to strong; scaled as RouteLLM's APGR (arXiv 2406.18665, section 3). NaN without a gap.
double apgr_of(const std::vector<float>& need, const std::vector<float>& weak,
               const std::vector<float>& strong) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < need.size(); ++i) {
    if (!std::isnan(weak[i]) && !std::isnan(strong[i])) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return need[a] > need[b]; });
  double recovered = 0, area = 0;
  for (const auto i : order) {
    const double gain = static_cast<double>(strong[i]) - weak[i];
    area += recovered + .5 * gain;
    recovered += gain;
  }
  if (!(recovered > 0)) return std::numeric_limits<double>::quiet_NaN();
  return area / (recovered * static_cast<double>(order.size()));
}

/// Labels, scores and folds of the rows where `label` is known.
struct Known {
  std::vector<float> score, label;
  std::vector<std::uint32_t> fold;
};
Known known(const std::vector<float>& score, const std::vector<float>& label,
            const std::vector<std::uint32_t>& fold) {
  Known out;
  for (std::size_t i = 0; i < label.size(); ++i) {
    if (std::isnan(label[i])) continue;
    out.score.push_back(score[i]);
    out.label.push_back(label[i]);
    out.fold.push_back(fold[i]);
  }
  return out;
}

/// At even ranks from the smallest to the largest, interpolated; `values` is not empty.
std::vector<float> quantiles_of(std::vector<float> values) {
  constexpr std::size_t kQuantiles = 101;
  std::sort(values.begin(), values.end());
  std::vector<float> quantiles(kQuantiles);
  for (std::size_t q = 0; q < kQuantiles; ++q) {
    const double at = static_cast<double>(q) / (kQuantiles - 1) * static_cast<double>(values.size() - 1);
    const auto below = static_cast<std::size_t>(at);
    const auto above = std::min(below + 1, values.size() - 1);
    quantiles[q] =
        values[below] + static_cast<float>(at - static_cast<double>(below)) * (values[above] - values[below]);
  }
  return quantiles;
}

void add_calibration(Artefact& artefact, const FitData& data, const Labelled& labelled,
                     const OutOfFold& raw) {
  auto& measured = artefact.info.measured;
  const auto need = known(raw.need, labelled.need, labelled.fold);
  const auto calibrated = calibrate_scores(need.score, need.label, need.fold);
  artefact.tensors["calibration.need"] = tensor_of(calibrated.curve);
  // What it will say of requests like these, so that a threshold can be named for a share of them.
  std::vector<float> said;
  for (const float raw_need : need.score) said.push_back(static_cast<float>(calibrated.curve.at(raw_need)));
  artefact.tensors["need.quantiles"] = tensor_of(quantiles_of(std::move(said)));
  measured.emplace_back("n", static_cast<double>(need.label.size()));
  if (!data.quality.empty()) {
    std::vector<float> weak, strong;
    for (const auto i : labelled.rows) {
      weak.push_back(data.quality.front()[i]);
      strong.push_back(data.quality.back()[i]);
    }
    measured.emplace_back("apgr", apgr_of(raw.need, weak, strong));
  }
  measured.emplace_back("auroc", area_under_roc(need.score, need.label));
  measured.emplace_back("brier", calibrated.brier);
  const double base =
      std::accumulate(need.label.begin(), need.label.end(), 0.0) / static_cast<double>(need.label.size());
  double base_brier = 0;
  for (const float y : need.label)
    base_brier += (y - base) * (y - base) / static_cast<double>(need.label.size());
  measured.emplace_back("brier_of_base_rate", base_brier);
  measured.emplace_back("ece", expected_calibration_error(calibrated.held_out, need.label));
  measured.emplace_back("isotonic", calibrated.isotonic ? 1 : 0);
  for (std::size_t c = 0; c < raw.qualities.size(); ++c) {
    std::vector<float> quality;
    for (const auto i : labelled.rows) quality.push_back(data.quality[c][i]);
    const auto one = known(raw.qualities[c], quality, labelled.fold);
    const auto curve = calibrate_scores(one.score, one.label, one.fold);
    artefact.tensors[fmt::format("calibration.quality.{}", c)] = tensor_of(curve.curve);
    measured.emplace_back(fmt::format("brier_quality_{}", c), curve.brier);
  }
}

/// Topics of the fitting requests, and how near requests that did not make them came to one.
void add_familiarity(Artefact& artefact, const Matrix& x, const std::vector<std::uint32_t>& fold,
                     std::uint64_t seed) {
  constexpr std::size_t kRowsPerCentroid = 20;
  constexpr std::size_t kCentroidsMax = 128;
  const auto count = [=](std::size_t rows) {
    return std::clamp<std::size_t>(rows / kRowsPerCentroid, 1, kCentroidsMax);
  };
  std::vector<float> similarity;
  const std::uint32_t folds = *std::max_element(fold.begin(), fold.end()) + 1;
  for (std::uint32_t f = 0; f < folds; ++f) {
    std::vector<std::uint32_t> in, out;
    for (std::uint32_t i = 0; i < fold.size(); ++i) (fold[i] == f ? out : in).push_back(i);
    const auto topics = k_means(rows_of(x, in), count(in.size()), seed);
    const auto nearest = nearest_similarity(rows_of(x, out), topics.centroids);
    similarity.insert(similarity.end(), nearest.begin(), nearest.end());
  }
  artefact.tensors["familiarity.centroids"] = tensor_of(k_means(x, count(x.rows), seed).centroids);
  artefact.tensors["familiarity.quantiles"] = tensor_of(quantiles_of(std::move(similarity)));
}

std::vector<double> mean_costs(const FitData& data) {
  std::vector<double> means;
  for (std::size_t c = 0; c < data.configurations.size(); ++c) {
    double sum = 0;
    std::size_t count = 0;
    if (c < data.cost_usd.size()) {
      for (const double cost : data.cost_usd[c]) {
        if (!std::isnan(cost)) sum += cost, ++count;
      }
    }
    means.push_back(count > 0 ? sum / static_cast<double>(count) : std::numeric_limits<double>::quiet_NaN());
  }
  return means;
}

}  // namespace

Result<std::shared_ptr<const Artefact>> fit_router(const FitData& data, const FitOptions& options) {
  const KindRow* kind = nullptr;
  std::vector<std::string> names;
  for (const auto& row : kind_rows()) {
    names.push_back(row.kind.name);
    if (row.kind.name == options.kind) kind = &row;
  }
  if (!kind) {
    return fail(
        ErrorKind::kCallerInvalid, "unknown_router",
        fmt::format("There is no router kind '{}'. Known are: {}.", options.kind, fmt::join(names, ", ")));
  }
  const auto complete = checked_options(kind->kind.name, kind->kind.options, options.options);
  if (!complete) return fail(complete.error());
  if (options.folds < kFoldsMin || options.folds > kFoldsMax) {
    return fail(ErrorKind::kCallerInvalid, "bad_option",
                fmt::format("Folds must lie between {} and {}.", kFoldsMin, kFoldsMax), "folds");
  }
  const std::size_t m = data.configurations.size();
  if (m < 2 || (m > 2 && !kind->kind.many)) {
    return fail(ErrorKind::kCallerInvalid, "wrong_candidates",
                fmt::format("Router '{}' speaks of {} configurations, and {} were given.", kind->kind.name,
                            kind->kind.many ? "two or more" : "exactly two", m));
  }
  if (const auto checked = check_shape(data); !checked) return fail(checked.error());
  const auto labelled = labelled_rows(data, *kind, options.folds, options.seed);
  if (!labelled) return fail(labelled.error());

  auto artefact = std::make_shared<Artefact>();
  auto& info = artefact->info;
  info.kind = kind->kind.name;
  info.configurations = data.configurations;
  info.encoder_hash = kind->reads_embedding ? data.encoder_hash : "none";
  info.lexical_version = kind->reads_words ? kLexicalVersion : 0;
  info.data_hash = data.data_hash;
  if (kind->kind.beside) {
    info.model = data.model;
    info.model_hash = data.model_hash;
  }
  info.command = options.command;
  info.created = options.created;
  info.fitted = labelled->rows.size();
  info.seed = options.seed;
  info.mean_cost_usd = mean_costs(data);

  const FitOrder order{*complete, options.seed, options.stop};
  const auto raw = predict_out_of_fold(data, *labelled, *kind, *artefact, order);
  if (!raw) return fail(raw.error());
  std::vector<std::uint32_t> all(labelled->rows.size());
  std::iota(all.begin(), all.end(), 0);
  const auto training = training_of(data, *labelled, *kind, all);
  auto fitted = fit_rows(*kind, training, order);
  if (!fitted) return fail(fitted.error());
  artefact->tensors = std::move(fitted->tensors);
  add_calibration(*artefact, data, *labelled, *raw);
  for (auto& row : fitted->told) info.measured.push_back(std::move(row));
  if (kind->reads_embedding) add_familiarity(*artefact, training.x, labelled->fold, options.seed);
  return artefact;
}

}  // namespace brevet
