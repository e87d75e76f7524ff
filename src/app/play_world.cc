#include "app/play_world.h"

#include <algorithm>
#include <fstream>
#include <unordered_set>

#include "catalog/prices.h"
#include "dataset/prompt_text.h"
#include "wire/openai_chat.h"

namespace brevet {
namespace {

struct Direct {
  std::string text;
  Cost cost;
};

/// Asks a model directly, as a request of this text would, and returns what came of it.
Task<void> ask_directly(ModelClientPtr client, std::string model, PlayItem item, Direct* out) {
  auto request = wire::parse_chat_request(request_body(item, model));
  if (!request) co_return;
  ModelCall call;
  call.configuration.model = model;
  call.request = std::make_shared<const ChatRequest>(std::move(*request));
  const auto outcome = co_await client->call(std::move(call), nullptr);
  if (!outcome) co_return;
  out->text = outcome->answer.text;
  out->cost = outcome->cost;
}

std::vector<Direct> ask_all(const ModelClientPtr& client, const std::string& model,
                            const std::vector<PlayItem>& items) {
  std::vector<Direct> out(items.size());
  asio::io_context context(1);
  for (std::size_t i = 0; i < items.size(); ++i) {
    asio::co_spawn(context, ask_directly(client, model, items[i], &out[i]), asio::detached);
    if (i % 256 == 255 || i + 1 == items.size()) {
      context.run();
      context.restart();
    }
  }
  return out;
}

}  // namespace

Result<PlayWorld> recorded_world(const RecordedWorldOptions& options) {
  OutcomeReadOptions read;
  read.models = {options.weak, options.strong};
  auto records = read_outcome_file(options.file, read);
  if (!records) return fail(records.error());
  if (!options.responses_file.empty()) {
    OutcomeReadOptions responses = read;
    responses.prompt = PromptField::kOptional;
    auto joined = join_responses(*records, options.responses_file, responses);
    if (!joined) return fail(joined.error());
  }
  PlayWorld world;
  world.name = options.file.substr(options.file.rfind('/') + 1);
  world.weak = options.weak;
  world.strong = options.strong;
  std::unordered_set<std::uint64_t> seen;
  for (const auto& record : *records) {
    const auto* weak = record.outcome(options.weak);
    const auto* strong = record.outcome(options.strong);
    const auto text = render_prompt(record);
    const bool repeat = !seen.insert(prompt_key(text)).second;
    if (weak == nullptr || strong == nullptr || (options.drop_contaminated && record.contaminated) ||
        (options.drop_duplicates && repeat) ||
        (!options.without_subject.empty() && record.subject == options.without_subject)) {
      ++world.dropped;
      continue;
    }
    PlayItem item;
    item.question = static_cast<std::uint32_t>(world.items.size());
    item.text = text;
    item.system = record.system_prompt;
    item.record_id = record.id;
    world.items.push_back(std::move(item));
    world.truth.push_back({weak->score, strong->score, {}, {}});
  }
  if (world.items.empty()) {
    return fail(ErrorKind::kCallerInvalid, "no_questions",
                "No record of " + options.file + " has outcomes of both " + options.weak + " and " +
                    options.strong + ".",
                "models");
  }
  auto answers = RecordedAnswers::from_records(std::move(*records), {options.weak, options.strong});
  if (!answers) return fail(answers.error());
  std::shared_ptr<const PriceTable> prices;
  if (!options.prices_file.empty()) {
    auto loaded = PriceTable::load(options.prices_file);
    if (!loaded) return fail(loaded.error());
    prices = std::make_shared<const PriceTable>(std::move(*loaded));
  }
  for (const bool strong : {false, true}) {
    RecordedModelOptions model;
    model.model = strong ? options.strong : options.weak;
    model.prices = prices;
    auto client = make_recorded_model(*answers, model);
    if (!client) return fail(client.error());
    const auto direct = ask_all(*client, model.model, world.items);
    for (std::size_t i = 0; i < direct.size(); ++i) {
      (strong ? world.truth[i].strong_cost : world.truth[i].weak_cost) = direct[i].cost;
    }
    (strong ? world.strong_client : world.weak_client) = std::move(*client);
  }
  return world;
}

Result<PlayWorld> simulated_world(const std::shared_ptr<const SimulatedWorld>& simulated,
                                  std::size_t requests) {
  const auto& profile = simulated->profile();
  if (profile.models.size() < 2) {
    return fail(ErrorKind::kCallerInvalid, "no_pair",
                "The simulation profile needs a weak and a strong model.", "models");
  }
  PlayWorld world;
  world.name = "simulated";
  world.weak = profile.models.front().name;
  world.strong = profile.models.back().name;
  const auto& questions = simulated->questions();
  const auto& stream = questions.stream();
  requests = std::min(requests, stream.size());
  std::vector<std::size_t> number;
  for (std::size_t i = 0; i < requests; ++i) {
    PlayItem item;
    item.question = static_cast<std::uint32_t>(stream[i].question);
    item.text = questions.text(i);
    world.items.push_back(std::move(item));
    number.push_back(stream[i].question);
  }
  world.truth.resize(requests);
  for (const bool strong : {false, true}) {
    const auto& name = strong ? world.strong : world.weak;
    auto client = make_simulated_model(simulated, name);
    if (!client) return fail(client.error());
    const auto direct = ask_all(*client, name, world.items);
    for (std::size_t i = 0; i < direct.size(); ++i) {
      auto& truth = world.truth[i];
      (strong ? truth.strong_cost : truth.weak_cost) = direct[i].cost;
      (strong ? truth.strong_score : truth.weak_score) =
          answer_is_right(questions.questions()[number[i]], direct[i].text) ? 1 : 0;
    }
    (strong ? world.strong_client : world.weak_client) = std::move(*client);
  }
  world.grade = [simulated, number = std::move(number)](std::uint32_t item, const std::string& text) {
    return answer_is_right(simulated->questions().questions()[number[item]], text) ? 1.0 : 0.0;
  };
  return world;
}

Result<PlayWorld> make_world(const WorldSource& source) {
  if (!source.data_file.empty()) {
    const auto comma = source.models.find(',');
    if (comma == std::string::npos) {
      return fail(ErrorKind::kCallerInvalid, "missing_models",
                  "With --data also say --models WEAK,STRONG: two model names of the file.", "--models");
    }
    RecordedWorldOptions recorded;
    recorded.file = source.data_file;
    recorded.responses_file = source.responses_file;
    recorded.prices_file = source.prices_file;
    recorded.without_subject = source.without_subject;
    recorded.weak = source.models.substr(0, comma);
    recorded.strong = source.models.substr(comma + 1);
    return recorded_world(recorded);
  }
  std::string text(default_simulation_profile());
  if (!source.profile.empty()) {
    std::ifstream in(source.profile);
    if (!in)
      return fail(ErrorKind::kCallerInvalid, "profile_unreadable", "Cannot read " + source.profile + ".",
                  "--profile");
    text.assign(std::istreambuf_iterator<char>(in), {});
  }
  auto profile = parse_simulation_profile(text, source.profile.empty() ? "embedded profile" : source.profile);
  if (!profile) return fail(profile.error());
  return simulated_world(SimulatedWorld::create(std::move(*profile)), source.requests);
}

Result<std::unique_ptr<UpstreamServer>> start_world(const WorldSource& source, const PlayWorld& world) {
  UpstreamCommand command;
  command.port = 0;
  command.models = {world.weak, world.strong};
  command.simulated = source.data_file.empty();
  command.simulated_file = source.profile;
  command.recorded_file = source.data_file;
  command.responses_file = source.responses_file;
  command.prices_file = source.prices_file;
  return start_upstream(command);
}

}  // namespace brevet
