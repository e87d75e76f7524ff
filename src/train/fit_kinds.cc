#include "train/fit_kinds.h"

namespace brevet {

const std::vector<KindRow>& kind_rows() {
  static const std::vector<KindRow> list = {
      bert_head_row(),
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

}  // namespace brevet
