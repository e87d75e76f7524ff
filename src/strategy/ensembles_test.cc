// Goal: ensembles and searches decide what their files say, with as few calls as they promise.
// Method: a small world that answers every call at once from a function, drives one strategy to its end and
// keeps what it called. The game of 24 is a puzzle whose steps can be proposed and judged exactly.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <sstream>

#include "prompt/thoughts.h"
#include "router/expert_model.h"
#include "strategy/strategy.h"
#include "strategy/test_router.h"
#include "strategy/test_snapshot.h"

namespace brevet {
namespace {

using ::testing::HasSubstr;

/// Empty = the call fails.
using Answerer = std::function<std::optional<std::string>(const Call&)>;

struct Outcome {
  std::string text;  ///< served; empty when it gave up
  std::string by;    ///< configuration
  Reason reason;
  std::vector<Call> calls;
  std::vector<std::size_t> batches;  ///< calls of each step that made some
  std::vector<Draw> draws;
};

struct World {
  ChatRequest request;
  std::vector<Configuration> candidates;
  int calls_left = 100;
  std::uint64_t session = 0;
  std::uint64_t number = 1;

  explicit World(std::vector<std::string> keys = {"weak", "strong"},
                 std::string question = "What is 6 times 7?") {
    for (const auto& key : keys) candidates.push_back(*Configuration::parse(key));
    request.messages.push_back({"user", std::move(question), true, {}, {}});
  }
  Outcome run(std::string_view name, OptionValues options, const Answerer& answerer,
              RouterPtr router = {}) const {
    Outcome out;
    const auto strategy = make_strategy(name, options, std::move(router));
    EXPECT_TRUE(strategy) << (strategy ? "" : strategy.error().message);
    if (!strategy) return out;
    RequestFeatures features;
    Partition partition;
    RequestView view{request, features, partition, candidates.front(), candidates.back(), candidates};
    view.calls_left = calls_left;
    view.session = session;
    Evidence evidence;
    std::vector<Attempt> attempts;
    NothingRemembered snapshot;
    Draws draws(3, number);
    for (int i = 0; i < 500; ++i) {
      const auto step = (*strategy)->next({view, evidence, attempts, snapshot}, draws);
      if (const auto* accept = std::get_if<Accept>(&step.what)) {
        const auto& attempt = attempts[static_cast<std::size_t>(accept->attempt)];
        out.text = accept->text ? *accept->text : attempt.answer->text;
        out.by = attempt.configuration.key();
        if (step.reason.code != kAsCalled) out.reason = step.reason;
        break;
      }
      out.reason = step.reason;
      const auto* calls = std::get_if<Calls>(&step.what);
      if (!calls) break;
      out.batches.push_back(calls->calls.size());
      for (const auto& call : calls->calls) {
        Attempt attempt;
        attempt.id = static_cast<int>(attempts.size());
        attempt.configuration = call.configuration;
        attempt.purpose = call.purpose;
        attempt.tag = call.tag;
        const auto text = answerer(call);
        attempt.state = text ? AttemptState::kDone : AttemptState::kFailed;
        if (text) {
          attempt.answer = Answer{};
          attempt.answer->text = *text;
          attempt.answer->finish_reason = "stop";
        } else {
          attempt.error = Error{ErrorKind::kProviderUnavailable, "upstream_down", "Down."};
        }
        attempts.push_back(std::move(attempt));
        out.calls.push_back(call);
        --view.calls_left;
      }
    }
    out.draws = draws.log();
    return out;
  }
};

Answerer in_turn(std::vector<std::string> texts) {
  auto at = std::make_shared<std::size_t>(0);
  return [texts = std::move(texts), at](const Call& call) -> std::optional<std::string> {
    if (call.configuration.model == "strong") return "strong";
    const auto text = texts[std::min((*at)++, texts.size() - 1)];
    if (text == "-") return std::nullopt;
    return text;
  };
}

TEST(SelfConsistency, AsksAsFewTimesAsMayDecide) {
  const World world;
  auto out = world.run("self_consistency", {{"samples", std::int64_t{5}}}, in_turn({"42"}));
  EXPECT_EQ(out.batches, (std::vector<std::size_t>{3})) << "three of five decide";
  EXPECT_EQ(out.text, "42");
  EXPECT_EQ(out.reason.code, "voted");
  out = world.run("self_consistency", {{"samples", std::int64_t{5}}}, in_turn({"41", "42", "42"}));
  EXPECT_EQ(out.batches, (std::vector<std::size_t>{3, 1}));
  EXPECT_EQ(out.text, "42");
  out =
      world.run("self_consistency", {{"samples", std::int64_t{5}}}, in_turn({"41", "42", "43", "44", "42"}));
  EXPECT_EQ(out.calls.size(), 5U);
  EXPECT_EQ(out.text, "42");
  EXPECT_EQ(out.calls[4].sample, 4);
}

TEST(SelfConsistency, TheReferenceAnswersWhereSamplesDisagree) {
  const World world;
  const OptionValues options{{"samples", std::int64_t{5}}, {"agreement_min", 0.6}};
  auto out = world.run("self_consistency", options, in_turn({"42", "42", "42"}));
  EXPECT_EQ(out.text, "42");
  EXPECT_EQ(out.calls.size(), 3U);
  out = world.run("self_consistency", options, in_turn({"41", "42", "43", "44"}));
  EXPECT_EQ(out.by, "strong");
  EXPECT_EQ(out.reason.code, "agreement_low");
  EXPECT_EQ(out.calls.size(), 5U) << "four samples show that three of five cannot agree any more";
}

TEST(SelfConsistency, SamplesThatFailAreLeftOut) {
  const World world;
  auto out = world.run("self_consistency", {{"samples", std::int64_t{3}}}, in_turn({"-", "42", "42"}));
  EXPECT_EQ(out.text, "42");
  EXPECT_THAT(out.reason.sentence, HasSubstr("1 sample failed (upstream_down)"));
  out = world.run("self_consistency", {{"samples", std::int64_t{3}}}, in_turn({"-", "-", "-"}));
  EXPECT_EQ(out.by, "strong");
}

TEST(SelfConsistency, EssaysDoNotVote) {
  const World world({"weak", "strong"}, "Write a poem about the sea.");
  const auto out =
      world.run("self_consistency", {{"samples", std::int64_t{3}}},
                in_turn({"Blue waves roll on and on without an end in sight, my friend.",
                         "The tide comes in, the tide goes out, and gulls cry loud above it all.",
                         "Salt and foam and distant sails upon a line of silver light."}));
  EXPECT_EQ(out.text, "Blue waves roll on and on without an end in sight, my friend.");
  EXPECT_EQ(out.by, "weak");
}

TEST(Blended, DrawsInProportionAndSticksWhereAsked) {
  World world({"a", "b", "c"});
  std::map<std::string, int> counts;
  const Answerer any = [](const Call&) { return std::optional<std::string>("x"); };
  for (world.number = 1; world.number <= 4000; ++world.number)
    ++counts[world.run("blended", {{"weights", std::string("a=2")}}, any).by];
  // Five standard errors.
  EXPECT_NEAR(counts["a"], 2000, 5 * std::sqrt(4000 * .25));
  EXPECT_NEAR(counts["b"], 1000, 5 * std::sqrt(4000 * .1875));
  std::map<std::string, int> sticky;
  for (world.session = 1; world.session <= 600; ++world.session) {
    world.number = 2 * world.session;
    const auto first = world.run("blended", {{"sticky", true}}, any);
    world.number = 2 * world.session + 1;
    EXPECT_EQ(world.run("blended", {{"sticky", true}}, any).by, first.by);
    ++sticky[first.by];
  }
  for (const char* name : {"a", "b", "c"})
    EXPECT_NEAR(sticky[name], 200, 5 * std::sqrt(600 * 2 / 9.0)) << name;
}

TEST(Blended, ReplacesWhoFailsAndLogsWhatItDrew) {
  const World world({"a", "b", "c"});
  const auto out = world.run("blended", {}, [](const Call& call) -> std::optional<std::string> {
    if (call.configuration.model != "c") return std::nullopt;
    return "from c";
  });
  EXPECT_EQ(out.text, "from c");
  ASSERT_FALSE(out.draws.empty());
  EXPECT_NEAR(out.draws.front().probability, out.draws.front().outcome == 1 ? 1.0 / 3 : 2.0 / 3, 1e-9);
  EXPECT_EQ(make_strategy("blended", {{"weights", std::string("a")}}).error().code, "bad_option");
}

/// A judge that prefers longer answers, and `bias` times out of one the first whatever it is.
Answerer judged(std::map<std::string, std::string> drafts, bool always_first = false) {
  return [drafts = std::move(drafts), always_first](const Call& call) -> std::optional<std::string> {
    if (call.purpose == Purpose::kFuse) return "fused";
    if (call.purpose == Purpose::kServe) {
      const auto& text = drafts.at(call.configuration.model);
      if (text == "-") return std::nullopt;
      return text;
    }
    if (always_first) return "[[A]]";
    const auto& prompt = call.messages.back().text;
    std::string longest;
    for (const auto& [name, text] : drafts) {
      if (prompt.find("\n" + text + "\n") != std::string::npos && text.size() > longest.size())
        longest = text;
    }
    return prompt.find(longest) < prompt.find("Answer B:") ? "[[A]]" : "[[B]]";
  };
}

TEST(Blender, RanksInPairsByEveryAggregate) {
  const World world({"a", "b", "c"}, "Describe the sea.");
  const std::map<std::string, std::string> drafts{
      {"a", "long and thorough text"}, {"b", "short"}, {"c", "middling"}};
  for (const auto& [aggregate, judgements] :
       std::map<std::string, std::size_t>{{"max_logits", 6}, {"max_wins", 6}, {"bubble", 4}}) {
    const auto out = world.run("blender", {{"aggregate", aggregate}}, judged(drafts));
    EXPECT_EQ(out.by, "a") << aggregate;
    EXPECT_EQ(out.calls.size(), 3 + judgements) << aggregate;
    EXPECT_EQ(out.batches[0], 3U) << "candidates are asked together";
  }
}

TEST(Blender, AJudgeThatAlwaysSaysTheFirstDecidesNothing) {
  const World world({"a", "b"}, "Describe the sea.");
  const auto out = world.run("blender", {}, judged({{"a", "one text"}, {"b", "another"}}, true));
  EXPECT_EQ(out.by, "b") << "the reference, since both orders cancel";
}

TEST(Blender, FusesTheBestAndSurvivesMissingParts) {
  const World world({"a", "b", "c"}, "Describe the sea.");
  auto out = world.run("blender", {{"fuse", std::int64_t{2}}},
                       judged({{"a", "long and thorough text"}, {"b", "-"}, {"c", "middling"}}));
  EXPECT_EQ(out.text, "fused");
  EXPECT_EQ(out.reason.code, "fused");
  EXPECT_THAT(out.reason.sentence, HasSubstr("b failed (upstream_down)"));
  const auto& fuse = out.calls.back();
  EXPECT_EQ(fuse.purpose, Purpose::kFuse);
  EXPECT_LT(fuse.messages.back().text.find("long and thorough"), fuse.messages.back().text.find("middling"));
  out = world.run("blender", {{"fuse", std::int64_t{2}}}, [](const Call& call) -> std::optional<std::string> {
    if (call.purpose != Purpose::kServe) return std::nullopt;
    return "answer of " + call.configuration.model;
  });
  EXPECT_EQ(out.reason.code, "fusing_failed");
  EXPECT_EQ(out.by, "c");
}

TEST(Blender, AgreementNeedsNoJudge) {
  const World world({"a", "b", "c", "d"});
  const auto out = world.run("blender", {{"rank", std::string("agreement")}},
                             judged({{"a", "42"}, {"b", "The answer is 42."}, {"c", "41"}, {"d", "40"}}));
  EXPECT_EQ(out.calls.size(), 4U);
  EXPECT_EQ(out.by, "b") << "of those that agree the dearest";
}

TEST(More, BelievesTheExpertThatOthersConfirmAndAbstainsOtherwise) {
  auto artefact = std::make_shared<Artefact>();
  artefact->info.kind = kMore;
  artefact->info.configurations = {"a", "b", "c"};
  // As expert_router(): confirmed .9, alone .4.
  artefact->tensors["forest.nodes"] = {{3, 3}, {25, 1.5F, 1, -1, 0, 0, -1, 0, 1}};
  artefact->tensors["forest.roots"] = {{1}, {0}};
  artefact->tensors["forest.values"] = {{2, 1}, {.4F, .9F}};
  const auto router = *make_expert_router(artefact);
  const World world({"a", "b", "c", "strong"});
  const OptionValues abstain{{"abstain_below", 0.5}};
  const auto experts = [](std::string a, std::string b, std::string c) {
    return judged({{"a", std::move(a)}, {"b", std::move(b)}, {"c", std::move(c)}, {"strong", "from strong"}});
  };
  auto out = world.run("more", abstain, experts("41", "42", "The answer is 42."), router);
  EXPECT_EQ(out.by, "b");
  EXPECT_EQ(out.calls.size(), 3U) << "the reference is no expert";
  EXPECT_THAT(out.reason.sentence, HasSubstr("2 of 3 experts"));
  out = world.run("more", abstain, experts("41", "42", "43"), router);
  EXPECT_EQ(out.by, "strong");
  EXPECT_EQ(out.reason.code, "abstained");
  out = world.run("more", {}, experts("41", "-", "43"), router);
  EXPECT_EQ(out.by, "a") << "without abstention the likeliest is served";
  out = world.run("more", {}, experts("-", "-", "-"), router);
  EXPECT_EQ(out.by, "strong");
  // Cut or changed numbers are refused.
  for (const float bad : {-2.0F, 41.0F, 25.5F}) {
    auto broken = std::make_shared<Artefact>(*artefact);
    broken->tensors["forest.nodes"].values[0] = bad;
    EXPECT_EQ(make_expert_router(broken).error().code, "router_corrupt") << bad;
  }
}

TEST(Blender, RanksByAScorerOfRecordedAnswers) {
  const World world;
  const auto out = world.run("blender", {{"fuse", std::int64_t{0}}},
                             judged({{"weak", "42"}, {"strong", "The answer is 41."}}), expert_router());
  EXPECT_EQ(out.calls.size(), 2U);
  EXPECT_EQ(out.by, "strong") << "equal, so the reference";
  EXPECT_THAT(out.reason.sentence, HasSubstr("scorer"));
  EXPECT_EQ(make_strategy("blender", {}, std::make_shared<const FakeRouter>("mf")).error().code,
            "router_kind_mismatch");
}

TEST(More, FeaturesAreOfTheAnswerAmongTheOthers) {
  std::vector<ExpertAnswer> answers(3);
  answers[0] = {true, "42 apples", "6 * 7 = 42", -.1, 0};
  answers[1] = {true, "42", "", std::nullopt, 0};
  answers[2] = {true, "about 40", "", std::nullopt, 1};
  const auto of = expert_features("How many apples are 6 times 7?", answers, 0);
  ASSERT_EQ(of.size(), kExpertFeatures);
  EXPECT_EQ(of[0], 1) << "expert";
  EXPECT_EQ(of[8 + 6], 1) << "how many";
  EXPECT_EQ(of[18], 2) << "numbers asked about";
  EXPECT_FLOAT_EQ(of[19], -.1F);
  EXPECT_EQ(of[25], 2) << "experts that say the same";
  EXPECT_EQ(of[29], -1) << "not beside itself";
  EXPECT_EQ(of[30], 1) << "the same as the second";
  EXPECT_LT(of[31], 1) << "not the same as the third";
  EXPECT_EQ(of[32], -1) << "there is no fourth";
}

// ---- The game of 24: from four numbers make 24 with + - * /, each used once. A step replaces two by one.
// -----

using Numbers = std::vector<double>;
struct Move {
  std::string text;
  Numbers left;
};
std::string show(const Numbers& numbers) {
  std::string out;
  for (const double n : numbers) {
    std::ostringstream text;
    text << n;
    out += (out.empty() ? "" : " ") + text.str();
  }
  return out;
}
std::vector<Move> moves(const Numbers& numbers) {
  std::vector<Move> out;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    for (std::size_t j = 0; j < numbers.size(); ++j) {
      if (i == j) continue;
      for (const char op : {'+', '-', '*', '/'}) {
        const double a = numbers[i], b = numbers[j];
        if (((op == '+' || op == '*') && i > j) || (op == '/' && b == 0)) continue;
        const double value = op == '+' ? a + b : op == '-' ? a - b : op == '*' ? a * b : a / b;
        Numbers left{value};
        for (std::size_t k = 0; k < numbers.size(); ++k) {
          if (k != i && k != j) left.push_back(numbers[k]);
        }
        std::ostringstream text;
        text << a << ' ' << op << ' ' << b << " = " << value << " (left: " << show(left) << ")";
        const bool done = left.size() == 1 && std::abs(value - 24) < 1e-9;
        out.push_back({(done ? "DONE: " : "") + text.str(), std::move(left)});
      }
    }
  }
  return out;
}
bool solvable(const Numbers& numbers) {
  if (numbers.size() == 1) return std::abs(numbers[0] - 24) < 1e-9;
  const auto all = moves(numbers);
  return std::any_of(all.begin(), all.end(), [](const Move& move) { return solvable(move.left); });
}
/// The numbers that the last step in a prompt leaves; those of the task without one.
Numbers state_in(const std::string& prompt, Numbers start) {
  const auto at = prompt.rfind("(left: ");
  if (at == std::string::npos) return start;
  std::istringstream in(prompt.substr(at + 7));
  Numbers out;
  for (double n = 0; in >> n;) out.push_back(n);
  return out;
}

/// Proposes moves in its own order, promising ones not first; judges them rightly but for `errors`; on its
/// own it takes the first move each time, which misses.
Answerer player(Numbers start, std::uint64_t seed, double judge_errors) {
  return [=](const Call& call) -> std::optional<std::string> {
    if (call.messages.empty()) {
      // The answer: the steps that it was given, or its own first thought.
      if (!call.edits.last_user_suffix.empty()) return call.edits.last_user_suffix;
      return "1 + 1 = 2";
    }
    const auto& prompt = call.messages.back().text;
    const auto numbers = state_in(prompt, start);
    if (call.messages.front().text.starts_with(kValueMarker)) {
      const bool wrong =
          static_cast<double>(hash_bytes(prompt, seed + static_cast<std::uint64_t>(*call.sample)) >> 11) *
              0x1.0p-53 <
          judge_errors;
      return solvable(numbers) != wrong ? "I looked ahead.\nlikely" : "No way.\nimpossible";
    }
    auto all = moves(numbers);
    std::sort(all.begin(), all.end(), [&](const Move& a, const Move& b) {
      return hash_bytes(a.text, seed) < hash_bytes(b.text, seed);
    });
    std::string out;
    for (const auto& move : all) out += "- " + move.text + "\n";
    return out;
  };
}

bool solved(const std::string& text) {
  return text.find("= 24 (left: 24)") != std::string::npos;
}

TEST(TreeOfThoughts, SolvesWhatASingleCallFails) {
  // From the paper's kind of puzzles; all can be solved, few moves keep that.
  const std::vector<Numbers> puzzles{
      {4, 5, 6, 10}, {1, 2, 4, 7}, {3, 3, 8, 8}, {4, 9, 10, 13}, {2, 3, 5, 12}};
  for (const auto* search : {"bfs", "dfs"}) {
    int right = 0;
    for (std::size_t i = 0; i < puzzles.size(); ++i) {
      World world({"weak", "strong"}, "Make 24 of " + show(puzzles[i]));
      world.calls_left = 1000;
      EXPECT_FALSE(solved(*player(puzzles[i], i, 0)(Call{})));
      const auto out = world.run("tree_of_thoughts",
                                 {{"search", std::string(search)},
                                  {"thoughts", std::int64_t{40}},
                                  {"breadth", std::int64_t{5}},
                                  {"evaluations", std::int64_t{3}},
                                  {"visits_max", std::int64_t{60}}},
                                 player(puzzles[i], i, 0.1));
      right += solved(out.text);
      EXPECT_LE(out.calls.size(), 1000U);
    }
    EXPECT_GE(right, 3) << search << ": one tenth of the judgements are wrong";
  }
}

TEST(TreeOfThoughts, SpendsNoMoreThanItMay) {
  const Numbers puzzle{4, 5, 6, 10};
  for (const int calls : {1, 2, 5, 17}) {
    World world({"weak", "strong"}, "Make 24 of 4 5 6 10");
    world.calls_left = calls;
    const auto out = world.run("tree_of_thoughts", {}, player(puzzle, 1, 0));
    EXPECT_LE(out.calls.size(), static_cast<std::size_t>(calls));
    EXPECT_FALSE(out.text.empty()) << calls;
  }
}

TEST(TreeOfThoughts, NothingToReadGoesToTheReference) {
  const World world;
  const auto out = world.run("tree_of_thoughts", {}, [](const Call& call) -> std::optional<std::string> {
    if (call.configuration.model == "strong") return "42";
    return "";
  });
  EXPECT_EQ(out.by, "strong");
  EXPECT_EQ(out.reason.code, "no_thoughts");
}

TEST(TreeOfThoughts, VotesAmongStates) {
  World world;
  int votes = 0;
  const auto out = world.run(
      "tree_of_thoughts",
      {{"evaluate", std::string("vote")}, {"depth", std::int64_t{1}}, {"evaluations", std::int64_t{3}}},
      [&](const Call& call) -> std::optional<std::string> {
        if (call.messages.empty()) return call.edits.last_user_suffix;
        if (!call.messages.front().text.starts_with(kVoteMarker)) return "add\nmultiply\nguess";
        return ++votes == 1 ? "[[3]]" : "The second. [[2]]";
      });
  EXPECT_EQ(votes, 3);
  EXPECT_THAT(out.text, HasSubstr("multiply"));
}

TEST(Thoughts, AreReadLineByLine) {
  EXPECT_EQ(
      parse_thoughts("1. Take 6.\n2) Double it.\n- Add 1.\n\n* Add 1.\n```\nDONE: 13\n3.5 is not a mark", 9),
      (std::vector<std::string>{"Take 6.", "Double it.", "Add 1.", "DONE: 13", "3.5 is not a mark"}));
  EXPECT_EQ(parse_thoughts("a\nb\nc", 2).size(), 2U);
  EXPECT_EQ(parse_likelihood("At first it looks sure.\nimpossible"), Likelihood::kImpossible);
  EXPECT_EQ(parse_likelihood("**Likely**"), Likelihood::kLikely);
  EXPECT_EQ(parse_likelihood("This is unlikely."), std::nullopt);
  EXPECT_EQ(parse_vote("[[1]] no, [[2]]", 2), 1U);
  EXPECT_EQ(parse_vote("[[3]]", 2), std::nullopt);
}

}  // namespace
}  // namespace brevet
