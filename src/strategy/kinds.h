// The rows of the list in strategies.cc, one per strategy file; and how a strategy reads its options.
// Used inside src/strategy only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "strategy/strategy.h"

namespace brevet {

StrategyKind always_weak_kind();
StrategyKind always_strong_kind();
StrategyKind random_mixture_kind();
StrategyKind knn_kind();
StrategyKind exact_lookup_kind();
StrategyKind rar_kind();
StrategyKind adaptive_kind();
StrategyKind causal_llm_kind();
StrategyKind cascade_kind();
StrategyKind frugal_cascade_kind();
StrategyKind cascade_routing_kind();
StrategyKind rar_shadow_kind();
StrategyKind self_consistency_kind();
StrategyKind blended_kind();
StrategyKind blender_kind();
StrategyKind tree_of_thoughts_kind();
StrategyKind more_kind();
/// A row for each of router_kinds(); `knn` keeps its own and learns to read a router beside.
void add_trained_kinds(std::vector<StrategyKind>& kinds);

/// `options` is complete and checked, so these cannot fail.
inline double number_option(const OptionValues& options, const char* name) {
  return std::get<double>(options.at(name));
}
inline std::int64_t count_option(const OptionValues& options, const char* name) {
  return std::get<std::int64_t>(options.at(name));
}
inline bool flag_option(const OptionValues& options, const char* name) {
  return std::get<bool>(options.at(name));
}
inline const std::string& text_option(const OptionValues& options, const char* name) {
  return std::get<std::string>(options.at(name));
}

}  // namespace brevet
