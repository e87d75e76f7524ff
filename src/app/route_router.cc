#include "app/route_router.h"

#include <fmt/format.h>

#include "app/open_encoder.h"
#include "domain/configuration.h"
#include "features/lexical.h"
#include "prompt/transform.h"
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

namespace {

/// A candidate that its strategy would never call is a mistake, and so is a transform that nobody knows.
Result<> check_candidates(const RouteOptions& options) {
  for (const auto& text : options.candidates) {
    const auto candidate = Configuration::parse(text);
    if (!candidate) return fail(candidate.error());
    if (candidate->transform.empty() || find_transform(candidate->transform)) continue;
    std::string known;
    for (const auto& transform : prompt_transforms())
      known += (known.empty() ? "" : ", ") + std::string(transform.name);
    return fail(ErrorKind::kCallerInvalid, "unknown_transform",
                "Candidate '" + text + "' names the prompt transform '" + candidate->transform +
                    "', which there is not. Known are: " + known + ".",
                "candidates");
  }
  // A trained router may choose among any number; whether this one does is seen when it is read.
  if (!options.router.empty()) return {};
  for (const auto& kind : strategies()) {
    if (kind.name == options.strategy && kind.calls_all) return {};
  }
  for (const auto& candidate : options.candidates) {
    if (candidate == options.reference || candidate == options.candidates.front() ||
        (options.reference.empty() && candidate == options.candidates.back()))
      continue;
    return fail(ErrorKind::kCallerInvalid, "contradictory",
                "`candidates` lists " + candidate + ", which would never be called: the strategy '" +
                    options.strategy + "' chooses between " + options.candidates.front() +
                    ", the first candidate, and " + options.reference +
                    ", the reference. Leave it out, or give it a route of its own.",
                "candidates");
  }
  return {};
}

}  // namespace

Result<std::map<std::string, std::shared_ptr<const Composed>, std::less<>>> make_composed(
    const RouteOptions& options, RouterFiles& files, const std::optional<std::string>& encoder_hash) {
  std::map<std::string, std::shared_ptr<const Composed>, std::less<>> out;
  for (const auto& [name, given] : options.composed) {
    RouteOptions inner;
    inner.strategy = given.strategy;
    inner.strategy_options = given.strategy_options;
    inner.router = given.router;
    inner.candidates = given.candidates;
    inner.reference = given.reference.empty() ? given.candidates.back() : given.reference;
    auto strategy = make_route_strategy(inner, files, encoder_hash);
    if (!strategy) {
      auto error = strategy.error();
      error.message = "Candidate '" + name + "': " + error.message;
      return fail(std::move(error));
    }
    auto composed = std::make_shared<Composed>();
    composed->name = name;
    composed->strategy = std::move(strategy->strategy);
    composed->classifier = std::move(strategy->classifier);
    for (const auto& text : inner.candidates) {
      auto candidate = Configuration::parse(text);
      if (!candidate) return fail(candidate.error());
      composed->candidates.push_back(std::move(*candidate));
    }
    auto reference = Configuration::parse(inner.reference);
    if (!reference) return fail(reference.error());
    composed->reference = std::move(*reference);
    out.emplace(name, std::move(composed));
  }
  return out;
}

Result<std::shared_ptr<EmbeddingPool>> RouterFiles::classifier(const std::string& router_path,
                                                               const RouterInfo& info) {
  const auto folder = classifier_folder(router_path, info);
  if (folder.empty()) return std::shared_ptr<EmbeddingPool>();
  auto& pool = classifiers_[folder];
  if (!pool) {
    auto opened = open_classifier(folder, {});
    if (!opened) return fail(opened.error());
    pool = std::move(*opened);
  }
  if (pool->encoder().hash() != info.model_hash) {
    return fail(
        ErrorKind::kCallerInvalid, "router_classifier_mismatch",
        fmt::format("The router was calibrated on another text classifier than the one in {}. Calibrate it "
                    "again: brevet train bert --classifier {}.",
                    folder, folder),
        "router");
  }
  return pool;
}

Result<RouteStrategy> make_route_strategy(const RouteOptions& options, RouterFiles& files,
                                          const std::optional<std::string>& encoder_hash) {
  if (auto good = check_candidates(options); !good) return fail(good.error());
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
  auto classifier = files.classifier(options.router, router->info());
  if (!classifier) return fail(classifier.error());
  out.classifier = std::move(*classifier);
  if (auto fits = check_router_place(router->info(), options.strategy_options, place); !fits)
    return fail(fits.error());
  auto by_threshold = options.strategy_options;
  by_threshold.erase("value_usd");
  if (options.strategy == router->info().kind && check_router_place(router->info(), by_threshold, place)) {
    out.at_threshold = [name = options.strategy, given = std::move(by_threshold), router](double threshold) {
      auto values = given;
      values["threshold"] = threshold;
      return make_serving_strategy(name, values, router);
    };
  }
  return out;
}

}  // namespace brevet
