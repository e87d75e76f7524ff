#include "app/cascade_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cmath>
#include <ctime>
#include <fstream>
#include <memory>

#include "app/cascade_data.h"
#include "app/commands.h"
#include "app/data_argument.h"
#include "eval/cascade_study.h"
#include "router/artefact.h"

namespace brevet {
namespace {

struct CascadeFlags {
  CascadeSource source;
  std::string models, question = "measure", out;
  std::size_t splits = 50, fit_labels = 0, calibration_labels = 0;
  std::vector<double> keep = {.97, .99, 1.0};
  int rounds = 500;
};

std::string now_text() {
  const auto now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

std::string interval(const Measured& m) {
  if (!m.ci95) return fmt::format("{:.4f}", m.mean);
  return fmt::format("{:.4f} [{:.4f}, {:.4f}]", m.mean, m.ci95->low, m.ci95->high);
}
std::string signed_interval(const std::optional<Measured>& m) {
  if (!m) return "-";
  if (!m->ci95) return fmt::format("{:+.4f}", m->mean);
  return fmt::format("{:+.4f} [{:+.4f}, {:+.4f}]", m->mean, m->ci95->low, m->ci95->high);
}

std::string promise_text(const PromiseFigures& p, std::size_t splits) {
  if (p.splits == 0) return fmt::format("not promised in any of {}", splits);
  return fmt::format("{} of {}, cost {:.3f}, kept {:.4f} (worst {:.3f})", p.broken, p.splits, p.cost_rel,
                     p.retained, p.retained_worst);
}

std::string report(const CascadeFlags& flags, const CascadeQuestions& questions, const CascadeStudy& study) {
  std::string out;
  const auto& data = questions.data;
  out += fmt::format("### {}: {}\n\n", questions.set->name(), fmt::join(data.configurations, " -> "));
  out += fmt::format("{} questions, {} splits, costs {}; signals of an answer: {}.\n\n", study.questions,
                     study.splits, questions.cost_basis, questions.signals);
  out += "| model | quality | mean cost, USD |\n|---|---|---|\n";
  for (std::size_t c = 0; c < data.configurations.size(); ++c)
    out += fmt::format("| {} | {:.4f} | {:.3g} |\n", data.configurations[c], study.model_quality[c],
                       study.model_cost[c]);
  out += fmt::format("| any of them (oracle) | {:.4f} | |\n\n", study.oracle);
  out += fmt::format("P(accept) after the first model, out of fold: AUROC {:.3f}, ECE {:.3f}.\n\n",
                     study.accept_auroc, study.accept_ece);
  out +=
      "| method | mean quality over costs [95%] | over the threshold | over the mixture | calls | question "
      "read "
      "|\n|---|---|---|---|---|---|\n";
  for (const auto& method : study.methods) {
    out += fmt::format("| {} | {} | {} | {} | {} | {} |\n", method.name, interval(method.area),
                       signed_interval(method.over_threshold), signed_interval(method.over_mixture),
                       method.calls > 0 ? fmt::format("{:.2f}", method.calls) : "1",
                       method.name.find('_') != std::string::npos
                           ? fmt::format("{} of {}", method.splits_with_question, study.splits)
                           : "-");
  }
  out += "\n| method | promise | broken without margin | broken with margin |\n|---|---|---|---|\n";
  for (const auto& method : study.methods) {
    for (std::size_t k = 0; k < method.bare.size(); ++k) {
      if (method.bare[k].splits == 0 && method.margin[k].splits == 0) continue;
      out += fmt::format("| {} | {:g}% | {} | {} |\n", method.name, method.bare[k].keep * 100,
                         promise_text(method.bare[k], study.splits),
                         promise_text(method.margin[k], study.splits));
    }
    if (method.budgets > 0)
      out += fmt::format("| {} | budget | - | {} of {}, over by {:.1f}% where broken |\n", method.name,
                         method.budgets_broken, method.budgets, method.budget_overshoot * 100);
  }
  out += fmt::format(
      "\nPromises: splits broken of those that promised, mean cost beside always asking {} = 1 "
      "(splits without a promise count 1), mean share of its quality kept.\n",
      data.configurations.back());
  (void)flags;
  return out;
}

int measure(const CascadeFlags& flags) {
  auto source = flags.source;
  source.models = split_list(flags.models, ',');
  auto questions = load_cascade_questions(source);
  if (!questions) return complain(questions.error(), 2);
  CascadeStudyOptions options;
  options.keep = flags.keep;
  options.bootstrap_rounds = flags.rounds;
  options.seed = source.seed;
  options.question = flags.question == "never"    ? QuestionUse::kNever
                     : flags.question == "always" ? QuestionUse::kAlways
                                                  : QuestionUse::kMeasure;
  options.progress = [&](std::size_t done) {
    fmt::print(stderr, "\r{} of {} splits", done, flags.splits);
    if (done == flags.splits) fmt::print(stderr, "\n");
    return !interrupted();
  };
  std::vector<CascadeSplit> splits;
  for (std::size_t s = 0; s < flags.splits; ++s) {
    auto rows = split_cascade(*questions, flags.fit_labels, flags.calibration_labels, source.seed + s);
    splits.push_back({std::move(rows.fitting), std::move(rows.calibration), std::move(rows.test)});
  }
  fmt::print(stderr, "{} questions: {} fit, {} choose thresholds, {} test\n", questions->set->size(),
             splits[0].fitting.size(), splits[0].calibration.size(), splits[0].test.size());
  const auto study = study_cascades(questions->data, splits, options);
  if (!study) return complain(study.error(), 2);
  auto text = report(flags, *questions, *study);
  text += fmt::format("Each split: {} questions fit, {} choose thresholds, {} test.\n",
                      splits[0].fitting.size(), splits[0].calibration.size(), splits[0].test.size());
  fmt::print("{}", text);
  if (!flags.out.empty()) {
    std::ofstream file(flags.out);
    file << text;
    if (!file.flush()) {
      return complain(
          {ErrorKind::kInternal, "data_file_unwritable", "Cannot write " + flags.out + ".", "--out", 0, ""});
    }
  }
  return 0;
}

}  // namespace

int train_cascade(const CascadeTrainFlags& flags) {
  CascadeSource source;
  source.data = flags.data;
  source.models = split_list(flags.models, ',');
  source.responses = flags.responses;
  source.prices = flags.prices;
  source.seed = flags.seed;
  auto questions = load_cascade_questions(source);
  if (!questions) return complain(questions.error(), 2);
  const std::size_t half = questions->set->size() / 2;
  const std::size_t labels = flags.labels > 0 ? flags.labels : half;
  SplitOptions split;
  split.fitting_max = labels;
  split.calibration_max = labels;
  split.test_share_min = 0;
  split.seed = flags.seed;
  for (std::uint32_t i = 0; i < questions->set->size(); ++i) split.key.push_back(questions->set->text_key(i));
  auto rows = split_by_cluster(questions->set->clusters().of, {}, split);
  CascadeFitOptions fit;
  fit.kind = flags.kind;
  fit.fitting = std::move(rows.fitting);
  fit.calibration = std::move(rows.calibration);
  fit.seed = flags.seed;
  fit.command = flags.typed;
  fit.created = now_text();
  fit.stop = [] { return interrupted(); };
  fmt::print("{} questions of {}: {} teach, {} choose thresholds. Signals of an answer: {}.\n",
             questions->set->size(), questions->set->name(), fit.fitting.size(), fit.calibration.size(),
             questions->signals);
  std::fflush(stdout);
  const auto started = std::chrono::steady_clock::now();
  const auto artefact = fit_cascade(questions->data, fit);
  if (!artefact) return complain(artefact.error(), 2);
  const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  const auto model = CascadeModel::create(*artefact);
  if (!model) return complain(model.error());
  fmt::print("{} fitted in {:.2f} s.\n", flags.kind, seconds);
  for (const auto& [name, value] : (*artefact)->info.measured) fmt::print("  {:<20} {:.4g}\n", name, value);
  const auto& keys = (*artefact)->info.configurations;
  fmt::print("\n{:>12} {:>12} {:>9} {:>16}  {}\n", "budget, USD", "cost, USD", "quality", "keeps at least",
             "how");
  for (const auto& list : (*model)->lists()) {
    std::string how;
    for (std::size_t s = 0; s < list.models.size(); ++s) {
      how += keys[list.models[s]];
      if (s < list.thresholds.size()) how += fmt::format(" (accept from {:.3f}) -> ", list.thresholds[s]);
    }
    fmt::print("{:>12.3g} {:>12.3g} {:>9.4f} {:>16.4f}  {}\n", list.budget_usd, list.cost_usd, list.quality,
               list.retained_low, how);
  }
  for (const auto& point : (*model)->points())
    fmt::print("{:>12.3g} {:>12.3g} {:>9.4f} {:>16.4f}  a right answer is worth {:.3g} USD\n",
               point.cost_high, point.cost_usd, point.quality, point.retained_low,
               point.lambda > 0 ? 1 / point.lambda : INFINITY);
  const auto hash = write_artefact(**artefact, flags.out);
  if (!hash) return complain(hash.error());
  fmt::print("\n{} written, SHA-256 {:.16}...\nIn the configuration:\n\n", flags.out, *hash);
  fmt::print("  strategy: {{name: {}, router: {}, keep: .99}}\n  candidates: [{}]\n", flags.kind, flags.out,
             fmt::join(keys, ", "));
  return 0;
}

void add_cascade_command(CLI::App& app, int& status) {
  auto flags = std::make_shared<CascadeFlags>();
  auto* command = app.add_subcommand(
      "cascade", "What cascades of recorded models would have cost and given, over many splits");
  command->add_option("--data", flags->source.data, "FILE@CHEAPEST,...,REFERENCE: recorded outcomes")
      ->required();
  command->add_option("--models", flags->models, "Instead of those behind the '@'");
  command->add_option("--responses", flags->source.responses, "Answers' texts, joined by id")
      ->check(CLI::ExistingFile);
  command->add_option("--prices", flags->source.prices, "Price file for outcomes without costs")
      ->check(CLI::ExistingFile);
  command->add_option("--splits", flags->splits, "Seeded splits")->check(CLI::Range(1, 1000));
  command->add_option("--fit-labels", flags->fit_labels, "Questions that teach; 0 = a third");
  command->add_option("--calibration-labels", flags->calibration_labels,
                      "Questions that choose thresholds; 0 = a third");
  command->add_option("--keep", flags->keep, "Promised shares of the reference's quality")->delimiter(',');
  command->add_option("--question", flags->question, "May cascades read the question: measure, never, always")
      ->check(CLI::IsMember({"measure", "never", "always"}));
  command->add_option("--questions", flags->source.questions_max, "Only the first so many; 0 = all");
  command->add_option("--bootstrap", flags->rounds, "Rounds")->check(CLI::Range(10, 100000));
  command->add_flag("!--no-embedding", flags->source.embed, "Without the encoder: text shape alone");
  command->add_option("--seed", flags->source.seed, "Of the splits");
  command->add_option("--out", flags->out, "Markdown file");
  command->callback([flags, &status] { status = measure(*flags); });
}

}  // namespace brevet
