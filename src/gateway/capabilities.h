// Which candidates can take a request at all, before anybody asks what they cost or how good they are.
//
// Called by RequestFlow for every routed request, and by nobody else. Pure. What is not known of a model
// keeps it in: a wrong guess would take a model out of service, a wrong call is an error that names its
// cause.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "domain/chat_request.h"

namespace brevet {

/// What a model takes, as configured or as the catalogue knows it. Empty = not known.
struct ModelLimits {
  std::optional<std::int64_t> context_tokens;  ///< prompt and answer together
  std::optional<bool> other_parts;             ///< parts that are not text: images, audio, files
  std::optional<bool> tools;
  std::optional<bool> response_format;  ///< answers of a given JSON schema
};

struct CandidateLimits {
  std::string name;
  ModelLimits limits;
};

struct CanTake {
  /// Per candidate: empty where it can take the request, else why not: "strong-8k takes text only, and the
  /// request holds parts that are not text".
  std::vector<std::string> why_not;
  /// What the request needs and nobody knows of a candidate that was kept in; one sentence, or empty.
  std::string not_known;
};

/// Tokens that a request needs in a context, estimated at four bytes each and the answer as far as
/// `max_tokens` asks for one. Low rather than high: text in most scripts has more tokens than that.
std::int64_t context_needed(const ChatRequest& request);

CanTake who_can_take(const ChatRequest& request, const std::vector<CandidateLimits>& candidates);

}  // namespace brevet
