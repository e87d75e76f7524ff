// Goal: what commit() acknowledged is there after anything, whole batches only; reads equal writes. Method:
// round trips, a second opener, files of other makers, and retention; killing is in store_crash_test.cc.
#include "store/store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>

#include "store/decision_json.h"
#include "store/sqlite_connection.h"

namespace brevet {
namespace {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "brevet-store-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  std::string file(const char* name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

Instant at(std::int64_t seconds) {
  return Instant{std::chrono::seconds(seconds)};
}

std::shared_ptr<Decision> decision(const std::string& id, Instant time,
                                   const std::string& tenant = "default") {
  auto out = std::make_shared<Decision>();
  out->id = id;
  out->time = time;
  out->tenant = tenant;
  out->route = "auto";
  return out;
}

Partition partition(const std::string& tenant) {
  return {tenant, "enc", "weak", "strong", ""};
}

/// The decision of a named model in its short form; its journal number is `number`.
PassedRow passed(const std::string& id, Instant time, std::uint64_t number,
                 const std::string& tenant = "default", const std::string& tags = {}) {
  auto whole = decision(id, time, tenant);
  whole->route.clear();
  whole->number = number;
  whole->learn = false;
  whole->tags = tags;
  whole->accepted = 0;
  whole->steps = {whole->reason};
  Attempt attempt;
  attempt.configuration.model = "m";
  attempt.state = AttemptState::kDone;
  attempt.answer = Answer{};
  whole->attempts.push_back(attempt);
  PassedRow out;
  EXPECT_TRUE(passed_row(*whole, out));
  return out;
}

TEST(Store, APartitionIsForgottenWholeBeforeWhatItsBatchPuts) {
  const TemporaryFolder folder;
  const StoreOptions options{folder.file("brevet.db"), Microseconds{0}};
  const auto put = [](WriteBatch& batch, const char* tenant, std::uint64_t id) {
    Skill skill;
    skill.id = id;
    batch.skills.push_back({partition(tenant), skill});
    Guide guide;
    guide.id = id;
    batch.guides.push_back({partition(tenant), guide});
    StoredOutcome outcome;
    outcome.id = id;
    outcome.partition = partition(tenant);
    outcome.guide_id = id % 2;
    batch.outcomes.push_back(outcome);
  };
  const auto ids = [](const Store& store) {
    std::vector<std::string> out;
    EXPECT_TRUE(store.load({[&](StoredSkill s) { out.push_back("s" + std::to_string(s.skill.id)); },
                            [&](StoredGuide g) { out.push_back("g" + std::to_string(g.guide.id)); },
                            [&](StoredOutcome o) { out.push_back("o" + std::to_string(o.id)); }}));
    return out;
  };
  {
    auto store = open_store(options).value();
    WriteBatch batch;
    for (std::uint64_t id = 1; id <= 3; ++id) put(batch, "goes", id);
    put(batch, "stays", 4);
    batch.settings = {{"a", "1"}, {"b", "2"}};
    ASSERT_TRUE(store->commit(batch));
    WriteBatch next;
    next.forget_partitions = {partition("goes"), partition("never there")};
    next.forget_settings = {"a", "b", "never there"};
    next.settings = {{"b", "3"}};
    put(next, "goes", 5);
    ASSERT_TRUE(store->commit(next));
    WriteBatch only;
    only.forget_settings = {"never there"};
    EXPECT_FALSE(only.empty());
  }
  auto store = open_store(options).value();
  EXPECT_EQ(ids(*store), (std::vector<std::string>{"s4", "s5", "g4", "g5", "o4", "o5"}));
  EXPECT_EQ(store->setting("a").value(), std::nullopt);
  EXPECT_EQ(store->setting("b").value(), "3");
  auto connection = Connection::open(options.path).value();
  EXPECT_EQ(connection->integer("SELECT count(*) FROM partitions").value(), 2)
      << "a row for every partition there ever was";
}

TEST(Store, ADatabaseOfTheFirstSchemaIsMigratedWithItsRows) {
  const TemporaryFolder folder;
  const StoreOptions options{folder.file("brevet.db"), Microseconds{0}};
  ASSERT_TRUE(open_store(options));
  const char* indices = "SELECT count(*) FROM sqlite_master WHERE type='index' AND name LIKE '%_partition'";
  {
    auto connection = Connection::open(options.path).value();
    EXPECT_EQ(connection->integer(indices).value(), 3);
    ASSERT_TRUE(connection->execute(
        "DROP INDEX skills_partition; DROP INDEX guides_partition; DROP INDEX "
        "outcomes_partition; DROP TABLE passed; INSERT INTO partitions VALUES(1,'t','e','w','r','');"
        "INSERT INTO skills VALUES(5,1,'h',NULL,'weak_ok',0,'',0,0,0,0,0,0,'');"
        "PRAGMA user_version=1"));
  }
  auto store = open_store(options).value();
  std::vector<std::uint64_t> skills;
  ASSERT_TRUE(store->load({[&](StoredSkill s) { skills.push_back(s.skill.id); }, nullptr, nullptr}));
  EXPECT_EQ(skills, std::vector<std::uint64_t>{5});
  auto connection = Connection::open(options.path).value();
  EXPECT_EQ(connection->integer(indices).value(), 3);
}

TEST(Store, ReadsBackWhatWasWritten) {
  const TemporaryFolder folder;
  const StoreOptions options{folder.file("brevet.db"), Microseconds{0}};
  {
    auto store = open_store(options);
    ASSERT_TRUE(store) << store.error().message;
    WriteBatch batch;
    Skill skill;
    skill.id = 7;
    skill.request_hash = "abc";
    skill.embedding = std::make_shared<Embedding>(Embedding{0.5F, -0.25F, 1e-30F});
    skill.status = SkillStatus::kWeakWithGuide;
    skill.guide_id = 3;
    skill.weak_model_id = "m-1";
    skill.created = at(10);
    skill.last_tried = at(11);
    skill.tries = 1;
    skill.hits = 2;
    skill.confirmed = 3;
    skill.refuted = 4;
    skill.text = std::string("a\0b", 3);
    batch.skills.push_back({partition("t1"), skill});
    Guide guide;
    guide.id = 3;
    guide.text = "Think.";
    guide.source_request_hash = "abc";
    guide.author = "strong";
    guide.author_model_id = "s-1";
    guide.decision_id = "dec_1";
    guide.created = at(9);
    guide.wins = 5;
    guide.losses = 1;
    batch.guides.push_back({partition("t1"), guide});
    StoredOutcome outcome;
    outcome.id = 1;
    outcome.partition = partition("t2");
    outcome.request_hash = "abc";
    outcome.embedding = skill.embedding;
    outcome.words = std::make_shared<SparseVector>(SparseVector{{1, 262'143}, {0.6F, 0.8F}});
    outcome.agrees = true;
    outcome.weak_logprob = -0.125;
    outcome.spot_check = true;
    outcome.time = at(12);
    batch.outcomes.push_back(outcome);
    outcome.id = 2;
    outcome.embedding = nullptr;
    outcome.words = nullptr;
    outcome.weak_logprob = std::nullopt;
    outcome.agrees = false;
    outcome.spot_check = false;
    batch.outcomes.push_back(outcome);
    batch.decisions.push_back(decision("dec_1", at(20)));
    batch.settings.emplace_back("blob", std::string("\0\1\2", 3));
    ASSERT_TRUE((*store)->commit(batch));
    WriteBatch later;
    later.feedback.push_back({"dec_1", "default", 0.5, "so so", at(30)});
    later.feedback.push_back({"dec_1", "default", std::nullopt, "", at(31)});
    auto shadow = decision("dec_2", at(21));
    shadow->parent_id = "dec_1";
    later.decisions.push_back(shadow);
    ASSERT_TRUE((*store)->commit(later));
  }
  auto store = open_store(options);
  ASSERT_TRUE(store) << store.error().message;
  std::vector<StoredSkill> skills;
  std::vector<StoredGuide> guides;
  std::vector<StoredOutcome> outcomes;
  ASSERT_TRUE((*store)->load({[&](StoredSkill s) { skills.push_back(std::move(s)); },
                              [&](StoredGuide g) { guides.push_back(std::move(g)); },
                              [&](StoredOutcome o) { outcomes.push_back(std::move(o)); }}));
  ASSERT_EQ(skills.size(), 1U);
  EXPECT_EQ(skills[0].partition, partition("t1"));
  EXPECT_EQ(skills[0].skill.id, 7U);
  EXPECT_EQ(*skills[0].skill.embedding, (Embedding{0.5F, -0.25F, 1e-30F}));
  EXPECT_EQ(skills[0].skill.status, SkillStatus::kWeakWithGuide);
  EXPECT_EQ(skills[0].skill.guide_id, 3U);
  EXPECT_EQ(skills[0].skill.weak_model_id, "m-1");
  EXPECT_EQ(skills[0].skill.created, at(10));
  EXPECT_EQ(skills[0].skill.last_tried, at(11));
  EXPECT_EQ(skills[0].skill.tries, 1U);
  EXPECT_EQ(skills[0].skill.hits, 2U);
  EXPECT_EQ(skills[0].skill.confirmed, 3U);
  EXPECT_EQ(skills[0].skill.refuted, 4U);
  EXPECT_EQ(skills[0].skill.text, std::string("a\0b", 3));
  ASSERT_EQ(guides.size(), 1U);
  EXPECT_EQ(guides[0].guide.text, "Think.");
  EXPECT_EQ(guides[0].guide.embedding, nullptr);
  EXPECT_EQ(guides[0].guide.wins, 5U);
  EXPECT_EQ(guides[0].guide.losses, 1U);
  EXPECT_EQ(guides[0].guide.decision_id, "dec_1");
  ASSERT_EQ(outcomes.size(), 2U);
  EXPECT_EQ(outcomes[0].partition, partition("t2"));
  EXPECT_TRUE(outcomes[0].agrees);
  EXPECT_EQ(outcomes[0].weak_logprob, -0.125);
  EXPECT_EQ(outcomes[0].words->index, (std::vector<std::uint32_t>{1, 262'143}));
  EXPECT_EQ(outcomes[0].words->value, (std::vector<float>{0.6F, 0.8F}));
  EXPECT_EQ(outcomes[1].weak_logprob, std::nullopt);
  EXPECT_EQ(outcomes[1].words, nullptr);
  EXPECT_TRUE(outcomes[0].spot_check);
  EXPECT_FALSE(outcomes[1].spot_check);
  EXPECT_EQ(outcomes[1].time, at(12));
  EXPECT_EQ((*store)->setting("blob").value(), std::string("\0\1\2", 3));
  EXPECT_EQ((*store)->setting("none").value(), std::nullopt);

  const auto text = (*store)->decision("default", "dec_1").value();
  ASSERT_TRUE(text);
  const auto json = boost::json::parse(*text).as_object();
  EXPECT_EQ(json.at("feedback").as_array().size(), 2U);
  EXPECT_EQ(json.at("feedback").as_array()[0].at("score"), 0.5);
  EXPECT_TRUE(json.at("feedback").as_array()[1].at("score").is_null());
  EXPECT_EQ(json.at("shadows").as_array()[0], "dec_2");
  EXPECT_EQ((*store)->decision("other", "dec_1").value(), std::nullopt) << "a tenant read another's decision";
}

TEST(Store, ReplacesForgetsAndLists) {
  auto store = open_store({":memory:", Microseconds{0}}).value();
  WriteBatch batch;
  Skill skill;
  skill.id = 1;
  skill.request_hash = "a";
  batch.skills.push_back({partition("t"), skill});
  skill.id = 2;
  batch.skills.push_back({partition("t"), skill});
  for (int i = 0; i < 5; ++i) {
    batch.decisions.push_back(decision("dec_" + std::to_string(i), at(i), i % 2 == 0 ? "a" : "b"));
  }
  ASSERT_TRUE(store->commit(batch));
  WriteBatch next;
  skill.id = 1;
  skill.hits = 9;
  next.skills.push_back({partition("t"), skill});
  next.forget_skills = {2, 77};
  ASSERT_TRUE(store->commit(next));
  std::vector<StoredSkill> skills;
  ASSERT_TRUE(store->load({[&](StoredSkill s) { skills.push_back(std::move(s)); }, nullptr, nullptr}));
  ASSERT_EQ(skills.size(), 1U);
  EXPECT_EQ(skills[0].skill.hits, 9U);

  DecisionFilter filter;
  filter.tenant = "a";
  filter.limit = 2;
  const auto listed = store->decisions(filter).value();
  ASSERT_EQ(listed.size(), 2U);
  EXPECT_EQ(boost::json::parse(listed[0]).at("id"), "dec_4");
  EXPECT_EQ(boost::json::parse(listed[1]).at("id"), "dec_2");
  filter.tenant.clear();
  filter.since = at(3);
  filter.limit = 100;
  EXPECT_EQ(store->decisions(filter).value().size(), 2U);
  filter.route = "other";
  EXPECT_TRUE(store->decisions(filter).value().empty());
}

TEST(Store, AFailingBatchLeavesNothing) {
  const TemporaryFolder folder;
  const std::string path = folder.file("brevet.db");
  auto store = open_store({path, Microseconds{0}}).value();
  // The last statement of the transaction is refused by the database itself.
  auto other = Connection::open(path).value();
  ASSERT_TRUE(
      other->execute("CREATE TRIGGER refuse BEFORE INSERT ON settings WHEN NEW.name='refused' BEGIN SELECT "
                     "RAISE(ABORT,'no'); END"));
  WriteBatch batch;
  batch.decisions.push_back(decision("dec_1", at(1)));
  Skill skill;
  skill.id = 1;
  batch.skills.push_back({partition("t"), skill});
  batch.settings.emplace_back("refused", "");
  const auto done = store->commit(batch);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, "store_failed");
  EXPECT_EQ(store->decision("default", "dec_1").value(), std::nullopt);
  batch.settings.clear();
  ASSERT_TRUE(store->commit(batch)) << "the store must be usable after a refused batch";
  EXPECT_NE(store->decision("default", "dec_1").value(), std::nullopt);
  std::size_t skills = 0;
  ASSERT_TRUE(store->load({[&](StoredSkill s) {
                             ++skills;
                             EXPECT_EQ(s.partition, partition("t")) << "a partition row that was rolled back";
                           },
                           nullptr, nullptr}));
  EXPECT_EQ(skills, 1U);
}

TEST(Store, OldDecisionsGoInPieces) {
  auto store = open_store({":memory:", std::chrono::hours(1)}).value();
  WriteBatch old;
  for (int i = 0; i < 450; ++i) old.decisions.push_back(decision("dec_a" + std::to_string(i), at(i)));
  old.feedback.push_back({"dec_a0", "default", 1.0, "", at(1)});
  ASSERT_TRUE(store->commit(old));
  DecisionFilter all;
  all.limit = 10'000;
  EXPECT_EQ(store->decisions(all)->size(), 450U);
  const std::size_t expected[] = {251, 52, 3, 4};
  for (int i = 0; i < 4; ++i) {
    WriteBatch next;
    next.decisions.push_back(decision("dec_b" + std::to_string(i), at(100'000)));
    ASSERT_TRUE(store->commit(next));
    EXPECT_EQ(store->decisions(all)->size(), expected[i]);
  }
}

TEST(Store, FeedbackThatLostItsDecisionGoesByAge) {
  auto store = open_store({":memory:", std::chrono::hours(1)}).value();
  Feedback stray;
  stray.decision_id = "dec_gone";
  stray.tenant = "t";
  stray.comment = "old";
  stray.time = Instant{std::chrono::hours(100)};
  WriteBatch batch;
  batch.feedback = {stray};
  ASSERT_TRUE(store->commit(batch));
  WriteBatch later;
  auto decision = std::make_shared<Decision>();
  decision->id = "dec_gone";  // so that what is left of its feedback shows
  decision->tenant = "t";
  decision->time = Instant{std::chrono::hours(102)};
  later.decisions = {decision};
  stray.comment = "new";
  stray.time = decision->time;
  later.feedback = {stray};
  ASSERT_TRUE(store->commit(later));
  const auto json = store->decision("t", "dec_gone").value();
  ASSERT_TRUE(json);
  EXPECT_EQ(json->find("old"), std::string::npos) << *json;
  EXPECT_NE(json->find("new"), std::string::npos);
}

std::string all_bytes_beside(const std::string& path) {
  std::string out;
  for (const auto* ending : {"", "-wal", "-shm"}) {
    std::ifstream file(path + ending, std::ios::binary);
    out += std::string(std::istreambuf_iterator<char>(file), {});
  }
  return out;
}

TEST(Store, NothingOfAnErasedTenantIsLeftInTheFile) {
  const TemporaryFolder folder;
  const std::string path = folder.file("brevet.db");
  auto store = open_store({path, Microseconds{0}}).value();
  const auto fill = [&](const std::string& tenant, const std::string& secret) {
    WriteBatch batch;
    for (int i = 0; i < 50; ++i) {
      auto decision = std::make_shared<Decision>();
      decision->id = tenant + std::to_string(i);
      decision->tenant = tenant;
      decision->route = "auto";
      decision->store_text = true;
      decision->request_text = secret + std::string(2'000, 'x');
      batch.decisions.push_back(decision);
    }
    Feedback feedback;
    feedback.decision_id = tenant + "0";
    feedback.tenant = tenant;
    feedback.comment = secret;
    batch.feedback = {feedback, feedback};
    const Partition partition{tenant, "enc", "weak", "strong", ""};
    StoredSkill skill{partition, {}};
    skill.skill.id = tenant == "one" ? 1 : 2;
    skill.skill.text = secret;
    batch.skills = {skill};
    StoredGuide guide{partition, {}};
    guide.guide.id = skill.skill.id;
    guide.guide.text = secret;
    batch.guides = {guide};
    StoredOutcome outcome;
    outcome.id = skill.skill.id;
    outcome.partition = partition;
    outcome.request_hash = secret;
    batch.outcomes = {outcome};
    batch.settings = {{"scores/" + partition.key(), secret}};
    // Of the same moment as the other tenant's.
    batch.passed = {passed("dec_00000001" + tenant, at(1), 1, tenant, secret)};
    ASSERT_TRUE(store->commit(batch));
  };
  fill("one", "SECRETOFONE");
  fill("two", "SECRETOFTWO");
  // What was deleted before lies in free pages.
  WriteBatch forget;
  forget.forget_skills = {1};
  ASSERT_TRUE(store->commit(forget));
  ASSERT_NE(all_bytes_beside(path).find("SECRETOFONE"), std::string::npos);

  const auto erased = store->erase_tenant("one");
  ASSERT_TRUE(erased) << erased.error().message;
  EXPECT_EQ(erased->decisions, 51U);
  EXPECT_EQ(erased->feedback, 2U);
  EXPECT_EQ(erased->skills, 0U);
  EXPECT_EQ(erased->guides, 1U);
  EXPECT_EQ(erased->outcomes, 1U);
  EXPECT_GT(erased->bytes_freed, 50'000U);
  const auto bytes = all_bytes_beside(path);
  EXPECT_EQ(bytes.find("SECRETOFONE"), std::string::npos) << "a free page or the log still holds it";
  EXPECT_NE(bytes.find("SECRETOFTWO"), std::string::npos);
  EXPECT_FALSE(store->setting("scores/" + Partition{"one", "enc", "weak", "strong", ""}.key()).value());
  EXPECT_TRUE(store->setting("scores/" + Partition{"two", "enc", "weak", "strong", ""}.key()).value());
  EXPECT_EQ(store->decisions({"one", "", {}, 10})->size(), 0U);
  EXPECT_EQ(store->decisions({"two", "", {}, 10})->size(), 10U);
  fill("one", "AGAIN");
  EXPECT_EQ(store->erase_tenant("nobody")->decisions, 0U);
  EXPECT_EQ(store->decisions({"one", "", {}, 100})->size(), 51U) << "the store goes on";
}
std::vector<std::string> ids_of(const std::vector<std::string>& listed) {
  std::vector<std::string> out;
  for (const auto& text : listed) out.emplace_back(boost::json::parse(text).at("id").as_string());
  return out;
}

TEST(Store, ShortFormsShareRowsAndAreFoundListedAndReplacedLikeOthers) {
  const TemporaryFolder folder;
  const StoreOptions options{folder.file("brevet.db"), Microseconds{0}};
  WriteBatch batch;
  // Two buckets, times that are not in the order of the ids, and two tenants.
  batch.passed = {passed("dec_00000001a", at(10), 1), passed("dec_00000001b", at(30), 2, "other"),
                  passed("dec_00000002a", at(20), 3), passed("dec_00000001c", at(10), 4),
                  passed("d", at(5), 5)};
  {
    auto store = open_store(options).value();
    ASSERT_TRUE(store->commit(batch));
    ASSERT_TRUE(store->commit(batch)) << "a commit that is tried again must not double what is there";
    WriteBatch more;
    more.decisions = {decision("dec_r1", at(10)), decision("dec_r2", at(25)), decision("dec_r0", at(1))};
    more.feedback.push_back({"dec_00000001c", "default", 0.25, "", at(40)});
    more.passed = {passed("dec_00000001d", at(12), 6)};
    ASSERT_TRUE(store->commit(more));
  }
  auto connection = Connection::open(options.path).value();
  EXPECT_EQ(connection->integer("SELECT count(*) FROM passed").value(), 5) << "rows were not put together";
  auto store = open_store(options).value();
  DecisionFilter filter;
  EXPECT_EQ(ids_of(store->decisions(filter).value()),
            (std::vector<std::string>{"dec_00000001b", "dec_r2", "dec_00000002a", "dec_00000001d", "dec_r1",
                                      "dec_00000001c", "dec_00000001a", "d", "dec_r0"}));
  filter.limit = 4;
  filter.tenant = "default";
  EXPECT_EQ(ids_of(store->decisions(filter).value()),
            (std::vector<std::string>{"dec_r2", "dec_00000002a", "dec_00000001d", "dec_r1"}));
  filter.since = at(20);
  EXPECT_EQ(ids_of(store->decisions(filter).value()), (std::vector<std::string>{"dec_r2", "dec_00000002a"}));
  filter.route = "auto";
  EXPECT_EQ(ids_of(store->decisions(filter).value()), std::vector<std::string>{"dec_r2"});
  filter.limit = 0;
  EXPECT_TRUE(store->decisions(filter)->empty());

  const auto text = store->decision("default", "dec_00000001c").value();
  ASSERT_TRUE(text);
  const auto json = boost::json::parse(*text).as_object();
  EXPECT_EQ(json.at("number"), 4);
  EXPECT_EQ(json.at("feedback").as_array().size(), 1U);
  EXPECT_EQ(store->decision("default", "dec_00000001b").value(), std::nullopt)
      << "a tenant read another's decision";
  EXPECT_TRUE(store->decision("other", "dec_00000001b").value());
  EXPECT_TRUE(store->decision("default", "d").value());
  EXPECT_EQ(store->decision("default", "dec_00000001e").value(), std::nullopt);
}

TEST(Store, ManyShortFormsOfOneMomentTakeSeveralRowsAndAllAreThere) {
  const TemporaryFolder folder;
  const StoreOptions options{folder.file("brevet.db"), Microseconds{0}};
  auto store = open_store(options).value();
  WriteBatch batch;
  for (int i = 0; i < 600; ++i) {
    const auto id = "dec_00000001" + std::to_string(1'000 + i);
    batch.passed.push_back(passed(id, at(i), static_cast<std::uint64_t>(i), i % 2 == 0 ? "one" : "two"));
  }
  ASSERT_TRUE(store->commit(batch));
  ASSERT_TRUE(store->commit(batch)) << "a commit that is tried again must not double what is there";
  auto connection = Connection::open(options.path).value();
  EXPECT_EQ(connection->integer("SELECT count(*) FROM passed").value(), 4) << "300 of each tenant";
  EXPECT_EQ(connection->integer("SELECT max(count) FROM passed").value(), 256);
  for (const char* tenant : {"one", "two"}) {
    const auto ids = ids_of(store->decisions({tenant, "", {}, 1'000}).value());
    ASSERT_EQ(ids.size(), 300U);
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) EXPECT_GT(ids[i], ids[i + 1]);
  }
  for (const auto& row : batch.passed) EXPECT_TRUE(store->decision(row.tenant, row.id).value()) << row.id;
}

TEST(Store, OldShortFormsGoWithTheirFeedback) {
  const TemporaryFolder folder;
  const StoreOptions options{folder.file("brevet.db"), std::chrono::hours(1)};
  auto store = open_store(options).value();
  WriteBatch old;
  old.passed = {passed("dec_00000001a", at(1), 1), passed("dec_00000001b", at(2), 2),
                passed("dec_00000002a", at(3'000), 3)};
  for (const auto& row : old.passed) old.feedback.push_back({row.id, "default", 1.0, "", row.time});
  ASSERT_TRUE(store->commit(old));
  WriteBatch next;
  next.passed = {passed("dec_00000003a", at(4'000), 4)};
  ASSERT_TRUE(store->commit(next));
  EXPECT_EQ(ids_of(store->decisions({}).value()),
            (std::vector<std::string>{"dec_00000003a", "dec_00000002a"}));
  auto connection = Connection::open(options.path).value();
  EXPECT_EQ(connection->integer("SELECT count(*) FROM feedback").value(), 1);
}

TEST(Store, ABlockThatIsCutIsReportedAndNotRead) {
  const TemporaryFolder folder;
  const StoreOptions options{folder.file("brevet.db"), Microseconds{0}};
  auto store = open_store(options).value();
  WriteBatch batch;
  batch.passed = {passed("dec_00000001a", at(1), 1), passed("dec_00000001b", at(2), 2)};
  ASSERT_TRUE(store->commit(batch));
  auto connection = Connection::open(options.path).value();
  ASSERT_TRUE(connection->execute("UPDATE passed SET rows=substr(rows, 1, length(rows)-1)"));
  EXPECT_EQ(store->decision("default", "dec_00000001b").error().code, "store_corrupt");
  EXPECT_EQ(store->decisions({}).error().code, "store_corrupt");
}

TEST(Store, SecondOpenerIsToldWhoHoldsIt) {
  const TemporaryFolder folder;
  const StoreOptions options{folder.file("brevet.db"), Microseconds{0}};
  auto first = open_store(options).value();
  const auto second = open_store(options);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, "store_locked");
  EXPECT_NE(second.error().message.find(std::to_string(::getpid())), std::string::npos)
      << second.error().message;
  first.reset();
  EXPECT_TRUE(open_store(options));
}

TEST(Store, RefusesWhatItCannotRead) {
  const TemporaryFolder folder;
  const std::string garbage = folder.file("garbage.db");
  std::ofstream(garbage) << std::string(8'192, 'x');
  const auto broken = open_store({garbage, Microseconds{0}});
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code, "store_corrupt") << broken.error().message;

  const auto nowhere = open_store({folder.file("no/such/folder/brevet.db"), Microseconds{0}});
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().code, "store_unreadable");

  const std::string newer = folder.file("newer.db");
  {
    auto connection = Connection::open(newer).value();
    ASSERT_TRUE(connection->execute("PRAGMA user_version=999"));
  }
  const auto refused = open_store({newer, Microseconds{0}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "store_newer");
  EXPECT_NE(refused.error().message.find("999"), std::string::npos);

  const std::string bent = folder.file("bent.db");
  ASSERT_TRUE(open_store({bent, Microseconds{0}}));
  {
    auto connection = Connection::open(bent).value();
    ASSERT_TRUE(
        connection->execute("INSERT INTO partitions VALUES(1,'t','e','w','r','');"
                            "INSERT INTO skills VALUES(5,1,'h',x'0102','weak_ok',0,'',0,0,0,0,0,0,'')"));
  }
  auto store = open_store({bent, Microseconds{0}}).value();
  const auto loaded = store->load({[](StoredSkill) {}, nullptr, nullptr});
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, "store_corrupt");
  EXPECT_NE(loaded.error().message.find("Row 5 of table skills"), std::string::npos);
}

}  // namespace
}  // namespace brevet
