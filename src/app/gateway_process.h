// A whole gateway assembled from a configuration: store, memory, learner, encoder, flow, shadows, server.
//
// Used by `brevet serve`, `demo`, `play` and `route`. create() does everything that can fail; start() begins
// to serve; stop() drains. Not thread-safe itself; what it hands out is.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "app/runtime_builder.h"
#include "base/result.h"
#include "config/options.h"
#include "gateway/money_ledger.h"
#include "gateway/request_flow.h"
#include "learning/learner.h"

namespace brevet {

/// Settings of the store in which a gateway keeps its own state between runs.
inline constexpr const char* kLedgerSetting = "ledger";
inline constexpr const char* kDialsSetting = "share_dials";
inline constexpr const char* kBaselineSetting = "baseline";

struct GatewayOptions {
  Config config;
  std::string config_path;  ///< for reload on SIGHUP; empty = none
  /// `server` as the file has it, where flags have overridden it: a reload compares with the file.
  std::optional<ServerOptions> server_in_file;
  bool http = true;     ///< false: replay in process, learned at once (LearnerMode::kInline), nothing on disk
  bool encoder = true;  ///< false: no embeddings at all
  int encoder_threads = 1;
  std::string embedding_file;  ///< keep embeddings on disk between runs; empty = no
  RuntimeOptions runtime;
};

class GatewayProcess {
 public:
  /// Errors: those of the configuration, the store, the models, the encoder and the port.
  static Result<std::unique_ptr<GatewayProcess>> create(GatewayOptions options);
  virtual ~GatewayProcess() = default;

  virtual void start() = 0;
  /// Lets requests in flight end, finishes or drops waiting shadows, commits what is queued. Idempotent.
  virtual void stop() = 0;
  /// Loads the configuration again and serves new requests with it; the old one stays on an error. Models
  /// that did not change keep their client. Errors: those of the configuration, no_config_file,
  /// restart_needed
  /// (`server`, a local model, or the size of memory changed). Not for two threads at once.
  virtual Result<> reload() = 0;

  virtual std::uint16_t port() const = 0;  ///< 0 without http
  virtual RequestFlow& flow() = 0;
  virtual RuntimePtr runtime() const = 0;
  virtual Learner& learner() = 0;
  /// Shadows waiting or running, and decisions not yet learned.
  virtual std::uint64_t busy() const = 0;
  /// Figures of the default tenant's route.
  virtual RouteFigures figures(const std::string& route) const = 0;
};

}  // namespace brevet
