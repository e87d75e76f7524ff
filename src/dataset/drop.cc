#include "dataset/drop.h"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

namespace brevet {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const auto begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

/// Lengths in front keep different parts from running into equal bytes.
std::string question_key(const OutcomeRecord& record) {
  std::string key;
  const auto add = [&](std::string_view part) {
    part = trimmed(part);
    key += std::to_string(part.size());
    key += ':';
    key += part;
  };
  add(record.prompt);
  add(record.system_prompt);
  for (const auto& choice : record.choices) {
    add(choice.label);
    add(choice.text);
  }
  return key;
}

}  // namespace

Dropped drop_records(const std::vector<OutcomeRecord>& records, const DropOptions& options) {
  Dropped out;
  std::vector<std::uint32_t> left;
  for (std::uint32_t i = 0; i < records.size(); ++i) {
    if (options.contaminated && records[i].contaminated) {
      ++out.contaminated;
    } else {
      left.push_back(i);
    }
  }
  if (!options.duplicates) {
    out.kept = std::move(left);
    return out;
  }
  struct Group {
    std::size_t size = 0;
    std::set<std::string_view> answers;
    std::unordered_map<std::string_view, double> scores;  // of each model, as first seen
    bool conflicting = false;
  };
  std::unordered_map<std::string, Group> groups;
  std::vector<Group*> group_of(records.size(), nullptr);
  std::vector<bool> first(records.size());
  for (const auto i : left) {
    auto& group = groups[question_key(records[i])];
    first[i] = group.size++ == 0;
    if (const auto answer = trimmed(records[i].answer); !answer.empty()) group.answers.insert(answer);
    group.conflicting = group.conflicting || group.answers.size() > 1;
    for (const auto& [model, outcome] : records[i].models) {
      if (!options.models.empty() &&
          std::find(options.models.begin(), options.models.end(), model) == options.models.end())
        continue;
      const auto seen = group.scores.emplace(model, outcome.score).first;
      group.conflicting = group.conflicting || seen->second != outcome.score;
    }
    group_of[i] = &group;
  }
  for (const auto i : left) {
    if (group_of[i]->conflicting) {
      ++out.conflicting;
      out.conflicting_groups += first[i] ? 1 : 0;
    } else if (first[i]) {
      out.kept.push_back(i);
    } else {
      ++out.duplicates;
    }
  }
  return out;
}

}  // namespace brevet
