// Goal: recorded answers are found by prompt and by id, played with what was recorded and labelled where
// something was assumed, and served over HTTP with declared faults. Method: a small file made here, called in
// process and through a real port; the real mmlu_pro file through BREVET_DATA.
#include "upstream/recorded_model.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/test_folder.h"
#include "dataset/prompt_text.h"
#include "domain/markers.h"
#include "net/test_peer.h"
#include "upstream/upstream_command.h"
#include "wire/openai_chat.h"
#include "wire/sse.h"

namespace brevet {
namespace {

constexpr const char* kFile =
    R"({"id":"q/1","dataset":"d","prompt":"Which is prime?","choices":["4","5"],"answer":"B","models":{)"
    R"("weak":{"score":0,"pred":"A","response_chars":41},"strong":{"score":1,"pred":"B","response":"It is B.","cost_usd":0.002,)"
    R"("input_tokens":30,"output_tokens":4,"latency_ms":120.5,"logprob_conf":-0.2}}})"
    "\n"
    R"({"id":"q/2","dataset":"d","prompt":"2 + 2?","answer":"4","models":{"weak":{"score":1,"pred":"4"},"strong":{"score":0,"pred":null}}})"
    "\n"
    R"({"id":"q/3","dataset":"d","prompt":"Scores only.","models":{"weak":{"score":1},"strong":{"score":0}}})"
    "\n"
    R"({"id":"q/4","dataset":"d","prompt":"2 + 2?","answer":"4","models":{"weak":{"score":0,"pred":"5"}}})";

std::string data_path() {
  const auto path = std::filesystem::path(test_folder()) / "brevet_recorded_model_test.jsonl";
  std::ofstream(path, std::ios::binary) << kFile;
  return path.string();
}

std::shared_ptr<const RecordedAnswers> answers() {
  auto loaded = RecordedAnswers::load({data_path(), "", {}});
  EXPECT_TRUE(loaded) << loaded.error().message;
  return *loaded;
}

ModelClientPtr client(const std::string& model, bool priced = true) {
  RecordedModelOptions options;
  options.model = model;
  if (priced) {
    options.prices = std::make_shared<const PriceTable>(*PriceTable::parse(
        R"({"basis":"assumed","models":{"weak":{"input":1,"output":2},"strong":{"input":10,"output":20}}})",
        "t"));
  }
  auto made = make_recorded_model(answers(), options);
  EXPECT_TRUE(made) << made.error().message;
  return *made;
}

std::string body_of(const std::string& model, const std::string& user, const std::string& record_id = "",
                    const std::string& system = "", const std::string& more = "") {
  boost::json::array messages;
  if (!system.empty()) messages.push_back({{"role", "system"}, {"content", system}});
  messages.push_back({{"role", "user"}, {"content", user}});
  boost::json::object body{{"model", model}, {"messages", messages}};
  if (!record_id.empty()) body["metadata"] = {{"brevet_record_id", record_id}};
  std::string text = boost::json::serialize(body);
  if (!more.empty()) text.insert(text.size() - 1, "," + more);
  return text;
}

ModelOutcome ask(const ModelClientPtr& model, ModelCall call) {
  asio::io_context context;
  std::optional<ModelOutcome> out;
  auto run = [](ModelClientPtr to, ModelCall what, std::optional<ModelOutcome>* result) -> Task<void> {
    *result = co_await to->call(std::move(what), nullptr);
  };
  asio::co_spawn(context, run(model, std::move(call), &out), asio::detached);
  context.run();
  return std::move(*out);
}
ModelOutcome ask(const ModelClientPtr& model, const std::string& body) {
  ModelCall call;
  call.request = std::make_shared<const ChatRequest>(*wire::parse_chat_request(body));
  call.want_logprobs = true;
  return ask(model, std::move(call));
}

const std::string kPrime = "Which is prime?\nA. 4\nB. 5\nAnswer with the letter of the right choice.";

TEST(RecordedModel, PlaysWhatWasRecorded) {
  const auto outcome = ask(client("strong"), body_of("x", kPrime));
  ASSERT_TRUE(outcome) << outcome.error().error.message;
  EXPECT_EQ(outcome->answer.text, "It is B.");
  EXPECT_EQ(outcome->answer.returned_model, "strong");
  EXPECT_EQ(outcome->answer.usage.input_tokens, 30);
  EXPECT_FALSE(outcome->answer.usage.estimated);
  EXPECT_EQ(outcome->cost.basis, CostBasis::kRecorded);
  EXPECT_EQ(outcome->cost.amount->to_string(), "0.002");
  EXPECT_EQ(outcome->latency, Microseconds{120'500});
  EXPECT_DOUBLE_EQ(*outcome->answer.mean_logprob, -0.2);
  EXPECT_NE(outcome->answer.body.find("\"system_fingerprint\":\"recorded\""), std::string::npos);
}

TEST(RecordedModel, SaysWhatItHadToAssume) {
  const auto outcome = ask(client("weak"), body_of("x", kPrime));
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->answer.text, "The answer is (A).");
  EXPECT_TRUE(outcome->answer.usage.estimated);
  EXPECT_EQ(outcome->answer.usage.input_tokens, static_cast<std::int64_t>(kPrime.size() + 3) / 4);
  EXPECT_EQ(outcome->answer.usage.output_tokens, 11) << "41 recorded characters / 4";
  EXPECT_EQ(outcome->cost.basis, CostBasis::kAssumed);
  EXPECT_FALSE(outcome->answer.mean_logprob) << "none was recorded";
  const auto unpriced = ask(client("weak", false), body_of("x", kPrime));
  EXPECT_FALSE(unpriced->cost.amount) << "no price is not a price of 0";
}

TEST(RecordedModel, TextsForPredictionsNullsAndScores) {
  EXPECT_EQ(ask(client("weak"), body_of("x", "2 + 2?"))->answer.text, "The answer is 4.");
  EXPECT_EQ(ask(client("strong"), body_of("x", "2 + 2?"))->answer.text, "I could not settle on an answer.");
  EXPECT_EQ(ask(client("weak"), body_of("x", "Scores only."))->answer.text, "The answer is (A).");
  const auto wrong = ask(client("strong"), body_of("x", "Scores only."));
  EXPECT_EQ(wrong->answer.text, score_only_answer(0, "strong"));
  EXPECT_EQ(wrong->answer.usage.output_tokens, 5);
  EXPECT_NE(score_only_answer(0, "strong"), score_only_answer(0, "weak"))
      << "two wrong answers are never equal";
  for (const char c : score_only_answer(0, "gpt-4-1106-preview")) EXPECT_FALSE(c >= '0' && c <= '9');
}

TEST(RecordedModel, AnIdFindsTheRecordWhereThePromptCannot) {
  EXPECT_EQ(ask(client("weak"), body_of("x", "2 + 2?", "q/4"))->answer.text, "The answer is 5.")
      << "two records share this prompt";
  EXPECT_EQ(ask(client("weak"), body_of("x", "A guide.\n\n" + kPrime, "q/1"))->answer.text,
            "The answer is (A).");
}

TEST(RecordedModel, WhatIsNotInTheFileIsRefusedWithAReason) {
  ModelCall own;
  own.purpose = Purpose::kGuide;
  own.messages = {{"user", "Explain."}};
  const ModelOutcome cases[] = {
      ask(client("weak"), body_of("x", "Another question?")),
      ask(client("weak"), body_of("x", "2 + 2?", "q/9")),
      ask(client("strong"), body_of("x", "2 + 2?", "q/4")),
      ask(client("weak"), body_of("x", kPrime, "q/1", std::string(kGuideMarker) + " to this")),
      ask(client("weak"), body_of("x", kPrime, "q/1", std::string(kJudgeMarker) + " are equal")),
      ask(client("weak"), own)};
  for (const auto& outcome : cases) {
    ASSERT_FALSE(outcome);
    const auto& error = outcome.error().error;
    EXPECT_EQ(error.kind, ErrorKind::kProviderRejected);
    EXPECT_EQ(error.code, "no_recorded_answer");
    EXPECT_EQ(error.upstream_status, 404);
    EXPECT_NE(error.message.find("brevet_record_id"), std::string::npos);
  }
}

TEST(RecordedModel, UnknownModelsAreNamed) {
  RecordedModelOptions options;
  options.model = "stong";
  const auto made = make_recorded_model(answers(), options);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, "unknown_model");
  EXPECT_NE(made.error().message.find("weak, strong"), std::string::npos);
  EXPECT_EQ(RecordedAnswers::load({data_path(), "", {"nobody"}}).error().code, "unknown_model");
}

// ---- over HTTP ----

struct HttpAnswer {
  int status = 0;
  std::string head, body;
  bool complete = false;  ///< the framing came to its end
};

HttpAnswer http(std::uint16_t port, const std::string& method, const std::string& target,
                const std::string& body) {
  net::TestPeer peer(port);
  peer.send(
      method + " " + target +
      " HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: " +
      std::to_string(body.size()) + "\r\n\r\n" + body);
  const std::string& all = peer.read_to_end();
  HttpAnswer out;
  const auto end = all.find("\r\n\r\n");
  if (end == std::string::npos) return out;
  out.head = all.substr(0, end + 2);
  out.status = std::stoi(all.substr(9, 3));
  std::string rest = all.substr(end + 4);
  if (out.head.find("chunked") == std::string::npos) {
    out.body = rest;
    out.complete =
        out.head.find("content-length: " + std::to_string(rest.size()) + "\r\n") != std::string::npos;
    return out;
  }
  for (;;) {
    const auto line = rest.find("\r\n");
    if (line == std::string::npos) return out;
    const auto size = std::stoul(rest.substr(0, line), nullptr, 16);
    if (size == 0) return out.complete = true, out;
    if (rest.size() < line + 2 + size) return out;
    out.body += rest.substr(line + 2, size);
    rest.erase(0, line + 2 + size + 2);
  }
}

std::unique_ptr<UpstreamServer> start(UpstreamCommand command) {
  command.port = 0;
  if (!command.simulated) command.recorded_file = data_path();
  auto server = start_upstream(command);
  EXPECT_TRUE(server) << server.error().message;
  return std::move(*server);
}

std::string error_code(const HttpAnswer& answer) {
  return wire::parse_error_body(answer.body).code;
}

TEST(ServeModels, RecordedModelsAreOrdinaryEndpoints) {
  const auto server = start({});
  const auto port = server->port();
  const auto models = http(port, "GET", "/v1/models", "");
  EXPECT_EQ(models.status, 200);
  EXPECT_NE(models.body.find("\"weak\""), std::string::npos);
  EXPECT_NE(models.body.find("\"recorded\""), std::string::npos);
  EXPECT_EQ(http(port, "GET", "/v1/models/strong", "").status, 200);
  EXPECT_EQ(http(port, "GET", "/health", "").status, 200);

  const auto whole =
      http(port, "POST", "/v1/chat/completions", body_of("strong", kPrime, "", "", R"("logprobs":true)"));
  EXPECT_EQ(whole.status, 200);
  EXPECT_TRUE(whole.complete);
  const auto parsed = wire::parse_chat_completion(whole.body, {});
  ASSERT_TRUE(parsed) << whole.body;
  EXPECT_EQ(parsed->text, "It is B.");
  EXPECT_EQ(parsed->usage.output_tokens, 4);
  EXPECT_DOUBLE_EQ(*parsed->mean_logprob, -0.2);

  const auto streamed =
      http(port, "POST", "/v1/chat/completions",
           body_of("strong", kPrime, "", "", R"("stream":true,"stream_options":{"include_usage":true})"));
  EXPECT_EQ(streamed.status, 200);
  EXPECT_TRUE(streamed.complete);
  EXPECT_NE(streamed.head.find("text/event-stream"), std::string::npos);
  wire::SseReader reader;
  wire::ChunkCollector collector{wire::Hide{}};
  const auto events = reader.feed(streamed.body);
  ASSERT_TRUE(events && !events->empty());
  EXPECT_EQ(events->back().data, "[DONE]");
  for (std::size_t i = 0; i + 1 < events->size(); ++i) ASSERT_TRUE(collector.take((*events)[i].data));
  EXPECT_EQ(collector.answer().text, "It is B.");
  EXPECT_TRUE(collector.has_usage());
}

TEST(ServeModels, RecordedCostsTravelInAHeaderWhereTheFileHasThem) {
  const auto server = start({});
  const auto has = [&](const std::string& body, const std::string& header) {
    const auto answer = http(server->port(), "POST", "/v1/chat/completions", body);
    EXPECT_EQ(answer.status, 200) << answer.body;
    return answer.head.find(header) != std::string::npos;
  };
  EXPECT_TRUE(has(body_of("strong", kPrime), "x-brevet-recorded-cost-usd: 0.002\r\n"));
  EXPECT_TRUE(
      has(body_of("strong", kPrime, "", "", R"("stream":true)"), "x-brevet-recorded-cost-usd: 0.002\r\n"));
  EXPECT_FALSE(has(body_of("weak", kPrime), "x-brevet-recorded-cost-usd"));
}

TEST(ServeModels, WrongRequestsGetSentencesWithStableCodes) {
  const auto server = start({});
  const auto port = server->port();
  EXPECT_EQ(error_code(http(port, "POST", "/v1/chat/completions", "{")), "bad_json");
  const auto unknown = http(port, "POST", "/v1/chat/completions", body_of("gpt-9", kPrime));
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(error_code(unknown), "model_not_found");
  const auto missing = http(port, "POST", "/v1/chat/completions", body_of("weak", "Not in the file."));
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(error_code(missing), "no_recorded_answer");
  const auto streamed =
      http(port, "POST", "/v1/chat/completions", body_of("weak", "Nor this.", "", "", R"("stream":true)"));
  EXPECT_EQ(streamed.status, 404) << "an error before the first event has a status";
  EXPECT_EQ(http(port, "GET", "/v1/chat/completions", "").status, 405);
  EXPECT_EQ(http(port, "GET", "/v1/models/gpt-9", "").status, 404);
  EXPECT_EQ(error_code(http(port, "GET", "/nothing", "")), "unknown_endpoint");
}

TEST(ServeModels, FaultsHappenOnTheWire) {
  auto with = [](const std::string& faults, const std::string& more) {
    UpstreamCommand command;
    command.faults = faults;
    const auto server = start(command);
    return http(server->port(), "POST", "/v1/chat/completions", body_of("strong", kPrime, "", "", more));
  };
  const std::string stream = R"("stream":true)";
  const auto limited = with("429=1", "");
  EXPECT_EQ(limited.status, 429);
  EXPECT_NE(limited.head.find("retry-after: 1\r\n"), std::string::npos);
  EXPECT_EQ(with("5xx=1", stream).status, 500);
  const auto cut = with("cut=1", "");
  EXPECT_EQ(cut.status, 200);
  EXPECT_FALSE(cut.complete) << "the connection ends before the body does";
  EXPECT_FALSE(cut.body.empty());
  const auto cut_stream = with("cut=1", stream);
  EXPECT_FALSE(cut_stream.complete);
  EXPECT_NE(cut_stream.body.find("data: {"), std::string::npos);
  EXPECT_EQ(cut_stream.body.find("[DONE]"), std::string::npos);
  const auto garbage = with("garbage=1", "");
  EXPECT_EQ(garbage.status, 200);
  EXPECT_FALSE(wire::parse_chat_completion(garbage.body, {}));
  const auto slow = with("slow=1:1ms", "");
  EXPECT_TRUE(slow.complete);
  EXPECT_EQ(slow.status, 200);
}

TEST(ServeModels, TheSimulatedWorldIsServedAndLabelled) {
  UpstreamCommand command;
  command.simulated = true;
  command.models = {"weak-sim"};
  const auto server = start(command);
  EXPECT_TRUE(server->simulated());
  EXPECT_EQ(server->models(), std::vector<std::string>{"weak-sim"});
  const auto models = http(server->port(), "GET", "/v1/models", "");
  EXPECT_NE(models.body.find("\"simulated\""), std::string::npos);
  const auto answer =
      http(server->port(), "POST", "/v1/chat/completions", body_of("weak-sim", "Who are you?"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_NE(answer.body.find("[simulated model weak-sim]"), std::string::npos);
  EXPECT_NE(answer.body.find("\"system_fingerprint\":\"simulated\""), std::string::npos);
}

TEST(UpstreamCommand, ContradictionsAndMissingFilesAreErrors) {
  UpstreamCommand command;
  EXPECT_EQ(start_upstream(command).error().code, "contradictory");
  command.simulated = true;
  command.recorded_file = "x";
  EXPECT_EQ(start_upstream(command).error().code, "contradictory");
  command.recorded_file.clear();
  command.simulated_file = "/nonexistent/profile.json";
  EXPECT_EQ(start_upstream(command).error().code, "profile_unreadable");
  command.simulated_file.clear();
  command.models = {"nobody"};
  EXPECT_EQ(start_upstream(command).error().code, "unknown_model");
  command.models.clear();
  command.faults = "429=7";
  EXPECT_EQ(start_upstream(command).error().code, "bad_faults");
  command = {};
  command.recorded_file = "/nonexistent/data.jsonl";
  EXPECT_EQ(start_upstream(command).error().code, "data_file_unreadable");
}

TEST(RealData, MmluProIsPlayedOverHttpAsRecorded) {
  const char* folder = std::getenv("BREVET_DATA");
  const std::string base = folder ? folder : "";
  if (!folder || !std::filesystem::exists(base + "/mmlu_pro.jsonl.gz")) {
    GTEST_SKIP() << "BREVET_DATA names no folder with mmlu_pro: real answers not played.";
  }
  UpstreamCommand command;
  command.recorded_file = base + "/mmlu_pro.jsonl.gz";
  command.prices_file = base + "/prices_assumed.json";
  command.models = {"Meta-Llama-3_1-8B-Instruct", "gemini-1.5-pro-002"};
  command.port = 0;
  auto server = start_upstream(command);
  ASSERT_TRUE(server) << server.error().message;
  OutcomeReadOptions options;
  options.models = command.models;
  const auto records = read_outcome_file(command.recorded_file, options);
  ASSERT_TRUE(records);
  int played = 0;
  for (std::size_t i = 0; i < records->size(); i += 97) {
    const auto& record = (*records)[i];
    const auto* outcome = record.outcome("gemini-1.5-pro-002");
    if (!outcome || !outcome->pred) continue;
    const auto answer = http((*server)->port(), "POST", "/v1/chat/completions",
                             body_of("gemini-1.5-pro-002", render_prompt(record), record.id));
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_NE(answer.body.find("The answer is (" + *outcome->pred + ")."), std::string::npos);
    ++played;
  }
  EXPECT_GT(played, 80);
}

}  // namespace
}  // namespace brevet
