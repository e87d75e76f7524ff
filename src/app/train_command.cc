#include "app/train_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <memory>

#include "app/ask_grades.h"
#include "app/cascade_command.h"
#include "app/commands.h"
#include "app/data_argument.h"
#include "app/more_command.h"
#include "prompt/label_prompt.h"
#include "router/artefact.h"
#include "router/cascade_model.h"
#include "router/expert_model.h"
#include "strategy/strategy_text.h"
#include "train/fit.h"

namespace brevet {
namespace {

constexpr int kInterruptedStatus = 130;
constexpr const char* kQuantiles = "need.quantiles";

struct TrainFlags {
  std::string name;  ///< a kind, with options as in mf{dimension=64}
  TrainSource source;
  std::string models;
  std::string out;
  std::string ask;         ///< model that is asked, for causal_llm
  std::string config;      ///< where it is
  std::string classifier;  ///< folder of a text classifier, for bert
  std::string encoder;     ///< file of a static encoder; empty = the full one
  std::string typed;
  int folds = 5;
  int threads = 0;
  std::string responses;  ///< for cascades
  bool list = false;
};

std::string value_text(const OptionValue& value) {
  if (const auto* real = std::get_if<double>(&value)) return fmt::format("{:g}", *real);
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return std::to_string(*whole);
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  return std::get<std::string>(value);
}

int list_kinds() {
  for (const auto& kind : fit_kinds()) {
    fmt::print("{:<15} {}\n", kind.name, kind.summary);
    fmt::print("{:<15} {}, from {} labelled requests on\n", "",
               kind.many ? "any number of models" : "two models", kind.requests_min);
    for (const auto& option : kind.options)
      fmt::print("{:<15}   {}={}  {}\n", "", option.name, value_text(option.fallback), option.help);
  }
  fmt::print("{:<15} {}\n", kMore,
             "which of several experts' answers is right (MoRE), after they have answered");
  fmt::print("{:<15} {}\n{:<15} {}\n", kFrugalCascade,
             "list of models and thresholds on P(accept) under a budget (FrugalGPT)", kCascadeRouting,
             "next model or stop, by expected quality minus cost, after every answer");
  fmt::print("\nbrevet train NAME --data outcomes.jsonl.gz@WEAK,STRONG --out NAME.router\n");
  return 0;
}

/// What the router says of itself out of fold, in words.
void print_measured(const RouterInfo& info) {
  const auto find = [&](const char* name) {
    for (const auto& [known, value] : info.measured) {
      if (known == name) return value;
    }
    return std::nan("");
  };
  const auto figure = [&](const char* name) {
    const double value = find(name);
    return std::isnan(value) ? std::string("not known") : fmt::format("{:.3f}", value);
  };
  fmt::print("Out of fold, n = {:.0f}: APGR {}, AUROC {}, Brier {} (base rate alone {}), ECE {}.\n",
             find("n"), figure("apgr"), figure("auroc"), figure("brier"), figure("brier_of_base_rate"),
             figure("ece"));
  // APGR counts what strong loses as well; without scores there is only who was better.
  const double apgr = find("apgr");
  if (std::isnan(apgr) ? find("auroc") < .53 : apgr < .53) {
    fmt::print(
        "That is close to a coin: what these requests say does not tell when {} is needed. More labels, or "
        "`adaptive`, which looks at the weak model's answer, may do better.\n",
        info.configurations.back());
  }
}

/// The threshold for each strong share, by the predictions that were made out of fold; the one at a half.
double print_thresholds(const Artefact& artefact) {
  const auto tensor = artefact.tensor(kQuantiles, {0});
  if (!tensor || (*tensor)->values.size() < 2) return std::nan("");
  const auto& quantiles = (*tensor)->values;
  const auto last = static_cast<double>(quantiles.size() - 1);
  const auto at = [&](double share) {
    return static_cast<double>(quantiles[static_cast<std::size_t>(std::lround((1 - share) * last))]);
  };
  fmt::print("\n{:>13}", "strong share");
  for (int share = 10; share <= 90; share += 10) fmt::print("  {:>5}%", share);
  fmt::print("\n{:>13}", "threshold");
  for (int share = 10; share <= 90; share += 10) fmt::print("  {:>6.4f}", at(share / 100.0));
  fmt::print("\n(of requests like these; `brevet calibrate --router` chooses on others, with intervals)\n");
  return at(.5);
}

std::string share_text(double share) {
  return std::isnan(share) ? "an unknown share" : fmt::format("{:.1f}%", share * 100);
}

int complain_of(const Error& error) {
  if (error.code == "interrupted") return complain(error, kInterruptedStatus);
  return complain(error, error.kind == ErrorKind::kCallerInvalid ? 2 : 1);
}

Result<> take_grades(const std::string& config, const std::string& model, LabelledRequests& labelled) {
  if (config.empty() || labelled.texts.empty()) {
    return fail(ErrorKind::kCallerInvalid, "needs_texts",
                "A model is asked about texts: give --config with the model in it, and --data or --battles.",
                "--ask");
  }
  const auto count = ask_grades(config, model, labelled.texts, labelled.fit.features);
  if (!count) return fail(count.error());
  labelled.fit.model = model;
  labelled.fit.model_hash = label_prompt_hash(model);
  fmt::print(
      "{} graded {} of {} questions for {} USD{}.\n", model, count->graded, labelled.texts.size(),
      count->cost.to_string(),
      count->cost_unknown > 0 ? fmt::format(" and {} calls of unknown cost", count->cost_unknown) : "");
  if (count->without > 0)
    fmt::print(stderr, "brevet: warning: {} questions have no grade; the first because: {}\n", count->without,
               count->first_failure);
  return {};
}

int train(const TrainFlags& flags) {
  if (flags.list) return list_kinds();
  if (flags.name.empty() || flags.out.empty()) {
    return complain({ErrorKind::kCallerInvalid, "missing_key",
                     "Say which router to train and where to: brevet train NAME --data FILE --out FILE. "
                     "`brevet train --list` shows the names.",
                     flags.name.empty() ? "name" : "--out", 0, ""},
                    2);
  }
  interrupted();
  auto text = parse_strategy_text(flags.name);
  if (!text) return complain(text.error(), 2);
  FitOptions options;
  options.kind = text->name;
  options.options = std::move(text->options);
  options.seed = flags.source.seed;
  options.folds = flags.folds;
  options.command = flags.typed;
  options.created = utc_now();
  options.stop = [] { return interrupted(); };
  if (options.kind == kMore) {
    return train_more(
        {flags.source.data, flags.models, flags.out, flags.typed, options.created, flags.source.seed});
  }
  if (options.kind == kFrugalCascade || options.kind == kCascadeRouting) {
    return train_cascade({options.kind, flags.source.data, flags.models, flags.responses, flags.source.prices,
                          flags.out, flags.typed, flags.source.labels_max, flags.source.seed});
  }
  bool known = false;
  for (const auto& kind : fit_kinds()) known |= kind.name == options.kind;
  // Before minutes go into embedding; the fit itself names what there is.
  if (!known) {
    if (auto fitted = fit_router({}, options); !fitted) {
      auto error = fitted.error();
      error.message +=
          fmt::format(" So are {}, {} and {}, which read answers.", kMore, kFrugalCascade, kCascadeRouting);
      return complain(error, 2);
    }
  }
  if (options.kind == "ensemble" && !flags.source.data_dir.empty()) {
    return complain({ErrorKind::kCallerInvalid, "needs_texts",
                     "ensemble reads the shape of each text, and a gateway keeps embeddings and words only. "
                     "Train another kind on --data-dir, or ensemble on --data.",
                     "--data-dir", 0, ""},
                    2);
  }
  auto source = flags.source;
  source.models = split_list(flags.models, ',');
  auto embedder = make_text_embedder(flags.threads, flags.encoder, flags.classifier);
  if (!embedder) return complain(embedder.error());
  auto labelled = load_labelled(source, **embedder);
  if (!labelled) return complain_of(labelled.error());
  if (!flags.classifier.empty()) {
    // As seen from the router's file, so that both can be moved together.
    std::error_code failed;
    const auto from = std::filesystem::absolute(flags.out).parent_path();
    labelled->fit.model =
        std::filesystem::relative(std::filesystem::absolute(flags.classifier), from, failed).string();
    labelled->fit.model_hash = (*embedder)->classifier_hash();
  }
  if (!flags.ask.empty()) {
    if (auto asked = take_grades(flags.config, flags.ask, *labelled); !asked)
      return complain_of(asked.error());
  }
  const auto& fit = labelled->fit;
  fmt::print("{} labelled requests of {} ({}), {} of them used; {}.\n", labelled->available, labelled->from,
             labelled->label, fit.features.size(), fmt::join(fit.configurations, ", "));
  fmt::print("{} is better than {} in {}.\n", fit.configurations.back(), fit.configurations.front(),
             share_text(labelled->need_share));
  std::fflush(stdout);
  const auto started = std::chrono::steady_clock::now();
  auto fitted = fit_router(fit, options);
  const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  if (!fitted) return complain_of(fitted.error());
  auto artefact = std::make_shared<Artefact>(**fitted);
  remember_text_keys(*artefact, labelled->text_keys);
  const auto& info = artefact->info;
  fmt::print("{} fitted on {} labelled requests in {:.2f} s, {} folds beside.\n", info.kind, info.fitted,
             seconds, flags.folds);
  print_measured(info);
  const double threshold = print_thresholds(*artefact);
  const auto hash = write_artefact(*artefact, flags.out);
  if (!hash) return complain(hash.error());
  fmt::print("\n{} written, {} bytes, SHA-256 {:.16}...\n", flags.out, std::filesystem::file_size(flags.out),
             *hash);
  fmt::print("In the configuration, here for about half of the requests to {}:\n\n",
             info.configurations.back());
  fmt::print("  strategy: {{name: {}, router: {}, threshold: {}}}\n  candidates: [{}]\n", info.kind,
             flags.out, std::isnan(threshold) ? .1 : threshold, fmt::join(info.configurations, ", "));
  return 0;
}

int show_router(const std::string& file) {
  const auto artefact = read_artefact(file);
  if (!artefact) return complain(artefact.error(), 2);
  const auto& info = (*artefact)->info;
  const auto router = make_router(*artefact);
  fmt::print("{}: {} router, SHA-256 {}\n", file, info.kind, (*artefact)->hash);
  if (!router) fmt::print("  cannot serve    {} ({})\n", router.error().message, router.error().code);
  fmt::print("  models          {}\n", fmt::join(info.configurations, ", "));
  std::string costs;
  for (const double cost : info.mean_cost_usd)
    costs += (costs.empty() ? "" : ", ") + (std::isnan(cost) ? "not known" : fmt::format("{:.3g}", cost));
  fmt::print("  mean cost, USD  {}\n", costs.empty() ? "not known" : costs);
  fmt::print("  encoder         {}\n", info.encoder_hash);
  if (!info.model.empty()) fmt::print("  classifier      {}, {:.16}\n", info.model, info.model_hash);
  fmt::print("  words           {}\n",
             info.lexical_version == 0 ? "not read" : fmt::format("version {}", info.lexical_version));
  fmt::print("  data            {} labelled requests, SHA-256 {}\n", info.fitted, info.data_hash);
  fmt::print("  made            {} by: {}\n  seed            {}\n", info.created, info.command, info.seed);
  std::size_t numbers = 0;
  for (const auto& [name, tensor] : (*artefact)->tensors) numbers += tensor.values.size();
  fmt::print("  numbers         {} in {} tensors\n", numbers, (*artefact)->tensors.size());
  print_measured(info);
  for (const auto& [name, value] : info.measured) fmt::print("  {:<22} {:.4g}\n", name, value);
  print_thresholds(**artefact);
  return router ? 0 : 1;
}

}  // namespace

void add_train_command(CLI::App& app, const std::string& typed, int& status) {
  auto flags = std::make_shared<TrainFlags>();
  flags->typed = typed;
  auto* command = app.add_subcommand("train", "A router from your own labels, on a CPU");
  command->add_option("name", flags->name, "Kind of router, with options as in mf{option=value}");
  command->add_flag("--list", flags->list, "Every kind of router with its options");
  command->add_option("--data", flags->source.data, "FILE or FILE@WEAK,STRONG: recorded outcomes");
  command->add_option("--battles", flags->source.battles, "Battle file (brevet battles)")
      ->check(CLI::ExistingFile);
  command->add_option("--data-dir", flags->source.data_dir,
                      "Data folder of a stopped gateway: where weak agreed with the reference");
  command->add_option("--models", flags->models, "Cheapest first, strong last, separated by commas");
  command->add_option("--prices", flags->source.prices, "Price file for outcomes without costs")
      ->check(CLI::ExistingFile);
  command->add_option("--responses", flags->responses, "For cascades: answers' texts, joined by id")
      ->check(CLI::ExistingFile);
  command->add_option("--tenant", flags->source.tenant, "With --data-dir: one tenant only");
  command->add_option("--fit-labels", flags->source.labels_max,
                      "Use only so many labelled requests; the rest can calibrate. 0 = all");
  command->add_option("--seed", flags->source.seed, "Of the labels chosen and of the fit");
  command->add_option("--encoder", flags->encoder, "File of a static encoder; without it the full encoder")
      ->check(CLI::ExistingFile);
  command->add_option("--ask", flags->ask,
                      "causal_llm: model of --config that grades each question, at its price");
  command->add_option("--config", flags->config, "With --ask: configuration file")->check(CLI::ExistingFile);
  command->add_option("--classifier", flags->classifier, "bert: folder that tools/finetune_bert.py made")
      ->check(CLI::ExistingDirectory);
  command->add_option("--folds", flags->folds, "For calibration and the figures")->check(CLI::Range(2, 50));
  command->add_option("--threads", flags->threads, "For embedding; 0 = one per core")
      ->check(CLI::Range(0, 256));
  command->add_option("--out", flags->out, "File of the router");
  command->callback([flags, &status] { status = train(*flags); });
}

void add_router_command(CLI::App& app, int& status) {
  auto* command = app.add_subcommand("router", "Trained routers");
  command->require_subcommand(1);
  auto file = std::make_shared<std::string>();
  auto* show = command->add_subcommand("show", "What a router's file says of itself");
  show->add_option("file", *file, "File that brevet train made")->required();
  show->callback([file, &status] { status = show_router(*file); });
  auto flags = std::make_shared<RouterPredictFlags>();
  auto* predict = command->add_subcommand("predict", "What routers say of prompts, one JSON line each");
  predict->add_option("files", flags->files, "Files that brevet train made")
      ->required()
      ->check(CLI::ExistingFile);
  predict->add_option("--prompts", flags->prompts, "JSON Lines: {\"prompt\": ..., \"choices\"?: [...]}")
      ->required()
      ->check(CLI::ExistingFile);
  predict->add_option("--out", flags->out, "File to write; default: standard output");
  predict->add_flag("--embeddings", flags->embeddings, "With the embedding of each text");
  predict->add_option("--encoder", flags->encoder, "File of a static encoder; without it the full encoder")
      ->check(CLI::ExistingFile);
  predict->add_option("--threads", flags->threads, "For embedding; 0 = one per core")
      ->check(CLI::Range(0, 256));
  predict->callback([flags, &status] { status = predict_routers(*flags); });
}

}  // namespace brevet
