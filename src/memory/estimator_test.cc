// Goal: the estimate predicts, is calibrated, is honest about what it does not know, and is the same after a
// rebuild. Method: seeded worlds in which the weak model is good at some topics and some words; every
// prediction is made before its label is learned.
#include "memory/estimator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "base/random.h"

namespace brevet {
namespace {

constexpr std::size_t kDimension = 64;

struct Example {
  Outcome outcome;
  double truth = 0;  ///< P(agree)
};

/// Requests about ten topics; how well weak does depends on the topic and on one word. The log-probability of
/// its answer says more than both.
class World {
 public:
  explicit World(unsigned seed) : random_(seed) {
    for (int t = 0; t < 10; ++t) topics_.push_back(noise());
  }
  Example next() {
    Example out;
    const std::size_t topic = random_() % topics_.size();
    auto vector = std::make_shared<Embedding>(noise());
    double norm = 0;
    for (std::size_t i = 0; i < kDimension; ++i) {
      (*vector)[i] += 1.5F * topics_[topic][i];
      norm += static_cast<double>((*vector)[i]) * (*vector)[i];
    }
    for (float& x : *vector) x = static_cast<float>(x / std::sqrt(norm));
    const bool hard_word = random_() % 4 == 0;
    auto words = std::make_shared<SparseVector>();
    words->index = {hard_word ? 7U : 8U, 100 + static_cast<std::uint32_t>(random_() % 50), 262'000};
    words->value = {0.577F, 0.577F, 0.577F};
    const double z = -2.0 + 0.45 * static_cast<double>(topic) - (hard_word ? 1.5 : 0) + 1.0;
    out.truth = 1 / (1 + std::exp(-z));
    const double uniform = static_cast<double>(random_() % 1'000'000) / 1e6;
    out.outcome.id = ++id_;
    out.outcome.request_hash = std::to_string(id_);
    out.outcome.embedding = vector;
    out.outcome.words = words;
    out.outcome.agrees = uniform < out.truth;
    std::normal_distribution<double> spread(out.outcome.agrees ? -2.5 : -0.8, 1.0);
    out.outcome.weak_logprob = -std::exp(spread(random_));
    return out;
  }

 private:
  Embedding noise() {
    std::normal_distribution<float> normal;
    Embedding v(kDimension);
    for (float& x : v) x = normal(random_);
    return v;
  }
  std::mt19937 random_;
  std::vector<Embedding> topics_;
  std::uint64_t id_ = 0;
};

Estimate ask(const EstimateView& view, const Outcome& outcome) {
  return view.estimate(outcome.embedding.get(), outcome.words.get());
}

double auroc(std::vector<std::pair<double, bool>> scored) {
  std::sort(scored.begin(), scored.end());
  double ranks = 0;
  double positive = 0;
  for (std::size_t i = 0; i < scored.size(); ++i) {
    if (scored[i].second) {
      ranks += static_cast<double>(i) + 1;
      ++positive;
    }
  }
  return (ranks - positive * (positive + 1) / 2) /
         (positive * (static_cast<double>(scored.size()) - positive));
}

TEST(Estimator, PredictsIsCalibratedAndTheAnswerAddsMost) {
  World world(1);
  Estimator estimator;
  std::vector<std::pair<double, bool>> before;
  std::vector<std::pair<double, bool>> best;
  std::vector<std::pair<double, bool>> after;
  struct Bin {
    double lower = 0, upper = 0, agreed = 0;
    int count = 0;
  };
  std::array<Bin, 5> bins;
  for (int i = 0; i < 3'000; ++i) {
    const auto example = world.next();
    const auto view = estimator.publish();
    const auto estimate = ask(*view, example.outcome);
    if (i >= 500) {
      before.emplace_back(estimate.p_agree, example.outcome.agrees);
      best.emplace_back(example.truth, example.outcome.agrees);
      const auto p = view->after_answer(estimate, *example.outcome.weak_logprob);
      ASSERT_TRUE(p);
      after.emplace_back(*p, example.outcome.agrees);
      EXPECT_LE(estimate.lower, estimate.p_agree);
      EXPECT_GE(estimate.upper, estimate.p_agree);
      EXPECT_GT(estimate.effective_n, 10);
      EXPECT_LE(estimate.effective_n, 100.0001);
      auto& bin = bins[std::min<std::size_t>(4, static_cast<std::size_t>(estimate.p_agree * 5))];
      bin.lower += estimate.lower;
      bin.upper += estimate.upper;
      bin.agreed += example.outcome.agrees ? 1 : 0;
      ++bin.count;
    }
    estimator.absorb(example.outcome);
  }
  // The best possible score is the true probability; chance is .5.
  EXPECT_GT(auroc(before), 0.5 + 0.75 * (auroc(best) - 0.5)) << auroc(before) << " of " << auroc(best);
  EXPECT_GT(auroc(after), auroc(before) + 0.1);
  // The interval speaks about requests that look alike to the estimate: their rate lies inside.
  for (const auto& bin : bins) {
    if (bin.count < 100) continue;
    EXPECT_GT(bin.agreed, bin.lower);
    EXPECT_LT(bin.agreed, bin.upper);
  }
  for (const auto* list : {&before, &after}) {
    double error = 0;
    for (int bin = 0; bin < 10; ++bin) {
      double predicted = 0;
      double happened = 0;
      for (const auto& [p, agreed] : *list) {
        if (std::min(9, static_cast<int>(p * 10)) != bin) continue;
        predicted += p;
        happened += agreed ? 1 : 0;
      }
      error += std::abs(predicted - happened);
    }
    EXPECT_LT(error / static_cast<double>(list->size()), 0.05) << "calibration error";
  }
}

TEST(Estimator, KnowsThatItKnowsNothing) {
  Estimator estimator;
  World world(2);
  const auto example = world.next();
  const auto nothing = ask(*estimator.publish(), example.outcome);
  EXPECT_EQ(nothing.outcomes, 0U);
  EXPECT_EQ(nothing.effective_n, 0);
  EXPECT_EQ(nothing.lower, 0);
  EXPECT_EQ(nothing.upper, 1);
  EXPECT_FALSE(estimator.publish()->after_answer(nothing, -0.1));

  for (int i = 0; i < 200; ++i) {
    auto outcome = world.next().outcome;
    outcome.weak_logprob = std::nullopt;
    estimator.absorb(outcome);
  }
  const auto view = estimator.publish();
  EXPECT_FALSE(view->after_answer(ask(*view, example.outcome), -0.1)) << "no pair was ever seen";
  // Without an encoder words and the overall rate are left, and no neighbours to count.
  const auto words_only = view->estimate(nullptr, example.outcome.words.get());
  EXPECT_EQ(words_only.outcomes, 200U);
  EXPECT_EQ(words_only.effective_n, 0);
  EXPECT_EQ(words_only.lower, 0);
  EXPECT_EQ(words_only.upper, 1);
  const auto rate_only = view->estimate(nullptr, nullptr);
  EXPECT_GT(rate_only.p_agree, 0.2);
  EXPECT_LT(rate_only.p_agree, 0.8);
}

/// The weights of far outcomes are as even as those of near ones; only their size tells them apart.
TEST(Estimator, FarFromEverythingNoneAreNearAndTheIntervalSaysNothing) {
  Estimator estimator;
  const auto at = [](float cosine, std::size_t axis) {
    Embedding v(kDimension, 0);
    v[0] = cosine;
    v[axis] = std::sqrt(1 - cosine * cosine);
    return v;
  };
  for (std::size_t i = 0; i < 100; ++i) {
    Outcome outcome;
    outcome.id = i + 1;
    outcome.request_hash = std::to_string(i);
    outcome.embedding = std::make_shared<Embedding>(at(0.95F, 2 + i % 60));
    outcome.agrees = i % 10 != 0;
    estimator.absorb(outcome);
  }
  const auto view = estimator.publish();
  const auto near = at(1, 1);
  NearOutcomes nearest;
  const auto known = view->estimate(&near, nullptr, &nearest);
  EXPECT_GT(known.effective_n, 90);
  EXPECT_LT(known.upper - known.lower, 0.35);
  EXPECT_EQ(how_many_near(known), "about 100 near");
  ASSERT_EQ(nearest.size, 3U);
  EXPECT_EQ(nearest.list[0].request_key, hash_bytes("0"));
  EXPECT_NEAR(nearest.list[0].similarity, 0.95, 1e-4);

  Embedding far(kDimension, 0);
  far[1] = 1;  // orthogonal to all of them
  const auto unknown = view->estimate(&far, nullptr);
  EXPECT_EQ(unknown.effective_n, 0);
  EXPECT_EQ(unknown.lower, 0);
  EXPECT_EQ(unknown.upper, 1);
  EXPECT_EQ(how_many_near(unknown), "none near");

  // Between: the farther, the less they are worth.
  double last = known.effective_n;
  double last_width = known.upper - known.lower;
  for (const float cosine : {0.7F, 0.6F, 0.5F, 0.4F, 0.33F}) {
    Embedding query(kDimension, 0);
    query[0] = cosine / 0.95F;
    query[1] = std::sqrt(1 - query[0] * query[0]);
    const auto estimate = view->estimate(&query, nullptr);
    EXPECT_LE(estimate.effective_n, last) << cosine;
    EXPECT_GT(estimate.upper - estimate.lower, last_width - 0.05) << cosine;
    last = estimate.effective_n;
    last_width = estimate.upper - estimate.lower;
  }
  EXPECT_LT(last, 20);
}

TEST(Estimator, OutcomesWithoutEmbeddingOrWordsAndBrokenOnesAreHarmless) {
  Estimator estimator;
  World world(3);
  for (int i = 0; i < 300; ++i) {
    auto outcome = world.next().outcome;
    if (i % 3 == 0) outcome.embedding = nullptr;
    if (i % 3 == 1) outcome.words = nullptr;
    if (i % 50 == 5) outcome.embedding = std::make_shared<Embedding>(Embedding(kDimension, std::nanf("")));
    if (i % 50 == 6) outcome.embedding = std::make_shared<Embedding>(Embedding{1, 0});
    if (i % 50 == 7) outcome.words = std::make_shared<SparseVector>(SparseVector{{1, 2}, {0.5F}});
    if (i % 50 == 8) outcome.weak_logprob = 5;
    if (i % 50 == 9) outcome.weak_logprob = -std::numeric_limits<double>::infinity();
    estimator.absorb(outcome);
  }
  const auto view = estimator.publish();
  const auto estimate = ask(*view, world.next().outcome);
  EXPECT_TRUE(std::isfinite(estimate.p_agree));
  EXPECT_TRUE(std::isfinite(estimate.score));
  const auto after = view->after_answer(estimate, 0);
  ASSERT_TRUE(after);
  EXPECT_TRUE(std::isfinite(*after));
  const Embedding broken(kDimension, std::nanf(""));
  EXPECT_TRUE(std::isfinite(view->estimate(&broken, nullptr).p_agree));
}

TEST(Estimator, ARepeatReplacesItsLabelAndTeachesNothingElse) {
  World world(4);
  Estimator once;
  Estimator often;
  std::vector<Outcome> outcomes;
  for (int i = 0; i < 150; ++i) {
    outcomes.push_back(world.next().outcome);
    once.absorb(outcomes.back());
    often.absorb(outcomes.back());
  }
  for (int i = 0; i < 1'000; ++i) {
    auto repeat = outcomes[7];
    repeat.id = 10'000 + static_cast<std::uint64_t>(i);
    often.absorb(repeat);
  }
  const auto query = world.next().outcome;
  EXPECT_EQ(ask(*often.publish(), query).p_agree, ask(*once.publish(), query).p_agree);
  auto turned = outcomes[7];
  turned.agrees = !turned.agrees;
  often.absorb(turned);
  EXPECT_EQ(ask(*often.publish(), query).outcomes, 150U);
  EXPECT_NE(ask(*often.publish(), outcomes[7]).score, ask(*once.publish(), outcomes[7]).score);
}

TEST(Estimator, TheSameOutcomesInTheSameOrderGiveTheSameBits) {
  World world(5);
  Estimator live;
  Estimator rebuilt;
  std::vector<Outcome> outcomes;
  std::shared_ptr<const EstimateView> early;
  for (int i = 0; i < 1'200; ++i) {
    outcomes.push_back(world.next().outcome);
    live.absorb(outcomes.back());
    if (i % 7 == 0) (void)live.publish();  // when it was published must not matter
    if (i == 600) early = live.publish();
  }
  const auto query = world.next().outcome;
  const auto early_answer = ask(*early, query);
  for (const auto& outcome : outcomes) rebuilt.absorb(outcome);
  const auto a = live.publish();
  const auto b = rebuilt.publish();
  for (int i = 0; i < 100; ++i) {
    const auto outcome = world.next().outcome;
    const auto first = ask(*a, outcome);
    const auto second = ask(*b, outcome);
    EXPECT_EQ(first.score, second.score);
    EXPECT_EQ(first.p_agree, second.p_agree);
    EXPECT_EQ(first.lower, second.lower);
    EXPECT_EQ(a->after_answer(first, -0.2), b->after_answer(second, -0.2));
  }
  const auto still = ask(*early, query);
  EXPECT_EQ(still.score, early_answer.score) << "a view changed after it was published";
  EXPECT_EQ(still.outcomes, 601U);
}

TEST(Estimator, LearningWhenAskedGivesTheSameBitsAsLearningAtOnce) {
  World world(5);
  Estimator at_once;
  Estimator when_asked(nullptr, LearnTime::kWhenAsked);
  std::vector<Outcome> asked;
  for (int i = 1; i <= 600; ++i) {
    auto outcome = world.next().outcome;
    if (i % 50 == 0) outcome.request_hash = "1";  // a label that changes
    if (i % 70 == 0) outcome.words = nullptr;
    if (i % 90 == 0) outcome.embedding = nullptr;
    // What a request asks is often what is learned next, and asking may change nothing.
    if (i % 3 == 0 || i < 10) {
      const auto view = at_once.publish();
      const auto expected = ask(*view, outcome);
      for (int again = 0; again < 2; ++again) {
        const auto found = when_asked.estimate(outcome.embedding.get(), outcome.words.get());
        ASSERT_EQ(found.p_agree, expected.p_agree) << i;
        ASSERT_EQ(found.score, expected.score);
        ASSERT_EQ(found.outcomes, expected.outcomes);
        ASSERT_EQ(when_asked.after_answer(found, -0.3), view->after_answer(expected, -0.3));
      }
    }
    at_once.absorb(outcome);
    when_asked.absorb(outcome);
    EXPECT_EQ(at_once.full(), when_asked.full()) << i;
    if (i % 100 == 0) {
      at_once.forget(static_cast<std::uint64_t>(i - 60));
      when_asked.forget(static_cast<std::uint64_t>(i - 60));
    }
    asked.push_back(outcome);
  }
  const auto one = at_once.publish();
  const auto other = when_asked.publish();
  for (const auto& outcome : asked) EXPECT_EQ(ask(*one, outcome).score, ask(*other, outcome).score);
}

TEST(Estimator, ForgettingTakesOutOfTheNeighboursAndGivesMemoryBack) {
  World world(6);
  Estimator estimator;
  std::vector<Outcome> outcomes;
  for (int i = 0; i < 5'000; ++i) {
    outcomes.push_back(world.next().outcome);
    estimator.absorb(outcomes.back());
    if (i >= 50) estimator.forget(outcomes[static_cast<std::size_t>(i - 50)].id);
  }
  const auto view = estimator.publish();
  double near = 0;
  for (int i = 0; i < 50; ++i) {
    const auto estimate = ask(*view, world.next().outcome);
    EXPECT_LE(estimate.effective_n, 50.0001);
    EXPECT_EQ(estimate.outcomes, 5'000U);
    near += estimate.effective_n / 50;
  }
  EXPECT_GT(near, 3) << "a tenth of the 50 outcomes kept is about the topic of a query";
  estimator.forget(999'999);
}

}  // namespace
}  // namespace brevet
