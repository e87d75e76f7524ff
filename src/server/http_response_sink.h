// Delivers an answer over HTTP: whole, or as server-sent events with keep-alive comments.
//
// Made by the gateway server for one request. Used on one executor; not thread-safe. close() must be awaited
// before the responder goes. What is written:
//   whole       200 JSON with the x-brevet headers
//   streamed    headers first (cost is not known yet), one flush per event, at the end a comment with the
//   cost,
//               then [DONE]; a cut stream ends in an error event and no [DONE]
//   held        an answer that was held although the client asked for a stream: its events at once. While it
//   is
//               held, ": ping" goes out every `ping_every`; the first one must send the status and the
//               headers, so decision, model and reason then follow in a comment, and a failure becomes an
//               error event.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "gateway/response_sink.h"
#include "net/http_server.h"
#include "server/metrics.h"

namespace brevet {

struct SinkOptions {
  std::string request_id;
  bool stream = false;
  bool include_usage = false;
  std::chrono::milliseconds ping_every{15'000};  ///< zero: no pings
};

class HttpResponseSink final : public ResponseSink {
 public:
  HttpResponseSink(net::HttpResponder& responder, Metrics& metrics, SinkOptions options);
  ~HttpResponseSink() override;

  /// Starts the keep-alive comments. To be called first.
  Task<void> open();
  /// Ends them; returns when nothing of this object runs any more. Never throws for a cancellation.
  Task<void> close();

  Task<Result<>> begin(const Decision& decision, const Configuration& model) override;
  Task<Result<>> event(std::string data) override;
  Task<Result<>> end(const Decision& decision, std::optional<Error> error) override;
  Task<Result<>> whole(const Decision& decision, Attempt& served) override;
  Task<Result<>> fail(const Decision& decision, const Error& error) override;

  /// Status that was sent, 0 when none was: then the client had gone.
  int status() const { return status_; }
  /// Counts the decision in the metrics, once: before the answer's last byte, so that whoever has read an
  /// answer finds it counted. The caller counts what ended without an answer.
  void count(const Decision& decision);

 private:
  struct Line;
  static Task<void> ping_loop(std::shared_ptr<Line> line);
  Task<Result<>> start_stream(net::HttpHeaders headers);
  Task<Result<>> send(std::string bytes);
  Task<Result<>> whole_as_stream(const Decision& decision, const Attempt& served);
  Task<void> wait_for_line();
  net::HttpHeaders headers(const char* content_type) const;

  net::HttpResponder& responder_;
  Metrics& metrics_;
  const SinkOptions options_;
  std::shared_ptr<Line> line_;  ///< shared with the ping loop; null when no stream was asked for
  int status_ = 0;
  bool counted_stream_ = false;
  bool counted_ = false;
};

}  // namespace brevet
