// Goal: a local server is started, watched, started again and ended with us. Method: a small script stands in
// for llama-server (same arguments, /health, one canned completion); its deaths are real.
#include "upstream/local_process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <thread>

#include "wire/openai_chat.h"

namespace brevet {
namespace {

constexpr const char* kServer = R"(#!/usr/bin/env python3
import http.server, os, sys
args = sys.argv[1:]
port, model, alias = (args[args.index(name) + 1] for name in ("--port", "-m", "--alias"))
if "--die" in args: sys.exit(7)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self, body):
        self.send_response(503 if "--sick" in args else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self): self.answer(str(os.getpid()).encode())
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.answer(('{"model":"%s","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},'
                     '"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1}}' % alias).encode())
http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()
)";

class LocalProcessTest : public testing::Test {
 protected:
  LocalProcessTest() {
    char name[] = "/tmp/brevet-test-XXXXXX";
    folder_ = ::mkdtemp(name);
    options_.server = folder_ + "/server";
    options_.gguf = folder_ + "/tiny.gguf";
    options_.log_file = folder_ + "/log";
    options_.restart_backoff = Milliseconds(1);
    std::ofstream(options_.server) << kServer;
    std::ofstream(options_.gguf) << "model";
    ::chmod(options_.server.c_str(), 0755);
  }
  ~LocalProcessTest() override {
    for (const char* file : {"/server", "/tiny.gguf", "/log"}) ::unlink((folder_ + file).c_str());
    ::rmdir(folder_.c_str());
  }

  template <class T>
  T run(Task<T> task) {
    std::optional<T> out;
    asio::io_context context(1);
    asio::co_spawn(context, std::move(task),
                   [&out](std::exception_ptr, T value) { out.emplace(std::move(value)); });
    context.run();
    return std::move(*out);
  }
  ModelOutcome ask(ModelClient& client) {
    ModelCall call;
    call.messages.push_back({"user", "hello"});
    return run(client.call(std::move(call), nullptr));
  }
  pid_t server_pid(std::uint16_t port) {
    net::HttpCall call;
    call.origin = *http_->origin("http://127.0.0.1:" + std::to_string(port));
    const auto got = run(http_->fetch(std::move(call)));
    return got ? std::atoi(got->body.c_str()) : 0;
  }
  static bool eventually(const std::function<bool()>& holds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!holds()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::yield();
    }
    return true;
  }

  std::string folder_;
  LocalModelOptions options_;
  std::unique_ptr<net::HttpClient> http_ = net::make_http_client();
};

TEST_F(LocalProcessTest, StartsAnswersAndEndsWithUs) {
  auto model = start_local_model(options_, *http_);
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ((*model)->state(), LocalState::kHealthy);
  const auto client = (*model)->client();
  const auto outcome = ask(*client);
  ASSERT_TRUE(outcome) << outcome.error().error.message;
  EXPECT_EQ(outcome->answer.text, "hi");
  EXPECT_EQ(outcome->answer.returned_model, "tiny");
  const pid_t pid = server_pid((*model)->port());
  ASSERT_GT(pid, 0);
  model->reset();
  EXPECT_EQ(::kill(pid, 0), -1);
}

TEST_F(LocalProcessTest, ADeadServerIsStartedAgainOnItsPort) {
  auto model = start_local_model(options_, *http_);
  ASSERT_TRUE(model);
  const auto port = (*model)->port();
  const pid_t pid = server_pid(port);
  ASSERT_GT(pid, 0);
  ::kill(pid, SIGKILL);
  ASSERT_TRUE(
      eventually([&] { return (*model)->restarts() == 1 && (*model)->state() == LocalState::kHealthy; }));
  const auto outcome = ask(*(*model)->client());
  ASSERT_TRUE(outcome) << outcome.error().error.message;
  EXPECT_NE(server_pid(port), pid);
}

TEST_F(LocalProcessTest, RestartsAreBounded) {
  options_.restarts_max = 2;
  auto model = start_local_model(options_, *http_);
  ASSERT_TRUE(model);
  std::ofstream(options_.server) << "#!/bin/sh\nexit 1\n";
  ::kill(server_pid((*model)->port()), SIGKILL);
  ASSERT_TRUE(eventually([&] { return (*model)->state() == LocalState::kDown; }));
  EXPECT_EQ((*model)->restarts(), 2);
  const auto outcome = ask(*(*model)->client());
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().error.code, "upstream_unreachable");
}

TEST_F(LocalProcessTest, AServerThatCannotStartIsAClearError) {
  options_.extra_arguments = {"--die"};
  const auto died = start_local_model(options_, *http_);
  ASSERT_FALSE(died);
  EXPECT_EQ(died.error().code, "local_start_failed");
  EXPECT_NE(died.error().message.find("code 7"), std::string::npos);
  EXPECT_NE(died.error().message.find(options_.log_file), std::string::npos);
  options_.extra_arguments = {"--sick"};
  options_.start_timeout = Milliseconds(1);
  EXPECT_EQ(start_local_model(options_, *http_).error().code, "local_start_timeout");
  options_.gguf = "/no/model.gguf";
  EXPECT_EQ(start_local_model(options_, *http_).error().code, "local_model_missing");
  options_.server = "/no/server";
  EXPECT_EQ(start_local_model(options_, *http_).error().code, "local_server_missing");
}

}  // namespace
}  // namespace brevet
