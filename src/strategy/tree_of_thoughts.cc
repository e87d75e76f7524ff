// tree_of_thoughts: a search over steps of a solution, each proposed and judged by the model itself.
//
// Idea (Yao et al. 2023, arXiv 2305.10601): instead of writing one chain of thought, the model proposes
// several next steps, judges which of the states they lead to are promising, and the search goes on from
// those. A single wrong step then costs a branch and not the answer.
//   bfs: from each of the `breadth` best states `thoughts` steps are generated, all new states are evaluated
//        together, the best go on; `depth` times.
//   dfs: the most promising step is followed first; states judged impossible are left out, a dead end goes
//   back;
//        at most `visits_max` states are looked into. It ends at a state that says it is done or is `depth`
//        deep.
//   generate: propose (one call names them all) or sample (one call each, at the temperature).
//   evaluate: value (each state is called sure 20, likely 1 or impossible .001, `evaluations` times, summed)
//   or
//        vote (`evaluations` calls choose among all states; bfs only).
// A last call answers the client's own request with the steps found put behind it, so the form is the
// client's. Example: 24 from 4 5 6 10: "10 - 4 = 6 (left 5 6 6)" is judged likely, "5 + 6 = 11 (left 4 10
// 11)" is not. Known weaknesses: tens of calls for one answer, and only worth it where a step can be judged
// better than it can be made. A proposal that fails or cannot be read is a branch less; where nothing is left
// the reference answers.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "prompt/thoughts.h"
#include "strategy/kinds.h"
#include "strategy/serving.h"

namespace brevet {
namespace {

enum class Search { kBfs, kDfs };
enum class Generate { kPropose, kSample };
enum class Evaluate { kValue, kVote };

struct Plan {
  Search search = Search::kBfs;
  Generate generate = Generate::kPropose;
  Evaluate evaluate = Evaluate::kValue;
  std::size_t depth = 3, breadth = 3, thoughts = 4, evaluations = 1, visits_max = 20;
  double temperature = 0.7;
};

/// A state is named by the way to it: "" is the start, "0.2" the third step after the first one.
struct State {
  std::string path;
  std::vector<std::string> thoughts;
  double value = 0;
  int made_by = -1;  ///< attempt
  bool done() const { return !thoughts.empty() && is_done(thoughts.back()); }
};

/// One pass over the attempts: what is there, what is missing, what is under way.
class Pass {
 public:
  Pass(const Plan& plan, const Turn& turn) : plan_(plan), turn_(turn) {
    for (const auto& attempt : turn.attempts) by_tag_[attempt.tag] = &attempt;
    // The last one is kept for the answer.
    affordable_ = turn.view.out_of_time ? 0 : std::max(turn.view.calls_left - 1, 0);
  }

  /// Calls that the search needs before it can go on; at most what may be afforded.
  std::vector<Call> missing;
  bool waiting = false;

  const Attempt* find(const std::string& tag) const {
    const auto found = by_tag_.find(tag);
    return found == by_tag_.end() ? nullptr : found->second;
  }

  /// The answer to a call, null when it has none (yet). What is missing is noted to be called.
  const Attempt* ask(const std::string& tag, Purpose purpose, std::vector<PlainMessage> messages, int tokens,
                     int sample) {
    if (const auto* attempt = find(tag)) {
      waiting |= attempt->state == AttemptState::kPending;
      return attempt->state == AttemptState::kDone && attempt->answer ? attempt : nullptr;
    }
    if (affordable_ <= static_cast<int>(missing.size())) return nullptr;
    Call call;
    call.configuration = turn_.view.weak;
    call.purpose = purpose;
    call.messages = std::move(messages);
    call.max_tokens = tokens;
    call.temperature = plan_.temperature;
    if (sample >= 0) call.sample = sample;
    call.tag = tag;
    missing.push_back(std::move(call));
    return nullptr;
  }
  bool must_call() const { return !missing.empty(); }

  std::vector<State> children(const State& state) {
    std::vector<State> out;
    const auto add = [&](const Attempt& attempt, std::size_t most) {
      for (auto& thought : parse_thoughts(attempt.answer->text, most)) {
        const bool known = std::any_of(out.begin(), out.end(),
                                       [&](const State& other) { return other.thoughts.back() == thought; });
        if (known || out.size() >= plan_.thoughts) continue;
        State child;
        child.path = state.path + (state.path.empty() ? "" : ".") + std::to_string(out.size());
        child.thoughts = state.thoughts;
        child.thoughts.push_back(std::move(thought));
        child.made_by = attempt.id;
        out.push_back(std::move(child));
      }
    };
    const auto question = turn_.view.request.last_user_text();
    if (plan_.generate == Generate::kPropose) {
      const auto* attempt =
          ask("propose " + state.path, Purpose::kServe,
              propose_messages(question, state.thoughts, plan_.thoughts), kProposeTokensMax, -1);
      if (attempt) add(*attempt, plan_.thoughts);
      return out;
    }
    for (std::size_t i = 0; i < plan_.thoughts; ++i) {
      const auto* attempt =
          ask(fmt::format("sample {}#{}", state.path, i), Purpose::kServe,
              propose_messages(question, state.thoughts, 1), kProposeTokensMax, static_cast<int>(i));
      if (attempt) add(*attempt, 1);
    }
    return out;
  }

  void value(std::vector<State>& states) {
    const auto question = turn_.view.request.last_user_text();
    for (auto& state : states) {
      state.value = 0;
      for (std::size_t i = 0; i < plan_.evaluations; ++i) {
        const auto* attempt =
            ask(fmt::format("value {}#{}", state.path, i), Purpose::kJudge,
                value_messages(question, state.thoughts), kValueTokensMax, static_cast<int>(i));
        if (!attempt) continue;
        if (const auto word = parse_likelihood(attempt->answer->text)) state.value += weight_of(*word);
      }
    }
  }

  void vote(std::vector<State>& states, std::size_t depth) {
    if (states.size() == 1) {
      states.front().value = 1;
      return;
    }
    std::vector<std::vector<std::string>> ways;
    for (const auto& state : states) ways.push_back(state.thoughts);
    for (std::size_t i = 0; i < plan_.evaluations; ++i) {
      const auto* attempt =
          ask(fmt::format("vote {}#{}", depth, i), Purpose::kJudge,
              vote_messages(turn_.view.request.last_user_text(), ways), kValueTokensMax, static_cast<int>(i));
      if (!attempt) continue;
      if (const auto chosen = parse_vote(attempt->answer->text, states.size())) states[*chosen].value += 1;
    }
  }

 private:
  const Plan& plan_;
  const Turn& turn_;
  std::map<std::string, const Attempt*, std::less<>> by_tag_;
  int affordable_ = 0;
};

void best_first(std::vector<State>& states) {
  std::stable_sort(states.begin(), states.end(),
                   [](const State& a, const State& b) { return a.value > b.value; });
}

class TreeOfThoughts final : public Strategy {
 public:
  explicit TreeOfThoughts(Plan plan) : plan_(plan) {}
  const std::string& name() const override { return name_; }
  std::optional<Reason> not_applicable(const RequestView& view) const override {
    return needs_plain_text(view);
  }

  Step next(const Turn& turn, Draws&) const override {
    Pass pass(plan_, turn);
    if (const auto* last = pass.find(kReference)) return after_reference(*last);
    if (const auto* answer = pass.find(kAnswer)) return after_answer(turn, *answer);
    const auto best = plan_.search == Search::kBfs ? breadth_first(pass) : depth_first(pass);
    if (pass.must_call()) {
      Calls calls;
      const auto tag = pass.missing.front().tag;
      const auto count = pass.missing.size();
      calls.calls = std::move(pass.missing);
      const bool judging = tag.starts_with("v");
      return {std::move(calls),
              {judging ? "evaluate" : "think",
               fmt::format("{} is asked {} for {}.", turn.view.weak.key(), counted(count, "time"),
                           judging ? "its judgement of where the steps lead" : "next steps")}};
    }
    if (pass.waiting) return {Wait{}, {"waiting", "Thoughts are under way."}};
    return finish(turn, best);
  }

 private:
  static constexpr const char* kAnswer = "answer";
  static constexpr const char* kReference = "reference";

  /// The best state so far; where the pass still needs something it is not looked at.
  std::optional<State> breadth_first(Pass& pass) const {
    std::vector<State> frontier(1);
    std::optional<State> best;
    for (std::size_t depth = 1; depth <= plan_.depth; ++depth) {
      std::vector<State> reached;
      for (const auto& state : frontier) {
        for (auto& child : pass.children(state)) {
          // The same thoughts by another way are the same state: they count once.
          const bool known = std::any_of(reached.begin(), reached.end(), [&](const State& other) {
            return other.thoughts == child.thoughts;
          });
          if (!known) reached.push_back(std::move(child));
        }
      }
      if (pass.must_call() || pass.waiting) return best;
      if (reached.empty()) return best;
      if (plan_.evaluate == Evaluate::kVote) {
        pass.vote(reached, depth);
      } else {
        pass.value(reached);
      }
      if (pass.must_call() || pass.waiting) return best;
      best_first(reached);
      best = reached.front();
      if (best->done()) return best;
      // What is complete needs no further step.
      std::erase_if(reached, [](const State& state) { return state.done(); });
      if (reached.size() > plan_.breadth) reached.resize(plan_.breadth);
      if (reached.empty()) return best;
      frontier = std::move(reached);
    }
    return best;
  }

  std::optional<State> depth_first(Pass& pass) const {
    std::size_t visits = 0;
    std::optional<State> deepest;
    auto found = visit(pass, State{}, visits, deepest);
    return found ? found : deepest;
  }
  /// The first complete state below this one that is not judged impossible.
  std::optional<State> visit(Pass& pass, const State& state, std::size_t& visits,
                             std::optional<State>& deepest) const {
    if (++visits > plan_.visits_max) return std::nullopt;
    auto children = pass.children(state);
    if (pass.must_call() || pass.waiting) return std::nullopt;
    if (!children.empty()) pass.value(children);
    if (pass.must_call() || pass.waiting) return std::nullopt;
    best_first(children);
    const double impossible = weight_of(Likelihood::kImpossible) * static_cast<double>(plan_.evaluations);
    for (const auto& child : children) {
      if (!deepest || child.thoughts.size() > deepest->thoughts.size() ||
          (child.thoughts.size() == deepest->thoughts.size() && child.value > deepest->value))
        deepest = child;
      if (child.value <= impossible) continue;
      if (child.done() || child.thoughts.size() >= plan_.depth) return child;
      if (auto found = visit(pass, child, visits, deepest)) return found;
      if (pass.must_call() || pass.waiting) return std::nullopt;
    }
    return std::nullopt;
  }

  Step finish(const Turn& turn, const std::optional<State>& best) const {
    const auto& view = turn.view;
    if (!best) {
      return to_reference(turn, nullptr, "no_thoughts",
                          fmt::format("{} made no step that could be read", view.weak.key()));
    }
    if (view.out_of_time || view.calls_left <= 0) {
      std::string text;
      for (const auto& thought : best->thoughts) text += (text.empty() ? "" : "\n") + thought;
      return {
          Accept{best->made_by, std::move(text)},
          {"thoughts_served", fmt::format("Served are the steps that {} had found: the route allows no call "
                                          "to answer with.",
                                          view.weak.key())}};
    }
    Call call;
    call.configuration = view.weak;
    call.delivery = Delivery::kStream;
    call.edits = answer_edits(best->thoughts);
    call.tag = kAnswer;
    Calls calls;
    calls.calls.push_back(std::move(call));
    return {
        std::move(calls),
        {"thought_through",
         fmt::format("Served by {} along the best of the ways that it had looked at: {} with value {:.3g}.",
                     view.weak.key(), counted(best->thoughts.size(), "step"), best->value)}};
  }

  Step after_answer(const Turn& turn, const Attempt& answer) const {
    if (answer.state == AttemptState::kPending) return {Wait{}, {"waiting", "The answer is being written."}};
    if (answer.state == AttemptState::kDone) return {Accept{answer.id}, {kAsCalled, "The call succeeded."}};
    return to_reference(
        turn, answer.error ? &*answer.error : nullptr, "weak_failed",
        fmt::format("{} failed ({})", turn.view.weak.key(), answer.error ? answer.error->code : "cancelled"));
  }

  static Step to_reference(const Turn& turn, const Error* error, const char* code, const std::string& why) {
    const auto& view = turn.view;
    if (view.out_of_time || view.calls_left <= 0) {
      Error none{ErrorKind::kProviderUnavailable, "no_thoughts", "No step of a solution could be read."};
      return {GiveUp{error ? *error : none}, {"all_failed", why + ", and the route allows no further call."}};
    }
    auto step =
        call_reference(view, {code, fmt::format("Served by {} because {}.", view.reference.key(), why)});
    std::get<Calls>(step.what).calls.front().tag = kReference;
    return step;
  }

  static Step after_reference(const Attempt& attempt) {
    if (attempt.state == AttemptState::kPending) return {Wait{}, {"waiting", "A call is under way."}};
    if (attempt.state == AttemptState::kDone) return {Accept{attempt.id}, {kAsCalled, "The call succeeded."}};
    return {GiveUp{attempt.error}, {"all_failed", "No model answered."}};
  }

  const std::string name_ = "tree_of_thoughts";
  const Plan plan_;
};

template <class T>
Result<T> one_of(const OptionValues& options, const char* name,
                 std::vector<std::pair<const char*, T>> words) {
  const auto& given = text_option(options, name);
  std::string known;
  for (const auto& [word, value] : words) {
    if (given == word) return value;
    known += (known.empty() ? "" : " or ") + std::string(word);
  }
  return fail(
      ErrorKind::kCallerInvalid, "bad_option",
      fmt::format("Option '{}' of strategy 'tree_of_thoughts' must be {}, not '{}'.", name, known, given),
      name);
}

Result<StrategyPtr> make_tree_of_thoughts(const OptionValues& options) {
  const auto search = one_of<Search>(options, "search", {{"bfs", Search::kBfs}, {"dfs", Search::kDfs}});
  if (!search) return fail(search.error());
  const auto generate =
      one_of<Generate>(options, "generate", {{"propose", Generate::kPropose}, {"sample", Generate::kSample}});
  if (!generate) return fail(generate.error());
  const auto evaluate =
      one_of<Evaluate>(options, "evaluate", {{"value", Evaluate::kValue}, {"vote", Evaluate::kVote}});
  if (!evaluate) return fail(evaluate.error());
  if (*search == Search::kDfs && *evaluate == Evaluate::kVote) {
    return fail(
        ErrorKind::kCallerInvalid, "bad_option",
        "Strategy 'tree_of_thoughts' goes back from what is judged impossible, and a vote judges nothing "
        "so: use evaluate: value with search: dfs.",
        "evaluate");
  }
  Plan plan;
  plan.search = *search;
  plan.generate = *generate;
  plan.evaluate = *evaluate;
  const auto count = [&](const char* name) { return static_cast<std::size_t>(count_option(options, name)); };
  plan.depth = count("depth");
  plan.breadth = count("breadth");
  plan.thoughts = count("thoughts");
  plan.evaluations = count("evaluations");
  plan.visits_max = count("visits_max");
  plan.temperature = number_option(options, "temperature");
  return std::make_shared<TreeOfThoughts>(plan);
}

}  // namespace

StrategyKind tree_of_thoughts_kind() {
  StrategyKind kind;
  kind.name = "tree_of_thoughts";
  kind.summary = "a search over steps that the weak model proposes and judges; its best way is the answer's";
  kind.remembers = false;
  kind.options = {
      {"search",
       std::string("bfs"),
       {},
       {},
       "bfs: the best states of each depth go on; dfs: one way, and back"},
      {"generate",
       std::string("propose"),
       {},
       {},
       "propose: one call for all next steps; sample: one call each"},
      {"evaluate", std::string("value"), {}, {}, "value: each state alone; vote: among all, bfs only"},
      {"depth", std::int64_t{3}, 1.0, 10.0, "steps of a solution"},
      {"breadth", std::int64_t{3}, 1.0, 20.0, "bfs: states that go on; more: more calls, fewer missed ways"},
      {"thoughts", std::int64_t{4}, 1.0, 60.0, "next steps of a state"},
      {"evaluations", std::int64_t{1}, 1.0, 9.0, "times that each judgement is asked for"},
      {"visits_max", std::int64_t{20}, 1.0, 100.0, "dfs: states looked into"},
      {"temperature", 0.7, 0.0, 2.0, "of thoughts and judgements"}};
  kind.make = make_tree_of_thoughts;
  return kind;
}

}  // namespace brevet
