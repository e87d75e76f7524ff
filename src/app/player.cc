#include "app/player.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/json.hpp>

#include "wire/openai_chat.h"

namespace brevet {
namespace {

namespace json = boost::json;

Cost cost_header(const net::HttpHeaders& headers) {
  const auto text = net::find_header(headers, "x-brevet-cost-usd");
  const auto money = Money::parse_usd(text);
  if (!money) return {};
  const auto basis = net::find_header(headers, "x-brevet-cost-basis");
  for (const auto known : {CostBasis::kRecorded, CostBasis::kPriced}) {
    if (basis == name_of(known)) return {*money, known};
  }
  return {*money, CostBasis::kAssumed};
}

class HttpAsker final : public Asker {
 public:
  HttpAsker(net::HttpClient& http, net::HttpOriginPtr origin, std::string model)
      : http_(http), origin_(std::move(origin)), model_(std::move(model)) {}

  Task<PlayReply> ask(PlayItem item) override {
    net::HttpCall call;
    call.origin = origin_;
    call.method = "POST";
    call.target = origin_->base_path() + "/chat/completions";
    call.headers = {{"content-type", "application/json"}};
    call.body = request_body(item, model_);
    auto got = co_await http_.fetch(std::move(call));
    PlayReply reply;
    if (!got) {
      reply.error = got.error().code;
      co_return reply;
    }
    reply.status = got->status;
    reply.model = net::find_header(got->headers, "x-brevet-model");
    reply.decision = net::find_header(got->headers, "x-brevet-decision");
    reply.reason = net::find_header(got->headers, "x-brevet-reason");
    reply.cost = cost_header(got->headers);
    if (got->status != 200) {
      reply.error = wire::parse_error_body(got->body).code;
      co_return reply;
    }
    auto answer = wire::parse_chat_completion(std::move(got->body), {});
    if (answer) {
      reply.text = std::move(answer->text);
    } else {
      reply.error = answer.error().code;
    }
    co_return reply;
  }

 private:
  net::HttpClient& http_;
  const net::HttpOriginPtr origin_;
  const std::string model_;
};

/// Keeps what the flow delivers; a played request is never streamed.
class KeepingSink final : public ResponseSink {
 public:
  explicit KeepingSink(PlayReply& reply) : reply_(reply) {}
  Task<Result<>> begin(const Decision&, const Configuration&) override { co_return Result<>{}; }
  Task<Result<>> event(std::string) override { co_return Result<>{}; }
  Task<Result<>> end(const Decision&, std::optional<Error>) override { co_return Result<>{}; }
  Task<Result<>> whole(const Decision& decision, Attempt& served) override {
    reply_.status = 200;
    reply_.model = served.configuration.key();
    reply_.cost = decision.cost;
    if (served.answer) reply_.text = served.answer->text;
    co_return Result<>{};
  }
  Task<Result<>> fail(const Decision&, const Error& error) override {
    reply_.status = 500;
    reply_.error = error.code;
    co_return Result<>{};
  }

 private:
  PlayReply& reply_;
};

class FlowAsker final : public Asker {
 public:
  FlowAsker(RequestFlow& flow, RuntimePtr runtime, std::string model)
      : flow_(flow), runtime_(std::move(runtime)), model_(std::move(model)) {}

  Task<PlayReply> ask(PlayItem item) override {
    PlayReply reply;
    auto request = wire::parse_chat_request(request_body(item, model_));
    if (!request) {
      reply.error = request.error().code;
      co_return reply;
    }
    KeepingSink sink(reply);
    auto shared = std::make_shared<const ChatRequest>(std::move(*request));
    const auto decision = co_await flow_.run(runtime_, std::move(shared), RequestOptions{}, sink);
    reply.decision = decision->id;
    reply.reason = decision->reason.sentence;
    co_return reply;
  }

 private:
  RequestFlow& flow_;
  const RuntimePtr runtime_;
  const std::string model_;
};

struct PlayState {
  Asker& asker;
  const std::vector<PlayItem>& items;
  const std::function<void(std::size_t, const PlayReply&)>& on_reply;
  const std::function<bool()>& stop;
  const std::function<Task<void>()>& settle;
  std::size_t next = 0;
  int running = 0;
};

Task<void> play_in_turn(PlayState& state) {
  while (state.next < state.items.size() && !(state.stop && state.stop())) {
    const std::size_t index = state.next++;
    const auto reply = co_await state.asker.ask(state.items[index]);
    state.on_reply(index, reply);
    // Nothing suspends where models answer at once: shadows get their turn here, as they would between real
    // requests.
    co_await asio::post(asio::use_awaitable);
  }
  if (--state.running == 0 && state.settle) co_await state.settle();
}

}  // namespace

std::string request_body(const PlayItem& item, const std::string& model) {
  json::array messages;
  if (!item.system.empty()) messages.push_back(json::object{{"role", "system"}, {"content", item.system}});
  messages.push_back(json::object{{"role", "user"}, {"content", item.text}});
  json::object body{{"model", model}, {"messages", std::move(messages)}};
  if (item.max_tokens > 0) body["max_tokens"] = item.max_tokens;
  if (!item.record_id.empty()) body["metadata"] = json::object{{"brevet_record_id", item.record_id}};
  return json::serialize(body);
}

Result<std::unique_ptr<Asker>> make_http_asker(net::HttpClient& http, const std::string& base_url,
                                               std::string model) {
  auto origin = http.origin(base_url);
  if (!origin) return fail(origin.error());
  return std::unique_ptr<Asker>(std::make_unique<HttpAsker>(http, std::move(*origin), std::move(model)));
}

std::unique_ptr<Asker> make_flow_asker(RequestFlow& flow, RuntimePtr runtime, std::string model) {
  return std::make_unique<FlowAsker>(flow, std::move(runtime), std::move(model));
}

void play(asio::io_context& context, Asker& asker, const std::vector<PlayItem>& items, int concurrency,
          const std::function<void(std::size_t, const PlayReply&)>& on_reply,
          const std::function<bool()>& stop, const std::function<Task<void>()>& settle) {
  PlayState state{asker, items, on_reply, stop, settle};
  state.running = std::max(1, std::min<int>(concurrency, static_cast<int>(items.size())));
  for (int i = 0, count = state.running; i < count; ++i)
    asio::co_spawn(context, play_in_turn(state), asio::detached);
  context.restart();
  context.run();
}

}  // namespace brevet
