// The plain proxy loop: our HTTP server and client and nothing between them. What it costs per request,
// beside nginx as a reverse proxy, is the floor of every gateway built on them (bench/proxy/passthrough.sh).
// Usage: proxy_loop UPSTREAM_URL [PORT]; prints its port; ends on SIGTERM or SIGINT.
#include <signal.h>

#include <cstdio>
#include <cstdlib>

#include "net/http_client.h"
#include "net/http_server.h"

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
  net::HttpServerOptions options;
  options.threads = 1;
  options.port = count > 2 ? static_cast<std::uint16_t>(std::atoi(arguments[2])) : 0;
  const auto server = net::make_http_server(
      options, [&client, &origin](std::shared_ptr<net::HttpRequest> request, net::HttpResponder& responder) {
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
