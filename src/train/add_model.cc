#include "train/add_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "memory/simd.h"
#include "train/fit_kinds.h"
#include "train/rank_calibration.h"

namespace brevet {
namespace {

constexpr std::size_t kProbesMin = 10;
constexpr std::size_t kCurveMin = 50;

/// What the router would have told of each probe without that probe's own outcome.
std::vector<float> leave_one_out(const std::vector<std::uint32_t>& topic, const std::vector<float>& quality,
                                 std::size_t topics, double prior) {
  std::vector<double> sum(topics, 0), count(topics, 0);
  double all = 0;
  for (std::size_t i = 0; i < topic.size(); ++i) {
    sum[topic[i]] += quality[i];
    count[topic[i]] += 1;
    all += quality[i];
  }
  std::vector<float> out;
  const auto n = static_cast<double>(topic.size());
  for (std::size_t i = 0; i < topic.size(); ++i) {
    const double mean = (all - quality[i]) / (n - 1);
    const double weight = count[topic[i]] - 1 + prior;
    out.push_back(
        static_cast<float>(weight > 0 ? (sum[topic[i]] - quality[i] + prior * mean) / weight : mean));
  }
  return out;
}

}  // namespace

Result<std::shared_ptr<const Artefact>> add_model(const Artefact& router, const ProbeOutcomes& probes,
                                                  std::size_t place) {
  const auto& keys = router.info.configurations;
  const std::size_t m = keys.size();
  if (router.info.kind != "uniroute") {
    return fail(
        ErrorKind::kCallerInvalid, "wrong_candidates",
        fmt::format("A model can join a router of kind 'uniroute'; this one is of kind '{}'. Train it "
                    "again with the new model.",
                    router.info.kind));
  }
  if (std::find(keys.begin(), keys.end(), probes.configuration) != keys.end() || place == 0 || place >= m) {
    return fail(
        ErrorKind::kCallerInvalid, "wrong_candidates",
        fmt::format("'{}' must be new to the router, and takes a place from 1 to {}: the first and the "
                    "last of its configurations stay.",
                    probes.configuration, m - 1));
  }
  const std::size_t n = probes.quality.size();
  if (n < kProbesMin) {
    return fail(ErrorKind::kCallerInvalid, "too_few_labels",
                fmt::format("A model joins by the outcomes of at least {} probe prompts, and there are {}.",
                            kProbesMin, n));
  }
  const auto centroids = router.tensor("centroids", {0, 0});
  if (!centroids) return fail(centroids.error());
  const std::size_t topics = (*centroids)->shape[0];
  const std::size_t d = (*centroids)->shape[1];
  const auto errors =
      router.tensor("errors", {static_cast<std::uint32_t>(m), static_cast<std::uint32_t>(topics)});
  if (!errors) return fail(errors.error());
  const auto prior_tensor = router.tensor("prior", {1});
  if (!prior_tensor) return fail(prior_tensor.error());
  const double prior = (*prior_tensor)->values[0];

  if (probes.features.size() != n) {
    return fail(ErrorKind::kCallerInvalid, "bad_labels", "Every probe prompt needs exactly one score.");
  }
  std::vector<std::uint32_t> topic;
  double mean = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const auto& e = probes.features[i].embedding;
    if (!e || e->size() != d) {
      return fail(ErrorKind::kCallerInvalid, "no_embeddings",
                  "A probe prompt has no embedding of the router's encoder. Embed them with the encoder that "
                  "the router names.");
    }
    if (!(probes.quality[i] >= 0 && probes.quality[i] <= 1)) {
      return fail(ErrorKind::kCallerInvalid, "bad_labels",
                  "A score of a probe prompt is not between 0 and 1.");
    }
    mean += probes.quality[i] / static_cast<double>(n);
    std::size_t best = 0;
    float nearest = -2;
    for (std::size_t t = 0; t < topics; ++t) {
      const float similarity = dot(e->data(), (*centroids)->values.data() + t * d, d);
      if (similarity > nearest) nearest = similarity, best = t;
    }
    topic.push_back(static_cast<std::uint32_t>(best));
  }
  auto out = std::make_shared<Artefact>(router);
  out->hash.clear();
  const auto at = static_cast<std::ptrdiff_t>(place);
  auto& info = out->info;
  info.configurations.insert(info.configurations.begin() + at, probes.configuration);
  if (info.mean_cost_usd.size() == m) {
    info.mean_cost_usd.insert(info.mean_cost_usd.begin() + at, probes.mean_cost_usd);
  }
  auto& table = out->tensors["errors"];
  std::vector<float> vector;
  for (const float q : topic_means(topic, probes.quality, topics, static_cast<float>(mean), prior)) {
    vector.push_back(1 - q);
  }
  table.values.insert(table.values.begin() + at * static_cast<std::ptrdiff_t>(topics), vector.begin(),
                      vector.end());
  ++table.shape[0];
  const auto name = [](std::size_t c) { return fmt::format("calibration.quality.{}", c); };
  for (std::size_t c = m; c-- > place;) {
    if (auto curve = out->tensors.extract(name(c))) {
      curve.key() = name(c + 1);
      out->tensors.insert(std::move(curve));
    }
  }
  const auto figure = [](std::size_t c) { return fmt::format("brier_quality_{}", c); };
  for (std::size_t c = m; c-- > place;) {
    for (auto& [what, value] : info.measured) {
      if (what == figure(c)) what = figure(c + 1);
    }
  }
  Curve curve{{0, 1}, {.001F, .999F}};
  if (n >= kCurveMin)
    curve = platt_curve(leave_one_out(topic, probes.quality, topics, prior), probes.quality);
  out->tensors[name(place)] = tensor_of(curve);
  info.measured.emplace_back(fmt::format("probes_of_{}", probes.configuration), static_cast<double>(n));
  return out;
}

}  // namespace brevet
