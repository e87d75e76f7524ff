#include "learning/memory_admin.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <cmath>
#include <cstring>
#include <map>
#include <set>
#include <unordered_map>

#include "learning/pending_changes.h"
#include "store/decision_json.h"

namespace brevet {
namespace {

namespace json = boost::json;

constexpr std::size_t kLineBytesMax = 4 * 1024 * 1024;  // of an import

std::string_view model_of(std::string_view configuration_key) {
  return configuration_key.substr(0, configuration_key.find('|'));
}

bool matches(const Partition& partition, const MemoryFilter& filter) {
  return (filter.tenant.empty() || partition.tenant == filter.tenant) &&
         (filter.weak.empty() || partition.weak == filter.weak) &&
         (filter.reference.empty() || partition.reference == filter.reference);
}

std::string encode64(std::string_view bytes) {
  static constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t have = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8 | (j < have ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    }
    for (std::size_t j = 0; j < 4; ++j) out += j <= have ? kAlphabet[group >> (18 - 6 * j) & 63U] : '=';
  }
  return out;
}

std::optional<std::string> decode64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string out;
  out.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    std::uint32_t group = 0;
    int padding = 0;
    for (std::size_t j = 0; j < 4; ++j) {
      const char c = text[i + j];
      std::uint32_t value = 0;
      if (c >= 'A' && c <= 'Z') {
        value = static_cast<std::uint32_t>(c - 'A');
      } else if (c >= 'a' && c <= 'z') {
        value = static_cast<std::uint32_t>(c - 'a' + 26);
      } else if (c >= '0' && c <= '9') {
        value = static_cast<std::uint32_t>(c - '0' + 52);
      } else if (c == '+') {
        value = 62;
      } else if (c == '/') {
        value = 63;
      } else if (c == '=' && j >= 2 && i + 4 == text.size()) {
        ++padding;
      } else {
        return std::nullopt;
      }
      if (padding > 0 && c != '=') return std::nullopt;
      group = group << 6 | value;
    }
    for (int j = 0; j < 3 - padding; ++j) out += static_cast<char>(group >> (16 - 8 * j) & 255U);
  }
  return out;
}

json::value embedding_json(const std::shared_ptr<const Embedding>& embedding) {
  if (!embedding) return nullptr;
  return json::value(
      encode64({reinterpret_cast<const char*>(embedding->data()), embedding->size() * sizeof(float)}));
}

json::object partition_json(const Partition& p) {
  return {{"tenant", p.tenant},
          {"encoder", p.encoder_hash},
          {"weak", p.weak},
          {"reference", p.reference},
          {"system", p.system_hash}};
}

void put_time(json::object& out, const char* name, Instant time) {
  out[name] = rfc3339(time);
  out[std::string(name) + "_us"] = time.time_since_epoch().count();
}

json::object skill_json(const Partition& partition, const Skill& skill) {
  json::object out{{"kind", "skill"},
                   {"id", skill.id},
                   {"partition", partition_json(partition)},
                   {"request_hash", skill.request_hash},
                   {"status", name_of(skill.status)},
                   {"guide", skill.guide_id},
                   {"weak_model_id", skill.weak_model_id},
                   {"tries", skill.tries},
                   {"hits", skill.hits},
                   {"confirmed", skill.confirmed},
                   {"refuted", skill.refuted},
                   {"text", skill.text}};
  put_time(out, "created", skill.created);
  put_time(out, "last_tried", skill.last_tried);
  return out;
}

json::object guide_json(const Partition& partition, const Guide& guide) {
  json::object out{{"kind", "guide"},
                   {"id", guide.id},
                   {"partition", partition_json(partition)},
                   {"text", guide.text},
                   {"source_request_hash", guide.source_request_hash},
                   {"author", guide.author},
                   {"author_model_id", guide.author_model_id},
                   {"decision_id", guide.decision_id},
                   {"wins", guide.wins},
                   {"losses", guide.losses}};
  put_time(out, "created", guide.created);
  return out;
}

json::object outcome_json(const StoredOutcome& outcome) {
  json::object out{{"kind", "outcome"},
                   {"id", outcome.id},
                   {"partition", partition_json(outcome.partition)},
                   {"request_hash", outcome.request_hash},
                   {"agrees", outcome.agrees},
                   {"guide", outcome.guide_id},
                   {"spot_check", outcome.spot_check}};
  out["weak_logprob"] = outcome.weak_logprob ? json::value(*outcome.weak_logprob) : json::value(nullptr);
  put_time(out, "time", outcome.time);
  out["embedding"] = embedding_json(outcome.embedding);
  if (outcome.words) {
    json::array words;
    for (std::size_t i = 0; i < outcome.words->index.size(); ++i) {
      words.push_back(json::array{outcome.words->index[i], outcome.words->value[i]});
    }
    out["words"] = std::move(words);
  } else {
    out["words"] = nullptr;
  }
  return out;
}

/// Reads one line; the first thing that is wrong is kept in `wrong`.
class LineReader {
 public:
  LineReader(const json::object& line, std::size_t number) : line_(line), number_(number) {}

  std::string text(const json::object& from, const char* name) {
    const auto* value = from.if_contains(name);
    if (value == nullptr || !value->is_string()) return say(name, "a text"), std::string();
    return std::string(value->as_string());
  }
  std::string text(const char* name) { return text(line_, name); }
  std::int64_t integer(const char* name, std::int64_t low, std::int64_t high) {
    const auto* value = line_.if_contains(name);
    const std::int64_t* number = value != nullptr ? value->if_int64() : nullptr;
    if (number == nullptr || *number < low || *number > high) return say(name, "a whole number in range"), 0;
    return *number;
  }
  std::uint32_t count(const char* name) { return static_cast<std::uint32_t>(integer(name, 0, UINT32_MAX)); }
  std::uint64_t id(const char* name) { return static_cast<std::uint64_t>(integer(name, 0, INT64_MAX)); }
  Instant time(const char* name) {
    return Instant{Microseconds{integer((std::string(name) + "_us").c_str(), INT64_MIN, INT64_MAX)}};
  }
  bool flag(const char* name) {
    const auto* value = line_.if_contains(name);
    if (value == nullptr || !value->is_bool()) return say(name, "true or false"), false;
    return value->as_bool();
  }
  Partition partition() {
    const auto* value = line_.if_contains("partition");
    if (value == nullptr || !value->is_object()) return say("partition", "an object"), Partition{};
    const auto& p = value->as_object();
    return {text(p, "tenant"), text(p, "encoder"), text(p, "weak"), text(p, "reference"), text(p, "system")};
  }
  std::shared_ptr<const Embedding> embedding() {
    const auto* value = line_.if_contains("embedding");
    if (value != nullptr && value->is_null()) return nullptr;
    const auto bytes = value != nullptr && value->is_string() ? decode64(value->as_string()) : std::nullopt;
    if (!bytes || bytes->empty() || bytes->size() % sizeof(float) != 0) {
      return say("embedding", "base64 of float32 numbers, or null"), nullptr;
    }
    auto out = std::make_shared<Embedding>(bytes->size() / sizeof(float));
    std::memcpy(out->data(), bytes->data(), bytes->size());
    double norm = 0;
    for (const float x : *out) norm += static_cast<double>(x) * x;
    if (!(std::abs(norm - 1) < 0.01)) return say("embedding", "a vector of length 1"), nullptr;
    return out;
  }
  std::shared_ptr<const SparseVector> words() {
    const auto* value = line_.if_contains("words");
    if (value != nullptr && value->is_null()) return nullptr;
    if (value == nullptr || !value->is_array())
      return say("words", "a list of [index, value], or null"), nullptr;
    auto out = std::make_shared<SparseVector>();
    for (const auto& pair : value->as_array()) {
      const auto* list = pair.if_array();
      json::error_code bad_index;
      json::error_code bad_value;
      std::uint32_t index = 0;
      float weight = 0;
      if (list != nullptr && list->size() == 2) {
        index = (*list)[0].to_number<std::uint32_t>(bad_index);
        weight = static_cast<float>((*list)[1].to_number<double>(bad_value));
      }
      if (list == nullptr || list->size() != 2 || bad_index || bad_value || !std::isfinite(weight) ||
          (!out->index.empty() && index <= out->index.back())) {
        return say("words", "pairs [index, value] with growing index"), nullptr;
      }
      out->index.push_back(index);
      out->value.push_back(weight);
    }
    return out;
  }
  std::optional<double> number_or_null(const char* name) {
    const auto* value = line_.if_contains(name);
    if (value != nullptr && value->is_null()) return std::nullopt;
    json::error_code bad;
    const double number = value != nullptr ? value->to_number<double>(bad) : 0;
    if (value == nullptr || bad || !std::isfinite(number)) return say(name, "a number or null"), std::nullopt;
    return number;
  }
  void say(const char* field, const char* wanted) {
    if (!wrong) {
      wrong = fail(ErrorKind::kCallerInvalid, "bad_memory_file",
                   fmt::format("Line {}: \"{}\" must be {}.", number_, field, wanted), field)
                  .value();
    }
  }

  std::optional<Error> wrong;

 private:
  const json::object& line_;
  const std::size_t number_;
};

/// Everything of one file, read and checked, before anything is written.
struct ImportedFile {
  std::vector<StoredSkill> skills;
  std::vector<StoredGuide> guides;
  std::vector<StoredOutcome> outcomes;
  std::size_t left_out = 0;
};

/// Refuses what is of another tenant, and gives the entry an embedding of the encoder in use. False: it must
/// be left out.
Result<bool> fit_here(Partition& partition, std::shared_ptr<const Embedding>& embedding,
                      std::string_view text, std::size_t line, const ImportOptions& options) {
  if (!options.tenant.empty() && partition.tenant != options.tenant) {
    return fail(
        ErrorKind::kCallerInvalid, "other_tenant",
        fmt::format("Line {} is of tenant \"{}\" and only \"{}\" was asked for; nothing was imported. "
                    "Export with the same --tenant, or import without it.",
                    line, partition.tenant, options.tenant),
        "partition.tenant");
  }
  if (partition.encoder_hash == options.encoder_hash) return true;
  if (!options.embed) {
    return fail(
        ErrorKind::kCallerInvalid, "other_encoder",
        fmt::format(
            "Line {}: its embeddings are from encoder \"{}\" and this gateway uses \"{}\". Import with "
            "re-embedding (needs stored text), or use the same encoder.",
            line, partition.encoder_hash, options.encoder_hash),
        "partition.encoder");
  }
  if (text.empty()) return false;
  auto embedded = options.embed(text);
  if (!embedded) return tl::unexpected(embedded.error());
  embedding = std::make_shared<Embedding>(std::move(*embedded));
  partition.encoder_hash = options.encoder_hash;
  return true;
}

Result<> read_line(const json::object& line, std::size_t number, const ImportOptions& options,
                   ImportedFile& file) {
  LineReader read(line, number);
  const std::string kind = read.text("kind");
  if (kind == "skill") {
    StoredSkill stored;
    Skill& skill = stored.skill;
    stored.partition = read.partition();
    skill.request_hash = read.text("request_hash");
    const auto status = skill_status_from(read.text("status"));
    if (!status) read.say("status", "weak_ok, weak_with_guide or strong_only");
    skill.status = status.value_or(SkillStatus::kStrongOnly);
    skill.guide_id = read.id("guide");
    skill.weak_model_id = read.text("weak_model_id");
    skill.tries = read.count("tries");
    skill.hits = read.count("hits");
    skill.confirmed = read.count("confirmed");
    skill.refuted = read.count("refuted");
    skill.text = read.text("text");
    skill.created = read.time("created");
    skill.last_tried = read.time("last_tried");
    skill.embedding = read.embedding();
    if (skill.request_hash.empty()) read.say("request_hash", "a text that is not empty");
    if (read.wrong) return fail(*read.wrong);
    auto fits = fit_here(stored.partition, skill.embedding, skill.text, number, options);
    if (!fits) return tl::unexpected(fits.error());
    if (*fits) {
      file.skills.push_back(std::move(stored));
    } else {
      ++file.left_out;
    }
  } else if (kind == "guide") {
    StoredGuide stored;
    Guide& guide = stored.guide;
    stored.partition = read.partition();
    guide.id = read.id("id");
    guide.text = read.text("text");
    guide.source_request_hash = read.text("source_request_hash");
    guide.author = read.text("author");
    guide.author_model_id = read.text("author_model_id");
    guide.decision_id = read.text("decision_id");
    guide.wins = read.count("wins");
    guide.losses = read.count("losses");
    guide.created = read.time("created");
    guide.embedding = read.embedding();
    if (guide.text.empty()) read.say("text", "a text that is not empty");
    if (guide.id == 0) read.say("id", "a whole number above 0");
    if (read.wrong) return fail(*read.wrong);
    // A guide is found by the request that it was written for, and that text is not kept.
    auto fits = fit_here(stored.partition, guide.embedding, "", number, options);
    if (!fits) return tl::unexpected(fits.error());
    if (*fits) {
      file.guides.push_back(std::move(stored));
    } else {
      ++file.left_out;
    }
  } else if (kind == "outcome") {
    StoredOutcome outcome;
    outcome.partition = read.partition();
    outcome.request_hash = read.text("request_hash");
    outcome.agrees = read.flag("agrees");
    outcome.guide_id = read.id("guide");
    outcome.spot_check = read.flag("spot_check");
    outcome.weak_logprob = read.number_or_null("weak_logprob");
    outcome.time = read.time("time");
    outcome.embedding = read.embedding();
    outcome.words = read.words();
    if (read.wrong) return fail(*read.wrong);
    auto fits = fit_here(outcome.partition, outcome.embedding, "", number, options);
    if (!fits) return tl::unexpected(fits.error());
    if (*fits) {
      file.outcomes.push_back(std::move(outcome));
    } else {
      ++file.left_out;
    }
  } else {
    if (!read.wrong) read.say("kind", "skill, guide or outcome");
    return fail(*read.wrong);
  }
  return {};
}

Result<ImportedFile> read_file(std::istream& in, const ImportOptions& options) {
  ImportedFile file;
  std::string text;
  std::size_t number = 0;
  while (std::getline(in, text)) {
    ++number;
    if (text.empty()) continue;
    json::error_code bad;
    const json::value value = text.size() <= kLineBytesMax ? json::parse(text, bad) : json::value();
    if (bad || !value.is_object()) {
      return fail(
          ErrorKind::kCallerInvalid, "bad_memory_file",
          fmt::format("Line {} is not a JSON object; use a file written by `brevet memory export`.", number));
    }
    const auto& line = value.as_object();
    if (number == 1) {
      const auto* schema = line.if_contains("brevet_memory");
      if (schema == nullptr || !schema->is_int64()) {
        return fail(ErrorKind::kCallerInvalid, "bad_memory_file",
                    "Line 1 has no \"brevet_memory\" version; use a file written by `brevet memory export`.",
                    "brevet_memory");
      }
      if (schema->as_int64() > kMemoryExportSchema) {
        return fail(
            ErrorKind::kCallerInvalid, "memory_file_newer",
            fmt::format("The file has version {} and this Brevet reads up to {}; use the newer version.",
                        schema->as_int64(), kMemoryExportSchema),
            "brevet_memory");
      }
      continue;
    }
    if (auto done = read_line(line, number, options, file); !done) return tl::unexpected(done.error());
  }
  if (number == 0) {
    return fail(ErrorKind::kCallerInvalid, "bad_memory_file",
                "The file is empty; use one written by `brevet memory export`.");
  }
  return file;
}

Result<NextIds> next_ids(const Store& store, const Memory& memory) {
  NextIds ids;
  auto setting = store.setting(kIdsSetting);
  if (!setting) return tl::unexpected(setting.error());
  if (*setting) ids.raise_to(**setting);
  memory.visit_skills(
      [&](const Partition&, const SkillPtr& s) { ids.skill = std::max(ids.skill, s->id + 1); });
  memory.visit_guides(
      [&](const Partition&, const GuidePtr& g) { ids.guide = std::max(ids.guide, g->id + 1); });
  auto loaded =
      store.load({nullptr, nullptr, [&](StoredOutcome o) { ids.outcome = std::max(ids.outcome, o.id + 1); }});
  if (!loaded) return tl::unexpected(loaded.error());
  return ids;
}

/// Ids of outcomes for which `wanted` holds.
Result<> add_outcomes(const Store& store, const std::function<bool(const StoredOutcome&)>& wanted,
                      std::vector<std::uint64_t>& ids) {
  return store.load({nullptr, nullptr, [&](StoredOutcome outcome) {
                       if (wanted(outcome)) ids.push_back(outcome.id);
                     }});
}

Result<ForgetCount> forget(Store& store, Memory& memory, const WriteBatch& batch) {
  if (auto done = store.commit(batch); !done) return tl::unexpected(done.error());
  for (const auto id : batch.forget_skills) memory.remove_skill(id);
  for (const auto id : batch.forget_guides) memory.remove_guide(id);
  ForgetCount count;
  count.skills = batch.forget_skills.size();
  count.guides = batch.forget_guides.size();
  count.outcomes = batch.forget_outcomes.size();
  return count;
}

}  // namespace

Result<std::unique_ptr<Memory>> load_memory(const Store& store, MemoryOptions options) {
  auto memory = std::make_unique<Memory>(options);
  std::set<std::string> models;
  auto loaded = store.load(
      {[&](StoredSkill stored) {
         models.emplace(model_of(stored.partition.weak));
         memory->put_skill(stored.partition, std::move(stored.skill));
       },
       [&](StoredGuide stored) { memory->put_guide(stored.partition, std::move(stored.guide)); }, nullptr});
  if (!loaded) return tl::unexpected(loaded.error());
  for (const auto& model : models) {
    auto id = store.setting(model_id_setting(model));
    if (!id) return tl::unexpected(id.error());
    if (*id) memory->load_model_ids(model, **id);
  }
  return memory;
}

std::vector<MemoryItem> list_memory(const Memory& memory, const MemoryFilter& filter) {
  std::vector<MemoryItem> items;
  if (filter.guides) {
    memory.visit_guides([&](const Partition& partition, const GuidePtr& guide) {
      if (matches(partition, filter)) items.push_back({partition, nullptr, guide});
    });
  }
  if (filter.skills) {
    memory.visit_skills([&](const Partition& partition, const SkillPtr& skill) {
      if (matches(partition, filter)) items.push_back({partition, skill, nullptr});
    });
  }
  const auto created = [](const MemoryItem& item) {
    return item.skill ? item.skill->created : item.guide->created;
  };
  std::stable_sort(items.begin(), items.end(),
                   [&](const MemoryItem& a, const MemoryItem& b) { return created(a) > created(b); });
  if (items.size() > filter.limit) items.resize(filter.limit);
  return items;
}

Result<MemoryItem> show_memory(const Memory& memory, std::string_view name, const std::string& tenant) {
  const bool skill = name.starts_with('s');
  std::string_view digits = name;
  for (const std::string_view prefix : {"skill:", "guide:", "s", "g"}) {
    if (name.starts_with(prefix)) {
      digits.remove_prefix(prefix.size());
      break;
    }
  }
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), id);
  if ((!skill && !name.starts_with('g')) || error != std::errc() || end != digits.data() + digits.size()) {
    return fail(ErrorKind::kCallerInvalid, "bad_memory_id",
                "\"" + std::string(name) + "\" names no entry; write s12 for skill 12 or g3 for guide 3.");
  }
  MemoryItem item;
  if (skill) {
    item.skill = memory.skill_by_id(id, &item.partition);
  } else {
    item.guide = memory.guide_by_id(id, &item.partition);
  }
  if ((!item.skill && !item.guide) || (!tenant.empty() && item.partition.tenant != tenant)) {
    return fail(ErrorKind::kCallerNotFound, "unknown_memory_id",
                "Nothing is remembered as " + std::string(name) +
                    (tenant.empty() ? "" : " for tenant " + tenant) +
                    "; `brevet memory list` shows what is.");
  }
  return item;
}

std::string describe(const MemoryItem& item) {
  const std::string where =
      fmt::format("{} {} -> {}", item.partition.tenant, item.partition.weak, item.partition.reference);
  if (item.skill) {
    const Skill& s = *item.skill;
    const std::string guide = s.guide_id != 0 ? fmt::format(" g{}", s.guide_id) : std::string();
    return fmt::format("s{} {}{} | hits {} confirmed {} refuted {} tries {} | {} | {} | {}", s.id,
                       name_of(s.status), guide, s.hits, s.confirmed, s.refuted, s.tries,
                       rfc3339(s.created).substr(0, 19), where,
                       s.text.empty() ? s.request_hash.substr(0, 12) : s.text.substr(0, 60));
  }
  const Guide& g = *item.guide;
  return fmt::format("g{} guide | won {} lost {} | by {} | {} | {} | {}", g.id, g.wins, g.losses, g.author,
                     rfc3339(g.created).substr(0, 19), where, g.text.substr(0, 60));
}

std::string item_json(const MemoryItem& item) {
  return json::serialize(item.skill ? skill_json(item.partition, *item.skill)
                                    : guide_json(item.partition, *item.guide));
}

Result<ForgetCount> forget_memory(Store& store, Memory& memory, std::string_view name) {
  auto item = show_memory(memory, name);
  if (!item) return tl::unexpected(item.error());
  WriteBatch batch;
  std::set<std::string> hashes;
  if (item->skill) {
    batch.forget_skills.push_back(item->skill->id);
    hashes.insert(item->skill->request_hash);
  } else {
    batch.forget_guides.push_back(item->guide->id);
    memory.visit_skills([&](const Partition& partition, const SkillPtr& skill) {
      if (partition == item->partition && skill->guide_id == item->guide->id)
        batch.forget_skills.push_back(skill->id);
    });
  }
  const std::uint64_t guide = item->guide ? item->guide->id : 0;
  auto found = add_outcomes(
      store,
      [&](const StoredOutcome& outcome) {
        return outcome.partition == item->partition &&
               (hashes.contains(outcome.request_hash) || (guide != 0 && outcome.guide_id == guide));
      },
      batch.forget_outcomes);
  if (!found) return tl::unexpected(found.error());
  return forget(store, memory, batch);
}

Result<ForgetCount> forget_tenant(Store& store, Memory& memory, const std::string& tenant) {
  auto erased = store.erase_tenant(tenant);
  if (!erased) return tl::unexpected(erased.error());
  std::vector<std::uint64_t> skills, guides;
  memory.visit_skills([&](const Partition& partition, const SkillPtr& skill) {
    if (partition.tenant == tenant) skills.push_back(skill->id);
  });
  memory.visit_guides([&](const Partition& partition, const GuidePtr& guide) {
    if (partition.tenant == tenant) guides.push_back(guide->id);
  });
  for (const auto id : skills) memory.remove_skill(id);
  for (const auto id : guides) memory.remove_guide(id);
  ForgetCount count;
  count.skills = erased->skills;
  count.guides = erased->guides;
  count.outcomes = erased->outcomes;
  count.decisions = erased->decisions;
  count.feedback = erased->feedback;
  count.bytes_freed = erased->bytes_freed;
  return count;
}

Result<ExportCount> export_memory(const Store& store, std::ostream& out, const std::string& tenant) {
  ExportCount count;
  const auto wanted = [&](const Partition& partition) {
    return tenant.empty() || partition.tenant == tenant;
  };
  const auto line = [&](const json::object& object) { out << json::serialize(object) << '\n'; };
  line({{"brevet_memory", kMemoryExportSchema}});
  auto loaded = store.load({[&](StoredSkill stored) {
                              if (!wanted(stored.partition)) return;
                              auto object = skill_json(stored.partition, stored.skill);
                              object["embedding"] = embedding_json(stored.skill.embedding);
                              line(object);
                              ++count.skills;
                            },
                            [&](StoredGuide stored) {
                              if (!wanted(stored.partition)) return;
                              auto object = guide_json(stored.partition, stored.guide);
                              object["embedding"] = embedding_json(stored.guide.embedding);
                              line(object);
                              ++count.guides;
                            },
                            [&](StoredOutcome outcome) {
                              if (!wanted(outcome.partition)) return;
                              line(outcome_json(outcome));
                              ++count.outcomes;
                            }});
  if (!loaded) return tl::unexpected(loaded.error());
  if (!out.flush()) {
    return fail(ErrorKind::kInternal, "export_failed", "Writing the export failed; is the disk full?");
  }
  return count;
}

Result<ImportCount> import_memory(Store& store, const Memory& memory, std::istream& in,
                                  const ImportOptions& options) {
  auto file = read_file(in, options);
  if (!file) return tl::unexpected(file.error());
  auto ids = next_ids(store, memory);
  if (!ids) return tl::unexpected(ids.error());
  PendingChanges changes(memory, *ids);
  std::map<std::pair<std::string, std::uint64_t>, std::uint64_t>
      guides;  // partition and id in the file -> id here
  for (auto& [partition, guide] : file->guides) {
    const auto old = std::exchange(guide.id, 0);
    guides[{partition.key(), old}] = changes.put(partition, guide);
  }
  for (auto& [partition, skill] : file->skills) {
    if (skill.guide_id != 0) {
      const auto guide = guides.find({partition.key(), skill.guide_id});
      skill.guide_id = guide != guides.end() ? guide->second : 0;
      if (skill.guide_id == 0) skill.status = SkillStatus::kStrongOnly;  // its guide did not come along
    }
    const auto known = changes.skill(partition, skill.request_hash);
    skill.id = known ? known->id : 0;
    changes.put(partition, skill);
  }
  for (auto& outcome : file->outcomes) {
    if (outcome.guide_id != 0) {
      const auto guide = guides.find({outcome.partition.key(), outcome.guide_id});
      if (guide == guides.end()) {
        ++file->left_out;
        continue;
      }
      outcome.guide_id = guide->second;
    }
    changes.add(outcome);
  }
  WriteBatch batch;
  changes.write_to(batch);
  if (auto done = store.commit(batch); !done) return tl::unexpected(done.error());
  return ImportCount{batch.skills.size(), batch.guides.size(), batch.outcomes.size(), file->left_out};
}

}  // namespace brevet
