// Goal: forgetting takes with it all that was learned through what is forgotten; an export read back is the
// same memory; a bad file changes nothing and says which line and field. Method: an in-memory store filled by
// hand.
#include "learning/memory_admin.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <sstream>

namespace brevet {
namespace {

const Partition kFirst{"t1", "enc", "weak", "strong", ""};
const Partition kSecond{"t2", "enc", "weak", "strong", "sys"};

std::shared_ptr<const Embedding> unit(std::size_t axis) {
  auto out = std::make_shared<Embedding>(4);
  (*out)[axis] = 1;
  return out;
}

std::unique_ptr<Store> filled() {
  auto store = open_store({":memory:", Microseconds{0}}).value();
  WriteBatch batch;
  for (std::uint64_t id = 1; id <= 4; ++id) {
    Skill skill;
    skill.id = id;
    skill.request_hash = "q" + std::to_string(id);
    skill.embedding = id == 4 ? nullptr : unit(id);
    skill.status = id == 2 ? SkillStatus::kWeakWithGuide : SkillStatus::kWeakOk;
    skill.guide_id = id == 2 ? 7 : 0;
    skill.created = Instant{std::chrono::seconds(id)};
    skill.hits = static_cast<std::uint32_t>(id);
    skill.text = id == 1 ? "What is \"it\"?" : "";
    batch.skills.push_back({id == 3 ? kSecond : kFirst, skill});
    StoredOutcome outcome;
    outcome.id = id;
    outcome.partition = id == 3 ? kSecond : kFirst;
    outcome.request_hash = skill.request_hash;
    outcome.embedding = skill.embedding;
    outcome.words = std::make_shared<SparseVector>(SparseVector{{3, 9}, {0.6F, 0.8F}});
    outcome.agrees = id != 2;
    if (id == 1) outcome.weak_logprob = -0.25;
    batch.outcomes.push_back(outcome);
  }
  Guide guide;
  guide.id = 7;
  guide.text = "Think twice.";
  guide.embedding = unit(2);
  guide.wins = 3;
  batch.guides.push_back({kFirst, guide});
  EXPECT_TRUE(store->commit(batch));
  return store;
}

std::string exported(const Store& store) {
  std::ostringstream out;
  EXPECT_TRUE(export_memory(store, out));
  return out.str();
}

ImportOptions same_encoder() {
  ImportOptions options;
  options.encoder_hash = "enc";
  return options;
}

TEST(MemoryAdmin, ListsNewestFirstAndFilters) {
  const auto store = filled();
  const auto memory = load_memory(*store).value();
  const auto all = list_memory(*memory, {});
  ASSERT_EQ(all.size(), 5U);
  EXPECT_EQ(all[0].skill->id, 4U);
  MemoryFilter filter;
  filter.tenant = "t2";
  ASSERT_EQ(list_memory(*memory, filter).size(), 1U);
  EXPECT_EQ(describe(list_memory(*memory, filter)[0]).substr(0, 10), "s3 weak_ok");
  filter.tenant.clear();
  filter.skills = false;
  ASSERT_EQ(list_memory(*memory, filter).size(), 1U);
  EXPECT_NE(describe(list_memory(*memory, filter)[0]).find("won 3 lost 0"), std::string::npos);
  filter.skills = true;
  filter.limit = 2;
  EXPECT_EQ(list_memory(*memory, filter).size(), 2U);
}

TEST(MemoryAdmin, ShowsByNameAndSaysWhatIsWrongWithOne) {
  const auto store = filled();
  const auto memory = load_memory(*store).value();
  const auto json = boost::json::parse(item_json(show_memory(*memory, "skill:1").value()));
  EXPECT_EQ(json.at("text"), "What is \"it\"?");
  EXPECT_TRUE(show_memory(*memory, "g7"));
  for (const char* name : {"", "x1", "s", "s1x", "guide", "7", "skill:-1"}) {
    const auto item = show_memory(*memory, name);
    ASSERT_FALSE(item) << name;
    EXPECT_EQ(item.error().code, "bad_memory_id") << name;
  }
  EXPECT_EQ(show_memory(*memory, "g1").error().code, "unknown_memory_id");
}

TEST(MemoryAdmin, ForgettingAGuideForgetsWhatWasLearnedThroughIt) {
  const auto store = filled();
  const auto memory = load_memory(*store).value();
  const auto count = forget_memory(*store, *memory, "g7").value();
  EXPECT_EQ(count.guides, 1U);
  EXPECT_EQ(count.skills, 1U);
  const auto again = load_memory(*store).value();
  EXPECT_FALSE(show_memory(*again, "g7"));
  EXPECT_FALSE(show_memory(*again, "s2"));
  EXPECT_TRUE(show_memory(*again, "s1"));
  EXPECT_FALSE(show_memory(*memory, "s2")) << "the loaded memory must follow";
}

TEST(MemoryAdmin, ForgettingASkillTakesItsOutcomesAndATenantEverythingOfIt) {
  const auto store = filled();
  const auto memory = load_memory(*store).value();
  EXPECT_EQ(forget_memory(*store, *memory, "s1")->outcomes, 1U);
  const auto count = forget_tenant(*store, *memory, "t1").value();
  EXPECT_EQ(count.skills, 2U);
  EXPECT_EQ(count.guides, 1U);
  EXPECT_EQ(count.outcomes, 2U);
  EXPECT_TRUE(list_memory(*memory, {"t1"}).empty()) << "the loaded memory must follow";
  EXPECT_EQ(list_memory(*memory, {"t2"}).size(), 1U);
  const std::string rest = exported(*store);
  EXPECT_EQ(rest.find("\"t1\""), std::string::npos);
  EXPECT_NE(rest.find("\"t2\""), std::string::npos);
}

TEST(MemoryAdmin, OneTenantSeesNothingOfAnother) {
  const auto store = filled();
  const auto memory = load_memory(*store).value();
  EXPECT_EQ(show_memory(*memory, "s1", "t2").error().code, "unknown_memory_id");
  EXPECT_TRUE(show_memory(*memory, "s1", "t1"));
  EXPECT_TRUE(show_memory(*memory, "s3", "t2"));
  std::ostringstream out;
  const auto count = export_memory(*store, out, "t2").value();
  EXPECT_EQ(count.skills, 1U);
  EXPECT_EQ(count.guides, 0U);
  EXPECT_EQ(count.outcomes, 1U);
  EXPECT_EQ(out.str().find("\"t1\""), std::string::npos);

  auto copy = open_store({":memory:", Microseconds{0}}).value();
  const auto empty = load_memory(*copy).value();
  auto options = same_encoder();
  options.tenant = "t2";
  std::istringstream everybody(exported(*store));
  EXPECT_EQ(import_memory(*copy, *empty, everybody, options).error().code, "other_tenant");
  EXPECT_EQ(list_memory(*load_memory(*copy).value(), {}).size(), 0U) << "all or nothing";
  std::istringstream own(out.str());
  EXPECT_EQ(import_memory(*copy, *empty, own, options)->skills, 1U);
}

TEST(MemoryAdmin, AnExportReadBackIsTheSameMemory) {
  const auto store = filled();
  const std::string text = exported(*store);
  auto copy = open_store({":memory:", Microseconds{0}}).value();
  auto empty = load_memory(*copy).value();
  std::istringstream in(text);
  const auto count = import_memory(*copy, *empty, in, same_encoder());
  ASSERT_TRUE(count) << count.error().message;
  EXPECT_EQ(count->skills, 4U);
  EXPECT_EQ(count->guides, 1U);
  EXPECT_EQ(count->outcomes, 4U);
  const auto there = load_memory(*copy).value();
  const auto before = load_memory(*store).value();
  before->visit_skills([&](const Partition& partition, const SkillPtr& skill) {
    const auto same = there->find_skill(partition, skill->request_hash);
    ASSERT_TRUE(same);
    EXPECT_EQ(same->status, skill->status);
    EXPECT_EQ(same->hits, skill->hits);
    EXPECT_EQ(same->text, skill->text);
    EXPECT_EQ(same->created, skill->created);
    ASSERT_EQ(same->embedding != nullptr, skill->embedding != nullptr);
    if (same->embedding) {
      EXPECT_EQ(*same->embedding, *skill->embedding);
    }
  });
  const auto guided = there->find_skill(kFirst, "q2");
  EXPECT_EQ(there->find_guide(kFirst, guided->guide_id)->text, "Think twice.")
      << "the guide did not follow its skill";
  // Again over itself: replaced, not doubled; and ids are new only for guides and outcomes.
  std::istringstream twice(text);
  ASSERT_TRUE(import_memory(*copy, *there, twice, same_encoder()));
  EXPECT_EQ(load_memory(*copy).value()->figures().skills, 4U);
}

TEST(MemoryAdmin, AnotherEncoderIsRefusedOrReEmbedded) {
  const auto store = filled();
  auto copy = open_store({":memory:", Microseconds{0}}).value();
  auto empty = load_memory(*copy).value();
  ImportOptions options;
  options.encoder_hash = "new";
  std::istringstream in(exported(*store));
  const auto refused = import_memory(*copy, *empty, in, options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "other_encoder");
  EXPECT_NE(refused.error().message.find("Line 2"), std::string::npos) << refused.error().message;
  options.embed = [](std::string_view) -> Result<Embedding> { return Embedding{0, 1}; };
  std::istringstream again(exported(*store));
  const auto count = import_memory(*copy, *empty, again, options);
  ASSERT_TRUE(count);
  EXPECT_EQ(count->skills, 1U) << "only one has its text";
  EXPECT_GT(count->left_out, 0U);
  auto partition = kFirst;
  partition.encoder_hash = "new";
  EXPECT_EQ(*load_memory(*copy).value()->find_skill(partition, "q1")->embedding, (Embedding{0, 1}));
}

TEST(MemoryAdmin, ABadFileChangesNothingAndSaysWhere) {
  const auto store = filled();
  const std::string good = exported(*store);
  const std::string header = "{\"brevet_memory\":1}\n";
  const std::string skill =
      good.substr(good.find('\n') + 1, good.find('\n', good.find('\n') + 1) - good.find('\n') - 1);
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string line = skill;
    const auto at = line.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return header + line.replace(at, from.size(), to) + "\n";
  };
  const struct {
    std::string file, code, says;
  } cases[] = {
      {"", "bad_memory_file", "empty"},
      {"nonsense\n", "bad_memory_file", "Line 1"},
      {"{}\n", "bad_memory_file", "brevet_memory"},
      {"{\"brevet_memory\":99}\n", "memory_file_newer", "99"},
      {header + "[]\n", "bad_memory_file", "Line 2"},
      {header + "{\"kind\":\"thing\"}\n", "bad_memory_file", "\"kind\""},
      {header + "{\"kind\":\"skill\"}\n", "bad_memory_file", "\"partition\""},
      {with("\"weak_ok\"", "\"good\""), "bad_memory_file", "\"status\""},
      {with("\"hits\":1", "\"hits\":-1"), "bad_memory_file", "\"hits\""},
      {with("\"tenant\":\"t1\"", "\"tenant\":1"), "bad_memory_file", "\"tenant\""},
      {with("\"embedding\":\"AAAA", "\"embedding\":\"!AAA"), "bad_memory_file", "\"embedding\""},
      {with("\"request_hash\":\"q1\"", "\"request_hash\":\"\""), "bad_memory_file", "\"request_hash\""},
  };
  for (const auto& bad : cases) {
    auto copy = open_store({":memory:", Microseconds{0}}).value();
    auto empty = load_memory(*copy).value();
    std::istringstream in(bad.file);
    const auto done = import_memory(*copy, *empty, in, same_encoder());
    ASSERT_FALSE(done) << bad.says;
    EXPECT_EQ(done.error().code, bad.code) << done.error().message;
    EXPECT_NE(done.error().message.find(bad.says), std::string::npos) << done.error().message;
    EXPECT_EQ(exported(*copy), header) << "something of a bad file was written";
  }
}

}  // namespace
}  // namespace brevet
