// exact_lookup: what was learned of exactly this request, and the reference for everything else.
//
// Idea: the same messages, tools and parameters have the same hash, so nothing has to resemble anything.
// In staged replays with repeats it gets essentially all that RAR gets (the repeats), on fresh requests it
// gets nothing: it is the baseline that shows how much a similarity adds. Needs no encoder, and treats tools
// and response formats too, since their answers can be compared.
#include "strategy/kinds.h"
#include "strategy/serving.h"

#include <fmt/format.h>

namespace brevet {
namespace {

class ExactLookup : public Strategy {
 public:
  explicit ExactLookup(const OptionValues& options) : on_failure_(on_reference_failure(options)) {}
  const std::string& name() const override { return name_; }
  std::optional<Reason> not_applicable(const RequestView& view) const override {
    return needs_one_text_answer(view);
  }
  Step next(const Turn& turn, Draws&) const override {
    if (auto step = after_calls(turn, on_failure_)) return *std::move(step);
    if (!turn.evidence.exact) return need(NeedExact{}, "look_up_exact", "Was this very request seen before?");
    if (const auto& skill = *turn.evidence.exact) {
      return call_by_skill(turn, *skill, "exact", "this very request was seen before");
    }
    return call_reference(
        turn.view, {"exact_unknown", fmt::format("Served by {} because this request was not seen before.",
                                                 turn.view.reference.key())});
  }

 private:
  const std::string name_ = "exact_lookup";
  const OnReferenceFailure on_failure_;
};

}  // namespace

StrategyKind exact_lookup_kind() {
  StrategyKind kind;
  kind.name = "exact_lookup";
  kind.summary = "the weak model for repeats that it is known to serve, the reference for the rest";
  kind.static_router = true;
  kind.options = {weak_on_reference_failure_option()};
  kind.make = [](const OptionValues& options) -> Result<StrategyPtr> {
    return std::make_shared<ExactLookup>(options);
  };
  return kind;
}

}  // namespace brevet
