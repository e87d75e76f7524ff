#include "router/predictor.h"

#include <fmt/format.h>

#include "router/kinds.h"

namespace brevet {
namespace {

struct Row {
  RouterKind kind;
  Result<PredictorPtr> (*make)(const ArtefactPtr&);
};

const std::vector<Row>& rows() {
  static const std::vector<Row> list = {
      {{"knn", "mean quality of the nearest labelled requests", true}, make_knn_predictor},
      {{"mlp", "a small network per model on the embedding", true}, make_mlp_predictor},
      {{"svm", "a linear support vector regression per model on the embedding", true}, make_linear_predictor},
      {{"sw_ranking", "comparisons weighted by similarity, ranked by Bradley and Terry", false},
       make_sw_ranking_predictor},
      {{"mf", "matrix factorisation of comparisons: models and requests in one space", false},
       make_linear_predictor},
      {{"bert_head", "three-way classifier (strong wins, tie, weak wins) on the frozen encoder", false},
       make_linear_predictor},
      {{"hybrid_det", "P(weak suffices) taught by one answer of each", false}, make_linear_predictor},
      {{"hybrid_prob", "P(weak suffices) taught by all pairs of sampled answers", false},
       make_linear_predictor},
      {{"hybrid_trans", "as hybrid_prob, weak forgiven a gap that spreads the labels best", false},
       make_linear_predictor},
      {{"zooter", "rewards of all models, distilled into one softmax", true}, make_linear_predictor},
      {{"cluster", "mean quality of each model in the nearest topics", true}, make_cluster_predictor},
      {{"uniroute", "models as vectors of errors per topic; takes new models from a few probes", true},
       make_cluster_predictor},
      {{"ensemble", "a forest over the text's shape, its embedding and three cheap routers", true},
       make_ensemble_predictor},
      {{"bert", "three-way classifier, encoder and all fine-tuned", false}, make_classified_predictor},
      {{"causal_llm", "a model that is asked for a grade of the weak answer, calibrated", false},
       make_classified_predictor},
      {{"average3", "mean rank of nearest requests and two logistic regressions", false},
       make_average3_predictor},
  };
  return list;
}

}  // namespace

tl::unexpected<Error> corrupt_router(const Artefact& artefact, const std::string& tensor) {
  return fail(ErrorKind::kCallerInvalid, "router_corrupt",
              fmt::format("The router of kind '{}' has impossible numbers in '{}'. Train it again.",
                          artefact.info.kind, tensor));
}

const std::vector<RouterKind>& router_kinds() {
  static const std::vector<RouterKind> kinds = [] {
    std::vector<RouterKind> made;
    for (const auto& row : rows()) made.push_back(row.kind);
    return made;
  }();
  return kinds;
}

Result<std::unique_ptr<const Predictor>> make_predictor(std::shared_ptr<const Artefact> artefact) {
  const auto& info = artefact->info;
  for (const auto& row : rows()) {
    if (row.kind.name != info.kind) continue;
    const auto count = info.configurations.size();
    if (count < 2 || (count > 2 && !row.kind.many)) {
      return fail(ErrorKind::kCallerInvalid, "router_corrupt",
                  fmt::format("The router of kind '{}' speaks of {} configurations, which this kind cannot. "
                              "Train it again.",
                              info.kind, count));
    }
    return row.make(artefact);
  }
  return fail(
      ErrorKind::kCallerInvalid, "unknown_router",
      fmt::format("There is no router of kind '{}' here; it may come from a newer Brevet.", info.kind));
}

}  // namespace brevet
