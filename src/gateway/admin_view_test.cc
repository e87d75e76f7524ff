// Goal: decisions are found before and after their commit and by their tenant only; the report's figures are
// right by hand; explanations name model, evidence and money.
// Method: decisions made by the real flow; the store is a fake map.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "gateway/explain.h"
#include "gateway/make_admin_view.h"
#include "gateway/report.h"
#include "gateway/test_fakes.h"
#include "quality/proportion.h"

namespace brevet {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using testing_fakes::World;

class FakeStore : public Store {
 public:
  Result<> commit(const WriteBatch&) override { return {}; }
  Result<> load(const LoadVisitor&) const override { return {}; }
  Result<std::optional<std::string>> decision(const std::string& tenant,
                                              const std::string& id) const override {
    if (tenant == "default" && id == "dec_old") return std::optional<std::string>("{\"old\":true}");
    return std::optional<std::string>();
  }
  Result<std::vector<std::string>> decisions(const DecisionFilter& filter) const override {
    return std::vector<std::string>(filter.limit, "{}");
  }
  Result<std::optional<std::string>> setting(const std::string&) const override {
    return std::optional<std::string>();
  }
};

struct Fixture {
  World world;
  FakeStore store;
  std::unique_ptr<AdminView> view =
      make_admin_view({store, world.recent, world.ledger, world.shadows.get(), world.contracts.get(), [] {
                         return std::vector<MetricSample>{{"brevet_more", "More.", false, {}, 1}};
                       }});
};

TEST(AdminView, FindsDecisionsInStoreAndMemoryOfThisTenantOnly) {
  Fixture fixture;
  auto& world = fixture.world;
  EXPECT_EQ(**world.sync(fixture.view->decision_json("default", "dec_old")), "{\"old\":true}");
  const auto decision = world.serve(World::request());
  const auto fresh = world.sync(fixture.view->decision_json("default", decision->id));
  ASSERT_TRUE(fresh && *fresh);
  EXPECT_THAT(**fresh, HasSubstr(decision->id));
  EXPECT_FALSE(*world.sync(fixture.view->decision_json("other", decision->id)));
  EXPECT_FALSE(*world.sync(fixture.view->decision_json("default", "dec_none")));
  DecisionQuery query;
  query.tenant = "default";
  query.limit = 3;
  EXPECT_EQ(world.sync(fixture.view->decisions_json(query))->size(), 3u);
}

TEST(AdminView, SamplesHoldMoneyShadowsAndWhatAppAdds) {
  Fixture fixture;
  fixture.world.learn();
  fixture.world.serve(World::request());
  double learned = 0;
  bool more = false;
  for (const auto& sample : fixture.view->samples()) {
    EXPECT_EQ(sample.name.rfind("brevet_", 0), 0u);
    if (sample.name == "brevet_learning_usd_total" && sample.labels[1].second == "learn")
      learned = sample.value;
    more |= sample.name == "brevet_more";
  }
  EXPECT_DOUBLE_EQ(learned, 1'000e-12);
  EXPECT_TRUE(more);
}

TEST(AdminView, ADryRunExplainsItself) {
  Fixture fixture;
  fixture.world.use("rar");
  const auto decision =
      fixture.world.sync(fixture.world.flow->dry_run(fixture.world.runtime(), World::request(), {}));
  const auto parsed = boost::json::parse(fixture.view->dry_run_json(**decision)).as_object();
  EXPECT_EQ(parsed.at("would_call").as_string(), "strong");
  EXPECT_THAT(std::string(parsed.at("explanation").as_string()), HasSubstr("nothing like it is remembered"));
  EXPECT_THAT(std::string(parsed.at("explanation").as_string()), StartsWith("Would be served by strong"));
  EXPECT_THAT(std::string(parsed.at("reason").at("sentence").as_string()), StartsWith("Would be served by"));
}

TEST(Report, SavingsAndAgreementByHand) {
  Fixture fixture;
  auto& world = fixture.world;
  world.learn();
  world.serve(World::request());  // the reference: 20000; its shadow: 1000, same
  world.route.learning.enabled = false;
  world.use("always_weak");
  world.serve(World::request());  // weak: 1000; the reference would have cost 100*100 + 10*1000 = 20000
  ReportQuery query;
  query.tenant = "default";
  const auto report = boost::json::parse(*world.sync(fixture.view->report_json(query))).as_object();
  const auto& route = report.at("routes").as_array().at(0).as_object();
  EXPECT_EQ(route.at("requests").to_number<int>(), 2);
  EXPECT_DOUBLE_EQ(route.at("strong_share").at("share").as_double(), 0.5);
  EXPECT_EQ(route.at("saved").at("serving").at("usd").as_string(), Money::from_pico(19'000).to_string());
  EXPECT_EQ(route.at("saved").at("after_learning").at("usd").as_string(),
            Money::from_pico(18'000).to_string());
  const auto& agreement = route.at("agreement").at("weak_alone");
  EXPECT_EQ(agreement.at("n").to_number<int>(), 1);
  EXPECT_DOUBLE_EQ(agreement.at("low").as_double(), exact_proportion(1, 1).low);
  EXPECT_TRUE(route.at("agreement").at("spot_checks").at("share").is_null()) << "unknown is never zero";
  EXPECT_TRUE(route.at("observe").is_null());
  query.tenant = "other";
  EXPECT_TRUE(
      boost::json::parse(*world.sync(fixture.view->report_json(query))).at("routes").as_array().empty());
}

TEST(Report, ObserveModeSaysWhatWouldHaveBeenSaved) {
  Fixture fixture;
  auto& world = fixture.world;
  world.learn();
  world.use("always_weak");
  world.route.mode = RouteMode::kObserve;
  for (int i = 0; i < 4; ++i) world.serve(World::request("auto", "Question " + std::to_string(i)));
  const auto report = boost::json::parse(report_json(world.ledger.snapshot()));
  const auto& observe = report.at("routes").as_array().at(0).at("observe");
  EXPECT_EQ(observe.at("requests").to_number<int>(), 4);
  EXPECT_EQ(observe.at("after_answer").as_string(), "not_simulated")
      << "the report must say what it leaves out";
  EXPECT_EQ(observe.at("would_have_saved").at("usd").as_string(), Money::from_pico(4 * 19'000).to_string());
  EXPECT_DOUBLE_EQ(observe.at("would_have_saved").at("share_of_always_strong").as_double(), 0.95);
  EXPECT_EQ(observe.at("agreement").at("same").to_number<int>(), 4);
}

TEST(Explain, NamesModelEvidenceAndMoney) {
  World world;
  world.use("rar", {{"tau_skill", 0.8}});
  Skill skill;
  skill.id = 31;
  skill.status = SkillStatus::kWeakOk;
  world.snapshot->near = {{skill, 0.93f}};
  const auto text = explain(*world.serve(World::request()));
  EXPECT_THAT(text, HasSubstr("Served by weak because a remembered request is similar (0.93)"));
  EXPECT_THAT(text, HasSubstr("skill 31"));
  EXPECT_THAT(text, HasSubstr("$0.000000001 (priced)"));
  EXPECT_THAT(text, HasSubstr("always the reference: $0.00000002 (assumed) - estimate: 100 input tokens"));
}

}  // namespace
}  // namespace brevet
