#include "app/route_router.h"

#include "domain/configuration.h"
#include "features/lexical.h"
#include "router/artefact.h"
#include "strategy/trained.h"

namespace brevet {

Result<RouterPtr> RouterFiles::load(const std::string& path) {
  auto& router = loaded_[path];
  if (router) return router;
  auto artefact = read_artefact(path);
  if (!artefact) return fail(artefact.error());
  auto made = make_router(std::move(*artefact));
  if (!made) {
    auto error = made.error();
    error.message = path + ": " + error.message;
    return fail(std::move(error));
  }
  router = std::move(*made);
  return router;
}

Result<RouteStrategy> make_route_strategy(const RouteOptions& options, RouterFiles& files,
                                          const std::optional<std::string>& encoder_hash) {
  RouteStrategy out;
  RouterPtr router;
  RouterPlace place;
  if (!options.router.empty()) {
    auto loaded = files.load(options.router);
    if (!loaded) return fail(loaded.error());
    router = std::move(*loaded);
    for (const auto& text : options.candidates) {
      auto candidate = Configuration::parse(text);
      if (!candidate) return fail(candidate.error());
      place.candidates.push_back(std::move(*candidate));
    }
    auto reference =
        Configuration::parse(options.reference.empty() ? options.candidates.back() : options.reference);
    if (!reference) return fail(reference.error());
    place.reference = std::move(*reference);
    place.encoder_hash = encoder_hash.value_or(router->info().encoder_hash);
    place.lexical_version = kLexicalVersion;
  }
  auto strategy = make_serving_strategy(options.strategy, options.strategy_options, router);
  if (!strategy) return fail(strategy.error());
  out.strategy = std::move(*strategy);
  if (!router) return out;
  if (auto fits = check_router_place(router->info(), options.strategy_options, place); !fits)
    return fail(fits.error());
  auto by_threshold = options.strategy_options;
  by_threshold.erase("value_usd");
  if (check_router_place(router->info(), by_threshold, place)) {
    out.at_threshold = [name = options.strategy, given = std::move(by_threshold), router](double threshold) {
      auto values = given;
      values["threshold"] = threshold;
      return make_serving_strategy(name, values, router);
    };
  }
  return out;
}

}  // namespace brevet
