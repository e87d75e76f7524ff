// A model run on this machine by llama-server: started, watched, restarted and ended with us.
//
// Made by app for `upstream: local`. Thread-safe. Owns one thread, which is the parent of the child, so that
// the kernel ends the child when we end. Does not build or download anything.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "net/http_client.h"
#include "upstream/http_model_client.h"
#include "upstream/model_client.h"

namespace brevet {

struct LocalModelOptions {
  std::string server;         ///< path of llama-server
  std::string gguf;           ///< path of the model file
  std::string log_file;       ///< the server's output is appended; empty = discarded
  std::uint16_t port = 0;     ///< 0 = a free one
  int context_tokens = 4096;  ///< per slot
  int slots = 2;              ///< requests that the server works on at once
  int threads = 0;            ///< 0 = the server's own choice
  std::vector<std::string> extra_arguments;
  Milliseconds start_timeout{120'000};  ///< until /health answers 200
  int restarts_max = 5;  ///< in a row without reaching health; then it stays down and calls fail at once
  Milliseconds restart_backoff{500};  ///< doubled for each restart in a row
  Milliseconds grace{3'000};          ///< between SIGTERM and SIGKILL at the end
  HttpModelOptions http;              ///< base_url is filled in; id defaults to the file's name
};

enum class LocalState { kStarting, kHealthy, kRestarting, kDown };
const char* name_of(LocalState state);

class LocalModel {
 public:
  virtual ~LocalModel() = default;  ///< ends the process
  virtual ModelClientPtr client() = 0;
  virtual LocalState state() const = 0;
  virtual std::uint16_t port() const = 0;
  virtual int restarts() const = 0;
};

/// Blocks until the server is healthy. Errors: local_server_missing, local_model_missing (kCallerInvalid),
/// local_start_timeout, local_start_failed (kInternal; the message names the log file).
Result<std::unique_ptr<LocalModel>> start_local_model(LocalModelOptions options, net::HttpClient& http,
                                                      Clock& clock = system_clock());

}  // namespace brevet
