// A model behind an OpenAI-compatible HTTP(S) endpoint.
//
// Made by app for `upstream: openai`, and by local_process. Thread-safe; a call stays on the caller's
// executor, which must be an io_context run by one thread. Holds deadlines, bounded retries, circuit breaker
// and concurrency limit of this one model. The client's own credentials never reach the provider. Does not
// choose or transform prompts.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "net/http_client.h"
#include "upstream/breaker.h"
#include "upstream/model_client.h"
#include "upstream/pricing.h"

namespace brevet {

struct HttpModelOptions {
  std::string name;      ///< for messages
  std::string base_url;  ///< as in the OpenAI clients: "https://api.example.com/v1"
  std::string id;        ///< what the provider calls the model
  std::string key;       ///< sent as a bearer token; empty = none; never logged
  std::string ca_file;   ///< PEM trusted besides the system's certificates
  Pricing pricing;
  Milliseconds connect_timeout{5'000};
  Milliseconds first_token_timeout{60'000};  ///< streamed calls: until the first event
  Milliseconds total_timeout{600'000};       ///< retries and waits included
  int retries = 2;            ///< further tries on 429, 5xx and connection failures before the first event
  Milliseconds backoff{250};  ///< before the first retry, doubled for each further one, with jitter
  Milliseconds backoff_max{10'000};  ///< a longer Retry-After ends the call instead
  int concurrent_max = 256;
  std::size_t answer_bytes_max = 32 * 1024 * 1024;
  bool simulated = false;  ///< the endpoint is a simulation and must be labelled so
  /// The endpoint plays recorded answers, so what it says in kRecordedCostHeader is what the call cost. Of
  /// any other endpoint the header means nothing: nobody's provider sets our books.
  bool plays_recorded = false;
  BreakerOptions breaker;
  std::uint64_t seed = 1;  ///< of the jitter
};

/// Errors (kCallerInvalid): bad_url, bad_ca_file. Both references outlive the client.
///
/// Codes of a failed call: upstream_overloaded (kOverloaded), upstream_breaker_open, upstream_unreachable,
/// upstream_tls, upstream_error, upstream_stream_cut, upstream_stream_error (kProviderUnavailable),
/// upstream_connect_timeout, upstream_first_token_timeout, upstream_timeout (kProviderTimeout),
/// upstream_rate_limited (kProviderRateLimited), upstream_bad_http, upstream_bad_json, upstream_bad_answer,
/// upstream_not_a_stream, upstream_too_large, upstream_unexpected_status (kProviderGarbage), cancelled
/// (kCancelled); a provider's own 4xx keeps its code, or is upstream_rejected (kProviderRejected).
Result<ModelClientPtr> make_http_model_client(HttpModelOptions options, net::HttpClient& http,
                                              Clock& clock = system_clock());

}  // namespace brevet
