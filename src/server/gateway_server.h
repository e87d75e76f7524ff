// The gateway's HTTP endpoints, as one handler for net::HttpServer.
//
//   POST /v1/chat/completions   whole and streamed; `model` is a route (routed) or a model (passed through)
//   GET  /v1/models[/{id}]      routes and models
//   POST /v1/route              dry run: the decision and its reason, no model is called
//   GET  /v1/decisions/{id}     GET /v1/decisions?limit=&route=
//   POST /v1/feedback           on disk before it answers
//   GET  /v1/report?route=      counts, money and agreement of the tenant
//   GET  /v1/contract?route=    promise, what is certified, what is missing; POST {"route", "on"} is the kill
//   switch GET  /health, /health/liveness, /health/readiness, /metrics      without a key; none calls a model
//
// Request headers: authorization or x-api-key, x-request-id, x-session-id, x-brevet-force: reference,
// x-brevet-learn: on|off, x-brevet-store: on|off, x-brevet-local-only: on|off (or true|false), x-brevet-tags.
// Made by app. Thread-safe. The handler is valid as long as the server object. Errors are OpenAI error
// objects with stable codes (docs/errors.md).
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/clock.h"
#include "config/options.h"
#include "gateway/admin_view.h"
#include "gateway/outcome_sink.h"
#include "gateway/request_flow.h"
#include "net/http_server.h"

namespace brevet {

struct ServerParts {
  RequestFlow& flow;
  AdminView& admin;
  OutcomeSink& outcomes;
  Clock& clock;
  std::function<RuntimePtr()> runtime;           ///< the current one; thread-safe
  std::map<std::string, TenantOptions> tenants;  ///< client keys; none = everybody is `default`
  std::chrono::milliseconds ping_every{15'000};  ///< keep-alive comments on silent streams; zero = none
};

class GatewayServer {
 public:
  virtual ~GatewayServer() = default;
  virtual net::HttpHandler handler() = 0;
  /// From now on readiness says 503, so that a balancer sends nothing new. Call it before
  /// HttpServer::drain().
  virtual void set_draining() = 0;
  /// Other client keys from the next request on. Thread-safe.
  virtual void set_tenants(const std::map<std::string, TenantOptions>& tenants) = 0;
};

std::unique_ptr<GatewayServer> make_gateway_server(ServerParts parts);

}  // namespace brevet
