// Cascades fitted on simulated models whose best decision is known: the learned policy must come near the
// optimum, never below plain thresholds by more than noise, and keep budgets on data that did not choose it.
#include "train/fit_cascade.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "train/seeded_random.h"

namespace brevet {
namespace {

/// Three models; the first's log-probability tells its own chance, and half of the requests nobody can
/// answer better, which the question's shape tells.
CascadeData simulated(std::size_t n, std::uint64_t seed) {
  SeededRandom random(seed);
  CascadeData data;
  data.configurations = {"small", "middle", "large"};
  data.quality.resize(3);
  data.cost_usd.resize(3);
  data.answers.resize(n);
  data.features.resize(n);
  data.data_hash = "simulated";
  for (std::size_t i = 0; i < n; ++i) {
    const double hard = random.uniform();
    const bool hopeless = random.uniform() < .5;
    data.features[i].statistics.shape[0] = hopeless ? 1.0F : 0.0F;
    data.features[i].statistics.shape[1] = static_cast<float>(random.normal());
    const double chance[] = {1 - hard, hopeless ? 1 - hard : 1 - .5 * hard, hopeless ? 1 - hard : .97};
    for (std::size_t c = 0; c < 3; ++c) {
      data.quality[c].push_back(random.uniform() < chance[c] ? 1.0F : 0.0F);
      data.cost_usd[c].push_back((c == 0 ? 1e-5 : c == 1 ? 4e-5 : 2e-4) * (.7 + .6 * random.uniform()));
      data.answers[i].answers[c][0] = static_cast<float>(-hard - .1 * random.uniform());
    }
    data.cluster.push_back(static_cast<std::uint32_t>(i));
  }
  return data;
}

CascadeFitOptions options_for(const std::string& kind, std::size_t fitting, std::size_t calibration) {
  CascadeFitOptions out;
  out.kind = kind;
  for (std::size_t i = 0; i < fitting; ++i) out.fitting.push_back(static_cast<std::uint32_t>(i));
  for (std::size_t i = 0; i < calibration; ++i)
    out.calibration.push_back(static_cast<std::uint32_t>(fitting + i));
  return out;
}

TEST(FitCascade, RoutingReadsTheQuestionWhereItHelpsAndBeatsTheReferenceInCost) {
  const auto data = simulated(5000, 3);
  const auto artefact = fit_cascade(data, options_for(kCascadeRouting, 1500, 1500));
  ASSERT_TRUE(artefact.has_value()) << artefact.error().message;
  const auto model = CascadeModel::create(*artefact);
  ASSERT_TRUE(model.has_value()) << model.error().message;
  std::string told;
  for (const auto& [name, value] : (*artefact)->info.measured)
    told += name + " " + std::to_string(value) + "\n";
  EXPECT_TRUE((*model)->reads_question()) << told;
  // The cheapest point that promises .93, on the 2,000 that were not seen.
  const CascadePoint* best = nullptr;
  std::size_t place = 0;
  for (std::size_t s = 0; s < (*model)->points().size(); ++s) {
    const auto& p = (*model)->points()[s];
    if (p.retained_low >= .93 && (!best || p.cost_usd < best->cost_usd)) best = &p, place = s;
  }
  ASSERT_TRUE(best);
  told.clear();
  for (const auto& p : (*model)->points())
    told += fmt::format("{:.3g} {:.3g} {:.3f} {:.3f}\n", p.lambda, p.cost_usd, p.quality, p.retained_low);
  double quality = 0, cost = 0, reference = 0, reference_cost = 0;
  for (std::uint32_t i = 3000; i < 5000; ++i) {
    const auto run = run_routing(**model, data, i, place);
    quality += run.quality, cost += run.cost_usd;
    reference += data.quality[2][i], reference_cost += data.cost_usd[2][i];
  }
  EXPECT_GT(quality / reference, .915);
  // Who asks on by difficulty alone also asks the hopeless third on.
  EXPECT_LT(cost / reference_cost, .72) << told;
}

TEST(FitCascade, FrugalListsKeepTheirBudgetOnUnseenData) {
  const auto data = simulated(6000, 5);
  const auto artefact = fit_cascade(data, options_for(kFrugalCascade, 600, 600));
  ASSERT_TRUE(artefact.has_value()) << artefact.error().message;
  const auto model = CascadeModel::create(*artefact);
  ASSERT_TRUE(model.has_value());
  std::size_t over = 0;
  double first = 0, last = 0;
  for (const auto& list : (*model)->lists()) {
    double cost = 0, quality = 0;
    for (std::uint32_t i = 1200; i < 6000; ++i) {
      const auto run = run_list(**model, data, i, list);
      cost += run.cost_usd / 4800, quality += run.quality / 4800;
    }
    over += cost > 1.02 * list.budget_usd ? 1 : 0;
    EXPECT_NEAR(quality, list.quality, .08);
    if (first == 0) first = quality;
    last = std::max(last, quality);
  }
  EXPECT_LE(over * 10, (*model)->lists().size());
  EXPECT_GT(last, first + .1);
}

TEST(FitCascade, SameSeedSameBytesAndFileRoundTrip) {
  const auto data = simulated(500, 9);
  for (const auto* kind : {kFrugalCascade, kCascadeRouting}) {
    const auto first = fit_cascade(data, options_for(kind, 250, 250));
    const auto second = fit_cascade(data, options_for(kind, 250, 250));
    ASSERT_TRUE(first && second);
    const auto bytes = artefact_bytes(**first);
    EXPECT_EQ(bytes, artefact_bytes(**second));
    const auto read = parse_artefact(bytes, "x");
    ASSERT_TRUE(read.has_value()) << read.error().message;
    EXPECT_TRUE(CascadeModel::create(*read).has_value());
  }
}

TEST(FitCascade, RefusesWhatCannotTeach) {
  auto data = simulated(300, 1);
  EXPECT_EQ(fit_cascade(data, options_for(kCascadeRouting, 50, 250)).error().code, "too_few_labels");
  data.cost_usd[1][7] = std::nan("");
  EXPECT_EQ(fit_cascade(data, options_for(kCascadeRouting, 150, 150)).error().code, "bad_labels");
  data = simulated(300, 1);
  for (auto& state : data.answers) state = CascadeState();
  data.features.clear();
  EXPECT_EQ(fit_cascade(data, options_for(kFrugalCascade, 150, 150)).error().code, "one_sided_labels");
  auto stopped = options_for(kCascadeRouting, 150, 150);
  stopped.stop = [] { return true; };
  EXPECT_EQ(fit_cascade(simulated(300, 1), stopped).error().code, "interrupted");
}

}  // namespace
}  // namespace brevet
