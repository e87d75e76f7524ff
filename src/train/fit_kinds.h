// The kinds of routers that can be fitted, one row each, and how a kind reads its options.
// Used inside src/train only; the list is in fit_kinds.cc.
#pragma once

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

KindRow bert_head_row();

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
