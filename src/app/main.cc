// Where the program starts: flags to subcommands.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "app/battles_command.h"
#include "app/cascade_command.h"
#include "app/commands.h"
#include "app/encoder_command.h"
#include "app/record_command.h"
#include "app/train_command.h"
#include "base/log.h"
#include "upstream/upstream_command.h"

#ifdef BREVET_MIMALLOC
/// Asio takes the memory of coroutines by aligned_alloc, for which mimalloc goes a slow way even where its
/// malloc is aligned as asked: 200 instructions each instead of 30, 17 times a request.
extern "C" void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  if (alignment <= alignof(std::max_align_t) && size >= alignof(std::max_align_t)) return std::malloc(size);
  void* out = nullptr;
  const int failed = ::posix_memalign(&out, std::max(alignment, sizeof(void*)), size);
  return failed == 0 ? out : nullptr;
}
#endif

namespace brevet {
namespace {

void add_world_flags(CLI::App* command, std::string& data, std::string& responses, std::string& models,
                     std::string& prices, std::string& profile) {
  command->add_option("--data", data, "Play recorded answers of real models from this file")
      ->check(CLI::ExistingFile);
  command->add_option("--responses", responses, "File of response texts, joined to --data by id")
      ->check(CLI::ExistingFile);
  command->add_option("--models", models, "WEAK,STRONG: two model names of the data file");
  command->add_option("--prices", prices, "Price file for models without recorded costs")
      ->check(CLI::ExistingFile);
  command->add_option("--profile", profile, "Simulation profile instead of the embedded one")
      ->check(CLI::ExistingFile);
}

void add_device_flags(CLI::App* command, ModelsFlags& flags) {
  command->add_option("--device", flags.device, "Device profile; `brevet models devices` lists them");
  command->add_option("--device-tops", flags.device_tops, "Peak of the device in 10^12 operations a second")
      ->check(CLI::PositiveNumber);
  command->add_option("--device-memory-gb", flags.device_memory_gb, "Its memory in 10^9 bytes")
      ->check(CLI::PositiveNumber);
  command
      ->add_option("--device-bandwidth-gbs", flags.device_bandwidth_gbs, "Of its memory, 10^9 bytes a second")
      ->check(CLI::PositiveNumber);
  command->add_option("--memory-share", flags.memory_share, "Of the memory that a model may have")
      ->check(CLI::Range(0.01, 1.0));
  command->add_option("--compute-share", flags.compute_share, "Of the peak that a prompt reaches; .4 assumed")
      ->check(CLI::Range(0.001, 1.0));
  command
      ->add_option("--bandwidth-share", flags.bandwidth_share,
                   "Of the peak that an answer reaches; .7 assumed")
      ->check(CLI::Range(0.001, 1.0));
  command->add_option("--context", flags.context, "Tokens that the cache has room for")
      ->check(CLI::Range(1, 100'000'000));
  command->add_option("--prompt-tokens", flags.prompt_tokens, "Of the request whose time is estimated")
      ->check(CLI::Range(1, 100'000'000));
  command->add_option("--answer-tokens", flags.answer_tokens, "Of its answer")
      ->check(CLI::Range(1, 100'000'000));
}

void add_models_command(CLI::App& app, ModelsFlags& flags, int& status) {
  auto* models =
      app.add_subcommand("models", "Choosing models: facts, prices, devices, trade-offs (offline)");
  models->require_subcommand(1);
  models->add_option("--catalogue", flags.catalogue, "Your own catalogue, merged over the embedded one");
  models->add_flag("--json", flags.json, "Print JSON");
  const auto action = [&](const char* name, const char* help) {
    auto* sub = models->add_subcommand(name, help)->fallthrough();
    sub->callback([&flags, &status, name] {
      flags.action = name;
      status = models_command(flags);
    });
    return sub;
  };
  auto* list = action("list", "The models that are known");
  list->add_option("word", flags.word, "Only names and aliases that hold it");
  list->add_option("--limit", flags.limit, "At most so many; 0 = all");
  auto* show = action("show", "One model: every fact with its source; on a device, what it needs");
  show->add_option("name", flags.name, "Name or alias")->required();
  add_device_flags(show, flags);
  action("devices", "The device profiles and where their numbers are from");
  auto* import = action("import", "Merge LiteLLM's model_prices_and_context_window.json into yours");
  import->add_option("file", flags.file, "The file")->required()->check(CLI::ExistingFile);
  import->add_flag("--strict", flags.strict, "Refuse the file for one broken row instead of leaving it out");
  auto* select = action("select", "Models that meet hard constraints, and the front of the trade-off");
  select
      ->add_option("--need", flags.capabilities,
                   "Capabilities by comma, such as tools,vision; a wrong one lists all")
      ->delimiter(',');
  select->add_option("--min-context", flags.context_min, "Tokens of context")->check(CLI::PositiveNumber);
  select
      ->add_option("--licence,--license", flags.licences,
                   "permissive, community, non_commercial, proprietary")
      ->delimiter(',');
  select->add_option("--max-price", flags.price_max, "USD per million tokens at --mix");
  select->add_option("--mix", flags.mix, "Input to output tokens of a price, 3:1 by default");
  select->add_option("--max-size", flags.size_max, "Billion parameters, all of them")
      ->check(CLI::PositiveNumber);
  select->add_flag("--local-only", flags.local_only, "Only models whose weights may run on your own machine");
  select->add_flag("--not-retired", flags.not_retired, "Leave out what its provider has ended by today");
  select->add_option("--unknown", flags.unknown, "What a constraint does on a fact that is not known")
      ->check(CLI::IsMember({"separate", "allow", "reject"}));
  add_device_flags(select, flags);
  select->add_option("--min-bits", flags.bits_min, "Bits per weight below which no quantisation is taken")
      ->check(CLI::Range(1.0, 16.0));
  select->add_option("--quantisation", flags.quantisation,
                     "This one only: f16, q8_0, q6_k, q5_k, q4_k, q3_k, q2_k");
  select->add_option("--min-speed", flags.speed_min, "Answer tokens per second on the device")
      ->check(CLI::PositiveNumber);
  select->add_option("--data", flags.data_file, "Outcomes to measure quality and cost by")
      ->check(CLI::ExistingFile);
  select->add_option("--prices", flags.prices_file, "Price file for outcomes without a cost")
      ->check(CLI::ExistingFile);
  select->add_option("--name", flags.names, "DATA_NAME=CATALOGUE_NAME where the names differ")
      ->delimiter(',');
  select->add_option("--benchmark", flags.benchmark, "Without --data: published figures of this benchmark");
  select->add_option("--min-quality", flags.min_quality, "Name the cheapest that reaches it")
      ->check(CLI::Range(0.0, 1.0));
  select->add_option("--limit", flags.limit, "Rows shown of each list; 0 = all");
  select->add_flag("--explain", flags.explain, "Say of every model that fell out why");
}

int run(int argc, char** argv) {
  CLI::App app{"Brevet: a gateway that sends each request to the cheapest model that has earned it."};
  app.set_version_flag("--version", std::string("brevet ") + BREVET_VERSION);
  app.require_subcommand(1);
  app.footer(
      "Start with: brevet demo. Then point your program's base_url at the gateway and say model \"auto\".");
  int status = 0;

  ServeFlags serve;
  auto* serve_app = app.add_subcommand("serve", "Run the gateway");
  serve_app->add_option("--config", serve.config, "Configuration file; without it, two simulated models");
  serve_app->add_option("--port", serve.port, "Overrides server.port; 0 = any free one")
      ->check(CLI::Range(0, 65535));
  serve_app->add_option("--data-dir", serve.data_dir, "Overrides server.data_dir");
  serve_app->add_option("--port-file", serve.port_file, "Write the port there once the gateway accepts");
  serve_app->callback([&] { status = serve_command(serve); });

  DemoFlags demo;
  auto* demo_app =
      app.add_subcommand("demo", "Start a gateway on embedded defaults and let it learn before your eyes");
  add_world_flags(demo_app, demo.data_file, demo.responses_file, demo.models, demo.prices_file, demo.profile);
  demo_app->add_option("--requests", demo.requests, "How many questions");
  demo_app->add_option("--concurrency", demo.concurrency, "Requests in flight")->check(CLI::Range(1, 1024));
  demo_app->add_option("--port", demo.port, "Port of the gateway")->check(CLI::Range(0, 65535));
  demo_app->add_option("--strategy", demo.strategy,
                       "Strategy, with options as in adaptive{min_agreement=.9}");
  demo_app->add_option("--strong-share", demo.strong_share, "Target share of requests for the strong model")
      ->check(CLI::Range(0.0, 1.0));
  demo_app->add_option("--seed", demo.seed, "Seed of the order");
  demo_app->add_option("--json", demo.json, "Write the figures there");
  demo_app->add_flag("--local", demo.local,
                     "The weak model is a real one (SmolLM2-135M) run on this machine");
  demo_app->add_flag("--stay", demo.stay, "Keep serving at the end, terminal or not");
  demo_app->add_flag("--exit", demo.leave, "End at the end, terminal or not");
  demo_app->callback([&] { status = demo_command(demo); });

  PlayFlags play;
  auto* play_app = app.add_subcommand("play", "Measure strategies on recorded or simulated questions");
  add_world_flags(play_app, play.data_file, play.responses_file, play.models, play.prices_file, play.profile);
  play_app->add_option("--strategies", play.strategies, "Strategies, as name or name{key=value;...}")
      ->delimiter(',');
  play_app->add_option("--subset", play.subset, "Only so many questions of each order; 0 = all");
  play_app->add_option("--stages", play.stages, "Passes over the same questions")->check(CLI::Range(1, 100));
  play_app->add_option("--orders", play.orders, "Orders, each with a fresh gateway")
      ->check(CLI::Range(1, 1000));
  play_app->add_option("--seed", play.seed, "Seed of the first order");
  play_app->add_option("--concurrency", play.concurrency, "Requests in flight")->check(CLI::Range(1, 1024));
  play_app->add_option("--bootstrap", play.bootstrap, "Bootstrap rounds; 0 = none");
  play_app->add_option("--allowance-usd", play.allowance_usd, "Learning allowance beside the budget share");
  play_app->add_option("--embeddings", play.embeddings, "File that keeps embeddings between runs");
  play_app->add_option("--without-subject", play.without_subject, "Leave this subject out");
  play_app->add_option("--json", play.json, "Write the figures there");
  play_app->add_flag("--in-process", play.in_process, "Call the flow directly instead of over HTTP");
  play_app->add_flag("!--no-guides", play.guides, "Do not let the strong model write guides");
  play_app->callback([&] { status = play_command(play); });

  std::string typed;
  for (int i = 0; i < argc; ++i) {
    const std::string word = argv[i];
    const bool plain = word.find_first_of(" {};*?'\"$") == std::string::npos;
    typed += (i > 0 ? " " : "") + (i == 0 ? "brevet" : plain ? word : "'" + word + "'");
  }
  EvalFlags eval;
  eval.command = typed;
  auto* eval_app = app.add_subcommand(
      "eval",
      "What strategies would have cost on recorded outcomes, how good they would have been, how sure");
  eval_app->add_option("--data", eval.data, "Outcome files: FILE, or FILE@WEAK,STRONG with models of its own")
      ->required();
  eval_app->add_option("--models", eval.models, "WEAK,STRONG, or a ladder from weakest to strongest");
  eval_app->add_option("--strategies", eval.strategies,
                       "As name or name{key=value;...}, separated by commas; baselines are always there");
  eval_app->add_option("--responses", eval.responses, "Response texts, joined to the data by id")
      ->check(CLI::ExistingFile);
  eval_app->add_option("--prices", eval.prices, "Price file for models without recorded costs")
      ->check(CLI::ExistingFile);
  eval_app->add_option("--groups", eval.groups, "JSON object {record id: group}, for the worst group")
      ->check(CLI::ExistingFile);
  eval_app->add_option("--drop", eval.drop, "contaminated, duplicates, or both with a comma");
  eval_app->add_option("--without-subject", eval.without_subject, "Leave this subject out");
  eval_app
      ->add_option("--signal", eval.signal, "What learning is told: agreement with the reference, or truth")
      ->check(CLI::IsMember({"agreement", "truth"}));
  eval_app->add_option("--order", eval.order,
                       "random, topic-blocked or drifting, with +repeats=.3, +paraphrases=.5, +sessions=4");
  eval_app->add_option("--at", eval.at, "Operating point of the rows: strong_share=S");
  eval_app->add_option("--seeds", eval.seeds, "Orders of each strategy that learns")
      ->check(CLI::Range(1, 1000));
  eval_app->add_option("--seed", eval.seed, "Seed of the first order, of the split and of the bootstrap");
  eval_app
      ->add_option("--splits", eval.splits,
                   "Splits into fitting, calibration and test; figures of fitted strategies are means")
      ->check(CLI::Range(1, 1000));
  eval_app
      ->add_option("--fit-labels", eval.fit_labels,
                   "Questions that fitted strategies may see; a list N,M,... adds rows at M, ...")
      ->delimiter(',')
      ->expected(1, 20);
  eval_app->add_option("--calibration-labels", eval.calibration_labels,
                       "Further questions on which thresholds are chosen");
  eval_app->add_option("--questions", eval.questions, "Only the first so many of each file; 0 = all");
  eval_app->add_option("--lag", eval.lag, "Requests until what was learned is visible");
  eval_app->add_option("--budget-share", eval.budget_share, "Learning budget, as a share of serving cost")
      ->check(CLI::Range(0.0, 1e9));
  eval_app->add_option("--allowance-usd", eval.allowance_usd, "Learning budget beside the share")
      ->check(CLI::Range(0.0, 1e6));
  eval_app->add_flag("--guides", eval.guides,
                     "Let the reference be asked for guides (recorded answers cannot show their effect)");
  eval_app->add_flag("!--no-dials", eval.dials,
                     "Only the operating point of strategies that learn, no curve");
  eval_app->add_flag("!--no-transfer", eval.transfer, "Do not test fitted strategies on the other files");
  eval_app->add_flag("!--no-decisions", eval.decisions,
                     "Do not show single questions and decisions in the report");
  eval_app->add_flag("!--no-encoder", eval.encoder, "Without embeddings");
  eval_app
      ->add_option("--static-encoder", eval.static_encoder,
                   "File of a static encoder for strategies with inputs=static, beside the other one")
      ->check(CLI::ExistingFile);
  eval_app
      ->add_option("--encoder", eval.encoder_file, "File of a static encoder; without it the full encoder")
      ->check(CLI::ExistingFile);
  eval_app->add_option("--bootstrap", eval.bootstrap, "Bootstrap rounds")->check(CLI::Range(0, 1'000'000));
  eval_app->add_option("--threads", eval.threads, "0 = one per core")->check(CLI::Range(0, 256));
  eval_app->add_option("--work", eval.work, "Folder of finished streams, for going on after an interruption");
  eval_app->add_option("--cache", eval.cache, "Folder of embeddings and neighbour lists");
  eval_app->add_option("--json", eval.json, "Write the figures there");
  eval_app->add_option("--report", eval.report, "Write a self-contained HTML report there");
  eval_app->callback([&] { status = eval_command(eval); });

  add_battles_command(app, status);
  add_train_command(app, typed, status);
  add_encoder_command(app, typed, status);
  add_router_command(app, status);
  add_cascade_command(app, status);
  add_tuning_command(app, status);
  add_record_command(app, status);

  UpstreamCommand upstream;
  auto* upstream_app =
      app.add_subcommand("upstream", "Serve recorded or simulated models as OpenAI endpoints");
  upstream_app->add_option("--recorded", upstream.recorded_file, "Data file to play")
      ->check(CLI::ExistingFile);
  upstream_app->add_option("--responses", upstream.responses_file, "Response texts, joined by id")
      ->check(CLI::ExistingFile);
  auto* simulated = upstream_app
                        ->add_option("--simulated", upstream.simulated_file,
                                     "Simulation profile, or nothing for the embedded one")
                        ->expected(0, 1);
  upstream_app->add_option("--models", upstream.models, "Serve only these")->delimiter(',');
  upstream_app->add_option("--prices", upstream.prices_file, "Prices of recorded models")
      ->check(CLI::ExistingFile);
  upstream_app->add_option("--questions", upstream.questions,
                           "Serve nothing; print so many of the simulated questions as JSON Lines");
  upstream_app->add_option("--address", upstream.address, "Address to bind");
  upstream_app->add_option("--port", upstream.port, "Port; 0 = any free one");
  upstream_app->add_option("--threads", upstream.threads, "Threads")->check(CLI::Range(1, 64));
  upstream_app->add_option("--speed", upstream.speed,
                           "0 = no waiting, 1 = recorded or declared latencies, 10 = ten times faster");
  upstream_app->add_option("--faults", upstream.faults,
                           "Such as 429=0.1,5xx=0.05,cut=0.05,garbage=0.01,slow=0.02:3000ms");
  upstream_app->callback([&] {
    upstream.simulated = simulated->count() > 0;
    const auto done = run_upstream_command(upstream, std::cout);
    status = done ? *done : complain(done.error());
  });

  RouteFlags route;
  auto* route_app =
      app.add_subcommand("route", "Say which model would serve a prompt, and why (no model is called)");
  route_app->add_option("prompt", route.prompt, "The user message")->required();
  route_app->add_option("--system", route.system, "System message");
  route_app->add_option("--model", route.model, "Route");
  route_app->add_option("--url", route.url, "Address of the gateway");
  route_app->add_option("--key-env", route.key_env, "Environment variable with the client key");
  route_app->add_flag("--json", route.json, "Print the decision as JSON");
  route_app->callback([&] { status = route_command(route); });

  ReportFlags report;
  auto* report_app = app.add_subcommand("report", "What was served, saved and learned, with intervals");
  report_app->add_option("--url", report.url, "Address of the gateway");
  report_app->add_option("--route", report.route, "One route only");
  report_app->add_option("--key-env", report.key_env, "Environment variable with the client key");
  report_app->add_flag("--json", report.json, "Print the report as JSON");
  report_app->callback([&] { status = report_command(report); });

  ContractFlags contract;
  auto* contract_app = app.add_subcommand(
      "contract", "What each route promises, what is certified now, what it saved, what is missing");
  contract_app->add_option("--url", contract.url, "Address of the gateway");
  contract_app->add_option("--route", contract.route, "One route only");
  contract_app->add_option("--key-env", contract.key_env, "Environment variable with the client key");
  contract_app->add_option("--turn", contract.turn, "off: the reference serves everything at once; on: go on")
      ->check(CLI::IsMember({"on", "off"}));
  contract_app->add_flag("--json", contract.json, "Print it as JSON");
  contract_app->callback([&] { status = contract_command(contract); });

  MemoryFlags memory;
  auto* memory_app =
      app.add_subcommand("memory", "What is remembered (the gateway of the data folder must be stopped)");
  memory_app->require_subcommand(1);
  memory_app->add_option("--data-dir", memory.data_dir, "Data folder of the gateway");
  memory_app->add_option("--tenant", memory.tenant, "One tenant only");
  const auto memory_action = [&](const char* name, const char* help) {
    auto* action = memory_app->add_subcommand(name, help)->fallthrough();
    action->callback([&, name] {
      memory.action = name;
      status = memory_command(memory);
    });
    return action;
  };
  memory_action("list", "Skills and guides")->add_option("--limit", memory.limit, "At most so many");
  memory_action("show", "One skill or guide, whole")
      ->add_option("name", memory.name, "As list prints it: s12, g3")
      ->required();
  memory_action(
      "forget",
      "A skill, a guide with what was learned through it, or with --tenant all that a tenant's memory "
      "holds (its decisions and feedback go by server.retention_days)")
      ->add_option("name", memory.name, "As list prints it: s12, g3");
  for (auto* action :
       {memory_action("export", "To JSON Lines"), memory_action("import", "From JSON Lines")}) {
    action->add_option("file", memory.file, "File; - = standard output or input")->required();
    action
        ->add_option("--encoder", memory.encoder,
                     "import: file of the static encoder of the gateway, if it has one")
        ->check(CLI::ExistingFile);
  }

  CalibrateFlags calibrate;
  RouterCalibrationFlags by_router;
  auto* calibrate_app = app.add_subcommand("calibrate", "Thresholds from your own outcomes");
  calibrate_app
      ->add_option("threshold", calibrate.what, "min_agreement (adaptive, the default) or tau_skill (rar)")
      ->check(CLI::IsMember({"min_agreement", "tau_skill"}));
  auto* folder = calibrate_app->add_option("--data-dir", calibrate.data_dir, "Data folder of the gateway");
  calibrate_app->add_option("--tenant", calibrate.tenant, "One tenant only");
  calibrate_app->add_option("--target", calibrate.target, "Wanted agreement of what the weak model serves")
      ->check(CLI::Range(0.0, 1.0));
  calibrate_app->add_option("--confidence", calibrate.confidence, "Of the lower bound that must reach it")
      ->check(CLI::Range(0.5, 0.9999));
  calibrate_app
      ->add_option("--router", by_router.router, "Of this trained router, on outcomes that did not teach it")
      ->check(CLI::ExistingFile);
  calibrate_app->add_option("--data", by_router.source.data, "With --router: recorded outcomes");
  calibrate_app->add_option("--prices", by_router.source.prices, "Price file for outcomes without costs")
      ->check(CLI::ExistingFile);
  calibrate_app->add_option("--strong-share", by_router.strong_share, "Wanted share of strong calls")
      ->check(CLI::Range(0.0, 1.0));
  calibrate_app->add_option("--quality", by_router.quality, "Wanted share of always-strong's quality")
      ->check(CLI::Range(0.0, 1.0));
  calibrate_app->add_option("--budget-usd-per-day", by_router.budget_usd_per_day, "Wanted cost at most")
      ->check(CLI::NonNegativeNumber);
  calibrate_app->add_option("--requests-per-day", by_router.requests_per_day, "For the budget")
      ->check(CLI::PositiveNumber);
  calibrate_app
      ->add_option("--encoder", by_router.encoder, "With --router: file of its static encoder, if it has one")
      ->check(CLI::ExistingFile);
  calibrate_app->add_option("--seed", by_router.seed, "Which outcomes choose and which check");
  calibrate_app->callback([&, folder] {
    if (by_router.router.empty()) {
      status = calibrate_command(calibrate);
      return;
    }
    if (folder->count() > 0) by_router.source.data_dir = calibrate.data_dir;
    by_router.source.tenant = calibrate.tenant;
    status = calibrate_router(by_router);
  });

  ModelsFlags models;
  add_models_command(app, models, status);

  ConfigFlags config;
  auto* config_app = app.add_subcommand("config", "The configuration");
  config_app->add_flag("--defaults", config.defaults,
                       "Print every key with its default, and every strategy with its options");
  config_app->add_option("--check", config.check, "Check a configuration file");
  config_app->callback([&] { status = config_command(config); });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return status;
}

}  // namespace
}  // namespace brevet

int main(int argc, char** argv) {
  const char* level = std::getenv("BREVET_LOG");
  brevet::set_up_log(level != nullptr ? level : "info");
  return brevet::run(argc, argv);
}
