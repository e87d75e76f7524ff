// `brevet demo`: the main job. A real gateway in front of real HTTP endpoints (simulated, recorded, or a
// small model run here), a load of questions with checkable answers, and an honest summary: the saving stands
// beside the shuffle.
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <thread>

#include "app/commands.h"
#include "app/demo_config.h"
#include "app/gateway_process.h"
#include "app/paths.h"
#include "app/play_session.h"

namespace brevet {
namespace {

namespace json = boost::json;
using SteadyClock = std::chrono::steady_clock;

std::string percent(double share) {
  return fmt::format("{:.1f}%", share * 100);
}

std::string thousands(std::uint64_t number) {
  std::string out = std::to_string(number);
  for (auto at = static_cast<std::ptrdiff_t>(out.size()) - 3; at > 0; at -= 3)
    out.insert(static_cast<std::size_t>(at), ",");
  return out;
}

/// Rows per tenth of the run, and on a terminal a line below them that moves.
class Screen {
 public:
  Screen(GatewayProcess& gateway, std::size_t total)
      : gateway_(gateway), total_(total), tty_(isatty(STDOUT_FILENO) != 0), started_(SteadyClock::now()) {
    fmt::print("{:>9}  {:>9}  {:>8}  {:>18}  {:>7}  {:>7}\n", "asked", "to strong", "quality",
               "cost/always-strong", "skills", "guides");
  }

  void update(const PlayProgress& progress) {
    const auto rows = progress.done * kRows / total_;
    if (rows > rows_ || progress.done == total_) {
      clear_line();
      print_row(progress, progress.done == total_ ? progress.done - last_ : progress.done - last_);
      rows_ = rows;
      last_ = progress.done;
    }
    const auto now = SteadyClock::now();
    if (tty_ && now - drawn_ > std::chrono::milliseconds(100) && progress.done < total_) {
      drawn_ = now;
      const std::chrono::duration<double> spent = now - started_;
      const double left =
          spent.count() / static_cast<double>(progress.done) * static_cast<double>(total_ - progress.done);
      fmt::print("\r  {} of {} asked, {:.0f} a second, about {:.0f} s left   ", thousands(progress.done),
                 thousands(total_), static_cast<double>(progress.done) / spent.count(), left);
      std::fflush(stdout);
    }
  }

 private:
  static constexpr std::size_t kRows = 10;

  void clear_line() const {
    if (tty_) fmt::print("\r{:70}\r", "");
  }

  void print_row(const PlayProgress& progress, std::size_t window) {
    if (window == 0) return;
    const std::vector<PlayedRequest> recent(progress.played.end() - static_cast<std::ptrdiff_t>(window),
                                            progress.played.end());
    const auto sum = summarise(recent);
    const auto learning = spend_of(gateway_.figures("auto"));
    const Money learned_now = learning.cost.known - learned_;
    learned_ = learning.cost.known;
    const auto memory = gateway_.learner().figures().memory;
    const bool priced = sum.cost.unknown_count == 0 && sum.strong_cost.unknown_count == 0 &&
                        sum.strong_cost.known.pico_usd > 0;
    fmt::print("{:>9}  {:>9}  {:>8}  {:>18}  {:>7}  {:>7}\n", thousands(progress.done),
               percent(sum.strong_share), percent(sum.quality),
               priced
                   ? fmt::format("{:.2f}", (sum.cost.known + learned_now).usd() / sum.strong_cost.known.usd())
                   : "unknown",
               thousands(memory.skills), thousands(memory.guides));
    std::fflush(stdout);
  }

  GatewayProcess& gateway_;
  const std::size_t total_;
  const bool tty_;
  const SteadyClock::time_point started_;
  SteadyClock::time_point drawn_{};
  std::size_t rows_ = 0;
  std::size_t last_ = 0;
  Money learned_;
};

std::string relative(const CostTotal& cost, const CostTotal& strong) {
  if (cost.unknown_count > 0 || strong.unknown_count > 0 || strong.known.pico_usd <= 0) return "unknown";
  return fmt::format("{:.2f}", cost.known.usd() / strong.known.usd());
}

/// Whether it is known what the weak model alone would have answered: not of a real one, which is asked as we
/// go.
enum class WeakAlone { kKnown, kUnknown };

void print_summary(const PlayWorld& world, const PlayStage& stage, const Shuffle& shuffle,
                   WeakAlone weak_alone, const GatewayProcess& gateway) {
  const auto& sum = stage.summary;
  CostTotal all = sum.cost, weak;
  all.add(stage.learning.cost);
  for (const auto& played : stage.played) weak.add(world.truth[played.question].weak_cost);
  const double strong_usd = sum.strong_cost.known.usd();
  const auto line = [](const std::string& name, double quality, const std::string& cost,
                       const std::string& note) {
    fmt::print("  {:<34} {:>8}  {:>6}  {}\n", name, percent(quality), cost, note);
  };
  fmt::print("\n  {:<34} {:>8}  {:>6}  {}\n", "over all " + thousands(sum.n) + " questions", "quality",
             "cost", "(always-strong = 1)");
  line("Brevet", sum.quality, relative(all, sum.strong_cost),
       fmt::format("{} of it for learning; {} to strong", relative(stage.learning.cost, sum.strong_cost),
                   percent(sum.strong_share)));
  const bool known = weak_alone == WeakAlone::kKnown;
  if (known)
    line("its own decisions, shuffled", shuffle.quality.mean,
         shuffle.cost_usd && strong_usd > 0 && stage.learning.cost.unknown_count == 0
             ? fmt::format("{:.2f}", (*shuffle.cost_usd + stage.learning.cost.known.usd()) / strong_usd)
             : "unknown",
         fmt::format("95% of shuffles: {} to {}", percent(shuffle.quality.low),
                     percent(shuffle.quality.high)));
  line("always " + world.strong, sum.always_strong, "1.00", "");
  if (known) line("always " + world.weak, sum.always_weak, relative(weak, sum.strong_cost), "");
  const std::size_t quarter = std::max<std::size_t>(1, stage.played.size() / 4);
  const auto last =
      summarise({stage.played.end() - static_cast<std::ptrdiff_t>(quarter), stage.played.end()});
  fmt::print("\n  Last quarter alone: {} to strong, quality {} ({} of always-strong's), serving cost {}.\n",
             percent(last.strong_share), percent(last.quality), percent(last.retention),
             relative(last.cost, last.strong_cost));
  fmt::print(
      "  {}\n",
      !known ? "What the weak model alone would have answered is not known here, so there is no shuffle "
               "beside it."
      : sum.quality > shuffle.quality.high
          ? "It knew where to spend: the same number of strong calls at random would have answered worse."
          : "It did not beat its own shuffle: on these questions it has shown nothing but thrift.");
  fmt::print("  Learned: {} skills, {} guides, from {} shadow calls and {} guides asked for.\n",
             thousands(stage.skills), thousands(stage.guides), thousands(stage.learning.shadow_calls),
             thousands(stage.learning.guide_calls));
  for (const auto& [code, count] : stage.errors) fmt::print("  {} requests failed with {}.\n", count, code);
  fmt::print(
      "\n  Try it:\n    curl -si http://127.0.0.1:{}/v1/chat/completions -H 'content-type: application/json' "
      "\\\n"
      "      -d '{{\"model\":\"auto\",\"messages\":[{{\"role\":\"user\",\"content\":{}}}]}}'\n",
      gateway.port(), json::serialize(json::value(world.items.front().text)));
}

WorldSource source_of(const DemoFlags& flags) {
  WorldSource out;
  out.data_file = flags.data_file;
  out.responses_file = flags.responses_file;
  out.prices_file = flags.prices_file;
  out.models = flags.models;
  out.profile = flags.profile;
  if (flags.requests > 0) {
    out.requests = flags.requests;
  } else if (flags.local) {
    out.requests = 40;
  }
  return out;
}

}  // namespace

int demo_command(const DemoFlags& flags) {
  interrupted();
  const auto source = source_of(flags);
  auto world = make_world(source);
  if (!world) return complain(world.error(), 2);
  constexpr int kLocalTokensMax = 64;
  if (flags.local) {
    for (auto& item : world->items) item.max_tokens = kLocalTokensMax;
  }
  auto upstream = start_world(source, *world);
  if (!upstream) return complain(upstream.error());
  const auto folder = make_temporary_folder("brevet-demo-");
  PlayConfig options;
  options.strategy = flags.strategy;
  if (flags.strong_share >= 0) options.strategy += fmt::format("{{strong_share={}}}", flags.strong_share);
  options.data_dir = folder;
  options.port = static_cast<std::uint16_t>(flags.port);
  options.upstream_url = fmt::format("http://127.0.0.1:{}/v1", (*upstream)->port());
  options.local_weak = flags.local;
  // What the first days may cost: beside its share of what serving costs, learning starts with 2% of what
  // always-strong would cost for the whole run (unknown prices leave the default).
  CostTotal always_strong;
  for (const auto& truth : world->truth) always_strong.add(truth.strong_cost);
  if (always_strong.unknown_count == 0) options.allowance_usd = always_strong.known.usd() * .02;
  auto config = play_config(*world, options);
  if (!config) return complain(config.error(), 2);
  GatewayOptions gateway_options;
  gateway_options.config = *config;
  auto gateway = GatewayProcess::create(gateway_options);
  if (!gateway && gateway.error().code == "address_in_use") {
    fmt::print("Port {} is taken; the gateway takes any free one.\n", flags.port);
    gateway_options.config.server.port = 0;
    gateway = GatewayProcess::create(gateway_options);
  }
  if (!gateway) return complain(gateway.error());
  (*gateway)->start();

  const bool recorded = !flags.data_file.empty();
  std::vector<std::uint32_t> order(world->items.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::uint32_t>(i);
  if (recorded) order = shuffled(order.size(), flags.seed);
  if (recorded && flags.requests > 0 && flags.requests < order.size()) order.resize(flags.requests);
  fmt::print("Brevet asks {} questions of http://127.0.0.1:{}/v1, model \"auto\" (strategy {}).\n",
             thousands(order.size()), (*gateway)->port(), flags.strategy);
  fmt::print("Weak: {}. Strong: {}. {}\n\n",
             flags.local ? "SmolLM2-135M, in the place of " + world->weak : world->weak, world->strong,
             recorded ? "Their answers are RECORDED ones of real models; guides cannot help recorded answers."
             : flags.local ? "The weak model is real and runs on this machine; the strong one is SIMULATED."
                           : "Both are SIMULATED, behind HTTP; nothing is paid.");
  PlayPlan plan;
  plan.concurrency = flags.local ? 2 : flags.concurrency;
  plan.stop = [] { return interrupted(); };
  Screen screen(**gateway, order.size());
  plan.progress = [&](const PlayProgress& progress) { screen.update(progress); };
  const auto stage = play_stage(**gateway, *world, order, plan);
  const auto shuffle = shuffle_decisions(stage.played, 200, flags.seed);
  if (stage.played.empty()) {
    fmt::print("Nothing was asked.\n");
  } else {
    print_summary(*world, stage, shuffle, flags.local ? WeakAlone::kUnknown : WeakAlone::kKnown, **gateway);
  }
  if (!flags.json.empty()) {
    auto out = to_json(stage);
    out["shuffle_quality"] = to_json(shuffle.quality);
    if (flags.local) {
      // All of these need what the weak model alone would have answered.
      for (const char* unknown :
           {"shuffle_quality", "always_weak", "ideal_static", "ideal_static_strong_share",
            "relative_to_ideal", "strong_calls_against_ideal", "random_mixture", "gain"})
        out[unknown] = nullptr;
    }
    out["world"] = world->name;
    out["strategy"] = flags.strategy;
    std::ofstream(flags.json) << json::serialize(out) << "\n";
  }
  const bool stay = !flags.leave && !interrupted() && (flags.stay || isatty(STDOUT_FILENO) != 0);
  if (stay) {
    fmt::print(
        "\n  The gateway stays up on port {} until Ctrl-C. Also: brevet route \"...\", brevet report.\n",
        (*gateway)->port());
    std::fflush(stdout);
    while (!interrupted()) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  (*gateway)->stop();
  gateway->reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  return stage.summary.failed * 20 > stage.summary.n ? 1 : 0;
}

}  // namespace brevet
