// The plain proxy loop: our HTTP server and client and nothing between them. What it costs per request,
// beside nginx as a reverse proxy, is the floor of every gateway built on them (bench/proxy/passthrough.sh).
// Usage: proxy_loop UPSTREAM_URL [PORT [model]]; prints its port; ends on SIGTERM or SIGINT. With `model`
// every request is parsed, sent through the model client and its answer read: all that pass-through needs but
// policy.
#include <signal.h>

#include <cstdio>
#include <cstdlib>

#include "net/http_client.h"
#include "net/http_server.h"
#include "upstream/http_model_client.h"
#include "wire/openai_chat.h"

namespace {

using namespace brevet;

Task<void> forward(net::HttpClient* client, net::HttpOriginPtr origin,
                   std::shared_ptr<net::HttpRequest> request, net::HttpResponder& responder) {
  net::HttpCall call;
  call.origin = origin;
  call.method = std::move(request->method);
  call.target = std::move(request->target);
  call.body = std::move(request->body);
  net::HttpHeader type{"content-type", std::string(net::find_header(request->headers, "content-type"))};
  call.headers.push_back(std::move(type));
  auto answer = co_await client->fetch(std::move(call));
  net::HttpHeaders headers;
  if (!answer) {
    co_await responder.respond(502, headers, answer.error().message);
    co_return;
  }
  net::HttpHeader answer_type{"content-type", std::string(net::find_header(answer->headers, "content-type"))};
  headers.push_back(std::move(answer_type));
  co_await responder.respond(answer->status, std::move(headers), std::move(answer->body));
}

Task<void> call_model(ModelClient* model, std::shared_ptr<net::HttpRequest> request,
                      net::HttpResponder& responder) {
  net::HttpHeaders headers;
  net::HttpHeader type{"content-type", "application/json"};
  headers.push_back(std::move(type));
  wire::ChatLimits limits;
  limits.hash = wire::HashWhen::kLater;  // As for requests that name their model.
  auto parsed = wire::parse_chat_request(std::move(request->body), limits);
  if (!parsed) {
    co_await responder.respond(400, std::move(headers), wire::error_json(parsed.error()));
    co_return;
  }
  ModelCall call;
  call.request = std::make_shared<const ChatRequest>(std::move(*parsed));
  auto outcome = co_await model->call(std::move(call), nullptr);
  if (!outcome) {
    co_await responder.respond(502, std::move(headers), wire::error_json(outcome.error().error));
    co_return;
  }
  co_await responder.respond(200, std::move(headers), std::move(outcome->answer.body));
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) return std::fprintf(stderr, "usage: proxy_loop UPSTREAM_URL [PORT]\n"), 2;
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);
  net::HttpClientOptions client_options;
  client_options.idle_per_origin_max = 2048;
  const auto client = net::make_http_client(client_options);
  const auto origin = client->origin(arguments[1]);
  if (!origin) return std::fprintf(stderr, "%s\n", origin.error().message.c_str()), 2;
  ModelClientPtr model;
  if (count > 3 && std::string_view(arguments[3]) == "model") {
    HttpModelOptions model_options;
    model_options.name = model_options.id = "m";
    model_options.base_url = std::string(arguments[1]) + "/v1";
    model_options.concurrent_max = 1 << 20;
    model_options.pricing.input_per_million = Money::parse_usd("0.15");
    model_options.pricing.output_per_million = Money::parse_usd("0.60");
    model = *make_http_model_client(model_options, *client);
  }
  net::HttpServerOptions options;
  options.threads = 1;
  options.port = count > 2 ? static_cast<std::uint16_t>(std::atoi(arguments[2])) : 0;
  const auto server = net::make_http_server(
      options,
      [&client, &origin, &model](std::shared_ptr<net::HttpRequest> request, net::HttpResponder& responder) {
        if (model) return call_model(model.get(), std::move(request), responder);
        return forward(client.get(), *origin, std::move(request), responder);
      });
  if (!server) return std::fprintf(stderr, "%s\n", server.error().message.c_str()), 2;
  (*server)->start();
  std::printf("%u\n", (*server)->port());
  std::fflush(stdout);
  int number = 0;
  sigwait(&stop, &number);
  (*server)->drain(std::chrono::milliseconds(1000));
  const auto metrics = client->metrics();
  std::fprintf(stderr, "upstream connections opened %lu, reused %lu, stale %lu, failed calls %lu\n",
               static_cast<unsigned long>(metrics.opened), static_cast<unsigned long>(metrics.reused),
               static_cast<unsigned long>(metrics.stale_retries),
               static_cast<unsigned long>(metrics.failures));
}
