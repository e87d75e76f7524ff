#include "memory/memory.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <list>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "base/random.h"
#include "memory/reading.h"

namespace brevet {
namespace {

struct Place {
  PartitionState* state = nullptr;
  std::uint64_t key = 0;              ///< in Table::by_key
  std::optional<std::uint32_t> slot;  ///< in Table::by_slot; empty without a usable embedding
};

using Places = std::unordered_map<std::uint64_t, Place>;

bool usable(const std::shared_ptr<const Embedding>& embedding, const VectorIndex& index) {
  if (!embedding || embedding->empty() || (index.size() > 0 && embedding->size() != index.dimension()))
    return false;
  return std::all_of(embedding->begin(), embedding->end(), [](float x) { return std::isfinite(x); });
}

template <class T>
std::optional<std::uint32_t> insert_slot(Table<T>& table, const std::shared_ptr<const T>& entry) {
  if (!usable(entry->embedding, table.index)) return std::nullopt;
  const std::uint32_t slot = table.index.append(*entry->embedding);
  table.by_slot.set(slot, entry);
  return slot;
}

/// Removed entries keep their vector until a quarter are dead; then the living move together. Each entry pays
/// for at most four moves in its life.
template <class T>
void compact_if_worn(Table<T>& table, Places& places) {
  const std::size_t dead = table.index.size() - table.by_slot.size();
  if (dead < VectorIndex::kBlock || dead * 4 < table.index.size()) return;
  Table<T> fresh;
  fresh.by_key = std::move(table.by_key);
  for (std::uint32_t slot = 0; slot < table.index.size(); ++slot) {
    const auto* entry = table.by_slot.find(slot);
    if (entry != nullptr) places.at((*entry)->id).slot = insert_slot(fresh, *entry);
  }
  table = std::move(fresh);
}

template <class T>
void remove_from(Table<T>& table, Places& places, std::uint64_t id) {
  const auto found = places.find(id);
  if (found == places.end()) return;
  const Place place = found->second;
  if (place.slot) table.by_slot.erase(*place.slot);
  const auto* by_key = table.by_key.find(place.key);
  if (by_key != nullptr && (*by_key)->id == id) {
    place.state->entry_bytes -= bytes_of(**by_key);
    table.by_key.erase(place.key);
  }
  places.erase(found);
  place.state->touch();
  compact_if_worn(table, places);
}

/// Puts an entry where `old_id` was when that has the same embedding (the usual case: a status that changes),
/// else at the end.
template <class T>
void put_into(PartitionState& state, Table<T>& table, Places& places, std::uint64_t key,
              std::optional<std::uint64_t> old_id, std::shared_ptr<const T> entry) {
  std::optional<std::uint32_t> slot;
  if (old_id) {
    const Place old = places.at(*old_id);
    if (old.slot) {
      const auto& before = (*table.by_slot.find(*old.slot))->embedding;
      if (entry->embedding && (entry->embedding == before || *entry->embedding == *before)) {
        slot = old.slot;
      } else {
        table.by_slot.erase(*old.slot);
      }
    }
    places.erase(*old_id);
  }
  if (slot) {
    table.by_slot.set(*slot, entry);
  } else {
    slot = insert_slot(table, entry);
  }
  places[entry->id] = {&state, key, slot};
  if (const auto* replaced = table.by_key.find(key)) state.entry_bytes -= bytes_of(**replaced);
  state.entry_bytes += bytes_of(*entry);
  table.by_key.set(key, std::move(entry));
  state.touch();
  compact_if_worn(table, places);
}

template <class T>
void visit_in_order(const Places& places, Table<T> PartitionState::*table,
                    const std::function<void(const Partition&, const std::shared_ptr<const T>&)>& visit) {
  std::vector<std::uint64_t> ids;
  ids.reserve(places.size());
  for (const auto& [id, place] : places) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  for (const auto id : ids) {
    const Place& place = places.at(id);
    const auto* entry = (place.state->*table).by_key.find(place.key);
    if (entry != nullptr && (*entry)->id == id) visit(place.state->partition, *entry);
  }
}

/// The `count` entries that come first by `rank`, a tuple that is smaller for what is missed less.
template <class T, class Rank>
std::vector<std::uint64_t> least(const Table<T>& table, std::size_t count, Rank rank) {
  using Item = decltype(std::tuple_cat(rank(std::declval<const T&>()), std::tuple<std::uint64_t>{}));
  std::vector<Item> items;
  items.reserve(table.by_key.size());
  table.by_key.for_each([&](std::uint64_t, const auto& entry) {
    items.push_back(std::tuple_cat(rank(*entry), std::tuple<std::uint64_t>{entry->id}));
  });
  count = std::min(count, items.size());
  std::nth_element(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(count), items.end());
  std::vector<std::uint64_t> ids;
  for (std::size_t i = 0; i < count; ++i) ids.push_back(std::get<std::tuple_size_v<Item> - 1>(items[i]));
  std::sort(ids.begin(), ids.end());
  return ids;
}

/// How many to evict: what is over the bound, but at least one in a hundred, for choosing them reads all.
std::size_t to_evict(std::size_t have, std::size_t incoming, std::size_t bound) {
  if (have + incoming <= bound) return 0;
  return std::max(have + incoming - bound, std::min(have, bound / 100));
}

}  // namespace

class Memory::Impl {
 public:
  explicit Impl(MemoryOptions chosen) : options(std::move(chosen)) {
    published = std::make_shared<MemorySnapshot>();
  }

  PartitionState* find(const Partition& partition) const {
    // Most calls are about the partition that was used last.
    if (!by_use.empty() && by_use.back()->partition == partition) return by_use.back();
    const auto found = states.find(partition.key());
    return found != states.end() ? found->second.get() : nullptr;
  }
  /// Marks it as used.
  PartitionState& get(const Partition& partition) {
    if (!by_use.empty() && by_use.back()->partition == partition) return *by_use.back();
    auto& state = states[partition.key()];
    if (state) {
      by_use.splice(by_use.end(), by_use, state->by_use);
      if (state->full_by_use) full_by_use.splice(full_by_use.end(), full_by_use, *state->full_by_use);
    } else {
      state = std::make_unique<PartitionState>();
      state->skills.index = VectorIndex(options.known_neighbours);
      state->estimator = new_estimator();
      state->partition = partition;
      state->changes = &changes;
      state->key = hash_bytes(partition.key());
      while (taken.contains(state->key)) ++state->key;
      taken.insert(state->key);
      state->by_use = by_use.insert(by_use.end(), state.get());
      ++figures.partitions;
    }
    return *state;
  }
  Estimator new_estimator() const {
    return Estimator(options.known_neighbours,
                     options.readers == Readers::kOwnersThread ? LearnTime::kWhenAsked : LearnTime::kAtOnce);
  }
  /// To be called before anything that a snapshot reads is changed: who still holds the newest one keeps what
  /// it read so far.
  void about_to_change();
  std::uint64_t next_version();
  std::shared_ptr<const MemorySnapshot> publish_view();
  SnapshotPtr publish_window();
  void start_anew(PartitionState& state);
  void count_estimator(PartitionState& state);
  void count_bytes(PartitionState& state, std::size_t bytes) {
    figures.bytes += bytes;
    figures.bytes -= state.counted_bytes;
    state.counted_bytes = bytes;
  }
  void take_out(PartitionState& state);

  const MemoryOptions options;
  std::unordered_map<std::string, std::unique_ptr<PartitionState>> states;
  std::unordered_set<std::uint64_t> taken;  ///< places of partitions in the snapshot
  std::list<PartitionState*> by_use;        ///< least recently used first
  std::list<PartitionState*> full_by_use;   ///< those with a full estimator, likewise
  Changes changes;
  std::vector<PartitionState*> over_bound;  ///< more outcomes than are kept
  std::vector<PartitionState*> unsaved_scores;
  Places skill_places;
  Places guide_places;
  PersistentMap<PartitionViewPtr> views;
  PersistentMap<ModelId> model_ids;
  bool model_ids_changed = false;
  bool views_evicted = false;  ///< since the last publish
  MemoryFigures figures;
  std::uint64_t version = 0;  ///< of the newest snapshot
  std::shared_ptr<const MemorySnapshot> published;
  class Window;
  std::weak_ptr<Window> window;  ///< the newest one, while it reads from here
};

/// For Readers::kOwnersThread: reads what the owner writes, until a change comes.
class Memory::Impl::Window : public ReadingSnapshot {
 public:
  Window(std::uint64_t version, const Impl& owner) : version_(version), owner_(&owner) {}
  std::uint64_t version() const override { return version_; }
  void keep(std::shared_ptr<const MemorySnapshot> view) {
    view_ = std::move(view);
    owner_ = nullptr;
  }

 protected:
  std::optional<Reading> find(const Partition& partition) const override {
    if (owner_ == nullptr) return view_->find(partition);
    PartitionState* state = owner_->find(partition);
    if (state == nullptr) return std::nullopt;
    return Reading(*state);
  }
  const PersistentMap<ModelId>& model_ids() const override {
    return owner_ != nullptr ? owner_->model_ids : view_->ids;
  }

 private:
  const std::uint64_t version_;
  const Impl* owner_;
  std::shared_ptr<const MemorySnapshot> view_;  ///< instead of owner_
};

void Memory::Impl::about_to_change() {
  if (options.readers == Readers::kAnyThread) return;
  if (const auto held = window.lock()) held->keep(publish_view());
  window.reset();
}

std::shared_ptr<const MemorySnapshot> Memory::Impl::publish_view() {
  if (!model_ids_changed && !views_evicted && changes.partitions.empty()) return published;
  for (PartitionState* state : changes.partitions) {
    auto view = std::make_shared<PartitionView>();
    view->partition = state->partition;
    view->skills = state->skills.snapshot();
    view->guides = state->guides.snapshot();
    view->estimates = state->estimator.publish();
    view->scores = state->scores.sorted();
    views.set(state->key, std::move(view));
    state->changed = false;
  }
  changes.partitions.clear();
  model_ids_changed = false;
  views_evicted = false;
  auto next = std::make_shared<MemorySnapshot>();
  next->number = next_version();
  next->partitions = views.snapshot();
  next->ids = model_ids.snapshot();
  published = std::move(next);
  return published;
}

std::uint64_t Memory::Impl::next_version() {
  if (changes.any) ++version;
  changes.any = false;
  figures.version = version;
  return version;
}

SnapshotPtr Memory::Impl::publish_window() {
  auto next = window.lock();
  if (next == nullptr || changes.any) {
    next = std::make_shared<Window>(next_version(), *this);
    window = next;
  }
  return next;
}

/// Forgets estimates; the scores that they gave go too, from the store as well.
void Memory::Impl::start_anew(PartitionState& state) {
  state.estimator = new_estimator();
  state.outcome_ids.clear();
  state.scores = ScoreWindow();
  if (!state.scores_unsaved) unsaved_scores.push_back(&state);
  state.scores_unsaved = true;
  count_estimator(state);
  state.touch();
}

/// Keeps full_by_use true after the estimator changed.
void Memory::Impl::count_estimator(PartitionState& state) {
  if (state.estimator.full() == state.full_by_use.has_value()) return;
  if (state.full_by_use) {
    full_by_use.erase(*state.full_by_use);
    state.full_by_use.reset();
  } else {
    state.full_by_use = full_by_use.insert(full_by_use.end(), &state);
  }
  figures.estimators = full_by_use.size();
}

/// Takes a partition out of everything but `states` and the lists of what changed.
void Memory::Impl::take_out(PartitionState& state) {
  state.skills.by_key.for_each([&](std::uint64_t, const SkillPtr& skill) { skill_places.erase(skill->id); });
  state.guides.by_key.for_each([&](std::uint64_t, const GuidePtr& guide) { guide_places.erase(guide->id); });
  figures.skills = skill_places.size();
  figures.guides = guide_places.size();
  count_bytes(state, 0);
  by_use.erase(state.by_use);
  if (state.full_by_use) full_by_use.erase(*state.full_by_use);
  figures.estimators = full_by_use.size();
  if (taken.contains(state.key + 1)) {
    // Somebody with the same hash may stand behind it and is found only past a place that is not empty.
    views.set(state.key, std::make_shared<PartitionView>());
  } else {
    views.erase(state.key);
    taken.erase(state.key);
  }
  views_evicted = true;
  changes.any = true;
  --figures.partitions;
  ++figures.partitions_evicted;
  state.evicted = true;
}

Memory::Memory(MemoryOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Memory::~Memory() {
  impl_->about_to_change();
}

SkillPtr Memory::find_skill(const Partition& partition, std::string_view request_hash) const {
  const PartitionState* state = impl_->find(partition);
  if (state == nullptr) return nullptr;
  const auto* found = state->skills.by_key.find(hash_bytes(request_hash));
  return found != nullptr && (*found)->request_hash == request_hash ? *found : nullptr;
}

GuidePtr Memory::find_guide(const Partition& partition, std::uint64_t id) const {
  const PartitionState* state = impl_->find(partition);
  const auto* found = state != nullptr ? state->guides.by_key.find(id) : nullptr;
  return found != nullptr ? *found : nullptr;
}

SkillPtr Memory::skill_by_id(std::uint64_t id, Partition* partition) const {
  const auto place = impl_->skill_places.find(id);
  if (place == impl_->skill_places.end()) return nullptr;
  if (partition != nullptr) *partition = place->second.state->partition;
  if (place->second.slot) return *place->second.state->skills.by_slot.find(*place->second.slot);
  const auto* found = place->second.state->skills.by_key.find(place->second.key);
  return found != nullptr && (*found)->id == id ? *found : nullptr;
}

GuidePtr Memory::guide_by_id(std::uint64_t id, Partition* partition) const {
  const auto place = impl_->guide_places.find(id);
  if (place == impl_->guide_places.end()) return nullptr;
  if (partition != nullptr) *partition = place->second.state->partition;
  return *place->second.state->guides.by_key.find(id);
}

void Memory::visit_skills(const std::function<void(const Partition&, const SkillPtr&)>& visit) const {
  visit_in_order<Skill>(impl_->skill_places, &PartitionState::skills, visit);
}
void Memory::visit_guides(const std::function<void(const Partition&, const GuidePtr&)>& visit) const {
  visit_in_order<Guide>(impl_->guide_places, &PartitionState::guides, visit);
}

const MemoryFigures& Memory::figures() const {
  return impl_->figures;
}

void Memory::put_skill(const Partition& partition, Skill skill) {
  impl_->about_to_change();
  PartitionState& state = impl_->get(partition);
  const std::uint64_t key = hash_bytes(skill.request_hash);
  const auto* same_key = state.skills.by_key.find(key);
  std::optional<std::uint64_t> old_id;
  if (same_key != nullptr) {
    old_id = (*same_key)->id;
    // Another request with the same 64-bit hash gives way entirely: an entry that cannot be found by its
    // request could not be replaced either.
  }
  put_into<Skill>(state, state.skills, impl_->skill_places, key, old_id,
                  std::make_shared<Skill>(std::move(skill)));
  impl_->figures.skills = impl_->skill_places.size();
}

void Memory::put_guide(const Partition& partition, Guide guide) {
  impl_->about_to_change();
  PartitionState& state = impl_->get(partition);
  const std::uint64_t id = guide.id;
  std::optional<std::uint64_t> old_id;
  if (state.guides.by_key.find(id) != nullptr) old_id = id;
  put_into<Guide>(state, state.guides, impl_->guide_places, id, old_id,
                  std::make_shared<Guide>(std::move(guide)));
  impl_->figures.guides = impl_->guide_places.size();
}

void Memory::remove_skill(std::uint64_t id) {
  const auto place = impl_->skill_places.find(id);
  if (place == impl_->skill_places.end()) return;
  impl_->about_to_change();
  remove_from(place->second.state->skills, impl_->skill_places, id);
  impl_->figures.skills = impl_->skill_places.size();
}

void Memory::remove_guide(std::uint64_t id) {
  const auto place = impl_->guide_places.find(id);
  if (place == impl_->guide_places.end()) return;
  impl_->about_to_change();
  remove_from(place->second.state->guides, impl_->guide_places, id);
  impl_->figures.guides = impl_->guide_places.size();
}

bool Memory::starts_anew(std::string_view model, std::string_view returned_id) const {
  const ModelId* known = impl_->model_ids.find(hash_bytes(model));
  return known != nullptr && known->model == model && !returned_id.empty() &&
         known->returned_id != returned_id &&
         std::find(known->earlier.begin(), known->earlier.end(), returned_id) == known->earlier.end();
}

std::vector<std::uint64_t> Memory::outcomes_of(std::string_view model) const {
  std::vector<std::uint64_t> ids;
  for (const auto& [key, state] : impl_->states) {
    if (model_of(state->partition.weak) != model) continue;
    ids.insert(ids.end(), state->outcome_ids.begin(), state->outcome_ids.end());
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

void Memory::set_model_id(std::string_view model, std::string_view returned_id) {
  // Ids are kept as lines of one setting.
  if (returned_id.empty() || returned_id.find('\n') != std::string_view::npos) return;
  const std::uint64_t key = hash_bytes(model);
  const ModelId* known = impl_->model_ids.find(key);
  if (known != nullptr && (known->model != model || known->returned_id == returned_id)) return;
  if (known == nullptr && impl_->model_ids.size() >= impl_->options.model_ids_max) return;
  impl_->about_to_change();
  ModelId next{std::string(model), std::string(returned_id), {}};
  if (known != nullptr) {
    if (starts_anew(model, returned_id)) {
      for (const auto& [name, state] : impl_->states) {
        if (model_of(state->partition.weak) != model) continue;
        impl_->start_anew(*state);
      }
    }
    next.earlier.push_back(known->returned_id);
    for (const auto& id : known->earlier) {
      if (id != returned_id && next.earlier.size() < kEarlierIdsMax) next.earlier.push_back(id);
    }
  }
  impl_->model_ids.set(key, std::move(next));
  impl_->model_ids_changed = true;
  impl_->changes.any = true;
}

std::string Memory::save_model_ids(std::string_view model, std::string_view returned_id) const {
  std::string out(returned_id);
  const ModelId* known = impl_->model_ids.find(hash_bytes(model));
  if (known == nullptr || known->model != model) return out;
  if (known->returned_id != returned_id) out += "\n" + known->returned_id;
  for (const auto& id : known->earlier) {
    if (id != returned_id) out += "\n" + id;
  }
  return out;
}

void Memory::load_model_ids(std::string_view model, std::string_view saved) {
  ModelId ids{std::string(model), {}, {}};
  for (bool first = true; !saved.empty(); first = false) {
    const std::string_view line = saved.substr(0, saved.find('\n'));
    saved.remove_prefix(std::min(saved.size(), line.size() + 1));
    if (first) {
      ids.returned_id = line;
    } else if (ids.earlier.size() < kEarlierIdsMax) {
      ids.earlier.emplace_back(line);
    }
  }
  if (ids.returned_id.empty()) return;
  impl_->about_to_change();
  impl_->model_ids.set(hash_bytes(model), std::move(ids));
  impl_->model_ids_changed = true;
  impl_->changes.any = true;
}

std::string Memory::model_id(std::string_view model) const {
  const ModelId* known = impl_->model_ids.find(hash_bytes(model));
  return known != nullptr && known->model == model ? known->returned_id : std::string();
}

void Memory::absorb(const Partition& partition, const Outcome& outcome) {
  impl_->about_to_change();
  PartitionState& state = impl_->get(partition);
  state.estimator.absorb(outcome);
  state.outcome_ids.push_back(outcome.id);
  if (state.outcome_ids.size() > impl_->options.outcomes_max) impl_->over_bound.push_back(&state);
  ++impl_->figures.outcomes;
  impl_->count_estimator(state);
  state.touch();
}

void Memory::observe_score(const Partition& partition, double score) {
  impl_->about_to_change();
  PartitionState& state = impl_->get(partition);
  state.scores.add(score);
  if (!state.scores_unsaved) impl_->unsaved_scores.push_back(&state);
  state.scores_unsaved = true;
  state.touch();
}

std::vector<std::uint64_t> Memory::take_outcomes_over_bound() {
  std::vector<std::uint64_t> ids;
  if (!impl_->over_bound.empty()) impl_->about_to_change();
  for (PartitionState* state : impl_->over_bound) {
    while (state->outcome_ids.size() > impl_->options.outcomes_max) {
      ids.push_back(state->outcome_ids.front());
      state->estimator.forget(ids.back());
      state->outcome_ids.pop_front();
    }
  }
  impl_->over_bound.clear();
  return ids;
}

EvictedPartitions Memory::evict_over_bounds() {
  Impl& all = *impl_;
  EvictedPartitions out;
  for (PartitionState* state : all.changes.partitions) all.count_bytes(*state, state->bytes());
  while (all.full_by_use.size() > std::max<std::size_t>(all.options.estimators_max, 1)) {
    all.about_to_change();
    PartitionState& state = *all.full_by_use.front();
    out.outcomes.insert(out.outcomes.end(), state.outcome_ids.begin(), state.outcome_ids.end());
    all.start_anew(state);
    all.count_bytes(state, state.bytes());
    ++all.figures.estimators_evicted;
  }
  while (all.by_use.size() > 1 &&
         (all.by_use.size() > all.options.partitions_max || all.figures.bytes > all.options.bytes_max)) {
    all.about_to_change();
    out.partitions.push_back(all.by_use.front()->partition);
    all.take_out(*all.by_use.front());
  }
  if (out.partitions.empty()) return out;
  const auto evicted = [](const PartitionState* state) { return state->evicted; };
  std::erase_if(all.changes.partitions, evicted);
  std::erase_if(all.over_bound, evicted);
  std::erase_if(all.unsaved_scores, evicted);
  for (const auto& partition : out.partitions) all.states.erase(partition.key());
  return out;
}

std::vector<Partition> Memory::partitions_with_new_scores() {
  std::vector<Partition> out;
  for (PartitionState* state : impl_->unsaved_scores) {
    out.push_back(state->partition);
    state->scores_unsaved = false;
  }
  impl_->unsaved_scores.clear();
  return out;
}

std::string Memory::save_scores(const Partition& partition) const {
  const PartitionState* state = impl_->find(partition);
  return state != nullptr ? state->scores.save() : std::string();
}

bool Memory::load_scores(const Partition& partition, std::string_view blob) {
  // Loading is no use: the order of use after a restart is that of what was learned.
  impl_->about_to_change();
  PartitionState* known = impl_->find(partition);
  PartitionState& state = known != nullptr ? *known : impl_->get(partition);
  if (!state.scores.load(blob)) return false;
  state.touch();
  return true;
}

std::vector<std::uint64_t> Memory::skills_to_evict(const Partition& partition, std::size_t incoming) const {
  const PartitionState* state = impl_->find(partition);
  if (state == nullptr) return {};
  const std::size_t count = to_evict(state->skills.by_key.size(), incoming, impl_->options.skills_max);
  if (count == 0) return {};
  return least(state->skills, count,
               [](const Skill& skill) { return std::tuple(skill.hits, skill.last_tried); });
}

std::vector<std::uint64_t> Memory::guides_to_evict(const Partition& partition, std::size_t incoming) const {
  const PartitionState* state = impl_->find(partition);
  if (state == nullptr) return {};
  const std::size_t count = to_evict(state->guides.by_key.size(), incoming, impl_->options.guides_max);
  if (count == 0) return {};
  return least(state->guides, count, [](const Guide& guide) {
    return std::tuple(static_cast<std::int64_t>(guide.wins) - static_cast<std::int64_t>(guide.losses),
                      guide.created);
  });
}

SnapshotPtr Memory::publish() {
  return impl_->options.readers == Readers::kAnyThread ? impl_->publish_view() : impl_->publish_window();
}

SnapshotPtr Memory::publish_view() {
  return impl_->publish_view();
}

}  // namespace brevet
