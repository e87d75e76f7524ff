// How an answer leaves towards the client. Implemented by src/server (HTTP) and by replay.
//
// Called by RequestFlow on the request's executor, in this order: either whole() or fail() alone, or begin()
// then event()* then end(). An error from begin() or event() means that the client is gone.
#pragma once

#include <optional>
#include <string>

#include "base/async.h"
#include "base/result.h"
#include "domain/decision.h"

namespace brevet {

class ResponseSink {
 public:
  virtual ~ResponseSink() = default;
  /// A streamed answer starts: decision id, model and reason are known, the cost is not yet.
  virtual Task<Result<>> begin(const Decision& decision, const Configuration& model) = 0;
  /// JSON of one SSE event. Called as soon as the upstream sent it.
  virtual Task<Result<>> event(std::string data) = 0;
  /// The stream ended: whole (then [DONE] follows) or cut by `error` (in-band error event, no [DONE]).
  virtual Task<Result<>> end(const Decision& decision, std::optional<Error> error) = 0;
  /// A whole answer. When the client asked for a stream and the answer was held, the sink turns it into
  /// events itself. It may take the answer's body, which nobody needs afterwards.
  virtual Task<Result<>> whole(const Decision& decision, Attempt& served) = 0;
  virtual Task<Result<>> fail(const Decision& decision, const Error& error) = 0;
};

}  // namespace brevet
