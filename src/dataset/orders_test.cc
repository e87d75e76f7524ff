// Goal: each order is what its name says, for any seed, and the same for the same seed. Method: counts and
// monotone trends over many seeds.
#include "dataset/orders.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

namespace brevet {
namespace {

std::vector<std::uint32_t> ten_topics(std::size_t questions) {
  std::vector<std::uint32_t> topic(questions);
  for (std::size_t q = 0; q < questions; ++q) topic[q] = static_cast<std::uint32_t>(q % 10);
  return topic;
}

std::vector<std::uint32_t> questions_of(const std::vector<OrderedRequest>& requests) {
  std::vector<std::uint32_t> out;
  for (const auto& request : requests) out.push_back(request.question);
  return out;
}

TEST(Orders, EveryKindIsASeededPermutation) {
  const auto topic = ten_topics(300);
  for (const auto kind : {OrderKind::kRandom, OrderKind::kTopicBlocked, OrderKind::kDrifting}) {
    const auto one = questions_of(make_order(300, topic, {.kind = kind}, 1));
    EXPECT_EQ(std::set<std::uint32_t>(one.begin(), one.end()).size(), 300u);
    EXPECT_EQ(one.size(), 300u);
    EXPECT_EQ(one, questions_of(make_order(300, topic, {.kind = kind}, 1)));
    EXPECT_NE(one, questions_of(make_order(300, topic, {.kind = kind}, 2)));
  }
  EXPECT_TRUE(make_order(0, {}, {}, 1).empty());
}

TEST(Orders, RandomIsUniform) {
  // Place of question 0 over 2,000 seeds in five fifths: 400 each, standard deviation 18.
  std::map<std::size_t, int> fifths;
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    const auto order = questions_of(make_order(50, {}, {}, seed));
    ++fifths[static_cast<std::size_t>(std::find(order.begin(), order.end(), 0u) - order.begin()) / 10];
  }
  for (const auto& [fifth, count] : fifths) EXPECT_NEAR(count, 400, 90) << fifth;
}

TEST(Orders, TopicBlocksAreWhole) {
  const auto topic = ten_topics(300);
  const auto order = questions_of(make_order(300, topic, {.kind = OrderKind::kTopicBlocked}, 5));
  int changes = 0;
  for (std::size_t i = 1; i < order.size(); ++i) changes += topic[order[i]] != topic[order[i - 1]];
  EXPECT_EQ(changes, 9);
}

TEST(Orders, DriftIsGradual) {
  const auto topic = ten_topics(2000);
  const auto order = questions_of(make_order(2000, topic, {.kind = OrderKind::kDrifting}, 5));
  std::vector<std::map<std::uint32_t, int>> tenths(10);
  for (std::size_t i = 0; i < order.size(); ++i) ++tenths[i / 200][topic[order[i]]];
  const auto overlap = [&](std::size_t a, std::size_t b) {
    int common = 0;
    for (const auto& [t, count] : tenths[a])
      common += std::min(count, tenths[b].count(t) ? tenths[b].at(t) : 0);
    return common;
  };
  EXPECT_LT(overlap(0, 9), 20) << "the ends have hardly a topic in common";
  for (std::size_t i = 0; i + 1 < 10; ++i) {
    EXPECT_GE(tenths[i].size(), 3u) << "no stretch is of one topic";
    EXPECT_GT(overlap(i, i + 1), 100) << "neighbouring stretches resemble each other";
  }
}

TEST(Orders, RepeatsComeAfterTheFirstTimeAtTheirShare) {
  const OrderOptions options{.repeat_share = .4, .paraphrase_share = .25};
  const auto order = make_order(3000, {}, options, 9);
  EXPECT_EQ(order.size(), 5000u);
  std::set<std::uint32_t> seen;
  int repeats = 0, paraphrased = 0, in_the_last_half = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const bool repeat = !seen.insert(order[i].question).second;
    EXPECT_TRUE(repeat || order[i].variant == 0) << "the first time is as recorded";
    repeats += repeat;
    paraphrased += order[i].variant > 0;
    in_the_last_half += repeat && i >= order.size() / 2;
    EXPECT_LE(order[i].variant, kParaphraseVariants);
  }
  EXPECT_EQ(seen.size(), 3000u);
  EXPECT_EQ(repeats, 2000);
  EXPECT_NEAR(paraphrased, 500, 100);
  EXPECT_GT(in_the_last_half, 1200);
  EXPECT_EQ(make_order(3000, {}, {.repeat_share = .4, .requests_max = 3500}, 9).size(), 3500u);
}

TEST(Orders, SessionsAreOfOneTopicAndBounded) {
  const auto topic = ten_topics(500);
  const auto order = make_order(500, topic, {.session_turns = 4}, 3);
  std::map<std::uint32_t, std::vector<std::uint32_t>> sessions;
  for (const auto& request : order) sessions[request.session].push_back(request.question);
  std::map<std::size_t, int> lengths;
  for (const auto& [session, turns] : sessions) {
    ++lengths[turns.size()];
    for (const auto q : turns) EXPECT_EQ(topic[q], topic[turns.front()]);
  }
  EXPECT_EQ(lengths.size(), 4u);
  EXPECT_EQ(lengths.rbegin()->first, 4u);
  const auto single = make_order(500, topic, {}, 3);
  std::set<std::uint32_t> distinct;
  for (const auto& request : single) distinct.insert(request.session);
  EXPECT_EQ(distinct.size(), 500u);
}

TEST(Orders, TextFormsAndErrors) {
  EXPECT_EQ(order_text(*parse_order("random")), "random");
  EXPECT_EQ(order_text(*parse_order("drifting+sessions=3+repeats=.25")), "drifting+repeats=0.25+sessions=3");
  EXPECT_EQ(order_text(*parse_order("repeats")), "random+repeats=0.3");
  EXPECT_EQ(order_text(*parse_order("paraphrases")), "random+repeats=0.3+paraphrases=0.5");
  EXPECT_EQ(order_text(*parse_order("multi-turn")), "random+sessions=4");
  for (const char* text : {"random+repeats=.3+paraphrases=.5", "topic-blocked+sessions=7", "drifting"}) {
    const auto parsed = parse_order(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(order_text(*parse_order(order_text(*parsed))), order_text(*parsed));
  }
  for (const char* text : {"", "sorted", "random+", "random+repeats", "random+repeats=1", "random+repeats=x",
                           "random+sessions=0", "random+repeats=.3x", "random+seeds=3", "random+repeats=nan",
                           "random+repeats=0+paraphrases=.5"}) {
    const auto parsed = parse_order(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, "bad_order");
  }
}

TEST(Paraphrase, ChangesTheSurfaceOnly) {
  const std::string text = "Which is prime? Say why.\nA. 4\nB. 5";
  std::set<std::string> seen;
  for (std::uint32_t v = 1; v <= kParaphraseVariants; ++v) {
    const auto other = surface_paraphrase(text, v);
    EXPECT_NE(other, text);
    EXPECT_TRUE(other.ends_with("\nA. 4\nB. 5")) << other;
    EXPECT_EQ(other, surface_paraphrase(text, v));
    seen.insert(surface_paraphrase("Which is prime? Say why.", v));
  }
  EXPECT_EQ(seen.size(), kParaphraseVariants) << "on one line with letters and blanks all of them differ";
  EXPECT_EQ(surface_paraphrase(text, 0), text);
  EXPECT_EQ(surface_paraphrase("HTTP is?", 7), "Please help me with this: HTTP is?")
      << "an abbreviation stays";
  EXPECT_NE(surface_paraphrase("", 5), "");
}

}  // namespace
}  // namespace brevet
