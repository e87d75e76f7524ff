// What recorded and simulated models share: giving an answer that is known beforehand as a provider would,
// whole or streamed, in time or at once, and failing as declared. Not for use outside this folder.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

#include "upstream/faults.h"
#include "upstream/model_client.h"

namespace brevet {

struct PlayedAnswer {
  Answer answer;  ///< text, usage, finish_reason, log-probabilities, returned_model
  Cost cost;
  Microseconds latency{0};      ///< as declared or recorded; also what is reported
  Microseconds first_token{0};  ///< part of it before the first event of a stream
  double speed = 0;             ///< 0 = no waiting
  std::string fingerprint;      ///< system_fingerprint: says that no real model answered
  std::uint64_t id = 0;         ///< of the completion
  Fault fault = Fault::kNone;
  Microseconds slow_by{0};
  bool body = true;  ///< write the JSON that a client is sent
};

/// Base of both: counts calls and plays answers. Thread-safe.
class PlayedModel : public ModelClient {
 public:
  ModelStatus status() const override;

 protected:
  /// Waits, streams and fails as `played` says. Log-probabilities are given when the call or the client asks,
  /// and shown to the client only when it does.
  Task<ModelOutcome> play(PlayedAnswer played, ModelCall call, StreamSink* sink);
  /// A failure that costs nothing and takes no time.
  ModelOutcome refuse(Error error);

 private:
  ModelOutcome failed(ModelFailure failure);

  mutable std::mutex mutex_;
  std::string last_error_;  // guarded by mutex_
  std::atomic<std::uint64_t> calls_{0}, failures_{0};
  std::atomic<std::uint32_t> in_flight_{0};
};

/// The texts of a call as the model would see them, with the call's edits made.
struct SeenPrompt {
  std::string system;
  std::string last_user;
  std::size_t bytes = 0;  ///< of all messages
  /// Which of several answers at a temperature; 0 = at none, or without a seed: always the same answer.
  std::uint64_t sample = 0;
};
SeenPrompt seen_prompt(const ModelCall& call);

}  // namespace brevet
