// always_weak and always_strong: the two ends of every comparison, and the way to switch routing off.
#include <fmt/format.h>

#include "strategy/kinds.h"
#include "strategy/serving.h"

namespace brevet {
namespace {

enum class End { kWeak, kStrong };

class Always : public Strategy {
 public:
  explicit Always(End end) : end_(end), name_(end == End::kWeak ? "always_weak" : "always_strong") {}
  const std::string& name() const override { return name_; }
  // The operator said always: there is nothing that it does not apply to.
  std::optional<Reason> not_applicable(const RequestView&) const override { return std::nullopt; }
  Step next(const Turn& turn, Draws&) const override {
    if (auto step = after_calls(turn, OnReferenceFailure::kFail)) return *std::move(step);
    if (end_ == End::kWeak) {
      return call_weak(turn.view,
                       {"always_weak", fmt::format("Served by {}: the route always uses its weak model.",
                                                   turn.view.weak.key())});
    }
    return call_reference(turn.view,
                          {"always_strong", fmt::format("Served by {}: the route always uses its reference.",
                                                        turn.view.reference.key())});
  }

 private:
  const End end_;
  const std::string name_;
};

}  // namespace

StrategyKind always_weak_kind() {
  StrategyKind kind;
  kind.name = "always_weak";
  kind.summary = "the weak model serves everything; the reference only when it fails";
  kind.remembers = false;
  kind.make = [](const OptionValues&) -> Result<StrategyPtr> { return std::make_shared<Always>(End::kWeak); };
  return kind;
}

StrategyKind always_strong_kind() {
  StrategyKind kind;
  kind.name = "always_strong";
  kind.summary = "the reference serves everything";
  kind.remembers = false;
  kind.make = [](const OptionValues&) -> Result<StrategyPtr> {
    return std::make_shared<Always>(End::kStrong);
  };
  return kind;
}

}  // namespace brevet
