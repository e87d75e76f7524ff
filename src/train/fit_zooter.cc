// zooter: the rewards of all models on a request, made a distribution and distilled into a softmax of the
// request alone (Lu et al. 2023, "Routing to the Expert", arXiv 2311.08692, section 3).
//
// Tag-based label enhancement: reward = beta * own + (1 - beta) * mean over the request's tags of the tag's
// mean reward, beta .3; tags are topics by k-means where none are given. The loss is the cross-entropy with
// softmax(reward / temperature), which is the Kullback-Leibler divergence but for a constant. The paper fine-
// tunes mDeBERTa; here a linear layer on the frozen encoder. Known weakness: with one 0/1 score per model the
// rewards are coarse, and all but the enhancement says only who was right.
#include <map>

#include "train/fit_kinds.h"
#include "train/k_means.h"
#include "train/softmax_head.h"

namespace brevet {
namespace {

/// [n][..] numbers of each request's tags.
std::vector<std::vector<std::uint32_t>> tags_of(const Training& data, const FitOrder& order,
                                                std::size_t& count) {
  std::vector<std::vector<std::uint32_t>> out(data.size());
  if (data.tags.empty()) {
    constexpr std::size_t kRowsPerTag = 10;
    const auto asked = static_cast<std::size_t>(count_of(order, "clusters"));
    const auto topics =
        k_means(data.x, std::min(asked, std::max<std::size_t>(1, data.size() / kRowsPerTag)), order.seed);
    count = topics.centroids.rows;
    for (std::size_t i = 0; i < data.size(); ++i) out[i] = {topics.member_of[i]};
    return out;
  }
  std::map<std::string, std::uint32_t> number;
  for (std::size_t i = 0; i < data.size(); ++i) {
    for (const auto& tag : data.tags[i]) {
      out[i].push_back(number.emplace(tag, static_cast<std::uint32_t>(number.size())).first->second);
    }
  }
  count = number.size();
  return out;
}

Result<Fitted> fit_zooter(const Training& data, const FitOrder& order) {
  const std::size_t m = data.configurations;
  const auto rewards = enhanced_rewards(data, order);
  std::vector<std::uint32_t> rows;
  for (std::uint32_t i = 0; i < data.size(); ++i) {
    if (!std::isnan(rewards.at(i, 0))) rows.push_back(i);
  }
  if (rows.empty()) {
    return fail(
        ErrorKind::kCallerInvalid, "too_few_labels",
        "Zooter learns from requests that every configuration answered, and there is none. Record the "
        "missing outcomes, or name fewer configurations.");
  }
  const double temperature = number_of(order, "temperature");
  Matrix targets(rows.size(), m);
  for (std::size_t k = 0; k < rows.size(); ++k) {
    const float* reward = rewards.row(rows[k]);
    const float top = *std::max_element(reward, reward + m);
    double sum = 0;
    for (std::size_t c = 0; c < m; ++c) sum += std::exp((reward[c] - top) / temperature);
    for (std::size_t c = 0; c < m; ++c) {
      targets.at(k, c) = static_cast<float>(std::exp((reward[c] - top) / temperature) / sum);
    }
  }
  const std::vector<float> weights(rows.size(), 1);
  const auto weight =
      fit_softmax(rows_of(data.x, rows), targets, weights, {.ridge = number_of(order, "ridge")}, order.stop);
  if (!weight) return fit_interrupted();
  return Fitted{{{"weights", tensor_of(*weight)}}};
}

}  // namespace

Matrix enhanced_rewards(const Training& data, const FitOrder& order) {
  const std::size_t m = data.configurations;
  std::size_t count = 0;
  const auto tags = tags_of(data, order, count);
  Matrix sum(count, m), labelled(count, m);
  for (std::size_t i = 0; i < data.size(); ++i) {
    for (const auto tag : tags[i]) {
      for (std::size_t c = 0; c < m; ++c) {
        if (std::isnan(data.quality[c][i])) continue;
        sum.at(tag, c) += data.quality[c][i];
        labelled.at(tag, c) += 1;
      }
    }
  }
  const auto beta = static_cast<float>(number_of(order, "beta"));
  Matrix out(data.size(), m);
  for (std::size_t i = 0; i < data.size(); ++i) {
    bool whole = true;
    for (std::size_t c = 0; c < m; ++c) {
      const float own = data.quality[c][i];
      whole = whole && !std::isnan(own);
      float shared = 0, of = 0;
      for (const auto tag : tags[i]) {
        if (labelled.at(tag, c) > 0) shared += sum.at(tag, c) / labelled.at(tag, c), of += 1;
      }
      out.at(i, c) = of > 0 ? beta * own + (1 - beta) * shared / of : own;
    }
    // A distribution over models needs all of them.
    if (!whole) std::fill_n(out.row(i), m, std::numeric_limits<float>::quiet_NaN());
  }
  return out;
}

KindRow zooter_row() {
  KindRow row;
  row.kind.name = "zooter";
  row.kind.summary = "rewards of all models, distilled into one softmax";
  row.kind.options = {
      {"beta", .3, 0.0, 1.0, "weight of a request's own rewards against those of its tags"},
      {"temperature", .2, 1e-3, 100.0, "of the rewards: small names the best model, large evens out"},
      {"clusters", std::int64_t{32}, 1.0, 512.0, "tags made by k-means where none are given"},
      {"ridge", 30.0, 1e-3, 1e4, "penalty on the squared weights: more is smoother"}};
  row.kind.requests_min = 50;
  row.kind.many = true;
  row.fit = fit_zooter;
  row.reads_quality = true;
  return row;
}

}  // namespace brevet
