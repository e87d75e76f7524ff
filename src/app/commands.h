// The subcommands of `brevet`: each takes parsed flags and returns an exit status (0 good, 1 failed, 2 wrong
// use).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace brevet {

struct ServeFlags {
  std::string config;     ///< empty = embedded defaults: two simulated models
  int port = -1;          ///< overrides the configuration; 0 = any free one
  std::string data_dir;   ///< overrides the configuration
  std::string port_file;  ///< the port is written here once it accepts
};
int serve_command(const ServeFlags& flags);

struct DemoFlags {
  std::size_t requests = 0;  ///< 0 = 6,000, all of a data file, or 40 with --local
  int concurrency = 16;
  int port = 8787;
  std::string data_file;
  std::string responses_file;
  std::string models;  ///< "WEAK,STRONG" of the data file
  std::string prices_file;
  std::string strategy = "adaptive";
  double strong_share = -1;
  std::string profile;  ///< simulation profile; empty = embedded
  bool local = false;
  bool stay = false;   ///< keep serving at the end even without a terminal
  bool leave = false;  ///< end even on a terminal
  std::uint64_t seed = 1;
  std::string json;
};
int demo_command(const DemoFlags& flags);

struct PlayFlags {
  std::string data_file;  ///< empty = the simulated world
  std::string responses_file;
  std::string models;
  std::string prices_file;
  std::string profile;
  std::string without_subject;
  std::vector<std::string> strategies{"adaptive"};  ///< `name` or `name{key=value;...}`
  std::size_t subset = 0;                           ///< 0 = all
  std::size_t stages = 1;
  std::size_t orders = 1;
  std::uint64_t seed = 1;
  int concurrency = 8;
  bool in_process = false;
  bool guides = true;
  double allowance_usd =
      1000;  ///< learning budget beside the share; large: the measure is how much is learned
  int bootstrap = 1000;
  std::string embeddings;  ///< file that keeps embeddings between runs
  std::string json;
};
int play_command(const PlayFlags& flags);

struct EvalFlags {
  std::vector<std::string> data;  ///< FILE or FILE@WEAK,STRONG[,...]
  std::string models;             ///< "WEAK,STRONG" or a ladder, for files without their own
  std::string strategies = "rar,adaptive";
  std::string responses;
  std::string prices;
  std::string groups;
  std::string drop;  ///< "contaminated,duplicates" or one of them
  std::string without_subject;
  std::string signal = "agreement";
  std::string order = "random";
  std::string at = "strong_share=.5";
  std::size_t seeds = 5;
  std::size_t splits = 1;
  std::uint64_t seed = 1;
  std::vector<std::size_t> fit_labels = {1500};  ///< the first is that of the rows; the others make a curve
  std::size_t calibration_labels = 500;
  std::size_t questions = 0;
  std::size_t lag = 0;
  double budget_share = .1;
  double allowance_usd = .05;
  bool guides = false;
  bool dials = true;
  bool transfer = true;
  bool decisions = true;
  bool encoder = true;
  std::string encoder_file;    ///< of a static encoder; empty = the full one
  std::string static_encoder;  ///< of one that strategies with `inputs=static` read beside it; may be empty
  int bootstrap = 1000;
  int threads = 0;  ///< 0 = one per core
  std::string work;
  std::string cache;
  std::string json;
  std::string report;
  std::string command;  ///< as typed
};
int eval_command(const EvalFlags& flags);

struct RouteFlags {
  std::string prompt;
  std::string system;
  std::string model = "auto";
  std::string url = "http://127.0.0.1:8787";
  std::string key_env;  ///< environment variable with the client key
  bool json = false;
};
int route_command(const RouteFlags& flags);

struct ReportFlags {
  std::string url = "http://127.0.0.1:8787";
  std::string route;
  std::string key_env;
  bool json = false;
};
int report_command(const ReportFlags& flags);

struct ContractFlags {
  std::string url = "http://127.0.0.1:8787";
  std::string route;
  std::string key_env;
  std::string turn;  ///< on or off: the kill switch; empty = only show
  bool json = false;
};
int contract_command(const ContractFlags& flags);

struct MemoryFlags {
  std::string action;  ///< list, show, forget, export, import
  std::string data_dir = "brevet-data";
  std::string tenant;
  std::string name;     ///< of a skill or guide, as `list` prints it: s12, g3
  std::string file;     ///< export and import; "-" = standard streams
  std::string encoder;  ///< import: file of a static encoder; empty = the full one
  std::size_t limit = 50;
};
int memory_command(const MemoryFlags& flags);

struct CalibrateFlags {
  std::string data_dir = "brevet-data";
  std::string what = "min_agreement";  ///< min_agreement (adaptive) or tau_skill (rar)
  std::string tenant;
  double target = .9;
  double confidence = .95;
};
int calibrate_command(const CalibrateFlags& flags);

/// `brevet models`: facts, imports and choice of models. Offline; needs no gateway.
struct ModelsFlags {
  std::string action;  ///< list, show, devices, import, select
  std::string catalogue = "brevet-data/models.json";
  std::string word;        ///< list: only names and aliases that hold it
  std::string name;        ///< show
  std::string file;        ///< import
  bool strict = false;     ///< import: one broken row refuses the file
  std::size_t limit = 40;  ///< rows shown of one list; 0 = all
  std::vector<std::string> capabilities;
  std::int64_t context_min = 0;
  std::vector<std::string> licences;
  std::string price_max;
  std::string mix = "3:1";
  double size_max = 0;  ///< billion parameters; 0 = any
  bool local_only = false;
  bool not_retired = false;
  std::string unknown = "separate";
  std::string device;
  double device_tops = 0;  ///< 0 = not given, here and below
  double device_memory_gb = 0;
  double device_bandwidth_gbs = 0;
  double memory_share = 0;
  double compute_share = 0;
  double bandwidth_share = 0;
  std::int64_t context = 4096;
  std::int64_t prompt_tokens = 1000;
  std::int64_t answer_tokens = 250;
  double bits_min = 4.5;
  std::string quantisation;
  double speed_min = 0;
  std::string data_file;
  std::string prices_file;
  std::vector<std::string> names;  ///< DATA_NAME=CATALOGUE_NAME
  std::string benchmark;
  double min_quality = -1;
  bool explain = false;
  bool json = false;
};
int models_command(const ModelsFlags& flags);

struct ConfigFlags {
  bool defaults = false;
  std::string check;
};
int config_command(const ConfigFlags& flags);

/// Prints "brevet: MESSAGE (code)" to standard error and returns `status`.
int complain(const Error& error, int status = 1);
/// True once SIGINT or SIGTERM came; installed by the first call.
bool interrupted();
/// Now, UTC, RFC 3339.
std::string utc_now();

}  // namespace brevet
