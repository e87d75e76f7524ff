// Goal: the made-up world is as hard to read as real pairs, guides help only where they fit, and everything
// is labelled and repeatable. Method: whole sets of the default world, with seeded rates and wide enough
// margins.
#include "upstream/simulated_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <set>

#include "domain/markers.h"
#include "wire/openai_chat.h"

namespace brevet {
namespace {

using Help = SimulatedWorld::Help;

std::shared_ptr<const SimulatedWorld> default_world(std::uint64_t seed = 1, std::size_t requests = 20'000) {
  auto profile = parse_simulation_profile(default_simulation_profile(), "default");
  EXPECT_TRUE(profile) << profile.error().message;
  profile->questions.seed = seed;
  profile->questions.requests = requests;
  return SimulatedWorld::create(*profile);
}

ModelOutcome call_now(ModelClient& client, ModelCall call, StreamSink* sink = nullptr) {
  asio::io_context context;
  std::optional<ModelOutcome> out;
  auto run = [](ModelClient* model, ModelCall ask, StreamSink* to,
                std::optional<ModelOutcome>* result) -> Task<void> {
    *result = co_await model->call(std::move(ask), to);
  };
  asio::co_spawn(context, run(&client, std::move(call), sink, &out), asio::detached);
  context.run();
  return std::move(*out);
}

std::shared_ptr<const ChatRequest> request_of(const std::string& user, const std::string& system = "",
                                              const std::string& more = "") {
  auto quote = [](std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
      if (c == '\n') {
        out += "\\n";
        continue;
      }
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    return out + "\"";
  };
  std::string body = R"({"model":"m","messages":[)";
  if (!system.empty()) body += R"({"role":"system","content":)" + quote(system) + "},";
  body += R"({"role":"user","content":)" + quote(user) + "}]" + more + "}";
  auto parsed = wire::parse_chat_request(body);
  EXPECT_TRUE(parsed) << body;
  return std::make_shared<const ChatRequest>(std::move(*parsed));
}

ModelCall call_of(const std::string& user, const std::string& system = "", const std::string& more = "") {
  ModelCall call;
  call.configuration.model = "m";
  call.request = request_of(user, system, more);
  return call;
}

double auroc(std::vector<std::pair<double, bool>> scored) {
  std::sort(scored.begin(), scored.end());
  double rank_sum = 0, positives = 0;
  for (std::size_t i = 0; i < scored.size();) {
    std::size_t j = i;
    while (j < scored.size() && scored[j].first == scored[i].first) ++j;
    const double rank = (static_cast<double>(i) + static_cast<double>(j) + 1) / 2;
    for (; i < j; ++i) {
      if (scored[i].second) rank_sum += rank, ++positives;
    }
  }
  const double negatives = static_cast<double>(scored.size()) - positives;
  return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives);
}

/// Inverse of the normal distribution function, by bisection.
double probit(double p) {
  double low = -6, high = 6;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (0.5 * std::erfc(-middle / std::sqrt(2.0)) < p ? low : high) = middle;
  }
  return low;
}

TEST(SimulatedWorld, RatesAreThoseOfARealPair) {
  for (const std::uint64_t seed : {1, 2, 3}) {
    const auto world = default_world(seed);
    double n = 0, weak = 0, strong = 0, either = 0;
    for (const auto& question : world->questions().questions()) {
      const bool w = world->right(world->profile().models[0], question, Help::kNone, 0);
      const bool s = world->right(world->profile().models[1], question, Help::kNone, 0);
      n += 1;
      weak += w;
      strong += s;
      either += w || s;
    }
    EXPECT_GT(weak / n, .55) << seed;
    EXPECT_LT(weak / n, .65) << seed;
    EXPECT_GT(strong / n, .85) << seed;
    EXPECT_LT(strong / n, .92) << seed;
    EXPECT_GT(either / n, strong / n + .01) << "weak is sometimes right where strong is not";
  }
}

// What a text can tell. Three readers of increasing knowledge: rates of the family, learned on one half;
// rates of the nearest questions by family and size, learned on one half (what a neighbour search would
// find); and the exact sum of everything that stands in the text, which nothing that reads texts can beat.
TEST(SimulatedWorld, TextTellsOfCompetenceAsLittleAsForRealPairs) {
  for (const std::uint64_t seed : {1, 2}) {
    const auto world = default_world(seed);
    const auto& weak = world->profile().models[0];
    const auto& questions = world->questions().questions();
    std::map<int, std::pair<double, double>> rate;
    std::map<int, std::vector<std::pair<double, bool>>> seen;
    for (std::size_t i = 0; i < questions.size(); i += 2) {
      const bool right = world->right(weak, questions[i], Help::kNone, 0);
      auto& [sum, n] = rate[questions[i].family];
      sum += right;
      n += 1;
      seen[questions[i].family].emplace_back(questions[i].size, right);
    }
    std::vector<std::pair<double, bool>> by_family, by_neighbours, by_all;
    for (std::size_t i = 1; i < questions.size(); i += 2) {
      const auto& question = questions[i];
      const bool right = world->right(weak, question, Help::kNone, 0);
      const auto& [sum, n] = rate[question.family];
      by_family.emplace_back(sum / n, right);
      by_all.emplace_back(probit(sum / n) - weak.size_loading * std::sqrt(3.0) * question.size, right);
      auto near = seen[question.family];
      const auto k = std::min<std::ptrdiff_t>(40, static_cast<std::ptrdiff_t>(near.size()));
      std::nth_element(near.begin(), near.begin() + k - 1, near.end(), [&](const auto& a, const auto& b) {
        return std::abs(a.first - question.size) < std::abs(b.first - question.size);
      });
      double neighbours = 0;
      for (auto at = near.begin(); at != near.begin() + k; ++at) neighbours += at->second;
      by_neighbours.emplace_back(neighbours / static_cast<double>(k) + .2 * sum / n, right);
    }
    const double family = auroc(by_family), neighbours = auroc(by_neighbours), all = auroc(by_all);
    std::printf("seed %d: AUROC of \"weak is right\": family %.3f, neighbours %.3f, all %.3f\n",
                static_cast<int>(seed), family, neighbours, all);
    EXPECT_GE(family, .55);
    EXPECT_LE(family, .68);
    EXPECT_GE(neighbours, .55);
    EXPECT_LE(neighbours, .68);
    EXPECT_GT(all, family) << "size tells something besides the family";
    EXPECT_LE(all, .70);
  }
}

TEST(SimulatedWorld, GuidesHelpWhereTheyFitAndOnlyThere) {
  const auto world = default_world();
  const auto& weak = world->profile().models[0];
  double n = 0, none = 0, unrelated = 0, fitting = 0;
  for (const auto& question : world->questions().questions()) {
    n += 1;
    none += world->right(weak, question, Help::kNone, 0);
    unrelated += world->right(weak, question, Help::kUnrelated, 77);
    fitting += world->right(weak, question, Help::kFitting, 77);
  }
  EXPECT_NEAR(unrelated / n, none / n, .012);
  EXPECT_GT(fitting / n, none / n + .12);
}

TEST(SimulatedModel, AnswersAreGradedAsTheWorldSaysAndRepeat) {
  const auto world = default_world(1, 3'000);
  for (const char* name : {"weak-sim", "strong-sim"}) {
    auto client = make_simulated_model(world, name);
    ASSERT_TRUE(client);
    EXPECT_TRUE((*client)->simulated());
    const auto& profile = *world->profile().find(name);
    for (std::size_t i = 0; i < 1'000; ++i) {
      const auto& question = world->questions().questions()[i];
      const auto first = call_now(**client, call_of(question.text));
      ASSERT_TRUE(first);
      EXPECT_EQ(answer_is_right(question, first->answer.text),
                world->right(profile, question, Help::kNone, 0))
          << question.text << " -> " << first->answer.text;
      EXPECT_EQ(first->answer.text, call_now(**client, call_of(question.text))->answer.text);
      EXPECT_NE(first->answer.body.find("\"system_fingerprint\":\"simulated\""), std::string::npos);
      EXPECT_EQ(first->answer.returned_model, name);
      EXPECT_EQ(first->cost.basis, CostBasis::kPriced);
      EXPECT_GT(first->cost.amount->pico_usd, 0);
      EXPECT_GT(first->latency.count(), 0);
      EXPECT_FALSE(first->answer.mean_logprob) << "nobody asked for log-probabilities";
    }
    EXPECT_EQ((*client)->status().calls, 2'000u);
    EXPECT_EQ((*client)->status().failures, 0u);
  }
}

TEST(SimulatedModel, LogProbabilitiesTellWhatTheTextDoesNot) {
  const auto world = default_world(1, 8'000);
  auto client = make_simulated_model(world, "weak-sim");
  std::vector<std::pair<double, bool>> scored;
  for (std::size_t i = 0; i < 4'000; ++i) {
    const auto& question = world->questions().questions()[i];
    auto call = call_of(question.text);
    call.want_logprobs = true;
    const auto outcome = call_now(**client, call);
    ASSERT_TRUE(outcome && outcome->answer.mean_logprob);
    EXPECT_LE(*outcome->answer.mean_logprob, 0);
    EXPECT_EQ(outcome->answer.body.find("\"logprob\":"), std::string::npos) << "the client did not ask";
    scored.emplace_back(*outcome->answer.mean_logprob, answer_is_right(question, outcome->answer.text));
  }
  const double value = auroc(scored);
  std::printf("AUROC of the log-probability: %.3f\n", value);
  EXPECT_GT(value, .775);
  EXPECT_LT(value, .83);
}

TEST(SimulatedModel, TheGuideItWritesHelpsItsKindAndAnotherOneDoesNot) {
  const auto world = default_world(1, 8'000);
  auto weak = make_simulated_model(world, "weak-sim"), strong = make_simulated_model(world, "strong-sim");
  const auto& questions = world->questions().questions();
  std::map<int, std::string> guides;
  int leaks = 0, written = 0;
  for (std::size_t i = 0; i < 2'000; ++i) {
    ModelCall ask;
    ask.purpose = Purpose::kGuide;
    ask.messages = {{"system", std::string(kGuideMarker) + " that explains the way."},
                    {"user", questions[i].text}};
    const auto guide = call_now(**strong, ask);
    ASSERT_TRUE(guide);
    ++written;
    if (guide->answer.text.find("The answer is") != std::string::npos) {
      ++leaks;
    } else {
      guides[questions[i].family] = guide->answer.text;
    }
  }
  EXPECT_NEAR(static_cast<double>(leaks) / written, .05, .02);
  double n = 0, alone = 0, fitting = 0, unrelated = 0;
  for (std::size_t i = 2'000; i < 5'000; ++i) {
    const auto& question = questions[i];
    const auto& other = guides[(question.family + 5) % static_cast<int>(question_families().size())];
    auto right = [&](const std::string& guide) {
      auto call = call_of(question.text);
      if (!guide.empty()) call.edits.last_user_prefix = "Some advice.\n" + guide + "\n\n";
      return answer_is_right(question, call_now(**weak, call)->answer.text);
    };
    n += 1;
    alone += right("");
    fitting += right(guides[question.family]);
    unrelated += right(other);
  }
  std::printf("weak right: alone %.3f, fitting guide %.3f, unrelated guide %.3f (n = %.0f)\n", alone / n,
              fitting / n, unrelated / n, n);
  EXPECT_GT(fitting / n, alone / n + .1);
  EXPECT_NEAR(unrelated / n, alone / n, .03);
}

std::string file_text(const std::string& name) {
  std::ifstream in(std::string(BREVET_SOURCE_DIR) + "/" + name);
  EXPECT_TRUE(in) << name;
  return {std::istreambuf_iterator<char>(in), {}};
}

std::shared_ptr<const SimulatedWorld> world_of(const std::string& profile, double guide_unrelated) {
  auto parsed = parse_simulation_profile(profile, "profile");
  EXPECT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->models[1].guide_unrelated, guide_unrelated);
  return SimulatedWorld::create(*parsed);
}

std::string written_guide(ModelClient& author, const SimulatedQuestion& question) {
  ModelCall ask;
  ask.purpose = Purpose::kGuide;
  ask.messages = {{"system", std::string(kGuideMarker) + " that explains the way."}, {"user", question.text}};
  const auto out = call_now(author, ask);
  EXPECT_TRUE(out);
  return out->answer.text;
}

/// The family that a guide is about: its last words before a leak.
std::string kind_of(const std::string& guide) {
  const std::string before = "every task of the kind ";
  const auto from = guide.find(before) + before.size();
  return guide.substr(from, guide.find('.', from) - from);
}

TEST(SimulatedModel, AnUnrelatedGuideIsAsLongAndNamesAnotherKindAndHelpsNoMoreThanNone) {
  const auto placebo_world = world_of(file_text("bench/profiles/placebo.json"), 1);
  const auto world = world_of(file_text("bench/profiles/default.json"), 0);
  auto placebo = make_simulated_model(placebo_world, "strong-sim");
  auto author = make_simulated_model(world, "strong-sim");
  auto weak = make_simulated_model(world, "weak-sim");
  const auto& questions = world->questions().questions();
  const std::size_t n = 4'000;
  ASSERT_GE(questions.size(), n);
  double length = 0, placebo_length = 0, leaks = 0;
  // Pairs in which exactly one of alone and guided is right: under no effect either is as likely, so their
  // difference over the root of their sum is about standard normal, and above 3.09 once in 1,000 tries.
  const auto z = [](double gained, double lost) { return (gained - lost) / std::sqrt(gained + lost); };
  double gained = 0, lost = 0, fitting_gained = 0, fitting_lost = 0;
  std::map<std::string, std::set<std::string>> others;
  for (std::size_t i = 0; i < n; ++i) {
    const auto& question = questions[i];
    const auto& family = question_families()[static_cast<std::size_t>(question.family)].name;
    const std::string guide = written_guide(**author, question);
    std::string unrelated = written_guide(**placebo, question);
    ASSERT_EQ(kind_of(guide), family);
    ASSERT_NE(kind_of(unrelated), family);
    ASSERT_EQ(unrelated.find(family), std::string::npos) << unrelated;
    others[family].insert(kind_of(unrelated));
    EXPECT_NEAR(static_cast<double>(unrelated.size()), static_cast<double>(guide.size()), 40) << unrelated;
    length += static_cast<double>(guide.size());
    placebo_length += static_cast<double>(unrelated.size());
    leaks += unrelated.find("The answer is") != std::string::npos ? 1 : 0;
    const auto right = [&](const std::string& text) {
      auto call = call_of(question.text);
      if (!text.empty()) call.edits.last_user_prefix = "Some advice.\n" + text + "\n\n";
      return answer_is_right(question, call_now(**weak, call)->answer.text);
    };
    const bool alone = right("");
    const bool with_unrelated = right(unrelated);
    const bool with_fitting = right(guide);
    gained += !alone && with_unrelated;
    lost += alone && !with_unrelated;
    fitting_gained += !alone && with_fitting;
    fitting_lost += alone && !with_fitting;
  }
  std::printf(
      "unrelated guides: gained %.0f lost %.0f (z %.2f), fitting: gained %.0f lost %.0f (z %.2f), n = %zu; "
      "mean bytes %.1f and %.1f\n",
      gained, lost, z(gained, lost), fitting_gained, fitting_lost, z(fitting_gained, fitting_lost), n,
      placebo_length / static_cast<double>(n), length / static_cast<double>(n));
  EXPECT_GT(gained, 100) << "the guide was not in the prompt";
  EXPECT_LT(z(gained, lost), 3.09);
  EXPECT_GT(z(fitting_gained, fitting_lost), 3.09) << "the test would not see a guide that helps";
  EXPECT_NEAR(placebo_length / length, 1, .03);
  EXPECT_NEAR(leaks / static_cast<double>(n), .05, .015);
  EXPECT_EQ(others.size(), question_families().size());
  for (const auto& [family, kinds] : others) EXPECT_GT(kinds.size(), 1U) << family;
}

TEST(SimulatedModel, TheShareOfUnrelatedGuidesIsTheDeclaredOne) {
  auto profile = parse_simulation_profile(default_simulation_profile(), "default").value();
  profile.models[1].guide_unrelated = .3;
  const auto world = SimulatedWorld::create(profile);
  auto author = make_simulated_model(world, "strong-sim");
  auto usual = make_simulated_model(default_world(), "strong-sim");
  double n = 0, unrelated = 0;
  for (std::size_t i = 0; i < 2'000; ++i, n += 1) {
    const auto& question = world->questions().questions()[i];
    const std::string guide = written_guide(**author, question);
    if (kind_of(guide) == question_families()[static_cast<std::size_t>(question.family)].name) {
      EXPECT_EQ(guide, written_guide(**usual, question));
    } else {
      unrelated += 1;
    }
  }
  EXPECT_NEAR(unrelated / n, .3, .034) << "beyond 3.3 standard errors, once in 1,000 seeds";
}

TEST(SimulationProfile, TheFilesAreTheEmbeddedWorldAndItsControl) {
  const std::string embedded(default_simulation_profile());
  EXPECT_EQ(file_text("bench/profiles/default.json"), embedded);
  std::string control = file_text("bench/profiles/placebo.json");
  const auto line = [](const std::string& text) {
    const auto from = text.find("  \"note\"");
    return text.substr(from, text.find('\n', from) - from);
  };
  const std::string note = line(control), field = " \"guide_unrelated\": 1,";
  EXPECT_NE(note, line(embedded));
  ASSERT_NE(control.find(field), std::string::npos);
  control.erase(control.find(field), field.size());
  control.replace(control.find(note), note.size(), line(embedded));
  EXPECT_EQ(control, embedded) << "the control differs in more than its guides";
}

TEST(SimulatedModel, AMessageFromOutsideGetsAnHonestReply) {
  const auto world = default_world(1, 100);
  auto client = make_simulated_model(world, "weak-sim");
  const auto outcome = call_now(**client, call_of("What is the capital of France?"));
  ASSERT_TRUE(outcome);
  EXPECT_TRUE(outcome->answer.text.starts_with("[simulated model weak-sim] I can only pretend"));
  EXPECT_EQ(make_simulated_model(world, "gpt-9").error().code, "unknown_model");
}

TEST(SimulatedModel, AJudgeIsMostlyRightAndErrsAsDeclared) {
  const auto world = default_world(1, 8'000);
  auto strong = make_simulated_model(world, "strong-sim");
  auto verdict = [&](const SimulatedQuestion& question, const std::string& a, const std::string& b) {
    ModelCall call;
    call.purpose = Purpose::kJudge;
    const std::string fence = "\n-----\n";
    call.messages = {{"system", std::string(kJudgeMarker) + " to one request are equally good."},
                     {"user", "Request:" + fence + question.text + fence + "\nAnswer A:" + fence + a + fence +
                                  "\nAnswer B:" + fence + b + fence + "\nSay [[A]], [[B]] or [[C]]."}};
    const auto outcome = call_now(**strong, call);
    EXPECT_TRUE(outcome);
    const auto at = outcome->answer.text.find("[[");
    return at == std::string::npos ? '?' : outcome->answer.text[at + 2];
  };
  double n = 0, right_first = 0, right_second = 0, tie = 0;
  for (std::size_t i = 0; i < 2'000; ++i) {
    const auto& question = world->questions().questions()[i];
    n += 1;
    right_first += verdict(question, "The answer is " + question.answer, question.wrong) == 'A';
    right_second += verdict(question, question.wrong, "The answer is " + question.answer) == 'B';
    tie += verdict(question, question.answer, question.answer) == 'C';
  }
  // Flips .04; of what is not a tie, .06 goes to the first place.
  EXPECT_NEAR(right_first / n, .96 + .04 * .06, .02);
  EXPECT_NEAR(right_second / n, .96 * .94, .02);
  EXPECT_NEAR(tie / n, .96, .02);
}

TEST(SimulatedModel, AGradeInAdvanceIsOneDigitWithItsAlternativesAndTellsSomething) {
  const auto world = default_world(1, 3'000);
  auto strong = make_simulated_model(world, "strong-sim");
  const auto& weak = *world->profile().find("weak-sim");
  const auto grade = [&](const std::string& question, bool logprobs) {
    ModelCall call;
    call.purpose = Purpose::kJudge;
    call.want_logprobs = logprobs;
    call.max_tokens = 1;
    call.messages = {{"system", std::string(kLabelMarker) + " it would go."}, {"user", "=====\n" + question}};
    return call_now(**strong, call)->answer;
  };
  double sum[2] = {}, n[2] = {};
  for (std::size_t i = 0; i < 2'000; ++i) {
    const auto& question = world->questions().questions()[i];
    const auto answer = grade(question.text, true);
    ASSERT_EQ(answer.text.size(), 1U);
    ASSERT_EQ(answer.first_token.size(), 5U);
    EXPECT_EQ(answer.first_token.front().token, answer.text);
    double expected = 0, all = 0;
    for (const auto& [token, logprob] : answer.first_token) {
      expected += std::exp(logprob) * std::stoi(token);
      all += std::exp(logprob);
    }
    EXPECT_NEAR(all, .98, 1e-9);
    const bool right = world->right(weak, question, SimulatedWorld::Help::kNone, 0);
    sum[right] += expected / all, n[right] += 1;
  }
  EXPECT_GT(sum[1] / n[1], sum[0] / n[0] + .5);
  EXPECT_TRUE(grade(world->questions().questions()[0].text, false).first_token.empty())
      << "only when asked for";
  EXPECT_EQ(grade("What is the capital of France?", true).first_token.front().token, "I");
}

TEST(SimulatedModel, GuidesAndJudgesAreOwnPromptsOnlyWhenTheSystemMessageStartsSo) {
  const auto world = default_world(1, 100);
  auto strong = make_simulated_model(world, "strong-sim");
  const auto outcome = call_now(**strong, call_of(std::string(kGuideMarker) + " to Paris."));
  EXPECT_TRUE(outcome->answer.text.starts_with("[simulated model"));
}

struct Collected : StreamSink {
  std::vector<std::string> events;
  std::size_t stop_after = 1'000'000;
  Task<Result<>> on_event(std::string data) override {
    events.push_back(std::move(data));
    if (events.size() >= stop_after) co_return fail(ErrorKind::kCancelled, "cancelled", "enough");
    co_return Result<>{};
  }
};

TEST(SimulatedModel, AStreamCarriesTheSameAnswer) {
  const auto world = default_world(1, 200);
  auto client = make_simulated_model(world, "strong-sim");
  const auto& question = world->questions().questions()[3];
  auto call = call_of(question.text, "", R"(,"stream":true,"stream_options":{"include_usage":true})");
  call.stream = true;
  Collected sink;
  const auto outcome = call_now(**client, call, &sink);
  ASSERT_TRUE(outcome);
  wire::ChunkCollector collector{wire::Hide{}};
  for (const auto& event : sink.events) {
    EXPECT_NE(event.find("\"system_fingerprint\":\"simulated\""), std::string::npos);
    ASSERT_TRUE(collector.take(event));
  }
  EXPECT_EQ(collector.answer().text, call_now(**client, call_of(question.text))->answer.text);
  EXPECT_EQ(collector.answer().usage.output_tokens, outcome->answer.usage.output_tokens);
  EXPECT_TRUE(outcome->first_token);

  Collected short_sink;
  short_sink.stop_after = 1;
  const auto cut = call_now(**client, call, &short_sink);
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().error.kind, ErrorKind::kCancelled);
  EXPECT_TRUE(cut.error().streamed);
  EXPECT_TRUE(cut.error().cost.amount) << "what was received has a price";
}

TEST(SimulatedModel, DeclaredFaultsAndMaxTokens) {
  auto profile = *parse_simulation_profile(default_simulation_profile(), "default");
  profile.questions.requests = 200;
  profile.models[0].faults = *parse_faults("429=0.25,5xx=0.25,cut=0.25,garbage=0.25");
  const auto world = SimulatedWorld::create(profile);
  auto client = make_simulated_model(world, "weak-sim", InjectFaults::kYes);
  std::map<std::string, int> codes;
  for (int i = 0; i < 400; ++i) {
    const auto outcome = call_now(**client, call_of("hello"));
    ASSERT_FALSE(outcome);
    ++codes[outcome.error().error.code];
  }
  EXPECT_EQ(codes.size(), 4u);
  for (const auto& [code, count] : codes) EXPECT_GT(count, 60) << code;
  EXPECT_EQ((*client)->status().failures, 400u);
  auto calm = make_simulated_model(world, "weak-sim");
  const auto shortened = call_now(**calm, call_of("hello", "", R"(,"max_tokens":2)"));
  ASSERT_TRUE(shortened);
  EXPECT_EQ(shortened->answer.finish_reason, "length");
  EXPECT_EQ(shortened->answer.usage.output_tokens, 2);
}

TEST(SimulationProfile, WrongProfilesNameTheKey) {
  const struct {
    const char *json, *field;
  } cases[] = {
      {"{", "(file)"},
      {"{}", "models"},
      {R"({"models":[]})", "models"},
      {R"({"models":[{"name":"a"}]})", "models[0].skill"},
      {R"({"models":[{"name":"a","skill":1,"input_usd_per_million":1}]})",
       "models[0].output_usd_per_million"},
      {R"({"models":[{"name":"a","skil":1}]})", "models[0].skil"},
      {R"({"models":[{"name":"a","skill":"1"}]})", "models[0].skill"},
      {R"({"models":[{"name":"a","skill":1,"guide_unrelated":1.5}]})", "models[0].guide_unrelated"},
      {R"({"models":[{"name":"a","skill":1,"input_usd_per_million":1,"output_usd_per_million":1,"faults":"x"}]})",
       "models[0].faults"},
      {R"({"sed":1})", "sed"},
      {R"({"questions":{"repeat_share":0.7,"reworded_share":0.7},"models":[1]})", "questions.repeat_share"},
      {R"({"questions":{"seed":-1}})", "questions.seed"},
  };
  for (const auto& item : cases) {
    const auto profile = parse_simulation_profile(item.json, "p.json");
    ASSERT_FALSE(profile) << item.json;
    EXPECT_EQ(profile.error().code, "bad_profile");
    EXPECT_EQ(profile.error().param, item.field) << item.json << profile.error().message;
  }
}

TEST(Faults, PlansAreReadAndDrawnAtTheirRates) {
  const auto plan = parse_faults("429=0.1,5xx=0.05,cut=0.05,garbage=0.01,slow=0.02:3000ms,seed=7");
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->slow_by, Milliseconds{3'000});
  EXPECT_EQ(plan->seed, 7u);
  std::map<Fault, double> counts;
  for (std::uint64_t i = 0; i < 100'000; ++i) counts[draw_fault(*plan, i)] += 1e-5;
  EXPECT_NEAR(counts[Fault::kRateLimited], .1, .005);
  EXPECT_NEAR(counts[Fault::kServerError], .05, .005);
  EXPECT_NEAR(counts[Fault::kSlow], .02, .003);
  EXPECT_NEAR(counts[Fault::kNone], .77, .01);
  EXPECT_FALSE(parse_faults("")->any());
  for (const char* wrong :
       {"429", "429=2", "429=x", "500=0.1", "slow=0.1:fast", "429=0.6,cut=0.6", "seed=-1", ",", "cut=nan"}) {
    EXPECT_FALSE(parse_faults(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace brevet
