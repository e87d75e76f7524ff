// Goal: repeated and nearly repeated questions share a cluster, others do not, whatever their order. Method:
// hand-made texts, brute-force similarity on random texts, the real files through BREVET_DATA.
#include "dataset/clusters.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <numeric>
#include <set>

#include "base/random.h"

namespace brevet {
namespace {

std::string words(Draws& draws, int count, int vocabulary) {
  std::string out;
  for (int i = 0; i < count; ++i)
    out += "w" + std::to_string(static_cast<int>(draws.uniform() * vocabulary)) + " ";
  return out;
}

std::set<std::string> shingles(const std::string& text) {
  std::vector<std::string> list;
  std::size_t at = 0;
  for (std::size_t end; (end = text.find(' ', at)) != std::string::npos; at = end + 1)
    list.push_back(text.substr(at, end - at));
  std::set<std::string> out;
  for (std::size_t i = 0; i + 3 <= list.size(); ++i)
    out.insert(list[i] + " " + list[i + 1] + " " + list[i + 2]);
  return out;
}

double similarity(const std::string& a, const std::string& b) {
  const auto x = shingles(a), y = shingles(b);
  std::vector<std::string> both;
  std::set_intersection(x.begin(), x.end(), y.begin(), y.end(), std::back_inserter(both));
  return static_cast<double>(both.size()) / static_cast<double>(x.size() + y.size() - both.size());
}

TEST(Clusters, NormalisedTextForgetsCaseBlanksAndPunctuation) {
  EXPECT_EQ(text_for_clusters("  What is  2+2?\n"), "what is 2 2");
  EXPECT_EQ(text_for_clusters("Größe"), "größe");
  EXPECT_EQ(text_for_clusters("?!"), "");
}

TEST(Clusters, ExactNearAndDifferent) {
  const std::string story =
      "A farmer has nine sheep and buys four more at the market on Monday, then sells two of them to a "
      "neighbour who "
      "lives across the river. How many sheep does the farmer have in the end?";
  auto edited = story;
  edited.replace(edited.find("neighbour"), 9, "friend");
  const auto out =
      cluster_texts({story, "Name the capital of France.", edited, "name the capital of FRANCE", "??", "!!"});
  EXPECT_EQ(out.of, (std::vector<std::uint32_t>{0, 1, 0, 1, 2, 3}));
  EXPECT_EQ(out.count, 4u);
  EXPECT_EQ(out.exact_joined, 1u);
  EXPECT_EQ(out.near_joined, 1u);
  EXPECT_EQ(out.largest, 2u);
}

TEST(Clusters, SourceIdsJoin) {
  const auto out = cluster_texts({"one", "two", "three"}, {}, {"s", "", "s"});
  EXPECT_EQ(out.of, (std::vector<std::uint32_t>{0, 1, 0}));
  EXPECT_EQ(out.id_joined, 1u);
}

TEST(Clusters, BoilerplateMakesNothingSimilar) {
  // 200 questions of twenty common and eight own words: a similarity of .5 at the least through boilerplate
  // alone.
  std::vector<std::string> texts;
  Draws draws(3, 1);
  Draws common(4, 1);
  const auto prefix = words(common, 100, 100000);
  for (int i = 0; i < 200; ++i) texts.push_back(prefix + words(draws, 8, 100000));
  EXPECT_EQ(cluster_texts(texts).count, 200u);
  ClusterOptions options;
  options.common_min = 1000;
  EXPECT_EQ(cluster_texts(texts, options).count, 1u) << "without the rule they are all one";
}

TEST(Clusters, AgreesWithBruteForceAwayFromTheThreshold) {
  Draws draws(17, 1);
  std::vector<std::string> texts;
  for (int i = 0; i < 120; ++i) {
    texts.push_back(words(draws, 40, 5000));
    // An edited copy: some words replaced, fewer or more.
    std::string copy;
    const double rate = draws.uniform() * .12;
    for (std::size_t at = 0, end; (end = texts.back().find(' ', at)) != std::string::npos; at = end + 1)
      copy += draws.uniform() < rate ? "changed" + std::to_string(texts.size()) + " "
                                     : texts.back().substr(at, end + 1 - at);
    texts.push_back(copy);
  }
  const auto out = cluster_texts(texts);
  int looked_at = 0;
  for (std::size_t i = 0; i < texts.size(); i += 2) {
    const double s = similarity(texts[i], texts[i + 1]);
    // A pair at .85 is missed by 20 bands of 5 rows with probability 2e-5.
    if (s >= .85) {
      EXPECT_EQ(out.of[i], out.of[i + 1]) << s;
    }
    if (s < .8) {
      EXPECT_NE(out.of[i], out.of[i + 1]) << s;
    }
    looked_at += s >= .85 || s < .8;
  }
  EXPECT_GT(looked_at, 90);
}

TEST(Clusters, DoNotDependOnTheOrderOfTheQuestions) {
  Draws draws(23, 1);
  std::vector<std::string> texts;
  for (int i = 0; i < 60; ++i) {
    const auto text = words(draws, 30, 4000);
    texts.push_back(text);
    if (i % 3 == 0) texts.push_back(text + "tail");
    if (i % 5 == 0) texts.push_back(" " + text);
  }
  const auto forward = cluster_texts(texts);
  auto reversed = texts;
  std::reverse(reversed.begin(), reversed.end());
  const auto backward = cluster_texts(reversed);
  ASSERT_EQ(forward.count, backward.count);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j)
      ASSERT_EQ(forward.of[i] == forward.of[j],
                backward.of[texts.size() - 1 - i] == backward.of[texts.size() - 1 - j]);
  }
}

TEST(Clusters, LargeBucketsAreBounded) {
  std::vector<std::string> texts;
  Draws draws(29, 1);
  const auto base = words(draws, 400, 100000);
  for (int i = 0; i < 300; ++i) texts.push_back(base + "end" + std::to_string(i));
  ClusterOptions options;
  options.common_min = 1000;
  options.bucket_max = 10;
  const auto out = cluster_texts(texts, options);
  EXPECT_EQ(out.count, 1u) << "the first of a bucket are enough where all are alike";
  EXPECT_GT(out.not_compared, 0u);
}

TEST(RealData, ClustersOfTheRecordedFiles) {
  const struct {
    const char* file;
    std::size_t largest_max, joined_min;
  } cases[] = {{"routellm_mmlu.jsonl.gz", 60, 82},
               {"mmlu_pro.jsonl.gz", 60, 127},
               {"llmrouter_uiuc.jsonl.gz", 60, 119}};
  for (const auto& item : cases) {
    const char* folder = std::getenv("BREVET_DATA");
    const std::string path = std::string(folder ? folder : "") + "/" + item.file;
    if (!folder || !std::filesystem::exists(path))
      GTEST_SKIP() << "BREVET_DATA names no folder with " << item.file << ": not clustered.";
    const auto records = read_outcome_file(path);
    ASSERT_TRUE(records) << records.error().message;
    std::vector<std::string> texts;
    for (const auto& record : *records) texts.push_back(cluster_text(record));
    const auto out = cluster_texts(texts);
    EXPECT_LE(out.largest, item.largest_max) << item.file;
    EXPECT_GE(out.exact_joined, item.joined_min) << item.file;
    std::printf("%s: %zu questions, %u clusters, largest %zu, exact %zu, near %zu, beyond bucket_max %zu\n",
                item.file, texts.size(), out.count, out.largest, out.exact_joined, out.near_joined,
                out.not_compared);
  }
}

}  // namespace
}  // namespace brevet
