// `brevet calibrate`: thresholds from what a gateway has stored. The gateway must be stopped (the store has
// one owner).
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "app/commands.h"
#include "memory/memory.h"
#include "store/store.h"
#include "train/threshold_calibration.h"

namespace brevet {
namespace {

using OutcomesByPartition = std::map<std::string, std::vector<StoredOutcome>>;

/// What the nearest remembered request would have said, as `rar` reads it: its similarity where it was one
/// that weak could serve, -1 (never served by weak) where it was not.
std::vector<ScoredOutcome> nearest_scores(const OutcomesByPartition& all) {
  constexpr std::size_t kNewest = 5'000;  // quadratic: 5,000 take seconds
  std::vector<ScoredOutcome> out;
  for (const auto& [key, outcomes] : all) {
    const std::size_t from = outcomes.size() > kNewest ? outcomes.size() - kNewest : 0;
    for (std::size_t i = from + 1; i < outcomes.size(); ++i) {
      const auto& mine = outcomes[i];
      if (!mine.embedding) continue;
      double best = -1;
      bool agreed = false;
      for (std::size_t j = from; j < i; ++j) {
        if (!outcomes[j].embedding || outcomes[j].embedding->size() != mine.embedding->size()) continue;
        double dot = 0;
        for (std::size_t d = 0; d < mine.embedding->size(); ++d) {
          dot += static_cast<double>((*mine.embedding)[d]) * (*outcomes[j].embedding)[d];
        }
        if (dot > best) {
          best = dot;
          agreed = outcomes[j].agrees;
        }
      }
      out.push_back({agreed ? best : -1, mine.agrees});
    }
  }
  return out;
}

/// The estimate that `adaptive` would have had before it learned the outcome: every outcome is new when it is
/// predicted.
std::vector<ScoredOutcome> estimate_scores(const OutcomesByPartition& all) {
  std::vector<ScoredOutcome> out;
  Memory memory;
  for (const auto& [key, outcomes] : all) {
    for (const auto& outcome : outcomes) {
      RequestFeatures features;
      features.embedding = outcome.embedding;
      if (outcome.words) features.words = *outcome.words;
      const auto estimate = memory.publish()->estimate(outcome.partition, features);
      if (estimate.outcomes > 0) out.push_back({estimate.p_agree, outcome.agrees});
      memory.absorb(outcome.partition, {outcome.id, outcome.request_hash, outcome.embedding, outcome.words,
                                        outcome.agrees, outcome.weak_logprob});
    }
  }
  return out;
}

std::string percent(double share) {
  return fmt::format("{:.1f}%", share * 100);
}

}  // namespace

int calibrate_command(const CalibrateFlags& flags) {
  const auto path = flags.data_dir + "/brevet.db";
  if (!std::filesystem::exists(path)) {
    return complain({ErrorKind::kCallerInvalid, "no_data",
                     "There is no " + path + "; name the gateway's data folder.", "--data-dir", 0, ""},
                    2);
  }
  StoreOptions options;
  options.path = path;
  options.retention = Microseconds{0};
  auto store = open_store(options);
  if (!store) return complain(store.error());
  OutcomesByPartition outcomes;
  std::uint64_t n = 0;
  const auto loaded = (*store)->load({[](StoredSkill) {}, [](StoredGuide) {},
                                      [&](StoredOutcome outcome) {
                                        if (outcome.guide_id != 0) return;
                                        if (!flags.tenant.empty() && outcome.partition.tenant != flags.tenant)
                                          return;
                                        ++n;
                                        outcomes[outcome.partition.key()].push_back(std::move(outcome));
                                      }});
  if (!loaded) return complain(loaded.error());
  const bool by_neighbour = flags.what == "tau_skill";
  const auto scores = by_neighbour ? nearest_scores(outcomes) : estimate_scores(outcomes);
  CalibrationOptions wanted;
  wanted.target = flags.target;
  wanted.confidence = flags.confidence;
  const auto result = calibrate_threshold(scores, wanted);
  if (!result) return complain(result.error());
  fmt::print("{} outcomes of {} partitions; every other one chooses, the rest check.\n", n, outcomes.size());
  if (outcomes.size() > 1) {
    fmt::print(
        "They are pooled: one threshold for all tenants, model pairs and system prompts among them{}.\n",
        flags.tenant.empty() ? "; --tenant NAME looks at one tenant" : "");
  }
  fmt::print("{:>13}  {:>7}  {:>8}  {:>11}  {:>17}\n", flags.what, "n", "to weak", "agreement",
             fmt::format("lower {:.0f}% bound", flags.confidence * 100));
  for (const auto& row : result->rows) {
    if (by_neighbour && row.threshold < 0) continue;
    fmt::print("{:>13.3f}  {:>7}  {:>8}  {:>11}  {:>17}\n", row.threshold, row.n, percent(row.share),
               percent(row.agreement.mean), percent(row.lower_bound));
  }
  if (!result->threshold) {
    fmt::print(
        "No threshold has its lower bound at {}: with this evidence the weak model has not earned it. More "
        "outcomes or a lower "
        "--target may help.\n",
        percent(flags.target));
    return 1;
  }
  const auto& check = *result->check;
  fmt::print(
      "\nChosen: {:.4f}. On the other half it sends {} to weak, which agrees in {} ({} to {}, n = {}).\n",
      *result->threshold, percent(check.share), percent(check.agreement.mean), percent(check.agreement.low),
      percent(check.agreement.high), check.n);
  fmt::print("In the configuration: strategy: {{name: {}, {}: {:.4f}}}\n", by_neighbour ? "rar" : "adaptive",
             flags.what, *result->threshold);
  return 0;
}

}  // namespace brevet
