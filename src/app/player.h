// Plays a list of questions against a gateway, several at once, and tells what came back.
//
// Used by `brevet demo` and `brevet play`. ask() is either HTTP (what a user's program would send) or a
// direct call of the RequestFlow (replay in process). play() blocks its caller and runs one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/async.h"
#include "base/result.h"
#include "domain/money.h"
#include "gateway/request_flow.h"
#include "net/http_client.h"

namespace brevet {

struct PlayItem {
  int max_tokens = 0;          ///< bound on the answer; 0 = none. A small real model may never stop by itself
  std::uint32_t question = 0;  ///< index in the caller's data
  std::string text;            ///< the user message
  std::string system;          ///< system message, may be empty
  std::string
      record_id;  ///< goes into metadata.brevet_record_id, where recorded upstreams look; may be empty
};

/// The chat request of an item.
std::string request_body(const PlayItem& item, const std::string& model);

struct PlayReply {
  int status = 0;  ///< HTTP status; 0 when there was no answer at all
  std::string text;
  std::string model;  ///< configuration that served (x-brevet-model)
  std::string decision;
  std::string reason;
  Cost cost;
  std::string error;  ///< code of the error
};

class Asker {
 public:
  virtual ~Asker() = default;
  virtual Task<PlayReply> ask(PlayItem item) = 0;
};

/// `base_url` such as "http://127.0.0.1:8787/v1". Errors: bad_url.
Result<std::unique_ptr<Asker>> make_http_asker(net::HttpClient& http, const std::string& base_url,
                                               std::string model);
std::unique_ptr<Asker> make_flow_asker(RequestFlow& flow, RuntimePtr runtime, std::string model);

/// Asks every item with `concurrency` requests in flight, in order of their start; on_reply runs on the
/// playing thread. `stop` ends it early when it returns true. `context` is run by this call; background work
/// posted there runs along, and after the last reply `settle` (may be null) is awaited before it returns.
void play(asio::io_context& context, Asker& asker, const std::vector<PlayItem>& items, int concurrency,
          const std::function<void(std::size_t, const PlayReply&)>& on_reply,
          const std::function<bool()>& stop = {}, const std::function<Task<void>()>& settle = {});

}  // namespace brevet
