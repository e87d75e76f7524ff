// hybrid_det, hybrid_prob, hybrid_trans: P(the weak answer suffices), taught by three label definitions
// (Hybrid LLM, Ding et al. 2024, arXiv 2404.14618, sections 3.1 to 3.3).
//
// det: y = 1[q_S >= q_L] on the first sample of each. prob: y = the share of all pairs of samples with
// s_i >= l_j. trans: the same with s_i >= l_j - t*, where t* spreads the labels best:
// argmax_t mean over i, j of |y_i(t) - y_j(t)|, a mean absolute difference, so it costs a sort per t. The
// paper fine-tunes DeBERTa with soft-label cross-entropy; here a linear layer on the frozen encoder with the
// same loss. With one 0/1 score per model the three labels coincide (told as labels_coincide).
#include "train/hybrid_labels.h"

#include <algorithm>
#include <cmath>

#include "train/fit_kinds.h"
#include "train/softmax_head.h"

namespace brevet {
namespace {

std::vector<HybridSamples> samples_of(const Training& data, std::vector<std::uint32_t>& rows) {
  std::vector<HybridSamples> out;
  const std::size_t last = data.configurations - 1;
  for (std::uint32_t i = 0; i < data.size(); ++i) {
    HybridSamples samples;
    const auto take = [&](std::size_t model, std::vector<float>& into) {
      if (!data.samples.empty()) into = data.samples[model][i];
      std::erase_if(into, [](float q) { return std::isnan(q); });
      if (into.empty() && !std::isnan(data.quality[model][i])) into = {data.quality[model][i]};
    };
    take(0, samples.weak);
    take(last, samples.strong);
    if (samples.weak.empty() || samples.strong.empty()) continue;
    rows.push_back(i);
    out.push_back(std::move(samples));
  }
  return out;
}

enum class Label { kDeterministic, kProbabilistic, kTransformed };

Result<Fitted> fit_hybrid(const Training& data, const FitOrder& order, Label label) {
  std::vector<std::uint32_t> rows;
  const auto samples = samples_of(data, rows);
  const auto deterministic = deterministic_labels(samples);
  const auto probabilistic = match_labels(samples, 0);
  const double relaxed = best_relaxation(samples);
  const auto transformed = match_labels(samples, relaxed);
  const auto& y = label == Label::kDeterministic   ? deterministic
                  : label == Label::kProbabilistic ? probabilistic
                                                   : transformed;
  Fitted out;
  if (label == Label::kTransformed) out.told.emplace_back("t_star", relaxed);
  out.told.emplace_back("labels_coincide",
                        deterministic == probabilistic && probabilistic == transformed ? 1 : 0);
  Matrix targets(rows.size(), 2);
  for (std::size_t k = 0; k < rows.size(); ++k) {
    targets.at(k, 0) = y[k];
    targets.at(k, 1) = 1 - y[k];
  }
  const std::vector<float> weights(rows.size(), 1);
  const auto weight =
      fit_softmax(rows_of(data.x, rows), targets, weights, {.ridge = number_of(order, "ridge")}, order.stop);
  if (!weight) return fit_interrupted();
  out.tensors["weights"] = tensor_of(*weight);
  return out;
}

Result<Fitted> fit_det(const Training& data, const FitOrder& order) {
  return fit_hybrid(data, order, Label::kDeterministic);
}
Result<Fitted> fit_prob(const Training& data, const FitOrder& order) {
  return fit_hybrid(data, order, Label::kProbabilistic);
}
Result<Fitted> fit_trans(const Training& data, const FitOrder& order) {
  return fit_hybrid(data, order, Label::kTransformed);
}

KindRow hybrid_row(const char* name, const char* summary, FitFunction fit) {
  KindRow row;
  row.kind.name = name;
  row.kind.summary = summary;
  row.kind.options = {{"ridge", 20.0, 1e-3, 1e4, "penalty on the squared weights: more is smoother"}};
  row.kind.requests_min = 50;
  row.fit = fit;
  row.reads_quality = true;
  return row;
}

}  // namespace

std::vector<float> deterministic_labels(const std::vector<HybridSamples>& samples) {
  std::vector<float> out;
  for (const auto& s : samples) out.push_back(s.weak.front() >= s.strong.front() ? 1.0F : 0.0F);
  return out;
}

std::vector<float> match_labels(const std::vector<HybridSamples>& samples, double relaxation) {
  // Half a millionth is under any score that is told, and over what subtracting floats leaves.
  constexpr double kRounding = 5e-7;
  std::vector<float> out;
  for (const auto& s : samples) {
    std::size_t matched = 0;
    for (const float weak : s.weak) {
      for (const float strong : s.strong) {
        matched += static_cast<double>(weak) >= static_cast<double>(strong) - relaxation - kRounding;
      }
    }
    out.push_back(static_cast<float>(matched) / static_cast<float>(s.weak.size() * s.strong.size()));
  }
  return out;
}

double mean_absolute_difference(std::vector<float> values) {
  std::sort(values.begin(), values.end());
  const auto n = static_cast<double>(values.size());
  double sum = 0;
  for (std::size_t k = 0; k < values.size(); ++k) sum += (2 * static_cast<double>(k) - n + 1) * values[k];
  return values.empty() ? 0 : 2 * sum / (n * n);
}

double best_relaxation(const std::vector<HybridSamples>& samples) {
  constexpr int kGrid = 100;
  double largest = 0;
  for (const auto& s : samples) {
    largest = std::max(largest, static_cast<double>(*std::max_element(s.strong.begin(), s.strong.end())) -
                                    *std::min_element(s.weak.begin(), s.weak.end()));
  }
  double best = 0, best_spread = -1;
  for (int step = 0; step <= kGrid; ++step) {
    const double t = largest * step / kGrid;
    const double spread = mean_absolute_difference(match_labels(samples, t));
    if (spread > best_spread + 1e-12) best = t, best_spread = spread;
  }
  return best;
}

KindRow hybrid_det_row() {
  return hybrid_row("hybrid_det", "P(weak suffices) taught by one answer of each", fit_det);
}
KindRow hybrid_prob_row() {
  return hybrid_row("hybrid_prob", "P(weak suffices) taught by all pairs of sampled answers", fit_prob);
}
KindRow hybrid_trans_row() {
  return hybrid_row("hybrid_trans", "as hybrid_prob, weak forgiven a gap that spreads the labels best",
                    fit_trans);
}

}  // namespace brevet
