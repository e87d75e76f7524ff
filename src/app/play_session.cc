#include "app/play_session.h"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <thread>

#include "base/random.h"

namespace brevet {
namespace {

namespace json = boost::json;

std::uint64_t calls(const CostTotal& total) {
  return total.known_count + total.unknown_count;
}

CostTotal minus(const CostTotal& later, const CostTotal& earlier) {
  return {later.known - earlier.known, later.known_count - earlier.known_count,
          later.unknown_count - earlier.unknown_count, later.basis};
}

json::object to_json(const CostTotal& total) {
  return {{"usd", total.unknown_count == 0 ? json::value(total.known.usd()) : json::value(nullptr)},
          {"known_usd", total.known.usd()},
          {"known", total.known_count},
          {"unknown", total.unknown_count},
          {"basis", name_of(total.known_count > 0 ? total.basis : CostBasis::kUnknown)}};
}

/// Waits until nothing is waiting to be learned; the gateway's own threads do the work.
void wait_until_learned(GatewayProcess& gateway) {
  while (gateway.busy() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  gateway.learner().flush();
}

Task<void> settle_in_place(GatewayProcess* gateway) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  while (gateway->busy() > 0) {
    timer.expires_after(std::chrono::milliseconds(1));
    co_await timer.async_wait(kNoThrow);
  }
}

}  // namespace

LearningSpend spend_of(const RouteFigures& figures) {
  LearningSpend out;
  out.shadow_calls = calls(figures.learn);
  out.guide_calls = calls(figures.guide);
  out.judge_calls = calls(figures.judge);
  for (const auto* part : {&figures.learn, &figures.guide, &figures.judge}) out.cost.add(*part);
  return out;
}

LearningSpend operator-(const LearningSpend& later, const LearningSpend& earlier) {
  return {later.shadow_calls - earlier.shadow_calls, later.guide_calls - earlier.guide_calls,
          later.judge_calls - earlier.judge_calls, minus(later.cost, earlier.cost)};
}

PlayStage play_stage(GatewayProcess& gateway, const PlayWorld& world, const std::vector<std::uint32_t>& order,
                     const PlayPlan& plan) {
  PlayStage stage;
  const auto before = spend_of(gateway.figures(plan.route));
  std::vector<PlayItem> items;
  items.reserve(order.size());
  for (const auto index : order) items.push_back(world.items[index]);
  const auto on_reply = [&](std::size_t at, const PlayReply& reply) {
    const auto& truth = world.truth[order[at]];
    PlayedRequest played;
    played.question = order[at];
    played.strong = reply.model == world.strong;
    played.weak_score = truth.weak_score;
    played.strong_score = truth.strong_score;
    played.strong_cost = truth.strong_cost;
    played.cost = reply.cost;
    if (reply.status != 200) {
      played.failed = true;
      ++stage.errors[reply.error.empty() ? "no_answer" : reply.error];
    } else {
      played.score = world.grade     ? world.grade(order[at], reply.text)
                     : played.strong ? truth.strong_score
                                     : truth.weak_score;
    }
    stage.played.push_back(played);
    if (plan.progress) plan.progress({stage.played.size(), items.size(), stage.played});
  };
  asio::io_context context(1);
  if (gateway.port() != 0) {
    const auto http = net::make_http_client();
    auto asker =
        make_http_asker(*http, "http://127.0.0.1:" + std::to_string(gateway.port()) + "/v1", plan.route);
    if (asker) play(context, **asker, items, plan.concurrency, on_reply, plan.stop);
    wait_until_learned(gateway);
  } else {
    const auto asker = make_flow_asker(gateway.flow(), gateway.runtime(), plan.route);
    const auto settle = [&gateway] { return settle_in_place(&gateway); };
    play(context, *asker, items, plan.concurrency, on_reply, plan.stop, settle);
  }
  stage.summary = summarise(stage.played);
  stage.learning = spend_of(gateway.figures(plan.route)) - before;
  const auto learned = gateway.learner().figures().memory;
  stage.skills = learned.skills;
  stage.guides = learned.guides;
  return stage;
}

std::vector<std::uint32_t> shuffled(std::size_t count, std::uint64_t seed) {
  std::vector<std::uint32_t> out(count);
  std::iota(out.begin(), out.end(), 0u);
  for (std::size_t i = count; i > 1; --i) std::swap(out[i - 1], out[mix_bits(seed, i) % i]);
  return out;
}

json::object to_json(const Figure& figure) {
  return {{"mean", figure.mean}, {"ci95", json::array{figure.low, figure.high}}, {"n", figure.n}};
}

json::object to_json(const PlayStage& stage) {
  const auto& sum = stage.summary;
  CostTotal all = sum.cost;
  all.add(stage.learning.cost);
  json::object errors;
  for (const auto& [code, count] : stage.errors) errors[code] = count;
  return {{"n", sum.n},
          {"failed", sum.failed},
          {"strong_calls", sum.strong},
          {"strong_share", sum.strong_share},
          {"shadow_calls", stage.learning.shadow_calls},
          {"guide_calls", stage.learning.guide_calls},
          {"judge_calls", stage.learning.judge_calls},
          {"quality", sum.quality},
          {"always_strong", sum.always_strong},
          {"always_weak", sum.always_weak},
          {"retention", sum.retention},
          {"ideal_static", sum.ideal_static},
          {"ideal_static_strong_share", sum.ideal_static_strong},
          {"relative_to_ideal", sum.relative_to_ideal},
          {"strong_calls_against_ideal", sum.ideal_static_strong > 0
                                             ? json::value(sum.strong_share / sum.ideal_static_strong - 1)
                                             : json::value(nullptr)},
          {"random_mixture", sum.mixture},
          {"gain", sum.gain},
          {"serving_cost", to_json(sum.cost)},
          {"learning_cost", to_json(stage.learning.cost)},
          {"always_strong_cost", to_json(sum.strong_cost)},
          {"cost_rel",
           all.unknown_count == 0 && sum.strong_cost.unknown_count == 0 && sum.strong_cost.known.pico_usd > 0
               ? json::value(all.known.usd() / sum.strong_cost.known.usd())
               : json::value(nullptr)},
          {"skills", stage.skills},
          {"guides", stage.guides},
          {"errors", std::move(errors)}};
}

}  // namespace brevet
