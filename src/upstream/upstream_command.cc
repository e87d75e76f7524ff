#include "upstream/upstream_command.h"

#include <algorithm>
#include <boost/asio/signal_set.hpp>
#include <boost/json.hpp>
#include <csignal>
#include <fstream>
#include <ostream>
#include <sstream>

#include "net/http_server.h"
#include "upstream/recorded_model.h"
#include "upstream/serve_models.h"
#include "upstream/simulated_model.h"
#include "wire/openai_chat.h"

namespace brevet {
namespace {

constexpr Milliseconds kDrain{2'000};

class Server final : public UpstreamServer {
 public:
  Server(std::unique_ptr<net::HttpServer> http, std::vector<std::string> models, bool simulated)
      : http_(std::move(http)), models_(std::move(models)), simulated_(simulated) {}
  ~Server() override { stop(); }
  std::uint16_t port() const override { return http_->port(); }
  const std::vector<std::string>& models() const override { return models_; }
  bool simulated() const override { return simulated_; }
  void stop() override { http_->drain(kDrain); }

 private:
  const std::unique_ptr<net::HttpServer> http_;
  const std::vector<std::string> models_;
  const bool simulated_;
};

Result<std::vector<ServedModel>> recorded_models(const UpstreamCommand& command, const FaultPlan& faults) {
  auto answers = RecordedAnswers::load({command.recorded_file, command.responses_file, command.models});
  if (!answers) return fail(answers.error());
  std::shared_ptr<const PriceTable> prices;
  if (!command.prices_file.empty()) {
    auto table = PriceTable::load(command.prices_file);
    if (!table) return fail(table.error());
    prices = std::make_shared<const PriceTable>(std::move(*table));
  }
  std::vector<ServedModel> out;
  for (const auto& name : (*answers)->models()) {
    RecordedModelOptions options;
    options.model = name;
    options.prices = prices;
    options.speed = std::max(command.speed, 0.0);
    auto client = make_recorded_model(*answers, std::move(options));
    if (!client) return fail(client.error());
    out.push_back({name, std::move(*client), faults});
  }
  return out;
}

Result<SimulationProfile> profile_of(const UpstreamCommand& command) {
  std::string text(default_simulation_profile());
  if (!command.simulated_file.empty()) {
    std::ifstream file(command.simulated_file, std::ios::binary);
    if (!file) {
      return fail(ErrorKind::kCallerInvalid, "profile_unreadable",
                  "Cannot read the simulation profile " + command.simulated_file + ".", "simulated");
    }
    std::ostringstream content;
    content << file.rdbuf();
    text = content.str();
  }
  return parse_simulation_profile(
      text, command.simulated_file.empty() ? "embedded profile" : command.simulated_file);
}

std::string json_text(const std::string& text) {
  return boost::json::serialize(boost::json::value(text));
}

/// Lines as `brevet record --prompts` takes them.
void print_questions(const SimulatedWorld& world, std::size_t count, std::ostream& out) {
  const auto& questions = world.questions().questions();
  for (std::size_t i = 0; i < std::min(count, questions.size()); ++i) {
    const auto& question = questions[i];
    out << "{\"id\":\"sim-" << question.number
        << "\",\"dataset\":\"simulated\",\"prompt\":" << json_text(question.text)
        << ",\"answer\":" << json_text(question.answer)
        << ",\"subject\":" << json_text(question_families()[static_cast<std::size_t>(question.family)].name)
        << ",\"kind\":\"" << name_of(question.kind) << "\"}\n";
  }
}

Result<std::vector<ServedModel>> simulated_models(const UpstreamCommand& command, const FaultPlan& faults) {
  auto profile = profile_of(command);
  if (!profile) return fail(profile.error());
  if (command.speed >= 0) profile->speed = command.speed;
  const auto world = SimulatedWorld::create(std::move(*profile));
  std::vector<std::string> names = command.models;
  if (names.empty()) {
    for (const auto& model : world->profile().models) names.push_back(model.name);
  }
  std::vector<ServedModel> out;
  for (const auto& name : names) {
    auto client = make_simulated_model(world, name);
    if (!client) return fail(client.error());
    out.push_back(
        {name, std::move(*client), command.faults.empty() ? world->profile().find(name)->faults : faults});
  }
  return out;
}

}  // namespace

Result<std::unique_ptr<UpstreamServer>> start_upstream(const UpstreamCommand& command) {
  if (command.recorded_file.empty() != command.simulated) {
    return fail(ErrorKind::kCallerInvalid, "contradictory",
                "Give exactly one of --recorded FILE and --simulated [FILE].", "recorded");
  }
  auto faults = parse_faults(command.faults);
  if (!faults) return fail(faults.error());
  auto models = command.simulated ? simulated_models(command, *faults) : recorded_models(command, *faults);
  if (!models) return fail(models.error());
  std::vector<std::string> names;
  for (const auto& model : *models) names.push_back(model.name);
  net::HttpServerOptions options;
  options.address = command.address;
  options.port = command.port;
  options.threads = std::max(command.threads, 1);
  options.error_body = [](int status, const std::string& code, const std::string& message) {
    Error error;
    error.kind = status == 413  ? ErrorKind::kCallerTooLarge
                 : status < 500 ? ErrorKind::kCallerInvalid
                                : ErrorKind::kInternal;
    error.code = code;
    error.message = message;
    return wire::error_json(error);
  };
  auto http = net::make_http_server(std::move(options), make_model_handler(std::move(*models)));
  if (!http) return fail(http.error());
  (*http)->start();
  return std::make_unique<Server>(std::move(*http), std::move(names), command.simulated);
}

Result<int> run_upstream_command(const UpstreamCommand& command, std::ostream& out) {
  if (command.questions > 0) {
    if (!command.simulated) {
      return fail(ErrorKind::kCallerInvalid, "contradictory",
                  "--questions prints those of a simulated world; say --simulated.", "questions");
    }
    auto profile = profile_of(command);
    if (!profile) return fail(profile.error());
    print_questions(*SimulatedWorld::create(std::move(*profile)), command.questions, out);
    return out.flush() ? 0 : 1;
  }
  // Signals are taken before the port answers, so that whoever saw it answer can end us in order.
  asio::io_context context(1);
  asio::signal_set signals(context, SIGINT, SIGTERM);
  auto server = start_upstream(command);
  if (!server) return fail(server.error());
  out << "Serving " << ((*server)->simulated() ? "simulated" : "recorded")
      << " models (no real model answers) at http://" << command.address << ":" << (*server)->port()
      << "/v1\n";
  for (const auto& name : (*server)->models()) out << "  " << name << "\n";
  out << "Stop with Ctrl-C." << std::endl;
  signals.async_wait([](const boost::system::error_code&, int) {});
  context.run();
  (*server)->stop();
  return 0;
}

}  // namespace brevet
