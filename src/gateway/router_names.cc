#include "gateway/router_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <vector>

namespace brevet {
namespace {

constexpr std::string_view kPrefix = "router-";
constexpr std::size_t kShownBytesMax = 64;

/// What a client sent, fit to be repeated to it.
std::string shown(std::string_view text) {
  std::string out(text.substr(0, kShownBytesMax));
  for (auto& c : out) {
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  return out;
}

}  // namespace

Result<std::optional<RouterName>> resolve_router_name(
    const Runtime& runtime, const std::string& name,
    const std::function<bool(const std::string& route)>& may_use) {
  if (!std::string_view(name).starts_with(kPrefix)) return std::optional<RouterName>{};
  const auto rest = std::string_view(name).substr(kPrefix.size());
  // At most two splits, as RouteLLM does: what follows the second dash is the threshold, whatever it holds.
  const auto dash = rest.find('-');
  const auto kind = rest.substr(0, dash);
  std::vector<std::string> routes;
  std::vector<std::string> kinds;
  for (const auto& [route_name, route] : runtime.routes) {
    if (!route->at_threshold || !may_use(route_name)) continue;
    if (route->strategy->name() == kind) routes.push_back(route_name);
    if (std::find(kinds.begin(), kinds.end(), route->strategy->name()) == kinds.end())
      kinds.push_back(route->strategy->name());
  }
  if (routes.empty()) {
    return fail(ErrorKind::kCallerInvalid, "unknown_router",
                fmt::format("There is no route with a trained router '{}'.{}", shown(kind),
                            kinds.empty() ? " No route has a trained router."
                                          : fmt::format(" There are: {}.", fmt::join(kinds, ", "))),
                "model");
  }
  if (routes.size() > 1) {
    return fail(ErrorKind::kCallerInvalid, "ambiguous_router",
                fmt::format("Several routes have a trained router '{}': {}. Name the route as model.",
                            shown(kind), fmt::join(routes, ", ")),
                "model");
  }
  const auto text = dash == std::string_view::npos ? std::string_view{} : rest.substr(dash + 1);
  double threshold = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), threshold);
  const bool number = failed == std::errc{} && end == text.data() + text.size() && std::isfinite(threshold);
  if (!number || threshold < 0 || threshold > 1) {
    return fail(
        ErrorKind::kCallerInvalid, "bad_threshold",
        fmt::format("'{}' asks for the threshold '{}'. Write router-{}-THRESHOLD with a number from 0 "
                    "to 1, such as router-{}-0.35.",
                    shown(name), shown(text), shown(kind), shown(kind)),
        "model");
  }
  return RouterName{routes.front(), threshold};
}

}  // namespace brevet
