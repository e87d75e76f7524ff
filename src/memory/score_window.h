// The newest scores that requests got, to say where a score lies among them: what a dial set to a share
// needs.
//
// A window and not all scores, because the estimate that gives them learns, and yesterday's scale is not
// today's. Part of Memory; the sorted copy goes into snapshots. Not thread-safe.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace brevet {

using SortedScores = std::shared_ptr<const std::vector<float>>;

class ScoreWindow {
 public:
  static constexpr std::size_t kMost = 500;   ///< a share is then known to about two points
  static constexpr std::size_t kLeast = 100;  ///< fewer say nothing about a quantile

  void add(double score) {
    if (!std::isfinite(score)) return;
    const auto added = static_cast<float>(score);
    std::optional<float> gone;
    if (scores_.size() < kMost) {
      scores_.push_back(added);
    } else {
      gone = std::exchange(scores_[next_], added);
    }
    next_ = (next_ + 1) % kMost;
    if (gone) ordered_.erase(std::lower_bound(ordered_.begin(), ordered_.end(), *gone));
    ordered_.insert(std::upper_bound(ordered_.begin(), ordered_.end(), added), added);
    sorted_ = nullptr;
  }

  /// A copy when something was added since; null until there are enough.
  SortedScores sorted() {
    if (!sorted_ && scores_.size() >= kLeast) sorted_ = std::make_shared<std::vector<float>>(ordered_);
    return sorted_;
  }

  /// Share of the scores below this one, those equal to it counted half.
  static std::optional<double> rank(const SortedScores& sorted, double score) {
    if (!sorted || !std::isfinite(score)) return std::nullopt;
    const auto [low, high] = std::equal_range(sorted->begin(), sorted->end(), static_cast<float>(score));
    const auto twice = (low - sorted->begin()) + (high - sorted->begin());
    return static_cast<double>(twice) / (2.0 * static_cast<double>(sorted->size()));
  }

  /// Oldest first, float32.
  std::string save() const {
    std::string out;
    out.reserve(scores_.size() * sizeof(float));
    const std::size_t first = scores_.size() < kMost ? 0 : next_;
    const auto append = [&](std::size_t from, std::size_t to) {
      out.append(reinterpret_cast<const char*>(scores_.data() + from), (to - from) * sizeof(float));
    };
    append(first, scores_.size());
    append(0, first);
    return out;
  }

  /// False (and nothing changes) when the blob is not one of ours.
  bool load(std::string_view blob) {
    if (blob.size() % sizeof(float) != 0 || blob.size() > kMost * sizeof(float)) return false;
    std::vector<float> scores(blob.size() / sizeof(float));
    if (!scores.empty()) std::memcpy(scores.data(), blob.data(), blob.size());
    if (!std::all_of(scores.begin(), scores.end(), [](float s) { return std::isfinite(s); })) return false;
    scores_.clear();
    ordered_.clear();
    next_ = 0;
    sorted_ = nullptr;
    for (const float score : scores) add(score);
    return true;
  }

 private:
  std::vector<float> scores_;
  std::vector<float> ordered_;  ///< the same, ascending
  std::size_t next_ = 0;        ///< where the next one goes, once the window is full
  SortedScores sorted_;
};

}  // namespace brevet
