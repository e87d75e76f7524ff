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
#include <vector>

namespace brevet {

using SortedScores = std::shared_ptr<const std::vector<float>>;

class ScoreWindow {
 public:
  static constexpr std::size_t kMost = 500;   ///< a share is then known to about two points
  static constexpr std::size_t kLeast = 100;  ///< fewer say nothing about a quantile

  void add(double score) {
    if (!std::isfinite(score)) return;
    if (scores_.size() < kMost) {
      scores_.push_back(static_cast<float>(score));
    } else {
      scores_[next_] = static_cast<float>(score);
    }
    next_ = (next_ + 1) % kMost;
    sorted_ = nullptr;
  }

  /// Sorts when something was added since; null until there are enough.
  SortedScores sorted() {
    if (!sorted_ && scores_.size() >= kLeast) {
      auto copy = std::make_shared<std::vector<float>>(scores_);
      std::sort(copy->begin(), copy->end());
      sorted_ = std::move(copy);
    }
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
    const std::size_t first = scores_.size() < kMost ? 0 : next_;
    for (std::size_t i = 0; i < scores_.size(); ++i) {
      const float score = scores_[(first + i) % scores_.size()];
      out.append(reinterpret_cast<const char*>(&score), sizeof score);
    }
    return out;
  }

  /// False (and nothing changes) when the blob is not one of ours.
  bool load(std::string_view blob) {
    if (blob.size() % sizeof(float) != 0 || blob.size() > kMost * sizeof(float)) return false;
    std::vector<float> scores(blob.size() / sizeof(float));
    if (!scores.empty()) std::memcpy(scores.data(), blob.data(), blob.size());
    if (!std::all_of(scores.begin(), scores.end(), [](float s) { return std::isfinite(s); })) return false;
    scores_.clear();
    next_ = 0;
    sorted_ = nullptr;
    for (const float score : scores) add(score);
    return true;
  }

 private:
  std::vector<float> scores_;
  std::size_t next_ = 0;  ///< where the next one goes, once the window is full
  SortedScores sorted_;
};

}  // namespace brevet
