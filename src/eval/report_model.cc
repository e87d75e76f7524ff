#include "eval/report_model.h"

namespace brevet {

ShuffleVerdict verdict_of(const std::optional<Measured>& shuffle_gain) {
  if (!shuffle_gain) return ShuffleVerdict::kNotApplicable;
  // Sums of thousands of products are equal to about this; a gain below it is none.
  constexpr double kNothing = 1e-9;
  if (shuffle_gain->mean <= kNothing) return ShuffleVerdict::kDoesNothing;
  if (!shuffle_gain->ci95) return ShuffleVerdict::kNotShown;
  return shuffle_gain->ci95->low > kNothing ? ShuffleVerdict::kBeatsShuffle : ShuffleVerdict::kNotShown;
}

const char* name_of(ShuffleVerdict verdict) {
  switch (verdict) {
    case ShuffleVerdict::kNotApplicable:
      return "";
    case ShuffleVerdict::kBeatsShuffle:
      return "beats its own shuffle";
    case ShuffleVerdict::kNotShown:
      return "not shown";
    case ShuffleVerdict::kDoesNothing:
      return "does nothing";
  }
  return "";
}

const std::vector<NamedFigure>& row_figures() {
  static const std::vector<NamedFigure> figures = {
      {"quality", &StrategyRow::quality},
      {"retention", &StrategyRow::retention},
      {"strong_share", &StrategyRow::strong_share},
      {"cost_usd", &StrategyRow::cost_usd},
      {"cost_rel", &StrategyRow::cost_rel},
      {"cost_rel_serving", &StrategyRow::cost_rel_serving},
      {"cost_rel_with_learning", &StrategyRow::cost_rel_with_learning},
      {"apgr", &StrategyRow::apgr},
      {"cpt50", &StrategyRow::cpt50},
      {"cpt80", &StrategyRow::cpt80},
      {"aiq", &StrategyRow::aiq},
      {"router_arena", &StrategyRow::router_arena},
      {"pgr", &StrategyRow::pgr},
      {"shuffle_gain", &StrategyRow::shuffle_gain},
      {"mixture_gain", &StrategyRow::mixture_gain},
      {"brier", &StrategyRow::brier},
      {"ece", &StrategyRow::ece},
      {"auroc", &StrategyRow::auroc},
      {"worst_group", &StrategyRow::worst_group},
  };
  return figures;
}

}  // namespace brevet
