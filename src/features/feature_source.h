// Where the gateway gets what a request looks like. One implementation embeds through the encoder pool; tests
// and replay give fixed features.
//
// Called on the request path by gateway. Thread-safe. An encoder that is missing, overloaded or failing
// degrades to features without an embedding (null) plus a counted reason; it never fails the request.
#pragma once

#include <string>

#include "base/async.h"
#include "domain/chat_request.h"
#include "domain/features.h"

namespace brevet {

struct FeatureResult {
  RequestFeatures features;
  std::string degraded;  ///< stable code why the embedding is missing: "no_encoder", "no_text",
                         ///< "encoder_overloaded", ...
};

class FeatureSource {
 public:
  virtual ~FeatureSource() = default;
  /// `request` is shared so that it outlives the suspension.
  virtual Task<FeatureResult> features(std::shared_ptr<const ChatRequest> request) = 0;
  /// Identity of the encoder in memory keys; "none" without one.
  virtual const std::string& encoder_hash() const = 0;
};

}  // namespace brevet
