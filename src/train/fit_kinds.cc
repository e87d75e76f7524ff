#include "train/fit_kinds.h"

namespace brevet {

const std::vector<KindRow>& kind_rows() {
  static const std::vector<KindRow> list = {
      knn_row(),          mlp_row(),       svm_row(),        sw_ranking_row(),
      mf_row(),           bert_head_row(), hybrid_det_row(), hybrid_prob_row(),
      hybrid_trans_row(), zooter_row(),    cluster_row(),    uniroute_row(),
      ensemble_row(),     average3_row(),  bert_row(),       causal_llm_row(),
  };
  return list;
}

const std::vector<FitKind>& fit_kinds() {
  static const std::vector<FitKind> kinds = [] {
    std::vector<FitKind> made;
    for (const auto& row : kind_rows()) made.push_back(row.kind);
    return made;
  }();
  return kinds;
}

std::vector<float> mean_quality(const Training& data) {
  double all = 0, labels = 0;
  std::vector<double> sum(data.configurations, 0), count(data.configurations, 0);
  for (std::size_t c = 0; c < data.configurations; ++c) {
    for (const float q : data.quality[c]) {
      if (!std::isnan(q)) sum[c] += q, count[c] += 1;
    }
    all += sum[c], labels += count[c];
  }
  std::vector<float> out;
  for (std::size_t c = 0; c < data.configurations; ++c) {
    out.push_back(static_cast<float>(count[c] > 0 ? sum[c] / count[c] : labels > 0 ? all / labels : .5));
  }
  return out;
}

Matrix with_ones(const Matrix& x) {
  Matrix out(x.rows, x.cols + 1);
  for (std::size_t i = 0; i < x.rows; ++i) {
    std::copy_n(x.row(i), x.cols, out.row(i));
    out.at(i, x.cols) = 1;
  }
  return out;
}

}  // namespace brevet
