// The flags of `brevet record` and what they are turned into. For record_command.cc and record_setup.cc.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/runtime_builder.h"
#include "base/result.h"
#include "record/recorder.h"
#include "store/store.h"

namespace brevet {

struct RecordFlags {
  std::string prompts;
  std::string out;
  std::string journal;  ///< empty = beside the output
  std::string config;
  std::string url;
  std::string key_env;
  std::string prices;
  std::vector<std::string> models;
  std::vector<std::string> guides;  ///< NAME=FILE
  std::string data_dir;
  std::string dataset;
  std::string scorer;
  std::string schema;
  std::string command;
  double command_timeout_s = 60;
  std::string judge;
  std::string against;
  std::string budget_usd;
  std::uint64_t unknown_cost_calls = 0;
  std::int64_t max_tokens = 1024;
  std::string limit_field = "max_tokens";
  std::string temperature = "0";
  double sample_temperature = .7;
  int concurrency = 8;
  int gateway_tries = 3;
  int failures_max = 20;
  bool retry_unknown = false;
  std::string json;
  bool from_decisions = false;
  std::string tenant;
  std::string route;
};

/// Owns everything that a recording borrows.
struct RecordSetup {
  UpstreamResources resources;
  RuntimePtr runtime;
  std::unique_ptr<record::JsonSchema> schema;
  record::RecordOptions options;
  bool simulated = false;  ///< one of the models is not a real one
};
/// Reads files, makes clients, starts local models. Errors: those of the configuration, the price table, the
/// schema and the models, bad_configuration, bad_budget, bad_temperature, contradictory, unknown_model,
/// unknown_guide, file_unreadable.
Result<> set_up_recording(const RecordFlags& flags, RecordSetup& setup);

/// A copy of a gateway's store that may be in use, opened; gone with this object.
class StoreCopy {
 public:
  /// Errors: no_data and those of the store.
  static Result<std::unique_ptr<StoreCopy>> open(const std::string& data_dir);
  virtual ~StoreCopy() = default;
  virtual const Store& store() const = 0;
};

}  // namespace brevet
