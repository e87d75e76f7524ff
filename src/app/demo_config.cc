#include "app/demo_config.h"

#include "strategy/strategy_text.h"

namespace brevet {
namespace {

/// Price of a model as its client tells it, from one million tokens each way; unknown stays unknown.
PriceOptions price_of_client(const ModelClient& client) {
  PriceOptions out;
  Usage usage;
  usage.input_tokens = 1'000'000;
  usage.output_tokens = 0;
  const auto input = client.price(usage);
  std::swap(usage.input_tokens, usage.output_tokens);
  const auto output = client.price(usage);
  out.input_per_million = input.amount;
  out.output_per_million = output.amount;
  out.assumed = input.basis == CostBasis::kAssumed;
  return out;
}

}  // namespace

Result<Config> play_config(const PlayWorld& world, const PlayConfig& options) {
  auto strategy = parse_strategy_text(options.strategy);
  if (!strategy) return fail(strategy.error());
  Config config;
  config.server.port = options.port;
  config.server.data_dir = options.data_dir;
  for (const bool strong : {false, true}) {
    ModelOptions model;
    const auto& client = strong ? world.strong_client : world.weak_client;
    model.upstream = client->simulated() ? UpstreamKind::kSimulated : UpstreamKind::kRecorded;
    model.base_url = options.upstream_url;
    model.id = strong ? world.strong : world.weak;
    model.price = price_of_client(*client);
    model.retries = 3;
    model.logprobs = client->simulated();  // recorded files have them for few models, and then as one number
    if (options.local_weak && !strong) {
      model = ModelOptions{};
      model.upstream = UpstreamKind::kLocal;
      model.local = true;
      model.price.input_per_million = model.price.output_per_million = Money::from_usd(.01);
      model.price.assumed = true;
    }
    config.models.emplace(strong ? world.strong : world.weak, std::move(model));
  }
  RouteOptions route;
  route.strategy = strategy->name;
  route.strategy_options = strategy->options;
  route.candidates = {world.weak, world.strong};
  route.learning.guides = options.guides;
  route.learning.budget_share = options.budget_share;
  route.learning.allowance = Money::from_usd(options.allowance_usd);
  config.routes.emplace("auto", std::move(route));
  return config;
}

Result<Config> embedded_config() {
  return parse_config(R"(
server: {address: 127.0.0.1, port: 8787, data_dir: brevet-data}
models:
  weak-sim: {upstream: simulated}
  strong-sim: {upstream: simulated}
routes:
  auto: {strategy: adaptive, candidates: [weak-sim, strong-sim]}
)",
                      "embedded defaults");
}

}  // namespace brevet
