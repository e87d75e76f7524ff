// `brevet serve`: the gateway until SIGTERM or SIGINT; SIGHUP loads the configuration again.
#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

#include "app/commands.h"
#include "app/demo_config.h"
#include "app/gateway_process.h"
#include "base/log.h"

namespace brevet {
namespace {

std::atomic<bool> reload_wanted{false};
void on_hang_up(int) {
  reload_wanted.store(true);
}

}  // namespace

int serve_command(const ServeFlags& flags) {
  interrupted();
  std::signal(SIGHUP, on_hang_up);
  auto config = flags.config.empty() ? embedded_config() : load_config(flags.config);
  if (!config) return complain(config.error(), 2);
  const auto server_in_file = config->server;
  if (flags.port >= 0) config->server.port = static_cast<std::uint16_t>(flags.port);
  if (!flags.data_dir.empty()) config->server.data_dir = flags.data_dir;
  set_up_log(config->server.log);
  for (const auto& warning : config_warnings(*config)) spdlog::warn("{}", warning);
  const auto& address = config->server.address;
  const bool bare_ipv6 = address.find(':') != std::string::npos && address.front() != '[';
  const auto host = bare_ipv6 ? "[" + address + "]" : address;
  GatewayOptions options;
  options.server_in_file = server_in_file;
  options.config = std::move(*config);
  options.config_path = flags.config;
  auto gateway = GatewayProcess::create(std::move(options));
  if (!gateway) return complain(gateway.error());
  (*gateway)->start();
  if (!flags.port_file.empty()) std::ofstream(flags.port_file) << (*gateway)->port() << "\n";
  fmt::print("Brevet serves on http://{}:{}/v1 {}\n", host, (*gateway)->port(),
             flags.config.empty() ? "in front of two SIMULATED models (no --config was given)" : "");
  std::fflush(stdout);
  while (!interrupted()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    if (!reload_wanted.exchange(false)) continue;
    if (const auto reloaded = (*gateway)->reload(); reloaded) {
      spdlog::info("configuration loaded again");
    } else {
      spdlog::error("configuration not loaded, the old one stays: {} ({})", reloaded.error().message,
                    reloaded.error().code);
    }
  }
  spdlog::info("draining");
  (*gateway)->stop();
  return 0;
}

}  // namespace brevet
