// The kinds of routers that can be fitted, one row each, and how a kind reads its options.
// Used inside src/train only; the list is in fit_kinds.cc.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "train/fit.h"
#include "train/training.h"

namespace brevet {

struct KindRow {
  FitKind kind;
  FitFunction fit = nullptr;
  bool reads_embedding = true;
  bool reads_words = false;
  bool reads_quality = false;  ///< teaches itself from scores; else comparisons are enough
};
const std::vector<KindRow>& kind_rows();

KindRow knn_row();
KindRow mlp_row();
KindRow svm_row();
KindRow sw_ranking_row();
KindRow mf_row();
KindRow bert_head_row();
KindRow hybrid_det_row();
KindRow hybrid_prob_row();
KindRow hybrid_trans_row();
KindRow zooter_row();
KindRow cluster_row();
KindRow uniroute_row();
KindRow ensemble_row();
KindRow average3_row();
KindRow bert_row();
KindRow causal_llm_row();

/// Mean quality per topic (NaN is skipped), `prior` requests of `mean` added to each; [topics].
std::vector<float> topic_means(const std::vector<std::uint32_t>& topic_of, const std::vector<float>& quality,
                               std::size_t topics, float mean, double prior);
/// zooter's rewards after label enhancement, [n, m]; NaN where a configuration was not labelled.
Matrix enhanced_rewards(const Training& data, const FitOrder& order);

/// `options` is complete and checked, so these cannot fail.
inline double number_of(const FitOrder& order, const char* name) {
  return std::get<double>(order.options.at(name));
}
inline std::int64_t count_of(const FitOrder& order, const char* name) {
  return std::get<std::int64_t>(order.options.at(name));
}
inline bool flag_of(const FitOrder& order, const char* name) {
  return std::get<bool>(order.options.at(name));
}
inline const std::string& text_of(const FitOrder& order, const char* name) {
  return std::get<std::string>(order.options.at(name));
}

}  // namespace brevet
