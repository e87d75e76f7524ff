// bert_head: RouteLLM's classifier (Ong et al. 2024, arXiv 2406.18665, section 4.2) with the encoder frozen.
//
// Three classes, strong wins, tie, weak wins; p = 1 - (P_tie + P_weak). The paper fine-tunes BERT-base; here
// a linear layer is taught on the sentence embedding, which a CPU does in well under a second. Taught by
// comparisons of the first with the last configuration; others are left out. Known weakness: linear in the
// embedding.
#include "train/fit_kinds.h"
#include "train/softmax_head.h"

namespace brevet {
namespace {

Result<Fitted> fit_bert_head(const Training& data, const FitOrder& order) {
  const auto strong = static_cast<std::uint32_t>(data.configurations - 1);
  std::vector<std::uint32_t> rows;
  std::vector<float> weights;
  std::vector<std::size_t> classes;
  for (const auto& pair : data.pairs) {
    const bool forward = pair.first == strong && pair.second == 0;
    if (!forward && !(pair.first == 0 && pair.second == strong)) continue;
    const float strong_wins = forward ? pair.outcome : 1 - pair.outcome;
    rows.push_back(pair.request);
    weights.push_back(pair.weight);
    classes.push_back(strong_wins > .5F ? 0 : strong_wins < .5F ? 2 : 1);
  }
  Matrix targets(rows.size(), 3);
  for (std::size_t i = 0; i < rows.size(); ++i) targets.at(i, classes[i]) = 1;
  const auto weight =
      fit_softmax(rows_of(data.x, rows), targets, weights, {.ridge = number_of(order, "ridge")}, order.stop);
  if (!weight) return fit_interrupted();
  return Fitted{{{"weights", tensor_of(*weight)}}};
}

}  // namespace

KindRow bert_head_row() {
  KindRow row;
  row.kind.name = "bert_head";
  row.kind.summary = "three-way classifier (strong wins, tie, weak wins) on the frozen encoder";
  row.kind.options = {
      {"ridge", 10.0, 1e-3, 1e4, "penalty on the squared weights: more is smoother, less follows the data"}};
  row.kind.requests_min = 50;
  row.fit = fit_bert_head;
  return row;
}

}  // namespace brevet
