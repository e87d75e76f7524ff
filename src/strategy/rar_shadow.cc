// rar_shadow: what RAR tries off the request path after an answer was served, to learn (arXiv 2411.09837;
// reconstruction, choices of ours marked *).
//
//   the reference served:  weak alone; same answer -> it is a skill
//                          weak with each of up to guides_max remembered guides*; same -> skill with guide
//                          the reference writes a guide; leak check*; weak with it; same -> saved with it
//                          else strong only, tried again later
//   weak served (a spot check*): the reference is asked; a difference demotes the skill
// Verdicts are agreement with the reference, not truth. "Cannot tell" ends the plan: nothing further could be
// verified. With judge = reference such a pair is first shown to the reference in both orders (its word
// counts only if both orders agree).
// A weak answer that serving had already asked for is used instead of asking again.
// The plan ends with GiveUp without an error; what it found is in attempts and comparisons.
#include <fmt/format.h>

#include "prompt/guide.h"
#include "prompt/judge.h"
#include "prompt/leak_check.h"
#include "strategy/kinds.h"
#include "strategy/serving.h"

namespace brevet {
namespace {

Step done(const char* code, std::string sentence) {
  return {GiveUp{}, {code, std::move(sentence)}};
}

class RarShadow : public Strategy {
 public:
  explicit RarShadow(const OptionValues& options)
      : guides_max_(static_cast<std::size_t>(count_option(options, "guides_max"))),
        tau_guide_(number_option(options, "tau_guide")),
        write_guides_(flag_option(options, "write_guides")),
        judge_(text_option(options, "judge") == "reference") {}
  const std::string& name() const override { return name_; }
  std::optional<Reason> not_applicable(const RequestView& view) const override {
    return needs_one_text_answer(view);
  }

  Step next(const Turn& turn, Draws&) const override {
    const auto& view = turn.view;
    for (const auto& attempt : turn.attempts) {
      if (attempt.state == AttemptState::kPending) return {Wait{}, {"waiting", "A call is under way."}};
    }
    if (!view.served_answer || !view.served_by) {
      return done("nothing_served", "There is no served answer to learn from.");
    }
    if (view.spot_check) return spot_check(turn);

    // Weak alone.
    int alone = view.weak_answer ? kWeakAnswer : attempt_with(turn, Purpose::kLearn, "");
    if (alone == kNone)
      return call(view.weak, "try_weak", fmt::format("Can {} do it alone?", view.weak.key()), view);
    if (failed(turn, alone))
      return done("weak_failed", fmt::format("{} failed, so nothing is learned.", view.weak.key()));
    auto seen = settle(turn, alone);
    if (seen.step) return *std::move(seen.step);
    if (seen.verdict == Verdict::kSame) {
      return done("weak_agrees",
                  fmt::format("{} alone agreed with {}.", view.weak.key(), view.reference.key()));
    }
    if (seen.verdict == Verdict::kCannotTell)
      return done("cannot_tell", "Whether the answers agree cannot be told.");
    // A guide helps with a kind of question; what a tool call or a schema needs is not one.
    if (view.request.has_tools || view.request.has_response_format) {
      return done("weak_differs",
                  fmt::format("{} differed, and guides are for plain text.", view.weak.key()));
    }

    // Weak with the guides that are near.
    if (guides_max_ > 0) {
      if (!turn.evidence.guides) {
        return need(NeedGuides{guides_max_, static_cast<float>(tau_guide_)}, "look_up_guides",
                    "Which guides are near?");
      }
      for (const auto& near : *turn.evidence.guides) {
        const auto id = std::to_string(near.guide.id);
        const int tried = attempt_with(turn, Purpose::kLearn, id);
        if (tried == kNone) {
          auto step = call(view.weak, "try_guide",
                           fmt::format("Can {} do it with guide {}?", view.weak.key(), id), view);
          auto& made = std::get<Calls>(step.what).calls.front();
          made.configuration.guide = id;
          made.guide_id = near.guide.id;
          made.edits = guide_edits(near.guide.text);
          return step;
        }
        if (failed(turn, tried))
          return done("weak_failed", fmt::format("{} failed with guide {}.", view.weak.key(), id));
        seen = settle(turn, tried);
        if (seen.step) return *std::move(seen.step);
        if (seen.verdict == Verdict::kSame) {
          return done("guide_helps", fmt::format("{} with guide {} agreed with {}.", view.weak.key(), id,
                                                 view.reference.key()));
        }
      }
    }
    return new_guide(turn);
  }

 private:
  static constexpr int kNone = -9;
  static constexpr const char* kNewGuide = "new";

  /// The attempt of this purpose and guide, kNone if there is none.
  static int attempt_with(const Turn& turn, Purpose purpose, std::string_view guide) {
    for (const auto& attempt : turn.attempts) {
      if (attempt.purpose == purpose && attempt.configuration.guide == guide) return attempt.id;
    }
    return kNone;
  }
  static bool failed(const Turn& turn, int id) {
    return id >= 0 && turn.attempts[static_cast<std::size_t>(id)].state != AttemptState::kDone;
  }
  static const Answer* answer_of(const Turn& turn, int id) {
    if (id == kServedAnswer) return turn.view.served_answer;
    if (id == kWeakAnswer) return turn.view.weak_answer;
    const auto& answer = turn.attempts[static_cast<std::size_t>(id)].answer;
    return answer ? &*answer : nullptr;
  }

  static Step call(const Configuration& who, const char* code, std::string why, const RequestView& view) {
    Call one;
    one.configuration = who;
    one.purpose = Purpose::kLearn;
    one.want_logprobs = view.weak_has_logprobs && who == view.weak;
    Calls calls;
    calls.calls.push_back(std::move(one));
    return {std::move(calls), {code, std::move(why)}};
  }

  struct Settled {
    std::optional<Step> step;  ///< what is needed first
    Verdict verdict = Verdict::kCannotTell;
  };
  /// Compares the served answer with another one, by the judge where nothing else can tell.
  Settled settle(const Turn& turn, int other) const {
    const auto* found = turn.evidence.comparison(kServedAnswer, other);
    if (!found) {
      return {need(NeedCompare{kServedAnswer, other}, "compare", "Are the two answers the same?"),
              Verdict::kCannotTell};
    }
    if (found->verdict != Verdict::kCannotTell || !judge_ || found->method == "judge")
      return {std::nullopt, found->verdict};
    // Judge attempts carry the pair in their configuration's transform, so that any turn can find them.
    const auto tag = [&](const char* order) { return fmt::format("judge-{}-{}", order, other + 2); };
    int forward = kNone;
    int swapped = kNone;
    for (const auto& attempt : turn.attempts) {
      if (attempt.purpose != Purpose::kJudge) continue;
      if (attempt.configuration.transform == tag("ab")) forward = attempt.id;
      if (attempt.configuration.transform == tag("ba")) swapped = attempt.id;
    }
    if (forward == kNone || swapped == kNone) {
      const auto* a = answer_of(turn, kServedAnswer);
      const auto* b = answer_of(turn, other);
      if (!a || !b || a->text.empty() || b->text.empty()) return {std::nullopt, Verdict::kCannotTell};
      Calls calls;
      for (const char* order : {"ab", "ba"}) {
        const bool straight = order[0] == 'a';
        Call one;
        one.configuration = turn.view.reference;
        one.configuration.transform = tag(order);
        one.purpose = Purpose::kJudge;
        one.messages = judge_messages(
            {turn.view.request.last_user_text(), straight ? a->text : b->text, straight ? b->text : a->text});
        one.max_tokens = kJudgeTokensMax;
        calls.calls.push_back(std::move(one));
      }
      return {Step{std::move(calls),
                   {"ask_judge", fmt::format("{} is asked in both orders whether the answers differ.",
                                             turn.view.reference.key())}},
              Verdict::kCannotTell};
    }
    if (failed(turn, forward) || failed(turn, swapped)) return {std::nullopt, Verdict::kCannotTell};
    return {
        need(NeedCompare{kServedAnswer, other, forward, swapped}, "read_judge", "What did the judge say?"),
        Verdict::kCannotTell};
  }

  Step spot_check(const Turn& turn) const {
    const auto& view = turn.view;
    const int asked = attempt_with(turn, Purpose::kLearn, view.reference.guide);
    if (asked == kNone) {
      return call(
          view.reference, "spot_check",
          fmt::format("Does what {} served hold against {}?", view.served_by->key(), view.reference.key()),
          view);
    }
    if (failed(turn, asked))
      return done("reference_failed", fmt::format("{} failed, so nothing is learned.", view.reference.key()));
    auto seen = settle(turn, asked);
    if (seen.step) return *std::move(seen.step);
    return done(seen.verdict == Verdict::kSame        ? "spot_check_agrees"
                : seen.verdict == Verdict::kDifferent ? "spot_check_differs"
                                                      : "cannot_tell",
                fmt::format("Spot check of {} against {}: {}.", view.served_by->key(), view.reference.key(),
                            name_of(seen.verdict)));
  }

  Step new_guide(const Turn& turn) const {
    const auto& view = turn.view;
    if (!write_guides_ || !view.may_write_guide) {
      return done("strong_only", fmt::format("{} needs {} here; guides are not written.", view.weak.key(),
                                             view.reference.key()));
    }
    const int written = attempt_with(turn, Purpose::kGuide, view.reference.guide);
    if (written == kNone) {
      Call one;
      one.configuration = view.reference;
      one.purpose = Purpose::kGuide;
      one.messages = guide_writing_messages(view.request.last_user_text());
      one.max_tokens = kGuideTokensMax;
      Calls calls;
      calls.calls.push_back(std::move(one));
      return {std::move(calls),
              {"write_guide", fmt::format("{} is asked to write a guide.", view.reference.key())}};
    }
    const auto* author = failed(turn, written) ? nullptr : answer_of(turn, written);
    if (!author)
      return done("guide_failed", fmt::format("{} failed to write a guide.", view.reference.key()));
    const auto guide = clean_guide(author->text);
    if (guide.empty()) return done("guide_empty", "The guide that was written holds nothing usable.");
    const auto leak = check_leak({guide, view.request.last_user_text(), view.served_answer->text});
    if (leak.leaks)
      return done("guide_leaked",
                  fmt::format("The guide that was written gives the answer away ({}).", leak.why));
    const int tried = attempt_with(turn, Purpose::kLearn, kNewGuide);
    if (tried == kNone) {
      auto step = call(view.weak, "try_new_guide",
                       fmt::format("Can {} do it with the new guide?", view.weak.key()), view);
      auto& made = std::get<Calls>(step.what).calls.front();
      made.configuration.guide = kNewGuide;
      made.edits = guide_edits(guide);
      return step;
    }
    if (failed(turn, tried))
      return done("weak_failed", fmt::format("{} failed with the new guide.", view.weak.key()));
    auto seen = settle(turn, tried);
    if (seen.step) return *std::move(seen.step);
    if (seen.verdict == Verdict::kSame) {
      return done("new_guide_helps",
                  fmt::format("{} with a new guide agreed with {}.", view.weak.key(), view.reference.key()));
    }
    return done("strong_only", fmt::format("{} did not agree with {} with any guide.", view.weak.key(),
                                           view.reference.key()));
  }

  const std::string name_ = "rar_shadow";
  const std::size_t guides_max_;
  const double tau_guide_;
  const bool write_guides_;
  const bool judge_;
};

Result<StrategyPtr> make_rar_shadow(const OptionValues& options) {
  const auto& judge = text_option(options, "judge");
  if (judge != "off" && judge != "reference") {
    return fail(
        ErrorKind::kCallerInvalid, "bad_option",
        fmt::format("Option 'judge' of strategy 'rar_shadow' must be off or reference, not '{}'.", judge),
        "judge");
  }
  return std::make_shared<RarShadow>(options);
}

}  // namespace

StrategyKind rar_shadow_kind() {
  StrategyKind kind;
  kind.name = "rar_shadow";
  kind.summary = "shadow plan: weak alone, with remembered guides, with a new guide; spot checks";
  kind.shadow_plan = true;
  kind.options = {
      {"guides_max", std::int64_t{2}, 0.0, 8.0, "remembered guides tried per request; each is a weak call"},
      {"tau_guide", 0.8, -1.0, 1.0, "cosine from which a guide is tried; lower: more calls, more reuse"},
      {"write_guides", true, {}, {}, "let the reference write a guide when nothing else helped"},
      {"judge",
       std::string("off"),
       {},
       {},
       "off, or reference: two calls where answers cannot be compared otherwise"}};
  kind.make = make_rar_shadow;
  return kind;
}

}  // namespace brevet
