// Configurations that app writes itself: the embedded defaults, and those of demo and play.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "app/play_world.h"
#include "base/result.h"
#include "config/options.h"

namespace brevet {

struct PlayConfig {
  std::string strategy = "adaptive";  ///< `name` or `name{key=value;...}`
  std::string data_dir;
  std::uint16_t port = 0;
  std::string upstream_url;  ///< "http://127.0.0.1:1234/v1"; empty: clients are given
  bool guides = true;
  double budget_share = 0.1;
  double allowance_usd = 0.05;
  bool local_weak = false;  ///< the weak model is run on this machine
};

/// One route `auto` over the world's two models. Errors: those of parse_config, bad_option.
Result<Config> play_config(const PlayWorld& world, const PlayConfig& options);

/// What `brevet serve` runs without a configuration: two simulated models in process, route `auto`.
Result<Config> embedded_config();

}  // namespace brevet
