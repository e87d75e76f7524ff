#include "learning/pending_changes.h"

#include <algorithm>
#include <charconv>

namespace brevet {

std::string NextIds::to_setting() const {
  return std::to_string(skill) + " " + std::to_string(guide) + " " + std::to_string(outcome) + " " +
         std::to_string(decision_number);
}

bool NextIds::raise_to(const std::string& setting) {
  std::uint64_t values[4] = {};
  const char* place = setting.data();
  const char* const end = place + setting.size();
  for (auto& value : values) {
    while (place != end && *place == ' ') ++place;
    const auto [after, error] = std::from_chars(place, end, value);
    if (error != std::errc()) return false;
    place = after;
  }
  skill = std::max(skill, values[0]);
  guide = std::max(guide, values[1]);
  outcome = std::max(outcome, values[2]);
  decision_number = std::max(decision_number, values[3]);
  return true;
}

std::string model_id_setting(const std::string& model) {
  return "model_id/" + model;
}
std::string scores_setting(const Partition& partition) {
  return "scores/" + partition.key();
}

std::optional<Outcome> labelled(const StoredOutcome& stored) {
  if (stored.guide_id != 0) return std::nullopt;
  Outcome outcome;
  outcome.id = stored.id;
  outcome.request_hash = stored.request_hash;
  outcome.embedding = stored.embedding;
  outcome.words = stored.words;
  outcome.agrees = stored.agrees;
  outcome.weak_logprob = stored.weak_logprob;
  outcome.spot_check = stored.spot_check;
  return outcome;
}

std::optional<Skill> PendingChanges::skill(const Partition& partition,
                                           const std::string& request_hash) const {
  if (!skill_ids_.empty()) {
    const auto pending = skill_ids_.find({partition.key(), request_hash});
    if (pending != skill_ids_.end()) return skills_.at(pending->second).skill;
  }
  const SkillPtr known = memory_.find_skill(partition, request_hash);
  if (!known) return std::nullopt;
  return *known;
}

std::optional<StoredSkill> PendingChanges::skill(std::uint64_t id) const {
  if (const auto pending = skills_.find(id); pending != skills_.end()) return pending->second;
  Partition partition;
  const SkillPtr known = memory_.skill_by_id(id, &partition);
  if (!known) return std::nullopt;
  return StoredSkill{partition, *known};
}

std::optional<Guide> PendingChanges::guide(const Partition& partition, std::uint64_t id) const {
  if (const auto pending = guides_.find(id); pending != guides_.end()) {
    if (!(pending->second.partition == partition)) return std::nullopt;
    return pending->second.guide;
  }
  const GuidePtr known = memory_.find_guide(partition, id);
  if (!known) return std::nullopt;
  return *known;
}

std::uint64_t PendingChanges::put(const Partition& partition, Skill skill) {
  if (skill.id == 0) skill.id = ids_.skill++;
  const std::uint64_t id = skill.id;
  skill_ids_[{partition.key(), skill.request_hash}] = id;
  skills_[id] = {partition, std::move(skill)};
  return id;
}

std::uint64_t PendingChanges::put(const Partition& partition, Guide guide) {
  if (guide.id == 0) guide.id = ids_.guide++;
  const std::uint64_t id = guide.id;
  guides_[id] = {partition, std::move(guide)};
  return id;
}

void PendingChanges::add(StoredOutcome outcome) {
  outcome.id = ids_.outcome++;
  outcomes_.push_back(std::move(outcome));
}

bool PendingChanges::changes_model_id(const std::string& model, const std::string& returned_id) const {
  const auto pending = model_ids_.find(model);
  const std::string known = pending != model_ids_.end() ? pending->second : memory_.model_id(model);
  return !known.empty() && known != returned_id;
}

void PendingChanges::saw_model_id(const std::string& model, const std::string& returned_id) {
  if (!returned_id.empty()) model_ids_[model] = returned_id;
}

void PendingChanges::saw_decision_number(std::uint64_t number) {
  ids_.decision_number = std::max(ids_.decision_number, number + 1);
}

void PendingChanges::evict() {
  std::map<std::string, std::pair<Partition, std::size_t>> new_skills;
  for (const auto& [id, stored] : skills_) {
    if (id < ids_before_.skill) continue;
    auto& [partition, count] = new_skills[stored.partition.key()];
    partition = stored.partition;
    ++count;
  }
  for (const auto& [key, incoming] : new_skills) {
    for (const auto id : memory_.skills_to_evict(incoming.first, incoming.second)) {
      forget_skills_.push_back(id);
      skills_.erase(id);  // a change to what goes is no longer wanted
    }
  }
  std::map<std::string, std::pair<Partition, std::size_t>> new_guides;
  for (const auto& [id, stored] : guides_) {
    if (id < ids_before_.guide) continue;
    auto& [partition, count] = new_guides[stored.partition.key()];
    partition = stored.partition;
    ++count;
  }
  for (const auto& [key, incoming] : new_guides) {
    for (const auto id : memory_.guides_to_evict(incoming.first, incoming.second)) {
      forget_guides_.push_back(id);
      guides_.erase(id);
    }
  }
}

void PendingChanges::write_to(WriteBatch& batch) const {
  for (const auto& [id, stored] : skills_) batch.skills.push_back(stored);
  for (const auto& [id, stored] : guides_) batch.guides.push_back(stored);
  batch.outcomes.insert(batch.outcomes.end(), outcomes_.begin(), outcomes_.end());
  batch.forget_skills.insert(batch.forget_skills.end(), forget_skills_.begin(), forget_skills_.end());
  batch.forget_guides.insert(batch.forget_guides.end(), forget_guides_.begin(), forget_guides_.end());
  for (const auto& [model, id] : model_ids_) {
    if (memory_.model_id(model) == id) continue;
    batch.settings.emplace_back(model_id_setting(model), memory_.save_model_ids(model, id));
    if (memory_.starts_anew(model, id)) {
      const auto gone = memory_.outcomes_of(model);
      batch.forget_outcomes.insert(batch.forget_outcomes.end(), gone.begin(), gone.end());
    }
  }
  if (ids_ != ids_before_) batch.settings.emplace_back(kIdsSetting, ids_.to_setting());
}

void PendingChanges::apply(Memory& memory) const {
  // First, for it may start estimates anew that the outcomes of this batch are for.
  for (const auto& [model, id] : model_ids_) memory.set_model_id(model, id);
  for (const auto id : forget_skills_) memory.remove_skill(id);
  for (const auto id : forget_guides_) memory.remove_guide(id);
  for (const auto& [id, stored] : guides_) memory.put_guide(stored.partition, stored.guide);
  for (const auto& [id, stored] : skills_) memory.put_skill(stored.partition, stored.skill);
  for (const auto& outcome : outcomes_) {
    if (const auto feeds = labelled(outcome)) memory.absorb(outcome.partition, *feeds);
  }
  for (const auto& [partition, score] : scores_) memory.observe_score(partition, score);
}

}  // namespace brevet
