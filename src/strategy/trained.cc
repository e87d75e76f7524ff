// What decides by a router that was fitted offline: one strategy for every kind of router.
//
// Idea: the router says what each candidate's answer would be worth, or how likely the strong answer is to be
// better. Two rules turn that into a choice.
//   threshold: strong iff P(strong better) >= threshold, as in RouteLLM (arXiv 2406.18665). P is calibrated,
//   so a threshold of .1 lets the weak model serve where the strong answer is better in under a tenth.
//   value_usd: the candidate with the largest value_usd * quality - cost, RouterBench's rule (arXiv
//   2403.12031, lambda = value_usd), over any number of candidates; cost is what such requests cost when they
//   were recorded, on average.
// Example: P = .12 with a threshold of .35: the weak model serves. Qualities .7, .8, .9 at .0001, .001, .01
// USD with a value of .05 USD: .0349, .0390, .0350, so the middle one serves.
// Known weakness: it sees the request and not the answer, and what it learned does not move with the traffic.
// A request unlike anything that it was fitted on goes to the reference (familiarity_min).
#include "strategy/trained.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "router/cascade_model.h"
#include "router/expert_model.h"
#include "strategy/kinds.h"
#include "strategy/serving.h"

namespace brevet {
namespace {

std::optional<std::size_t> place_in(const std::vector<std::string>& keys, const std::string& key) {
  const auto found = std::find(keys.begin(), keys.end(), key);
  if (found == keys.end()) return std::nullopt;
  return static_cast<std::size_t>(found - keys.begin());
}

/// ".12"; "under .01" for what two digits cannot show.
std::string probability(double value) {
  return value > 0 && value < .005 ? "under .01" : fmt::format("{:.2f}", value);
}

class Trained final : public Strategy {
 public:
  Trained(const OptionValues& options, RouterPtr router)
      : router_(std::move(router)),
        name_(router_->info().kind),
        threshold_(number_option(options, "threshold")),
        value_usd_(number_option(options, "value_usd")),
        familiarity_min_(number_option(options, "familiarity_min")),
        on_failure_(on_reference_failure(options)) {}
  const std::string& name() const override { return name_; }
  std::optional<Reason> not_applicable(const RequestView& view) const override {
    return needs_plain_text(view);
  }

  Step next(const Turn& turn, Draws&) const override {
    if (auto step = after_calls(turn, on_failure_)) return *std::move(step);
    const auto& view = turn.view;
    if (!turn.evidence.features) return need(NeedFeatures{}, "look_at_request", "What does it ask?");
    const auto prediction = router_->predict(view.features);
    if (!prediction) {
      return call_reference(
          view, {"no_prediction",
                 fmt::format("Served by {} because {} knows nothing of this request: what it reads of a "
                             "request is missing.",
                             view.reference.key(), name_)});
    }
    auto step = prediction->familiarity < familiarity_min_ ? unfamiliar(view, *prediction)
                : value_usd_ > 0                           ? by_value(view, *prediction)
                                                           : by_threshold(view, *prediction);
    step.qualities = qualities(view, *prediction);
    return step;
  }

 private:
  Step unfamiliar(const RequestView& view, const RouterPrediction& prediction) const {
    return call_reference(
        view,
        {"unfamiliar_request",
         fmt::format("Served by {} because the request is unlike those that {} was trained on: {} of "
                     "them were as far from the rest, and {} are needed.",
                     view.reference.key(), name_, share(prediction.familiarity), share(familiarity_min_))});
  }

  Step by_threshold(const RequestView& view, const RouterPrediction& prediction) const {
    const double p = prediction.need_strong;
    const bool strong = p >= threshold_;
    const auto& chosen = strong ? view.reference : view.weak;
    auto step = call_candidate(
        chosen,
        {strong ? "router_strong" : "router_weak",
         fmt::format("Served by {} because {} expects the answer of {} to be better with probability {}, "
                     "needed {}.",
                     chosen.key(), name_, view.reference.key(), probability(p), probability(threshold_))});
    step.score = 1 - p;
    return step;
  }

  Step by_value(const RequestView& view, const RouterPrediction& prediction) const {
    const auto& info = router_->info();
    const Configuration* best = nullptr;
    const Configuration* second = nullptr;
    double best_worth = 0;
    double second_worth = 0;
    std::size_t best_place = 0;
    // Equal worth goes to the cheaper one, which comes first.
    for (const auto& candidate : view.candidates) {
      const auto place = place_in(info.configurations, candidate.key());
      if (!place || *place >= prediction.quality.size() || *place >= info.mean_cost_usd.size()) continue;
      const double worth = value_usd_ * prediction.quality[*place] - info.mean_cost_usd[*place];
      if (!std::isfinite(worth)) continue;
      if (!best || worth > best_worth) {
        second = best;
        second_worth = best_worth;
        best = &candidate;
        best_worth = worth;
        best_place = *place;
      } else if (!second || worth > second_worth) {
        second = &candidate;
        second_worth = worth;
      }
    }
    if (!best) {
      return call_reference(
          view, {"no_prediction", fmt::format("Served by {} because {} speaks of none of the candidates.",
                                              view.reference.key(), name_)});
    }
    auto sentence = fmt::format(
        "Served by {} because {} expects quality {} of it for about {:.2g} USD, and at {:.3g} USD for a "
        "right "
        "answer that is worth most",
        best->key(), name_, probability(prediction.quality[best_place]), info.mean_cost_usd[best_place],
        value_usd_);
    sentence += second ? fmt::format(", before {}.", second->key()) : ".";
    auto step = call_candidate(*best, {"router_value", std::move(sentence)});
    step.score = 1 - prediction.need_strong;
    return step;
  }

  std::vector<float> qualities(const RequestView& view, const RouterPrediction& prediction) const {
    std::vector<float> out;
    if (prediction.quality.empty()) return out;
    for (const auto& candidate : view.candidates) {
      const auto place = place_in(router_->info().configurations, candidate.key());
      if (!place || *place >= prediction.quality.size()) return {};
      out.push_back(prediction.quality[*place]);
    }
    return out;
  }

  /// "1.5%".
  static std::string share(double value) { return fmt::format("{:.3g}%", value * 100); }

  const RouterPtr router_;
  const std::string name_;
  const double threshold_;
  const double value_usd_;
  const double familiarity_min_;
  const OnReferenceFailure on_failure_;
};

std::vector<OptionSpec> trained_options() {
  return {{"threshold", .1, 0.0, 1.0,
           "strong iff its answer is better with at least this probability; lower: better answers, higher "
           "cost"},
          {"value_usd", 0.0, 0.0, 1e6,
           "what a right answer is worth in USD: the candidate with the largest value - cost serves, of any "
           "number; 0 = decide by threshold"},
          {"familiarity_min", kFamiliarityMin, 0.0, 1.0,
           "requests further from the training data than all but this share of it go to the reference; 0 = "
           "none do"},
          weak_on_reference_failure_option()};
}

Result<StrategyPtr> make_trained(const OptionValues& options, RouterPtr router) {
  return std::make_shared<const Trained>(options, std::move(router));
}

}  // namespace

void add_trained_kinds(std::vector<StrategyKind>& kinds) {
  for (const auto& router : router_kinds()) {
    const auto there = std::find_if(kinds.begin(), kinds.end(),
                                    [&](const StrategyKind& kind) { return kind.name == router.name; });
    const bool known = there != kinds.end();
    if (known && there->make_trained) continue;  // it reads its router in a way of its own
    auto& kind = known ? *there : kinds.emplace_back();
    kind.make_trained = make_trained;
    if (known) {
      kind.summary += "; with a trained router: " + router.summary;
      kind.trained_options = trained_options();
      continue;
    }
    kind.name = router.name;
    kind.summary = router.summary + " (trained: `brevet train " + router.name + "`)";
    kind.options = trained_options();
    kind.static_router = true;
    kind.dial = "threshold";
    kind.swept = true;
    kind.remembers = false;
  }
}

Result<> check_router_place(const RouterInfo& router, const OptionValues& options, const RouterPlace& place) {
  if (router.kind == kMore) {
    // It speaks of its experts; whoever else is a candidate answers where they abstain.
    for (const auto& expert : router.configurations) {
      if (std::any_of(place.candidates.begin(), place.candidates.end(),
                      [&](const Configuration& candidate) { return candidate.key() == expert; }))
        continue;
      return fail(
          ErrorKind::kCallerInvalid, "router_models_mismatch",
          fmt::format("The router chooses among the experts {}, and {} is not a candidate of the route.",
                      fmt::join(router.configurations, ", "), expert),
          "router");
    }
    return {};
  }
  if (router.encoder_hash != "none" && router.encoder_hash != place.encoder_hash) {
    return fail(
        ErrorKind::kCallerInvalid, "router_encoder_mismatch",
        fmt::format("The router reads embeddings of the encoder {:.12}, and here they come from {:.12}. "
                    "Train it again with this encoder.",
                    router.encoder_hash, place.encoder_hash),
        "router");
  }
  if (router.lexical_version != 0 && router.lexical_version != place.lexical_version) {
    return fail(ErrorKind::kCallerInvalid, "router_encoder_mismatch",
                fmt::format("The router reads words as version {} numbered them, and here they are numbered "
                            "by version {}. Train it again.",
                            router.lexical_version, place.lexical_version),
                "router");
  }
  std::vector<std::string> missing;
  for (const auto& candidate : place.candidates) {
    if (!place_in(router.configurations, candidate.key())) missing.push_back(candidate.key());
  }
  if (!missing.empty()) {
    return fail(ErrorKind::kCallerInvalid, "router_models_mismatch",
                fmt::format("The router knows nothing of {}; it was trained on {}. Name the models as the "
                            "training data does, or train it on these.",
                            fmt::join(missing, ", "), fmt::join(router.configurations, ", ")),
                "router");
  }
  // A cascade holds the costs it needs and chooses among any number.
  if (router.kind == kFrugalCascade || router.kind == kCascadeRouting) return {};
  const auto given = options.find("value_usd");
  double value_usd = 0;
  if (given != options.end()) {
    if (const auto* real = std::get_if<double>(&given->second)) value_usd = *real;
    if (const auto* whole = std::get_if<std::int64_t>(&given->second))
      value_usd = static_cast<double>(*whole);
  }
  if (value_usd > 0) {
    std::vector<std::string> unknown;
    for (const auto& candidate : place.candidates) {
      const auto at = *place_in(router.configurations, candidate.key());
      if (at >= router.mean_cost_usd.size() || !std::isfinite(router.mean_cost_usd[at]))
        unknown.push_back(candidate.key());
    }
    if (unknown.empty()) return {};
    return fail(ErrorKind::kCallerInvalid, "router_costs_unknown",
                fmt::format("value_usd weighs quality against cost, and the router was trained on data "
                            "without costs of {}. Train it on outcomes with costs, or decide by threshold.",
                            fmt::join(unknown, ", ")),
                "router");
  }
  if (place.candidates.size() > 2) {
    return fail(ErrorKind::kCallerInvalid, "router_needs_value",
                fmt::format("A threshold chooses between two models, and the route has {} candidates. Set "
                            "value_usd, what a right answer is worth, to choose among them all.",
                            place.candidates.size()),
                "router");
  }
  if (place.candidates.front().key() != router.configurations.front() ||
      place.reference.key() != router.configurations.back()) {
    return fail(ErrorKind::kCallerInvalid, "router_models_mismatch",
                fmt::format("The router learned when {} is better than {}, and the route chooses between "
                            "{} and {}. Train it on these two, or set value_usd.",
                            router.configurations.back(), router.configurations.front(),
                            place.candidates.front().key(), place.reference.key()),
                "router");
  }
  return {};
}

}  // namespace brevet
