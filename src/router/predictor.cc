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
      {{"bert_head", "three-way classifier (strong wins, tie, weak wins) on the frozen encoder", false},
       make_linear_predictor},
  };
  return list;
}

}  // namespace

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
