// Serves any set of ModelClients as ordinary OpenAI endpoints: POST /v1/chat/completions (whole and
// streamed), GET /v1/models[/{id}], GET /health. Declared faults happen for real on the wire.
//
// Used by `brevet upstream`, the demo and tests, so that load and faults are those of HTTP. Thread-safe: one
// handler for all connections. Knows no keys and no routing: whoever can connect may ask.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "net/http_server.h"
#include "upstream/faults.h"
#include "upstream/model_client.h"

namespace brevet {

struct ServedModel {
  std::string name;
  ModelClientPtr client;
  FaultPlan faults;  ///< on the wire, on top of what the client itself does
};

/// The models must be different in name; the handler keeps them.
net::HttpHandler make_model_handler(std::vector<ServedModel> models);

}  // namespace brevet
