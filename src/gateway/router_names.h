// Model names as RouteLLM's server takes them: `router-NAME-THRESHOLD`, such as router-mf-0.116.
//
// Called by the server for chat requests and dry runs whose model is no route and no model. Pure. NAME is a
// kind of router; the name means the one route whose strategy that is, at this threshold for this request.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "gateway/runtime.h"

namespace brevet {

struct RouterName {
  std::string route;
  double threshold = 0;
};

/// Empty when `name` does not begin with "router-". `may_use` says which routes the client may use; the
/// others are not there for it. Errors (kCallerInvalid): unknown_router (no route has such a strategy with a
/// trained router), ambiguous_router (several have), bad_threshold (not a number in 0..1, or missing).
Result<std::optional<RouterName>> resolve_router_name(
    const Runtime& runtime, const std::string& name,
    const std::function<bool(const std::string& route)>& may_use);

}  // namespace brevet
