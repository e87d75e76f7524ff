// Goal: a guide that carries the answer is caught, a useful one is let through, and both error rates are
// known. Method: a labelled set of our own (tests/data/leak_cases.jsonl). The rules were worked on with the
// part "tuned" only; the part "held_out" measures. Exact (Clopper-Pearson) 95% intervals.
#include "prompt/leak_check.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <map>

#include "base/random.h"

namespace brevet {
namespace {

namespace json = boost::json;

/// P(X <= k) for X ~ Binomial(n, p).
double binomial_cdf(int k, int n, double p) {
  double sum = 0;
  for (int i = 0; i <= k; ++i) {
    sum += std::exp(std::lgamma(n + 1.0) - std::lgamma(i + 1.0) - std::lgamma(n - i + 1.0) + i * std::log(p) +
                    (n - i) * std::log1p(-p));
  }
  return sum;
}

struct Interval {
  double low = 0, high = 1;
};
/// Clopper-Pearson, by bisection of the exact tails.
Interval exact_interval(int k, int n, double alpha = 0.05) {
  Interval out;
  if (n == 0) return out;
  const auto solve = [](auto holds) {
    double low = 0, high = 1;
    for (int i = 0; i < 60; ++i) {
      const double middle = (low + high) / 2;
      (holds(middle) ? low : high) = middle;
    }
    return (low + high) / 2;
  };
  if (k > 0) out.low = solve([&](double p) { return 1 - binomial_cdf(k - 1, n, p) < alpha / 2; });
  if (k < n) out.high = solve([&](double p) { return binomial_cdf(k, n, p) > alpha / 2; });
  return out;
}

TEST(LeakCheck, ExactIntervalMatchesTheTables) {
  // R: binom.test(2, 50)$conf.int, binom.test(0, 20), binom.test(20, 20).
  EXPECT_NEAR(exact_interval(2, 50).low, 0.004881, 1e-5);
  EXPECT_NEAR(exact_interval(2, 50).high, 0.137138, 1e-5);
  EXPECT_NEAR(exact_interval(0, 20).high, 0.168433, 1e-5);
  EXPECT_NEAR(exact_interval(20, 20).low, 0.831567, 1e-5);
}

struct Count {
  int leaks = 0, missed = 0, clean = 0, refused = 0;
};
void print(const char* name, const Count& count) {
  const auto miss = exact_interval(count.missed, count.leaks);
  const auto refuse = exact_interval(count.refused, count.clean);
  std::printf("  %-22s leaks missed %2d/%-3d %.3f [%.3f, %.3f]   clean refused %2d/%-3d %.3f [%.3f, %.3f]\n",
              name, count.missed, count.leaks, count.leaks ? double(count.missed) / count.leaks : 0.0,
              miss.low, miss.high, count.refused, count.clean,
              count.clean ? double(count.refused) / count.clean : 0.0, refuse.low, refuse.high);
}

TEST(LeakCheck, LabelledSetBothErrorRates) {
  std::ifstream file(std::string(BREVET_SOURCE_DIR) + "/tests/data/leak_cases.jsonl");
  std::map<std::string, Count> counts;
  int total = 0;
  for (std::string line; std::getline(file, line);) {
    const auto row = json::parse(line).as_object();
    const auto text = [&](const char* key) { return std::string(row.at(key).as_string()); };
    const std::string guide = text("guide"), question = text("question"), answer = text("answer");
    const bool leaks = row.at("leaks").as_bool();
    const bool adversarial = row.contains("adversarial");
    const auto got = check_leak({guide, question, answer});
    ++total;
    for (const auto& key :
         {text("part"), text("part") + (adversarial ? " adversarial" : " plain"), "group " + text("group")}) {
      auto& count = counts[key];
      if (leaks) ++count.leaks, count.missed += !got.leaks;
      if (!leaks) ++count.clean, count.refused += got.leaks;
    }
    if (got.leaks != leaks && text("part") == "tuned") {
      std::printf("  %s (%s): [%s] answer [%s] question [%.60s]\n", leaks ? "missed" : "refused", got.why,
                  guide.c_str(), answer.c_str(), question.c_str());
    }
  }
  ASSERT_GE(total, 200);
  for (const auto& [name, count] : counts) print(name.c_str(), count);
  // Bounds on the part that no rule was written for: point estimates, as the set is fixed.
  const auto& held = counts["held_out"];
  EXPECT_LE(held.missed, held.leaks * 15 / 100);
  EXPECT_LE(held.refused, held.clean * 15 / 100);
  const auto& plain = counts["held_out plain"];
  EXPECT_LE(plain.missed, plain.leaks * 8 / 100);
}

TEST(LeakCheck, AGuideThatIsTheAnswerAlwaysLeaks) {
  const std::string choice = "Which?\nA. red\nB. green\nC. blue\nD. pink";
  for (const char* answer : {"A", "B", "C", "D", "The answer is (A).", "**C**"}) {
    EXPECT_TRUE(check_leak({answer, choice, answer}).leaks) << answer;
  }
  for (const char* answer : {"Yes", "No.", "yes", "The answer is no."}) {
    EXPECT_TRUE(check_leak({answer, "Is it so?", answer}).leaks) << answer;
  }
  for (const char* answer : {"42", "The result is 4,200.", "-7", "0.5", "3/4"}) {
    EXPECT_TRUE(check_leak({answer, "How much is it?", answer}).leaks) << answer;
  }
}

TEST(LeakCheck, HostileTextIsHarmless) {
  const std::string alphabet = "AaBbIi19.,/*^%$()[]{}\"'\\:=-+ \n`#_yesno\xE2\x80\x99";
  for (std::uint64_t i = 0; i < 1500; ++i) {
    std::string text[3];
    for (int part = 0; part < 3; ++part) {
      const auto key = i * 3 + static_cast<std::uint64_t>(part);
      for (std::uint64_t k = 0; k < key % 90; ++k) text[part] += alphabet[mix_bits(key, k) % alphabet.size()];
    }
    check_leak({text[0], text[1], text[2]});
    check_leak({text[0], text[1] + "\nA. x\nB. 9\nC. y", text[2]});
    check_leak({text[0], "How many?", text[2]});
  }
  const std::string big(40'000, '9');
  check_leak({big, "How many?", big});
  check_leak({std::string(40'000, '('), "Q\nA. x\nB. y", "B"});
}

}  // namespace
}  // namespace brevet
