// Which of several experts' answers to believe: the selector of MoRE (Si et al. 2023, arXiv 2305.14628).
//
// A forest says P(right) of each answer from the question, the answer, its reasoning, and how it agrees with
// the others; the highest is served, or none where it is too low. Fitted by src/train/fit_more.h, read by the
// strategy `more`. Immutable, thread-safe, pure; tens of microseconds a question. Features are the paper's
// that do not need a passage: expert, question words, lengths, numbers, log-probability, experts that say the
// same, word overlap with each other answer, with the question and with the reasoning.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "router/artefact.h"

namespace brevet {

inline constexpr const char* kMore = "more";
inline constexpr std::size_t kExpertsMax = 8;

struct ExpertAnswer {
  bool given = false;  ///< false: it failed, and is nobody's evidence
  std::string_view text;
  std::string_view reasoning;
  std::optional<double> mean_logprob;
  int group =
      -1;  ///< answers that come to the same have one number; -1 = it comes to nothing that could be compared
};

/// Numbers that expert_features() gives.
inline constexpr std::size_t kExpertFeatures = 41;
/// Of the answer of expert `which` among all. `answers` has at most kExpertsMax entries, by expert.
std::vector<float> expert_features(std::string_view question, const std::vector<ExpertAnswer>& answers,
                                   std::size_t which);

class ExpertModel {
 public:
  /// Errors: router_corrupt.
  static Result<std::shared_ptr<const ExpertModel>> create(std::shared_ptr<const Artefact> artefact);
  const RouterInfo& info() const { return artefact_->info; }
  /// P(right) of an answer by its features, 0..1.
  double p_right(const std::vector<float>& features) const;

 private:
  ExpertModel() = default;
  struct Node {
    std::int32_t feature;
    float threshold;
    std::uint32_t next;
  };
  std::shared_ptr<const Artefact> artefact_;
  std::vector<Node> nodes_;
  std::vector<std::uint32_t> roots_;
  std::vector<float> values_;
};

/// The model of a router of kind `more`, null for every other.
const ExpertModel* experts_of(const Router& router);
/// A router of kind `more`; it says nothing of a request before there are answers. Errors: router_corrupt.
Result<RouterPtr> make_expert_router(std::shared_ptr<const Artefact> artefact);

}  // namespace brevet
