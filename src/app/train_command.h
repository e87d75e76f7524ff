// `brevet train`, `brevet router show`, `brevet router predict` and `brevet calibrate --router`: routers from
// the user's own labels. main() calls these once; a command runs when its flags are parsed.
#pragma once

#include <cstdint>
#include <string>

#include "app/train_data.h"

namespace CLI {
class App;
}

namespace brevet {

/// `typed` is the command line, kept in the router's file.
void add_train_command(CLI::App& app, const std::string& typed, int& status);
void add_router_command(CLI::App& app, int& status);

/// The part of `brevet calibrate` that chooses the threshold of a router.
struct RouterCalibrationFlags {
  std::string router;  ///< its file
  TrainSource source;
  double strong_share = -1;  ///< exactly one of these three is given
  double quality = -1;       ///< share of always-strong's quality
  double budget_usd_per_day = -1;
  double requests_per_day = 0;
  std::uint64_t seed = 1;  ///< of the two parts
  int threads = 0;
  std::string encoder;  ///< file of a static encoder; empty = the full one
};
int calibrate_router(const RouterCalibrationFlags& flags);

/// `brevet router predict` (router_predict.cc).
struct RouterPredictFlags {
  std::vector<std::string> files;  ///< of routers, all of this build's encoder
  std::string prompts;             ///< JSON Lines, as `brevet record` takes them
  std::string out;                 ///< empty = standard output
  bool embeddings = false;         ///< each line carries what the encoder made of its text
  std::string encoder;             ///< file of a static encoder; empty = the full one
  int threads = 0;
};
int predict_routers(const RouterPredictFlags& flags);

}  // namespace brevet
