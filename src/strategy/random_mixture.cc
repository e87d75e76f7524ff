// random_mixture: the reference with probability strong_share, else the weak model, whatever is asked.
//
// The baseline of RouterBench ("Zero router", arXiv 2403.12031) and RouteLLM: a router that does not beat it
// at the same share of strong calls knows nothing about requests.
#include <fmt/format.h>

#include "strategy/kinds.h"
#include "strategy/serving.h"

namespace brevet {
namespace {

class RandomMixture : public Strategy {
 public:
  explicit RandomMixture(const OptionValues& options)
      : strong_share_(number_option(options, "strong_share")), on_failure_(on_reference_failure(options)) {}
  const std::string& name() const override { return name_; }
  std::optional<Reason> not_applicable(const RequestView& view) const override {
    return needs_plain_text(view);
  }
  Step next(const Turn& turn, Draws& draws) const override {
    if (auto step = after_calls(turn, on_failure_)) return *std::move(step);
    if (draws.coin("random_mixture", strong_share_)) {
      return call_reference(
          turn.view, {"random_strong", fmt::format("Served by {} by a coin that says strong {} of the time.",
                                                   turn.view.reference.key(), percent(strong_share_))});
    }
    return call_weak(turn.view,
                     {"random_weak", fmt::format("Served by {} by a coin that says strong {} of the time.",
                                                 turn.view.weak.key(), percent(strong_share_))});
  }

 private:
  const std::string name_ = "random_mixture";
  const double strong_share_;
  const OnReferenceFailure on_failure_;
};

}  // namespace

StrategyKind random_mixture_kind() {
  StrategyKind kind;
  kind.name = "random_mixture";
  kind.summary = "a coin chooses the reference with probability strong_share";
  kind.options = {{"strong_share", 0.5, 0.0, 1.0, "higher: better answers and higher cost"},
                  weak_on_reference_failure_option()};
  kind.dial = "strong_share";
  kind.remembers = false;
  kind.dial_settings = {0, .1, .2, .3, .4, .5, .6, .7, .8, .9, 1};
  kind.make = [](const OptionValues& options) -> Result<StrategyPtr> {
    return std::make_shared<RandomMixture>(options);
  };
  return kind;
}

}  // namespace brevet
