// The small commands that talk to a running gateway over HTTP, or to nobody: route, report, config.
#include <fmt/format.h>

#include <atomic>
#include <boost/json.hpp>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <iostream>

#include "app/commands.h"
#include "app/contract_text.h"
#include "app/player.h"
#include "app/report_text.h"
#include "app/route_router.h"
#include "config/options.h"
#include "net/http_client.h"
#include "strategy/strategy.h"
#include "wire/openai_chat.h"

namespace brevet {
namespace {

namespace json = boost::json;

std::atomic<bool> was_interrupted{false};
/// The first signal asks for an orderly end, the second ends at once.
void on_signal(int) {
  if (was_interrupted.exchange(true)) std::_Exit(130);
}

Task<void> fetch_into(net::HttpClient* http, net::HttpCall call, Result<net::HttpWhole>* out) {
  *out = co_await http->fetch(std::move(call));
}

/// One call to a running gateway; the body of a 200.
Result<std::string> ask_gateway(const std::string& url, const std::string& key_env, std::string method,
                                const std::string& path, std::string body) {
  const auto http = net::make_http_client();
  auto origin = http->origin(url);
  if (!origin) return fail(origin.error());
  net::HttpCall call;
  call.origin = *origin;
  call.method = std::move(method);
  call.target = (*origin)->base_path() + path;
  call.headers = {{"content-type", "application/json"}};
  if (const char* key = key_env.empty() ? nullptr : std::getenv(key_env.c_str())) {
    call.headers.push_back({"authorization", std::string("Bearer ") + key});
  }
  call.body = std::move(body);
  Result<net::HttpWhole> got = fail(ErrorKind::kInternal, "no_answer", "No answer.");
  asio::io_context context(1);
  asio::co_spawn(context, fetch_into(http.get(), std::move(call), &got), asio::detached);
  context.run();
  if (!got) {
    auto error = got.error();
    error.message = "No gateway answers at " + url + " (" + error.message +
                    "). Start one with `brevet serve`, or name it with --url.";
    return fail(std::move(error));
  }
  if (got->status != 200) {
    const auto said = wire::parse_error_body(got->body);
    return fail(ErrorKind::kCallerInvalid,
                said.code.empty() ? "http_" + std::to_string(got->status) : said.code,
                said.message.empty() ? "The gateway answered with status " + std::to_string(got->status) + "."
                                     : said.message);
  }
  return std::move(got->body);
}

/// As ask_gateway(), for answers that are a JSON object: prints it where --json was given (`shown`), else
/// hands it over parsed.
struct GatewayAnswer {
  json::value value;
  bool shown = false;
};
Result<GatewayAnswer> ask_for_object(const std::string& url, const std::string& key_env, std::string method,
                                     const std::string& path, std::string body, bool as_json) {
  const auto got = ask_gateway(url, key_env, std::move(method), path, std::move(body));
  if (!got) return fail(got.error());
  if (as_json) {
    std::cout << *got << "\n";
    return GatewayAnswer{{}, true};
  }
  boost::system::error_code broken;
  auto parsed = json::parse(*got, broken);
  if (broken || !parsed.is_object())
    return fail(ErrorKind::kProviderGarbage, "bad_answer", "The gateway's answer is not JSON.");
  return GatewayAnswer{std::move(parsed), false};
}

std::string text_of(const json::object& object, std::string_view key) {
  const auto* found = object.if_contains(key);
  return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string{};
}

std::string value_text(const OptionValue& value) {
  return std::visit(
      [](const auto& held) {
        if constexpr (std::is_same_v<std::decay_t<decltype(held)>, std::string>)
          return held.empty() ? std::string("\"\"") : held;
        else
          return fmt::format("{}", held);
      },
      value);
}

/// A JSON value as indented lines a person reads: objects as "key: value", nulls as "unknown".
void print_readable(const json::value& value, const std::string& indent) {
  if (!value.is_object()) return;
  for (const auto& [key, held] : value.get_object()) {
    const std::string name(key);
    if (held.is_object()) {
      std::cout << indent << name << ":\n";
      print_readable(held, indent + "  ");
    } else if (held.is_array()) {
      std::cout << indent << name << ":\n";
      for (const auto& item : held.get_array()) {
        if (item.is_object()) {
          std::cout << indent << "  -\n";
          print_readable(item, indent + "    ");
        } else {
          std::cout << indent << "  - "
                    << (item.is_string() ? std::string(item.get_string()) : json::serialize(item)) << "\n";
        }
      }
    } else {
      const auto shown = held.is_null()     ? std::string("unknown")
                         : held.is_string() ? std::string(held.get_string())
                         : held.is_double() ? fmt::format("{:.6g}", held.get_double())
                                            : json::serialize(held);
      std::cout << indent << name << ": " << shown << "\n";
    }
  }
}

}  // namespace

int complain(const Error& error, int status) {
  std::cerr << "brevet: " << error.message << " (" << error.code
            << (error.param.empty() ? "" : ", " + error.param) << ")\n";
  return status;
}

bool interrupted() {
  static const bool installed = [] {
    struct sigaction action {};
    action.sa_handler = on_signal;
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    return true;
  }();
  return installed && was_interrupted.load();
}

std::string utc_now() {
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

int route_command(const RouteFlags& flags) {
  PlayItem item;
  item.text = flags.prompt;
  item.system = flags.system;
  const auto answer = ask_for_object(flags.url, flags.key_env, "POST", "/v1/route",
                                     request_body(item, flags.model), flags.json);
  if (!answer) return complain(answer.error());
  if (answer->shown) return 0;
  const auto explanation = text_of(answer->value.get_object(), "explanation");
  if (!explanation.empty()) {
    std::cout << explanation << "\n";
  } else {
    print_readable(answer->value, "");
  }
  return 0;
}

int report_command(const ReportFlags& flags) {
  const auto path = flags.route.empty() ? std::string("/v1/report") : "/v1/report?route=" + flags.route;
  const auto answer = ask_for_object(flags.url, flags.key_env, "GET", path, "", flags.json);
  if (!answer) return complain(answer.error());
  if (!answer->shown) std::cout << report_text(answer->value);
  return 0;
}

int contract_command(const ContractFlags& flags) {
  if (!flags.turn.empty()) {
    if (flags.route.empty()) {
      return complain({ErrorKind::kCallerInvalid, "missing_key",
                       "Name the route whose contract is to be turned.", "--route"},
                      2);
    }
    const json::object body{{"route", flags.route}, {"on", flags.turn == "on"}};
    const auto done = ask_gateway(flags.url, flags.key_env, "POST", "/v1/contract", json::serialize(body));
    if (!done) return complain(done.error());
  }
  const auto path = flags.route.empty() ? std::string("/v1/contract") : "/v1/contract?route=" + flags.route;
  const auto answer = ask_for_object(flags.url, flags.key_env, "GET", path, "", flags.json);
  if (!answer) return complain(answer.error());
  if (!answer->shown) std::cout << contract_text(answer->value);
  return 0;
}

int config_command(const ConfigFlags& flags) {
  if (!flags.check.empty()) {
    const auto config = load_config(flags.check);
    if (!config) return complain(config.error(), 2);
    RouterFiles routers;
    for (const auto& [name, route] : config->routes) {
      const auto made = make_route_strategy(route, routers, {});
      if (!made) return complain(made.error(), 2);
      const auto composed = make_composed(route, routers, {});
      if (!composed) return complain(composed.error(), 2);
    }
    for (const auto& warning : config_warnings(*config)) std::cerr << "brevet: warning: " << warning << "\n";
    std::cout << flags.check << ": good, " << config->models.size() << " models, " << config->routes.size()
              << " routes\n";
    return 0;
  }
  std::cout << default_config_yaml()
            << "\n# Strategies and their options (routes.NAME.strategy: {name: NAME, OPTION: VALUE}):\n";
  const auto print = [](const std::vector<OptionSpec>& options) {
    for (const auto& option : options) {
      std::string bounds;
      if (option.low && option.high) bounds = fmt::format(" ({} to {})", *option.low, *option.high);
      std::cout << fmt::format("#   {}: {}{}   {}\n", option.name, value_text(option.fallback), bounds,
                               option.help);
    }
  };
  for (const auto& kind : strategies()) {
    std::cout << "#\n# " << kind.name << (kind.shadow_plan ? " (a shadow plan)" : "") << ": " << kind.summary
              << "\n";
    print(kind.options);
    if (!kind.make_trained) continue;
    std::cout << "#   router: the file of a trained router, relative to this one\n";
    if (kind.trained_options.empty()) continue;
    std::cout << "#   with a router, instead of the above:\n";
    print(kind.trained_options);
  }
  return 0;
}

}  // namespace brevet
