// `brevet play`: strategies measured on one stream of questions, over HTTP or in process, in stages, over
// several orders, each with a fresh gateway. Writes the figures as a table and as JSON.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "app/commands.h"
#include "app/demo_config.h"
#include "app/gateway_process.h"
#include "app/paths.h"
#include "app/play_session.h"

namespace brevet {
namespace {

namespace json = boost::json;

WorldSource source_of(const PlayFlags& flags) {
  WorldSource out;
  out.data_file = flags.data_file;
  out.responses_file = flags.responses_file;
  out.prices_file = flags.prices_file;
  out.models = flags.models;
  out.without_subject = flags.without_subject;
  out.profile = flags.profile;
  if (flags.subset > 0) out.requests = flags.subset;
  return out;
}

std::string range(const Figure& figure, double scale) {
  return fmt::format("{:+.2f} [{:+.2f}, {:+.2f}]", figure.mean * scale, figure.low * scale,
                     figure.high * scale);
}

void print_stage(const std::string& strategy, std::size_t order, std::size_t number, const PlayStage& stage) {
  const auto& sum = stage.summary;
  CostTotal all = sum.cost;
  all.add(stage.learning.cost);
  const bool priced =
      all.unknown_count == 0 && sum.strong_cost.unknown_count == 0 && sum.strong_cost.known.pico_usd > 0;
  fmt::print("{:<34} {:>5} {:>5} {:>7} {:>7.3f} {:>7} {:>6} {:>7.4f} {:>7.4f} {:>8.4f} {:>7.2f} {:>8}\n",
             strategy, order, number, sum.strong, sum.strong_share, stage.learning.shadow_calls,
             stage.learning.guide_calls, sum.quality, sum.retention, sum.relative_to_ideal, sum.gain * 100,
             priced ? fmt::format("{:.3f}", all.known.usd() / sum.strong_cost.known.usd()) : "-");
  std::fflush(stdout);
}

struct Orders {
  std::vector<std::vector<PlayedRequest>> first_pass;  ///< per order, the first stage
  json::array stages;
};

Result<Orders> play_strategy(const PlayFlags& flags, const PlayWorld& world, const std::string& strategy,
                             const std::string& upstream_url) {
  Orders out;
  const bool recorded = !flags.data_file.empty();
  for (std::size_t order = 0; order < flags.orders && !interrupted(); ++order) {
    const auto folder = make_temporary_folder("brevet-play-");
    PlayConfig options;
    options.strategy = strategy;
    options.data_dir = folder;
    options.upstream_url = upstream_url;
    options.guides = flags.guides;
    options.allowance_usd = flags.allowance_usd;
    auto config = play_config(world, options);
    if (!config) return fail(config.error());
    config->seed = flags.seed + order;
    GatewayOptions gateway_options;
    gateway_options.config = std::move(*config);
    gateway_options.http = !flags.in_process;
    gateway_options.embedding_file = flags.embeddings;
    gateway_options.encoder_threads = 2;
    if (flags.in_process) {
      gateway_options.runtime.given_clients = {{world.weak, world.weak_client},
                                               {world.strong, world.strong_client}};
    }
    auto gateway = GatewayProcess::create(std::move(gateway_options));
    if (!gateway) return fail(gateway.error());
    (*gateway)->start();
    // The stream of a simulated world is its own order; recorded questions are shuffled, and a subset is the
    // first part.
    auto items = shuffled(world.items.size(), flags.seed + order);
    if (!recorded) std::sort(items.begin(), items.end());
    if (flags.subset > 0 && flags.subset < items.size()) items.resize(flags.subset);
    PlayPlan plan;
    plan.concurrency = flags.concurrency;
    plan.stop = [] { return interrupted(); };
    for (std::size_t stage_number = 1; stage_number <= flags.stages; ++stage_number) {
      auto stage = play_stage(**gateway, world, items, plan);
      print_stage(strategy, order, stage_number, stage);
      auto row = to_json(stage);
      row["order"] = order;
      row["stage"] = stage_number;
      out.stages.push_back(std::move(row));
      if (stage_number == 1) out.first_pass.push_back(std::move(stage.played));
    }
    (*gateway)->stop();
    gateway->reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
  return out;
}

}  // namespace

int play_command(const PlayFlags& flags) {
  interrupted();
  const auto source = source_of(flags);
  auto world = make_world(source);
  if (!world) return complain(world.error(), 2);
  std::unique_ptr<UpstreamServer> server;
  std::string url;
  if (!flags.in_process) {
    auto started = start_world(source, *world);
    if (!started) return complain(started.error());
    server = std::move(*started);
    url = fmt::format("http://127.0.0.1:{}/v1", server->port());
  }
  fmt::print(
      "{}: {} questions ({} left out: repeats, contaminated, or without both models), weak {}, strong {}, "
      "{}\n",
      world->name, world->items.size(), world->dropped, world->weak, world->strong,
      flags.in_process ? "in process" : "over HTTP");
  fmt::print("{:<34} {:>5} {:>5} {:>7} {:>7} {:>7} {:>6} {:>7} {:>7} {:>8} {:>7} {:>8}\n", "strategy",
             "order", "stage", "strong", "share", "shadow", "guide", "quality", "retain", "to ideal",
             "gain/pt", "cost_rel");
  json::array rows;
  for (const auto& strategy : flags.strategies) {
    auto orders = play_strategy(flags, *world, strategy, url);
    if (!orders) return complain(orders.error());
    json::object row{{"strategy", strategy},
                     {"dataset", world->name},
                     {"n", world->items.size()},
                     {"orders", flags.orders}};
    bool comparable = !orders->first_pass.empty() && !flags.data_file.empty();
    for (const auto& pass : orders->first_pass) {
      comparable = comparable && pass.size() == world->items.size();  // whole passes hold the same questions
    }
    if (comparable && flags.bootstrap > 0) {
      const auto both =
          bootstrap_gain(orders->first_pass, Resample::kQuestionsAndOrders, flags.bootstrap, flags.seed);
      const auto questions =
          bootstrap_gain(orders->first_pass, Resample::kQuestions, flags.bootstrap, flags.seed);
      fmt::print(
          "{:<34} gain over the random mixture, points: {} (questions and orders), {} (questions), n = {}, "
          "orders = {}\n",
          strategy, range(both, 100), range(questions, 100), both.n, orders->first_pass.size());
      row["gain"] = to_json(both);
      row["gain_questions_only"] = to_json(questions);
    }
    row["stages"] = std::move(orders->stages);
    rows.push_back(std::move(row));
    if (interrupted()) break;
  }
  if (!flags.json.empty()) {
    json::object out{{"dataset", world->name},    {"n", world->items.size()},
                     {"dropped", world->dropped}, {"weak", world->weak},
                     {"strong", world->strong},   {"transport", flags.in_process ? "in_process" : "http"},
                     {"seed", flags.seed},        {"rows", std::move(rows)}};
    std::ofstream(flags.json) << json::serialize(out) << "\n";
  }
  return interrupted() ? 130 : 0;
}

}  // namespace brevet
