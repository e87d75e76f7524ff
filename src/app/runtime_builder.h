// From a validated configuration to what requests are served with: clients of every kind of upstream,
// strategies, routes.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "config/options.h"
#include "gateway/runtime.h"
#include "net/http_client.h"
#include "upstream/local_process.h"

namespace brevet {

/// Owns what the clients of a Runtime borrow; must outlive every request of it.
struct UpstreamResources {
  std::unique_ptr<net::HttpClient> http;
  std::vector<std::unique_ptr<LocalModel>> local_models;
};

struct RuntimeOptions {
  /// In replay: recorded and simulated upstreams with their own loaded data, by model name; used instead of
  /// what the configuration would make.
  std::map<std::string, ModelClientPtr> given_clients;
  std::string log_folder;  ///< of local model servers
  /// Of the embeddings that trained routers will see; empty: nobody will ask them, and it is not checked.
  std::optional<std::string> encoder_hash = {};
  /// At a reload, what is in use: a model whose options did not change keeps its client, and with it its
  /// breaker, its calls in flight and its local process. Both or neither.
  RuntimePtr running;
  const Config* running_config = nullptr;
};

/// Starts local models (blocking) and reads trained routers. Errors: those of the upstreams, strategies and
/// routers, with `param` naming the model or route.
Result<RuntimePtr> build_runtime(const Config& config, UpstreamResources& resources, Clock& clock,
                                 const RuntimeOptions& options = {});

}  // namespace brevet
