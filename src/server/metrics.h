// What the gateway counts about requests, and its Prometheus text.
//
// The gateway server records one finished request with one call under one lock; /metrics renders.
// Thread-safe. Bounded: label values are names of the configuration and codes; past kSeriesMax series of a
// family further ones are counted under "other". What runs in the background comes from AdminView::samples(),
// the state of models from ModelClient::status().
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "domain/decision.h"
#include "gateway/admin_view.h"
#include "gateway/runtime.h"

namespace brevet {

inline constexpr std::size_t kSeriesMax = 500;

class Metrics {
 public:
  Metrics();

  /// Any HTTP exchange; `endpoint` is a template of ours, never a path as sent.
  void exchange(std::string_view endpoint, int status);
  /// A request that went through the flow.
  void decided(const Decision& decision);

  std::atomic<std::int64_t> in_flight{0};  ///< chat requests
  std::atomic<std::int64_t> streams{0};    ///< open SSE answers
  std::atomic<std::uint64_t> pings{0};

  std::string render(const Runtime* runtime, const std::vector<MetricSample>& more) const;

 private:
  struct Histogram {
    std::vector<std::uint64_t> buckets;
    double sum = 0;
    std::uint64_t count = 0;
  };
  struct Family {
    const char* name;
    const char* help;
    std::vector<const char*> labels;
    bool histogram = false;
    std::map<std::string, double> values;  ///< by rendered labels
    std::map<std::string, Histogram> histograms;
    /// The same series by their bare label values, so that a known one is found without rendering.
    std::unordered_map<std::string, double*> value_of;
    std::unordered_map<std::string, Histogram*> histogram_of;
  };
  enum Id {
    kExchanges,
    kRequests,
    kDecisions,
    kTokens,
    kCost,
    kBaseline,
    kUnpriced,
    kAttempts,
    kErrors,
    kRetries,
    kFallbacks,
    kUnreachable,
    kDegraded,
    kDuration,
    kOverhead,
    kUpstream,
    kFirstToken,
    kFamilies
  };

  void called(const Attempt& attempt);
  void add(Id id, std::initializer_list<std::string_view> labels, double value);
  void observe(Id id, std::initializer_list<std::string_view> labels, double seconds);
  template <class Series>
  Series& series(Family& family, std::map<std::string, Series>& all,
                 std::unordered_map<std::string, Series*>& known,
                 std::initializer_list<std::string_view> labels);

  mutable std::mutex mutex_;
  std::vector<Family> families_;  // guarded by mutex_
  std::uint64_t overflows_ = 0;   // guarded by mutex_
  std::string key_;               // guarded by mutex_; kept for its memory
};

}  // namespace brevet
