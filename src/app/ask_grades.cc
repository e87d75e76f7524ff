#include "app/ask_grades.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "app/commands.h"
#include "app/runtime_builder.h"
#include "base/async.h"
#include "config/options.h"
#include "prompt/label_prompt.h"
#include "upstream/model_client.h"

namespace brevet {
namespace {

constexpr std::size_t kAskedAtOnce = 8;

struct Asking {
  ModelClient& client;
  const std::string& model;
  const std::vector<std::string>& texts;
  std::vector<RequestFeatures>& into;
  GradeCount count = {};
  std::size_t next = 0;
  std::size_t working = 0;
  asio::io_context context{1};
};

void without(GradeCount& count, const std::string& why) {
  ++count.without;
  if (count.first_failure.empty()) count.first_failure = why;
}

void take(Asking& asking, std::size_t i, const ModelOutcome& outcome) {
  const auto& cost = outcome ? outcome->cost : outcome.error().cost;
  if (cost.amount) {
    asking.count.cost += *cost.amount;
  } else {
    ++asking.count.cost_unknown;
  }
  if (!outcome)
    return without(asking.count, outcome.error().error.code + ": " + outcome.error().error.message);
  const auto& alternatives = outcome->answer.first_token;
  if (alternatives.empty()) return without(asking.count, "it gave no log-probabilities");
  const auto label = read_label(alternatives);
  if (!label) return without(asking.count, "it named no grade from 1 to 5");
  ++asking.count.graded;
  asking.into[i].classified =
      std::make_shared<const std::vector<float>>(1, static_cast<float>(1 - label->weak_suffices));
}

Task<void> work(Asking* asking) {
  co_await asio::this_coro::throw_if_cancelled(false);
  while (asking->next < asking->texts.size() && !interrupted()) {
    const auto i = asking->next++;
    ModelCall call;
    call.configuration.model = asking->model;
    call.messages = label_messages(asking->texts[i]);
    call.max_tokens = 1;
    call.temperature = 0;
    call.want_logprobs = true;
    call.top_logprobs = kLabelAlternatives;
    call.purpose = Purpose::kJudge;
    const auto outcome = co_await asking->client.call(std::move(call), nullptr);
    take(*asking, i, outcome);
  }
  // Kept connections have timers of their own.
  if (--asking->working == 0) asking->context.stop();
}

}  // namespace

Result<GradeCount> ask_grades(const std::string& config, const std::string& model,
                              const std::vector<std::string>& texts, std::vector<RequestFeatures>& into) {
  auto loaded = load_config(config);
  if (!loaded) return fail(loaded.error());
  const auto found = loaded->models.find(model);
  if (found == loaded->models.end()) {
    return fail(ErrorKind::kCallerInvalid, "unknown_model",
                fmt::format("{} has no model '{}' under `models`.", config, model), "--ask");
  }
  Config only;
  only.models.emplace(model, found->second);
  UpstreamResources resources;
  auto runtime = build_runtime(only, resources, system_clock());
  if (!runtime) return fail(runtime.error());
  Asking asking{*(*runtime)->models.at(model).client, model, texts, into};
  asking.working = std::min(kAskedAtOnce, texts.size());
  for (std::size_t i = 0; i < asking.working; ++i)
    asio::co_spawn(asking.context, work(&asking), asio::detached);
  asking.context.run();
  if (interrupted())
    return fail(ErrorKind::kCancelled, "interrupted",
                "Interrupted while a model was asked; nothing was written.");
  return std::move(asking.count);
}

}  // namespace brevet
