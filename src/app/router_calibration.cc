// `brevet calibrate --router`: a threshold on outcomes that did not teach the router, checked on further
// ones.
#include <fmt/format.h>

#include <cmath>
#include <set>

#include "app/commands.h"
#include "app/open_encoder.h"
#include "app/train_command.h"
#include "base/random.h"
#include "router/artefact.h"
#include "strategy/trained.h"
#include "train/router_threshold.h"

namespace brevet {
namespace {

constexpr int kInterruptedStatus = 130;

std::string percent(double share) {
  return fmt::format("{:.1f}%", share * 100);
}
std::string percent(const Interval& interval) {
  return fmt::format("{} [{}, {}]", percent(interval.mean), percent(interval.low), percent(interval.high));
}

void print_row(const ThresholdFigures& row) {
  fmt::print("{:>10.4f}  {:>20}  {:>7.4f}  {:>26}  {:>10}\n", row.threshold, percent(row.strong_share),
             row.quality.mean,
             fmt::format("{:+.4f} [{:+.4f}, {:+.4f}]", -row.loss.mean, -row.loss.high, -row.loss.low),
             row.cost_usd ? fmt::format("{:.3g}", row.cost_usd->mean) : "not known");
}

/// Exactly one goal.
Result<RouterThresholdOptions> goal_of(const RouterCalibrationFlags& flags) {
  RouterThresholdOptions out;
  int goals = 0;
  if (flags.strong_share >= 0) {
    out.goal = ThresholdGoal::kStrongShare, out.target = flags.strong_share, ++goals;
  }
  if (flags.quality >= 0) out.goal = ThresholdGoal::kQuality, out.target = flags.quality, ++goals;
  if (flags.budget_usd_per_day >= 0) {
    out.goal = ThresholdGoal::kBudget, ++goals;
    if (!(flags.requests_per_day > 0)) {
      return fail(ErrorKind::kCallerInvalid, "missing_key",
                  "A budget per day needs to know how many requests a day has: --requests-per-day R.",
                  "--requests-per-day");
    }
    out.target = flags.budget_usd_per_day / flags.requests_per_day;
  }
  if (goals == 1) return out;
  return fail(ErrorKind::kCallerInvalid, "one_goal",
              "Say one goal: --strong-share S, --quality Q (share of always-strong's), or "
              "--budget-usd-per-day B with --requests-per-day R.",
              "--strong-share");
}

/// Router and labels must speak of the same models and see the same embeddings.
Result<> check_fits(const RouterInfo& info, const LabelledRequests& labelled,
                    const std::string& classifier_hash) {
  if (info.encoder_hash != "none" && info.encoder_hash != labelled.fit.encoder_hash) {
    return fail(ErrorKind::kCallerInvalid, "router_encoder_mismatch",
                "The router reads embeddings of another encoder than this Brevet has. Train it again.",
                "--router");
  }
  if (info.kind == "bert" && info.model_hash != classifier_hash) {
    return fail(
        ErrorKind::kCallerInvalid, "router_classifier_mismatch",
        fmt::format(
            "The router was calibrated on another text classifier than the one in {}. Train it again.",
            info.model),
        "--router");
  }
  if (info.kind == "causal_llm") {
    return fail(
        ErrorKind::kCallerInvalid, "not_classified",
        "Nobody asks a model here. Choose a threshold from the table that `brevet train causal_llm` prints.",
        "--router");
  }
  if (labelled.fit.quality.empty()) {
    return fail(ErrorKind::kCallerInvalid, "no_labels",
                "A threshold is chosen on scores of both models on each question, and battles have none. "
                "Give --data or --data-dir.",
                "--battles");
  }
  return {};
}

}  // namespace

int calibrate_router(const RouterCalibrationFlags& flags) {
  const auto goal = goal_of(flags);
  if (!goal) return complain(goal.error(), 2);
  interrupted();
  const auto artefact = read_artefact(flags.router);
  if (!artefact) return complain(artefact.error(), 2);
  const auto router = make_router(*artefact);
  if (!router) return complain(router.error(), 2);
  const auto& info = (*router)->info();
  const auto classifier = classifier_folder(flags.router, info);
  auto embedder = make_text_embedder(flags.threads, flags.encoder, classifier);
  if (!embedder) return complain(embedder.error());
  auto source = flags.source;
  const std::vector<std::string> pair = {info.configurations.front(), info.configurations.back()};
  source.models = pair;
  auto labelled = load_labelled(source, **embedder);
  if (!labelled) {
    const bool stopped = labelled.error().code == "interrupted";
    return complain(labelled.error(), stopped ? kInterruptedStatus : 2);
  }
  if (auto fits = check_fits(info, *labelled, (*embedder)->classifier_hash()); !fits)
    return complain(fits.error(), 2);
  const auto& fit = labelled->fit;
  if (fit.configurations != pair) {
    return complain({ErrorKind::kCallerInvalid, "router_models_mismatch",
                     fmt::format("The router chooses between {} and {}, and the data names {}.", pair[0],
                                 pair[1], fmt::join(fit.configurations, ", ")),
                     "--data", 0, ""},
                    2);
  }
  const auto fitted = fitted_text_keys(**artefact);
  if (fitted.empty()) {
    fmt::print(stderr,
               "brevet: warning: {} does not say what it learned from, so nobody can tell whether these "
               "questions are new to it.\n",
               flags.router);
  }
  // A near-duplicate of a question that taught the router is not new to it either.
  std::set<std::uint32_t> taught;
  for (std::size_t i = 0; i < fit.features.size(); ++i) {
    if (!fit.cluster.empty() && was_fitted(fitted, labelled->text_keys[i])) taught.insert(fit.cluster[i]);
  }
  std::vector<RoutedOutcome> parts[2];
  std::size_t overlap = 0;
  std::size_t unknown = 0;
  std::size_t always_strong = 0;
  for (std::size_t i = 0; i < fit.features.size(); ++i) {
    if (was_fitted(fitted, labelled->text_keys[i]) ||
        (!fit.cluster.empty() && taught.contains(fit.cluster[i]))) {
      ++overlap;
      continue;
    }
    const auto prediction = (*router)->predict(fit.features[i]);
    if (std::isnan(fit.quality[0][i]) || std::isnan(fit.quality[1][i])) {
      ++unknown;
      continue;
    }
    // As the strategy serves them.
    const bool strange = !prediction || prediction->familiarity < kFamiliarityMin;
    always_strong += strange ? 1 : 0;
    RoutedOutcome outcome{strange ? kAlwaysStrong : prediction->need_strong, fit.quality[0][i],
                          fit.quality[1][i], std::nan(""), std::nan("")};
    if (fit.cost_usd.size() == 2) {
      outcome.weak_cost_usd = fit.cost_usd[0][i];
      outcome.strong_cost_usd = fit.cost_usd[1][i];
    }
    // Near-duplicates stay together, so that the check is of requests that did not choose.
    const auto cluster = fit.cluster.empty() ? static_cast<std::uint32_t>(i) : fit.cluster[i];
    parts[mix_bits(flags.seed, cluster) & 1].push_back(outcome);
  }
  fmt::print(
      "{} questions of {}; {} taught the router, or are near what did, and are left out{}; {} choose, {} "
      "check.\n",
      fit.features.size(), labelled->from, overlap,
      unknown > 0 ? fmt::format(", {} have no score", unknown) : "", parts[0].size(), parts[1].size());
  if (always_strong > 0) {
    fmt::print(
        "{} of them are unlike what the router learned from, or have no prediction: {} serves them "
        "whatever the threshold.\n",
        always_strong, pair[1]);
  }
  const auto result = choose_router_threshold(parts[0], parts[1], *goal);
  if (!result) return complain(result.error(), 2);
  fmt::print("\n{:>10}  {:>20}  {:>7}  {:>26}  {:>10}\n", "threshold", "strong [95%]", "quality",
             "against always-strong", "USD each");
  for (const auto& row : result->rows) print_row(row);
  if (!result->threshold) {
    fmt::print(
        "\nNo threshold reaches the goal with its 95% bound{}. More outcomes or a lower goal may help.\n",
        goal->goal == ThresholdGoal::kBudget
            ? fmt::format(": {} alone costs more than {:.3g} USD a request", pair[0], goal->target)
            : "");
    return 1;
  }
  const auto& check = *result->check;
  fmt::print("\nChosen: {:.4f}. On the {} questions that did not choose it:\n", *result->threshold,
             check.strong_share.n);
  print_row(check);
  if (check.cost_usd && flags.requests_per_day > 0) {
    fmt::print("At {:.0f} requests a day that is {:.2f} USD a day [{:.2f}, {:.2f}]; always {}: {:.2f}.\n",
               flags.requests_per_day, check.cost_usd->mean * flags.requests_per_day,
               check.cost_usd->low * flags.requests_per_day, check.cost_usd->high * flags.requests_per_day,
               pair[1], *check.strong_cost_usd * flags.requests_per_day);
  }
  fmt::print("In the configuration: strategy: {{name: {}, router: {}, threshold: {}}}\n", info.kind,
             flags.router, *result->threshold);
  return 0;
}

}  // namespace brevet
