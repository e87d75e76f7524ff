// knn: the weak model iff enough of what is remembered near the request agreed with the reference.
//
// Idea: of the k nearest remembered requests, each votes with its similarity (never below 0), 1 when the weak
// model alone agreed with the reference there and 0 otherwise; a prior of `prior_weight` votes at `prior`
// keeps a few near votes from deciding. Weak iff the weighted agreement reaches `threshold`.
// Example: 40 neighbours at cosine .6, 34 of them agreed: (34*.6 + 2*.5) / (40*.6 + 2) = .82.
// Source: the k-nearest-neighbour router of RouterBench (arXiv 2403.12031), on gains as labels.
// Known weakness: cosine is not calibrated between topics, and it cannot tell "hard for both" from "gains by
// the reference"; `adaptive` adds a linear model and calibration.
#include <fmt/format.h>

#include <algorithm>

#include "strategy/kinds.h"
#include "strategy/serving.h"

namespace brevet {
namespace {

class Knn : public Strategy {
 public:
  explicit Knn(const OptionValues& options)
      : neighbours_(static_cast<std::size_t>(count_option(options, "neighbours"))),
        neighbours_min_(static_cast<std::size_t>(count_option(options, "neighbours_min"))),
        threshold_(number_option(options, "threshold")),
        prior_(number_option(options, "prior")),
        prior_weight_(number_option(options, "prior_weight")),
        on_failure_(on_reference_failure(options)) {}
  const std::string& name() const override { return name_; }
  std::optional<Reason> not_applicable(const RequestView& view) const override {
    return needs_plain_text(view);
  }

  Step next(const Turn& turn, Draws&) const override {
    if (auto step = after_calls(turn, on_failure_)) return *std::move(step);
    const auto& view = turn.view;
    if (!turn.evidence.neighbours) {
      return need(NeedNeighbours{neighbours_}, "look_up_neighbours",
                  "Which remembered requests are similar?");
    }
    const auto& found = *turn.evidence.neighbours;
    const auto count = std::min(found.size(), neighbours_);
    if (count < neighbours_min_) {
      return call_reference(
          view, {"too_few_neighbours",
                 fmt::format("Served by {} because only {} near this one {} remembered and {} are needed.",
                             view.reference.key(), counted(count, "request"), count == 1 ? "is" : "are",
                             neighbours_min_)});
    }
    double weight = prior_weight_;
    double agreed = prior_weight_ * prior_;
    std::size_t agreeing = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const double vote = std::max(0.0f, found[i].similarity);
      weight += vote;
      if (found[i].skill.status == SkillStatus::kWeakOk) agreed += vote, ++agreeing;
    }
    const double agreement = weight > 0 ? agreed / weight : 0;
    const auto evidence = fmt::format(
        "{} of the {} most similar remembered requests (similarity {} to {}) were served as well by {}: "
        "weighted agreement {}, needed {}",
        agreeing, count, count ? two_digits(found[0].similarity) : "-",
        count ? two_digits(found[count - 1].similarity) : "-", view.weak.key(), two_digits(agreement),
        two_digits(threshold_));
    auto step =
        agreement >= threshold_
            ? call_weak(view, {"neighbours_agree",
                               fmt::format("Served by {} because {}.", view.weak.key(), evidence)})
            : call_reference(view, {"neighbours_disagree", fmt::format("Served by {} because only {}.",
                                                                       view.reference.key(), evidence)});
    step.score = agreement;
    return step;
  }

 private:
  const std::string name_ = "knn";
  const std::size_t neighbours_;
  const std::size_t neighbours_min_;
  const double threshold_;
  const double prior_;
  const double prior_weight_;
  const OnReferenceFailure on_failure_;
};

}  // namespace

StrategyKind knn_kind() {
  StrategyKind kind;
  kind.name = "knn";
  kind.summary = "the weak model where similar remembered requests agreed with the reference";
  kind.static_router = true;
  kind.dial = "threshold";
  kind.swept = true;
  kind.options = {
      {"neighbours", std::int64_t{40}, 1.0, 1000.0, "more: steadier and less local"},
      {"neighbours_min", std::int64_t{5}, 1.0, 1000.0, "fewer remembered than this: the reference serves"},
      {"threshold", 0.8, 0.0, 1.0, "weighted agreement needed; higher: better answers and higher cost"},
      {"prior", 0.5, 0.0, 1.0, "agreement assumed before anything is known"},
      {"prior_weight", 2.0, 0.0, 1000.0, "votes that the prior counts for"},
      weak_on_reference_failure_option()};
  kind.make = [](const OptionValues& options) -> Result<StrategyPtr> {
    return std::make_shared<Knn>(options);
  };
  return kind;
}

}  // namespace brevet
