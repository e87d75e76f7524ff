// cluster: k-means topics, and the mean quality of every model in each, shrunk towards its mean over all
// (Avengers, Zhang et al. 2025, arXiv 2505.19797, section 3). uniroute: the same topics; a model is the
// vector of its mean errors on them (UniRoute, Jitkrittum et al. 2025, arXiv 2502.08773, section 4.1).
//
// They differ in what follows: cluster reads the nearest few topics, uniroute the one (or the few) that a
// request is assigned to, and takes models that come later (add_model.h). Known weakness: inside a topic
// every request is alike.
#include "train/fit_kinds.h"
#include "train/k_means.h"

namespace brevet {
namespace {

Result<Fitted> fit_topics(const Training& data, const FitOrder& order, bool errors) {
  const auto asked = static_cast<std::size_t>(count_of(order, "clusters"));
  // A topic of a handful of requests measures nothing.
  constexpr std::size_t kRowsPerCluster = 10;
  const auto count = std::min(asked, std::max<std::size_t>(1, data.size() / kRowsPerCluster));
  const auto topics = k_means(data.x, count, order.seed);
  Fitted out;
  Tensor per_model{
      {static_cast<std::uint32_t>(data.configurations), static_cast<std::uint32_t>(topics.centroids.rows)},
      {}};
  const auto mean = mean_quality(data);
  for (std::size_t m = 0; m < data.configurations; ++m) {
    const auto quality = topic_means(topics.member_of, data.quality[m], topics.centroids.rows, mean[m],
                                     number_of(order, "prior"));
    for (const float q : quality) per_model.values.push_back(errors ? 1 - q : q);
  }
  out.tensors["centroids"] = tensor_of(topics.centroids);
  out.tensors[errors ? "errors" : "quality"] = std::move(per_model);
  const auto nearest = std::min(static_cast<std::size_t>(count_of(order, "nearest")), topics.centroids.rows);
  out.tensors["nearest"] = tensor_of({static_cast<float>(nearest)});
  // What a model added later is shrunk by, so that it is measured as these were.
  if (errors) out.tensors["prior"] = tensor_of({static_cast<float>(number_of(order, "prior"))});
  return out;
}

Result<Fitted> fit_cluster(const Training& data, const FitOrder& order) {
  return fit_topics(data, order, false);
}
Result<Fitted> fit_uniroute(const Training& data, const FitOrder& order) {
  return fit_topics(data, order, true);
}

KindRow topics_row(std::int64_t clusters, std::int64_t nearest, double prior) {
  KindRow row;
  row.kind.options = {
      {"clusters", clusters, 1.0, 512.0, "topics (at most one per ten requests): more are finer and noisier"},
      {"nearest", nearest, 1.0, 64.0, "topics that a request belongs to; more are smoother"},
      {"prior", prior, 0.0, 1000.0, "requests that a model's overall mean is worth in each topic"}};
  row.kind.requests_min = 50;
  row.kind.many = true;
  row.reads_quality = true;
  return row;
}

}  // namespace

std::vector<float> topic_means(const std::vector<std::uint32_t>& topic_of, const std::vector<float>& quality,
                               std::size_t topics, float mean, double prior) {
  std::vector<double> sum(topics, prior * mean), weight(topics, prior);
  for (std::size_t i = 0; i < topic_of.size(); ++i) {
    if (std::isnan(quality[i])) continue;
    sum[topic_of[i]] += quality[i];
    weight[topic_of[i]] += 1;
  }
  std::vector<float> out;
  for (std::size_t t = 0; t < topics; ++t) {
    out.push_back(weight[t] > 0 ? static_cast<float>(sum[t] / weight[t]) : mean);
  }
  return out;
}

KindRow cluster_row() {
  auto row = topics_row(16, 1, 10);
  row.kind.name = "cluster";
  row.kind.summary = "mean quality of each model in the nearest topics";
  row.fit = fit_cluster;
  return row;
}

KindRow uniroute_row() {
  auto row = topics_row(32, 1, 5);
  row.kind.name = "uniroute";
  row.kind.summary = "models as vectors of errors per topic; takes new models from a few probes";
  row.fit = fit_uniroute;
  return row;
}

}  // namespace brevet
