// What is expected of the weak configuration on a request, learned online from labelled outcomes of one
// partition.
//
// The idea: no single view of a request predicts well (AUROC .55 to .70 before the answer), but three cheap
// ones make different mistakes. Each gives a logit of P(agree), the three are averaged with equal weights
// (learned weights gained nothing on recorded data), and a Platt map learned on predictions made before their
// label was known calibrates:
//
//   neighbours  the 100 nearest outcomes, weight exp((cos - 1) / .2), and a prior of 8 mean-weight neighbours
//   that say
//               the overall rate
//   ridge       recursive least squares on the embedding and a constant, target agree - 1/2
//   words       logistic regression with AdaGrad on hashed words
//
// Example: 62 of 70 effective neighbours agreed (with the prior .86), ridge says .78, words .80:
// logits 1.82, 1.27, 1.39, mean 1.49, which the Platt map with slope .9 turns into P = .79. The interval is
// Wilson's at 90% for 1 / (1/n + 1/30) trials, n the effective neighbours: predictions have an error that
// more neighbours do not cure. n is (sum w)^2 / sum w^2, which says how even the weights are and not how
// large, so it is never more than what the neighbours are worth by their own similarity: one at .7 counts
// whole, one at .5 as .37, one below .3 not at all. Far from everything n is 0 and the interval says nothing.
// It speaks about requests that look like this one to the estimate, not about what no view of it shows.
//
// After the answer a second logistic regression adds the weak model's own mean log-probability, which is
// where most of the signal is (AUROC .78 to .89): on [1, logit P before, -ln(1e-8 - logprob) / 3].
//
// Known weaknesses: a drift of the weak model is followed only as fast as outcomes come; outcomes of requests
// that the dial sent to weak are rare (spot checks), so they weigh more in the Platt map; ridge costs
// dimension squared per outcome, on the learning thread.
//
// Estimator is the owner's (one thread); EstimateView is immutable and what a snapshot holds. Equal outcomes
// in equal order give bit-identical estimates on equal machines, whether they are learned at once or when an
// estimate is asked for.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "domain/features.h"
#include "domain/memory_entry.h"
#include "memory/persistent_map.h"
#include "memory/vector_index.h"
#include "memory/word_table.h"

namespace brevet {

/// One labelled outcome of the weak configuration, alone.
struct Outcome {
  std::uint64_t id = 0;  ///< grows with time
  std::string request_hash;
  std::shared_ptr<const Embedding> embedding;  ///< may be null
  std::shared_ptr<const SparseVector> words;   ///< may be null
  bool agrees = false;
  std::optional<double> weak_logprob;
  bool spot_check =
      false;  ///< weak had served: few of these stand for many, so they weigh more in calibration
};

/// The nearest outcomes, nearest first; those past `size` are unset.
struct NearOutcomes {
  struct One {
    std::uint64_t request_key = 0;  ///< hash_bytes of the request hash
    float similarity = 0;
  };
  std::array<One, 3> list;
  std::size_t size = 0;
};

/// Everything an estimate reads; copies share all but a few hundred numbers.
class EstimateView {
 public:
  /// outcomes = 0 when nothing is known. score_rank is left empty.
  /// `nearest`, when given, receives the nearest outcomes that were weighed.
  Estimate estimate(const Embedding* embedding, const SparseVector* words,
                    NearOutcomes* nearest = nullptr) const;
  /// P(agree) once the answer's mean log-probability is known; empty until enough such pairs of both kinds
  /// were seen.
  std::optional<double> after_answer(const Estimate& before, double mean_logprob) const;

 private:
  friend class Estimator;
  static constexpr std::size_t kNeighbours = 100;
  static constexpr double kKernelWidth = 0.2;
  static constexpr double kPriorNeighbours = 8;
  /// An outcome this near counts as a whole one for effective_n; farther ones as the part of its weight that
  /// theirs is.
  static constexpr double kWholeSimilarity = 0.7;
  /// Sentence encoders put unrelated texts below; such an outcome counts as none.
  static constexpr double kNearSimilarity = 0.3;

  struct Label {
    std::uint64_t request_key = 0;
    bool agrees = false;
  };

  double rate() const { return agreed_ / total_; }
  /// `words` is the logit by words, empty for a request without any.
  Estimate combine(const Embedding* embedding, std::optional<double> words, NearOutcomes* nearest) const;

  VectorIndex index_;
  PersistentMap<Label> labels_;  ///< by slot of the index
  std::vector<double> ridge_;    ///< empty until there are enough outcomes
  PersistentMap<float> words_;   ///< as of publish(); the owner reads its own table
  double words_bias_ = 0;
  std::array<double, 2> platt_{1, 0};  ///< slope, intercept
  std::array<double, 3> after_{0, 0.5, 0.5};
  std::uint64_t after_agreed_ = 0;
  std::uint64_t after_differed_ = 0;
  double agreed_ = 0.5;  ///< with half an outcome of each kind as prior
  double total_ = 1;
  std::uint64_t outcomes_ = 0;
};

/// kWhenAsked: outcomes wait until somebody asks, and are learned then in their order. For a replay on one
/// thread, where most strategies never ask; a reader on another thread must not pay for learning.
enum class LearnTime : std::uint8_t { kAtOnce, kWhenAsked };

class Estimator {
 public:
  Estimator() = default;
  /// `known`: for a replay on one thread, see VectorIndex.
  explicit Estimator(std::shared_ptr<const KnownNeighbours> known, LearnTime when = LearnTime::kAtOnce)
      : when_(when) {
    state_.index_ = VectorIndex(std::move(known));
  }
  /// An outcome of a request that was learned before only replaces its label: what is known of it by heart
  /// says nothing about requests that are not.
  void absorb(const Outcome& outcome);
  /// Takes an outcome out of the neighbours. What ridge, words and calibration made of it stays.
  void forget(std::uint64_t id);
  std::shared_ptr<const EstimateView> publish();
  // The owner's own reading, with everything absorbed so far: what publish() would answer.
  Estimate estimate(const Embedding* embedding, const SparseVector* words, NearOutcomes* nearest = nullptr);
  std::optional<double> after_answer(const Estimate& before, double mean_logprob);
  /// Whether it holds its large parts (the matrix of ridge, 1.2 MB at 384 dimensions), or is about to.
  bool full() const;
  /// About what it holds: counted from sizes, in constant time; without what waits to be learned.
  std::size_t bytes() const;

 private:
  struct Waiting {
    Outcome outcome;
    bool repeat = false;  ///< of a request that was learned before
  };

  /// The estimate that was made last, until the next outcome: the first outcome after a request is often its
  /// own, and calibration begins with the same question.
  struct Made {
    bool valid = false;
    bool has_embedding = false, has_words = false;
    Embedding embedding;
    SparseVector words;
    Estimate estimate;
  };

  void catch_up();
  bool made_for(const Outcome& outcome) const;
  void learn(const Outcome& outcome, bool repeat);
  std::optional<double> word_logit(const SparseVector* words) const;
  void learn_calibration(const Outcome& outcome, const Estimate& before);
  void learn_neighbour(const Outcome& outcome);
  void learn_ridge(const float* embedding, bool agrees);
  void learn_words(const SparseVector& words, bool agrees);
  void compact();

  EstimateView state_;
  LearnTime when_ = LearnTime::kAtOnce;
  std::vector<Waiting> waiting_;  ///< oldest first; bounded by what the owner keeps of outcomes
  std::uint64_t absorbed_ = 0;    ///< outcomes of different requests, those that wait included
  std::unordered_map<std::string, std::uint64_t> known_;  ///< request hash -> outcome id
  struct Known {
    std::string request_hash;
    std::optional<std::uint32_t> slot;
  };
  std::unordered_map<std::uint64_t, Known> by_id_;
  std::vector<double> covariance_;  ///< of ridge: rows x rows, row-major, upper half; empty until it starts
  WordTable words_;                 ///< what state_.words_ will be told by publish()
  Made made_;
  double words_bias_gradient_ = 0.1;
  std::array<double, 4> platt_covariance_{1.0 / 20, 0, 0, 1.0 / 4};
  std::array<double, 9> after_covariance_{1, 0, 0, 0, 0.25, 0, 0, 0, 0.25};
};

}  // namespace brevet
