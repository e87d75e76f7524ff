// rar: Real-time Adapting Routing, the faithful method (Vasilevski, Lin, Hassan, arXiv 2411.09837). A patent
// application covers it, see NOTICE.
//
// Idea: remember, per request, whether the weak model was good enough alone (a skill), with a guide that the
// strong model wrote, or not at all. A new request is served as its nearest remembered one, if that is near
// enough; everything else goes to the strong model, and a shadow (rar_shadow.cc) finds out what to remember.
//   serve(q): static router says weak          -> weak(q)
//             nearest remembered, cosine >= tau_skill:
//               weak_ok          -> weak(q)
//               weak_with_guide  -> weak(guide + q)
//               strong_only      -> strong(q), tried again once it is due
//             else               -> strong(q), shadow
// Example: "17 * 23?" was remembered as weak_ok; "17 * 24?" at cosine .97 is served by the weak model.
// What the paper does not give (embedder, threshold, comparison, retry) is our choice and calibrated by
// `brevet calibrate`. An exact repeat is its own nearest neighbour, so looking it up by hash first decides
// the same and needs no encoder.
// Known weakness: one neighbour over a fixed similarity. On fresh requests that can be worse than chance:
// close neighbours pick out templated questions, where the strong model helps most. `adaptive` feeds what is
// remembered into a calibrated estimate instead.
#include <fmt/format.h>

#include <algorithm>

#include "strategy/kinds.h"
#include "strategy/serving.h"

namespace brevet {
namespace {

class Rar : public Strategy {
 public:
  Rar(const OptionValues& options, StrategyPtr static_router)
      : tau_skill_(number_option(options, "tau_skill")),
        exact_first_(flag_option(options, "exact_first")),
        on_failure_(on_reference_failure(options)),
        static_router_(std::move(static_router)) {}
  const std::string& name() const override { return name_; }
  std::optional<Reason> not_applicable(const RequestView& view) const override {
    return needs_plain_text(view);
  }

  Step next(const Turn& turn, Draws& draws) const override {
    if (auto step = after_calls(turn, on_failure_)) return *std::move(step);
    const auto& view = turn.view;
    if (static_router_) {
      Step step = static_router_->next(turn, draws);
      if (std::holds_alternative<Need>(step.what)) return step;
      if (const auto* calls = std::get_if<Calls>(&step.what)) {
        if (calls->calls.front().configuration.model == view.weak.model) {
          step.reason = {"static_router", fmt::format("{} (Static router '{}'.)", step.reason.sentence,
                                                      static_router_->name())};
          return step;
        }
      }
    }
    if (exact_first_) {
      if (!turn.evidence.exact)
        return need(NeedExact{}, "look_up_exact", "Was this very request seen before?");
      if (const auto& skill = *turn.evidence.exact) {
        return call_by_skill(turn, *skill, "exact", "this very request was seen before");
      }
    }
    if (!turn.evidence.neighbours) {
      return need(NeedNeighbours{1}, "look_up_nearest", "Which remembered request is the most similar?");
    }
    const auto& found = *turn.evidence.neighbours;
    if (found.empty()) {
      return call_reference(
          view, {"nothing_remembered", fmt::format("Served by {} because nothing like it is remembered yet.",
                                                   view.reference.key())});
    }
    const auto& nearest = found.front();
    if (nearest.similarity < tau_skill_) {
      return call_reference(
          view, {"no_skill_near",
                 fmt::format("Served by {} because the most similar remembered request (skill {}) is at "
                             "similarity {} and {} is needed.",
                             view.reference.key(), nearest.skill.id, two_digits(nearest.similarity),
                             two_digits(tau_skill_))});
    }
    return call_by_skill(turn, nearest.skill, "skill",
                         fmt::format("a remembered request is similar ({})", two_digits(nearest.similarity)));
  }

 private:
  const std::string name_ = "rar";
  const double tau_skill_;
  const bool exact_first_;
  const OnReferenceFailure on_failure_;
  const StrategyPtr static_router_;
};

Result<StrategyPtr> make_rar(const OptionValues& options) {
  const auto& wanted = text_option(options, "static_router");
  StrategyPtr inner;
  if (wanted != "none") {
    const StrategyKind* found = nullptr;
    std::string names = "none";
    for (const auto& kind : strategies()) {
      if (!kind.static_router) continue;
      names += ", " + kind.name;
      if (kind.name == wanted) found = &kind;
    }
    if (!found) {
      return fail(
          ErrorKind::kCallerInvalid, "bad_option",
          fmt::format("Option 'static_router' of strategy 'rar' must be one of {}, not '{}'.", names, wanted),
          "static_router");
    }
    OptionValues given;
    for (const auto& spec : found->options) {
      if (spec.name == "threshold") given["threshold"] = options.at("static_threshold");
      if (spec.name == "neighbours") given["neighbours"] = options.at("static_neighbours");
    }
    auto made = make_strategy(wanted, given);
    if (!made) return fail(std::move(made.error()));
    inner = *std::move(made);
  }
  return std::make_shared<Rar>(options, std::move(inner));
}

/// A trained router in front, whatever kind it is.
Result<StrategyPtr> make_rar_behind(const OptionValues& options, RouterPtr router) {
  const auto kind = router->info().kind;
  auto inner = make_strategy(kind, {{"threshold", options.at("router_threshold")}}, std::move(router));
  if (!inner) return fail(std::move(inner.error()));
  return std::make_shared<Rar>(options, *std::move(inner));
}

}  // namespace

StrategyKind rar_kind() {
  StrategyKind kind;
  kind.name = "rar";
  kind.dial = "tau_skill";
  kind.dial_settings = {0, .3, .4, .5, .6, .65, .7, .75, .8, .85, .9};
  kind.summary = "RAR: as the nearest remembered request, alone or with a guide; the reference for the rest";
  kind.options = {{"tau_skill", 0.9, -1.0, 1.0,
                   "cosine from which a remembered request decides; lower: cheaper, more wrong hits"},
                  {"exact_first",
                   true,
                   {},
                   {},
                   "look up repeats by hash before the encoder is asked; same decisions, less work"},
                  weak_on_reference_failure_option()};
  kind.trained_options = kind.options;
  kind.trained_options.push_back(
      {"router_threshold", .1, 0.0, 1.0,
       "the trained router in front says weak where the reference's answer is better "
       "with less than this probability"});
  for (OptionSpec option : std::initializer_list<OptionSpec>{
           {"static_router",
            std::string("none"),
            {},
            {},
            "strategy in front that may say weak: none, knn or exact_lookup; `router: FILE` puts a trained "
            "one there"},
           {"static_threshold", 0.9, 0.0, 1.0, "threshold of the static router"},
           {"static_neighbours", std::int64_t{40}, 1.0, 1000.0, "neighbours of the static router"}}) {
    kind.options.push_back(std::move(option));
  }
  kind.any_router = true;
  kind.make = make_rar;
  kind.make_trained = make_rar_behind;
  return kind;
}

}  // namespace brevet
