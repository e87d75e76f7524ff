// blender: every candidate answers, the answers are ranked in pairs, and the best is served or the best few
// are made into one.
//
// Idea (LLM-Blender, Jiang et al. 2023, arXiv 2306.02561): which model is best differs from question to
// question, and two answers side by side are easier to judge than one alone. Each pair is judged, the matrix
// M of verdicts is made into a ranking, and a fusing model writes one answer from the best `fuse`.
//   judge:      a model sees each pair in both orders (Zheng et al. 2023: judges prefer a position);
//               M_ij = 1, 0 or -1 by its word on (i, j)
//   scorer:     with `router: FILE` no calls either: a forest fitted on recorded answers (`brevet train
//   more`) says
//               P(right) of each beside the others; M_ij is the difference
//   agreement:  no calls; M_ij = 1 where more of the others come to what i comes to than to what j does
//   aggregate:  max_logits: score_i = mean_j (M_ij - M_ji); max_wins: pairs won, in M_ij - M_ji > 0; bubble:
//               one pass, the winner of each pair meets the next: 2 (N - 1) calls instead of N (N - 1)
// Example: answers of three models; the judge prefers the second in both orders against both others: score 2
// against -1 and -1; with fuse: 2 the second and the first of the rest are fused.
// Known weaknesses: every candidate is paid for every request, and the judge on top; a judge likes long
// answers and its own. Failing candidates are left out, unreadable verdicts count as ties, and where no
// verdict came agreement ranks; a failing fuser leaves the best answer as it is. Each is said in the reason.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "compare/vote.h"
#include "prompt/fuse.h"
#include "prompt/judge.h"
#include "router/expert_model.h"
#include "strategy/kinds.h"
#include "strategy/serving.h"

namespace brevet {
namespace {

enum class Rank { kJudge, kAgreement, kScorer };
enum class Aggregate { kMaxLogits, kMaxWins, kBubble };

struct Plan {
  Rank rank = Rank::kAgreement;
  Aggregate aggregate = Aggregate::kMaxLogits;
  std::size_t fuse = 0;
  std::string judge, fuser;  ///< configuration; empty = the reference
};

struct Ranking {
  std::vector<std::size_t> best;  ///< positions of answers, best first
  std::string by;                 ///< for the reason
};

class Blender final : public Strategy {
 public:
  Blender(Plan plan, RouterPtr scorer)
      : plan_(std::move(plan)),
        scorer_(std::move(scorer)),
        model_(scorer_ ? experts_of(*scorer_) : nullptr) {}
  const std::string& name() const override { return name_; }
  std::optional<Reason> not_applicable(const RequestView& view) const override {
    return needs_plain_text(view);
  }

  Step next(const Turn& turn, Draws&) const override {
    const auto& view = turn.view;
    const auto seen = look(turn);
    if (seen.started == 0) return ask_everybody(view);
    if (seen.pending) return {Wait{}, {"waiting", "Candidates are answering."}};
    if (seen.drafts.empty()) {
      Error none{ErrorKind::kProviderUnavailable, "no_draft", "No candidate answered."};
      return {GiveUp{seen.error ? *seen.error : none},
              {"all_failed", fmt::format("No candidate answered; the last failure was {}.",
                                         seen.error ? seen.error->code : "none")}};
    }
    if (const auto* fused = find(turn, kFuse)) return after_fusing(turn, seen, *fused);
    auto ranked = rank(turn, seen);
    if (ranked.step) return *std::move(ranked.step);
    return serve(turn, seen, ranked.ranking);
  }

 private:
  static constexpr const char* kDraft = "draft";
  static constexpr const char* kFuse = "fuse";

  struct Seen {
    std::vector<const Attempt*> drafts;  ///< that are done
    std::size_t started = 0;
    bool pending = false;
    std::string failed;
    const Error* error = nullptr;
  };
  struct Ranked {
    std::optional<Step> step;  ///< what is needed first
    Ranking ranking;
  };

  static const Attempt* find(const Turn& turn, std::string_view tag) {
    for (const auto& attempt : turn.attempts) {
      if (attempt.tag == tag) return &attempt;
    }
    return nullptr;
  }

  static Seen look(const Turn& turn) {
    Seen out;
    for (const auto& attempt : turn.attempts) {
      if (attempt.tag != kDraft) continue;
      ++out.started;
      if (attempt.state == AttemptState::kPending) {
        out.pending = true;
      } else if (attempt.state == AttemptState::kDone && attempt.answer) {
        out.drafts.push_back(&attempt);
      } else {
        if (attempt.error) out.error = &*attempt.error;
        out.failed += fmt::format("; {} failed ({})", attempt.configuration.key(),
                                  attempt.error ? attempt.error->code : "cancelled");
      }
    }
    return out;
  }

  static Step ask_everybody(const RequestView& view) {
    // Where not all may be called the dearest are, the reference among them: one good answer is worth more
    // than several cheap ones.
    const auto most = static_cast<std::size_t>(std::max(view.calls_left, 1));
    const auto first = view.candidates.size() > most ? view.candidates.size() - most : 0;
    Calls calls;
    for (std::size_t i = first; i < view.candidates.size(); ++i) {
      Call call;
      call.configuration = view.candidates[i];
      call.tag = kDraft;
      calls.calls.push_back(std::move(call));
    }
    const auto count = calls.calls.size();
    return {std::move(calls), {"ask_all", fmt::format("{} are asked.", counted(count, "candidate"))}};
  }

  static Configuration named(const std::string& text, const Configuration& otherwise) {
    if (text.empty()) return otherwise;
    auto parsed = Configuration::parse(text);
    return parsed ? *std::move(parsed) : otherwise;  // make_blender has parsed it
  }

  static std::string judge_tag(const Attempt& first, const Attempt& second) {
    return fmt::format("judge {} {}", first.id, second.id);
  }

  /// A judge's word on two drafts in this order: 1, 0 or -1; empty when there is none (yet).
  static std::optional<int> word(const Turn& turn, const Attempt& first, const Attempt& second) {
    const auto* attempt = find(turn, judge_tag(first, second));
    if (!attempt || attempt->state != AttemptState::kDone || !attempt->answer) return std::nullopt;
    const auto read = parse_judge_word(attempt->answer->text);
    if (!read) return std::nullopt;
    return *read == JudgeWord::kFirst ? 1 : *read == JudgeWord::kSecond ? -1 : 0;
  }

  Call judge_call(const RequestView& view, const Attempt& first, const Attempt& second) const {
    Call call;
    call.configuration = named(plan_.judge, view.reference);
    call.purpose = Purpose::kJudge;
    call.messages = judge_messages({view.request.last_user_text(), first.answer->text, second.answer->text});
    call.max_tokens = kJudgeTokensMax;
    call.temperature = 0;
    call.tag = judge_tag(first, second);
    return call;
  }

  /// Both orders of a pair, those that were not asked for; `pending` when one is under way.
  void both_orders(const Turn& turn, const Attempt& a, const Attempt& b, Calls& calls, bool& pending) const {
    for (const auto& [first, second] : {std::pair(&a, &b), std::pair(&b, &a)}) {
      const auto* attempt = find(turn, judge_tag(*first, *second));
      if (!attempt) calls.calls.push_back(judge_call(turn.view, *first, *second));
      if (attempt) pending |= attempt->state == AttemptState::kPending;
    }
  }

  Ranked rank(const Turn& turn, const Seen& seen) const {
    const auto n = seen.drafts.size();
    if (n == 1) return {std::nullopt, {{0}, "the only answer"}};
    if (plan_.rank == Rank::kAgreement) return {std::nullopt, by_agreement(turn, seen)};
    if (plan_.rank == Rank::kScorer) return {std::nullopt, by_scorer(turn, seen)};
    if (plan_.aggregate == Aggregate::kBubble) return bubble(turn, seen);
    Calls calls;
    bool pending = false;
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = i + 1; j < n; ++j)
        both_orders(turn, *seen.drafts[i], *seen.drafts[j], calls, pending);
    }
    if (auto step = judge_first(turn, std::move(calls), pending)) return {std::move(step), {}};
    std::vector<double> score(n, 0);
    std::size_t words = 0;
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = i + 1; j < n; ++j) {
        const auto forward = word(turn, *seen.drafts[i], *seen.drafts[j]);
        const auto swapped = word(turn, *seen.drafts[j], *seen.drafts[i]);
        words += (forward ? 1U : 0U) + (swapped ? 1U : 0U);
        // A judge prefers a position: one order alone says too little.
        const int difference = forward && swapped ? *forward - *swapped : 0;
        if (plan_.aggregate == Aggregate::kMaxLogits) {
          score[i] += difference;
          score[j] -= difference;
        } else if (difference != 0) {
          score[difference > 0 ? i : j] += 1;
        }
      }
    }
    if (words == 0) return {std::nullopt, without_verdict(turn, seen)};
    return {std::nullopt,
            sorted(turn, seen, score,
                   fmt::format("{} in {} of {} read", named(plan_.judge, turn.view.reference).key(),
                               counted(words, "verdict"), n * (n - 1)))};
  }

  Ranked bubble(const Turn& turn, const Seen& seen) const {
    std::size_t champion = 0;
    std::vector<std::size_t> beaten;
    std::size_t words = 0;
    for (std::size_t next = 1; next < seen.drafts.size(); ++next) {
      Calls calls;
      bool pending = false;
      const auto& a = *seen.drafts[champion];
      const auto& b = *seen.drafts[next];
      both_orders(turn, a, b, calls, pending);
      if (auto step = judge_first(turn, std::move(calls), pending)) return {std::move(step), {}};
      const auto forward = word(turn, a, b);
      const auto swapped = word(turn, b, a);
      words += (forward ? 1U : 0U) + (swapped ? 1U : 0U);
      const bool wins = forward && swapped && *forward - *swapped < 0;
      beaten.push_back(wins ? champion : next);
      if (wins) champion = next;
    }
    if (words == 0) return {std::nullopt, without_verdict(turn, seen)};
    // Who lost last met the best.
    std::vector<std::size_t> best{champion};
    best.insert(best.end(), beaten.rbegin(), beaten.rend());
    return {std::nullopt, {std::move(best), "the judge, one pair after the other"}};
  }

  /// The calls that a ranking needs first, Wait while they are under way; empty when there is nothing to wait
  /// for, or no call is left for it.
  static std::optional<Step> judge_first(const Turn& turn, Calls calls, bool pending) {
    const auto& view = turn.view;
    const bool allowed = !view.out_of_time && static_cast<int>(calls.calls.size()) <= view.calls_left;
    if (!calls.calls.empty() && allowed) {
      const auto count = calls.calls.size();
      return Step{std::move(calls),
                  {"judge", fmt::format("The answers are judged in pairs, {}.", counted(count, "call"))}};
    }
    if (pending) return Step{Wait{}, {"waiting", "Verdicts are under way."}};
    return std::nullopt;
  }

  Ranking without_verdict(const Turn& turn, const Seen& seen) const {
    auto out = by_agreement(turn, seen);
    out.by += ", since no verdict came";
    return out;
  }

  static Ranking by_agreement(const Turn& turn, const Seen& seen) {
    std::vector<const Answer*> answers;
    for (const auto* draft : seen.drafts) answers.push_back(&*draft->answer);
    const auto vote = count_votes(answers, compare_context(turn.view.request));
    std::vector<double> score;
    for (const int group : vote.group)
      score.push_back(group < 0 ? 0 : static_cast<double>(vote.counts[static_cast<std::size_t>(group)]));
    return sorted(turn, seen, score,
                  fmt::format("agreement of {} of {}", vote.leading(), seen.drafts.size()));
  }

  /// By what a forest that recorded outcomes have taught gives each answer beside the others.
  Ranking by_scorer(const Turn& turn, const Seen& seen) const {
    const auto& experts = model_->info().configurations;
    std::vector<const Answer*> answers;
    for (const auto* draft : seen.drafts) answers.push_back(&*draft->answer);
    const auto vote = count_votes(answers, compare_context(turn.view.request));
    std::vector<ExpertAnswer> known(experts.size());
    std::vector<std::optional<std::size_t>> place(seen.drafts.size());
    for (std::size_t i = 0; i < seen.drafts.size(); ++i) {
      const auto at = std::find(experts.begin(), experts.end(), seen.drafts[i]->configuration.key());
      if (at == experts.end()) continue;
      place[i] = static_cast<std::size_t>(at - experts.begin());
      known[*place[i]] = {true, answers[i]->text, answers[i]->reasoning, answers[i]->mean_logprob,
                          vote.group[i]};
    }
    std::vector<double> score;
    for (const auto& at : place) {
      // Whom it was not taught it cannot rank, and does not put before those it can.
      score.push_back(at ? model_->p_right(expert_features(turn.view.request.last_user_text(), known, *at))
                         : -1);
    }
    return sorted(turn, seen, score, "a scorer of recorded answers");
  }

  /// Equal scores: the reference first, then the dearer.
  static Ranking sorted(const Turn& turn, const Seen& seen, const std::vector<double>& score,
                        std::string by) {
    Ranking out;
    out.by = std::move(by);
    out.best.resize(score.size());
    std::iota(out.best.begin(), out.best.end(), std::size_t{0});
    const auto reference = [&](std::size_t i) {
      return seen.drafts[i]->configuration == turn.view.reference;
    };
    std::stable_sort(out.best.begin(), out.best.end(), [&](std::size_t a, std::size_t b) {
      if (score[a] != score[b]) return score[a] > score[b];
      if (reference(a) != reference(b)) return reference(a);
      return a > b;
    });
    return out;
  }

  Step serve(const Turn& turn, const Seen& seen, const Ranking& ranking) const {
    const auto& view = turn.view;
    const auto count = std::min(plan_.fuse, ranking.best.size());
    if (count >= 2 && view.calls_left > 0 && !view.out_of_time) {
      std::vector<std::string_view> texts;
      std::string names;
      for (std::size_t i = 0; i < count; ++i) {
        const auto& draft = *seen.drafts[ranking.best[i]];
        texts.push_back(draft.answer->text);
        names += (names.empty() ? "" : ", ") + draft.configuration.key();
      }
      Call call;
      call.configuration = named(plan_.fuser, view.reference);
      call.purpose = Purpose::kFuse;
      call.messages = fuse_messages(view.request, texts);
      if (view.request.max_tokens) call.max_tokens = static_cast<int>(*view.request.max_tokens);
      call.tag = kFuse;
      Calls calls;
      calls.calls.push_back(std::move(call));
      return {
          std::move(calls),
          {"fused", fmt::format("Fused by {} from the answers of {}, the best by {}{}.",
                                named(plan_.fuser, view.reference).key(), names, ranking.by, seen.failed)}};
    }
    const auto& best = *seen.drafts[ranking.best.front()];
    return {Accept{best.id},
            {"ranked_best", fmt::format("Served by {}, the best of {} by {}{}{}.", best.configuration.key(),
                                        counted(seen.drafts.size(), "answer"), ranking.by, seen.failed,
                                        view.out_of_time ? "; time was up" : "")}};
  }

  Step after_fusing(const Turn& turn, const Seen& seen, const Attempt& fused) const {
    if (fused.state == AttemptState::kPending) return {Wait{}, {"waiting", "The answers are being fused."}};
    if (fused.state == AttemptState::kDone && fused.answer && !fused.answer->text.empty())
      return {Accept{fused.id}, {kAsCalled, "The call succeeded."}};
    auto ranked = rank(turn, seen);
    if (ranked.step) return *std::move(ranked.step);
    const auto& best = *seen.drafts[ranked.ranking.best.front()];
    return {Accept{best.id},
            {"fusing_failed", fmt::format("Served by {}, the best by {}, because fusing failed ({}).",
                                          best.configuration.key(), ranked.ranking.by,
                                          fused.error ? fused.error->code : "no text")}};
  }

  const std::string name_ = "blender";
  const Plan plan_;
  const RouterPtr scorer_;  ///< owns the model
  const ExpertModel* const model_;
};

Result<StrategyPtr> make_blender(const OptionValues& options, RouterPtr scorer) {
  const auto bad = [](const char* name, const std::string& known, const std::string& given) {
    return fail(ErrorKind::kCallerInvalid, "bad_option",
                fmt::format("Option '{}' of strategy 'blender' must be {}, not '{}'.", name, known, given),
                name);
  };
  Plan plan;
  if (scorer) {
    if (!experts_of(*scorer)) {
      return fail(ErrorKind::kCallerInvalid, "router_kind_mismatch",
                  "Strategy 'blender' ranks by what `brevet train more` made, and was given something else.",
                  "router");
    }
    plan.rank = Rank::kScorer;
  } else {
    const auto& rank = text_option(options, "rank");
    if (rank != "judge" && rank != "agreement") return bad("rank", "judge or agreement", rank);
    plan.rank = rank == "judge" ? Rank::kJudge : Rank::kAgreement;
  }
  const auto aggregate = scorer ? std::string("max_logits") : text_option(options, "aggregate");
  if (aggregate == "max_logits") {
    plan.aggregate = Aggregate::kMaxLogits;
  } else if (aggregate == "max_wins") {
    plan.aggregate = Aggregate::kMaxWins;
  } else if (aggregate == "bubble") {
    plan.aggregate = Aggregate::kBubble;
  } else {
    return bad("aggregate", "max_logits, max_wins or bubble", aggregate);
  }
  plan.fuse = static_cast<std::size_t>(count_option(options, "fuse"));
  for (const auto& [name, to] : {std::pair("judge", &plan.judge), std::pair("fuser", &plan.fuser)}) {
    if (!options.contains(name)) continue;
    const auto& given = text_option(options, name);
    if (given == "reference") continue;
    if (!Configuration::parse(given)) return bad(name, "reference or the name of a model", given);
    *to = given;
  }
  return std::make_shared<Blender>(std::move(plan), std::move(scorer));
}

}  // namespace

StrategyKind blender_kind() {
  StrategyKind kind;
  kind.name = "blender";
  kind.summary = "every candidate answers; the best answer in pairs is served, or the best few fused";
  kind.remembers = false;
  kind.calls_all = true;
  kind.options = {{"rank",
                   std::string("judge"),
                   {},
                   {},
                   "judge: a model judges each pair in both orders; agreement: no calls"},
                  {"aggregate",
                   std::string("max_logits"),
                   {},
                   {},
                   "max_logits or max_wins: all pairs; bubble: fewer calls, only the best is sure"},
                  {"judge", std::string("reference"), {}, {}, "reference, or the name of a model"},
                  {"fuse", std::int64_t{0}, 0.0, 10.0,
                   "best answers made into one by a further call; 0 = the best as it is"},
                  {"fuser", std::string("reference"), {}, {}, "reference, or the name of a model"}};
  kind.trained_options = kind.options;
  std::erase_if(kind.trained_options,
                [](const OptionSpec& option) { return option.name != "fuse" && option.name != "fuser"; });
  kind.any_router = true;
  kind.make = [](const OptionValues& options) { return make_blender(options, {}); };
  kind.make_trained = make_blender;
  return kind;
}

}  // namespace brevet
