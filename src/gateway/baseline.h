// What always-strong would have cost for a request: exact where the reference served, else an estimate with
// its basis.
//
// Used by RequestFlow for every routed decision. Thread-safe (one short lock). The estimate is the price of
// the request's own input tokens and of the mean output of the reference on this route so far; where the
// reference has no price (recorded costs), the mean of what its answers cost. It never shows an unknown as
// zero. The means
// belong to a route and its reference, and survive restarts through save() and restore(), a setting of the
// store.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "domain/answer.h"
#include "upstream/model_client.h"

namespace brevet {

class BaselineEstimator {
 public:
  struct Result {
    Cost cost;
    std::string note;
  };
  /// Learns from an answer of the reference to a request of this route.
  void observe(const std::string& route, const std::string& reference_key, const Usage& usage,
               const Cost& cost);
  /// For a request that `served` answered instead; `reference` prices it, null when it is not known.
  Result estimate(const std::string& route, const std::string& reference_key, const ModelClient* reference,
                  const Usage& served, std::size_t request_bytes) const;

  std::string save() const;
  /// False when the text is not one of save(); then nothing changes.
  bool restore(std::string_view text);

 private:
  /// References that a route had over the years are kept as well; past this many nothing new is learned.
  static constexpr std::size_t kMeansMax = 4'096;

  struct Means {
    std::uint64_t outputs = 0;
    double output_tokens = 0;  ///< mean
    std::uint64_t costs = 0;
    double cost_pico = 0;  ///< mean
  };
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, Means> means_;  // guarded by mutex_; by route, reference
};

}  // namespace brevet
