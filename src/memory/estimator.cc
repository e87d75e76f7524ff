#include "memory/estimator.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "memory/simd.h"

namespace brevet {
namespace {

constexpr double kLogitMax = 6.9;     // .001 to .999
constexpr double kRidgeEdge = 0.02;   // a least-squares prediction is no probability; near 0 and 1 it is cut
constexpr double kRidgePenalty = 10;  // of the embedding; of the constant it is 1
constexpr std::uint64_t kRidgeFrom = 64;     // outcomes; below, its matrix would cost more than it knows
constexpr double kWordsRate = 0.3;           // AdaGrad's step
constexpr double kWordsGradientStart = 0.1;  // its first sum of squares
constexpr std::uint64_t kPlattFrom = 50;     // outcomes before predictions are worth calibrating
constexpr double kPlattSlopeMin = 0.05;      // the score stays monotone in P(agree)
constexpr double kSpotCheckWeight = 10;
constexpr std::uint64_t kAfterEach = 20;  // pairs of either kind before the log-probability is used
constexpr double kVarianceMin = 0.05;     // of a Bernoulli step, so that a sure prediction still moves
constexpr double kLogprobShift = 1e-8;
constexpr double kLogprobScale = 3;
constexpr double kLogprobMin = -50;
// Predictions are off by .03 to .12 (standard deviation over subjects of recorded data) however many
// neighbours there are, as if they rested on 12 to 240 trials; the cautious side.
constexpr double kTrialsMax = 30;
constexpr double kNormal90 = 1.6448536269514722;

double sigmoid(double z) {
  return z >= 0 ? 1 / (1 + std::exp(-z)) : std::exp(z) / (1 + std::exp(z));
}
double logit(double p) {
  const double z = std::log(p / (1 - p));
  return std::clamp(std::isfinite(z) ? z : (p > 0.5 ? kLogitMax : -kLogitMax), -kLogitMax, kLogitMax);
}

constexpr std::size_t kLanes = 8;  // doubles of the widest SIMD register
/// Rows of the ridge matrix: the embedding, the constant, and zeros up to a whole number of SIMD lanes.
std::size_t ridge_rows(std::size_t dimension) {
  return (dimension + 1 + kLanes - 1) / kLanes * kLanes;
}
std::vector<double> ridge_input(const float* embedding, std::size_t dimension) {
  std::vector<double> x(ridge_rows(dimension));
  std::copy_n(embedding, dimension, x.begin());
  x[dimension] = 1;
  return x;
}

struct Interval {
  double lower = 0;
  double upper = 1;
};
Interval wilson90(double p, double n) {
  if (!(n > 0)) return {};
  const double z2 = kNormal90 * kNormal90;
  const double centre = (p + z2 / (2 * n)) / (1 + z2 / n);
  const double half = kNormal90 / (1 + z2 / n) * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n));
  return {std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

/// One step of online Newton for logistic regression (an extended Kalman filter): `covariance` is row-major N
/// x N.
template <std::size_t N>
void newton_step(std::array<double, N>& weights, std::array<double, N * N>& covariance,
                 const std::array<double, N>& x, bool label, double weight) {
  double z = 0;
  for (std::size_t i = 0; i < N; ++i) z += weights[i] * x[i];
  const double p = sigmoid(z);
  const double variance = std::max(p * (1 - p), kVarianceMin) * weight;
  std::array<double, N> cx{};
  double spread = 1 / variance;
  for (std::size_t i = 0; i < N; ++i) {
    for (std::size_t j = 0; j < N; ++j) cx[i] += covariance[i * N + j] * x[j];
    spread += x[i] * cx[i];
  }
  const double step = ((label ? 1.0 : 0.0) - p) * weight / variance / spread;
  for (std::size_t i = 0; i < N; ++i) {
    weights[i] += cx[i] * step;
    for (std::size_t j = 0; j < N; ++j) covariance[i * N + j] -= cx[i] * cx[j] / spread;
  }
}

std::array<double, 3> after_input(double p_before, double mean_logprob) {
  return {1, logit(p_before),
          -std::log(kLogprobShift - std::clamp(mean_logprob, kLogprobMin, 0.0)) / kLogprobScale};
}

template <class F>
void each_word(const SparseVector& words, F&& visit) {
  for (std::size_t i = 0; i < std::min(words.index.size(), words.value.size()); ++i) {
    visit(words.index[i], static_cast<double>(words.value[i]));
  }
}

/// Empty for a request without words. `weight_of` returns null for a word that was never learned.
template <class F>
std::optional<double> logit_of_words(const SparseVector* words, double bias, F&& weight_of) {
  if (words == nullptr || words->index.empty()) return std::nullopt;
  double z = bias;
  each_word(*words, [&](std::uint32_t index, double value) {
    if (const float* w = weight_of(index)) z += static_cast<double>(*w) * value;
  });
  return z;
}

}  // namespace

Estimate EstimateView::estimate(const Embedding* embedding, const SparseVector* words,
                                NearOutcomes* nearest) const {
  return combine(
      embedding,
      logit_of_words(words, words_bias_, [this](std::uint32_t index) { return words_.find(index); }),
      nearest);
}

Estimate EstimateView::combine(const Embedding* embedding, std::optional<double> words,
                               NearOutcomes* nearest) const {
  Estimate out;
  out.outcomes = outcomes_;
  if (outcomes_ == 0) return out;
  double sum = 0;
  int views = 0;
  if (embedding != nullptr && index_.size() > 0 && embedding->size() == index_.dimension()) {
    std::function<bool(std::uint32_t)> alive;
    if (labels_.size() < index_.size())
      alive = [this](std::uint32_t slot) { return labels_.find(slot) != nullptr; };
    const auto near = index_.nearest(*embedding, kNeighbours, -2, alive);
    double weight = 0;
    double weight_squared = 0;
    double agreed = 0;
    double worth = 0;
    const double whole = std::exp((kWholeSimilarity - 1) / kKernelWidth);
    for (const auto& hit : near) {
      const auto& label = *labels_.find(hit.slot);
      if (nearest != nullptr && nearest->size < nearest->list.size()) {
        nearest->list[nearest->size++] = {label.request_key, hit.similarity};
      }
      const double w = std::exp((static_cast<double>(hit.similarity) - 1) / kKernelWidth);
      if (static_cast<double>(hit.similarity) >= kNearSimilarity) worth += std::min(1.0, w / whole);
      weight += w;
      weight_squared += w * w;
      if (label.agrees) agreed += w;
    }
    if (!near.empty() && std::isfinite(weight)) {
      const double prior = kPriorNeighbours * weight / static_cast<double>(near.size());
      sum += logit((agreed + prior * rate()) / (weight + prior));
      ++views;
      out.effective_n = std::min(weight * weight / weight_squared, worth);
      if (!ridge_.empty()) {
        const auto x = ridge_input(embedding->data(), embedding->size());
        sum += logit(std::clamp(dot(ridge_.data(), x.data(), x.size()) + 0.5, kRidgeEdge, 1 - kRidgeEdge));
        ++views;
      }
    }
  }
  if (words) {
    sum += std::clamp(*words, -kLogitMax, kLogitMax);
    ++views;
  }
  out.score = views > 0 ? sum / views : logit(rate());
  out.p_agree = sigmoid(std::max(platt_[0], kPlattSlopeMin) * out.score + platt_[1]);
  const double trials = out.effective_n > 0 ? 1 / (1 / out.effective_n + 1 / kTrialsMax) : 0;
  const auto interval = wilson90(out.p_agree, trials);
  out.lower = interval.lower;
  out.upper = interval.upper;
  return out;
}

std::optional<double> EstimateView::after_answer(const Estimate& before, double mean_logprob) const {
  if (after_agreed_ < kAfterEach || after_differed_ < kAfterEach || before.outcomes == 0 ||
      std::isnan(mean_logprob)) {
    return std::nullopt;
  }
  const auto x = after_input(before.p_agree, mean_logprob);
  return sigmoid(after_[0] * x[0] + after_[1] * x[1] + after_[2] * x[2]);
}

void Estimator::absorb(const Outcome& outcome) {
  const bool repeat = !known_.try_emplace(outcome.request_hash, outcome.id).second;
  if (!repeat) {
    by_id_[outcome.id].request_hash = outcome.request_hash;
    ++absorbed_;
  }
  if (when_ == LearnTime::kWhenAsked) {
    waiting_.push_back({outcome, repeat});
  } else {
    learn(outcome, repeat);
  }
}

void Estimator::catch_up() {
  for (const auto& next : waiting_) learn(next.outcome, next.repeat);
  waiting_.clear();
}

std::optional<double> Estimator::word_logit(const SparseVector* words) const {
  return logit_of_words(words, state_.words_bias_, [this](std::uint32_t index) {
    const auto* word = words_.find(index);
    return word != nullptr ? &word->weight : nullptr;
  });
}

Estimate Estimator::estimate(const Embedding* embedding, const SparseVector* words, NearOutcomes* nearest) {
  catch_up();
  made_.estimate = state_.combine(embedding, word_logit(words), nearest);
  made_.valid = true;
  made_.has_embedding = embedding != nullptr;
  if (embedding != nullptr) made_.embedding = *embedding;
  made_.has_words = words != nullptr;
  if (words != nullptr) made_.words = *words;
  return made_.estimate;
}

bool Estimator::made_for(const Outcome& outcome) const {
  if (!made_.valid || made_.has_embedding != (outcome.embedding != nullptr) ||
      made_.has_words != (outcome.words != nullptr))
    return false;
  return (!outcome.embedding || *outcome.embedding == made_.embedding) &&
         (!outcome.words ||
          (outcome.words->index == made_.words.index && outcome.words->value == made_.words.value));
}

std::optional<double> Estimator::after_answer(const Estimate& before, double mean_logprob) {
  catch_up();
  return state_.after_answer(before, mean_logprob);
}

void Estimator::learn(const Outcome& outcome, bool repeat) {
  if (repeat) {
    made_.valid = false;
    if (const auto& slot = by_id_.at(known_.at(outcome.request_hash)).slot) {
      state_.labels_.set(*slot, {hash_bytes(outcome.request_hash), outcome.agrees});
    }
    return;
  }
  learn_calibration(outcome, made_for(outcome) ? made_.estimate
                                               : state_.combine(outcome.embedding.get(),
                                                                word_logit(outcome.words.get()), nullptr));
  made_.valid = false;
  state_.total_ += 1;
  state_.agreed_ += outcome.agrees ? 1 : 0;
  ++state_.outcomes_;
  learn_neighbour(outcome);
  if (outcome.words) learn_words(*outcome.words, outcome.agrees);
}

/// On predictions made without the label, so that calibration sees the errors that requests will see.
void Estimator::learn_calibration(const Outcome& outcome, const Estimate& before) {
  if (before.outcomes < kPlattFrom) return;
  newton_step<2>(state_.platt_, platt_covariance_, {before.score, 1}, outcome.agrees,
                 outcome.spot_check ? kSpotCheckWeight : 1);
  if (!outcome.weak_logprob || std::isnan(*outcome.weak_logprob)) return;
  newton_step<3>(state_.after_, after_covariance_, after_input(before.p_agree, *outcome.weak_logprob),
                 outcome.agrees, 1);
  ++(outcome.agrees ? state_.after_agreed_ : state_.after_differed_);
}

void Estimator::learn_neighbour(const Outcome& outcome) {
  Known& known = by_id_.at(outcome.id);
  auto& index = state_.index_;
  const auto& embedding = outcome.embedding;
  if (!embedding || embedding->empty() || (index.size() > 0 && embedding->size() != index.dimension()) ||
      !std::all_of(embedding->begin(), embedding->end(), [](float x) { return std::isfinite(x); })) {
    return;
  }
  known.slot = index.append(*embedding);
  state_.labels_.set(*known.slot, {hash_bytes(outcome.request_hash), outcome.agrees});
  if (!covariance_.empty()) {
    learn_ridge(embedding->data(), outcome.agrees);
  } else if (index.size() >= kRidgeFrom) {
    const std::size_t rows = ridge_rows(index.dimension());
    covariance_.assign(rows * rows, 0);
    for (std::size_t i = 0; i < rows; ++i)
      covariance_[i * rows + i] = i == index.dimension() ? 1 : 1 / kRidgePenalty;
    state_.ridge_.assign(rows, 0);
    for (std::uint32_t slot = 0; slot < index.size(); ++slot) {
      if (const auto* label = state_.labels_.find(slot)) learn_ridge(index.vector(slot), label->agrees);
    }
  }
}

void Estimator::learn_ridge(const float* embedding, bool agrees) {
  const auto x = ridge_input(embedding, state_.index_.dimension());
  const std::size_t rows = x.size();
  std::vector<double> px(rows);
  // The matrix is symmetric, so of each row only what lies right of its block of SIMD lanes is read and
  // written: half the memory, which is what this costs.
  for (std::size_t i = 0; i < rows; ++i) {
    const std::size_t block = i / kLanes * kLanes;
    const std::size_t right = block + kLanes;
    const double* row = &covariance_[i * rows];
    px[i] += dot(row + block, x.data() + block, rows - block);
    add_scaled(px.data() + right, x[i], row + right, rows - right);
  }
  const double spread = 1 + dot(x.data(), px.data(), rows);
  const double error = (agrees ? 0.5 : -0.5) - dot(state_.ridge_.data(), x.data(), rows);
  add_scaled(state_.ridge_.data(), error / spread, px.data(), rows);
  for (std::size_t i = 0; i < rows; ++i) {
    const std::size_t block = i / kLanes * kLanes;
    add_scaled(&covariance_[i * rows + block], -px[i] / spread, px.data() + block, rows - block);
  }
}

void Estimator::learn_words(const SparseVector& words, bool agrees) {
  const double gradient = sigmoid(word_logit(&words).value_or(state_.words_bias_)) - (agrees ? 1.0 : 0.0);
  each_word(words, [&](std::uint32_t index, double value) {
    const double own = gradient * value;
    auto& word = words_.change(index);
    if (word.squares == 0) word.squares = static_cast<float>(kWordsGradientStart);
    word.squares = static_cast<float>(static_cast<double>(word.squares) + own * own);
    word.weight = static_cast<float>(static_cast<double>(word.weight) -
                                     kWordsRate * own / std::sqrt(static_cast<double>(word.squares)));
  });
  words_bias_gradient_ += gradient * gradient;
  state_.words_bias_ -= kWordsRate * gradient / std::sqrt(words_bias_gradient_);
}

void Estimator::forget(std::uint64_t id) {
  catch_up();  // what waits may be about it
  made_.valid = false;
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return;
  if (found->second.slot) state_.labels_.erase(*found->second.slot);
  known_.erase(found->second.request_hash);
  by_id_.erase(found);
  const std::size_t dead = state_.index_.size() - state_.labels_.size();
  if (dead >= VectorIndex::kBlock && dead * 4 >= state_.index_.size()) compact();
}

/// Moves the living together, in their order, so that forgotten vectors give their memory back.
void Estimator::compact() {
  VectorIndex index;
  PersistentMap<EstimateView::Label> labels;
  std::unordered_map<std::uint32_t, std::uint32_t> moved;
  std::vector<float> vector(state_.index_.dimension());
  for (std::uint32_t slot = 0; slot < state_.index_.size(); ++slot) {
    const auto* label = state_.labels_.find(slot);
    if (label == nullptr) continue;
    std::copy_n(state_.index_.vector(slot), vector.size(), vector.begin());
    moved[slot] = index.append(vector);
    labels.set(moved[slot], *label);
  }
  for (auto& [id, known] : by_id_) {
    if (known.slot) known.slot = moved.at(*known.slot);
  }
  state_.index_ = std::move(index);
  state_.labels_ = std::move(labels);
}

bool Estimator::full() const {
  return absorbed_ >= kRidgeFrom;
}

std::size_t Estimator::bytes() const {
  // An outcome: its slot's label and two entries by hash and by id, with the hash twice. A word: its weight
  // in the map and its sum of squares. Both measured with bench/memory_bench.
  constexpr std::size_t kOutcomeBytes = 400;
  constexpr std::size_t kWordBytes = 100;
  return state_.index_.bytes() + by_id_.size() * kOutcomeBytes + words_.size() * kWordBytes +
         (covariance_.size() + state_.ridge_.size()) * sizeof(double);
}

std::shared_ptr<const EstimateView> Estimator::publish() {
  catch_up();
  words_.take_changed([this](std::uint32_t index, float weight) { state_.words_.set(index, weight); });
  auto view = std::make_shared<EstimateView>(state_);
  view->index_ = state_.index_.snapshot();
  view->labels_ = state_.labels_.snapshot();
  view->words_ = state_.words_.snapshot();
  return view;
}

}  // namespace brevet
