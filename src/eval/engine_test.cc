// Goal: the evaluation says what can be told by hand, the same bytes for the same seed on any number of
// threads and after an interruption, and that a strategy which knows nothing does nothing. Method: made files
// whose outcomes follow a rule, evaluated through the production flow.
#include "eval/engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <thread>

#include "base/random.h"
#include "base/test_folder.h"
#include "eval/report_json.h"
#include "eval/router_fit.h"

namespace brevet {
namespace {

/// `count` questions; weak is right where the text is about sums (or, without a rule, by a fair coin).
std::string write_file(const std::string& name, int count, bool rule, bool costs = true) {
  const auto path = (std::filesystem::path(test_folder()) / name).string();
  auto writer = OutcomeWriter::create(path).value();
  for (int i = 0; i < count; ++i) {
    OutcomeRecord record;
    const bool sum = mix_bits(5, static_cast<std::uint64_t>(i)) % 2 == 0;
    const bool easy = rule ? sum : mix_bits(9, static_cast<std::uint64_t>(i)) % 2 == 0;
    record.id = "made/" + std::to_string(i);
    record.dataset = "made";
    record.subject = sum ? "sums" : "towns";
    record.prompt =
        sum ? "What is the sum of " + std::to_string(i) + " and " + std::to_string(3 * i + 1) + "?"
            : "Which town is the capital of country number " + std::to_string(i) + "?";
    RecordedOutcome weak;
    weak.score = easy ? 1 : 0;
    weak.has_pred = true;
    weak.pred = easy ? "right" + std::to_string(i) : "wrong" + std::to_string(i);
    if (costs) weak.cost = Money::from_pico(1'000'000);
    RecordedOutcome strong = weak;
    strong.score = 1;
    strong.pred = "right" + std::to_string(i);
    if (costs) strong.cost = Money::from_pico(10'000'000);
    RecordedOutcome middle = strong;
    middle.score = i % 4 == 0 ? 0 : 1;
    if (costs) middle.cost = Money::from_pico(4'000'000);
    record.models = {{"weak", weak}, {"middle", middle}, {"strong", strong}};
    EXPECT_TRUE(writer->write(record));
  }
  EXPECT_TRUE(writer->close());
  return path;
}

EvalOptions options_for(const std::string& file, const std::vector<std::string>& strategies) {
  EvalOptions out;
  QuestionSetOptions set;
  set.file = file;
  set.models = {"weak", "strong"};
  set.fit_labels = 60;
  set.calibration_labels = 60;
  out.sets.push_back(set);
  for (const auto& text : strategies) out.strategies.push_back(parse_eval_strategy(text).value());
  out.seeds = 3;
  out.bootstrap_rounds = 200;
  out.learning.budget_share = 10;
  out.learning.guides = false;
  return out;
}

const StrategyRow& row_of(const EvalReport& report, const std::string& strategy) {
  for (const auto& row : report.datasets.front().rows) {
    if (row.strategy == strategy) return row;
  }
  ADD_FAILURE() << "no row " << strategy;
  return report.datasets.front().rows.front();
}

TEST(Engine, BaselinesAreWhatTheFileSays) {
  const auto report = evaluate(options_for(write_file("engine_base.jsonl", 400, true), {}), nullptr).value();
  const auto& set = report.datasets.front();
  for (const auto& name : baseline_names()) row_of(report, name);
  std::size_t sums = 0;
  for (const auto& topic : set.topics.rows) sums += topic.topic == "sums" ? topic.n : 0;
  const double share = static_cast<double>(sums) / static_cast<double>(set.splits.test);
  EXPECT_NEAR(row_of(report, "always_weak").quality->mean, share, 1e-12);
  EXPECT_EQ(row_of(report, "always_strong").quality->mean, 1);
  EXPECT_NEAR(row_of(report, "always_strong").cost_rel->mean, 1, 1e-12);
  EXPECT_NEAR(row_of(report, "always_weak").cost_rel->mean, .1, 1e-12);
  EXPECT_NEAR(row_of(report, "random_mixture").quality->mean, share + .5 * (1 - share), 1e-12);
  EXPECT_NEAR(row_of(report, "random_mixture").cost_rel->mean, .55, 1e-12);
  EXPECT_NEAR(row_of(report, "random_mixture").apgr->mean, .5, 1e-9);
  EXPECT_NEAR(row_of(report, "random_mixture").cpt80->mean, .8, 1e-9);
  EXPECT_EQ(row_of(report, "oracle").quality->mean, 1);
  EXPECT_NEAR(row_of(report, "oracle").cost_rel->mean, share * .1 + (1 - share), 1e-9);
  EXPECT_NEAR(row_of(report, "oracle").strong_share->mean, 1 - share, 1e-12);
  EXPECT_LT(row_of(report, "oracle_all").cost_rel->mean, row_of(report, "oracle").cost_rel->mean);
  EXPECT_EQ(row_of(report, "best_single").quality->mean, 1);
  EXPECT_EQ(set.cost_basis, "recorded");
  EXPECT_EQ(set.splits.fitting + set.splits.calibration + set.splits.test, 400U);
}

TEST(Engine, AStrategyThatLearnsTheRuleBeatsItsShuffle) {
  const auto options = options_for(write_file("engine_rule.jsonl", 600, true), {"adaptive{outcomes_min=20}"});
  const auto report = evaluate(options, nullptr).value();
  const auto& row = row_of(report, "adaptive{outcomes_min=20}");
  EXPECT_EQ(row.verdict, ShuffleVerdict::kBeatsShuffle);
  EXPECT_GT(row.shuffle_gain->ci95->low, 0);
  EXPECT_GT(row.apgr->mean, .6);
  EXPECT_EQ(row.seeds, 3U);
  EXPECT_EQ(row.setting, "strong_share=0.5");
  // Shadows are paid for and charged.
  EXPECT_GT(row.cost_rel->mean, row.cost_rel_serving->mean);
  const auto& curve = report.datasets.front().learning;
  ASSERT_FALSE(curve.empty());
  EXPECT_EQ(curve.back().points.back().requests, row.n);
  EXPECT_FALSE(report.datasets.front().costly.empty());
}

TEST(Engine, NothingToLearnIsSaidToDoNothing) {
  const auto options = options_for(write_file("engine_coin.jsonl", 600, false), {"adaptive"});
  const auto report = evaluate(options, nullptr).value();
  EXPECT_NE(row_of(report, "adaptive").verdict, ShuffleVerdict::kBeatsShuffle);
  EXPECT_NEAR(row_of(report, "adaptive").apgr->mean, .5, .08);
}

TEST(Engine, AStrategyThatNeverDecidesIsSaidToDoNothing) {
  // Scores and costs that no float holds exactly: rounding must not look like a gain.
  const auto path = (std::filesystem::path(test_folder()) / "engine_nothing.jsonl").string();
  {
    auto writer = OutcomeWriter::create(path).value();
    for (int i = 0; i < 300; ++i) {
      OutcomeRecord record;
      record.id = "n" + std::to_string(i);
      record.dataset = "made";
      record.prompt = "Question " + std::to_string(i) + " of its own kind?";
      RecordedOutcome weak;
      weak.score = .1 * (i % 7);
      weak.cost = Money::from_pico(70'000'000'001);
      RecordedOutcome strong;
      strong.score = .8;
      strong.cost = Money::from_pico(700'000'000'001);
      record.models = {{"weak", weak}, {"strong", strong}};
      ASSERT_TRUE(writer->write(record));
    }
    ASSERT_TRUE(writer->close());
  }
  const auto report = evaluate(options_for(path, {"rar"}), nullptr).value();
  for (const char* name : {"exact_lookup", "rar"}) {
    EXPECT_EQ(row_of(report, name).strong_share->mean, 1) << name;
    EXPECT_EQ(row_of(report, name).verdict, ShuffleVerdict::kDoesNothing) << name;
    EXPECT_NEAR(row_of(report, name).retention->mean, 1, 1e-12) << name;
  }
}

TEST(Engine, RowsAreMeansOverRequestsWhereQuestionsRepeat) {
  auto options = options_for(write_file("engine_repeats.jsonl", 300, true), {});
  options.order = parse_order("random+repeats=.5").value();
  const auto report = evaluate(options, nullptr).value();
  const auto& row = row_of(report, "exact_lookup");
  const auto& all = report.datasets.front().learning.front().points.back();
  ASSERT_EQ(report.datasets.front().learning.front().strategy, "exact_lookup");
  EXPECT_GT(all.requests, row.n);
  EXPECT_NEAR(row.strong_share->mean, all.strong_share->mean, 1e-9);
  EXPECT_NEAR(row.cost_rel->mean, all.cost_rel_with_learning->mean, 1e-9);
  EXPECT_NEAR(row.quality->mean, all.quality->mean, 1e-9);
}

TEST(Engine, BaselinesWeighQuestionsByHowOftenTheOrdersAskThem) {
  auto options = options_for(write_file("engine_asked.jsonl", 300, true), {});
  options.order = parse_order("random+repeats=.5").value();
  const auto report = evaluate(options, nullptr).value();
  // The same from the orders by hand.
  const auto set = QuestionSet::load(options.sets.front()).value();
  const auto& test = set->split().test;
  std::vector<std::uint32_t> topic;
  for (const auto question : test) topic.push_back(set->topic(question));
  double right = 0;
  double requests = 0;
  for (std::size_t seed = 0; seed < options.seeds; ++seed) {
    for (const auto& request : make_order(test.size(), topic, options.order, options.seed + seed)) {
      right += set->score(test[request.question], 0);
      requests += 1;
    }
  }
  double once = 0;
  for (const auto question : test) once += set->score(question, 0);
  const double weak = right / requests;
  ASSERT_GT(std::abs(weak - once / static_cast<double>(test.size())), 1e-4) << "the test would show nothing";
  EXPECT_NEAR(row_of(report, "always_weak").quality->mean, weak, 1e-9);
  EXPECT_NEAR(row_of(report, "random_mixture").quality->mean, weak + .5 * (1 - weak), 1e-9);
  EXPECT_NEAR(row_of(report, "random_mixture").apgr->mean, .5, 1e-9);
  EXPECT_NEAR(row_of(report, "oracle").cost_rel->mean, weak * .1 + (1 - weak), 1e-9);
  EXPECT_NEAR(row_of(report, "always_strong").cost_rel->mean, 1, 1e-12);
  EXPECT_EQ(row_of(report, "always_weak").seeds, 3U);
  const auto& knn = row_of(report, "knn");  // without embeddings strong serves everything
  EXPECT_NEAR(knn.cost_rel->mean, 1, 1e-9);
  EXPECT_NEAR(report.datasets.front().plane.single_models.front().point.quality.mean, weak, 1e-9);
}

TEST(Engine, AnotherBoundThanTheDialHasNoCurveOfTheDial) {
  const auto options = options_for(write_file("engine_bound.jsonl", 300, true),
                                   {"adaptive{min_agreement=.9;outcomes_min=20}"});
  const auto report = evaluate(options, nullptr).value();
  EXPECT_FALSE(row_of(report, "adaptive{min_agreement=.9;outcomes_min=20}").apgr);
}

TEST(Engine, UnknownCostsAreNullAndNeverZero) {
  const auto options = options_for(write_file("engine_free.jsonl", 300, true, false), {"adaptive", "rar"});
  const auto report = evaluate(options, nullptr).value();
  for (const auto& row : report.datasets.front().rows) {
    EXPECT_FALSE(row.cost_usd) << row.strategy;
    EXPECT_FALSE(row.cost_rel) << row.strategy;
    EXPECT_FALSE(row.aiq) << row.strategy;
    EXPECT_EQ(row.cost_basis, "unknown");
  }
  EXPECT_TRUE(row_of(report, "adaptive").shuffle_gain);
  EXPECT_NE(report_json(report).find("\"cost_usd\":null"), std::string::npos);
}

std::string without_timing(const EvalReport& report) {
  auto copy = report;
  copy.timing = {};
  for (auto& set : copy.datasets) {
    set.embedding.measured = 0;
    for (auto& row : set.rows) row.latency_p50_ms.reset(), row.latency_p99_ms.reset();
  }
  return report_json(copy);
}

TEST(Engine, SameSeedSameBytesOnAnyNumberOfThreads) {
  auto options = options_for(write_file("engine_bytes.jsonl", 300, true), {"adaptive", "rar"});
  const auto one = without_timing(evaluate(options, nullptr).value());
  options.threads = 3;
  EXPECT_EQ(without_timing(evaluate(options, nullptr).value()), one);
  options.seed = 2;
  EXPECT_NE(without_timing(evaluate(options, nullptr).value()), one);
}

TEST(Engine, AnInterruptedRunGoesOnAndGivesTheSame) {
  const auto work = std::filesystem::path(test_folder()) / "brevet_engine_work";
  std::filesystem::remove_all(work);
  auto options = options_for(write_file("engine_resume.jsonl", 300, true), {"adaptive"});
  const auto whole = without_timing(evaluate(options, nullptr).value());
  options.work_folder = work;
  int asked = 0;
  options.stop = [&] { return ++asked > 7; };
  const auto cut = evaluate(options, nullptr);
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().code, "interrupted");
  EXPECT_GE(std::distance(std::filesystem::directory_iterator(work), {}), 4);
  // A torn file of the interrupted run is made anew.
  std::filesystem::resize_file(std::filesystem::directory_iterator(work)->path(), 100);
  options.stop = nullptr;
  EXPECT_EQ(without_timing(evaluate(options, nullptr).value()), whole);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(work), {}), 0) << "kept after the run was done";
  std::filesystem::remove_all(work);
}

/// Tells the two kinds of the made files apart, with some noise of its own for every text.
class KindEncoder final : public SentenceEncoder {
 public:
  Result<Embedding> embed(std::string_view text) const override {
    Embedding out(16);
    double sum = 0;
    for (std::size_t i = 0; i < out.size(); ++i) {
      double x = static_cast<double>(mix_bits(hash_bytes(text), i) >> 11) * 0x1p-53 - .5;
      if (i < 2) x += (text.find("sum of") != std::string_view::npos) == (i == 0) ? 2 : 0;
      out[i] = static_cast<float>(x);
      sum += x * x;
    }
    for (auto& x : out) x = static_cast<float>(x / std::sqrt(sum));
    return out;
  }
  std::vector<std::int32_t> encode(std::string_view) const override { return {}; }
  std::size_t dimension() const override { return 16; }
  const std::string& hash() const override { return hash_; }
  const WordPiece& tokenizer() const override { return *tokenizer_; }

 private:
  const std::string hash_ = "kind";
  const std::shared_ptr<const WordPiece> tokenizer_ =
      WordPiece::create("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n").value();
};

class KindPool final : public EmbeddingPool {
 public:
  Task<Result<std::shared_ptr<const Embedding>>> embed(std::string text) override {
    co_return std::make_shared<const Embedding>(encoder_.embed(text).value());
  }
  const SentenceEncoder& encoder() const override { return encoder_; }
  EmbeddingPoolCounts counts() const override { return {}; }

 private:
  const KindEncoder encoder_;
};

TEST(Engine, TwoRunsThatShareAFolderDoNotDisturbEachOther) {
  const auto cache = std::filesystem::path(test_folder()) / "brevet_engine_shared";
  std::filesystem::remove_all(cache);
  auto options = options_for(write_file("engine_shared.jsonl", 300, true), {"adaptive{outcomes_min=20}"});
  options.bootstrap_rounds = 20;
  KindPool alone;
  const auto whole = without_timing(evaluate(options, &alone).value());
  options.cache_folder = cache;
  options.work_folder = cache / "streams";
  // Bounds that everything breaks: each run clears what the other one has just kept.
  options.cache_bounds = {0, std::chrono::hours(0), std::chrono::hours(1)};
  std::vector<std::string> found(2);
  {
    std::vector<std::jthread> runs;
    for (auto& text : found) {
      runs.emplace_back([&] {
        KindPool pool;
        for (int i = 0; i < 3; ++i) {
          text = without_timing(evaluate(options, &pool).value());
          if (text != whole) return;
        }
      });
    }
  }
  EXPECT_TRUE(found[0] == whole && found[1] == whole) << "a shared folder changed the figures";
  for (const auto& entry : std::filesystem::directory_iterator(options.work_folder))
    ADD_FAILURE() << "left behind: " << entry.path();
  std::filesystem::remove_all(cache);
}

TEST(Engine, FittedStrategiesSeeOnlyTheFittingSplit) {
  // With every outcome turned round outside of the fitting split what kNN predicts must stay what it was.
  const auto honest = write_file("engine_fit.jsonl", 300, true);
  auto options = options_for(honest, {});
  const auto set = QuestionSet::load(options.sets.front()).value();
  std::vector<bool> fitting(set->size());
  for (const auto question : set->split().fitting) fitting[question] = true;
  const auto turned = (std::filesystem::path(test_folder()) / "engine_turned.jsonl").string();
  const auto all_turned = (std::filesystem::path(test_folder()) / "engine_all_turned.jsonl").string();
  for (const bool all : {false, true}) {
    auto records = read_outcome_file(honest).value();
    auto writer = OutcomeWriter::create(all ? all_turned : turned).value();
    for (std::size_t i = 0; i < records.size(); ++i) {
      if (all || !fitting[i]) {
        auto& weak = records[i].models.front().second;
        weak.score = 1 - weak.score;
        weak.pred = (weak.score > 0 ? "right" : "wrong") + std::to_string(i);
      }
      ASSERT_TRUE(writer->write(records[i]));
    }
    ASSERT_TRUE(writer->close());
  }
  KindPool pool;
  const auto predictions = [&](const std::string& file) {
    options.sets.front().file = file;
    const auto report = evaluate(options, &pool).value();
    const auto& diagrams = report.datasets.front().reliability;
    const auto knn = std::find_if(diagrams.begin(), diagrams.end(),
                                  [](const auto& diagram) { return diagram.strategy == "knn"; });
    std::vector<double> out;
    for (const auto& bin : knn->calibration.bins)
      out.insert(out.end(), {static_cast<double>(bin.n), bin.predicted});
    return std::pair(out, *row_of(report, "knn").auroc);
  };
  const auto [before, auroc_before] = predictions(honest);
  const auto [after, auroc_after] = predictions(turned);
  const auto [refitted, auroc_refitted] = predictions(all_turned);
  EXPECT_EQ(before, after);
  EXPECT_GT(auroc_before.mean, .95) << "kNN knows the rule";
  EXPECT_LT(auroc_after.mean, .05) << "and is wrong where the rule was turned round";
  EXPECT_NE(before, refitted) << "it does follow what it is fitted on";
}

TEST(Engine, FittedStrategiesPayTheirLabelsBeforeTheFirstRequest) {
  KindPool pool;
  auto options = options_for(write_file("engine_labels.jsonl", 1200, true), {});
  options.bootstrap_rounds = 20;
  for (const char* order : {"random", "random+repeats=.3"}) {
    options.order = parse_order(order).value();
    const auto report = evaluate(options, &pool).value();
    const auto& row = row_of(report, "knn");
    const auto& curves = report.datasets.front().learning;
    const auto knn =
        std::find_if(curves.begin(), curves.end(), [](const auto& curve) { return curve.strategy == "knn"; });
    ASSERT_NE(knn, curves.end());
    ASSERT_EQ(knn->points.size(), 2U);
    const auto& first = knn->points.front();
    const auto& last = knn->points.back();
    EXPECT_EQ(first.requests, 1000U);
    EXPECT_GT(last.requests, 1000U);
    // 60 labels at 1.1 of strong's price, spread over what was served by then.
    EXPECT_NEAR(first.cost_rel_with_learning->mean - first.cost_rel->mean, 60 * 1.1 / 1000, 1e-9);
    EXPECT_NEAR(last.cost_rel_with_learning->mean - last.cost_rel->mean,
                60 * 1.1 / static_cast<double>(last.requests), 1e-9);
    EXPECT_NEAR(last.cost_rel->mean, row.cost_rel->mean, 1e-9);
    EXPECT_NEAR(last.cost_rel_with_learning->mean, row.cost_rel_with_learning->mean, 1e-9);
    EXPECT_NEAR(last.quality->mean, row.quality->mean, 1e-9);
    EXPECT_NEAR(last.strong_share->mean, row.strong_share->mean, 1e-9);
  }
}

TEST(Engine, ASetTooSmallForWhatIsLearnedFirstIsSaidSo) {
  auto options = options_for(write_file("engine_small.jsonl", 300, true),
                             {"adaptive", "adaptive{outcomes_min=20}", "adaptive{outcomes_min=150}"});
  options.dials = false;
  const auto report = evaluate(options, nullptr).value();
  const auto& nothing = row_of(report, "adaptive");
  const auto n = std::to_string(nothing.n);
  EXPECT_EQ(nothing.strong_share->mean, 1) << "it never decides";
  for (const auto& part :
       {std::string("measures nothing here"), std::string("200 outcomes"), n + " requests"})
    EXPECT_NE(nothing.note.find(part), std::string::npos) << nothing.note;
  EXPECT_EQ(row_of(report, "adaptive{outcomes_min=20}").note.find("measures"), std::string::npos);
  ASSERT_GT(nothing.n, 150U);
  EXPECT_NE(row_of(report, "adaptive{outcomes_min=150}").note.find("measures little here"),
            std::string::npos);
}

TEST(Engine, EmbeddingIsStatedWithItsTextsAndItsTime) {
  KindPool pool;
  const auto file = write_file("engine_embedding.jsonl", 200, true);
  const auto report = evaluate(options_for(file, {}), &pool).value();
  const auto& found = report.datasets.front().embedding;
  EXPECT_EQ(found.texts, 200U);
  EXPECT_GT(found.measured, 0U);
  EXPECT_TRUE(found.ms_per_text && *found.ms_per_text > 0);
  EXPECT_TRUE(found.cpu_s_per_text && *found.cpu_s_per_text >= 0);
  const auto json = report_json(report);
  EXPECT_NE(json.find(R"("embedding":{"texts":200,"cost_usd":0,)"), std::string::npos);
  EXPECT_GT(json.find("\"ms_per_text\""), json.find("\"timing\"")) << "depends on the machine";
  EXPECT_NE(report_json(evaluate(options_for(file, {}), nullptr).value()).find("\"embedding\":null"),
            std::string::npos);
}

TEST(Engine, OracleOfAllModelsNamesTheBasisOfAllModels) {
  const auto path = (std::filesystem::path(test_folder()) / "engine_basis.jsonl").string();
  {
    auto records = read_outcome_file(write_file("engine_basis_from.jsonl", 100, true)).value();
    auto writer = OutcomeWriter::create(path).value();
    for (auto& record : records) {
      auto& middle = record.models[1].second;
      middle.cost.reset();
      middle.input_tokens = 10;
      middle.output_tokens = 2;
      ASSERT_TRUE(writer->write(record));
    }
    ASSERT_TRUE(writer->close());
  }
  auto options = options_for(path, {});
  options.sets.front().prices = std::make_shared<const PriceTable>(
      PriceTable::parse(R"({"prices":{"middle":{"input":0.01,"output":0.01}}})", "prices.json").value());
  const auto report = evaluate(options, nullptr).value();
  EXPECT_EQ(row_of(report, "oracle").cost_basis, "recorded");
  EXPECT_EQ(row_of(report, "oracle_all").cost_basis, "priced");
}

TEST(Engine, TransferKeepsTheThresholdOfTheSetItWasFittedOn) {
  const auto even = write_file("engine_even.jsonl", 500, true);
  const auto easy = (std::filesystem::path(test_folder()) / "engine_easy.jsonl").string();
  {
    auto writer = OutcomeWriter::create(easy).value();
    int towns = 0;
    auto records = read_outcome_file(write_file("engine_easy_from.jsonl", 900, true)).value();
    for (auto& record : records) {
      record.prompt += " Please.";
      if (record.subject == "towns" && ++towns % 6 != 0) continue;
      ASSERT_TRUE(writer->write(record));
    }
    ASSERT_TRUE(writer->close());
  }
  // Scores without ties: equal ones give the same decisions at either threshold.
  const std::string remembered = "knn{trained=false}";
  auto options = options_for(even, {remembered});
  options.sets.push_back(options.sets.front());
  options.sets.back().file = easy;
  KindPool pool;
  const auto report = evaluate(options, &pool).value();
  ASSERT_EQ(report.transfer.size(), 8U);
  for (const auto& row : report.transfer) {
    if (row.strategy != remembered) continue;
    ASSERT_TRUE(row.apgr && row.cpt50 && row.carried_quality && row.carried_strong_share);
    const bool home = row.fitted_on == row.tested_on;
    EXPECT_EQ(home, row.carried_mixture_gain->mean == row.mixture_gain->mean)
        << row.fitted_on << row.tested_on;
    if (row.fitted_on == "engine_even" && row.tested_on == "engine_easy") {
      // Half of the one set needs strong and a seventh of the other: a kept threshold follows the need.
      EXPECT_LT(row.carried_strong_share->mean, .3);
      EXPECT_GT(row.carried_quality->mean, .95);
      EXPECT_LT(row.cpt50->mean, .15);
    }
  }
}

TEST(Engine, BadUseIsAClearError) {
  EXPECT_EQ(parse_eval_strategy("adaptve").error().code, "unknown_strategy");
  EXPECT_EQ(parse_eval_strategy("adaptive{strong_share}").error().code, "bad_option");
  EXPECT_EQ(parse_eval_strategy("adaptive{strong_shar=1}").error().code, "unknown_option");
  EXPECT_EQ(parse_eval_strategy("rar_shadow").error().code, "shadow_plan_cannot_serve");
  const auto file = write_file("engine_bad.jsonl", 20, true);
  auto options = options_for(file, {});
  options.sets.front().models = {"weak", "stronger"};
  EXPECT_EQ(evaluate(options, nullptr).error().code, "unknown_model");
  options.sets.front().models = {"weak"};
  EXPECT_EQ(evaluate(options, nullptr).error().code, "missing_models");
  options.sets.front().file = "/nowhere.jsonl";
  options.sets.front().models = {"weak", "strong"};
  EXPECT_EQ(evaluate(options, nullptr).error().code, "data_file_unreadable");
}

std::vector<EvalStrategy> every_router() {
  std::vector<EvalStrategy> out;
  for (const auto& kind : fit_kinds()) {
    if (kind.beside) continue;  // nothing is asked here
    out.push_back(parse_eval_strategy(kind.name == "knn" ? "knn{k=20}" : kind.name).value());
  }
  return out;
}

TEST(Engine, EveryTrainedRouterFindsTheRuleFromTheFittingSplit) {
  auto options = options_for(write_file("engine_routers.jsonl", 500, true), {});
  options.sets.front().fit_labels = 150;
  options.strategies = every_router();
  options.bootstrap_rounds = 50;
  KindPool pool;
  const auto report = evaluate(options, &pool).value();
  for (const auto& strategy : options.strategies) {
    const auto& row = row_of(report, strategy.text);
    ASSERT_TRUE(row.apgr) << strategy.text << ": " << row.note;
    EXPECT_GT(row.apgr->mean, .65) << strategy.text;
    EXPECT_EQ(row.labels, 150U);
    EXPECT_LT(row.brier->mean, .25) << strategy.text;
    // Both models are paid for on each label.
    EXPECT_GT(row.cost_rel_with_learning->mean, row.cost_rel->mean);
    EXPECT_NE(row.note.find("fitted on 150 questions"), std::string::npos);
  }
  const auto kinds = options.strategies.size() + 1;  // and the baseline kNN
  EXPECT_EQ(report.pairwise.size(), kinds * (kinds - 1) / 2 * 3);
}

TEST(Engine, WithoutEmbeddingsARouterSaysSo) {
  const auto report =
      evaluate(options_for(write_file("engine_blind.jsonl", 300, true), {"mf"}), nullptr).value();
  EXPECT_FALSE(row_of(report, "mf").quality);
  EXPECT_NE(row_of(report, "mf").note.find("could not be fitted"), std::string::npos);
}

TEST(Engine, AnotherViewIsReadWhileFittingAndWhileServing) {
  // Sums and towns have other shapes: digits tell them apart without any embedding.
  auto options = options_for(write_file("engine_views.jsonl", 400, true),
                             {"ensemble{inputs=shape}", "svm{inputs=shape}", "svm{labels=weak_fails}"});
  options.sets.front().fit_labels = 150;
  options.splits = 2;
  options.bootstrap_rounds = 50;
  const auto report = evaluate(options, nullptr).value();
  EXPECT_GT(row_of(report, "svm{inputs=shape}").apgr->mean, .6);
  EXPECT_GT(row_of(report, "ensemble{inputs=shape}").apgr->mean, .6);
  EXPECT_FALSE(row_of(report, "svm{labels=weak_fails}").apgr) << "there is no embedding to read";
  options.strategies = {parse_eval_strategy("svm{inputs=static}").value()};
  EXPECT_EQ(evaluate(options, nullptr).error().code, "no_static_encoder");
}

TEST(Engine, SplitsAreMeansAndLabelsMakeACurve) {
  auto options = options_for(write_file("engine_splits.jsonl", 500, true), {"svm", "bert_head"});
  options.sets.front().fit_labels = 100;
  options.sets.front().fit_labels_max = 150;
  options.more_labels = {60, 150};
  options.splits = 3;
  options.bootstrap_rounds = 50;
  KindPool pool;
  const auto report = evaluate(options, &pool).value();
  auto rows = report.datasets.front().rows;
  const auto& further = report.datasets.front().label_curve;
  rows.insert(rows.end(), further.begin(), further.end());
  for (const char* name : {"svm", "bert_head", "knn"}) {
    std::vector<std::uint64_t> labels;
    for (const auto& row : rows) {
      if (row.strategy != name) continue;
      EXPECT_EQ(row.splits, 3U);
      EXPECT_TRUE(row.apgr);
      labels.push_back(*row.labels);
    }
    EXPECT_EQ(labels, (std::vector<std::uint64_t>{100, 60, 150})) << name;
  }
  for (const auto& row : report.pairwise) EXPECT_EQ(row.splits, 3U);
  options.threads = 3;
  EXPECT_EQ(without_timing(evaluate(options, &pool).value()), without_timing(report))
      << "threads change figures";
}

TEST(Engine, TheFlowAndTheRouterItselfSayTheSame) {
  auto options = options_for(write_file("engine_direct.jsonl", 400, true), {});
  options.sets.front().fit_labels = 150;
  KindPool pool;
  auto set = QuestionSet::load(options.sets.front()).value();
  ASSERT_TRUE(set->prepare(&pool, {}, 1, ""));
  const SetEvaluation evaluation(options, set, &pool);
  const auto data = router_data(*set, set->split().fitting);
  for (const char* text : {"ensemble{trees=20}", "mlp{familiarity_min=.2}"}) {
    const auto strategy = parse_eval_strategy(text).value();
    const auto own = fit_strategy(data, strategy, 1, {}).value();
    const auto flow = evaluation.swept_scores(strategy, own, "", "").value();
    const auto direct =
        router_scores(*set, strategy, *own.router, set->split().calibration, set->split().test);
    EXPECT_EQ(flow.test, direct.test) << text;
    EXPECT_EQ(flow.calibration, direct.calibration) << text;
  }
}

TEST(Engine, ManyModelsAreWeighedAgainstTheirCosts) {
  auto options = options_for(write_file("engine_many.jsonl", 500, true), {"svm", "mf"});
  auto& set = options.sets.front();
  set.models = {"weak", "middle", "strong"};
  set.fit_labels = 150;
  options.bootstrap_rounds = 50;
  KindPool pool;
  const auto report = evaluate(options, &pool).value();
  const auto& row = row_of(report, "svm over 3 models");
  // Weak on sums, middle on three quarters of the rest for less than strong: better than the hull of single
  // models anywhere between its ends.
  EXPECT_GT(row.aiq->mean, row_of(report, "zero_router").aiq->mean + .01);
  EXPECT_FALSE(row.strong_share);
  EXPECT_TRUE(row.shuffle_gain);
  EXPECT_TRUE(row.setting.starts_with("value_usd=")) << row.setting;
  const auto over_zero = std::find_if(report.pairwise.begin(), report.pairwise.end(), [](const auto& one) {
    return one.a == "svm over 3 models" && one.b == "zero_router";
  });
  ASSERT_NE(over_zero, report.pairwise.end());
  EXPECT_NEAR(over_zero->difference->mean, row.aiq->mean - row_of(report, "zero_router").aiq->mean, 1e-9);
  for (const auto& other : report.datasets.front().rows)
    EXPECT_NE(other.strategy, "mf over 3 models") << "it speaks of two";
  // Without costs what is left is the best by prediction.
  set.file = write_file("engine_many_free.jsonl", 500, true, false);
  const auto without = evaluate(options, &pool).value();
  EXPECT_EQ(row_of(without, "svm over 3 models").setting, "argmax of predicted quality");
  EXPECT_FALSE(row_of(without, "svm over 3 models").aiq);
  EXPECT_GT(row_of(without, "svm over 3 models").quality->mean, .95);
}

TEST(Engine, ManyModelsOverSplitsAreMeansOfTheirSplits) {
  auto options = options_for(write_file("engine_many_splits.jsonl", 400, true), {"svm"});
  options.sets.front().models = {"weak", "middle", "strong"};
  options.sets.front().fit_labels = 120;
  options.bootstrap_rounds = 50;
  options.dials = false;
  KindPool pool;
  double aiq = 0, quality = 0, over_single = 0;
  constexpr std::size_t kSplits = 3;
  const auto single_of = [](const EvalReport& report) {
    for (const auto& one : report.pairwise) {
      if (one.a == "svm over 3 models" && one.b == "best_single") return one;
    }
    ADD_FAILURE() << "no pair";
    return PairwiseRow();
  };
  for (std::size_t s = 0; s < kSplits; ++s) {
    auto one = options;
    one.seed = options.seed + s;
    one.sets.front().seed = one.seed;
    const auto report = evaluate(one, &pool).value();
    aiq += row_of(report, "svm over 3 models").aiq->mean / kSplits;
    quality += row_of(report, "svm over 3 models").quality->mean / kSplits;
    over_single += single_of(report).difference->mean / kSplits;
  }
  options.splits = kSplits;
  const auto report = evaluate(options, &pool).value();
  const auto& row = row_of(report, "svm over 3 models");
  EXPECT_EQ(row.splits, kSplits);
  EXPECT_NEAR(row.aiq->mean, aiq, 1e-9);
  EXPECT_NEAR(row.quality->mean, quality, 1e-9);
  EXPECT_LE(row.aiq->ci95->low, row.aiq->ci95->high);
  EXPECT_EQ(single_of(report).splits, kSplits);
  EXPECT_NEAR(single_of(report).difference->mean, over_single, 1e-9);
  EXPECT_FALSE(row.retention) << "of the first split alone";
}

TEST(Engine, TrainedRoutersAreTransferred) {
  auto options = options_for(write_file("engine_home.jsonl", 400, true), {"bert_head"});
  auto other = options.sets.front();
  other.file = write_file("engine_away.jsonl", 420, true);
  other.models = {"middle", "strong"};
  options.sets.push_back(other);
  options.bootstrap_rounds = 50;
  KindPool pool;
  const auto report = evaluate(options, &pool).value();
  const auto rows = std::count_if(report.transfer.begin(), report.transfer.end(),
                                  [](const auto& row) { return row.strategy == "bert_head"; });
  EXPECT_GE(rows, 2);
}

}  // namespace
}  // namespace brevet
