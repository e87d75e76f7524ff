// adaptive: the default of the product. What is remembered feeds a calibrated estimate; the weak model serves
// where it is expected to agree with the reference.
//
// In this order:
//   1. exact repeats: as the remembered skill says, no encoder needed.
//   2. tools and response formats: only exact repeats may go to the weak model.
//   3. the estimate of Snapshot::estimate (weighted neighbours, a prior, an online linear model over
//   embedding
//      and words, calibrated). With fewer than outcomes_min outcomes nothing is known: the reference serves.
//   4. the dial. Either strong_share: weak iff the request's score ranks among the best 1 - strong_share of
//      recent requests, the threshold being moved so that the share really served meets the dial
//      (share_dial.h; counted are the requests that the dial decides: exact repeats and the first
//      outcomes_min outcomes are not); or min_agreement: weak iff the calibrated P(agree), or its lower
//      bound, reaches it.
//   5. a guide near the request that has earned it by wins in shadows: weak with that guide.
//   6. with log-probabilities (the dial being min_agreement, and the answer not being streamed): weak is
//      asked, its answer held, and accepted iff P(agree | estimate, log-probability) reaches min_agreement.
//      That is where most of the signal is (AUROC .78 to .89 against .55 to .68 before the answer), so it is
//      worth a weak call whenever P(agree) is at least try_from.
// Example: P(agree) .71 before the answer; the weak answer comes with mean log-probability -.03, which makes
// it .96: accepted. With -.9 it is .41: the reference is asked as well, and both calls are paid.
// Known weaknesses: the first outcomes_min outcomes are learned at the reference's price; a share dial keeps
// no promise about quality, and holds the share over some hundred requests, not over ten; thresholds without
// a margin keep their promise about half the time (use_lower_bound trades cost for it).
#include <fmt/format.h>

#include <algorithm>

#include "strategy/kinds.h"
#include "strategy/serving.h"

namespace brevet {
namespace {

class Adaptive : public Strategy {
 public:
  explicit Adaptive(const OptionValues& options)
      : strong_share_(number_option(options, "strong_share")),
        min_agreement_(number_option(options, "min_agreement")),
        use_lower_bound_(flag_option(options, "use_lower_bound")),
        outcomes_min_(static_cast<std::uint64_t>(count_option(options, "outcomes_min"))),
        exact_(flag_option(options, "exact")),
        guides_(flag_option(options, "guides")),
        guide_similarity_(number_option(options, "guide_similarity")),
        guide_agreement_(number_option(options, "guide_agreement")),
        after_answer_(flag_option(options, "after_answer")),
        try_from_(number_option(options, "try_from")),
        hold_streams_(flag_option(options, "hold_streams")),
        on_failure_(on_reference_failure(options)) {}
  const std::string& name() const override { return name_; }
  std::optional<Reason> not_applicable(const RequestView& view) const override {
    return exact_ ? needs_one_text_answer(view) : needs_plain_text(view);
  }

  Step next(const Turn& turn, Draws&) const override {
    if (!turn.attempts.empty()) return after_first_call(turn);
    const auto& view = turn.view;
    if (exact_) {
      if (!turn.evidence.exact)
        return need(NeedExact{}, "look_up_exact", "Was this very request seen before?");
      if (const auto& skill = *turn.evidence.exact) {
        return call_by_skill(turn, *skill, "exact", "this very request was seen before");
      }
      if (auto reason = needs_plain_text(view)) return call_reference(view, *std::move(reason));
    }
    if (!turn.evidence.estimate) {
      return need(NeedEstimate{}, "ask_estimate", "What is expected of the weak model here?");
    }
    const auto& estimate = *turn.evidence.estimate;
    if (estimate.outcomes < outcomes_min_) {
      return call_reference(
          view,
          {"learning", fmt::format("Served by {} because only {} of the {} outcomes needed are learned.",
                                   view.reference.key(), estimate.outcomes, outcomes_min_)});
    }
    const bool by_share = strong_share_ >= 0;
    if (by_share && !estimate.score_rank) {
      return call_reference(
          view, {"learning_scores",
                 fmt::format("Served by {} because too few recent requests are known to rank this one.",
                             view.reference.key())});
    }
    const double agreement = use_lower_bound_ ? estimate.lower : estimate.p_agree;
    if (by_share ? *estimate.score_rank >= threshold(turn) : agreement >= min_agreement_) {
      return counted_by_dial(call_weak(view, {"estimate_weak", fmt::format("Served by {} because {}.",
                                                                           view.weak.key(), evidence(turn))}),
                             ShareChoice::kWeak);
    }
    if (guides_) {
      if (!turn.evidence.guides) {
        return need(NeedGuides{1, static_cast<float>(guide_similarity_)}, "look_up_guides",
                    "Is there a guide for requests like this one?");
      }
      for (const auto& near : *turn.evidence.guides) {
        // Posterior mean of a uniform prior: two wins without a loss read as .75.
        const double earned = (near.guide.wins + 1.0) / (near.guide.wins + near.guide.losses + 2.0);
        if (earned < std::max(guide_agreement_, by_share ? 0.0 : min_agreement_ - kGuideMargin)) continue;
        return counted_by_dial(
            call_weak(
                view,
                {"guide_weak",
                 fmt::format("Served by {} with guide {} (similarity {}, {} won and {} lost) because alone "
                             "it is not enough: {}.",
                             view.weak.key(), near.guide.id, two_digits(near.similarity), near.guide.wins,
                             near.guide.losses, evidence(turn))},
                {&near.guide}),
            ShareChoice::kWeak);
      }
    }
    if (may_look_at_answer(turn) && estimate.p_agree >= try_from_) {
      return call_weak(
          view,
          {"ask_weak_first", fmt::format("{} is asked first and its log-probability decides: {}.",
                                         view.weak.key(), evidence(turn))},
          {nullptr, Delivery::kHold, true});
    }
    return counted_by_dial(
        call_reference(view, {"estimate_strong",
                              fmt::format("Served by {} because {}.", view.reference.key(), evidence(turn))}),
        ShareChoice::kReference);
  }

 private:
  /// A posterior mean needs this many wins before it can pass a high dial at all.
  static constexpr double kGuideMargin = 0.1;

  /// Rank of the score from which weak serves; a dial that stood elsewhere before has nothing to say.
  double threshold(const Turn& turn) const {
    const auto& dial = turn.evidence.dial;
    return share_threshold(dial.share == strong_share_ ? dial : ShareDial{strong_share_, 0});
  }

  Step counted_by_dial(Step step, ShareChoice choice) const {
    if (strong_share_ >= 0) std::get<Calls>(step.what).vote = ShareVote{strong_share_, choice};
    return step;
  }

  Step after_first_call(const Turn& turn) const {
    const auto& last = turn.attempts.back();
    const bool asked_first = turn.attempts.size() == 1 && last.state == AttemptState::kDone &&
                             last.configuration == turn.view.weak && turn.evidence.estimate &&
                             may_look_at_answer(turn) && !would_serve_weak(turn) && came_from_estimate(turn);
    if (asked_first) {
      const auto known = turn.evidence.after_answer.find(last.id);
      if (known == turn.evidence.after_answer.end()) {
        return need(NeedAfterAnswer{last.id}, "look_at_answer", "How sure was the weak model of its answer?");
      }
      const auto& view = turn.view;
      if (!known->second) {
        return call_reference(
            view,
            {"no_logprob", fmt::format("Served by {} because {}'s answer came without log-probabilities.",
                                       view.reference.key(), view.weak.key())});
      }
      const double logprob = last.answer && last.answer->mean_logprob ? *last.answer->mean_logprob : 0;
      const auto seen = fmt::format(
          "its answer (mean log-probability {}) is expected to agree with {}'s at {}, needed {}",
          two_digits(logprob), view.reference.key(), percent(*known->second), percent(min_agreement_));
      if (*known->second >= min_agreement_) {
        return {Accept{last.id},
                {"answer_sure", fmt::format("Served by {} because {}.", view.weak.key(), seen)}};
      }
      return call_reference(view,
                            {"answer_unsure", fmt::format("Served by {}: {} was asked first, but {}.",
                                                          view.reference.key(), view.weak.key(), seen)});
    }
    return *after_calls(turn, on_failure_);
  }

  /// False for repeats, which are served as remembered without looking at the answer.
  static bool came_from_estimate(const Turn& turn) { return !(turn.evidence.exact && *turn.evidence.exact); }

  bool would_serve_weak(const Turn& turn) const {
    const auto& estimate = *turn.evidence.estimate;
    if (strong_share_ >= 0) return estimate.score_rank && *estimate.score_rank >= threshold(turn);
    return (use_lower_bound_ ? estimate.lower : estimate.p_agree) >= min_agreement_;
  }

  bool may_look_at_answer(const Turn& turn) const {
    const auto& view = turn.view;
    return after_answer_ && strong_share_ < 0 && view.weak_has_logprobs && view.may_hold &&
           (hold_streams_ || !view.request.stream) &&
           // Asking the snapshot whether it could answer saves a weak call whose answer nobody could judge.
           turn.snapshot.after_answer(view.partition, *turn.evidence.estimate, -0.1).has_value();
  }

  std::string evidence(const Turn& turn) const {
    const auto& estimate = *turn.evidence.estimate;
    std::string out = fmt::format(
        "{} is expected to agree with {} at {} (90% interval {} to {}, from {} outcomes, {})",
        turn.view.weak.key(), turn.view.reference.key(), percent(estimate.p_agree), percent(estimate.lower),
        percent(estimate.upper), estimate.outcomes, how_many_near(estimate));
    if (strong_share_ >= 0) {
      const double needed = threshold(turn);
      out +=
          fmt::format(", better than {} of recent requests, and ", percent(estimate.score_rank.value_or(0)));
      out += needed > 1 ? std::string("none goes to it now")
                        : fmt::format("the best {} go to it", percent(1 - needed));
      // Said where it shows in whole percent.
      if (percent(needed) != percent(strong_share_) && strong_share_ < 1) {
        out += fmt::format(" so that {} of all go to {}", percent(strong_share_), turn.view.reference.key());
      }
    } else {
      out +=
          fmt::format(", needed {}{}", percent(min_agreement_), use_lower_bound_ ? " at the lower end" : "");
    }
    return out;
  }

  const std::string name_ = "adaptive";
  const double strong_share_;
  const double min_agreement_;
  const bool use_lower_bound_;
  const std::uint64_t outcomes_min_;
  const bool exact_;
  const bool guides_;
  const double guide_similarity_;
  const double guide_agreement_;
  const bool after_answer_;
  const double try_from_;
  const bool hold_streams_;
  const OnReferenceFailure on_failure_;
};

}  // namespace

StrategyKind adaptive_kind() {
  StrategyKind kind;
  kind.name = "adaptive";
  kind.summary = "the weak model where a calibrated estimate of everything remembered expects agreement";
  kind.options = {
      {"strong_share", -1.0, -1.0, 1.0,
       "share of requests for the reference; below 0: min_agreement decides instead"},
      {"min_agreement", 0.8, 0.0, 1.0,
       "P(agree with the reference) needed; higher: better answers and higher cost"},
      {"use_lower_bound",
       false,
       {},
       {},
       "need min_agreement at the lower end of the interval: safer and dearer"},
      {"outcomes_min", std::int64_t{200}, 0.0, 1e9, "outcomes to learn before the estimate decides"},
      {"exact", true, {}, {}, "serve exact repeats as remembered"},
      {"guides", true, {}, {}, "serve weak with a guide that has earned it"},
      {"guide_similarity", 0.8, -1.0, 1.0, "cosine from which a guide is near; lower: more use, less fit"},
      {"guide_agreement", 0.75, 0.0, 1.0, "(wins + 1) / (wins + losses + 2) that a guide needs"},
      {"after_answer",
       true,
       {},
       {},
       "ask weak first and let its log-probability decide, where the upstream gives it"},
      {"try_from", 0.25, 0.0, 1.0, "P(agree) from which asking weak first is worth its price"},
      {"hold_streams",
       false,
       {},
       {},
       "hold streamed answers too for that: cheaper, but the first token comes late"},
      weak_on_reference_failure_option()};
  kind.dial = "strong_share";
  kind.dial_settings = {0, .1, .2, .3, .4, .5, .6, .7, .8, .9, 1};
  kind.make = [](const OptionValues& options) -> Result<StrategyPtr> {
    return std::make_shared<Adaptive>(options);
  };
  return kind;
}

}  // namespace brevet
