#include "router/reference_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "base/random.h"
#include "memory/simd.h"

namespace brevet {
namespace {

constexpr std::size_t kWordBits = 64;
typedef float FourLanes __attribute__((vector_size(16)));
struct Four {
  FourLanes lanes{};
};
typedef float FourAnywhere __attribute__((vector_size(16), aligned(4)));

void sketch_of(const float* row, std::size_t dimension, std::uint64_t* out) {
  for (std::size_t j = 0; j < dimension; ++j) {
    if (row[j] > 0) out[j / kWordBits] |= std::uint64_t{1} << (j % kWordBits);
  }
}

bool nearer(const ReferenceRows::Hit& a, const ReferenceRows::Hit& b) {
  return a.similarity != b.similarity ? a.similarity > b.similarity : a.row < b.row;
}

}  // namespace

void RowEntries::finish() {
  dense.clear();
  if (sums > kDense) return;
  dense.assign((begin.size() - 1) * kDense, 0);
  for (std::size_t i = 0; i + 1 < begin.size(); ++i) {
    for (std::uint32_t e = begin[i]; e < begin[i + 1]; ++e) dense[i * kDense + sum[e]] += value[e];
  }
}

ReferenceRows::ReferenceRows(const Tensor& rows)
    : rows_(rows.values.data()),
      count_(rows.shape[0]),
      dimension_(rows.shape[1]),
      words_((dimension_ + kWordBits - 1) / kWordBits) {
  if (count_ <= kExactMax) return;
  sketches_.assign(count_ * words_, 0);
  for (std::size_t i = 0; i < count_; ++i) {
    sketch_of(rows_ + i * dimension_, dimension_, sketches_.data() + i * words_);
  }
  // Evenly spaced rows may share a topic with every other, so each is drawn inside its stretch.
  for (std::size_t s = 0; s < kSample; ++s) {
    const std::size_t from = s * count_ / kSample;
    const std::size_t to = (s + 1) * count_ / kSample;
    const auto row = static_cast<std::uint32_t>(from + mix_bits(count_, s) % (to - from));
    sample_.push_back(row);
    sample_rows_.insert(sample_rows_.end(), rows_ + row * dimension_, rows_ + (row + 1) * dimension_);
  }
}

float ReferenceRows::similarity(const float* query, std::uint32_t row) const {
  return dot(query, rows_ + std::size_t{row} * dimension_, dimension_);
}

std::uint16_t ReferenceRows::candidates(const Embedding& query, std::vector<std::uint16_t>& distances,
                                        std::vector<Hit>& found) const {
  std::vector<std::uint64_t> sketch(words_, 0);
  sketch_of(query.data(), dimension_, sketch.data());
  distances.resize(count_);
  hamming(sketches_.data(), count_, sketch.data(), words_, distances.data());
  // Counted by several hands: equal distances in a row would wait for each other.
  constexpr std::size_t kHands = 4;
  std::vector<std::uint32_t> counts((dimension_ + 1) * kHands, 0);
  for (std::size_t i = 0; i < count_; ++i) ++counts[distances[i] * kHands + i % kHands];
  std::size_t within = 0;
  std::uint16_t last = 0;
  for (std::size_t d = 0; d <= dimension_; ++d) {
    for (std::size_t hand = 0; hand < kHands; ++hand) within += counts[d * kHands + hand];
    last = static_cast<std::uint16_t>(d);
    if (within >= kCandidates) break;
  }
  found.clear();
  for (std::size_t i = 0; i < count_; ++i) {
    if (distances[i] > last) continue;
    const auto row = static_cast<std::uint32_t>(i);
    found.push_back({row, 0});
  }
  for (auto& hit : found) hit.similarity = similarity(query.data(), hit.row);
  return last;
}

std::vector<ReferenceRows::Hit> ReferenceRows::nearest(const Embedding& query, std::size_t k) const {
  std::vector<Hit> found;
  if (query.size() != dimension_) return found;
  if (sketches_.empty()) {
    found.reserve(count_);
    for (std::uint32_t i = 0; i < count_; ++i) found.push_back({i, similarity(query.data(), i)});
  } else {
    thread_local std::vector<std::uint16_t> distances;
    candidates(query, distances, found);
  }
  k = std::min(k, found.size());
  std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(k), found.end(), nearer);
  found.resize(k);
  return found;
}

void ReferenceRows::weighted_sums(const Embedding& query, const RowEntries& entries,
                                  const std::function<double(double, double)>& weight,
                                  std::span<double> out) const {
  std::fill(out.begin(), out.end(), 0.0);
  if (query.size() != dimension_) return;
  thread_local std::vector<Hit> exact;
  thread_local std::vector<std::uint16_t> distances;
  std::uint16_t last = 0;
  if (sketches_.empty()) {
    exact.clear();
    for (std::uint32_t i = 0; i < count_; ++i) exact.push_back({i, similarity(query.data(), i)});
  } else {
    last = candidates(query, distances, exact);
  }
  double largest = -1;
  for (const auto& hit : exact) largest = std::max(largest, static_cast<double>(hit.similarity));
  for (const auto& hit : exact) {
    const double w = weight(hit.similarity, largest);
    for (std::uint32_t e = entries.begin[hit.row]; e < entries.begin[hit.row + 1]; ++e) {
      out[entries.sum[e]] += w * entries.value[e];
    }
  }
  if (sketches_.empty()) return;

  // Per distance, what the rows that were not compared would add to each sum.
  const std::size_t steps = dimension_ + 1;
  // Most far rows have nearly the same distance; added by one hand they would wait for each other.
  constexpr std::size_t kHands = 4;
  thread_local std::vector<double> mass;
  mass.assign(entries.sums * steps, 0);
  if (!entries.dense.empty()) {
    thread_local std::vector<Four> fours;
    fours.assign(steps * kHands, Four{});
    const float* from = entries.dense.data();
    for (std::size_t i = 0; i < count_; ++i, from += RowEntries::kDense) {
      fours[distances[i] * kHands + i % kHands].lanes += *reinterpret_cast<const FourAnywhere*>(from);
    }
    for (std::size_t d = 0; d < steps; ++d) {
      for (std::size_t hand = 0; hand < kHands; ++hand) {
        for (std::size_t s = 0; s < entries.sums; ++s) {
          mass[s * steps + d] += static_cast<double>(fours[d * kHands + hand].lanes[s]);
        }
      }
    }
  } else {
    for (std::size_t i = 0; i < count_; ++i) {
      for (std::uint32_t e = entries.begin[i]; e < entries.begin[i + 1]; ++e) {
        mass[entries.sum[e] * steps + distances[i]] += entries.value[e];
      }
    }
  }
  // similarity = a + b cos(pi distance / bits): the cosine is what sign sketches estimate (Charikar 2002).
  std::vector<double> angle(steps);
  for (std::size_t d = 0; d < steps; ++d) {
    angle[d] = std::cos(std::numbers::pi * static_cast<double>(d) / static_cast<double>(dimension_));
  }
  double n = 0, su = 0, sv = 0, suu = 0, suv = 0;
  std::vector<std::pair<std::uint16_t, float>> seen;
  for (std::size_t s = 0; s < sample_.size(); ++s) {
    const auto distance = distances[sample_[s]];
    if (distance <= last) continue;
    const float v = dot(query.data(), sample_rows_.data() + s * dimension_, dimension_);
    const double u = angle[distance];
    seen.emplace_back(distance, v);
    n += 1, su += u, sv += v, suu += u * u, suv += u * v;
  }
  if (n == 0) return;
  const double spread = suu - su * su / n;
  const double b = spread > 1e-9 ? (suv - su * sv / n) / spread : 0;
  const double a = (sv - b * su) / n;
  std::vector<double> by_distance(steps);
  for (std::size_t d = 0; d < steps; ++d) by_distance[d] = weight(a + b * angle[d], largest);
  double true_weight = 0, read_weight = 0;
  for (const auto& [distance, v] : seen) {
    true_weight += weight(v, largest);
    read_weight += by_distance[distance];
  }
  const double factor = read_weight > 0 ? true_weight / read_weight : 1;
  for (std::size_t s = 0; s < entries.sums; ++s) {
    for (std::size_t d = last + std::size_t{1}; d < steps; ++d)
      out[s] += factor * by_distance[d] * mass[s * steps + d];
  }
}

}  // namespace brevet
