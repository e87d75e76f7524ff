// What is remembered: skills and guides (RAR, arXiv 2411.09837; reconstruction in docs/life-of-a-request.md).
// Plain values as stored and as read.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "domain/features.h"

namespace brevet {

/// Whose memory an entry belongs to; entries of different partitions never see each other.
struct Partition {
  std::string tenant = "default";
  std::string encoder_hash;
  std::string weak;       ///< configuration key
  std::string reference;  ///< configuration key
  std::string system_hash;
  /// Stable key over all fields.
  std::string key() const;
  friend bool operator==(const Partition&, const Partition&) = default;
};

enum class SkillStatus { kWeakOk, kWeakWithGuide, kStrongOnly };
const char* name_of(SkillStatus status);
std::optional<SkillStatus> skill_status_from(std::string_view name);

/// A remembered request and what serves it.
struct Skill {
  std::uint64_t id = 0;  ///< assigned by the store, never reused
  std::string request_hash;
  std::shared_ptr<const Embedding> embedding;
  SkillStatus status = SkillStatus::kStrongOnly;
  std::uint64_t guide_id = 0;  ///< 0 = none
  std::string weak_model_id;   ///< id that the provider returned for the weak call
  Instant created{};
  Instant last_tried{};
  std::uint32_t tries = 0;
  std::uint32_t hits = 0;       ///< times it decided a request
  std::uint32_t confirmed = 0;  ///< spot checks that agreed
  std::uint32_t refuted = 0;    ///< spot checks that differed
  std::string text;             ///< only for routes that store text
};

/// A short text by the strong model that lets the weak one serve a kind of request.
struct Guide {
  std::uint64_t id = 0;
  std::string text;
  std::shared_ptr<const Embedding> embedding;  ///< of the request it was written for
  std::string source_request_hash;
  std::string author;           ///< configuration key of the model that wrote it
  std::string author_model_id;  ///< id that the provider returned
  std::string decision_id;      ///< provenance: the decision whose shadow wrote it
  Instant created{};
  std::uint32_t wins = 0;
  std::uint32_t losses = 0;
};

struct Neighbour {
  Skill skill;
  float similarity = 0;  ///< cosine, -1..1
};

struct GuideNeighbour {
  Guide guide;
  float similarity = 0;
};

/// What is expected of the weak configuration on a request, from everything remembered.
struct Estimate {
  double p_agree = 0;  ///< calibrated probability that weak's answer agrees with the reference's
  double lower = 0;    ///< 90% interval for p_agree from the effective number of neighbours
  double upper = 1;
  double effective_n = 0;  ///< effective number of remembered outcomes near the request; below .5: none near
  double score = 0;  ///< what the dial thresholds: higher = weak is better; monotone in p_agree unless said
  /// Quantile of the score among recent requests, 0..1, for a dial that is a share; empty until enough are
  /// seen.
  std::optional<double> score_rank;
  std::uint64_t outcomes = 0;  ///< outcomes learned from in this partition
  /// Skills of the nearest outcomes, nearest first, at most 3: what a person is shown as the reason.
  std::vector<Neighbour> nearest = {};
};
/// "about 12 near", or "none near": what a sentence says of effective_n.
std::string how_many_near(const Estimate& estimate);

}  // namespace brevet
