#include "train/preference_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <unordered_set>

namespace brevet {

Result<std::vector<Battle>> battles_from_outcomes(const std::vector<OutcomeRecord>& records,
                                                  const BattlesFromOutcomes& options) {
  std::set<std::string> missing(options.configurations.begin(), options.configurations.end());
  std::vector<Battle> out;
  for (const auto& record : records) {
    std::vector<std::pair<std::string, double>> scored;
    for (const auto& [name, outcome] : record.models) {
      missing.erase(name);
      if (options.configurations.empty() ||
          std::find(options.configurations.begin(), options.configurations.end(), name) !=
              options.configurations.end())
        scored.emplace_back(name, outcome.score);
    }
    for (std::size_t i = 0; i < scored.size(); ++i) {
      for (std::size_t j = i + 1; j < scored.size(); ++j) {
        const double lead = scored[i].second - scored[j].second;
        const bool tie = std::abs(lead) <= options.tie_margin;
        if (tie && !options.ties) continue;
        Battle battle;
        battle.prompt = record.prompt;
        battle.system_prompt = record.system_prompt;
        battle.choices = record.choices;
        battle.a = scored[i].first;
        battle.b = scored[j].first;
        battle.winner = tie ? Winner::kTie : lead > 0 ? Winner::kA : Winner::kB;
        battle.source = options.source;
        out.push_back(std::move(battle));
      }
    }
  }
  if (!missing.empty()) {
    return fail(ErrorKind::kCallerInvalid, "unknown_model",
                fmt::format("No record has an outcome of {}.", fmt::join(missing, ", ")), "models");
  }
  if (out.empty()) {
    return fail(ErrorKind::kCallerInvalid, "no_battles",
                options.ties ? "No record has outcomes of two configurations, so there is nothing to compare."
                             : "All comparisons are ties, and ties are left out.");
  }
  return out;
}

NearDuplicates remove_near_duplicates(std::vector<Battle>& battles,
                                      const std::vector<OutcomeRecord>& evaluation,
                                      const ClusterOptions& options) {
  NearDuplicates count;
  count.evaluation_prompts = evaluation.size();
  // Pairs of one question share their text, which is looked at once.
  std::map<std::string, std::uint32_t> places;
  std::vector<std::string> texts;
  std::vector<std::uint32_t> place_of;
  for (const auto& battle : battles) {
    auto text = cluster_text(question_of(battle));
    const auto [at, fresh] = places.try_emplace(text, static_cast<std::uint32_t>(texts.size()));
    if (fresh) texts.push_back(std::move(text));
    place_of.push_back(at->second);
  }
  for (const auto& record : evaluation) texts.push_back(cluster_text(record));
  const auto clusters = cluster_texts(texts, options);
  std::unordered_set<std::uint32_t> measured;
  for (std::size_t i = places.size(); i < texts.size(); ++i) measured.insert(clusters.of[i]);
  std::set<std::uint32_t> prompts;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < battles.size(); ++i) {
    if (measured.contains(clusters.of[place_of[i]])) {
      prompts.insert(place_of[i]);
      continue;
    }
    if (kept != i) battles[kept] = std::move(battles[i]);
    ++kept;
  }
  count.removed = battles.size() - kept;
  count.removed_prompts = prompts.size();
  battles.resize(kept);
  return count;
}

std::vector<BattleCounts> count_battles(const std::vector<Battle>& battles) {
  std::map<std::pair<std::string, std::string>, BattleCounts> rows;
  for (const auto& battle : battles) {
    const bool in_order = battle.a < battle.b;
    auto& row = rows[in_order ? std::pair(battle.a, battle.b) : std::pair(battle.b, battle.a)];
    row.a = std::min(battle.a, battle.b);
    row.b = std::max(battle.a, battle.b);
    if (battle.winner == Winner::kTie) {
      ++row.ties;
    } else if ((battle.winner == Winner::kA) == in_order) {
      ++row.a_wins;
    } else {
      ++row.b_wins;
    }
  }
  std::vector<BattleCounts> out;
  out.reserve(rows.size());
  for (auto& [key, row] : rows) out.push_back(std::move(row));
  std::stable_sort(out.begin(), out.end(), [](const BattleCounts& x, const BattleCounts& y) {
    return x.a_wins + x.b_wins + x.ties > y.a_wins + y.b_wins + y.ties;
  });
  return out;
}

}  // namespace brevet
