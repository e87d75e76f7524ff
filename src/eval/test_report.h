// A made-up evaluation for the tests of the outputs. None of its figures was measured.
#pragma once

#include <cmath>
#include <string>

#include "base/random.h"
#include "eval/report_model.h"

namespace brevet {

inline std::optional<Measured> made_up(double mean, double half_width, std::uint64_t n = 7904) {
  return Measured{mean, Range{mean - half_width, mean + half_width}, n};
}

inline StrategyRow made_up_row(const std::string& dataset, const std::string& strategy, bool baseline,
                               double quality, double share, bool costs) {
  StrategyRow row;
  row.dataset = dataset;
  row.n = 7904;
  row.strategy = strategy;
  row.seeds = baseline ? 1 : 20;
  row.baseline = baseline;
  row.quality = made_up(quality, .009);
  row.retention = made_up(quality / .8028, .006);
  row.strong_share = made_up(share, .004);
  if (costs) {
    row.cost_usd = made_up(.0016 * (.02 + .98 * share), .00002);
    row.cost_rel = made_up(.02 + .98 * share, .004);
    row.cost_rel_serving = made_up(.02 + .96 * share, .004);
    row.router_arena = made_up(quality * .93, .01);
    row.cost_basis = "assumed";
  } else {
    row.cost_basis = "unknown";
    row.unknown_costs = row.n;
  }
  return row;
}

inline DatasetReport made_up_dataset(const std::string& name, bool costs) {
  DatasetReport data;
  data.name = name;
  data.file = "data/" + name + ".jsonl.gz";
  data.models = {"mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview"};
  data.records = 11291;
  data.dropped = {{"contaminated", 31}, {"duplicate prompt and choices", 82}};
  data.splits = {1500, 500, 7904, 11168, 4};
  data.cost_basis = costs ? "assumed" : "unknown";
  data.rows = {made_up_row(name, "always_weak", true, .6788, 0, costs),
               made_up_row(name, "always_strong", true, .8028, 1, costs),
               made_up_row(name, "best_single", true, .8028, 1, costs),
               made_up_row(name, "random_mixture", true, .7408, .5, costs),
               made_up_row(name, "zero_router", true, .7408, .5, costs),
               made_up_row(name, "exact_lookup", true, .8021, .99, costs),
               made_up_row(name, "oracle", true, .8566, .18, costs),
               made_up_row(name, "oracle_all", true, .9611, .12, costs),
               made_up_row(name, "knn", true, .7612, .5, costs),
               made_up_row(name, "rar", false, .7790, .82, costs),
               made_up_row(name, "adaptive{strong_share=.5}", false, .7661, .5, costs),
               made_up_row(name, "logistic & <friends>", false, .7388, .5, costs)};
  auto& knn = data.rows[8];
  knn.apgr = made_up(.632, .018);
  knn.cpt50 = made_up(.314, .02);
  knn.cpt80 = made_up(.641, .03);
  knn.shuffle_gain = made_up(.0204, .007);
  knn.brier = made_up(.191, .004);
  knn.ece = made_up(.021, .008);
  knn.auroc = made_up(.66, .012);
  auto& rar = data.rows[9];
  rar.shuffle_gain = made_up(.0019, .0041);
  rar.cost_rel_with_learning = costs ? made_up(.934, .006) : std::nullopt;
  rar.worst_group = made_up(.871, .05, 121);
  rar.worst_group_name = "high_school_statistics";
  rar.worst_group_n = 121;
  rar.note = "guides cannot be replayed from recorded answers and were switched off";
  auto& adaptive = data.rows[10];
  adaptive.setting = "strong_share=.5";
  adaptive.apgr = made_up(.668, .017);
  adaptive.cpt50 = made_up(.281, .019);
  adaptive.cpt80 = made_up(.604, .031);
  adaptive.aiq = costs ? made_up(.7693, .008) : std::nullopt;
  adaptive.pgr = made_up(.704, .05);
  adaptive.shuffle_gain = made_up(.0253, .0061);
  adaptive.mixture_gain = made_up(.0251, .0062);
  adaptive.cost_rel_with_learning = costs ? made_up(.561, .006) : std::nullopt;
  adaptive.latency_p50_ms = .021;
  adaptive.latency_p99_ms = .094;
  data.rows[11].shuffle_gain = made_up(-.0021, .006);
  data.rows[11].apgr = made_up(.489, .02);
  for (auto& row : data.rows) row.verdict = verdict_of(row.shuffle_gain);

  const auto x = [&](PlanePoint& point, double share) {
    point.strong_share = share;
    if (costs) point.cost_rel = .02 + .98 * share;
  };
  const auto curve = [&](const std::string& strategy, bool baseline, int points, double bow,
                         double half_width) {
    PlaneCurve out;
    out.strategy = strategy;
    out.baseline = baseline;
    for (int i = 0; i < points; ++i) {
      const double share = points > 1 ? static_cast<double>(i) / (points - 1) : .82;
      PlanePoint point;
      x(point, share);
      const double quality = .6788 + .124 * share + bow * share * (1 - share) * (1.3 - share);
      point.quality = baseline ? Measured{quality, std::nullopt, 7904} : *made_up(quality, half_width);
      out.points.push_back(point);
    }
    return out;
  };
  data.plane.curves = {curve("random_mixture", true, 2, 0, 0), curve("knn", false, 200, .1, .009),
                       curve("adaptive", false, 11, .14, .009), curve("rar", false, 1, .02, .009),
                       curve("logistic & <friends>", false, 11, -.01, .009)};
  Draws draws(4, 1);
  const char* singles[] = {"mistralai/Mixtral-8x7B-Instruct-v0.1",
                           "gpt-4-1106-preview",
                           "llama-3-8b",
                           "qwen2.5-32b",
                           "claude-instant-v1",
                           "gpt-3.5-turbo-1106"};
  const double qualities[] = {.6788, .8028, .652, .761, .668, .704}, where[] = {0, 1, .01, .12, .2, .09};
  for (std::size_t i = 0; i < (costs ? 6u : 2u); ++i) {
    NamedPoint point{singles[i], {}};
    x(point.point, where[i]);
    if (i > 1) point.point.strong_share.reset();
    point.point.quality = *made_up(qualities[i], .009);
    data.plane.single_models.push_back(point);
  }
  if (costs) data.plane.hull = {{.02, .6788}, {.1376, .761}, {1, .8028}};
  NamedPoint oracle{"oracle", {}}, oracle_all{"oracle_all", {}};
  x(oracle.point, .178);
  oracle.point.quality = *made_up(.8566, .008);
  x(oracle_all.point, .12);
  oracle_all.point.quality = *made_up(.9111, .006);
  data.plane.oracles = {oracle, oracle_all};

  for (const auto& [strategy, start] : {std::pair<std::string, double>{"rar", 1.21}, {"adaptive", 1.08}}) {
    LearningCurve learning{strategy, {}};
    for (const std::uint64_t requests : {250u, 1000u, 2500u, 5000u, 7904u}) {
      const double progress = std::log(static_cast<double>(requests) / 250) / std::log(7904.0 / 250);
      LearningPoint point;
      point.requests = requests;
      point.quality = made_up(.8 - .03 * progress, .02 * (1.2 - progress));
      point.strong_share = made_up(1 - .4 * progress, .02 * (1.2 - progress));
      if (costs) {
        point.cost_rel = made_up(1 - .38 * progress, .02 * (1.2 - progress));
        point.cost_rel_with_learning = made_up(start - .5 * progress, .03 * (1.2 - progress));
      }
      learning.points.push_back(point);
    }
    data.learning.push_back(learning);
  }
  for (const std::string strategy : {"knn", "adaptive"}) {
    std::vector<double> predicted, outcome;
    for (int i = 0; i < 4000; ++i) {
      predicted.push_back(std::pow(draws.uniform(), .6));
      outcome.push_back(draws.uniform() < .08 + .84 * predicted.back() ? 1 : 0);
    }
    data.reliability.push_back({strategy, "the weak model is right", *calibration(predicted, outcome)});
  }
  data.topics.strategies = {"knn", "rar", "adaptive"};
  for (const std::string topic : {"abstract_algebra", "anatomy", "high_school_mathematics", "moral_scenarios",
                                  "professional_law", "world_religions"}) {
    TopicRow row{topic,
                 60 + static_cast<std::uint64_t>(draws.uniform() * 800),
                 .5 + .3 * draws.uniform(),
                 .7 + .25 * draws.uniform(),
                 {}};
    for (int s = 0; s < 3; ++s) {
      const double kept = .8 + .23 * draws.uniform();
      row.cells.push_back({*row.strong * kept, draws.uniform(), kept});
    }
    data.topics.rows.push_back(row);
  }
  data.topics.rows[2].cells[1] = {};
  for (int i = 0; i < 4; ++i) {
    ShownDecision decision;
    decision.strategy = i % 2 ? "rar" : "adaptive";
    decision.question_id = "mmlu/professional_law/" + std::to_string(100 + i);
    decision.topic = "professional_law";
    decision.prompt =
        "A man owned a parcel of land <b>& a \"cabin\"</b> on it; he conveyed the land to his niece for "
        "life. "
        "Which of the following best describes the interests of the parties?\nA. A fee simple\nB. A "
        "contingent remainder\nC. A vested remainder subject to open, and more text that goes on and on";
    decision.served_by = "mistralai/Mixtral-8x7B-Instruct-v0.1";
    decision.reason = "weak: 31 of 40 similar requests were served well, lower bound .62 above .55";
    decision.score = 0;
    decision.alternative = 1;
    if (costs) {
      decision.cost_usd = .00421 / (i + 1);
      decision.cost_rel = 2.4 / (i + 1);
    }
    data.wrong.push_back(decision);
    decision.reason = "unfamiliar: no request within .8, reference asked and the weak one shadowed";
    data.costly.push_back(decision);
  }
  data.notes = {
      "high_school_mathematics has gpt-4 at 3%: an answer-extraction fault at the source, kept as recorded."};
  if (!costs)
    data.notes.push_back("No costs are recorded and none are assumed for these models: quality only.");
  return data;
}

inline EvalReport made_up_report() {
  EvalReport report;
  report.run.command =
      "brevet eval --data routellm_mmlu.jsonl.gz@weak,strong --strategies knn,rar,adaptive --seeds 20 "
      "--order random";
  report.run.version = "test";
  report.run.seed = 1;
  report.run.seeds = 20;
  report.run.order = "random";
  report.run.signal = "agreement with the reference";
  report.run.lag = 32;
  report.run.fit_labels = 1500;
  report.run.prices = "prices_assumed.json: list prices of 2024, not checked";
  report.run.encoder = "all-MiniLM-L6-v2 int8";
  report.run.bootstrap_rounds = 1000;
  report.run.files = {{"data/made_up_mmlu.jsonl.gz", std::string(64, 'a'), 11291}};
  report.datasets = {made_up_dataset("made_up_mmlu", true), made_up_dataset("made_up_without_costs", false)};
  report.transfer = {
      {"logistic", "made_up_chat", "made_up_mmlu", 7904, made_up(.512, .02), made_up(.46, .03),
       made_up(.0011, .005), made_up(.91, .01), made_up(.79, .01), made_up(.0004, .004), .645},
      {"knn", "made_up_chat", "made_up_mmlu", 7904, made_up(.497, .02), std::nullopt, std::nullopt,
       std::nullopt, std::nullopt, std::nullopt, .632},
      {"knn", "made_up_mmlu", "made_up_mmlu", 7904, made_up(.632, .02), made_up(.31, .02),
       made_up(.0204, .007), made_up(.5, .01), made_up(.761, .009), made_up(.0204, .007), .632}};
  report.notes = {"This report is made up: no figure in it was measured."};
  report.timing.started_utc = "2026-01-01T00:00:00Z";
  report.timing.wall_s = 41.2;
  report.timing.machine = "two cores";
  return report;
}

}  // namespace brevet
