// knn: mean quality of each model over the k nearest labelled requests (RouterBench, Hu et al. 2024, arXiv
// 2403.12031, section 4.2: k 5, 10 and 40). There is nothing to fit: the rows are kept. On
// recorded outcomes many neighbours, the nearer ones counting more, ranked the gain of the strong model
// better than any number of equal ones, which is why that is the default.
#include "train/fit_kinds.h"

namespace brevet {
namespace {

Result<Fitted> fit_knn(const Training& data, const FitOrder& order) {
  const std::size_t n = data.size();
  Fitted out;
  Tensor quality{{static_cast<std::uint32_t>(data.configurations), static_cast<std::uint32_t>(n)}, {}};
  for (const auto& row : data.quality) {
    // Numbers of a router file are finite; below 0 stands for "not labelled".
    for (const float q : row) quality.values.push_back(std::isnan(q) ? -1 : q);
  }
  out.tensors["rows"] = tensor_of(data.x);
  out.tensors["quality"] = std::move(quality);
  out.tensors["mean"] = tensor_of(mean_quality(data));
  out.tensors["k"] = tensor_of({static_cast<float>(count_of(order, "k"))});
  out.tensors["bandwidth"] = tensor_of({static_cast<float>(number_of(order, "bandwidth"))});
  return out;
}

}  // namespace

KindRow knn_row() {
  KindRow row;
  row.kind.name = "knn";
  row.kind.summary = "mean quality of the nearest labelled requests";
  row.kind.options = {
      {"k", std::int64_t{400}, 1.0, 1000.0, "neighbours: more are steadier, fewer are more local"},
      {"bandwidth", .2, 0.0, 10.0,
       "neighbours count by exp((cosine - 1) / bandwidth); 0 = all alike, as published with k up to 40"}};
  row.kind.requests_min = 20;
  row.kind.many = true;
  row.fit = fit_knn;
  row.reads_quality = true;
  return row;
}

}  // namespace brevet
