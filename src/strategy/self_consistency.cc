// self_consistency: the same model is asked several times, and what most answers come to is served.
//
// Idea (Wang et al. 2023, arXiv 2203.11171): answers sampled at a temperature differ in their reasoning;
// right reasoning tends to end in the same place, wrong reasoning in many. m samples are taken, their final
// answers compared (compare/vote.h), and the first of the largest group is served. Example: 5 samples say 42,
// 41, 42, 42: with one to come nothing can overtake 42, and it is not asked for. Early stop: as few calls as
// may decide are made at once, further ones as the vote needs them; it ends when the leader cannot be
// overtaken. With agreement_min the reference answers where the leader's share of the samples falls short of
// it, as soon as that is certain: the agreement of samples is a confidence that needs no log-probabilities.
// Known weaknesses: m times the cost of a call for a gain that shrinks with m; answers without a checkable
// core (essays, code) do not vote, and the first one is served; a model that is wrong in one way is wrong
// with full agreement.
#include <fmt/format.h>

#include <algorithm>

#include "compare/vote.h"
#include "strategy/kinds.h"
#include "strategy/serving.h"

namespace brevet {
namespace {

class SelfConsistency final : public Strategy {
 public:
  explicit SelfConsistency(const OptionValues& options)
      : samples_(static_cast<int>(count_option(options, "samples"))),
        at_once_(static_cast<int>(count_option(options, "at_once"))),
        temperature_(number_option(options, "temperature")),
        agreement_min_(number_option(options, "agreement_min")),
        on_failure_(on_reference_failure(options)) {}
  const std::string& name() const override { return name_; }
  std::optional<Reason> not_applicable(const RequestView& view) const override {
    return needs_plain_text(view);
  }

  Step next(const Turn& turn, Draws&) const override {
    const auto& view = turn.view;
    const auto seen = look(turn);
    if (seen.deferred) return after_deferring(turn, seen);
    const auto vote = count_votes(seen.answers, compare_context(view.request));
    const auto done = static_cast<int>(seen.answers.size());
    const bool may_ask = !view.out_of_time;
    const int more = may_ask ? std::min(samples_ - seen.started, view.calls_left) : 0;
    const int to_come = seen.pending + std::max(more, 0);
    const auto leading = static_cast<int>(vote.leading());
    const bool may_defer = agreement_min_ > 0 && view.reference != view.weak;
    // A share of a whole number may be a hair above it.
    const double needed = agreement_min_ * (done + to_come) - 1e-9;

    if (may_defer && done > 0 && leading + to_come < needed) return defer(turn, vote, done, "agreement_low");
    const bool decided = leading > static_cast<int>(vote.second) + to_come;
    const bool agreed = !may_defer || leading >= needed;
    if (to_come == 0 || (decided && agreed)) {
      if (done == 0) return nobody_answered(turn, seen);
      if (vote.leader < 0) {
        if (may_defer) return defer(turn, vote, done, "no_votes");
        return {
            Accept{seen.ids.front()},
            {"no_votes", fmt::format("Served by {}: {} of it have no result that could be counted, so the "
                                     "first is served.",
                                     view.weak.key(), counted(seen.answers.size(), "answer"))}};
      }
      return elect(turn, seen, vote, to_come);
    }
    if (seen.pending > 0) return {Wait{}, {"waiting", "Samples are under way."}};
    return ask(view, seen.started, batch(leading, more, may_defer ? leading + to_come - needed : samples_));
  }

 private:
  struct Seen {
    std::vector<const Answer*> answers;  ///< of samples that are done
    std::vector<int> ids;                ///< their attempts
    int started = 0;
    int pending = 0;
    int failed = 0;
    const Error* error = nullptr;       ///< of the newest that failed
    const Attempt* deferred = nullptr;  ///< the call of the reference
  };

  static Seen look(const Turn& turn) {
    Seen out;
    for (const auto& attempt : turn.attempts) {
      // Samples come first; where weak and reference are the same one nothing is deferred.
      if (attempt.configuration == turn.view.reference && turn.view.reference != turn.view.weak) {
        out.deferred = &attempt;
        continue;
      }
      ++out.started;
      if (attempt.state == AttemptState::kPending) {
        ++out.pending;
      } else if (attempt.state == AttemptState::kDone && attempt.answer) {
        out.answers.push_back(&*attempt.answer);
        out.ids.push_back(attempt.id);
      } else {
        ++out.failed;
        if (attempt.error) out.error = &*attempt.error;
      }
    }
    return out;
  }

  /// As few as may decide either way, unless the user wants more at once: to elect a leader, or to spend the
  /// `slack` of disagreeing samples that the agreement can bear.
  int batch(int leading, int more, double slack) const {
    const int elect = samples_ / 2 + 1 - leading;
    const int spend = static_cast<int>(slack) + (leading == 0 ? 2 : 1);
    const int wanted = at_once_ > 0 ? at_once_ : std::min(elect, spend);
    return std::clamp(wanted, 1, more);
  }

  Step ask(const RequestView& view, int from, int count) const {
    Calls calls;
    for (int i = 0; i < count; ++i) {
      Call call;
      call.configuration = view.weak;
      call.delivery = Delivery::kHold;
      call.temperature = temperature_;
      call.sample = from + i;
      calls.calls.push_back(std::move(call));
    }
    return {std::move(calls),
            {"sample", fmt::format("{} is asked {}{}.", view.weak.key(), from > 0 ? "again, " : "",
                                   counted(static_cast<std::uint64_t>(count), "time"))}};
  }

  Step elect(const Turn& turn, const Seen& seen, const Vote& vote, int to_come) const {
    const auto share = static_cast<double>(vote.leading()) / static_cast<double>(seen.answers.size());
    const int id = seen.ids[vote.first_of_leader()];
    std::string sentence = fmt::format("Served by {} because {} of {} samples agree", turn.view.weak.key(),
                                       vote.leading(), seen.answers.size());
    if (to_come > 0) sentence += ", which no further one could change";
    if (seen.failed > 0)
      sentence += fmt::format("; {} failed ({})", counted(static_cast<std::uint64_t>(seen.failed), "sample"),
                              seen.error ? seen.error->code : "cancelled");
    if (turn.view.out_of_time) sentence += "; time was up";
    Step step{Accept{id}, {"voted", sentence + "."}};
    step.score = share;
    return step;
  }

  static Step defer(const Turn& turn, const Vote& vote, int done, const char* code) {
    const auto& view = turn.view;
    if (view.out_of_time || view.calls_left <= 0) {
      // Better a doubtful answer than none; it says so.
      int id = -1;
      int place = 0;
      for (const auto& attempt : turn.attempts) {
        if (attempt.state != AttemptState::kDone) continue;
        if (id < 0 || (vote.leader >= 0 && place == static_cast<int>(vote.first_of_leader())))
          id = attempt.id;
        ++place;
      }
      if (id >= 0) {
        return {
            Accept{id},
            {"agreement_low_no_time", fmt::format("Served by {} although only {} of {} samples agree: the "
                                                  "route allows nothing further.",
                                                  view.weak.key(), vote.leading(), done)}};
      }
    }
    auto step = call_reference(
        view, {code, fmt::format("Served by {} because at most {} of {} samples of {} agree.",
                                 view.reference.key(), vote.leading(), done, view.weak.key())});
    step.score = done > 0 ? static_cast<double>(vote.leading()) / done : 0;
    return step;
  }

  static Step nobody_answered(const Turn& turn, const Seen& seen) {
    const auto& view = turn.view;
    const std::string what = seen.error ? seen.error->code : "no call was allowed";
    if (view.reference == view.weak || view.out_of_time) {
      Error error{ErrorKind::kProviderUnavailable, "no_sample", "No sample was answered."};
      return {GiveUp{seen.error ? *seen.error : error},
              {"all_failed", fmt::format("No sample of {} was answered ({}).", view.weak.key(), what)}};
    }
    return call_reference(view, {"weak_failed", fmt::format("Served by {} because no sample of {} was "
                                                            "answered ({}).",
                                                            view.reference.key(), view.weak.key(), what)});
  }

  Step after_deferring(const Turn& turn, const Seen& seen) const {
    const auto& reference = *seen.deferred;
    if (reference.state == AttemptState::kPending) return {Wait{}, {"waiting", "A call is under way."}};
    if (reference.state == AttemptState::kDone)
      return {Accept{reference.id}, {kAsCalled, "The call succeeded."}};
    if (on_failure_ == OnReferenceFailure::kServeWeak && !seen.ids.empty()) {
      return {Accept{seen.ids.front()},
              {"reference_failed", fmt::format("Served by {} because {} failed.", turn.view.weak.key(),
                                               turn.view.reference.key())}};
    }
    return {GiveUp{reference.error},
            {"all_failed", fmt::format("Samples did not agree, and {} failed.", turn.view.reference.key())}};
  }

  const std::string name_ = "self_consistency";
  const int samples_;
  const int at_once_;
  const double temperature_;
  const double agreement_min_;
  const OnReferenceFailure on_failure_;
};

}  // namespace

StrategyKind self_consistency_kind() {
  StrategyKind kind;
  kind.name = "self_consistency";
  kind.summary = "the weak model several times, and a vote; the reference where they do not agree";
  kind.remembers = false;
  kind.dial = "agreement_min";
  kind.dial_settings = {0, .3, .45, .55, .65, .75, .85, 1};
  kind.options = {
      {"samples", std::int64_t{5}, 2.0, 40.0, "more: steadier votes, and each costs a call"},
      {"at_once", std::int64_t{0}, 0.0, 40.0,
       "samples asked at the same time; 0 = as few as may decide, fewest calls; all of them = fastest"},
      {"temperature", 0.7, 0.0, 2.0, "of the samples; higher: they differ more"},
      {"agreement_min", 0.0, 0.0, 1.0,
       "share of the samples that must agree, else the reference answers; higher: better answers and higher "
       "cost; 0 = the vote alone"},
      weak_on_reference_failure_option()};
  kind.make = [](const OptionValues& options) -> Result<StrategyPtr> {
    return std::make_shared<SelfConsistency>(options);
  };
  return kind;
}

}  // namespace brevet
